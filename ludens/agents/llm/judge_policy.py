"""A language model as a judge of texts: it says which of several statements fits a text."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from string import ascii_uppercase
from typing import ClassVar

import numpy as np

from ludens.agents.llm.model_policy import ModelPolicy, Question
from ludens.agents.llm.prompts.templates import Prompt
from ludens.agents.llm.prompts.tree import rotation
from ludens.agents.llm.reading.choices import read_choice
from ludens.agents.llm.reading.parsed import ParsedReply, read_text
from ludens.agents.llm.reply import Reply
from ludens.agents.llm.settings import JudgeSettings, ModelSettings
from ludens.agents.policy import Decision, Wording
from ludens.envs import Option, Turn
from ludens.errors import UsageError

SHORT_REPLY = 16


@dataclass(frozen=True)
class JudgeGame:
    """The question put to a judge, in the place of a game.

    Attributes:
        question: the prompt, with ``{sentence}`` where the text stands and ``{options}`` where the statements
            stand, one labelled statement on each line.
        kinds: the statements by the names of what they recognise.
    """

    question: str
    kinds: Mapping[str, str]
    name: str = "judge"
    roles: tuple[str, ...] = ("judge",)
    parameters: Mapping[str, float] = field(default_factory=dict)
    protocol: str | None = None

    def turn(self, sentence: str) -> Turn:
        """Return the turn at which a sentence is judged; its options are the names of the kinds."""
        return Turn(
            environment="ludens/judge",
            agent="judge",
            role="judge",
            node="sentence",
            options=tuple(Option(number, name) for number, name in enumerate(self.kinds)),
            observation={},
            game=self,
            facts={"sentence": sentence},
        )


class JudgePolicy(ModelPolicy):
    """A language model that says which kind of sentence it is shown.

    Args:
        model: its LiteLLM id.
        settings: see `ludens.agents.llm.settings.JudgeSettings`. Anything else is handed to LiteLLM.

    Raises:
        UsageError: a setting is out of its range or unknown.
    """

    Settings: ClassVar[type[ModelSettings]] = JudgeSettings
    settings: JudgeSettings

    async def adecide(self, turn: Turn, rng: np.random.Generator) -> Decision:
        """Ask the model; the kinds stand in an order that is drawn anew for each sentence.

        Raises:
            ModelError: the model cannot be used, or gave no reply (`NoReplyError`).
            UsageError: the turn is not one of a `JudgeGame`.
        """
        prompt = _prompt(turn, int(rng.integers(len(turn.options))))
        query = await self._query()

        def read(reply: Reply) -> ParsedReply:
            return read_text(reply, prompt)

        _, reply = await self._ask(query, lambda held: Question(prompt, read, SHORT_REPLY))
        if reply.outcome != "ok":
            return self._undecided(reply, prompt.wording, query)
        place = read_choice(reply.reply, prompt.labels).place
        assert place is not None
        return Decision(turn.options[prompt.order[place]].action, **self._known(query, prompt.wording))

    @property
    def _retries(self) -> int:
        return self.settings.retries


def _prompt(turn: Turn, order: int) -> Prompt:
    game = turn.game
    if not isinstance(game, JudgeGame):
        raise UsageError(f"A judge reads sentences, and {turn.environment} shows none: give it a JudgeGame.")
    statements = list(game.kinds.values())
    shown = rotation(len(statements), order)
    labels = tuple(ascii_uppercase[: len(statements)])
    lines = [f"{label}. {statements[number]}" for label, number in zip(labels, shown, strict=True)]
    text = game.question.format(sentence=turn.facts["sentence"], options="\n".join(lines))
    letters = f"{', '.join(labels[:-1])} and {labels[-1]}"
    digest = hashlib.sha256(game.question.encode("utf-8", "surrogatepass")).hexdigest()[:12]
    return Prompt(
        messages=({"role": "user", "content": text},),
        labels=labels,
        order=shown,
        words=(),
        reread=lambda reason: f"{reason} Answer with one of the letters {letters} only.",
        wording=Wording("judge", "judge", digest, (shown,)),
    )
