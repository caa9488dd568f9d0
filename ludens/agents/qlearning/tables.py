"""A market as Q-learners see it: prices as indices on a grid, profits in a table, states as integers.

The joint action of firms with actions a_0 … a_{n−1} on m points is the number Σ a_i·m^(n−1−i). With memory k,
the state consists of the last k joint actions, the newest in the lowest digits.

With an outside good whose value changes from period to period, grids and benchmarks follow the authors' code:
the grid runs from the lowest Nash price to the highest joint-profit price of any firm at any value, and
profit gains are relative to the Nash and joint profits averaged over the values.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ludens.agents.qlearning.parameters import QLearning
from ludens.envs.pricing import Market
from ludens.envs.pricing.theory.benchmarks import monopoly_prices, nash_prices, price_grid, total_gain
from ludens.errors import LudensError, UsageError

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

GIB = 1 << 30


class TableTooLargeError(LudensError):
    """Q tables that exceed the memory allowed; the message gives the size in bytes."""


@dataclass(frozen=True, eq=False)
class LearningTables:
    """A market, the parameters, and the arrays on which the learning loop runs.

    Attributes:
        market: the market.
        parameters: of the learners.
        outside: the equally likely values of the outside good, drawn anew each period; empty if it keeps the
            market's own.
    """

    market: Market
    parameters: QLearning
    outside: tuple[float, ...] = ()

    @property
    def firms(self) -> int:
        """The number of firms, n."""
        return self.market.firms

    @property
    def points(self) -> int:
        """The number of prices on the grid, m."""
        return self.parameters.points

    @property
    def joints(self) -> int:
        """The number of joint actions, m^n."""
        return int(self.points**self.firms)

    @cached_property
    def states(self) -> int:
        """The number of states, m^(n·k)."""
        return self.parameters.states(self.firms)

    @cached_property
    def grid(self) -> Floats:
        """Each firm's prices in units of money, ascending, shape (firms, points)."""
        points, extension = self.parameters.points, self.parameters.extension
        if not self.outside:
            alike = price_grid(self.market, points, extension)
            return np.array(np.broadcast_to(alike, (self.firms, points)))
        variants = self._variants()
        low = min(float(nash_prices(variant).min()) for variant in variants)
        high = max(float(monopoly_prices(variant).max()) for variant in variants)
        wide = extension * (high - low)
        return np.tile(np.linspace(low - wide, high + wide, points), (self.firms, 1))

    @cached_property
    def profits(self) -> Floats:
        """Profits in units of money, shape (values of the outside good, joint actions, firms)."""
        prices = self.prices(np.arange(self.joints))
        values = self.outside or (None,)
        return np.stack([self.market.profits(prices, outside=_full(prices, value)) for value in values])

    @cached_property
    def expected(self) -> Floats:
        """Profits averaged over the outside good's values, shape (joint actions, firms)."""
        mean: Floats = self.profits.mean(axis=0)
        return mean

    def prices(self, joints: ArrayLike) -> Floats:
        """Return the prices (..., firms) of joint actions (...)."""
        return self.grid[np.arange(self.firms), self.digits(joints)]

    def digits(self, joints: ArrayLike) -> Ints:
        """Return the actions (..., firms) of joint actions (...)."""
        powers = self.points ** np.arange(self.firms - 1, -1, -1)
        actions: Ints = np.asarray(joints)[..., None] // powers % self.points
        return actions

    def joint(self, actions: ArrayLike) -> Ints:
        """Return the joint actions (...) of actions (..., firms)."""
        powers = self.points ** np.arange(self.firms - 1, -1, -1)
        number: Ints = np.asarray(actions, dtype=np.int64) @ powers
        return number

    def next_state(self, states: ArrayLike, joints: ArrayLike) -> Ints:
        """Return the states that follow when joint actions are taken in states."""
        if self.parameters.memory == 0:
            return np.zeros_like(np.asarray(joints) + np.asarray(states))
        following: Ints = np.asarray(states, dtype=np.int64) * self.joints % self.states + np.asarray(joints)
        return following

    def last_joint(self, states: ArrayLike) -> Ints:
        """Return the newest joint action in each state; needs a memory of at least 1."""
        newest: Ints = np.asarray(states) % self.joints
        return newest

    def nearest(self, prices: ArrayLike) -> Ints:
        """Return the actions (..., firms) whose prices are nearest to the given ones.

        Of two equally near prices, the lower one counts. A missing price (NaN) counts as the highest price,
        which sells least.
        """
        wanted = np.nan_to_num(np.asarray(prices, dtype=np.float64), nan=np.inf)
        # Clipped to the grid: in floats, a very large price would be equally far from all points.
        wanted = np.clip(wanted, self.grid[:, 0], self.grid[:, -1])
        actions: Ints = np.abs(wanted[..., None] - self.grid).argmin(axis=-1)
        return actions

    def initial(self) -> Floats:
        """Return Q_0 as a contiguous array of shape (states, firms, points).

        Raises:
            UsageError: the array of initial values has another shape.
        """
        shape = (self.states, self.firms, self.points)
        start = self.parameters.initial
        if isinstance(start, str):
            if start == "zero":
                return np.zeros(shape)
            table = self.expected.reshape(*(self.points,) * self.firms, self.firms)
            rows = [
                np.moveaxis(table[..., i], i, 0).reshape(self.points, -1).mean(axis=1)
                for i in range(self.firms)
            ]
            return np.array(np.broadcast_to(np.stack(rows) / (1 - self.parameters.discount), shape))
        array = np.asarray(start, dtype=np.float64)
        try:
            given = np.broadcast_to(array, (self.firms, self.states, self.points))
        except ValueError:
            raise UsageError(
                f"The initial values must broadcast to (firms, states, points) = {self.firms, *shape[::2]};"
                f" got an array of shape {array.shape}."
            ) from None
        return np.array(given.swapaxes(0, 1), order="C")  # a copy always: the loop writes to it

    def benchmarks(self) -> tuple[Floats, Floats]:
        """Return each firm's Nash and joint profits, (firms,) each, where the profit gain is 0 and 1."""
        variants = self._variants()
        values = self.outside or (None,)
        low = [m.profits(nash_prices(m), outside=v) for m, v in zip(variants, values, strict=True)]
        high = [m.profits(monopoly_prices(m), outside=v) for m, v in zip(variants, values, strict=True)]
        return np.mean(low, axis=0), np.mean(high, axis=0)

    def gain(self, profits: ArrayLike) -> Floats:
        """Return the profit gain Δ (...) of profits (..., firms), see `total_gain`."""
        return total_gain(profits, *self.benchmarks())

    def _variants(self) -> list[Market]:
        if not self.outside:
            return [self.market]
        return [Market(**(self.market.parameters | {"outside": value})) for value in self.outside]


