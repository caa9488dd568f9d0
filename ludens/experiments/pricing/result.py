"""The measures of a pricing run, as JSON and as rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ludens.envs.pricing.theory.errors import EquilibriumError
from ludens.experiments.measures.costs import Costs, costs
from ludens.experiments.pricing.analysis import Analysis, analyse, estimates
from ludens.experiments.pricing.config import pricing_config
from ludens.experiments.pricing.oversight import Review, review_rows, reviews_of
from ludens.experiments.pricing.panels import Panel
from ludens.experiments.pricing.reading import panel
from ludens.experiments.pricing.texts import sentences_of
from ludens.experiments.pricing.verdicts import KIND, Judged, beside, verdicts
from ludens.experiments.report.result import RunResult
from ludens.experiments.runs.columns import Column
from ludens.experiments.runs.files import plain
from ludens.experiments.runs.records import DecisionRecord
from ludens.experiments.runs.run import Run


@dataclass(frozen=True, kw_only=True, repr=False)
class PricingResult(RunResult):
    """The measures of a pricing run.

    Attributes:
        panel: its prices, quantities and profits.
        analysis: the measures of the panel.
        costs: of the decisions of each run.
        reviews: what oversight made of each price; empty without oversight.
        judged: verdicts of a model on sentences of the notes; empty where none was asked.
    """

    panel: Panel
    analysis: Analysis
    costs: tuple[Costs, ...]
    judged: tuple[Judged, ...] = ()
    reviews: tuple[Review, ...] = ()

    @property
    def overseen(self) -> bool:
        """Whether prices were overseen."""
        return self.manifest["config"].get("oversight") is not None

    @property
    def unfinished(self) -> int:
        """The number of runs that were neither finished nor aborted."""
        return self.analysis.groups[0].unfinished

    @property
    def calls(self) -> int:
        """The number of calls to models."""
        return sum(each.calls for each in self.costs)


def measured(run: Run) -> PricingResult:
    """Measure a pricing run as it stands on disk, finished or not, without asking anything.

    Verdicts of a model on its notes count where a run of the judge lies beside it, see
    `ludens.experiments.pricing.judging`.

    Raises:
        NoRunError: it is not a pricing run.
    """
    played, manifest, decisions = panel(run), run.manifest, run.decisions()
    by_run: dict[int, list[DecisionRecord]] = {}
    for record in decisions:
        by_run.setdefault(record.episode, []).append(record)
    return PricingResult.of(
        run,
        decisions,
        panel=played,
        analysis=analyse(played, manifest["seed"]),
        costs=tuple(costs(by_run.get(number, [])) for number in range(played.runs)),
        judged=_judged(beside(run.path), played),
        reviews=reviews_of(decisions, pricing_config(run).oversight, played.prices),
    )


def _judged(path: Path, played: Panel) -> tuple[Judged, ...]:
    if not path.exists():
        return ()
    # A verdict is on a sentence alone, whichever run it was first read in.
    sentences = frozenset(sentences_of(played))
    with Run(path) as run:
        found = verdicts(run, sentences) if run.manifest["kind"] == KIND else ()
    return found if any(each.read for each in found) else ()


def to_json(result: PricingResult) -> dict[str, Any]:
    """Return everything measured as JSON values: how the run came about, each run of a market, each
    estimate.
    """
    null, regression = result.analysis.null, result.analysis.regression
    return {
        **result.as_json(),
        "unfinished": result.unfinished,
        "runs": runs_as_json(result.analysis, result.costs),
        "regimes": [plain(asdict(replace(each, runs=()))) for each in result.analysis.regimes],
        "firms": [plain(asdict(each)) for each in result.analysis.firms],
        "products": [plain(asdict(each)) for each in result.analysis.products],
        "estimates": [plain(row) for row in estimates(result.analysis)],
        "regression": plain(asdict(regression)),
        "null": None if null is None else plain(asdict(null)),
        **({"reviews": [plain(row) for row in review_rows(result.reviews)]} if result.overseen else {}),
        "judged": [plain(asdict(each)) for each in result.judged],
    }


def runs_as_json(analysis: Analysis, spent: Sequence[Costs] = ()) -> list[dict[str, Any]]:
    """Return every run of a market with its measures."""
    rows = []
    for found in analysis.measures:
        row = asdict(found)
        row["converged_all"] = found.all_converged
        if spent:
            row["costs"] = asdict(spent[found.run])
        rows.append(plain(row))
    return rows


PANEL = (
    Column("run", "integer", "the run of the market, from 0"),
    Column("status", "text", "of the run, as in the table of episodes"),
    Column("scale", "number", "the unit α that prices and costs are multiplied with"),
    Column("period", "integer", "the period, from 1"),
    Column("firm", "integer", "the firm, from 0"),
    Column("policy", "text", "the firm's policy"),
    Column("session", "integer", "the training session that it plays the result of", empty="not trained"),
    Column("price", "number", "the price", "money"),
    Column("quantity", "number", "units sold", "units"),
    Column("profit", "number", "before fines", "money"),
    Column("fine", "number", "a regulator's fine", "money"),
    Column(
        "gain",
        "number",
        "the firm's own Δ: 0 at Nash profits, 1 at those of joint maximisation",
        empty="it has no gain of its own",
    ),
    Column("nash_price", "number", "its price in the one-shot equilibrium of that period", "money"),
    Column("joint_price", "number", "its price where joint profit is largest", "money"),
    Column("total_gain", "number", "Δ of total profit in that period"),
    Column("consumer_surplus", "number", "of the whole market", "money"),
    Column("total_surplus", "number", "of the whole market", "money"),
    Column("deadweight_loss", "number", "of the whole market", "money"),
)
"""Money is that of the run's scale."""


