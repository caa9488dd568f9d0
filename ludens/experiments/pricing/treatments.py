"""Differences between treatments: prices, profits and Δ of pricing runs against each other.

A treatment is what some runs of a market have in common: the run's file (with its models, personas and
prefix), the price scale, or the number of firms. Means are those of `ludens.experiments.pricing.measures`,
one value for each run of the market. A difference has Welch's interval over runs, or the paired t interval
where both treatments played the same market from the same seeds, so that run for run they met the same
demand and the same ceiling.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np

from ludens.errors import UsageError
from ludens.experiments.measures.intervals import Estimate, paired, welch
from ludens.experiments.pricing.config import KIND
from ludens.experiments.pricing.dynamics import Outcomes, RunDynamics, outcomes, run_dynamics
from ludens.experiments.pricing.measures import GroupMeasures, RunMeasures, group, measure
from ludens.experiments.pricing.reading import panel
from ludens.experiments.runs.run import Run

By = Literal["run", "scale", "firms"]

MEASURES = ("price", "gain", "profit")
"""What is compared; see `ludens.experiments.pricing.measures.Averages`."""

DEVELOPMENT = ("colluding", "collusion", "cycling")
"""What is measured of the whole of a run, and shown beside."""

_SAME = ("market", "scales", "periods", "ceiling", "interventions", "price_grid", "seed")
"""The keys of a configuration that decide what runs of the same number meet, whoever plays them."""


@dataclass(frozen=True)
class Treatment:
    """Runs of a market that have something in common.

    Attributes:
        name: what they have in common.
        firms: how many firms their markets have; None where that differs.
        measures: their means with 95 % intervals.
        runs: the measures of each run.
        developed: what their dynamics lead to; see `ludens.experiments.pricing.dynamics`.
        files: where the runs lie.
        seeds: what decides the chance that its runs meet; equal for treatments that can be paired, and None
            where there is no such thing.
    """

    name: str
    firms: int | None
    measures: GroupMeasures
    runs: tuple[RunMeasures, ...]
    developed: Outcomes
    files: tuple[str, ...]
    seeds: str | None


@dataclass(frozen=True)
class Difference:
    """A treatment against another one.

    Attributes:
        name: the treatment; `against` is the other one.
        price, gain, profit: the mean of the treatment less that of the other one.
    """

    name: str
    against: str
    price: Estimate
    gain: Estimate
    profit: Estimate


@dataclass(frozen=True)
class Comparison:
    """Treatments, and each of them against the first, or another one, as the baseline.

    Attributes:
        by: what makes a treatment.
        treatments: all of them.
        differences: of all but the baseline.
    """

    by: By
    treatments: tuple[Treatment, ...]
    differences: tuple[Difference, ...]

    def as_json(self) -> dict[str, Any]:
        """Return the comparison as JSON values."""
        return {
            "by": self.by,
            "treatments": [
                {"name": each.name, "firms": each.firms, **asdict(each.measures)}
                | {name: asdict(getattr(each.developed, name)) for name in DEVELOPMENT}
                for each in self.treatments
            ],
            "differences": [asdict(each) for each in self.differences],
        }

    def rows(self) -> Iterator[dict[str, Any]]:
        """Yield every estimate as a row: measure, treatment, the one that it is compared with, and the "
        "value.
        """
        for each in self.treatments:
            for name in MEASURES:
                yield _row(name, each.name, "", getattr(each.measures, name))
            for name in DEVELOPMENT:
                yield _row(name, each.name, "", getattr(each.developed, name))
        for difference in self.differences:
            for name in MEASURES:
                yield _row(name, difference.name, difference.against, getattr(difference, name))


def compare(
    runs: Mapping[str, str | os.PathLike[str]] | Sequence[str | os.PathLike[str]],
    *,
    by: By = "run",
    against: str | None = None,
    seed: int = 0,
) -> Comparison:
    """Compare pricing runs, finished or not, as they stand on disk; runs of the market that are not done
    enter no mean.

    Args:
        runs: the files of pricing runs, by the name of the treatment; without names each is called by its
            file.
        by: what makes a treatment: ``"run"``, each file; ``"scale"``, each price scale in a file;
            ``"firms"``, the number of firms, over all files.
        against: the name of the baseline; None for the first treatment.
        seed: of the intervals of means.

    Raises:
        NoRunError: a file is no pricing run.
        UsageError: two files have one name, there is only one treatment, or none of that name.
    """
    if by not in get_args(By):
        raise UsageError(f"Treatments are told apart by run, scale or firms; got {by!r}.")
    rng = np.random.default_rng(seed)
    treatments = _treatments(_named(runs), by, rng)
    names = [each.name for each in treatments]
    if len(treatments) < 2:
        raise UsageError(
            f"A comparison needs two treatments, and by {by} there is {len(treatments)}: name another run, "
            "or compare by something else."
        )
    if against is not None and against not in names:
        raise UsageError(f"There is no treatment {against!r}; there are {', '.join(names)}.")
    baseline = treatments[0 if against is None else names.index(against)]
    return Comparison(
        by,
        tuple(treatments),
        tuple(difference(each, baseline) for each in treatments if each is not baseline),
    )


def difference(treatment: Treatment, baseline: Treatment) -> Difference:
    """Return a treatment's means less those of the baseline, paired by run where both have the same seeds."""
    same = treatment.seeds is not None and treatment.seeds == baseline.seeds
    scales = [{each.run: each.scale for each in of.runs} for of in (treatment, baseline)]

    def estimate(name: str) -> Estimate:
        ours, theirs = (_values(each.runs, name) for each in (treatment, baseline))
        # Runs that were added later may have other numbers for the same scale.
        both = [run for run in ours.keys() & theirs.keys() if scales[0][run] == scales[1][run]]
        if same and both:
            return paired([theirs[run] for run in both], [ours[run] for run in both])
        return welch(list(theirs.values()), list(ours.values()))

    return Difference(treatment.name, baseline.name, *map(estimate, MEASURES))


