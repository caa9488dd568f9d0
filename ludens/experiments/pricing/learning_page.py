"""The page of trained Q-learners."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np

from ludens.display.notebook import View
from ludens.display.table import Cell, Table
from ludens.experiments.pricing import figures
from ludens.experiments.pricing.learning import CycleGroup, LearningResult
from ludens.experiments.pricing.page import KIND, NOTES, reading, surplus_bars
from ludens.experiments.pricing.tables import firms_table, welfare_table
from ludens.experiments.report import page as pages
from ludens.experiments.report import writing
from ludens.experiments.report.cells import measured, share
from ludens.experiments.report.names import finite, number
from ludens.experiments.report.page import Page, Picture
from ludens.experiments.runs.files import report_path

MOST_ROWS = 200


def write_learning_report(
    result: LearningResult, path: str | os.PathLike[str] | None = None
) -> LearningResult:
    """Write the report as one self-contained HTML file; return the result with its `report_path`.

    Args:
        result: what was measured.
        path: the file; None for the training's own name with the ending ``.html``.

    Raises:
        StoreError: it cannot be written; an earlier report is unchanged.
    """
    target = report_path(result.path) if path is None else Path(path)
    again = f"the same command with `--out {result.path}` writes it; what was learnt is kept."
    writing.write_page(page(result), target, again)
    return replace(result, report_path=target)


def page(result: LearningResult) -> Page:
    """Return what the report of trained Q-learners shows."""
    tables, trained = result.sessions.tables, result.sessions
    firms = tables.market.firms
    warnings = []
    if result.unconverged:
        warnings.append(
            f"{result.unconverged} of {len(trained)} sessions reached the limit of periods before their "
            "strategies stood still."
        )
    market = ", ".join(f"{name} {value}" for name, value in tables.market.parameters.items())
    rules: dict[str, str] = {"moves": tables.moves} if tables.turns else {}
    if tables.interventions:
        rules["interventions"] = "; ".join(map(str, tables.interventions))
    return Page(
        title=f"{firms} Q-learners",
        lead=f"{len(trained)} sessions in which {firms} Q-learners met until their strategies stood still, "
        "and the prices that they then charge. None was told to collude, and none knows the market.",
        kind=KIND,
        pictures=_pictures(result),
        tables=[
            _cycles(result),
            welfare_table([result.whole], result.panel),
            firms_table(result.firms),
            _answers(result),
            _sessions(result),
        ],
        warnings=warnings,
        facts={
            "market": market,
            **rules,
            "learners": ", ".join(f"{name} {value}" for name, value in tables.parameters.key().items()),
            "sessions": str(len(trained)),
            "seed": str(trained.seed),
            "median periods": f"{np.median(trained.periods):,.0f}".replace(",", " "),
            "training": result.path.name,
        },
        reading=reading(),
        notes=[
            *NOTES,
            "The learners and the tests are those of Calvano, Calzolari, Denicolò & Pastorello (2020). A "
            "session whose cycle passes the one-shot test may still fail the full one: against these "
            "strategies another strategy, followed for ever, can pay more.",
        ],
    )


def view(result: LearningResult) -> View:
    """Return what a notebook shows of a result: the first picture and the tables of its report."""
    return pages.view(page(result))


def _pictures(result: LearningResult) -> list[Picture]:
    shown = len(figures.drawn_runs(result.panel))
    more = "" if shown == len(result.sessions) else f" The first {shown} of {len(result.sessions)}."
    after = ", in the market after all interventions" if result.sessions.tables.interventions else ""
    paths = figures.price_paths(result.panel, result.measures)
    found = [
        Picture("paths", "Prices", f"The limit cycle of every session by itself{after}.{more}", paths),
        Picture(
            "answer",
            "What follows a cut?",
            "Price changes relative to the usual path after one firm was forced for one period to its "
            "static best reply. Thin lines are sessions (of the others' prices), thick ones means over all "
            "deviations: one from every point of every cycle by each firm.",
            figures.impulse_responses(result.response.deviator, result.response.rivals),
        ),
    ]
    caption = (
        "The profit gain on the limit cycle, of total profit and of each firm by itself: 0 is the one-shot "
        "Nash profit, 1 the largest joint profit, or the firm's part of it."
    )
    gains = figures.gain_distribution(result.measures)
    welfare = (
        "Money per period divided by α, means over limit cycles. Hatched: the total surplus that is lost "
        "against marginal-cost prices."
    )
    bars = figures.welfare_bars(surplus_bars([("all sessions", result.measures)], result.panel))
    return [
        *found,
        Picture("gains", "How much of the collusive profit?", caption, gains),
        Picture("welfare", "Who gets the surplus?", welfare, bars),
    ]


def _cycles(result: LearningResult) -> Table:
    rows = [(group.name, _cycle_row(group)) for group in result.groups]
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
    return Table.of("Limit cycles", caption, headers, rows, corner="length")


def _cycle_row(group: CycleGroup) -> tuple[Cell, ...]:
    return (
        Cell(str(group.sessions)),
        share(group.share),
        measured(group.gain, 3),
        Cell(number(group.spread, 3)),
        share(group.one_shot),
        share(group.best_reply),
    )


def _answers(result: LearningResult) -> Table:
    means = result.response.means()
    rivals = np.asarray(means["rivals"])
    values = {
        "others' price change in the period after": (
            finite(rivals[1]) if len(rivals) > 1 else None,
            "percent",
        ),
        "deviations that do not pay": (finite(means["unprofitable"]), "percent"),
        "periods until play is back on the cycle": (finite(means["periods"]), "number"),
        "deviations after which play comes back to it": (finite(means["returned"]), "percent"),
        "Q-loss on the path": (float(result.test.loss_path.mean()), "small"),
        "Q-loss over all states": (float(result.test.loss_all.mean()), "small"),
    }
    rows = []
    for name, (value, kind) in values.items():
        if kind == "percent":
            text = number(None if value is None else 100 * value) + (" %" if value is not None else "")
        else:
            text = number(value, 4 if kind == "small" else 1)
        rows.append((name, [text]))
    caption = (
        "After one period in which one firm is forced to its static best reply, from every point of the "
        "cycle, so that long cycles count more; and the share of its best value that a strategy gives away "
        "(one-shot)."
    )
    return Table.of("A forced deviation, and what is lost", caption, ["mean"], rows)


def _sessions(result: LearningResult) -> Table:
    trained, rows = result.sessions, []
    for each in result.measures[:MOST_ROWS]:
        prices = " · ".join(number(price, 3) for price in each.prices or ())
        gains = " · ".join(number(gain, 2) for gain in each.gains or ())
        cells = (
            str(each.window),
            Cell(number(each.price, 3), prices),
            Cell(number(each.gain, 3), gains),
            "yes" if result.test.one_shot_nash[each.run] else "no",
            "yes" if result.test.nash[each.run] else "no",
            f"{trained.periods[each.run]:,}".replace(",", " "),
        )
        rows.append((str(each.run), cells))
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
    return Table.of("Sessions", caption, headers, rows, corner="session")
