"""The oracle: the exact maximiser of preferences given a belief, found by enumeration.

Enumerating pure strategies is enough. No information set is met twice on a path, so each leaf's probability
is a product with at most one factor per set, also when the same strategy is used in all roles: π(x, ŷ), the
comparison terms and π(x, x) are all multilinear in the distributions at the sets. A multilinear function on
a product of simplices is maximal at a vertex: set by set, a mixture can be replaced by the best of the
options that it mixes. (In a symmetric *simultaneous* game both players decide at the same set, π(x, x) is
quadratic, and a mixture can be the only optimum.)
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ludens.envs import GameTree
from ludens.errors import UsageError
from ludens.preferences.grid import TOLERANCE, solve_grid
from ludens.preferences.preference import Preferences
from ludens.preferences.utility import utility


@dataclass(frozen=True, eq=False)
class BestStrategies:
    """All optimal pure strategies of one problem.

    Attributes:
        game: the rules.
        strategies: the optimal ones, shape (n, width); more than one row is a tie.
        utility: what each of them is worth, in points.
        margin: points by which they lead the best strategy that is not optimal; inf if every strategy is
            optimal.
        all_strategies: every pure strategy, shape (N, width).
        utilities: of every pure strategy, shape (N,).
    """

    game: GameTree
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
        """The optimal strategies by name: information set → option."""
        return tuple(plan(self.game, row) for row in self.strategies)


def best_strategies(
    game: GameTree, preferences: Preferences, belief: ArrayLike, *, tolerance: float = TOLERANCE
) -> BestStrategies:
    """Every pure strategy that maximises utility against `belief` (one strategy vector, shape (width,)).

    Strategies whose utilities differ by at most `tolerance` × payoff scale are reported as tied; the scale
    is the difference between the game's largest and smallest payoff, times 1 + |α| + |β|. For many problems
    use `solve_grid`.

    Raises:
        GameError: the belief is no strategy of the game, or there are more than about a million strategies.
        UsageError: more than one problem is given.
    """
    solution = solve_grid(game, game.payoffs, preferences, belief, tolerance=tolerance)
    if solution.margin.ndim:
        raise UsageError(
            f"One problem has one belief and one preference; got {np.shape(belief)}: use solve_grid."
        )
    chosen = solution.strategies[solution.best]
    top = float(solution.utilities.max())
    return BestStrategies(game, chosen, top, float(solution.margin), solution.strategies, solution.utilities)


def optimal_options(game: GameTree, preferences: Preferences, belief: ArrayLike) -> dict[str, frozenset[str]]:
    """Per information set the options that some optimal strategy uses; all of them where the choice does
    not matter.

    Raises:
        GameError: the belief is no strategy of the game.
    """
    used = best_strategies(game, preferences, belief).strategies.max(axis=0) > 0
    return {
        node.label: frozenset(name for name, on in zip(node.options, used[node.columns], strict=True) if on)
        for node in game.information_sets
    }


def regret(
    game: GameTree, preferences: Preferences, strategy: ArrayLike, belief: ArrayLike
) -> NDArray[np.float64]:
    """Utility lost against the oracle, in points, at least 0; `strategy` may be a behaviour strategy.

    Both arguments have shape (..., width) and broadcast; the result has the batch axes' shape. Within the
    tolerance of `best_strategies` the regret is 0 exactly.

    Raises:
        GameError: the strategy or the belief is no strategy of the game.
    """
    solution = solve_grid(game, game.payoffs, preferences, belief)
    lost = solution.utilities.max(axis=-1) - utility(game, preferences, strategy, belief)
    # Adding a large constant to all payoffs costs digits of the utilities, which must not show up as regret.
    rounding = 16 * np.finfo(np.float64).eps * np.abs(game.payoffs).max()
    return np.where(lost > TOLERANCE * solution.scale + rounding, lost, 0.0)


def plan(game: GameTree, strategy: ArrayLike) -> dict[str, str]:
    """A pure strategy (one vector) by name: information set → option."""
    vector = np.asarray(strategy, dtype=np.float64)
    return {node.label: node.options[int(vector[node.columns].argmax())] for node in game.information_sets}
