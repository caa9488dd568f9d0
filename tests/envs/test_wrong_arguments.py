"""An environment that is made with a wrong argument, of whatever type, says so in one sentence."""

from __future__ import annotations

import math

import numpy as np
import pettingzoo
import pytest

from ludens.envs import FAMILIES, environments
from ludens.envs.av.registration import KINDS
from ludens.envs.pricing.registration import PRICING
from ludens.envs.registration import TREE_OPTIONS
from ludens.errors import LudensError

OPTIONS = {kind.environment: kind.options for kind in (*KINDS, *PRICING)}
OPTIONS |= {family.environment: TREE_OPTIONS for family in FAMILIES.values()}
WRONG = [
    True,
    -1,
    0,
    1.5,
    math.nan,
    math.inf,
    1e300,
    1j,
    "",
    "a",
    b"x",
    [],
    ["a"],
    [None],
    [1.0, math.nan],
    [[1, 2], [3]],
    (),
    {},
    {"a": 1},
    {1},
    object(),
    int,
    np.array(2),
    np.array([1.0]),
    np.float32(1),
]
# PettingZoo itself compares this one to -1 before anything of ludens is called.
THEIRS = {"max_cycles"}


@pytest.mark.parametrize("environment", environments())
def test_wrong_arguments_are_one_sentence(environment):
    for option in OPTIONS[environment]:
        for wrong in WRONG if option not in THEIRS else ["a", -2, 1.5]:
            try:
                pettingzoo.make("parallel", environment, **{option: wrong}).reset(seed=0)
            except LudensError as error:
                said = str(error)
                assert "\n" not in said, said
                assert option in said or said.count(". ") == 0, said


@pytest.mark.parametrize("environment", environments())
def test_wrong_seeds_are_one_sentence(environment):
    env = pettingzoo.make("parallel", environment)
    for wrong in (-1, 0.5, "1", True, [1], np.array([1, 2]), math.nan, object()):
        with pytest.raises(LudensError, match="seed"):
            env.reset(seed=wrong)
