"""The oracle: the exact maximiser of preferences given a belief, by enumeration of pure strategies.

Pure strategies are enough. No path meets an information set twice, so the probability of a leaf is a product
with at most one factor per set, also when the same strategy is used in all roles. Therefore π(x, ŷ), the
comparison terms and π(x, x) are multilinear in the distributions at the sets, and a multilinear function on a
product of simplices has its maximum at a vertex: at each set, a mixture can be replaced by the best option in
it. In a symmetric *simultaneous* game both players decide at the same set, π(x, x) is quadratic, and a
mixture can be the only optimum: `best_strategies` looks for one there.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ludens.envs import AnyGame, StageGame, StrategicGame, check_strategy, uniform_strategy
from ludens.errors import UsageError
from ludens.preferences.grid import TOLERANCE, largest_payoff, solve_game
from ludens.preferences.preference import Preferences
from ludens.preferences.strategic import best_mixture
from ludens.preferences.utility import utility


@dataclass(frozen=True, eq=False)
class BestStrategies:
    """All optimal pure strategies of one problem.

    Attributes:
        game: the rules.
        strategies: the optimal ones, shape (n, width); more than one row is a tie. Where all move at once
            and a mixture is better than all of them, that alone.
        utility: the utility of each of them, in points.
        margin: points by which they lead the best strategy that is not optimal; inf if every strategy is
            optimal.
        all_strategies: every pure strategy, shape (N, width).
        utilities: of every pure strategy, shape (N,).
    """

    game: AnyGame
    strategies: NDArray[np.float64]
    utility: float
    margin: float
    all_strategies: NDArray[np.float64]
    utilities: NDArray[np.float64]

    @property
    def tied(self) -> bool:
        """Whether more than one pure strategy is optimal."""
        return len(self.strategies) > 1

    @property
    def plans(self) -> tuple[dict[str, str], ...]:
        """The optimal strategies by name, from information set to option."""
        return tuple(plan(self.game, row) for row in self.strategies)


def best_strategies(
    game: AnyGame, preferences: Preferences, belief: ArrayLike, *, tolerance: float = TOLERANCE
) -> BestStrategies:
    """Return every pure strategy that maximises utility against `belief`, one vector of shape (width,).

    Where all move at once and a mixed strategy is better than every pure one, that is returned instead (see
    `ludens.preferences.strategic.best_mixture`).

    Strategies whose utilities differ by at most `tolerance` × payoff scale are reported as tied; the scale
    is the difference between the game's largest and smallest payoff, times 1 + |α| + |β|. For many problems
    use `solve_grid`.

    Raises:
        GameError: the belief is not a strategy of the game, or there are more than about a million
            strategies.
        UsageError: more than one problem is given.
    """
    solution = solve_game(game, preferences, belief, tolerance=tolerance)
    if solution.margin.ndim:
        raise UsageError(
            f"One problem has one belief and one preference; got {np.shape(belief)}: use solve_grid."
        )
    chosen = solution.strategies[solution.best]
    top = float(solution.utilities.max())
    if isinstance(game, StrategicGame) and (mixed := best_mixture(game, preferences, belief)) is not None:
        best, utility_of = mixed
        margin = utility_of - top
        return BestStrategies(
            game, best[None, :], utility_of, margin, solution.strategies, solution.utilities
        )
    return BestStrategies(game, chosen, top, float(solution.margin), solution.strategies, solution.utilities)


@lru_cache(maxsize=1024)
def foreseen(game: AnyGame, preferences: Preferences) -> AnyGame:
    """Return a stage of a round paid by what follows if everybody plays its later stages as an oracle of
    these preferences that believes others to choose at random; any other game as it is.
    """
    if not isinstance(game, StageGame):
        return game

    def play(later: StrategicGame) -> NDArray[np.float64]:
        found = best_strategies(foreseen(later, preferences), preferences, uniform_strategy(later))
        played: NDArray[np.float64] = found.strategies.mean(axis=0)
        return played

    return game.foreseen(play)


def optimal_options(game: AnyGame, preferences: Preferences, belief: ArrayLike) -> dict[str, frozenset[str]]:
    """Return the options that some optimal strategy uses at each information set; where the choice does not
    matter, all of them.

    Raises:
        GameError: the belief is not a strategy of the game.
    """
    used = best_strategies(game, preferences, belief).strategies.max(axis=0) > 0
    return {
        node.label: frozenset(name for name, on in zip(node.options, used[node.columns], strict=True) if on)
        for node in game.information_sets
    }


def regret(
    game: AnyGame, preferences: Preferences, strategy: ArrayLike, belief: ArrayLike
) -> NDArray[np.float64]:
    """Return the utility lost against the oracle, in points, at least 0.

    The strategy may be pure or a behaviour strategy. Strategy and belief have shape (..., width) and
    broadcast; the result has the shape of the batch axes. Within the tolerance of `best_strategies` the
    regret is exactly 0.

    Raises:
        GameError: the strategy or the belief is not a strategy of the game.
    """
    solution = solve_game(game, preferences, belief)
    top = solution.utilities.max(axis=-1)
    if isinstance(game, StrategicGame):
        rows = check_strategy(game, belief)
        mixed = [best_mixture(game, preferences, row) for row in rows.reshape(-1, game.width)]
        over = [-np.inf if each is None else each[1] for each in mixed]
        top = np.maximum(top, np.reshape(over, rows.shape[:-1]))
    lost = top - utility(game, preferences, strategy, belief)
    # Adding a large constant to all payoffs costs digits of the utilities, which must not show up as regret.
    rounding = 16 * np.finfo(np.float64).eps * largest_payoff(game)
    return np.where(lost > TOLERANCE * solution.scale + rounding, lost, 0.0)


def plan(game: AnyGame, strategy: ArrayLike) -> dict[str, str]:
    """Return a pure strategy by name, from information set to option."""
    vector = np.asarray(strategy, dtype=np.float64)
    return {node.label: node.options[int(vector[node.columns].argmax())] for node in game.information_sets}
