"""Every registered environment keeps every promise, in every way it can be set up."""

from __future__ import annotations

import pytest

from ludens.envs import FAMILIES, LIBRARY, environments
from ludens.testing import EnvironmentConformance

# Ways to set up every environment, and further ones for those of game trees.
FORMS = {
    "as_it_comes": {},
    "box": {"observation": "box"},
    "rllib": {"observation": "rllib"},
}
VARIANTS = {
    "direct": {},
    "direct_fixed_5": {"roles": "fixed", "rounds": 5},
    "direct_5": {"rounds": 5, "memory": 3},
    "strategy": {"method": "strategy"},
    "strategy_fixed": {"method": "strategy", "roles": "fixed"},
    "strategy_5": {"method": "strategy", "rounds": 5},
}

# Ways to repeat games, tried with a small and a large one in which all move at once, and with a tree.
REPEATED = {
    "repeated": {"rounds": 5, "memory": 3},
    "random_length": {"continuation": 0.8, "rounds": 8},
    "crowd": {"groups": 3, "matching": "random", "rounds": 3, "history": "reputation", "noise": 0.1},
}
IN_ALL_FORMS = {"ludens/prisoners_dilemma-v0", "ludens/public_goods-v0"}

MARKETS = {
    "continuous": {"actions": "continuous", "observation": "box"},
    "alone": {"firms": 1, "actions": "continuous"},
}


@pytest.mark.parametrize("environment", environments())
def test_every_environment_is_covered(environment):
    assert any(case.environment == environment for case in CASES.values())


def _case(environment: str, variant: str) -> type[EnvironmentConformance]:
    name = environment.removeprefix("ludens/").replace("-", "_").title().replace("_", "")
    return type(
        f"Test{name}{variant.title().replace('_', '')}",
        (EnvironmentConformance,),
        {"environment": environment, "options": (FORMS | VARIANTS | REPEATED | MARKETS)[variant]},
    )


def _variants(environment: str) -> list[str]:
    families = {family.environment for family in FAMILIES.values()}
    if environment in families:
        lengths = ["random_length", "crowd"] if environment == "ludens/trust-v0" else []
        return [*VARIANTS, *lengths, *(form for form in FORMS if form != "as_it_comes")]
    if environment in IN_ALL_FORMS:
        return [*FORMS, *REPEATED]
    if environment in {family.environment for family in LIBRARY.values()}:
        return ["as_it_comes"]
    if environment == "ludens/bertrand-v0":
        return [*FORMS, *MARKETS]
    return list(FORMS)


CASES = {
    case.__name__: case
    for case in (
        _case(environment, variant) for environment in environments() for variant in _variants(environment)
    )
}
globals().update(CASES)
