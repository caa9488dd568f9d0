"""The parts that both pricing environments share: spaces, the history of play, turns, messages, infos."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

import gymnasium
import numpy as np
from numpy.typing import NDArray

from ludens.checks import said, whole_number
from ludens.envs.base import BaseEnv, Info, Observation, observation_space
from ludens.envs.pricing import render
from ludens.envs.pricing.interventions import Information
from ludens.envs.pricing.observations import FirmEncoding, shared_part
from ludens.envs.pricing.options import PricingOptions
from ludens.envs.pricing.schedule import Regime, Schedule
from ludens.envs.pricing.simulator import Outcome, PricingCore
from ludens.envs.pricing.theory.market import AnyMarket, Market
from ludens.envs.pricing.theory.private import PrivateMarket
from ludens.envs.pricing.theory.welfare import Welfare
from ludens.envs.turn import Option, Turn
from ludens.errors import UsageError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class PricingGame:
    """The rules, as in `Turn.game`.

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
        """The market's scalar numbers, by name."""
        found = {"firms": float(self.market.firms)}
        for name, value in self.market.parameters.items():
            if isinstance(value, int | float):
                found[name] = float(value)
        return found


class _Period(NamedTuple):
    """The last period as plain numbers, which one market reads faster than arrays; NaN for firms that were
    not in the market.
    """

    quantities: list[float]
    profits: list[float]
    fines: list[float]
    gains: list[float]


