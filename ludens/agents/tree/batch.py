"""Many episodes of a game tree stepped together, through tables of what follows what.

From the seat's point of view a tree game against policies is a Markov chain with actions: a *state* is where
the seat must decide, what it observes and what the others remember; after an action, what the others and
nature do leads to other states with known probabilities. States and what follows them are worked out when
play first comes there, and each policy is asked once for its probabilities in each situation. A step is then
a look-up.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import permutations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ludens.agents.batch import BatchEnv, Flags, Floats, Outcome, Places
from ludens.agents.policy import Policy
from ludens.agents.tree.memory import Past, remembered
from ludens.envs.tree.encoding import Encoding, Masks
from ludens.envs.tree.nodes import ChanceNode, DecisionNode, Node, PayoffNode
from ludens.envs.tree.sequential import SequentialEnv
from ludens.envs.tree.tree import GameTree, InformationSet
from ludens.envs.tree.turns import tree_turn
from ludens.envs.turn import PastRound, Step, Turn
from ludens.errors import UsageError

MOST_STATES = 1 << 16
"""States that are kept; beyond them, all but those of present episodes are forgotten and worked out anew."""

_Path = tuple[Step, ...]
_Roles = tuple[int, ...]


@dataclass(frozen=True)
class _State:
    """A state.

    Attributes:
        round: the number of the present round, from 0; of all rounds once the game is over.
        own: the last rounds as the seat saw them, as far as it observes them.
        others: what each of the other policies remembers.
        node: where the seat must decide; None between rounds and at the end.
        roles: the seats' roles, by seat; None where they are not drawn yet.
        path: how the node was reached.
        answers: with the strategy method, the seat's answers so far, by the order of its questions.
    """

    round: int
    own: Past
    others: tuple[Past, ...]
    node: InformationSet | None = None
    roles: _Roles | None = None
    path: _Path = ()
    answers: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Walk:
    """A walk through the tree: from which state, with which role of each seat, and with the strategy method
    the seat's answers by information set.
    """

    state: _State
    roles: _Roles
    answers: dict[str, str] | None = None


@dataclass
class _Row:
    """What can follow: probabilities, states and payments of the seat, in the same order."""

    chances: list[float] = field(default_factory=list)
    following: list[int] = field(default_factory=list)
    paid: list[float] = field(default_factory=list)


class TreeBatch(BatchEnv[SequentialEnv]):
    """Many episodes of a `SequentialEnv` without `max_cycles`, repeated a known number of times in one group
    whose seats see what happened.
    """

    @classmethod
    def can_batch(cls, env: SequentialEnv, policies: Mapping[str, Policy]) -> bool:
        """Return whether moves are not limited, one group sees rightly what happens in a known number of
        rounds, and every policy gives its exact probabilities.

        Policies that wait for a network or a person are not asked.
        """
        if env.max_cycles is not None or set(env.repetition.options) != {"rounds"}:
            return False
        for seat, policy in policies.items():
            if type(policy).adecide is not Policy.adecide or policy.needs_person or policy.needs_words:
                return False
            own = env.game.roles[env.possible_agents.index(seat)]
            for node in env.game.information_sets:
                if env.roles == "random" or node.role == own:
                    decision = policy.decide(_turn(env, seat, node, (), 0), np.random.default_rng(0))
                    if decision.probabilities is None or decision.provenance != "exact":
                        return False
                    if decision.notes is not None:
                        return False
        return True

    def _prepare(self, env: SequentialEnv, policies: Mapping[str, Policy]) -> None:
        self._table = _Table(env, self.seat, policies)
        self._states: Places = np.zeros(self.num_envs, dtype=np.intp)
        self._carried: Floats = np.zeros(self.num_envs)

    def _open(self, where: Flags) -> None:
        self._states[where] = self._table.start
        self._carried[where] = 0.0
        self._states[where], self._carried[where] = self._table.go_on(
            self._states[where], self._carried[where], self.np_random
        )

    def _move(self, actions: NDArray[Any], playing: Flags) -> Outcome:
        # An episode that the others ended before the seat could move is over already: its action is ignored.
        table, moving = self._table, playing & ~self._table.over[self._states]
        rewards = np.where(playing, self._carried, 0.0)
        if moving.all():
            self._states, rewards = table.move(self._states, actions, rewards, self.np_random)
        else:
            self._states[moving], rewards[moving] = table.move(
                self._states[moving], actions[moving], rewards[moving], self.np_random
            )
        self._carried[playing] = 0.0
        terminated = playing & table.over[self._states]
        if len(table) > MOST_STATES:
            self._states = table.forget(self._states)
        return rewards, terminated, np.zeros(self.num_envs, dtype=np.bool_)

    def _observed(self) -> tuple[NDArray[np.float32], NDArray[np.int8] | None]:
        return self._table.vectors[self._states], self._table.masks[self._states]

    def _masks(self) -> NDArray[np.int8] | None:
        # At the end any action is taken, and ignored.
        return self._table.masks[self._states]


class _Table:
    """The states of one seat of a game against policies, and what follows them.

    Attributes:
        start: the number of the state before the first round.
        vectors, masks: what the seat observes in each state, (states, length) and (states, actions).
        over: whether the game is over there, (states,).
    """

    def __init__(self, env: SequentialEnv, seat: str, policies: Mapping[str, Policy]) -> None:
        self.game: GameTree = env.game
        self._env, self._seat, self._policies = env, seat, policies
        seats = env.possible_agents
        self._place = seats.index(seat)
        self._other = [place for place in range(len(seats)) if place != self._place]
        self._seats = seats
        self._encoding = Encoding(self.game, env.rounds, env.memory)
        self._masks = Masks(self.game)
        self._strategy = env.method == "strategy"
        self._orders: list[_Roles] = [tuple(range(len(seats)))]
        if env.roles == "random":
            self._orders = list(permutations(range(len(seats))))
        self._leaf = {leaf.path: place for place, leaf in enumerate(self.game.leaves)}
        self._role = {role: place for place, role in enumerate(self.game.roles)}
        self._rounds: dict[tuple[int, int], PastRound] = {}
        self._asked: dict[tuple[object, ...], tuple[float, ...]] = {}
        sets = self.game.information_sets
        own = self.game.roles[self._place]
        # Those that the strategy method asks the seat, in this order.
        self._questions = [node for node in sets if env.roles == "random" or node.role == own]
        self._clear()

    def __len__(self) -> int:
        return len(self._states)

    def go_on(self, states: Places, paid: Floats, rng: np.random.Generator) -> tuple[Places, Floats]:
        """Play rounds until the seat must decide or the game is over."""
        while True:
            between = self._between[states]
            if not between.any():
                return states, paid
            states, paid = states.copy(), paid.copy()
            zeros = np.zeros(int(between.sum()), dtype=np.intp)
            states[between], paid[between] = self._drawn(states[between], zeros, paid[between], rng)

    def move(
        self, states: Places, actions: NDArray[Any], paid: Floats, rng: np.random.Generator
    ) -> tuple[Places, Floats]:
        """Take actions, and play until the seat must decide or the game is over.

        Returns:
            The states that follow, and `paid` with what the seat is paid on the way.
        """
        return self.go_on(*self._drawn(states, actions, paid, rng), rng)

    def forget(self, present: Places) -> Places:
        """Forget all states but the present ones, and return their new numbers."""
        kept, places = np.unique(present, return_inverse=True)
        states = [self._states[place] for place in kept.tolist()]
        self._clear()
        numbers = np.array([self._number(state) for state in states], dtype=np.intp)
        renumbered: Places = numbers[places]
        return renumbered

    def _clear(self) -> None:
        self._states: list[_State] = []
        self._numbers: dict[tuple[object, ...], int] = {}
        options, length = self._masks.length, len(self._encoding.low)
        self.vectors: NDArray[np.float32] = np.zeros((0, length), dtype=np.float32)
        self.masks: NDArray[np.int8] = np.zeros((0, options), dtype=np.int8)
        self.over: Flags = np.zeros(0, dtype=np.bool_)
        self._between: Flags = np.zeros(0, dtype=np.bool_)
        self._row: Places = np.zeros((0, options), dtype=np.intp)
        self._rows = 0
        self._cumulated: Floats = np.zeros((0, 1))
        self._following: Places = np.zeros((0, 1), dtype=np.intp)
        self._paid: Floats = np.zeros((0, 1))
        self.start = self._number(_State(0, (), ((),) * len(self._other)))

    def _drawn(
        self, states: Places, actions: NDArray[Any], paid: Floats, rng: np.random.Generator
    ) -> tuple[Places, Floats]:
        rows = self._row[states, actions]
        if (rows < 0).any():
            new = rows < 0
            for state, action in np.unique(np.stack([states[new], actions[new]]), axis=1).T.tolist():
                self._add_row(state, action)
            rows = self._row[states, actions]
        if self._following.shape[1] == 1:
            return self._following[rows, 0], paid + self._paid[rows, 0]
        taken = (rng.random(len(rows))[:, None] >= self._cumulated[rows]).sum(axis=1)
        return self._following[rows, taken], paid + self._paid[rows, taken]

    def _add_row(self, state: int, action: int) -> None:
        row = self._after(self._states[state], action)
        width = max(self._following.shape[1], len(row.chances))
        size = max(len(self._following), 64)
        while size <= self._rows:
            size *= 2
        # What lies beyond the outcomes of a row is never drawn: numbers drawn are below 1.
        self._cumulated = _grown(self._cumulated, (size, width), 1.0)
        self._following = _grown(self._following, (size, width), 0)
        self._paid = _grown(self._paid, (size, width), 0.0)
        place, count = self._rows, len(row.chances)
        shares = np.cumsum(row.chances)
        self._cumulated[place] = 1.0
        self._cumulated[place, : count - 1] = shares[:-1] / shares[-1]
        self._following[place, :count] = row.following
        self._paid[place, :count] = row.paid
        self._row[state, action] = place
        self._rows += 1

    def _after(self, state: _State, action: int) -> _Row:
        """Work out what follows a state, up to the seat's next decision or the end of the round."""
        row, root, even = _Row(), self.game.root, 1 / len(self._orders)
        if not self._strategy:
            if state.node is None:
                for roles in self._orders:
                    self._walk(row, _Walk(state, roles), root, (), even)
            else:
                assert state.roles is not None
                node, option = _at(self.game, state.path), state.node.options[action]
                step = Step(state.node.label, option, state.node.role)
                self._walk(row, _Walk(state, state.roles), node.options[option], (*state.path, step), 1.0)
            return row
        answers = state.answers
        if state.node is not None:
            answers = (*answers, state.node.options[action])
        if len(answers) < len(self._questions):
            node_asked = self._questions[len(answers)]
            self._add(row, 1.0, replace(state, node=node_asked, answers=answers), 0.0)
            return row
        given = {node.label: answer for node, answer in zip(self._questions, answers, strict=True)}
        for roles in self._orders:
            self._walk(row, _Walk(state, roles, given), root, (), even)
        return row

    def _walk(self, row: _Row, walk: _Walk, node: Node, path: _Path, chance: float) -> None:
        """Add to a row what follows a node of the tree, which a path leads to with some probability."""
        state, roles = walk.state, walk.roles
        if isinstance(node, PayoffNode):
            self._add(row, chance, self._ended(state, roles, path), float(node.payoffs[roles[self._place]]))
            return
        if isinstance(node, ChanceNode):
            for option, (share, child) in node.branches.items():
                self._walk(row, walk, child, (*path, Step(node.label, option, None)), chance * share)
            return
        place = roles.index(self._role[node.role])
        asked = self.game.information_set(node.information)
        if place != self._place:
            shares = self._probabilities(state, place, asked)
        elif walk.answers is None:
            there = _State(state.round, state.own, state.others, asked, roles, path)
            self._add(row, chance, there, 0.0)
            return
        else:
            shares = tuple(float(option == walk.answers[asked.label]) for option in asked.options)
        for option, share in zip(asked.options, shares, strict=True):
            if share > 0:
                step = Step(node.information, option, node.role)
                self._walk(row, walk, node.options[option], (*path, step), chance * share)

    def _ended(self, state: _State, roles: _Roles, path: _Path) -> _State:
        """Return the state after a round that ended on a path."""
        leaf, memory = self._leaf[path], self._env.memory
        own = (*state.own, self._past(roles[self._place], leaf))
        others = tuple(
            remembered(self._policies[self._seats[place]], self.game, (*past, self._past(roles[place], leaf)))
            for place, past in zip(self._other, state.others, strict=True)
        )
        over = state.round + 1 == self._env.rounds
        # The last observation shows the role that the seat had.
        kept = roles if over and not (self._strategy and len(self._orders) > 1) else None
        return _State(state.round + 1, own[max(0, len(own) - memory) :], () if over else others, roles=kept)

    def _add(self, row: _Row, chance: float, state: _State, paid: float) -> None:
        row.chances.append(chance)
        row.following.append(self._number(state))
        row.paid.append(paid)

    def _past(self, role: int, leaf: int) -> PastRound:
        """Return a round as the seat of a role saw it, the same object each time."""
        if (role, leaf) not in self._rounds:
            payoffs = dict(zip(self.game.roles, self.game.leaves[leaf].payoffs, strict=True))
            self._rounds[role, leaf] = PastRound(self.game.roles[role], self.game.leaves[leaf].path, payoffs)
        return self._rounds[role, leaf]

    def _probabilities(self, state: _State, place: int, asked: InformationSet) -> tuple[float, ...]:
        """Return the probabilities with which another seat's policy chooses, asked once for each situation.

        Raises:
            UsageError: it does not give them exactly.
        """
        past, seat = state.others[self._other.index(place)], self._seats[place]
        key = (place, asked.label, state.round, *map(id, past))
        if key not in self._asked:
            turn = _turn(self._env, seat, asked, past, state.round)
            decision = self._policies[seat].decide(turn, np.random.default_rng(0))
            if decision.probabilities is None or decision.provenance != "exact":
                raise UsageError(
                    f"A batch needs exact probabilities, and {self._policies[seat].name} gave none at "
                    f"{asked.label!r} of {self._env.environment}: step its environments one by one."
                )
            self._asked[key] = decision.probabilities
        return self._asked[key]

    def _number(self, state: _State) -> int:
        """Return the number of a state; it is added if it is new."""
        key: tuple[object, ...] = (
            state.round,
            tuple(map(id, state.own)),
            tuple(tuple(map(id, past)) for past in state.others),
            None if state.node is None else state.node.label,
            state.roles,
            state.path,
            state.answers,
        )
        if key in self._numbers:
            return self._numbers[key]
        number = self._numbers[key] = len(self._states)
        self._states.append(state)
        size = max(len(self.vectors), 64)
        while size <= number:
            size *= 2
        if size > len(self.vectors):
            options = self._masks.length
            self.vectors = _grown(self.vectors, (size, self.vectors.shape[1]), 0.0)
            self.masks = _grown(self.masks, (size, options), 0)
            self.over = _grown(self.over, (size,), False)
            self._between = _grown(self._between, (size,), False)
            self._row = _grown(self._row, (size, options), -1)
        over = state.round == self._env.rounds
        self.over[number] = over
        self._between[number] = state.node is None and not over
        node = None if state.node is None else state.node.label
        role = None if state.roles is None else self.game.roles[state.roles[self._place]]
        if state.node is not None and role is None:
            # With the strategy method a question names the role that it is about.
            role = state.node.role
        self.vectors[number] = self._encoding.vector(role, node, state.own, state.round)
        self.masks[number] = self._masks.mask(node)
        return number


