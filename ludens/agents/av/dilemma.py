"""The policy that answers dilemmas and scenarios by preferences, and rates programs by them."""

from __future__ import annotations

from typing import Any, Literal, get_args

import numpy as np

from ludens.agents.policy import Decision, Policy, draw
from ludens.envs import Turn
from ludens.envs.av.dilemma.vignette import Vignette
from ludens.envs.av.moral_machine.env import MoralScenario
from ludens.errors import UsageError
from ludens.preferences.av.dilemma import DilemmaPreferences
from ludens.preferences.av.moral import sparing_worth
from ludens.preferences.av.ratings import SCALE, RatingMap, Shape, difference, rating

Act = Literal["best", "logit"]

HEADS = {"moralis": "homo_moralis", "altruist": "altruist", "utilitarian": "utilitarian"}


class DilemmaOraclePolicy(Policy):
    """The answers that follow from preferences: to vignettes by what swerving is worth, to scenarios of the
    Moral Machine by what it is worth to spare one group (`ludens.preferences.av.moral`).

    Args:
        preferences: the preferences.
        scale, shape: the map from utility differences to points, see `RatingMap`.
        act: ``"best"`` takes the better of stay and swerve (each with one half where they are as good);
            ``"logit"`` swerves with the probability that the map gives.

    Raises:
        UsageError: a setting is out of its range.
    """

    def __init__(
        self,
        preferences: DilemmaPreferences,
        *,
        scale: float = SCALE,
        shape: Shape = "logistic",
        act: Act = "best",
    ) -> None:
        if act not in get_args(Act):
            raise UsageError(f"A policy acts by {' or by '.join(get_args(Act))}; got {act!r}.")
        self.preferences = preferences
        self.map = RatingMap(shape, scale)
        self.act_by = act
        self.name = preferences.name + ("" if act == "best" else f" logit λ={self.map.scale:g}")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, DilemmaOraclePolicy) and self.describe() == other.describe()

    def __hash__(self) -> int:
        return hash((self.preferences, self.map, self.act_by))

    def decide(self, turn: Turn, rng: np.random.Generator) -> Decision:
        """Answer the question; the probabilities of an act are exact, a rating is a whole number of points.

        Raises:
            UsageError: the turn asks neither about a vignette nor about a scenario.
        """
        if isinstance(turn.game, MoralScenario):
            return self._spared(turn, turn.game, rng)
        vignette = vignette_of(turn, self.name)
        gain = difference(vignette, self.preferences)
        reason = f"Swerving is worth {gain:+.3f} of a life to me here"
        if vignette.question == "act":
            chance = RatingMap("step")(gain) if self.act_by == "best" else self.map(gain)
            return draw([1 - chance, chance], turn, rng, provenance="exact", reasoning=f"{reason}.")
        points = round(rating(vignette, self.preferences, self.map))
        return Decision(
            turn.options[points].action, provenance="exact", reasoning=f"{reason}: {points} points."
        )

    def _spared(self, turn: Turn, game: MoralScenario, rng: np.random.Generator) -> Decision:
        first, second = game.groups
        gain = sparing_worth(
            (first.humans, second.humans),
            (first.passengers, second.passengers),
            self.preferences,
            {"first": 0, "second": 1}.get(turn.role),
        )
        chance = RatingMap("step")(gain) if self.act_by == "best" else self.map(gain)
        reason = f"Sparing the first group is worth {gain:+.3f} of a life to me."
        return draw([chance, 1 - chance], turn, rng, provenance="exact", reasoning=reason)

    def describe(self) -> dict[str, Any]:
        """Return JSON values from which an equal policy can be made."""
        wants = self.preferences
        numbers: dict[str, Any] = {"family": wants.family}
        if wants.kind == "moralis":
            numbers |= {"kappa": wants.kappa, "universalisation": wants.universalisation}
        if wants.kind == "altruist":
            numbers |= {"altruism": wants.altruism}
        shown = {"scale": self.map.scale, "shape": self.map.shape, "act": self.act_by}
        return self._described(spec=HEADS[wants.kind], **numbers, **shown)


def vignette_of(turn: Turn, name: str) -> Vignette:
    """Return the vignette that a turn asks about.

    Raises:
        UsageError: it asks about something else.
    """
    vignette = turn.facts.get("vignette")
    if not isinstance(vignette, Vignette):
        raise UsageError(f"{name} answers vignettes of ludens/av_dilemma-v0; {turn.environment} has none.")
    return vignette
