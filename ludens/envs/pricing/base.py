"""What both PettingZoo faces of a pricing market share: spaces, the record of what was played, turns."""

from __future__ import annotations

import math
import operator
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

from ludens.checks import check_running, seeded, whole_number
from ludens.envs.pricing.observations import FirmEncoding, shared_part
from ludens.envs.pricing.options import PricingOptions
from ludens.envs.pricing.simulator import Outcome, PricingCore
from ludens.envs.pricing.theory.market import AnyMarket
from ludens.envs.turn import Option, Turn
from ludens.errors import UsageError

Floats = NDArray[np.float64]
Observation = dict[str, NDArray[np.generic]]


@dataclass(frozen=True, eq=False)
class PricingGame:
    """The rules as turns name them.

    Attributes:
        market: of all firms.
        name: ``"bertrand"``, or ``"bertrand_sequential"`` where firms move in turns.
    """

    market: AnyMarket
    name: str = "bertrand"
    protocol: str | None = None

    @property
    def roles(self) -> tuple[str, ...]:
        """``"firm"`` for every seat."""
        return ("firm",) * self.market.firms

    @property
    def parameters(self) -> Mapping[str, float]:
        """The market's numbers that are single ones, by name."""
        found = {"firms": float(self.market.firms)}
        for name, value in self.market.parameters.items():
            if isinstance(value, int | float):
                found[name] = float(value)
        return found


