"""Many episodes stepped together are as many environments stepped one by one."""

from __future__ import annotations

from unittest import mock

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import data_equivalence
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from hypothesis import given, settings
from hypothesis import strategies as st

from ludens.agents import Decision, Policy, RandomPolicy, against, against_many
from ludens.agents.batch import BatchEnv
from ludens.agents.tree import batch as tree_batch
from ludens.agents.tree.batch import TreeBatch
from ludens.envs import SequentialEnv, expected_payoff, uniform_strategy
from ludens.envs.pricing import Market
from ludens.envs.pricing.simulator import PricingCore
from ludens.errors import UsageError
from ludens.testing import games

MODES = [mode.value for mode in AutoresetMode]
FIXED = {"roles": "fixed"}
SHOCK = {"kind": "DemandShock", "period": 3, "until": 5, "qualities": 0.5}
FINE = {"kind": "Regulator", "threshold": 1.6, "fine": 0.05}
# firm_2 enters, firm_3 leaves.
MOVES = {
    "periods": 8,
    "firms": 4,
    "points": 3,
    "interventions": [
        {"kind": "Entrant", "period": 4, "firm": 2},
        {"kind": "Exit", "period": 6, "firm": 3},
        SHOCK,
        {**FINE, "measure": "average"},
    ],
}
LAW = {"mandate": True, "period": 2, "until": 4, "subsidy": 0.1}
PEOPLE = {"rounds": 6, "people": 4, "economies": 0.3, "regulation": LAW}
# Nothing is drawn in these, so that every episode is that of one environment.
SURE = [
    ("trust", "always_cooperate", None, {**FIXED, "rounds": 4}),
    ("trust", "tit_for_tat", None, {**FIXED, "rounds": 4, "memory": 2}),
    ("trust", "tit_for_tat", None, {**FIXED, "rounds": 4, "memory": 0, "observation": "rllib"}),
    ("trust", "always_defect", "player_1", {**FIXED, "rounds": 3}),
    ("trust", "always_defect", "player_1", FIXED),
    ("trust", "homo_moralis:0.5", None, {**FIXED, "rounds": 3, "method": "strategy", "protocol": "TG3"}),
    ("trust", "always_cooperate", "player_1", {**FIXED, "rounds": 3, "method": "strategy"}),
    ("sequential_prisoners_dilemma", "grim", None, {**FIXED, "rounds": 5, "observation": "dict"}),
    ("bertrand", "matching", None, {"periods": 7}),
    ("bertrand", "matching", None, {"periods": 4, "memory": 0}),
    ("bertrand", "grim", "firm_1", {"periods": 7, "firms": 3, "memory": 2, "points": 5}),
    ("bertrand", ["myopic", "matching"], None, {"periods": 5, "firms": 3, "points": 4}),
    ("bertrand", "myopic", None, {"periods": 7, "observation": "dict"}),
    ("bertrand", "nash", None, {"periods": 5, "actions": "continuous"}),
    ("bertrand", "qlearning:points=5,memory=2,beta=0.05", None, {"periods": 5, "points": 5}),
    ("bertrand", "nash", None, {"periods": 6, "interventions": [{"kind": "CheapTalk"}, SHOCK]}),
    ("bertrand", ["myopic", "matching", "grim"], "firm_1", {**MOVES, "observation": "dict"}),
    ("bertrand", ["grim", "myopic", "matching"], "firm_2", MOVES),
    ("bertrand", ["matching", "grim", "myopic"], "firm_3", {**MOVES, "memory": 3}),
    ("bertrand", "nash", "firm_2", {**MOVES, "periods": 3}),
    ("bertrand", "myopic", "firm_0", {"interventions": [FINE | {"probability": 1.0}], "periods": 6}),
    ("bertrand", "nash", None, {"actions": "continuous", "interventions": [FINE, SHOCK], "periods": 6}),
    ("av_adoption", "always:utilitarian", None, {"rounds": 5, "people": 4}),
    ("av_adoption", "homo_moralis:0.5", "owner_2", {**PEOPLE, "memory": 2, "observation": "dict"}),
    ("av_adoption", "oracle:kappa=0.3,expected=1", None, {**PEOPLE, "memory": 0, "observation": "rllib"}),
    ("av_adoption", ["homo_economicus", "always:utilitarian", "utilitarian"], "owner_1", PEOPLE),
]


