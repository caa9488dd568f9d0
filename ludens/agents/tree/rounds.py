"""Rounds of a two-role game tree against a known opponent, solved backwards from the last one.

A state is the number of the round and what the opponent remembers. States are collected forwards, from where
play stands, through every leaf that the opponent and nature can lead to; then they are valued backwards. All
values are of payoffs less the middle of the game's payoffs, so that rounding errors stay in proportion to the
stakes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ludens.agents.policy import Policy
from ludens.agents.tree.memory import Past, remembered
from ludens.envs import (
    GameTree,
    InformationSet,
    Method,
    PastRound,
    path_probabilities,
    pure_strategies,
    uniform_strategy,
)
from ludens.envs.tree.encoding import Encoding, Masks
from ludens.envs.tree.strategies import leaf_chances
from ludens.envs.tree.turns import tree_turn
from ludens.errors import UsageError
from ludens.preferences import Preferences
from ludens.preferences.terms import comparison_tables, location

Floats = NDArray[np.float64]
Key = tuple[object, ...]

MOST_STATES = 20_000
"""States that are solved at once at most: some seconds."""


@dataclass(frozen=True, eq=False)
class _State:
    """What follows a state: nature's and the opponent's part of each leaf's probability by own role, (leaves,
    roles), and the opponent's past after each leaf, by (leaf, own role), where that part is not 0.
    """

    others: Floats
    after: dict[tuple[int, int], Past]


class Rounds:
    """One repeated game against one opponent.

    Args:
        game: of two roles.
        preferences: α, β, κ.
        opponent: a policy that gives its exact probabilities.
        role: the own role in every round; None where roles are drawn anew for every round.
        seat: of the opponent.
        rounds: how many are played.
        method: of the turns.
        environment: the id that turns and errors name.

    Attributes:
        middle: of the game's payoffs, in points; it is subtracted from every value, once per round.
        scale: payoff scale within which ties are judged, in points per round.
    """

    def __init__(
        self,
        game: GameTree,
        preferences: Preferences,
        opponent: Policy,
        *,
        role: str | None,
        seat: str,
        rounds: int,
        method: Method,
        environment: str,
    ) -> None:
        self.game, self.opponent = game, opponent
        self._seat, self._rounds, self._method, self._environment = seat, rounds, method, environment
        roles = range(len(game.roles))
        self._own = list(roles) if role is None else [game.roles.index(role)]
        middle, spread = location(game.payoffs)
        self.middle = float(middle)
        self.scale = float(spread) * (1 + abs(preferences.alpha) + abs(preferences.beta))
        centred = game.payoffs - middle
        behind, ahead = comparison_tables(game.payoffs)
        kappa = preferences.kappa
        self._felt = (1 - kappa) * centred - preferences.alpha * behind - preferences.beta * ahead
        self._paths = path_probabilities(game, pure_strategies(game))
        self._universal = kappa * (self._paths.prod(axis=-1) * leaf_chances(game)) @ centred.mean(axis=-1)
        self._encoding, self._masks = Encoding(game, rounds), Masks(game)
        self._values: dict[tuple[int, Key], float] = {}

    def plans(self, number: int, past: Past) -> Floats:
        """Return what each pure plan of a round is worth at its beginning, with the best rounds after it,
        (plans,).
        """
        past = self._remembered(past)
        state = self._state(past, self._strategy(number, past), number)
        return self._worth(state, self._stakes(number, state))

    def plans_at(self, number: int, past: Past, node: InformationSet, forced: Mapping[str, str]) -> Floats:
        """Return the same given that play has come to an information set, (plans,); -inf for plans that do
        not lead there, and for all where the opponent does not. Without the universalised payoff.

        Args:
            number: of the round, from 0.
            past: the opponent's.
            node: of the own role.
            forced: moves that the opponent is known to have made in this round, information set to option.
        """
        past = self._remembered(past)
        strategy = self._strategy(number, past)
        for label, option in forced.items():
            made = self.game.information_set(label)
            strategy[made.columns] = [float(name == option) for name in made.options]
        state = self._state(past, strategy, number)
        through = [any(step.label == node.label for step in leaf.path) for leaf in self.game.leaves]
        role = self.game.roles.index(node.role)
        weights = state.others[:, role] * through
        reach = self._paths[:, :, role] @ weights
        worth = self._paths[:, :, role] @ (weights * self._stakes(number, state)[:, role])
        given: Floats = np.divide(worth, reach, out=np.full(len(reach), -np.inf), where=reach > 0)
        return given

    def _worth(self, state: _State, stakes: Floats) -> Floats:
        own = self._own
        weighted = (state.others * stakes)[:, own] / len(own)
        expected = np.tensordot(self._paths[:, :, own], weighted, axes=2)
        total: Floats = expected + self._universal
        return total

    def _stakes(self, number: int, state: _State) -> Floats:
        """Return what each leaf is worth by own role: utility and, where it can be reached, what follows;
        (leaves, roles).
        """
        stakes = self._felt.copy()
        if number + 1 < self._rounds:
            self._solve(number + 1, list(state.after.values()))
            for place, past in state.after.items():
                stakes[place] += self._values[number + 1, _key(past)]
        return stakes

    def _solve(self, first: int, pasts: list[Past]) -> None:
        """Value these states of a round, and with them all that can follow.

        Raises:
            UsageError: there are more than `MOST_STATES` of them.
        """
        layers: list[dict[Key, _State]] = []
        count = 0
        for number in range(first, self._rounds):
            layer: dict[Key, _State] = {}
            following: dict[Key, Past] = {}
            for past in pasts:
                key = _key(past)
                if key in layer or (number, key) in self._values:
                    continue
                count += 1
                if count > MOST_STATES:
                    raise UsageError(
                        f"{self.opponent.name} can meet more than {MOST_STATES} histories in the rounds of "
                        f"{self._environment} left: play fewer rounds, or an opponent that remembers less."
                    )
                layer[key] = state = self._state(past, self._strategy(number, past), number)
                following |= {_key(after): after for after in state.after.values()}
            layers.append(layer)
            pasts = list(following.values())
            if not pasts:
                break
        for number, layer in reversed(list(enumerate(layers, start=first))):
            for key, state in layer.items():
                # What follows is valued already, so that this goes no deeper.
                self._values[number, key] = float(self._worth(state, self._stakes(number, state)).max())

    def _state(self, past: Past, strategy: Floats, number: int) -> _State:
        """Return what follows where the opponent plays `strategy` in this round."""
        moves = path_probabilities(self.game, strategy)
        others = leaf_chances(self.game)[:, None] * moves[:, ::-1]
        after: dict[tuple[int, int], Past] = {}
        if number + 1 < self._rounds:
            for role in self._own:
                for place in np.flatnonzero(others[:, role]).tolist():
                    after[place, role] = self._remembered((*past, self._seen(place, 1 - role)))
        return _State(others, after)

    def _seen(self, place: int, role: int) -> PastRound:
        """Return a round that ended in a leaf, as the player of `role` saw it."""
        leaf = self.game.leaves[place]
        payoffs = dict(zip(self.game.roles, leaf.payoffs, strict=True))
        return PastRound(self.game.roles[role], leaf.path, payoffs)

    def _remembered(self, past: Past) -> Past:
        return remembered(self.opponent, self.game, past)

    def _strategy(self, number: int, past: Past) -> Floats:
        """Return the strategy that the opponent plays in a round, (width,); arbitrary at the own sets."""
        strategy = uniform_strategy(self.game)
        for node in self.game.information_sets:
            role = self.game.roles.index(node.role)
            if len(self._own) == 1 and role in self._own:
                continue
            strategy[node.columns] = self._asked(number, past, node)
        return strategy

    def _asked(self, number: int, past: Past, node: InformationSet) -> tuple[float, ...]:
        turn = tree_turn(
            self.game,
            node,
            environment=self._environment,
            agent=self._seat,
            observation={
                "observation": self._encoding.vector(node.role, node.label, past, number),
                "action_mask": self._masks.mask(node.label),
            },
            past=past,
            round=number,
            rounds=self._rounds,
            method=self._method,
            roles="random" if len(self._own) > 1 else "fixed",
        )
        decision = self.opponent.decide(turn, np.random.default_rng(0))
        if decision.probabilities is None or decision.provenance != "exact":
            raise UsageError(
                f"A best reply needs exact probabilities, and {self.opponent.name} gave none at "
                f"{node.label!r} of {self._environment}: give a scripted policy or an oracle as opponent."
            )
        return decision.probabilities


def _key(past: Past) -> Key:
    # The payoffs follow from the path.
    return tuple((seen.role, seen.path) for seen in past)
