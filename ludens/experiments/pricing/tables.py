"""The tables of a run of the market."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ludens.display.printable import printable
from ludens.display.table import Cell, Table
from ludens.envs.pricing.theory.errors import EquilibriumError
from ludens.experiments.measures.costs import Costs
from ludens.experiments.pricing.analysis import Analysis
from ludens.experiments.pricing.dynamics_page import dynamics_tables
from ludens.experiments.pricing.effects import Effect
from ludens.experiments.pricing.measures import FirmMeasures, GroupMeasures, ProductMeasures, RunMeasures
from ludens.experiments.pricing.oversight import Review
from ludens.experiments.pricing.panels import Panel
from ludens.experiments.pricing.regression import Coefficient
from ludens.experiments.pricing.verdicts import Judged
from ludens.experiments.report.cells import measured, share
from ludens.experiments.report.names import DASH, finite, number, policy_name


def tables(found: Analysis, panel: Panel, costs: Sequence[Costs]) -> list[Table]:
    """Return all tables, in the order of the page; `costs` per run, empty where no model was called."""
    shown = [_groups(found), welfare_table(found.groups, panel)]
    if found.firms:
        shown.append(firms_table(found.firms))
    if found.products:
        shown.append(products_table(found.products))
    if found.regimes:
        shown.append(_regimes(found))
    shown += dynamics_tables(found.dynamics)
    shown.append(_regression(found))
    if found.sentences:
        shown += [_sentences(found), _sentences_by_run(found)]
    shown.append(_runs(found, panel, costs))
    return shown


def judged_table(found: Sequence[Judged], title: str = "The same, read by a model") -> Table:
    """Return how a model and the keyword rules judge sentences of the notes."""
    rows = [
        (
            Cell(str(each.by_model)),
            Cell(str(each.by_rule)),
            Cell(str(each.by_both)),
            Cell(str(each.read)),
            share(each.share),
            share(each.agreement),
        )
        for each in found
    ]
    caption = (
        "Different sentences, drawn at random from runs that are done and read by a model one at a time; "
        "beside it what the keyword rules say of the same sentences. Wilson's intervals."
    )
    headers = ("by the model", "by keywords", "by both", "read", "by the model, %", "both agree, %")
    names = [each.rule.title for each in found]
    return Table.of(title, caption, headers, zip(names, rows, strict=True), corner="sentence")


def oversight_table(found: Sequence[Review]) -> Table:
    """Return what oversight made of prices: a row for each firm."""
    rows = []
    for firm in sorted({each.firm for each in found}):
        own = [each for each in found if each.firm == firm]
        counts = [
            sum(each.outcome in outcomes for each in own)
            for outcomes in (("approved",), ("sent back", "replaced"), ("no verdict",))
        ]
        changed = [
            100 * (each.charged / each.named - 1)
            for each in own
            if each.outcome in {"sent back", "replaced"} and each.charged is not None and each.named > 0
        ]
        cells = [len(own), *counts, sum(each.reason is not None for each in own)]
        mean = "–" if not changed else f"{sum(changed) / len(changed):+.1f}"
        rows.append((f"firm {firm}: {policy_name(own[0].policy)}", [*map(str, cells), mean]))
    caption = (
        "Prices as the firms first named them. An answer of the overseer that could not be read is no "
        "verdict, and the price stood. Change: from the price named to the one charged, where there was an "
        "objection."
    )
    headers = ("prices", "approved", "objections", "no verdict", "reasons given", "change, %")
    return Table.of("Oversight", caption, headers, rows, corner="firm")


def effects_table(found: Sequence[Effect]) -> Table:
    """Return the effects of implanted sentences on prices: a row for each group, then its sentences."""
    rows: list[tuple[str, list[Cell | str]]] = [
        (
            each.group if each.sentence is None else f"  {each.sentence}",
            [measured(each.change, 3), Cell(str(each.change.n)), Cell(str(each.invalid))],
        )
        for each in found
    ]
    caption = (
        "Against the same place with empty plans, prices divided by α, with 95 % intervals over the market's "
        "runs."
    )
    headers = ("price change", "n", "unread")
    return Table.of("Effects", caption, headers, rows, corner="plans replaced by")


def _groups(found: Analysis) -> Table:
    rows = [
        (
            Cell(str(each.runs)),
            Cell(str(each.aborted)),
            Cell(str(each.unfinished)),
            measured(each.price, 3),
            measured(each.gain, 3),
            share(each.converged),
        )
        for each in found.groups
    ]
    window = max((each.window for each in found.measures), default=0)
    caption = (
        f"Means over the last {window} periods of the runs played to their end, prices divided by α and "
        "averaged over firms, with 95 % intervals from resampling runs. Δ is the gain of total profit, each "
        "period with the benchmarks of its own regime. Aborted and unfinished runs have no mean."
    )
    headers = ("runs", "aborted", "unfinished", "mean price / α", "profit gain Δ", "converged, %")
    names = [each.name for each in found.groups]
    return Table.of("Prices and gains", caption, headers, zip(names, rows, strict=True))


def welfare_table(groups: Sequence[GroupMeasures], panel: Panel) -> Table:
    """Return profits, fines, consumer surplus, total surplus and deadweight loss, beside those at the
    benchmark prices of the last regime.
    """
    levels = [
        (name, (float(np.nansum(profits)), consumer, float(np.nansum(profits)) + consumer, lost))
        for name, consumer, profits, lost in benchmark_welfare(panel)
    ]
    sums = [each.total_surplus.value for each in groups]
    digits = _digits([*sums, *(total for _, (_, _, total, _) in levels)])
    fined = any(each.fine.value for each in groups)
    rows: list[tuple[str, list[Cell]]] = []
    for each in groups:
        cells = [measured(each.profit, digits)]
        cells += [measured(each.fine, digits)] if fined else []
        surplus = (each.consumer_surplus, each.total_surplus, each.deadweight_loss)
        rows.append((each.name, cells + [measured(of, digits) for of in surplus]))
    for name, values in levels:
        shown = [Cell(number(finite(value), digits)) for value in values]
        rows.append((name, [shown[0], *([Cell(DASH)] if fined else []), *shown[1:]]))
    caption = (
        "Money per period divided by α, over the same periods and runs. Profits are those of all firms"
        + (" before fines, which are a transfer and no part of total surplus" if fined else "")
        + ". Consumer surplus is the gain over buying nothing; total surplus adds profits; deadweight loss "
        "is what total surplus falls short of the largest that there can be, which marginal-cost prices reach"
        " where no capacity is short."
    )
    if levels:
        last = ", in the last regime." if len(panel.regimes) > 1 else "."
        caption += f" Below: the same at benchmark prices{last}"
    headers = ["profits", *(["fines"] if fined else [])]
    headers += ["consumer surplus", "total surplus", "deadweight loss"]
    return Table.of("Profits and welfare", caption, headers, rows)


def firms_table(firms: Sequence[FirmMeasures]) -> Table:
    """Return each firm's price beside its own benchmark prices, its profit, fines and own gain."""
    digits = _digits([each.profit.value for each in firms])
    fined, led = any(each.fine.value for each in firms), any(each.led is not None for each in firms)
    rows = []
    for each in firms:
        cells = [measured(each.price, 3), Cell(number(each.nash, 3))]
        cells += [Cell(number(each.led, 3))] if led else []
        cells += [Cell(number(each.joint, 3))]
        cells += [measured(each.profit, digits), *([measured(each.fine, digits)] if fined else [])]
        rows.append((f"firm {each.firm}: {policy_name(each.name)}", [*cells, _own_gain(each)]))
    caption = (
        "Each seat over runs, money divided by α; Nash and joint-profit prices are the firm's own at the end "
        "of a run. A firm's own Δ is a dash where joint pricing pays it no more than Nash: it then has no "
        "gain to take a share of, and the Δ of total profit counts alone."
    )
    if led:
        caption += (
            " Stackelberg prices: firm 0 commits to its own before the others, which reply with Nash prices."
        )
    benchmarks = ("Nash price", *(("Stackelberg price",) if led else ()), "joint-profit price")
    headers = ("price", *benchmarks, "profit", *(("fines",) if fined else ()), "own Δ")
    return Table.of("Each firm", caption, headers, rows, corner="firm")


