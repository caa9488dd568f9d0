"""Pooled and individual fits: known answers, other ways to the same optimum, what must not matter."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy import optimize

from ludens.errors import UsageError
from ludens.preferences.estimation import (
    BRUHIN_FEHR_SCHUNK,
    HOMO_MORALIS,
    Choices,
    fit,
    fit_individuals,
    fit_types,
)
from tests.preferences.estimation.samples import (
    ALL,
    FAMILIES,
    allocations,
    drawn,
    empty,
    filled,
    games,
    moral,
    probabilities,
    published,
)

SOCIAL = (0.1, 0.3, 0.1, -0.05, 0.01)
MORAL = (0.1, 0.2, 0.3, 8)


def negative_level(point, choices):
    """−ℓ of (α, β, κ, log λ) with loops in plain numpy, without anything of the estimator's."""
    alpha, beta, kappa, log_noise = point
    own, behind, ahead, moved = np.moveaxis(choices.attributes, -1, 0)
    utility = (own + alpha * behind + beta * ahead + kappa * moved) / np.exp(log_noise)
    total = 0.0
    for row, here, seen in zip(utility, choices.available, choices.total, strict=True):
        total -= float(seen[here] @ (row[here] - np.logaddexp.reduce(row[here])))
    return total


@pytest.fixture(scope="module")
def everything():
    return moral(ALL, MORAL, 100, 3)


def test_published_estimates_of_bruhin_fehr_and_schunk():
    choices = published()
    assert len(choices.subjects) == 160
    assert choices.size == 160 * 117
    found = fit(choices, "bfs")
    assert found.log_likelihood == pytest.approx(-5472.314, abs=5e-4)
    np.testing.assert_allclose(found.values, [0.0835, 0.2605, 0.0717, -0.0417, 0.0156], atol=5.1e-5)
    # The paper prints three decimals: .015 .019 .014 .011, and .001 for σ.
    np.testing.assert_allclose(np.round(found.standard_errors(), 3), [0.015, 0.019, 0.014, 0.011, 0.001])
    np.testing.assert_allclose(found.standard_errors(), [0.0148, 0.0187, 0.0135, 0.0113, 0.0007], atol=1.1e-4)
    assert found.warnings == ()
    assert found.converged


def test_a_plain_script_finds_the_same(everything):
    answer = optimize.minimize(
        negative_level, [0, 0, 0, 2], args=(everything,), method="BFGS", options={"gtol": 1e-5}
    )
    found = fit(everything)
    assert found.log_likelihood == pytest.approx(-answer.fun, abs=1e-6)
    np.testing.assert_allclose(found.values, [*answer.x[:3], math.exp(answer.x[3])], rtol=1e-3, atol=1e-4)
    truth = np.array(MORAL)
    assert np.all(np.abs(found.values - truth) < 3.5 * found.standard_errors("hessian"))


def test_the_optimum_does_not_depend_on_random_starts_where_single_moves_are_seen():
    choices = moral(ALL, MORAL, 50, 4, nodes=True)
    one, other = fit(choices, seed=1), fit(choices, seed=2, starts=4)
    assert one.log_likelihood == pytest.approx(other.log_likelihood, abs=1e-7)
    np.testing.assert_allclose(one.values, other.values, rtol=1e-4, atol=1e-5)
    assert one.log_likelihood >= fit(choices, fix={"kappa": 0.3}).log_likelihood


def test_choices_follow_a_model_exactly_and_give_it_back():
    shares = np.zeros((30, 18, 8))
    design = games(ALL)

    shares[:] = probabilities(design, HOMO_MORALIS, (0.3, -0.1, 0.6, 5))
    found = fit(filled(design, shares))
    np.testing.assert_allclose(found.values, [0.3, -0.1, 0.6, 5], atol=1e-6)
    np.testing.assert_allclose(found.standard_errors("cluster"), 0, atol=1e-6)
    assert np.all(found.standard_errors("hessian") > 0)
    assert found.warnings == ()


def test_payoffs_in_other_units_change_the_noise_alone(everything):
    scaled = Choices(
        everything.attributes * 10,
        everything.available,
        None,
        everything.counts,
        everything.subjects,
        everything.clusters,
    )
    one, other = fit(everything), fit(scaled)
    np.testing.assert_allclose(other.values, one.values * [1, 1, 1, 10], rtol=1e-7)
    np.testing.assert_allclose(other.standard_errors(), one.standard_errors() * [1, 1, 1, 10], rtol=1e-6)
    assert one.log_likelihood == pytest.approx(other.log_likelihood, abs=1e-9)


