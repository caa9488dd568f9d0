"""Put a sentence into a firm's plans and ask again: what do its plans do to its price?

After the implantation experiment of Fish, Gonczarowski & Shorrer (arXiv 2404.00806): a finished run is taken
back to one of its early periods (2 to 13), the firm's PLANS are replaced by one sentence, its INSIGHTS are
erased, and it is asked again. The sentences are ours. Ours is also the control: the same with empty PLANS, at
the same place. An effect is the price under the sentence less that under the control, in units of the run's
price scale.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ludens.agents.llm.price_policy import PricePolicy
from ludens.agents.policy import Decision, Policy
from ludens.envs import Turn
from ludens.errors import UsageError
from ludens.experiments.measures.intervals import Estimate, cluster_mean, missing
from ludens.experiments.pricing.history import periods_of
from ludens.experiments.pricing.setup import Firm, PricingSetup, check_kind, stored_setup, with_facts
from ludens.experiments.runs.blocking import run_blocking
from ludens.experiments.runs.database import NoRunError
from ludens.experiments.runs.recorder import OnProgress, Recorder
from ludens.experiments.runs.records import EpisodeRecord, EpisodeSpec
from ludens.experiments.runs.run import Run
from ludens.experiments.runs.runner import check_concurrency, run_episodes, unplayed
from ludens.experiments.runs.seeds import check_seed
from ludens.experiments.runs.store import Store, create_run

KIND = "implant"
CONTROL = "control"
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


@dataclass(frozen=True)
class Effect:
    """What implanted sentences did to prices, in units of the price scale.

    Attributes:
        group: of sentences; `sentence` is one of them, None for all of the group.
        change: the mean price change against the control at the same place, with an interval over the source
            run's episodes.
        invalid: places at which the sentence or its control gave no price.
    """

    group: str
    sentence: str | None
    change: Estimate
    invalid: int


def implant(
    source: str | os.PathLike[str],
    *,
    periods: tuple[int, int] = (2, 13),
    places: int = 1,
    replicates: int = 1,
    sentences: Mapping[str, Sequence[str]] = SENTENCES,
    firms: Sequence[Firm] | None = None,
    seed: int = 0,
    path: str | os.PathLike[str] | None = None,
    concurrency: int = 8,
    progress: OnProgress | None = None,
) -> Run:
    """Ask the language models of a pricing run again, with sentences in place of their plans.

    Args:
        source: the pricing run's file, which must stay where it is until the new run is done.
        periods: the first and the last period to go back to, counted from 1; only played ones are taken.
        places: how many different periods are drawn for each firm of each episode.
        replicates: how often each sentence is put at each place.
        sentences: by group.
        firms: in place of the run's own, where these were Python objects.
        seed: the root of the new run's tree of seeds, and of the draw of places.
        path: the new run's file; None for a new name under ``runs/``.
        concurrency: how many questions are asked at once.
        progress: called after each decision.

    Raises:
        NoRunError: the source is no pricing run.
        UsageError: an argument is wrong, or the run has no language model at such a place.
        RunInterrupted: Ctrl-C; go on with `resume_implant`.
    """
    check_concurrency(concurrency)
    first, last = periods
    if not 1 <= first <= last or places < 1 or replicates < 1:
        raise UsageError(
            "An implantation needs periods from 1 on, at least one place and at least one replicate; got "
            f"periods={periods}, places={places}, replicates={replicates}."
        )
    groups = {CONTROL: ("",), **{group: tuple(texts) for group, texts in sentences.items()}}
    config = {
        "source": str(Path(source).resolve()),
        "periods": [first, last],
        "places": places,
        "replicates": replicates,
        "sentences": {group: list(texts) for group, texts in sentences.items()},
        "concurrency": concurrency,
    }
    with Run(source) as run:
        setup = stored_setup(check_kind(run), source, firms)
        turns = _turns(run, setup, periods)
    drawn = _draw(turns, places, np.random.default_rng(check_seed(seed)))
    if not drawn:
        raise UsageError(
            f"{source} has no period {first} to {last} in which a language model set a price: nothing can be "
            "implanted."
        )
    labels = [
        {"source": episode, "seat": seat, "period": period + 1, "group": group, "sentence": text}
        | {"replicate": replicate, "scale": turns[episode, seat, period][1]}
        for episode, seat, period in drawn
        for group, texts in groups.items()
        for text in texts
        for replicate in range(replicates)
    ]
    specs = [EpisodeSpec(index, each) for index, each in enumerate(labels)]
    store = create_run(path, KIND, config, specs, seed)
    run_blocking(
        store, _job(store, specs, setup=setup, turns=turns, concurrency=concurrency, progress=progress)
    )
    return Run(store.path)


def resume_implant(
    path: str | os.PathLike[str],
    *,
    firms: Sequence[Firm] | None = None,
    concurrency: int | None = None,
    progress: OnProgress | None = None,
) -> Run:
    """Go on with an implantation that broke off; nothing that was answered is asked again.

    Raises:
        NoRunError: the file is no implantation, or the run that it was made from is gone.
    """
    with Run(path) as run:
        manifest = check_kind(run, KIND)
    if manifest["status"] == "done":
        return Run(path)
    config = manifest["config"]
    with Run(config["source"]) as source:
        setup = stored_setup(check_kind(source), source.path, firms)
        turns = _turns(source, setup, tuple(config["periods"]))
    store = Store(path)
    specs = [EpisodeSpec(record.index, record.labels) for record in store.episodes()]
    at_once = config["concurrency"] if concurrency is None else concurrency
    check_concurrency(at_once)
    run_blocking(store, _job(store, specs, setup=setup, turns=turns, concurrency=at_once, progress=progress))
    return Run(path)


def effects(run: Run, *, seed: int = 0) -> list[Effect]:
    """What the sentences did, each group first and then its sentences.

    A change is the mean price over replicates under the sentence, less that under the control at the same
    place; places where either gave no price are left out and counted.

    Raises:
        NoRunError: the run is no implantation.
    """
    check_kind(run, KIND)
    prices: dict[tuple[Any, ...], dict[str, list[float]]] = {}
    group_of: dict[str, str] = {}
    decided = {record.episode: record.decision for record in run.decisions()}
    for episode in run.episodes():
        labels = episode.labels
        place = (labels["source"], labels["seat"], labels["period"])
        group_of[labels["sentence"]] = labels["group"]
        found = prices.setdefault(place, {}).setdefault(labels["sentence"], [])
        decision = decided.get(episode.index)
        if isinstance(decision, Decision) and decision.action is not None:
            found.append(float(decision.action) / labels["scale"])
    rng = np.random.default_rng(seed)
    groups = [group for group in dict.fromkeys(group_of.values()) if group != CONTROL]
    result = []
    for group in groups:
        texts = [text for text, of in group_of.items() if of == group]
        result.append(_effect(group, texts, prices, rng))
        result += [_effect(group, [text], prices, rng, text) for text in texts]
    return result


def _effect(
    group: str,
    texts: Sequence[str],
    prices: Mapping[tuple[Any, ...], Mapping[str, Sequence[float]]],
    rng: np.random.Generator,
    sentence: str | None = None,
) -> Effect:
    changes, clusters, invalid = [], [], 0
    for place, by_text in prices.items():
        for text in texts:
            if by_text.get(text) and by_text.get(""):
                changes.append(float(np.mean(by_text[text]) - np.mean(by_text[""])))
                clusters.append(place[0])
            else:
                invalid += 1
    change = cluster_mean(changes, clusters, rng) if changes else missing("no price was read at any place")
    return Effect(group, sentence, change, invalid)


Turns = dict[tuple[int, str, int], tuple[Turn, float]]
"""By episode, seat and period (from 0): the turn as it was, and the price scale."""


def _turns(run: Run, setup: PricingSetup, periods: Sequence[int]) -> Turns:
    """Every turn of those periods at which a language model set a price."""
    first, last = periods
    models = {
        seat for seat, firm in zip(setup.seats, setup.firms, strict=True) if isinstance(firm, PricePolicy)
    }
    found: Turns = {}
    for episode in run.episodes():
        for table, turns, decided in periods_of(run, setup, episode):
            if table.period >= last:
                break
            for seat, decision in decided.items():
                if seat in models and table.period + 1 >= first and decision.action is not None:
                    found[episode.index, seat, table.period] = turns[seat], float(episode.labels["scale"])
    return found


def _draw(turns: Turns, places: int, rng: np.random.Generator) -> list[tuple[int, str, int]]:
    """Places among those there are, as many as asked for of each firm of each episode."""
    by_firm: dict[tuple[int, str], list[int]] = {}
    for episode, seat, period in turns:
        by_firm.setdefault((episode, seat), []).append(period)
    return [
        (*firm, int(period))
        for firm, found in by_firm.items()
        for period in sorted(rng.choice(found, size=min(places, len(found)), replace=False))
    ]


async def _job(
    store: Store,
    specs: Sequence[EpisodeSpec],
    *,
    setup: PricingSetup,
    turns: Turns,
    concurrency: int,
    progress: OnProgress | None,
) -> None:
    policies: dict[str, Policy] = dict(zip(setup.seats, setup.firms, strict=True))

    async def ask(spec: EpisodeSpec, recorder: Recorder, seeds: np.random.SeedSequence) -> EpisodeRecord:
        labels = spec.labels
        seat = labels["seat"]
        place = labels["source"], seat, labels["period"] - 1
        if place not in turns:
            raise NoRunError(
                f"The run that {store.path} was made from no longer has period {labels['period']} of {seat} "
                f"in episode {labels['source']}: start anew."
            )
        turn = with_facts(turns[place][0], notes={"plans": labels["sentence"], "insights": ""})
        decision = await recorder.decide(policies[seat], turn)
        if decision.action is None:
            return unplayed(spec, turn, decision, {seat: 0.0}, policies[seat].name)
        return EpisodeRecord(spec.index, spec.labels, "done")

    await run_episodes(store, specs, ask, concurrency=concurrency, progress=progress, abort_run=False)