def learning_tables(
    market: Market,
    parameters: QLearning,
    outside: Sequence[float] | None = None,
    *,
    workers: int = 1,
    kept: int = 0,
    memory_limit: int = 8 * GIB,
) -> LearningTables:
    """Return the tables of a market, after checking that they fit the memory.

    Raises:
        UsageError: a firm sells several products, or the outside good's values are not finite numbers.
        TableTooLargeError: the tables of `workers` concurrent sessions and `kept` bytes of results exceed
            `memory_limit` bytes.
    """
    if market.products != market.firms:
        raise UsageError(
            f"A Q-learner prices one product, but {market.firms} firms sell {market.products}: give each"
            " product a firm of its own."
        )
    values = tuple(float(value) for value in outside) if outside is not None else ()
    if not np.all(np.isfinite(values)):
        raise UsageError(f"The outside good's values must be finite numbers; got {list(values)}.")
    firms = market.firms
    shared = max(len(values), 1) * parameters.points**firms * firms * 8
    size = shared + workers * parameters.table_bytes(firms) + kept
    if size > memory_limit:
        states = f"{parameters.points}^({firms}·{parameters.memory})"
        raise TableTooLargeError(
            f"Q tables of {firms} firms with {states} = {parameters.states(firms):,} states need {size:,}"
            f" bytes with {workers} session(s) at a time, and {memory_limit:,} are allowed: use fewer points,"
            " a shorter memory, fewer workers or sessions, or raise memory_limit."
        )
    return LearningTables(market, parameters, values)


def _full(prices: Floats, value: float | None) -> Floats | None:
    return None if value is None else np.full(prices.shape[:-1], value)
