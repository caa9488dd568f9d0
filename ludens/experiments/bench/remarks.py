"""What limits the numbers of a benchmark, in sentences, for its page and the terminal."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ludens.agents.llm.logprobs import LOW_ANSWER_MASS
from ludens.experiments.report.answering import (
    low_mass_sentence,
    refusals_sentence,
    sampled_sentence,
)

if TYPE_CHECKING:
    from ludens.experiments.bench.metrics import Measures
    from ludens.experiments.bench.result import BenchResult


def remarks(result: BenchResult) -> list[str]:
    """Return a sentence on every model whose probability lay on other words, that was sampled where its
    log-probabilities were no answer, or that refused.
    """
    persona = result.manifest["config"].get("persona")
    return [sentence for each in result.measures for sentence in _remarks(each, persona)]


def _remarks(found: Measures, persona: str | None) -> Iterator[str]:
    mass = found.answer_mass.value
    if mass is not None and mass < LOW_ANSWER_MASS:
        yield low_mass_sentence(found.policy, mass)
    if found.mass.sampled:
        yield sampled_sentence(found.policy, found.mass)
    if found.refusals:
        yield refusals_sentence(found.policy, found.refusals, found.refused.n, persona)
