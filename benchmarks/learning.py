"""Learners against known opponents: what they reach, beside the exact dynamic best reply.

    python benchmarks/learning.py [--steps 1] [--seed 0] [--workers 2] [--only TEXT] [--markdown]

Each learner is trained by `ludens.agents.against` in one seat; then its greedy policy plays one episode. All
opponents, games and greedy policies are deterministic and roles are fixed, so that this episode is its value,
undiscounted over the whole episode. Best replies are exact: by backward induction in game trees
(`BestReplyPolicy`) and markets (`BestReplyPricePolicy`), by the static best reply against a fixed price where
any price may be set, and by trying every sequence of choices in the adoption game. The share is value reached
over best value; 1 is optimal.

The tabular Q-learner is written here; PPO and DQN need stable-baselines3, MaskablePPO sb3-contrib, and are
left out where they are not installed: pip install stable-baselines3 sb3-contrib
"""

from __future__ import annotations

import argparse
import importlib.util
import itertools
import multiprocessing
import time
import warnings
from dataclasses import dataclass
from typing import Any

import gymnasium
import numpy as np
from gymnasium.wrappers import TransformReward

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # PettingZoo's deprecations
    from ludens.agents import BestReplyPolicy, against, against_many, make_policy
    from ludens.agents.pricing import BestReplyPricePolicy
    from ludens.preferences import HOMO_ECONOMICUS

LIBRARY = {
    "PPO": "stable_baselines3",
    "DQN": "stable_baselines3",
    "MaskablePPO": "sb3_contrib",
    "Q-learning": "ludens",
}
COPIES = 10
"""How many episodes the learners with networks play side by side."""
TOGETHER = 100
"""How many episodes the tabular learner plays together."""


@dataclass(frozen=True)
class Task:
    """A game, an opponent, and how many steps learners are given in it.

    Attributes:
        steps: of the learners with networks.
        tabular: of the tabular one.
        observed: the entries of observations that the tabular learner tells states apart by; None for all.
    """

    title: str
    env: str
    opponent: str
    options: dict[str, Any]
    steps: int
    tabular: int
    observed: int | None = None
    discount: float = 1.0
    learners: tuple[str, ...] = ("Q-learning", "DQN", "PPO", "MaskablePPO")

    def make(self) -> Any:
        """Return the environment of one seat."""
        return against(self.env, self.opponent, **self.options)


_TREE = {"roles": "fixed", "rounds": 5}
_ADOPTION = {"people": 4, "rounds": 5, "pedestrians": 3, "accident": 0.2}
_MARKET = {"periods": 20}
TASKS = (
    *(
        Task(f"trust TG5, 5 rounds, {seat}", "trust", opponent, {**_TREE, "protocol": "TG5"}, 10_000, 5_000)
        for seat, opponent in (("investor", "tit_for_tat"), ("investor", "homo_moralis:0.7"))
    ),
    *(
        Task(
            "prisoners' dilemma SPD1, 5 rounds, first mover",
            "sequential_prisoners_dilemma",
            opponent,
            {**_TREE, "protocol": "SPD1"},
            10_000,
            5_000,
        )
        for opponent in ("tit_for_tat", "grim", "homo_economicus")
    ),
    *(
        Task("market, 15 prices, 20 periods", "bertrand", opponent, _MARKET, 40_000, 1_000_000, 2, 0.95)
        for opponent in ("fixed:1.6", "myopic", "matching", "homo_moralis:0.5")
    ),
    # Whoever buys a utilitarian car now makes it cheaper for the others in the next round.
    *(
        Task("adoption, 4 people, 5 rounds", "av_adoption", opponent, {**_ADOPTION, **costs}, 10_000, 50_000)
        for opponent, costs in (
            ("homo_economicus", {"economies": 0.65}),
            ("homo_moralis:0.5", {"economies": 0.33, "price_utilitarian": 0.3}),
        )
    ),
    Task(
        "market, any price, 20 periods",
        "bertrand",
        "fixed:1.6",
        {**_MARKET, "actions": "continuous", "bounds": (1.0, 2.0)},
        40_000,
        0,
        learners=("PPO",),
        discount=0.0,
    ),
)


