"""The panel of a run on disk, replayed from its decisions."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from ludens.envs.pricing.schedule import Regime, Schedule
from ludens.envs.pricing.theory.errors import EquilibriumError
from ludens.experiments.pricing.config import pricing_config
from ludens.experiments.pricing.history import History, histories
from ludens.experiments.pricing.panels import Note, Panel
from ludens.experiments.runs.run import Run

Floats = NDArray[np.float64]


def panel(run: Run | str | os.PathLike[str]) -> Panel:
    """Return the panel of a pricing run, finished or not; nothing is asked.

    Args:
        run: opened for reading, or its file.

    Raises:
        NoRunError: it is not a run of a pricing market.
        StoreError: its decisions do not fit the market as this version plays it.
    """
    run = run if isinstance(run, Run) else Run(run)
    found = histories(run)
    config = pricing_config(run)
    firms = found[0].market.firms
    periods = max((len(each.prices) for each in found), default=0)
    labels = tuple(each.episode.labels for each in found)
    scales = [float(each["scale"]) for each in labels]
    known = {
        scale: Schedule(config.scaled(scale), config.scaled_interventions(scale)) for scale in set(scales)
    }
    benchmarks = {scale: _benchmarks(schedule, periods) for scale, schedule in known.items()}
    nash, joint, nash_profits, joint_profits = (
        np.stack([benchmarks[scale][place] for scale in scales]) for place in range(4)
    )
    fines = _filled([each.fines for each in found], periods, firms)
    welfare = _filled([each.welfare for each in found], periods, 2)
    several = any(schedule.several for schedule in known.values())
    each_product = [
        _filled([each.products[:, place] for each in found], periods, found[0].market.products)
        for place in range(2)
    ]
    return Panel(
        prices=_filled([each.prices for each in found], periods, firms),
        quantities=_filled([each.quantities for each in found], periods, firms),
        profits=_filled([each.profits for each in found], periods, firms) + fines,
        firms=tuple(tuple(str(name) for name in each["firms"]) for each in labels),
        status=tuple(each.episode.status for each in found),
        scale=np.array(scales),
        ceiling=np.array([np.nan if each["ceiling"] is None else float(each["ceiling"]) for each in labels]),
        nash_prices=nash,
        joint_prices=joint,
        nash_profits=nash_profits,
        joint_profits=joint_profits,
        fines=fines,
        consumer_surplus=welfare[..., 0],
        efficient_surplus=welfare[..., 1],
        labels=labels,
        detail=tuple(each.episode.detail for each in found),
        notes=tuple(note for number, each in enumerate(found) for note in _notes(number, each)),
        schedules=tuple(known[scale] for scale in scales),
        moves=config.moves,
        product_prices=each_product[0] if several else None,
        product_quantities=each_product[1] if several else None,
    )


def _benchmarks(schedule: Schedule, periods: int) -> tuple[Floats, Floats, Floats, Floats]:
    """Return Nash and joint-profit prices and the profits at them in each period, (T, F) each.

    They are NaN where the solver did not find them: what was played is measured without them.
    """
    regimes = [schedule.regime(period) for period in range(periods)]
    shape = (periods, schedule.market.firms)
    nothing = np.full(schedule.market.firms, np.nan)

    def each(of: Callable[[Regime], Floats]) -> Floats:
        solved: dict[int, Floats] = {}
        for regime in regimes:
            if regime.start not in solved:
                try:
                    solved[regime.start] = of(regime)
                except EquilibriumError:
                    solved[regime.start] = nothing
        return np.array([solved[regime.start] for regime in regimes]).reshape(shape)

    return (
        each(lambda regime: regime.means(regime.nash)),
        each(lambda regime: regime.means(regime.monopoly)),
        each(lambda regime: regime.profits[0]),
        each(lambda regime: regime.profits[1]),
    )


def _filled(columns: Sequence[Floats], periods: int, firms: int) -> Floats:
    whole = np.full((len(columns), periods, firms), np.nan)
    for number, values in enumerate(columns):
        whole[number, : len(values)] = values
    return whole


def _notes(number: int, history: History) -> list[Note]:
    return [
        Note(number, period, firm, decision.notes)
        for (period, firm), decision in sorted(history.decisions.items())
        if decision.notes
    ]
