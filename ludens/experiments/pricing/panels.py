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

from ludens.envs.pricing.theory.benchmarks import monopoly_prices, nash_prices
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
        prices: (R, T, F), in money units (those of the run's price scale); NaN where not played.
        quantities, profits: likewise, in units and in money.
        firms: per run the name of each firm.
        status: per run ``"done"``, ``"aborted"``, ``"running"`` or ``"planned"``.
        scale: (R,), the price scale α: prices divided by it can be compared between runs.
        ceiling: (R,), the stated highest price in money units; NaN where none was stated.
        nash_prices, joint_prices: (R, F), one-shot Nash prices and those that maximise joint profit, money.
        nash_profits, joint_profits: (R, F), profits at these prices.
        labels: per run those that distinguish it (prefix, number and so on).
        detail: per run why it stopped, if it did.
        notes: of the firms, in order.
        markets: per run the market, for simulations in it; empty if it is not known.
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
    labels: tuple[Mapping[str, Any], ...] = ()
    detail: tuple[str, ...] = ()
    notes: tuple[Note, ...] = ()
    markets: tuple[Any, ...] = field(default=(), repr=False)

    def __post_init__(self) -> None:
        shape: tuple[int, ...] = self.prices.shape
        if len(shape) != 3:
            raise UsageError(f"A panel's prices have the shape (runs, periods, firms); got {shape}.")
        wanted: dict[str, tuple[int, ...]] = {"quantities": shape, "profits": shape}
        wanted |= dict.fromkeys(("scale", "ceiling"), shape[:1])
        benchmarks = ("nash_prices", "joint_prices", "nash_profits", "joint_profits")
        wanted |= dict.fromkeys(benchmarks, (shape[0], shape[2]))
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
        """(R, T, F): the profit gain Δ = (π − π_Nash) / (π_joint − π_Nash) of every firm and period.

        0 is the one-shot Nash profit, 1 the firm's share of the largest joint profit (Calvano, Calzolari,
        Denicolò & Pastorello 2020, equation 9).
        """
        room = self.joint_profits - self.nash_profits
        with np.errstate(divide="ignore", invalid="ignore"):
            gains: Floats = (self.profits - self.nash_profits[:, None]) / room[:, None]
        return np.where(np.abs(room)[:, None] > 1e-12, gains, np.nan)


def panel_of(
    prices: ArrayLike,
    market: Any,
    *,
    scale: ArrayLike = 1.0,
    firms: Sequence[str] | None = None,
    status: Sequence[str] | None = None,
    labels: Sequence[Mapping[str, Any]] | None = None,
) -> Panel:
    """Make a panel from prices alone, such as those of simulated firms, in a market without interventions.

    Args:
        prices: (R, T, F), in money units; NaN where not played.
        market: `ludens.envs.pricing.Market` with one product per firm, at scale `market.price_scale`.
        scale: the price scale of the runs, one number or (R,).
        firms: the firms' names; by default ``firm 0`` and so on.
        status: per run; by default ``"done"`` where every period was played, else ``"aborted"``.
        labels: per run.

    Raises:
        UsageError: shapes do not fit each other or the market.
    """
    found = np.array(prices, dtype=np.float64)
    if found.ndim != 3 or found.shape[2] != market.products or market.products != market.firms:
        raise UsageError(
            f"Prices have the shape (runs, periods, firms) with one product for each of the {market.firms} "
            f"firms; got {found.shape}."
        )
    runs, _, count = found.shape
    played = np.asarray(known(found).all(axis=2))
    whole = np.asarray(played.all(axis=1))
    sure = np.where(played[..., None], found, nash_prices(market))
    quantities = np.where(played[..., None], market.quantities(sure), np.nan)
    profits = np.where(played[..., None], market.profits(sure), np.nan)
    nash, joint = nash_prices(market), monopoly_prices(market)
    ended = ["done" if each else "aborted" for each in whole.tolist()]
    names = tuple(firms) if firms is not None else tuple(f"firm {number}" for number in range(count))
    return Panel(
        prices=found,
        quantities=quantities,
        profits=profits,
        firms=(names,) * runs,
        status=tuple(ended if status is None else status),
        scale=np.broadcast_to(np.asarray(scale, dtype=np.float64), (runs,)).copy(),
        ceiling=np.full(runs, np.nan),
        nash_prices=np.tile(nash, (runs, 1)),
        joint_prices=np.tile(joint, (runs, 1)),
        nash_profits=np.tile(market.profits(nash), (runs, 1)),
        joint_profits=np.tile(market.profits(joint), (runs, 1)),
        labels=tuple(labels) if labels is not None else tuple({"run": number} for number in range(runs)),
        detail=("",) * runs,
        markets=(market,) * runs,
    )


def known(values: Floats) -> NDArray[np.bool_]:
    """Return which values are known, neither NaN nor infinite."""
    return np.isfinite(values)
