"""Measures of a run of a market: its final price and profit gain, and whether prices settled.

The windows are those of Fish, Gonczarowski & Shorrer (2024) for 300 periods: averages over the last 50,
convergence over the last third. Shorter runs average at most their last half (our choice). A run that was
not played to its end has no average, and its status is shown in the tables.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ludens.experiments.measures.intervals import Estimate, cluster_mean, missing, wilson
from ludens.experiments.pricing.panels import Panel

LAST = 50
"""Periods at the end over which prices and profits are averaged."""

SPREAD = 0.05
"""Prices have converged if their 90th percentile exceeds the 10th by at most this share."""


@dataclass(frozen=True)
class RunMeasures:
    """The measures of one run.

    Attributes:
        run: its number in the panel.
        firms: the firms' names.
        status: ``"done"``, ``"aborted"`` and so on.
        detail: why it stopped, if it did.
        scale: the price scale; all prices here are divided by it.
        labels: those that distinguish the run.
        played: the number of periods played.
        window: the number of last periods over which averages are taken; 0 if there are none.
        prices: per firm the mean price; None unless the run is done.
        gains: per firm the mean profit gain Δ; None unless the run is done, or where no gain is defined.
        price, gain: means of these over firms.
        converged: per firm; None unless the run is done.
        nash, joint: mean benchmark prices over firms.
    """

    run: int
    firms: tuple[str, ...]
    status: str
    detail: str
    scale: float
    labels: Mapping[str, object]
    played: int
    window: int
    prices: tuple[float, ...] | None
    gains: tuple[float, ...] | None
    price: float | None
    gain: float | None
    converged: tuple[bool, ...] | None
    nash: float
    joint: float

    @property
    def all_converged(self) -> bool | None:
        """Whether the prices of all firms have settled."""
        return None if self.converged is None else all(self.converged)


@dataclass(frozen=True)
class GroupMeasures:
    """A group of runs, with 95 % intervals over runs.

    Attributes:
        name: what they have in common.
        runs, aborted, unfinished: how many there are, and how many of them have no average.
        price, gain: over the runs that are done, one value per run.
        converged: the share of runs that settled, Wilson's interval.
    """

    name: str
    runs: int
    aborted: int
    unfinished: int
    price: Estimate
    gain: Estimate
    converged: Estimate


@dataclass(frozen=True)
class FirmMeasures:
    """One firm over the runs that are done, with 95 % intervals over runs."""

    firm: int
    name: str
    price: Estimate
    gain: Estimate


def averaging_window(periods: int, last: int = LAST) -> int:
    """Return the number of last periods to average: `last`, or half of a run shorter than twice that."""
    return min(last, max(1, periods // 2))


def converged(prices: NDArray[np.float64], spread: float = SPREAD) -> NDArray[np.bool_]:
    """Return whether prices settled, by the published rule.

    Over the last third of the periods, the 10th and the 90th percentile lie within 5 % of each other.

    Args:
        prices: (T, F); in 300 periods the last third is 201–300.
        spread: the 5 %, read as p90 ≤ (1 + spread)·p10.

    Returns:
        (F,). A firm with a period without a price has not converged.
    """
    third = prices[-max(1, round(len(prices) / 3)) :]
    low, high = np.quantile(third, [0.1, 0.9], axis=0)
    settled: NDArray[np.bool_] = high <= (1 + spread) * low
    return settled


def measure(panel: Panel, last: int = LAST) -> tuple[RunMeasures, ...]:
    """Measure every run of a panel."""
    played = panel.played
    return tuple(_measured(panel, run, int(played[run]), last) for run in range(panel.runs))


def group(name: str, measures: Sequence[RunMeasures], rng: np.random.Generator) -> GroupMeasures:
    """Measure runs as a group."""
    done = [found for found in measures if found.status == "done"]
    settled = [found.all_converged for found in done]
    return GroupMeasures(
        name,
        runs=len(measures),
        aborted=sum(found.status == "aborted" for found in measures),
        unfinished=sum(found.status not in {"done", "aborted"} for found in measures),
        price=_mean([(found.run, found.price) for found in done], rng),
        gain=_mean([(found.run, found.gain) for found in done], rng),
        converged=wilson(sum(map(bool, settled)), len(settled)),
    )


def by_firm(measures: Sequence[RunMeasures], rng: np.random.Generator) -> tuple[FirmMeasures, ...]:
    """Measure each seat over finished runs, for markets with different firms."""
    names = measures[0].firms if measures else ()
    done = [found for found in measures if found.prices is not None]
    return tuple(
        FirmMeasures(
            firm,
            name,
            price=_mean([(found.run, found.prices[firm] if found.prices else None) for found in done], rng),
            gain=_mean([(found.run, found.gains[firm] if found.gains else None) for found in done], rng),
        )
        for firm, name in enumerate(names)
    )


def _measured(panel: Panel, run: int, played: int, last: int) -> RunMeasures:
    done = bool(panel.complete[run]) and played > 0
    window = averaging_window(played, last) if done else 0
    prices = gains = settled = None
    if done:
        # A firm that left or came within the window is averaged over the periods in which it was there.
        prices = _firm_means(panel.relative_prices[run, played - window : played])
        gains = _firm_means(panel.gains[run, played - window : played])
        settled = tuple(bool(each) for each in converged(panel.prices[run, :played]))
    return RunMeasures(
        run=run,
        firms=panel.firms[run],
        status=panel.status[run],
        detail=panel.detail[run] if panel.detail else "",
        scale=float(panel.scale[run]),
        labels=panel.labels[run] if panel.labels else {},
        played=played,
        window=window,
        prices=prices,
        gains=gains,
        price=_plain_mean(prices),
        gain=_plain_mean(gains),
        converged=settled,
        nash=float(np.nanmean(panel.nash_prices[run]) / panel.scale[run]),
        joint=float(np.nanmean(panel.joint_prices[run]) / panel.scale[run]),
    )


def _firm_means(values: NDArray[np.float64]) -> tuple[float, ...]:
    there = np.isfinite(values)
    counts = there.sum(axis=0)
    sums = np.where(there, values, 0.0).sum(axis=0)

    with np.errstate(invalid="ignore"):
        means: NDArray[np.float64] = sums / counts
    return tuple(means.tolist())


def _plain_mean(values: tuple[float, ...] | None) -> float | None:
    known = [] if values is None else [value for value in values if value == value]  # noqa: PLR0124 (NaN)
    return sum(known) / len(known) if known else None


def _mean(values: Sequence[tuple[int, float | None]], rng: np.random.Generator) -> Estimate:
    known = [(run, value) for run, value in values if value is not None and np.isfinite(value)]
    if not known:
        return missing("no run was played to its end")
    return cluster_mean([value for _, value in known], [run for run, _ in known], rng)
