"""The environment in which firms move in turns."""

from __future__ import annotations

import numpy as np
import pytest
from pettingzoo import make

from ludens.envs import make_env
from ludens.envs.pricing import Exit, HomogeneousMarket, Market, SequentialBertrandEnv
from ludens.errors import UsageError
from ludens.testing import EnvironmentConformance


class TestThreeFirms(EnvironmentConformance):
    """Differentiated products and continuous prices keep the promises too."""

    environment = "ludens/bertrand_sequential-v0"
    options = {  # noqa: RUF012  # pytest's
        "market": Market.symmetric(3),
        "actions": "continuous",
        "periods": 10,
        "memory": 2,
    }


def test_prices_stand_for_two_periods_and_pay_in_both():
    env = SequentialBertrandEnv(periods=4)
    env.reset(seed=3)
    market, grid = HomogeneousMarket(), np.linspace(0, 1, 7)
    opening = env.turn().facts["standing"]
    assert set(opening) <= set(grid)
    wanted = [(grid[3], opening[1]), (grid[3], grid[2]), (grid[5], grid[2]), (grid[5], grid[4])]
    for move, charged in zip((3, 2, 5, 4), wanted, strict=True):
        mover = env.agent_selection
        env.step(move)
        assert env.prices[-1].tolist() == pytest.approx(charged)
        assert list(env.rewards.values()) == pytest.approx(market.profits(charged))
        assert mover == f"firm_{(env.period - 1) % 2}"
    assert set(env.truncations.values()) == {True}
    # Each is paid since its own last move, that move's period among it.
    assert env._cumulative_rewards["firm_0"] == pytest.approx(env.profits[2:, 0].sum())
    assert env._cumulative_rewards["firm_1"] == pytest.approx(env.profits[3:, 1].sum())


def test_opening_prices_come_from_the_seed_and_are_observed():
    seen = []
    for seed in range(40):
        env = SequentialBertrandEnv()
        env.reset(seed=seed)
        vector = env.observe("firm_0")["observation"]
        turn = env.turn()
        assert vector[:3] == pytest.approx([*turn.facts["standing"], 1.0])
        assert turn.facts["prices"].shape == (0, 2)
        assert turn.facts["order"] == ("firm_0", "firm_1")
        seen.append(tuple(turn.facts["standing"]))
    assert len(set(seen)) > 15


def test_the_parallel_api_takes_the_movers_action():
    env = make("parallel", "ludens/bertrand_sequential-v0", periods=4)
    env.reset(seed=0)
    env.step({"firm_0": 2, "firm_1": 6})
    env.step({"firm_0": 5, "firm_1": 3})
    assert env.unwrapped.prices[-1].tolist() == pytest.approx([2 / 6, 3 / 6])


def test_what_does_not_fit_is_refused():
    with pytest.raises(UsageError, match="memory=0"):
        SequentialBertrandEnv(memory=0)
    with pytest.raises(UsageError, match="neither enter nor leave"):
        make_env("bertrand_sequential", interventions=[Exit(3, 0)])
