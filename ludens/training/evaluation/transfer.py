"""Transfer: what a model that learnt preferences in small games does in a market that it never saw.

One firm of the pricing duopoly is the model, the other replies best to last period's prices. Nothing of the
training speaks of markets, so whatever moves here has carried over.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ludens.experiments.pricing import play_pricing, resume_pricing
from ludens.experiments.pricing.result import load_result
from ludens.experiments.recorder import OnProgress

RIVAL = "myopic"


@dataclass(frozen=True)
class MarketPath:
    """One firm's prices against the myopic rival.

    Attributes:
        model: the firm's name.
        prices: of the firm, period by period as far as it came.
        rival: of the rival, likewise.
        periods: how many were planned.
        status: of the run: ``"aborted"`` where the firm's reply stayed unreadable.
        detail: why it stopped, where it did.
        nash, joint: the static Nash price and the joint-profit price.
        gain: the firm's mean profit gain Δ over the window; None unless the run is done.
    """

    model: str
    prices: tuple[float, ...]
    rival: tuple[float, ...]
    periods: int
    status: str
    detail: str
    nash: float
    joint: float
    gain: float | None


def play_market(
    model: str,
    path: str | os.PathLike[str],
    periods: int,
    *,
    seed: int = 0,
    progress: OnProgress | None = None,
) -> None:
    """Let a model price against the myopic rival, or go on with that run.

    Raises:
        LudensError: a model cannot be reached, or the run cannot be written; what was played is kept.
    """
    if Path(path).exists():
        resume_pricing(path, progress=progress)
        return
    play_pricing([model, RIVAL], periods=periods, seed=seed, path=path, progress=progress)


def read_market(path: str | os.PathLike[str]) -> MarketPath:
    """A run of `play_market` as it stands on disk.

    Raises:
        NoRunError: the file holds none.
    """
    result = load_result(path)
    (found,) = result.analysis.measures
    prices = result.panel.relative_prices[0, : found.played]
    return MarketPath(
        found.firms[0],
        _known(prices[:, 0].tolist()),
        _known(prices[:, 1].tolist()),
        result.panel.periods,
        found.status,
        found.detail,
        found.nash,
        found.joint,
        None if found.gains is None else found.gains[0],
    )


def _known(values: Sequence[float]) -> tuple[float, ...]:
    return tuple(float(value) for value in values)
