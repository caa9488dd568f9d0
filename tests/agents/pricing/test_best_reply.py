"""The dynamic best reply of a firm is what theory, brute force and the Q-learners' own test say."""

from __future__ import annotations

import itertools
import json
import pickle
from dataclasses import replace

import numpy as np
import pytest

from ludens.agents import CallablePolicy, make_policy
from ludens.agents.llm.price_policy import PricePolicy
from ludens.agents.pricing import (
    BestReplyPricePolicy,
    FixedPricePolicy,
    GrimPricePolicy,
    HomoMoralisPricePolicy,
    MatchingPolicy,
    MonopolyPolicy,
    MyopicPolicy,
    NashPolicy,
    PriceRulePolicy,
)
from ludens.agents.qlearning import QLearning, QLearningPolicy, train
from ludens.agents.qlearning.values import best_reply_values
from ludens.envs import make_env
from ludens.envs.pricing import Market
from ludens.envs.pricing.theory.benchmarks import price_grid
from ludens.errors import UsageError
from tests.agents.pricing.turns import BASELINE, pricing_turn

GRID = price_grid(BASELINE, 15)
RULES = (
    NashPolicy(),
    MonopolyPolicy(),
    HomoMoralisPricePolicy(0.5),
    FixedPricePolicy(1.7),
    MyopicPolicy(),
    MatchingPolicy(),
    GrimPricePolicy(),
)


def on_grid(*history, grid=GRID, **rest):
    """A turn after periods in which (own, rival's) numbers of prices were charged."""
    prices = [(grid[own], grid[rival]) for own, rival in history]
    return pricing_turn(prices, grid=grid, **rest)


def answer(rule, *history, grid=GRID):
    """The number of the price that the rule charges as firm 1."""
    return rule.decide(on_grid(*history, grid=grid, agent="firm_1"), np.random.default_rng(0)).action


def static(rival, grid=GRID):
    """Profits of firm 0 at each of its prices against one price."""
    return BASELINE.profits(np.stack([grid, np.full(len(grid), grid[rival])], axis=-1))[:, 0]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_whoever_does_not_look_ahead_replies_to_the_price_that_comes(rule):
    firm = BestReplyPricePolicy(rule, discount=0.0)
    for history in ((), ((3, 9),), ((3, 9), (12, 2))):
        worth = static(answer(rule, *history))
        assert firm.decide(on_grid(*history), None).action == worth.argmax()
        assert firm.values(on_grid(*history)) == pytest.approx(worth, rel=1e-4)


def test_against_matching_it_replies_to_its_own_last_price_as_a_myopic_firm_to_a_rival_s():
    """Without a look ahead the two differ in whose last price they answer, and in the grid's rounding."""
    firm = BestReplyPricePolicy(MatchingPolicy(), discount=0.0)
    for last in range(len(GRID)):
        myopic = MyopicPolicy().decide(on_grid((0, last)), None).action
        assert abs(firm.decide(on_grid((last, 0)), None).action - myopic) <= 1


@pytest.mark.parametrize(
    "rule", [FixedPricePolicy(1.7), NashPolicy(), MonopolyPolicy()], ids=lambda rule: rule.name
)
@pytest.mark.parametrize("discount", [0.3, 0.95, 0.999])
def test_a_rival_that_never_moves_gets_the_static_best_reply(rule, discount):
    worth = static(answer(rule))
    firm = BestReplyPricePolicy(rule, discount=discount)
    for history in ((), ((2, 11),), ((14, 0),)):
        assert firm.decide(on_grid(*history), None).action == worth.argmax()
        assert max(firm.values(on_grid(*history))) == pytest.approx(worth.max() / (1 - discount), rel=1e-4)


