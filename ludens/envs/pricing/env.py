"""The PettingZoo environment of a repeated Bertrand market with simultaneous moves (Parallel API).

The default market is the baseline of Calvano, Calzolari, Denicolò & Pastorello (AER 2020): two firms, 15
prices, one period of memory.

Version history of ``ludens/bertrand-v0``: v0, first release.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ludens.envs.base import SimultaneousEnv, StepResult
from ludens.envs.pricing.base import BertrandBase, PricingGame
from ludens.envs.pricing.options import as_market, pricing_options
from ludens.envs.pricing.theory.market import AnyMarket, Market

ENVIRONMENT = "ludens/bertrand-v0"


class BertrandEnv(BertrandBase, SimultaneousEnv):
    """A repeated market in which all firms set their prices simultaneously.

    Args:
        market: a `Market`, a `HomogeneousMarket`, or the parameters of one; None for the symmetric baseline
            of `firms` firms.
        firms: the number of firms, if no market is given.
        actions: ``"grid"``: an action is the number of a point of the price grid (Discrete).
            ``"continuous"``: it is a price, or an array of one for each of the firm's products (Box).
            The space of a firm that buys another has the products of both; prices of those that are still to
            be bought do nothing.
        points, extension: of the default grid, see `price_grid`.
        grid: the prices to choose from, (m,) or (products, m), in place of the default grid.
        bounds: the lowest and the highest continuous price; from 0 to 3 times the highest joint-profit price
            by default (ours).
        memory: k, how many of the last price vectors are observed.
        periods: the horizon, after which all seats are truncated.
        max_cycles: PettingZoo's name for `periods`; the smaller of the two counts.
        discount: δ, stated in turns and infos; rewards are not discounted.
        interventions: records of `ludens.envs.pricing.interventions`, or mappings that name them.
        price_limit: a price above which turns say that nothing can be sold; not enforced.
        render_mode: ``"ansi"`` returns text, ``"human"`` prints it, ``"rgb_array"`` returns a picture of
            price and profit paths, shape (height, width, 3), uint8.
        observation: ``"dict"``, ``"box"`` or ``"rllib"``: the form of observations, see
            `ludens.envs.base.BaseEnv`.

    Observations are a dict of ``observation`` (float32, see `ludens.envs.pricing.observations`) and, with
    a grid, ``action_mask`` (int8, all ones). Rewards are profits in money, less fines. Infos hold
    ``profit``, ``quantity``, ``profit_gain`` and ``fine`` of the last period, and ``discount``; before the
    first period, and for a firm that has just entered, the first four are 0. The profit gain is 0 too where
    it is not defined, as for a firm alone, whose Nash and joint-profit prices are the same: infos hold no
    NaN, so that clients can compare and stack them. An entrant is not an agent before it is in the market,
    and a firm that leaves is terminated.

    Raises:
        UsageError: an argument is out of its range.
    """

    def __init__(
        self, market: AnyMarket | Mapping[str, Any] | None = None, *, firms: int = 2, **options: Any
    ) -> None:
        chosen = as_market(market, Market.symmetric(firms))
        super().__init__(pricing_options(ENVIRONMENT, chosen, **options), PricingGame(chosen))

    def _open(self, rng: np.random.Generator) -> list[str]:
        self._begin(rng)
        return self._present()

    def _play(self, moves: Mapping[str, Any]) -> StepResult:
        joint = np.zeros((1, self.options.market.products), np.intp if self._offers else np.float64)
        for agent, move in moves.items():
            # Fancy indexing would take longer than the assignment itself.
            owned = self._owned_now(agent)
            joint[0, owned[0] if len(owned) == 1 else owned] = move
        paid = self._advance(joint).profits[0].tolist()
        over = self._played == self.options.periods
        # An entrant learns where it stands, and a firm that has left that it is done.
        playing, staying = self.agents, self._present()
        concerned = playing
        if staying != playing:
            concerned = [agent for agent in self.possible_agents if agent in playing or agent in staying]
        rewards = {agent: paid[self._firm[agent]] for agent in concerned}
        terminations = {agent: agent not in staying for agent in concerned}
        truncations = dict.fromkeys(concerned, over)
        self.agents = [] if over else staying
        return self._observations(concerned), rewards, terminations, truncations, self._infos(concerned)

    def _present(self) -> list[str]:
        """Return the seats of the firms that are in the market in the next period."""
        return [self.possible_agents[firm] for firm in self.core.regime.firms]
