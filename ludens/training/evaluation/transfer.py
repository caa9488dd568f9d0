"""Transfer: what a model that learnt preferences in small games does where it was never trained.

In a market one firm of the duopoly is the model, the other replies best to last period's prices. In the
dilemmas of autonomous vehicles the model says whether a car should swerve, rates programs and says what it
would buy, beside homo economicus and homo moralis. Nothing of the training speaks of markets or of cars, so
whatever moves here has carried over.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ludens.experiments.av import DilemmaMeasures, ask, resume_ask
from ludens.experiments.av import load_result as load_dilemmas
from ludens.experiments.pricing import play_pricing, resume_pricing
from ludens.experiments.pricing.result import load_result
from ludens.experiments.runs.recorder import OnProgress

RIVAL = "myopic"

RESPONDENTS = ("homo_economicus", "homo_moralis:0.5")
"""Whom a model is compared with in the dilemmas."""


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


def ask_dilemmas(
    model: str,
    path: str | os.PathLike[str],
    studies: Sequence[int],
    *,
    seed: int = 0,
    progress: OnProgress | None = None,
) -> None:
    """Ask a model the questions of studies on autonomous vehicles, in both orders, or go on with that run.

    Raises:
        LudensError: a model cannot be reached, or the run cannot be written; what was answered is kept.
    """
    if Path(path).exists():
        resume_ask(path, progress=progress)
        return
    ask(
        [model],
        studies=studies,
        framings=("neutral",),
        references=RESPONDENTS,
        seed=seed,
        path=path,
        progress=progress,
    )


def read_dilemmas(path: str | os.PathLike[str]) -> tuple[DilemmaMeasures, ...]:
    """A run of `ask_dilemmas` as it stands on disk: the model, then the respondents to compare with.

    Raises:
        NoRunError: the file holds none.
    """
    return load_dilemmas(path).measures


def _known(values: Sequence[float]) -> tuple[float, ...]:
    return tuple(float(value) for value in values)
