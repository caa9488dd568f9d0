"""An environment that is made with a wrong argument, of whatever type, says so in one sentence."""

from __future__ import annotations

import math

import numpy as np
import pettingzoo
import pytest

from ludens.envs import LIBRARY, StrategicFamily, environments
from ludens.envs.av.registration import KINDS
from ludens.envs.budgets.registration import BUDGET
from ludens.envs.pricing.registration import PRICING
from ludens.envs.registration import STRATEGIC_OPTIONS, TREE_OPTIONS
from ludens.errors import LudensError

OPTIONS = {kind.environment: kind.options for kind in (*KINDS, *PRICING, BUDGET)}
OPTIONS |= {
    family.environment: STRATEGIC_OPTIONS if isinstance(family, StrategicFamily) else TREE_OPTIONS
    for family in LIBRARY.values()
}
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


@pytest.mark.parametrize("environment", environments())
def test_unknown_seats_and_actions_of_nobody_are_one_sentence(environment):
    env = pettingzoo.make("parallel", environment)
    env.reset(seed=0)
    for seat in (None, 0, "nobody", ["firm_0"]):
        for space in (env.observation_space, env.action_space):
            with pytest.raises(LudensError, match="has no seat"):
                space(seat)
    for actions in (None, 0, "firm_0", [0, 0], {}, {"nobody": 0}):
        with pytest.raises(LudensError, match="got no action of"):
            env.step(actions)


@pytest.mark.parametrize(
    "price",
    [2, 2.0, np.int8(2), np.float32(2), np.array(2.0), np.array([2.0]), np.array([2], dtype=np.uint8)],
)
@pytest.mark.parametrize("environment", ["ludens/bertrand-v0", "ludens/bertrand_sequential-v0"])
def test_a_price_is_any_real_number(environment, price):
    env = pettingzoo.make("aec", environment, actions="continuous", bounds=(0, 3))
    env.reset(seed=0)
    for _ in env.agents:
        env.step(price)
    assert env.unwrapped.prices[-1].tolist() == [2.0, 2.0]


@pytest.mark.parametrize(
    "price", [True, "2", None, [2.0], 4, -1, 10**400, math.nan, 2j, np.array([[2.0]]), np.array([2.0, 2.0])]
)
def test_what_is_no_price_changes_nothing(price):
    env = pettingzoo.make("parallel", "ludens/bertrand-v0", actions="continuous", bounds=(0, 3))
    env.reset(seed=0)
    with pytest.raises(LudensError, match="give one price from 0 to 3"):
        env.step(dict.fromkeys(env.agents, price))
    assert not len(env.unwrapped.prices)
