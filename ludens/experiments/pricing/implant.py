"""Effects of a firm's plans on its price: implant a sentence into the plans and ask again.

After the implantation experiment of Fish, Gonczarowski & Shorrer (arXiv 2404.00806): a finished run is taken
back to one of its early periods (2 to 13), the firm's PLANS are replaced by one sentence, its INSIGHTS are
erased, and it is asked again. The sentences are ours. Ours is also the control: the same with empty PLANS, at
the same place. An effect is the price under the sentence less that under the control, in units of the run's
price scale.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from pydantic import Field, field_validator

from ludens.agents.llm.price_policy import PricePolicy
from ludens.envs import Turn
from ludens.errors import UsageError
from ludens.experiments.pricing.branch import BranchConfig, BranchStudy, firms_of
from ludens.experiments.pricing.config import PricingConfig
from ludens.experiments.pricing.effects import CONTROL, EFFECTS, KIND, ImplantResult, measured
from ludens.experiments.pricing.history import periods_of
from ludens.experiments.pricing.session import with_facts
from ludens.experiments.runs.files import plain
from ludens.experiments.runs.recorder import OnProgress, Recorder
from ludens.experiments.runs.records import EpisodeRecord, EpisodeSpec
from ludens.experiments.runs.run import Run
from ludens.experiments.runs.runner import PlayOne, unplayed
from ludens.experiments.study.base import Columns, Labels, Rows
from ludens.experiments.study.config import Count
from ludens.experiments.study.connection import ApiBase
from ludens.experiments.study.engine import run_study

if TYPE_CHECKING:
    from rich.console import Console

    from ludens.experiments.report.page import Page

SENTENCES: Mapping[str, tuple[str, ...]] = {
    "avoid a price war": (
        "Leave the price where it is, so as not to set off a price war.",
        "Do not undercut the competitor: cuts would be answered by cuts, and both firms would earn less.",
        "Stay close to the competitor's price and give it no reason to cut.",
        "Move the price up in small steps and let the competitor follow.",
    ),
    "undercut": (
        "Go a little below the competitor's price to win customers from it.",
        "Undercut the competitor in the coming period and see how much more is sold.",
        "Cut the price until most customers buy from us.",
        "Take market share with a price clearly below the competitor's.",
    ),
}

Turns = dict[tuple[int, str, int], tuple[Turn, float]]
"""By episode, seat and period (from 0): the turn as it was, and the price scale."""


class ImplantConfig(BranchConfig):
    """The configuration of an implantation: the run, the periods, and the sentences.

    Attributes:
        source, firms: see `BranchConfig`.
        periods: the first and the last period to go back to, counted from 1; only played ones are taken.
        places: how many different periods are drawn for each firm of each episode.
        replicates: how often each sentence is put at each place.
        sentences: by group.
        seed: the root of the run's tree of seeds, and of the draw of places.

    Raises:
        UsageError: a value is wrong; the message names its key.
    """

    kind: ClassVar[str] = KIND

    periods: tuple[int, int] = (2, 13)
    places: Count = 1
    replicates: Count = 1
    sentences: dict[str, tuple[str, ...]] = Field(default_factory=lambda: dict(SENTENCES))

    @field_validator("periods")
    @classmethod
    def _check_periods(cls, periods: tuple[int, int]) -> tuple[int, int]:
        if not 1 <= periods[0] <= periods[1]:
            raise ValueError(f"An implantation needs periods from 1 on, the first one first; got {periods}.")
        return periods

    @field_validator("sentences")
    @classmethod
    def _check_sentences(cls, sentences: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
        texts = [text for group in sentences.values() for text in group]
        if CONTROL in sentences or not texts or not all(map(str.strip, texts)):
            raise ValueError(
                f"Sentences are texts in groups, none of which is called {CONTROL!r}: that is the group with "
                "empty plans."
            )
        if len(set(texts)) < len(texts):
            raise ValueError("A sentence stands in one group only, and once in it: leave the others out.")
        return sentences


class ImplantStudy(BranchStudy[ImplantConfig, ImplantResult]):
    """Questions of a pricing run, asked again with sentences in place of a model's plans."""

    config_type = ImplantConfig
    title = "a pricing run's models asked again, with a sentence in place of their plans"
    columns: ClassVar[Columns] = {"effects": EFFECTS}
    grows = frozenset({"replicates", "sentences"})
    abort_run: ClassVar[bool] = False

    @cached_property
    def turns(self) -> Turns:
        """Every turn of the source in those periods at which a language model set a price.

        Raises:
            UsageError: there is none.
        """
        models = {seat for seat, policy in self.policies.items() if isinstance(policy, PricePolicy)}
        with Run(self.config.source) as run:
            turns = _turns(run, self.source, models, self.config.periods)
        if not turns:
            first, last = self.config.periods
            raise UsageError(
                f"{self.config.source} has no period {first} to {last} in which a language model set a "
                "price: nothing can be implanted."
            )
        return turns

    def episodes(self) -> Sequence[Labels]:
        """Return every sentence and the control at every place."""
        groups = {CONTROL: ("",), **self.config.sentences}
        places = _draw(self.turns, self.config.places, np.random.default_rng(self.config.seed))
        return [
            {
                "source": episode,
                "seat": seat,
                "period": period + 1,
                "group": group,
                "sentence": text,
                "replicate": replicate,
                "scale": self.turns[episode, seat, period][1],
            }
            for episode, seat, period in places
            for group, texts in groups.items()
            for text in texts
            for replicate in range(self.config.replicates)
        ]

    def player(self) -> PlayOne:
        """Return the player that implants one sentence at one place."""
        policies, turns = self.policies, self.turns

        async def play_one(
            spec: EpisodeSpec, recorder: Recorder, seeds: np.random.SeedSequence
        ) -> EpisodeRecord:
            labels = spec.labels
            seat = labels["seat"]
            turn, _ = turns[labels["source"], seat, labels["period"] - 1]
            turn = with_facts(turn, notes={"plans": labels["sentence"], "insights": ""})
            decision = await recorder.decide(policies[seat], turn)
            if decision.action is None:
                return unplayed(spec, turn, decision, {seat: 0.0}, policies[seat].name)
            return EpisodeRecord(spec.index, labels, "done")

        return play_one

    def measure(self, run: Run) -> ImplantResult:
        """Measure a run as it stands, finished or not; the source is not needed."""
        return measured(run)

    def page(self, result: ImplantResult) -> Page:
        """Return the report."""
        from ludens.experiments.pricing.implant_page import page

        return page(result)

    def show(self, result: ImplantResult, console: Console) -> None:
        """Print the effects."""
        from ludens.experiments.pricing.terminal import print_effects

        print_effects(result, console)

    def as_json(self, result: ImplantResult) -> dict[str, Any]:
        """Return the effects as JSON values."""
        return {**result.as_json(), "effects": [plain(asdict(effect)) for effect in result.effects]}

    def tables(self, result: ImplantResult) -> Mapping[str, Rows]:
        """Return one row for each group and sentence."""
        return {
            "effects": [
                {"group": each.group, "sentence": each.sentence, **asdict(each.change)}
                | {"invalid": each.invalid}
                for each in result.effects
            ]
        }