def panel_rows(played: Panel) -> Iterator[dict[str, Any]]:
    """Yield one row for each run, period and firm that played.

    Columns are run, status, scale, period (from 1), firm (from 0), policy, session (of a learner's training),
    price, quantity, profit (before fines), fine, gain (the firm's own), nash_price and joint_price; and of
    the whole market total_gain, consumer_surplus, total_surplus and deadweight_loss. Money is that of the
    run's scale.
    """
    own = {
        "price": played.prices,
        "quantity": played.quantities,
        "profit": played.profits,
        "fine": played.fines,
        "gain": played.gains,
        "nash_price": played.nash_prices,
        "joint_price": played.joint_prices,
    }
    sessions = [each.get("sessions") for each in played.labels] or [None] * played.runs
    whole = {
        "total_gain": played.total_gains,
        "consumer_surplus": played.consumer_surplus,
        "total_surplus": played.total_surplus,
        "deadweight_loss": played.deadweight_loss,
    }
    for run, period, firm in zip(*np.nonzero(np.isfinite(played.prices)), strict=True):
        yield {
            "run": int(run),
            "status": played.status[run],
            "scale": float(played.scale[run]),
            "period": int(period) + 1,
            "firm": int(firm),
            "policy": played.firms[run][firm],
            "session": sessions[run][firm] if sessions[run] else None,
            **{name: plain(float(values[run, period, firm])) for name, values in own.items()},
            **{name: plain(float(values[run, period])) for name, values in whole.items()},
        }


PRODUCTS = (
    Column("run", "integer", "the run of the market, from 0"),
    Column("status", "text", "of the run, as in the table of episodes"),
    Column("scale", "number", "the unit α that prices and costs are multiplied with"),
    Column("period", "integer", "the period, from 1"),
    Column("product", "integer", "the product, from 0"),
    Column("firm", "integer", "the firm that set its price in that period, from 0"),
    Column("price", "number", "the price", "money"),
    Column("quantity", "number", "units sold", "units"),
    Column("nash_price", "number", "its price in the one-shot equilibrium of that period", "money"),
    Column("joint_price", "number", "its price where joint profit is largest", "money"),
)
"""There where firms have several products. Money is that of the run's scale."""


def product_rows(played: Panel) -> Iterator[dict[str, Any]]:
    """Yield one row for each run, period and product on sale, in a panel of firms with several products."""
    prices, quantities = played.product_prices, played.product_quantities
    assert prices is not None
    assert quantities is not None
    for run, period, product in zip(*np.nonzero(np.isfinite(prices)), strict=True):
        regime = played.schedules[run].regime(int(period))
        try:
            nash, joint = plain(float(regime.nash[product])), plain(float(regime.monopoly[product]))
        except EquilibriumError:
            nash = joint = None
        yield {
            "run": int(run),
            "status": played.status[run],
            "scale": float(played.scale[run]),
            "period": int(period) + 1,
            "product": int(product),
            "firm": next(firm for firm in regime.firms if product in regime.products_of(firm)),
            "price": float(prices[run, period, product]),
            "quantity": float(quantities[run, period, product]),
            "nash_price": nash,
            "joint_price": joint,
        }
