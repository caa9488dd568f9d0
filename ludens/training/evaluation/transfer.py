"""Transfer: the behaviour of a model tuned on small games in applications that it was not trained on.

In a duopoly the model sets the price of one firm, and the other replies best to last period's prices. In the
dilemmas of autonomous vehicles the model says whether a car should swerve, rates programs and says what it
would buy, compared with homo economicus and homo moralis. Since the training mentions neither markets nor
cars, any change here is transfer.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ludens.experiments.av import AvConfig, AvStudy, DilemmaMeasures
from ludens.experiments.pricing.config import PricingConfig
from ludens.experiments.pricing.study import PricingStudy
from ludens.experiments.report.names import finite
from ludens.experiments.runs.budget import Budget
from ludens.experiments.runs.recorder import OnProgress
from ludens.experiments.study.engine import complete, load_result

RIVAL = "myopic"

PAIRS = ("itself", "myopic", "oracle-itself", "oracle-myopic")
"""The names of `market_pairs`."""

REFERENCES = ("homo_economicus", "homo_moralis:0.5")
"""The policies with which a model is compared in the dilemmas."""


@dataclass(frozen=True)
class MarketPath:
    """A model's prices against the myopic rival.

    Attributes:
        model: the model's name.
        prices: the model's prices in the periods that were played.
        rival: the rival's prices in the same periods.
        periods: the planned number of periods.
        status: the status of the run; ``"aborted"`` if the model's reply remained unreadable.
        detail: the reason why the run stopped, if it did.
        nash, joint: the static Nash price and the joint-profit price.
        gain: the model's mean profit gain Δ over the window; None unless the run is done.
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
    budget: Budget | None = None,
    progress: OnProgress | None = None,
) -> None:
    """Let a model price against the myopic rival, or resume that run.

    Raises:
        LudensError: a model cannot be reached, or the run cannot be written; what was played is kept.
    """
    complete(market_of((model, RIVAL), periods, seed=seed, budget=budget), path, progress=progress)


def market_of(firms: tuple[Any, Any], periods: int, **config: Any) -> PricingStudy:
    """Return the study in which two firms price in the baseline market; `config` has other keys of
    `PricingConfig`.
    """
    return PricingStudy(PricingConfig(firms=firms, periods=periods, **config))


def market_pairs(model: Mapping[str, Any], kappa: float) -> dict[str, tuple[Any, Any]]:
    """Return the pairs of firms that show what a model with weight κ does in a market of tables, by name: it
    against itself and against a firm that replies best to the last prices, and its oracle in the same places.
    """
    oracle = {"spec": "myopic", "kappa": kappa} if kappa else RIVAL
    pairs = ((dict(model), dict(model)), (dict(model), RIVAL), (oracle, oracle), (oracle, RIVAL))
    return dict(zip(PAIRS, pairs, strict=True))


def read_market(path: str | os.PathLike[str]) -> MarketPath:
    """Read a run of `play_market`, finished or not.

    Raises:
        NoRunError: the file holds no run.
    """
    result = load_result(PricingStudy, path)
    (found,) = result.analysis.measures
    prices = result.panel.relative_prices[0, : found.played]
    return MarketPath(
        found.firms[0],
        _known(prices[:, 0].tolist()),
        _known(prices[:, 1].tolist()),
        result.panel.periods,
        found.status,
        found.detail,
        found.nash[0],
        found.joint[0],
        None if found.gains is None else finite(found.gains[0]),
    )


def ask_dilemmas(
    model: str | Mapping[str, Any],
    path: str | os.PathLike[str],
    studies: Sequence[int],
    *,
    framing: str = "neutral",
    kappa: float = 0.5,
    seed: int = 0,
    budget: Budget | None = None,
    progress: OnProgress | None = None,
) -> None:
    """Ask a model the questions of studies on autonomous vehicles, in both orders, or resume that run.

    Raises:
        LudensError: a model cannot be reached, or the run cannot be written; what was answered is kept.
    """
    study = dilemmas_of(model, studies, framing=framing, kappa=kappa, seed=seed, budget=budget)
    complete(study, path, progress=progress)


def dilemmas_of(
    model: str | Mapping[str, Any],
    studies: Sequence[int],
    *,
    framing: str = "neutral",
    kappa: float = 0.5,
    **config: Any,
) -> AvStudy:
    """Return the study in which a model is asked about autonomous vehicles; `config` has other keys of
    `AvConfig`.
    """
    references = tuple(dict.fromkeys((*REFERENCES, *([f"homo_moralis:{kappa:g}"] if kappa else []))))
    return AvStudy(
        AvConfig(models=[model], studies=studies, framings=[framing], references=references, **config)
    )


def read_dilemmas(path: str | os.PathLike[str]) -> tuple[DilemmaMeasures, ...]:
    """Read a run of `ask_dilemmas`, finished or not: the model, then the policies to compare with.

    Raises:
        NoRunError: the file holds no run.
    """
    return load_result(AvStudy, path).measures


def _known(values: Sequence[float]) -> tuple[float, ...]:
    return tuple(float(value) for value in values)
