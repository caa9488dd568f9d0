"""Intervals: known answers, agreement with an independent implementation, and what they do at the edges."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from ludens.errors import UsageError
from ludens.experiments.measures.intervals import cluster_mean, cluster_slopes, paired, welch, wilson


def generator(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.mark.parametrize(
    ("successes", "n", "low", "high"),
    # Newcombe 1998 (Statistics in Medicine 17), table I, method 3
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilson_gives_the_published_examples(successes, n, low, high):
    found = wilson(successes, n)
    assert (found.low, found.high) == (pytest.approx(low, abs=5e-5), pytest.approx(high, abs=5e-5))


@given(st.integers(1, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_agrees_with_scipy(case):
    from scipy.stats import binomtest

    successes, n = case
    found, theirs = wilson(successes, n), binomtest(successes, n).proportion_ci(method="wilson")
    assert found.low == pytest.approx(theirs.low, abs=1e-12)
    assert found.high == pytest.approx(theirs.high, abs=1e-12)
    assert found.low <= found.value <= found.high


def test_wilson_of_nothing_is_missing_and_of_too_much_an_error():
    assert wilson(0, 0).value is None
    with pytest.raises(UsageError, match="3 of 2"):
        wilson(3, 2)


def test_the_mean_weighs_observations_and_resamples_clusters():
    values, clusters = [0, 0, 0, 1], ["a", "a", "a", "b"]
    found = cluster_mean(values, clusters, generator())
    assert found.value == 0.25
    # two clusters: a resample is aa, ab, ba or bb, so the extremes have probability 1/4 each
    assert (found.low, found.high) == (0.0, 1.0)
    assert (found.n, found.clusters) == (4, 2)


def test_the_bootstrap_has_the_spread_of_the_cluster_means():
    rng = generator(1)
    effects = rng.normal(size=60)
    values = np.repeat(effects, 5)  # five copies of each are no more evidence than one
    found = cluster_mean(values, np.repeat(np.arange(60), 5).tolist(), generator(2))
    half = (found.high - found.low) / 2
    assert half == pytest.approx(1.96 * effects.std(ddof=1) / np.sqrt(60), rel=0.1)


def test_the_interval_covers_the_truth_about_as_often_as_it_says():
    rng, hits = generator(3), 0
    for _ in range(200):
        effects = rng.normal(0.3, 1, size=30)
        values = (effects[:, None] + rng.normal(0, 0.5, (30, 4))).ravel()
        found = cluster_mean(values, np.repeat(np.arange(30), 4).tolist(), rng, draws=400)
        hits += found.low <= 0.3 <= found.high
    assert 0.88 <= hits / 200 <= 0.99


def test_same_seed_same_interval():
    values, clusters = generator(4).random(40), [k % 10 for k in range(40)]
    assert cluster_mean(values, clusters, generator(5)) == cluster_mean(values, clusters, generator(5))
    assert cluster_mean(values, clusters, generator(5)) != cluster_mean(values, clusters, generator(6))


def test_one_cluster_has_a_mean_and_no_interval():
    found = cluster_mean([0.2, 0.4], ["a", "a"], generator())
    assert found.value == pytest.approx(0.3)
    assert found.low is None
    assert "one cluster" in found.note


def test_nothing_measured_is_missing():
    assert cluster_mean([], [], generator()).value is None


def test_slopes_are_least_squares():
    rng = generator(7)
    x = np.column_stack([np.ones(24), rng.normal(size=(24, 2))])
    y = x @ [0.5, -0.2, 0.1] + rng.normal(0, 0.05, 24)
    expected = np.linalg.lstsq(x, y, rcond=None)[0]
    found = cluster_slopes(y, x, list(range(24)), generator())
    assert [slope.value for slope in found] == pytest.approx(expected.tolist())
    assert all(slope.low < slope.value < slope.high for slope in found)


def test_exact_lines_have_intervals_of_no_width():
    x = np.column_stack([np.ones(12), np.arange(12.0)])
    _, slope = cluster_slopes(x @ [0.1, 0.05], x, list(range(12)), generator())
    assert (slope.value, slope.low, slope.high) == (pytest.approx(0.05),) * 3


def test_collinear_regressors_are_said_to_be_not_identified():
    x = np.column_stack([np.ones(6), np.arange(6.0), np.arange(6.0) - 40])
    found = cluster_slopes(np.arange(6.0), x, list(range(6)), generator())
    assert [slope.value for slope in found] == [None] * 3
    assert "not identified" in found[1].note


def test_values_without_a_cluster_are_an_error():
    with pytest.raises(UsageError, match="one cluster for each value"):
        cluster_mean([1.0, 2.0], ["a"], generator())


@pytest.mark.parametrize("sizes", [(2, 2), (5, 30), (40, 3)])
def test_differences_of_means_have_scipy_s_intervals(sizes):
    rng = np.random.default_rng(sum(sizes))
    first, second = rng.normal(0, 1, sizes[0]), rng.normal(0.5, 3, sizes[1])
    expected = stats.ttest_ind(second, first, equal_var=False).confidence_interval()
    found = welch(first, second)
    assert found.value == pytest.approx(second.mean() - first.mean())
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))
    assert (found.n, found.method) == (sum(sizes), "Welch's t")
    pairs = first + rng.normal(0.2, 0.1, sizes[0])
    expected = stats.ttest_rel(pairs, first).confidence_interval()
    found = paired(first, pairs)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))
    assert found.method == "paired t"


def test_differences_without_variation_or_with_one_value_have_no_interval():
    for found in (welch([1.0, 1.0], [2.0, 2.0]), paired([1.0, 2.0], [2.0, 3.0])):
        assert (found.value, found.low, found.high) == (1.0, None, None)
        assert "do not vary" in found.note
    assert "one value" in welch([1.0], [2.0, 3.0]).note
    assert "one value" in paired([1.0], [2.0]).note
    assert welch([], [1.0]).value is None
    assert paired([], []).value is None
    with pytest.raises(UsageError, match="as many values on both sides"):
        paired([1.0], [1.0, 2.0])
