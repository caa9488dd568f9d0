"""Examples from tables of consequences: the prompt, and the rationale that leads to the best row."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from ludens.agents.llm.prompts.games import NEUTRAL, render, render_scale
from ludens.agents.llm.prompts.surfaces import TABLE, VARIED, is_table, surface
from ludens.agents.llm.prompts.tables import PROGRAMS, Table, show
from ludens.agents.llm.prompts.templates import WORDINGS, Persona
from ludens.agents.llm.prompts.tree import rotation
from ludens.envs import Turn
from ludens.errors import UsageError
from ludens.preferences.consequences import Consequences, Weights
from ludens.training.data.example import Asks, Domain, Example, Reasoning
from ludens.training.data.table_rationale import act_rationale, table_rationale

POINTS = ("0", "50", "100")
"""The answers where points are asked for."""


@dataclass(frozen=True)
class Case:
    """A turn of any domain to be labelled.

    Attributes:
        domain, family, key, role, node, numbers: as the attributes of `Example`.
        consequences: the numbers of its table.
        make_table: makes the table, once the case is chosen.
        weights: the weights of the preferences in this question.
        asks: what kind of answer is asked for.
        rises: whether swerving is answered with 100 points, and not with 0.
        make_turn: makes the turn in the environment, for wordings other than the table; None where there are
            none.
        order: the order in which two programs are listed, where points are shared out.
        subject: what the turn is about: a vignette, an adoption game with the share of utilitarian cars among
            the others, or a market with the product, the last prices and the prices of the table.
    """

    domain: Domain
    family: str
    key: str
    role: str
    node: str
    numbers: tuple[float, ...]
    consequences: Consequences
    make_table: Callable[[], Table]
    weights: Weights
    asks: Asks = "choice"
    rises: bool = True
    make_turn: Callable[[], Turn] | None = None
    order: int = 0
    subject: Any = None

    @property
    def best(self) -> frozenset[str]:
        """The optimal options; of a question for points, the points."""
        best = self.consequences.best(self.weights)
        if self.asks == "choice":
            return best
        if len(best) > 1:
            return frozenset({"50"})
        return frozenset({"100" if ("swerve" in best) == self.rises else "0"})

    @property
    def answer(self) -> tuple[object, ...]:
        """The optimal options, by which examples are balanced: by their places where options are prices."""
        best = sorted(self.best)
        return tuple(map(self.consequences.options.index, best)) if self.domain == "pricing" else tuple(best)

    @property
    def reorders(self) -> bool:
        """Whether options may be labelled in any order: prices keep their own."""
        return self.domain != "pricing"


def drawn_framing(framing: str, surfaces: int, rng: np.random.Generator) -> str:
    """Return the framing of one example: for `table` and `varied`, one of so many surfaces or the plain
    one.
    """
    if framing not in (TABLE, VARIED) or not surfaces:
        return NEUTRAL if framing == VARIED else framing
    number = int(rng.integers(surfaces + (framing == TABLE)))
    if framing == VARIED:
        return f"{VARIED}/{number + 1}"
    return f"{TABLE}/{number}" if number else TABLE


def drawn_place(number: int, rng: np.random.Generator) -> int:
    """Return one of so many places; where there is one, nothing is drawn."""
    return int(rng.integers(number)) if number > 1 else 0


class PlannedCase(NamedTuple):
    """A case with what was drawn for its example.

    Attributes:
        case: the turn with its weights.
        framing: ``table``, one of its surfaces, or another wording that the case has.
        order: the number of the order in which options are labelled.
        tie: which of the optimal options, in alphabetical order, the example takes.
    """

    case: Case
    framing: str
    order: int
    tie: int


def check_tabled(reasoning: Reasoning) -> None:
    """Check that examples from tables can be written in a form of reasoning.

    Raises:
        UsageError: they cannot.
    """
    if reasoning == "prose":
        raise UsageError("Tables have rationales in steps alone: reasoning='steps' or 'none'.")


def table_example(planned: PlannedCase, reasoning: Reasoning) -> Example:
    """Make the example of a case.

    Args:
        planned: the case with what was drawn.
        reasoning: ``"steps"`` or ``"none"``.

    Raises:
        UsageError: the form of reasoning is another one.
    """
    check_tabled(reasoning)
    case, framing, order, tie = planned
    best = case.best
    if is_table(framing):
        table = case.make_table()
    else:  # a dilemma in sentences, whose rationale begins with the rows
        found = case.consequences
        table = Table("vehicles", found, found.options, {}, labelled=case.asks == "choice")
    how = surface(framing if is_table(framing) else TABLE)
    order = order % len(table.options) if table.labelled else case.order
    shown = show(table, how, order if table.labelled else 0)
    if is_table(framing):
        messages = _messages(shown.text, _answering(case.asks, shown.labels, reasoning != "none"))
        rows = shown.rows
    else:
        assert case.make_turn is not None
        write = render if case.asks == "choice" else render_scale
        messages = write(case.make_turn(), framing, order, reasoning=reasoning != "none").messages
        rows = shown.rows
    if case.asks == "choice":
        options = tuple(table.options[place] for place in shown.order)
        labels = shown.labels
        values = case.consequences.values(case.weights)
        worth = _worth(case.consequences.options, values, sum(vars(case.weights).values()) or 1)
        utilities = tuple(worth[name] for name in options)
        margin = _margin(worth, best)
    else:
        options, labels, utilities, margin = POINTS, POINTS, (), float("inf")
    taken = sorted(best)[tie]
    answer = labels[options.index(taken)]
    ending = _ending(case.asks, answer, order, reasoning)
    lines: list[str] = []
    if reasoning != "none" and case.asks == "choice" and is_table(framing):
        lines, _ = table_rationale(rows, case.weights)
    elif reasoning != "none":
        acts = _rated(case, order) if case.asks != "choice" else dict(zip(labels, options, strict=True))
        named = [(acts.get(label, label), alone, together) for label, alone, together in rows]
        if not is_table(framing):  # sentences show no rows: the act that is asked about first comes first
            first = next(iter(acts.values()))
            named.sort(key=lambda row: row[0] != first)
        lines = act_rationale(named, case.weights, acts, points=case.asks != "choice")
    return Example(
        prompt=messages,
        completion="\n".join([*lines, ending]),
        family=case.family,
        payoffs=case.numbers,
        game=case.key,
        role=case.role,
        node=case.node,
        framing=framing,
        order=order,
        options=options,
        labels=labels,
        answer=answer,
        optimal=tuple(name for name in options if name in best),
        utilities=utilities,
        margin=margin,
        reasoning=reasoning,
        label_shares=tuple((name in best) / len(best) for name in options),
        domain=case.domain,
        asks=case.asks,
    )


def _worth(options: tuple[str, ...], values: tuple[int, ...], unit: int) -> dict[str, float]:
    worth: dict[str, float] = {}
    for name, value in zip(options, values, strict=True):
        worth[name] = max(worth.get(name, -np.inf), value / unit)
    return worth


def _margin(worth: Mapping[str, float], best: frozenset[str]) -> float:
    others = [value for name, value in worth.items() if name not in best]
    return max(worth.values()) - max(others) if others else float("inf")


def _rated(case: Case, order: int) -> dict[str, str]:
    """Return the program that is rated, without a label, or both that share points, by their labels."""
    acts = case.consequences.options
    if case.asks == "rating":
        return {"": acts[case.rises]}
    return {label: acts[place] for label, place in zip(PROGRAMS, rotation(2, order), strict=True)}


def _ending(asks: Asks, answer: str, order: int, reasoning: Reasoning) -> str:
    """Return the answer as the prompt asks for it."""
    if asks == "allocation":
        given = (str(100 - int(answer)), answer)  # to the program that stays, and to the one that swerves
        shared = zip(PROGRAMS, (given[place] for place in rotation(2, order)), strict=True)
        return "\n".join(f"{label}: {points}" for label, points in shared)
    if reasoning == "none":
        return answer
    return f"Rating: {answer}" if asks == "rating" else f"Answer: {answer}"


@lru_cache(maxsize=512)
def _answering(asks: Asks, labels: tuple[str, ...], reasoning: bool) -> str:
    """Return the part of a prompt that says how to answer."""
    asking = {"labels": labels, "reasoning": reasoning, "format": "letter"}
    if asks == "choice":
        return WORDINGS.render("answer.j2", {"belief": False, **asking})
    given = PROGRAMS if asks == "allocation" else ()
    return WORDINGS.render("answer_scale.j2", asking | {"labels": given, "scale": asks, "total": "100"})


@lru_cache(maxsize=1)
def _system() -> Mapping[str, str]:
    return WORDINGS.system(Persona(None))


def _messages(text: str, answering: str) -> tuple[Mapping[str, str], ...]:
    return (_system(), {"role": "user", "content": f"{text}\n{answering}"})
