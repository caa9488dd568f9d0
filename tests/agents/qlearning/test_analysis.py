"""What limit strategies are said to be, on strategies whose properties are known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ludens.agents.qlearning import (
    QLearning,
    Sessions,
    equilibrium_test,
    impulse_response,
    learning_tables,
    train,
    train_exp3,
)
from ludens.agents.qlearning.learner import stream_uniform
from ludens.agents.qlearning.values import action_values, best_reply_values, path_values
from ludens.envs.pricing import Market
from ludens.envs.pricing.theory.benchmarks import profit_gain
from ludens.errors import UsageError

HIGH = 12


def automata(rule, parameters=None, firms=2, start=(HIGH, HIGH)) -> Sessions:
    """Sessions of one automaton: the rule gives each firm's action after the last actions."""
    tables = learning_tables(Market.symmetric(firms), parameters or QLearning())
    last = tables.digits(np.arange(tables.states))
    strategies = np.array([[rule(firm, tuple(row)) for row in last.tolist()] for firm in range(firms)])
    one = np.ones(1, dtype=np.int64)
    state = np.array([int(tables.joint(start))])
    return Sessions(tables, 0, strategies[None].astype(np.uint16), state, one, one.astype(bool))


def static_nash(tables) -> int:
    """The action that is its own static best reply on the grid."""
    table = tables.expected[:, 0].reshape(tables.points, tables.points)
    return next(action for action in range(tables.points) if table[:, action].argmax() == action)


LOW = static_nash(learning_tables(Market.symmetric(), QLearning()))


def grim(firm, last):
    return HIGH if last == (HIGH, HIGH) else LOW


def forgiving(firm, last):
    return HIGH if last in ((HIGH, HIGH), (LOW, LOW)) else LOW


def copying(firm, last):
    return last[1 - firm]


def always(action):
    return lambda firm, last: action


def test_grim_trigger_is_an_equilibrium_of_the_patient_and_of_them_alone():
    patient = equilibrium_test(automata(grim))
    assert patient.nash.all()
    assert patient.one_shot_nash.all()
    assert patient.best_reply_all.all()
    assert patient.one_shot_all.all()
    assert patient.loss_path.max() == patient.loss_all.max() == patient.full_loss_path.max() == 0
    hasty = equilibrium_test(automata(grim, QLearning(discount=0.2)))
    assert not hasty.nash.any()
    assert not hasty.one_shot_nash.any()
    assert hasty.loss_path.min() > 0


def test_static_nash_for_ever_is_an_equilibrium_and_the_joint_price_for_ever_is_none():
    assert equilibrium_test(automata(always(LOW), start=(LOW, LOW))).best_reply_all.all()
    pushover = automata(always(HIGH))
    test = equilibrium_test(pushover)
    assert not test.one_shot_path.any()
    assert not test.best_reply_path.any()
    # A deviation of one period gains once, one for ever gains each period: 1/(1−δ) times as much.
    market = pushover.tables.expected[:, 0].reshape(15, 15)
    kept, most = market[HIGH, HIGH], market[:, HIGH].max()
    once = (most - kept) / (most + 0.95 * kept / 0.05)
    np.testing.assert_allclose(test.loss_path, once)
    np.testing.assert_allclose(test.full_loss_path, 1 - kept / most)


def test_a_one_shot_test_is_passed_by_strategies_that_a_full_best_reply_beats():
    # Both charge HIGH whatever happened, but for LOW for ever once either has been LOW. The rival forgives a
    # price of 11 and does not notice it; the strategy itself goes to LOW after 11, so that a firm which keeps
    # to its own strategy afterwards loses by trying 11, and one which may go on with 11 gains.
    def rule(firm, last):
        own, other = last[firm], last[1 - firm]
        return HIGH if own == HIGH and other >= HIGH - 1 else LOW

    test = equilibrium_test(automata(rule))
    assert test.one_shot_nash.all()
    assert not test.nash.any()


random_play = st.builds(
    lambda seed, firms, discount: automata(
        lambda firm, last: int(np.random.default_rng([seed, firm, *last]).integers(3)),
        QLearning(points=3, discount=discount),
        firms,
        (0,) * firms,
    ),
    st.integers(0, 10**6), st.integers(2, 3), st.floats(0, 0.95),
)  # fmt: skip


@settings(max_examples=30)
@given(random_play)
def test_values_are_those_of_playing_on(sessions):
    tables, firm = sessions.tables, 1
    joint, following = sessions.joint_actions(0), sessions.next_states(0)
    discount = tables.parameters.discount
    walked = np.zeros(tables.states)
    for _ in range(700):
        walked = tables.expected[joint, firm] + discount * walked[following]
    np.testing.assert_allclose(path_values(tables.expected[joint, firm], following, discount), walked)
    worth = action_values(sessions, 0, firm)
    for state in range(0, tables.states, 5):
        for action in range(3):
            actions = sessions.strategies[0, :, state].astype(int)
            actions[firm] = action
            met = int(tables.joint(actions))
            after = walked[int(tables.next_state(state, met))]
            np.testing.assert_allclose(worth[state, action], tables.expected[met, firm] + discount * after)


