"""Scripted policies: the classic rules for games in which one can cooperate.

To *cooperate* is to take the prosocial option of the game's family at that node (`Family.prosocial`: trust,
reciprocate, offer the equal split, accept …), to *defect* to take the other one. What the others did is read
from the turn: the moves known in this round, and the finished rounds. No policy remembers anything between
turns.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from typing import Any

import numpy as np

from ludens.agents.policy import Decision, Policy
from ludens.envs import GameTree, StageGame, Step, StrategicGame, Turn, family_of
from ludens.envs.strategic.tree_form import node_in_game, seat_roles
from ludens.errors import UsageError


class _Scripted(Policy):
    """A policy without settings: two of one class are equal, and its name is its specification."""

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other)

    def __hash__(self) -> int:
        return hash(type(self))

    def describe(self) -> dict[str, Any]:
        """Return JSON values from which an equal policy can be made."""
        return self._described(spec=self.name)


class _Cooperator(_Scripted):
    """A rule that says at each turn whether to cooperate."""

    def decide(self, turn: Turn, rng: np.random.Generator) -> Decision:
        """Cooperate or defect, for certain.

        Raises:
            UsageError: the game has no family that says what cooperation is, or offers several ways to
                defect.
        """
        wanted = self._option(turn, cooperate=self.cooperates(turn))
        shares = tuple(float(option.name == wanted) for option in turn.options)
        (action,) = (option.action for option in turn.options if option.name == wanted)
        return Decision(action, probabilities=shares, provenance="exact")

    @abstractmethod
    def cooperates(self, turn: Turn) -> bool:
        """Return whether the rule cooperates at this turn."""

    def _option(self, turn: Turn, *, cooperate: bool) -> str:
        good, others = _options(self, turn)
        if cooperate:
            return good
        if len(others) > 1:
            raise UsageError(
                f"{self.name} cannot tell which of {', '.join(others)} is to defect at {turn.node!r} of "
                f"{turn.environment}: it plays games with two options."
            )
        return others[0]


class AlwaysCooperate(_Cooperator):
    """Cooperates whatever happens (ALLC in Axelrod, *The Evolution of Cooperation*, 1984)."""

    name = "always_cooperate"

    def cooperates(self, turn: Turn) -> bool:
        """Return True."""
        return True


class AlwaysDefect(_Cooperator):
    """Defects whatever happens (ALLD in Axelrod, *The Evolution of Cooperation*, 1984)."""

    name = "always_defect"

    def cooperates(self, turn: Turn) -> bool:
        """Return False."""
        return False


class TitForTat(_Cooperator):
    """Opens with cooperation, then does what another did last.

    Anatol Rapoport's entry to the tournament of Axelrod (Journal of Conflict Resolution 24(1), 1980). A move
    of this round counts before those of earlier rounds.
    """

    name = "tit_for_tat"

    def cooperates(self, turn: Turn) -> bool:
        """Return whether the last move of another that is known was prosocial, or there was none."""
        return next(_moves_of_others(self, turn, rounds=True), True)


class Reciprocator(_Cooperator):
    """Conditional cooperation within a round: answers in kind, and forgets earlier rounds.

    The responder type of Clark & Sefton (Economic Journal 111, 2001) in the sequential prisoner's dilemma; as
    first mover it cooperates.
    """

    name = "reciprocator"

    def cooperates(self, turn: Turn) -> bool:
        """Return whether the last move of another in this round was prosocial, or there was none."""
        return next(_moves_of_others(self, turn, rounds=False), True)


class Grim(_Cooperator):
    """Cooperates until another has defected once, then never again.

    The trigger strategy of Friedman (Review of Economic Studies 38(1), 1971).
    """

    name = "grim"

    def cooperates(self, turn: Turn) -> bool:
        """Return whether all moves of others that are known were prosocial."""
        return all(_moves_of_others(self, turn, rounds=True))


def _moves_of_others(policy: Policy, turn: Turn, *, rounds: bool) -> Iterator[bool]:
    """Yield whether each known move of another was prosocial, the latest first; with `rounds` over all
    rounds.
    """
    played = [(turn.role, turn.known)]
    if rounds:
        played += [(seen.role, seen.path) for seen in reversed(turn.past)]
    for own, path in played:
        for step in reversed(path):
            if step.role is not None and step.role != own and _is_deed(turn, step):
                yield _was_prosocial(policy, turn, step)


def _is_deed(turn: Turn, step: Step) -> bool:
    """Return whether a step is one of the game itself, and none that a mechanism adds, such as a message."""
    game = _own_game(turn)
    return game is turn.game or (
        isinstance(game, StrategicGame) and node_in_game(game, step.label) != step.label
    )


def _was_prosocial(policy: Policy, turn: Turn, step: Step) -> bool:
    # Where all move at once, the steps of a finished round name every player by a role of its own.
    game = _own_game(turn)
    node = node_in_game(game, step.label) if isinstance(game, StrategicGame) else step.label
    return step.option == _prosocial(policy, turn, node)


def _options(policy: Policy, turn: Turn) -> tuple[str, list[str]]:
    """Return the option that cooperates at a turn, and the others."""
    game = turn.game
    if not isinstance(game, StageGame) or game.base is None:
        good = _prosocial(policy, turn, turn.node)
        return good, [option.name for option in turn.options if option.name != good]
    base = game.base
    role = base.seats[seat_roles(base).index(turn.role)] if turn.role not in base.roles else turn.role
    good = _prosocial(policy, turn, base.node(role))
    bad = tuple(name for name in base.finite[role].names if name != good)
    chosen, others = (good, bad) if game.staged is None else game.staged.rule(game.stage, good, bad)
    return chosen, list(others)


def _own_game(turn: Turn) -> object:
    """Return the game of a turn; of one with a mechanism, the game that it is around."""
    return turn.game.base if isinstance(turn.game, StageGame) and turn.game.base else turn.game


def _prosocial(policy: Policy, turn: Turn, node: str) -> str:
    game = _own_game(turn)
    family = family_of(game) if isinstance(game, GameTree | StrategicGame) else None
    if family is None or node not in family.prosocial:
        raise UsageError(
            f"{policy.name} needs to know what cooperation is at {node!r}, and {turn.game.name!r} is no "
            "family of games that says so: register one with `prosocial` at every node, or use another one."
        )
    return family.prosocial[node]
