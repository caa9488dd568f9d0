"""The policy that chooses at random."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ludens.agents.policy import Decision, Policy, draw
from ludens.envs import Turn
from ludens.errors import UsageError
from ludens.plugins import load_object

Interval = Callable[[Turn], tuple[float, float]]
"""The lowest and the highest number to draw at a turn."""


# Named, not imported, because this module serves all kinds of games.
_USUAL_PRICES = "ludens.agents.pricing.view:usual_prices"


class RandomPolicy(Policy):
    """Every legal option with the same probability; where there are no options, any number of an interval.

    Args:
        interval: a function from a turn to the interval that numbers are drawn from. None for the usual
            prices in a market (`ludens.agents.pricing.usual_prices`), and elsewhere for the turn's own, the
            whole range of what may be chosen.
    """

    name = "random"
    several = True

    def __init__(self, interval: Interval | None = None) -> None:
        self.interval = interval

    def decide(self, turn: Turn, rng: np.random.Generator) -> Decision:
        """Draw uniformly; the probabilities of options are exact.

        Raises:
            UsageError: there are neither options nor two finite bounds.
        """
        if turn.options:
            return draw([1 / len(turn.options)] * len(turn.options), turn, rng, provenance="exact")
        low, high = (self.interval or _usual)(turn)
        if not math.isfinite(high - low):
            raise UsageError(
                f"{self.name} draws from an interval, and {turn.environment} bounds numbers by {low:g} and "
                f"{high:g}: give it finite bounds."
            )
        drawn = [float(rng.uniform(low, high)) for _ in range(turn.numbers)]
        least, most = turn.interval if turn.interval is not None else (-math.inf, math.inf)
        number, *further = (min(max(each, least), most) for each in drawn)
        return Decision(number, further=tuple(further))

    def check(self, turn: Turn) -> None:
        """Refuse a turn without options whose interval is not known or not finite.

        Raises:
            UsageError: it is such a turn.
            EquilibriumError: the usual prices of a market are not known.
        """
        self.decide(turn, np.random.default_rng(0))

    def describe(self) -> dict[str, Any]:
        """Return JSON values from which an equal policy can be made for the same game."""
        return self._described(spec=self.name)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, RandomPolicy) and self.interval == other.interval

    def __hash__(self) -> int:
        return hash((RandomPolicy, self.interval))


def _usual(turn: Turn) -> tuple[float, float]:
    if turn.facts.get("market") is not None:
        prices: Interval = load_object(_USUAL_PRICES)
        return prices(turn)
    return turn.interval or (0.0, math.inf)
