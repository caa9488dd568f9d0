"""The PettingZoo environment of a Bertrand market in which firms set prices in turns, with the AEC API.

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

from ludens.envs.base import Info, TurnBasedEnv
from ludens.envs.pricing.base import BertrandBase, PricingGame
from ludens.envs.pricing.interventions import Entrant, Exit, Merger
from ludens.envs.pricing.options import as_market, pricing_options
from ludens.envs.pricing.theory.homogeneous import HomogeneousMarket
from ludens.envs.pricing.theory.market import AnyMarket
from ludens.envs.turn import Turn
from ludens.errors import UsageError

ENVIRONMENT = "ludens/bertrand_sequential-v0"
POINTS = 7


class SequentialBertrandEnv(BertrandBase, TurnBasedEnv):
    """A market in which firms set prices in turns: ``firm_0`` in period 0, ``firm_1`` in period 1, and so on.

    Args:
        market: a `Market`, a `HomogeneousMarket`, or the parameters of one; None for Klein's.
        firms: the number of firms, if no market is given.
        options: as of `BertrandEnv`, with 7 points to the grid by default, and at least 1 period of memory;
            firms neither enter nor leave. `periods` and `max_cycles` count moves.

    Before the first move, every firm already has a price, drawn from the seed: any point of its grid, or
    uniformly between its Nash and joint-profit prices where prices are continuous. These opening prices are
    observed as a period before the first, and nothing is sold at them.

    Observations, rewards and infos are those of `BertrandEnv`; every seat is paid after every move. Turns
    have three further facts: ``standing``, the prices in force before the move, and ``opening``, the opening
    prices, (products,) each, and ``order``, the seats in the order of their moves from this one on.

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
        if any(isinstance(each, Entrant | Exit | Merger) for each in checked.interventions):
            raise UsageError(
                f"Firms neither enter nor leave {ENVIRONMENT}, nor merge: take ludens/bertrand-v0."
            )
        super().__init__(checked, PricingGame(chosen, "bertrand_sequential"))
        self._standing: NDArray[Any] = np.zeros((1, chosen.products))

    @property
    def stochastic(self) -> bool:
        """Whether the seed matters; it does, because opening prices are drawn."""
        return True

    def _open(self, rng: np.random.Generator) -> dict[str, float]:
        self._begin(rng)
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
        self.agent_selection = self.agents[0]
        return dict.fromkeys(self.agents, 0.0)

    def _play(self, agent: str, action: Any) -> dict[str, float]:
        move = self._legal(agent, action)
        standing = self._standing.copy()
        standing[0, self._encodings[agent].products] = move
        self._standing = standing
        paid = self._advance(standing).profits[0]
        if self._played == self.options.periods:
            self.truncations = dict.fromkeys(self.agents, True)
            self.agent_selection = self.agents[0]
        else:
            self.agent_selection = self._order()[0]
        return {seat: float(paid[firm]) for seat, firm in self._firm.items()}

    def _infos(self) -> dict[str, Info]:
        return {agent: self._info(agent) for agent in self.agents}

    def _turn(self, agent: str, **facts: Any) -> Turn:
        standing = self._prices[self._played - 1] if self._played else self._opening
        opening = self._visible(agent, self._opening.copy())
        facts |= {
            "standing": self._visible(agent, standing.copy()),
            "opening": opening,
            "order": tuple(self._order()),
        }
        return super()._turn(agent, **facts)

    def _order(self) -> list[str]:
        """Return the seats in the order of their moves, the one to move now first."""
        place = self._played % len(self.possible_agents)
        return self.possible_agents[place:] + self.possible_agents[:place]
