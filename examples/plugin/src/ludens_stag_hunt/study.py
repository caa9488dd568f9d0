"""A study: how often two policies meet at the stag."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations_with_replacement
from typing import Any

import numpy as np
from rich.console import Console

from ludens.display.table import Table
from ludens.envs import make_env
from ludens.experiments.measures.intervals import Estimate, wilson
from ludens.experiments.report.cells import share
from ludens.experiments.report.page import Page
from ludens.experiments.runs.recorder import Recorder
from ludens.experiments.runs.records import EpisodeRecord, EpisodeSpec
from ludens.experiments.runs.run import Run
from ludens.experiments.runs.runner import PlayOne, unplayed
from ludens.experiments.runs.seeds import environment_seed
from ludens.experiments.study.base import Labels, Rows, Study
from ludens.experiments.study.config import Count, PolicySpecs, StudyConfig
from ludens_stag_hunt.game import FAMILY


class CoordinationConfig(StudyConfig):
    """Every pair of the policies hunts together, `hunts` times."""

    kind = "coordination"

    policies: PolicySpecs
    protocol: str = "SH1"
    hunts: Count = 20


@dataclass(frozen=True)
class Meetings:
    """The share of hunts in which both hunted the stag, by pair of policies."""

    both: Mapping[tuple[str, str], Estimate]


class Coordination(Study[CoordinationConfig, Meetings]):
    """How often each pair of policies meets at the stag."""

    config_type = CoordinationConfig
    title = "Stag hunt between every two policies"
    grows = frozenset({"hunts"})

    def episodes(self) -> Sequence[Labels]:
        """Return one episode for each pair and hunt."""
        names = [policy.name for policy in self.made("policies", FAMILY.environment)]
        pairs = combinations_with_replacement(names, 2)
        return [
            {"first": one, "second": two, "hunt": hunt}
            for one, two in pairs
            for hunt in range(self.config.hunts)
        ]

    def player(self) -> PlayOne:
        """Return what plays one hunt."""
        policies = {policy.name: policy for policy in self.made("policies", FAMILY.environment)}

        async def play_one(
            spec: EpisodeSpec, recorder: Recorder, seeds: np.random.SeedSequence
        ) -> EpisodeRecord:
            env = make_env(FAMILY.name, protocol=self.config.protocol, roles="fixed")
            env.reset(seed=environment_seed(seeds))
            seated = dict(
                zip(env.possible_agents, (spec.labels["first"], spec.labels["second"]), strict=True)
            )
            payoffs = dict.fromkeys(seated, 0.0)
            for agent in env.agent_iter():
                _, reward, terminated, truncated, _ = env.last(observe=False)
                payoffs[agent] += float(reward)
                if terminated or truncated:
                    env.step(None)
                    continue
                turn = env.unwrapped.turn(agent)
                decision = await recorder.decide(policies[seated[agent]], turn)
                if decision.action is None:
                    return unplayed(spec, turn, decision, payoffs, seated[agent])
                env.step(decision.action)
            return EpisodeRecord(spec.index, spec.labels, "done", payoffs)

        return play_one

    def measure(self, run: Run) -> Meetings:
        """Return the share of stag hunts by pair, over the hunts that were played."""
        stags: dict[int, int] = {}
        for record in run.decisions():
            stags[record.episode] = stags.get(record.episode, 0) + (record.choice == "stag")
        met: dict[tuple[str, str], list[bool]] = {}
        for episode in run.episodes():
            if episode.status == "done":
                pair = (episode.labels["first"], episode.labels["second"])
                met.setdefault(pair, []).append(stags.get(episode.index, 0) == 2)
        return Meetings({pair: wilson(sum(each), len(each)) for pair, each in met.items()})

    def page(self, result: Meetings) -> Page:
        """Return a page with one table."""
        rows = [(" and ".join(pair), [share(estimate)]) for pair, estimate in result.both.items()]
        table = Table.of("Stag hunts", "Hunts in which both hunted the stag, in per cent.", ["both"], rows)
        return Page("Stag hunt", f"Pairs of policies in {self.config.protocol}.", self.title, tables=[table])

    def show(self, result: Meetings, console: Console) -> None:
        """Print one line for each pair."""
        for (one, two), estimate in result.both.items():
            console.print(f"{one} and {two}: {estimate.value:.0%}", highlight=False, markup=False)

    def tables(self, result: Meetings) -> Mapping[str, Rows]:
        """Return the shares."""
        rows: list[Mapping[str, Any]] = [
            {"first": one, "second": two, "both": estimate.value, "hunts": estimate.n}
            for (one, two), estimate in result.both.items()
        ]
        return {"meetings": rows}
