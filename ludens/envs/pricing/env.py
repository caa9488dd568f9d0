"""The PettingZoo face (parallel) of a repeated Bertrand market: all firms set prices at once.

The default market is the baseline of Calvano, Calzolari, Denicolò & Pastorello (AER 2020): two firms, 15
prices, one period of memory.

Version history of ``ludens/bertrand-v0``: v0, first release.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from pettingzoo import ParallelEnv

from ludens.envs.pricing.base import BertrandBase, Observation, PricingGame
from ludens.envs.pricing.options import as_market, pricing_options
from ludens.envs.pricing.theory.market import AnyMarket, Market
from ludens.envs.turn import Turn
from ludens.errors import UsageError

ENVIRONMENT = "ludens/bertrand-v0"
Five = tuple[
    dict[str, Observation], dict[str, float], dict[str, bool], dict[str, bool], dict[str, dict[str, Any]]
]


class BertrandEnv(BertrandBase, ParallelEnv):  # type: ignore[misc]  # PettingZoo ships no types
    """Firms set prices, period after period, all at once.

    Args:
        market: a `Market`, a `HomogeneousMarket`, or the parameters of one; None for the symmetric baseline
            of `firms` firms.
        firms: how many, where no market is given.
        actions: ``"grid"``: an action is the number of a point of the price grid (Discrete).
            ``"continuous"``: it is a price, or an array of one for each of the firm's products (Box).
        points, extension: of the usual grid, see `price_grid`.
        grid: other prices to choose from, (m,) or (products, m), in place of the usual grid.
        bounds: the lowest and the highest continuous price; from 0 to 3 times the highest joint-profit price
            by default (ours).
        memory: k, how many of the last price vectors are observed.
        periods: the horizon, after which all seats are truncated.
        max_cycles: PettingZoo's name for it; the smaller of the two counts.
        discount: δ, told in turns and infos; rewards are not discounted.
        interventions: records of `ludens.envs.pricing.interventions`, or mappings that name them.
        price_limit: a price above which firms are told not to expect sales; stated, not enforced.
        render_mode: ``"ansi"`` returns text, ``"human"`` prints it, ``"rgb_array"`` returns a picture of
            price and profit paths, shape (height, width, 3), uint8.

    Observations are a dict of ``observation`` (float32, see `ludens.envs.pricing.observations`) and, with
    a grid, ``action_mask`` (int8, all ones). Rewards are profits in money, less fines. Infos hold
    ``profit``, ``quantity``, ``profit_gain``, ``fine`` and ``discount``. A firm that enters is no agent
    before it is in the market, and one that leaves is terminated.

    Raises:
        UsageError: an argument is out of its range.
    """

    def __init__(
        self, market: AnyMarket | Mapping[str, Any] | None = None, *, firms: int = 2, **options: Any
    ) -> None:
        chosen = as_market(market, Market.symmetric(firms))
        super().__init__(pricing_options(ENVIRONMENT, chosen, **options), PricingGame(chosen))

    def reset(
        self, seed: int | None = None, options: Mapping[str, Any] | None = None
    ) -> tuple[dict[str, Observation], dict[str, dict[str, Any]]]:
        """Start an episode. A seed starts the environment's own generator anew; without one it goes on.

        `options` are accepted and ignored, as PettingZoo asks.

        Raises:
            UsageError: the seed is no whole number of at least 0; nothing has changed then.
        """
        self._begin(seed)
        self.agents = self._seats()
        infos = {agent: {"discount": self.options.discount} for agent in self.agents}
        return self._observations(self.agents), infos

    def step(self, actions: Mapping[str, Any]) -> Five:
        """Charge the prices of all agents and tell each what came of it.

        Args:
            actions: one for each of `agents`; others are not looked at.

        Raises:
            UsageError: `reset` has not been called, the episode is over, or an action is missing or not
                legal; nothing has changed then.
        """
        self._running("step()")
        moves = np.zeros((1, self.options.market.products), np.intp if self._offers else np.float64)
        for agent in self.agents:
            if agent not in actions:
                raise UsageError(f"{self.environment} got no action of {agent}: give one for every agent.")
            moves[0, self._encodings[agent].products] = self._move(agent, actions[agent])
        gain = self.core.regime.gain
        paid = self._play(moves).profits[0]
        gains = gain(paid)
        over = self._played == self.options.periods
        # Who comes and who is there no more: an entrant is told where it stands, a leaver that it is done.
        staying = self._seats()
        told = [agent for agent in self.possible_agents if agent in self.agents or agent in staying]
        rewards = {agent: float(paid[self._firm[agent]]) for agent in told}
        infos = {
            agent: self._info(agent, gains) if agent in self.agents else {"discount": self.options.discount}
            for agent in told
        }
        terminations = {agent: agent not in staying for agent in told}
        truncations = dict.fromkeys(told, over)
        observations = self._observations(told)
        self.agents = [] if over else staying
        return observations, rewards, terminations, truncations, infos

    def turn(self, agent: str) -> Turn:
        """All that the firm in a seat may know when it sets its next price.

        Raises:
            UsageError: the episode has not started or is over, or the firm is not in the market.
        """
        self._running("turn()")
        if self._known(agent) not in self.agents:
            raise UsageError(f"{agent} is not in the market of {self.environment} now: it has no turn.")
        return self._turn(agent)

    def _seats(self) -> list[str]:
        return [f"firm_{firm}" for firm in self.core.regime.firms]