def test_order_does_not_matter(everything):
    rng = np.random.default_rng(0)
    rows, columns, kinds = rng.permutation(100), rng.permutation(18), rng.permutation(8)
    counts = everything.counts.toarray().reshape(100, 18, 8)[rows][:, columns][:, :, kinds]
    attributes = everything.attributes[columns][:, kinds]
    design = empty(attributes, everything.available[columns][:, kinds])
    one, other = fit(everything), fit(filled(design, counts))
    np.testing.assert_allclose(one.values, other.values, rtol=1e-7)
    np.testing.assert_allclose(one.standard_errors(), other.standard_errors(), rtol=1e-6)


def test_a_parameter_held_is_held_and_the_rest_is_at_its_best(everything):
    found = fit(everything, fix={"kappa": 0.5})
    answer = optimize.minimize(
        lambda point: negative_level([point[0], point[1], 0.5, point[2]], everything), [0, 0, 2]
    )
    assert found.log_likelihood == pytest.approx(-answer.fun, abs=1e-5)
    assert found.values[2] == 0.5
    assert np.isnan(found.standard_errors()[2])
    assert found.free == 3
    noise = fit(everything, fix={"noise": 6})
    answer = optimize.minimize(lambda point: negative_level([*point, math.log(6)], everything), [0, 0, 0])
    assert noise.log_likelihood == pytest.approx(-answer.fun, abs=1e-5)
    assert noise.values[3] == 6
    all_held = fit(everything, fix=dict(zip(HOMO_MORALIS.names, MORAL, strict=True)))
    assert all_held.log_likelihood == pytest.approx(
        -negative_level([*MORAL[:3], math.log(8)], everything), abs=1e-8
    )
    assert all_held.free == 0


def test_bounds_hold_what_leaves_them_and_nothing_else():
    choices = moral(ALL, (0.2, 0.1, -0.3, 8), 100, 5)
    free = fit(choices)
    assert free.values[2] < 0
    found = fit(choices, bounds={"kappa": (0, 1)})
    held = fit(choices, fix={"kappa": 0})
    np.testing.assert_allclose(found.values, held.values)
    assert found.log_likelihood == pytest.approx(held.log_likelihood)
    assert np.isnan(found.standard_errors()[2])
    assert [(note.kind, note.parameters) for note in found.warnings] == [("bound", ("kappa",))]
    wide = fit(choices, bounds={"kappa": (-2, 2), "noise": (1, 100)})
    np.testing.assert_allclose(wide.values, free.values)
    assert wide.warnings == ()


def test_bounds_end_at_the_constrained_maximum():
    choices = moral(ALL, (0.2, 0.1, -0.3, 8), 60, 6)
    box = {"alpha": (-0.1, 0.15), "beta": (0.2, 1), "kappa": (-0.1, 1), "noise": (1, 7)}
    answer = optimize.minimize(
        negative_level,
        [0, 0.3, 0, 1.5],
        args=(choices,),
        method="L-BFGS-B",
        bounds=[(-0.1, 0.15), (0.2, 1), (-0.1, 1), (0, math.log(7))],
        options={"ftol": 1e-14, "gtol": 1e-7},
    )
    found = fit(choices, bounds=box)
    assert found.log_likelihood == pytest.approx(-answer.fun, abs=1e-4)
    np.testing.assert_allclose(found.values, [*answer.x[:3], math.exp(answer.x[3])], atol=2e-3)


def test_results_tell_what_they_rest_on(everything):
    found = fit(everything)
    assert (found.size, found.subjects, found.clusters) == (1800, 100, 100)
    assert found.aic == pytest.approx(2 * 4 - 2 * found.log_likelihood)
    assert found.bic == pytest.approx(4 * math.log(1800) - 2 * found.log_likelihood)
    row = found.table()[2]
    assert (row.name, row.symbol) == ("kappa", "κ")
    # The .975 quantile of t with 99 degrees of freedom; the inverse Hessian's intervals are normal.
    assert row.low == pytest.approx(row.estimate - 1.984217 * row.se)
    other = found.table("hessian")[2]
    assert other.low == pytest.approx(other.estimate - 1.959964 * other.se)
    assert row.z == pytest.approx(row.estimate / row.se)
    assert 0 < row.p < 1
    assert found.intervals(0.99)[2, 1] > row.high
    with pytest.raises(UsageError, match=r"draws="):
        found.standard_errors("bootstrap")
    with pytest.raises(UsageError, match="level"):
        found.intervals(95)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"model": "altruism"}, "No model is called 'altruism'"),
        ({"model": "bfs"}, "needs 5 attributes"),
        ({"fix": {"gamma": 0}}, "`fix` names 'gamma'"),
        ({"fix": {"noise": 0}}, "above 0"),
        ({"fix": {"alpha": math.nan}}, "finite alpha"),
        ({"bounds": {"gamma": (0, 1)}}, "`bounds` names 'gamma'"),
        ({"bounds": {"kappa": (1, 0)}}, "low < high"),
        ({"bounds": {"kappa": (0, 1)}, "fix": {"kappa": 0}}, "not both"),
        ({"bounds": {"noise": (-1, 1)}}, "0 or above"),
        ({"starts": 0}, "starts"),
    ],
)
def test_wrong_input_is_refused_in_one_sentence(everything, arguments, message):
    with pytest.raises(UsageError, match=message) as caught:
        fit(everything, **arguments)
    assert str(caught.value).count("\n") == 0


