"""A run of the dilemma as measured, as JSON and as rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ludens.envs.av.dilemma.vignette import Vignette
from ludens.experiments.av.answers import Asked, answers
from ludens.experiments.av.measures import DilemmaMeasures, measure
from ludens.experiments.measures.costs import Costs, costs
from ludens.experiments.measures.intervals import ESTIMATE_COLUMNS, Estimate, missing
from ludens.experiments.report.result import RunResult
from ludens.experiments.runs.columns import Column
from ludens.experiments.runs.run import Run
from ludens.preferences.av.people import PEOPLE

OWN = "own design"
"""Stands for the study of vignettes that belong to none."""


@dataclass(frozen=True, kw_only=True, repr=False)
class DilemmaResult(RunResult):
    """A run of the dilemma as measured.

    Attributes:
        tested: labels of the policies under test; the other measures are of references.
        measures: one per policy, those under test first.
        asked: what each was asked and answered.
        design: the vignettes, each with its study.
        costs: what the answers of each took.
    """

    tested: tuple[str, ...]
    measures: tuple[DilemmaMeasures, ...]
    asked: Mapping[str, Asked]
    design: tuple[tuple[str, Vignette], ...]
    costs: Mapping[str, Costs]


def measured(
    run: Run, tested: tuple[str, ...], policies: Sequence[str], design: tuple[tuple[str, Vignette], ...]
) -> DilemmaResult:
    """Measure a run as it stands on disk, finished or not, without asking anything.

    Args:
        run: of the dilemma.
        tested: labels of the policies under test.
        policies: labels of all policies, in the order of the tables.
        design: the vignettes, each with its study.
    """
    decisions = run.decisions()
    found = answers(decisions, [episode.labels for episode in run.episodes()], design)
    # A run that was extended holds the questions of its later models behind those of the references.
    asked = {label: found[label] for label in policies}
    return DilemmaResult.of(
        run,
        decisions,
        tested=tested,
        measures=measure(asked, run.manifest["seed"]),
        asked=asked,
        design=design,
        costs={
            label: costs([record for record in decisions if record.labels["policy"] == label])
            for label in asked
        },
    )


def to_json(result: DilemmaResult) -> dict[str, Any]:
    """Return everything measured as JSON values: the run, how it came about, and every estimate."""
    return {
        **result.as_json(),
        "tested": list(result.tested),
        "estimates": list(estimates(result)),
        "people": [asdict(number) for number in PEOPLE],
        "costs": {label: asdict(each) for label, each in result.costs.items()},
    }


ESTIMATES = (
    Column("policy", "text", "the policy's label"),
    Column("measure", "text", "what is measured (`approval`, `morality`, `social_dilemma_gap` …)"),
    Column("of", "text", "what it is measured of: pedestrians, a perspective, a kind of question"),
    *ESTIMATE_COLUMNS,
)


def estimates(result: DilemmaResult) -> Iterator[dict[str, Any]]:
    """Yield every estimate as a row: policy, measure, object, value, interval, n, clusters, method, note.

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
    for kind, each in found.low_mass.items():
        yield "low_mass", kind, each


def curve_estimate(found: DilemmaMeasures, name: str) -> Estimate:
    """κ or λ of the approval curve as an estimate."""
    curve = found.curve
    value = getattr(curve, name)
    between = getattr(curve, f"{name}_interval")
    if value is None:
        return missing(curve.note, curve.n)
    low, high = between if between is not None else (None, None)
    return Estimate(value, low, high, curve.n, curve.clusters, "none", curve.note or "clustered errors")