@settings(max_examples=15)
@given(random_play)
def test_the_best_reply_is_that_of_value_iteration(sessions):
    for firm in range(sessions.tables.firms):
        value = np.zeros(sessions.tables.states)
        for _ in range(700):
            value = action_values(sessions, 0, firm, value).max(axis=1)
        np.testing.assert_allclose(best_reply_values(sessions, 0, firm), value)


@settings(max_examples=40)
@given(random_play)
def test_in_all_states_both_tests_are_one(sessions):
    # The principle of one-shot deviations: it holds in all states together, not on the path alone.
    test = equilibrium_test(sessions)
    np.testing.assert_array_equal(test.one_shot_all, test.best_reply_all)
    assert np.all(test.one_shot_path | ~test.best_reply_path)


def test_cycles_and_gains_are_those_of_the_path():
    flat = automata(always(HIGH))
    assert flat.cycle_lengths.tolist() == [1]
    assert flat.symmetric.all()
    price = flat.tables.grid[0, HIGH]
    assert flat.gains[0] == pytest.approx(float(profit_gain(flat.tables.market, [price, price])))
    turns = automata(copying, start=(3, 9))
    assert turns.cycle_lengths.tolist() == [2]
    assert not turns.symmetric.any()
    grid = turns.tables.grid[0]
    assert sorted(turns.path_prices(0).tolist()) == sorted([[grid[3], grid[9]], [grid[9], grid[3]]])
    np.testing.assert_allclose(
        turns.profits[0], turns.tables.market.profits(turns.path_prices(0)).mean(axis=0)
    )


def test_after_a_deviation_the_grim_never_forgive():
    sessions = automata(grim)
    response = impulse_response(sessions, horizon=6)
    grid = sessions.tables.grid[0]
    table = sessions.tables.expected[:, 0].reshape(15, 15)
    cut = grid[table[:, HIGH].argmax()] / grid[HIGH] - 1
    punished = grid[LOW] / grid[HIGH] - 1
    np.testing.assert_allclose(response.deviator, [[cut] + [punished] * 5])
    np.testing.assert_allclose(response.rivals, [[0] + [punished] * 5])
    assert response.unprofitable.tolist() == [1]
    assert response.returned.tolist() == [0]
    assert np.isnan(response.periods).all()
    hasty = impulse_response(automata(grim, QLearning(discount=0.2)))
    assert hasty.unprofitable.tolist() == [0]
    assert hasty.gain[0] > 0


def test_the_forgiving_are_back_after_one_period_of_punishment():
    sessions = automata(forgiving)
    response = impulse_response(sessions, horizon=5)
    punished = sessions.tables.grid[0, LOW] / sessions.tables.grid[0, HIGH] - 1
    np.testing.assert_allclose(response.rivals, [[0, punished, 0, 0, 0]], atol=1e-15)
    assert response.periods.tolist() == [2]  # one of punishment, one that both see behind them
    assert response.returned.tolist() == [1]
    table = sessions.tables.expected[:, 0].reshape(15, 15)
    gain = table[:, HIGH].max() + 0.95 * table[LOW, LOW] - 1.95 * table[HIGH, HIGH]
    assert response.gain[0] == pytest.approx(gain * 0.05 / table[HIGH, HIGH])


def test_a_longer_deviation_answers_anew_in_each_period():
    sessions = automata(grim)
    response = impulse_response(sessions, forced=3, horizon=5)
    grid, table = sessions.tables.grid[0], sessions.tables.expected[:, 0].reshape(15, 15)
    first, then = grid[table[:, HIGH].argmax()] / grid[HIGH] - 1, grid[LOW] / grid[HIGH] - 1
    np.testing.assert_allclose(response.deviator, [[first, then, then, then, then]])
    told = impulse_response(sessions, forced=2, price=0, horizon=3)
    np.testing.assert_allclose(told.deviator[0, :2], grid[0] / grid[HIGH] - 1)


def test_deviations_start_from_each_state_of_a_cycle():
    sessions = automata(copying, start=(LOW, HIGH))
    response = impulse_response(sessions, price=14, horizon=4)
    grid = sessions.tables.grid[0]
    up, down = grid[14] / grid[LOW] - 1, grid[14] / grid[HIGH] - 1
    # Forced to the top, a firm's price comes back to it from its rival every other period.
    mean = (up + down) / 2
    np.testing.assert_allclose(response.deviator, [[mean, 0, mean, 0]], atol=1e-15)
    np.testing.assert_allclose(response.rivals, [[0, mean, 0, mean]], atol=1e-15)
    assert response.returned.tolist() == [0]


