"""Measures of a run of a market: its final prices, profit gain and welfare, and whether prices settled.

The windows are those of Fish, Gonczarowski & Shorrer (2024) for 300 periods: averages over the last 50,
convergence over the last third. Shorter runs average at most their last half (our choice). A run that was
not played to its end has no average, and its status is shown in the tables.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ludens.envs.pricing.theory.benchmarks import firm_gains, total_gain
from ludens.envs.pricing.theory.errors import EquilibriumError
from ludens.experiments.measures.intervals import Estimate, cluster_mean, missing, wilson
from ludens.experiments.pricing.panels import Panel
from ludens.experiments.report.names import finite

LAST = 50
"""Periods at the end over which prices and profits are averaged."""

SPREAD = 0.05
"""Prices have converged if their 90th percentile exceeds the 10th by at most this share."""


@dataclass(frozen=True, kw_only=True)
class Averages:
    """Means over some periods of a run; money is divided by the price scale α.

    Attributes:
        prices: per firm, over the periods in which it was in the market; NaN if in none. None where nothing
            is averaged, and so are the others.
        profits, fines: per firm, per period; profits are before fines.
        gains: per firm its own profit gain; NaN where the firm has none, see `firm_gains`.
        price: the mean of the firms' prices.
        profit, fine: summed over firms, per period.
        gain: the profit gain Δ of total profit, see `total_gain`; None where it is not defined.
        consumer_surplus, total_surplus, deadweight_loss: per period; None where they are not defined.
        nash, joint: per firm the benchmark prices of the last of these periods; NaN for a firm that was not
            in the market then, or where the solver did not find them.
    """

    prices: tuple[float, ...] | None = None
    profits: tuple[float, ...] | None = None
    fines: tuple[float, ...] | None = None
    gains: tuple[float, ...] | None = None
    price: float | None = None
    profit: float | None = None
    fine: float | None = None
    gain: float | None = None
    consumer_surplus: float | None = None
    total_surplus: float | None = None
    deadweight_loss: float | None = None
    nash: tuple[float, ...] = ()
    joint: tuple[float, ...] = ()


@dataclass(frozen=True, kw_only=True)
class RunMeasures(Averages):
    """The measures of one run, or of one regime of it.

    Attributes:
        run: its number in the panel.
        firms: the firms' names.
        status: ``"done"``, ``"aborted"`` and so on; only a run that is done has means.
        detail: why it stopped, if it did.
        scale: the price scale.
        labels: those that distinguish the run.
        played: the number of periods played.
        window: the number of last periods over which averages are taken; 0 if there are none.
        converged: per firm; None for a firm that is not in the market at the end. None unless the run is
            done.
    """

    run: int
    firms: tuple[str, ...]
    status: str
    detail: str
    scale: float
    labels: Mapping[str, object]
    played: int
    window: int
    converged: tuple[bool | None, ...] | None

    @property
    def sessions(self) -> tuple[int | None, ...]:
        """Per firm the session of the training that it plays, None for untrained ones; empty if all are."""
        known = self.labels.get("sessions")
        return tuple(known) if isinstance(known, list | tuple) else ()

    @property
    def all_converged(self) -> bool | None:
        """Whether the prices of all firms that are in the market at the end have settled."""
        return None if self.converged is None else all(each is not False for each in self.converged)


@dataclass(frozen=True)
class GroupMeasures:
    """A group of runs, with 95 % intervals over runs.

    Attributes:
        name: what they have in common.
        runs, aborted, unfinished: how many there are, and how many of them have no average.
        price, gain, profit, fine, consumer_surplus, total_surplus, deadweight_loss: over the runs that are
            done, one value per run, see `Averages`.
        converged: the share of runs that settled, Wilson's interval.
    """

    name: str
    runs: int
    aborted: int
    unfinished: int
    price: Estimate
    gain: Estimate
    converged: Estimate
    profit: Estimate
    fine: Estimate
    consumer_surplus: Estimate
    total_surplus: Estimate
    deadweight_loss: Estimate


MEANS = ("price", "gain", "profit", "fine", "consumer_surplus", "total_surplus", "deadweight_loss")
"""The measures of a group that are means over its runs."""


@dataclass(frozen=True)
class FirmMeasures:
    """One firm over the runs that are done, with 95 % intervals over runs.

    Attributes:
        firm: its number.
        name: of its policy in the first run.
        price, gain, profit, fine: see `Averages`; the gain is the firm's own.
        nash, joint: its benchmark prices at the end; None where it is not in the market or there are none.
        led: its price where firm 0 commits to one first, at the end; None where no firm leads.
    """

    firm: int
    name: str
    price: Estimate
    gain: Estimate
    profit: Estimate
    fine: Estimate
    nash: float | None
    joint: float | None
    led: float | None = None


@dataclass(frozen=True)
class ProductMeasures:
    """One product over the runs that are done, with 95 % intervals over runs.

    Attributes:
        product: its number.
        firm: the number of the firm that sets its price at the end; None where it is not on sale then.
        price, quantity: means over the last periods of a run; the price is divided by α.
        nash, joint: its benchmark prices at the end; None where it is not on sale or there are none.
    """

    product: int
    firm: int | None
    price: Estimate
    quantity: Estimate
    nash: float | None
    joint: float | None


@dataclass(frozen=True)
class RegimeMeasures:
    """The periods between two changes of the market, over runs; means are over the last of these periods.

    Attributes:
        first, last: the first and the last period, from 1.
        present: the numbers of the firms in the market.
        nash, joint: per firm the benchmark prices; NaN for firms that are not in the market.
        runs: the measures of each run in these periods.
        group: the same over runs.
    """

    first: int
    last: int
    present: tuple[int, ...]
    nash: tuple[float, ...]
    joint: tuple[float, ...]
    runs: tuple[RunMeasures, ...]
    group: GroupMeasures


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
        (F,). A firm with a period without a price in it has not converged.
    """
    third = prices[-max(1, round(len(prices) / 3)) :]
    low, high = np.quantile(third, [0.1, 0.9], axis=0)
    settled: NDArray[np.bool_] = high <= (1 + spread) * low
    return settled


