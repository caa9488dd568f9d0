"""The report of evolving shares: paths, shares at the end, and the payoffs that drive them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ludens.experiments.populations.evolve_result import EvolveResult
from ludens.experiments.report import drawing, provenance
from ludens.experiments.report.cells import share
from ludens.experiments.report.names import number, policy_name, shortened
from ludens.experiments.report.page import Cell, Page, Picture, Table
from ludens.experiments.report.terminal import print_closing, print_table, say, say_time

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from rich.console import Console


def page(result: EvolveResult) -> Page:
    """Return what the report shows."""
    config = result.config
    source = f" Payoffs: {config.source}." if config.source else ""
    return Page(
        title=f"How {len(config.names)} types evolve",
        lead=f"Shares of {', '.join(policy_name(name) for name in config.names)} over {config.generations} "
        f"generations.{source}",
        kind="evolution",
        warnings=provenance.unfinished(result.ended, result.planned, result.run_path),
        pictures=[
            Picture(
                "paths",
                "Which types spread?",
                "The share of each type, mean over replicates; the band holds 95 % of them.",
                paths_of(result) if result.paths else None,
            )
        ],
        tables=[table(result), payoff_table(result)],
        facts=provenance.facts(
            result.manifest,
            result.run_path,
            {
                "assortativity": f"σ = {config.assortativity:g}",
                "finite populations": f"{config.population} members, mutation {config.mutation:g}",
                "selection": f"{config.selection:g} per range of payoffs",
                "logit noise": f"λ = {config.noise or config.range / 10:g} points",
                "replicates": str(config.replicates),
            },
        ),
    )


def table(result: EvolveResult) -> Table:
    """Return the shares at the end."""
    kinds = list(result.paths)
    rows = [
        (
            policy_name(name),
            [*(share(result.paths[kind].at_end(place)) for kind in kinds), share(result.over_time[place])],
        )
        for place, name in enumerate(result.config.names)
    ]
    return Table.of(
        "Shares at the end",
        "In per cent, with the range of 95 % of replicates below. If mutations are rare one type is that of "
        "everybody until a mutant takes over: the last column is the share of time of each.",
        [*(kind.replace("_", " ") for kind in kinds), "rare mutations"],
        rows,
        corner="type",
    )


def payoff_table(result: EvolveResult) -> Table:
    """Return what each type earns against each."""
    config = result.config
    rows = []
    for place, name in enumerate(config.names):
        cells = []
        for other, payoff in enumerate(config.payoffs[place]):
            error = None if config.errors is None else config.errors[place][other]
            cells.append(Cell(number(payoff, 2), "" if error is None else f"± {number(error, 2)}"))
        rows.append((policy_name(name), cells))
    return Table.of(
        "Payoffs",
        "What the row earns against the column, in points; standard errors below.",
        [policy_name(name) for name in config.names],
        rows,
        corner="type",
    )


def show(result: EvolveResult, console: Console) -> None:
    """Print the shares at the end, and where everything lies."""
    print_table(table(result), console)
    say(console, "Shares at the end in per cent, with the range of 95 % of replicates.", "dim")
    say_time(console, result.manifest["seconds"])
    print_closing(console, result.run_path, result.report_path, unfinished=result.ended < result.planned)


def paths_of(result: EvolveResult) -> Figure:
    """Draw the shares over time, one panel for each kind of dynamics."""
    names = [shortened(policy_name(name)) for name in result.config.names]
    with drawing.new_figure(7.4, 2.4 * len(result.paths) + 0.5, layout="constrained") as figure:
        panels = figure.subplots(len(result.paths), 1, squeeze=False)[:, 0]
        for axes, path in zip(panels, result.paths.values(), strict=True):
            drawing.quiet(axes)
            axes.set_title(path.dynamics.replace("_", " "), fontsize=9, loc="left")
            axes.set_ylim(-0.02, 1.02)
            axes.set_yticks([0, 0.5, 1], ["0", "50", "100 %"])
            for place, name in enumerate(names):
                colour = drawing.COLOURS[place % len(drawing.COLOURS)]
                style = "solid" if place < len(drawing.COLOURS) else (0, (4, 2))
                values = path.shares[:, :, place]
                axes.plot(path.times, values.mean(axis=0), color=colour, linestyle=style, label=name)
                if len(values) > 1:
                    low, high = np.quantile(values, [0.025, 0.975], axis=0)
                    axes.fill_between(path.times, low, high, color=colour, alpha=0.15, linewidth=0)
        panels[-1].set_xlabel("generations", fontsize=8)
        handles, labels = panels[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper left", ncols=3, frameon=False, fontsize=8)
    return figure
