"""The tables of a run of the market."""

from __future__ import annotations

from collections.abc import Sequence

from ludens.display.printable import printable
from ludens.display.table import Cell, Table
from ludens.experiments.measures.costs import Costs
from ludens.experiments.pricing.analysis import Analysis
from ludens.experiments.pricing.effects import Effect
from ludens.experiments.pricing.measures import RunMeasures
from ludens.experiments.pricing.panels import Panel
from ludens.experiments.pricing.regression import Coefficient
from ludens.experiments.pricing.verdicts import Judged
from ludens.experiments.report.cells import measured, share
from ludens.experiments.report.names import DASH, finite, number, policy_name


def tables(found: Analysis, panel: Panel, costs: Sequence[Costs]) -> list[Table]:
    """Return all tables, in the order of the page; `costs` per run, empty where no model was called."""
    shown = [_groups(found)]
    if found.firms:
        shown.append(_firms(found))
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
        f"Means over the last {window} periods of the runs played to their end, prices divided by α, "
        "with 95 % intervals from resampling runs. Aborted and unfinished runs have no mean and enter none."
    )
    headers = ("runs", "aborted", "unfinished", "price / α", "profit gain Δ", "converged, %")
    names = [each.name for each in found.groups]
    return Table.of("Prices and gains", caption, headers, zip(names, rows, strict=True))


def _firms(found: Analysis) -> Table:
    rows = [(measured(each.price, 3), measured(each.gain, 3)) for each in found.firms]
    names = [f"firm {each.firm}: {policy_name(each.name)}" for each in found.firms]
    caption = "The same for each seat, over runs."
    headers = ("price / α", "profit gain Δ")
    return Table.of("Each firm", caption, headers, zip(names, rows, strict=True), corner="firm")


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
    rows = []
    for each in found.measures:
        ceiling = panel.ceiling[each.run]
        row = [
            Cell(f"{each.scale:g}"),
            Cell(number(finite(ceiling / each.scale), 2)),
            Cell(each.status, "", printable(each.detail)),
            Cell(str(each.played)),
            Cell(number(each.price, 3), _by_firm(each.prices, 3)),
            Cell(number(each.gain, 2), _by_firm(each.gains, 2)),
            Cell(_converged(each)),
        ]
        if costs:
            spent = costs[each.run]
            row += [Cell(str(spent.calls)), Cell(f"{spent.cost:.4f}")]
        rows.append(tuple(row))
    headers = ["α", "ceiling / α", "status", "periods", "price / α", "profit gain Δ", "converged"]
    headers += ["calls", "US dollars"] if costs else []
    caption = (
        "Every run by itself; below the means each firm's own. A run is converged if over the last third of "
        "its periods every firm's 10th and 90th percentile of price lie within 5 %."
    )
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