class QTable:
    """A tabular Q-learner with optimistic values, so that every action is tried.

    Args:
        actions: how many there are.
        high: the value of what was not tried.
        observed: as in `Task`.
    """

    def __init__(self, actions: int, high: float, observed: int | None) -> None:
        self.places: dict[bytes, int] = {}
        self.values = np.full((64, actions), high)
        self.high, self.observed = high, observed

    def states(self, observations: Any) -> Any:
        """Return the rows of the table for observations, (n,)."""
        rows = np.round(observations[:, : self.observed], 3) + 0.0  # so that no zero is negative
        states = [self.places.setdefault(row.tobytes(), len(self.places)) for row in rows]
        while len(self.places) > len(self.values):
            self.values = np.concatenate([self.values, np.full_like(self.values, self.high)])
        return np.array(states)

    def best(self, states: Any, masks: Any) -> Any:
        """Return the legal actions with the highest values, (n,)."""
        return np.where(masks, self.values[states], -np.inf).argmax(axis=1)


def learn_table(task: Task, steps: int, seed: int) -> QTable:
    """Return a table that has learnt for so many steps in all, in episodes that are stepped together."""
    envs = against_many(task.env, task.opponent, number=TOGETHER, autoreset_mode="SameStep", **task.options)
    rng = np.random.default_rng(seed)
    # Nothing is worth more than this: no reward is, and no sum of those of an episode.
    horizon = task.options.get("rounds", 1) if task.discount == 1 else 1 / (1 - task.discount)
    table = QTable(int(envs.single_action_space.n), horizon * largest_reward(task), task.observed)
    observations, infos = envs.reset(seed=seed)
    states = table.states(observations)
    for step in range(steps // TOGETHER):
        masks = infos["action_mask"].astype(bool)
        random = np.where(masks, rng.random(masks.shape), -1).argmax(axis=1)
        explore = rng.random(TOGETHER) < 0.5 * (1 - step * TOGETHER / steps)
        actions = np.where(explore, random, table.best(states, masks))
        observations, rewards, terminated, truncated, infos = envs.step(actions)
        after = table.states(observations)
        over = terminated | truncated
        ahead = np.where(over, 0.0, table.values[after].max(axis=1))
        # Everything is deterministic, so that the newest value is the value. The end of an episode of a
        # market says nothing of a state that does not hold the time.
        known = ~over if task.observed is not None else np.ones_like(over)
        table.values[states[known], actions[known]] = (rewards + task.discount * ahead)[known]
        states = after
    envs.close()
    return table


def largest_reward(task: Task) -> float:
    """Return the largest reward of some random steps, and a half more."""
    env = task.make()
    env.reset(seed=1)
    rng, rewards = np.random.default_rng(1), [1e-9]
    for _ in range(200):
        if isinstance(env.action_space, gymnasium.spaces.Box):
            action = rng.uniform(env.action_space.low, env.action_space.high).astype(np.float32)
        else:
            action = int(rng.choice(np.flatnonzero(env.action_masks())))
        _, reward, terminated, truncated, _ = env.step(action)
        rewards.append(abs(float(reward)))
        if terminated or truncated:
            env.reset()
    return 1.5 * max(rewards)


def learn(task: Task, learner: str, scale: float, seed: int) -> float:
    """Return the value of the greedy policy of a learner that was trained."""
    if learner == "Q-learning":
        table = learn_table(task, int(scale * task.tabular), seed)

        def greedy(seen: Any, env: Any) -> int:
            return int(table.best(table.states(seen[None]), env.action_masks()[None])[0])

        return value(task, greedy)
    import torch

    torch.set_num_threads(1)
    library = importlib.import_module(LIBRARY[learner])
    common = {"seed": seed, "gamma": task.discount, "policy_kwargs": {"net_arch": [64, 64]}}
    from stable_baselines3.common.env_util import make_vec_env

    # Payoffs in points are large numbers for a network.
    largest = largest_reward(task)
    envs = make_vec_env(
        lambda: TransformReward(task.make(), lambda reward: float(reward) / largest), COPIES, seed
    )
    if learner == "DQN":
        model = library.DQN(
            "MlpPolicy",
            envs,
            learning_rate=1e-3,
            learning_starts=500,
            train_freq=1,
            gradient_steps=COPIES // 2,
            target_update_interval=250,
            exploration_fraction=0.5,
            exploration_final_eps=0.02,
            **common,
        )
    else:
        model = getattr(library, learner)(
            "MlpPolicy", envs, learning_rate=1e-3, n_steps=50, batch_size=100, ent_coef=0.01, **common
        )
    model.learn(int(scale * task.steps))
    if learner == "MaskablePPO":
        return value(
            task,
            lambda seen, env: model.predict(seen, deterministic=True, action_masks=env.action_masks())[0],
        )
    return value(task, lambda seen, env: model.predict(seen, deterministic=True)[0])


def value(task: Task, choose: Any) -> float:
    """Return what an episode pays in which choices are made so."""
    env = task.make()
    observation, _ = env.reset(seed=0)
    paid, over = 0.0, False
    while not over:
        action = choose(observation, env)
        observation, reward, terminated, truncated, _ = env.step(
            action if env.action_space.dtype == np.float32 else int(action)
        )
        paid += float(reward)
        over = terminated or truncated
    return paid


def best_value(task: Task) -> float:
    """Return what an episode pays to the exact dynamic best reply."""
    if task.env == "av_adoption":
        courses = itertools.product((0, 1), repeat=task.options["rounds"])
        return max(value(task, follower(course)) for course in courses)
    if task.options.get("actions") == "continuous":
        env = task.make()
        market, rival = env.env.options.market, float(task.opponent.partition(":")[2])
        price = float(market.best_response(0, np.array([rival, rival]))[0])
        return value(task, lambda seen, env: np.array([price], dtype=np.float32))
    opponent = make_policy(task.opponent, task.env)
    best: Any = BestReplyPolicy(HOMO_ECONOMICUS, opponent)
    if task.env == "bertrand":
        best = BestReplyPricePolicy(opponent, discount=1.0, horizon="episode")
    rng = np.random.default_rng(0)
    return value(task, lambda seen, env: best.decide(env.env.unwrapped.turn(env.seat), rng).action)


def follower(course: tuple[int, ...]) -> Any:
    """Return the choice of one action after the other."""
    moves = iter(course)
    return lambda seen, env: next(moves)


def cell(given: tuple[int, str, float, int]) -> tuple[float, float]:
    """Return the value that a learner reaches in a task, and the seconds that it took."""
    place, learner, scale, seed = given
    start = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        reached = learn(TASKS[place], learner, scale, seed)
    return reached, time.perf_counter() - start


def main() -> None:
    """Train all learners and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--steps", type=float, default=1.0, help="times the usual number of steps")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--only", default="", help="games whose title holds this text")
    parser.add_argument("--markdown", action="store_true", help="print the table as Markdown")
    arguments = parser.parse_args()
    there = [name for name, library in LIBRARY.items() if importlib.util.find_spec(library) is not None]
    left_out = [name for name in LIBRARY if name not in there]
    cells = [
        (place, learner, arguments.steps, arguments.seed)
        for place, task in enumerate(TASKS)
        if arguments.only in task.title
        for learner in task.learners
        if learner in there
    ]
    line = "{:<47} {:<19} {:<12} {:>9.3f} {:>9.3f} {:>6.3f}"
    if arguments.markdown:
        line = "| {} | `{}` | {} | {:.3f} | {:.3f} | {:.3f} |"
    titles = ("game", "opponent", "learner", "reached", "best", "share")
    if arguments.markdown:
        print(f"| {' | '.join(titles)} |\n|---|---|---|---:|---:|---:|")
    else:
        print("{:<47} {:<19} {:<12} {:>9} {:>9} {:>6}".format(*titles))
    best = {place: best_value(TASKS[place]) for place in dict.fromkeys(place for place, *_ in cells)}
    spent = 0.0
    with multiprocessing.get_context("spawn").Pool(arguments.workers) as pool:
        for (place, learner, _, _), (reached, seconds) in zip(cells, pool.imap(cell, cells), strict=True):
            task = TASKS[place]
            spent += seconds
            share = reached / best[place]
            print(line.format(task.title, task.opponent, learner, reached, best[place], share), flush=True)
    print(f"\n{len(cells)} trainings, {spent:.0f} s of processor time")
    if left_out:
        print(f"Left out, because their libraries are not installed: {', '.join(left_out)}.")


if __name__ == "__main__":
    main()
