"""How models answered: with how much of their probability, and why they refused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ludens.experiments.measures.answer_mass import AnswerMass
from ludens.experiments.measures.refusals import Refusals
from ludens.experiments.report.names import DASH, percent, policy_name
from ludens.experiments.report.table import Cell, Table

NOT_READ = "no choice was read from log-probabilities"


def mass_cell(mass: AnswerMass | None) -> Cell:
    """Return the mean answer mass in per cent, over the lowest, or a dash."""
    if mass is None or mass.mean is None:
        return Cell(DASH, "", NOT_READ)
    instead = f", {mass.sampled} of them sampled instead" if mass.sampled else ""
    return Cell(percent(mass.mean), f"≥ {percent(mass.lowest)}", f"n = {mass.decisions}{instead}")


def low_mass_sentence(policy: str, mass: float) -> str:
    """Return the warning that most of a model's probability lay on other words than the options."""
    return (
        f"{policy_name(policy)} put {percent(mass)} per cent of its probability on the options it was "
        "offered, and the rest on other words: its choices were forced."
    )


def sampled_sentence(policy: str, mass: AnswerMass) -> str:
    """Return the remark that a model was sampled where its log-probabilities were no answer."""
    return (
        f"{policy_name(policy)} was sampled at {mass.sampled} of {mass.decisions} questions, because its "
        "log-probabilities were not those of an answer there."
    )


def refusals_sentence(
    policy: str,
    found: Sequence[Refusals],
    asked: int,
    persona: str | None = None,
    *,
    first: bool = False,
) -> str:
    """Return how much a model refused, and why.

    Args:
        policy: its label.
        found: its refusals by reason, at least one.
        asked: how many questions it was asked.
        persona: the persona under which it was asked; None for none.
        first: whether these are the first questions alone.
    """
    count = sum(each.count for each in found)
    under = f" under the persona {_short(persona)!r}" if persona else ""
    reasons = ", ".join(f"{each.told} ({each.count})" for each in found[:3])
    more = "" if len(found) <= 3 else f", otherwise ({sum(each.count for each in found[3:])})"
    which = f"the first {asked}" if first else str(asked)
    return f"{policy_name(policy)} refused {count} of {which} questions{under}: {reasons}{more}."


def refusals_table(refused: Mapping[str, Sequence[Refusals]]) -> Table | None:
    """Return the refusals of every policy by reason; None where nothing was refused."""
    rows = [
        (policy_name(policy), [each.reason, each.words, str(each.count)])
        for policy, found in refused.items()
        for each in found
    ]
    caption = (
        "Why questions were not answered: by the provider's word, or in the model's own words, of which the "
        "beginning is shown. None is replaced by a guess."
    )
    headers = ["reason", "words", "refusals"]
    return Table.of("Refusals by reason", caption, headers, rows, corner="policy") if rows else None


def masses_table(
    masses: Mapping[str, Mapping[str, AnswerMass]], corner: str = "policy", over: str = "protocol"
) -> Table | None:
    """Return the mean and the lowest answer mass of every policy in every column; None where none was read.

    Args:
        masses: by policy and by the name of the column.
        corner: the heading of the policies.
        over: what the columns are.
    """
    read = {policy: found for policy, found in masses.items() if found}
    columns = list(dict.fromkeys(name for found in read.values() for name in found))
    rows = [
        (policy_name(policy), [mass_cell(found.get(name)) for name in columns])
        for policy, found in read.items()
    ]
    caption = (
        "The part of a model's probability, in per cent, that lay on any option at all where choices were "
        "read from log-probabilities: the mean, and in small the lowest of any decision. The lower it is, "
        "the more the choices were forced."
    )
    return Table.of(f"Answer mass by {over}", caption, columns, rows, corner=corner) if rows else None


def _short(persona: str, most: int = 40) -> str:
    line = " ".join(persona.split())
    return line if len(line) <= most else f"{line[: most - 1]}…"
