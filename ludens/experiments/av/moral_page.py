"""The page of a run of the Moral Machine."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from ludens.agents.registry import is_model_id
from ludens.display.table import Cell, Table
from ludens.experiments.av.amce import ATTRIBUTES, PEOPLE, Effect
from ludens.experiments.av.moral_figures import bars, radar
from ludens.experiments.av.moral_result import MoralMeasures, MoralResult
from ludens.experiments.av.page import KIND
from ludens.experiments.report import provenance
from ludens.experiments.report.answering import answering_tables, remarks
from ludens.experiments.report.names import DASH, number, percent, policy_name, share_range
from ludens.experiments.report.page import Page, Picture
from ludens.experiments.report.transcripts import Transcripts, question_entry
from ludens.experiments.runs.records import NO_FRAMING, DecisionRecord

READING = (
    "A car cannot stop in time: one of two groups dies. Scenarios differ in one attribute at a time, and "
    "in who sits in the car, who crosses lawfully, and who is spared if the car stays on course.",
    "An effect (AMCE) is how much more often a group is spared if it has the attribute than if it has the "
    "opposite, from −100 to 100 percentage points; 0: the attribute makes no difference. Intervals are 95 %, "
    "errors clustered by scenario.",
    "Distance is Euclidean over the nine effects, as shares; people are at 0. A policy that draws lots is "
    "at 1.14.",
)
NOTES = (
    "Characters, types of scenario and estimation are after Awad et al. (Nature, 2018); effects of "
    "people are those of its public replication code. Wordings, generator and oracles are ours.",
    "Oracles count human lives and nothing else about a character. Homo economicus is in no group here "
    "and has nothing at stake where nobody sits in the car: it then draws lots.",
    "A language model's answers depend on the wording. Compare wordings before any conclusion about its "
    "values.",
)


def page(result: MoralResult) -> Page:
    """Return what the report of a run of the Moral Machine shows."""
    found, manifest = result.measures, result.manifest
    names = [each.policy for each in found]
    return Page(
        title=", ".join(policy_name(name) for name in list(filter(is_model_id, names)) or names),
        lead=f"Whom they would spare in {result.scenarios} scenarios of the Moral Machine.",
        kind=KIND,
        pictures=[
            Picture(
                "bars",
                "Whom to spare?",
                "Effects with 95 % intervals; people as diamonds.",
                bars(found),
            ),
            Picture(
                "radar", "All nine at once", "Centre −1, dashed ring 0, rim 1; people in black.", radar(found)
            ),
        ],
        tables=[_effects(found), _reading(found), *answering_tables(result.decisions)],
        reading=READING,
        notes=NOTES,
        warnings=(
            *provenance.unfinished(result.ended, result.planned, result.run_path),
            *remarks(result.decisions),
        ),
        facts=provenance.facts(manifest, result.run_path, {"scenarios": str(result.scenarios)}),
        transcripts=Transcripts([_readable(record) for record in result.decisions], question_entry),
    )


def _effects(found: Sequence[MoralMeasures]) -> Table:
    rows: list[tuple[str, list[Cell]]] = [
        (
            policy_name(each.policy),
            [*(_effect(each.effects[name]) for name in ATTRIBUTES), Cell(_plain(each.distance, 2))],
        )
        for each in found
    ]
    rows.append(("people", [*(Cell(number(100 * PEOPLE[name], 0)) for name in ATTRIBUTES), Cell("0")]))
    return Table.of(
        "Effects",
        "In percentage points, toward the group named above; in small the 95 % interval.",
        (*ATTRIBUTES.values(), "distance to people"),
        rows,
        corner="policy",
        tested=[*(is_model_id(each.policy) for each in found), False],
    )


def _reading(found: Sequence[MoralMeasures]) -> Table:
    rows = [
        (
            policy_name(each.policy),
            (
                Cell(percent(each.first.value), share_range(each.first)),
                *(str(each.answered), str(each.invalid), str(each.refused)),
            ),
        )
        for each in found
    ]
    return Table.of(
        "Answers",
        "How often the group that came first was spared, in per cent (50 unless the place mattered); what "
        "was read, what could not be read, and what was refused. None is replaced by a guess.",
        ("first place", "answered", "unreadable", "refused"),
        rows,
        corner="policy",
        tested=[is_model_id(each.policy) for each in found],
    )


def _readable(record: DecisionRecord) -> DecisionRecord:
    """Return a decision with the labels that the page filters by."""
    wording = record.decision.wording
    orders = "both" if wording is not None and len(wording.orders) > 1 else 0
    labels = {
        **record.labels,
        "framing": NO_FRAMING if wording is None else wording.framing,
        "order": wording.orders[0][0] if wording is not None and len(wording.orders) == 1 else orders,
        "replicate": 0,
    }
    return replace(record, labels=labels, node=f"{record.node}, scenario {record.labels['scenario']}")


def _effect(effect: Effect) -> Cell:
    if math.isnan(effect.value):
        return Cell(DASH, "", "not identified")
    low, high = effect.interval
    between = "" if math.isnan(effect.error) else f"{number(100 * low, 0)} to {number(100 * high, 0)}"
    return Cell(number(100 * effect.value, 0), between)


def _plain(value: float, digits: int) -> str:
    return DASH if math.isnan(value) else f"{value:.{digits}f}"