def measure(panel: Panel, last: int = LAST) -> tuple[RunMeasures, ...]:
    """Measure every run of a panel."""
    played = panel.played
    return tuple(_measured(panel, run, 0, int(played[run]), last) for run in range(panel.runs))


def measure_regimes(panel: Panel, rng: np.random.Generator, last: int = LAST) -> tuple[RegimeMeasures, ...]:
    """Measure every regime of a panel over its runs; nothing where the market never changes."""
    starts = [regime.start for regime in panel.regimes]
    if len(starts) < 2:
        return ()
    played, found = panel.played, []
    for regime, end in zip(panel.regimes, [*starts[1:], panel.periods], strict=True):
        measures = [
            _measured(panel, run, regime.start, min(int(played[run]), end), last) for run in range(panel.runs)
        ]
        name = f"periods {regime.start + 1} to {end}"
        found.append(
            RegimeMeasures(
                first=regime.start + 1,
                last=end,
                present=regime.firms,
                nash=measures[0].nash,
                joint=measures[0].joint,
                runs=tuple(measures),
                group=group(name, measures, rng),
            )
        )
    return tuple(found)


def group(name: str, measures: Sequence[RunMeasures], rng: np.random.Generator) -> GroupMeasures:
    """Measure runs as a group."""
    done = [found for found in measures if found.status == "done"]
    settled = [found.all_converged for found in done]
    means = {name: _mean([(found.run, getattr(found, name)) for found in done], rng) for name in MEANS}
    return GroupMeasures(
        name,
        runs=len(measures),
        aborted=sum(found.status == "aborted" for found in measures),
        unfinished=sum(found.status not in {"done", "aborted"} for found in measures),
        converged=wilson(sum(map(bool, settled)), len(settled)),
        **means,
    )


def by_firm(
    measures: Sequence[RunMeasures], rng: np.random.Generator, led: NDArray[np.float64] | None = None
) -> tuple[FirmMeasures, ...]:
    """Measure each seat over finished runs, for markets with different firms; `led` are the benchmark prices
    of firms of which one leads, (F,).
    """
    names = measures[0].firms if measures else ()
    done = [found for found in measures if found.prices is not None]

    def mean(firm: int, name: str) -> Estimate:
        return _mean([(found.run, getattr(found, name)[firm]) for found in done], rng)

    return tuple(
        FirmMeasures(
            firm,
            name,
            price=mean(firm, "prices"),
            gain=mean(firm, "gains"),
            profit=mean(firm, "profits"),
            fine=mean(firm, "fines"),
            nash=finite(measures[0].nash[firm]),
            joint=finite(measures[0].joint[firm]),
            led=None if led is None else finite(led[firm]),
        )
        for firm, name in enumerate(names)
    )


