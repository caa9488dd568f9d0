"""Who makes up a population of the adoption game: groups of people with preferences.

A group is named as a policy of the adoption game is (`ludens.agents.av.names`), or it is ``mixed``: people
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
    """Some people of a population.

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
        """Whether its people are numbers; a model's must be asked one by one."""
        return isinstance(self.policy, AdoptionOraclePolicy | FixedProgramPolicy | RandomPolicy)

    def kappas(self, rng: np.random.Generator) -> Floats:
        """κ of each of its people, (people,); NaN for those without preferences."""
        if self.beta is not None:
            return rng.beta(*self.beta, size=self.people)
        weight = self.policy.preferences.kappa if isinstance(self.policy, AdoptionOraclePolicy) else math.nan
        return np.full(self.people, weight)

    def policies(self, rng: np.random.Generator) -> list[Policy]:
        """A policy for each of its people."""
        if self.beta is None or not isinstance(self.policy, AdoptionOraclePolicy):
            return [self.policy] * self.people
        settings = self.policy.describe()
        return [make_policy(settings | {"kappa": float(weight)}, ENVIRONMENT) for weight in self.kappas(rng)]


def make_groups(
    named: Sequence[Named], people: int, sizes: Sequence[int] | None = None, **defaults: Any
) -> tuple[Group, ...]:
    """The groups of a population.

    Args:
        named: a name or a policy for each.
        people: of the whole population.
        sizes: of each group, summing to `people`; None for groups as equal as can be, larger ones first.
        defaults: settings of language models.

    Raises:
        UsageError: none is named, a name or a size is wrong, or there are more groups than people.
    """
    if not named:
        raise UsageError(f"Name the groups of the population, as in {', '.join(group_names())}.")
    if sizes is None:
        sizes = [people // len(named) + (place < people % len(named)) for place in range(len(named))]
    if len(sizes) != len(named) or sum(sizes) != people or min(sizes) < 1:
        raise UsageError(
            f"{len(named)} groups need {len(named)} sizes of at least 1 that sum to {people} people; got"
            f" {', '.join(map(str, sizes))}."
        )
    return tuple(_group(each, size, defaults) for each, size in zip(named, sizes, strict=True))


def group_names() -> list[str]:
    """Names of groups that need no model, with an example's numbers where they take some."""
    return [*policy_names(ENVIRONMENT), MIXED, f"{MIXED}:2,5"]


def _group(named: Named, people: int, defaults: Mapping[str, Any]) -> Group:
    if isinstance(named, str) and named.partition(":")[0].strip() == MIXED:
        return _mixed(named.strip(), people)
    try:
        policy = make_policy(named, ENVIRONMENT, **defaults)
    except UsageError as why:
        raise UsageError(f"{str(why).rstrip('.')}; a group may be {MIXED} or {MIXED}:2,5 too.") from None
    return Group(named if isinstance(named, str) else policy.name, people, policy)


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
