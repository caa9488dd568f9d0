"""A run of the dilemma as measured, as JSON and as CSV."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ludens.envs.av.dilemma.vignette import Vignette
from ludens.experiments.av.answers import Asked, answers
from ludens.experiments.av.measures import DilemmaMeasures, measure
from ludens.experiments.av.play import check_kind
from ludens.experiments.av.setup import stored_design
from ludens.experiments.measures.costs import Costs, costs
from ludens.experiments.measures.intervals import Estimate, missing
from ludens.experiments.runs.files import as_csv, report_path, write_table
from ludens.experiments.runs.records import DecisionRecord
from ludens.experiments.runs.run import Run
from ludens.preferences.av.people import PEOPLE


@dataclass(frozen=True)
class DilemmaResult:
    """A run of the dilemma as measured.

    Attributes:
        run_path: the run's file.
        report_path: the HTML report; None until one is written.
        tested: labels of the respondents under test; the other measures are of references.
        measures: one per respondent, those under test first.
        asked: what each was asked and answered.
        design: the vignettes, each with its study.
        costs: what the answers of each took.
        decisions: everything that was asked and answered.
        manifest: of the run.
        planned, ended: how many questions the run has, and how many were put.
    """

    run_path: Path
    report_path: Path | None
    tested: tuple[str, ...]
    measures: tuple[DilemmaMeasures, ...]
    asked: Mapping[str, Asked]
    design: tuple[tuple[str, Vignette], ...]
    costs: Mapping[str, Costs]
    decisions: tuple[DecisionRecord, ...]
    manifest: Mapping[str, Any]
    planned: int
    ended: int


def load_result(path: str | os.PathLike[str]) -> DilemmaResult:
    """Measure a run as it stands on disk, finished or not, without asking anything.

    Raises:
        NoRunError: the file is no run of the dilemma.
    """
    with Run(path) as run:
        manifest, episodes, decisions = check_kind(run), run.episodes(), run.decisions()
    design = stored_design(manifest["config"])
    asked = answers(decisions, [episode.labels for episode in episodes], design)
    report = report_path(path)
    return DilemmaResult(
        run_path=Path(path),
        report_path=report if report.exists() else None,
        tested=tuple(manifest["config"]["tested"]),
        measures=measure(asked, manifest["seed"]),
        asked=asked,
        design=design,
        costs={
            label: costs([record for record in decisions if record.labels["policy"] == label])
            for label in asked
        },
        decisions=tuple(decisions),
        manifest=manifest,
        planned=len(episodes),
        ended=sum(episode.status not in {"planned", "running"} for episode in episodes),
    )


def to_json(result: DilemmaResult) -> dict[str, Any]:
    """Everything measured, as JSON values: the run, how it came about, and every estimate."""
    return {
        "run": str(result.run_path),
        "report": None if result.report_path is None else str(result.report_path),
        "tested": list(result.tested),
        "planned": result.planned,
        "ended": result.ended,
        "seconds": result.manifest["seconds"],
        "manifest": dict(result.manifest),
        "estimates": list(estimates(result)),
        "people": [asdict(number) for number in PEOPLE],
        "costs": {label: asdict(each) for label, each in result.costs.items()},
    }


def estimates(result: DilemmaResult) -> Iterator[dict[str, Any]]:
    """Every estimate as a row: policy, measure, what it is of, value, interval, n, clusters, method, note.

    Shares and points are in [0, 1].
    """
    for found in result.measures:
        for measured, of, estimate in _rows(found):
            yield {"policy": found.policy, "measure": measured, "of": of} | asdict(estimate)


def _rows(found: DilemmaMeasures) -> Iterator[tuple[str, str, Estimate]]:
    for n, each in found.approval.items():
        yield "approval", f"{n} pedestrians", each
    for n, each in found.morality.items():
        yield "morality", f"{n} pedestrians", each
    yield "kappa", "approval curve", curve_estimate(found, "kappa")
    yield "scale", "approval curve", curve_estimate(found, "scale")
    for key, each in found.ratings.items():
        yield "rating", ", ".join(key), each
    for (company, perspective), each in found.gaps.items():
        yield "social_dilemma_gap", f"{company}, {perspective}", each
    yield "social_dilemma_gap", "all", found.all_gaps
    yield "moral", "where purchase was asked too", found.moral
    yield "buys", "where morality was asked too", found.buys
    yield "protection", "all", found.protection
    yield "legal_gap", "all", found.legal_gap
    yield "regulated", "all", found.regulated
    for question, each in found.points.items():
        yield "points", question, each
    yield "order_consistency", "all", found.order_consistency
    yield "framing_consistency", "all", found.framing_consistency
    for kind, each in found.invalid.items():
        yield "invalid", kind, each
    for kind, each in found.refused.items():
        yield "refused", kind, each


def curve_estimate(found: DilemmaMeasures, name: str) -> Estimate:
    """κ or λ of the approval curve as an estimate."""
    curve = found.curve
    value = getattr(curve, name)
    between = getattr(curve, f"{name}_interval")
    if value is None:
        return missing(curve.note, curve.n)
    low, high = between if between is not None else (None, None)
    return Estimate(value, low, high, curve.n, curve.clusters, "none", curve.note or "clustered errors")


def write_estimates(result: DilemmaResult, path: str | os.PathLike[str]) -> Path:
    """Every estimate as one row of a CSV file. It is replaced whole or not at all.

    Raises:
        StoreError: it cannot be written.
    """
    return write_table(as_csv(estimates(result)), path)
