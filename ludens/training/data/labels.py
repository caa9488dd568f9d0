"""Labels: the optimal options of chosen preferences at every information set of many games at once.

The Kantian term couples information sets. The utility of an option is therefore that of the best *whole*
strategy that takes it, and the optimal options are those that some optimal strategy takes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ludens.envs import AnyGame, GameTree, InformationSet, StrategicGame
from ludens.preferences import Belief, Preferences, payoff_table, resolve_belief, solve_grid
from ludens.preferences.grid import TOLERANCE, solve_game
from ludens.preferences.strategic import best_mixture
from ludens.training.data.games import game_key, shape_of


@dataclass(frozen=True)
class Label:
    """The oracle's solution at one information set of one game.

    Attributes:
        game: the rules.
        key: the game's key, see `ludens.training.data.games.game_key`.
        shape: the game's shape, see `ludens.training.data.games.shape_of`.
        node: the information set's label.
        options: the names of its options, in the game's own order.
        utilities: the utility of the best whole strategy with each option, in points.
        optimal: which options are optimal, ties included.
        margin: points by which the optimal options lead the best other one; infinite where all are tied.
        relative_margin: the margin as a share of the payoff scale (largest − smallest payoff, times
            1 + |α| + |β|).
    """

    game: AnyGame
    key: str
    shape: tuple[object, ...]
    node: str
    options: tuple[str, ...]
    utilities: tuple[float, ...]
    optimal: tuple[bool, ...]
    margin: float
    relative_margin: float

    @property
    def tied(self) -> bool:
        """Whether more than one option is optimal."""
        return sum(self.optimal) > 1

    @property
    def best(self) -> tuple[str, ...]:
        """The names of the optimal options."""
        return tuple(name for name, on in zip(self.options, self.optimal, strict=True) if on)

    @property
    def information_set(self) -> InformationSet:
        """The information set."""
        return self.game.information_set(self.node)


def label_games(
    games: Sequence[AnyGame], preferences: Preferences, belief: Belief = "uniform"
) -> list[Label]:
    """Label every information set of every game, game by game in the given order.

    Game trees of one shape are solved together. Games in which all move at once have no label where a
    mixture is better than every option.

    Raises:
        UsageError: the belief cannot be formed in a game.
    """
    trees = [game for game in games if isinstance(game, GameTree)]
    if len(trees) == len(games):
        return _label_trees(trees, preferences, belief)
    labels: list[Label] = []
    for game in games:
        if isinstance(game, StrategicGame):
            labels += _label_strategic(game, preferences, belief)
        else:
            labels += _label_trees([game], preferences, belief)
    return labels


def _label_strategic(game: StrategicGame, preferences: Preferences, belief: Belief) -> list[Label]:
    play = resolve_belief(game, preferences, belief)
    if best_mixture(game, preferences, play) is not None:
        return []
    found = solve_game(game, preferences, play)
    scale = float(found.scale) or 1.0
    labels = []
    for node in game.information_sets:
        chosen = found.strategies[:, node.columns] > 0
        worth = np.where(chosen, found.utilities[:, None], -np.inf).max(axis=0)
        optimal = worth >= worth.max() - TOLERANCE * scale
        margin = float(worth.max() - np.where(optimal, -np.inf, worth).max())
        labels.append(
            Label(
                game,
                game_key(game),
                (),
                node.label,
                node.options,
                tuple(worth.tolist()),
                tuple(optimal.tolist()),
                margin,
                margin / scale,
            )
        )
    return labels


def _label_trees(games: Sequence[GameTree], preferences: Preferences, belief: Belief) -> list[Label]:
    """Label the information sets of game trees, those of one shape together."""
    places: list[list[Label]] = [[] for _ in games]
    groups: dict[tuple[object, ...], list[int]] = {}
    for place, game in enumerate(games):
        groups.setdefault(shape_of(game), []).append(place)
    for shape, group in groups.items():
        alike = [games[place] for place in group]
        first = alike[0]
        keys = [game_key(game) for game in alike]
        if isinstance(belief, str) and belief != "uniform":
            beliefs = np.stack([resolve_belief(game, preferences, belief) for game in alike])
        else:
            beliefs = resolve_belief(first, preferences, belief)
        solution = solve_grid(first, payoff_table(alike), preferences, beliefs)
        used = solution.strategies > 0
        worth = np.where(used, solution.utilities[..., None], -np.inf).max(axis=-2)
        near = TOLERANCE * solution.scale[:, None]
        for node in first.information_sets:
            options = worth[:, node.columns]
            top = options.max(axis=-1, keepdims=True)
            optimal = options >= top - near
            margin = top[:, 0] - np.where(optimal, -np.inf, options).max(axis=-1)
            rows = zip(
                options.tolist(),
                optimal.tolist(),
                margin.tolist(),
                (margin / np.where(solution.scale > 0, solution.scale, 1.0)).tolist(),
                group,
                alike,
                keys,
                strict=True,
            )
            for utilities, best, lead, relative, place, game, key in rows:
                places[place].append(
                    Label(
                        game,
                        key,
                        shape,
                        node.label,
                        node.options,
                        tuple(utilities),
                        tuple(best),
                        lead,
                        relative,
                    )
                )
    return [label for found in places for label in found]
