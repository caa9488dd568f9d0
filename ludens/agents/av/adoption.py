"""Choosers of a car program in the adoption game, and their names.

====================================  ================================================================
specification                         policy
====================================  ================================================================
``adopter:kappa=0.5``                 `AdoptionOraclePolicy`; further ``altruism=``, ``reading=``, ``noise=``
``homo_economicus``                   the same with κ = 0
``homo_moralis:0.5``                  the same with that κ
``altruist:0.3``                      κ = 0 and weight 0.3 on each other life
``utilitarian``                       the same with weight 1: all lives count alike
``always:utilitarian``                `FixedProgramPolicy`; or ``always:self-protective``
``random``                            `ludens.agents.RandomPolicy`
anything with a ``/``                 `ludens.agents.LLMPolicy` of that LiteLLM model id
====================================  ================================================================
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ludens.agents.policy import Decision, Policy, draw
from ludens.agents.specs import Specifications, language_model, unfold
from ludens.agents.tree.scripted import RandomPolicy
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
    """Chooses the program that is better for its preferences, or by a logit with noise.

    What others drive matters to it only where there are economies of scale; it then expects the shares of
    the last round, and before the first one `expected`.

    Args:
        preferences: κ, the weight on others' lives, and the reading.
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
            raise UsageError(f"The share that an adopter expects lies in [0, 1]; got {expected!r}.")
        self.preferences = preferences
        self.noise, self.expected = float(noise), float(expected)
        self.name = preferences.name + (f" λ={noise:g}" if noise else "")

    def decide(self, turn: Turn, rng: np.random.Generator) -> Decision:
        """Draw a program from the exact probabilities.

        Raises:
            UsageError: the turn's game is no adoption game.
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
            reading=wanted.reading,
            period=period,
        )
        chance = float(adoption_probabilities(gain, self.noise))
        worth = adoption_utilities(game, wanted, share, period=period)
        told = " and ".join(f"{value:.6g} as {name}" for value, name in zip(worth, PROGRAMS, strict=True))
        reasoning = f"To me a round is worth {told}; I choose utilitarian with probability {chance:.2f}."
        return draw([chance, 1 - chance], turn, rng, provenance="exact", reasoning=reasoning)

    def describe(self) -> dict[str, Any]:
        """JSON values from which an equal policy can be made."""
        wanted = self.preferences
        settings = {
            "kappa": wanted.kappa,
            "altruism": wanted.altruism,
            "reading": wanted.reading,
            "noise": self.noise,
            "expected": self.expected,
        }
        return {**super().describe(), "spec": "adopter", **settings}

    def __eq__(self, other: object) -> bool:
        return isinstance(other, AdoptionOraclePolicy) and self.describe() == other.describe()

    def __hash__(self) -> int:
        return hash((self.preferences, self.noise, self.expected))


class FixedProgramPolicy(Policy):
    """One program for ever; the one that the law leaves where it forbids it.

    Raises:
        UsageError: there is no such program.
    """

    def __init__(self, program: str) -> None:
        if program not in PROGRAMS:
            raise UsageError(f"A program is {' or '.join(PROGRAMS)}; got {program!r}.")
        self.program = program
        self.name = f"always:{program}"

    def decide(self, turn: Turn, rng: np.random.Generator) -> Decision:
        """Take it.

        Raises:
            UsageError: the turn's game is no adoption game.
        """
        adoption_game(turn, self.name)
        shares = [float(option.name == self.program) for option in turn.options]
        return draw(shares if any(shares) else [1.0], turn, rng, provenance="exact")

    def describe(self) -> dict[str, Any]:
        """JSON values from which an equal policy can be made."""
        return {**super().describe(), "spec": self.name}

    def __eq__(self, other: object) -> bool:
        return isinstance(other, FixedProgramPolicy) and self.program == other.program

    def __hash__(self) -> int:
        return hash((FixedProgramPolicy, self.program))


def adoption_game(turn: Turn, name: str) -> AdoptionGame:
    """The turn's game, if it is the adoption game.

    Raises:
        UsageError: it is not.
    """
    if not isinstance(turn.game, AdoptionGame):
        raise UsageError(
            f"{name} chooses car programs, and {turn.environment} has none: seat it in ludens/av_adoption-v0."
        )
    return turn.game


def adopter_names() -> list[str]:
    """The specifications that need no model, with an example's numbers where they take some."""
    return [
        "homo_economicus", "homo_moralis:0.5", "altruist:0.3", "utilitarian",
        "adopter:kappa=0.5,reading=passenger,noise=0.01", "always:utilitarian", "always:self-protective",
        "random",
    ]  # fmt: skip


_CHOOSERS = Specifications("chooser", adopter_names)


def make_adopter(spec: str | Mapping[str, Any] | Policy, **defaults: Any) -> Policy:
    """The chooser that a specification names.

    Args:
        spec: a name as in the table above; or a mapping with that under ``"spec"`` and further settings
            beside it. What `Policy.describe` returns is such a mapping. A policy is returned as it is.
        defaults: settings of a language model that the specification does not set itself.

    Raises:
        UsageError: there is no such chooser, or a setting is unknown or out of its range.
    """
    if isinstance(spec, Policy):
        return spec
    name, settings = unfold(spec)
    if not isinstance(name, str):
        raise UsageError(f"A chooser is named by a text; got {spec!r}; there are {_CHOOSERS.known}.")
    name = name.strip()
    if "/" in name:
        return language_model(name, defaults | settings)
    head, _, tail = name.partition(":")
    if name == "random":
        return _CHOOSERS.make(RandomPolicy, name, settings)
    if head == "always":
        return _CHOOSERS.make(FixedProgramPolicy, name, {"program": tail.strip(), **settings})
    fixed, first = _HEADS.get(head, ({}, None))
    if head not in _HEADS or (head == "utilitarian" and tail):
        raise UsageError(f"There is no chooser {name!r}; there are {_CHOOSERS.known}.")
    told = _CHOOSERS.parse(name, tail, first, words=("reading",))
    if head in {"homo_moralis", "altruist"} and first not in {*told, *settings}:
        raise UsageError(f"The chooser {head!r} needs its weight: write {head}:0.5, for example.")
    return _CHOOSERS.make(_adopter, name, {**fixed, **told, **settings})


# What a head sets, and the setting that a bare value after the colon stands for.
_HEADS: Mapping[str, tuple[Mapping[str, float], str | None]] = {
    "adopter": ({}, "kappa"),
    "homo_economicus": ({"kappa": 0.0}, None),
    "homo_moralis": ({}, "kappa"),
    "altruist": ({}, "altruism"),
    "utilitarian": ({"altruism": 1.0}, None),
}


def _adopter(
    kappa: float = 0.0,
    altruism: float = 0.0,
    reading: Any = "veil",
    noise: float = 0.0,
    expected: float = 0.0,
) -> Policy:
    return AdoptionOraclePolicy(AdoptionPreferences(kappa, altruism, reading), noise=noise, expected=expected)
