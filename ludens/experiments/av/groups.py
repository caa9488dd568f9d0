"""The groups of people with the same kind of preferences in a population of the adoption game.

A group has the name of a policy (`ludens.agents.av.names`), or it is ``mixed``: people
whose κ is drawn from a Beta distribution, ``mixed`` uniformly and ``mixed:2,5`` from Beta(2, 5); settings may
follow, as in ``mixed:2,5,universalisation=pedestrian``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ludens.agents.av.adoption import AdoptionOraclePolicy, FixedProgramPolicy
from ludens.agents.policy import Policy
from ludens.agents.random import RandomPolicy
from ludens.agents.registry import make_policy, policy_names
from ludens.envs.av.adoption.env import ENVIRONMENT
from ludens.errors import UsageError

Floats = NDArray[np.float64]
Named: TypeAlias = str | Policy | Mapping[str, Any]

MIXED = "mixed"


@dataclass(frozen=True)
class Group:
    """A part of a population.

    Attributes:
        name: for tables, as it was given.
        people: how many, at least 1.
        policy: of each of them; of a mixed group with κ = 0 in place of what is drawn.
        beta: the parameters (a, b) of the distribution of κ in a mixed group; None for one κ.
    """

    name: str
    people: int
    policy: Policy
    beta: tuple[float, float] | None = None

    @property
    def simulated(self) -> bool:
        """Whether the group can be simulated; the seats of a model must be asked one by one."""
        return isinstance(self.policy, AdoptionOraclePolicy | FixedProgramPolicy | RandomPolicy)

    def kappas(self, rng: np.random.Generator) -> Floats:
        """κ of each of its people, (people,); NaN for those without preferences."""
        if self.beta is not None:
            return rng.beta(*self.beta, size=self.people)
        weight = self.policy.preferences.kappa if isinstance(self.policy, AdoptionOraclePolicy) else math.nan
        return np.full(self.people, weight)

    def policies(self, rng: np.random.Generator) -> list[Policy]:
        """Return a policy for each of its people."""
        if self.beta is None or not isinstance(self.policy, AdoptionOraclePolicy):
            return [self.policy] * self.people
        settings = self.policy.describe()
        return [make_policy(settings | {"kappa": float(weight)}, ENVIRONMENT) for weight in self.kappas(rng)]


def make_groups(named: Sequence[Named], people: int, sizes: Sequence[int] | None = None) -> tuple[Group, ...]:
    """Return the groups of a population.

    Args:
        named: a name or a policy for each.
        people: of the whole population.
        sizes: of each group, summing to `people`; None for groups as equal as can be, larger ones first.

    Raises:
        UsageError: none is named, a name or a size is wrong, or there are more groups than people.
    """
    shares = group_sizes(len(named), people, sizes)
    return tuple(make_group(each, size) for each, size in zip(named, shares, strict=True))


def group_sizes(groups: int, people: int, sizes: Sequence[int] | None = None) -> tuple[int, ...]:
    """Return the sizes of the groups of a population: those given, or as equal as can be, larger ones first.

    Raises:
        UsageError: there is no group, or the sizes do not make up the population.
    """
    if not groups:
        raise UsageError(f"Name the groups of the population, as in {', '.join(group_names())}.")
    if sizes is None:
        sizes = [people // groups + (place < people % groups) for place in range(groups)]
    if len(sizes) != groups or sum(sizes) != people or min(sizes) < 1:
        raise UsageError(
            f"{groups} groups need {groups} sizes of at least 1 that sum to {people} people; got"
            f" {', '.join(map(str, sizes))}."
        )
    return tuple(sizes)


def make_group(named: Named, people: int) -> Group:
    """Return one group; arguments as in `make_groups`.

    Raises:
        UsageError: the name is wrong.
    """
    if isinstance(named, str) and named.partition(":")[0].strip() == MIXED:
        return _mixed(named.strip(), people)
    label = named.get("label") if isinstance(named, Mapping) else None
    if isinstance(named, Mapping):
        named = {name: value for name, value in named.items() if name != "label"}
    try:
        policy = make_policy(named, ENVIRONMENT)
    except UsageError as error:
        raise UsageError(f"{str(error).rstrip('.')}; a group may be {MIXED} or {MIXED}:2,5 too.") from None
    name = named if isinstance(named, str) else label or policy.name
    return Group(str(name), people, policy)


def group_names() -> list[str]:
    """Return names of groups that need no model, with example numbers if they take some."""
    return [*policy_names(ENVIRONMENT), MIXED, f"{MIXED}:2,5"]


def _mixed(name: str, people: int) -> Group:
    parts = [part.strip() for part in name.partition(":")[2].split(",") if part.strip()]
    bare = [part for part in parts if "=" not in part]
    try:
        numbers = [float(part) for part in bare] or [1.0, 1.0]
    except ValueError:
        numbers = []
    if len(numbers) != 2 or not all(0 < number < math.inf for number in numbers):
        raise UsageError(
            "A mixed group has two numbers above 0, those of a Beta distribution, as in mixed:2,5; got"
            f" {name!r}."
        )
    settings = [part for part in parts if "=" in part]
    head = "quantal" if any(part.partition("=")[0].strip() == "noise" for part in settings) else "oracle"
    policy = make_policy(f"{head}:{','.join(settings)}", ENVIRONMENT)
    return Group(name, people, policy, (numbers[0], numbers[1]))
