"""The compiled loops play the environments' markets: interventions, turns, firms that differ or meet anew."""

from __future__ import annotations

import math

import numpy as np
import pettingzoo
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ludens.agents.qlearning import (
    QLearning,
    QLearningPolicy,
    TableTooLargeError,
    equilibrium_test,
    impulse_response,
    learning_tables,
    train,
)
from ludens.agents.qlearning.learner import Learner, stream_uniform
from ludens.agents.qlearning.session import start_session
from ludens.envs.pricing import Market
from ludens.envs.pricing.interventions import (
    DemandShock,
    Entrant,
    Exit,
    OutsideOption,
    Prominence,
    Regulator,
)
from ludens.envs.pricing.simulator import PricingCore
from ludens.envs.pricing.theory.benchmarks import monopoly_prices, nash_prices
from ludens.envs.pricing.theory.homogeneous import HomogeneousMarket
from ludens.errors import UsageError

PERIODS = 160
SHORT = {"points": 4, "beta": 5e-3, "window": 10**6}
KLEIN = HomogeneousMarket()


def tables_of(market, events=(), moves="together", **parameters):
    return learning_tables(market, QLearning(**(SHORT | parameters)), interventions=events, moves=moves)


def steps_of_the_loop(session, periods):
    """The joint action of each period, and the session after all of them."""
    played = []
    for _ in range(periods):
        session.advance(1)
        played.append(int(session.counters[0]) % session.tables.joints)
    return played


def steps_of_the_environment(tables, seed, number, periods):
    """The joint actions when policies play in the environment, with chance as the session draws it."""
    kind = ("aec", "ludens/bertrand_sequential-v0") if tables.turns else ("parallel", "ludens/bertrand-v0")
    env = pettingzoo.make(
        *kind, market=tables.market, grid=tables.grid, periods=periods, interventions=tables.interventions
    ).unwrapped
    session = start_session(tables, seed, number)
    key, width = int(session.key), 3 * tables.firms + 1

    def chance():
        phase = tables.phase(env.core.period)
        drawn = stream_uniform(key, env.core.period * width)
        return phase.drawn[np.searchsorted(phase.chances, drawn, "right")][None]

    env.core._draw = chance
    learner = QLearningPolicy(tables.parameters, mode="online", draws="session", seed=seed, session=number)
    rng, played = np.random.default_rng(0), []
    env.reset(seed=5)
    if tables.turns:
        opening = int(tables.joint(tables.nearest(env.turn(env.agent_selection).facts["standing"])))
        session.counters[0] = opening
        for _ in range(periods):
            env.step(learner.decide(env.turn(env.agent_selection), rng).action)
    else:
        while env.agents:
            env.step({agent: learner.decide(env.turn(agent), rng).action for agent in env.agents})
    played = tables.joint(tables.nearest(env.prices)).tolist()
    return played, session


EVENTS = {
    "none": [],
    "shock": [DemandShock(40, 0.4, until=90), DemandShock(70, outside=0.3)],
    "exit": [Exit(60, 1)],
    "entrant": [Entrant(50, 0)],
    "entrant and exit": [Entrant(30, 2), Exit(110, 0)],
    "outside option": [OutsideOption((-0.3, 0.3), 0.7)],
    "regulator": [Regulator(1.5, 0.2, 0.4, period=20)],
    "regulator of the average": [Regulator(1.6, 0.1, measure="average"), Regulator(1.7, 0.3, 0.5, period=70)],
    "prominence": [Prominence(1, period=30)],
    "prominence with a bonus": [Prominence(2, bonus=0.5), DemandShock(60, 0.2)],
    "all of them": [OutsideOption((-0.1, 0.1)), Regulator(1.6, 0.1, 0.5), Prominence(2), Exit(100, 1)],
}


@pytest.mark.parametrize("firms", [2, 3])
@pytest.mark.parametrize("events", EVENTS)
def test_policies_in_the_environment_and_the_loop_play_the_same(events, firms):
    events = [each for each in EVENTS[events] if getattr(each, "firm", 0) < firms]
    tables = tables_of(Market.symmetric(firms, mu=0.2), events, points=4 if firms == 2 else 3)
    played, session = steps_of_the_environment(tables, 3, 1, PERIODS)
    assert steps_of_the_loop(session, PERIODS) == played


