"""Play an environment with policies, episode by episode, into a run on disk."""

from __future__ import annotations

import copy
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from pettingzoo import AECEnv

from ludens.agents.policy import Policy
from ludens.envs import SequentialEnv, environments, make_env
from ludens.errors import UsageError
from ludens.experiments.records import EpisodeRecord, EpisodeSpec
from ludens.experiments.run import Run
from ludens.experiments.runner import (
    OnProgress,
    Recorder,
    check_concurrency,
    run_blocking,
    run_episodes,
    unplayed,
)
from ludens.experiments.seeds import check_seed, environment_seed
from ludens.experiments.store import Store, create_run

Env = AECEnv[str, Any, Any]
EnvLike = str | tuple[str, Mapping[str, Any]] | Env
PolicyLike = Policy | str | Mapping[str, Any]
Policies = PolicyLike | Sequence[PolicyLike] | Mapping[str, PolicyLike]


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

    Works in scripts and, since it brings its own event loop, in notebooks. A run that breaks off is continued by
    `resume`, or by ``ludens resume`` on the command line.

    Args:
        env: the id of an environment (``"trust-v0"``), an id with options (``("trust-v0", {"protocol": "TG3"})``), or
            an AEC environment that has ``turn(agent)``; it is copied, never stepped itself.
        policies: one per seat, by seat name or in the order of ``possible_agents``, or one for all seats; policies or
            their specs (``"tit_for_tat"``, ``"openai/gpt-5-mini"``).
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
    job = _prepare(env, policies, episodes, seed, path, concurrency)
    run_blocking(
        job.store,
        run_episodes(job.store, job.specs, job.play_one, concurrency=job.concurrency, progress=progress),
        keyboard=job.keyboard,
    )
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
    job = _prepare(env, policies, episodes, seed, path, concurrency)
    with job.store:
        await run_episodes(job.store, job.specs, job.play_one, concurrency=job.concurrency, progress=progress)
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

    Decisions that were made and calls that were answered are not asked for again. Calls that were under way when the
    process died had no reply yet, and are made again.

    Args:
        path: the run's file.
        env, policies: as they were given to `play`, where they were Python objects that the file cannot describe.
        concurrency: None for that of the start.
        progress: as in `play`.

    Raises:
        StoreError: the file is no run of `play`, another process has it, or a policy aborted it.
        UsageError: `env` or `policies` are needed and not given.
    """
    with Run(path) as run:
        manifest = run.manifest
    if manifest["kind"] != "play":
        raise StoreError(f"{path} is a run of {manifest['kind']}, not of play: use `ludens resume {path}`.")
    if manifest["status"] == "aborted":
        raise StoreError(f"{path} was aborted and cannot go on: {manifest['detail']}")
    if manifest["status"] == "done":
        return Run(path)
    config = manifest["config"]
    template = _environment(env if env is not None else _described_env(config["environment"], path))
    seated = _seated(
        template, policies if policies is not None else _described_policies(config["policies"], path)
    )
    store = Store(path)
    job = _Job(store, _specs(store), template, seated, concurrency or config["concurrency"])
    run_blocking(
        store,
        run_episodes(store, job.specs, job.play_one, concurrency=job.concurrency, progress=progress),
        keyboard=job.keyboard,
    )
    return Run(path)


class _Environment:
    """Makes fresh environments of one kind, and says how to make them again."""

    def __init__(self, make: Callable[[], Env], description: Mapping[str, Any]) -> None:
        self.description = dict(description)
        self._make = make
        first = make()
        self._idle = [first]
        self.seats: list[str] = list(first.possible_agents)
        self.name = str(self.description["id"] or getattr(first.unwrapped, "environment", "") or first)
        self.protocol: str | None = getattr(getattr(first.unwrapped, "game", None), "protocol", None)
        if not callable(getattr(first.unwrapped, "turn", None)):
            raise UsageError(
                f"{self.name} has no turn(agent), from which policies learn what they may know: add it, "
                "as ludens.envs.SequentialEnv does."
            )

    def take(self) -> Env:
        return self._idle.pop() if self._idle else self._make()

    def give_back(self, env: Env) -> None:
        self._idle.append(env)


class _Job:
    """A run about to be played: its store, its episodes, and how one is played."""

    def __init__(
        self,
        store: Store,
        specs: Sequence[EpisodeSpec],
        environment: _Environment,
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

    async def play_one(
        self, spec: EpisodeSpec, recorder: Recorder, seeds: np.random.SeedSequence
    ) -> EpisodeRecord:
        env = self.environment.take()
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
        self.environment.give_back(env)
        return EpisodeRecord(
            spec.index, spec.labels, "done", payoffs, "truncated by max_cycles" if truncated else ""
        )


def _prepare(
    env: EnvLike,
    policies: Policies,
    episodes: int,
    seed: int,
    path: str | os.PathLike[str] | None,
    concurrency: int,
) -> _Job:
    """Check everything, then write the run's file."""
    if not isinstance(episodes, int) or isinstance(episodes, bool) or episodes < 1:
        raise UsageError(f"The number of episodes is a whole number of at least 1; got {episodes!r}.")
    check_concurrency(concurrency)
    environment = _environment(env)
    seated = _seated(environment, policies)
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


