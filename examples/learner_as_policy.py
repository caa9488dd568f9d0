"""A learner of one's own as a policy: a value table, trained in PettingZoo's loop, then put on record."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

import numpy as np
import pettingzoo

import ludens.envs  # noqa: F401  # importing it registers the environments
from ludens.agents import CallablePolicy, Reciprocator
from ludens.experiments import play

rng = np.random.default_rng(0)
values: defaultdict[bytes, np.ndarray] = defaultdict(lambda: np.zeros(2))
visits: defaultdict[bytes, np.ndarray] = defaultdict(lambda: np.zeros(2))

env = pettingzoo.make("aec", "ludens/trust-v0", protocol="TG6")
reciprocator = Reciprocator()
for episode in range(2000):
    env.reset(seed=episode)
    taken: list[tuple[bytes, int]] = []
    for agent in env.agent_iter():
        observation, reward, terminated, truncated, _ = env.last()
        if terminated or truncated:
            if agent == "player_0":
                for state, action in taken:
                    visits[state][action] += 1
                    values[state][action] += (reward - values[state][action]) / visits[state][action]
            env.step(None)
        elif agent == "player_0":
            state = observation["observation"].tobytes()
            greedy = int(values[state].argmax())
            action = int(rng.integers(2)) if rng.random() < 0.1 else greedy
            taken.append((state, action))
            env.step(action)
        else:
            env.step(reciprocator.act(env, rng))


def greedy_action(observation: Mapping[str, np.ndarray]) -> int:
    """Return the learnt move."""
    return int(values[observation["observation"].tobytes()].argmax())


run = play(
    ("trust-v0", {"protocol": "TG6"}),
    [CallablePolicy(greedy_action, "learner"), reciprocator],
    episodes=100,
    seed=1,
)
for policy, payoff in run.summary().payoffs.items():
    print(f"{policy}: {payoff:.1f} points on average")
