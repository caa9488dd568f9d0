"""Many pricing markets, stepped together: the rules of the PettingZoo environments, without PettingZoo.

All markets have the same firms and interventions, and each has its own random draws. In every period each
product has a price p; its quantity is q(p) of `Market`, under the demand of that period; profits are
Σ (p − c)·q less fines. With a price grid, quantities are read from a table of all price vectors if that is
small enough.
"""

from __future__ import annotations

import itertools
import math
import operator
from collections.abc import Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ludens.envs.pricing.interventions import Intervention
from ludens.envs.pricing.schedule import Regime, Schedule
from ludens.envs.pricing.theory.market import AnyMarket, Market
from ludens.envs.pricing.theory.welfare import Welfare, efficient_surplus, surplus
from ludens.errors import UsageError

Floats = NDArray[np.float64]
Seeds: TypeAlias = int | np.random.SeedSequence | Sequence[np.random.SeedSequence]

_LARGEST_TABLE = 1 << 17
_BLOCK = 256
_ALMOST = math.nextafter(1.0, 0.0)


class Outcome(NamedTuple):
    """The outcome of one period in B markets with J products of F firms.

    Attributes:
        prices: (B, J), in units of money; NaN for products not on sale.
        quantities: (B, J); 0 for products not on sale.
        profits: (B, F), less fines; 0 for firms not in the market.
        fines: (B, F).
    """

    prices: Floats
    quantities: Floats
    profits: Floats
    fines: Floats


class _Seen(NamedTuple):
    """What consumers see of N price vectors under prominence.

    Attributes:
        prices: that they seem to pay, (N, J). Demand depends on quality less price alone, so that hidden,
            absent and recommended products can be expressed by such prices.
        bonus: what of these is a recommendation, (N, J); None where there is none.
        prominent: whether each product is, (N, J); None where nobody steers.
    """

    prices: Floats
    bonus: Floats | None = None
    prominent: NDArray[np.bool_] | None = None


class _Latest(NamedTuple):
    """The last period: what determines its welfare. The outcome is without fines; `seen` is None where nobody
    steers and it can be worked out again.
    """

    regime: Regime
    outcome: Outcome
    outside: Floats | None
    seen: _Seen | None


