"""What firms see of one another: turns, observations, and the market that an oracle may reason with."""

from __future__ import annotations

import pickle

import numpy as np
import pettingzoo
import pytest

from ludens.envs.pricing import Market
from ludens.envs.pricing.interventions import Information, as_intervention
from ludens.envs.pricing.theory.benchmarks import nash_prices
from ludens.envs.pricing.theory.private import PrivateMarket
from ludens.errors import UsageError

MARKET = Market([2.0, 2.5], [1.0, 1.3], quantity_scale=100.0)


def played(*interventions, prices=(1.5, 1.7), periods=3, **options):
    made = pettingzoo.make(
        "parallel",
        "ludens/bertrand-v0",
        market=MARKET,
        actions="continuous",
        periods=periods,
        interventions=interventions,
        **options,
    ).unwrapped
    made.reset(seed=0)
    step = made.step({"firm_0": prices[0], "firm_1": prices[1]})
    return made, step


def test_without_information_turns_and_observations_stay_as_they_were():
    plain, step = played()
    turn = plain.turn("firm_0")
    assert turn.facts["market"] is plain.game.market is turn.game.market
    assert "information" not in turn.facts
    assert step[0]["firm_0"]["observation"].shape == (6,)


def test_hidden_prices_are_in_no_turn_and_no_observation_of_that_firm_alone():
    env, step = played(Information(prices=False, costs=True, firms=(0,)))
    mine, theirs = env.turn("firm_0").facts["prices"], env.turn("firm_1").facts["prices"]
    np.testing.assert_array_equal(mine, [[1.5, np.nan]])
    np.testing.assert_array_equal(theirs, [[1.5, 1.7]])
    np.testing.assert_allclose(step[0]["firm_0"]["observation"][:2], [1.5, 0.0])
    np.testing.assert_allclose(step[0]["firm_1"]["observation"][:2], [1.5, 1.7], rtol=1e-6)
    # What is seen stands at the end of the vector: here both costs.
    np.testing.assert_allclose(step[0]["firm_0"]["observation"][6:], [1.0, 1.3], rtol=1e-6)


def test_rivals_quantities_and_profits_are_those_of_the_market():
    env, step = played(Information(quantities=True, profits=True))
    sold, earned = MARKET.quantities([1.5, 1.7]), MARKET.profits([1.5, 1.7])
    facts = env.turn("firm_1").facts
    np.testing.assert_allclose(facts["quantities"], [sold])
    np.testing.assert_allclose(facts["profits"], [earned])
    vector = step[0]["firm_1"]["observation"]
    np.testing.assert_allclose(vector[6:], [*sold, *earned], rtol=1e-6)
    assert env.observation_space("firm_1").contains(step[0]["firm_1"])


def test_private_costs_reach_no_turn():
    env, _ = played(Information(firms=1))
    turn = env.turn("firm_1")
    for market in (turn.facts["market"], turn.facts["present"], turn.game.market):
        assert isinstance(market, PrivateMarket)
        np.testing.assert_array_equal(market.costs, [np.nan, 1.3])
        assert market.parameters["costs"] == [None, 1.3]
        again = pickle.loads(pickle.dumps(market))
        assert again == market
        assert hash(again) == hash(market)
    assert isinstance(env.turn("firm_0").facts["market"], Market)
    assert not isinstance(env.turn("firm_0").facts["market"], PrivateMarket)


def test_a_private_market_knows_demand_and_its_own_best_reply_and_nothing_else():
    market = PrivateMarket(MARKET, [1])
    prices = [1.5, 1.7]
    np.testing.assert_allclose(market.quantities(prices), MARKET.quantities(prices))
    np.testing.assert_allclose(market.best_response(1, prices), MARKET.best_response(1, prices))
    for needs in (
        lambda: market.profits(prices),
        lambda: market.profit_gradient(prices),
        lambda: nash_prices(market),
        lambda: market.best_response(0, prices),
    ):
        with pytest.raises(UsageError, match="private"):
            needs()
    assert market != PrivateMarket(Market([2.0, 2.5], [1.0, 1.4]), [1])


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([{"kind": "Information", "prices": "no"}], "true or false"),
        ([{"kind": "Information", "firms": []}], "numbers from 0"),
        ([{"kind": "Information", "firms": [2]}], "firms 0 to 1"),
        ([{"kind": "Information"}, {"kind": "Information", "firms": [1]}], "twice"),
    ],
)
def test_information_that_makes_no_sense_is_refused(given, message):
    with pytest.raises(UsageError, match=message):
        played(*given)


def test_a_homogeneous_market_has_no_private_costs():
    with pytest.raises(UsageError, match="one cost"):
        pettingzoo.make(
            "aec", "ludens/bertrand_sequential-v0", interventions=[as_intervention({"kind": "Information"})]
        )


def test_prices_that_stand_are_hidden_too_where_firms_move_in_turns():
    env = pettingzoo.make(
        "aec",
        "ludens/bertrand_sequential-v0",
        interventions=[Information(prices=False, costs=True, firms=(0,))],
    ).unwrapped
    env.reset(seed=1)
    facts = env.turn("firm_0").facts
    for name in ("standing", "opening"):
        assert np.isfinite(facts[name][0])
        assert np.isnan(facts[name][1])
