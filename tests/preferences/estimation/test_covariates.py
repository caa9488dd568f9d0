"""Parameters that depend on covariates: planted effects, and the same numbers as separate fits."""

from __future__ import annotations

import numpy as np
import pytest

from ludens.errors import UsageError
from ludens.preferences.estimation import (
    equal_noise,
    find_model,
    fit,
    read_choices,
    wald,
    with_covariates,
    with_noise_groups,
)
from ludens.preferences.estimation.fitting.likelihood import evaluator


def planted(people=200):
    """β is .2 without a treatment and .5 with it; age means nothing."""
    rng = np.random.default_rng(0)
    rows = 4000
    own, other = rng.integers(20, 100, (2, rows, 2)).astype(float)
    who = np.arange(rows) % people
    treated, age = who % 2, 20 + who % 7
    behind, ahead = np.maximum(other - own, 0), np.maximum(own - other, 0)
    utility = own - 0.1 * behind - (0.2 + 0.3 * treated)[:, None] * ahead
    taken = rng.random(rows) < 1 / (1 + np.exp(-(utility[:, 0] - utility[:, 1]) / 8))
    return {
        "subject": who,
        "self_x": own[:, 0],
        "other_x": other[:, 0],
        "self_y": own[:, 1],
        "other_y": other[:, 1],
        "choice_x": taken.astype(int),
        "age": age,
        "treatment": np.where(treated == 1, "yes", "no"),
    }


def test_planted_effects_are_estimated():
    choices = read_choices(planted(), "fehr_schmidt", covariates=("age", "treatment"))
    wide, model = with_covariates(choices, find_model("fehr_schmidt"), {"beta": ["treatment", "age"]})
    found = fit(wide, model)
    assert found.names == ("alpha", "beta", "beta:treatment=yes", "beta:age", "noise")
    rows = {row.name: row for row in found.table()}
    assert rows["beta:treatment=yes"].low < 0.3 < rows["beta:treatment=yes"].high
    assert rows["beta:treatment=yes"].p < 0.001
    assert rows["beta:age"].low < 0 < rows["beta:age"].high
    assert found.subjects == 200
    assert wald(found, {"beta:treatment=yes": 0.3, "beta:age": 0}).p > 0.01


def test_a_group_s_parameters_are_those_of_its_own_fit():
    table = planted()
    choices = read_choices(table, "fehr_schmidt", covariates=("treatment",))
    effects = {"alpha": ["treatment"], "beta": ["treatment"]}
    wide, model = with_covariates(choices, find_model("fehr_schmidt"), effects)
    both = dict(zip(model.names, fit(wide, model, fix={"noise": 8}).values, strict=True))
    for name in ("no", "yes"):
        mine = table["treatment"] == name
        alone = fit(
            read_choices({key: values[mine] for key, values in table.items()}, "fehr_schmidt"),
            "fehr_schmidt",
            fix={"noise": 8},
        )
        for place, weight in enumerate(("alpha", "beta")):
            shift = both[f"{weight}:treatment=yes"] if name == "yes" else 0
            assert both[weight] + shift == pytest.approx(alone.values[place], abs=1e-6)


def test_wrong_covariates_are_refused():
    table = planted()
    choices = read_choices(table, "fehr_schmidt", covariates=("age",))
    model = find_model("fehr_schmidt")
    for effects, message in (
        ({"kappa": ["age"]}, "No weight 'kappa'"),
        ({"beta": ["income"]}, "without 'income'"),
        ({}, "covariate at least"),
    ):
        with pytest.raises(UsageError, match=message):
            with_covariates(choices, model, effects)
    with pytest.raises(UsageError, match="linear model"):
        with_covariates(choices, find_model("ces"), {"rho": ["age"]})
    table["age"] = np.arange(4000)
    with pytest.raises(UsageError, match="differs from another row of the same subject"):
        read_choices(table, "fehr_schmidt", covariates=("age",))
    with pytest.raises(UsageError, match="no column 'income'"):
        read_choices(table, "fehr_schmidt", covariates=("income",))


def noisy(model="fehr_schmidt", theta=(0.1, 0.3), noise=(5, 10, 20), people=150):
    """Choices of three groups with the same preferences and different noise."""
    rng, rows = np.random.default_rng(1), 6000
    own, other = rng.integers(20, 100, (2, rows, 2)).astype(float)
    who = np.arange(rows) % people
    if model == "ces":
        utility = find_model("ces").utility(np.stack([own, other], axis=-1), np.array(theta))[0]
    else:
        utility = own - theta[0] * np.maximum(other - own, 0) - theta[1] * np.maximum(own - other, 0)
    scale = np.array(noise)[who % 3]
    taken = rng.random(rows) < 1 / (1 + np.exp(-(utility[:, 0] - utility[:, 1]) / scale))
    sides = {"self_x": own[:, 0], "other_x": other[:, 0], "self_y": own[:, 1], "other_y": other[:, 1]}
    return {"subject": who, **sides, "choice_x": taken.astype(int), "arm": np.array(["a", "b", "c"])[who % 3]}


