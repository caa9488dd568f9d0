"""What a person who answers dilemmas or chooses a car is shown: the words that models are asked in."""

from __future__ import annotations

from ludens.agents.llm.prompts.games import render, render_scale
from ludens.envs import Turn


def question_words(turn: Turn) -> str:
    """Return a turn in the neutral wording.

    Raises:
        WordingError: there is no wording for the game.
    """
    prompt = render(turn) if turn.scale is None else render_scale(turn)
    return str(prompt.messages[-1]["content"])
