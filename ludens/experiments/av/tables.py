"""The tables of a run of the dilemma."""

from __future__ import annotations

from collections.abc import Sequence

from ludens.display.table import Cell, Header, Table
from ludens.experiments.av.measures import DilemmaMeasures
from ludens.experiments.av.result import DilemmaResult, curve_estimate
from ludens.experiments.av.terminal import kappa
from ludens.experiments.measures.intervals import Estimate
from ludens.experiments.report.answering import answering_tables
from ludens.experiments.report.cells import COST_HEADERS, cost_cells, measured, share
from ludens.experiments.report.names import DASH, policy_name
from ludens.preferences.av.people import APPROVAL, PURCHASE, PURCHASE_REGULATED

PEOPLE = "people (recalled, not verified)"

_MISSING = "not asked, or not read"


def tables(result: DilemmaResult) -> list[Table]:
    """Return all tables that are not empty, in the order of the page."""
    found = [_approval(result), _morality(result), _gaps(result), _ratings(result)]
    found += [_law(result), _points(result), _consistency(result), _reading(result)]
    found += answering_tables(result.decisions)
    return [table for table in (*found, _costs(result)) if table is not None]


def _table(
    result: DilemmaResult,
    title: str,
    caption: str,
    headers: Sequence[Header],
    rows: Sequence[Sequence[Cell]],
    *,
    people: Sequence[Cell] | None = None,
) -> Table:
    named = [(policy_name(each.policy), row) for each, row in zip(result.measures, rows, strict=True)]
    tested = [each.policy in result.tested for each in result.measures]
    if people is not None:
        named.append((PEOPLE, people))
        tested.append(False)
    return Table.of(title, caption, headers, named, corner="policy", tested=tested)


def _approval(result: DilemmaResult) -> Table | None:
    numbers = sorted({n for each in result.measures for n in each.approval})
    if not numbers:
        return None
    headers: list[Header] = [("swerves for so many pedestrians", str(n)) for n in numbers]
    headers += [("the curve", "κ"), ("the curve", "λ")]
    rows = [
        [
            *(_share(each.approval.get(n)) for n in numbers),
            _kappa(each),
            measured(curve_estimate(each, "scale"), 1, missing=_MISSING),
        ]
        for each in result.measures
    ]
    people = [
        _known(100 * float(APPROVAL[n].value or 0), APPROVAL[n].source) if n in APPROVAL else Cell(DASH)
        for n in numbers
    ]
    caption = (
        "Per cent that swerve and sacrifice the passengers, acts only; in small the 95 % interval. κ and "
        "λ of σ(λ[κ(1−ρ) − ρ]), ρ = m/(m+n), behind the veil; where answers switch at once, the "
        "thresholds between which κ lies."
    )
    return _table(
        result,
        "Approval by the number of lives",
        caption,
        headers,
        rows,
        people=[*people, Cell(DASH), Cell(DASH)],
    )


def _morality(result: DilemmaResult) -> Table | None:
    numbers = sorted({n for each in result.measures for n in each.morality})
    if not numbers:
        return None
    headers = [("pedestrians", str(n)) for n in numbers]
    rows = [[_share(each.morality.get(n)) for n in numbers] for each in result.measures]
    caption = "Points from 0 to 100 for how moral it is to program cars to swerve, one passenger in the car."
    return _table(result, "How moral is the utilitarian program?", caption, headers, rows)


def _gaps(result: DilemmaResult) -> Table | None:
    groups = list(dict.fromkeys(group for each in result.measures for group in each.gaps))
    if not groups:
        return None
    headers: list[Header] = [("all", "moral"), ("all", "buys"), ("all", "gap")]
    headers += [
        ("gap, with …", company if eyes == "passenger" else f"{company} ({eyes})") for company, eyes in groups
    ]
    headers += [("", "prefers to buy protection by")]
    rows = [
        [
            _share(each.moral),
            _share(each.buys),
            _points_cell(each.all_gaps),
            *(_points_cell(each.gaps.get(group)) for group in groups),
            _points_cell(each.protection),
        ]
        for each in result.measures
    ]
    caption = (
        "The social dilemma: how moral the utilitarian program is, less how likely one is to buy it, in "
        "points of 100, where both were asked about the same case. Last, the purchase rating of the "
        "protective program less that of the utilitarian one."
    )
    return _table(result, "The social dilemma", caption, headers, rows)


