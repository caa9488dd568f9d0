"""The page of a run of an environment."""

from __future__ import annotations

from collections.abc import Mapping

from ludens.display.table import Table
from ludens.experiments.play.result import PlayResult
from ludens.experiments.report import provenance
from ludens.experiments.report.answering import answering_tables, remarks
from ludens.experiments.report.names import DASH, number, policy_name
from ludens.experiments.report.page import Page
from ludens.experiments.report.transcripts import Transcripts
from ludens.experiments.runs.run import Run

MOST_EPISODES = 200
"""Rows of the table of episodes; the export has all."""


def page(result: PlayResult) -> Page:
    """Return what the report of a run shows: mean payoffs, the episodes, and every decision."""
    with Run(result.run_path) as run:
        manifest, decisions = run.manifest, run.decisions()
    summary = result.summary
    ended = sum(count for status, count in summary.episodes.items() if status not in {"planned", "running"})
    seats = dict.fromkeys(name for row in result.episodes for name in row if name.startswith("payoff "))
    payoffs = Table.of(
        "Payoffs",
        "Mean points per episode over the seats of a policy, where the payoff is defined.",
        ["points"],
        [(policy_name(name), [number(mean, 2)]) for name, mean in summary.payoffs.items()],
        corner="policy",
    )
    shown = result.episodes[:MOST_EPISODES]
    more = "" if len(shown) == len(result.episodes) else f" The first {len(shown)} of {len(result.episodes)}."
    episodes = Table.of(
        "Episodes",
        f"Points of each seat; a dash where a payoff is undefined.{more}",
        ["status", *(name.removeprefix("payoff ") for name in seats)],
        [(str(row["episode"]), [str(row["status"]), *(_paid(row, seat) for seat in seats)]) for row in shown],
        corner="episode",
    )
    return Page(
        title=" against ".join(policy_name(name) for name in summary.payoffs),
        lead=f"{len(result.episodes)} episodes of {manifest['config']['environment'].get('id', 'a game')}.",
        kind="play",
        warnings=(
            *provenance.unfinished(ended, len(result.episodes), result.run_path),
            *remarks(decisions),
        ),
        tables=[payoffs, *answering_tables(decisions), episodes],
        transcripts=Transcripts(decisions),
        facts=provenance.facts(manifest, result.run_path, _own(manifest)),
    )


def _paid(row: Mapping[str, object], seat: str) -> str:
    value = row.get(seat)
    return number(value, 2) if isinstance(value, float) else DASH


def _own(manifest: Mapping[str, dict[str, object]]) -> dict[str, str]:
    environment = manifest["config"]["environment"]
    assert isinstance(environment, dict)
    return {name: str(value) for name, value in environment.items()}
