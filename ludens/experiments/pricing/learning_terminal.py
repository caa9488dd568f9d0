"""Trained Q-learners on the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ludens.experiments.pricing.learning import LearningResult
from ludens.experiments.report.names import finite, number, percent

if TYPE_CHECKING:
    from rich.console import Console


def print_learning(result: LearningResult, console: Console) -> None:
    """Print the cycles, the answer to a forced cut, and where the report lies."""
    from rich import box
    from rich.table import Table as Grid

    grid = Grid(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    grid.add_column("limit cycle")
    for name in ("sessions", "share", "Δ", "sd", "one-shot\nequilibrium", "full\nequilibrium"):
        grid.add_column(name, justify="right")
    for group in result.groups:
        grid.add_row(
            *(group.name, str(group.sessions), percent(group.share.value), number(group.gain.value, 3)),
            *(number(group.spread, 3), percent(group.one_shot.value), percent(group.best_reply.value)),
            style="bold" if group.name == "all" else None,
        )
    console.print(grid)
    console.print("Shares in per cent. Δ: 0 at the Nash profit, 1 at the joint-profit one.", style="dim")
    means = result.response.means()
    cut = float(np.asarray(means["rivals"])[1]) if result.response.rivals.shape[1] > 1 else float("nan")
    console.print(
        f"After one forced period of undercutting, the others' prices change by {percent(cut)} %; "
        f"{percent(finite(means['unprofitable']))} % of deviations do not pay."
    )
    console.print(f"Periods to convergence, median: {np.median(result.sessions.periods):,.0f}")
    console.print()
    for what, text in (("Report", result.report_path or "not written yet"), ("Training", result.path)):
        console.print(f"{what:<13}{text}", markup=False, highlight=False, soft_wrap=True)