def _ratings(result: DilemmaResult) -> Table | None:
    keys = list(dict.fromkeys(key for each in result.measures for key in each.ratings))
    if not keys:
        return None
    headers = [(_kind(key[0], key[1]), _circumstances(*key[2:])) for key in keys]
    rows = [[_share(each.ratings.get(key)) for key in keys] for each in result.measures]
    caption = "Mean points of 100 for every kind of question."
    return _table(result, "All ratings", caption, headers, rows)


def _law(result: DilemmaResult) -> Table | None:
    asked = [(each.legal_gap, each.regulated) for each in result.measures]
    if all(estimate.value is None for pair in asked for estimate in pair):
        return None
    headers: list[Header] = [
        ("", "moral minus law"),
        ("", "buys less under the law by"),
    ]
    rows = [[_points_cell(each.legal_gap), _points_cell(each.regulated)] for each in result.measures]
    drop = float(PURCHASE.value or 0) - float(PURCHASE_REGULATED.value or 0)
    people = [Cell(DASH), _known(drop, PURCHASE.source)]
    caption = (
        "The regulation gap, in points of 100: how moral sacrifice is less how far the law should "
        "require it; and the purchase rating of a protective car without a law less that of a "
        "utilitarian one where the law requires it (people were asked about any self-driving car)."
    )
    return _table(result, "Regulation", caption, headers, rows, people=people)


def _points(result: DilemmaResult) -> Table | None:
    questions = list(dict.fromkeys(question for each in result.measures for question in each.points))
    if not questions:
        return None
    headers = [("of 100 points, by", question.removeprefix("allocate_")) for question in questions]
    rows = [[_share(each.points.get(question)) for question in questions] for each in result.measures]
    caption = "Points that go to the utilitarian program; the others go to the protective one."
    return _table(result, "100 points", caption, headers, rows)


def _consistency(result: DilemmaResult) -> Table:
    headers = [("same answer across", "orders"), ("same answer across", "framings")]
    rows = [[_share(each.order_consistency), _share(each.framing_consistency)] for each in result.measures]
    caption = (
        "100 minus the mean distance between the answers to one question when the two cases come in "
        "the other order, or in another wording. Oracles see no text. Sampled answers also differ by "
        "chance."
    )
    return _table(result, "Consistency", caption, headers, rows)


def _reading(result: DilemmaResult) -> Table:
    kinds = [
        kind
        for kind in ("all", "act", "rating", "allocation")
        if any(kind in each.invalid for each in result.measures)
    ]
    headers: list[Header] = [("unreadable", kind) for kind in kinds] + [("refused", kind) for kind in kinds]
    headers.append(("", "questions left out"))
    rows = [
        [
            *(_share(each.invalid.get(kind)) for kind in kinds),
            *(_share(each.refused.get(kind)) for kind in kinds),
            Cell(f"{each.incomplete} of {each.asked}"),
        ]
        for each in result.measures
    ]
    caption = (
        "Per cent of replies from which, after all tries, no answer could be read, and of those that "
        "declined; with Wilson's intervals. None is replaced by a guess: a question not read in both "
        "orders is left out."
    )
    return _table(result, "Unreadable and refused", caption, headers, rows)


def _costs(result: DilemmaResult) -> Table | None:
    if not any(each.calls for each in result.costs.values()):
        return None
    headers = [("", name) for name in COST_HEADERS]
    rows = [cost_cells(result.costs[each.policy]) for each in result.measures]
    caption = (
        "Dollars by LiteLLM's prices, 0 where it has none. Seconds in calls are summed from request to "
        "reply, and calls overlap."
    )
    return _table(result, "Cost", caption, headers, rows)


def _kind(question: str, program: str) -> str:
    return {"morality": "how moral", "purchase": "would buy", "law": "law should require"}[
        question
    ] + f": {program}"


def _circumstances(company: str, perspective: str, regime: str, decider: str) -> str:
    parts = [company]
    parts += [perspective] * (perspective != "passenger")
    parts += [f"law: {regime}"] * (regime != "none")
    parts += ["human driver"] * (decider == "driver")
    return ", ".join(parts)


def _share(estimate: Estimate | None) -> Cell:
    return share(estimate, missing=_MISSING)


def _points_cell(estimate: Estimate | None) -> Cell:
    return measured(estimate, 0, 100.0, missing=_MISSING)


def _kappa(found: DilemmaMeasures) -> Cell:
    value, _, below = kappa(found).partition("\n")
    return Cell(value, below, found.curve.note or "clustered errors")


def _known(value: float, source: str) -> Cell:
    return Cell(f"{value:.0f}", "", source)
