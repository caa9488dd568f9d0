"""TorchRL rolls out the pricing environments, with either API. Skipped where TorchRL is not installed."""

from __future__ import annotations

import pettingzoo
import pytest

from ludens.envs.pricing import Exit

ENVIRONMENTS = ("ludens/bertrand-v0", "ludens/bertrand_sequential-v0")
INFOS = {"discount", "fine", "profit", "profit_gain", "quantity"}


def rollout(api, environment, **options):
    wrapper = pytest.importorskip("torchrl.envs.libs.pettingzoo").PettingZooWrapper
    made = pettingzoo.make(api, environment, periods=6, **options)
    env = wrapper(made, use_mask=True, return_state=True, done_on_any=False, seed=0)
    return env, env.rollout(100)


@pytest.mark.filterwarnings("ignore:PettingZoo in TorchRL is tested using")
@pytest.mark.parametrize("actions", ["grid", "continuous"])
@pytest.mark.parametrize("api", ["parallel", "aec"])
@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_torchrl_rolls_out_a_whole_episode(environment, api, actions):
    env, played = rollout(api, environment, actions=actions)
    # Behind the conversion to AEC a period takes one step of each firm.
    assert len(played) == 12 if (api, environment) == ("aec", ENVIRONMENTS[0]) else 6
    assert played["state"].shape[-1] == env.state_space.shape[0]
    for group in env.group_map:
        assert set(played[group, "info"].keys()) == INFOS
    # One firm alone may sell nothing in six periods of prices drawn at random; both may not.
    assert any((played["next", group, "info", "profit"] != 0).any() for group in env.group_map)


@pytest.mark.filterwarnings("ignore:PettingZoo in TorchRL is tested using")
def test_torchrl_takes_firms_that_leave():
    # One that enters it does not take: it wants every seat's info at reset.
    _, played = rollout("parallel", ENVIRONMENTS[0], firms=3, interventions=[Exit(5, 0)])
    assert len(played) == 6
    assert played["firm", "mask"].sum(0).flatten().tolist() == [4, 6, 6]
