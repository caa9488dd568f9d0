"""The results of an alignment in the terminal: one table, 80 characters wide, and the paths of the files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ludens.display.table import Cell, Table
from ludens.experiments.report.cells import share
from ludens.experiments.report.names import DASH, percent
from ludens.experiments.report.terminal import print_places, print_table, say
from ludens.training.alignment.tables import forced, kappa_text
from ludens.training.evaluation.sets import CARRIED, SETS

if TYPE_CHECKING:
    from rich.console import Console

    from ludens.training.alignment.result import AlignmentResult


def print_result(result: AlignmentResult, console: Console) -> None:
    """Print agreement on every set of questions, what was revealed, and where everything lies."""
    say(console, f"{result.plan.base} toward {result.plan.preferences.name}", "bold")
    headers = [who.replace(", ", ",\n") for who in result.policies]
    rows = [
        (name, [_cell(result, who, name) for who in result.policies])
        for name in (*SETS, *CARRIED)
        if any(found.set == name for found in result.scores)
    ]
    print_table(Table.of("Agreement", "", headers, rows, corner="set"), console)
    say(console, "Per cent of readable answers that are optimal for the target, with 95 % intervals.", "dim")
    lost = [
        f"{who} {percent(found.invalid.value)} %"
        for who in result.policies
        if (found := result.overall(who)) and found.invalid.value
    ]
    if lost:
        say(console, f"Unreadable replies: {', '.join(lost)}.", "dim")
    for sentence in forced(result):
        say(console, sentence, "yellow")
    for weight in result.kappas:
        say(
            console,
            f"κ in the protocols, {weight.policy}: {kappa_text(weight.alone)} (α = β = 0), "
            f"{kappa_text(weight.free)} (α, β free)",
        )
    for when, path in result.markets.items():
        end = path.prices[-1] if path.prices else None
        shown = DASH if end is None else f"{end:.2f}"
        say(
            console,
            f"Pricing {when}: {path.status} after {len(path.prices)} of {path.periods} periods, last price "
            f"{shown} (Nash {path.nash:.2f}, joint {path.joint:.2f})",
        )
    for one in result.persistence:
        first, last = percent(one.first.value), percent(one.last.value)
        say(console, f"Repeated games, {one.name}: {first} % early, {last} % late")
    if result.ability:
        before, after = result.ability["before"]["value"], result.ability["after"]["value"]
        say(console, f"Perplexity of plain text: {before:.1f} before, {after:.1f} after")
    if result.missing:
        say(console, f"Unfinished: {', '.join(result.missing)}. The same command goes on.", "bold")
    console.print()
    files = result.files
    lines = {
        "Report": str(files.report) if files.report.exists() else "not written yet",
        "Tuned model": f"local/{files.gguf}" if files.gguf.exists() else "",
        "Adapter": f"local/{files.tuned}" if files.card.exists() else "",
        "Data": str(files.data) if files.data.exists() else "",
    }
    print_places(console, [(name, place) for name, place in lines.items() if place])


def _cell(result: AlignmentResult, who: str, name: str) -> Cell:
    found = result.score(who, name)
    return Cell(DASH) if found is None else share(found.agreement)
