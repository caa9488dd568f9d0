"""Tournaments: policies meet in pairs or larger groups and play games, everybody with everybody or in a Swiss
system.

A match is an episode in an environment of PettingZoo's. Those who meet do so as often in every seating, in
which each takes the first seat in turn, with the same random draws of the environment in all of them. In a
group each earns something against each of the others, and has won against those that earn less.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from functools import cached_property
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar
from zlib import crc32

import numpy as np

from ludens.agents.policy import Policy
from ludens.errors import UsageError
from ludens.experiments.populations.tournament_config import Pair, TournamentConfig, game_name, seatings
from ludens.experiments.populations.tournament_result import CrossPlay, Floats, TournamentResult
from ludens.experiments.runs.columns import Column
from ludens.experiments.runs.recorder import Recorder
from ludens.experiments.runs.records import EpisodeRecord, EpisodeSpec
from ludens.experiments.runs.run import Run
from ludens.experiments.runs.runner import PlayOne
from ludens.experiments.study.base import Columns, Labels, Rows, Study
from ludens.experiments.study.config import PolicyLike
from ludens.experiments.study.engine import extend, load
from ludens.experiments.study.environments import EnvironmentMaker
from ludens.experiments.study.seats import seat_player

if TYPE_CHECKING:
    from rich.console import Console

    from ludens.experiments.report.page import Page


class TournamentStudy(Study[TournamentConfig, TournamentResult]):
    """Policies that play against each other."""

    config_type = TournamentConfig
    title = "policies that play games against each other"
    grows: ClassVar[frozenset[str]] = frozenset({"policies", "games", "matches", "pairings", "swiss"})
    columns: ClassVar[Columns] = {
        "cross_play": (
            Column("game", "text", "environment and options"),
            Column("policy", "text", "who earned it"),
            Column("against", "text", "the other one"),
            Column("payoff", "number", "mean per round, in points", empty="they have not met"),
            Column("error", "number", "its standard error", empty="fewer than two matches"),
            Column("matches", "integer", "how many were played to their end"),
        ),
        "ratings": (
            Column("policy", "text", "who is rated"),
            Column("payoff", "number", "mean over games and others, scaled to 0–1", empty="it met nobody"),
            Column("bradley_terry", "number", "rating in log-odds to earn more"),
            Column("bradley_terry_error", "number", "its standard error"),
            Column("alpha_rank", "number", "share of α-rank", empty="not everybody has met everybody"),
            Column("nash", "number", "share of Nash averaging", empty="not everybody has met everybody"),
        ),
    }  # fmt: skip

    @cached_property
    def environments(self) -> Mapping[str, EnvironmentMaker]:
        """The environments, by the name of the game.

        Raises:
            UsageError: one cannot be made, or has a single seat.
        """
        made = {}
        for place, game in enumerate(self.config.games):
            try:
                made[game_name(game)] = each = EnvironmentMaker(game)
            except UsageError as why:
                raise UsageError(f"{self.kind()}.games[{place}]: {why}") from None
            if len(each.seats) < 2:
                raise UsageError(f"{self.kind()}.games[{place}]: {each.name} has one seat, so nobody meets.")
            if len(each.seats) < self.config.group:
                raise UsageError(
                    f"{self.kind()}.games[{place}]: {each.name} has {len(each.seats)} seats for "
                    f"{self.config.group} policies: choose a larger game, or let fewer meet."
                )
        return made

    @cached_property
    def players(self) -> Mapping[tuple[str, str], Policy]:
        """The policies, by game and label.

        Raises:
            UsageError: one cannot be made, or cannot play a game.
        """
        return {
            (name, label): self.make(f"policies[{place}]", policy, maker.game)
            for name, maker in self.environments.items()
            for place, (label, policy) in enumerate(
                zip(self.config.labels, self.config.policies, strict=True)
            )
        }

    @property
    def keyboard(self) -> bool:
        """Whether a person plays in this terminal."""
        return any(policy.needs_person for policy in self.players.values())

    def cast(self) -> Mapping[str, PolicyLike]:
        """Return the policies by label."""
        return dict(zip(self.config.labels, self.config.policies, strict=True))

    def episodes(self) -> Sequence[Labels]:
        """Return the matches: of those who meet in every seating."""
        return [
            {"game": game, "first": first, "second": second, **({"others": others} if others else {})}
            | {"match": match}
            for game in self.environments
            for group in self.config.meetings
            for match in range(self.config.matches)
            for first, second, *others in seatings(group)
        ]

    def player(self) -> PlayOne:
        """Return what plays one match."""
        players, environments = self.players, self.environments
        seated = {
            (name, order): seat_player(
                maker,
                {seat: players[name, order[place % len(order)]] for place, seat in enumerate(maker.seats)},
            )
            for name, maker in environments.items()
            for group in self.config.meetings
            for order in seatings(group)
        }

        async def play_one(
            spec: EpisodeSpec, recorder: Recorder, seeds: np.random.SeedSequence
        ) -> EpisodeRecord:
            labels = spec.labels
            order = _seated(labels)
            group = "\n".join(sorted(order))
            of_group = crc32(f"{labels['game']}\n{group}\n{labels['match']}".encode())
            play = seated[labels["game"], order]
            # All seatings of a group meet the same draws of the environment.
            return await play(spec, recorder, np.random.SeedSequence([self.config.seed, of_group]))

        return play_one

    def go_on(self, path: Path) -> None:
        """Play the further rounds of a Swiss system."""
        if self.config.swiss is not None:
            swiss(path, self.config.swiss, address=self.config.address)

    def measure(self, run: Run) -> TournamentResult:
        """Measure the matches that were played to their end."""
        labels = self.config.labels
        place = {label: number for number, label in enumerate(labels)}
        count = len(labels)
        earned: dict[str, list[tuple[int, int, float]]] = {name: [] for name in self.environments}
        wins = np.zeros((count, count))
        for episode in run.episodes():
            paid = list(episode.payoffs.values())
            name = episode.labels.get("game")
            if episode.status != "done" or name not in earned or None in paid:
                continue
            rounds = max(1, int(getattr(self.environments[name].game.unwrapped, "rounds", 1)))
            amounts = np.array(paid, dtype=np.float64) / rounds
            order = [place[label] for label in _seated(episode.labels)]
            if len(set(order)) == 1:
                earned[name].append((order[0], order[0], float(amounts.mean())))
                continue
            mean = {who: float(amounts[seat :: len(order)].mean()) for seat, who in enumerate(order)}
            for (first, one), (second, other) in combinations(mean.items(), 2):
                earned[name] += [(first, second, one), (second, first, other)]
                won = 0.5 if abs(one - other) <= 1e-12 * max(1.0, abs(one)) else float(one > other)
                wins[first, second] += won
                wins[second, first] += 1 - won
        games = {name: _cross_play(values, count) for name, values in earned.items()}
        return TournamentResult.of(
            run, run.decisions(), games=games, together=_together(list(games.values())), wins=wins,
            config=self.config,
        )  # fmt: skip

    def page(self, result: TournamentResult) -> Page:
        """Return the report."""
        from ludens.experiments.populations.tournament_page import page

        return page(result)

    def show(self, result: TournamentResult, console: Console) -> None:
        """Print the ratings."""
        from ludens.experiments.populations.tournament_page import show

        show(result, console)

    def tables(self, result: TournamentResult) -> Mapping[str, Rows]:
        """Return what each earned against each in every game, and the ratings."""
        labels, rated = result.labels, result.bradley_terry
        return {
            "cross_play": [
                {
                    "game": name,
                    "policy": policy,
                    "against": other,
                    "payoff": _known(game.payoffs[row, column]),
                    "error": _known(game.errors[row, column]),
                    "matches": int(game.matches[row, column]),
                }
                for name, game in result.games.items()
                for row, policy in enumerate(labels)
                for column, other in enumerate(labels)
            ],
            "ratings": [
                {
                    "policy": policy,
                    "payoff": result.means[row].value,
                    "bradley_terry": float(rated.ratings[row]),
                    "bradley_terry_error": float(rated.errors[row]),
                    "alpha_rank": result.alpha_rank[row].value,
                    "nash": result.nash[row].value,
                }
                for row, policy in enumerate(labels)
            ],
        }

    def as_json(self, result: TournamentResult) -> dict[str, Any]:
        """Return everything as JSON values."""
        return {**result.as_json(), **super().as_json(result)}


def _seated(labels: Labels) -> tuple[str, ...]:
    """Return who meets in a match, in the order of seats."""
    return (labels["first"], labels["second"], *labels.get("others", ()))


def next_pairings(result: TournamentResult) -> tuple[Pair, ...]:
    """Return the next round of a Swiss system: neighbours by mean scaled payoff who have not met yet.

    Of an odd number one sits out. Where nobody is left that a policy has not met, it meets the nearest again.
    """
    order = sorted(range(len(result.labels)), key=lambda place: (-(result.means[place].value or 0.0), place))
    met = {frozenset(pair) for pair in result.config.pairings or ()}
    pairs: list[Pair] = []
    while len(order) > 1:
        one = result.labels[order.pop(0)]
        fresh = [place for place in order if frozenset((one, result.labels[place])) not in met]
        other = (fresh or order)[0]
        order.remove(other)
        pairs.append((one, result.labels[other]))
    return tuple(pairs)


def swiss(path: str | os.PathLike[str], rounds: int, *, address: str | None = None) -> None:
    """Go on with a tournament by the Swiss system until so many rounds have been played.

    Args:
        path: a finished run, whose pairings are those of the rounds so far.
        rounds: how many there are to be in all.
        address: of the Ray cluster that plays them, which no run's file holds.

    Raises:
        UsageError: the run is no tournament with pairings, or is not finished.
    """
    place: dict[str, Any] = {} if address is None else {"address": address}
    while True:
        study, result = load(path)
        if not isinstance(result, TournamentResult) or result.config.pairings is None:
            raise UsageError(f"{path} is no tournament by the Swiss system.")
        if result.ended < result.planned:
            raise UsageError(f"{path} is not finished: `ludens resume {path}` goes on with its round.")
        per_round = max(1, len(study.config.labels) // 2)
        if len(result.config.pairings) >= rounds * per_round:
            return
        with extend(path, pairings=[*result.config.pairings, *next_pairings(result)], **place):
            pass


def _cross_play(values: Sequence[tuple[int, int, float]], count: int) -> CrossPlay:
    payoffs, errors = np.full((count, count), np.nan), np.full((count, count), np.nan)
    matches = np.zeros((count, count), dtype=np.int64)
    cells: dict[tuple[int, int], list[float]] = {}
    for row, column, value in values:
        cells.setdefault((row, column), []).append(value)
    for cell, found in cells.items():
        payoffs[cell], matches[cell] = np.mean(found), len(found)
        if len(found) > 1:
            errors[cell] = np.std(found, ddof=1) / np.sqrt(len(found))
    return CrossPlay(payoffs, errors, matches)


def _together(games: Sequence[CrossPlay]) -> CrossPlay:
    """Return the mean over games, each scaled to 0–1."""
    payoffs, squares = [], []
    for game in games:
        known = game.payoffs[~np.isnan(game.payoffs)]
        low = float(known.min()) if len(known) else 0.0
        reach = float(np.ptp(known)) if len(known) else 0.0
        payoffs.append((game.payoffs - low) / (reach or 1.0))
        squares.append((game.errors / (reach or 1.0)) ** 2)
    errors: Floats = np.sqrt(np.sum(squares, axis=0)) / len(games)
    return CrossPlay(np.mean(payoffs, axis=0), errors, np.sum([game.matches for game in games], axis=0))


def _known(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
