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
from ludens.envs import GameTree, Step, StrategicGame, Turn, family_of
from ludens.envs.strategic.tree_form import node_in_game
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
        good = _prosocial(self, turn)
        if cooperate:
            return good
        others = [option.name for option in turn.options if option.name != good]
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
            if step.role is not None and step.role != own:
                yield _was_prosocial(policy, turn, step)


def _was_prosocial(policy: Policy, turn: Turn, step: Step) -> bool:
    # Where all move at once, the steps of a finished round name every player by a role of its own.
    node = node_in_game(turn.game, step.label) if isinstance(turn.game, StrategicGame) else step.label
    return step.option == _prosocial(policy, turn, node)


def _prosocial(policy: Policy, turn: Turn, node: str | None = None) -> str:
    node = turn.node if node is None else node
    family = family_of(turn.game) if isinstance(turn.game, GameTree | StrategicGame) else None
    if family is None or node not in family.prosocial:
        raise UsageError(
            f"{policy.name} needs to know what cooperation is at {node!r}, and {turn.game.name!r} is no "
            "family of games that says so: register one with `prosocial` at every node, or use another one."
        )
    return family.prosocial[node]
