"""Profile likelihoods: known weights lie in their intervals, and choices without noise keep honest ones."""

from __future__ import annotations

import numpy as np
import pytest

from ludens.agents.registry import make_policy
from ludens.errors import UsageError
from ludens.experiments.estimates import bench_answers, profile, reveal
from tests.experiments.synthetic import answers, worded

ALONE = {"alpha": 0.0, "beta": 0.0}


def of(spec):
    (found,) = bench_answers(answers(make_policy(spec), spec))
    return found


@pytest.mark.parametrize("kappa", [0.25, 0.5, 0.75])
def test_choices_without_noise_have_a_range_that_holds_the_truth(kappa):
    asked = of(f"homo_moralis:{kappa}")
    assert reveal(asked).parameters["kappa"].value is None
    found = profile(asked, fix=ALONE)
    assert found.separated
    assert found.estimate.low < kappa < found.estimate.high
    assert "free of noise" in found.estimate.note


def test_homo_moralis_lies_above_homo_economicus_with_disjoint_intervals():
    moralis, economicus = (profile(of(spec), fix=ALONE) for spec in ("homo_moralis:0.5", "homo_economicus"))
    assert moralis.above(economicus)
    assert not economicus.above(moralis)
    assert economicus.estimate.low < 0 < economicus.estimate.high < 0.1


def test_with_noise_the_value_is_the_maximum_of_the_likelihood():
    asked = of("quantal:kappa=0.5,noise=8")
    found = profile(asked, fix=ALONE)
    assert found.estimate.value == pytest.approx(0.5, abs=0.01)
    assert found.estimate.value == pytest.approx(reveal(asked, fix=ALONE).parameters["kappa"].value, abs=0.01)
    assert min(found.drop) >= 0


def test_freeing_the_other_weights_never_narrows_the_interval():
    asked = of("homo_moralis:0.25")
    alone, free = profile(asked, fix=ALONE).estimate, profile(asked).estimate
    assert free.low <= alone.low
    assert free.high >= alone.high


def test_asking_twice_tells_no_more_than_asking_once():
    rng = np.random.default_rng(5)

    def rule(turn, framing, order):
        return int(rng.random() < 0.3)

    (twice,) = bench_answers(worded(rule, framings=("neutral",), replicates=3))
    per_question = sum(entry.weight for entry in twice.seen) / 42
    assert profile(twice, fix=ALONE, per_question=per_question).estimate.n == 42


def test_chance_tells_nothing():
    found = profile(of("random"))
    assert found.estimate.value is None
    assert found.open_low
    assert found.open_high
    assert "chance" in found.estimate.note


def test_no_answer_and_no_such_weight():
    (silent,) = bench_answers(worded(lambda turn, framing, order: None))
    assert profile(silent).estimate.value is None
    with pytest.raises(UsageError, match="free weight"):
        profile(of("random"), "noise")
    with pytest.raises(UsageError, match="free weight"):
        profile(of("random"), fix={"kappa": 0.0})
