"""Parameters that depend on covariates: planted effects, and the same numbers as separate fits."""

from __future__ import annotations

import numpy as np
import pytest

from ludens.errors import UsageError
from ludens.preferences.estimation import find_model, fit, read_choices, wald, with_covariates


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