class BertrandBase(BaseEnv):
    """One market with the seats ``firm_0`` …; subclasses define who moves when.

    Attributes:
        options: as checked.
        game: the rules.
        core: the simulator of the market.
        period: how many periods have been played.
        prices, quantities, profits, fines: of the periods played, shapes (period, J), (period, J),
            (period, F), (period, F), as in the core's `Outcome`; quantities and profits are NaN for firms
            that were not in the market.
    """

    def __init__(self, options: PricingOptions, game: PricingGame) -> None:
        market = options.market
        firms = [f"firm_{number}" for number in range(market.firms)]
        super().__init__(options.environment, firms, options.render_mode, options.observation)
        self.options = options
        self.game = game
        self.core = PricingCore(
            market, memory=options.memory, grid=options.grid, interventions=options.interventions
        )
        self._firm = {agent: number for number, agent in enumerate(firms)}
        self._encodings = {
            agent: FirmEncoding(options, self.core, number) for agent, number in self._firm.items()
        }
        self._seen = {agent: self.core.schedule.seen(number) for agent, number in self._firm.items()}
        self._views = {
            agent: FirmMarkets(game, self.core.schedule, number, self._encodings[agent].owned)
            for agent, number in self._firm.items()
        }
        self._set_spaces(
            {agent: self._prices_of(encoding) for agent, encoding in self._encodings.items()},
            {
                agent: observation_space(encoding.low, encoding.high, options.points)
                for agent, encoding in self._encodings.items()
            },
        )
        self._mask = None if options.points is None else np.ones(options.points, dtype=np.int8)
        self._offers = [] if options.grid is None else [offers(row) for row in options.grid]
        self._clear()

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
        """The prices in units of money, (period, J)."""
        return self._prices[: self._played].copy()

    @property
    def quantities(self) -> Floats:
        """The quantities, (period, J)."""
        return self._quantities[: self._played].copy()

    @property
    def profits(self) -> Floats:
        """The profits in units of money, less fines, (period, F)."""
        return self._profits[: self._played].copy()

    @property
    def fines(self) -> Floats:
        """The fines in units of money, (period, F)."""
        return self._fines[: self._played].copy()

    def welfare(self) -> Welfare:
        """Return the welfare of the last period, in units of money: arrays of one number, see `PricingCore`.

        Raises:
            UsageError: no period has been played.
        """
        return self.core.welfare()

    def say(self, agent: str, text: str) -> None:
        """Send a message with the agent's next price; all firms read it before they set the price after that.

        The last text before the price counts, and an empty one sends nothing.

        Raises:
            UsageError: there is no `CheapTalk` in this market, the agent is not in it now, or the text is
                longer than the limit.
        """
        self._check_running("say()")
        talk = self.core.schedule.talk
        if talk is None:
            raise UsageError(f"{self.environment} has no message channel: make it with a CheapTalk().")
        if agent not in self.agents:
            raise UsageError(f"{agent!r} is not in the market of {self.environment} now.")
        self._saying[agent] = said(text, 0, talk.limit)

    def _declaration(self, agent: str) -> dict[str, Any]:
        grid = self.options.grid
        return {
            "kind": "market",
            "market": dict(self._views[agent].game.market.parameters),
            "grid": None if grid is None else grid.tolist(),
            "memory": self.options.memory,
        }

    def keep_notes(self, agent: str, notes: Mapping[str, str]) -> None:
        """Keep what a firm writes down for itself: its turns hold it as ``facts["notes"]`` until the episode
        ends. A ``message`` among the notes is sent with its next price where firms can talk.

        Raises:
            UsageError: the agent is not in the market now, or the message is too long.
        """
        self._check_running("keep_notes()")
        self._check_seat(agent)
        if self.core.schedule.talk is not None and notes.get("message"):
            self.say(agent, notes["message"])
        self._notes[agent] = dict(notes)

    def _begin(self, rng: np.random.Generator) -> None:
        """Begin an episode, with randomness from the generator."""
        self.core.reset(int(rng.integers(2**63)) if self.core.schedule.draws else 0)
        self._clear()

    def _clear(self) -> None:
        market, periods = self.options.market, self.options.periods
        self._played = 0
        self._prices, self._quantities = (np.full((periods, market.products), np.nan) for _ in range(2))
        self._profits, self._fines = (np.full((periods, market.firms), np.nan) for _ in range(2))
        self._last: _Period | None = None
        self._saying: dict[str, str] = {}
        self._notes: dict[str, Mapping[str, str]] = {}
        self._said: tuple[tuple[str, str], ...] = ()

    def _owned_now(self, agent: str) -> Sequence[int]:
        """Return the numbers of the products whose prices an agent sets in the next period."""
        if not self.core.schedule.mergers:
            return self._encodings[agent].owned
        return self.core.regime.products_of(self._firm[agent])

    def _legal(self, agent: str, action: Any) -> Any:
        """Return the moves of an agent's products in the next period. Prices of products that it is still to
        buy may stand among them, as its space has them, and do nothing.

        Raises:
            UsageError: the action is not legal.
        """
        if self.options.grid is not None:
            number = whole_number(action)
            points = self.options.grid.shape[1]
            if number is not None and 0 <= number < points:
                return number
            raise UsageError(
                f"{action!r} is not a legal action of {agent} in {self.environment}: choose a number from 0 "
                f"to {points - 1}, a point of its price grid."
            )
        now, ever = self._owned_now(agent), self._encodings[agent].owned
        wanted = len(now)
        low, high = self.options.low, self.options.high
        if isinstance(action, np.ndarray) and wanted < len(ever) and action.shape == (len(ever),):
            action = action[np.isin(ever, now)]
        if wanted == 1:
            price = _number(action)
            if price is not None and low <= price <= high:
                return price
        elif isinstance(action, np.ndarray) and action.dtype.kind in "fiu" and action.shape == (wanted,):
            prices = action.astype(np.float64)
            if np.all((low <= prices) & (prices <= high)):
                return prices
        what = "one price" if wanted == 1 else f"an array of {wanted} prices"
        raise UsageError(
            f"{action!r} is not a legal action of {agent} in {self.environment}: give {what} from {low:g} to"
            f" {high:g}."
        )

    def _advance(self, moves: NDArray[np.generic]) -> Outcome:
        """Play one period, and keep what happened in it."""
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
        earned = outcome.profits[0]
        if self.core.schedule.regulators:  # a gain is one before fines
            earned = earned + outcome.fines[0]
        self._last = _Period(
            self._quantities[place].tolist(),
            self._profits[place].tolist(),
            self._fines[place].tolist(),
            regime.firm_gains_of(earned.tolist()),
        )
        self._played += 1
        self._said = ()
        if self._saying:
            sent = ((agent, self._saying.get(agent, "")) for agent in self.possible_agents)
            self._said = tuple((agent, text) for agent, text in sent if text)
            self._saying = {}
        return outcome

    def _info(self, agent: str) -> Info:
        """Return a seat's results in the last period; zeros if it did not play one."""
        firm, last, owned = self._firm[agent], self._last, self._encodings[agent].owned
        if last is None or math.isnan(last.profits[firm]):
            profit = gain = fine = 0.0
            sold = [0.0] * len(owned)
        else:
            profit, gain, fine = last.profits[firm], last.gains[firm], last.fines[firm]
            # Not a number would differ from itself, and clients compare infos and stack them into arrays.
            gain = 0.0 if math.isnan(gain) else gain
            sold = [self._own_sales(firm)[product] for product in owned]
        return {
            "profit": profit,
            "quantity": sold[0] if len(sold) == 1 else np.array(sold),
            "profit_gain": gain,
            "fine": fine,
            "discount": self.options.discount,
        }

    def _own_sales(self, firm: int) -> list[float]:
        """Return what was sold of each product in the last period, with 0 for those that others sold where
        firms merge.
        """
        assert self._last is not None
        if not self.core.schedule.mergers:
            return self._last.quantities
        own = self.core.schedule.regime(self._played - 1).products_of(firm)
        return [sold if place in own else 0.0 for place, sold in enumerate(self._last.quantities)]

    def _observations(self, agents: Sequence[str]) -> dict[str, Observation]:
        shared, last = shared_part(self.core), self._last
        quantities = None if last is None else [0.0 if math.isnan(sold) else sold for sold in last.quantities]
        share = 1.0 - self._played / self.options.periods
        observed: dict[str, Observation] = {}
        for agent in agents:
            profit = math.nan if last is None else last.profits[self._firm[agent]]
            profit = 0.0 if math.isnan(profit) else profit
            if self.core.schedule.mergers and quantities is not None:
                quantities = self._own_sales(self._firm[agent])
            vector = self._encodings[agent].vector(shared, quantities, profit, share)
            if self._seen[agent] is not None:
                everyone, costs = None if last is None else last.profits, self.core.regime.market.unit_costs
                vector = self._encodings[agent].informed(vector, quantities, everyone, costs)
            observed[agent] = {"observation": vector}
            if self._mask is not None:
                observed[agent]["action_mask"] = self._mask.copy()
        return observed

    def _turn(self, agent: str, **facts: Any) -> Turn:
        """Return all that a firm may know now: every price, and its own quantities and profits, but for what
        `Information` says of it.
        """
        firm, played, seen = self._firm[agent], self._played, self._seen[agent]
        views = self._views[agent]
        regime, schedule = self.core.schedule.regime(played), self.core.schedule
        products = list(self._owned_now(agent))
        sold = self._quantities[:played, products]
        if schedule.mergers:
            for period in range(played):
                then = schedule.regime(period).products_of(firm)
                sold[period, ~np.isin(products, then)] = np.nan
        return Turn(
            environment=self.environment,
            agent=agent,
            role="firm",
            node="price",
            options=self._offers[int(products[0])] if self._offers else (),
            observation=self._observations([agent])[agent],
            game=views.game,
            round=played,
            rounds=self.options.periods,
            interval=None if self._offers else (self.options.low, self.options.high),
            numbers=len(products),
            facts={
                "market": views.market(regime),
                "present": views.present(regime),
                "active": regime.products,
                "owned": tuple(products),
                "period": played,
                "periods": self.options.periods,
                "prices": self._visible(agent, self.prices),
                "own_quantities": sold[:, 0].copy() if len(products) == 1 else sold.copy(),
                "own_profits": self._profits[:played, firm].copy(),
                "own_fines": self._fines[:played, firm].copy() if schedule.regulators else None,
                "discount": self.options.discount,
                "price_limit": self.options.price_limit,
                "messages": None if schedule.talk is None else self._said,
                "message_limit": None if schedule.talk is None else schedule.talk.limit,
                "notes": self._notes.get(agent, {}),
                "notices": self._notices(),
                "memory": self.options.memory,
                **({} if seen is None else self._rivals_facts(seen)),
                **({} if schedule.vendor is None else self._clients_facts(agent)),
                **facts,
            },
        )

    def _rivals_facts(self, seen: Information) -> dict[str, Any]:
        """Return what a firm sees of its rivals beside their prices; None for what it does not see."""
        return {
            "information": seen,
            "quantities": self.quantities if seen.quantities else None,
            "profits": self.profits if seen.profits else None,
        }

    def _clients_facts(self, agent: str) -> dict[str, Any]:
        """Return what the software of a vendor knows at a firm's turn: the rule, and the notes of the others'
        turns where it pools what firms know.
        """
        vendor = self.core.schedule.vendor
        others = [other for other in self.agents if other != agent] if vendor and vendor.pooled else []
        return {"vendor": vendor, "client_notes": {other: self._notes.get(other, {}) for other in others}}

    def _visible(self, agent: str, prices: Floats) -> Floats:
        """Return prices (..., J) with NaN for those that the firm may not see."""
        seen = self._seen[agent]
        if seen is None or seen.prices:
            return prices
        shown = np.full(prices.shape, np.nan)
        owned = self._encodings[agent].owned
        shown[..., owned] = prices[..., owned]
        return shown

    def _notices(self) -> tuple[str, ...]:
        notices, kept = self.core.schedule.notices(self._played), self.core.kept
        if self._played and kept is not None and kept.any():
            rule, owners = self.core.schedule.prominence, self.options.market.owners
            assert rule is not None
            done = "showed" if rule.bonus is None else "recommended"
            firms = dict.fromkeys(f"firm_{owners[product]}" for product in np.flatnonzero(kept[0]))
            notices = (*notices, f"In period {self._played} the platform {done} {', '.join(firms)}.")
        if not self._played or not self.core.schedule.regulators:
            return notices
        last = self._fines[self._played - 1]
        fined = [
            f"In period {self._played} the regulator fined {agent}: it paid {last[firm]:g}."
            for agent, firm in self._firm.items()
            if last[firm] > 0
        ]
        return (*notices, *fined)

    def _text(self) -> str:
        return render.text(self)

    def _figure(self) -> Figure:
        return render.figure(self)

    def _prices_of(self, encoding: FirmEncoding) -> gymnasium.spaces.Space[Any]:
        """Return the space of a firm's prices: the points of the grid, or one interval for each product."""
        if self.options.points is not None:
            return gymnasium.spaces.Discrete(self.options.points)
        shape = (len(encoding.products),)
        return gymnasium.spaces.Box(self.options.low, self.options.high, shape, dtype=np.float32)


