"""Panels: the prices, quantities and profits of pricing runs as arrays, on which all analysis is based.

A panel has the same form for language models, oracles and Q-learners: prices, quantities and profits of shape
(runs, periods, firms), NaN where nothing was played, and the two benchmarks of every market.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ludens.envs.pricing.schedule import Regime, Schedule
from ludens.envs.pricing.theory.benchmarks import firm_gains, total_gain
from ludens.envs.pricing.theory.market import AnyMarket
from ludens.errors import UsageError

Floats = NDArray[np.float64]

COMPLETE = "done"
"""The status of a run that was played to its end; only such runs enter averages."""


@dataclass(frozen=True)
class Note:
    """A firm's notes in one period.

    Attributes:
        run, period, firm: where, each from 0.
        texts: by name: ``observations``, ``plans``, ``insights``, and ``message`` where there is cheap talk.
    """

    run: int
    period: int
    firm: int
    texts: Mapping[str, str]


@dataclass(frozen=True, eq=False)
class Panel:
    """Several runs of a market. R runs, T periods, F firms.

    Attributes:
        prices: (R, T, F), in money units (those of the run's price scale); NaN where not played. The price of
            a firm with several products, and its benchmarks, are means over them.
        quantities, profits: the same, in units and in money; profits are before fines.
        firms: per run the name of each firm.
        status: per run ``"done"``, ``"aborted"``, ``"running"`` or ``"planned"``.
        scale: (R,), the price scale α: prices divided by it can be compared between runs.
        ceiling: (R,), the stated highest price in money units; NaN where none was stated.
        nash_prices, joint_prices: (R, T, F), one-shot Nash prices and those that maximise joint profit,
            money, in each period's own regime; NaN for firms that are not in the market.
        nash_profits, joint_profits: (R, T, F), profits at these prices.
        fines: (R, T, F), in money.
        consumer_surplus, efficient_surplus: (R, T), in money: what consumers gain, and total surplus at
            marginal-cost prices. NaN where not played or not defined.
        labels: per run those that distinguish it (prefix, number and so on).
        detail: per run why it stopped, if it did.
        notes: of the firms, in order.
        schedules: per run its market and interventions; empty if they are not known.
        moves: ``"together"``, ``"in turns"`` or ``"leader"``, as of `PricingConfig`.
        product_prices, product_quantities: (R, T, J), of each product where firms have several; else None.
    """

    prices: Floats
    quantities: Floats
    profits: Floats
    firms: tuple[tuple[str, ...], ...]
    status: tuple[str, ...]
    scale: Floats
    ceiling: Floats
    nash_prices: Floats
    joint_prices: Floats
    nash_profits: Floats
    joint_profits: Floats
    fines: Floats
    consumer_surplus: Floats
    efficient_surplus: Floats
    labels: tuple[Mapping[str, Any], ...] = ()
    detail: tuple[str, ...] = ()
    notes: tuple[Note, ...] = ()
    schedules: tuple[Schedule, ...] = field(default=(), repr=False)
    moves: str = "together"
    product_prices: Floats | None = None
    product_quantities: Floats | None = None

    def __post_init__(self) -> None:
        shape: tuple[int, ...] = self.prices.shape
        if len(shape) != 3:
            raise UsageError(f"A panel's prices have the shape (runs, periods, firms); got {shape}.")
        each = (
            "quantities",
            "profits",
            "nash_prices",
            "joint_prices",
            "nash_profits",
            "joint_profits",
            "fines",
        )
        wanted: dict[str, tuple[int, ...]] = dict.fromkeys(each, shape)
        wanted |= dict.fromkeys(("consumer_surplus", "efficient_surplus"), shape[:2])
        wanted |= dict.fromkeys(("scale", "ceiling"), shape[:1])
        for name, expected in wanted.items():
            found = getattr(self, name).shape
            if found != expected:
                raise UsageError(f"A panel of prices {shape} needs {name} as {expected}; got {found}.")
        for name in ("firms", "status"):
            if len(getattr(self, name)) != shape[0]:
                raise UsageError(f"A panel of {shape[0]} runs needs as many {name}.")

    @property
    def runs(self) -> int:
        """The number of runs."""
        return len(self.prices)

    @property
    def periods(self) -> int:
        """The number of periods of the longest run."""
        return int(self.prices.shape[1])

    @property
    def played(self) -> NDArray[np.intp]:
        """(R,): how many periods of each run were played; a firm may be absent from some of them."""
        some = np.asarray(known(self.prices).any(axis=2))
        last = np.where(some, np.arange(1, self.periods + 1), 0)
        return np.asarray(last.max(axis=1, initial=0), dtype=np.intp)

    @property
    def complete(self) -> NDArray[np.bool_]:
        """(R,): which runs were played to their end."""
        return np.array([status == COMPLETE for status in self.status], dtype=np.bool_)

    @property
    def relative_prices(self) -> Floats:
        """(R, T, F): prices divided by their run's scale."""
        return self.prices / self.scale[:, None, None]

    @property
    def gains(self) -> Floats:
        """(R, T, F): the own profit gain of every firm and period, see `firm_gains`."""
        return firm_gains(self.profits, self.nash_profits, self.joint_profits)

    @property
    def total_gains(self) -> Floats:
        """(R, T): the profit gain Δ of every period, see `total_gain`."""
        return total_gain(self.profits, self.nash_profits, self.joint_profits)

    @property
    def total_surplus(self) -> Floats:
        """(R, T): consumer surplus and profits before fines, in money."""
        earned: Floats = np.nansum(self.profits, axis=2)
        return self.consumer_surplus + earned

    @property
    def deadweight_loss(self) -> Floats:
        """(R, T): the total surplus that is lost against marginal-cost prices, in money."""
        lost: Floats = np.maximum(self.efficient_surplus - self.total_surplus, 0.0)
        return lost

    @property
    def led(self) -> Floats | None:
        """(F,): the prices, divided by α, where firm 0 leads, in the last regime; None where it does not."""
        if self.moves != "leader" or not self.regimes:
            return None
        regime = self.regimes[-1]
        return regime.means(regime.led_by(0)) / float(self.scale[0])

    @property
    def regimes(self) -> tuple[Regime, ...]:
        """The regimes that begin within the panel's periods, of the first run's market; empty if unknown."""
        known = self.schedules[0].regimes if self.schedules else ()
        return tuple(regime for regime in known if regime.start < max(self.periods, 1))

    def steady_market(self, run: int, first: int, end: int) -> AnyMarket | None:
        """Return the market of a run in the periods from `first` to before `end`, from 0.

        It is None where firms, demand or costs change within them, a firm is absent or has several products,
        or the market is not known.
        """
        if not self.schedules:
            return None
        schedule = self.schedules[run]
        regime = schedule.regime(first)
        steady = regime.whole and not schedule.several and schedule.regime(max(first, end - 1)) is regime
        return regime.market if steady else None


def panel_of(
    prices: ArrayLike,
    market: Any,
    *,
    scale: ArrayLike = 1.0,
    firms: Sequence[str] | None = None,
    status: Sequence[str] | None = None,
    labels: Sequence[Mapping[str, Any]] | None = None,
    schedule: Schedule | None = None,
) -> Panel:
    """Make a panel from prices alone, such as those of simulated firms, in a market that does not change.

    Args:
        prices: (R, T, F), in money units; NaN where not played.
        market: `ludens.envs.pricing.Market` with one product per firm, at scale `market.price_scale`.
        scale: the price scale of the runs, one number or (R,).
        firms: the firms' names; by default ``firm 0`` and so on.
        status: per run; by default ``"done"`` where every period was played, else ``"aborted"``.
        labels: per run.
        schedule: of the market where it is not that without interventions, with one regime; prices of firms
            that are not in the market are ignored, and quantities are those without steering.

    Raises:
        UsageError: shapes do not fit each other or the market.
    """
    found = np.array(prices, dtype=np.float64)
    if found.ndim != 3 or found.shape[2] != market.products or market.products != market.firms:
        raise UsageError(
            f"Prices have the shape (runs, periods, firms) with one product for each of the {market.firms} "
            f"firms; got {found.shape}."
        )
    runs, periods, count = found.shape
    schedule = Schedule(market) if schedule is None else schedule
    (regime,) = schedule.regimes
    there = list(regime.products)
    absent = np.setdiff1d(np.arange(count), there)
    found[..., absent] = np.nan
    played = np.asarray(known(found[..., there]).all(axis=2))
    whole = np.asarray(played.all(axis=1))
    sure = np.where(played[..., None], found, market.unit_costs)
    reached = regime.welfare(sure)
    sold = np.full(found.shape, np.nan)
    sold[..., there] = regime.present.quantities(sure[..., there])
    ended = ["done" if each else "aborted" for each in whole.tolist()]
    names = tuple(firms) if firms is not None else tuple(f"firm {number}" for number in range(count))
    benchmarks = (regime.nash, regime.monopoly, *regime.profits)
    nash, joint, nash_profits, joint_profits = (np.tile(each, (runs, periods, 1)) for each in benchmarks)
    return Panel(
        prices=found,
        quantities=np.where(played[..., None], sold, np.nan),
        profits=np.where(played[..., None], regime.earned(sure), np.nan),
        firms=(names,) * runs,
        status=tuple(ended if status is None else status),
        scale=np.broadcast_to(np.asarray(scale, dtype=np.float64), (runs,)).copy(),
        ceiling=np.full(runs, np.nan),
        nash_prices=nash,
        joint_prices=joint,
        nash_profits=nash_profits,
        joint_profits=joint_profits,
        fines=np.where(known(found), 0.0, np.nan),
        consumer_surplus=np.where(played, reached.consumer, np.nan),
        efficient_surplus=np.where(played, reached.efficient, np.nan),
        labels=tuple(labels) if labels is not None else tuple({"run": number} for number in range(runs)),
        detail=("",) * runs,
        schedules=(schedule,) * runs,
    )


def known(values: Floats) -> NDArray[np.bool_]:
    """Return which values are known, neither NaN nor infinite."""
    return np.isfinite(values)
