"""Two firms on a price grid, one of which follows a known rule: the states that the other can bring about,
and what it earns in them.

A state is what the rival remembers, as rows of numbers of prices, (own, rival's). States are collected from
the present one through every own price; the rival's policy is asked for its answer in each.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ludens.agents.policy import Policy
from ludens.agents.pricing.matching import MatchingPolicy
from ludens.agents.pricing.rules import (
    FixedPricePolicy,
    GrimPricePolicy,
    HomoMoralisPricePolicy,
    MonopolyPolicy,
    MyopicPolicy,
    NashPolicy,
)
from ludens.agents.pricing.view import market_view
from ludens.envs import Option, Turn
from ludens.errors import UsageError

Floats = NDArray[np.float64]
History = tuple[tuple[int, int], ...]

MOST_STATES = 20_000
"""States that are solved at most: some seconds to a minute, by the rival's rule."""

_PERIODS: dict[type[Policy], int] = {
    NashPolicy: 0,
    MonopolyPolicy: 0,
    HomoMoralisPricePolicy: 0,
    FixedPricePolicy: 0,
    MyopicPolicy: 1,
    MatchingPolicy: 1,
    GrimPricePolicy: 1,  # one period of betrayal says all, see `Duel`
}


def periods_remembered(rival: Policy) -> int | None:
    """Return of how many past periods a rule looks at the prices, and at nothing else; None where that is not
    known, as for subclasses.
    """
    from ludens.agents.qlearning import QLearningPolicy

    if type(rival) is QLearningPolicy and rival.mode == "trained":
        return int(rival.parameters.memory)
    return _PERIODS.get(type(rival))


