"""Many episodes of a market stepped together, in one `PricingCore`.

The rules of `ludens.agents.pricing` and trained Q-learners look at the prices of a known number of last
periods, and at the firms and the demand of the present one. Each is asked once for its answer to each of
these, and a period is then a look-up of answers and one step of the core.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ludens.agents.batch import BatchEnv, Flags, Floats, Outcome, Places
from ludens.agents.policy import Policy
from ludens.agents.pricing.duel import periods_remembered
from ludens.agents.pricing.rules import GrimPricePolicy
from ludens.agents.random import RandomPolicy
from ludens.envs.pricing.env import BertrandEnv
from ludens.envs.pricing.interventions import Information, Merger, Vendor
from ludens.envs.pricing.observations import FirmEncoding
from ludens.envs.pricing.schedule import Regime
from ludens.envs.pricing.sequential_env import SequentialBertrandEnv
from ludens.envs.pricing.simulator import Outcome as Period
from ludens.envs.pricing.simulator import PricingCore
from ludens.envs.turn import Turn
from ludens.errors import UsageError

AnyBertrand: TypeAlias = BertrandEnv | SequentialBertrandEnv

MOST_ANSWERS = 1 << 20
"""Situations of one policy whose answers are kept."""


class MarketBatch(BatchEnv[AnyBertrand]):
    """Many episodes of a `BertrandEnv` or a `SequentialBertrandEnv`, with or without interventions."""

    together = True

    @classmethod
    def can_batch(cls, env: AnyBertrand, policies: Mapping[str, Policy]) -> bool:
        """Return whether the policies are functions of what they remember that can be kept: of no past prices
        where prices are continuous.
        """
        grid = env.options.grid
        if any(isinstance(each, Information | Merger | Vendor) for each in env.options.interventions):
            return False  # rivals differ in what they see, or come to set the prices of more products
        if any(len(env._encodings[rival].owned) > 1 for rival in policies):
            return False
        for policy in policies.values():
            memory = _memory(policy)
            if memory is None or (grid is None and (memory or type(policy) is RandomPolicy)):
                return False
            if _Digits(env).situations(memory) > MOST_ANSWERS:
                return False
        return True

    def _prepare(self, env: AnyBertrand, policies: Mapping[str, Policy]) -> None:
        self.options = options = env.options
        # Policies may look further back than the seat does.
        longest = max([options.memory, *(_memory(policy) or 0 for policy in policies.values())])
        self.core = PricingCore(
            options.market,
            markets=self.num_envs,
            memory=longest,
            grid=options.grid,
            interventions=options.interventions,
        )
        firms = env.possible_agents
        self._firm = firms.index(self.seat)
        self._encoding = FirmEncoding(options, self.core, self._firm)
        self._rivals = {
            firms.index(rival): _Rival(env, firms.index(rival), policy, self.num_envs)
            for rival, policy in policies.items()
        }
        self._in_turns = isinstance(env, SequentialBertrandEnv)
        self._legal = None if options.points is None else np.ones((self.num_envs, options.points), np.int8)
        # A seed of its own for each market would take time where nothing is drawn.
        self._undrawn = [np.random.SeedSequence(0)] * self.num_envs
        # The moves in force: of the present period, and in turns those that stand.
        self._moves: NDArray[Any] = np.zeros(
            (self.num_envs, options.market.products), np.float64 if options.grid is None else np.intp
        )
        self._last: Period | None = None
        self._gains: Floats = np.zeros(self.num_envs)
        self._carried: Floats = np.zeros(self.num_envs)

    def _open(self, where: Flags) -> None:
        if self.core.schedule.draws:
            self.core.reset(np.random.SeedSequence(int(self.np_random.integers(2**63))))
        else:
            self.core.reset(self._undrawn)
        self._last = None
        for rival in self._rivals.values():
            rival.reset()
        if self._in_turns:
            self._draw_opening()
        self._carried = self._wait(np.zeros(self.num_envs))

    def _move(self, actions: NDArray[Any], playing: Flags) -> Outcome:
        nothing = np.zeros(self.num_envs, dtype=np.bool_)
        if not playing.any():
            return np.zeros(self.num_envs), nothing, nothing.copy()
        paid = self._carried
        # An episode may end before the seat's first move: its action is then ignored.
        if self.core.period < self.options.periods:
            paid = self._wait(paid + self._play(actions))
        self._carried = np.zeros(self.num_envs)
        left = np.full(self.num_envs, self._firm not in self.core.regime.firms)
        return paid, left, np.full(self.num_envs, self.core.period == self.options.periods)

    def _draw_opening(self) -> None:
        """Draw the prices that stand before the first move, as `SequentialBertrandEnv` does."""
        grid, shape = self.options.grid, self._moves.shape
        if grid is not None:
            self._moves = self.np_random.integers(grid.shape[1], size=shape)
            self.core.history[:, -1] = grid[np.arange(shape[1]), self._moves]
            return
        regime = self.core.regime
        self._moves = regime.nash + self.np_random.random(shape) * (regime.monopoly - regime.nash)
        self.core.history[:, -1] = self._moves

    def _movers(self) -> tuple[int, ...]:
        """Return the firms that set prices in the next period."""
        if self._in_turns:
            return (self.core.period % self.options.market.firms,)
        return self.core.regime.firms

    def _wait(self, paid: Floats) -> Floats:
        """Play the periods in which the seat has no move, and return what it is paid with them.

        Raises:
            UsageError: it is never there.
        """
        there = self._last is not None and self._firm in self.core.schedule.regime(self.core.period - 1).firms
        while self.core.period < self.options.periods and self._firm not in self._movers():
            if there and self._firm not in self.core.regime.firms:
                return paid  # it has left for ever
            paid = paid + self._play(None)
        if not there and self._firm not in self.core.regime.firms:
            raise UsageError(
                f"{self.seat} never moves in this episode of {self.environment}: take another seat."
            )
        return paid

    def _play(self, actions: NDArray[Any] | None) -> Floats:
        """Play one period with the seat's actions, if it has a move, and return what it is paid."""
        number, movers, regime = self.num_envs, self._movers(), self.core.regime
        moves = self._moves.copy()
        if actions is not None:
            moves[:, self._encoding.owned] = actions.reshape(number, -1)
        for firm in movers:
            if firm != self._firm:
                rival = self._rivals[firm]
                moves[:, rival.product] = rival.answers(regime, self.np_random)
        self._moves = moves
        self._last = self.core._advance(moves)
        for rival in self._rivals.values():
            rival.learn(regime, moves)
        earned = self._last.profits
        if self.core.schedule.regulators:  # a gain is one before fines
            earned = earned + self._last.fines
        self._gains = np.nan_to_num(regime.firm_gains(earned)[:, self._firm], nan=0.0)
        return self._last.profits[:, self._firm].copy()

    def _observed(self) -> tuple[NDArray[np.float32], NDArray[np.int8] | None]:
        share = 1.0 - self.core.period / self.options.periods
        vectors = self._encoding.vectors(self.core, self._last, share)
        return vectors, None if self._legal is None else self._legal.copy()

    def _masks(self) -> NDArray[np.int8] | None:
        return None

    def _infos(self) -> dict[str, Any]:
        number, owned, last = self.num_envs, self._encoding.owned, self._last
        sold = np.zeros((number, len(owned))) if last is None else last.quantities[:, owned]
        return {
            "profit": np.zeros(number) if last is None else last.profits[:, self._firm].copy(),
            "quantity": sold[:, 0].copy() if len(owned) == 1 else sold.copy(),
            "profit_gain": np.zeros(number) if last is None else self._gains.copy(),
            "fine": np.zeros(number) if last is None else last.fines[:, self._firm].copy(),
            "discount": np.full(number, self.options.discount),
        }


