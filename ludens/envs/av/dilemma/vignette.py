"""One dilemma of an autonomous vehicle as data: who is in the car, who is in its way, what is asked.

A vehicle with m passengers cannot stop for n pedestrians. If it stays on course, each pedestrian dies with
probability c; if it swerves, each passenger does. The *utilitarian* program costs fewer lives, the
*self-protective* one stays on course. After Bonnefon, Shariff & Rahwan (Science 352, 2016); the design
variables are theirs, the names and ranges ours.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from ludens.checks import check_choice, check_count, entries
from ludens.errors import UsageError

Perspective = Literal["passenger", "pedestrian", "bystander", "programmer", "regulator"]

WHERE = "A vignette"
SELF = "self"
PERSPECTIVES = ("passenger", "pedestrian", "bystander", "programmer", "regulator")
PASSENGERS = (SELF, "co-worker", "family member", "child", "stranger")
FAMILY = ("family member", "child")
"""Passengers on whom a family weight lies: a child in the car is the respondent's own."""
DEFAULTS = ("stay", "swerve")
REGIMES = ("none", "utilitarian", "protective")
PROGRAMS = ("utilitarian", "protective")
DECIDERS = ("algorithm", "driver")
QUESTIONS = (
    "act",
    "morality",
    "purchase",
    "law",
    "allocate_morality",
    "allocate_comfort",
    "allocate_purchase",
)
ALLOCATIONS = tuple(question for question in QUESTIONS if question.startswith("allocate"))
GROUPS = ("passengers", "pedestrians")
"""Whose lives are at stake."""
MOST = 100
"""The most pedestrians, and the highest point of a scale."""
MOST_PASSENGERS = 5


