"""Preferences of one's own: any utility of outcomes.

A function says what the outcomes of a game are worth to each player; homo moralis' weight κ then works on
these worths as it does on payoffs:

    u(x, ŷ) = (1−κ)·E[v | x, ŷ] + κ·E[v | x, x],     v = felt(payoffs)

which is the utility of `ludens.preferences.utility` in the same tree with v for payoffs, so that the oracle
stays exact.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ludens.envs import AnyGame, ChanceNode, DecisionNode, GameTree, Node, PayoffNode, StrategicGame
from ludens.errors import UsageError

Felt = Callable[..., ArrayLike]
"""From payoffs (leaves, roles), in points, and settings by name to what they are worth to each role, (leaves,
roles)."""


@dataclass(frozen=True)
class OutcomePreferences:
    """A utility of outcomes.

    Args:
        name: for tables and specifications.
        felt: the function.
        settings: its further arguments, by name.

    Raises:
        UsageError: the function cannot be called, takes other settings, or fails.
    """

    name: str
    felt: Felt
    settings: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not callable(self.felt):
            raise UsageError(
                f"The preference {self.name!r} is {self.felt!r}: give a function of payoffs and settings."
            )
        self.worths(np.zeros((1, 2)))

    def __hash__(self) -> int:
        return hash((self.name, tuple(self.settings.items())))

    def worths(self, payoffs: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return what payoffs (leaves, roles) are worth to each role, in the same shape.

        Raises:
            UsageError: the function fails, or returns another shape or a number that is not finite.
        """
        try:
            worths = np.asarray(self.felt(payoffs.copy(), **self.settings), dtype=np.float64)
        except TypeError as error:
            raise UsageError(f"The preference {self.name!r} does not take these settings: {error}.") from None
        except UsageError:
            raise
        except Exception as error:
            raise UsageError(
                f"The preference {self.name!r} fails with the settings {dict(self.settings)} "
                f"({type(error).__name__}: {' '.join(str(error).split())}): mend its function."
            ) from error
        if worths.shape != payoffs.shape or not np.all(np.isfinite(worths)):
            raise UsageError(
                f"The preference {self.name!r} must return finite numbers of shape {payoffs.shape}, one for "
                f"each leaf and role; got shape {worths.shape}."
            )
        return worths

    def game(self, game: AnyGame) -> AnyGame:
        """Return the same game with what outcomes are worth in place of payoffs.

        Raises:
            UsageError: as `worths`.
        """
        if isinstance(game, StrategicGame):
            return replace(game, payoff=partial(_strategic_worths, game, self), own_payoff=None)
        worths = iter(self.worths(np.asarray(game.payoffs)))
        return GameTree(game.name, game.roles, _valued(game.root, worths))


def maximin(weight: float) -> OutcomePreferences:
    """Return preferences with a weight on the smallest payoff of all and the rest on one's own,
    u = (1 − w)·own + w·min (the maximin part of Charness & Rabin, QJE 117(3), 2002; Rawls where w = 1).

    Raises:
        UsageError: the weight lies outside [0, 1].
    """
    number = float(weight)
    if not 0 <= number <= 1:
        raise UsageError(f"The preferences 'maximin' need a weight from 0 to 1; got {weight!r}.")
    return OutcomePreferences("maximin", _maximin, {"weight": number})


def _maximin(payoffs: NDArray[np.float64], weight: float) -> NDArray[np.float64]:
    felt: NDArray[np.float64] = (1 - weight) * payoffs + weight * payoffs.min(axis=1, keepdims=True)
    return felt


def _strategic_worths(
    game: StrategicGame, preferences: OutcomePreferences, profiles: NDArray[np.float64]
) -> NDArray[np.float64]:
    paid = game.payoffs_of(profiles)
    return preferences.worths(paid.reshape(-1, paid.shape[-1])).reshape(paid.shape)


def _valued(node: Node, worths: Iterator[NDArray[np.float64]]) -> Node:
    """Return a tree whose payoffs are taken from the iterator, in the order of the leaves."""
    if isinstance(node, PayoffNode):
        return PayoffNode(tuple(next(worths).tolist()))
    if isinstance(node, ChanceNode):
        branches = {name: (share, _valued(child, worths)) for name, (share, child) in node.branches.items()}
        return ChanceNode(node.label, branches)
    options = {name: _valued(child, worths) for name, child in node.options.items()}
    return DecisionNode(node.label, node.role, options, node.information_set)
