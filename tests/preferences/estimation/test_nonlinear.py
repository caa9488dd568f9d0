"""CES altruism and utilities of one's own: the formula, its limits, its derivatives, and the way back."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from ludens.errors import UsageError
from ludens.preferences.estimation import (
    CES,
    Choices,
    Parameter,
    UtilityModel,
    find_model,
    fit,
    fit_individuals,
    simulate,
)
from ludens.preferences.estimation.fitting.maximise import level_at
from tests.preferences.estimation.samples import allocations, drawn, empty, filled

payoffs = st.floats(0.5, 100)
shares = st.floats(0.02, 0.98)


def ces(own, other, share, rho):
    """u of one alternative."""
    level, _ = CES.utility(np.array([[[own, other]]]), np.array([share, rho]))
    return float(level[0, 0])


def options(seed=0, situations=60, alternatives=3):
    """Allocations, some with a payoff of 0."""
    table = np.random.default_rng(seed).uniform(0, 100, (situations, alternatives, 2)).round()
    table[:5, 0, 0], table[5:8, 1, 1], table[8, 2] = 0, 0, 0
    return empty(table)


@given(payoffs, payoffs, shares, st.floats(-8, 0.99))
def test_utility_is_the_formula(own, other, share, rho):
    if abs(rho) > 0.05:
        wanted = (share * own**rho + (1 - share) * other**rho) ** (1 / rho)
        assert ces(own, other, share, rho) == pytest.approx(wanted, rel=1e-9)
    assert min(own, other) * (1 - 1e-9) <= ces(own, other, share, rho) <= max(own, other) * (1 + 1e-9)
    assert ces(3 * own, 3 * other, share, rho) == pytest.approx(3 * ces(own, other, share, rho))


@given(payoffs, payoffs, shares)
def test_utility_has_its_limits(own, other, share):
    assert ces(own, other, share, 1.0) == pytest.approx(share * own + (1 - share) * other)
    assert ces(own, other, share, 0.0) == pytest.approx(own**share * other ** (1 - share))
    assert ces(own, other, share, -2000.0) == pytest.approx(min(own, other), rel=0.01)
    # No jump where the series takes over from the formula.
    for rho in (1e-9, -1e-9, 2e-4, 1e-3, -1e-3, 5e-3):
        below, above = (ces(own, other, share, rho * factor) for factor in (1 - 1e-6, 1 + 1e-6))
        assert below == pytest.approx(above, rel=1e-7)


def test_payoffs_of_nothing():
    assert ces(0, 0, 0.5, 0.5) == 0
    assert ces(0, 9, 0.5, 0.5) == pytest.approx(9 * 0.5**2)
    assert ces(9, 0, 0.25, 0.5) == pytest.approx(9 * 0.25**2)
    for rho in (0.0, -1.0, -50.0):
        assert ces(0, 9, 0.5, rho) == ces(9, 0, 0.5, rho) == 0
    assert ces(0, 9, 0.5, 0.01) == pytest.approx(0, abs=1e-20)


@given(
    own=st.sampled_from([0.0, 0.7, 20.0, 100.0]),
    other=st.sampled_from([0.0, 0.7, 20.0, 99.0]),
    share=st.floats(0.05, 0.95),
    rho=st.sampled_from([-6.0, -1.0, -0.01, -1e-4, 1e-7, 1e-4, 3e-4, 0.01, 0.5, 0.99]),
)
def test_gradient_is_that_of_differences(own, other, share, rho):
    _, slope = CES.utility(np.array([[[own, other]]]), np.array([share, rho]))
    step = 1e-6
    by_share = (ces(own, other, share + step, rho) - ces(own, other, share - step, rho)) / (2 * step)
    np.testing.assert_allclose(slope[0, 0, 0], by_share, rtol=1e-5, atol=1e-6)
    if rho < step < 1 and rho > -step and 0 in {own, other}:
        return  # there u bends too sharply at 0 for a difference
    by_rho = (ces(own, other, share, rho + step) - ces(own, other, share, rho - step)) / (2 * step)
    np.testing.assert_allclose(slope[0, 0, 1], by_rho, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("model", [CES, find_model("crra")], ids=lambda model: model.name)
def test_second_derivatives_are_those_of_differences(model):
    """Also where a payoff is 0, where ρ is, and where the curvature is from the series."""
    table = options(situations=12).attributes
    if model is not CES:
        table = np.concatenate([table, np.random.default_rng(1).uniform(0, 1, (12, 3, 1))], axis=-1)
    phi = np.random.default_rng(2).normal(0, 1, (20, len(model.parameters)))
    phi[:3, -1] = (0, 1e-4, -1e-4)  # ρ = 1 − e^φ, r = φ: about ρ = 0 and 1
    level, slope, curvature = model.derivatives(phi, table)
    expected = model.index(phi, table)
    np.testing.assert_allclose(level, expected[0])
    np.testing.assert_allclose(slope, expected[1], rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(curvature, model.second_derivative(phi, table), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("theta", [(0.6, 0.5, 8), (0.7, -1.5, 8), (0.5, 0.0, 5), (0.6, -6, 4)])
def test_planted_parameters_come_back(theta):
    found = fit(drawn(options(), CES, theta, 200, 1), "ces")
    assert found.converged
    assert found.warnings == ()
    assert np.all(np.abs(found.values - theta) < 4 * found.standard_errors("hessian"))
    np.testing.assert_allclose(found.standard_errors("cluster"), found.standard_errors("hessian"), rtol=0.3)
    again = fit(drawn(options(), CES, theta, 200, 1), "ces", seed=7, starts=4)
    assert found.log_likelihood == pytest.approx(again.log_likelihood, abs=1e-6)


def test_errors_are_the_curvature_of_the_likelihood():
    """The Hessian of θ by differences of the log-likelihood itself."""
    choices = drawn(options(), CES, (0.6, 0.4, 8), 100, 2)
    found = fit(choices, "ces")

    def level(theta):
        return fit(choices, "ces", fix=dict(zip(CES.names, theta, strict=True))).log_likelihood

    steps = 0.05 * found.standard_errors("hessian")
    table = np.zeros((3, 3))
    for i in range(3):
        for j in range(3):
            corners = [
                (one * two, level(found.values + one * np.eye(3)[i] * steps + two * np.eye(3)[j] * steps))
                for one in (1, -1)
                for two in (1, -1)
            ]
            table[i, j] = sum(sign * value for sign, value in corners) / (4 * steps[i] * steps[j])
    np.testing.assert_allclose(np.linalg.inv(-table), found.covariances["hessian"], rtol=0.02, atol=1e-6)


def test_a_parameter_at_the_end_of_its_range_is_said_and_held():
    # Linear utility with a bonus for inequality is more convex than ρ ≤ 1 allows.
    design = options()
    convex = UtilityModel(
        lambda table, theta: np.sqrt(theta[0] * table[..., 0] ** 2 + (1 - theta[0]) * table[..., 1] ** 2),
        (Parameter("a", "a", 0, 1),),
        ("own", "other"),
    )
    found = fit(drawn(design, convex, (0.5, 5), 100, 0), "ces")
    assert [(note.kind, note.parameters) for note in found.warnings] == [("bound", ("rho",))]
    assert found.values[1] == 1
    assert np.isnan(found.standard_errors()[1])
    assert np.isfinite(found.standard_errors()[[0, 2]]).all()
    held = fit(drawn(design, convex, (0.5, 5), 100, 0), "ces", fix={"rho": 1})
    np.testing.assert_allclose(found.values, held.values, rtol=1e-6)


def test_what_is_held_and_bounded_stays():
    choices = drawn(options(), CES, (0.7, 0.3, 8), 60, 3)
    assert fit(choices, "ces", fix={"rho": 0.0}).values[1] == 0
    bounded = fit(choices, "ces", bounds={"a": (0.2, 0.6)})
    assert bounded.values[0] == 0.6
    assert [note.kind for note in bounded.warnings] == ["bound"]
    with pytest.raises(UsageError, match="rho from -inf to 1"):
        fit(choices, "ces", fix={"rho": 1.5})
    with pytest.raises(UsageError, match="above 0"):
        fit(choices, "ces", fix={"noise": -1})


def test_choices_at_random_identify_no_curvature():
    design = options()
    counts = np.random.default_rng(0).multinomial(1, [1 / 3] * 3, size=(40, 60))
    found = fit(filled(design, counts), "ces")
    assert [note.kind for note in found.warnings] == ["bound"]
    assert np.isnan(found.values).all()


def test_ces_refuses_losses():
    table = options().attributes.copy()
    table[7, 1, 0] = -3
    with pytest.raises(UsageError, match=r"at least 0; situation 7 has -3"):
        fit(filled(empty(table), np.ones((1, 60, 3))), "ces")


def test_subjects_have_a_curvature_each():
    truths = [(0.6, 0.5, 4), (0.8, -1.0, 4), (0.5, 0.2, 4)]
    design = options(situations=150)
    counts = [drawn(design, CES, theta, 1, seed).counts.toarray()[0] for seed, theta in enumerate(truths)]
    together = fit_individuals(filled(design, np.array(counts)), "ces", starts=4)
    for one, theta in zip(together.fits, truths, strict=True):
        alone = np.abs(one.values - theta) < 4 * one.standard_errors("hessian")
        assert alone.all()


def linear(table, theta):
    """Fehr and Schmidt's utility, as a user would write it."""
    return table[..., 0] + theta[0] * table[..., 1] + theta[1] * table[..., 2]


