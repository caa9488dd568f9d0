"""Which games to ask: the protocols whose answers determine preferences best, and how well they will.

An answer at a node, drawn from the joint logit over whole strategies with utilities V = φ·x (x the terms own,
−behind, −ahead and universalised − own; φ = σ·(1, α, β, κ), σ = 1/λ), carries the Fisher information

    I = Σ_e P_e · s_e s_e′,   s_e = E[x | e] − E[x],

summed over the options e of all nodes of a game. A design is D-optimal (the smallest volume of a joint
confidence region), or best for one parameter (the smallest variance), *on average over scenarios*: many
preferences and noises at once, in logarithms, so that a design is not best at one noise and useless at
another (Chaloner & Verdinelli, Statistical Science 10(3), 1995). It is found by adding games one by one and
then exchanging them (Fedorov 1972).

A model that draws one strategy per game and keeps it gives less, however often it is asked: the variance of
the same estimator is then I⁻¹·J·I⁻¹ with J = Σ_x P_x·S_x·S_x′ for the sums S_x of a strategy's scores at all
nodes.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from ludens.envs import FAMILIES, LIBRARY, AnyGame, GameTree, pure_strategies, uniform_strategy
from ludens.envs.strategic.mechanisms.families import StagedFamily
from ludens.errors import UsageError
from ludens.preferences.estimation.models.linear import HOMO_MORALIS
from ludens.preferences.terms import UtilityTerms, grid_terms, utility_terms

Floats = NDArray[np.float64]

PARAMETERS = HOMO_MORALIS.names
"""α, β, κ and the noise λ, by name."""

NOISES = (4.0, 8.0, 15.0)
"""Noises λ, in points, over which designs are averaged by default."""

PREFERENCES: tuple[tuple[float, float, float], ...] = tuple(product((0.0, 0.3), (0.0, 0.3), (0.0, 0.25, 0.5)))
"""Preferences (α, β, κ) over which designs are averaged by default."""

LEVELS = tuple(range(10, 91, 10))
"""Payoffs, in points, of the games that are compared by default: those of the published protocols."""

_Z = 1.959964
_NOTHING = 1e-9  # information that everything has, so that the first games can be compared


@dataclass(frozen=True, eq=False)
class Candidates:
    """Games that may be asked.

    Attributes:
        games: by name, in the order of the arrays.
        answers: the information of one answer at every node, shape (scenarios, games, 4, 4), in φ.
        strategies: the variance of the score of one strategy that is kept at all nodes, same shape.
        scenarios: (α, β, κ, λ), shape (scenarios, 4).
    """

    games: Mapping[str, AnyGame]
    answers: Floats
    strategies: Floats
    scenarios: Floats


@dataclass(frozen=True)
class Expected:
    """What a set of games can be expected to tell, at one scenario.

    Attributes:
        scenario: (α, β, κ, λ).
        half_widths: half the length of 95 % intervals, by parameter, if answers are independent.
        kept: the same if one strategy per game is drawn and kept, however often it is asked.
    """

    scenario: tuple[float, float, float, float]
    half_widths: Mapping[str, float]
    kept: Mapping[str, float]


@dataclass(frozen=True)
class Design:
    """Chosen games.

    Attributes:
        games: by name, as `find_game` takes it.
        parameter: the one that they tell best, or None for all of them (D-optimal).
        expected: what one answer at every node tells, by scenario.
    """

    games: Mapping[str, AnyGame]
    parameter: str | None
    expected: tuple[Expected, ...]

    def replicates(self, parameter: str, width: float) -> int:
        """Return how many answers at every node make the 95 % interval of a parameter `width` long, in the
        middle (median) scenario, if answers are independent.

        Raises:
            UsageError: there is no such parameter, or the width is not positive.
        """
        _check_parameter(parameter)
        if not (math.isfinite(width) and width > 0):
            raise UsageError(f"A width is a number above 0; got {width!r}.")
        half = float(np.median([each.half_widths[parameter] for each in self.expected]))
        return max(1, math.ceil((2 * half / width) ** 2))


def find_design(
    count: int,
    *,
    parameter: str | None = None,
    families: Sequence[str] = (),
    levels: Iterable[float] = LEVELS,
    preferences: Iterable[tuple[float, float, float]] = PREFERENCES,
    noises: Iterable[float] = NOISES,
) -> Design:
    """Return the games that determine preferences best, on average over scenarios.

    Args:
        count: the number of games, at least 4 to determine four parameters.
        parameter: ``"alpha"``, ``"beta"``, ``"kappa"`` or ``"noise"`` to tell that one best; None for all.
        families: names of families of games with two roles, game trees or games in which all move at once;
            none for all those of benchmarks.
        levels: payoffs that the games may have, in points.
        preferences: (α, β, κ) to average over.
        noises: λ to average over, in points.

    Raises:
        UsageError: an argument is out of range, or there are fewer such games than wanted.
    """
    if parameter is not None:
        _check_parameter(parameter)
    games = candidate_games(families, levels)
    if not 1 <= count <= len(games):
        raise UsageError(f"A design has from 1 to {len(games)} of the games compared; got {count!r}.")
    found = candidates(games, preferences, noises)
    chosen = _exchange(found, count, parameter)
    names = list(games)
    kept = {names[place]: games[names[place]] for place in sorted(chosen)}
    return Design(kept, parameter, expected(kept, found.scenarios))


def candidate_games(families: Sequence[str] = (), levels: Iterable[float] = LEVELS) -> dict[str, AnyGame]:
    """Return all games of families whose payoffs are among the levels, by a name made of their numbers.

    Raises:
        UsageError: there is no such family, or it has another number of roles than two, too many games, or
            stages.
    """
    payoffs = sorted({float(level) for level in levels})
    if not payoffs or not all(map(math.isfinite, payoffs)):
        raise UsageError("Name the payoffs that games may have, as finite numbers of points.")
    games: dict[str, AnyGame] = {}
    for name in families or FAMILIES:
        family = LIBRARY[name]
        if isinstance(family, StagedFamily):
            raise UsageError(
                f"{family.title} is asked stage by stage, of which designs know nothing: name the family of "
                "the game itself."
            )
        size = len(payoffs) ** len(family.parameters)
        if size > 200_000:
            raise UsageError(
                f"{family.title} has {len(family.parameters)} payoffs, and {len(payoffs)} levels of each "
                f"make {size:,} games: name fewer levels."
            )
        for numbers in product(payoffs, repeat=len(family.parameters)):
            if family.check(*numbers) is None:
                named = family.name_of(numbers)
                games[named] = family.game(named)
    for game in games.values():
        players = len(game.roles if isinstance(game, GameTree) else game.seats)
        if players != 2:
            raise UsageError(
                f"Designs are made of games with two roles, and {game.name} has {players}: name others."
            )
    return games


def candidates(
    games: Mapping[str, AnyGame],
    preferences: Iterable[tuple[float, float, float]] = PREFERENCES,
    noises: Iterable[float] = NOISES,
) -> Candidates:
    """Return the information that every game carries in every scenario, under uniform beliefs.

    Raises:
        UsageError: a noise is not positive, or there is no scenario.
    """
    scenarios = np.array([(*weights, noise) for weights in preferences for noise in noises], dtype=np.float64)
    if not len(scenarios) or scenarios.shape[1] != 4 or not np.isfinite(scenarios).all():
        raise UsageError("Scenarios are preferences (α, β, κ) and noises; name at least one of each.")
    if (scenarios[:, 3] <= 0).any():
        raise UsageError("A noise is a number of points above 0; correct those that are not.")
    answers = np.zeros((len(scenarios), len(games), 4, 4))
    strategies = np.zeros_like(answers)
    groups: dict[tuple[str, int], list[int]] = {}
    listed = list(games.values())
    for place, each in enumerate(listed):
        groups.setdefault((each.name, len(pure_strategies(each))), []).append(place)
    free = HOMO_MORALIS.to_free(scenarios)
    for places in groups.values():
        game = listed[places[0]]
        terms = _terms([listed[place] for place in places])
        table = np.stack([terms.own, -terms.behind, -terms.ahead, terms.universalised - terms.own], axis=-1)
        # One scenario at a time bounds memory.
        for scenario, phi in enumerate(free):
            level = table @ phi
            shares = np.exp(level - level.max(axis=-1, keepdims=True))
            shares /= shares.sum(axis=-1, keepdims=True)
            mean = np.einsum("gj,gjp->gp", shares, table)
            centred = table - mean[:, None]
            moves = pure_strategies(game).T > 0
            mass = shares @ moves.T
            inner = np.einsum("gj,gjp,ej->gep", shares, centred, moves.astype(np.float64))
            scores = inner / np.where(mass > 0, mass, 1.0)[..., None]
            answers[scenario, places] = np.einsum("gep,geq,ge->gpq", scores, scores, mass)
            whole = np.einsum("ej,gep->gjp", moves.astype(np.float64), scores)
            strategies[scenario, places] = np.einsum("gj,gjp,gjq->gpq", shares, whole, whole)
    return Candidates(games, answers, strategies, scenarios)


def _terms(games: Sequence[AnyGame]) -> UtilityTerms:
    """Return the terms of games of one shape under uniform beliefs, arrays of shape (games, strategies)."""
    trees = [game for game in games if isinstance(game, GameTree)]
    if len(trees) == len(games):
        payoffs = np.stack([game.payoffs for game in trees])
        return grid_terms(trees[0], payoffs, uniform_strategy(trees[0]))
    each = [utility_terms(game, uniform_strategy(game)) for game in games]
    return UtilityTerms(*(np.stack(parts) for parts in zip(*each, strict=True)))


def expected(games: Mapping[str, AnyGame], scenarios: Floats, asked: float = 1.0) -> tuple[Expected, ...]:
    """Return the expected half-widths of 95 % intervals, by scenario.

    Args:
        games: the games asked.
        scenarios: (α, β, κ, λ), shape (scenarios, 4).
        asked: how often every node is asked (framings × orders × replicates).
    """
    found = _at(games, scenarios)
    return tuple(
        Expected(
            tuple(scenario.tolist()),
            dict(zip(PARAMETERS, _half(once * asked, once * asked, scenario), strict=True)),
            dict(zip(PARAMETERS, _half(once, kept, scenario), strict=True)),
        )
        for scenario, once, kept in zip(
            scenarios, found.answers.sum(axis=1), found.strategies.sum(axis=1), strict=True
        )
    )


def _at(games: Mapping[str, AnyGame], scenarios: Floats) -> Candidates:
    parts = [candidates(games, [tuple(row[:3])], [row[3]]) for row in scenarios.tolist()]
    return Candidates(
        games,
        np.concatenate([part.answers for part in parts]),
        np.concatenate([part.strategies for part in parts]),
        scenarios,
    )


def _half(information: Floats, scores: Floats, scenario: Floats) -> list[float]:
    """Return half-widths of (α, β, κ, λ) from the information in φ and the variance of the score; infinite
    where the information is singular.
    """
    if np.linalg.cond(information) > 1e12:
        return [math.inf] * 4
    moved = HOMO_MORALIS.jacobian(HOMO_MORALIS.to_free(scenario)) @ np.linalg.inv(information)
    covariance = moved @ scores @ moved.T
    half: list[float] = (_Z * np.sqrt(np.maximum(np.diag(covariance), 0.0))).tolist()
    return half


def _exchange(found: Candidates, count: int, parameter: str | None) -> list[int]:
    """Return the numbers of the games of the best design that additions and exchanges find."""
    free = HOMO_MORALIS.to_free(found.scenarios)
    jacobians = HOMO_MORALIS.jacobian(free)
    slope = None if parameter is None else jacobians[:, PARAMETERS.index(parameter)]
    scale = np.sqrt(np.einsum("sgpp->p", found.answers) / found.answers[..., 0, 0].size)
    base = np.broadcast_to(np.diag(scale**2) * _NOTHING, (len(found.scenarios), 4, 4))

    def score(information: Floats) -> Floats:
        """Return the criterion, more is better, of information (scenarios, n, 4, 4); shape (n,)."""
        if slope is None:
            return np.asarray(np.linalg.slogdet(information)[1].mean(axis=0))
        inverse = np.linalg.inv(information)
        variance = np.einsum("sp,snpq,sq->sn", slope, inverse, slope)
        return np.asarray(-np.log(variance).mean(axis=0))

    chosen: list[int] = []
    total = base.copy()
    for _ in range(count):
        values = score(total[:, None] + found.answers)
        values[chosen] = -np.inf
        best = int(np.argmax(values))
        chosen.append(best)
        total = total + found.answers[:, best]
    level = float(score(total[:, None])[0])
    improved = True
    while improved:
        improved = False
        for place in range(count):
            without = total - found.answers[:, chosen[place]]
            values = score(without[:, None] + found.answers)
            values[[game for at, game in enumerate(chosen) if at != place]] = -np.inf
            best = int(np.argmax(values))
            if values[best] > level + 1e-9:
                total, level = without + found.answers[:, best], float(values[best])
                chosen[place], improved = best, True
    return chosen


def _check_parameter(parameter: str) -> None:
    if parameter not in PARAMETERS:
        raise UsageError(f"There is no parameter {parameter!r}; there are {', '.join(PARAMETERS)}.")
