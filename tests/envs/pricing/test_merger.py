"""Firms that merge in the course of an episode: who sets which price, who is paid, and the benchmarks."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize

from ludens.envs.pricing import BertrandEnv, CostShock, Entrant, Exit, HomogeneousMarket, Market, Merger
from ludens.envs.pricing.interventions import Information
from ludens.envs.pricing.schedule import Schedule
from ludens.envs.pricing.theory.benchmarks import monopoly_prices, nash_prices
from ludens.errors import UsageError
from ludens.testing.episodes import pettingzoo_test

THREE = Market([2.0, 2.2, 1.9], [1.0, 1.1, 1.0])


def made(*events, market=THREE, **options):
    return BertrandEnv(market, actions="continuous", periods=6, interventions=events, **options)


def test_a_merged_firm_sets_and_earns_on_all_its_products():
    env = made(Merger(3, firm=1, into=0))
    env.reset(seed=0)
    prices = np.array([1.5, 1.6, 1.7])
    for _ in range(2):
        _, paid, ended, _, infos = env.step(dict(zip(env.agents, prices.tolist(), strict=True)))
    assert list(paid.values()) == pytest.approx(THREE.profits(prices).tolist())
    # The seat of the firm that was bought is done, and the buyer knows what it has bought.
    assert ended == {"firm_0": False, "firm_1": True, "firm_2": False}
    assert env.agents == ["firm_0", "firm_2"]
    assert infos["firm_0"]["quantity"] == pytest.approx([THREE.quantities(prices)[0], 0.0])
    turn = env.turn("firm_0")
    assert turn.facts["owned"] == (0, 1)
    assert np.isnan(turn.facts["own_quantities"][:, 1]).all()
    assert "firm_0 bought firm_1" in turn.facts["notices"][0]
    new = np.array([1.8, 1.9, 1.7])
    _, paid, *_, infos = env.step({"firm_0": new[:2], "firm_2": 1.7})
    earned = THREE.profits(new)
    assert paid == pytest.approx({"firm_0": earned[0] + earned[1], "firm_2": earned[2]})
    assert infos["firm_0"]["quantity"] == pytest.approx(THREE.quantities(new)[:2])
    assert env.turn("firm_0").facts["own_quantities"][-1] == pytest.approx(THREE.quantities(new)[:2])
    with pytest.raises(UsageError, match="an array of 2 prices"):
        env.step({"firm_0": 1.8, "firm_2": 1.7})


def test_benchmarks_after_a_merger_are_those_of_the_new_owners():
    before, after = Schedule(THREE, [Merger(3, 1, 0)]).regimes
    assert before.nash == pytest.approx(nash_prices(THREE))
    merged = Market(THREE.qualities, THREE.costs, owners=[0, 0, 1])
    assert after.start == 2
    assert after.firms == (0, 2)
    assert after.nash == pytest.approx(nash_prices(merged))
    assert after.monopoly == pytest.approx(monopoly_prices(THREE))
    assert (
        pytest.approx(
            np.array([merged.profits(nash_prices(merged)), merged.profits(monopoly_prices(merged))]).T
        )
        == np.array(after.profits)[:, [0, 2]].T
    )
    assert np.isnan(np.array(after.profits)[:, 1]).all()
    # A merger raises prices, and no joint change of the merged firm's two prices pays.
    assert (after.nash > before.nash).all()

    def loss(own):
        return -THREE.profits([*own, after.nash[2]])[:2].sum()

    best = minimize(loss, [1.5, 1.5], method="Nelder-Mead", options={"xatol": 1e-9, "fatol": 1e-14})
    assert after.nash[:2] == pytest.approx(best.x, abs=1e-6)


def test_mergers_follow_each_other_and_firms_leave_with_all_they_bought():
    schedule = Schedule(THREE, [Merger(3, 2, 1), Merger(5, 1, 0), CostShock(4, 0.1)])
    assert [regime.owners for regime in schedule.regimes] == [(), (0, 1, 1), (0, 1, 1), (0, 0, 0)]
    assert schedule.regimes[-1].firms == (0,)
    assert schedule.regimes[-1].nash == pytest.approx(monopoly_prices(schedule.regimes[-1].market))
    left = Schedule(THREE, [Merger(3, 1, 0), Exit(5, 0)]).regimes[-1]
    assert (left.firms, left.products) == ((2,), (2,))
    assert schedule.ever_owned(0) == (0, 1, 2)


@pytest.mark.parametrize("events", [(Merger(3, 1, 0),), (Merger(2, 2, 1), Merger(4, 1, 0))])
def test_learners_may_act_in_the_whole_space_all_along(events):
    env = made(*events)
    pettingzoo_test("parallel_api_test")(env, num_cycles=20)
    env.reset(seed=0)
    assert env.action_space("firm_0").shape == (1 + len(events),)
    lengths = {env.observation_space(seat)["observation"].shape for seat in env.possible_agents}
    assert len(lengths) > 1
    while env.agents:
        observed, *_ = env.step({seat: env.action_space(seat).sample() for seat in env.agents})
        for seat, each in observed.items():
            assert env.observation_space(seat).contains(each)


@pytest.mark.parametrize(
    ("events", "market", "said"),
    [
        ([Merger(3, 1, 3)], THREE, "does not have"),
        ([Merger(3, 1, 0), Merger(4, 2, 1)], THREE, "Firm 1 is not in the market in period 4"),
        ([Merger(3, 1, 0), Exit(5, 1)], THREE, "after firm 0 bought it"),
        ([Entrant(5, 1), Merger(3, 1, 0)], THREE, "Firm 1 is not in the market"),
        ([Exit(2, 0), Merger(3, 1, 0)], THREE, "Firm 0 is not in the market"),
        ([Merger(3, 1, 0)], HomogeneousMarket(3), "products of their own"),
        ([Merger(3, 1, 0), Information()], THREE, "does not go with Information"),
    ],
)
def test_mergers_that_cannot_be_are_refused(events, market, said):
    with pytest.raises(UsageError, match=said):
        made(*events, market=market)
    with pytest.raises(UsageError, match="two firms"):
        Merger(3, 1, 1)
    with pytest.raises(UsageError, match="continuous"):
        BertrandEnv(THREE, interventions=[Merger(3, 1, 0)])
