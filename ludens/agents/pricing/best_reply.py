"""The dynamic best reply in a duopoly: the price that is best in the long run against a known pricing rule.

The rival charges f(h), a function of what it remembers of past prices, in most cases those of the last
period. For the firm this is a Markov decision problem whose states are the rival's memories,

    V(h) = max_p  π(p, f(h)) + δ V(h'),      h' what the rival remembers after (p, f(h)),

solved on the price grid by policy iteration (Howard, *Dynamic Programming and Markov Processes*, 1960; for
pricing against reaction functions Maskin & Tirole, Econometrica 56(3), 1988), each policy being valued
exactly but for rounding; or backwards from the last period of the episode.
"""

from __future__ import annotations

from typing import Any, Literal, get_args

import numpy as np

from ludens.agents.policy import Decision, Policy
from ludens.agents.pricing.duel import Duel, Floats, History, periods_remembered
from ludens.agents.pricing.view import market_view
from ludens.checks import whole_number
from ludens.envs import Turn
from ludens.errors import UsageError

Horizon = Literal["endless", "episode"]

_TOLERANCE = 1e-9
_ROUNDING = 1e-13
_KEPT = 64  # markets whose solutions are kept


class BestReplyPricePolicy(Policy):
    """The price on the grid that is worth most, now and later, against a rival whose rule is known.

    Of prices whose values differ by less than 1e-9 of the largest profit of a period the lowest is charged.
    The demand of the market as it is now is taken to last: changes to come, fines, a changing outside good
    and the prominence of some products are not foreseen.

    Args:
        rival: the other firm's rule. It must not draw, and is asked at turns that never happen.
        discount: δ; None for the market's own, which is part of its turns. In [0, 1) where the horizon is
            endless, else in [0, 1].
        horizon: ``"endless"``, or ``"episode"`` to count the periods that are left and no others.
        memory: the number of past periods on whose prices the rival's price depends. None for the rules of
            `ludens.agents.pricing` and trained Q-learners, whose memory is known.
        rival_prices: the rival's price grid in money, ascending; None where it is the firm's own.

    Raises:
        UsageError: the rival is not a policy whose rule is known, or a number is out of its range.
    """

    def __init__(
        self,
        rival: Policy,
        *,
        discount: float | None = None,
        horizon: Horizon = "endless",
        memory: int | None = None,
        rival_prices: tuple[float, ...] | None = None,
    ) -> None:
        # A language model overrides `adecide`, to wait for an answer.
        if not isinstance(rival, Policy) or type(rival).adecide is not Policy.adecide:
            raise UsageError(
                f"A best reply needs a rival whose rule is known; got {rival!r}: give a scripted policy."
            )
        if horizon not in get_args(Horizon):
            raise UsageError(f"The horizon is one of {', '.join(get_args(Horizon))}; got {horizon!r}.")
        if memory is not None and (whole_number(memory) is None or memory < 0):
            raise UsageError(f"A rival's memory is a whole number of periods of at least 0; got {memory!r}.")
        if memory is None and periods_remembered(rival) is None:
            raise UsageError(
                f"How far back {rival.name} looks is not known, or it draws or learns as it goes: give "
                "memory (the number of past periods on which its price depends) or another rival."
            )
        self.rival = rival
        self.horizon: Horizon = horizon
        self.discount = None if discount is None else self._checked(discount)
        self.memory = memory
        self.rival_prices = None if rival_prices is None else tuple(float(price) for price in rival_prices)
        self.name = f"best reply to {rival.name}"
        self._duels: dict[tuple[object, ...], Duel] = {}

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and isinstance(other, Policy) and self.describe() == other.describe()

    def __hash__(self) -> int:
        return hash((type(self), self.name))

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_duels": {}}

    def describe(self) -> dict[str, Any]:
        """Return JSON values that determine the policy."""
        prices = None if self.rival_prices is None else list(self.rival_prices)
        settings = {"discount": self.discount, "horizon": self.horizon, "memory": self.memory}
        return self._described(**settings, rival_prices=prices, rival=self.rival.describe())

    def decide(self, turn: Turn, rng: np.random.Generator) -> Decision:
        """Charge the best price.

        Raises:
            UsageError: as `values`.
        """
        duel, worth = self._solved(turn)
        # A patient firm's values are large beside what one period can change.
        period = float(np.abs(duel.earned).max())
        best = worth >= worth.max() - max(_TOLERANCE * period, _ROUNDING * np.abs(worth).max())
        return Decision(turn.options[int(best.argmax())].action)

    def values(self, turn: Turn) -> tuple[float, ...]:
        """Return for each price on offer the profit now and the discounted profits after it, in money, with
        best prices from then on. Prices are taken as the options name them, to six digits.

        Raises:
            UsageError: the turn is not of two firms that price at once on a grid, the rival's grid is
                needed, the rival draws, or there are too many histories to solve.
        """
        return tuple(self._solved(turn)[1].tolist())

    def _solved(self, turn: Turn) -> tuple[Duel, Floats]:
        """Return the firm's problem, and what each price on offer is worth in it."""
        duel, history = self._duel(turn)
        discount = self._checked(turn.facts["discount"]) if self.discount is None else self.discount
        place = duel.find(history)
        if self.horizon == "endless":
            ahead = duel.endless(discount)
        else:
            ahead = duel.ahead(discount, turn.rounds - turn.round - 1)
        worth: Floats = duel.earned[place] + discount * ahead[duel.following[place]]
        return duel, worth

    def _duel(self, turn: Turn) -> tuple[Duel, History]:
        view = market_view(turn)
        market = view.market
        if market.firms != 2 or view.present.firms != 2 or not turn.options or "standing" in turn.facts:
            raise UsageError(
                f"A best reply over periods is for two firms that price at once on a grid, and {turn.agent} "
                f"of {turn.environment} is no such firm: use ludens/bertrand-v0 with two firms and a grid."
            )
        own = tuple(float(option.name) for option in turn.options)
        theirs = self.rival_prices or own
        if self.rival_prices is None and not getattr(market, "is_symmetric", True):
            raise UsageError(
                f"The firms of {turn.environment} differ, and so may their price grids: give "
                "BestReplyPricePolicy "
                "rival_prices."
            )
        key = (market, view.firm, own, theirs)
        if key not in self._duels:
            if len(self._duels) >= _KEPT:
                self._duels.clear()
            self._duels[key] = Duel(turn, self.rival, own, theirs, self.memory)
        duel = self._duels[key]
        return duel, duel.numbers(view.charged)

    def _checked(self, discount: float) -> float:
        top = 1 if self.horizon == "episode" else np.nextafter(1, 0)
        if isinstance(discount, bool | str) or not 0 <= discount <= top:
            raise UsageError(
                f"The discount factor lies in [0, 1), or in [0, 1] with horizon='episode'; got {discount!r}."
            )
        return float(discount)