def test_no_deviation_is_no_answer():
    sessions = automata(always(LOW), start=(LOW, LOW))
    response = impulse_response(sessions)
    assert np.isnan(response.unprofitable).all()
    assert np.isnan(response.means()["gain"])
    for wrong in ({"forced": 0}, {"horizon": 0}, {"price": 15}, {"among": np.zeros(1, bool)}):
        with pytest.raises(UsageError):
            impulse_response(sessions, **wrong)


def test_learners_without_memory_do_not_respond():
    trained = train(None, QLearning(memory=0, window=100, beta=0.01), sessions=3)
    response = impulse_response(trained, price=0, horizon=4)
    assert np.all(response.deviator[:, 1:] == 0)
    assert np.all(response.rivals == 0)
    test = equilibrium_test(trained)
    assert test.nash.tolist() == test.one_shot_nash.tolist()
    # With a single state, all that matters is the profit of one period.
    joint = trained.joint_actions(0)[0]
    digits = trained.tables.digits(joint)
    own = trained.tables.expected[:, 0].reshape(15, 15)[:, digits[1]]
    assert test.one_shot_path[0, 0] == (digits[0] == own.argmax())
    assert set(response.returned[~np.isnan(response.returned)]) <= {1.0}
    assert set(response.periods[~np.isnan(response.periods)]) <= {0.0}


def test_means_of_responses_count_each_deviation_once():
    # One session repeats one price and one copies: the second has twice as many starting points.
    one, two = automata(always(LOW), start=(LOW, LOW)), automata(copying, start=(LOW, HIGH))
    both = Sessions(
        one.tables, 0, *(np.concatenate([getattr(each, name) for each in (one, two)])
                         for name in ("strategies", "states", "periods", "converged")),
    )  # fmt: skip
    response = impulse_response(both, price=14, horizon=3)
    assert response.starts.tolist() == [2, 4]
    means = response.means()
    apart = [impulse_response(each, price=14, horizon=3).means() for each in (one, two)]
    for name in ("deviator", "rivals", "unprofitable", "gain", "returned", "deviations"):
        np.testing.assert_allclose(means[name], (2 * apart[0][name] + 4 * apart[1][name]) / 6)
    # Copying never returns: only the two deviations of the first session do.
    assert means["periods"] == apart[0]["periods"]
    first, share, back = response.as_published()
    assert first == means["rivals"][1]
    assert share == means["unprofitable"]
    assert back == means["periods"] + 1


def test_a_forced_price_that_is_the_own_price_counts_as_a_deviation_that_pays():
    response = impulse_response(automata(always(LOW), start=(LOW, LOW)))
    assert response.deviations.tolist() == [0]
    assert response.as_published()[1] == 0


@pytest.mark.parametrize("memory", [0, 1, 2])
@pytest.mark.parametrize("initial", [2.0, [1.0, 2.0, 3.0], "of every firm and state"])
def test_initial_values_of_any_shape_are_learnt_on(memory, initial):
    parameters = QLearning(points=3, memory=memory, beta=0.01, window=50, max_periods=3000)
    if isinstance(initial, str):
        initial = np.random.default_rng(1).random((2, parameters.states(2), 3))
    before = np.array(initial)
    trained = train(None, QLearning(**(parameters.key() | {"initial": initial})), sessions=2)
    assert len(trained) == 2
    np.testing.assert_array_equal(before, initial)


def test_exp3_is_the_algorithm():
    mix, periods, m = 0.2, 400, 4
    found = train_exp3(points=m, mix=mix, periods=periods, sessions=2, seed=8, workers=2)
    tables = found.tables
    low, high = tables.expected.min(axis=0), tables.expected.max(axis=0)
    for session in range(2):
        key = int(np.random.SeedSequence(8, spawn_key=(session,)).generate_state(1, np.uint64)[0])
        weights = np.ones((2, m))
        late = []
        for period in range(periods):
            chances = (1 - mix) * weights / weights.sum(axis=1, keepdims=True) + mix / m
            draws = [stream_uniform(key, 2 * period + firm) for firm in range(2)]
            actions = [
                int(np.searchsorted(chances[firm].cumsum(), draws[firm], "right")) for firm in range(2)
            ]
            earned = tables.expected[actions[0] * m + actions[1]]
            for firm in range(2):
                scaled = (earned[firm] - low[firm]) / (high[firm] - low[firm])
                weights[firm, actions[firm]] *= np.exp(mix * scaled / chances[firm, actions[firm]] / m)
            if period >= periods - periods // 10:
                late.append(earned)
        last = (1 - mix) * weights / weights.sum(axis=1, keepdims=True) + mix / m
        np.testing.assert_allclose(found.probabilities[session], last, rtol=1e-9)
        np.testing.assert_allclose(found.profits[session], np.mean(late, axis=0))
    assert found.gains.shape == (2,)


def test_exp3_without_states_stays_near_nash():
    assert train_exp3(periods=100_000, sessions=2).gains.mean() < 0.3
    for wrong in ({"periods": 5}, {"sessions": 0}, {"mix": 0.0}, {"mix": 1.5}, {"workers": 0}):
        with pytest.raises(UsageError):
            train_exp3(**wrong)
