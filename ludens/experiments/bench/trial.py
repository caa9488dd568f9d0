"""Which questions of a benchmark are asked first, and what to warn of when they have been answered.

A persona may make a model refuse. A tenth of the questions shows it before the rest is paid for.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import zip_longest
from zlib import crc32

import numpy as np

from ludens.experiments.measures.refusals import MANY_REFUSALS, refusals
from ludens.experiments.report.answering import refusals_sentence
from ludens.experiments.runs.records import DecisionRecord, EpisodeSpec

TRIED = 0.1
"""The share of each model's questions that is asked first."""

LEAST_TRIED = 8
"""The fewest questions to a model that are asked first, if it has as many: fewer say little about a share."""


def tried_first(specs: Sequence[EpisodeSpec], seed: int) -> frozenset[int]:
    """Return the numbers of the questions that are asked first.

    Of each policy they are a tenth, drawn at random and spread evenly over the protocols. Where a tenth is
    less than `LEAST_TRIED`, they are the first of its questions in the order of the run.

    Args:
        specs: the questions.
        seed: of the draw.
    """
    chosen: set[int] = set()
    for policy in dict.fromkeys(str(spec.labels["policy"]) for spec in specs):
        own = [spec for spec in specs if spec.labels["policy"] == policy]
        if round(TRIED * len(own)) < LEAST_TRIED:
            chosen.update(spec.index for spec in own[:LEAST_TRIED])
            continue
        rng = np.random.default_rng([seed, crc32(policy.encode("utf-8", "surrogatepass"))])
        by_protocol: dict[str, list[int]] = {}
        for place in rng.permutation(len(own)):
            by_protocol.setdefault(str(own[place].labels["protocol"]), []).append(own[place].index)
        rounds = zip_longest(*by_protocol.values())
        in_turn = [number for one_each in rounds for number in one_each if number is not None]
        chosen.update(in_turn[: round(TRIED * len(own))])
    return frozenset(chosen)


def refusing(decisions: Sequence[DecisionRecord], persona: str | None) -> Iterator[str]:
    """Yield a sentence on every policy that has refused more than a share of `MANY_REFUSALS` of its first
    questions.
    """
    choices = [record for record in decisions if record.question == "choice"]
    for policy in dict.fromkeys(str(record.labels["policy"]) for record in choices):
        own = [record for record in choices if record.labels["policy"] == policy]
        found = refusals(own)
        if sum(each.count for each in found) > MANY_REFUSALS * len(own):
            said = refusals_sentence(policy, found, len(own), persona, first=True)
            yield f"{said.rstrip('.')}; the run goes on, and Ctrl-C ends it with all answers kept."
