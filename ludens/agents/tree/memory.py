"""What a policy remembers of finished rounds, so that histories that it cannot tell apart count as one.

The classic rules look at little of the past, so that a long repeated game against one of them has few states
(finite automata after Rubinstein, Journal of Economic Theory 39(1), 1986). Of a policy of another class it is
not known how far back it looks, and its whole past is kept.
"""

from __future__ import annotations

from ludens.agents.policy import Policy
from ludens.agents.random import RandomPolicy
from ludens.agents.tree.oracle import OraclePolicy, OutcomeOraclePolicy, QuantalPolicy
from ludens.agents.tree.scripted import (
    AlwaysCooperate,
    AlwaysDefect,
    Grim,
    Reciprocator,
    TitForTat,
)
from ludens.envs import GameTree, PastRound, family_of

Past = tuple[PastRound, ...]

_FORGETFUL: tuple[type[Policy], ...] = (
    RandomPolicy,
    AlwaysCooperate,
    AlwaysDefect,
    Reciprocator,
    OraclePolicy,
    QuantalPolicy,
    OutcomeOraclePolicy,
)


def remembered(policy: Policy, game: GameTree, past: Past) -> Past:
    """Return the shortest part of the past on which the policy decides as it does on all of it.

    Only classes whose rule is known are shortened, not their subclasses: those may look at more.

    Args:
        policy: whose turns they are.
        game: the rules.
        past: the finished rounds as the policy's seat saw them, oldest first.
    """
    kind = type(policy)
    if kind in _FORGETFUL:
        return ()
    if kind is TitForTat:
        # Rounds in which nobody else moved do not change what it answers.
        seen = next((seen for seen in reversed(past) if _moves_of_others(seen)), None)
        return () if seen is None else (seen,)
    family = family_of(game)
    if kind is Grim and family is not None:
        for seen in past:
            if any(family.prosocial.get(label) != option for label, option in _moves_of_others(seen)):
                return (seen,)
        return ()
    return past


def _moves_of_others(seen: PastRound) -> list[tuple[str, str]]:
    return [(step.label, step.option) for step in seen.path if step.role not in (None, seen.role)]