class PricingCore:
    """B markets, stepped together.

    Args:
        market: of all firms, entrants among them.
        markets: B.
        memory: k, how many of the last price vectors are kept.
        grid: the prices that moves choose from by their number, (m,) for all products or (J, m); None if
            moves are prices.
        interventions: see `ludens.envs.pricing.interventions`.

    Attributes:
        period: the number of the next one, from 0.
        history: the last k price vectors, (B, k, J), the latest last; NaN where nothing was charged.
        schedule: the market's regimes.

    Raises:
        UsageError: an argument is out of its range, or an intervention does not fit the market.
    """

    def __init__(
        self,
        market: AnyMarket,
        *,
        markets: int = 1,
        memory: int = 1,
        grid: ArrayLike | None = None,
        interventions: Sequence[Intervention] = (),
    ) -> None:
        if markets < 1 or memory < 0:
            raise UsageError(f"A core needs at least 1 market and memory ≥ 0; got {markets} and {memory}.")
        self.market = market
        self.markets = markets
        self.memory = memory
        self.grid = None if grid is None else checked_grid(grid, market.products)
        self.schedule = Schedule(market, interventions)
        self.history = np.full((markets, memory, market.products), np.nan)
        self.period = 0
        self._rows = np.arange(market.products)
        self._strides = np.zeros(market.products, dtype=np.intp)
        self._tabled = False
        if self.grid is not None and self.schedule.prominence is None:
            points = self.grid.shape[1]
            self._tabled = points**market.products <= _LARGEST_TABLE
        if self.grid is not None and self._tabled:
            self._strides = self.grid.shape[1] ** np.arange(market.products - 1, -1, -1)
        self._tables: dict[tuple[int, float], tuple[Floats, Floats, Floats]] = {}
        self._generators: list[np.random.Generator] = []
        self._drawn = np.zeros((markets, 0, self.schedule.draws))
        self._undrawn = np.zeros((markets, 0))
        self._nothing = np.zeros((markets, market.firms))
        self._nothing.flags.writeable = False
        self._latest: _Latest | None = None
        self.remember()

    def __getstate__(self) -> dict[str, Any]:
        # What can be worked out again does not travel.
        return self.__dict__ | {"_tables": {}}

    @property
    def regime(self) -> Regime:
        """The regime of the next period."""
        return self.schedule.regime(self.period)

    def reset(self, seeds: Seeds = 0) -> None:
        """Start new markets.

        Args:
            seeds: one seed sequence for each market; or one seed, from which one is spawned for each.

        Raises:
            UsageError: there are not as many seeds as markets.
        """
        if isinstance(seeds, int | np.random.SeedSequence):
            root = np.random.SeedSequence(seeds) if isinstance(seeds, int) else seeds
            seeds = np.random.SeedSequence(root.entropy, spawn_key=root.spawn_key).spawn(self.markets)
        if len(seeds) != self.markets:
            raise UsageError(f"Give one seed for each of {self.markets} markets; got {len(seeds)}.")
        # Where nothing is drawn, a thousand generators would be made for nothing.
        self._generators = [np.random.default_rng(seed) for seed in seeds] if self.schedule.draws else []
        self.history = np.full(self.history.shape, np.nan)
        self.period = 0
        self._latest = None
        self.remember()

    def remember(self, prominent: NDArray[np.bool_] | None = None, prices: Floats | None = None) -> None:
        """Set the last period that dynamic prominence looks back on.

        Args:
            prominent: whether each product was, (B, J); by default none was.
            prices: that were charged in it, (B, J).
        """
        shape = (self.markets, self.market.products)
        self._prominent = np.zeros(shape, dtype=np.bool_) if prominent is None else prominent
        self._charged = np.full(shape, np.nan) if prices is None else prices

    @property
    def kept(self) -> NDArray[np.bool_] | None:
        """Which products were prominent in the last period, (B, J); None unless prominence is dynamic."""
        rule = self.schedule.prominence
        return None if rule is None or rule.advantage is None else self._prominent

    def step(self, moves: ArrayLike) -> Outcome:
        """Play one period.

        Args:
            moves: (B, J), prices in units of money, or indices on the grid; those of products not on sale are
                ignored.

        Raises:
            UsageError: moves have another shape, are not indices on the grid, or prices are not finite; the
                state is then unchanged.
        """
        array = np.asarray(moves)
        if array.shape != (self.markets, self.market.products):
            raise UsageError(f"Moves have shape ({self.markets}, {self.market.products}); got {array.shape}.")
        there = array[:, list(self.regime.products)]
        if self.grid is None:
            if not np.all(np.isfinite(there.astype(np.float64))):
                raise UsageError("Prices must be finite numbers; replace those that are not.")
        elif array.dtype.kind not in "iu" or there.min() < 0 or there.max() >= self.grid.shape[1]:
            raise UsageError(f"Moves are whole numbers from 0 to {self.grid.shape[1] - 1}; got others.")
        moves = np.zeros(array.shape, np.float64 if self.grid is None else np.intp)
        moves[:, list(self.regime.products)] = there
        return self._advance(moves)

    def _advance(self, moves: NDArray[Any]) -> Outcome:
        """Play one period with moves that have been checked."""
        self._latest, outcome = self._outcome(moves, self._draw())
        if self.memory == 1:
            self.history = outcome.prices[:, None].copy()
        elif self.memory:
            self.history = np.concatenate([self.history[:, 1:], outcome.prices[:, None]], axis=1)
        if self._latest.seen is not None and self._latest.seen.prominent is not None:
            self.remember(self._latest.seen.prominent, outcome.prices)
        self.period += 1
        return outcome

    def chances(self) -> list[tuple[float, Floats]]:
        """Return all that chance can bring in the next period: probabilities above 0 that sum to 1, each with
        numbers (draws,) that `outcome` can be given in place of drawn ones.
        """
        schedule, period = self.schedule, self.period + 1
        parts: list[list[tuple[float, list[float]]]] = []
        likely = [] if schedule.outside is None else [schedule.outside.probability]
        likely += [each.probability if each.period <= period else 0.0 for each in schedule.regulators]
        # A number below the probability is the event, and the highest number below 1 is not.
        parts += [[(share, [0.0]), (1.0 - share, [_ALMOST])] for share in likely]
        if schedule.prominence is not None:
            orders = list(itertools.permutations(np.arange(self.market.products) / self.market.products))
            if schedule.prominence.period > period:
                orders = orders[:1]
            parts.append([(1.0 / len(orders), list(order)) for order in orders])
        found = []
        for each in itertools.product(*parts):
            share = math.prod(probability for probability, _ in each)
            if share > 0:
                found.append((share, np.array([number for _, numbers in each for number in numbers])))
        return found

    def outcome(self, moves: ArrayLike, drawn: ArrayLike) -> Outcome:
        """Return what moves would bring in the next period with given random numbers; nothing is played.

        Args:
            moves: (B, J), as in `step`.
            drawn: in [0, 1), (draws,) for all markets or (B, draws); `chances` gives one for each outcome.
        """
        numbers = np.broadcast_to(np.asarray(drawn, np.float64), (self.markets, self.schedule.draws))
        return self._outcome(np.asarray(moves), numbers)[1]

    def _outcome(self, moves: NDArray[Any], drawn: Floats) -> tuple[_Latest, Outcome]:
        regime = self.regime
        outside, drawn = self._outside(regime, drawn)
        seen = None
        if self._tabled:
            outcome = self._looked_up(regime, moves, outside)
        else:
            prices = moves if self.grid is None else self.grid[self._rows, moves]
            prices = self._offered(regime, prices)
            seen = self._seen(regime, prices, drawn[:, len(self.schedule.regulators) :])
            outcome = self._sold(regime, prices, outside, seen)
        latest = _Latest(regime, outcome, outside, seen)
        return latest, self._fined(regime, outcome, drawn) if self.schedule.regulators else outcome

    def welfare(self) -> Welfare:
        """Return the welfare of the last period, each (B,), in units of money.

        Consumers gain nothing from products that a platform hides. A recommendation (the bonus of
        `Prominence`) moves choices and is worth nothing by itself, so that consumer surplus is that at the
        values which consumers saw, less the bonus on what they bought (Train, Journal of Choice Modelling 16,
        2015). The efficient benchmark has all present products at marginal cost, without steering.

        Raises:
            UsageError: no period has been played.
        """
        if self._latest is None:
            raise UsageError("No period has been played yet: welfare is that of the last one.")
        return self._welfare(self._latest)

    def foreseen(self, moves: ArrayLike, drawn: ArrayLike) -> Welfare:
        """Return the welfare that moves would bring in the next period; arguments as of `outcome`."""
        numbers = np.broadcast_to(np.asarray(drawn, np.float64), (self.markets, self.schedule.draws))
        return self._welfare(self._outcome(np.asarray(moves), numbers)[0])

    def _welfare(self, latest: _Latest) -> Welfare:
        regime, outcome, outside, seen = latest
        if seen is None:
            seen = self._seen(regime, outcome.prices)
        consumer = surplus(regime.market, seen.prices, outside)
        if seen.bonus is not None:
            consumer = consumer - (seen.bonus * outcome.quantities).sum(axis=-1)
        present = regime.present
        efficient = np.broadcast_to(efficient_surplus(present, outside), consumer.shape)
        # The outcome is kept as it is before fines.
        return Welfare(consumer, outcome.profits.sum(axis=-1), efficient)

    def _draw(self) -> Floats:
        """Return the numbers drawn for this period, (B, draws)."""
        if not self.schedule.draws:
            return self._undrawn
        if not self._generators:
            self.reset()
        place = self.period % _BLOCK
        if place == 0:
            shape = (_BLOCK, self.schedule.draws)
            self._drawn = np.stack([generator.random(shape) for generator in self._generators])
        drawn: Floats = self._drawn[:, place]
        return drawn

    def _outside(self, regime: Regime, drawn: Floats) -> tuple[Floats | None, Floats]:
        """Return the outside good's values, (B,), or None if they are not drawn; and the other draws."""
        option = self.schedule.outside
        if option is None:
            return None, drawn
        shift, (first, second) = self.schedule.shift(regime.market), option.values
        return np.where(drawn[:, 0] < option.probability, second, first) + shift, drawn[:, 1:]

    def _looked_up(self, regime: Regime, moves: NDArray[Any], outside: Floats | None) -> Outcome:
        if outside is None:
            prices, sold, earned = self._table(regime, math.nan)
            if self.markets == 1:  # a slice takes a tenth of the time of an array of one index
                place = sum(map(operator.mul, moves[0].tolist(), self._strides.tolist()))
                row = slice(place, place + 1)
                return Outcome(prices[row], sold[row], earned[row], self._nothing)
            index = moves @ self._strides
            return Outcome(prices[index], sold[index], earned[index], self._nothing)
        index = moves @ self._strides
        # Each market reads the table of its own state: there are two.
        values = np.unique(outside)
        prices, sold, earned = (part[index] for part in self._table(regime, float(values[0])))
        for value in values[1:]:
            rows = outside == value
            _, other_sold, other_earned = self._table(regime, float(value))
            sold[rows], earned[rows] = other_sold[index[rows]], other_earned[index[rows]]
        return Outcome(prices, sold, earned, self._nothing)

    def _table(self, regime: Regime, outside: float) -> tuple[Floats, Floats, Floats]:
        """Return prices, quantities and profits of all price vectors, (m^J, J), (m^J, J), (m^J, F)."""
        key = (regime.start, outside if math.isfinite(outside) else math.inf)
        if key not in self._tables:
            assert self.grid is not None
            size = self.grid.shape[1]
            numbers = np.indices((size,) * self.market.products).reshape(self.market.products, -1).T
            worth = np.full(len(numbers), outside) if math.isfinite(outside) else None
            prices = self._offered(regime, self.grid[self._rows, numbers])
            found = self._sold(regime, prices, worth, self._seen(regime, prices))
            self._tables[key] = found.prices, found.quantities, found.profits
            for part in self._tables[key]:
                part.flags.writeable = False
        return self._tables[key]

    def _offered(self, regime: Regime, prices: Floats) -> Floats:
        """Return prices (N, J) with NaN in place of those of products that are not on sale."""
        return prices if regime.whole else np.where(np.isin(self._rows, regime.products), prices, np.nan)

    def _sold(self, regime: Regime, prices: Floats, outside: Floats | None, seen: _Seen) -> Outcome:
        """Return quantities and profits at prices (N, J), of which consumers see `seen`."""
        market = regime.market
        sold = market.quantities(seen.prices, outside)
        margins = prices - market.unit_costs
        if not regime.whole:
            there = np.isin(self._rows, regime.products)
            sold, margins = np.where(there, sold, 0.0), np.where(there, margins, 0.0)
        earned = regime.sums(margins * sold)
        nothing = self._nothing if len(prices) == self.markets else np.zeros(earned.shape)
        return Outcome(prices, sold, earned, nothing)

    def _seen(self, regime: Regime, prices: Floats, ties: Floats | None = None) -> _Seen:
        """Return what consumers see of prices (N, J) in this period; `ties` orders equal prices where a
        platform steers.
        """
        market, seeming = regime.market, prices
        if not regime.whole:
            seeming = np.where(np.isin(self._rows, regime.products), prices, _prohibitive(market))
        rule = self.schedule.prominence
        if rule is None or ties is None or rule.period > self.period + 1:
            return _Seen(seeming)
        if rule.advantage is None:
            order = np.lexsort((ties, seeming), axis=-1)
        else:
            favoured = self._prominent & (prices <= self._charged)
            order = np.lexsort((ties, ~self._prominent, seeming - rule.lead * favoured), axis=-1)
        prominent = np.argsort(order, axis=-1) < rule.shown
        if rule.bonus is None:
            return _Seen(np.where(prominent, seeming, _prohibitive(market)), None, prominent)
        bonus = np.where(prominent, market.price_scale * rule.bonus, 0.0)
        return _Seen(seeming - bonus, bonus, prominent)

    def _fined(self, regime: Regime, outcome: Outcome, drawn: Floats) -> Outcome:
        fines = np.zeros((self.markets, self.market.firms))
        products, firms = list(regime.products), list(regime.firms)
        for place, regulator in enumerate(self.schedule.regulators):
            if self.period + 1 < regulator.period:
                continue
            inspected = drawn[:, place] < regulator.probability
            if regulator.measure == "average":
                guilty = outcome.prices[:, products].mean(axis=-1) > regulator.threshold
                fines[:, firms] += regulator.fine * (inspected & guilty)[:, None]
            else:
                above = np.nan_to_num(outcome.prices, nan=-np.inf, posinf=np.inf, neginf=-np.inf)
                over = regime.maxima(above) > regulator.threshold
                fines += regulator.fine * (inspected[:, None] & over)
        return outcome._replace(profits=outcome.profits - fines, fines=fines)


