"""The page and the terminal table of trained Q-learners."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ludens.experiments.bench.tables import Cell
from ludens.experiments.pricing import figures
from ludens.experiments.pricing.learning import CycleGroup, LearningResult
from ludens.experiments.pricing.page import Contents, Drawn, page
from ludens.experiments.pricing.tables import Table, estimated, shared
from ludens.experiments.report import write_page
from ludens.experiments.report.names import number, percent

if TYPE_CHECKING:
    from rich.console import Console

MOST_ROWS = 200


def write_learning_report(
    result: LearningResult, path: str | os.PathLike[str] | None = None
) -> LearningResult:
    """Write the report as one self-contained HTML file; returns the result with its `report_path`.

    Args:
        result: what was measured.
        path: the file; None for the training's own name with the ending ``.html``.

    Raises:
        StoreError: it cannot be written; a report that was there before still is.
    """
    target = result.path.with_suffix(".html") if path is None else Path(path)
    again = f"the same command with `--out {result.path}` writes it; what was learnt is kept."
    write_page(page(contents(result)), target, again)
    return replace(result, report_path=target)


def contents(result: LearningResult) -> Contents:
    """What the page shows."""
    tables, trained = result.sessions.tables, result.sessions
    firms = tables.market.firms
    warnings = []
    if result.unconverged:
        warnings.append(
            f"{result.unconverged} of {len(trained)} sessions reached the limit of periods before their "
            "strategies stood still."
        )
    market = ", ".join(f"{name} {value}" for name, value in tables.market.parameters.items())
    return Contents(
        title=f"{firms} Q-learners",
        lead=f"{len(trained)} sessions in which {firms} Q-learners met until their strategies stood still, "
        "and the prices that they then charge. None was told to collude, and none knows the market.",
        figures=_pictures(result),
        tables=[_cycles(result), _answers(result), _sessions(result)],
        warnings=warnings,
        facts={
            "market": market,
            "learners": ", ".join(f"{name} {value}" for name, value in tables.parameters.key().items()),
            "sessions": str(len(trained)),
            "seed": str(trained.seed),
            "median periods": f"{np.median(trained.periods):,.0f}".replace(",", " "),
            "training": result.path.name,
        },
        notes=[
            "The learners and the tests are those of Calvano, Calzolari, Denicolò & Pastorello (2020). A "
            "session whose cycle passes the one-shot test may still fail the full one: against these "
            "strategies another strategy, followed for ever, can pay more."
        ],
    )


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
        f"{percent(_known(means['unprofitable']))} % of deviations do not pay."
    )
    console.print(f"Periods to convergence, median: {np.median(result.sessions.periods):,.0f}")
    console.print()
    for what, text in (("Report", result.report_path or "not written yet"), ("Training", result.path)):
        console.print(f"{what:<13}{text}", markup=False, highlight=False, soft_wrap=True)


def _pictures(result: LearningResult) -> list[Drawn]:
    shown = len(figures.drawn_runs(result.panel))
    more = "" if shown == len(result.sessions) else f" The first {shown} of {len(result.sessions)}."
    paths = figures.price_paths(result.panel, result.measures)
    found: list[Drawn] = [
        ("paths", "Prices", f"The limit cycle of every session by itself.{more}", paths),
        (
            "answer",
            "What follows a cut?",
            "Price changes relative to the usual path after one firm was forced for one period to its "
            "static best reply, averaged over the points of each cycle and both firms; thin lines are "
            "sessions (of the others' prices), thick ones means.",
            figures.impulse_responses(result.response.deviator, result.response.rivals),
        ),
    ]
    gains = figures.gain_distribution(result.measures)
    if gains is not None:
        told = (
            "The profit gain on the limit cycle: 0 is the one-shot Nash profit, 1 a share in the largest "
            "joint one."
        )
        found.append(("gains", "How much of the collusive profit?", told, gains))
    return found


def _cycles(result: LearningResult) -> Table:
    rows = [_cycle_row(group) for group in result.groups]
    headers = (
        "sessions",
        "share, %",
        "profit gain Δ",
        "sd of Δ",
        "one-shot equilibrium, %",
        "full equilibrium, %",
    )
    caption = (
        "Sessions by the length of their limit cycle, with 95 % intervals over sessions. One-shot: no firm "
        "gains by deviating once from the path and then following its own strategy again (the paper's "
        "test). Full: no firm gains by any other strategy from any point of the path."
    )
    names = tuple(group.name for group in result.groups)
    return Table("Limit cycles", caption, "length", headers, names, tuple(rows))


def _cycle_row(group: CycleGroup) -> tuple[Cell, ...]:
    return (
        Cell(str(group.sessions)),
        shared(group.share),
        estimated(group.gain),
        Cell(number(group.spread, 3)),
        shared(group.one_shot),
        shared(group.best_reply),
    )


def _answers(result: LearningResult) -> Table:
    means = result.response.means()
    rivals = np.asarray(means["rivals"])
    values = {
        "others' price change in the period after": (
            _known(rivals[1]) if len(rivals) > 1 else None,
            "percent",
        ),
        "deviations that do not pay": (_known(means["unprofitable"]), "percent"),
        "periods until play is back on the cycle": (_known(means["periods"]), "number"),
        "sessions that come back to it": (_known(means["returned"]), "percent"),
        "Q-loss on the path": (float(result.test.loss_path.mean()), "small"),
        "Q-loss over all states": (float(result.test.loss_all.mean()), "small"),
    }
    rows = []
    for value, kind in values.values():
        if kind == "percent":
            text = number(None if value is None else 100 * value) + (" %" if value is not None else "")
        else:
            text = number(value, 4 if kind == "small" else 1)
        rows.append((Cell(text),))
    caption = (
        "After one period in which one firm is forced to its static best reply, from every point of the "
        "cycle; and the share of its best value that a strategy gives away (one-shot)."
    )
    return Table("A forced deviation, and what is lost", caption, "", ("mean",), tuple(values), tuple(rows))


def _sessions(result: LearningResult) -> Table:
    trained, rows = result.sessions, []
    for each in result.measures[:MOST_ROWS]:
        prices = " · ".join(number(price, 3) for price in each.prices or ())
        gains = " · ".join(number(gain, 2) for gain in each.gains or ())
        rows.append(
            (
                Cell(str(each.window)),
                Cell(number(each.price, 3), prices),
                Cell(number(each.gain, 3), gains),
                Cell("yes" if result.test.one_shot_nash[each.run] else "no"),
                Cell("yes" if result.test.nash[each.run] else "no"),
                Cell(f"{trained.periods[each.run]:,}".replace(",", " ")),
            )
        )
    more = len(trained) - len(rows)
    caption = "Every session by itself; below the means each firm's own."
    if more > 0:
        caption += f" The first {MOST_ROWS}; the training's file has all {len(trained)}."
    headers = (
        "cycle",
        "price",
        "profit gain Δ",
        "one-shot equilibrium",
        "full equilibrium",
        "periods learnt",
    )
    names = tuple(str(number_) for number_ in range(len(rows)))
    return Table("Sessions", caption, "session", headers, names, tuple(rows))


def _known(value: object) -> float | None:
    found = float(np.asarray(value))
    return found if np.isfinite(found) else None