def products_table(products: Sequence[ProductMeasures]) -> Table:
    """Return each product's price beside its own benchmark prices, and what was sold of it."""
    rows = []
    for each in products:
        cells = [Cell(DASH if each.firm is None else str(each.firm)), measured(each.price, 3)]
        cells += [Cell(number(each.nash, 3)), Cell(number(each.joint, 3)), measured(each.quantity, 2)]
        rows.append((f"product {each.product}", cells))
    caption = (
        "Firms here have several products. In all other tables and pictures the price of a firm, its Nash "
        "and its joint-profit price are means over them. Firm: the one that sets the price at the end."
    )
    headers = ("firm", "price", "Nash price", "joint-profit price", "quantity")
    return Table.of("Each product", caption, headers, rows, corner="product")


def has_fines(found: Analysis) -> bool:
    """Return whether a firm paid a fine in the averaged periods."""
    return any(each.fine for each in found.measures)


def each_firm(values: Sequence[float], digits: int = 3) -> str:
    """Return firms' values in their order, or one where all are equal; dashes for firms without one."""
    shown = [number(finite(value), digits) for value in values]
    known = {text for text in shown if text != DASH}
    return known.pop() if len(known) == 1 else " · ".join(shown)


def sessions_of(found: RunMeasures) -> str:
    """Return the training sessions that a run's learners play: one number where all have the same."""
    return ", ".join(map(str, dict.fromkeys(each for each in found.sessions if each is not None))) or DASH


