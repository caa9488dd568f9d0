"""Many episodes of a market stepped together, in one `PricingCore`.

The rules of `ludens.agents.pricing` and trained Q-learners look at the prices of a known number of last
periods. Each is asked once for its answer to each of these, and a period is then a look-up of answers and one
step of the core.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from gymnasium.vector import AutoresetMode
from numpy.typing import NDArray

from ludens.agents.batch import BatchEnv, Flags, Floats, Outcome, Places
from ludens.agents.policy import Policy
from ludens.agents.pricing.duel import periods_remembered
from ludens.agents.pricing.rules import GrimPricePolicy
from ludens.agents.random import RandomPolicy
from ludens.envs.pricing.env import BertrandEnv
from ludens.envs.pricing.observations import FirmEncoding
from ludens.envs.pricing.simulator import Outcome as Period
from ludens.envs.pricing.simulator import PricingCore
from ludens.envs.turn import Turn
from ludens.errors import UsageError

MOST_ANSWERS = 1 << 20
"""Situations of one policy whose answers are kept."""


def can_batch(env: BertrandEnv, policies: dict[str, Policy]) -> bool:
    """Return whether the market has no interventions, and the policies are functions of what they remember
    that can be kept: of no past prices where prices are continuous.
    """
    if env.options.interventions:
        return False
    for policy in policies.values():
        memory = _memory(policy)
        if memory is None or (env.options.grid is None and (memory or type(policy) is RandomPolicy)):
            return False
        if env.options.grid is not None and _situations(env, memory) > MOST_ANSWERS:
            return False
    return True


class MarketBatch(BatchEnv):
    """Many episodes of a `BertrandEnv`.

    Args:
        env: the environment.
        seat: the seat that is played.
        policies: those of the other seats, by seat; `can_batch` says which.
        number: how many episodes are stepped together.
        autoreset_mode: Gymnasium's.
    """

    together = True

    def __init__(
        self,
        env: BertrandEnv,
        seat: str,
        policies: dict[str, Policy],
        number: int,
        autoreset_mode: str | AutoresetMode = AutoresetMode.NEXT_STEP,
    ) -> None:
        super().__init__(env, seat, number, autoreset_mode)
        self.options = env.options
        market = env.options.market
        # Policies may look further back than the seat does.
        longest = max([env.options.memory, *(_memory(policy) or 0 for policy in policies.values())])
        self.core = PricingCore(market, markets=number, memory=longest, grid=env.options.grid)
        self._firm = env.possible_agents.index(seat)
        self._encoding = FirmEncoding(env.options, self.core, self._firm)
        firms = env.possible_agents
        self._rivals = [_Rival(env, firms.index(rival), policy, number) for rival, policy in policies.items()]
        points = env.options.points
        self._legal = None if points is None else np.ones((number, points), dtype=np.int8)
        # Nothing is drawn without interventions, and a seed of its own for each market would take time.
        self._undrawn = [np.random.SeedSequence(0)] * number
        self._last: Period | None = None
        self._gains: Floats = np.zeros(number)

    def _open(self, where: Flags) -> None:
        self.core.reset(self._undrawn)
        self._last = None
        for rival in self._rivals:
            rival.reset()

    def _move(self, actions: NDArray[Any], playing: Flags) -> Outcome:
        number = self.num_envs
        nothing = np.zeros(number, dtype=np.bool_)
        if not playing.any():
            return np.zeros(number), nothing, nothing.copy()
        grid = self.options.grid
        moves = np.zeros((number, self.options.market.products), np.intp if grid is not None else np.float64)
        moves[:, self._encoding.owned] = actions.reshape(number, -1)
        for rival in self._rivals:
            moves[:, rival.product] = rival.answers(self.np_random)
        regime = self.core.regime
        self._last = self.core._advance(moves)
        for rival in self._rivals:
            rival.learn(moves)
        self._gains = np.nan_to_num(regime.firm_gains(self._last.profits)[:, self._firm], nan=0.0)
        over = np.full(number, self.core.period == self.options.periods)
        return self._last.profits[:, self._firm].copy(), nothing, over

    def _observed(self) -> tuple[NDArray[np.float32], NDArray[np.int8] | None]:
        share = 1.0 - self.core.period / self.options.periods
        vectors = self._encoding.vectors(self.core, self._last, share)
        return vectors, None if self._legal is None else self._legal.copy()

    def _masks(self) -> NDArray[np.int8] | None:
        return None

    def _infos(self) -> dict[str, NDArray[Any]]:
        number, owned, last = self.num_envs, self._encoding.owned, self._last
        sold = np.zeros((number, len(owned))) if last is None else last.quantities[:, owned]
        return {
            "profit": np.zeros(number) if last is None else last.profits[:, self._firm].copy(),
            "quantity": sold[:, 0].copy() if len(owned) == 1 else sold.copy(),
            "profit_gain": np.zeros(number) if last is None else self._gains.copy(),
            "fine": np.zeros(number),
            "discount": np.full(number, self.options.discount),
        }


class _Rival:
    """One policy in all episodes: what it remembers, as a number, and its answers, asked once each.

    The number of a memory counts the remembered periods in its last digit (base k + 1), and the numbers of
    their prices before it, the latest period last.
    """

    def __init__(self, env: BertrandEnv, firm: int, policy: Policy, number: int) -> None:
        self.policy = policy
        encoding = FirmEncoding(env.options, env.core, firm)
        self.product = encoding.owned[0]
        self._env, self._firm, self._memory = env, firm, _memory(policy) or 0
        env.reset(seed=0)
        self._first = env.turn(f"firm_{firm}")
        self._holds_out = type(policy) is GrimPricePolicy
        grid = env.options.grid
        self._points = 1 if grid is None else grid.shape[1]
        products = env.options.market.products
        self._base = self._points**products  # of the numbers of one period's prices
        self._strides = self._points ** np.arange(products - 1, -1, -1) if self._memory else None
        self._codes: Places = np.zeros(number, dtype=np.intp)
        self._row: Places = np.full(self._codes_in_all(), -1, dtype=np.intp)
        # By answer: the move, or the cumulated probabilities of all points where the policy draws.
        self._sure: NDArray[Any] = np.zeros(0, dtype=np.float64 if grid is None else np.intp)
        self._cumulated: Floats = np.zeros((0, self._points))
        self._draws = False
        self._known = 0

    def reset(self) -> None:
        """Forget everything: nothing has been charged yet."""
        self._codes = np.zeros(len(self._codes), dtype=np.intp)

    def answers(self, rng: np.random.Generator) -> NDArray[Any]:
        """Return the policy's moves, (n,): points of the grid, or prices."""
        rows = self._rows(self._codes)
        if not self._draws:
            return self._sure[rows]
        places: NDArray[Any] = (rng.random((len(rows), 1)) >= self._cumulated[rows, :-1]).sum(axis=1)
        return places

    def learn(self, moves: NDArray[Any]) -> None:
        """Remember the moves of a period, (n, J)."""
        if not self._memory:
            return
        assert self._strides is not None
        numbers = moves @ self._strides
        if self._holds_out:
            # Betrayed once, it is so for ever; see `ludens.agents.pricing.duel.Duel`.
            peace = self._rows(np.zeros(1, dtype=np.intp))
            after = numbers * 2 + 1
            changed = self._sure[self._rows(after)] != self._sure[peace]
            self._codes = np.where((self._codes == 0) & changed, after, self._codes)
            return
        k = self._memory
        count, past = self._codes % (k + 1), self._codes // (k + 1)
        past = (past * self._base + numbers) % self._base**k
        self._codes = past * (k + 1) + np.minimum(count + 1, k)

    def _codes_in_all(self) -> int:
        return self._base**self._memory * (self._memory + 1) if self._memory else 1

    def _rows(self, codes: Places) -> Places:
        rows = self._row[codes]
        if (rows < 0).any():
            for code in np.unique(codes[rows < 0]).tolist():
                self._ask(code)
            rows = self._row[codes]
        return rows

    def _ask(self, code: int) -> None:
        """Ask the policy for its answer to what it remembers.

        Raises:
            UsageError: its answer is neither sure nor a distribution that it knows.
        """
        turn = self._turn(code)
        said = [self.policy.decide(turn, np.random.default_rng(seed)) for seed in (0, 1)]
        action, shares = said[0].action, said[0].probabilities
        if said[0].provenance != "exact":
            shares = None
        if shares is None and (action is None or action != said[1].action):
            raise UsageError(f"{self.policy.name} draws its prices: step its markets one by one.")
        if self._known == len(self._sure):
            size = max(64, 2 * self._known)
            self._sure = np.resize(self._sure, size)
            grown = np.zeros((size, self._points))
            grown[: self._known] = self._cumulated
            self._cumulated = grown
        self._sure[self._known] = action
        if shares is not None:
            self._draws = self._draws or max(shares) < 1
            self._cumulated[self._known] = np.cumsum(shares) / sum(shares)
        elif self._env.options.grid is not None:
            self._cumulated[self._known, int(self._sure[self._known]) :] = 1.0
        self._row[code] = self._known
        self._known += 1

    def _turn(self, code: int) -> Turn:
        """Return the turn of the policy after the prices that it remembers."""
        market, grid, k = self._env.options.market, self._env.options.grid, self._memory
        count, past = code % (k + 1), code // (k + 1)
        numbers = [past // self._base**back % self._base for back in reversed(range(count))]
        prices = np.zeros((count, market.products))
        for place, number in enumerate(numbers):
            assert grid is not None
            digits = [number // self._points**power % self._points for power in range(market.products)]
            prices[place] = grid[np.arange(market.products), digits[::-1]]
        turn = self._first
        facts = dict(turn.facts) | {
            "period": count,
            "prices": prices,
            "own_quantities": market.quantities(prices)[:, self.product],
            "own_profits": market.profits(prices)[:, self._firm],
        }
        return replace(turn, facts=facts, round=count)


def _memory(policy: Policy) -> int | None:
    """Return how many past periods a policy looks at; None where that is not known."""
    return 0 if type(policy) is RandomPolicy else periods_remembered(policy)


def _situations(env: BertrandEnv, memory: int) -> int:
    points = env.options.points or 1
    return int(points ** (env.options.market.products * memory) * (memory + 1))