@dataclass(frozen=True)
class Vignette:
    """A dilemma and the question about it.

    Args:
        pedestrians: n, from 1 to 100.
        passengers: the kinds of the m passengers, 1 to 5 of them, from `PASSENGERS`; ``"self"`` is among them
            if and only if the perspective is the passenger's.
        perspective: whose position the respondent takes.
        default: what the car does if nobody decides otherwise.
        certainty: c in (0, 1], the probability that a person who is hit dies.
        regime: the program that the law requires of all cars, or ``"none"``.
        question: ``"act"`` (stay or swerve), ``"morality"``, ``"purchase"`` (rate `program`), ``"law"`` (rate
            whether the law should require `program`), or one of the allocations of 100 points over the two
            programs: by morality, by comfort with others having it, by the wish to buy it.
        program: the program that a rating is about.
        decider: who does what is rated: the car's algorithm or a human driver.

    Raises:
        UsageError: a value is none of these, or they do not go together.
    """

    pedestrians: int = 10
    passengers: tuple[str, ...] = (SELF,)
    perspective: str = "passenger"
    default: str = "stay"
    certainty: float = 1.0
    regime: str = "none"
    question: str = "act"
    program: str = "utilitarian"
    decider: str = "algorithm"

    def __post_init__(self) -> None:
        number = check_count(WHERE, "pedestrians", self.pedestrians)
        if number > MOST:
            raise UsageError(f"{WHERE} got pedestrians={number}; there are 1 to {MOST}.")
        given = as_company(self.passengers)
        for kind in given:
            check_choice(WHERE, "passengers", kind, PASSENGERS)
        if not 1 <= len(given) <= MOST_PASSENGERS or given.count(SELF) > 1:
            raise UsageError(
                f"{WHERE} got passengers={given!r}; name 1 to {MOST_PASSENGERS} of them, 'self' at most once."
            )
        for name, choices in (
            ("perspective", PERSPECTIVES),
            ("default", DEFAULTS),
            ("regime", REGIMES),
            ("question", QUESTIONS),
            ("program", PROGRAMS),
            ("decider", DECIDERS),
        ):
            check_choice(WHERE, name, getattr(self, name), choices)
        if (SELF in given) != (self.perspective == "passenger"):
            raise UsageError(
                f"{WHERE} got passengers={given!r} from the perspective {self.perspective!r}: 'self' is "
                "in the car exactly where one looks through a passenger's eyes (seen_from() puts a stranger "
                "there)."
            )
        try:
            share = float(self.certainty)
        except (TypeError, ValueError):
            share = math.nan
        if isinstance(self.certainty, bool) or not 0 < share <= 1:
            raise UsageError(f"{WHERE} got certainty={self.certainty!r}; it must lie above 0 and at most 1.")
        object.__setattr__(self, "passengers", given)
        object.__setattr__(self, "pedestrians", number)
        object.__setattr__(self, "certainty", share)

    @property
    def riders(self) -> int:
        """m, the number of passengers."""
        return len(self.passengers)

    @property
    def relatives(self) -> int:
        """How many of the passengers are the respondent's family."""
        return sum(kind in FAMILY for kind in self.passengers)

    @property
    def company(self) -> str:
        """Who is in the car beside the respondent (or the stranger in its place), for tables."""
        others = [kind for kind in self.passengers if kind != SELF]
        if self.perspective != "passenger":
            others = list(self.passengers)
            if "stranger" in others:
                others.remove("stranger")
        return " and ".join(others) or "alone"

    @property
    def answers(self) -> int:
        """How many answers there are: 2 to stay or swerve, 101 points of a scale else."""
        return 2 if self.question == "act" else MOST + 1

    @property
    def scale(self) -> Literal["rating", "allocation"] | None:
        """``"rating"`` or ``"allocation"`` where the answer is a number of points; None for an act."""
        if self.question == "act":
            return None
        return "allocation" if self.question in ALLOCATIONS else "rating"

    @property
    def parameters(self) -> dict[str, float]:
        """The numbers, by name."""
        return {
            "pedestrians": float(self.pedestrians),
            "passengers": float(self.riders),
            "certainty": self.certainty,
        }

    def seen_from(self, perspective: str) -> Vignette:
        """Return the same dilemma from another perspective.

        A stranger takes the respondent's seat when the respondent is not in the car.
        """
        if perspective == self.perspective:
            return self
        others = list(self.passengers)
        if self.perspective == "passenger":
            others[others.index(SELF)] = "stranger"
        elif perspective == "passenger":
            others[others.index("stranger") if "stranger" in others else 0] = SELF
        return replace(self, perspective=perspective, passengers=tuple(others))

    def swerving(self, action: int) -> float:
        """Return the probability of swerving that an answer stands for (ours).

        It is 1 or 0 for an act; r/100 for a rating of the utilitarian program and for points given to it; 1 −
        r/100 for a rating of the protective one.
        """
        if self.question == "act":
            return float(action)
        share = action / MOST
        about_protection = self.program == "protective" and self.question not in ALLOCATIONS
        return 1.0 - share if about_protection else share

    def deaths(self, swerving: float) -> dict[str, float]:
        """Return expected deaths by group if the car swerves with this probability."""
        inside = self.certainty * self.riders * swerving
        outside = self.certainty * self.pedestrians * (1.0 - swerving)
        return dict(zip(GROUPS, (inside, outside), strict=True))

    def survival(self, swerving: float) -> float:
        """Return the respondent's own probability of surviving; 1 for those who are not on the road."""
        if self.perspective == "passenger":
            return 1.0 - self.certainty * swerving
        if self.perspective == "pedestrian":
            return 1.0 - self.certainty * (1.0 - swerving)
        return 1.0

    def describe(self) -> dict[str, Any]:
        """Return JSON values from which an equal vignette can be made."""
        return asdict(self) | {"passengers": list(self.passengers)}


def as_vignette(given: Vignette | dict[str, Any]) -> Vignette:
    """Return a vignette from itself or from the result of `Vignette.describe`."""
    if isinstance(given, Vignette):
        return given
    return Vignette(**given | {"passengers": tuple(given.get("passengers", (SELF,)))})


def as_company(value: str | Sequence[str]) -> tuple[str, ...]:
    """Return passengers as a tuple; a single one may be given as a text.

    Raises:
        UsageError: they are neither.
    """
    given = [value] if isinstance(value, str) else entries(value)
    if given is None:
        raise UsageError(f"{WHERE} got passengers={value!r}; name them, as in ('self', 'co-worker').")
    return tuple(given)
