"""The adoption game: a population chooses which program its autonomous cars run.

n people each have a car, with one of two programs. *Utilitarian*: the car swerves, and its passenger dies in
place of the k pedestrians in its way. *Self-protective*: it stays on course, and the pedestrians die. In
every round a person is with probability c the passenger of a car in such an accident, and with probability
s·k·c one of the pedestrians before a car of somebody drawn from the others; never both in one round. With x
the own program (1 utilitarian, 0 self-protective) and y the share of utilitarian cars among the others, a
round is worth

    π(x, y) = 1 − c·x − s·k·c·(1 − y) − cost(x, y)

the probability of survival minus the cost of the own car: its price and fines, minus ride utility and
subsidies. With a symmetry s below 1, some pedestrians are outsiders who have no car.

The vignette is that of Bonnefon, Shariff & Rahwan, "The social dilemma of autonomous vehicles" (Science 352,
2016); the population game, its parameters and its defaults are ours.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ludens.checks import whole_number
from ludens.errors import UsageError

Floats = NDArray[np.float64]

PROGRAMS = ("utilitarian", "self-protective")
"""The options in the order of their action numbers: under a mandate the first one alone is offered."""

MOST_PEOPLE = 10_000

LARGEST = 1e30
"""Neither sums of such numbers nor float32, which observations are made of, overflow."""


@dataclass(frozen=True)
class Regulation:
    """The law on programs.

    Attributes:
        mandate: whether cars chosen from `period` on must be utilitarian.
        fine: per round for having a self-protective car, at least 0.
        subsidy: per round for having a utilitarian car, at least 0, paid from outside the population.
        period: the first period in which the law holds, from 0.
        until: the first period in which it no longer holds; None for never.

    Raises:
        UsageError: a number is out of its range.
    """

    mandate: bool = False
    fine: float = 0.0
    subsidy: float = 0.0
    period: int = 0
    until: int | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.mandate, bool):
            raise UsageError(f"A regulation's mandate is True or False; got {self.mandate!r}.")
        for name in ("fine", "subsidy"):
            object.__setattr__(self, name, _number("A regulation's", name, getattr(self, name), least=0.0))
        start = whole_number(self.period)
        if start is None or start < 0:
            raise UsageError(f"A regulation's period is a whole number of at least 0; got {self.period!r}.")
        object.__setattr__(self, "period", start)
        if self.until is not None:
            end = whole_number(self.until)
            if end is None or end <= start:
                raise UsageError(
                    f"A regulation's until is a whole number above its period {start}, or None; got"
                    f" {self.until!r}."
                )
            object.__setattr__(self, "until", end)

    def active(self, period: int) -> bool:
        """Return whether it applies in that period."""
        return self.period <= period and (self.until is None or period < self.until)


class Deaths(NamedTuple):
    """Lives lost in a round, by group, each of any shape.

    Attributes:
        passengers: in utilitarian cars.
        pedestrians: of the population, before self-protective cars.
        outsiders: pedestrians who have no car.
    """

    passengers: Floats
    pedestrians: Floats
    outsiders: Floats


@dataclass(frozen=True)
class AdoptionGame:
    """The rules, immutable. Money is in units of the value of the own life, per round of use.

    Attributes:
        people: n, from 2 to 10,000.
        pedestrians: k, in the way of a car, from 1 to n − 1; None for 4, or n − 1 where there are fewer.
        accident: c, the probability that a person is the passenger of a car in an accident in a round, above
            0; at most floor(n/(k + 1))/n, since people meet at most one accident per round.
        symmetry: s in [0, 1], the probability that a pedestrian is one of the population.
        price_utilitarian, price_protective: of a car, any sign.
        ride_utilitarian, ride_protective: the utility of riding in it.
        economies: g ≥ 0; a utilitarian car is cheaper by g times the share of them among others' cars. With
            g = 0 the best choice does not depend on what others choose.
        regulation: or the attributes of one; None for no law.

    Raises:
        UsageError: a number is out of its range.
    """

    people: int = 10
    pedestrians: int | None = None
    accident: float = 0.05
    symmetry: float = 1.0
    price_utilitarian: float = 0.0
    price_protective: float = 0.0
    ride_utilitarian: float = 0.0
    ride_protective: float = 0.0
    economies: float = 0.0
    regulation: Regulation | Mapping[str, Any] | None = None

    def __post_init__(self) -> None:
        people = whole_number(self.people)
        if people is None or not 2 <= people <= MOST_PEOPLE:
            raise UsageError(
                f"The adoption game has from 2 to {MOST_PEOPLE:,} people; got people={self.people!r}."
            )
        walking = min(4, people - 1) if self.pedestrians is None else whole_number(self.pedestrians)
        if walking is None or not 1 <= walking <= people - 1:
            raise UsageError(
                f"Of {people} people, from 1 to {people - 1} can be pedestrians before a car; got"
                f" pedestrians={self.pedestrians!r}."
            )
        object.__setattr__(self, "people", people)
        object.__setattr__(self, "pedestrians", walking)
        for name, least, most in (
            ("accident", None, self.meetings / people), ("symmetry", 0.0, 1.0), ("economies", 0.0, None),
            ("price_utilitarian", None, None), ("price_protective", None, None),
            ("ride_utilitarian", None, None), ("ride_protective", None, None),
        ):  # fmt: skip
            value = _number("The adoption game's", name, getattr(self, name), least=least, most=most)
            object.__setattr__(self, name, value)
        if self.accident <= 0:
            raise UsageError(f"The adoption game's accident is above 0; got {self.accident!r}.")
        object.__setattr__(self, "regulation", _regulation(self.regulation))

    @property
    def name(self) -> str:
        """The family's name."""
        return "av_adoption"

    @property
    def protocol(self) -> str | None:
        """There are no published parameter sets."""
        return None

    @property
    def roles(self) -> tuple[str, ...]:
        """``"owner"`` for every seat."""
        return ("owner",) * self.people

    @property
    def parameters(self) -> Mapping[str, float]:
        """All numbers but those of the regulation, by name."""
        return {
            field.name: float(getattr(self, field.name))
            for field in fields(self)
            if field.name != "regulation"
        }

    @property
    def config(self) -> dict[str, Any]:
        """JSON values from which the game can be made again."""
        found = {field.name: getattr(self, field.name) for field in fields(self)}
        return found | {"regulation": None if self.law is None else asdict(self.law)}

    @property
    def law(self) -> Regulation | None:
        """The regulation."""
        assert not isinstance(self.regulation, Mapping)  # a mapping was read when the game was made
        return self.regulation

    @property
    def walkers(self) -> int:
        """The number k of pedestrians in the way of a car."""
        assert self.pedestrians is not None  # the default was put in when the game was made
        return self.pedestrians

    @property
    def meetings(self) -> int:
        """How many groups of one car and its pedestrians can meet in a round, floor(n/(k + 1))."""
        return self.people // (self.walkers + 1)

    def mandated(self, period: int = 0) -> bool:
        """Return whether only utilitarian cars may be chosen."""
        return self.law is not None and self.law.mandate and self.law.active(period)

    def levies(self, period: int = 0) -> tuple[float, float]:
        """Return the fine and the subsidy of that period."""
        if self.law is None or not self.law.active(period):
            return 0.0, 0.0
        return self.law.fine, self.law.subsidy

    def extra_cost(self, share: ArrayLike = 0.0, period: int = 0) -> Floats:
        """Return D, the extra cost of a utilitarian car where others drive a share y of them.

        It is net of ride utility, fine and subsidy, and has the shape of `share`.
        """
        fine, subsidy = self.levies(period)
        fixed = self.price_utilitarian - self.price_protective - self.ride_utilitarian + self.ride_protective
        cost: Floats = fixed - fine - subsidy - self.economies * np.asarray(share, dtype=np.float64)
        return cost

    def survival(self, own: ArrayLike, others: ArrayLike) -> Floats:
        """Return the probability of surviving a round, with own program x and the others' share y in [0,
        1].
        """
        x, y = (np.asarray(each, dtype=np.float64) for each in (own, others))
        alive: Floats = 1.0 - self.accident * x - self.symmetry * self.walkers * self.accident * (1.0 - y)
        return alive

    def payoff(self, own: ArrayLike, others: ArrayLike, period: int = 0) -> Floats:
        """Return π(x, y): own program x in [0, 1], and a share y of utilitarian cars among the others.

        Arguments are broadcast. ``payoff(x, x)`` is the payoff if everybody chose the same.
        """
        return self.survival(own, others) - self.cost(own, others, period)

    def cost(self, own: ArrayLike, others: ArrayLike, period: int = 0) -> Floats:
        """Return the cost of the own car in a round, net of ride utility, fine and subsidy."""
        fine, _ = self.levies(period)
        base = self.price_protective - self.ride_protective + fine
        paid: Floats = base + np.asarray(own, dtype=np.float64) * self.extra_cost(others, period)
        return paid

    def payoffs(self, choices: ArrayLike, period: int = 0) -> Floats:
        """Return expected payoffs of all for choices (…, n) in [0, 1], 1 being the utilitarian program."""
        x = self._profile(choices)
        return self.payoff(x, self.others(x), period)

    def others(self, choices: ArrayLike) -> Floats:
        """Return the share of utilitarian cars among the others of each person, (…, n)."""
        x = self._profile(choices)
        shares: Floats = (x.sum(axis=-1, keepdims=True) - x) / (self.people - 1)
        return shares

    def deaths(self, share: ArrayLike) -> Deaths:
        """Return lives expected to be lost in a round where a share of all cars is utilitarian."""
        y = np.asarray(share, dtype=np.float64)
        before = self.people * self.accident * self.walkers * (1.0 - y)
        return Deaths(self.people * self.accident * y, self.symmetry * before, (1.0 - self.symmetry) * before)

    def _profile(self, choices: ArrayLike) -> Floats:
        x = np.asarray(choices, dtype=np.float64)
        if x.ndim == 0 or x.shape[-1] != self.people:
            raise UsageError(f"Choices end in an axis of {self.people} people; got shape {x.shape}.")
        return x


