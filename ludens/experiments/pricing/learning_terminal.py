"""Trained Q-learners on the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ludens.display.table import Table
from ludens.experiments.pricing.learning import LearningResult
from ludens.experiments.report.names import finite, number, percent
from ludens.experiments.report.terminal import print_places, print_table, say

if TYPE_CHECKING:
    from rich.console import Console


def print_learning(result: LearningResult, console: Console) -> None:
    """Print the cycles, the reaction to a forced cut, and the path of the report."""
    rows = [
        (
            group.name,
            (
                *(str(group.sessions), percent(group.share.value), number(group.gain.value, 3)),
                *(number(group.spread, 3), percent(group.one_shot.value), percent(group.best_reply.value)),
            ),
        )
        for group in result.groups
    ]
    headers = ("sessions", "share", "Δ", "sd", "one-shot\nequilibrium", "full\nequilibrium")
    table = Table.of("Limit cycles", "", headers, rows, corner="limit cycle")
    print_table(table, console, styles=["bold" if name == "all" else "" for name, _ in rows])
    said = "Shares in per cent. Δ of total profit: 0 at Nash, 1 at the largest joint profit."
    say(console, said, "dim")
    whole = result.whole
    surplus, lost = (number(each.value, 3) for each in (whole.consumer_surplus, whole.deadweight_loss))
    say(
        console,
        f"Per period: profits {number(whole.profit.value, 3)}, consumer surplus {surplus}, deadweight loss "
        f"{lost}.",
    )
    means = result.response.means()
    cut = float(np.asarray(means["rivals"])[1]) if result.response.rivals.shape[1] > 1 else float("nan")
    say(
        console,
        f"After one forced period of undercutting, the others' prices change by {percent(cut)} %; "
        f"{percent(finite(means['unprofitable']))} % of deviations do not pay.",
    )
    say(console, f"Periods to convergence, median: {np.median(result.sessions.periods):,.0f}")
    console.print()
    places = (("Report", result.report_path or "not written yet"), ("Training", result.path))
    print_places(console, places)
