"""The panel of a run on disk, replayed from its decisions."""

from __future__ import annotations

import os
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ludens.envs.pricing.theory.benchmarks import monopoly_prices, nash_prices
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
    found = histories(run if isinstance(run, Run) else Run(run))
    firms = found[0].market.firms
    periods = max((len(each.prices) for each in found), default=0)
    nash = np.stack([nash_prices(each.market) for each in found])
    joint = np.stack([monopoly_prices(each.market) for each in found])
    labels = tuple(each.episode.labels for each in found)
    return Panel(
        prices=_filled([each.prices for each in found], periods, firms),
        quantities=_filled([each.quantities for each in found], periods, firms),
        profits=_filled([each.profits for each in found], periods, firms),
        firms=tuple(tuple(str(name) for name in each["firms"]) for each in labels),
        status=tuple(each.episode.status for each in found),
        scale=np.array([float(each["scale"]) for each in labels]),
        ceiling=np.array([np.nan if each["ceiling"] is None else float(each["ceiling"]) for each in labels]),
        nash_prices=nash,
        joint_prices=joint,
        nash_profits=np.stack([each.market.profits(nash_prices(each.market)) for each in found]),
        joint_profits=np.stack([each.market.profits(monopoly_prices(each.market)) for each in found]),
        labels=labels,
        detail=tuple(each.episode.detail for each in found),
        notes=tuple(note for number, each in enumerate(found) for note in _notes(number, each)),
        markets=tuple(each.market for each in found),
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
