"""The report of invasions: who withstands whom, with the prediction κ = σ drawn in."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from ludens.display.svg import INK, MUTED, PAPER, RULE
from ludens.experiments.populations.invasion_result import InvasionCell, InvasionResult
from ludens.experiments.report import drawing, provenance
from ludens.experiments.report.names import DASH, number, percent
from ludens.experiments.report.page import Page, Picture, Table
from ludens.experiments.report.terminal import print_closing, print_table, say, say_time

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from rich.console import Console

_FILLS = {"resists": "#a9c9c5", "invaded": "#e6b38a", "neutral": RULE}
_WORDS = {
    "resists": "rare mutants earn less",
    "invaded": "rare mutants earn more",
    "neutral": "rare mutants earn the same",
}


def page(result: InvasionResult) -> Page:
    """Return what the report shows."""
    config = result.config
    game = dict(config.game)
    return Page(
        title=f"Which κ survives with assortativity {config.assortativity:g}?",
        lead=f"{str(game.pop('name')).replace('_', ' ').capitalize()} "
        f"({', '.join(f'{name} {value}' for name, value in game.items())}): residents of each Kantian "
        "weight, "
        "and a few mutants of every other one.",
        kind="evolution",
        warnings=provenance.unfinished(result.ended, result.planned, result.run_path),
        pictures=[
            Picture(
                "invasions",
                "Who withstands whom?",
                "Colours are the theory: what rare mutants earn beside residents. Marks are simulated "
                "populations: whether mutants are fewer or more at the end (a dot where both earn the "
                "same and "
                "chance alone decides). The dashed line is the prediction of Alger and Weibull: "
                "residents with κ = σ withstand all mutants.",
                map_of(result),
            ),
            Picture(
                "over_time",
                "Which weight is there most of the time?",
                "If mutations are rare, one weight is that of everybody until a mutant takes over: the share "
                "of time of each, from exact probabilities of taking over in the Moran process. Weights that "
                "lead to the same play share it.",
                time_of(result),
            ),
        ],
        tables=[table(result)],
        facts=provenance.facts(
            result.manifest,
            result.run_path,
            {
                "assortativity": f"σ = {config.assortativity:g}",
                "population": f"{config.population} members, at first {100 * config.mutants:g} % of them "
                "mutants",
                "process": f"{config.process.replace('_', ' ')}, {config.generations} generations, selection "
                f"{config.selection:g} per range of payoffs, {config.replicates} of each pair",
            },
        ),
        notes=[
            "Both types play what they play while mutants are rare, also after mutants have spread. "
            "Where there "
            "are several equilibria, those are shown that serve the residents worst.",
        ],
    )


def table(result: InvasionResult) -> Table:
    """Return a row for each weight of residents."""
    rows = []
    for place, kappa in enumerate(result.config.kappas):
        cells = _against(result, kappa)
        worst = min(cells, key=lambda cell: cell.invasion.advantage)
        outcomes = [cell.invasion.outcome for cell in cells]
        simulated = [_fell(cell, result) for cell in cells if cell.shares and _differs(cell)]
        rows.append(
            (
                f"{kappa:g} = σ" if kappa == result.config.assortativity else f"{kappa:g}",
                [
                    number(worst.invasion.resident, 3),
                    *(str(outcomes.count(each)) for each in ("resists", "neutral", "invaded")),
                    number(worst.invasion.advantage, 4),
                    f"{sum(simulated)} of {len(simulated)}" if simulated else DASH,
                    percent(result.over_time[place]),
                ],
            )
        )
    return Table.of(
        "Residents of each weight",
        "What they play against the mutant that serves them worst, the number of weights of mutants that "
        "they "
        "resist, that earn the same, and that earn more; the least advantage over a rare mutant, in points; "
        "of the simulated mutants that do not earn the same, how many became fewer; and the share of "
        "time, in "
        "per cent, at which everybody has the weight if mutations are rare.",
        ["play", "resisted", "same", "invade", "least\nadvantage", "became\nfewer", "% of\ntime"],
        rows,
        corner="κ of residents",
    )


def show(result: InvasionResult, console: Console) -> None:
    """Print what each weight withstands, and where everything lies."""
    print_table(table(result), console)
    say(
        console,
        f"Predicted with assortativity {result.config.assortativity:g}: residents with that κ resist all "
        "mutants. % of time: that everybody has this κ, if mutations are rare.",
        "dim",
    )
    say_time(console, result.manifest["seconds"])
    print_closing(console, result.run_path, result.report_path, unfinished=result.ended < result.planned)


def map_of(result: InvasionResult) -> Figure:
    """Draw residents to the right and mutants upwards, theory as colours and simulations as marks."""
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch, Rectangle

    kappas = sorted(result.config.kappas)
    edges = _edges(kappas)
    with drawing.new_figure(6.8, 5.4, layout="constrained") as figure:
        axes = figure.add_subplot()
        for (resident, mutant), cell in result.cells.items():
            (left, right), (low, high) = edges[resident], edges[mutant]
            axes.add_patch(
                Rectangle(
                    (left, low),
                    right - left,
                    high - low,
                    facecolor=_FILLS[cell.invasion.outcome],
                    edgecolor=PAPER,
                    linewidth=0.8,
                )
            )
            if cell.shares:
                marker = "." if not _differs(cell) else "v" if _fell(cell, result) else "^"
                axes.plot(
                    [resident], [mutant], linestyle="none", marker=marker, markersize=4.5, color="#1a1a1a",
                    markeredgewidth=0,
                )  # fmt: skip
        low, high = edges[kappas[0]][0], edges[kappas[-1]][1]
        axes.set_xlim(low, high)
        axes.set_ylim(low, high)
        axes.axvline(result.config.assortativity, color=INK, linewidth=1.6, linestyle=(0, (4, 2)))
        axes.spines[:].set_visible(False)
        axes.tick_params(length=0, labelsize=8)
        axes.set_xlabel("κ of the residents", fontsize=9)
        axes.set_ylabel("κ of the mutants", fontsize=9)
        handles = [
            *(Patch(color=_FILLS[each], label=words) for each, words in _WORDS.items()),
            Line2D(
                [], [], linestyle="none", marker="v", color="#1a1a1a", label="simulated: fewer at the end"
            ),
            Line2D([], [], linestyle="none", marker="^", color="#1a1a1a", label="simulated: more at the end"),
            Line2D([], [], color=INK, linestyle=(0, (4, 2)), label="predicted: κ = σ"),
        ]
        figure.legend(handles=handles, loc="outside upper left", ncols=2, frameon=False, fontsize=8)
    return figure


def time_of(result: InvasionResult) -> Figure:
    """Draw the share of time of each weight, with the prediction."""
    kappas = result.config.kappas
    edges = _edges(sorted(kappas))
    with drawing.new_figure(6.8, 2.6, layout="constrained") as figure:
        axes = figure.add_subplot()
        drawing.quiet(axes)
        width = 0.8 * min(right - left for left, right in edges.values())
        axes.bar(kappas, result.over_time, width=width, color=drawing.COLOURS[0], alpha=0.85, linewidth=0)
        axes.axvline(result.config.assortativity, color=INK, linewidth=1.6, linestyle=(0, (4, 2)))
        axes.set_ylim(0, 1)
        axes.set_yticks([0, 0.5, 1], ["0", "50", "100 %"])
        axes.set_xlabel("κ", fontsize=9, color=MUTED)
    return figure


def _against(result: InvasionResult, kappa: float) -> list[InvasionCell]:
    return [cell for (resident, _), cell in result.cells.items() if resident == kappa]


def _differs(cell: InvasionCell) -> bool:
    """Return whether one of both types earns more: else the share of mutants moves by chance alone."""
    return cell.invasion.outcome != "neutral"


def _fell(cell: InvasionCell, result: InvasionResult) -> bool:
    return sum(cell.shares) / len(cell.shares) < result.config.first_mutants / result.config.population


def _edges(values: list[float]) -> dict[float, tuple[float, float]]:
    """Return the two ends of each value's part of an axis."""
    middles = [(one + other) / 2 for one, other in pairwise(values)]
    first, last = 2 * values[0] - middles[0], 2 * values[-1] - middles[-1]
    ends = [first, *middles, last]
    return {value: (ends[place], ends[place + 1]) for place, value in enumerate(values)}