def drawn(env, rng, returned):
    """Legal actions of all episodes, after what `reset` or `step` returned."""
    space, (observed, *_, infos) = env.single_action_space, returned
    if hasattr(space, "low"):
        return rng.uniform(space.low, space.high, (env.num_envs, *space.shape)).astype(np.float32)
    masks = infos.get("action_mask", observed.get("action_mask") if isinstance(observed, dict) else None)
    if masks is not None:
        return np.array([rng.choice(np.flatnonzero(mask)) for mask in masks])
    return rng.integers(space.n, size=env.num_envs)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(("environment", "policies", "seat", "options"), SURE)
def test_where_nothing_is_drawn_episodes_are_those_of_single_environments(
    environment, policies, seat, options, mode
):
    count = 4
    batch = against_many(environment, policies, seat, count, autoreset_mode=mode, **options)
    assert isinstance(batch, BatchEnv)
    single = [lambda: against(environment, policies, seat, **options)] * count
    sync = SyncVectorEnv(single, autoreset_mode=mode)
    assert batch.observation_space == sync.observation_space
    assert batch.action_space == sync.action_space
    assert batch.metadata["autoreset_mode"] == sync.metadata["autoreset_mode"]
    rng = np.random.default_rng(0)
    returned = batch.reset(seed=1)
    assert data_equivalence(returned, sync.reset(seed=1))
    for _ in range(20):
        actions = drawn(batch, rng, returned)
        returned = batch.step(actions)
        assert data_equivalence(returned, sync.step(actions))
        if mode == "Disabled" and (returned[2] | returned[3]).all():
            returned = batch.reset()
            assert data_equivalence(returned, sync.reset())
        elif mode == "Disabled" and (returned[2] | returned[3]).any():
            over = returned[2] | returned[3]
            returned = batch.reset(options={"reset_mask": over})
            sync.reset(options={"reset_mask": over})


DRAWN = [
    ("bertrand_sequential", "myopic", None, {"periods": 6, "market": Market.symmetric(2)}),
    ("bertrand_sequential", "matching", "firm_1", {"periods": 7, "memory": 2, "observation": "dict"}),
    ("bertrand_sequential", ["grim", "myopic"], "firm_2", {"periods": 7, "market": Market.symmetric(3)}),
    ("bertrand_sequential", "grim", "firm_2", {"periods": 2, "firms": 3, "points": 4}),
    ("bertrand_sequential", "nash", "firm_1", {"periods": 5, "actions": "continuous"}),
    (
        "bertrand_sequential",
        "grim",
        None,
        {"periods": 7, "interventions": [FINE | {"probability": 0.5}, SHOCK]},
    ),
    ("bertrand", "grim", None, {"periods": 7, "interventions": [FINE | {"probability": 0.5}, SHOCK]}),
    ("bertrand", "matching", None, {"interventions": [{"kind": "Prominence"}], "periods": 6, "points": 3}),
    (
        *("bertrand", "matching", None),
        {"interventions": [{"kind": "Prominence", "advantage": 0.1}], "periods": 6, "points": 3},
    ),
    (
        *("bertrand", "myopic", "firm_2"),
        {
            **MOVES,
            "interventions": [*MOVES["interventions"], {"kind": "OutsideOption", "values": [-0.1, 0.1]}],
        },
    ),
]


@pytest.mark.parametrize(("environment", "policies", "seat", "options"), DRAWN)
def test_with_the_same_draws_episodes_are_those_of_single_environments(environment, policies, seat, options):
    agree(environment, policies, seat, options)


RULES = st.sampled_from(["nash", "monopoly", "myopic", "matching", "grim", "homo_moralis:0.5", "fixed:1.5"])
SHARES = st.floats(0, 1)


SHOCKS = st.fixed_dictionaries(
    {
        "kind": st.just("DemandShock"),
        "period": st.integers(1, 4),
        "until": st.none() | st.integers(5, 7),
        "qualities": st.floats(-0.5, 0.5),
    }
)
REGULATORS = st.fixed_dictionaries(
    {
        "kind": st.just("Regulator"),
        "threshold": st.floats(1.3, 2),
        "fine": st.just(0.05),
        "probability": SHARES,
        "measure": st.sampled_from(["own", "average"]),
        "period": st.integers(1, 5),
    }
)
OUTSIDE = st.fixed_dictionaries(
    {"kind": st.just("OutsideOption"), "values": st.just([-0.2, 0.2]), "probability": SHARES}
)
PROMINENCE = st.fixed_dictionaries(
    {
        "kind": st.just("Prominence"),
        "shown": st.integers(1, 2),
        "bonus": st.none() | st.floats(0, 1),
        "advantage": st.none() | st.floats(0, 1),
    }
)


