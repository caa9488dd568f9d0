"""Persistence: whether a policy's choices agree with its target's oracle in late rounds as in early ones.

Unreadable replies and refusals end a match, and nothing is imputed for them. Intervals are the wider of
Wilson's and a bootstrap over games; that of the change compares the same games early and late.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any
from zlib import crc32

import numpy as np

from ludens.display.table import Cell, Table
from ludens.experiments.measures.intervals import (
    Estimate,
    cluster_slopes,
    missing,
    wilson,
)
from ludens.experiments.report import provenance
from ludens.experiments.report.answering import remarks
from ludens.experiments.report.cells import measured as number_cell
from ludens.experiments.report.cells import share
from ludens.experiments.report.page import Page
from ludens.experiments.report.result import RunResult
from ludens.experiments.report.terminal import print_closing, print_table, say
from ludens.experiments.report.transcripts import Transcripts
from ludens.experiments.runs.records import DecisionRecord
from ludens.experiments.runs.run import Run
from ludens.preferences import Preferences
from ludens.training.evaluation.scores import share_over_games, shares_of
from ludens.training.evaluation.sets import optimal

if TYPE_CHECKING:
    from rich.console import Console

WORDS = (
    "Games that are played repeatedly, by the policy with itself and with a partner who acts at random, from "
    "its own history: per cent of readable choices that the target's single-round oracle would make, with "
    "95 % intervals, over all rounds, the first third and the last half; the change between the two in "
    "points. An unreadable or refused reply ends a match; lost is the share of matches that ended so."
)
HEADERS = ("rounds", "choices", "agrees", "first third", "last half", "change", "lost")


@dataclass(frozen=True)
class Persistence:
    """A policy's agreement with the target over the rounds of its matches.

    Attributes:
        policy, framing, partner: whose matches, in which wording, against whom.
        matches, lost: the number of matches, and the share that ended with an unreadable or refused reply.
        played: the number of readable choices at turns where the target is not indifferent.
        agreement, first, last: the share that the oracle would make too: over all rounds, in the first third,
            and in the last half.
        change: `last` − `first`.
        rounds: the same share in each round.
    """

    policy: str
    framing: str
    partner: str
    matches: int
    lost: Estimate
    played: int
    agreement: Estimate
    first: Estimate
    last: Estimate
    change: Estimate
    rounds: tuple[Estimate, ...]

    @property
    def name(self) -> str:
        """What tables call it."""
        words = "" if self.framing == "-" else f", {self.framing}"
        return f"{self.policy}: with {'itself' if self.partner == 'itself' else 'a random partner'}{words}"

    @property
    def cells(self) -> tuple[Cell, ...]:
        """Its row under `HEADERS`."""
        return (
            Cell(str(len(self.rounds))),
            Cell(str(self.played)),
            share(self.agreement),
            share(self.first),
            share(self.last),
            number_cell(self.change, 0, 100.0),
            share(self.lost),
        )


@dataclass(frozen=True, kw_only=True, repr=False)
class RepeatedResult(RunResult):
    """Repeated play as measured.

    Attributes:
        persistence: of every policy, framing and partner.
    """

    persistence: tuple[Persistence, ...]

    @property
    def rows(self) -> list[dict[str, Any]]:
        """One row per policy, framing, partner and round, with the estimate's parts in columns."""
        return [
            {
                "policy": each.policy,
                "framing": each.framing,
                "partner": each.partner,
                "round": number,
                **asdict(found),
            }
            for each in self.persistence
            for number, found in enumerate(each.rounds, 1)
        ]


def measured(run: Run, target: Preferences, rounds: int) -> RepeatedResult:
    """Measure repeated play as it stands, finished or not."""
    decisions = run.decisions()
    found = persistence(decisions, target, rounds, seed=int(run.manifest["seed"]))
    return RepeatedResult.of(run, decisions, persistence=found)