class Duel:
    """The problem of one firm against one rule.

    Args:
        turn: any of the firm in this market.
        rival: its rule.
        own: the firm's price grid, in money.
        theirs: the rival's.
        memory: of how many periods the rule depends; None where `periods_remembered` knows.

    Attributes:
        earned: profit of the firm by state and own price, (states, own), in money.
        following: the number of the state that follows, (states, own).
    """

    def __init__(
        self,
        turn: Turn,
        rival: Policy,
        own: tuple[float, ...],
        theirs: tuple[float, ...],
        memory: int | None,
    ) -> None:
        self.rival = rival
        self._grids = (np.array(own), np.array(theirs))
        view = market_view(turn)
        self._firm, self._market = view.firm, view.market
        products = [
            int(np.flatnonzero(self._market.owners == firm)[0]) for firm in (self._firm, 1 - self._firm)
        ]
        self._products = products
        self._forgives = type(rival) is not GrimPricePolicy
        self._memory = memory if memory is not None else periods_remembered(rival) or 0
        self._turn = replace(
            turn,
            agent=f"firm_{1 - self._firm}",
            options=tuple(Option(place, f"{price:.6g}") for place, price in enumerate(theirs)),
            observation={},
        )
        pairs = np.empty((len(own), len(theirs), 2))
        pairs[..., products[0]] = self._grids[0][:, None]
        pairs[..., products[1]] = self._grids[1]
        self._profits: Floats = self._market.profits(pairs)
        self._answers: dict[History, int] = {}
        self._places: dict[History, int] = {}
        self.earned: Floats = np.zeros((0, len(own)))
        self.following: NDArray[np.intp] = np.zeros((0, len(own)), dtype=np.intp)
        self._endless: dict[float, Floats] = {}
        self._ahead: dict[float, list[Floats]] = {}

    def numbers(self, prices: Floats) -> History:
        """Return the whole history as numbers of prices; prices of shape (periods, products), in money.

        Raises:
            UsageError: a price is on neither grid.
        """
        numbers = []
        for product, grid in zip(self._products, self._grids, strict=True):
            column = prices[:, product]
            nearest = np.abs(column[:, None] - grid).argmin(axis=1)
            # Options name six digits of a price.
            if not np.allclose(column, grid[nearest], rtol=1e-5, atol=1e-9):
                raise UsageError(
                    f"A price in the history of {self._turn.environment} is on no grid that the best reply "
                    f"to {self.rival.name} knows: give BestReplyPricePolicy rival_prices."
                )
            numbers.append(nearest.tolist())
        return tuple(zip(*numbers, strict=True))

    def find(self, history: History) -> int:
        """Return the number of the state after a history; it and all that can follow are added if they are
        new.

        Raises:
            UsageError: there are more than `MOST_STATES` states, or the rival draws.
        """
        start = self._remembered(history)
        if start in self._places:
            return self._places[start]
        self._places[start] = len(self._places)
        open_states = [start]
        rows, answers = [], []
        for state in open_states:
            answer = self._answer(state)
            row = []
            for price in range(len(self._grids[0])):
                after = self._remembered((*state, (price, answer)))
                if after not in self._places:
                    if len(self._places) >= MOST_STATES:
                        raise UsageError(
                            f"{self.rival.name} tells more than {MOST_STATES} histories apart on this grid: "
                            "take fewer price points, or a rival that remembers less."
                        )
                    self._places[after] = len(self._places)
                    open_states.append(after)
                row.append(self._places[after])
            rows.append(row)
            answers.append(answer)
        self.earned = np.concatenate([self.earned, self._profits[:, answers, self._firm].T])
        self.following = np.concatenate([self.following, np.array(rows, dtype=np.intp)])
        self._endless.clear()
        self._ahead.clear()
        return self._places[start]

    def endless(self, discount: float) -> Floats:
        """Return what each state is worth where periods never end, (states,), by policy iteration."""
        from ludens.agents.qlearning.values import path_values

        if discount in self._endless:
            return self._endless[discount]
        everywhere = np.arange(len(self.earned))
        own = self.earned.argmax(axis=1)
        while True:
            earned, following = self.earned[everywhere, own], self.following[everywhere, own]
            values = path_values(earned, following, discount)
            worth = self.earned + discount * values[self.following]
            better = worth.argmax(axis=1)
            # A gain within rounding is none: without this, two equal policies could take turns.
            gains = worth[everywhere, better] - worth[everywhere, own]
            improves = gains > 1e-12 * np.abs(worth[everywhere, better])
            if not improves.any():
                self._endless[discount] = values
                return values
            own = np.where(improves, better, own)

    def ahead(self, discount: float, periods: int) -> Floats:
        """Return what each state is worth where so many periods are left, (states,), by value iteration."""
        values = self._ahead.setdefault(discount, [np.zeros(len(self.earned))])
        while len(values) <= periods:
            values.append((self.earned + discount * values[-1][self.following]).max(axis=1))
        return values[periods]

    def _remembered(self, history: History) -> History:
        if self._forgives:
            return history[len(history) - min(self._memory, len(history)) :]
        # A grim rival is at peace, or it was betrayed: by a row that alone makes it change its price.
        peace = self._answer(())
        return next(((row,) for row in history if self._answer((row,)) != peace), ())

    def _answer(self, history: History) -> int:
        """Return the number of the price that the rival charges after these periods."""
        if history not in self._answers:
            prices = np.empty((len(history), 2))
            for column, product in enumerate(self._products):
                numbers = [row[column] for row in history]
                prices[:, product] = self._grids[column][numbers]
            rival = self._products[1]
            facts = dict(self._turn.facts) | {
                "period": len(history),
                "prices": prices,
                "owned": (rival,),
                "own_quantities": self._market.quantities(prices)[:, rival],
                "own_profits": self._market.profits(prices)[:, 1 - self._firm],
                "messages": None,
                "notes": {},
                "notices": (),
            }
            turn = replace(self._turn, facts=facts, round=len(history))
            said = [self.rival.decide(turn, np.random.default_rng(seed)).action for seed in (0, 1)]
            if said[0] != said[1] or said[0] is None:
                raise UsageError(
                    f"{self.rival.name} draws its prices or gives none: a best reply needs a rule without "
                    "chance."
                )
            self._answers[history] = int(said[0])
        return self._answers[history]
