"""Tests of hypotheses and differences between fits: statsmodels' numbers, known sizes, planted values."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest
from scipy import stats

from ludens.errors import UsageError
from ludens.preferences.estimation import (
    HOMO_MORALIS,
    compare,
    equality,
    fit,
    likelihood_ratio,
    wald,
)
from ludens.preferences.estimation.fitting.hypotheses import _wald
from ludens.preferences.estimation.fitting.results import two_sided
from tests.preferences.estimation.samples import ALL, allocations, drawn, games, moral

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # what statsmodels imports warns on its own account
    from statsmodels.discrete.discrete_model import Logit

TRUTH = (0.1, 0.2, 0.3, 8.0)


@pytest.fixture(scope="module")
def choices():
    return moral(ALL, TRUTH, 60, 5)


def test_a_single_parameter_has_the_p_value_of_its_row(choices):
    found = fit(choices)
    for kind in ("cluster", "hessian"):
        row = found.table(kind)[2]
        test = wald(found, {"kappa": 0}, kind)
        assert test.p == pytest.approx(row.p)
        assert test.statistic == pytest.approx(row.z**2)
    assert (wald(found, {"kappa": 0}).freedom, wald(found, {"kappa": 0}, "hessian").freedom) == (59, math.inf)


def test_joint_tests_are_those_of_statsmodels():
    """Tests of α = … = δ = 0 do not depend on whether weights or coefficients are tested at 0, once they are
    in units of σ.
    """
    sample = allocations((0.0, 0.0, 0.0, 0.0, 0.01))
    gaps = sample.attributes[:, 0] - sample.attributes[:, 1]
    counts = sample.counts.toarray().reshape(-1, len(gaps), 2)
    answers = np.concatenate([np.repeat([1, 0], row.astype(int)) for row in counts.sum(axis=0)])
    rows = np.repeat(np.arange(len(gaps)), counts.sum(axis=(0, 2)).astype(int))
    peer = Logit(answers, gaps[rows]).fit(disp=0)
    lone = Logit(answers, gaps[rows][:, :1]).fit(disp=0)
    general = fit(sample, "bfs")
    names = ("alpha", "beta", "gamma", "delta")
    ratio = likelihood_ratio(fit(sample, "bfs", fix=dict.fromkeys(names, 0)), general)
    assert ratio.statistic == pytest.approx(2 * (peer.llf - lone.llf), rel=1e-6)
    assert ratio.p == pytest.approx(stats.chi2.sf(ratio.statistic, 4))
    theirs = peer.wald_test(np.eye(5)[1:], scalar=True, use_f=False)
    ours = wald(general, dict.fromkeys(names, 0), "hessian")
    assert ours.restrictions == 4
    # The hypothesis is the same; the delta method is not exactly.
    assert ours.statistic == pytest.approx(theirs.statistic, rel=0.05)


def test_tests_reject_as_often_as_they_say():
    """60 samples under the hypothesis: about 5 % rejected, and p uniform."""
    design, found = games(ALL), []
    for seed in range(60):
        sample = drawn(design, HOMO_MORALIS, (0.0, 0.2, 0.3, 8), 40, seed)
        general = fit(sample)
        found.append(
            (
                wald(general, {"alpha": 0, "beta": 0.2}).p,
                likelihood_ratio(fit(sample, fix={"alpha": 0}), general).p,
            )
        )
    for values in np.array(found).T:
        assert stats.kstest(values, "uniform").pvalue > 0.01


def test_differences_of_two_samples(choices):
    other = moral(ALL, (0.1, 0.2, 0.6, 8), 60, 6)
    first, second = fit(choices), fit(other)
    found = {row.name: row for row in compare(first, second)}
    kappa = found["kappa"]
    assert kappa.estimate == pytest.approx(first.values[2] - second.values[2])
    assert kappa.low < -0.3 < kappa.high < 0
    assert kappa.p < 0.05
    errors = np.hypot(first.standard_errors(), second.standard_errors())
    assert kappa.se == pytest.approx(errors[2])
    # Equal numbers of clusters and nearly equal errors: twice the degrees of freedom, nearly.
    assert kappa.high - kappa.estimate == pytest.approx(stats.t.ppf(0.975, 2 * 59) * kappa.se, rel=2e-3)
    assert found["alpha"].low < 0 < found["alpha"].high
    assert equality(first, second).p < 0.05
    again = fit(moral(ALL, TRUTH, 60, 7))
    assert equality(first, again).p > 0.05
    held = compare(first, fit(other, fix={"kappa": 0.6}))[2]
    assert held.se == pytest.approx(first.standard_errors()[2])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda one, held: wald(one, {}), "one parameter at least"),
        (lambda one, held: wald(one, {"rho": 0}), "no parameter 'rho'"),
        (lambda one, held: wald(held, {"kappa": 0}), "no 'cluster' error of kappa"),
        (likelihood_ratio, "restricted fit first"),
        (lambda one, held: likelihood_ratio(one, one), "restricted fit first"),
        (lambda one, held: compare(one, held, level=95), "level"),
    ],
)
def test_wrong_questions_are_refused(choices, call, message):
    with pytest.raises(UsageError, match=message):
        call(fit(choices), fit(choices, fix={"kappa": 0}))


def test_joint_tests_of_bias_reduced_errors_are_hotellings():
    """The nominal size, drawn: a normal Rθ̂ and, independently, a Wishart V of ν degrees of freedom."""
    rng = np.random.default_rng(0)
    restrictions, freedom, rejected = 3, 8, 0
    for _ in range(4000):
        gap = rng.normal(size=restrictions)
        drawn = rng.normal(size=(freedom, restrictions))
        test = _wald(gap, drawn.T @ drawn / freedom, float(freedom), "cr2")
        rejected += test.p < 0.05
    assert 0.04 < rejected / 4000 < 0.06
    assert (test.restrictions, test.freedom) == (3, 6)
    with pytest.raises(UsageError, match=r"2\.5 degrees of freedom do not allow a test of 4 parameters"):
        _wald(np.ones(4), np.eye(4), 2.5, "cr2")
    alone = _wald(np.array([2.0]), np.eye(1), 7.5, "cr2")
    assert alone.p == pytest.approx(two_sided(2.0, 7.5))


def test_a_difference_from_a_value_that_is_held_has_the_degrees_of_freedom_of_the_other_fit(choices):
    held, free = fit(choices, fix={"kappa": 0.3}), fit(choices)
    gap = next(each for each in compare(held, free, kind="cr2") if each.name == "kappa")
    reach = stats.t.ppf(0.975, free.freedom("cr2", "kappa")) * gap.se
    assert gap.high - gap.estimate == pytest.approx(reach)
