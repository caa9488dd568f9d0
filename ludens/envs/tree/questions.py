"""All questions of a game: one turn per information set, as in the strategy method."""

from __future__ import annotations

from collections.abc import Mapping

from ludens.envs.games import AnyGame, family_of, stage_question
from ludens.envs.strategic.env import StrategicEnv
from ludens.envs.strategic.game import StrategicGame
from ludens.envs.tree.sequential import SequentialEnv
from ludens.envs.turn import Turn


def questions(game: AnyGame, environment: str | None = None) -> Mapping[str, Turn]:
    """Return the game's turns by information set, in tree order, as a seat sees them before roles are drawn.

    They are taken from the environment itself (``method="strategy"``, random roles), so that a policy asked
    outside an episode sees exactly what it would see in one. `environment` is the id that they name: the
    family's by default. Of a stage of a round, turns tell what happened before it, and those are asked whose
    turn it is.
    """
    family = family_of(game)
    name = environment or (family.environment if family else game.name)
    if (stage := stage_question(game)) is not None:
        return stage.turns()
    if isinstance(game, StrategicGame):
        together = StrategicEnv(game, environment=name)
        together.reset(seed=0)
        asked = {game.node(role): game.seats.index(role) for role in game.roles}
        return {node: together.turn(f"player_{seat}") for node, seat in asked.items()}
    env = SequentialEnv(game, environment=name, roles="random", method="strategy")
    env.reset(seed=0)
    seat = env.agent_selection
    turns: dict[str, Turn] = {}
    for _ in game.information_sets:
        turn = env.turn(seat)
        turns[turn.node] = turn
        env.step(turn.options[0].action)
    return turns