def _regulation(given: object) -> Regulation | None:
    if given is None or isinstance(given, Regulation):
        return given
    if not isinstance(given, Mapping):
        raise UsageError(f"A regulation is a Regulation or the attributes of one; got {given!r}.")
    try:
        return Regulation(**given)
    except TypeError:
        names = ", ".join(field.name for field in fields(Regulation))
        raise UsageError(f"A regulation has {names}; got {dict(given)!r}.") from None


def _number(
    whose: str, name: str, value: object, *, least: float | None = None, most: float | None = None
) -> float:
    number = math.nan
    if not isinstance(value, bool | str):
        with contextlib.suppress(TypeError, ValueError):
            number = float(value)  # type: ignore[arg-type]  # raises for what is not a number
    low, high = -LARGEST if least is None else least, LARGEST if most is None else most
    # A rounding error above the highest value is no mistake of the caller's.
    if not low <= number <= high * (1 + 1e-12) + 0.0:
        wanted = "a finite number" if not abs(number) > LARGEST else f"a number within {LARGEST:g}"
        wanted += "" if least is None else f" of at least {least:g}"
        wanted += (
            "" if most is None else f" of at most {most:g}" if least is None else f" and at most {most:g}"
        )
        raise UsageError(f"{whose} {name} is {wanted}; got {value!r}.")
    return min(number, high)
