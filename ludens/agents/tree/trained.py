"""Observations of game trees for learners: the same layout in every episode, and outside of one."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from ludens.agents.trained.inputs import TRANSFER, Input
from ludens.envs import GameTree, Turn
from ludens.envs.tree.encoding import Encoding


class TreeInput(Input):
    """What a learner observes at a turn of the game tree that it was trained in.

    The turn gives the rules and all past rounds, so that the vector has as many of them as in the training,
    whatever the environment shows. Payoffs are part of it: another protocol of the same family is shown.
    """

    def refusal(self, turn: Turn, *, transfer: bool) -> str:
        """Return why the learner cannot decide at a turn; empty if it can."""
        game = turn.game
        if not isinstance(game, GameTree) or game.name != self.facts["family"]:
            return "its observations mean something else there."
        size = len(self._encoding(turn).low)
        if size != self.size:
            return f"observations have {size} numbers there, and {self.size} in its training."
        if turn.role not in self.facts["roles"] and not transfer:
            return f"it was never the {turn.role.replace('_', ' ')} in its training; {TRANSFER}"
        return ""

    def vector(self, turn: Turn) -> NDArray[np.float32]:
        """Return what the learner observes, (size,)."""
        return self._encoding(turn).vector(turn.role, turn.node, turn.past, turn.round)

    def _encoding(self, turn: Turn) -> Encoding:
        assert isinstance(turn.game, GameTree)
        return _encoding(turn.game, turn.rounds, int(self.facts["memory"]))


@lru_cache(maxsize=256)
def _encoding(game: GameTree, rounds: int, memory: int) -> Encoding:
    return Encoding(game, rounds, memory)