def _environment(env: EnvLike) -> _Environment:
    if isinstance(env, str):
        env = (env, {})
    if isinstance(env, tuple):
        name, options = env
        return _Environment(lambda: make_env(name, **options), {"id": name, "options": dict(options)})
    if not isinstance(env, AECEnv):
        raise UsageError(
            f"An environment is an id, (id, options) or a PettingZoo AEC environment; got {type(env).__name__}."
        )
    template = env
    return _Environment(lambda: copy.deepcopy(template), _description(env))


def _description(env: Env) -> dict[str, Any]:
    inner = env.unwrapped
    if not isinstance(inner, SequentialEnv) or inner.environment not in environments():
        return {"id": None, "options": {}, "name": str(env)}
    game = inner.game
    rules: dict[str, Any] = {"payoffs": list(game.parameters.values())}
    if game.protocol is not None:
        rules = {"protocol": game.protocol}
    options = rules | {"roles": inner.roles, "method": inner.method, "rounds": inner.rounds}
    if inner.max_cycles is not None:
        options["max_cycles"] = inner.max_cycles
    return {"id": inner.environment, "options": options}


def _seated(environment: _Environment, policies: Policies) -> dict[str, Policy]:
    """The policy of every seat."""
    seats = environment.seats
    if isinstance(policies, Policy | str) or (isinstance(policies, Mapping) and "spec" in policies):
        one = _policy(policies)
        return dict.fromkeys(seats, one)
    if isinstance(policies, Mapping):
        if set(policies) != set(seats):
            raise UsageError(
                f"{environment.name} has the seats {', '.join(seats)}; policies were given for "
                f"{', '.join(map(str, policies)) or 'none'}."
            )
        return {seat: _policy(policies[seat]) for seat in seats}
    given = list(policies)
    if len(given) != len(seats):
        raise UsageError(
            f"{environment.name} has {len(seats)} seats ({', '.join(seats)}); {len(given)} policies were given: "
            "name one for each, or one for all."
        )
    return {seat: _policy(policy) for seat, policy in zip(seats, given, strict=True)}


def _policy(policy: PolicyLike) -> Policy:
    if isinstance(policy, Policy):
        return policy
    from ludens.agents.registry import make_policy

    return make_policy(policy)


def _described_env(description: Mapping[str, Any], path: str | os.PathLike[str]) -> EnvLike:
    if description["id"] is None:
        raise UsageError(
            f"The environment of {path} was a Python object ({description['name']}): go on from Python with "
            f"ludens.experiments.resume({str(path)!r}, env=...)."
        )
    return description["id"], description["options"]


def _described_policies(
    described: Mapping[str, Mapping[str, Any]], path: str | os.PathLike[str]
) -> dict[str, PolicyLike]:
    for seat, description in described.items():
        if "spec" not in description:
            raise UsageError(
                f"The policy {description.get('name')!r} of {seat} in {path} was a Python object: go on from Python "
                f"with ludens.experiments.resume({str(path)!r}, policies=...)."
            )
    return dict(described)