def by_product(
    panel: Panel, measures: Sequence[RunMeasures], rng: np.random.Generator
) -> tuple[ProductMeasures, ...]:
    """Measure each product over finished runs; nothing where each firm has one."""
    if panel.product_prices is None or panel.product_quantities is None or not panel.regimes:
        return ()
    regime, scale = panel.regimes[-1], float(panel.scale[0])
    done = [found for found in measures if found.window]
    try:
        nash, joint = regime.nash / scale, regime.monopoly / scale
    except EquilibriumError:
        nash = joint = np.full(regime.market.products, np.nan)
    seats = {product: firm for firm in regime.firms for product in regime.products_of(firm)}

    def mean(of: NDArray[np.float64], product: int, *, money: bool) -> Estimate:
        values = []
        for found in done:
            last = of[found.run, found.played - found.window : found.played, product]
            known = last[np.isfinite(last)]
            value = float(known.mean()) / (found.scale if money else 1.0) if len(known) else None
            values.append((found.run, value))
        return _mean(values, rng)

    return tuple(
        ProductMeasures(
            product,
            seats.get(product),
            price=mean(panel.product_prices, product, money=True),
            quantity=mean(panel.product_quantities, product, money=False),
            nash=finite(nash[product]),
            joint=finite(joint[product]),
        )
        for product in range(regime.market.products)
    )


def averages(panel: Panel, run: int, periods: slice) -> Averages:
    """Return the means of a run over some of its periods, at least one."""
    scale = float(panel.scale[run])

    def money(values: NDArray[np.float64]) -> NDArray[np.float64]:
        return values[run, periods] / scale

    profits, low, high = (money(each) for each in (panel.profits, panel.nash_profits, panel.joint_profits))
    there = np.isfinite(profits)
    # A firm that left or came within these periods is averaged over those in which it was there.
    own = firm_gains(*(_firm_means(np.where(there, each, np.nan)) for each in (profits, low, high)))
    prices, fines = _firm_means(money(panel.prices)), money(panel.fines)
    welfare = (panel.consumer_surplus, panel.total_surplus, panel.deadweight_loss)
    consumer, total, deadweight = (finite(money(each).mean()) for each in welfare)
    return Averages(
        prices=tuple(prices.tolist()),
        profits=tuple(_firm_means(profits).tolist()),
        fines=tuple(_firm_means(fines).tolist()),
        gains=tuple(own.tolist()),
        price=_plain_mean(prices),
        profit=finite(np.nansum(profits, axis=1).mean()),
        fine=finite(np.nansum(fines, axis=1).mean()),
        # Sums over firms and periods are as good as means, since both sides of the quotient have as many.
        gain=finite(total_gain(profits.ravel(), low.ravel(), high.ravel())),
        consumer_surplus=consumer,
        total_surplus=total,
        deadweight_loss=deadweight,
    )


def _measured(panel: Panel, run: int, start: int, end: int, last: int) -> RunMeasures:
    """Measure a run from one period to before another, counted from 0."""
    done = bool(panel.complete[run]) and end > start
    window = averaging_window(end - start, last) if done else 0
    means, settled = Averages(), None
    if done:
        means = averages(panel, run, slice(end - window, end))
        played = panel.prices[run, start:end]
        gone = np.isnan(played[-1])
        settled = tuple(
            None if left else bool(each) for each, left in zip(converged(played), gone, strict=True)
        )
    return RunMeasures(
        **vars(means)
        | {name: _benchmark(of[run] / panel.scale[run], end) for name, of in _benchmarks(panel).items()},
        run=run,
        firms=panel.firms[run],
        status=panel.status[run],
        detail=panel.detail[run] if panel.detail else "",
        scale=float(panel.scale[run]),
        labels=panel.labels[run] if panel.labels else {},
        played=max(end - start, 0),
        window=window,
        converged=settled,
    )


def _benchmarks(panel: Panel) -> dict[str, NDArray[np.float64]]:
    return {"nash": panel.nash_prices, "joint": panel.joint_prices}


def _benchmark(prices: NDArray[np.float64], end: int) -> tuple[float, ...]:
    """Return the prices of the last period before `end`, or of the first where none was played."""
    if not len(prices):
        return (math.nan,) * int(prices.shape[1])
    last: list[float] = prices[max(end - 1, 0)].tolist()
    return tuple(last)


def _firm_means(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return means over periods, (T, F) to (F,), of what is known; NaN where nothing is."""
    there = np.isfinite(values)
    with np.errstate(invalid="ignore"):
        means: NDArray[np.float64] = np.where(there, values, 0.0).sum(axis=0) / there.sum(axis=0)
    return means


def _plain_mean(values: NDArray[np.float64]) -> float | None:
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else None


def _mean(values: Sequence[tuple[int, float | None]], rng: np.random.Generator) -> Estimate:
    known = [(run, value) for run, value in values if value is not None and np.isfinite(value)]
    if not known:
        return missing("it is not defined in this market" if values else "no run was played to its end")
    return cluster_mean([value for _, value in known], [run for run, _ in known], rng)
