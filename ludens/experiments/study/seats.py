"""Play an environment with a policy in every seat."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ludens.agents.policy import Policy, keep_notes
from ludens.envs.foreign import turn_of
from ludens.experiments.runs.recorder import Recorder
from ludens.experiments.runs.records import EpisodeRecord, EpisodeSpec
from ludens.experiments.runs.runner import PlayOne, unplayed
from ludens.experiments.runs.seeds import environment_seed
from ludens.experiments.study.environments import Env, EnvironmentMaker


def seat_player(environments: EnvironmentMaker, seated: Mapping[str, Policy]) -> PlayOne:
    """Return what plays one episode in an environment of its own.

    Args:
        environments: makes them.
        seated: the policy of every seat.
    """

    async def play_one(spec: EpisodeSpec, recorder: Recorder, seeds: np.random.SeedSequence) -> EpisodeRecord:
        env = environments.take()
        try:
            return await _play_in(env, seated, spec, recorder, seeds)
        finally:
            environments.give_back(env)

    return play_one


async def _play_in(
    env: Env,
    seated: Mapping[str, Policy],
    spec: EpisodeSpec,
    recorder: Recorder,
    seeds: np.random.SeedSequence,
) -> EpisodeRecord:
    env.reset(seed=environment_seed(seeds))
    payoffs = dict.fromkeys(seated, 0.0)
    truncated = False
    for agent in env.agent_iter():
        _, reward, terminated, cut, _ = env.last(observe=False)
        payoffs[agent] += float(reward)
        if terminated or cut:
            truncated = truncated or cut
            env.step(None)
            continue
        turn = turn_of(env, agent)
        policy = seated[agent]
        decision = await recorder.decide(policy, turn)
        if decision.action is None:
            return unplayed(spec, turn, decision, payoffs, policy.name)
        keep_notes(env, agent, decision)
        env.step(decision.action)
    detail = "truncated by max_cycles" if truncated else ""
    return EpisodeRecord(spec.index, spec.labels, "done", payoffs, detail)
