"""What the estimator fits can play: the oracle of a model maximises that model's utility, exactly."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ludens.agents import OutcomeOraclePolicy, make_policy
from ludens.envs import PROTOCOLS, pure_strategies
from ludens.errors import UsageError
from ludens.experiments import bench
from ludens.preferences import Preferences, maximin, uniform_belief, utility
from ludens.preferences.estimation import CES, UtilityModel, preferences_of

SPECS = (
    "fehr_schmidt:alpha=0.9,beta=0.3",
    "charness_rabin:rho=0.4,sigma=-0.1,kappa=0.2",
    "bfs:alpha=0.1,beta=0.3",
    "ces:a=0.7,rho=-1",
    "maximin:0.5",
)
points = st.floats(0, 200, allow_nan=False).map(lambda number: round(number, 3))


def worth(preferences, own, other):
    """What an outcome is worth to the first of two players."""
    return float(preferences.worths(np.array([[own, other]]))[0, 0])


@given(points, points)
def test_utilities_are_those_of_the_papers(own, other):
    ahead, behind = max(own - other, 0), max(other - own, 0)
    fehr_schmidt = preferences_of("fehr_schmidt", alpha=0.9, beta=0.3)
    assert worth(fehr_schmidt, own, other) == pytest.approx(own - 0.9 * behind - 0.3 * ahead)
    weight = 0.4 if own > other else -0.1 if own < other else 0
    charness_rabin = preferences_of("charness_rabin", rho=0.4, sigma=-0.1)
    assert worth(charness_rabin, own, other) == pytest.approx((1 - weight) * own + weight * other)
    # Bruhin, Fehr & Schunk call α what Charness & Rabin call σ, and β what they call ρ.
    same = preferences_of("bfs", alpha=-0.1, beta=0.4)
    assert worth(same, own, other) == pytest.approx(worth(charness_rabin, own, other))
    assert worth(maximin(0.3), own, other) == pytest.approx(0.7 * own + 0.3 * min(own, other))
    ces = preferences_of("ces", a=0.7, rho=-1)
    expected = CES.utility(np.array([[[own, other]]]), np.array([0.7, -1.0]))[0].item()
    assert worth(ces, own, other) == pytest.approx(expected)
    if own > 0 and other > 0:
        assert expected == pytest.approx((0.7 / own + 0.3 / other) ** -1)


@pytest.mark.parametrize("game", PROTOCOLS.values(), ids=PROTOCOLS.keys())
def test_fehr_and_schmidt_play_as_the_oracle_of_the_same_numbers(game):
    # In the papers' notation the oracle's α and β are those of Fehr and Schmidt.
    one, other = make_policy("fehr_schmidt:alpha=0.9,beta=0.3"), make_policy("oracle:alpha=0.9,beta=0.3")
    np.testing.assert_allclose(one.strategy(game), other.strategy(game))


@pytest.mark.parametrize("spec", SPECS)
@pytest.mark.parametrize("protocol", ["SPD3", "TG4", "UG2"])
def test_no_pure_strategy_is_better(spec, protocol):
    policy, game = make_policy(spec), PROTOCOLS[protocol]
    felt, kantian = policy.outcomes.game(game), Preferences(kappa=policy.preferences.kappa)
    every = pure_strategies(game)
    levels = utility(felt, kantian, every, uniform_belief(game))
    best = every[np.isclose(levels, levels.max())]
    # Between several that are best it draws, so that it plays their mean.
    np.testing.assert_allclose(policy.strategy(game), best.mean(axis=0))


@pytest.mark.parametrize("spec", SPECS)
def test_they_are_named_described_and_benchmarked(spec, tmp_path):
    policy = make_policy(spec)
    assert make_policy(policy.describe()) == policy
    result = bench([spec], protocols=("SPD3", "TG4"), path=tmp_path / "run.db")
    assert result.run_path.exists()


def test_a_utility_of_one_s_own_plays():
    def spite(attributes, theta):
        return attributes[..., 0] - theta[0] * attributes[..., 1]

    model = UtilityModel(spite, ("s",), ("own", "other"), name="spite")
    policy = OutcomeOraclePolicy(preferences_of(model, s=0.5))
    assert worth(policy.outcomes, 10, 4) == 8
    assert policy.name == "spite s=0.5"
    # A responder who is spiteful enough punishes a low offer, which homo economicus accepts.
    low = PROTOCOLS["UG1"]
    assert not np.array_equal(
        OutcomeOraclePolicy(preferences_of(model, s=5)).strategy(low),
        make_policy("homo_economicus").strategy(low),
    )


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("ces:a=0.5", "needs rho: write ces:a=0.7,rho=-1"),
        ("ces:a=2,rho=1", "need a from 0 to 1; got 2"),
        ("maximin:3", "need a weight from 0 to 1; got 3"),
        ("charness_rabin:theta=1", "has no setting 'theta'"),
    ],
)
def test_wrong_numbers_are_one_sentence(spec, message):
    with pytest.raises(UsageError, match=message):
        make_policy(spec)


def test_what_outcomes_do_not_tell_is_refused():
    with pytest.raises(UsageError, match="a strategy's and not an outcome's"):
        preferences_of("moralis", kappa=0.5)
    with pytest.raises(UsageError, match="need payoffs of at least 0; the game has -1"):
        preferences_of("ces", a=0.5, rho=0.5).worths(np.array([[1.0, -1.0]]))
    with pytest.raises(UsageError, match="names 'gamma'"):
        preferences_of("fehr_schmidt", gamma=1)
    assert OutcomeOraclePolicy(preferences_of("bfs")).name == "bfs"
