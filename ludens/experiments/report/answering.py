"""How models answered: with how much of their probability, and why they refused."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from ludens.agents.llm.logprobs import MIN_ANSWER_MASS
from ludens.display.table import Cell, Table
from ludens.experiments.measures.answer_mass import AnswerMass, answer_mass
from ludens.experiments.measures.refusals import Refusals, refusals
from ludens.experiments.report.names import DASH, percent, policy_name
from ludens.experiments.runs.records import DecisionRecord

RecordsByPolicy = Mapping[str, Sequence[DecisionRecord]]

NOT_READ = "no choice was read from log-probabilities"


def by_policy(records: Iterable[DecisionRecord]) -> RecordsByPolicy:
    """Return the choices among these decisions by the label of their policy, else by its name."""
    found: dict[str, list[DecisionRecord]] = {}
    for record in records:
        if record.question == "choice":
            found.setdefault(str(record.labels.get("policy", record.policy)), []).append(record)
    return found


def remarks(records: Iterable[DecisionRecord], persona: str | None = None) -> list[str]:
    """Return what limits the choices of models, in sentences: that most of a model's probability lay on other
    words, or almost all of it; that it was sampled where its log-probabilities were no answer; that it
    refused.

    Args:
        records: the decisions of a run.
        persona: the persona under which models were asked; None for none.
    """
    return [sentence for name, own in by_policy(records).items() for sentence in _remarks(name, own, persona)]


def answering_tables(records: Iterable[DecisionRecord]) -> list[Table]:
    """Return how models answered, as a table of the answer mass and a table of refusals by reason; none of
    what did not occur.
    """
    choices = by_policy(records)
    masses = {name: mass for name, own in choices.items() if (mass := answer_mass(own)).weighed}
    rows: list[tuple[str, list[Cell | str]]] = [
        (policy_name(name), [mass_cell(mass), str(mass.weighed), str(mass.sampled), str(mass.low_mass)])
        for name, mass in masses.items()
    ]
    headers = ["answer mass", "with log-probabilities", "sampled instead", "low mass"]
    found = [Table.of("Answer mass", f"{_MASS} {_LOW}", headers, rows, corner="policy")] if rows else []
    refused = refusals_table({name: refusals(own) for name, own in choices.items()})
    return found if refused is None else [*found, refused]


def mass_cell(mass: AnswerMass | None) -> Cell:
    """Return the mean answer mass in per cent, over the lowest, or a dash."""
    if mass is None or mass.mean is None:
        return Cell(DASH, "", NOT_READ)
    return Cell(percent(mass.mean), f"≥ {percent(mass.lowest)}", f"n = {mass.choices}")


def mean_mass_cell(mean: float | None, lowest: float | None) -> Cell:
    """Return a mean answer mass in per cent, over the lowest, or a dash."""
    if mean is None:
        return Cell(DASH, "", NOT_READ)
    return Cell(percent(mean), f"≥ {percent(lowest)}")


def low_mass_sentence(policy: str, mass: float) -> str:
    """Return the warning that most of a model's probability lay on other words than the options."""
    return (
        f"{policy_name(policy)} put {percent(mass)} per cent of its probability on the options it was "
        "offered, and the rest on other words: its choices were forced."
    )


def no_mass_sentence(policy: str, mass: AnswerMass) -> str:
    """Return the remark that almost none of a model's probability lay on the options."""
    return (
        f"{policy_name(policy)} put less than {percent(MIN_ANSWER_MASS)} per cent of its probability on the "
        f"options at {mass.low_mass} of {mass.weighed} questions: no choice was read there."
    )


def sampled_sentence(policy: str, mass: AnswerMass) -> str:
    """Return the remark that a model was sampled where its log-probabilities were no answer."""
    return (
        f"{policy_name(policy)} was sampled at {mass.sampled} of {mass.weighed} questions, because its "
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
    return Table.of(f"Answer mass by {over}", _MASS, columns, rows, corner=corner) if rows else None


def _remarks(name: str, own: Sequence[DecisionRecord], persona: str | None) -> Iterator[str]:
    mass, refused = answer_mass(own), refusals(own)
    if mass.mean is not None and mass.is_low:
        yield low_mass_sentence(name, mass.mean)
    if mass.sampled:
        yield sampled_sentence(name, mass)
    if mass.low_mass:
        yield no_mass_sentence(name, mass)
    if refused:
        yield refusals_sentence(name, refused, len(own), persona)


_MASS = (
    "The part of a model's probability, in per cent, that lay on any option at all where choices were read "
    "from log-probabilities: the mean, and in small the lowest of any choice. The lower it is, the more "
    "the choices were forced."
)
_LOW = (
    "Where log-probabilities were no answer, the reply itself was, or the decision counts as low mass, if "
    f"less than {percent(MIN_ANSWER_MASS)} per cent lay on the options."
)


def _short(persona: str, most: int = 40) -> str:
    line = " ".join(persona.split())
    return line if len(line) <= most else f"{line[: most - 1]}…"
