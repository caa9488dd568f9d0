"""The play of one episode: a tree, round after round, seat by seat, without PettingZoo in it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

from ludens.envs.repetition import Length
from ludens.envs.tree.nodes import ChanceNode, DecisionNode, Node, PayoffNode
from ludens.envs.tree.tree import GameTree, InformationSet
from ludens.envs.turn import Method, PastRound, Step

Roles = Literal["random", "fixed"]


class TreePlay:
    """The state of an episode: who must move where, and what has happened so far.

    Attributes:
        seats: the seats, one per role of the game.
        sitting: role to seat in the round under way.
        role_of: seat to role in the round under way.
        path: the steps of the round under way that have been played out.
        past: the finished rounds, oldest first, as each seat saw them.
        pending: where `mover` must decide now; None when all rounds are over.
    """

    def __init__(
        self,
        game: GameTree,
        seats: Sequence[str],
        *,
        roles: Roles,
        method: Method,
        length: Length,
        rng: np.random.Generator,
    ) -> None:
        self.game = game
        self.seats = tuple(seats)
        self.past: list[dict[str, PastRound]] = []
        self.pending: InformationSet | None = None
        self.mover = self.seats[0]
        self._roles = roles
        self._method = method
        self._length = length
        self._rng = rng
        self._begin_round()
        self.opening_payoffs = self._go_on()
        """Every seat's pay before anybody could decide: zero unless nature alone ended a round."""

    def take(self, option: str) -> dict[str, float]:
        """Let the mover choose `option` where it must decide, and return every seat's pay, in points."""
        assert self.pending is not None
        self._answers[self.mover, self.pending.label] = option
        return self._go_on()

    def _begin_round(self) -> None:
        seats = self.seats
        if self._roles == "random":
            seats = tuple(seats[place] for place in self._rng.permutation(len(seats)).tolist())
        self.sitting = dict(zip(self.game.roles, seats, strict=True))
        self.role_of = {seat: role for role, seat in self.sitting.items()}
        self.path: list[Step] = []
        self._reached: Node = self.game.root
        self._answers: dict[tuple[str, str], str] = {}
        self._questions = self._all_questions() if self._method == "strategy" else []

    def _go_on(self) -> dict[str, float]:
        """Go on until somebody must decide or the last round is over, and return what is paid meanwhile."""
        paid = dict.fromkeys(self.seats, 0.0)
        while not self._questions:
            reached = self._walk_on()
            if isinstance(reached, DecisionNode):
                self.pending = self.game.information_set(reached.information)
                self.mover = self.sitting[reached.role]
                return paid
            self._end_round(reached, paid)
            if self._length.is_over(len(self.past), self._rng):
                self.pending = None
                return paid
            self._begin_round()
        self.mover, self.pending = self._questions.pop(0)
        return paid

    def _walk_on(self) -> DecisionNode | PayoffNode:
        """Return the next decision without an answer, or the end of the round; nature's moves are drawn."""
        node = self._reached
        while not isinstance(node, PayoffNode):
            if isinstance(node, ChanceNode):
                names = list(node.branches)
                shares = [node.branches[name][0] for name in names]
                option = names[int(self._rng.choice(len(names), p=np.array(shares) / sum(shares)))]
                self.path.append(Step(node.label, option, None))
                node = node.branches[option][1]
                continue
            answer = self._answers.get((self.sitting[node.role], node.information))
            if answer is None:
                break
            self.path.append(Step(node.information, answer, node.role))
            node = node.options[answer]
        self._reached = node
        return node

    def _end_round(self, node: PayoffNode, paid: dict[str, float]) -> None:
        payoffs = {role: float(value) for role, value in zip(self.game.roles, node.payoffs, strict=True)}
        path = tuple(self.path)
        for seat in self.seats:
            paid[seat] += payoffs[self.role_of[seat]]
        self.past.append({seat: PastRound(self.role_of[seat], path, payoffs) for seat in self.seats})

    def _all_questions(self) -> list[tuple[str, InformationSet]]:
        return [
            (seat, node)
            for seat in self.seats
            for node in self.game.information_sets
            if self._roles == "random" or self.role_of[seat] == node.role
        ]
