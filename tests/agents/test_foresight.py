"""Policies of limited foresight, and oracles where any number of an interval can be chosen."""

from __future__ import annotations

import numpy as np
import pytest

from ludens.agents import make_policy
from ludens.envs import StrategicEnv, find_game
from ludens.errors import UsageError
from tests.envs.strategic.test_env import quantities


def chances(name: str, protocol: str) -> dict[str, float]:
    env = StrategicEnv(find_game(protocol))
    env.reset(seed=1)
    turn = env.turn("player_0")
    policy = make_policy(name, find_game(protocol))
    assert make_policy(policy.describe(), find_game(protocol)) == policy
    shares = policy.decide(turn, np.random.default_rng(0)).probabilities
    return dict(zip((option.name for option in turn.options), shares, strict=True))


def test_levels_undercut_each_other():
    # Against uniform requests 19 earns 19 + 20/10; each further level asks for one less.
    found = [chances(f"level_k:{level}", "ET1") for level in (1, 2, 3)]
    assert [max(each, key=each.get) for each in found] == ["19", "18", "17"]
    assert chances("level_k:0", "ET1")["15"] == pytest.approx(0.1)


def test_a_hierarchy_mixes_the_levels():
    found = chances("cognitive_hierarchy:1.5", "ET1")
    assert sum(found.values()) == pytest.approx(1)
    assert found["19"] > found["12"] > 0


def test_a_quantal_response_equilibrium_lies_between_chance_and_nash():
    assert chances("qre:0.001", "MP2")["top"] == pytest.approx(0.5, abs=0.05)
    assert chances("qre:0.05", "MP2")["top"] > 0.6  # the effect of the own payoff (Goeree & Holt 2001)


@pytest.mark.parametrize("name", ["level_k:1.5", "level_k:-1", "cognitive_hierarchy:-1", "qre:-1"])
def test_wrong_numbers_are_one_sentence(name):
    with pytest.raises(UsageError, match="at least 0"):
        make_policy(name, find_game("ET1"))


def test_a_tree_is_refused_in_one_sentence():
    from ludens.envs import make_env

    env = make_env("trust")
    env.reset(seed=0)
    with pytest.raises(UsageError, match="all move at once"):
        make_policy("level_k:1", "trust").decide(env.unwrapped.turn(), np.random.default_rng(0))


def test_an_oracle_chooses_from_an_interval():
    env = StrategicEnv(quantities())
    env.reset(seed=0)
    policy = make_policy("oracle:kappa=0", quantities())
    chosen = policy.decide(env.turn("player_0"), np.random.default_rng(0)).action
    # Against uniform quantities with mean 60 the best reply is (120 − 60)/2.
    assert chosen == pytest.approx(30, abs=1.2)
