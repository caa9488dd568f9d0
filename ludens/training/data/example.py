"""One labelled turn: what a model is shown, what it should say, and what is known of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

from ludens.errors import UsageError

Reasoning = Literal["steps", "prose", "none"]


def check_reasoning(reasoning: str) -> Reasoning:
    """The name of a form of reasoning.

    Raises:
        UsageError: it is none.
    """
    for known in get_args(Reasoning):
        if reasoning == known:
            return known  # type: ignore[no-any-return]  # a literal's own value
    raise UsageError(f"Reasoning is one of {', '.join(get_args(Reasoning))}; got {reasoning!r}.")


@dataclass(frozen=True)
class Example:
    """A turn with its label.

    Attributes:
        prompt: the chat messages, exactly as `ludens.agents.llm.prompts.games.render` words the turn.
        completion: the reply to learn; `ludens.agents.llm.reading.choices.read_choice` reads `answer` from
            it.
        family: the game's family.
        payoffs: the family's parameters, in points.
        game: the game's key; games of one key differ by a positive affine rescaling at most.
        role: who moves.
        node: the information set.
        framing: the wording, see `ludens.agents.llm.framings`.
        order: the number of the order in which options are shown.
        options: the options' names in the order shown.
        labels: the label of each, likewise.
        answer: the label of the option that the completion takes.
        optimal: the names of all optimal options; more than one is a tie.
        utilities: per option in the order shown, what the best whole strategy with it is worth, in points.
        margin: points by which the optimal options lead the best of the others; infinite if there is none.
        reasoning: the form of the completion.
        label_shares: per option in the order shown, its share in the label: 1 for the optimal option, split
            evenly among tied ones.
    """

    prompt: tuple[Mapping[str, str], ...]
    completion: str
    family: str
    payoffs: tuple[float, ...]
    game: str
    role: str
    node: str
    framing: str
    order: int
    options: tuple[str, ...]
    labels: tuple[str, ...]
    answer: str
    optimal: tuple[str, ...]
    utilities: tuple[float, ...]
    margin: float
    reasoning: Reasoning
    label_shares: tuple[float, ...]

    @property
    def option(self) -> str:
        """The name of the option that the completion takes."""
        return self.options[self.labels.index(self.answer)]

    def to_row(self) -> dict[str, Any]:
        """JSON values in TRL's conversational prompt/completion shape, what is known beside them.

        An infinite margin is written as None.
        """
        row = dict(vars(self))
        row["prompt"] = [dict(message) for message in self.prompt]
        row["completion"] = [{"role": "assistant", "content": self.completion}]
        row["margin"] = self.margin if self.margin != float("inf") else None
        return {key: list(value) if isinstance(value, tuple) else value for key, value in row.items()}

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> Example:
        """The example that `to_row` wrote.

        Raises:
            UsageError: the row is none.
        """
        try:
            values: dict[str, Any] = {
                key: tuple(value) if isinstance(value, list) else value for key, value in row.items()
            }
            values["completion"] = row["completion"][0]["content"]
            values["margin"] = float("inf") if row["margin"] is None else row["margin"]
            return cls(**values)
        except (KeyError, IndexError, TypeError, AttributeError) as why:
            raise UsageError(f"This row is no example of a ludens data set ({why!r}).") from None