def _named(
    runs: Mapping[str, str | os.PathLike[str]] | Sequence[str | os.PathLike[str]],
) -> dict[str, str | os.PathLike[str]]:
    if isinstance(runs, Mapping):
        return dict(runs)
    named: dict[str, str | os.PathLike[str]] = {}
    for path in runs:
        name = Path(path).stem
        if name in named:
            raise UsageError(f"Two runs are called {name!r}: name them, as in P1={path}.")
        named[name] = path
    return named


def _treatments(
    files: Mapping[str, str | os.PathLike[str]], by: By, rng: np.random.Generator
) -> list[Treatment]:
    parts: dict[Any, list[RunMeasures]] = {}
    development: dict[Any, list[RunDynamics]] = {}
    places: dict[Any, dict[str, None]] = {}
    seeds: dict[Any, str] = {}
    for name, path in files.items():
        with Run(path) as run:
            config = run.manifest_of(KIND)["config"]
            played = panel(run)
        found = measure(played)
        done = {each.run: each for each in run_dynamics(played)}
        for each in found:
            if by == "scale":
                key: Any = (name if len(files) > 1 else "", each.scale)
            else:
                key = len(each.firms) if by == "firms" else name
            parts.setdefault(key, []).append(each)
            development.setdefault(key, []).extend([done[each.run]] if each.run in done else [])
            places.setdefault(key, {})[Path(path).name] = None
        if by == "run":
            seeds[name] = repr([config.get(each) for each in _SAME])
    keys = sorted(parts) if by == "firms" else list(parts)
    made = []
    for key in keys:
        # Runs of different files may have one number; they are clusters of their own all the same.
        numbered = tuple(replace(each, run=place) for place, each in enumerate(parts[key]))
        firms = {len(each.firms) for each in numbered}
        name = _name(key, by)
        made.append(
            Treatment(
                name,
                firms=firms.pop() if len(firms) == 1 else None,
                measures=group(name, numbered, rng),
                runs=numbered,
                developed=outcomes(development[key], rng),
                files=tuple(places[key]),
                seeds=seeds.get(key),
            )
        )
    return made


def _name(key: Any, by: By) -> str:
    if by == "firms":
        return f"{key} firms" if key != 1 else "1 firm"
    if by == "scale":
        name, scale = key
        return f"{name}, α = {scale:g}" if name else f"α = {scale:g}"
    return str(key)


def _values(runs: Sequence[RunMeasures], name: str) -> dict[int, float]:
    """Return the values of runs that are done, by the run's place among them."""
    values = {each.run: getattr(each, name) for each in runs if each.status == "done"}
    return {run: value for run, value in values.items() if value is not None and np.isfinite(value)}


def _row(measure: str, of: str, against: str, estimate: Estimate) -> dict[str, Any]:
    return {"measure": measure, "of": of, "against": against, **asdict(estimate)}
