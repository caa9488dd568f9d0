"""Types: the mixture's derivatives, its maximum, its order, and what it says where types do not exist."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ludens.envs import PROTOCOLS, uniform_strategy
from ludens.errors import UsageError
from ludens.preferences.estimation import (
    BRUHIN_FEHR_SCHUNK,
    HOMO_MORALIS,
    fit,
    fit_types,
    questions,
    read_choices,
    select_types,
    simulate,
)
from ludens.preferences.estimation.mixture.criteria import criteria
from ludens.preferences.estimation.mixture.em import improve, sizes_of
from ludens.preferences.estimation.mixture.errors import problems
from ludens.preferences.estimation.mixture.likelihood import MixtureLikelihood
from ludens.preferences.estimation.mixture.results import Starts

DATA = Path(__file__).parents[3] / ".." / "shared" / "data"
SITUATIONS = [(PROTOCOLS[name], uniform_strategy(PROTOCOLS[name])) for name in PROTOCOLS]
PLANTED = np.array([[0.0, 0.0, 0.0, 6.0], [0.4, 0.3, 0.5, 6.0]])


@pytest.fixture(scope="module")
def planted():
    kinds = np.repeat([0, 1], [90, 60])
    drawn = simulate(
        questions(SITUATIONS, subjects=150), "moralis", PLANTED[kinds], np.random.default_rng(11)
    )
    return drawn, kinds


@pytest.fixture(scope="module")
def two(planted):
    return fit_types(planted[0], "moralis", 2, seed=3)


@pytest.mark.parametrize("seen", ["strategies", "nodes"])
def test_derivatives_are_those_of_the_level(seen):
    rng = np.random.default_rng(2)
    choices = simulate(questions(SITUATIONS[:8], subjects=9, seen=seen), "moralis", PLANTED[1], rng)
    weights = rng.integers(0, 3, size=(2, 9)).astype(float)
    function = MixtureLikelihood(HOMO_MORALIS, choices, HOMO_MORALIS.restrict({"beta": 0.1}), 3, weights)
    psi = np.array([0.1, 0.03, 0.04]) * (1 + 0.4 * rng.normal(size=(2, 3, 3)))
    omega = function.join(psi, rng.dirichlet([2, 2, 2], size=2))
    which = np.arange(2)
    value = function(omega, which)
    for place, size in enumerate(1e-4 * sizes_of(function)):
        step = np.zeros(function.size)
        step[place] = size
        above, below = function(omega + step, which), function(omega - step, which)
        slope, curvature = (
            (above.level - below.level) / 2 / size,
            (above.gradient - below.gradient) / 2 / size,
        )
        scale = np.abs(value.gradient).max()
        np.testing.assert_allclose(slope, value.gradient[:, place], rtol=1e-4, atol=1e-6 * scale)
        np.testing.assert_allclose(
            curvature, value.hessian[:, :, place], rtol=1e-4, atol=1e-5 * np.abs(value.hessian).max()
        )


def test_expectation_maximisation_never_lowers_the_likelihood(planted):
    function = MixtureLikelihood(HOMO_MORALIS, planted[0], HOMO_MORALIS.restrict({}), 3)
    rng = np.random.default_rng(5)
    psi = HOMO_MORALIS.starts(12, planted[0].attributes, rng).reshape(4, 3, 4)
    _, shares, path = improve(function, psi, np.full((4, 3), 1 / 3), 40)
    assert np.all(np.diff(path, axis=0) >= -1e-9)
    assert path[-1].min() > path[0].max()
    np.testing.assert_allclose(shares.sum(axis=1), 1)


def test_one_type_is_the_pooled_fit(planted):
    one, pooled = fit_types(planted[0], "moralis", 1), fit(planted[0], "moralis")
    assert one.log_likelihood == pytest.approx(pooled.log_likelihood, abs=1e-8)
    np.testing.assert_allclose(one.values[0], pooled.values, rtol=1e-6)
    for kind in ("hessian", "cluster"):
        np.testing.assert_allclose(one.standard_errors(kind)[0], pooled.standard_errors(kind), rtol=1e-5)
    assert one.criteria.bic == pytest.approx(pooled.bic)
    assert one.criteria.nec == 1


def test_planted_types_are_recovered(planted, two):
    errors = two.standard_errors("hessian")
    assert np.all(np.abs(two.values - PLANTED) < 4 * errors)
    assert abs(two.shares[0] - 0.6) < 4 * two.share_errors("hessian")[0]
    assert np.mean(two.assigned == planted[1]) > 0.9
    assert not two.warnings
    assert two.starts.reached >= 2


def test_membership_and_shares(two):
    np.testing.assert_allclose(two.membership.sum(axis=1), 1)
    # At the maximum a share is its type's mean membership.
    np.testing.assert_allclose(two.membership.mean(axis=0), two.shares, atol=1e-7)
    assert two.shares[0] >= two.shares[1]
    for kind in ("hessian", "cluster"):
        covariance = two.covariance(kind)
        np.testing.assert_allclose(covariance[8:, 8:].sum(axis=0), 0, atol=1e-12)


def test_workers_and_seeds_do_not_matter(planted, two):
    three = fit_types(planted[0], "moralis", 2, seed=3, workers=3)
    np.testing.assert_array_equal(three.values, two.values)
    np.testing.assert_array_equal(three.membership, two.membership)
    other = fit_types(planted[0], "moralis", 2, seed=4)
    assert other.log_likelihood == pytest.approx(two.log_likelihood, abs=1e-8)
    np.testing.assert_allclose(other.values, two.values, rtol=1e-5, atol=1e-7)


def test_the_bootstrap_keeps_labels_and_comes_near_the_other_errors(planted):
    mixture = fit_types(planted[0], "moralis", 2, seed=3, draws=100)
    assert mixture.draws.shape[1] == 2 * 4 + 2
    ratio = mixture.standard_errors("bootstrap") / mixture.standard_errors("cluster")
    assert np.all((ratio > 0.6) & (ratio < 1.6))
    assert np.all(mixture.draws[:, 8] > 0.4)  # the larger type stayed the larger one
    again = fit_types(planted[0], "moralis", 2, seed=3, draws=100)
    np.testing.assert_array_equal(again.draws, mixture.draws)


def test_held_parameters_have_no_error(planted):
    mixture = fit_types(planted[0], "moralis", 2, fix={"kappa": 0.25})
    assert np.all(mixture.values[:, 2] == 0.25)
    assert np.all(np.isnan(mixture.standard_errors()[:, 2]))
    assert mixture.free == 2 * 3 + 1


def test_criteria_side_by_side(planted):
    chosen = select_types(planted[0], "moralis", 3, starts=10)
    assert [row.types for row in chosen.criteria] == [1, 2, 3]
    assert chosen.suggested["bic"] == chosen.suggested["icl"] == chosen.suggested["nec"] == 2
    for row in chosen.criteria:
        assert row.icl == pytest.approx(row.bic + 2 * row.entropy)


def test_criteria_of_a_known_membership():
    half = np.full((10, 2), 0.5)
    row = criteria(half, free=3, log_likelihood=-100, pooled=-110, size=50)
    assert row.entropy == pytest.approx(10 * np.log(2))
    assert row.nec == pytest.approx(np.log(2))
    assert row.bic == pytest.approx(3 * np.log(50) + 200)
    assert row.bic_subjects == pytest.approx(3 * np.log(10) + 200)


def judged(choices, psi, shares, converged=True, levels=(-1.0, -1.0)):
    function = MixtureLikelihood(HOMO_MORALIS, choices, HOMO_MORALIS.restrict({}), len(shares))
    return problems(
        function,
        psi,
        shares,
        converged=converged,
        starts=Starts(2, 2, 1 if levels[0] > levels[1] else 2, levels),
    )


def test_degenerate_mixtures_are_told(planted):
    psi = HOMO_MORALIS.to_free(PLANTED)
    healthy = judged(planted[0], psi, np.array([0.6, 0.4]))
    assert not healthy.warnings
    empty = judged(planted[0], psi, np.array([0.999, 0.001]))
    assert [warning.kind for warning in empty.warnings] == ["empty"]
    assert empty.parameters[1].all()
    assert not empty.parameters[0].any()
    equal = judged(planted[0], psi[[0, 0]], np.array([0.5, 0.5]))
    assert [warning.kind for warning in equal.warnings] == ["equal"]
    assert equal.shares.all()
    assert equal.parameters.all()
    lost = judged(planted[0], psi, np.array([0.6, 0.4]), converged=False)
    assert lost.warnings[0].kind == "unconverged"
    alone = judged(planted[0], psi, np.array([0.6, 0.4]), levels=(-1.0, -2.0))
    assert [warning.kind for warning in alone.warnings] == ["one_start"]


def test_a_type_without_noise_is_told():
    """Twenty who never err beside forty who do: the first type's precision has no end."""
    kinds = np.repeat([0, 1], [40, 20])
    theta = np.array([[0.2, 0.1, 0.1, 8.0], [0.6, 0.6, 0.1, 1e-3]])
    choices = simulate(questions(SITUATIONS, subjects=60), "moralis", theta[kinds], np.random.default_rng(8))
    mixture = fit_types(choices, "moralis", 2)
    assert not mixture.types[0].warnings
    assert [warning.kind for warning in mixture.types[1].warnings] == ["separation"]
    assert np.isnan(mixture.values[1, 3])
    assert np.isnan(mixture.standard_errors("hessian")[1, 3])