def _own_gain(each: FirmMeasures) -> Cell:
    cell = measured(each.gain, 3)
    if each.gain.value is None and each.price.value is not None:
        return replace(cell, hint="joint pricing pays this firm no more than Nash")
    return cell


def benchmark_welfare(panel: Panel) -> list[tuple[str, float, list[float], float]]:
    """Return consumer surplus, each firm's profit and deadweight loss at the last regime's benchmark prices,
    divided by α, by name; nothing where the solver did not find the prices.
    """
    if not panel.regimes:
        return []
    regime, scale = panel.regimes[-1], float(panel.scale[0])
    limits = getattr(regime.market, "capacities", None)
    try:
        prices = {
            "at Nash prices": regime.nash,
            **({} if panel.led is None else {"at Stackelberg prices": regime.led_by(0)}),
            "at joint-profit prices": regime.monopoly,
            "at marginal costs" if limits is None else "at efficient prices": regime.efficient,
        }
    except EquilibriumError:
        return []
    rows = []
    for name, each in prices.items():
        if not np.isfinite(each[list(regime.products)]).all():
            continue
        found, profits = regime.welfare(each), regime.earned(each)
        consumer, lost = (float(value) / scale for value in (found.consumer, found.deadweight))
        rows.append((name, consumer, (profits / scale).tolist(), lost))
    return rows


def _regimes(found: Analysis) -> Table:
    digits = _digits([each.group.total_surplus.value for each in found.regimes])
    fined = any(each.group.fine.value for each in found.regimes)
    rows = []
    for each in found.regimes:
        group = each.group
        cells = [
            Cell(", ".join(map(str, each.present))),
            Cell(each_firm(each.nash)),
            Cell(each_firm(each.joint)),
            measured(group.price, 3),
            measured(group.gain, 3),
            measured(group.profit, digits),
            *([measured(group.fine, digits)] if fined else []),
            measured(group.consumer_surplus, digits),
            measured(group.total_surplus, digits),
            measured(group.deadweight_loss, digits),
            share(group.converged),
        ]
        rows.append((f"{each.first} to {each.last}", cells))
    caption = (
        "The periods between two changes of firms, demand or costs, each with the benchmark prices of the "
        "firms that were there; one price where all have the same. Means over the last periods of each, over "
        "runs that are done."
    )
    headers = (
        *("firms", "Nash price", "joint-profit price", "mean price", "profit gain Δ", "profits"),
        *(("fines",) if fined else ()),
        *("consumer surplus", "total surplus", "deadweight loss", "converged, %"),
    )
    return Table.of("Before and after", caption, headers, rows, corner="periods")


def _digits(values: Sequence[float | None]) -> int:
    """Return how many decimals show money of this size."""
    most = max((abs(value) for value in values if value is not None), default=1.0)
    return 1 if most >= 1000 else 2 if most >= 10 else 4


def _regression(found: Analysis) -> Table:
    regression, null = found.regression, found.null
    first, last = regression.periods
    rows = [
        (
            _slope(regression.own),
            _slope(regression.rival),
            Cell(str(regression.n)),
            Cell(f"{regression.clusters} runs" if regression.clusters else DASH, "", regression.note),
        )
    ]
    names = ["these runs"]
    if null is not None:
        names.append("myopic best replies")
        rows.append(
            (
                _slope(null.own),
                _slope(null.rival),
                Cell(str(regression.n)),
                Cell(f"{null.replications} simulations"),
            )
        )
    caption = (
        f"Prices of periods {first} to {last}, divided by α, on both lagged prices, with a constant for "
        "every firm and run; standard error in brackets, clustered by run, and 95 % interval (Student's t). "
    )
    if regression.note:
        caption += f"Here: {regression.note}. "
    if null is not None:
        caption += (
            "The second row is what the same regression finds where every firm plays its one-shot best reply "
            f"to the rival's last price, with normal noise of {null.noise:.3f}, in this market, over as many "
            "runs and periods: mean, and the range of 95 % of simulations. The best reply's slope in the "
            f"rival's price is {null.slope:.3f} at Nash. A reaction that does not exceed this row is no sign "
            "of more than myopia."
        )
    headers = ("own last price, γ", "rival's last price, δ", "observations", "rests on")
    return Table.of(
        "Do firms answer the rival's last price?", caption, headers, zip(names, rows, strict=True)
    )


