"""Ratings from 0 to 100 as a monotone function of utility differences.

The difference that a question asks about (`ludens.preferences.av.dilemma.Worth`) is our interpretation:

==========================================  ========================================================
question                                    difference
==========================================  ========================================================
``act``, ``purchase``, allocation to buy     ``choice``: one's own car's program
``morality``, allocation by morality        ``moral``: the moral term alone
``law``                                     ``mandate``: all cars, including one's own
allocation by comfort with others having it ``others``: all cars but one's own
==========================================  ========================================================

A rating of the protective program is that of the utilitarian one with the opposite sign of the difference.
Homo economicus has no moral term and rates the morality of every program at 50.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, get_args

from ludens.envs.av.dilemma.vignette import ALLOCATIONS, MOST, Vignette
from ludens.errors import UsageError
from ludens.preferences.av.dilemma import DilemmaPreferences, worth

Shape = Literal["logistic", "linear", "step"]

SCALE = 4.1
"""λ of the logistic map, fitted to people's approval in study 2 (`fit_approval`)."""


@dataclass(frozen=True)
class RatingMap:
    """A monotone map from a utility difference d to a share in [0, 1]; the rating is 100 times the share.

    Args:
        shape: ``"logistic"``: 1 / (1 + e^(−λd)); ``"linear"``: ½ + λd/2 within [0, 1]; ``"step"``: 0, ½ or 1,
            by the sign of d.
        scale: λ above 0, per life.

    Raises:
        UsageError: there is no such shape, or the scale is not above 0.
    """

    shape: Shape = "logistic"
    scale: float = SCALE

    def __post_init__(self) -> None:
        if self.shape not in get_args(Shape):
            raise UsageError(
                f"A map of ratings has the shape {', '.join(get_args(Shape))}; got {self.shape!r}."
            )
        value = self.scale
        number = math.nan if isinstance(value, bool | str) or value is None else float(value)
        if not 0 < number < math.inf:
            raise UsageError(f"A map of ratings has a scale above 0; got {value!r}.")
        object.__setattr__(self, "scale", number)

    def __call__(self, difference: float) -> float:
        """Return the share for a difference."""
        if self.shape == "step":
            return 0.5 + 0.5 * ((difference > 0) - (difference < 0))
        if self.shape == "linear":
            return min(1.0, max(0.0, 0.5 + self.scale * difference / 2))
        z = self.scale * difference
        # Both forms are the same; each is exact where it is used.
        return 1 / (1 + math.exp(-z)) if z >= 0 else math.exp(z) / (1 + math.exp(z))


def difference(vignette: Vignette, preferences: DilemmaPreferences) -> float:
    """Return the utility difference that the vignette's question asks about, positive for high answers."""
    found = worth(vignette, preferences)
    question = vignette.question
    value = {
        "morality": found.moral,
        "allocate_morality": found.moral,
        "law": found.mandate,
        "allocate_comfort": found.others,
    }.get(question, found.choice)
    turned = vignette.program == "protective" and question not in ("act", *ALLOCATIONS)
    return -value if turned else value


def rating(vignette: Vignette, preferences: DilemmaPreferences, by: RatingMap | None = None) -> float:
    """Return the rating from 0 to 100, not rounded; a difference of 0 up to rounding errors gives 50."""
    found = difference(vignette, preferences)
    return MOST * (by or RatingMap())(0.0 if abs(found) < 1e-12 else found)