def slopes(table, theta):  # a gradient is a function of both
    """∂u/∂θ of it."""
    return table[..., 1:3]


@pytest.mark.parametrize("gradient", [None, slopes])
def test_a_utility_of_ones_own_equals_the_named_model(gradient):
    social = allocations((0.1, 0.3, 0.0, 0.0, 0.01))
    choices = filled(empty(social.attributes[..., :3]), social.counts.toarray())
    own = UtilityModel(linear, ("alpha", "beta"), ("own", "minus behind", "minus ahead"), gradient)
    named, mine = fit(choices, "fehr_schmidt"), fit(choices, own)
    assert mine.names == ("alpha", "beta", "noise")
    assert mine.log_likelihood == pytest.approx(named.log_likelihood, abs=1e-6)
    np.testing.assert_allclose(mine.values, named.values, rtol=1e-4)
    np.testing.assert_allclose(mine.standard_errors(), named.standard_errors(), rtol=1e-3)
    assert mine.warnings == ()


def test_a_range_is_kept():
    kept = UtilityModel(
        linear, (Parameter("alpha", "α", 0.2, 0.9), Parameter("beta", "β", low=0)), ("x",) * 3
    )
    social = allocations((0.1, 0.3, 0.0, 0.0, 0.01))
    found = fit(filled(empty(social.attributes[..., :3]), social.counts.toarray()), kept)
    assert [(note.kind, note.parameters) for note in found.warnings] == [("bound", ("alpha",))]
    assert found.values[0] == 0.2
    assert found.values[1] > 0
    phi = np.array([0.3, 0.2, -0.7])
    np.testing.assert_allclose(kept.to_free(kept.to_reported(phi)), phi)


