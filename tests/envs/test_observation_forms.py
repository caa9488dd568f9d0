"""Every environment gives its observations in the form that a client takes."""

from __future__ import annotations

import numpy as np
import pettingzoo
import pytest
from gymnasium.spaces import Box
from gymnasium.spaces import Dict as DictSpace

from ludens.envs import environments
from ludens.errors import UsageError

# Masks that forbid something stand in these, so that a mask of another seat or step would show.
OPTIONS = {
    "ludens/av_dilemma-v0": {"study": 1},
    "ludens/av_adoption-v0": {"regulation": {"mandate": True, "period": 5}},
}
APIS = ("aec", "parallel")


def played(api, environment, **options):
    """Observations and infos at reset and after each step, by seat, and the environment."""
    env = pettingzoo.make(api, environment, **OPTIONS.get(environment, {}), **options)
    seen = []
    if api == "parallel":
        observed, infos = env.reset(seed=3)
        seen.append((observed, infos))
        while env.agents:
            actions = dict.fromkeys(env.agents, 0)
            observed, *_, infos = env.step(actions)
            seen.append((observed, infos))
        return env, seen
    env.reset(seed=3)
    for agent in env.agent_iter():
        observation, _, terminated, truncated, info = env.last()
        seen.append(({agent: observation}, {agent: info}))
        env.step(None if terminated or truncated else 0)
    return env, seen


@pytest.mark.parametrize("api", APIS)
@pytest.mark.parametrize("environment", environments())
def test_the_forms_hold_the_same_vectors_and_masks(environment, api):
    _, plain = played(api, environment)
    box_env, box = played(api, environment, observation="box")
    rllib_env, rllib = played(api, environment, observation="rllib")
    assert len(plain) == len(box) == len(rllib)
    for agent in box_env.possible_agents:
        assert isinstance(box_env.observation_space(agent), Box)
        assert set(rllib_env.observation_space(agent).spaces) == {"action_mask", "observations"}
    for (observed, infos), (vectors, masked), (named, unmasked) in zip(plain, box, rllib, strict=True):
        for agent, observation in observed.items():
            assert "action_mask" not in infos[agent]
            assert "action_mask" not in unmasked[agent]
            assert vectors[agent].tolist() == observation["observation"].tolist()
            assert masked[agent].pop("action_mask").tolist() == observation["action_mask"].tolist()
            assert masked[agent].keys() == infos[agent].keys()
            assert set(named[agent]) == {"action_mask", "observations"}
            assert named[agent]["observations"].tolist() == observation["observation"].tolist()
            assert named[agent]["action_mask"].tolist() == observation["action_mask"].tolist()


@pytest.mark.parametrize("environment", ["ludens/bertrand-v0", "ludens/bertrand_sequential-v0"])
def test_without_numbered_actions_there_is_no_mask(environment):
    env = pettingzoo.make("parallel", environment, actions="continuous", observation="box")
    observed, infos = env.reset(seed=0)
    assert observed["firm_0"].dtype == np.float32
    assert "action_mask" not in infos["firm_0"]
    assert isinstance(
        pettingzoo.make("parallel", environment, actions="continuous").observation_space("firm_0"), DictSpace
    )
    with pytest.raises(UsageError, match="observation='box'"):
        pettingzoo.make("parallel", environment, actions="continuous", observation="rllib")


@pytest.mark.parametrize("environment", environments())
@pytest.mark.parametrize("form", ["flat", None, 1, ["box"]])
def test_other_forms_are_refused(environment, form):
    with pytest.raises(UsageError, match="observation"):
        pettingzoo.make("aec", environment, observation=form)
