"""Observations of tree games.

A seat observes one float32 vector, its parts laid end to end: own role · information set to decide at · for
each of the last k rounds, the oldest first, own role in it and the leaf in which it ended (all one-hot, zeros
where there is none) · the payoffs of every leaf, leaf by leaf, in points · the share of rounds finished, 0 to
1. A leaf stands at the end of one path, so that it shows every move of its round: own, others' and nature's.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ludens.envs.tree.tree import GameTree, InformationSet
from ludens.envs.turn import PastRound


class Encoding:
    """The map from a seat's position to its vector; `low` and `high` are the bounds, shape (length,).

    Args:
        game: the rules.
        rounds: how often it is played.
        memory: k, how many of the last rounds are observed.
    """

    def __init__(self, game: GameTree, rounds: int, memory: int = 1) -> None:
        roles, sets, leaves = len(game.roles), len(game.information_sets), len(game.leaves)
        payoffs = game.payoffs.ravel().astype(np.float32)
        self.rounds = rounds
        self._role = {role: place for place, role in enumerate(game.roles)}
        self._set = {node.label: roles + place for place, node in enumerate(game.information_sets)}
        # Places in the block of a round, and where the blocks of the last rounds begin, the latest first.
        self._past_role = {role: place for place, role in enumerate(game.roles)}
        self._past_leaf = {leaf.path: roles + place for place, leaf in enumerate(game.leaves)}
        block = roles + leaves
        flags = roles + sets + memory * block
        self._blocks = tuple(flags - back * block for back in range(1, memory + 1))
        self._empty = np.concatenate([np.zeros(flags), payoffs, [0]]).astype(np.float32)
        self.low = np.minimum(self._empty, 0)
        self.high = np.concatenate([np.ones(flags), np.maximum(payoffs, 0), [1]]).astype(np.float32)

    def vector(
        self, role: str | None, node: str | None, past: Sequence[PastRound], done: int
    ) -> NDArray[np.float32]:
        """Return the vector of a seat, shape (length,), float32.

        Args:
            role: the part that it plays; None if it is not drawn or not known to the seat yet.
            node: where it must decide; None if it is not its turn.
            past: the finished rounds, oldest first; those before the last k may be left out.
            done: how many rounds are finished.
        """
        vector = self._empty.copy()
        if role is not None:
            vector[self._role[role]] = 1
        if node is not None:
            vector[self._set[node]] = 1
        for start, seen in zip(self._blocks, reversed(past), strict=False):
            vector[start + self._past_role[seen.role]] = 1
            vector[start + self._past_leaf[seen.path]] = 1
        vector[-1] = done / self.rounds
        return vector


class Masks:
    """Action masks by information set: int8 arrays, as long as the longest list of options."""

    def __init__(self, game: GameTree) -> None:
        self.length = max((len(node.options) for node in game.information_sets), default=1)
        self._legal = {node.label: self._of(node) for node in game.information_sets}
        self._idle = np.ones(self.length, dtype=np.int8)

    def mask(self, node: str | None) -> NDArray[np.int8]:
        """Return the mask at `node`, in an array of its own.

        For a seat that is not to move (None) it is all ones: samplers need a legal action for every seat, and
        this one is ignored.
        """
        return (self._idle if node is None else self._legal[node]).copy()

    def _of(self, node: InformationSet) -> NDArray[np.int8]:
        return (np.arange(self.length) < len(node.options)).astype(np.int8)