class BertrandBase:
    """One market played by seats ``firm_0`` …; faces say who moves when.

    Attributes:
        options: as checked.
        game: the rules.
        core: the market, which is stepped.
        period: how many periods have been played.
        prices, quantities, profits, fines: of the periods played, shapes (period, J), (period, J),
            (period, F), (period, F), as the core's `Outcome`; quantities and profits are NaN for firms that
            were not there.
    """

    def __init__(self, options: PricingOptions, game: PricingGame) -> None:
        self.options = options
        self.environment = options.environment
        self.game = game
        self.render_mode = options.render_mode
        self.metadata: dict[str, Any] = {
            "name": options.environment.removeprefix("ludens/").replace("-", "_"),
            "render_modes": ["ansi", "human", "rgb_array"],
            "is_parallelizable": False,
            "render_fps": 2,
        }
        market = options.market
        self.possible_agents = [f"firm_{number}" for number in range(market.firms)]
        self.agents: list[str] = []
        self.core = PricingCore(
            market, memory=options.memory, grid=options.grid, interventions=options.interventions
        )
        self._firm = {agent: number for number, agent in enumerate(self.possible_agents)}
        self._encodings = {
            agent: FirmEncoding(options, self.core, number) for agent, number in self._firm.items()
        }
        self._action_spaces = {agent: self._action_space(agent) for agent in self.possible_agents}
        self._observation_spaces = {agent: self._observation_space(agent) for agent in self.possible_agents}
        offered = () if options.grid is None else options.grid
        self._offers = [
            tuple(Option(number, f"{price:.6g}") for number, price in enumerate(row)) for row in offered
        ]
        self._rng: np.random.Generator | None = None
        self._started = False
        self._clear()

    def observation_space(self, agent: str) -> gymnasium.spaces.Space[Any]:
        """The space of one seat's observations (the same object each time)."""
        return self._observation_spaces[agent]

    def action_space(self, agent: str) -> gymnasium.spaces.Space[Any]:
        """The space of one seat's actions (the same object each time)."""
        return self._action_spaces[agent]

    @property
    def stochastic(self) -> bool:
        """Whether the seed matters."""
        return self.core.schedule.draws > 0

    @property
    def period(self) -> int:
        """How many periods have been played."""
        return self._played

    @property
    def prices(self) -> Floats:
        """(period, J), in money."""
        return self._prices[: self._played].copy()

    @property
    def quantities(self) -> Floats:
        """(period, J)."""
        return self._quantities[: self._played].copy()

    @property
    def profits(self) -> Floats:
        """(period, F), in money, less fines."""
        return self._profits[: self._played].copy()

    @property
    def fines(self) -> Floats:
        """(period, F), in money."""
        return self._fines[: self._played].copy()

    def say(self, agent: str, text: str) -> None:
        """Send a message along with the agent's next price; all firms read it before the price after.

        The last text before the price counts, and an empty one says nothing.

        Raises:
            UsageError: there is no `CheapTalk` in this market, the agent is not in it now, or the text is
                longer than the limit.
        """
        self._running("say()")
        talk = self.core.schedule.talk
        if talk is None:
            raise UsageError(f"{self.environment} has no message channel: make it with a CheapTalk().")
        if agent not in self.agents:
            raise UsageError(f"{agent!r} is not in the market of {self.environment} now.")
        if not isinstance(text, str) or len(text) > talk.limit:
            raise UsageError(f"A message is a text of at most {talk.limit} characters; got {text!r}.")
        self._saying[agent] = text

    def render(self) -> str | NDArray[np.uint8] | None:
        """Price and profit paths against Nash and joint-profit lines, as `render_mode` says."""
        if self.render_mode is None:
            gymnasium.logger.warn(f"{self.environment} has no render_mode: pass one when making it.")
            return None
        from ludens.envs.pricing import render

        if self.render_mode == "rgb_array":
            return render.pixels(self)
        if self.render_mode == "ansi":
            return render.text(self)
        render.show(self)
        return None

    def close(self) -> None:
        """Nothing is held open."""

    def _begin(self, seed: int | None) -> np.random.Generator:
        """Start an episode, and return the generator that its chances come from."""
        self._rng = seeded(self.environment, seed, self._rng)
        self.core.reset(int(self._rng.integers(2**63)) if self.core.schedule.draws else 0)
        self._started = True
        self._clear()
        return self._rng

    def _clear(self) -> None:
        market, periods = self.options.market, self.options.periods
        self._played = 0
        self._prices, self._quantities = (np.full((periods, market.products), np.nan) for _ in range(2))
        self._profits, self._fines = (np.full((periods, market.firms), np.nan) for _ in range(2))
        self._saying: dict[str, str] = {}
        self._said: tuple[tuple[str, str], ...] = ()

    def _move(self, agent: str, action: Any) -> Any:
        """The moves of an agent's products, checked.

        Raises:
            UsageError: the action is not legal.
        """
        if self.options.grid is not None:
            number = whole_number(action)
            points = self.options.grid.shape[1]
            if number is not None and 0 <= number < points:
                return number
            raise UsageError(
                f"{action!r} is no legal action of {agent} in {self.environment}: choose a number from 0 to"
                f" {points - 1}, a point of its price grid."
            )
        wanted = len(self._encodings[agent].products)
        prices = _numbers(action)
        low, high = self.options.low, self.options.high
        if prices is not None and prices.size == wanted and prices.ndim <= 1:
            flat = prices.reshape(-1)
            if np.all((low <= flat) & (flat <= high)):
                return flat
        what = "one price" if wanted == 1 else f"an array of {wanted} prices"
        raise UsageError(
            f"{action!r} is no legal action of {agent} in {self.environment}: give {what} from {low:g} to"
            f" {high:g}."
        )

    def _play(self, moves: NDArray[np.generic]) -> Outcome:
        """One period of the core, kept in the record."""
        regime, place = self.core.regime, self._played
        outcome = self.core._advance(moves)
        self._prices[place] = outcome.prices[0]
        self._quantities[place] = outcome.quantities[0]
        self._profits[place] = outcome.profits[0]
        self._fines[place] = outcome.fines[0]
        if not regime.whole:
            absent = [firm for firm in range(self.options.market.firms) if firm not in regime.firms]
            self._profits[place, absent] = self._fines[place, absent] = np.nan
            self._quantities[place, np.isnan(self._prices[place])] = np.nan
        self._played += 1
        self._said = ()
        if self._saying:
            said = ((agent, self._saying.get(agent, "")) for agent in self.possible_agents)
            self._said = tuple((agent, text) for agent, text in said if text)
            self._saying = {}
        return outcome

    def _info(self, agent: str, gains: Floats) -> dict[str, Any]:
        """What came of the last period for one seat."""
        firm, place = self._firm[agent], self._played - 1
        sold = self._quantities[place, self._encodings[agent].products]
        return {
            "profit": float(self._profits[place, firm]),
            "quantity": float(sold[0]) if len(sold) == 1 else sold.copy(),
            "profit_gain": float(gains[firm]),
            "fine": float(self._fines[place, firm]),
            "discount": self.options.discount,
        }

    def _observations(self, agents: list[str]) -> dict[str, Observation]:
        shared = shared_part(self.core)
        last = self._played - 1
        quantities = None
        if last >= 0:
            sold = self._quantities[last]
            quantities = np.where(np.isnan(sold), 0.0, sold)
        share = 1.0 - self._played / self.options.periods
        found: dict[str, Observation] = {}
        for agent in agents:
            profit = 0.0 if last < 0 else float(self._profits[last, self._firm[agent]])
            profit = 0.0 if math.isnan(profit) else profit
            found[agent] = {"observation": self._encodings[agent].vector(shared, quantities, profit, share)}
            if self.options.grid is not None:
                found[agent]["action_mask"] = np.ones(self.options.grid.shape[1], dtype=np.int8)
        return found

    def _turn(self, agent: str, **facts: Any) -> Turn:
        """All that a firm may know now: every price, and its own quantities and profits."""
        firm, played = self._firm[agent], self._played
        regime, schedule = self.core.schedule.regime(played), self.core.schedule
        products = self._encodings[agent].products
        sold = self._quantities[:played, products]
        return Turn(
            environment=self.environment,
            agent=agent,
            role="firm",
            node="price",
            options=self._offers[int(products[0])] if self._offers else (),
            observation=self._observations([agent])[agent],
            game=self.game,
            round=played,
            rounds=self.options.periods,
            interval=None if self._offers else (self.options.low, self.options.high),
            facts={
                "market": regime.market,
                "present": regime.present,
                "active": regime.products,
                "period": played,
                "periods": self.options.periods,
                "prices": self.prices,
                "own_quantities": sold[:, 0].copy() if len(products) == 1 else sold.copy(),
                "own_profits": self._profits[:played, firm].copy(),
                "discount": self.options.discount,
                "price_limit": self.options.price_limit,
                "messages": None if schedule.talk is None else self._said,
                "notices": self._notices(),
                "memory": self.options.memory,
                **facts,
            },
        )

    def _notices(self) -> tuple[str, ...]:
        told = self.core.schedule.told(self._played)
        if not self._played or not self.core.schedule.regulators:
            return told
        last = self._fines[self._played - 1]
        fined = [
            f"In period {self._played} the regulator fined {agent}: it paid {last[firm]:g}."
            for agent, firm in self._firm.items()
            if last[firm] > 0
        ]
        return (*told, *fined)

    def _running(self, call: str) -> None:
        check_running(self.environment, call, self._started, self.agents)

    def _known(self, agent: str) -> str:
        if agent not in self._firm:
            seats = ", ".join(self.possible_agents)
            raise UsageError(f"{self.environment} has no seat {agent!r}; its seats are {seats}.")
        return agent

    def _action_space(self, agent: str) -> gymnasium.spaces.Space[Any]:
        if self.options.grid is not None:
            return gymnasium.spaces.Discrete(self.options.grid.shape[1])
        shape = (len(self._encodings[agent].products),)
        return gymnasium.spaces.Box(self.options.low, self.options.high, shape, dtype=np.float32)

    def _observation_space(self, agent: str) -> gymnasium.spaces.Dict:
        encoding = self._encodings[agent]
        parts: dict[str, gymnasium.spaces.Space[Any]] = {
            "observation": gymnasium.spaces.Box(encoding.low, encoding.high, dtype=np.float32)
        }
        if self.options.grid is not None:
            parts["action_mask"] = gymnasium.spaces.Box(0, 1, (self.options.grid.shape[1],), dtype=np.int8)
        return gymnasium.spaces.Dict(parts)


def _numbers(action: Any) -> Floats | None:
    """A real number or an array of them as float64; None for anything else (texts, lists, booleans)."""
    if isinstance(action, np.ndarray | np.generic):
        return np.asarray(action, dtype=np.float64) if action.dtype.kind in "fiu" else None
    if isinstance(action, float):
        return np.array(action)
    if isinstance(action, bool):
        return None
    try:
        return np.array(float(operator.index(action)))
    except TypeError:
        return None