@pytest.mark.parametrize("market", [KLEIN, HomogeneousMarket(3), Market([2.0, 2.3], [1.0, 0.9])])
def test_firms_that_move_in_turns_play_the_same_in_the_environment_and_in_the_loop(market):
    tables = tables_of(market, moves="in turns", alpha=0.3, initial="zero")
    played, session = steps_of_the_environment(tables, 2, 0, PERIODS)
    assert steps_of_the_loop(session, PERIODS) == played


def test_turns_go_with_shocks_and_rules():
    events = [DemandShock(50, 0.3), OutsideOption((-0.2, 0.2)), Regulator(1.6, 0.1, 0.5, period=30)]
    tables = tables_of(Market.symmetric(), events, "in turns")
    played, session = steps_of_the_environment(tables, 2, 0, PERIODS)
    assert steps_of_the_loop(session, PERIODS) == played


@pytest.mark.parametrize("bonus", [None, 0.4])
@pytest.mark.parametrize("advantage", [0.0, 0.15, 0.5])
def test_under_dynamic_prominence_the_environment_and_the_loop_play_the_same(advantage, bonus):
    events = [Prominence(1, bonus=bonus, advantage=advantage), DemandShock(40, 0.2)]
    tables = tables_of(Market([2.0, 2.2], [1.0, 1.1]), events, points=5, alpha=(0.2, 0.3))
    session = start_session(tables, 3, 1)
    learners = [Learner(session, firm) for firm in range(2)]
    core = PricingCore(tables.market, memory=0, grid=tables.grid, interventions=tables.interventions)
    core.reset(0)
    was, last = divmod(session.state, tables.joints)
    core.remember(np.arange(2)[None] == was, tables.prices(last)[None])
    played = []
    for _ in range(PERIODS):
        actions = [learner.act() for learner in learners]
        outcome = core.step([actions])
        joint = int(tables.joint(actions))
        for firm, learner in enumerate(learners):
            learner.learn(joint, float(outcome.profits[0, firm]))
        assert [learner.state // tables.joints for learner in learners] == [core.kept[0].argmax()] * 2
        played.append(joint)
    assert [state % tables.joints for state in steps_of_the_loop(session, PERIODS)] == played
    for firm, learner in enumerate(learners):
        np.testing.assert_allclose(session.values()[firm], learner.q, rtol=1e-12)
        np.testing.assert_array_equal(session.strategies()[firm], learner.greedy)


def test_limit_strategies_under_dynamic_prominence_earn_what_the_market_pays():
    rule = Prominence(1, advantage=0.1)
    quick = QLearning(points=5, beta=1e-3, window=3000)
    trained = train(None, quick, sessions=6, seed=2, interventions=[rule])
    tables = trained.tables
    assert trained.strategies.shape == (6, 2, 50)
    response = impulse_response(trained)
    for session, cycle in enumerate(trained.cycles):
        core = PricingCore(tables.market, memory=0, interventions=(rule,))
        was, last = divmod(int(cycle[0]), tables.joints)
        core.remember(np.arange(2)[None] == was, tables.prices(last)[None])
        earned, consumer = [], []
        for prices in trained.path_prices(session):
            earned.append(core.step(prices[None]).profits[0])
            consumer.append(core.welfare().consumer[0])
        np.testing.assert_allclose(trained.profits[session], np.mean(earned, axis=0))
        np.testing.assert_allclose(trained.path_welfare(session).consumer, consumer)
        # Whoever is shown is the only one that sells.
        assert np.all((np.array(earned) > 0).sum(axis=1) <= 1)
    assert response.starts.tolist() == (2 * trained.cycle_lengths).tolist()
    assert np.all(equilibrium_test(trained).best_reply_path <= equilibrium_test(trained).one_shot_path)


def test_welfare_on_a_path_counts_what_a_platform_hides():
    quick = QLearning(points=4, beta=1e-2, window=500)
    trained = train(None, quick, sessions=4, interventions=[Prominence(1)])
    alone = Market.symmetric(1)
    for session in range(4):
        cheapest = trained.path_prices(session).min(axis=1, keepdims=True)
        wanted = alone.consumer_surplus(cheapest)
        np.testing.assert_allclose(trained.path_welfare(session).consumer, wanted)
        np.testing.assert_allclose(trained.path_welfare(session).profit, alone.profits(cheapest)[:, 0])


@pytest.mark.parametrize(
    ("market", "events", "settings"),
    [
        (Market.symmetric(3), [Prominence(1, advantage=0.1)], {}),
        (None, [Prominence(1, advantage=0.1)], {"memory": 2}),
        (None, [Prominence(1, advantage=0.1)], {"updating": "synchronous"}),
        (None, [Prominence(2, advantage=0.1)], {}),
        (None, [Prominence(1, advantage=0.1, period=5)], {}),
        (None, [Prominence(1, advantage=0.1), Regulator(1.6, 0.1)], {}),
    ],
)
def test_what_does_not_go_with_dynamic_prominence_is_refused(market, events, settings):
    with pytest.raises(UsageError, match=r"prominence with an advantage"):
        train(market, QLearning(points=3, **settings), sessions=1, interventions=events)


differing = st.fixed_dictionaries(
    {
        "alpha": st.tuples(st.floats(0.05, 1), st.floats(0.05, 1)),
        "beta": st.tuples(st.floats(0, 0.05), st.floats(0, 0.05)),
        "discount": st.tuples(st.floats(0, 0.99), st.floats(0, 0.99)),
        "initial": st.sampled_from(["random rivals", "zero", 3.0]),
        "ties": st.sampled_from(["random", "lowest"]),
        "explored": st.sampled_from([0, 100]),
        "grid": st.sampled_from([None, [1.3, 1.5, 1.9], [[1.2, 1.5, 1.6], [1.3, 1.8, 2.4]]]),
    }
)


@settings(max_examples=25)
@given(differing, st.sampled_from(["together", "in turns"]), st.integers(0, 10**6))
def test_firms_that_differ_play_the_same_in_the_environment_and_in_the_loop(parameters, moves, seed):
    tables = tables_of(Market([2.0, 2.2], [1.0, 1.1]), [DemandShock(20, 0.2)], moves, **parameters)
    played, session = steps_of_the_environment(tables, seed, 0, 60)
    assert steps_of_the_loop(session, 60) == played


def in_turns_by_the_book(session, periods):
    """Klein's algorithm as written: at each move, first the value of the last one, then the price."""
    tables, learn = session.tables, session.tables.parameters
    n, m = tables.firms, tables.points
    alphas, discounts, betas = learn.rates(n).tolist()
    q = session.q.reshape(tables.rows, n, m).copy()
    greedy = session.greedy.reshape(tables.rows, n).astype(int)
    standing = tables.digits(session.counters[0]).tolist()
    key, width, earned, moves = int(session.key), 3 * n + 1, [], {}

    def row(firm):
        number = 0
        for other in range(n):
            if other != firm:
                number = number * m + standing[other]
        return number

    for period in range(periods):
        firm, place = period % n, period * width
        at = row(firm)
        if firm in moves:
            then, back, action = moves[firm]
            target = sum(discounts[firm] ** j * earned[then + j][firm] for j in range(n))
            target += discounts[firm] ** n * q[at, firm].max()
            q[back, firm, action] = (1 - alphas[firm]) * q[back, firm, action] + alphas[firm] * target
            best = np.flatnonzero(q[back, firm] == q[back, firm].max())
            if learn.ties == "lowest":
                greedy[back, firm] = best[0]
            elif greedy[back, firm] not in best:
                draw = stream_uniform(key, place + 1 + 2 * n + firm)
                greedy[back, firm] = best[int(draw * len(best)) if len(best) > 1 else 0]
        action = greedy[at, firm]
        if stream_uniform(key, place + 1 + firm) < math.exp(-betas[firm] * period):
            action = int(stream_uniform(key, place + 1 + n + firm) * m)
        standing[firm] = int(action)
        moves[firm] = period, at, standing[firm]
        earned.append(tables.market.profits(tables.grid[range(n), standing]).tolist())
    return q, greedy, standing


@pytest.mark.parametrize("ties", ["random", "lowest"])
@pytest.mark.parametrize("firms", [2, 3])
def test_the_loop_of_turns_is_the_algorithm(firms, ties):
    market = HomogeneousMarket(firms, cost=0.1)
    tables = tables_of(market, moves="in turns", alpha=0.3, initial="zero", ties=ties, points=5)
    fast = start_session(tables, 3, 1)
    q, greedy, standing = in_turns_by_the_book(fast, 3000)
    for piece in (1, 2, 997, 2000):
        fast.advance(piece)
    np.testing.assert_allclose(fast.q, q.ravel(), rtol=1e-12)
    np.testing.assert_array_equal(fast.greedy, greedy.ravel())
    assert tables.digits(fast.counters[0]).tolist() == standing


def test_limit_strategies_in_turns_are_followed_and_tested():
    learnt = QLearning(points=7, alpha=0.3, beta=1e-3, initial="zero", window=3000)
    trained = train(KLEIN, learnt, sessions=12, seed=4, moves="in turns")
    tables = trained.tables
    assert trained.strategies.shape == (12, 2, 2 * 49)
    for session in range(12):
        mover = trained.cycles[session] // tables.joints
        assert (np.diff(mover) % 2 == 1).all()  # firms take turns along the path
        prices = trained.path_prices(session)
        changed = np.diff(np.vstack([prices, prices[:1]]), axis=0) != 0
        following = (mover + 1) % 2
        assert not changed[np.arange(len(mover)), 1 - following].any()
    test = equilibrium_test(trained)
    assert np.all(test.one_shot_path | ~test.best_reply_path)
    response = impulse_response(trained, price=0, horizon=4)
    # A firm deviates where it moves, and its rival cannot answer before the period after.
    assert response.starts.tolist() == trained.cycle_lengths.tolist()
    assert np.all(response.rivals[:, 0] == 0)
    # Played on in the environment, a trained firm follows them.
    env = pettingzoo.make("aec", "ludens/bertrand_sequential-v0", periods=40).unwrapped
    env.reset(seed=2)
    policy = QLearningPolicy(learnt, seed=4, session=2)
    for _ in range(40):
        env.step(policy.decide(env.turn(env.agent_selection), np.random.default_rng(0)).action)
    joints = tables.joint(tables.nearest(env.prices))
    strategy, state = trained.joint_actions(2), int(joints[1])
    for period in range(2, 40):
        state = period % 2 * tables.joints + int(joints[period - 1])
        assert strategy[state] == joints[period]


def test_a_firm_that_enters_begins_to_explore_when_it_enters():
    tables = tables_of(Market.symmetric(), [Entrant(5001, 1)], beta=1e-2)
    session = start_session(tables, 1, 0)
    session.advance(5000)
    before = session.values()[1].copy()
    np.testing.assert_array_equal(before, tables.initial()[:, 1])
    assert session.counters[0] % 4 == 3  # a firm that is not there counts as charging its highest price
    actions = []
    for _ in range(60):
        session.advance(1)
        actions.append(int(session.counters[0]) % 4)
    assert len(set(actions)) == 4
    assert not np.array_equal(session.values()[1], before)


def test_a_session_converges_after_the_last_event():
    parameters = QLearning(points=4, beta=1e-2, window=500)
    events = [DemandShock(20_001, 0.5), Exit(40_001, 2)]
    trained = train(Market.symmetric(3), parameters, sessions=4, seed=1, interventions=events)
    assert trained.converged.all()
    assert trained.periods.min() >= 40_000
    # What is measured are the last phase's market and its firms: a duopoly under the new demand.
    market = Market.symmetric(2, quality=2.5)
    nash, joint = (market.profits(prices(market)).mean() for prices in (nash_prices, monopoly_prices))
    assert np.all(trained.profits[:, 2] == 0)
    np.testing.assert_allclose(trained.gains, (trained.profits[:, :2].mean(axis=1) - nash) / (joint - nash))
    shown = trained.path_prices(0)[:, :2]
    np.testing.assert_allclose(trained.profits[0, :2], market.profits(shown).mean(axis=0))


def test_fines_are_paid_out_of_profits_and_stand_outside_the_gain():
    rule = Regulator(threshold=1.4, fine=0.05, probability=0.5)
    quick = QLearning(points=4, beta=1e-2, window=500)
    fined = train(None, quick, sessions=6, interventions=[rule])
    gross = fined.profits + fined.fines
    market = Market.symmetric()
    for session in range(6):
        np.testing.assert_allclose(gross[session], market.profits(fined.path_prices(session)).mean(axis=0))
        above = (fined.path_prices(session) > 1.4).mean(axis=0)
        np.testing.assert_allclose(fined.fines[session], 0.025 * above)
    np.testing.assert_allclose(fined.gains, fined.tables.gain(gross))


def test_a_training_goes_on_from_its_tables():
    quick = QLearning(points=4, beta=1e-2, window=800)
    first = train(None, quick, sessions=5, keep_tables=True)
    still = QLearning(points=4, beta=1e-2, window=800, explored=10**6)
    again = train(None, still, sessions=5, start=first, keep_tables=True)
    # Without exploration, and with tables at rest on their path, nothing is learnt that changes the path.
    for session in range(5):
        assert set(again.cycles[session].tolist()) == set(first.cycles[session].tolist())
    given = np.random.default_rng(1).random((5, 2, 16, 4))
    own = train(
        None, QLearning(points=4, max_periods=1, alpha=1e-9), sessions=5, start=given, keep_tables=True
    )
    np.testing.assert_allclose(own.q, given, atol=1e-6)
    np.testing.assert_array_equal(own.strategies, given.argmax(axis=-1))


def test_firms_that_are_rematched_bring_their_own_tables():
    quick = QLearning(points=4, beta=1e-2, window=800)
    first = train(None, quick, sessions=5, keep_tables=True)
    frozen = QLearning(points=4, alpha=1e-12, explored=10**7, max_periods=10)
    met = train(None, frozen, sessions=5, start=first, rematch=2, keep_tables=True)
    np.testing.assert_array_equal(met.strategies[:, 0], first.strategies[:, 0])
    np.testing.assert_array_equal(met.strategies[:, 1], first.strategies[[2, 3, 4, 0, 1], 1])


def test_what_sessions_start_from_identifies_a_checkpoint(tmp_path):
    quick, file = QLearning(points=3, max_periods=50), tmp_path / "training.npz"
    values = np.ones((2, 2, 9, 3))
    train(None, quick, sessions=2, start=values, checkpoint=file)
    train(None, quick, sessions=2, start=values.copy(), checkpoint=file)
    for other in ({"start": 2 * values}, {}, {"start": values, "interventions": [Exit(9, 0)]}):
        with pytest.raises(UsageError, match="belongs to another training"):
            train(None, quick, sessions=2, checkpoint=file, **other)
    turns = tmp_path / "turns.npz"
    train(KLEIN, quick, sessions=2, moves="in turns", checkpoint=turns)
    with pytest.raises(UsageError, match="its moves differ"):
        train(KLEIN, quick, sessions=2, checkpoint=turns)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"start": np.ones((3, 2, 2))}, "must broadcast"),
        ({"start": np.full(4, np.nan)}, "finite"),
        ({"rematch": 1}, "give its sessions as start"),
        ({"rematch": 0.5}, "whole number"),
        ({"moves": "at random"}, "'together' or 'in turns'"),
        ({"moves": "in turns", "parameters": QLearning(memory=2, points=4)}, "memory=1"),
        ({"moves": "in turns", "parameters": QLearning(updating="synchronous")}, "updating='asynchronous'"),
        ({"moves": "in turns", "interventions": [Exit(3, 1)]}, "neither enter nor leave"),
        ({"interventions": [Exit(3, 4)]}, "firm that the market does not have"),
        ({"interventions": [Exit(3, 1)], "outside": (-0.1, 0.1)}, "OutsideOption"),
        ({"market": KLEIN, "outside": (-0.1, 0.1)}, "no outside good"),
        ({"parameters": QLearning(alpha=(0.1, 0.2, 0.3))}, "alpha has 3 values"),
        ({"parameters": QLearning(grid=[[1.0, 2.0]] * 3)}, "grid"),
    ],
)
def test_what_does_not_go_together_is_refused_in_a_sentence(wrong, message):
    with pytest.raises(UsageError, match=message):
        train(**({"parameters": QLearning(points=4, max_periods=10), "sessions": 2} | wrong))


def test_outcomes_of_chance_count_in_the_memory_that_tables_need():
    with pytest.raises(TableTooLargeError):
        learning_tables(
            Market.symmetric(4), QLearning(), interventions=[Prominence(2)], memory_limit=40_000_000
        )
    learning_tables(Market.symmetric(4), QLearning(), memory_limit=40_000_000)


@pytest.mark.parametrize(
    "grid", [[2.0, 1.0], [1.0, math.nan], "prices", [[[1.0, 2.0]]], [[1.0, 2.0], [2.0, 1.0]]]
)
def test_a_grid_that_is_none_is_refused(grid):
    with pytest.raises(UsageError, match="ascending"):
        QLearning(grid=grid)
