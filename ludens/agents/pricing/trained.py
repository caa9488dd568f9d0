"""Observations of markets for learners, in the money, the quantities and the prices of their training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ludens.agents.policy import Decision
from ludens.agents.pricing.rules import priced
from ludens.agents.pricing.view import market_view
from ludens.agents.trained.inputs import TRANSFER, Floats, Input
from ludens.envs import Turn
from ludens.envs.pricing.base import PricingGame
from ludens.envs.pricing.theory.market import AnyMarket
from ludens.errors import UsageError

# Prices on offer are written with six digits.
_CLOSE = 1e-5
_SCALES = ("price_scale", "quantity_scale")


class MarketInput(Input):
    """What a learner observes at a turn of the market that it was trained in, and the price of its action.

    Money and quantities are those of the training: a market at ten times the price scale is shown at a tenth
    of its prices, and a price that is named there is ten times as high. A learner that was trained as one
    firm and prices for another is shown the prices with its own in the place that it had.
    """

    def __init__(self, facts: Mapping[str, Any]) -> None:
        super().__init__(facts)
        self._market: Mapping[str, Any] = facts["market"]
        grid = facts["grid"]
        self._grid: Floats | None = None if grid is None else np.array(grid, dtype=np.float64)
        self._memory = int(facts["memory"])
        self._compared: tuple[Any, str, str] = (None, "", "")

    def refusal(self, turn: Turn, *, transfer: bool) -> str:
        """Return why the learner cannot price at a turn; empty if it can."""
        if turn.environment != self.environment or not isinstance(turn.game, PricingGame):
            return "its observations mean something else there."
        if transfer:
            return self._layout(turn.game.market)
        last, seat, why = self._compared
        if last is not turn.game or seat != turn.agent:
            why = self._layout(turn.game.market) or self._difference(turn)
            self._compared = turn.game, turn.agent, why
        return why

    def vector(self, turn: Turn) -> NDArray[np.float32]:
        """Return what the learner observes, (size,); see `ludens.envs.pricing.observations`."""
        view, memory = market_view(turn), self._memory
        order, money, goods = self._order(turn), self._scale(turn, 0), self._scale(turn, 1)
        rows = view.charged
        if turn.facts.get("opening") is not None:
            rows = np.concatenate([np.asarray(turn.facts["opening"], dtype=np.float64)[None], rows])
        rows = rows[max(0, len(rows) - memory) :]
        shown = np.full((memory, len(order)), np.nan)
        shown[memory - len(rows) :] = rows[:, order]
        missing = np.isnan(shown)
        quantity, profit = (values[-1] if len(values) else 0.0 for values in (view.quantities, view.profits))
        own = np.nan_to_num([quantity / goods, profit / (money * goods)])
        prices = np.where(missing, 0.0, shown / money).reshape(-1)
        share = 1.0 - turn.round / turn.rounds
        return np.concatenate([prices, ~missing.all(axis=1), own, [share]]).astype(np.float32)

    def mask(self, turn: Turn) -> NDArray[np.int8] | None:
        """Return which points of the training's grid may be chosen: all of them."""
        return None if self.actions is None else np.ones(self.actions, dtype=np.int8)

    def numbered(self, turn: Turn, number: int, shares: Floats | None = None) -> Decision:
        """Return the decision for a point of the training's grid.

        Raises:
            UsageError: that price is out of the turn's bounds.
        """
        assert self._grid is not None
        firm = _number(turn.agent if self.seat is None else self.seat)
        decision = self.priced(turn, float(self._grid[firm, number]))
        if shares is None or len(shares) != len(turn.options) or decision.action != number:
            return decision
        return replace(decision, probabilities=tuple(shares.tolist()), provenance="exact")

    def priced(self, turn: Turn, price: float) -> Decision:
        """Return the decision for a price in the training's money.

        Raises:
            UsageError: it is out of the turn's bounds.
        """
        here = price * self._scale(turn, 0)
        if turn.interval is not None:
            low, high = turn.interval
            slack = 1e-6 * max(abs(low), abs(high))  # environments keep their bounds in single precision
            if not low - slack <= here <= high + slack:
                raise UsageError(
                    f"A price of {here:g} is out of the bounds of {turn.environment}, {low:g} to {high:g}: "
                    "widen them."
                )
        return priced(turn, here)

    def _layout(self, market: AnyMarket) -> str:
        products = int(market.products)
        if self._memory * (products + 1) + 3 != self.size or products != market.firms:
            return f"the market has {products} products of {market.firms} firms there."
        return ""

    def _difference(self, turn: Turn) -> str:
        """Return in what the market there differs from that of the training, and its prices from the grid."""
        assert isinstance(turn.game, PricingGame)
        order = self._order(turn)
        here, trained = _plain(turn.game.market.parameters, order), _plain(self._market, range(len(order)))
        for name in sorted(set(here) | set(trained)):
            one, other = trained.get(name), here.get(name)
            if name not in _SCALES and not _same(one, other):
                return f"{name} is {other} there, and {one} in its training; {TRANSFER}"
        if not turn.options:
            return ""
        offered = np.array([float(option.name) for option in turn.options])
        if self._grid is None:
            return f"it may set {len(offered)} prices alone there, and any price in its training; {TRANSFER}"
        own = self._grid[_number(turn.agent if self.seat is None else self.seat)] * self._scale(turn, 0)
        if len(own) == len(offered) and np.allclose(own, offered, rtol=_CLOSE, atol=1e-9):
            return ""
        return (
            f"its prices go from {own[0]:.6g} to {own[-1]:.6g} in {len(own)} points, and those on offer from "
            f"{offered[0]:.6g} to {offered[-1]:.6g} in {len(offered)}; {TRANSFER}"
        )

    def _order(self, turn: Turn) -> list[int]:
        """Return the firms there in the order in which the training showed them, (J,)."""
        assert isinstance(turn.game, PricingGame)
        firms = turn.game.market.firms
        here = _number(turn.agent)
        place = here if self.seat is None else _number(self.seat)
        others = [firm for firm in range(firms) if firm != here]
        return [*others[:place], here, *others[place:]]

    def _scale(self, turn: Turn, kind: int) -> float:
        """Return how many units there are in one of the training: of money (0), of quantity (1)."""
        assert isinstance(turn.game, PricingGame)
        name = _SCALES[kind]
        there = float(getattr(turn.game.market, name))
        return there / float(self._market.get(name, 1.0))


def _number(seat: str) -> int:
    return int(seat.rpartition("_")[2])


def _plain(parameters: Mapping[str, Any], order: Sequence[int]) -> dict[str, Any]:
    """Return a market's parameters with its firms, of one product each, in another order, and the nests
    numbered as they come.
    """
    plain = {name: value for name, value in parameters.items() if name != "owners"}
    for name in ("qualities", "costs"):
        if name in plain:
            plain[name] = [plain[name][firm] for firm in order]
    if plain.get("slopes") is not None:
        plain["slopes"] = [[plain["slopes"][row][column] for column in order] for row in order]
    if plain.get("nests") is not None:
        nests = [plain["nests"][firm] for firm in order]
        first = list(dict.fromkeys(nests))
        plain["nests"] = [first.index(nest) for nest in nests]
        plain["nest_parameter"] = [plain["nest_parameter"][nest] for nest in first]
    return plain


def _same(one: Any, other: Any) -> bool:
    """Return whether two parameters are equal up to rounding."""
    try:
        first, second = (np.asarray(value, dtype=np.float64) for value in (one, other))
    except (TypeError, ValueError):
        return bool(one == other)
    return first.shape == second.shape and bool(np.allclose(first, second, rtol=1e-12, atol=0))
