"""The session of one market: the environment, stepped by decisions, and the facts that firms may know.

The environment is ``ludens/bertrand-v0``. Its prices are continuous unless the configuration declares a
price grid, so that models, oracles and learners meet in one market; a policy that knows a grid of its own
names prices of it. With a declared grid an action is the number of one of its points, as in the environment's
own default.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np
import pettingzoo
from numpy.typing import NDArray

from ludens.agents.policy import Decision, keep_notes
from ludens.envs import Turn
from ludens.envs.pricing.registration import BERTRAND, SEQUENTIAL
from ludens.envs.pricing.theory.benchmarks import highest_price
from ludens.experiments.pricing.config import PricingConfig
from ludens.experiments.pricing.oversight import MarketOversight
from ludens.experiments.runs.stop import StoppedError

T = TypeVar("T")

LEADER = "firm_0"
"""The firm that sets its price first where one leads."""

ROOM = 1000.0
"""Prices may go up to the power of ten that is next above so many times the highest joint-profit price: a
bound that keeps slips out, and from which a firm that runs into it cannot learn that price.
"""


@dataclass(frozen=True)
class PeriodNews:
    """The results of the latest period.

    Attributes:
        episode: its number; `labels` are its labels.
        period: from 0, of `periods`.
        prices: by seat, in money.
        profits: by seat, in money.
    """

    episode: int
    labels: Mapping[str, Any]
    period: int
    periods: int
    prices: Mapping[str, float]
    profits: Mapping[str, float]


OnPeriod = Callable[[PeriodNews], None]


class MarketSession:
    """The market of one episode.

    Args:
        config: of the run.
        labels: of the episode, with its scale and the ceiling that it states.

    Attributes:
        played: the results of each period so far, by seat: ``"price"``, ``"quantity"``, ``"profit"`` (less
            fines) and ``"fine"``. The price of a firm with several products is their mean, its quantity their
            sum.
        products: prices in money and quantities of all products in each period so far, (2, J); NaN for those
            not on sale.
        welfare: consumer surplus and efficient total surplus of each period so far, in money.

    Raises:
        UsageError: the environment does not take the configuration.
    """

    def __init__(self, config: PricingConfig, labels: Mapping[str, Any]) -> None:
        scale = float(labels["scale"])
        market, interventions = config.scaled(scale), config.scaled_interventions(scale)
        self.played: list[dict[str, dict[str, float]]] = []
        self.products: list[NDArray[np.float64]] = []
        self.welfare: list[tuple[float, float]] = []
        self.oversight: MarketOversight | None = None
        if config.oversight is not None:
            self.oversight = MarketOversight(config.oversight, config.overseer, market.price_scale)
        grid = config.scaled_grid(scale)
        actions: dict[str, Any] = {"actions": "grid", "grid": grid}
        if grid is None:
            highest = 10.0 ** math.ceil(math.log10(ROOM * highest_price(market)))
            actions = {"actions": "continuous", "bounds": (0.0, highest)}
        self._in_turns, self._led = config.moves == "in turns", config.moves == "leader"
        self._first: dict[str, Decision] = {}
        self._env: Any = pettingzoo.make(
            "aec" if self._in_turns else "parallel",
            (SEQUENTIAL if self._in_turns else BERTRAND).environment,
            market=market,
            periods=config.periods,
            discount=config.discount,
            interventions=interventions,
            price_limit=labels.get("ceiling"),
            **actions,
        ).unwrapped

    def reset(self, seed: int) -> None:
        """Begin the first period."""
        self._env.reset(seed=seed)
        self.played, self.products, self.welfare, self._first = [], [], [], {}
        if self.oversight is not None:
            self.oversight.reset()

    @property
    def period(self) -> int:
        """The number of the period that is to be played, from 0."""
        return len(self.played)

    def turns(self) -> dict[str, Turn]:
        """Return the turns of the firms that set a price now, with their notes; empty at the end."""
        if self._in_turns:
            if self.period == self._env.options.periods:
                return {}
            return {self._env.agent_selection: self._env.turn()}
        seats = self._env.agents
        if not self._led or LEADER not in seats:
            return {seat: self._overseen(self._env.turn(seat)) for seat in seats}
        if not self._first:
            return {LEADER: with_facts(self._env.turn(LEADER), leader=LEADER)}
        prices = np.atleast_1d(self._first[LEADER].move)
        if self._env.options.grid is not None:
            prices = self._env.options.grid[0, prices]
        products = self._env.core.regime.products_of(0)
        announced = {product: float(price) for product, price in zip(products, prices, strict=True)}
        facts = {"leader": LEADER, "announced": announced}
        return {seat: with_facts(self._env.turn(seat), **facts) for seat in seats if seat != LEADER}

    def every_turn(self) -> dict[str, Turn]:
        """Return a turn of every firm in the market, for a check before anything is asked."""
        return {seat: self._env._turn(seat) for seat in self._env.agents}

    def _overseen(self, turn: Turn) -> Turn:
        """Return the turn with what its firm knows of the oversight of its price."""
        known = None if self.oversight is None else self.oversight.known(turn)
        return turn if known is None else with_facts(turn, oversight=known)

    def reviews(self, turns: Mapping[str, Turn], decisions: Mapping[str, Decision]) -> dict[str, Turn]:
        """Return the turns at which an overseer decides on these prices, by seat; empty without one."""
        return {} if self.oversight is None else self.oversight.reviews(turns, decisions, self._past_prices)

    def revisions(
        self, turns: Mapping[str, Turn], decisions: Mapping[str, Decision], verdicts: Mapping[str, Decision]
    ) -> dict[str, Turn]:
        """Return the turns of the firms that must name another price, by seat."""
        return {} if self.oversight is None else self.oversight.revisions(turns, decisions, verdicts)

    def settled(
        self,
        turns: Mapping[str, Turn],
        decisions: Mapping[str, Decision],
        verdicts: Mapping[str, Decision],
        revised: Mapping[str, Decision],
    ) -> dict[str, Decision]:
        """Return the decisions whose prices are charged, after all oversight.

        Raises:
            EquilibriumError: the competitive price is to be charged, and it is not known.
        """
        if self.oversight is None:
            return dict(decisions)
        return self.oversight.settled(
            turns, decisions, verdicts, revised, past=self._past_prices, regime=self._env.core.regime
        )

    @property
    def _past_prices(self) -> list[dict[str, float]]:
        """The prices of each period so far, by seat."""
        return [{seat: came["price"] for seat, came in period.items()} for period in self.played]

    def step(self, decisions: Mapping[str, Decision]) -> dict[str, dict[str, float]]:
        """Charge the prices, all valid, and send the messages that stand in the decisions' notes.

        Returns:
            The results of the period, as stored in `played`; nothing where a leader has set its price and the
            others are still to set theirs.

        Raises:
            UsageError: a price is out of bounds or not a point of the grid, or a message is too long.
        """
        for seat, decision in decisions.items():
            keep_notes(self._env, seat, decision)
        decisions = {**self._first, **decisions}
        if self._led and LEADER in decisions and len(decisions) < len(self._env.agents):
            self._first = dict(decisions)
            return {}
        self._first = {}
        rewards, infos = self._charged({seat: decision.move for seat, decision in decisions.items()})
        prices, quantities = self._env.prices[-1], self._env.quantities[-1]
        regime = self._env.core.schedule.regime(self.period)
        paid = self._env.possible_agents if self._in_turns else list(decisions)
        own = {seat: list(regime.products_of(int(seat.rpartition("_")[2]))) for seat in paid}
        came = {
            seat: {
                "price": float(prices[own[seat]].mean()),
                "quantity": float(quantities[own[seat]].sum()),
                "profit": float(rewards[seat]),
                "fine": float(infos[seat]["fine"]),
            }
            for seat in paid
        }
        self.played.append(came)
        self.products.append(np.stack([prices, quantities]))
        reached = self._env.welfare()
        self.welfare.append((float(reached.consumer[0]), float(reached.efficient[0])))
        return came

    def _charged(self, moves: Mapping[str, Any]) -> tuple[Mapping[str, float], Mapping[str, Any]]:
        """Step the environment; return rewards and infos by seat."""
        if self._in_turns:
            (move,) = moves.values()
            self._env.step(move)
            return self._env.rewards, self._env.infos
        _, rewards, _, _, infos = self._env.step(dict(moves))
        return rewards, infos


def with_facts(turn: Turn, **facts: Any) -> Turn:
    """Return the turn with more facts."""
    return replace(turn, facts={**turn.facts, **facts})


async def together(asked: Iterable[Awaitable[T]]) -> list[T]:
    """Return the results of all, awaited at once. If one fails, the others are finished first, so that what
    they answer is kept; then the first failure is raised.
    """
    results = await asyncio.gather(*asked, return_exceptions=True)
    failures = [result for result in results if isinstance(result, BaseException)]
    # That another episode failed is no news where something failed here.
    for failure in sorted(failures, key=lambda each: isinstance(each, StoppedError)):
        raise failure
    return [result for result in results if not isinstance(result, BaseException)]
