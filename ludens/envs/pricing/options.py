"""The options of pricing environments, checked once: market, prices, horizon."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ludens.checks import check_choice, check_count, real_number
from ludens.envs.base import ObservationForm, RenderMode
from ludens.envs.pricing.interventions import Intervention, Merger, as_interventions
from ludens.envs.pricing.schedule import Schedule
from ludens.envs.pricing.simulator import checked_grid
from ludens.envs.pricing.theory.benchmarks import highest_price, price_grid
from ludens.envs.pricing.theory.homogeneous import HomogeneousMarket
from ludens.envs.pricing.theory.market import AnyMarket, Market
from ludens.errors import UsageError

Floats = NDArray[np.float64]
Actions = Literal["grid", "continuous"]

HEADROOM = 3.0
"""How far prices reach above the highest joint-profit price where they are not bounded otherwise; ours."""


@dataclass(frozen=True, eq=False)
class PricingOptions:
    """The options of a pricing environment.

    Attributes:
        environment: its id.
        market: of all firms, entrants among them.
        interventions: as records.
        grid: the prices to choose from, (J, m), or None where any price within `low` and `high` may be set.
        low, high: the lowest and the highest price, in units of money.
        memory: k, how many past periods are observed.
        periods: the number of periods.
        discount: δ, which turns and infos state; rewards are not discounted.
        price_limit: the price above which turns say that nothing can be sold; nobody enforces it.
        render_mode: PettingZoo's.
        observation: the form of observations.
    """

    environment: str
    market: AnyMarket
    interventions: tuple[Intervention, ...]
    grid: Floats | None
    low: float
    high: float
    memory: int
    periods: int
    discount: float
    price_limit: float | None
    render_mode: RenderMode | None
    observation: ObservationForm

    @property
    def points(self) -> int | None:
        """The number of prices on the grid; None without a grid."""
        return None if self.grid is None else self.grid.shape[1]


def pricing_options(
    environment: str,
    market: AnyMarket,
    *,
    actions: Actions = "grid",
    points: int = 15,
    extension: float = 0.1,
    grid: ArrayLike | None = None,
    bounds: tuple[float, float] | None = None,
    memory: int = 1,
    periods: int = 100,
    max_cycles: int | None = None,
    discount: float = 0.95,
    interventions: Sequence[Intervention | Mapping[str, Any]] = (),
    price_limit: float | None = None,
    render_mode: RenderMode | None = None,
    observation: ObservationForm = "dict",
) -> PricingOptions:
    """Check all options of a pricing environment; `BertrandEnv` describes them.

    Raises:
        UsageError: one is wrong.
    """
    check_choice(environment, "actions", actions, get_args(Actions))
    horizon = check_count(environment, "periods", periods)
    if max_cycles is not None:
        horizon = min(horizon, check_count(environment, "max_cycles", max_cycles))
    patience, limit = real_number(discount), real_number(price_limit)
    if patience is None or not 0 <= patience < 1:
        raise UsageError(f"{environment} got discount={discount!r}; it must lie in [0, 1).")
    if price_limit is not None and (limit is None or not 0 < limit < math.inf):
        raise UsageError(f"{environment} got price_limit={price_limit!r}; it must be above 0, or None.")
    events = as_interventions(interventions)
    Schedule(market, events)
    prices = None
    if actions == "grid" and any(isinstance(each, Merger) for each in events):
        raise UsageError(f"{environment} has mergers with actions='continuous' only.")
    if actions == "grid":
        prices = _grid(environment, market, price_grid(market, points, extension) if grid is None else grid)
    elif grid is not None:
        raise UsageError(f"{environment} has no grid where actions are continuous: leave one of them out.")
    low, high = _bounds(environment, market, prices, bounds)
    return PricingOptions(
        environment=environment,
        market=market,
        interventions=events,
        grid=prices,
        low=low,
        high=high,
        memory=check_count(environment, "memory", memory, least=0),
        periods=horizon,
        discount=patience,
        price_limit=limit,
        render_mode=render_mode,
        observation=observation,
    )


def as_market(given: AnyMarket | Mapping[str, Any] | None, default: AnyMarket) -> AnyMarket:
    """Return a market from itself or from its `parameters`; the default for None.

    Raises:
        UsageError: it is neither, or its numbers are not those of a market.
    """
    if given is None:
        return default
    if isinstance(given, Market | HomogeneousMarket):
        return given
    if not isinstance(given, Mapping):
        raise UsageError(
            f"A market is a Market, a HomogeneousMarket or the parameters of one; got {given!r}."
        )
    numbers = dict(given)
    try:
        if numbers.get("demand") == "homogeneous":
            del numbers["demand"]
            return HomogeneousMarket(**numbers)
        return Market(**numbers)
    except TypeError as why:
        raise UsageError(f"No market can be made of {dict(given)}: {why}.") from None


def _grid(environment: str, market: AnyMarket, grid: ArrayLike) -> Floats:
    if market.products != market.firms:
        raise UsageError(
            f"{environment} has a price grid for firms of one product each only: set actions='continuous'."
        )
    return checked_grid(grid, market.products)


def _bounds(
    environment: str, market: AnyMarket, grid: Floats | None, bounds: tuple[float, float] | None
) -> tuple[float, float]:
    if grid is not None:
        if bounds is not None:
            raise UsageError(
                f"{environment} takes bounds with actions='continuous' only: the grid has its own."
            )
        return float(grid.min()), float(grid.max())
    ends: Sequence[float | None] = (math.nan, math.nan)
    if bounds is None:
        ends = 0.0, HEADROOM * highest_price(market)
    elif isinstance(bounds, Sequence | np.ndarray) and np.shape(bounds) == (2,):
        ends = [real_number(each) for each in bounds]
    # Spaces are float32: what a learner draws from one must be legal here.
    with np.errstate(over="ignore"):  # what overflows is refused below
        low, high = (math.nan if each is None else float(np.float32(each)) for each in ends)
    if not 0 <= low < high < math.inf:
        raise UsageError(f"{environment} got bounds={bounds!r}; they must be prices, the lower one first.")
    return low, high