@pytest.mark.parametrize(("model", "theta"), [("fehr_schmidt", (0.1, 0.3)), ("ces", (0.7, 0.4))])
def test_noise_by_group_is_recovered_with_shared_preferences(model, theta):
    table = noisy(model, theta)
    wide, grouped = with_noise_groups(
        read_choices(table, model, covariates=("arm",)), find_model(model), "arm"
    )
    found = fit(wide, grouped)
    assert found.names[-3:] == ("noise:arm=b", "noise:arm=c", "noise")
    for value, error, truth in zip(found.values, found.standard_errors(), (*theta, 10, 20, 5), strict=True):
        assert abs(value - truth) < 4 * error < truth
    test = equal_noise(found)
    assert (test.restrictions, test.freedom) == (2, 149)
    assert test.p < 1e-6


def test_equal_noise_is_not_rejected_and_unequal_weights_do_not_matter():
    table = noisy(noise=(8, 8, 8))
    wide, grouped = with_noise_groups(
        read_choices(table, "fehr_schmidt", covariates=("arm",)), find_model("fehr_schmidt"), "arm"
    )
    found = fit(wide, grouped)
    assert equal_noise(found).p > 0.01
    pooled = fit(read_choices(table, "fehr_schmidt"), "fehr_schmidt")
    assert 0 < found.log_likelihood - pooled.log_likelihood < 5
    with pytest.raises(UsageError, match="has one noise for all"):
        equal_noise(pooled)


def test_a_group_s_noise_is_that_of_its_own_fit():
    table, held = noisy(), {"alpha": 0.1, "beta": 0.3}
    model = find_model("fehr_schmidt")
    wide, grouped = with_noise_groups(read_choices(table, model, covariates=("arm",)), model, "arm")
    together = dict(zip(grouped.names, fit(wide, grouped, fix=held).values, strict=True))
    for arm, name in (("a", "noise"), ("b", "noise:arm=b"), ("c", "noise:arm=c")):
        mine = table["arm"] == arm
        alone = fit(read_choices({key: cells[mine] for key, cells in table.items()}, model), model, fix=held)
        assert together[name] == pytest.approx(alone.values[-1], rel=1e-6)


@pytest.mark.parametrize("name", ["fehr_schmidt", "ces"])
def test_derivatives_of_noise_by_group(name):
    table = {key: cells[:60] for key, cells in noisy(name, (0.7, 0.4)).items()}
    wide, grouped = with_noise_groups(read_choices(table, name, covariates=("arm",)), find_model(name), "arm")
    phi = grouped.to_free(np.array([0.7, 0.4, 9.0, 15.0, 6.0]))
    assert grouped.to_reported(phi) == pytest.approx([0.7, 0.4, 9, 15, 6])
    value, one = evaluator(grouped, wide, wide.total[None]), np.zeros(1, dtype=np.intp)
    here = value(phi[None], one)
    for place in range(5):
        step = np.eye(5)[place] * 1e-6
        above, below = value((phi + step)[None], one), value((phi - step)[None], one)
        np.testing.assert_allclose(
            here.gradient[0, place], (above.level - below.level)[0] / 2e-6, rtol=1e-4, atol=1e-4
        )
        slope = (above.gradient - below.gradient)[0] / 2e-6
        np.testing.assert_allclose(here.hessian[0, place], slope, rtol=1e-4, atol=1e-3)
        moved = (grouped.to_reported(phi + step) - grouped.to_reported(phi - step)) / 2e-6
        np.testing.assert_allclose(grouped.jacobian(phi)[:, place], moved, rtol=1e-5, atol=1e-7)


def test_noise_by_what_is_no_group_is_refused():
    model = find_model("fehr_schmidt")
    choices = read_choices({**noisy(), "one": np.full(6000, "same")}, model, covariates=("one", "arm"))
    with pytest.raises(UsageError, match="without 'two'"):
        with_noise_groups(choices, model, "two")
    with pytest.raises(UsageError, match="without 'one', or it holds one group"):
        with_noise_groups(choices, model, "one")
    wide, grouped = with_noise_groups(choices, model, "arm")
    with pytest.raises(UsageError, match="cannot hold 'noise:arm=b'"):
        fit(wide, grouped, fix={"noise:arm=b": 3})
