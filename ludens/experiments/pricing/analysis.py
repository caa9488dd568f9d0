"""All measures of a panel, of stored runs and of trained sessions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from ludens.experiments.measures.intervals import ESTIMATE_COLUMNS, Estimate
from ludens.experiments.pricing.dynamics import Dynamics, dynamics_rows, measure_dynamics
from ludens.experiments.pricing.measures import (
    MEANS,
    FirmMeasures,
    GroupMeasures,
    ProductMeasures,
    RegimeMeasures,
    RunMeasures,
    by_firm,
    by_product,
    group,
    measure,
    measure_regimes,
)
from ludens.experiments.pricing.null import Null, myopic_null
from ludens.experiments.pricing.panels import Panel
from ludens.experiments.pricing.regression import Regression, regress
from ludens.experiments.pricing.texts import Counted, count_sentences
from ludens.experiments.runs.columns import Column

ALL = "all runs"


@dataclass(frozen=True)
class Analysis:
    """The measures of a panel.

    Attributes:
        measures: one per run.
        groups: all runs, and those of each scale where there are several.
        firms: one per seat, over runs.
        products: one for each, where firms have several; otherwise empty.
        regimes: one for each, where firms, demand or costs change; otherwise empty.
        dynamics: learning paths, times to collusion, and Edgeworth cycles.
        regression: of prices on both lagged prices, errors clustered by run.
        null: the same regression among myopic firms; None if they cannot be simulated, or the market changes
            within the periods of the regression.
        sentences: kinds of sentences in plans and insights; empty if no firm wrote any.
    """

    measures: tuple[RunMeasures, ...]
    groups: tuple[GroupMeasures, ...]
    firms: tuple[FirmMeasures, ...]
    products: tuple[ProductMeasures, ...]
    regimes: tuple[RegimeMeasures, ...]
    dynamics: Dynamics
    regression: Regression
    null: Null | None
    sentences: tuple[Counted, ...]


def analyse(panel: Panel, seed: int = 0) -> Analysis:
    """Measure a panel; `seed` is that of the bootstraps and of the null's noise."""
    streams = np.random.SeedSequence(seed).spawn(4)
    draws, noise, words, paths = (np.random.default_rng(each) for each in streams)
    measures = measure(panel)
    scales = sorted({found.scale for found in measures})
    groups = [group(ALL, measures, draws)]
    if len(scales) > 1:
        groups += [
            group(f"α = {scale:g}", [found for found in measures if found.scale == scale], draws)
            for scale in scales
        ]
    regression = regress(panel)
    identified = regression.own.value is not None
    return Analysis(
        measures=measures,
        groups=tuple(groups),
        firms=by_firm(measures, draws, panel.led),
        regimes=measure_regimes(panel, draws),
        products=by_product(panel, measures, draws),
        dynamics=measure_dynamics(panel, paths),
        regression=regression,
        null=myopic_null(panel, noise) if identified and panel.schedules else None,
        sentences=count_sentences(panel, words) if panel.notes else (),
    )


ESTIMATES = (
    Column("measure", "text", "what is measured (`price`, `gain`, `consumer_surplus`, `own_lag` …)"),
    Column("of", "text", "what it is measured of: all runs, those of one scale, a regime, a firm, periods"),
    *ESTIMATE_COLUMNS,
)


def estimates(found: Analysis) -> Iterator[dict[str, Any]]:
    """Yield every estimate as a row: measure, object, value, interval, n, clusters, method, note."""
    for each in (*found.groups, *(regime.group for regime in found.regimes)):
        for name in (*MEANS, "converged"):
            yield {"measure": name, "of": each.name} | asdict(getattr(each, name))
    for firm in found.firms:
        for name in ("price", "gain", "profit", "fine"):
            yield {"measure": name, "of": f"firm {firm.firm}: {firm.name}"} | asdict(getattr(firm, name))
    for product in found.products:
        for name in ("price", "quantity"):
            row = {"measure": name, "of": f"product {product.product}"}
            yield row | asdict(getattr(product, name))
    yield from dynamics_rows(found.dynamics)
    regression = found.regression
    for name in ("own", "rival"):
        slope = getattr(regression, name)
        estimate = Estimate(
            slope.value, slope.low, slope.high, regression.n, regression.clusters, note=regression.note
        )
        yield {"measure": f"{name}_lag", "of": ALL} | asdict(estimate) | {"method": "clustered errors"}
        if found.null is not None:
            null = getattr(found.null, name)
            simulated = Estimate(null.value, null.low, null.high, found.null.replications)
            row = {"measure": f"{name}_lag", "of": "myopic best replies"} | asdict(simulated)
            yield row | {"method": "95 % of simulations"}
    for counted in found.sentences:
        yield {"measure": f"sentences_{counted.rule.name}", "of": ALL} | asdict(counted.share)