@st.composite
def markets(draw):
    """An environment, policies, a seat, and options with any interventions; firm_0 stays throughout."""
    firms, in_turns = draw(st.integers(2, 3)), draw(st.booleans())
    events = draw(st.lists(SHOCKS | REGULATORS, max_size=3))
    for once in (OUTSIDE, PROMINENCE):
        events += draw(st.lists(once, max_size=1))
    options = {
        "market": Market.symmetric(firms),
        "points": draw(st.integers(2, 4)),
        "memory": draw(st.integers(1, 3)),
        "periods": draw(st.integers(1, 7)),
        "interventions": events,
    }
    policies = draw(st.lists(RULES, min_size=firms - 1, max_size=firms - 1))
    seats = list(range(firms))
    if not in_turns and draw(st.booleans()):
        entry = draw(st.integers(2, 6))
        events.append({"kind": "Entrant", "period": entry, "firm": 1})
        if entry > options["periods"] + 1:
            seats.remove(1)
    if not in_turns and firms == 3 and draw(st.booleans()):
        events.append({"kind": "Exit", "period": draw(st.integers(2, 6)), "firm": 2})
    name = "bertrand_sequential" if in_turns else "bertrand"
    return name, policies, f"firm_{draw(st.sampled_from(seats))}", options


@settings(max_examples=50, deadline=None)
@given(markets())
def test_any_market_has_the_episodes_of_single_environments(drawn_market):
    agree(*drawn_market)


def agree(environment, policies, seat, options):
    """Compare a batch with single environments, step by step, with the same draws.

    Each core draws from the seed that is chosen for it, and each market opens with the same prices.
    """
    count = 3
    batch = against_many(environment, policies, seat, count, autoreset_mode="Disabled", **options)
    assert isinstance(batch, BatchEnv)
    singles = [against(environment, policies, seat, **options) for _ in range(count)]
    draw = PricingCore.reset
    rng = np.random.default_rng(0)
    for episode in range(2):
        number, opening = iter(range(count)), rng.random((count, batch.core.market.products))

        def reset(core, seeds, episode=episode, number=number):
            places = range(count) if core is batch.core else [next(number)]
            draw(core, [np.random.SeedSequence([episode, place]) for place in places])

        with mock.patch.object(PricingCore, "reset", reset):
            batch._np_random = Chosen(opening)
            for single, prices in zip(singles, opening, strict=True):
                single.env._rng = Chosen(prices[None])
            observed, infos = batch.reset()
            same(observed, infos, [single.reset() for single in singles])
        over = np.zeros(count, dtype=bool)
        while not over.any():
            actions = drawn(batch, rng, (observed, infos))
            observed, rewards, terminated, truncated, infos = batch.step(actions)
            stepped = [single.step(action) for single, action in zip(singles, actions, strict=True)]
            same(observed, infos, [(each[0], each[4]) for each in stepped])
            assert rewards == pytest.approx([each[1] for each in stepped], abs=1e-12)
            assert terminated.tolist() == [each[2] for each in stepped]
            assert truncated.tolist() == [each[3] for each in stepped]
            over = terminated | truncated
        assert over.all()


class Chosen:
    """A generator whose numbers are chosen."""

    def __init__(self, shares):
        self.shares = shares

    def random(self, shape):
        assert shape == self.shares.shape
        return self.shares

    def integers(self, high, size=None):
        return 0 if size is None else (self.random(size) * high).astype(int)


def same(observed, infos, singles):
    """Compare the observations and infos of a batch with those of single environments."""
    for place, (alone, info) in enumerate(singles):
        mine = (
            {name: part[place] for name, part in observed.items()}
            if isinstance(observed, dict)
            else observed[place]
        )
        assert data_equivalence(mine, alone)
        for name, value in info.items():
            np.testing.assert_allclose(infos[name][place], value, atol=1e-12)


