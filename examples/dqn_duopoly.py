"""Two deep Q-networks of Stable-Baselines3 that learn in one market, then put on record as policies.

    pip install stable-baselines3
    python examples/dqn_duopoly.py [PERIODS]

Stable-Baselines3 trains one agent in one environment. Here each firm has a DQN of its own, with its own
replay buffer, and both set their prices in the same periods of the same market, so that each learns against a
rival that learns. The horizon of an episode is no end of the market: firms go on valuing what follows (they
are truncated, not terminated).
"""

from __future__ import annotations

import sys

import numpy as np
import pettingzoo
import torch
from stable_baselines3 import DQN
from stable_baselines3.common.logger import Logger

import ludens.envs  # noqa: F401  # importing it registers the environments
from ludens.agents import against
from ludens.experiments.pricing import panel, play_pricing

PERIODS = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
OPTIONS = {"observation": "box", "periods": 500}
rng = np.random.default_rng(0)
torch.set_num_threads(1)  # networks this small are slower on several

env = pettingzoo.make("parallel", "ludens/bertrand-v0", **OPTIONS)
# `against` gives the seat's spaces, in which the network is made and by which it is recognised afterwards.
firms = {
    seat: DQN(
        "MlpPolicy",
        against("bertrand", "random", seat=seat, **OPTIONS),
        gamma=0.95,
        learning_rate=1e-3,
        buffer_size=10_000,
        seed=number,
    )
    for number, seat in enumerate(env.possible_agents)
}
for firm in firms.values():
    firm.set_logger(Logger(None, []))

observations, _ = env.reset(seed=0)
for period in range(PERIODS):
    exploring = np.exp(-5 * period / PERIODS)
    actions = {}
    for seat, firm in firms.items():
        greedy, _ = firm.predict(observations[seat], deterministic=True)
        actions[seat] = int(firm.action_space.sample() if rng.random() < exploring else greedy)
    following, rewards, _, truncations, _ = env.step(actions)
    for seat, firm in firms.items():
        # The buffer takes one row for each of its environments, which are one here.
        step = (observations[seat][None], following[seat][None], np.array([[actions[seat]]]))
        firm.replay_buffer.add(*step, np.array([rewards[seat]]), np.array([False]), [{}])
        if period >= 200 and period % 4 == 0:
            firm.train(gradient_steps=1, batch_size=64)
        if period % 500 == 0:
            firm.q_net_target.load_state_dict(firm.q_net.state_dict())
    observations = following
    if any(truncations.values()):
        observations, _ = env.reset()

for seat, firm in firms.items():
    firm.save(f"{seat}.zip")
run = play_pricing(["sb3:firm_0.zip", "sb3:firm_1.zip"], periods=100)
played = panel(run)
print("prices in the last periods:", played.prices[0, -4:].round(3).tolist())
print(f"profit gain: {played.total_gains[0, -50:].mean():.3f}")
