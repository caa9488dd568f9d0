"""Small populations of the adoption game in which everybody sits in a seat: models, and whoever else.

They are played by `ludens.experiments.play` into a run that is kept and can be resumed; every seat is asked
in every round. What a run's file holds is enough to tell the paths: the episode is played again from its
seed and its decisions.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from itertools import groupby
from typing import Any

import numpy as np

from ludens.agents.av.adoption import AdoptionOraclePolicy
from ludens.agents.policy import Decision, Policy
from ludens.agents.registry import make_policy
from ludens.envs.av.adoption.env import ENVIRONMENT, AdoptionEnv
from ludens.envs.av.adoption.game import AdoptionGame
from ludens.experiments.av.adoption import AdoptionPaths
from ludens.experiments.av.adoption_result import AdoptionResult
from ludens.experiments.av.groups import Group
from ludens.experiments.play.study import play
from ludens.experiments.runs.database import NoRunError
from ludens.experiments.runs.recorder import OnProgress
from ludens.experiments.runs.run import Run
from ludens.experiments.runs.seeds import check_seed, environment_seed, episode_seeds


def seat_adoption(
    game: AdoptionGame,
    groups: Sequence[Group],
    *,
    rounds: int = 10,
    populations: int = 1,
    realised: bool = False,
    seed: int = 0,
    path: str | os.PathLike[str] | None = None,
    concurrency: int = 8,
    progress: OnProgress | None = None,
) -> AdoptionResult:
    """Play populations seat by seat and keep the run.

    Args:
        game: the rules.
        groups: in the order of seats; their sizes sum to the game's people.
        rounds: of each population.
        populations: how many, an episode each.
        realised: whether accidents are drawn.
        seed: the root of the run's seeds; κ of mixed groups is drawn from it, alike in all populations.
        path: the run's file; None for a new name under ``runs/``.
        concurrency: how many populations are played at once.
        progress: called after each decision and each episode.

    Raises:
        UsageError: an argument is wrong; nothing was written.
        StoreError: the run cannot be written.
        LudensError: a model cannot be reached at all; what was played is kept.
        RunInterrupted: Ctrl-C; what was played is kept.
    """
    rng = np.random.default_rng(np.random.SeedSequence(check_seed(seed), spawn_key=(2**32 - 1,)))
    policies = [policy for group in groups for policy in group.policies(rng)]
    config = {name: value for name, value in game.config.items() if value is not None}
    options = {**config, "rounds": rounds, "payoffs": "realised" if realised else "expected"}
    run = play(
        (ENVIRONMENT, options),
        policies,
        episodes=populations,
        seed=seed,
        path=path,
        concurrency=concurrency,
        progress=progress,
    )
    return load_adoption(run.path)


def load_adoption(path: str | os.PathLike[str]) -> AdoptionResult:
    """What a run of the adoption game found so far.

    Neighbouring seats with policies of one name are a group; neighbouring adopters that all differ are a
    group too, called ``mixed``.

    Raises:
        NoRunError: the file is no run, or one of another game.
    """
    with Run(path) as run:
        manifest, episodes, decisions = run.manifest, run.episodes(), run.decisions()
    described = manifest["config"].get("environment") or {}
    if not isinstance(described, dict) or "av_adoption" not in str(described.get("id")):
        raise NoRunError(f"{path} is no run of the adoption game: `ludens show {path}`.")
    env = AdoptionEnv(**{name: value for name, value in described.items() if name != "id"})
    policies = [_policy(each) for each in manifest["config"]["policies"]]
    groups = _groups(policies)
    edges = np.cumsum([0, *(group.people for group in groups)])
    shares = np.full((len(episodes), env.rounds + 1, len(groups)), np.nan)
    payoffs = np.full((len(episodes), env.rounds, len(groups)), np.nan)
    deaths = np.full((len(episodes), env.rounds, 3), np.nan)
    chosen: dict[tuple[int, int], dict[str, Any]] = {}
    counts = {"valid": 0, "invalid": 0, "refused": 0}
    for record in decisions:
        counts[record.decision.status] += 1
        if isinstance(record.decision, Decision) and record.decision.action is not None:
            chosen.setdefault((record.episode, record.round), {})[record.agent] = record.decision.action
    for episode in episodes:
        if episode.status != "done":
            continue
        env.reset(seed=environment_seed(episode_seeds(manifest["seed"], episode.index)))
        for number in range(env.rounds):
            actions = chosen[episode.index, number]
            _, rewards, _, _, infos = env.step(actions)
            cars = np.array([actions[seat] == 0 for seat in env.possible_agents])
            paid = np.array(list(rewards.values()))
            for place in range(len(groups)):
                seats = slice(edges[place], edges[place + 1])
                shares[episode.index, number + 1, place] = cars[seats].mean()
                payoffs[episode.index, number, place] = paid[seats].mean()
            deaths[episode.index, number] = list(infos[env.possible_agents[0]]["deaths"].values())
    settings = {"rounds": env.rounds, "populations": len(episodes), "seed": manifest["seed"]}
    settings |= {"realised": env.payoffs == "realised", "status": manifest["status"]}
    paths = AdoptionPaths(env.game, groups, shares, payoffs, deaths)
    return AdoptionResult(run.path, settings, paths, decisions=counts)


def _policy(description: str | dict[str, Any]) -> Policy:
    if isinstance(description, str) or "spec" in description:
        return make_policy(description, ENVIRONMENT)
    return _Named(description["name"])


def _groups(policies: Sequence[Policy]) -> tuple[Group, ...]:
    found: list[Group] = []
    alone = False
    for name, same in groupby(policies, key=lambda policy: policy.name):
        each = list(same)
        single = len(each) == 1 and isinstance(each[0], AdoptionOraclePolicy)
        if single and alone:
            found[-1] = Group("mixed", found[-1].people + 1, each[0])
        else:
            found.append(Group(name, len(each), each[0]))
        alone = single
    return tuple(found)


class _Named(Policy):
    """A policy that the file of a run names and nothing more."""

    def __init__(self, name: str) -> None:
        self.name = name

    def decide(self, turn: Any, rng: np.random.Generator) -> Decision:
        raise NotImplementedError