def returns(batch, episodes_at_least, rng):
    """The returns of whole episodes with actions drawn uniformly from the legal ones."""
    _, infos = batch.reset(seed=0)
    totals, done = np.zeros(batch.num_envs), []
    while len(done) < episodes_at_least:
        masks = infos["action_mask"]
        actions = np.argmax(np.where(masks == 1, rng.random(masks.shape), -1.0), axis=1)
        _, rewards, terminated, truncated, infos = batch.step(actions)
        totals += rewards
        over = terminated | truncated
        done.extend(totals[over].tolist())
        totals[over] = 0.0
    return np.array(done)


@settings(max_examples=25, deadline=None)
@given(
    game=games(), roles=st.sampled_from(["random", "fixed"]), method=st.sampled_from(["direct", "strategy"])
)
def test_any_game_pays_on_average_what_the_strategies_earn(game, roles, method):
    env = SequentialEnv(game, roles=roles, method=method, rounds=2, observation="box")
    batch = TreeBatch(
        env, "player_0", {seat: RandomPolicy() for seat in env.possible_agents[1:]}, 500, "SameStep"
    )
    uniform = uniform_strategy(game)
    role = game.roles[0] if roles == "fixed" else None
    expected = 2 * float(expected_payoff(game, uniform, uniform, role))
    paid = returns(batch, 5000, np.random.default_rng(1))
    # Five standard errors; those whose payoffs never vary are exact.
    assert abs(paid.mean() - expected) <= 5 * paid.std() / np.sqrt(len(paid)) + 1e-9 * (1 + abs(expected))


@pytest.mark.parametrize(
    ("environment", "policy", "options"),
    [
        ("trust", "homo_moralis:0.5", {"rounds": 3}),
        ("trust", "tit_for_tat", {"rounds": 3, "method": "strategy"}),
        ("sequential_prisoners_dilemma", "random", {"rounds": 2, "memory": 2}),
        ("bertrand", "random", {"periods": 4, "points": 3}),
        ("bertrand_sequential", "random", {"periods": 4, "points": 3}),
        ("av_adoption", "quantal:noise=1,kappa=0.5", {"rounds": 4, "people": 4, "payoffs": "realised"}),
        ("av_adoption", ["random", "homo_economicus", "random"], PEOPLE),
        ("bertrand", "random", {"periods": 4, "points": 3, "interventions": [FINE | {"probability": 0.5}]}),
    ],
)
def test_where_something_is_drawn_episodes_have_the_same_distribution(environment, policy, options):
    batch = against_many(environment, policy, number=2000, autoreset_mode="SameStep", **options)
    assert isinstance(batch, BatchEnv)
    together = returns(batch, 4000, np.random.default_rng(0))
    env, rng, alone = against(environment, policy, **options), np.random.default_rng(1), []
    for seed in range(400):
        _, info = env.reset(seed=seed)
        total, over = 0.0, False
        while not over:
            action = int(rng.choice(np.flatnonzero(info["action_mask"])))
            _, reward, terminated, truncated, info = env.step(action)
            total, over = total + reward, terminated or truncated
        alone.append(total)
    alone = np.array(alone)
    error = np.sqrt(together.var() / len(together) + alone.var() / len(alone))
    assert abs(together.mean() - alone.mean()) < 5 * error
    assert together.std() == pytest.approx(alone.std(), rel=0.25)


def test_the_same_seed_gives_the_same_episodes():
    played = []
    for _ in range(2):
        batch = against_many("trust", "random", number=50, rounds=5)
        rng, seen = np.random.default_rng(0), [batch.reset(seed=3)]
        for _ in range(20):
            seen.append(batch.step(drawn(batch, rng, seen[-1])))
        played.append(seen)
    assert data_equivalence(played[0], played[1])
    assert not data_equivalence(
        played[0][0], against_many("trust", "random", number=50, rounds=5).reset(seed=4)
    )


def test_states_that_are_forgotten_are_worked_out_anew(monkeypatch):
    options = {"rounds": 6, "memory": 6, **FIXED}

    def played():
        batch = against_many("sequential_prisoners_dilemma", "tit_for_tat", number=8, **options)
        rng, seen = np.random.default_rng(0), [batch.reset(seed=3)]
        for _ in range(40):
            seen.append(batch.step(drawn(batch, rng, seen[-1])))
        return seen

    expected = played()
    monkeypatch.setattr(tree_batch, "MOST_STATES", 3)
    assert data_equivalence(played(), expected)


