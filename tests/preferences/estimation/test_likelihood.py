"""The log-likelihood is the formula's, its derivatives are its own, and Newton's method finds its maximum."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize

from ludens.preferences.estimation import CES, LINEAR_MODELS, Parameter, UtilityModel
from ludens.preferences.estimation.fitting.likelihood import evaluator, events, log_probabilities, restricted
from ludens.preferences.estimation.fitting.newton import maximise
from tests.preferences.estimation.samples import allocations, empty, filled, games, moral

CURVED = UtilityModel(
    lambda table, theta: table[..., 0] ** theta[0] + theta[1] * table[..., 1],
    (Parameter("power", "p", 0, 2), Parameter("weight", "w")),
    ("own", "other"),
)
MODELS = {**LINEAR_MODELS, "ces": CES, "own utility": CURVED}
ONE = np.zeros(1, dtype=np.intp)


def problem(name, seed, *, sets):
    """A random design with a random subset of alternatives, random counts, and a point inside all ranges."""
    rng = np.random.default_rng(seed)
    model = MODELS[name]
    attributes = rng.uniform(0.1, 3, (4, 5, len(model.attributes)))
    available = np.arange(5) < rng.integers(2, 6, (4, 1))
    attributes[~available] = 0
    members = None
    if sets:
        split = rng.integers(0, 3, (4, 5))
        members = (split[:, None] == np.arange(3)[:, None]) & available[:, None]
    design = empty(attributes, available, members)
    possible = available if members is None else members.any(axis=-1)
    counts = rng.uniform(0, 3, (1, *possible.shape)) * possible
    phi = rng.normal(0, 0.6, len(model.parameters))
    phi[0] = abs(phi[0]) + 0.2
    return model, filled(design, counts), phi


@pytest.mark.parametrize("sets", [False, True])
@pytest.mark.parametrize("name", MODELS)
@settings(max_examples=6)
@given(seed=st.integers(0, 10_000))
def test_derivatives_are_those_of_finite_differences(name, sets, seed):
    model, choices, phi = problem(name, seed, sets=sets)
    function = evaluator(model, choices, choices.total[None])
    value = function(phi[None], ONE)
    step = 1e-5
    for place in range(len(phi)):
        move = np.eye(len(phi))[place] * step
        above, below = function((phi + move)[None], ONE), function((phi - move)[None], ONE)
        slope = (above.level - below.level) / (2 * step)
        bend = (above.gradient - below.gradient) / (2 * step)
        np.testing.assert_allclose(value.gradient[0, place], slope[0], rtol=1e-5, atol=1e-5)
        np.testing.assert_allclose(value.hessian[0, place], bend[0], rtol=1e-3, atol=2e-3)


@pytest.mark.parametrize("name", ["moralis", "ces"])
@given(seed=st.integers(0, 10_000), sets=st.booleans())
def test_level_is_the_sum_over_choices_written_out(name, seed, sets):
    model, choices, phi = problem(name, seed, sets=sets)
    level, _ = model.index(phi, choices.attributes)
    by_hand = 0.0
    for place, row in enumerate(choices.total):
        options = np.flatnonzero(choices.available[place])
        total = sum(math.exp(level[place, option]) for option in options)
        for event, count in enumerate(row.tolist()):
            inside = [event] if choices.members is None else np.flatnonzero(choices.members[place, event])
            mass = sum(math.exp(level[place, option]) for option in inside if option in options)
            by_hand += count * math.log(mass / total) if count else 0.0
    found = evaluator(model, choices, choices.total[None])(phi[None], ONE)
    assert found.level[0] == pytest.approx(by_hand)


@given(seed=st.integers(0, 10_000), sets=st.booleans())
def test_events_carry_what_the_sums_are_made_of(seed, sets):
    model, choices, phi = problem("moralis", seed, sets=sets)
    parts = events(model, choices, phi)
    np.testing.assert_allclose(np.exp(parts.level).sum(axis=-1), 1)
    np.testing.assert_allclose(parts.level, log_probabilities(model, choices, phi), atol=1e-12)
    # Expected scores are zero, and the information equality holds, situation by situation.
    shares = np.exp(parts.level)
    np.testing.assert_allclose(np.einsum("ce,cep->cp", shares, parts.score), 0, atol=1e-9)
    outer = np.einsum("ce,cep,ceq->cpq", shares, parts.score, parts.score)
    np.testing.assert_allclose(np.einsum("ce,cepq->cpq", shares, parts.curvature), -outer, atol=1e-9)


def test_events_of_one_alternative_are_the_alternatives():
    choices = moral(["SPD3", "TG2"], (0.1, 0.2, 0.3, 8), 5, 0)
    same = filled(
        empty(choices.attributes, choices.available, np.eye(8, dtype=bool) & choices.available[:, None]),
        choices.counts.toarray().reshape(5, 2, 8),
    )
    model = LINEAR_MODELS["moralis"]
    phi = np.array([0.2, 0.05, 0.02, 0.1])[None]
    one, other = (evaluator(model, data, data.total[None])(phi, ONE) for data in (choices, same))
    for left, right in zip(one, other, strict=True):
        np.testing.assert_allclose(left, right, atol=1e-9)


def test_restriction_follows_the_chain_rule():
    model = LINEAR_MODELS["moralis"]
    choices = moral(["SPD3", "TG2"], (0.1, 0.2, 0.3, 8), 5, 0)
    for fixed in ({"kappa": 0.3}, {"noise": 6.0}, {"alpha": 0.1, "noise": 6.0}):
        restriction = model.restrict(fixed)
        psi = np.full(restriction.free, 0.05)
        theta = model.to_reported(restriction.expand(psi))
        for name, value in fixed.items():
            assert theta[model.names.index(name)] == pytest.approx(value)
        np.testing.assert_allclose(restriction.reduce(restriction.expand(psi)), psi)
        function = restricted(evaluator(model, choices, choices.total[None]), restriction)
        value = function(psi[None], ONE)
        for place in range(len(psi)):
            move = np.eye(len(psi))[place] * 1e-5
            above, below = function((psi + move)[None], ONE), function((psi - move)[None], ONE)
            np.testing.assert_allclose(
                value.gradient[0, place], (above.level - below.level)[0] / 2e-5, rtol=1e-5
            )
            np.testing.assert_allclose(
                value.hessian[0, place], (above.gradient - below.gradient)[0] / 2e-5, rtol=1e-5, atol=1e-4
            )


def test_many_maximisations_end_where_scipy_ends_one_by_one():
    choices = allocations((0.1, 0.3, 0.1, -0.05, 0.01), subjects=8)
    model = LINEAR_MODELS["bfs"]
    counts = choices.tally(np.eye(8))
    function = evaluator(model, choices, counts)
    sizes = model.sizes(choices)
    tops = maximise(function, np.zeros((8, 5)), sizes)
    assert tops.converged.all()
    for place in range(8):
        who = np.array([place])
        answer = optimize.minimize(
            lambda point, who=who: -function((point * sizes)[None], who).level[0],
            np.zeros(5),
            jac=lambda point, who=who: -function((point * sizes)[None], who).gradient[0] * sizes,
            method="BFGS",
            options={"gtol": 1e-8},
        )
        assert tops.value.level[place] == pytest.approx(-answer.fun, abs=1e-7)
        np.testing.assert_allclose(tops.phi[place] / sizes, answer.x, atol=1e-4)


def test_what_was_impossible_and_never_seen_does_not_count():
    design = games(["TG1"])
    counts = np.zeros((1, 1, 8))
    counts[0, 0, 0] = 2
    choices = filled(design, counts)
    model = LINEAR_MODELS["moralis"]
    value = evaluator(model, choices, choices.total[None])(np.array([[1e4, 0.0, 0.0, 0.0]]), ONE)
    assert np.isfinite(value.level).all()
    assert np.isfinite(choices.by_subject(log_probabilities(model, choices, np.array([0.1, 0, 0, 0])))).all()
