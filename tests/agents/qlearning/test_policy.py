"""A Q-learner in a seat plays what the compiled loop plays, and keeps nothing that a resumed run lacks."""

from __future__ import annotations

import json
from types import SimpleNamespace

import numpy as np
import pettingzoo
import pytest

from ludens.agents import make_policy
from ludens.agents.qlearning import QLearning, QLearningPolicy, learning_tables, policy, train
from ludens.agents.qlearning.session import start_session
from ludens.envs import Option, Turn
from ludens.envs.pricing import Market
from ludens.envs.pricing.theory.benchmarks import price_grid
from ludens.errors import UsageError

FAST = {"points": 4, "beta": 5e-3, "window": 400}


def turn(market, firm, prices, profits, grid=None):
    """What a firm sees; with a grid, prices are options."""
    prices = np.asarray(prices, dtype=float).reshape(-1, market.products)
    options = () if grid is None else tuple(Option(place, f"{price:.6g}") for place, price in enumerate(grid))
    return Turn(
        environment="ludens/bertrand-v0",
        agent=f"firm_{firm}",
        role="firm",
        node="price",
        options=options,
        interval=None if options else (0.0, 10.0),
        observation={},
        game=SimpleNamespace(name="bertrand", roles=("firm",) * market.firms, parameters={}, protocol=None),
        facts={
            "market": market,
            "period": len(prices),
            "prices": prices,
            "own_profits": np.asarray(profits, dtype=float),
        },
    )


def play(market, policies, periods, rng=None):
    """All firms choose at once, period after period; returns prices and each firm's profits."""
    rng = np.random.default_rng(0) if rng is None else rng
    prices, profits = [], []
    for _ in range(periods):
        own = np.array(profits).reshape(-1, market.firms)
        chosen = [
            firm_policy.decide(turn(market, firm, prices, own[:, firm]), rng).action
            for firm, firm_policy in enumerate(policies)
        ]
        prices.append(chosen)
        profits.append(market.profits(chosen))
    return np.array(prices), np.array(profits)


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"memory": 2, "points": 3},
        {"ties": "lowest", "initial": "zero"},
        {"initial": 1.0},
        {"exploration": "boltzmann", "temperature": 1.0},
        {"updating": "synchronous", "initial": "zero"},
        {"memory": 0},
    ],
)
@pytest.mark.parametrize("firms", [2, 3])
def test_online_learners_play_what_the_loop_plays(firms, settings):
    market = Market.symmetric(firms)
    settings = FAST | settings | {"window": 10**6}
    learners = [QLearningPolicy(mode="online", draws="session", seed=7, session=3, **settings)] * firms
    prices, _ = play(market, learners, 250)
    tables = learning_tables(market, QLearning(**settings))
    session = start_session(tables, 7, 3)
    for played in prices:
        before = session.copy()
        session.advance(1)
        joint = int(tables.joint(tables.nearest(played)))
        np.testing.assert_allclose(tables.prices(joint), played)
        if tables.parameters.memory:
            assert session.state % tables.joints == joint
        else:
            # Without states to see it in: the cells of what was played are those that changed.
            for firm, action in enumerate(tables.digits(joint)):
                assert session.values()[firm, 0, action] != before.values()[firm, 0, action]


def test_a_policy_taken_up_in_the_middle_decides_as_the_one_that_played_from_the_start():
    market = Market.symmetric()
    learner = QLearningPolicy(mode="online", **FAST)
    prices, profits = play(market, [learner, learner], 120)
    for period in (0, 1, 57, 119):
        seen = turn(market, 0, prices[:period], profits[:period, 0])
        fresh = QLearningPolicy(mode="online", **FAST)
        for seed in range(5):
            decisions = [each.decide(seen, np.random.default_rng(seed)) for each in (learner, fresh)]
            assert decisions[0] == decisions[1]
    # Another past with the same last period is another history.
    other = prices[:57].copy()
    other[3] = prices[4]
    seen = turn(market, 0, other, profits[:57, 0])
    again = QLearningPolicy(mode="online", **FAST)
    learner.decide(turn(market, 0, prices[:57], profits[:57, 0]), np.random.default_rng(0))
    for seed in range(5):
        rngs = [np.random.default_rng(seed) for _ in range(2)]
        assert learner.decide(seen, rngs[0]) == again.decide(seen, rngs[1])


def test_online_learners_explore_by_their_episode_or_by_their_session():
    market = Market.symmetric()
    paths = {
        draws: [
            play(
                market,
                [QLearningPolicy(mode="online", draws=draws, **FAST)] * 2,
                30,
                np.random.default_rng(seed),
            )[0]
            for seed in (1, 1, 2)
        ]
        for draws in ("episode", "session")
    }
    np.testing.assert_array_equal(paths["episode"][0], paths["episode"][1])
    assert not np.array_equal(paths["episode"][0], paths["episode"][2])
    np.testing.assert_array_equal(paths["session"][0], paths["session"][2])


