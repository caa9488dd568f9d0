"""Backward induction: the subgame-perfect equilibria of a game with perfect information (Zermelo 1913; Kuhn
1953).
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ludens.envs import ChanceNode, DecisionNode, GameTree, Node, PayoffNode, expected_payoff, walk
from ludens.errors import UsageError
from ludens.preferences.grid import TOLERANCE
from ludens.preferences.preference import HOMO_ECONOMICUS, Preferences
from ludens.preferences.terms import Floats, comparison_tables, location

MAX_EQUILIBRIA = 4096

# One equilibrium of a subtree: the strategy columns chosen in it, and what it is worth to each role.
_Continuation = tuple[tuple[int, ...], NDArray[np.float64]]


@dataclass(frozen=True, eq=False)
class SubgamePerfect:
    """The subgame-perfect equilibria in pure strategies.

    Attributes:
        strategies: one equilibrium per row, shape (n, width); several rows mean that some player is
            indifferent somewhere.
        payoffs: expected points per role in each equilibrium, shape (n, roles).
    """

    strategies: Floats
    payoffs: Floats

    @property
    def tied(self) -> bool:
        """Whether there is more than one equilibrium."""
        return len(self.strategies) > 1


def subgame_perfect(
    game: GameTree, preferences: Preferences | Mapping[str, Preferences] = HOMO_ECONOMICUS
) -> SubgamePerfect:
    """Return all subgame-perfect equilibria in pure strategies.

    Role r values a leaf at payoff_r − α·behind_r − β·ahead_r; preferences may differ by role. Options whose
    utilities differ by at most 1e-9 × (largest − smallest payoff) × (1 + |α| + |β|) count as tied, and
    there is an equilibrium for every choice among them.

    Raises:
        UsageError: a move is hidden from a later mover, a kappa is not 0, a role has no preferences, or there
            are more than 4096 equilibria.
    """
    if not has_perfect_information(game):
        raise UsageError(
            f"{game!r} hides moves in {_hidden(game)!r}, and backward induction needs perfect information; "
            "use symmetric_equilibria instead."
        )
    felt, scales = _leaf_utilities(game, preferences)
    leaves = iter(felt)  # the recursion meets them in tree order
    places = {node.label: node.columns.start for node in game.information_sets}

    def below(node: Node) -> list[_Continuation]:
        if isinstance(node, PayoffNode):
            return [((), next(leaves))]
        if isinstance(node, ChanceNode):
            children = [child for _, child in node.branches.values()]
        else:
            children = list(node.options.values())
        found: list[_Continuation] = []
        for part in itertools.product(*[below(child) for child in children]):
            columns = tuple(column for chosen, _ in part for column in chosen)
            worth = np.stack([utilities for _, utilities in part])
            if isinstance(node, ChanceNode):
                found.append((columns, np.array([share for share, _ in node.branches.values()]) @ worth))
            else:
                role = game.roles.index(node.role)
                best = np.flatnonzero(worth[:, role] >= worth[:, role].max() - TOLERANCE * scales[role])
                found.extend(
                    ((places[node.information] + int(option), *columns), worth[option]) for option in best
                )
            if len(found) > MAX_EQUILIBRIA:
                raise UsageError(
                    f"{game!r} has more than {MAX_EQUILIBRIA} subgame-perfect equilibria; break its ties."
                )
        return found

    solved = below(game.root)
    strategies = np.zeros((len(solved), game.width))
    for row, (columns, _) in enumerate(solved):
        strategies[row, list(columns)] = 1
    payoffs = np.stack([expected_payoff(game, strategies, strategies, role) for role in game.roles], axis=-1)
    return SubgamePerfect(strategies, payoffs)


def has_perfect_information(game: GameTree) -> bool:
    """Return whether every mover knows all earlier moves, so that no information set holds two nodes."""
    return _hidden(game) is None


def _hidden(game: GameTree) -> str | None:
    """Return the first information set met twice, if there is one."""
    seen: set[str] = set()
    for _, node in walk(game.root):
        if isinstance(node, DecisionNode):
            if node.information in seen:
                return node.information
            seen.add(node.information)
    return None


def _leaf_utilities(
    game: GameTree, preferences: Preferences | Mapping[str, Preferences]
) -> tuple[Floats, Floats]:
    """Return the utility of each leaf up to a constant, (leaves, roles), and its scale, (roles,)."""
    by_role = dict.fromkeys(game.roles, preferences) if isinstance(preferences, Preferences) else preferences
    for role in game.roles:
        if role not in by_role:
            raise UsageError(f"Backward induction on {game!r} needs preferences of {role!r}.")
        if by_role[role].kappa:
            raise UsageError(
                f"Backward induction needs kappa=0: the Kantian term values whole strategies; {role!r} has "
                f"{by_role[role].kappa:g}, so use symmetric_equilibria instead."
            )
    behind, ahead = comparison_tables(game.payoffs)
    alpha = np.array([by_role[role].alpha for role in game.roles])
    beta = np.array([by_role[role].beta for role in game.roles])
    middle, spread = location(game.payoffs)
    return game.payoffs - middle - alpha * behind - beta * ahead, spread * (1 + np.abs(alpha) + np.abs(beta))