class Coin(Policy):
    """It draws, and does not say with what probability."""

    name = "coin"

    def decide(self, turn, rng):
        return Decision(int(rng.integers(len(turn.options))))


@pytest.mark.parametrize(
    ("environment", "policies", "options"),
    [
        ("trust", Coin(), {}),
        ("bertrand", Coin(), {}),
        ("bertrand", "matching", {"actions": "continuous"}),
        ("bertrand_sequential", "matching", {"actions": "continuous"}),
        ("bertrand", "qlearning:mode=online", {"points": 15}),
        ("av_adoption", Coin(), {"people": 3}),
        ("av_dilemma", "random", {"study": 1}),
    ],
)
def test_other_policies_and_environments_are_stepped_one_by_one(environment, policies, options):
    many = against_many(environment, policies, number=3, autoreset_mode="SameStep", **options)
    assert isinstance(many, SyncVectorEnv)
    many.reset(seed=0)
    assert many.autoreset_mode is AutoresetMode.SAME_STEP


def test_gymnasium_makes_it_by_name():
    made = gymnasium.make_vec(
        "ludens.agents:ludens/Against-v0", num_envs=5, env="trust", policies="tit_for_tat", rounds=3
    )
    assert isinstance(made, TreeBatch)
    assert made.num_envs == 5
    assert made.reset(seed=0)[0].shape == (5, *made.single_observation_space.shape)


@pytest.mark.parametrize(
    ("actions", "said"),
    [
        ([0, 0], "shape"),
        ([0, 0, 0.5], "whole numbers"),
        ([0, 2, 0], "2 is not a legal action of player_0 in episode 1"),
        ([0, 0, -1], "episode 2"),
        (["a", "b", "c"], "whole numbers"),
    ],
)
def test_wrong_actions_change_nothing(actions, said):
    batch, other = (against_many("trust", "tit_for_tat", number=3, **FIXED) for _ in range(2))
    with pytest.raises(UsageError, match=r"reset\(\)"):
        batch.step(np.zeros(3, dtype=int))
    for each in (batch, other):
        each.reset(seed=0)
    with pytest.raises(UsageError, match=said):
        batch.step(np.array(actions))
    assert data_equivalence(batch.step(np.zeros(3, dtype=int)), other.step(np.zeros(3, dtype=int)))


def test_wrong_prices_and_seeds_and_numbers_are_one_sentence():
    batch = against_many("bertrand", "nash", number=2, actions="continuous")
    for seed in (-1, 0.5, "1", [1, 2]):
        with pytest.raises(UsageError, match="seed"):
            batch.reset(seed=seed)
    batch.reset(seed=0)
    with pytest.raises(UsageError, match="episode 1"):
        batch.step(np.array([[1.5], [-1.0]], dtype=np.float32))
    with pytest.raises(UsageError, match="episode 0"):
        batch.step(np.array([[np.nan], [1.0]], dtype=np.float32))
    with pytest.raises(UsageError, match="together"):
        batch.reset(options={"reset_mask": np.array([True, False])})
    for wrong in (0, -1, 1.5, "3"):
        with pytest.raises(UsageError, match="number"):
            against_many("trust", "random", number=wrong)
    with pytest.raises(UsageError, match="autoreset_mode"):
        against_many("trust", "random", autoreset_mode="never")


def test_an_episode_that_is_over_waits_for_its_reset_where_autoreset_is_off():
    batch = against_many("trust", "tit_for_tat", number=2, autoreset_mode="Disabled", **FIXED)
    batch.reset(seed=0)
    batch.step(np.zeros(2, dtype=int))
    with pytest.raises(UsageError, match="2 episodes are over"):
        batch.step(np.zeros(2, dtype=int))
    batch.reset(options={"reset_mask": np.array([True, True])})
    batch.step(np.zeros(2, dtype=int))


@pytest.mark.parametrize("how", [{"continuation": 0.5}, {"groups": 2}, {"noise": 0.1}])
def test_games_repeated_by_chance_or_among_many_are_stepped_one_by_one(how):
    envs = against_many("trust", "homo_economicus", number=3, seat="player_0", **how)
    envs.reset(seed=1)
    assert not isinstance(envs, TreeBatch)
    for _ in range(20):
        envs.step(np.zeros(3, dtype=int))
