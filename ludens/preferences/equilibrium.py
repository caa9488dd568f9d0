"""Symmetric equilibria: strategies that are optimal when everybody has the same preferences and uses them.

The Kantian term values whole strategies, not outcomes, so backward induction does not apply for κ > 0.
Then an equilibrium is a strategy x that is optimal against itself, u(x, x) = max u(·, x) (Alger & Weibull
2013), and that stays optimal when the others make rare mistakes that hit each of the k options of an
information set with the same small probability ε/k: a uniform version of trembling-hand perfection (Selten,
IJGT 1975; Harsanyi & Selten 1988).
"""

from __future__ import annotations

import numpy as np

from ludens.envs import AnyGame, GameTree, StrategicGame, path_probabilities, pure_strategies
from ludens.envs.tree.strategies import leaf_chances
from ludens.errors import UsageError
from ludens.preferences.grid import TOLERANCE, solve_grid
from ludens.preferences.preference import Preferences
from ludens.preferences.strategic_equilibria import strategic_equilibria
from ludens.preferences.subgame import has_perfect_information, subgame_perfect
from ludens.preferences.terms import Floats, comparison_tables, location

MAX_STRATEGIES = 1024


def symmetric_equilibria(game: AnyGame, preferences: Preferences) -> Floats:
    """Return all symmetric equilibria in pure strategies, shape (n, width); n may be 0.

    With κ = 0 and perfect information these are the subgame-perfect equilibria. Otherwise they are the
    strategies x that are optimal among all strategies against (1−ε)·x + ε·uniform (mixed at every
    information set) for every small enough ε > 0, which is checked exactly on the coefficients of the
    powers of ε. A player's own moves do not tremble: if x is an equilibrium, so is a strategy that differs
    from it only where neither the others' moves nor universalisation make a difference.

    Of games in which all move at once see `strategic_equilibria`.

    Raises:
        UsageError: the game has more than 1024 pure strategies, or more than 4096 subgame-perfect equilibria.
    """
    if isinstance(game, StrategicGame):
        return strategic_equilibria(game, preferences)
    if preferences.kappa == 0 and has_perfect_information(game):
        return subgame_perfect(game, preferences).strategies
    table = pure_strategies(game)
    if len(table) > MAX_STRATEGIES:
        raise UsageError(
            f"{game!r} has {len(table)} pure strategies; equilibria are sought in at most {MAX_STRATEGIES}."
        )
    solution = solve_grid(game, game.payoffs, preferences, table)
    nash = np.flatnonzero(solution.best.diagonal())
    return table[[place for place in nash if _survives_trembles(game, preferences, int(place))]]


def _survives_trembles(game: GameTree, preferences: Preferences, place: int) -> bool:
    """Return whether pure strategy `place` is optimal against its own trembling version for small ε."""
    table = pure_strategies(game)
    others = _trembling_others(game, table[place])
    behind, ahead = comparison_tables(game.payoffs)
    middle, spread = location(game.payoffs)
    centred = game.payoffs - middle
    felt = (1 - preferences.kappa) * centred - preferences.alpha * behind - preferences.beta * ahead
    own = path_probabilities(game, table)
    # coefficients of the utility in the powers of ε, (strategies, powers)
    powers: Floats = np.einsum("nlr,lr,lrd->nd", own, felt, others) / len(game.roles)
    together = own.prod(axis=-1) * leaf_chances(game)
    powers[:, 0] += preferences.kappa * (together @ centred.mean(axis=-1))
    lead = powers[place] - powers
    lead[np.abs(lead) <= TOLERANCE * spread * (1 + abs(preferences.alpha) + abs(preferences.beta))] = 0
    first = (lead != 0).argmax(axis=-1)  # 0 where all are zero, and then lead[:, 0] is zero too
    return bool(np.all(lead[np.arange(len(lead)), first] >= 0))


def _trembling_others(game: GameTree, vector: Floats) -> Floats:
    """Nature's and the others' part of each leaf's probability if the others play `vector` with trembles, by
    the role that one sits in: coefficients of the powers of ε, shape (leaves, roles, powers).
    """
    sizes = {node.label: len(node.options) for node in game.information_sets}
    places = {
        (node.label, name): node.columns.start + number
        for node in game.information_sets
        for number, name in enumerate(node.options)
    }
    depth = max(len(leaf.path) for leaf in game.leaves)
    table = np.zeros((len(game.leaves), len(game.roles), depth + 1))
    for row, leaf in enumerate(game.leaves):
        for seat, role in enumerate(game.roles):
            product = np.array([leaf.chance])
            for step in leaf.path:
                if step.role is not None and step.role != role:
                    planned = vector[places[step.label, step.option]]
                    product = np.convolve(product, [planned, 1 / sizes[step.label] - planned])
            table[row, seat, : len(product)] = product
    return table