def test_no_choices_are_refused():
    with pytest.raises(UsageError, match="no choices"):
        fit(games(["TG1"]))


def test_individuals_are_what_single_fits_are():
    choices = allocations(SOCIAL, subjects=12, situations=60)
    together = fit_individuals(choices, "bfs")
    assert together.values.shape == (12, 5)
    for place, one in enumerate(together.fits):
        alone = fit(choices.only([place]), "bfs")
        assert one.log_likelihood == pytest.approx(alone.log_likelihood, abs=1e-8)
        np.testing.assert_allclose(one.values, alone.values, rtol=1e-5, atol=1e-7)
        np.testing.assert_allclose(
            one.standard_errors("hessian"), alone.standard_errors("hessian"), rtol=1e-4
        )
        # One subject is one cluster: its warnings are the single fit's but for that.
        assert one.warnings == tuple(note for note in alone.warnings if note.kind != "few_clusters")
    assert together.log_likelihood >= fit(choices, "bfs").log_likelihood
    assert together.summary()[0]["identified"] == int((~np.isnan(together.values[:, 0])).sum())


def test_individuals_with_situations_and_bounds_of_their_own():
    choices = moral(ALL, (0.1, 0.2, 0.3, 2), 6, 7)
    counts = choices.counts.toarray().reshape(6, 18, 8)
    counts[:3, :4] = 0
    mixed = filled(choices, counts)
    together = fit_individuals(mixed, bounds={"kappa": (0, 0.4)})
    assert together.subjects == mixed.subjects
    for place, one in enumerate(together.fits):
        alone = fit(mixed.only([place]), bounds={"kappa": (0, 0.4)})
        assert one.log_likelihood == pytest.approx(alone.log_likelihood, abs=1e-7)
        np.testing.assert_allclose(one.values, alone.values, rtol=1e-4, atol=1e-6)
    counts[0] = 0
    with pytest.raises(UsageError, match="'s0' has no choices"):
        fit_individuals(filled(choices, counts))


def test_individuals_from_single_moves():
    choices = moral(FAMILIES["SPD"] + FAMILIES["TG"], (0.1, 0.2, 0.0, 3), 4, 8, nodes=True)
    choices = filled(choices, choices.counts.toarray().reshape(4, -1, choices.events) * 30)
    together = fit_individuals(choices, fix={"kappa": 0})
    for place, one in enumerate(together.fits):
        alone = fit(choices.only([place]), fix={"kappa": 0})
        assert one.log_likelihood == pytest.approx(alone.log_likelihood, abs=1e-6)


def test_a_model_that_multiplies_gives_the_same_preferences():
    choices = allocations(SOCIAL)
    divided = type(BRUHIN_FEHR_SCHUNK)(
        "bfs by noise",
        "",
        "",
        BRUHIN_FEHR_SCHUNK.weights,
        BRUHIN_FEHR_SCHUNK.attributes,
    )
    one, other = fit(choices, "bfs"), fit(choices, divided)
    np.testing.assert_allclose(one.values[:4], other.values[:4])
    assert one.values[4] == pytest.approx(1 / other.values[4])
    np.testing.assert_allclose(one.standard_errors()[:4], other.standard_errors()[:4])


def test_criteria_count_what_the_likelihood_contains():
    design = games(ALL[:6])  # nobody can be behind in the choices of a design without that attribute
    attributes = design.attributes.copy()
    attributes[..., 1] = 0
    plain = drawn(replace(design, attributes=attributes), HOMO_MORALIS, (0.0, 0.2, 0.3, 8), 40, 1)
    found = fit(plain)
    assert math.isnan(found.values[0])
    assert found.free == 3
    assert found.bic == pytest.approx(3 * math.log(plain.size) - 2 * found.log_likelihood)
    # Holding a parameter that is not there changes neither the likelihood nor the criteria.
    assert fit(plain, fix={"alpha": 0}).aic == pytest.approx(found.aic)
    attributes[..., 1] = 2 * attributes[..., 2]  # one attribute that is another's multiple
    assert fit(replace(plain, attributes=attributes)).free == 3
    two = fit_types(plain, types=2, starts=3, workers=1)
    assert (two.free, two.criteria.free) == (7, 7)
