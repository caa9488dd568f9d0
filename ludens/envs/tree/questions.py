"""All questions of a game: one turn per information set, as in the strategy method."""

from __future__ import annotations

from collections.abc import Mapping

from ludens.envs.games import family_of
from ludens.envs.tree.sequential import SequentialEnv
from ludens.envs.tree.tree import GameTree
from ludens.envs.turn import Turn


def questions(game: GameTree, environment: str | None = None) -> Mapping[str, Turn]:
    """Return the game's turns by information set, in tree order, as a seat sees them before roles are drawn.

    They are taken from the environment itself (``method="strategy"``, random roles), so that a policy asked
    outside an episode sees exactly what it would see in one. `environment` is the id that they name: the
    family's by default.
    """
    family = family_of(game)
    name = environment or (family.environment if family else game.name)
    env = SequentialEnv(game, environment=name, roles="random", method="strategy")
    env.reset(seed=0)
    seat = env.agent_selection
    turns: dict[str, Turn] = {}
    for _ in game.information_sets:
        turn = env.turn(seat)
        turns[turn.node] = turn
        env.step(turn.options[0].action)
    return turns
