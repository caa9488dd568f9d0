"""A market as Q-learners see it: prices as indices on a grid, profits in a table, states as integers.

The joint action of firms with actions a_0 … a_{n−1} on m points is the number Σ a_i·m^(n−1−i). With memory k,
the state consists of the last k joint actions, the newest in the lowest digits.

Where firms move in turns, a firm learns by its rivals' standing prices (Klein 2021), which number the rows of
its table. The state of the market is the mover with the standing joint action, mover·m^n + joint; strategies
are given for these states, in which a firm that does not move keeps its price.

Where a platform's prominence looks back on the last period, a state is prominent·m^n + joint, with the firm
that was prominent last and the last joint action.

A firm that is not in the market counts as charging its highest price, and learns nothing.

With an outside good whose value changes from period to period, grids and benchmarks follow the authors' code:
the grid runs from the lowest Nash price to the highest joint-profit price of any firm at any value, and
profit gains are relative to the Nash and joint profits averaged over the values.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ludens.agents.qlearning.parameters import QLearning
from ludens.envs.pricing import Market
from ludens.envs.pricing.interventions import (
    CheapTalk,
    CostShock,
    DemandShock,
    Entrant,
    Exit,
    Information,
    Intervention,
    Merger,
    Prominence,
    Vendor,
    as_interventions,
)
from ludens.envs.pricing.schedule import Schedule
from ludens.envs.pricing.simulator import PricingCore, checked_grid
from ludens.envs.pricing.theory.benchmarks import monopoly_prices, nash_prices, price_grid, total_gain
from ludens.envs.pricing.theory.market import AnyMarket
from ludens.errors import LudensError, UsageError

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Moves: TypeAlias = Literal["together", "in turns"]

GIB = 1 << 30
_AMPLE = 1e9
"""An advantage that no price makes up for."""


class TableTooLargeError(LudensError):
    """Q tables that exceed the memory allowed; the message gives the size in bytes."""


@dataclass(frozen=True, eq=False)
class Phase:
    """Periods in which the same firms sell under the same demand and rules.

    Attributes:
        start: its first period, from 0.
        present: whether each firm is in the market, (firms,).
        profits: profits less fines in units of money, (outcomes of chance, joint actions, firms); under
            dynamic prominence an outcome is which firm is prominent.
        fines: expected fines, (joint actions, firms).
        chances: the probability of an outcome up to each one, ascending to 1, (outcomes,).
        drawn: numbers by which the simulator's chance brings each outcome, (outcomes, draws).
        consumer: consumer surplus, (outcomes, joint actions); None where no platform steers consumers.
    """

    start: int
    present: NDArray[np.bool_]
    profits: Floats
    fines: Floats
    chances: Floats
    drawn: Floats
    consumer: Floats | None = None

    @cached_property
    def expected(self) -> Floats:
        """Profits averaged over chance, (joint actions, firms)."""
        weights = np.diff(self.chances, prepend=0.0)
        if np.ptp(weights) < 1e-12:
            mean: Floats = self.profits.mean(axis=0)
            return mean
        weighted: Floats = np.tensordot(weights, self.profits, axes=1)
        return weighted


@dataclass(frozen=True, eq=False)
class LearningTables:
    """A market, the parameters, and the arrays on which the learning loop runs.

    Attributes:
        market: the market, of all firms that are ever in it.
        parameters: of the learners.
        outside: the equally likely values of the outside good, drawn anew each period; empty if it keeps the
            market's own.
        interventions: as in the environments; the first period of a session has the number 1.
        moves: whether firms set prices ``"together"`` or ``"in turns"``, firm 0 in the first period.
    """

    market: AnyMarket
    parameters: QLearning
    outside: tuple[float, ...] = ()
    interventions: tuple[Intervention, ...] = ()
    moves: Moves = "together"

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

    @property
    def turns(self) -> bool:
        """Whether firms move in turns."""
        return self.moves == "in turns"

    @cached_property
    def steering(self) -> Prominence | None:
        """The rule of prominence that looks back on the last period; None if there is none."""
        found = (each for each in self.interventions if isinstance(each, Prominence))
        return next((each for each in found if each.advantage is not None), None)

    @cached_property
    def states(self) -> int:
        """The number of states: m^(n·k), or n·m^n where firms move in turns or prominence looks back."""
        turned = self.turns or self.steering is not None
        return self.firms * self.joints if turned else self.parameters.states(self.firms)

    @cached_property
    def rows(self) -> int:
        """The number of rows in a firm's table: the states, or m^(n−1) where firms move in turns."""
        return self.joints // self.points if self.turns else self.states

    @cached_property
    def discounts(self) -> Floats:
        """δ of each firm, (firms,)."""
        rates: Floats = self.parameters.rates(self.firms)
        discounts: Floats = rates[1]
        return discounts

    @cached_property
    def since(self) -> Ints:
        """The period from which each firm's exploration counts, (firms,)."""
        first = np.zeros(self.firms, dtype=np.int64)
        for each in self.interventions:
            if isinstance(each, Entrant):
                first[each.firm] = each.period - 1
        return first - self.parameters.explored

    @cached_property
    def grid(self) -> Floats:
        """Each firm's prices in units of money, ascending, shape (firms, points)."""
        points, extension = self.parameters.points, self.parameters.extension
        if self.parameters.grid is not None:
            return checked_grid(self.parameters.grid, self.firms)
        if not self.outside:
            alike = price_grid(self.market, points, extension)
            return np.array(np.broadcast_to(alike, (self.firms, points)))
        variants = self._variants()
        low = min(float(nash_prices(variant).min()) for variant in variants)
        high = max(float(monopoly_prices(variant).max()) for variant in variants)
        wide = extension * (high - low)
        return np.tile(np.linspace(low - wide, high + wide, points), (self.firms, 1))

    @cached_property
    def schedule(self) -> Schedule:
        """Who sells under which demand when."""
        return Schedule(self.market, self.interventions)

    @cached_property
    def starts(self) -> tuple[int, ...]:
        """The first period of each phase."""
        rules = [each for each in (*self.schedule.regulators, self.schedule.prominence) if each is not None]
        starts = {regime.start for regime in self.schedule.regimes} | {each.period - 1 for each in rules}
        return tuple(sorted(starts))

    @cached_property
    def phases(self) -> tuple[Phase, ...]:
        """The phases in their order; a market without interventions has one."""
        if not self.interventions:
            outcomes, everyone = len(self.profits), np.ones(self.firms, bool)
            even = np.arange(1, outcomes + 1) / outcomes
            nothing = np.zeros((self.joints, self.firms))
            return (Phase(0, everyone, self.profits, nothing, even, np.zeros((outcomes, 0))),)
        return tuple(self._phase(start) for start in self.starts)

    def phase(self, period: int) -> Phase:
        """Return the phase of a period."""
        return self.phases[bisect_right(self.starts, period) - 1]

    @cached_property
    def profits(self) -> Floats:
        """Profits in the first phase in units of money, shape (outcomes of chance, joint actions, firms)."""
        if self.interventions:
            return self.phases[0].profits
        prices = self.prices(np.arange(self.joints))
        values = self.outside or (None,)
        return np.stack([self.market.profits(prices, outside=_full(prices, value)) for value in values])

    @cached_property
    def expected(self) -> Floats:
        """Profits in the last phase averaged over chance, shape (joint actions, firms)."""
        return self.phases[-1].expected

    def earned(self, states: ArrayLike, joints: ArrayLike, firm: int) -> Floats:
        """Return what a firm is expected to earn (...) when joint actions are taken in states, in the last
        phase.
        """
        at = np.asarray(joints, dtype=np.int64)
        if self.steering is None:
            profits: Floats = self.expected[at, firm]
        else:
            profits = self.phases[-1].profits[self.prominent(states, at), at, firm]
        return profits

    def prominent(self, states: ArrayLike, joints: ArrayLike) -> Ints:
        """Return which firm is prominent (...) when joint actions are taken in states, where prominence looks
        back on the last period.
        """
        assert self.steering is not None
        was, last = np.divmod(np.asarray(states, dtype=np.int64), self.joints)
        prices, before = np.broadcast_arrays(self.prices(joints), self.prices(last))
        mine = np.broadcast_to(was, prices.shape[:-1])[..., None]
        own = np.take_along_axis(prices, mine, axis=-1)
        favoured = own <= np.take_along_axis(before, mine, axis=-1)
        rival = np.take_along_axis(prices, 1 - mine, axis=-1)
        loses = own - self.steering.lead * favoured > rival
        holder: Ints = np.where(loses, 1 - mine, mine)[..., 0]
        return holder

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
        if self.turns:
            mover = (np.asarray(states, dtype=np.int64) // self.joints + 1) % self.firms
            turned: Ints = mover * self.joints + np.asarray(joints)
            return turned
        if self.steering is not None:
            return self.prominent(states, joints) * self.joints + np.asarray(joints, dtype=np.int64)
        if self.parameters.memory == 0:
            return np.zeros_like(np.asarray(joints) + np.asarray(states))
        following: Ints = np.asarray(states, dtype=np.int64) * self.joints % self.states + np.asarray(joints)
        return following

    def row(self, joints: ArrayLike, firm: int) -> Ints:
        """Return the rows of a firm's table at standing joint actions, where firms move in turns."""
        step = self.points ** (self.firms - 1 - firm)
        array = np.asarray(joints, dtype=np.int64)
        rows: Ints = array // (step * self.points) * step + array % step
        return rows

    def choices(self, states: ArrayLike, joints: ArrayLike, firm: int) -> Ints:
        """Return the joint actions (..., points) that a firm can bring about, by its action.

        Args:
            states: (...); where firms move in turns, only the mover has a choice.
            joints: joint actions (...) that are played otherwise.
            firm: its number.
        """
        step = self.points ** (self.firms - 1 - firm)
        array = np.asarray(joints, dtype=np.int64)
        met = (array - array // step % self.points * step)[..., None] + np.arange(self.points) * step
        return np.where(self.free(states, firm)[..., None], met, array[..., None])

    def free(self, states: ArrayLike, firm: int) -> NDArray[np.bool_]:
        """Return whether a firm sets a price in each state, in the last phase."""
        array = np.asarray(states)
        there = bool(self.phases[-1].present[firm])
        moves = array // self.joints == firm if self.turns else np.ones(array.shape, bool)
        return np.asarray(moves & there)

    def strategies(self, greedy: NDArray[np.uint16]) -> NDArray[np.uint16]:
        """Return the actions in every state, (..., firms, states), of greedy actions (..., firms, rows)."""
        if not self.turns and self.phases[-1].present.all():
            return greedy
        everywhere = np.arange(self.states)
        standing = self.last_joint(everywhere) if self.turns else everywhere
        digits = self.digits(standing)
        played = np.empty((*greedy.shape[:-1], self.states), np.uint16)
        for firm in range(self.firms):
            if not self.phases[-1].present[firm]:
                played[..., firm, :] = self.points - 1
            elif self.turns:
                own = greedy[..., firm, :][..., self.row(standing, firm)]
                played[..., firm, :] = np.where(self.free(everywhere, firm), own, digits[:, firm])
            else:
                played[..., firm, :] = greedy[..., firm, :]
        return played

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
        """Return Q_0 as a contiguous array of shape (rows, firms, points).

        Profits against random rivals are those without interventions, which firms do not foresee.

        Raises:
            UsageError: the array of initial values has another shape.
        """
        shape = (self.rows, self.firms, self.points)
        start = self.parameters.initial
        if isinstance(start, str):
            if start == "zero":
                return np.zeros(shape)
            plain = LearningTables(self.market, self.parameters, self.outside)
            usual = plain.expected if self.interventions else self.expected
            table = usual.reshape(*(self.points,) * self.firms, self.firms)
            rows = [
                np.moveaxis(table[..., i], i, 0).reshape(self.points, -1).mean(axis=1)
                for i in range(self.firms)
            ]
            start_values = np.stack(rows) / (1 - self.discounts[:, None])
            return np.array(np.broadcast_to(start_values, shape))
        array = np.asarray(start, dtype=np.float64)
        try:
            given = np.broadcast_to(array, (self.firms, self.rows, self.points))
        except ValueError:
            raise UsageError(
                f"The initial values must broadcast to (firms, states, points) = {self.firms, *shape[::2]};"
                f" got an array of shape {array.shape}."
            ) from None
        return np.array(given.swapaxes(0, 1), order="C")  # a copy always: the loop writes to it

    def benchmarks(self) -> tuple[Floats, Floats]:
        """Return each firm's Nash and joint profits, (firms,) each, where the profit gain is 0 and 1.

        They are those of the last phase, without fines and steering; NaN for firms that are not in it.
        """
        if self.interventions:
            return self.schedule.regimes[-1].profits
        variants = self._variants()
        values = self.outside or (None,)
        low = [m.profits(nash_prices(m), outside=v) for m, v in zip(variants, values, strict=True)]
        high = [m.profits(monopoly_prices(m), outside=v) for m, v in zip(variants, values, strict=True)]
        return np.mean(low, axis=0), np.mean(high, axis=0)

    def gain(self, profits: ArrayLike) -> Floats:
        """Return the profit gain Δ (...) of profits before fines (..., firms), see `total_gain`."""
        return total_gain(profits, *self.benchmarks())

    def _variants(self) -> list[AnyMarket]:
        if not self.outside:
            return [self.market]
        return [Market(**(self.market.parameters | {"outside": value})) for value in self.outside]

    def _phase(self, start: int) -> Phase:
        # Under dynamic prominence every firm in turn is prominent, whatever it charges.
        events = tuple(
            replace(each, advantage=_AMPLE) if each is self.steering else each for each in self.interventions
        )
        core = PricingCore(self.market, markets=self.joints, memory=0, grid=self.grid, interventions=events)
        core.period = start
        moves = self.digits(np.arange(self.joints))
        present = np.isin(np.arange(self.firms), core.regime.firms)
        likely = core.chances()
        if self.steering is not None:
            likely = [(1.0 / self.firms, likely[0][1])] * self.firms
        shares, drawn = zip(*likely, strict=True)
        outcomes, consumer = [], []
        for place, numbers in enumerate(drawn):
            if self.steering is not None:
                holder = np.tile(np.arange(self.firms) == place, (self.joints, 1))
                core.remember(holder, np.full(holder.shape, np.inf))
            outcomes.append(core.outcome(moves, numbers))
            if self.schedule.prominence is not None:
                consumer.append(core.foreseen(moves, numbers).consumer)
        up_to = np.cumsum(shares)
        up_to[-1] = 1.0
        return Phase(
            start=start,
            present=present,
            profits=np.stack([each.profits for each in outcomes]),
            fines=np.tensordot(shares, np.stack([each.fines for each in outcomes]), axes=1),
            chances=up_to,
            drawn=np.array(drawn),
            consumer=np.stack(consumer) if consumer else None,
        )


def learning_tables(
    market: AnyMarket,
    parameters: QLearning,
    outside: Sequence[float] | None = None,
    *,
    interventions: Sequence[Intervention | Mapping[str, Any]] = (),
    moves: Moves = "together",
    workers: int = 1,
    kept: int = 0,
    memory_limit: int = 8 * GIB,
) -> LearningTables:
    """Return the tables of a market, after checking that they fit the memory.

    Raises:
        UsageError: a firm sells several products, the outside good's values are not finite numbers, or an
            argument does not go with another.
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
    parameters.rates(firms)
    if parameters.grid is not None:
        checked_grid(parameters.grid, firms)
    if any(isinstance(each, Merger) for each in as_interventions(interventions)):
        raise UsageError("A Q-learner prices one product, and a merged firm has several: leave mergers out.")
    events = tuple(each for each in as_interventions(interventions) if not isinstance(each, CheapTalk))
    if any(isinstance(each, Vendor) for each in events):
        raise UsageError(
            "Q-learners learn a table for each firm, and no vendor's one for all: leave Vendor out."
        )
    if any(isinstance(each, Information) for each in events):
        raise UsageError(
            "Q-learners that are trained see all prices and nothing else of rivals: leave Information out."
        )
    tables = LearningTables(market, parameters, values, events, moves)
    if (values or tables.schedule.outside) and not isinstance(market, Market):
        raise UsageError(f"{market!r} has no outside good: leave its values out.")
    if values and events:
        raise UsageError(
            "The outside good's values are not given beside interventions: give an OutsideOption among them."
        )
    _check_moves(tables)
    _check_steering(tables)
    outcomes = max(len(values), 1)
    if events:
        probe = PricingCore(market, memory=0, interventions=events)
        outcomes = 0
        for start in tables.starts:
            probe.period = start
            outcomes += firms if tables.steering is not None else len(probe.chances())
    shared = outcomes * tables.joints * firms * 8
    size = shared + workers * parameters.table_bytes(firms, tables.rows) + kept
    if size > memory_limit:
        states = f"{parameters.points}^({firms}·{parameters.memory})"
        if tables.turns:
            states = f"{parameters.points}^{firms - 1}"
        raise TableTooLargeError(
            f"Q tables of {firms} firms with {states} = {tables.rows:,} states need {size:,}"
            f" bytes with {workers} session(s) at a time, and {memory_limit:,} are allowed: use fewer points,"
            " a shorter memory, fewer workers or sessions, or raise memory_limit."
        )
    return tables


def _check_moves(tables: LearningTables) -> None:
    """Refuse what does not go together.

    Raises:
        UsageError: the order of moves is unknown, or learners of this kind do not move in turns.
    """
    parameters = tables.parameters
    if tables.moves not in {"together", "in turns"}:
        raise UsageError(f"moves is 'together' or 'in turns' for Q-learners; got {tables.moves!r}.")
    if not tables.turns:
        return
    for name, wanted in (("memory", 1), ("exploration", "epsilon"), ("updating", "asynchronous")):
        if getattr(parameters, name) != wanted:
            raise UsageError(
                f"Q-learners that move in turns have {name}={wanted!r}; got {getattr(parameters, name)!r}."
            )
    if any(isinstance(each, Entrant | Exit) for each in tables.interventions):
        raise UsageError("Firms neither enter nor leave where they move in turns: let them move together.")


def _check_steering(tables: LearningTables) -> None:
    """Refuse what does not go with prominence that looks back on the last period.

    Raises:
        UsageError: there are not two firms with a memory of one period, or other rules and events.
    """
    rule, parameters = tables.steering, tables.parameters
    if rule is None:
        return
    plain = parameters.exploration == "epsilon" and parameters.updating == "asynchronous"
    if tables.firms != 2 or parameters.memory != 1 or not plain or tables.turns:
        raise UsageError(
            "Under prominence with an advantage, Q-learners are two firms that move together, with memory=1,"
            " exploration='epsilon' and updating='asynchronous'; change these, or leave the advantage out."
        )
    others = [each for each in tables.interventions if each is not rule]
    if rule.shown != 1 or rule.period != 1 or not all(isinstance(e, DemandShock | CostShock) for e in others):
        raise UsageError(
            "For Q-learners, prominence with an advantage shows one product from period 1 on, and goes with"
            " shocks alone; leave the other interventions out."
        )


def _full(prices: Floats, value: float | None) -> Floats | None:
    return None if value is None else np.full(prices.shape[:-1], value)