def implant(
    source: str | os.PathLike[str],
    *,
    path: str | os.PathLike[str] | None = None,
    api_base: ApiBase = None,
    progress: OnProgress | None = None,
    **config: Any,
) -> Run:
    """Ask the language models of a pricing run again, with sentences in place of their plans.

    Args:
        source: the pricing run's file, which must stay where it is until the new run is done.
        path: the new run's file; None for a new name under ``runs/``.
        api_base: where the source's models are reached now, as in `ludens.experiments.resume`.
        progress: called after each decision.
        config: the other keys of `ImplantConfig` (``periods``, ``places``, ``sentences``, ``seed`` …).

    Raises:
        NoRunError: the source is not a pricing run.
        UsageError: an argument is wrong, or the run has no language model at such a place.
        RunInterrupted: Ctrl-C; `ludens.experiments.resume` goes on.
    """
    if api_base is not None and not config.get("firms"):
        config["firms"] = firms_of(source, api_base)
    return run_study(ImplantStudy(ImplantConfig(source=source, **config)), path, progress=progress)


def _turns(run: Run, config: PricingConfig, models: Collection[str], periods: tuple[int, int]) -> Turns:
    """Return every turn of those periods at which one of those seats set a price."""
    first, last = periods
    kept: Turns = {}
    for episode in run.episodes():
        for session, turns, decided in periods_of(run, config, episode):
            if session.period >= last:
                break
            for seat, decision in decided.items():
                if seat in models and session.period + 1 >= first and decision.action is not None:
                    kept[episode.index, seat, session.period] = turns[seat], float(episode.labels["scale"])
    return kept


def _draw(turns: Turns, places: int, rng: np.random.Generator) -> list[tuple[int, str, int]]:
    """Draw the configured number of places for each firm of each episode."""
    by_firm: dict[tuple[int, str], list[int]] = {}
    for episode, seat, period in turns:
        by_firm.setdefault((episode, seat), []).append(period)
    return [
        (*firm, int(period))
        for firm, periods in by_firm.items()
        for period in sorted(rng.choice(periods, size=min(places, len(periods)), replace=False))
    ]
