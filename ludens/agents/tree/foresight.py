"""Policies of limited foresight in games in which all move at once: level-k, cognitive hierarchy, quantal
response equilibrium. See `ludens.preferences.strategic_equilibria`.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ludens.agents.tree.oracle import _PreferencePolicy
from ludens.checks import real_number, whole_number
from ludens.envs import AnyGame, StrategicGame, Turn
from ludens.errors import UsageError
from ludens.preferences import (
    HOMO_ECONOMICUS,
    cognitive_hierarchy,
    homo_moralis,
    level_k,
    quantal_response_equilibrium,
)
from ludens.preferences.grid import solve_game

Floats = NDArray[np.float64]


class _ForesightPolicy(_PreferencePolicy):
    """A strategy that follows from a model of what others think."""

    _head = ""

    def __init__(self, number: float, kappa: float) -> None:
        super().__init__(homo_moralis(kappa) if kappa else HOMO_ECONOMICUS)
        self._number = number
        kantian = f" κ={self.preferences.kappa:g}" if self.preferences.kappa else ""
        self.name = f"{self._called} {number:g}{kantian}"

    @property
    @abstractmethod
    def _called(self) -> str:
        """What the policy is called in tables."""

    @abstractmethod
    def _plays(self, game: StrategicGame) -> tuple[Floats, Floats]:
        """Return the strategy, and the belief to which it is an answer."""

    def describe(self) -> dict[str, Any]:
        """Return JSON values from which an equal policy can be made."""
        return self._described(spec=self._spec())

    def _spec(self) -> str:
        kappa = f",kappa={self.preferences.kappa!r}" if self.preferences.kappa else ""
        return f"{self._head}:{self._number!r}{kappa}"

    def _choose(self, game: AnyGame, belief: Floats) -> tuple[Floats, Floats, Floats]:
        if not isinstance(game, StrategicGame):
            raise UsageError(
                f"{self.name} plays games in which all move at once, and {game!r} is a game tree."
            )
        strategy, others = self._plays(game)
        solution = solve_game(game, self.preferences, others)
        return strategy, solution.strategies, solution.utilities

    def _conclusion(self, turn: Turn, worth: Floats, shares: Floats) -> str:
        listed = ", ".join(
            f"{option.name} {share:.2f}"
            for option, share in zip(turn.options, shares, strict=True)
            if share >= 0.005
        )
        return f"{self.name} chooses with probabilities {listed}"


class LevelKPolicy(_ForesightPolicy):
    """A player of level k, who is optimal against level k − 1; level 0 chooses uniformly.

    Args:
        level: k, a whole number of at least 0.
        kappa: the weight on the universalised payoff.

    Raises:
        UsageError: the level is not a whole number of at least 0, or κ lies outside [0, 1].
    """

    _head, _called = "level_k", "level"

    def __init__(self, level: float, kappa: float = 0.0) -> None:
        number = whole_number(
            int(level)
            if isinstance(level, float) and math.isfinite(level) and level == round(level)
            else level
        )
        if number is None or number < 0:
            raise UsageError(f"A level of reasoning is a whole number of at least 0; got {level!r}.")
        super().__init__(number, kappa)

    def _plays(self, game: StrategicGame) -> tuple[Floats, Floats]:
        level = int(self._number)
        return level_k(game, level, self.preferences), level_k(game, max(0, level - 1), self.preferences)


class CognitiveHierarchyPolicy(_ForesightPolicy):
    """A player drawn from the Poisson cognitive hierarchy, anew for every decision.

    Args:
        tau: the mean level, a finite number of at least 0.
        kappa: the weight on the universalised payoff.

    Raises:
        UsageError: tau is negative or not finite, or κ lies outside [0, 1].
    """

    _head, _called = "cognitive_hierarchy", "cognitive hierarchy τ ="

    def __init__(self, tau: float = 1.5, kappa: float = 0.0) -> None:
        super().__init__(_positive("The mean level tau", tau), kappa)

    def _plays(self, game: StrategicGame) -> tuple[Floats, Floats]:
        strategies, shares = cognitive_hierarchy(game, self._number, self.preferences)
        return shares @ strategies, shares @ strategies


class QuantalResponsePolicy(_ForesightPolicy):
    """A player of the logit quantal response equilibrium.

    Args:
        precision: λ in 1/points, which multiplies utilities; a finite number of at least 0.
        kappa: the weight on the universalised payoff.

    Raises:
        UsageError: the precision is negative or not finite, or κ lies outside [0, 1].
    """

    _head, _called = "qre", "quantal response λ ="

    def __init__(self, precision: float, kappa: float = 0.0) -> None:
        super().__init__(_positive("The precision of a quantal response", precision), kappa)

    def _plays(self, game: StrategicGame) -> tuple[Floats, Floats]:
        found = quantal_response_equilibrium(game, self._number, self.preferences)
        return found, found


def _positive(what: str, value: object) -> float:
    number = real_number(value)
    if number is None or not 0 <= number < np.inf:
        raise UsageError(f"{what} is a finite number of at least 0; got {value!r}.")
    return number
