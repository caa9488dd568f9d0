"""The posterior: near the maximum with much data, the prior with none, the same for the same seed."""

from __future__ import annotations

import math
import sys

import numpy as np
import pytest

from ludens.envs import PROTOCOLS, uniform_strategy
from ludens.errors import LudensError, UsageError
from ludens.preferences.estimation import CES, fit, fit_bayes, questions, read_choices, simulate
from ludens.preferences.estimation.bayes import rank_normalised_r_hat

# JAX and numpyro warn of their own futures, which is not ours to mend.
pytestmark = pytest.mark.filterwarnings("ignore")

SITUATIONS = [(PROTOCOLS[name], uniform_strategy(PROTOCOLS[name])) for name in ("SPD3", "SPD5", "TG4", "UG2")]
THETA = (0.3, 0.2, 0.3, 8.0)


def answers(subjects, seen="strategies"):
    return simulate(
        questions(SITUATIONS, subjects=subjects, seen=seen), "moralis", THETA, np.random.default_rng(1)
    )


def test_much_data_speak_for_themselves():
    pytest.importorskip("numpyro")
    choices = answers(2000)
    settings = {"seed": 2, "draws": 300, "warmup": 200, "hierarchical": False}
    posterior, maximum = fit_bayes(choices, **settings), fit(choices)
    errors = maximum.standard_errors("hessian")
    assert np.all(np.abs(posterior.values - maximum.values) < 0.5 * errors)
    np.testing.assert_allclose(posterior.standard_errors, errors, rtol=0.25)
    assert posterior.divergences == 0
    again = fit_bayes(choices, **settings)
    np.testing.assert_array_equal(posterior.draws, again.draws)


def test_no_data_leave_the_prior_and_ranges_hold():
    pytest.importorskip("numpyro")
    choices = answers(2)
    nothing = type(choices)(
        np.zeros_like(choices.attributes),
        choices.available,
        None,
        choices.counts,
        choices.subjects,
        choices.clusters,
    )
    posterior = fit_bayes(nothing, seed=3, draws=400, warmup=200, hierarchical=False, within={"kappa"})
    alpha, _, kappa, noise = np.moveaxis(posterior.draws, -1, 0)
    assert abs(alpha.mean()) < 0.25
    assert abs(alpha.std() - 1) < 0.25
    assert np.all((kappa > 0) & (kappa < 1))
    assert abs(np.log(noise).std() - 1.5) < 0.4


def test_a_missing_extra_is_one_sentence(monkeypatch):
    monkeypatch.setitem(sys.modules, "numpyro", None)
    with pytest.raises(LudensError, match=r"pip install 'ludens\[bayes\]'"):
        fit_bayes(answers(2), seed=0)


@pytest.mark.parametrize(
    ("model", "wrong"),
    [
        (CES, {}),
        ("moralis", {"within": {"alpha"}}),
        ("moralis", {"within": {"delta"}}),
        ("moralis", {"draws": 0}),
        ("moralis", {"fix": {"gamma": 1.0}}),
    ],
)
def test_wrong_settings_are_refused(model, wrong):
    with pytest.raises(UsageError):
        fit_bayes(answers(2), model, seed=0, **wrong)


def test_points_on_budgets_are_refused():
    table = {"subject": ["a"], "price_own": [1.0], "price_other": [2.0], "own": [60.0], "other": [20.0]}
    with pytest.raises(UsageError, match="not points on budgets"):
        fit_bayes(read_choices(table, "fehr_schmidt"), "fehr_schmidt", seed=0)


def test_hierarchy_shrinks_subjects_towards_the_middle():
    pytest.importorskip("numpyro")
    choices = answers(6, seen="nodes")
    posterior = fit_bayes(choices, seed=4, draws=40, warmup=60, chains=1, fix={"alpha": 0.3, "beta": 0.2})
    assert posterior.individuals.shape == (1, 40, 6, 4)
    assert np.all(posterior.individuals[..., 0] == 0.3)
    assert posterior.r_hat.shape == (4,)
    assert math.isnan(posterior.r_hat[0])
    assert posterior.individuals[..., 2].mean(axis=(0, 1)).std() < posterior.draws[..., 2].std()
    assert "ess" in [warning.kind for warning in posterior.warnings]


def test_r_hat_is_rank_normalised():
    """Chains that agree have 1; a chain that is elsewhere or wider is seen even with infinite variances."""
    rng = np.random.default_rng(0)
    draws = rng.standard_cauchy((4, 1000, 3))
    draws[0, :, 1] += 3
    draws[0, :, 2] *= 20
    same, elsewhere, wider = rank_normalised_r_hat(draws)
    assert same < 1.01
    assert elsewhere > 1.05
    assert wider > 1.05