def persistence(
    decisions: Sequence[DecisionRecord], target: Preferences, rounds: int, *, seed: int = 0
) -> tuple[Persistence, ...]:
    """Return the persistence of every policy, framing and partner, in order of appearance."""
    groups: dict[tuple[str, str, str], list[DecisionRecord]] = {}
    matches: dict[tuple[str, str, str], set[int]] = {}
    for record in decisions:
        labels = record.labels
        key = (str(labels["policy"]), str(labels["framing"]), str(labels["partner"]))
        # A second mover may never come to move.
        matches.setdefault(key, set()).add(record.episode)
        if labels["partner"] == "itself" or record.agent == f"player_{labels['seat']}":
            groups.setdefault(key, []).append(record)
    return tuple(
        _of(key, groups.get(key, []), target, matches=len(played), rounds=rounds, seed=seed)
        for key, played in matches.items()
    )


def _of(
    key: tuple[str, str, str],
    records: Sequence[DecisionRecord],
    target: Preferences,
    *,
    matches: int,
    rounds: int,
    seed: int,
) -> Persistence:
    seen: list[tuple[int, float, object]] = []
    exact = all(record.decision.probabilities is not None for record in records)
    for record in records:
        labels, shares = record.labels, shares_of(record)
        payoffs = tuple(float(value) for value in labels["payoffs"])
        best = optimal(labels["family"], payoffs, record.node, target)
        if shares is not None and len(best) < len(record.options):
            agreed = float(sum(shares[place] for place in best))
            seen.append((record.round, agreed, (labels["family"], payoffs)))

    def drawing(what: str) -> np.random.Generator:
        return np.random.default_rng([seed, crc32(" ".join((*key, what)).encode("utf-8", "surrogatepass"))])

    def agreement(what: str, of: Sequence[tuple[int, float, object]]) -> Estimate:
        values, clusters = [agreed for _, agreed, _ in of], [game for _, _, game in of]
        return share_over_games(values, clusters, drawing(what), exact=exact, nothing="no readable choice")

    third, half = max(1, rounds // 3), rounds // 2
    first = [each for each in seen if each[0] < third]
    last = [each for each in seen if each[0] >= half]
    change = missing("no readable choices early and late")
    if first and last and half >= third:
        regressors = np.array([[float(each[0] >= half), 1.0] for each in (*first, *last)])
        values, clusters = zip(*[(agreed, game) for _, agreed, game in (*first, *last)], strict=True)
        change = cluster_slopes(list(values), regressors, list(clusters), drawing("change"))[0]
    ended = {record.episode: record.decision.status for record in records}
    return Persistence(
        *key,
        matches,
        wilson(sum(status != "valid" for status in ended.values()), matches),
        len(seen),
        agreement("all", seen),
        agreement("first", first),
        agreement("last", last),
        change,
        tuple(agreement(str(n), [each for each in seen if each[0] == n]) for n in range(rounds)),
    )


def table(found: Sequence[Persistence]) -> Table:
    """Return the table of persistence."""
    rows = [(each.name, each.cells) for each in found]
    return Table.of("Repeated play", WORDS, HEADERS, rows, corner="who: partner, wording")


def page(result: RepeatedResult) -> Page:
    """Return the report of repeated play."""
    return Page(
        title=", ".join(dict.fromkeys(each.policy for each in result.persistence)),
        lead="Whether choices agree with the target's oracle in late rounds as in early ones.",
        kind="repeated play",
        warnings=tuple(remarks(result.decisions)),
        tables=[table(result.persistence), by_round(result.persistence)],
        transcripts=Transcripts(result.decisions),
        facts=provenance.facts(result.manifest, result.run_path, {}),
    )


def by_round(found: Sequence[Persistence]) -> Table:
    """Return a table of the agreement in every round."""
    most = max((len(each.rounds) for each in found), default=0)
    rows = [(each.name, tuple(share(one) for one in each.rounds)) for each in found]
    headers = tuple(str(number) for number in range(1, most + 1))
    return Table.of("Agreement by round", "Per cent, with 95 % intervals.", headers, rows, corner="who")


def show(result: RepeatedResult, console: Console) -> None:
    """Print agreement at the beginning and at the end of matches."""
    print_table(table(result.persistence), console, names=30)
    say(console, WORDS, "dim")
    for sentence in remarks(result.decisions):
        say(console, sentence, "yellow")
    unfinished = result.ended < result.planned
    print_closing(console, result.run_path, result.report_path, unfinished=unfinished)