def checked_grid(grid: ArrayLike, products: int) -> Floats:
    """Return a price grid with one row for each product, (J, m).

    Args:
        grid: prices, (m,) for all products or (J, m).
        products: J.

    Raises:
        UsageError: it is not such an array, or its prices are not finite, at least 0 and increasing.
    """
    try:
        array = np.array(grid, dtype=np.float64)
    except (TypeError, ValueError):
        array = np.array(math.nan)
    if array.ndim == 0:
        raise UsageError(f"A price grid is a number of points, or prices; got {grid!r}.")
    if array.ndim == 1:
        array = np.broadcast_to(array, (products, len(array))).copy()
    if array.ndim != 2 or array.shape[0] != products or array.shape[1] < 2:
        raise UsageError(
            f"A price grid has at least 2 prices for all products, or for each of {products}; got shape"
            f" {array.shape}."
        )
    if not np.all(np.isfinite(array)) or np.any(np.diff(array, axis=1) <= 0) or np.any(array < 0):
        raise UsageError("The prices of a grid are finite, at least 0 and each above the one before.")
    array.flags.writeable = False
    return array


def _prohibitive(market: AnyMarket) -> Floats:
    """Return prices (J,) at which nothing is bought, however high the others are.

    Net values are so low that their exponentials are 0, and that linear demand leaves the product out.
    """
    mu = market.mu if isinstance(market, Market) else 1.0
    outside = market.outside if isinstance(market, Market) else 0.0
    worth = 1e3 * (1.0 + float(np.abs(market.qualities).max()) + abs(outside)) + 1e4 * mu
    prices: Floats = market.price_scale * (market.qualities + worth)
    return prices
