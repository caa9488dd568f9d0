"""The configuration of forced deviations: where a pricing run is branched, and what a firm is forced to."""

from __future__ import annotations

import re
from typing import Annotated, Any, ClassVar

from pydantic import BeforeValidator, Field, field_validator

from ludens.envs.pricing.schedule import Schedule
from ludens.errors import UsageError
from ludens.experiments.pricing.branch import BranchConfig, source_market
from ludens.experiments.pricing.config import PricingConfig
from ludens.experiments.pricing.deviations import KIND
from ludens.experiments.pricing.history import periods_of
from ludens.experiments.runs.records import EpisodeRecord
from ludens.experiments.runs.run import Run
from ludens.experiments.study.config import Count

BEST_REPLY = "best-reply"


def _as_target(value: object) -> object:
    text = str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value
    if isinstance(text, str) and re.fullmatch(
        rf"{BEST_REPLY}|\+?\d*\.?\d+|[+-]?\d*\.?\d+%|step:[+-]?\d+", text.strip()
    ):
        return text.strip()
    raise ValueError(
        "A firm is forced to 'best-reply', to a price such as 1.6, to a change such as -10%, or by points "
        f"of the price grid, as in step:-2; got {value!r}."
    )


class DeviateConfig(BranchConfig):
    """The configuration of forced deviations: the run, where it is branched, and what is forced.

    Attributes:
        source, firms: see `BranchConfig`.
        periods: those in which a firm is forced first, counted from 1; empty for the last one from which the
            source has the whole path beside the branch (or else its last half) to compare with.
        deviators: the numbers of the firms that are forced, one in each branch; empty for every firm.
        to: ``"best-reply"``, the static best reply to what the rivals charge in that very period, anew in
            each forced period and among the points of the price grid where there is one; a price in money at
            scale 1; a change against the path's price such as ``"-10%"``; or ``"step:-2"``, two points of the
            price grid below it.
        length: for how many periods the firm is forced.
        after: how many periods all firms then play.
        replicates: how often each branch is played; a path is played with each.
        discount: δ of the deviator's gain; None for that of the source.
        tolerance: prices are back where every firm's lies within this share of the path's. By default 2 %,
            less than a step of the usual grid (our choice).
        seed: of the intervals, and the root of the run's tree of seeds.
        played, points: the source's market and the branching points, each with the number of the source's
            episode and of its run, the period, and how many periods were played when the new run began;
            filled from the source then.

    Raises:
        UsageError: a value is wrong; the message names its key.
    """

    kind: ClassVar[str] = KIND

    periods: tuple[Count, ...] = ()
    deviators: tuple[Annotated[int, Field(ge=0)], ...] = ()
    to: Annotated[str, BeforeValidator(_as_target)] = BEST_REPLY
    length: Count = 1
    after: Count = 20
    replicates: Count = 1
    discount: float | None = None
    tolerance: float = 0.02
    played: dict[str, Any] = Field(default_factory=dict)
    points: tuple[dict[str, Any], ...] = ()

    @field_validator("periods", "deviators", mode="before")
    @classmethod
    def _list(cls, given: object) -> object:
        return (given,) if isinstance(given, int) else given

    @field_validator("periods", "deviators")
    @classmethod
    def _once(cls, given: tuple[int, ...]) -> tuple[int, ...]:
        return tuple(dict.fromkeys(given))

    @field_validator("discount")
    @classmethod
    def _check_discount(cls, discount: float | None) -> float | None:
        if discount is not None and not 0 <= discount < 1:
            raise ValueError(f"The discount factor lies in [0, 1); got {discount!r}.")
        return discount

    @field_validator("tolerance")
    @classmethod
    def _check_tolerance(cls, tolerance: float) -> float:
        if not 0 <= tolerance < 1:
            raise ValueError(f"The tolerance is a share of the price from 0 to 1; got {tolerance!r}.")
        return tolerance


def pointed(config: DeviateConfig) -> DeviateConfig:
    """Return the configuration with the source's market and its branching points.

    Raises:
        NoRunError: the source is not a pricing run.
        UsageError: it was not played that far, or has no such firm.
    """
    with Run(config.source) as run:
        market = source_market(run)
        if Schedule(market.scaled(1.0), market.scaled_interventions(1.0)).several:
            raise UsageError(
                f"deviate.source: A deviation is of one price, and {config.source} has firms with several "
                "products: take a run of firms with one product each."
            )
        complete = {episode.index: _complete_periods(run, market, episode) for episode in run.episodes()}
        labels = {episode.index: episode.labels for episode in run.episodes()}
    if unknown := [firm for firm in config.deviators if firm >= len(market.seats)]:
        raise UsageError(
            f"deviate.deviators: The firms of {config.source} are numbered from 0 to "
            f"{len(market.seats) - 1}; got {unknown[0]}."
        )
    points: list[dict[str, Any]] = []
    for episode, count in complete.items():
        ceiling = labels[episode]["ceiling"]
        points += [
            {
                "source": episode,
                "run": labels[episode]["run"],
                "period": period,
                "played": count,
                "scale": float(labels[episode]["scale"]),
                **({} if ceiling is None else {"ceiling": float(ceiling)}),
            }
            for period in config.periods or (_latest(count, config.length + config.after),)
            if count >= 1 and period <= count + 1
        ]
    if not points:
        raise UsageError(
            f"deviate.periods: {config.source} was played for {max(complete.values(), default=0)} periods, "
            "and one before the deviation is needed: name a period up to the next one."
        )
    names = tuple(str(name) for name in next(iter(labels.values()))["firms"])
    played = market.changed(firms=names).model_dump(mode="json", exclude_none=True)
    return config.changed(played=played, points=points)


def _complete_periods(run: Run, market: PricingConfig, episode: EpisodeRecord) -> int:
    """Return how many periods of an episode were played to their end."""
    sessions = {id(session): session for session, _, _ in periods_of(run, market, episode)}
    return max((session.period for session in sessions.values()), default=0)


def _latest(played: int, needed: int) -> int:
    """Return the last period that leaves as many as are needed on the path, or else half of it."""
    return played - needed + 1 if played > needed else max(1, played // 2 + 1)