@pytest.mark.parametrize(
    "rule", [MyopicPolicy(), MatchingPolicy(), GrimPricePolicy()], ids=lambda rule: rule.name
)
@pytest.mark.parametrize("discount", [0.6, 1.0])
def test_no_sequence_of_prices_earns_more(rule, discount):
    """Every sequence of four periods on four prices, played in the environment."""
    periods, points = 4, 4
    env = make_env("bertrand", market=BASELINE, points=points, periods=periods)
    parallel = env.unwrapped
    env.reset(seed=0)
    firm = BestReplyPricePolicy(rule, discount=discount, horizon="episode")
    told = firm.values(parallel.turn("firm_0"))

    def played(decide):
        parallel.reset(seed=0)
        total, chosen = 0.0, []
        for period in range(periods):
            turns = {agent: parallel.turn(agent) for agent in parallel.agents}
            own = decide(period, turns["firm_0"])
            theirs = rule.decide(turns["firm_1"], np.random.default_rng(0)).action
            _, rewards, *_ = parallel.step({"firm_0": own, "firm_1": theirs})
            total += discount**period * rewards["firm_0"]
            chosen.append(own)
        return total, chosen

    every = {
        prices: played(lambda period, turn, prices=prices: prices[period])[0]
        for prices in itertools.product(range(points), repeat=periods)
    }
    earned, chosen = played(lambda period, turn: firm.decide(turn, None).action)
    assert earned == pytest.approx(max(every.values()), rel=1e-9)
    assert earned == pytest.approx(max(told), rel=1e-4)
    assert every[tuple(chosen)] == pytest.approx(earned)
    for price, worth in enumerate(told):
        assert worth == pytest.approx(max(v for k, v in every.items() if k[0] == price), rel=1e-4)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_a_long_episode_is_worth_nearly_an_endless_one(rule):
    endless = BestReplyPricePolicy(rule, discount=0.9)
    episode = BestReplyPricePolicy(rule, discount=0.9, horizon="episode")
    for history in ((), ((4, 7),), ((13, 13), (0, 13))):
        assert episode.values(on_grid(*history)) == pytest.approx(endless.values(on_grid(*history)), rel=1e-9)


def test_grim_is_betrayed_where_the_future_counts_for_little():
    """The critical discount factor of Friedman (1971), with the profits of the grid's own prices."""
    joint, nash = answer(GrimPricePolicy()), answer(NashPolicy())
    held, cut = static(joint)[joint], static(joint).max()
    punished = static(nash).max()
    critical = (cut - held) / (cut - punished)
    assert 0.1 < critical < 0.9
    peace = on_grid((joint, joint))
    for discount in (critical - 0.02, critical + 0.02):
        price = BestReplyPricePolicy(GrimPricePolicy(), discount=discount).decide(peace, None).action
        betrays = answer(GrimPricePolicy(), (joint, joint), (price, joint)) == nash
        assert betrays == (discount < critical)
    betrayed = on_grid((joint, joint), (0, joint), (joint, nash))
    assert (
        BestReplyPricePolicy(GrimPricePolicy(), discount=0.95).decide(betrayed, None).action
        == static(nash).argmax()
    )


def test_against_a_patient_matcher_prices_stay_high():
    firm = BestReplyPricePolicy(MatchingPolicy(), discount=0.99)
    price = firm.decide(on_grid((13, 13)), None).action
    both = BASELINE.profits(np.stack([GRID, GRID], axis=-1))[:, 0]
    assert abs(price - both.argmax()) <= 1
    assert BestReplyPricePolicy(MatchingPolicy(), discount=0.1).decide(on_grid((13, 13)), None).action < price


def test_the_most_patient_still_tells_prices_apart():
    patient = BestReplyPricePolicy(MatchingPolicy(), discount=1 - 1e-8).decide(on_grid((13, 13)), None).action
    assert (
        patient
        == BestReplyPricePolicy(MatchingPolicy(), discount=0.9999).decide(on_grid((13, 13)), None).action
    )


def test_a_trained_q_learner_is_answered_as_its_own_equilibrium_test_does():
    learner = QLearning(points=4, beta=1e-3, window=500, max_periods=20_000)
    sessions = train(BASELINE, learner, 1, seed=5)
    tables = sessions.tables
    rival = QLearningPolicy(learner, seed=5)
    firm = BestReplyPricePolicy(rival, discount=learner.discount)
    wanted = best_reply_values(sessions, 0, 0)
    for state in range(tables.states):
        turn = on_grid(tuple(tables.digits(state)), grid=tables.grid[0])
        assert max(firm.values(turn)) == pytest.approx(wanted[state], rel=1e-4)


class Echo(PriceRulePolicy):
    """Charges what the rival charged two periods ago."""

    name = "echo"

    def price(self, view, rng):
        return float(view.prices[-2, 1 - view.place]) if len(view.prices) > 1 else float(GRID[0])


def test_a_rule_of_ones_own_says_how_far_back_it_looks():
    grid = price_grid(BASELINE, 3)
    with pytest.raises(UsageError, match="give memory"):
        BestReplyPricePolicy(Echo())
    firm = BestReplyPricePolicy(Echo(), discount=1.0, memory=2, horizon="episode")
    turn = on_grid((0, 1), (2, 2), grid=grid)
    now, after = static(0, grid), static(2, grid)  # the rival charges 0, then 2, then what is charged now
    assert firm.values(replace(turn, rounds=4)) == pytest.approx(now + after.max(), rel=1e-4)
    later = [static(price, grid).max() for price in range(3)]
    assert firm.values(replace(turn, rounds=5)) == pytest.approx(now + after.max() + later, rel=1e-4)


