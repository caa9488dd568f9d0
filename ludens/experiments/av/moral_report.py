"""Write the report of a run of the Moral Machine beside it."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ludens.experiments.av.amce import ATTRIBUTES, PEOPLE, Effect
from ludens.experiments.av.moral import MoralMeasures, measure_moral_machine
from ludens.experiments.av.moral_figures import bars, radar
from ludens.experiments.av.page import Contents, page
from ludens.experiments.bench.result import report_path
from ludens.experiments.bench.suite import NO_FRAMING
from ludens.experiments.bench.tables import Cell, Table
from ludens.experiments.report import drawing, write_page
from ludens.experiments.report.names import DASH, number, percent, policy_name, share_range
from ludens.experiments.runs.records import DecisionRecord
from ludens.experiments.runs.run import Run

READING = (
    "A car cannot stop in time: one of two groups dies. Scenarios differ in one attribute at a time, and "
    "in who sits in the car, who crosses lawfully, and who is spared if the car stays on course.",
    "An effect (AMCE) is how much more often a group is spared if it has the attribute than if it has the "
    "opposite, from −100 to 100 percentage points; 0: the attribute makes no difference. Intervals are 95 %, "
    "errors clustered by scenario.",
    "Distance is Euclidean over the nine effects, as shares; people are at 0. Somebody who draws lots is "
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


def write_moral_report(run: Path | str, path: str | os.PathLike[str] | None = None) -> Path:
    """Write the report as one self-contained HTML file, and return where it lies.

    Args:
        run: the run's file.
        path: of the report; None for the run's own name, ending ``.html``. An existing one is replaced,
            whole or not at all.

    Raises:
        NoRunError: the file is no run of the Moral Machine.
        StoreError: the report cannot be written; one that was there before still is.
    """
    target = report_path(run) if path is None else Path(path)
    again = f"`ludens report {run}` writes it; what was asked is kept."
    write_page(page(contents(run)), target, again)
    return target


def contents(path: Path | str) -> Contents:
    """What the page shows."""
    found = measure_moral_machine(path)
    with Run(path) as run:
        manifest, episodes, decisions = run.manifest, run.episodes(), run.decisions()
    ended = sum(episode.status not in {"planned", "running"} for episode in episodes)
    names = [each.policy for each in found]
    # The page's inks, which follow it between light and dark.
    with drawing.sheet(1, 1):
        drawn = bars(found), radar(found)
    unfinished = (
        f"This run is unfinished: {ended} of {len(episodes)} questions were asked; `ludens resume {path}` "
        "goes on."
    )
    return Contents(
        title=", ".join(policy_name(name) for name in [name for name in names if "/" in name] or names),
        lead=f"Whom they would spare in {manifest['config']['scenarios']} scenarios of the Moral Machine.",
        figures=[
            ("bars", "Whom to spare?", "Effects with 95 % intervals; people as black diamonds.", drawn[0]),
            ("radar", "All nine at once", "Centre −1, dashed ring 0, rim 1; people in black.", drawn[1]),
        ],
        tables=[_effects(found), _reading(found)],
        reading=READING,
        notes=NOTES,
        warnings=(unfinished,) if ended < len(episodes) else (),
        facts=_facts(Path(path), manifest),
        decisions=[_readable(record) for record in decisions],
    )


def _effects(found: Sequence[MoralMeasures]) -> Table:
    names = [*(policy_name(each.policy) for each in found), "people"]
    rows = [
        [*(_effect(each.effects[name]) for name in ATTRIBUTES), Cell(_plain(each.distance, 2))]
        for each in found
    ]
    people = [Cell(number(100 * PEOPLE[name], 0)) for name in ATTRIBUTES]
    return Table(
        "Effects",
        "In percentage points, toward the group named above; in small the 95 % interval.",
        (),
        (*ATTRIBUTES.values(), "distance to people"),
        tuple(names),
        (*("/" in each.policy for each in found), False),
        (*map(tuple, rows), (*people, Cell("0"))),
    )


def _reading(found: Sequence[MoralMeasures]) -> Table:
    rows = [
        (
            Cell(percent(each.first.value), share_range(each.first)),
            Cell(str(each.answered)),
            Cell(str(each.invalid)),
            Cell(str(each.refused)),
        )
        for each in found
    ]
    return Table(
        "Answers",
        "How often the group told first was spared, in per cent (50 unless the place mattered); what was "
        "read, what could not be read, and what was refused. None is replaced by a guess.",
        (),
        ("first place", "answered", "unreadable", "refused"),
        tuple(policy_name(each.policy) for each in found),
        tuple("/" in each.policy for each in found),
        tuple(rows),
    )


def _readable(record: DecisionRecord) -> DecisionRecord:
    """A decision with the labels that the page's browser sorts by."""
    wording = record.decision.wording
    orders = "both" if wording is not None and len(wording.orders) > 1 else 0
    labels = {
        **record.labels,
        "framing": NO_FRAMING if wording is None else wording.framing,
        "order": wording.orders[0][0] if wording is not None and len(wording.orders) == 1 else orders,
        "replicate": 0,
    }
    return replace(record, labels=labels, node=f"{record.node}, scenario {record.labels['scenario']}")


def _facts(path: Path, manifest: Mapping[str, Any]) -> dict[str, str]:
    facts = {
        "scenarios": str(manifest["config"]["scenarios"]),
        "seed": str(manifest["seed"]),
        "started": str(manifest["started"]),
        "took": f"{manifest['seconds']:.0f} seconds",
        "versions": ", ".join(f"{name} {version}" for name, version in manifest["versions"].items()),
        "run": path.name,
    }
    if manifest.get("git"):
        facts["commit"] = manifest["git"]
    return facts


def _effect(effect: Effect) -> Cell:
    if math.isnan(effect.value):
        return Cell(DASH, "", "not identified")
    low, high = effect.interval
    between = "" if math.isnan(effect.error) else f"{number(100 * low, 0)} to {number(100 * high, 0)}"
    return Cell(number(100 * effect.value, 0), between)


def _plain(value: float, digits: int) -> str:
    return DASH if math.isnan(value) else f"{value:.{digits}f}"
