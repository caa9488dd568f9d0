"""Play an environment with policies, episode by episode, into a run on disk."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

import numpy as np

from ludens.agents.policy import Policy
from ludens.errors import UsageError
from ludens.experiments.runs.blocking import run_blocking
from ludens.experiments.runs.database import NoRunError
from ludens.experiments.runs.recorder import OnProgress, Recorder
from ludens.experiments.runs.records import EpisodeRecord, EpisodeSpec
from ludens.experiments.runs.run import Run
from ludens.experiments.runs.runner import check_concurrency, check_resumable, run_episodes, unplayed
from ludens.experiments.runs.seeds import check_seed, environment_seed
from ludens.experiments.runs.store import Store, create_run
from ludens.experiments.setup import (
    Env,
    EnvironmentMaker,
    EnvLike,
    Policies,
    described_env,
    described_policies,
    environment_maker,
    seat_policies,
)


def play(
    env: EnvLike,
    policies: Policies,
    *,
    episodes: int = 1,
    seed: int = 0,
    path: str | os.PathLike[str] | None = None,
    concurrency: int = 8,
    progress: OnProgress | None = None,
) -> Run:
    """Play episodes and keep them.

    Works in scripts and, since it brings its own event loop, in notebooks. A run that breaks off is continued
    by `resume`, or by ``ludens resume`` on the command line.

    Args:
        env: the id of an environment (``"trust-v0"``), an id with options (``("trust-v0", {"protocol":
            "TG3"})``), or an AEC environment that has ``turn(agent)``; it is copied, never stepped itself.
        policies: one per seat, by seat name or in the order of ``possible_agents``, or one for all seats;
            policies or their specs (``"tit_for_tat"``, ``"openai/gpt-5-mini"``).
        episodes: how many, at least 1.
        seed: the root of the run's tree of seeds; the same seed gives the same run at every concurrency.
        path: the run's file; None for a new name under ``runs/``.
        concurrency: how many episodes are played at once, at least 1.
        progress: called after each decision and each episode.

    Raises:
        UsageError: an argument is wrong; nothing was written.
        StoreError: the run cannot be written.
        LudensError: a model cannot be reached at all; what was played is kept.
        RunInterrupted: Ctrl-C; what was played is kept.
    """
    job = _prepare(env, policies, episodes=episodes, seed=seed, path=path, concurrency=concurrency)
    run_blocking(job.store, job.run(progress), keyboard=job.keyboard)
    return Run(job.store.path)


async def aplay(
    env: EnvLike,
    policies: Policies,
    *,
    episodes: int = 1,
    seed: int = 0,
    path: str | os.PathLike[str] | None = None,
    concurrency: int = 8,
    progress: OnProgress | None = None,
) -> Run:
    """The same as `play` within a running event loop; cancelling it leaves a run that can be resumed."""
    job = _prepare(env, policies, episodes=episodes, seed=seed, path=path, concurrency=concurrency)
    with job.store:
        await job.run(progress)
    return Run(job.store.path)


def resume(
    path: str | os.PathLike[str],
    *,
    env: EnvLike | None = None,
    policies: Policies | None = None,
    concurrency: int | None = None,
    progress: OnProgress | None = None,
) -> Run:
    """Go on with a run that broke off, wherever it did; a run that is done is returned as it is.

    Decisions that were made and calls that were answered are not asked for again. Calls that were under way
    when the process died had no reply yet, and are made again.

    Args:
        path: the run's file.
        env: as it was given to `play`, where it was a Python object that the file cannot describe.
        policies: likewise.
        concurrency: None for that of the start.
        progress: as in `play`.

    Raises:
        NoRunError: the file is no run of `play`.
        StoreError: another process has it, or a policy aborted it.
        UsageError: `env` or `policies` are needed and not given.
    """
    with Run(path) as run:
        manifest = run.manifest
    if manifest["kind"] != "play":
        raise NoRunError(
            f"{path} is a run of {manifest['kind']}, not of play: go on with it by what began it, in ludens "
            f"{manifest['versions'].get('ludens', 'of its time')}."
        )
    if manifest["status"] == "done":
        return Run(path)
    check_resumable(manifest, path)
    config = manifest["config"]
    template = environment_maker(env if env is not None else described_env(config["environment"], path))
    seated = seat_policies(
        template, policies if policies is not None else described_policies(config["policies"], path)
    )
    at_once = config["concurrency"] if concurrency is None else concurrency
    check_concurrency(at_once)
    store = Store(path)
    job = _Job(store, _specs(store), template, seated, at_once)
    run_blocking(store, job.run(progress), keyboard=job.keyboard)
    return Run(path)


class _Job:
    """A run about to be played: its store, its episodes, and how one is played."""

    def __init__(
        self,
        store: Store,
        specs: Sequence[EpisodeSpec],
        environment: EnvironmentMaker,
        policies: Mapping[str, Policy],
        concurrency: int,
    ) -> None:
        self.store = store
        self.specs = specs
        self.environment = environment
        self.policies = policies
        self.keyboard = any(policy.describe().get("spec") == "human" for policy in policies.values())
        # Two episodes at one keyboard would be asked in turns.
        self.concurrency = 1 if self.keyboard else concurrency

    async def run(self, progress: OnProgress | None) -> None:
        await run_episodes(
            self.store, self.specs, self.play_one, concurrency=self.concurrency, progress=progress
        )

    async def play_one(
        self, spec: EpisodeSpec, recorder: Recorder, seeds: np.random.SeedSequence
    ) -> EpisodeRecord:
        env = self.environment.take()
        try:
            return await self._play_in(env, spec, recorder, seeds)
        finally:
            self.environment.give_back(env)

    async def _play_in(
        self, env: Env, spec: EpisodeSpec, recorder: Recorder, seeds: np.random.SeedSequence
    ) -> EpisodeRecord:
        env.reset(seed=environment_seed(seeds))
        payoffs = dict.fromkeys(self.environment.seats, 0.0)
        truncated = False
        for agent in env.agent_iter():
            _, reward, terminated, cut, _ = env.last(observe=False)
            payoffs[agent] += float(reward)
            if terminated or cut:
                truncated = truncated or cut
                env.step(None)
                continue
            turn = env.unwrapped.turn(agent)
            policy = self.policies[agent]
            decision = await recorder.decide(policy, turn)
            if decision.action is None:
                return unplayed(spec, turn, decision, payoffs, policy.name)
            env.step(decision.action)
        detail = "truncated by max_cycles" if truncated else ""
        return EpisodeRecord(spec.index, spec.labels, "done", payoffs, detail)


def _prepare(
    env: EnvLike,
    policies: Policies,
    *,
    episodes: int,
    seed: int,
    path: str | os.PathLike[str] | None,
    concurrency: int,
) -> _Job:
    """Check everything, then write the run's file."""
    if not isinstance(episodes, int) or isinstance(episodes, bool) or episodes < 1:
        raise UsageError(f"The number of episodes is a whole number of at least 1; got {episodes!r}.")
    check_concurrency(concurrency)
    environment = environment_maker(env)
    seated = seat_policies(environment, policies)
    labels = {"environment": environment.name, "protocol": environment.protocol}
    labels |= {seat: policy.name for seat, policy in seated.items()}
    specs = [EpisodeSpec(index, labels) for index in range(episodes)]
    config = {
        "environment": environment.description,
        "policies": {seat: policy.describe() for seat, policy in seated.items()},
        "episodes": episodes,
        "concurrency": concurrency,
    }
    store = create_run(path, "play", config, specs, check_seed(seed))
    return _Job(store, specs, environment, seated, concurrency)


def _specs(store: Store) -> list[EpisodeSpec]:
    return [EpisodeSpec(record.index, record.labels) for record in store.episodes()]
