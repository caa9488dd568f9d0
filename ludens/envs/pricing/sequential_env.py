"""The PettingZoo face (AEC) of a Bertrand market in which firms set prices in turns.

After Klein, "Autonomous algorithmic collusion: Q-learning under sequential pricing" (RAND Journal of
Economics 52(3), 2021), and Maskin & Tirole (Econometrica 1988) before: in each period one firm moves, its
price stands until it moves again (for two periods with two firms), and all firms earn in every period. The
default market is Klein's: one homogeneous good, Q = 1 − p, no costs, prices 0, 1/k, …, 1 with k = 6.

Version history of ``ludens/bertrand_sequential-v0``: v0, first release.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pettingzoo import AECEnv
from pettingzoo.utils.env import AECIterable

from ludens.checks import check_started
from ludens.envs.pricing.base import BertrandBase, Observation, PricingGame
from ludens.envs.pricing.interventions import Entrant, Exit
from ludens.envs.pricing.options import as_market, pricing_options
from ludens.envs.pricing.theory.homogeneous import HomogeneousMarket
from ludens.envs.pricing.theory.market import AnyMarket
from ludens.envs.turn import Turn
from ludens.errors import UsageError

ENVIRONMENT = "ludens/bertrand_sequential-v0"
POINTS = 7


class SequentialBertrandEnv(BertrandBase, AECEnv):  # type: ignore[misc]  # PettingZoo ships no types
    """Firms set prices in turns: ``firm_0`` in period 0, ``firm_1`` in period 1, and so on.

    Args:
        market: a `Market`, a `HomogeneousMarket`, or the parameters of one; None for Klein's.
        firms: how many, where no market is given.
        options: as of `BertrandEnv`, with 7 points to the grid by default, and at least 1 period of memory;
            firms neither enter nor leave. `periods` and `max_cycles` count moves.

    Before the first move each firm has a price already, drawn from the seed: any point of its grid, or
    uniformly between its Nash and joint-profit prices where prices are continuous. These opening prices are
    observed as a period before the first, and nothing is sold at them.

    Observations, rewards and infos are those of `BertrandEnv`; every seat is paid after every move. Turns
    have two facts more: ``standing``, the prices in force before the move, (products,), and ``order``, the
    seats in the order of their moves from this one on.

    Raises:
        UsageError: an argument is out of its range.
    """

    def __init__(
        self, market: AnyMarket | Mapping[str, Any] | None = None, *, firms: int = 2, **options: Any
    ) -> None:
        chosen = as_market(market, HomogeneousMarket(firms))
        checked = pricing_options(ENVIRONMENT, chosen, **{"points": POINTS, **options})
        if checked.memory < 1:
            raise UsageError(f"{ENVIRONMENT} got memory=0; firms see at least the prices that stand.")
        if any(isinstance(each, Entrant | Exit) for each in checked.interventions):
            raise UsageError(f"Firms neither enter nor leave {ENVIRONMENT}: take ludens/bertrand-v0.")
        super().__init__(checked, PricingGame(chosen, "bertrand_sequential"))
        self._standing: NDArray[Any] = np.zeros((1, chosen.products))

    @property
    def stochastic(self) -> bool:
        """Whether the seed matters: it does, opening prices are drawn."""
        return True

    def reset(self, seed: int | None = None, options: Mapping[str, Any] | None = None) -> None:
        """Start an episode. A seed starts the environment's own generator anew; without one it goes on.

        `options` are accepted and ignored, as PettingZoo asks.

        Raises:
            UsageError: the seed is no whole number of at least 0; nothing has changed then.
        """
        rng = self._begin(seed)
        grid, products = self.options.grid, self.options.market.products
        if grid is not None:
            self._standing = rng.integers(grid.shape[1], size=(1, products))
            opening = grid[np.arange(products), self._standing]
        else:
            regime = self.core.regime
            opening = regime.nash + rng.random((1, products)) * (regime.monopoly - regime.nash)
            self._standing = opening
        self.core.history[:, -1] = opening
        self._opening = opening[0]
        self.agents = self.possible_agents[:]
        self.rewards = dict.fromkeys(self.agents, 0.0)
        self._cumulative_rewards = dict.fromkeys(self.agents, 0.0)
        self.terminations = dict.fromkeys(self.agents, False)
        self.truncations = dict.fromkeys(self.agents, False)
        self.infos: dict[str, dict[str, Any]] = {
            agent: {"discount": self.options.discount} for agent in self.agents
        }
        self._skip_agent_selection = None
        self.agent_selection = self.agents[0]

    def agent_iter(self, max_iter: int = 2**63) -> AECIterable[str, Observation, Any]:
        """PettingZoo's loop over the seats to step, until the episode is over.

        Raises:
            UsageError: `reset` has not been called.
        """
        check_started(self.environment, "agent_iter()", self._started)
        return AECIterable(self, max_iter)

    def last(self, observe: bool = True) -> tuple[Observation | None, float, bool, bool, dict[str, Any]]:
        """Observation, reward since its last move, termination, truncation and info of the seat to step.

        Raises:
            UsageError: `reset` has not been called, or the episode is over.
        """
        self._running("last()")
        agent = self.agent_selection
        return (
            self.observe(agent) if observe else None,
            self._cumulative_rewards[agent],
            self.terminations[agent],
            self.truncations[agent],
            self.infos[agent].copy(),
        )

    def observe(self, agent: str) -> Observation:
        """The seat's numeric observation, in arrays of its own.

        Raises:
            UsageError: `reset` has not been called, or there is no such seat.
        """
        check_started(self.environment, "observe()", self._started)
        return self._observations([self._known(agent)])[agent]

    def step(self, action: Any) -> None:
        """Set the price of the seat to play (None for a seat that is done), and play the period.

        Raises:
            UsageError: `reset` has not been called, the episode is over, or the action is not legal; nothing
                has changed then.
        """
        self._running("step()")
        agent = self.agent_selection
        if self.truncations[agent]:
            if action is not None:
                raise UsageError(
                    f"{agent} of {self.environment} is done: its only action is None, not {action!r}."
                )
            self._was_dead_step(None)
            return
        move = self._move(agent, action)
        standing = self._standing.copy()
        standing[0, self._encodings[agent].products] = move
        self._standing = standing
        self._cumulative_rewards[agent] = 0.0
        regime = self.core.regime
        paid = self._play(standing).profits[0]
        gains = regime.gain(paid)
        self.rewards = {seat: float(paid[firm]) for seat, firm in self._firm.items()}
        self.infos = {seat: self._info(seat, gains) for seat in self.agents}
        self._accumulate_rewards()
        if self._played == self.options.periods:
            self.truncations = dict.fromkeys(self.agents, True)
            self.agent_selection = self.agents[0]
        else:
            self.agent_selection = self._order()[0]

    def turn(self, agent: str | None = None) -> Turn:
        """All that the seat to play may know.

        Raises:
            UsageError: the episode has not started or is over, or it is another seat's turn.
        """
        self._running("turn()")
        if self.truncations[self.agent_selection]:
            raise UsageError(
                f"Nobody is to move in {self.environment}: call reset() to start another episode."
            )
        agent = self.agent_selection if agent is None else agent
        if agent != self.agent_selection:
            raise UsageError(f"It is {self.agent_selection}'s turn in {self.environment}, not {agent!r}'s.")
        standing = self._prices[self._played - 1] if self._played else self._opening
        return self._turn(agent, standing=standing.copy(), order=tuple(self._order()))

    def _order(self) -> list[str]:
        """The seats in the order of their moves, the one to move now first."""
        place = self._played % len(self.possible_agents)
        return self.possible_agents[place:] + self.possible_agents[:place]

    def _clear_rewards(self) -> None:
        # PettingZoo's own writes the integer 0; rewards are floats here from first to last.
        self.rewards = dict.fromkeys(self.rewards, 0.0)