@pytest.mark.parametrize("memory", [1, 2])
def test_a_trained_firm_follows_its_limit_strategy(memory):
    market = Market([2.0, 2.0], [1.0, 0.8])
    settings = {"points": 4, "beta": 1e-3, "window": 2000, "memory": memory}
    trained = train(market, QLearning(**settings), sessions=3, seed=2)
    prices, _ = play(market, [QLearningPolicy(seed=2, session=2, **settings)] * 2, 25)
    state, expected = int(trained.states[2]), []
    for _ in range(25):
        joint = trained.joint_actions(2)[state]
        expected.append(trained.tables.prices(joint))
        state = trained.next_states(2)[state]
    np.testing.assert_allclose(prices, expected)
    cycle = trained.path_prices(2)
    assert prices[-1].tolist() in cycle.tolist()


def test_prices_off_the_grid_count_as_the_nearest_and_missing_ones_as_the_highest():
    tables = learning_tables(Market.symmetric(), QLearning(points=4))
    low, second, _, high = tables.grid[0]
    near = tables.nearest([[0.0, 1e308], [second + 1e-6, np.nan], [(low + second) / 2 - 1e-9, high - 1e-3]])
    assert near.tolist() == [[0, 3], [1, 3], [0, 3]]
    seen = [turn(Market.symmetric(), 0, [pair], [0.1]) for pair in ([low, np.nan], [low, high])]
    firm = QLearningPolicy(**FAST)
    assert firm.decide(seen[0], np.random.default_rng(0)) == firm.decide(seen[1], np.random.default_rng(0))


def test_options_are_taken_by_their_number():
    market = Market.symmetric()
    grid = price_grid(market, 15, 0.1)
    decision = QLearningPolicy().decide(turn(market, 1, [], [], grid), np.random.default_rng(0))
    limit = policy.limit_strategies(market, QLearning())
    assert decision.action == limit.strategies[1, limit.state]


@pytest.mark.parametrize("actions", ["grid", "continuous"])
@pytest.mark.parametrize("mode", ["trained", "online"])
def test_it_plays_in_the_environment(mode, actions):
    settings = FAST | {"mode": mode, "draws": "session", "points": 15}
    env = pettingzoo.make("parallel", "ludens/bertrand-v0", periods=60, actions=actions)
    learner = QLearningPolicy(**settings)
    env.reset(seed=1)
    played = []
    while env.agents:
        turns = {agent: env.unwrapped.turn(agent) for agent in env.agents}
        env.step(
            {agent: learner.decide(seen, np.random.default_rng(0)).action for agent, seen in turns.items()}
        )
        played.append(turns["firm_0"].facts["prices"])
    market = Market.symmetric()
    prices, _ = play(market, [QLearningPolicy(**settings)] * 2, 60)
    np.testing.assert_allclose(played[-1], prices[:-1], rtol=1e-6)


def test_trainings_are_kept_on_disk_only_if_asked(tmp_path, monkeypatch):
    market = Market.symmetric()
    settings = FAST | {"seed": 31}
    monkeypatch.chdir(tmp_path)
    plain = QLearningPolicy(**settings).decide(turn(market, 0, [], []), np.random.default_rng(0))
    assert not list(tmp_path.rglob("*"))
    kept = QLearningPolicy(cache=str(tmp_path / "cache"), **settings)
    assert kept.decide(turn(market, 0, [], []), np.random.default_rng(0)) == plain
    (file,) = (tmp_path / "cache").iterdir()
    written = file.stat().st_mtime_ns
    policy._trained.cache_clear()
    monkeypatch.setattr("ludens.agents.qlearning.training.start_session", None)  # nothing is played again
    assert kept.decide(turn(market, 0, [], []), np.random.default_rng(0)) == plain
    assert file.stat().st_mtime_ns == written


def test_a_description_makes_an_equal_firm():
    made = QLearningPolicy(mode="online", seed=3, alpha=0.2, memory=2, initial=[1.0] * 15)
    described = json.loads(json.dumps(made.describe()))
    again = make_policy(described, "bertrand")
    assert isinstance(again, QLearningPolicy)
    assert again.describe() == made.describe()
    assert make_policy("qlearning", "bertrand").describe() == QLearningPolicy().describe()
    assert make_policy("qlearning:seed=3,alpha=0.2", "bertrand").parameters == QLearning(alpha=0.2)


def test_settings_that_are_no_settings_are_named():
    for wrong in (
        {"mode": "greedy"},
        {"draws": "own"},
        {"seed": -1},
        {"session": 0.5},
        {"alpha": 2},
        {"gamma": 0.9},
    ):
        with pytest.raises(UsageError, match=next(iter(wrong))):
            QLearningPolicy(**wrong)
    with pytest.raises(UsageError, match="sets prices in a market"):
        QLearningPolicy().decide(
            Turn("ludens/trust-v0", "player_0", "first", "n", (), {}, SimpleNamespace()),
            np.random.default_rng(0),
        )