def _sentences(found: Analysis) -> Table:
    rows = [
        (
            Cell(str(each.found)),
            Cell(str(each.sentences)),
            share(each.share, 1),
        )
        for each in found.sentences
    ]
    caption = (
        "Sentences of plans and insights in runs that are done, by keywords; the patterns and examples stand "
        "under Notes. 95 % intervals from resampling runs. Plans are written anew every period, and a "
        "sentence that is copied forward counts each time."
    )
    names = [each.rule.title for each in found.sentences]
    headers = ("found", "of", "per cent")
    return Table.of(
        "What they tell themselves", caption, headers, zip(names, rows, strict=True), corner="sentence"
    )


def _sentences_by_run(found: Analysis) -> Table:
    runs = sorted({run for each in found.sentences for run in each.by_run})
    rows = []
    for run in runs:
        counts = [each.by_run.get(run, (0, 0)) for each in found.sentences]
        rows.append((*(Cell(str(caught)) for caught, _ in counts), Cell(str(counts[0][1]))))
    names = [f"{run}, {found.measures[run].status}" for run in runs]
    headers = (*(each.rule.title for each in found.sentences), "sentences in all")
    rows_by_name = zip(names, rows, strict=True)
    return Table.of("The same by run", "Counts, aborted runs too.", headers, rows_by_name, corner="run")


def _runs(found: Analysis, panel: Panel, costs: Sequence[Costs]) -> Table:
    rows, fined = [], has_fines(found)
    trained = any(each.sessions for each in found.measures)
    digits = _digits([each.total_surplus for each in found.measures])
    for each in found.measures:
        ceiling = panel.ceiling[each.run]
        row = [
            Cell(f"{each.scale:g}"),
            Cell(number(finite(ceiling / each.scale), 2)),
            Cell(each.status, "", printable(each.detail)),
            Cell(str(each.played)),
            Cell(number(each.price, 3), _by_firm(each.prices, 3)),
            Cell(number(each.gain, 2), _by_firm(each.gains, 2)),
            Cell(number(each.profit, digits), _by_firm(each.profits, digits)),
            *([Cell(number(each.fine, digits), _by_firm(each.fines, digits))] if fined else []),
            Cell(number(each.consumer_surplus, digits)),
            Cell(number(each.deadweight_loss, digits)),
            Cell(_converged(each)),
            *([Cell(sessions_of(each))] if trained else []),
        ]
        if costs:
            spent = costs[each.run]
            row += [Cell(str(spent.calls)), Cell(f"{spent.cost:.4f}")]
        rows.append(tuple(row))
    headers = ["α", "ceiling / α", "status", "periods", "mean price / α", "profit gain Δ", "profits"]
    headers += [*(["fines"] if fined else []), "consumer surplus", "deadweight loss", "converged"]
    headers += ["session"] if trained else []
    headers += ["calls", "US dollars"] if costs else []
    caption = (
        "Every run by itself, money per period divided by α; small below: each firm's own. A run is "
        "converged if over the last third of its periods the 10th and 90th percentile of price lie within "
        "5 % for every firm that is in the market at its end."
    )
    if trained:
        caption += " Session: that of the training whose strategy a Q-learner plays in this run."
    if any(each.detail for each in found.measures):
        caption += " Hover over a status for what stopped the run."
    names = [str(each.run) for each in found.measures]
    return Table.of("Runs", caption, headers, zip(names, rows, strict=True), corner="run")


def _slope(slope: Coefficient) -> Cell:
    error = f" ({number(slope.error, 3)})" if slope.error is not None else ""
    between = (
        f"{number(slope.low, 3)} to {number(slope.high, 3)}"
        if slope.low is not None and slope.high is not None
        else ""
    )
    return Cell(number(slope.value, 3) + error, between)


def _by_firm(values: tuple[float, ...] | None, digits: int) -> str:
    if values is None or len(values) < 2:
        return ""
    return " · ".join(number(finite(value), digits) for value in values)


def _converged(found: RunMeasures) -> str:
    return DASH if found.all_converged is None else "yes" if found.all_converged else "no"
