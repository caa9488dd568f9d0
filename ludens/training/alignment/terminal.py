"""The outcome of an alignment in the terminal: one table, 80 columns wide, and what to do next."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ludens.experiments.report.names import DASH, percent, share_range
from ludens.training.alignment.tables import kappa_text
from ludens.training.evaluation.sets import SETS

if TYPE_CHECKING:
    from rich.console import Console

    from ludens.training.alignment.result import AlignmentResult


def print_result(result: AlignmentResult, console: Console) -> None:
    """Print it."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    console.print(Text(f"{result.plan.base} toward {result.plan.preferences.name}", style="bold"))
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    table.add_column("set", no_wrap=True)
    for who in result.policies:
        table.add_column(who.replace(", ", ",\n"), justify="right")
    for name in SETS:
        if any(found.set == name for found in result.scores):
            table.add_row(name, *(_cell(result, who, name) for who in result.policies))
    console.print(table)
    console.print(
        "Per cent of readable answers that are optimal for the target, with 95 % intervals.", style="dim"
    )
    lost = [
        f"{who} {percent(found.invalid.value)} %"
        for who in result.policies
        if (found := result.score(who, "all") or result.score(who, "held-out")) and found.invalid.value
    ]
    if lost:
        console.print(f"Unreadable replies: {', '.join(lost)}.", style="dim")
    for weight in result.kappas:
        console.print(
            f"κ in the protocols, {weight.policy}: {kappa_text(weight.alone)} (α = β = 0), "
            f"{kappa_text(weight.free)} (α, β free)",
            markup=False,
        )
    for when, path in result.markets.items():
        end = path.prices[-1] if path.prices else None
        shown = DASH if end is None else f"{end:.2f}"
        console.print(
            f"Pricing {when}: {path.status} after {len(path.prices)} of {path.periods} periods, last "
            f"price {shown} "
            f"(Nash {path.nash:.2f}, joint {path.joint:.2f})",
            markup=False,
        )
    if result.ability:
        before, after = result.ability["before"]["value"], result.ability["after"]["value"]
        console.print(f"Perplexity of plain text: {before:.1f} before, {after:.1f} after", markup=False)
    if result.missing:
        console.print(f"Unfinished: {', '.join(result.missing)}. The same command goes on.", style="bold")
    console.print()
    files = result.files
    lines = {
        "Report": str(files.report) if files.report.exists() else "not written yet",
        "Tuned model": f"local/{files.gguf}" if files.gguf.exists() else "",
        "Adapter": f"local/{files.tuned}" if files.card.exists() else "",
        "Data": str(files.data) if files.data.exists() else "",
    }
    for what, text in lines.items():
        if text:
            # A path is never broken: it must survive being copied.
            console.print(f"{what:<13}{text}", markup=False, highlight=False, soft_wrap=True)


def _cell(result: AlignmentResult, who: str, name: str) -> str:
    found = result.score(who, name)
    if found is None or found.agreement.value is None:
        return DASH
    return f"{percent(found.agreement.value)}\n{share_range(found.agreement)}"
