"""The compiled loop does what the published algorithm says, on the same random numbers."""

from __future__ import annotations

import math

import numpy as np
import pytest

from ludens.agents.qlearning import QLearning, core, learning_tables, train
from ludens.agents.qlearning.learner import Learner, stream_uniform
from ludens.agents.qlearning.session import Session, start_session
from ludens.agents.qlearning.tables import LearningTables
from ludens.envs.pricing import Market
from ludens.envs.pricing.theory.benchmarks import price_grid

SHORT = {"points": 4, "beta": 2e-3, "window": 300}


def by_the_book(session: Session, periods: int) -> tuple[np.ndarray, np.ndarray, int]:
    """The algorithm as it is written down: no cached maximum, no flat arrays, every search in full."""
    tables, learn = session.tables, session.tables.parameters
    alphas, discounts, betas = learn.rates(tables.firms).tolist()
    n, m, states = tables.firms, tables.points, tables.states
    q = session.q.reshape(states, n, m).copy()
    greedy = session.greedy.reshape(states, n).astype(int)
    state, key, width = session.state, int(session.key), 3 * n + 1
    epsilon = [1.0] * n
    for period in range(periods):
        place = period * width
        actions = []
        for i in range(n):
            action = greedy[state, i]
            if stream_uniform(key, place + 1 + i) < epsilon[i]:
                action = int(stream_uniform(key, place + 1 + n + i) * m)
            actions.append(action)
        joint = sum(action * m ** (n - 1 - i) for i, action in enumerate(actions))
        demand = int(stream_uniform(key, place) * len(tables.profits))
        following = (state * m**n + joint) % states
        targets = [tables.profits[demand, joint, i] + discounts[i] * q[following, i].max() for i in range(n)]
        for i, action in enumerate(actions):
            q[state, i, action] = (1 - alphas[i]) * q[state, i, action] + alphas[i] * targets[i]
            best = np.flatnonzero(q[state, i] == q[state, i].max())
            if learn.ties == "lowest":
                greedy[state, i] = best[0]
            elif greedy[state, i] not in best:
                draw = stream_uniform(key, place + 1 + 2 * n + i)
                greedy[state, i] = best[int(draw * len(best)) if len(best) > 1 else 0]
        state = following
        epsilon = [share * math.exp(-beta) for share, beta in zip(epsilon, betas, strict=True)]
    return q, greedy, state


def tables(market: Market | None = None, outside: tuple[float, ...] = (), **settings) -> LearningTables:
    return learning_tables(market or Market.symmetric(), QLearning(**(SHORT | settings)), outside)


def endless(*arguments, **settings) -> LearningTables:
    """Tables of learners whose sessions do not converge."""
    return tables(*arguments, **({"window": 10**6} | settings))


def coarse(**settings) -> LearningTables:
    """Profits of few values and no memory of older ones: actions tie all the time."""
    made = endless(alpha=1.0, discount=0.0, **settings)
    made.__dict__["profits"] = np.round(made.profits, 1)
    return made  # before its phases are made of these profits


CASES = {
    "two firms": endless(),
    "three firms": endless(Market.symmetric(3), points=3),
    "unequal costs": endless(Market([2.0, 2.0], [1.0, 0.6])),
    "memory 2": endless(points=3, memory=2),
    "memory 0": endless(memory=0),
    "lowest price on ties": endless(ties="lowest", initial="zero"),
    "random ties": endless(initial="zero"),
    "random ties, three firms": endless(Market.symmetric(3), points=3, initial=1.0),
    "two states of demand": endless(outside=(-0.2, 0.2)),
    "ties all the time, drawn": coarse(),
    "ties all the time, the lowest": coarse(ties="lowest"),
    "ties all the time, three firms": coarse(market=Market.symmetric(3), points=3),
    "ties all the time, three firms, the lowest": coarse(market=Market.symmetric(3), points=3, ties="lowest"),
    "no discounting": endless(discount=0.0, alpha=1.0),
    "firms that differ": endless(alpha=(0.1, 0.3), beta=(1e-3, 4e-3), discount=(0.95, 0.2)),
    "three firms of which one differs": endless(Market.symmetric(3), points=3, alpha=(0.1, 0.1, 0.5)),
    "prices of their own": endless(grid=[[1.2, 1.5, 1.9], [1.4, 1.6, 2.2]]),
}


@pytest.mark.parametrize("case", CASES)
def test_the_loop_is_the_algorithm(case):
    fast = start_session(CASES[case], seed=3, number=1)
    q, greedy, state = by_the_book(fast, 2000)
    fast.advance(2000)
    assert fast.periods == 2000
    np.testing.assert_array_equal(fast.q, q.ravel())
    np.testing.assert_array_equal(fast.greedy, greedy.ravel())
    np.testing.assert_array_equal(fast.best, q.max(axis=-1).ravel())
    assert fast.state == state


