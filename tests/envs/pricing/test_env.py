"""The environment in which firms move at once: it is the market, firms see no more than they may, options."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pettingzoo import make
from pettingzoo.utils.conversions import parallel_to_aec

from ludens.envs import make_env
from ludens.envs.pricing import BertrandEnv, CheapTalk, Entrant, Exit, HomogeneousMarket, Market
from ludens.envs.pricing.theory.benchmarks import firm_gains, price_grid, profit_benchmarks
from ludens.errors import UsageError
from ludens.experiments import play
from ludens.testing import EnvironmentConformance

EVENTS = [
    {"kind": "Entrant", "period": 4, "firm": 2},
    {"kind": "Exit", "period": 8, "firm": 0},
    {"kind": "DemandShock", "period": 6, "qualities": 0.3, "until": 9},
    {"kind": "OutsideOption", "values": [-0.2, 0.2]},
    {"kind": "Regulator", "threshold": 1.6, "fine": 0.05, "probability": 0.5},
    {"kind": "CheapTalk"},
]


class TestContinuousPrices(EnvironmentConformance):
    """Prices from an interval keep the promises."""

    environment = "ludens/bertrand-v0"
    options = {"actions": "continuous", "periods": 12, "firms": 3, "memory": 3}  # noqa: RUF012  # pytest's


class TestChance(EnvironmentConformance):
    """So do a stochastic outside good, inspections and a platform that breaks ties."""

    environment = "ludens/bertrand-v0"
    options = {  # noqa: RUF012  # pytest's
        "periods": 12,
        "interventions": [*EVENTS[3:], {"kind": "Prominence", "shown": 1, "bonus": 0.2}],
    }


@given(data=st.data(), firms=st.integers(2, 4))
@settings(max_examples=20)
def test_the_environment_is_the_market(data, firms):
    def numbers(low, high):
        return data.draw(st.lists(st.floats(low, high), min_size=firms, max_size=firms))

    market = Market(numbers(1.5, 2.5), numbers(0.5, 1.2), mu=data.draw(st.floats(0.1, 1)), quantity_scale=7)
    env = BertrandEnv(market, actions="continuous", periods=3)
    env.reset(seed=0)
    for _ in range(3):
        prices = np.array(numbers(0.0, env.options.high))
        _, rewards, _, _, infos = env.step(dict(zip(env.agents, prices, strict=True)))
        assert list(rewards.values()) == pytest.approx(market.profits(prices), abs=1e-12)
        sold = [info["quantity"] for info in infos.values()]
        assert sold == pytest.approx(market.quantities(prices), abs=1e-12)
        gains = [info["profit_gain"] for info in infos.values()]
        assert gains == pytest.approx(
            np.nan_to_num(firm_gains(market.profits(prices), *profit_benchmarks(market))), rel=1e-9, abs=1e-9
        )


def test_grid_actions_are_the_published_prices():
    env = BertrandEnv(periods=15)
    env.reset()
    offered = [float(option.name) for option in env.turn("firm_0").options]
    assert [offered[0], offered[-1]] == pytest.approx([1.42773, 1.97018], abs=2e-5)
    grid = price_grid(Market.symmetric())
    for number in range(15):
        _, rewards, *_ = env.step({"firm_0": number, "firm_1": 14 - number})
        wanted = Market.symmetric().profits([grid[number], grid[14 - number]])
        assert list(rewards.values()) == pytest.approx(wanted, abs=1e-12)
    assert env.agents == []
    assert env.prices.tolist() == [[grid[number], grid[14 - number]] for number in range(15)]


def test_observations_hold_the_last_prices_and_nothing_of_rivals_sales():
    env = BertrandEnv(actions="continuous", memory=2, periods=4)
    observations, _ = env.reset()
    assert observations["firm_0"]["observation"].tolist() == [0, 0, 0, 0, 0, 0, 0, 0, 1]
    env.step({"firm_0": 1.5, "firm_1": 1.75})
    seen = env.step({"firm_0": 1.625, "firm_1": 1.25})[0]["firm_1"]["observation"]
    assert seen[:6].tolist() == [1.5, 1.75, 1.625, 1.25, 1, 1]
    assert seen[6:] == pytest.approx([env.quantities[-1, 1], env.profits[-1, 1], 0.5], rel=1e-6)
    half = BertrandEnv(actions="continuous", memory=2)
    half.reset()
    first = half.step({"firm_0": 1.5, "firm_1": 1.75})[0]["firm_0"]["observation"]
    assert first[:6].tolist() == [0, 0, 1.5, 1.75, 0, 1]


def test_a_turn_tells_all_prices_and_own_results_only():
    env = BertrandEnv(actions="continuous", periods=5, price_limit=4.0, discount=0.9)
    env.reset()
    for prices in ((1.5, 1.6), (1.7, 1.8)):
        env.step(dict(zip(env.agents, prices, strict=True)))
    turn = env.turn("firm_1")
    assert (turn.role, turn.round, turn.rounds, turn.past, turn.options) == ("firm", 2, 5, (), ())
    assert turn.interval == (0.0, env.options.high)
    assert turn.facts["prices"].tolist() == [[1.5, 1.6], [1.7, 1.8]]
    assert turn.facts["own_profits"].tolist() == env.profits[:, 1].tolist()
    assert turn.facts["own_quantities"].tolist() == env.quantities[:, 1].tolist()
    told = [
        turn.facts[name] for name in ("period", "periods", "price_limit", "discount", "messages", "notices")
    ]
    assert told == [2, 5, 4.0, 0.9, None, ()]
    rival = {float(number) for number in (*env.profits[:, 0], *env.quantities[:, 0])}
    arrays = [each for each in turn.facts.values() if isinstance(each, np.ndarray)]
    assert rival.isdisjoint(float(number) for array in arrays for number in array.ravel())


def test_both_faces_pay_alike():
    parallel = make("parallel", "ludens/bertrand-v0", periods=6, interventions=EVENTS[3:])
    parallel.reset(seed=4)
    paid = [parallel.step({"firm_0": 9, "firm_1": 12})[1] for _ in range(6)]
    aec = make_env("bertrand", periods=6, interventions=EVENTS[3:])
    aec.reset(seed=4)
    earned = []
    for agent in aec.agent_iter():
        _, _, done, cut, _ = aec.last()
        aec.step(None if done or cut else {"firm_0": 9, "firm_1": 12}[agent])
        if agent == "firm_1" and not (done or cut):
            earned.append(dict(aec.rewards))
    assert earned == paid


def test_firms_enter_and_leave_in_pettingzoos_way():
    env = BertrandEnv(firms=3, periods=10, interventions=EVENTS)
    env.reset(seed=1)
    there = []
    while env.agents:
        there.append(tuple(env.agents))
        _, rewards, terminations, truncations, _ = env.step(dict.fromkeys(env.agents, 7))
        for agent, gone in terminations.items():
            assert gone == (env.period >= 7 and agent == "firm_0")
        assert set(truncations.values()) == {env.period == 10}
        if env.period == 3:
            assert rewards["firm_2"] == 0.0
            assert env.turn("firm_2").facts["prices"].shape == (3, 3)
    both, all_three, last = ("firm_0", "firm_1"), ("firm_0", "firm_1", "firm_2"), ("firm_1", "firm_2")
    assert there == [both] * 3 + [all_three] * 4 + [last] * 3
    assert np.isnan(env.prices[:3, 2]).all()
    assert np.isnan(env.profits[7:, 0]).all()
    played = 0
    aec = parallel_to_aec(BertrandEnv(firms=3, periods=10, interventions=EVENTS))
    aec.reset(seed=1)
    for _ in aec.agent_iter():
        _, _, done, cut, _ = aec.last()
        aec.step(None if done or cut else 7)
        played += not (done or cut)
    assert played == sum(map(len, there))


def test_an_absent_firm_has_no_turn():
    env = BertrandEnv(firms=3, interventions=[Entrant(6, 2)])
    env.reset()
    with pytest.raises(UsageError, match="firm_2 is not in ludens/bertrand-v0 now"):
        env.turn("firm_2")


def test_messages_are_read_before_the_next_price():
    env = BertrandEnv(interventions=[CheapTalk(limit=5)])
    env.reset()
    env.say("firm_0", "hello")
    assert env.turn("firm_1").facts["messages"] == ()
    env.step({"firm_0": 1, "firm_1": 1})
    assert env.turn("firm_1").facts["messages"] == (("firm_0", "hello"),)
    with pytest.raises(UsageError, match="at most 5 characters"):
        env.say("firm_0", "hello!")
    env.say("firm_1", "h\x1b\u202ei")
    env.step({"firm_0": 1, "firm_1": 1})
    assert env.turn("firm_0").facts["messages"] == (("firm_1", "h  i"),)
    silent = BertrandEnv()
    silent.reset()
    with pytest.raises(UsageError, match="no message channel"):
        silent.say("firm_0", "hello")


def test_fines_are_paid_and_told():
    env = BertrandEnv(
        actions="continuous", interventions=[{"kind": "Regulator", "threshold": 1.6, "fine": 0.25}]
    )
    env.reset()
    _, rewards, _, _, infos = env.step({"firm_0": 1.5, "firm_1": 1.75})
    free = Market.symmetric().profits([1.5, 1.75])
    assert rewards == {"firm_0": pytest.approx(free[0]), "firm_1": pytest.approx(free[1] - 0.25)}
    assert [infos[agent]["fine"] for agent in env.agents] == [0.0, 0.25]
    rule, fined = env.turn("firm_0").facts["notices"]
    assert "more than 1.6" in rule
    assert fined == "In period 1 the regulator fined firm_1: it paid 0.25."


@pytest.mark.parametrize("environment", ["bertrand", "bertrand_sequential"])
def test_ordinary_play_seats_ordinary_policies(environment, tmp_path):
    options = {"periods": 12, "market": Market.symmetric(3).parameters, "interventions": EVENTS[3:]}
    runs = [
        play((environment, options), "random", episodes=3, seed=5, path=tmp_path / f"{number}.db")
        for number in range(2)
    ]
    kept = [[(record.episode, record.decision.action) for record in run.decisions()] for run in runs]
    assert kept[0] == kept[1]
    assert len(kept[0]) == 3 * 12 * (3 if environment == "bertrand" else 1)
    paid = [[episode.payoffs for episode in run.episodes()] for run in runs]
    assert paid[0] == paid[1]
    assert len({str(each) for each in paid[0]}) == 3


def test_options_can_be_json():
    options = json.loads(
        json.dumps({"market": Market.symmetric(3).parameters, "interventions": EVENTS, "periods": 9})
    )
    env = make_env("bertrand", **options).unwrapped
    assert env.options.market == Market.symmetric(3)
    assert env.options.interventions[1] == Exit(8, 0)
    homogeneous = BertrandEnv(HomogeneousMarket(3).parameters, points=7)
    assert homogeneous.options.market == HomogeneousMarket(3)


def test_firms_with_several_products_set_all_their_prices():
    market = Market([2, 2, 2], [1, 1, 1], owners=[0, 1, 0])
    env = BertrandEnv(market, actions="continuous")
    env.reset()
    _, rewards, _, _, infos = env.step({"firm_0": np.array([1.5, 1.7]), "firm_1": 1.6})
    assert list(rewards.values()) == pytest.approx(market.profits([1.5, 1.6, 1.7]))
    assert infos["firm_0"]["quantity"] == pytest.approx(market.quantities([1.5, 1.6, 1.7])[[0, 2]])
    with pytest.raises(UsageError, match="one product each"):
        BertrandEnv(market)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"colour": "red"}, "has no option 'colour'"),
        ({"actions": "both"}, "actions='both'"),
        ({"memory": -1}, "memory=-1"),
        ({"periods": 0}, "periods=0"),
        ({"discount": 1.0}, "discount=1.0"),
        ({"price_limit": 0}, "price_limit=0"),
        ({"bounds": (0, 2)}, "bounds"),
        ({"actions": "continuous", "bounds": (2, 1)}, "bounds"),
        ({"actions": "continuous", "grid": [1, 2]}, "leave one of them out"),
        ({"grid": [2, 1]}, "each above the one before"),
        ({"market": 5}, "A market is"),
        ({"market": {"costs": [1]}}, "No market can be made"),
        ({"interventions": [{"kind": "Flood"}]}, "is not an intervention"),
        ({"interventions": [{"kind": "Exit", "period": 3, "firm": 2}]}, "does not have"),
        ({"interventions": [Exit(3, 0), Exit(4, 1)]}, "No firm is left in period 4"),
        ({"interventions": [Entrant(6, 1), Exit(4, 1)]}, "before it has entered"),
        ({"interventions": [{"kind": "Regulator", "threshold": 1}]}, "cannot be made"),
        ({"interventions": [{"kind": "Prominence", "shown": 0}]}, "shown=0"),
    ],
)
def test_wrong_options_are_told_in_one_sentence(options, said):
    with pytest.raises(UsageError, match=said) as caught:
        make_env("bertrand", **options)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "action", ["1.5", None, True, float("nan"), -0.1, 1e308, [1.5], np.array([1.5, 1.5])]
)
def test_prices_that_are_none_are_refused(action):
    env = BertrandEnv(actions="continuous")
    env.reset()
    with pytest.raises(UsageError, match="not a legal action of firm_0"):
        env.step({"firm_0": action, "firm_1": 1.5})
    with pytest.raises(UsageError, match="no action of firm_1"):
        env.step({"firm_0": 1.5})
    assert env.period == 0


@pytest.mark.parametrize("interventions", [[], EVENTS])
def test_renders_show_benchmarks_in_text_and_in_pixels_of_one_size(interventions):
    env = BertrandEnv(firms=3, interventions=interventions, periods=10, render_mode="ansi")
    env.reset(seed=0)
    shapes = set()
    while env.agents:
        env.render_mode = "rgb_array"
        picture = env.render()
        shapes.add((picture.shape, picture.dtype))
        env.render_mode = "ansi"
        assert f"{env.core.regime.nash[1]:.5g}" in env.render()
        for _ in range(5):
            if env.agents:
                env.step(dict.fromkeys(env.agents, 7))
    assert shapes == {((600, 900, 3), np.dtype(np.uint8))}


@pytest.mark.parametrize("options", [{"firms": 1}, {"interventions": [Exit(3, 0)]}])
def test_infos_of_a_firm_alone_are_numbers_that_can_be_compared(options):
    def infos():
        env = make("parallel", "ludens/bertrand-v0", actions="continuous", periods=4, **options)
        seen = [env.reset(seed=0)[1]]
        while env.agents:
            seen.append(env.step(dict.fromkeys(env.agents, 1.7))[-1])
        return seen

    seen = infos()
    assert seen == infos()
    assert [info["profit_gain"] for info in seen[-1].values()][-1] == 0.0
