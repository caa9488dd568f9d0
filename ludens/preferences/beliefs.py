"""Beliefs: what an agent attributes to the others, as a strategy vector.

A fixed belief is any strategy (`ludens.envs.strategy` makes one from names).
"""

from __future__ import annotations

import math
import numbers
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ludens.envs import AnyGame, Strategy, check_strategy, strategy, uniform_strategy
from ludens.errors import UsageError
from ludens.preferences.equilibrium import symmetric_equilibria
from ludens.preferences.oracle import plan
from ludens.preferences.preference import Preferences

Belief = str | Mapping[str, Any] | Sequence[float] | NDArray[np.float64]
"""A belief as users write it: ``"uniform"``, ``"equilibrium"``, a plan by names, or a strategy vector."""


class BeliefError(UsageError):
    """Raised when no belief can be formed from the arguments."""


def uniform_belief(game: AnyGame) -> Strategy:
    """Return the belief that others choose every option of an information set equally often; shape
    (width,).
    """
    return uniform_strategy(game)


def equilibrium_belief(game: AnyGame, preferences: Preferences) -> Strategy:
    """Return the belief that others share these preferences and play the unique symmetric equilibrium.

    With κ = 0 and perfect information this is the subgame-perfect equilibrium; otherwise it is the
    equilibrium that survives small trembles (see `symmetric_equilibria`). Shape (width,).

    Raises:
        BeliefError: there is no such equilibrium, or there are several; the message lists them.
    """
    found = symmetric_equilibria(game, preferences)
    if len(found) == 1:
        belief: Strategy = found[0]
        return belief
    count = f"{game!r} has {len(found) or 'no'} symmetric pure equilibria for {preferences.name}"
    if not len(found):
        raise BeliefError(
            f"{count} that survive small trembles; give another belief, for example a uniform one."
        )
    listed = " | ".join(
        ", ".join(f"{node}: {option}" for node, option in plan(game, row).items()) for row in found[:4]
    )
    more = " | …" if len(found) > 4 else ""
    raise BeliefError(
        f"{count} ({listed}{more}); pass one row of symmetric_equilibria(game, preferences) as the belief."
    )


def observed_belief(
    game: AnyGame, counts: Mapping[str, Mapping[str, float]] | ArrayLike, *, prior: float = 0.0
) -> Strategy:
    """Return the belief that others choose each option as often as it was observed.

    Args:
        game: the rules.
        counts: observations or frequencies, either by name of information set and option (an option that is
            left out was never chosen) or as a vector of shape (..., width).
        prior: pseudo-observations added to every option (1 is Laplace's rule). Without it every information
            set needs an observation.

    Returns:
        Shares per information set, in the shape of a strategy (..., width).

    Raises:
        BeliefError: a count is not a number, is negative or not finite, or an information set was never
            observed and no prior is given.
        GameError: a name does not exist in the game.
    """
    if not isinstance(prior, numbers.Real) or not 0 <= prior < math.inf:
        raise BeliefError(f"The prior of an observed belief is a number of at least 0; got {prior!r}.")
    try:
        table = _counts(game, counts)
    except (TypeError, ValueError) as error:
        if isinstance(error, UsageError):
            raise
        raise BeliefError(f"Counts for {game!r} are numbers, by names or a vector; got {counts!r}.") from None
    if not np.all(np.isfinite(table)) or np.any(table < 0):
        raise BeliefError(f"Counts for {game!r} must be finite and not negative; got {counts!r}.")
    table = table + prior
    for node in game.information_sets:
        part = table[..., node.columns]
        total = part.sum(axis=-1, keepdims=True)
        if np.any(total == 0):
            raise BeliefError(
                f"Nobody was observed at {node.label!r} of {game!r}; give a prior, or counts for it."
            )
        table[..., node.columns] = part / total
    return check_strategy(game, table)


def elicited_belief(
    game: AnyGame, answers: Mapping[str, str | float | Mapping[str, float] | Sequence[float]]
) -> Strategy:
    """Return the belief that an agent stated; shape (width,).

    Each information set has a probability for every option, by name or in the game's order; with two options
    the probability of the first is enough.

    Raises:
        GameError: an information set is missing or unknown, an option is unknown, or the answers do not form
            a distribution.
        BeliefError: a list does not have one number per option.
    """
    named: dict[str, str | float | Mapping[str, float]] = {}
    for label, answer in answers.items():
        if isinstance(answer, str | Mapping) or np.ndim(answer) == 0:
            named[label] = answer  # type: ignore[assignment]  # a sequence has one dimension
            continue
        options = game.information_set(label).options
        shares = list(answer)  # type: ignore[arg-type]  # what is left is a sequence
        if len(shares) != len(options):
            raise BeliefError(
                f"A belief at {label!r} of {game!r} needs {len(options)} numbers; got {shares}."
            )
        named[label] = dict(zip(options, shares, strict=True))
    return strategy(game, named)


def resolve_belief(game: AnyGame, preferences: Preferences, belief: Belief) -> Strategy:
    """Return the strategy vector that a description of a belief means in this game.

    Raises:
        BeliefError: the word is unknown, or ``"equilibrium"`` is not unique.
        GameError: the plan or vector is not a strategy of the game.
    """
    if isinstance(belief, str):
        if belief == "uniform":
            return uniform_belief(game)
        if belief == "equilibrium":
            return equilibrium_belief(game, preferences)
        raise BeliefError(
            f"There is no belief {belief!r}; give 'uniform', 'equilibrium', a plan by names or a vector."
        )
    if isinstance(belief, Mapping):
        return elicited_belief(game, belief)
    return check_strategy(game, belief)


def _counts(game: AnyGame, counts: Mapping[str, Mapping[str, float]] | ArrayLike) -> NDArray[np.float64]:
    if not isinstance(counts, Mapping):
        table = np.array(counts, dtype=np.float64)
        if table.ndim == 0 or table.shape[-1] != game.width:
            raise BeliefError(
                f"Counts for {game!r} have {game.width} entries in their last axis; got shape {table.shape}."
            )
        return table
    table = np.zeros(game.width)
    for label, row in counts.items():
        node = game.information_set(label)
        unknown = set(row) - set(node.options)
        if unknown:
            raise BeliefError(
                f"{game!r} offers no {min(unknown, key=str)!r} at {label!r}, only {', '.join(node.options)}."
            )
        table[node.columns] = [row.get(option, 0.0) for option in node.options]
    return table