VARIANTS = {
    "Boltzmann": {"exploration": "boltzmann", "temperature": 2.0},
    "synchronous": {"updating": "synchronous"},
    "synchronous Boltzmann": {"exploration": "boltzmann", "updating": "synchronous", "temperature": 5.0},
    "synchronous, lowest": {"updating": "synchronous", "ties": "lowest", "initial": 0.0},
    "synchronous, random ties": {"updating": "synchronous", "initial": 0.0, "memory": 0},
    "published": {},
}


@pytest.mark.parametrize("firms", [2, 3])
@pytest.mark.parametrize("case", VARIANTS)
def test_every_variant_is_what_single_learners_do(case, firms):
    made = tables(Market.symmetric(firms), **({"points": 3, "window": 10**6} | VARIANTS[case]))
    fast = start_session(made, seed=5, number=0)
    alone = [Learner(fast, firm) for firm in range(firms)]
    for _ in range(1500):
        joint = int(made.joint([learner.act() for learner in alone]))
        for firm, learner in enumerate(alone):
            learner.learn(joint, float(made.expected[joint, firm]))
    fast.advance(1500)
    assert [learner.state for learner in alone] == [fast.state] * firms
    np.testing.assert_array_equal(fast.strategies(), [learner.greedy for learner in alone])
    # NumPy and the compiled loop may round an array's sum of products differently by a bit.
    np.testing.assert_allclose(fast.values(), [learner.q for learner in alone], rtol=1e-12)


def test_the_stream_is_splitmix64():
    # The first outputs of the reference implementation for the seed 1234567.
    outputs = [6457827717110365317, 3203168211198807973, 9817491932198370423, 4593380528125082431]
    drawn = [stream_uniform(1234567, place + 1) for place in range(4)]
    assert drawn == [(output >> 11) * 2.0**-53 for output in outputs]
    assert [core.uniform(np.uint64(1234567), np.uint64(place + 1)) for place in range(4)] == drawn


def test_pieces_are_the_whole():
    whole, pieces = (start_session(tables(window=10**6), 0, 0) for _ in range(2))
    whole.advance(core.BLOCK + 1000)
    for size in (1, 999, 64_000, 536, 500):
        pieces.advance(size)
    pieces.advance(core.BLOCK + 1000 - pieces.periods)
    np.testing.assert_array_equal(whole.q, pieces.q)
    np.testing.assert_array_equal(whole.counters, pieces.counters)


def test_the_written_out_loop_is_the_general_one():
    made = learning_tables(Market.symmetric(), QLearning(beta=4e-5))
    two, general = (start_session(made, 9, 4) for _ in range(2))
    two.advance(10**6)
    sizes, since = np.array([2, 15, 225, 1]), np.zeros(2, dtype=np.int64)
    rates = np.tile([[0.15], [0.95], [4e-5]], 2)
    done = core.learn(
        general.q, general.best, general.greedy, made.profits.ravel(), general.counters, general.key,
        sizes, rates, False, 100_000, 10**6, np.ones(1), since, np.ones(2, dtype=bool),
    )  # fmt: skip
    assert done == two.converged
    assert two.converged
    for name in ("q", "best", "greedy", "counters"):
        np.testing.assert_array_equal(getattr(two, name), getattr(general, name))


def test_a_session_ends_when_no_greedy_action_changed_for_the_window():
    made = tables(window=2000)
    session = start_session(made, 1, 0)
    session.advance(10**6)
    assert session.converged
    assert session.changed > 0
    assert session.periods - session.changed == 2000
    before = start_session(made, 1, 0)
    before.advance(session.changed - 1)
    assert not np.array_equal(before.greedy, session.greedy)
    before.advance(1)
    np.testing.assert_array_equal(before.greedy, session.greedy)
    capped = train(parameters=QLearning(**(SHORT | {"window": 10**6, "max_periods": 5000})), sessions=2)
    assert not capped.converged.any()


def test_first_values_are_the_discounted_profit_against_random_rivals():
    made = tables(Market([2.0, 2.1, 1.9], [1.0, 1.1, 0.9]), points=3)
    grid = price_grid(made.market, 3, 0.1)
    for firm in range(3):
        for action in range(3):
            total = 0.0
            for others in np.ndindex(3, 3):
                actions = list(others)
                actions.insert(firm, action)
                total += made.market.profits(grid[range(3), actions])[firm]
            expected = total / (0.05 * 9)
            np.testing.assert_allclose(made.initial()[:, firm, action], expected, rtol=1e-12)


def test_the_baseline_grid_and_random_play_are_the_published_ones():
    made = learning_tables(Market.symmetric(), QLearning())
    assert made.grid[0, 0] == pytest.approx(1.42773, abs=2e-5)
    assert made.grid[1, -1] == pytest.approx(1.97018, abs=2e-5)
    assert made.gain(made.expected).mean() == pytest.approx(0.497, abs=1e-3)


def test_few_sessions_of_the_baseline_look_like_the_paper():
    found = train(sessions=24, seed=11)
    assert found.converged.all()
    # Three standard errors of 24 sessions around the published mean and standard deviation.
    assert found.gains.mean() == pytest.approx(0.849, abs=3 * 0.112 / math.sqrt(24))
    assert 1.2e6 < np.median(found.periods) < 2.3e6