def test_where_firms_differ_the_rivals_grid_is_asked_for():
    market = Market([2.0, 2.2], [1.0, 0.9])
    env = make_env("bertrand", market=market, points=5, periods=3)
    env.reset(seed=0)
    grids = price_grid(market, 5)
    with pytest.raises(UsageError, match="rival_prices"):
        BestReplyPricePolicy(MyopicPolicy()).values(env.unwrapped.turn("firm_0"))
    env.unwrapped.step({"firm_0": 1, "firm_1": 3})
    turn = env.unwrapped.turn("firm_0")
    firm = BestReplyPricePolicy(MyopicPolicy(), discount=0.0, rival_prices=tuple(grids[1]))
    theirs = MyopicPolicy().decide(env.unwrapped.turn("firm_1"), None).action
    pairs = np.stack([grids[0], np.full(5, grids[1][theirs])], axis=-1)
    assert firm.values(turn) == pytest.approx(market.profits(pairs)[:, 0], rel=1e-4)
    with pytest.raises(UsageError, match="on no grid"):
        BestReplyPricePolicy(MyopicPolicy(), rival_prices=(1.0, 9.0)).values(turn)


def test_what_is_no_known_rule_or_no_duopoly_is_refused(monkeypatch):
    for rival in (
        make_policy("random", "bertrand"),
        QLearningPolicy(mode="online"),
        CallablePolicy(lambda seen: 0),
    ):
        with pytest.raises(UsageError, match="give memory"):
            BestReplyPricePolicy(rival)
    for rival in (PricePolicy("openai/gpt-5-mini"), "myopic"):
        with pytest.raises(UsageError, match="rule is known"):
            BestReplyPricePolicy(rival)
    with pytest.raises(UsageError, match="without chance"):
        BestReplyPricePolicy(make_policy("random", "bertrand"), memory=0).values(on_grid())
    for wrong in ({"discount": 1.0}, {"discount": -0.1}, {"discount": True}):
        with pytest.raises(UsageError, match="discount factor"):
            BestReplyPricePolicy(MyopicPolicy(), **wrong)
    with pytest.raises(UsageError, match="horizon"):
        BestReplyPricePolicy(MyopicPolicy(), horizon="long")
    with pytest.raises(UsageError, match="whole number"):
        BestReplyPricePolicy(MyopicPolicy(), memory=-1)
    free = pricing_turn()
    three = pricing_turn(market=Market.symmetric(3), grid=GRID)
    in_turns = make_env("bertrand_sequential", market=BASELINE)
    in_turns.reset(seed=0)
    for turn in (free, three, in_turns.unwrapped.turn()):
        with pytest.raises(UsageError, match="two firms"):
            BestReplyPricePolicy(MyopicPolicy()).values(turn)
    monkeypatch.setattr("ludens.agents.pricing.duel.MOST_STATES", 20)
    with pytest.raises(UsageError, match="histories"):
        BestReplyPricePolicy(MyopicPolicy()).values(on_grid())


def test_it_is_a_policy_like_others():
    firm = BestReplyPricePolicy(MatchingPolicy(), discount=0.9)
    assert (
        firm == BestReplyPricePolicy(MatchingPolicy(), discount=0.9) != BestReplyPricePolicy(MatchingPolicy())
    )
    assert json.loads(json.dumps(firm.describe())) == firm.describe()
    turn = on_grid((3, 5))
    again = pickle.loads(pickle.dumps(firm))
    assert again.decide(turn, None) == firm.decide(turn, None)
    # Without a discount factor of its own it takes the market's, which its turns tell.
    assert BestReplyPricePolicy(MatchingPolicy()).values(turn) == BestReplyPricePolicy(
        MatchingPolicy(), discount=0.95
    ).values(turn)


def test_a_matching_firm_charges_the_rivals_last_price():
    assert make_policy("matching", "bertrand") == make_policy("matching") == MatchingPolicy()
    assert answer(MatchingPolicy()) == answer(MonopolyPolicy())
    assert answer(MatchingPolicy(), (3, 9)) == 3
    three = pricing_turn([(1.5, 1.7, 1.6)], market=Market.symmetric(3))
    assert MatchingPolicy().decide(three, None).action == 1.6
