"""The play of one episode: a tree, round after round, seat by seat, without PettingZoo in it.

In every round all groups play the tree, one after another, and the round is over when all have: then
everybody is paid and learns what happened in the own group.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from ludens.envs.repetition import Repetition
from ludens.envs.tree.monitoring import misread
from ludens.envs.tree.nodes import ChanceNode, DecisionNode, Node, PayoffNode
from ludens.envs.tree.tree import GameTree, InformationSet, Leaf
from ludens.envs.turn import Method, PastRound, Step

Roles = Literal["random", "fixed"]
Deeds = dict[str, tuple[Step, ...]]


@dataclass
class GroupRound:
    """A round of one group: who plays which role, the steps played out, and where they lead."""

    sitting: dict[str, str]
    reached: Node
    path: list[Step] = field(default_factory=list)


class TreePlay:
    """The state of an episode: who must move where, and what has happened so far.

    Attributes:
        seats: the seats, one per role of the game and group.
        role_of: seat to role in the round under way.
        groups: the groups of the round under way.
        finished: the groups of the finished rounds, oldest first.
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
        repetition: Repetition,
        rng: np.random.Generator,
    ) -> None:
        self.game = game
        self.seats = tuple(seats)
        self.finished: list[list[GroupRound]] = []
        self.past: list[dict[str, PastRound]] = []
        self.pending: InformationSet | None = None
        self.mover = self.seats[0]
        self._roles = roles
        self._method = method
        self._repetition = repetition
        self._rng = rng
        self._deeds: list[dict[str, Deeds]] = []
        self._begin_round()
        self.opening_payoffs = self._go_on()
        """Every seat's pay before anybody could decide: zero unless nature alone ended a round."""

    @property
    def present(self) -> GroupRound:
        """The group under way."""
        return self.groups[self._group]

    def take(self, option: str) -> dict[str, float]:
        """Let the mover choose `option` where it must decide, and return every seat's pay, in points."""
        assert self.pending is not None
        self._answers[self.mover, self.pending.label] = option
        return self._go_on()

    def reputation(self, seat: str) -> tuple[tuple[tuple[Step, ...], ...], ...]:
        """Return what the present partners of a seat did in each finished round, as the seat learnt it."""
        members = next(each for each in self.groups if seat in each.sitting.values()).sitting.values()
        partners = [other for other in self.seats if other in members and other != seat]
        return tuple(tuple(deeds[seat][other] for deeds in self._deeds) for other in partners)

    def _begin_round(self) -> None:
        met = self._repetition.meetings(
            [1] * len(self.game.roles), self._rng, roles_drawn=self._roles == "random"
        )
        self.groups = [
            GroupRound(
                {role: self.seats[seat] for role, seat in zip(self.game.roles, members, strict=True)},
                self.game.root,
            )
            for members in met
        ]
        self.role_of = {seat: role for each in self.groups for role, seat in each.sitting.items()}
        self._group = 0
        self._answers: dict[tuple[str, str], str] = {}
        self._questions = self._all_questions() if self._method == "strategy" else []

    def _go_on(self) -> dict[str, float]:
        """Go on until somebody must decide or the last round is over, and return what is paid meanwhile."""
        paid = dict.fromkeys(self.seats, 0.0)
        while not self._questions:
            reached = self._walk_on(self.present)
            if isinstance(reached, DecisionNode):
                self.pending = self.game.information_set(reached.information)
                self.mover = self.present.sitting[reached.role]
                return paid
            if self._group + 1 < len(self.groups):
                self._group += 1
                continue
            self._end_round(paid)
            if self._repetition.is_over(len(self.past), self._rng):
                self.pending = None
                return paid
            self._begin_round()
        self.mover, self.pending = self._questions.pop(0)
        return paid

    def _walk_on(self, group: GroupRound) -> DecisionNode | PayoffNode:
        """Return the next decision without an answer, or the end of the round; nature's moves are drawn."""
        node = group.reached
        while not isinstance(node, PayoffNode):
            if isinstance(node, ChanceNode):
                names = list(node.branches)
                shares = [node.branches[name][0] for name in names]
                option = names[int(self._rng.choice(len(names), p=np.array(shares) / sum(shares)))]
                group.path.append(Step(node.label, option, None))
                node = node.branches[option][1]
                continue
            answer = self._answers.get((group.sitting[node.role], node.information))
            if answer is None:
                break
            group.path.append(Step(node.information, answer, node.role))
            node = node.options[answer]
        group.reached = node
        return node

    def _end_round(self, paid: dict[str, float]) -> None:
        """Pay everybody, and keep what each seat saw of its own group and learns of its partners to come."""
        past: dict[str, PastRound] = {}
        deeds: dict[str, Deeds] = {seat: {} for seat in self.seats}
        for group in self.groups:
            truth = self._leaf(group)
            for role, seat in group.sitting.items():
                seen = self._seen(group, truth, role)
                past[seat] = PastRound(role, seen.path, dict(zip(self.game.roles, seen.payoffs, strict=True)))
                paid[seat] += truth.payoffs[self.game.roles.index(role)]
                deeds[seat] |= _deeds(group, seen)
            if self._repetition.history == "reputation":
                for seat in self.seats:
                    if seat not in group.sitting.values():
                        deeds[seat] |= _deeds(group, self._seen(group, truth, None))
        self.past.append(past)
        self.finished.append(self.groups)
        self._deeds.append(deeds)

    def _leaf(self, group: GroupRound) -> Leaf:
        """Return how the round of a group ended."""
        assert isinstance(group.reached, PayoffNode)
        return Leaf(tuple(group.path), 1.0, tuple(float(value) for value in group.reached.payoffs))

    def _seen(self, group: GroupRound, truth: Leaf, role: str | None) -> Leaf:
        """Return how the seat in a role, or one of another group (None), takes a group's round to have
        ended.
        """
        if not self._repetition.noise:
            return truth
        answers = None
        if self._method == "strategy":
            answers = {
                label: option
                for (seat, label), option in self._answers.items()
                if group.sitting[self.game.information_set(label).role] == seat
            }
        noise = self._repetition.noise
        return misread(self.game, truth, role, noise=noise, rng=self._rng, answers=answers)

    def _all_questions(self) -> list[tuple[str, InformationSet]]:
        return [
            (seat, node)
            for seat in self.seats
            for node in self.game.information_sets
            if self._roles == "random" or self.role_of[seat] == node.role
        ]


def _deeds(group: GroupRound, seen: Leaf) -> Deeds:
    """Return the steps of every seat of a group in a round that is taken to have ended so."""
    return {
        seat: tuple(step for step in seen.path if step.role == role) for role, seat in group.sitting.items()
    }
