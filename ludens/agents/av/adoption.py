"""Policies that choose a car program in the adoption game: by preferences, or always the same one."""

from __future__ import annotations

from typing import Any

import numpy as np

from ludens.agents.policy import Decision, Policy, draw
from ludens.envs import Turn
from ludens.envs.av.adoption.game import PROGRAMS, AdoptionGame
from ludens.errors import UsageError
from ludens.preferences.av.adoption import (
    AdoptionPreferences,
    adoption_gains,
    adoption_probabilities,
    adoption_utilities,
)


class AdoptionOraclePolicy(Policy):
    """The choice of the program that is better for given preferences, or a logit with noise.

    What others drive matters only where there are economies of scale; the policy then expects the share of
    the last round, and before the first one `expected`.

    Args:
        preferences: κ, the weight on others' lives, and the universalisation.
        noise: λ ≥ 0 in units of the own life's value per round; 0 chooses the better program.
        expected: the share of utilitarian cars among the others before the first round, in [0, 1].

    Raises:
        UsageError: an argument is out of its range.
    """

    def __init__(
        self, preferences: AdoptionPreferences, *, noise: float = 0.0, expected: float = 0.0
    ) -> None:
        if not isinstance(preferences, AdoptionPreferences):
            raise UsageError(f"AdoptionOraclePolicy needs AdoptionPreferences; got {preferences!r}.")
        adoption_probabilities(0.0, noise)  # checks the noise
        if isinstance(expected, bool | str) or not 0 <= expected <= 1:
            raise UsageError(f"The expected share of utilitarian cars lies in [0, 1]; got {expected!r}.")
        self.preferences = preferences
        self.noise, self.expected = float(noise), float(expected)
        self.name = preferences.name + (f" λ={noise:g}" if noise else "")

    def decide(self, turn: Turn, rng: np.random.Generator) -> Decision:
        """Draw a program from the exact probabilities.

        Raises:
            UsageError: the turn's game is not an adoption game.
        """
        game, wanted = adoption_game(turn, self.name), self.preferences
        others = turn.facts["others"]
        share, period = (others[-1] if others else self.expected), int(turn.facts["period"])
        if len(turn.options) == 1:
            reasoning = f"The law leaves the {turn.options[0].name} program alone."
            return draw([1.0], turn, rng, provenance="exact", reasoning=reasoning)
        gain = adoption_gains(
            game,
            wanted.kappa,
            share,
            altruism=wanted.altruism,
            universalisation=wanted.universalisation,
            period=period,
        )
        chance = float(adoption_probabilities(gain, self.noise))
        worth = adoption_utilities(game, wanted, share, period=period)
        worths = " and ".join(f"{value:.6g} as {name}" for value, name in zip(worth, PROGRAMS, strict=True))
        reasoning = f"To me a round is worth {worths}; I choose utilitarian with probability {chance:.2f}."
        return draw([chance, 1 - chance], turn, rng, provenance="exact", reasoning=reasoning)

    def describe(self) -> dict[str, Any]:
        """Return JSON values from which an equal policy can be made."""
        wanted = self.preferences
        settings = {
            "kappa": wanted.kappa,
            "altruism": wanted.altruism,
            "universalisation": wanted.universalisation,
            "expected": self.expected,
        }
        if not self.noise:
            return self._described(spec="oracle", **settings)
        return self._described(spec="quantal", **settings, noise=self.noise)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, AdoptionOraclePolicy) and self.describe() == other.describe()

    def __hash__(self) -> int:
        return hash((self.preferences, self.noise, self.expected))


class FixedProgramPolicy(Policy):
    """Always the same program; where the law forbids it, the one that the law leaves.

    Args:
        program: ``"utilitarian"`` or ``"self-protective"``.

    Raises:
        UsageError: there is no such program.
    """

    def __init__(self, program: str) -> None:
        if program not in PROGRAMS:
            raise UsageError(f"A program is {' or '.join(PROGRAMS)}; got {program!r}.")
        self.program = program
        self.name = f"always:{program}"

    def decide(self, turn: Turn, rng: np.random.Generator) -> Decision:
        """Take the program.

        Raises:
            UsageError: the turn's game is not an adoption game.
        """
        adoption_game(turn, self.name)
        shares = [float(option.name == self.program) for option in turn.options]
        return draw(shares if any(shares) else [1.0], turn, rng, provenance="exact")

    def describe(self) -> dict[str, Any]:
        """Return JSON values from which an equal policy can be made."""
        return self._described(spec=self.name)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, FixedProgramPolicy) and self.program == other.program

    def __hash__(self) -> int:
        return hash((FixedProgramPolicy, self.program))


def adoption_game(turn: Turn, name: str) -> AdoptionGame:
    """Return the turn's game, if it is the adoption game.

    Raises:
        UsageError: it is not.
    """
    if not isinstance(turn.game, AdoptionGame):
        raise UsageError(
            f"{name} chooses car programs, and {turn.environment} has none: seat it in ludens/av_adoption-v0."
        )
    return turn.game