class _Digits:
    """The prices of one period as a number: one digit for each product, a point of its grid, or the digit
    after the last point where the product is not on sale.
    """

    def __init__(self, env: AnyBertrand) -> None:
        self.points = env.options.points or 1
        whole = all(regime.whole for regime in env.core.schedule.regimes)
        self.base = self.points if whole else self.points + 1
        self.products = env.options.market.products
        self.periods: int = self.base**self.products
        """How many numbers there are."""

    def situations(self, memory: int) -> int:
        """Return how many memories there are of up to so many periods."""
        return int(self.periods**memory * (memory + 1))

    def number(self, digits: Places) -> Places:
        """Return the numbers of some periods, (n,), from their digits, (n, J)."""
        numbers: Places = digits @ self.base ** np.arange(self.products - 1, -1, -1)
        return numbers

    def digits(self, number: int) -> list[int]:
        """Return the digits of a number, one for each product."""
        return [number // self.base**power % self.base for power in reversed(range(self.products))]


class _Rival:
    """One policy in all episodes: what it remembers, as a number, and its answers, asked once each.

    The number of a memory counts the remembered periods in its last digit (base k + 1), and the numbers of
    their prices before it, the latest period last. A grim policy remembers the lowest price of each product
    so far as if it were one period: a firm that was undercut once stays so.
    """

    def __init__(self, env: AnyBertrand, firm: int, policy: Policy, number: int) -> None:
        self.policy = policy
        self.product = FirmEncoding(env.options, env.core, firm).owned[0]
        self._env, self._firm, self._memory = env, firm, _memory(policy) or 0
        env.reset(seed=0)
        self._first = env._turn(f"firm_{firm}")
        self._digits = _Digits(env)
        self._holds_out = type(policy) is GrimPricePolicy
        self._lowest: Places = np.zeros((number, self._digits.products), dtype=np.intp)
        self._codes: Places = np.zeros(number, dtype=np.intp)
        # By the start of the regime: the row of the answer to each memory.
        self._row: dict[int, Places] = {}
        # By row: the move, or the cumulated probabilities of all points where the policy draws.
        grid = env.options.grid
        self._sure: NDArray[Any] = np.zeros(0, dtype=np.float64 if grid is None else np.intp)
        self._cumulated: Floats = np.zeros((0, self._digits.points))
        self._draws = False
        self._known = 0

    def reset(self) -> None:
        """Forget everything: nothing has been charged yet."""
        self._codes = np.zeros(len(self._codes), dtype=np.intp)
        self._lowest = np.full(self._lowest.shape, self._digits.points)

    def answers(self, regime: Regime, rng: np.random.Generator) -> NDArray[Any]:
        """Return the policy's moves, (n,): points of the grid, or prices."""
        rows = self._rows(regime)
        if not self._draws:
            return self._sure[rows]
        places: NDArray[Any] = (rng.random((len(rows), 1)) >= self._cumulated[rows, :-1]).sum(axis=1)
        return places

    def learn(self, regime: Regime, moves: NDArray[Any]) -> None:
        """Remember the moves of a period, (n, J)."""
        if not self._memory:
            return
        if not regime.whole:
            absent = [product for product in range(moves.shape[1]) if product not in regime.products]
            moves = moves.copy()
            moves[:, absent] = self._digits.points
        if self._holds_out:
            self._lowest = np.minimum(self._lowest, moves)
            self._codes = self._digits.number(self._lowest) * 2 + 1
            return
        k, periods = self._memory, self._digits.periods
        count, past = self._codes % (k + 1), self._codes // (k + 1)
        past = (past * periods + self._digits.number(moves)) % periods**k
        self._codes = past * (k + 1) + np.minimum(count + 1, k)

    def _rows(self, regime: Regime) -> Places:
        if regime.start not in self._row:
            self._row[regime.start] = np.full(self._digits.situations(self._memory), -1, dtype=np.intp)
        table = self._row[regime.start]
        rows = table[self._codes]
        if (rows < 0).any():
            for code in np.unique(self._codes[rows < 0]).tolist():
                table[code] = self._ask(regime, code)
            rows = table[self._codes]
        return rows

    def _ask(self, regime: Regime, code: int) -> int:
        """Ask the policy for its answer to what it remembers, and return the row of the answer.

        Raises:
            UsageError: its answer is neither sure nor a distribution that it knows.
        """
        turn = self._turn(regime, code)
        said = [self.policy.decide(turn, np.random.default_rng(seed)) for seed in (0, 1)]
        action, shares = said[0].action, said[0].probabilities
        if said[0].provenance != "exact":
            shares = None
        if shares is None and (action is None or action != said[1].action):
            raise UsageError(f"{self.policy.name} draws its prices: step its markets one by one.")
        if self._known == len(self._sure):
            size = max(64, 2 * self._known)
            self._sure = np.resize(self._sure, size)
            grown = np.zeros((size, self._digits.points))
            grown[: self._known] = self._cumulated
            self._cumulated = grown
        self._sure[self._known] = action
        if shares is not None:
            self._draws = self._draws or max(shares) < 1
            self._cumulated[self._known] = np.cumsum(shares) / sum(shares)
        elif self._env.options.grid is not None:
            self._cumulated[self._known, int(self._sure[self._known]) :] = 1.0
        self._known += 1
        return self._known - 1

    def _turn(self, regime: Regime, code: int) -> Turn:
        """Return the turn of the policy in a regime, after the prices that it remembers."""
        grid, k = self._env.options.grid, self._memory
        count, past = code % (k + 1), code // (k + 1)
        numbers = [
            past // self._digits.periods**back % self._digits.periods for back in reversed(range(count))
        ]
        prices = np.full((count, self._digits.products), np.nan)
        for place, number in enumerate(numbers):
            assert grid is not None
            for product, digit in enumerate(self._digits.digits(number)):
                if digit < self._digits.points:
                    prices[place, product] = grid[product, digit]
        # What the firm sold and earned depends on more than prices; no policy here looks at it.
        unknown = np.full(count, np.nan)
        period = max(regime.start, count)
        facts = dict(self._first.facts) | {
            "market": regime.market,
            "present": regime.present,
            "active": regime.products,
            "period": period,
            "prices": prices,
            "own_quantities": unknown,
            "own_profits": unknown,
            "notices": self._env.core.schedule.notices(period),
        }
        return replace(self._first, facts=facts, round=period)


def _memory(policy: Policy) -> int | None:
    """Return how many past periods a policy looks at; None where that is not known."""
    return 0 if type(policy) is RandomPolicy else periods_remembered(policy)
