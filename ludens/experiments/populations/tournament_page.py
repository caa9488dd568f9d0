"""The report of a tournament: ratings, and what each earns against each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ludens.display.svg import PAPER, RULE
from ludens.experiments.populations.tournament_result import CrossPlay, TournamentResult
from ludens.experiments.report import drawing, provenance
from ludens.experiments.report.answering import answering_tables, remarks
from ludens.experiments.report.cells import measured, share
from ludens.experiments.report.names import DASH, number, policy_name, shortened
from ludens.experiments.report.page import Cell, Page, Picture, Table
from ludens.experiments.report.terminal import print_closing, print_table, say, say_time
from ludens.experiments.report.transcripts import Transcripts

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from rich.console import Console

_READING = (
    "Payoff: mean over games and opponents, each game scaled so that 0 and 1 are the least and the "
    "largest mean "
    "of its table. Bradley–Terry: log-odds to earn more than an average opponent. α-rank and Nash: "
    "shares, in "
    "per cent, of a population in which mutations are rare, and of the equilibrium of greatest entropy."
)


def page(result: TournamentResult) -> Page:
    """Return what the report shows."""
    config = result.config
    return Page(
        title=f"A tournament of {len(result.labels)} policies",
        lead=f"{', '.join(policy_name(label) for label in result.labels)} in {', '.join(result.games)}, "
        f"{config.matches} matches of each pair in both seatings.",
        kind="tournament",
        warnings=(
            *provenance.unfinished(result.ended, result.planned, result.run_path),
            *remarks(result.decisions),
        ),
        pictures=[
            Picture(
                "cross_play",
                "What does each earn against each?",
                "The row's mean payoff against the column, over all games, each scaled to 0–1; darker is "
                "more. "
                "Hatched: they have not met.",
                cross_play(result),
            )
        ],
        tables=[
            ratings(result),
            *(_game(result, name, game) for name, game in result.games.items()),
            *answering_tables(result.decisions),
        ],
        transcripts=Transcripts(result.decisions),
        facts=provenance.facts(
            result.manifest,
            result.run_path,
            {"pairs": "everybody with everybody" if config.pairings is None else "Swiss system"},
        ),
        notes=[
            "Both seatings of a pair meet the same draws of the environment. α-rank: α = 100 per range of "
            "payoffs, 50 members. Intervals of α-rank and of Nash averaging are those of draws of the "
            "payoffs.",
        ],
    )


def ratings(result: TournamentResult) -> Table:
    """Return the ratings, the best mean payoff first."""
    order = sorted(range(len(result.labels)), key=lambda place: (-(result.means[place].value or 0.0), place))
    rated = result.bradley_terry
    rows = []
    for place in order:
        low, high = rated.intervals[place].tolist()
        rows.append(
            (
                policy_name(result.labels[place]),
                [
                    measured(result.means[place], 2),
                    Cell(number(rated.ratings[place], 2), f"{number(low, 1)} to {number(high, 1)}"),
                    share(result.alpha_rank[place]),
                    share(result.nash[place]),
                ],
            )
        )
    return Table.of(
        "Ratings", f"{_READING} 95 % intervals below.", ["payoff", "Bradley–Terry", "α-rank", "Nash"], rows,
        corner="policy",
    )  # fmt: skip


def show(result: TournamentResult, console: Console) -> None:
    """Print the ratings, and where everything lies."""
    print_table(ratings(result), console, names=32)
    say(console, _READING, "dim")
    for sentence in remarks(result.decisions):
        say(console, sentence, "yellow")
    say_time(console, result.manifest["seconds"])
    print_closing(
        console,
        result.run_path,
        result.report_path,
        unfinished=result.ended < result.planned,
        further=[("Let evolve", f"ludens evolve types {result.run_path}")]
        if result.together.complete
        else [],
    )


def cross_play(result: TournamentResult) -> Figure:
    """Draw what the row earns against the column."""
    names = [shortened(policy_name(label), 26) for label in result.labels]
    count = len(names)
    side, left = max(0.42 * count, 1.6), drawing.margin(names)
    below = 0.1 + 0.073 * max(map(len, names))  # names of columns stand upright
    with drawing.new_figure(left + side + 0.3, below + side + 0.1) as figure:
        axes = drawing.axes_at(figure, left, below, side, side)
        axes.patch.set_hatch("////")
        axes.patch.set_edgecolor(RULE)
        axes.set_facecolor("none")
        values = np.ma.masked_invalid(result.together.payoffs)
        look: Any = {"cmap": drawing.scale(), "edgecolors": PAPER, "linewidth": 0.8, "vmin": 0, "vmax": 1}
        axes.pcolormesh(values, **look)
        for row in range(count):
            for column in range(count):
                value = result.together.payoffs[row, column]
                if not np.isnan(value):
                    ink = "#ffffff" if value > 0.75 else "#1a1a1a"
                    middle: Any = {"ha": "center", "va": "center", "fontsize": 7, "color": ink}
                    axes.text(column + 0.5, row + 0.5, f"{value:.2f}", **middle)
        axes.set_ylim(count, 0)
        axes.set_yticks(np.arange(count) + 0.5, names, fontsize=8)
        axes.set_xticks(np.arange(count) + 0.5, names, fontsize=8, rotation=90)
        axes.tick_params(length=0)
    return figure


def _game(result: TournamentResult, name: str, game: CrossPlay) -> Table:
    rows = []
    for place, label in enumerate(result.labels):
        cells = []
        for other in range(len(result.labels)):
            value, error = game.payoffs[place, other], game.errors[place, other]
            below = "" if np.isnan(error) else f"± {number(error, 2)}"
            hint = f"{game.matches[place, other]} matches"
            cells.append(Cell(DASH if np.isnan(value) else number(value, 2), below, hint))
        rows.append((policy_name(label), cells))
    return Table.of(
        f"Payoffs in {name}",
        "Mean points per round of the row against the column; standard errors below.",
        [policy_name(label) for label in result.labels],
        rows,
        corner="policy",
    )
