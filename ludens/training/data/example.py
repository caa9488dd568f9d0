"""Labelled turns: prompt, completion, and facts about the game and its optimal options."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, get_args

from ludens.display.notebook import Shown, View
from ludens.errors import UsageError

Reasoning = Literal["steps", "prose", "none"]
Domain = Literal["games", "av", "pricing"]
Asks = Literal["choice", "rating", "allocation", "number", "numbers"]
DOMAINS: tuple[Domain, ...] = get_args(Domain)


def check_reasoning(reasoning: str) -> Reasoning:
    """Return the name of a form of reasoning.

    Raises:
        UsageError: there is no such form.
    """
    for known in get_args(Reasoning):
        if reasoning == known:
            return known  # type: ignore[no-any-return]  # a literal's own value
    raise UsageError(f"Reasoning is one of {', '.join(get_args(Reasoning))}; got {reasoning!r}.")


@dataclass(frozen=True)
class Example(Shown):
    """A turn with its label.

    Attributes:
        prompt: the chat messages, exactly as `ludens.agents.llm.prompts.games.render` writes them (and
            `render_scale` where points are asked for).
        completion: the reply to learn, from which `ludens.agents.llm.reading.choices.read_choice` reads
            `answer`, or `ludens.agents.llm.reading.points` the points.
        family: the game's family.
        payoffs: the family's parameters, in points; the numbers of a vignette, an adoption game or a market.
        game: the game's key; games of one key differ at most by a positive affine rescaling. Dilemmas of one
            key have the same numbers of people, and markets of one key the same demand and costs.
        role: the role that moves.
        node: the information set.
        framing: the name of the framing.
        order: the number of the order in which options are shown.
        options: the options' names in the order shown.
        labels: the label of each option, in the same order.
        answer: the label of the option that the completion takes.
        optimal: the names of all optimal options; more than one is a tie.
        utilities: the utility of the best whole strategy with each option, in points, in the order shown;
            outside game trees in the units of the table, and empty where points are asked for.
        margin: points by which the optimal options lead the best other one; infinite if there is none.
        reasoning: the form of the completion.
        label_shares: the share of each option in the label, in the order shown: 1 for the optimal option,
            divided equally among tied ones.
        domain: ``"games"`` (trees), ``"av"`` (dilemmas and the adoption game) or ``"pricing"`` (markets).
        asks: ``"choice"`` of a label, ``"rating"`` or ``"allocation"``, whose options are 0, 50 and 100
            points (those of an allocation go to the program that swerves); ``"number"`` where an action of a
            game is a number, and ``"numbers"`` where it consists of several, which are their own labels.
    """

    shown_by: ClassVar[str] = "ludens.training.data.example:view"

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
    domain: Domain = "games"
    asks: Asks = "choice"

    @property
    def option(self) -> str:
        """The name of the option that the completion takes."""
        return self.options[self.labels.index(self.answer)]

    def to_row(self) -> dict[str, Any]:
        """Return JSON values in TRL's conversational prompt/completion format, with the other facts as
        columns.

        An infinite margin becomes None.
        """
        row = dict(vars(self))
        row["prompt"] = [dict(message) for message in self.prompt]
        row["completion"] = [{"role": "assistant", "content": self.completion}]
        row["margin"] = self.margin if self.margin != float("inf") else None
        return {key: list(value) if isinstance(value, tuple) else value for key, value in row.items()}

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> Example:
        """Return the example of a row that `to_row` made.

        Raises:
            UsageError: the row is not an example.
        """
        try:
            values: dict[str, Any] = {
                key: tuple(value) if isinstance(value, list) else value for key, value in row.items()
            }
            values["completion"] = row["completion"][0]["content"]
            values["margin"] = float("inf") if row["margin"] is None else row["margin"]
            return cls(**values)
        except (KeyError, IndexError, TypeError, AttributeError) as why:
            raise UsageError(f"This row is not an example of a ludens data set ({why!r}).") from None


def view(example: Example) -> View:
    """Return what a notebook shows of an example: the prompt, and the reply to learn."""
    return View(
        f"{example.role} at {example.node}",
        f"example of {example.family}",
        facts={
            **{message["role"]: message["content"] for message in example.prompt},
            "reply to learn": example.completion,
            "optimal": ", ".join(example.optimal),
            "margin": f"{example.margin:g} points",
        },
    )