def _turn(env: SequentialEnv, seat: str, node: InformationSet, past: Past, number: int) -> Turn:
    """Return the turn of another seat's policy, which remembers this past."""
    encoding = Encoding(env.game, env.rounds, env.memory)
    return tree_turn(
        env.game,
        node,
        environment=env.environment,
        agent=seat,
        observation={
            "observation": encoding.vector(node.role, node.label, past, number),
            "action_mask": Masks(env.game).mask(node.label),
        },
        past=past,
        round=number,
        rounds=env.rounds,
        method=env.method,
        roles=env.roles,
    )


def _at(game: GameTree, path: _Path) -> DecisionNode:
    """Return the decision node that a path leads to."""
    node = game.root
    for step in path:
        assert not isinstance(node, PayoffNode)
        node = node.branches[step.option][1] if isinstance(node, ChanceNode) else node.options[step.option]
    assert isinstance(node, DecisionNode)
    return node


def _grown(array: NDArray[Any], shape: tuple[int, ...], fill: Any) -> NDArray[Any]:
    """Return an array of a larger shape with the old entries at its beginning; the same one if it fits."""
    if array.shape == shape:
        return array
    grown = np.full(shape, fill, dtype=array.dtype)
    grown[tuple(slice(0, length) for length in array.shape)] = array
    return grown
