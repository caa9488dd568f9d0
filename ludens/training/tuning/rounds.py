"""Rounds: a tuned model answers new turns, and learns from those that it got wrong.

DAgger (Ross, Gordon & Bagnell, AISTATS 2011) with the oracle's regret as the sign of an error: in each round
the model answers turns that it has not seen, at temperature 1; turns whose answer has regret, or cannot be
read, are kept with the oracle's rationale, together with as many that it got right, so that it does not
unlearn them; and training goes on with these.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from ludens.agents.llm.prompts.tables import PROGRAMS
from ludens.agents.llm.reading.points import read_allocation, read_rating
from ludens.envs import Scale
from ludens.errors import UsageError
from ludens.training.data.dataset import DataSet
from ludens.training.data.example import Example
from ludens.training.data.values import read_example

FEWEST = 8
"""With fewer errors than this among the answers a round has nothing to teach."""


@dataclass(frozen=True)
class Round:
    """A model's answers in one round.

    Attributes:
        data: the examples to learn from; None where there were too few errors.
        asked, wrong, unreadable: the numbers of turns, of answers with regret, and of unreadable ones.
        regret: the mean regret of readable choices, as a share of the range of the turn's utilities.
    """

    data: DataSet | None
    asked: int
    wrong: int
    unreadable: int
    regret: float


def regret_of(example: Example, text: str) -> float | None:
    """Return the regret of a reply as a share of the turn's range of utilities (of points, where points are
    asked for); None if it cannot be read.
    """
    if example.asks not in ("rating", "allocation"):
        place = read_example(example, text)
        if place is None:
            return None
        worth = example.utilities
        if not worth:
            return float(example.options[place] not in example.optimal)
        spread = max(worth) - min(worth)
        return (max(worth) - worth[place]) / spread if spread else 0.0
    if example.asks == "rating":
        given = read_rating(text, Scale("rating", noun="program")).points
    else:
        scale = Scale("allocation", things=("stay", "swerve"), noun="program")
        shared = read_allocation(text, PROGRAMS, scale).points
        given = (shared[1 - example.order],) if shared else ()
    return abs(given[0] - int(example.answer)) / 100 if given else None


def next_round(model: str, pool: DataSet, *, seed: int = 0) -> Round:
    """Let a model answer the training examples of a pool, and return what it should learn from.

    Args:
        model: ``local/…``.
        pool: examples that it has not been trained on.
        seed: of the draws.

    Raises:
        UsageError: the pool has no examples.
        LocalModelError: the model is not on this machine, or cannot be loaded.
    """
    import torch

    from ludens.agents.local.hf import load
    from ludens.agents.local.resolve import resolve
    from ludens.training.tuning.agreement import replies

    if not pool.train:
        raise UsageError("A round needs examples that the model answers; build the pool with more.")
    loaded, tokenizer = load(resolve(model))
    state = torch.random.get_rng_state()
    torch.manual_seed(seed)
    try:
        said = replies(loaded, tokenizer, [example.to_row() for example in pool.train], sampled=True)
    finally:
        torch.random.set_rng_state(state)
    return sorted_out(pool, said)


def sorted_out(pool: DataSet, said: Sequence[str]) -> Round:
    """Return what a model should learn from its replies to the training examples of a pool."""
    found = [regret_of(example, text) for example, text in zip(pool.train, said, strict=True)]
    readable = [regret for regret in found if regret is not None]
    wrong = [
        example for example, regret in zip(pool.train, found, strict=True) if regret is None or regret > 1e-9
    ]
    right = [
        example
        for example, regret in zip(pool.train, found, strict=True)
        if regret is not None and regret <= 1e-9
    ]
    kept = [each for pair in zip(wrong, right, strict=False) for each in pair] + wrong[len(right) :]
    settings = {**pool.card.settings, "errors of the model": len(wrong)}
    data = DataSet.of(kept, pool.validation, pool.test, settings) if len(wrong) >= FEWEST else None
    return Round(
        data,
        len(found),
        len(wrong),
        found.count(None),
        sum(readable) / len(readable) if readable else float("nan"),
    )


def without(pool: DataSet, trained: DataSet, asked: Collection[str] = ()) -> DataSet:
    """Return a pool without the turns whose prompts were trained on, and without games, dilemmas and markets
    that are held out, or `asked` about otherwise, by their keys.
    """
    seen = {example.prompt[-1]["content"] for example in trained.train}
    held = {example.game for example in (*trained.validation, *trained.test)} | set(asked)
    kept = [
        example
        for example in pool.train
        if example.game not in held and example.prompt[-1]["content"] not in seen
    ]
    return DataSet.of(kept, trained.validation, trained.test, pool.card.settings)
