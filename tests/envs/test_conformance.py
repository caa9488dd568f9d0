"""Every registered environment keeps every promise, in every way it can be set up."""

from __future__ import annotations

import pytest

from ludens.envs import FAMILIES, environments
from ludens.testing import EnvironmentConformance

# Ways to set up the families' environments; any other is taken as it comes.
VARIANTS = {
    "direct": {},
    "direct_fixed_5": {"roles": "fixed", "rounds": 5},
    "direct_5": {"rounds": 5},
    "strategy": {"method": "strategy"},
    "strategy_fixed": {"method": "strategy", "roles": "fixed"},
    "strategy_5": {"method": "strategy", "rounds": 5},
}


@pytest.mark.parametrize("environment", environments())
def test_every_environment_is_covered(environment):
    assert any(case.environment == environment for case in CASES.values())


def _case(environment: str, variant: str) -> type[EnvironmentConformance]:
    name = environment.removeprefix("ludens/").replace("-", "_").title().replace("_", "")
    return type(
        f"Test{name}{variant.title().replace('_', '')}",
        (EnvironmentConformance,),
        {"environment": environment, "options": VARIANTS.get(variant, {})},
    )


def _variants(environment: str) -> list[str]:
    families = {family.environment for family in FAMILIES.values()}
    return list(VARIANTS) if environment in families else ["as_it_comes"]


CASES = {
    case.__name__: case
    for case in (
        _case(environment, variant) for environment in environments() for variant in _variants(environment)
    )
}
globals().update(CASES)
