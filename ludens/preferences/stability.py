"""Which Kantian weights survive evolution (Alger & Weibull, Econometrica 2013; GEB 2016).

People are matched in pairs to play a symmetric game. With *assortativity* σ a person meets one of the own
type with probability σ, and a random member of the population otherwise. A type is a Kantian weight κ; it
plays what is best by its own utility (1−κ)·π(x, y) + κ·π(x, x), and earns the payoff π. The residents have
weight κ, a few mutants κ′:

    residents   x  with  x ∈ argmax_z (1−κ)·π(z, x) + κ·π(z, z)
    mutants     y  with  y ∈ argmax_z (1−κ′)·π(z, (1−σ)x + σy) + κ′·π(z, z)

While they are few the mutants earn (1−σ)·π(y, x) + σ·π(y, y): the utility of homo moralis with κ = σ.
Residents with κ = σ maximise it, so that no mutant earns more than they do.

The games are those whose payoff is a polynomial of second degree in two strategies on an interval. Among
them are all symmetric 2×2 games (a strategy is the probability of the first action), public goods with linear
or quadratic benefits, and the Cournot duopoly with linear demand. Payoffs that are linear in the others'
strategies allow n players as well: π then counts the n−1 others together.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ludens.checks import whole_number
from ludens.envs.strategic.actions import Interval
from ludens.envs.strategic.game import StrategicGame
from ludens.errors import UsageError
from ludens.preferences.symmetric import symmetric_payoffs

TOLERANCE = 1e-9
"""Differences of payoffs below this share of their range are rounding."""


@dataclass(frozen=True)
class PairwiseGame:
    """A symmetric game with π(x, y) = own·x + other·y + own_square·x² + product·xy + other_square·y².

    Attributes:
        own, other, own_square, product, other_square: the coefficients, in points.
        low, high: the ends of the interval of strategies.
        constant: added to every payoff.

    Raises:
        UsageError: a coefficient is not finite, or the interval is empty.
    """

    own: float
    other: float
    own_square: float = 0.0
    product: float = 0.0
    other_square: float = 0.0
    low: float = 0.0
    high: float = 1.0
    constant: float = 0.0

    def __post_init__(self) -> None:
        values = [self.own, self.other, self.own_square, self.product, self.other_square, self.constant]
        if not all(map(math.isfinite, values)):
            raise UsageError(f"The payoff of a game has finite coefficients; got {values}.")
        if not (math.isfinite(self.low) and math.isfinite(self.high) and self.low < self.high):
            raise UsageError(
                f"Strategies lie in an interval from a smaller to a larger number; got {self.low} to "
                f"{self.high}."
            )

    def payoff(self, own: ArrayLike, other: ArrayLike) -> NDArray[np.float64]:
        """Return π(x, y) in points; the shapes of the strategies broadcast."""
        x, y = np.asarray(own, dtype=np.float64), np.asarray(other, dtype=np.float64)
        total: NDArray[np.float64] = (
            self.constant
            + (self.own + self.own_square * x + self.product * y) * x
            + (self.other + self.other_square * y) * y
        )
        return total

    @cached_property
    def range(self) -> float:
        """The largest difference between two payoffs, in points, on a grid of strategies."""
        grid = np.linspace(self.low, self.high, 101)
        return float(np.ptp(self.payoff(grid[:, None], grid)))


def two_actions(payoffs: ArrayLike) -> PairwiseGame:
    """Return a symmetric 2×2 game in mixed strategies; x is the probability of the first action.

    Args:
        payoffs: A, the row player's points, shape (2, 2).

    Raises:
        UsageError: A is not 2×2 or not finite.
    """
    table = symmetric_payoffs(payoffs)
    if table.shape != (2, 2):
        raise UsageError(f"A game with two actions has payoffs of shape (2, 2); got {table.shape}.")
    (a11, a12), (a21, a22) = table.tolist()
    return PairwiseGame(a12 - a22, a21 - a22, product=a11 - a12 - a21 + a22, constant=a22)


def linear_public_good(players: int, marginal_return: float) -> PairwiseGame:
    """Return a linear public good: each of n players keeps 1 − x, and everybody receives m·Σx.

    Homo moralis contributes if κ ≥ (1−m)/(m(n−1)).

    Args:
        players: n, at least 2.
        marginal_return: m per player, in (0, 1).

    Raises:
        UsageError: an argument lies outside its range.
    """
    count = whole_number(players)
    if count is None or count < 2 or not 0 < marginal_return < 1:
        raise UsageError(
            "A linear public good has at least 2 players and a marginal return between 0 and 1; got "
            f"{players!r} players and {marginal_return!r}."
        )
    return PairwiseGame(marginal_return - 1, marginal_return * (count - 1), constant=1.0)


def quadratic_public_good(benefit: float, cost: float, high: float = 1.0) -> PairwiseGame:
    """Return a public good of two with π(x, y) = B·(z − z²/2) − C·x, where z = x + y is in [0, 2·high].

    Homo moralis contributes where C = (1+κ)·B·(1 − 2x): with B = 3 and C = 1, 1/3 at κ = 0 and 5/12 at κ = 1.

    Raises:
        UsageError: an argument is not positive.
    """
    if not (benefit > 0 and cost > 0 and high > 0):
        raise UsageError(
            f"Benefit, cost and the highest contribution are positive; got {benefit!r}, {cost!r}, {high!r}."
        )
    half = -benefit / 2
    return PairwiseGame(benefit - cost, benefit, half, -benefit, half, high=high)


def cournot(intercept: float, cost: float, slope: float = 1.0, players: int = 2) -> PairwiseGame:
    """Return Cournot competition of n firms with P = A − b·Q: x* = (A−c)/(b[2 + (n−1)(1+κ)]).

    Quantities reach up to (A−c)/b, beyond which even one firm makes a loss.

    Raises:
        UsageError: an argument lies outside its range.
    """
    count = whole_number(players)
    if count is None or count < 2 or not (slope > 0 and intercept > cost >= 0):
        raise UsageError(
            "Cournot competition has at least 2 firms, a positive slope, and costs from 0 to below the "
            f"intercept; got {players!r} firms, slope {slope!r}, cost {cost!r}, intercept {intercept!r}."
        )
    margin = intercept - cost
    return PairwiseGame(margin, 0.0, -slope, -slope * (count - 1), high=margin / slope)


def pairwise_game(game: StrategicGame) -> PairwiseGame:
    """Return a game of one role as residents and mutants play it.

    With two actions x is the probability of the first, and otherwise the action itself, any number between
    the lowest and the highest: payoffs must be of second degree in the own action and that of the others, who
    act alike, and with more than two players linear in the latter.

    Raises:
        UsageError: the game has several roles, or payoffs of another form.
    """
    if not game.symmetric or len(game.seats) < 2 or game.universal is not None:
        raise UsageError(f"{game!r} has not several players of one role, so that nobody meets their like.")
    (role,) = game.roles
    actions, count = game.finite[role], len(game.seats)
    if count == 2 and len(actions) == 2:
        return two_actions(game.payoffs[..., 0])
    other_form = UsageError(
        f"The payoffs of {game!r} are not of second degree in one's own action and linear in those of the "
        "others, as an analysis of residents and mutants needs."
    )
    if not (actions.numeric or isinstance(game.actions[role], Interval)):
        raise other_form
    grid = np.array(actions.values)
    x, y = (each.ravel() for each in np.meshgrid(grid, grid))
    profiles = np.repeat(y[:, None], count, axis=1)
    profiles[:, 0] = x
    paid = game.payoffs_of(profiles)[:, 0]
    terms = np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], axis=1)
    scales = np.abs(terms).max(axis=0)
    fitted = np.linalg.lstsq(terms / scales, paid, rcond=None)[0] / scales
    spread = float(np.ptp(paid)) or 1.0
    fitted[np.abs(fitted) * scales <= TOLERANCE * spread] = 0.0
    constant, own, other, own_square, product, other_square = (float(f"{value:.12g}") for value in fitted)
    if np.abs(terms @ fitted - paid).max() > 1e-7 * spread or (count > 2 and other_square):
        raise other_form
    low, high = float(grid[0]), float(grid[-1])
    return PairwiseGame(own, other, own_square, product, other_square, low, high, constant)


def resident_strategies(game: PairwiseGame, kappa: float) -> tuple[float, ...]:
    """Return the symmetric equilibria of a population of homines morales, in ascending order.

    Mixed equilibria that any small change of the population moves away from (of homo economicus in games of
    coordination) are left out. Where every strategy is an equilibrium, both ends of the interval stand.

    Raises:
        UsageError: kappa lies outside [0, 1], or the game has no symmetric equilibrium without chance.
    """
    return _fixed_points(game, kappa, 0.0, 1.0)


def mutant_strategies(
    game: PairwiseGame, kappa: float, resident: float, assortativity: float
) -> tuple[float, ...]:
    """Return what rare mutants of weight κ′ may play among residents: all their equilibria, ascending.

    Args:
        game: what is played.
        kappa: κ′, the mutants' weight in [0, 1].
        resident: the residents' strategy x.
        assortativity: σ in [0, 1].

    Raises:
        UsageError: an argument lies outside its range, or the mutants have no equilibrium without chance.
    """
    check_assortativity(assortativity)
    return _fixed_points(game, kappa, resident, assortativity)


@dataclass(frozen=True)
class Invasion:
    """Residents and rare mutants who play a game, and what they earn.

    Attributes:
        game: what is played.
        resident_kappa, mutant_kappa: κ and κ′.
        assortativity: σ.
        resident, mutant: their strategies x and y.
    """

    game: PairwiseGame
    resident_kappa: float
    mutant_kappa: float
    assortativity: float
    resident: float
    mutant: float

    @property
    def payoffs(self) -> NDArray[np.float64]:
        """What row earns against column, shape (2, 2): residents first."""
        both = np.array([self.resident, self.mutant])
        return self.game.payoff(both[:, None], both)

    @property
    def advantage(self) -> float:
        """What a resident earns more than a mutant while mutants are rare, in points."""
        ((xx, _), (yx, yy)) = self.payoffs.tolist()
        return float(xx - (1 - self.assortativity) * yx - self.assortativity * yy)

    @property
    def outcome(self) -> str:
        """``"resists"`` if rare mutants earn less than residents, ``"invaded"`` if they earn more, and
        ``"neutral"`` if they earn the same.

        Where both earn the same while mutants are rare, residents resist if mutants earn less as soon as
        there are more of them. If mutants then earn more, they must first become many by chance: that is
        neutral, too, since selection favours no rare mutant (Alger & Weibull's theorem leaves such ties out).
        """
        scale = TOLERANCE * max(self.game.range, 1e-300)
        if abs(self.advantage) > scale:
            return "resists" if self.advantage > 0 else "invaded"
        ((xx, xy), (yx, yy)) = self.payoffs.tolist()
        slope = (1 - self.assortativity) * (xy - yy - xx + yx)
        return "resists" if slope > scale else "neutral"


def invasions(
    game: PairwiseGame, resident_kappa: float, mutant_kappa: float, assortativity: float
) -> tuple[Invasion, ...]:
    """Return every combination of an equilibrium of the residents and one of the rare mutants.

    Raises:
        UsageError: an argument lies outside its range, or there is no equilibrium without chance.
    """
    return tuple(
        Invasion(game, resident_kappa, mutant_kappa, assortativity, resident, mutant)
        for resident in resident_strategies(game, resident_kappa)
        for mutant in mutant_strategies(game, mutant_kappa, resident, assortativity)
    )


def check_assortativity(value: float) -> None:
    """See that assortativity lies in [0, 1].

    Raises:
        UsageError: it does not.
    """
    if not 0 <= value <= 1:
        raise UsageError(f"The assortativity lies between 0 and 1; got {value!r}.")


def _fixed_points(game: PairwiseGame, kappa: float, resident: float, share: float) -> tuple[float, ...]:
    """Return all y that maximise (1−κ)·π(y, (1−s)x + s·y) + κ·π(y, y), the opponent held fixed in the former.

    The objective has curvature 2q and, at the fixed point, a slope that is linear in y.
    """
    if not 0 <= kappa <= 1:
        raise UsageError(f"kappa lies between 0 and 1; got {kappa!r}.")
    scale = max(game.range, 1e-300) / (game.high - game.low)
    bend = game.own_square + kappa * (game.product + game.other_square)
    start = game.own + kappa * game.other + (1 - kappa) * game.product * (1 - share) * resident
    slope = 2 * bend + (1 - kappa) * game.product * share

    def best(value: float) -> bool:
        rival = (1 - share) * resident + share * value
        first = game.own + kappa * game.other + (1 - kappa) * game.product * rival
        candidates = [game.low, game.high]
        if bend < 0:
            candidates.append(min(game.high, max(game.low, -first / (2 * bend))))
        utilities = [(first + bend * each) * each for each in (value, *candidates)]
        return utilities[0] >= max(utilities[1:]) - TOLERANCE * game.range

    candidates = {game.low, game.high}
    flat = TOLERANCE * scale
    if abs(slope) * (game.high - game.low) > flat:
        root = -start / slope
        # A root at which the slope rises is an equilibrium that a small change moves away from.
        if slope < 0 and game.low < root < game.high:
            candidates.add(root)
    elif abs(start) <= flat and game.low < resident < game.high:
        candidates.add(resident)
    points = tuple(sorted(value for value in candidates if best(value)))
    if not points:
        raise UsageError(f"With kappa {kappa:g} this game has no symmetric equilibrium without chance.")
    return points