@pytest.mark.parametrize(
    ("function", "gradient", "message"),
    [
        (lambda table, theta: theta[0] * table[:, 0, 0], None, "must give shape"),
        (
            lambda table, theta: theta[0] * np.where(table[..., 0] > 500, np.nan, 1.0),
            None,
            "not finite in situation",
        ),
        (linear, lambda table, theta: slopes(table, theta)[..., ::-1], "is not its function's: by"),
        (linear, lambda table, theta: slopes(table, theta)[0], "gradient of 'utility' must give shape"),
    ],
)
def test_a_wrong_utility_is_refused(function, gradient, message):
    social = allocations((0.1, 0.3, 0.0, 0.0, 0.01))
    choices = filled(empty(social.attributes[..., :3]), social.counts.toarray())
    with pytest.raises(UsageError, match=message):
        fit(choices, UtilityModel(function, ("alpha", "beta"), ("x", "y", "z"), gradient))


def test_names_are_ones_own():
    with pytest.raises(UsageError, match="a name of its own"):
        UtilityModel(linear, ("alpha", "noise"), ("x", "y", "z"))
    assert find_model("ces") is CES
    assert math.isinf(CES.parameters[1].low)


def _giving(theta, people, seed=0):
    """Simulated choices in budgets like those of Andreoni & Miller (2002), as menus of 41 to 101 options."""
    budgets = [
        (40, 3, 1),
        (40, 1, 3),
        (60, 2, 1),
        (60, 1, 2),
        (75, 2, 1),
        (75, 1, 2),
        (60, 1, 1),
        (100, 1, 1),
    ]
    attributes = np.zeros((len(budgets), 101, 2))
    available = np.zeros((len(budgets), 101), dtype=bool)
    for place, (tokens, kept, passed) in enumerate(budgets):
        own = np.arange(tokens + 1)
        attributes[place, : tokens + 1] = np.stack([own * kept, (tokens - own) * passed], axis=1)
        available[place, : tokens + 1] = True
    asked = available / available.sum(axis=1, keepdims=True)
    design = Choices(
        attributes,
        available,
        None,
        sparse.csr_array(np.tile(asked.reshape(-1), (people, 1))),
        tuple(map(str, range(people))),
        np.arange(people),
    )
    return simulate(design, CES, theta, np.random.default_rng(seed))


@pytest.mark.parametrize("theta", [(0.9999, 0.44, 29.9), (0.6, 0.5, 5.0), (0.95, -1.0, 20.0)])
def test_ces_reaches_the_maximum_on_many_options(theta):
    choices = _giving(theta, 142)
    found = fit(choices, CES)
    assert found.log_likelihood >= level_at(CES, choices, CES.to_free(np.array(theta)))
    assert np.all(np.isfinite(found.values))
    assert found.values[2] == pytest.approx(theta[2], rel=0.2)


def test_no_subject_ends_at_a_negative_precision():
    found = fit_individuals(_giving((0.8, 0.3, 8.0), 6), CES, starts=3)
    assert all(float(CES.precision(one.optimum)) > 0 for one in found.fits)
    assert found.log_likelihood > 6 * level_at(CES, _giving((0.8, 0.3, 8.0), 1), CES.nothing())