class FirmMarkets:
    """The market of each regime as one firm knows it: without its rivals' costs where they are private."""

    def __init__(self, game: PricingGame, schedule: Schedule, firm: int, owned: Sequence[int]) -> None:
        seen = schedule.seen(firm)
        self._private = seen is not None and not seen.costs
        self._firm, self._owned = firm, list(owned)
        self._kept: dict[tuple[int, bool], AnyMarket] = {}
        self.game = game
        if self._private:
            self.game = replace(game, market=self._hidden(game.market, self._owned))

    def market(self, regime: Regime) -> AnyMarket:
        """Return the market of all firms in a regime."""
        if not self._private:
            return regime.market
        key = (regime.start, False)
        if key not in self._kept:
            self._kept[key] = self._hidden(regime.market, self._owned)
        return self._kept[key]

    def present(self, regime: Regime) -> AnyMarket:
        """Return the market of the firms that are there in a regime."""
        if not self._private:
            return regime.present
        key = (regime.start, True)
        if key not in self._kept:
            places = [place for place, product in enumerate(regime.products) if product in self._owned]
            self._kept[key] = self._hidden(regime.present, places)
        return self._kept[key]

    @staticmethod
    def _hidden(market: AnyMarket, known: Sequence[int]) -> AnyMarket:
        assert isinstance(market, Market)  # the schedule refuses others
        return market if len(known) == market.products else PrivateMarket(market, known)


def offers(prices: Sequence[float] | Floats) -> tuple[Option, ...]:
    """Return the options of a price grid: the action is the number of the point, the name its price."""
    return tuple(Option(number, f"{price:.6g}") for number, price in enumerate(prices))


def _number(action: Any) -> float | None:
    """Return a real number, alone or in an array of at most one axis, as a float; None for anything else."""
    if isinstance(action, float):
        return action
    if isinstance(action, np.ndarray | np.generic) and action.size == 1 and action.ndim <= 1:
        return float(action.item()) if action.dtype.kind in "fiu" else None
    number = whole_number(action)
    try:
        return None if number is None else float(number)
    except OverflowError:
        return math.inf