def test_few_clusters_are_told():
    choices = simulate(questions(SITUATIONS, subjects=8), "moralis", PLANTED[1], np.random.default_rng(9))
    mixture = fit_types(choices, "moralis", 2, starts=4)
    assert "few_clusters" in [warning.kind for warning in mixture.warnings]
    assert np.all(np.isnan(mixture.standard_errors("cluster")))


@pytest.mark.parametrize(
    "wrong", [{"types": 0}, {"types": 151}, {"starts": 0}, {"workers": 0}, {"draws": -1}]
)
def test_wrong_settings_are_refused(planted, wrong):
    with pytest.raises(UsageError, match="Give"):
        fit_types(planted[0], "moralis", **wrong)


@pytest.mark.skipif(
    not DATA.exists(), reason="the replication data of Bruhin, Fehr & Schunk lie beside the project"
)
@pytest.mark.parametrize("seed", [0, 1])
def test_the_published_types_of_bruhin_fehr_and_schunk(seed):
    pandas = pytest.importorskip("pandas")
    frame = pandas.read_csv(DATA / "bfs2019_choices_exp1.csv")
    left_out = pandas.read_csv(DATA / "bfs2019_dropped_subjects.csv", header=None)[0]
    choices = read_choices(frame[~frame["sid"].isin(left_out)], BRUHIN_FEHR_SCHUNK)
    mixture = fit_types(choices, BRUHIN_FEHR_SCHUNK, 3, seed=seed)
    np.testing.assert_allclose(mixture.shares, [0.474, 0.405, 0.121], atol=6e-4)
    published = [
        [0.065, 0.130, -0.001, -0.027, 0.032],
        [0.159, 0.463, 0.151, -0.054, 0.018],
        [-0.435, -0.145, 0.171, -0.075, 0.008],
    ]
    np.testing.assert_allclose(mixture.values, published, atol=6e-4)
    assert mixture.log_likelihood == pytest.approx(-4202.708154, abs=1e-6)
    assert not mixture.warnings
