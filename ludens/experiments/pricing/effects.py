"""The effects of implanted sentences on prices, measured on a run of `ludens.experiments.pricing.implant`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ludens.agents.policy import Decision
from ludens.experiments.measures.intervals import ESTIMATE_COLUMNS, Estimate, cluster_mean, missing
from ludens.experiments.report.result import RunResult
from ludens.experiments.runs.columns import Column
from ludens.experiments.runs.records import DecisionRecord
from ludens.experiments.runs.run import Run

KIND = "implant"
CONTROL = "control"


EFFECTS = (
    Column("group", "text", "the group of sentences; the control has its own"),
    Column("sentence", "text", "the sentence that was implanted"),
    *ESTIMATE_COLUMNS,
    Column("invalid", "integer", "answers that could not be read"),
)


@dataclass(frozen=True)
class Effect:
    """Effects of implanted sentences on prices, in units of the price scale.

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


@dataclass(frozen=True, kw_only=True, repr=False)
class ImplantResult(RunResult):
    """The measures of an implantation.

    Attributes:
        effects: each group first and then its sentences.
    """

    effects: tuple[Effect, ...]


def measured(run: Run) -> ImplantResult:
    """Measure an implantation as it stands on disk, finished or not, without asking anything.

    Raises:
        NoRunError: the run is not an implantation.
    """
    seed = run.manifest_of(KIND)["seed"]
    return ImplantResult.of(run, run.decisions(), effects=tuple(effects(run, seed=seed)))


def effects(run: Run, *, seed: int = 0) -> list[Effect]:
    """Return the effects of sentences, each group followed by its sentences.

    A change is the mean price over replicates under the sentence, less that under the control at the same
    place; places where either gave no price are left out and counted.

    Args:
        run: an implantation, finished or not.
        seed: of the intervals.

    Raises:
        NoRunError: the run is not an implantation.
    """
    run.manifest_of(KIND)
    prices: dict[tuple[Any, ...], dict[str, list[float]]] = {}
    group_of: dict[str, str] = {}
    decided = {record.episode: record for record in run.decisions()}
    for episode in run.episodes():
        labels = episode.labels
        place = (labels["source"], labels["seat"], labels["period"])
        group_of[labels["sentence"]] = labels["group"]
        known = prices.setdefault(place, {}).setdefault(labels["sentence"], [])
        price = _price(decided.get(episode.index))
        if price is not None:
            known.append(price / labels["scale"])
    rng = np.random.default_rng(seed)
    groups = [group for group in dict.fromkeys(group_of.values()) if group != CONTROL]
    result = []
    for group in groups:
        texts = [text for text, of in group_of.items() if of == group]
        result.append(_effect(group, texts, prices, rng))
        result += [_effect(group, [text], prices, rng, text) for text in texts]
    return result


def _price(record: DecisionRecord | None) -> float | None:
    """Return the price that was set; None where there is none."""
    if record is None or not isinstance(record.decision, Decision) or record.decision.action is None:
        return None
    # On a price grid the action is the number of a point, and the option's name is its price.
    action = record.decision.action
    return float(record.options[action]) if record.options and isinstance(action, int) else float(action)


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
