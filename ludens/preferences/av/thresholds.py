"""Closed-form thresholds above which the utilitarian program is the better choice in the adoption game.

With weight κ on universalisation and weight a on the lives of others, the utility of one's own program x,
when others drive a share y of utilitarian cars, is

    u(x) = (1 − κ)·π(x, y) + κ·π(x, x) + a·(expected number of others who survive)

u is linear in x, and convex with economies of scale g, so that no mixture is better than both programs. With
D(y) the extra cost of a utilitarian car,

    u(1) − u(0) = a·k·c − w_p·c − D(y) + κ·(w_q·s·k·c + g·(1 − y))

so that the utilitarian program is better iff κ > κ*, where

    κ* = (w_p·c + D(y) − a·k·c) / (w_q·s·k·c + g·(1 − y))

(w_p, w_q) are the weights of the roles in which the policy considers itself, see `Universalisation`. After
homo moralis of Alger & Weibull (Econometrica 81(6), 2013); the threshold is ours.
"""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ludens.envs.av.adoption.game import AdoptionGame
from ludens.errors import UsageError

Floats = NDArray[np.float64]

Universalisation = Literal["veil", "passenger", "pedestrian"]
"""The roles in which a policy considers itself, in its own and in the universalised payoff.

``"veil"``: both, with their probabilities, before one is drawn. ``"passenger"``, ``"pedestrian"``: this role
alone, like somebody who never walks, or never rides.
"""

_WEIGHTS = {"veil": (1.0, 1.0), "passenger": (1.0, 0.0), "pedestrian": (0.0, 1.0)}


def check_universalisation(universalisation: str) -> Universalisation:
    """Return the universalisation of a name.

    Raises:
        UsageError: there is no universalisation of that name.
    """
    for known in get_args(Universalisation):
        if universalisation == known:
            found: Universalisation = known
            return found
    raise UsageError(
        f"A universalisation is one of {', '.join(get_args(Universalisation))}; got {universalisation!r}."
    )


def gain_terms(
    game: AdoptionGame,
    share: ArrayLike = 0.0,
    *,
    altruism: ArrayLike = 0.0,
    universalisation: Universalisation = "veil",
    period: int = 0,
) -> tuple[Floats, Floats]:
    """Return A and B of u(1) − u(0) = A + κ·B.

    Args:
        game: the rules.
        share: y in [0, 1], of utilitarian cars among the others.
        altruism: a ≥ 0, the weight on each other life; broadcasts with `share`.
        universalisation: see `Universalisation`.
        period: the period whose regulation applies.

    Returns:
        A and B, with the broadcast shape of the arguments; B ≥ 0.
    """
    riding, walking = _WEIGHTS[check_universalisation(universalisation)]
    y, weight = np.broadcast_arrays(
        np.asarray(share, dtype=np.float64), np.asarray(altruism, dtype=np.float64)
    )
    spared = game.walkers * game.accident
    own: Floats = weight * spared - riding * game.accident - game.extra_cost(y, period)
    everyone: Floats = walking * game.symmetry * spared + game.economies * (1.0 - y)
    return own, everyone


def kappa_threshold(
    game: AdoptionGame,
    share: ArrayLike = 0.0,
    *,
    altruism: ArrayLike = 0.0,
    universalisation: Universalisation = "veil",
    period: int = 0,
) -> Floats:
    """Return κ*: the utilitarian program is the better one iff κ > κ*; arguments as in `gain_terms`.

    If κ* is below 0 it is better for everybody, if κ* is above 1 for nobody. Where the choice does not depend
    on κ (the universalisation ``"passenger"``, or s = 0, without economies of scale), it is −∞ or ∞; NaN
    where the programs are equally good whatever κ.
    """
    own, everyone = gain_terms(
        game, share, altruism=altruism, universalisation=universalisation, period=period
    )
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        found: Floats = np.where(everyone > 0, -own / everyone, -np.sign(own) * np.inf)
    return found


def altruism_threshold(game: AdoptionGame, share: ArrayLike = 0.0, *, period: int = 0) -> Floats:
    """Return a* = (c + D(y))/(k·c): with κ = 0, the utilitarian program is better iff a > a*."""
    spared = game.walkers * game.accident
    found: Floats = (game.accident + game.extra_cost(share, period)) / spared
    return found


def role_payoff(
    game: AdoptionGame,
    own: ArrayLike,
    others: ArrayLike,
    *,
    universalisation: Universalisation = "veil",
    period: int = 0,
) -> Floats:
    """Return π(x, y) for somebody who is only in the universalisation's roles; arguments broadcast.

    Args:
        game: the rules.
        own: x in [0, 1], the probability of the utilitarian program.
        others: y in [0, 1], the share of utilitarian cars among the others.
        universalisation: see `Universalisation`; ``"veil"`` gives ``game.payoff``.
        period: the period whose regulation applies.
    """
    riding, walking = _WEIGHTS[check_universalisation(universalisation)]
    x, y = (np.asarray(each, dtype=np.float64) for each in (own, others))
    hurt = game.accident * (riding * x + walking * game.symmetry * game.walkers * (1.0 - y))
    worth: Floats = 1.0 - hurt - game.cost(x, y, period)
    return worth
