"""The environment plays its tree: roles, methods, rounds, hidden moves, options."""

from __future__ import annotations

import pickle
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pettingzoo import aec_registry, make, parallel_registry

from ludens.envs import (
    PROTOCOLS,
    ChanceNode,
    DecisionNode,
    GameError,
    GameTree,
    PastRound,
    PayoffNode,
    SequentialEnv,
    Step,
    environments,
    find_game,
    make_env,
    tree_form,
)
from ludens.errors import UsageError
from ludens.preferences import HOMO_ECONOMICUS
from ludens.testing import games


def play(env, seed, choose):
    """Every turn of an episode with the option taken, and what each seat was paid in all."""
    env.reset(seed=seed)
    asked, paid = [], dict.fromkeys(env.possible_agents, 0.0)
    for agent in env.agent_iter():
        _, reward, terminated, truncated, _ = env.last()
        paid[agent] += reward
        if terminated or truncated:
            env.step(None)
            continue
        turn = env.turn()
        action = choose(turn)
        asked.append((turn, turn.options[action].name))
        env.step(action)
    return asked, paid


def first(turn):
    return 0


def hidden_game():
    """The second role answers without seeing the first one's move; the sky is seen by both."""

    def answer(label, left, right):
        return DecisionNode(label, "blind", {"l": PayoffNode(left), "r": PayoffNode(right)}, "answer")

    pick = DecisionNode(
        "pick", "seeing", {"a": answer("after a", (1, 2), (3, 4)), "b": answer("after b", (5, 6), (7, 8))}
    )
    return GameTree(
        "hidden",
        ("seeing", "blind"),
        ChanceNode("sky", {"sun": (0.5, pick), "rain": (0.5, PayoffNode((9, 9)))}),
    )


def test_both_registries_hold_every_environment():
    for name in environments():
        assert name in aec_registry
        assert name in parallel_registry
        assert make("parallel", name).possible_agents == make("aec", name).possible_agents


@pytest.mark.parametrize("short", ["trust", "trust-v0", "ludens/trust", "ludens/trust-v0"])
def test_environments_are_found_by_short_names(short):
    assert make_env(short).environment == "ludens/trust-v0"


def test_the_first_protocol_is_the_default_and_max_cycles_is_pettingzoos_own():
    env = make("aec", "ludens/trust-v0", max_cycles=3)
    assert env.unwrapped.game is not None
    assert env.unwrapped.game == PROTOCOLS["TG1"]
    assert env.unwrapped.max_cycles == 3


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"protocol": "TG9"}, "no protocol 'TG9'"),
        ({"payoffs": (1, 2, 3, 4)}, "do not make a game of trust: T > R is needed"),
        ({"protocol": "TG1", "payoffs": (80, 60, 30, 20)}, "either a protocol or payoffs"),
        ({"roles": "drawn"}, "roles='drawn'; choose one of 'random', 'fixed'"),
        ({"method": "indirect"}, "method='indirect'; choose one of 'direct', 'strategy'"),
        ({"rounds": 0}, "rounds=0; it must be a whole number of at least 1"),
        ({"rounds": 2.0}, "rounds=2.0"),
        ({"rounds": True}, "rounds=True"),
        ({"rounds": "2"}, "rounds='2'"),
        ({"roles": ["random"]}, "roles=.'random'.; choose one of"),
        ({"method": np.array([1, 2])}, "method=.* choose one of"),
        ({"groups": 0}, "groups=0"),
        ({"matching": "swiss"}, "matching='swiss'; choose one of 'fixed', 'random'"),
        ({"history": "all"}, "history='all'; choose one of 'own', 'reputation'"),
        ({"noise": 1.5}, "noise=1.5; it is a probability"),
        ({"max_cycles": 0}, "max_cycles=0"),
        ({"render_mode": "ascii"}, "render_mode='ascii'"),
        (
            {"round": 3},
            "no option 'round'; it has protocol, payoffs, continuation, groups, history, matching, "
            "max_cycles, memory, method, noise",
        ),
    ],
)
@pytest.mark.parametrize("api", ["aec", "parallel"])
def test_wrong_options_are_told_in_one_sentence(api, options, message):
    with pytest.raises(UsageError, match=message) as caught:
        make(api, "ludens/trust-v0", **options)
    assert "\n" not in str(caught.value)


def test_an_unknown_environment_is_told_with_those_that_exist():
    with pytest.raises(UsageError, match=r"no environment 'chess'; there are .*ludens/trust-v0"):
        make_env("chess")


def test_numbers_from_numpy_count_too():
    env = SequentialEnv(PROTOCOLS["TG1"], rounds=np.int64(3), max_cycles=np.uint8(4))
    assert type(env.rounds) is type(env.max_cycles) is int
    env.reset(seed=np.uint32(3))
    env.step(np.array(0))


def test_only_a_game_tree_can_be_played():
    with pytest.raises(UsageError, match="plays a GameTree; got 'trust': make_env makes one by its name"):
        SequentialEnv("trust")


def test_a_game_without_decisions_cannot_be_played():
    with pytest.raises(UsageError, match="asks nobody to decide"):
        SequentialEnv(GameTree("idle", ("one",), PayoffNode((1.0,))))


def test_direct_play_asks_only_what_is_reached():
    asked, paid = play(make_env("trust", protocol="TG3", roles="fixed"), 0, first)
    assert [(turn.role, turn.node, option) for turn, option in asked] == [
        ("investor", "opening", "trust"),
        ("trustee", "reply to trust", "reciprocate"),
    ]
    assert asked[1][0].known == (Step("opening", "trust", "investor"),)
    assert paid == {"player_0": 60.0, "player_1": 60.0}
    asked, paid = play(make_env("trust", protocol="TG3", roles="fixed"), 0, lambda turn: 1)
    assert [option for _, option in asked] == ["keep"]
    assert paid == {"player_0": 30.0, "player_1": 30.0}


def test_the_strategy_method_asks_everybody_everything_before_anything_is_known():
    env = make_env("sequential_prisoners_dilemma", protocol="SPD3", method="strategy")
    asked, paid = play(env, 1, first)
    nodes = ["opening", "reply to cooperation", "reply to defection"]
    assert [(turn.agent, turn.node) for turn, _ in asked] == [
        (agent, node) for agent in ("player_0", "player_1") for node in nodes
    ]
    assert all(turn.past == () and turn.method == "strategy" for turn, _ in asked)
    assert paid == {"player_0": 65.0, "player_1": 65.0}
    fixed = make_env("sequential_prisoners_dilemma", method="strategy", roles="fixed")
    asked, _ = play(fixed, 1, first)
    assert [(turn.agent, turn.node) for turn, _ in asked] == [
        ("player_0", "opening"),
        ("player_1", "reply to cooperation"),
        ("player_1", "reply to defection"),
    ]


def test_the_strategy_method_tells_nobody_which_role_it_will_play():
    env = make_env("trust", method="strategy")
    seen = []
    for seed in range(20):
        env.reset(seed=seed)
        seen.append(pickle.dumps([env.observe(agent) for agent in env.possible_agents]))
    assert len(set(seen)) == 1


def test_roles_are_drawn_anew_each_round_and_both_ways_come_up_alike():
    env = make_env("trust", rounds=400)
    asked, _ = play(env, 3, first)
    investors = [turn.agent for turn, _ in asked if turn.node == "opening"]
    # 400 fair coins: 5 standard deviations are 50.
    assert 150 <= investors.count("player_0") <= 250
    assert investors[:8] != [investors[0]] * 8


def test_past_rounds_are_told_as_the_seat_saw_them():
    asked, paid = play(make_env("trust", protocol="TG3", rounds=3), 5, first)
    last = asked[-1][0]
    assert (last.round, last.rounds, len(last.past)) == (2, 3, 2)
    for number, seen in enumerate(last.past):
        roles = {turn.agent: turn.role for turn, _ in asked if turn.round == number}
        assert seen.role == roles[last.agent]
        assert [step.option for step in seen.path] == ["trust", "reciprocate"]
        assert seen.payoffs == {"investor": 60.0, "trustee": 60.0}
    assert paid == {"player_0": 180.0, "player_1": 180.0}


@pytest.mark.parametrize("method", ["direct", "strategy"])
def test_hidden_moves_are_told_neither_in_words_nor_in_numbers(method):
    env = SequentialEnv(hidden_game(), roles="fixed", method=method)
    told = {}
    for choice in (0, 1):
        turns = []
        for seed in range(40):
            asked, _ = play(env, seed, lambda turn, choice=choice: choice if turn.node == "pick" else 0)
            turns += [turn for turn, _ in asked if turn.node == "answer"]
        told[choice] = {
            pickle.dumps((turn.known, turn.past, turn.facts, dict(turn.observation))) for turn in turns
        }
        assert all(turn.known == (Step("sky", "sun", None),) for turn in turns)
    assert told[0] == told[1]
    assert len(told[0]) == 1


def test_nature_moves_with_its_probabilities():
    env = SequentialEnv(hidden_game(), roles="fixed", rounds=600)
    env.reset(seed=0)
    suns = 0
    while env.agents:
        if not env.terminations[env.agent_selection]:
            suns += env.turn().node == "pick"
        env.step(None if env.terminations[env.agent_selection] else 0)
    assert 240 <= suns <= 360


def test_rounds_that_nature_ends_alone_are_paid_as_well():
    env = SequentialEnv(hidden_game(), roles="fixed", rounds=20)
    for seed in range(10):
        asked, paid = play(env, seed, first)
        played = sum(turn.node == "answer" for turn, _ in asked)
        # Sun pays (1, 2) when both take their first option, rain (9, 9).
        assert paid["player_0"] == played * 1 + (20 - played) * 9
        assert paid["player_1"] == played * 2 + (20 - played) * 9


def test_an_episode_that_nature_ends_alone_is_over_at_once():
    env = SequentialEnv(hidden_game(), roles="fixed")
    seeds = [seed for seed in range(20) if env.reset(seed=seed) is None and env.terminations["player_0"]]
    assert seeds
    env.reset(seed=seeds[0])
    assert [env.last()[1] for agent in env.agent_iter() if env.step(None) is None and env.agents] == [9.0]


@given(games(), st.integers(0, 2**32), st.sampled_from(["direct", "strategy"]), st.integers(1, 3))
@settings(max_examples=60)
def test_every_game_can_be_played_and_pays_what_its_leaves_say(game, seed, method, rounds):
    env = SequentialEnv(game, method=method, rounds=rounds)
    rng = np.random.default_rng(seed)
    asked, paid = play(env, seed, lambda turn: int(rng.integers(len(turn.options))))
    ends = {leaf.path: leaf.payoffs for leaf in game.leaves}
    past = env._progress.past
    assert len(past) == rounds
    for agent in env.possible_agents:
        owed = sum(ends[seen[agent].path][game.roles.index(seen[agent].role)] for seen in past)
        assert paid[agent] == pytest.approx(owed)
    for turn, _ in asked:
        assert set(turn.known) <= {step for path in ends for step in path}
        assert all(step.label != turn.node for step in turn.known)


def test_the_largest_action_space_is_masked_where_fewer_options_are():
    small = DecisionNode("small", "one", {"x": PayoffNode((1,)), "y": PayoffNode((2,))})
    root = DecisionNode("large", "one", {"a": small, "b": PayoffNode((3,)), "c": PayoffNode((4,))})
    env = SequentialEnv(GameTree("masked", ("one",), root))
    env.reset(seed=0)
    assert env.last()[0]["action_mask"].tolist() == [1, 1, 1]
    env.step(0)
    assert env.last()[0]["action_mask"].tolist() == [1, 1, 0]
    before = pickle.dumps(env)
    with pytest.raises(
        UsageError, match=r"2 is not a legal action of player_0 at 'small' .*: choose 0 \(x\), 1 \(y\)"
    ):
        env.step(2)
    assert pickle.dumps(env) == before
    env.step(np.int64(1))
    assert env.last()[1] == 2.0


def test_seats_that_are_done_may_only_pass():
    env = make_env("trust")
    env.reset(seed=0)
    env.step(1)
    with pytest.raises(UsageError, match=r"player_0 .* is done: its only action is None, not 0"):
        env.step(0)


def test_game_errors_are_usage_errors():
    assert issubclass(GameError, UsageError)
    assert issubclass(UsageError, ValueError)


@pytest.mark.parametrize("memory", [0, 1, 3, 7])
def test_the_last_rounds_are_observed_move_by_move(memory):
    env = make_env("trust", rounds=5, memory=memory)
    game = env.game
    roles, sets, leaves = len(game.roles), len(game.information_sets), len(game.leaves)
    block, paths = roles + leaves, [leaf.path for leaf in game.leaves]
    rng = np.random.default_rng(3)
    env.reset(seed=2)
    while any(not env.terminations[agent] for agent in env.agents):
        for agent in env.possible_agents:
            vector = env.observe(agent)["observation"]
            assert vector in env.observation_space(agent)["observation"]
            assert len(vector) == roles + sets + memory * block + game.payoffs.size + 1
            seen = [finished[agent] for finished in env._progress.past]
            past = vector[roles + sets : roles + sets + memory * block].reshape(memory, block)
            for back in range(1, memory + 1):
                expected = np.zeros(block)
                if back <= len(seen):
                    expected[game.roles.index(seen[-back].role)] = 1
                    expected[roles + paths.index(seen[-back].path)] = 1
                assert past[memory - back].tolist() == expected.tolist()
            assert vector[-1] == pytest.approx(len(seen) / 5)
        env.step(int(rng.integers(2)))


def test_the_memory_of_a_tree_game_is_a_count():
    for wrong in (-1, 1.5, "all", None):
        with pytest.raises(UsageError, match="memory"):
            make_env("trust", memory=wrong)


def test_a_tree_is_repeated_a_random_number_of_times():
    lengths = []
    env = make_env("trust", continuation=0.75)
    for seed in range(200):
        env.reset(seed=seed)
        played = env.unwrapped
        while not all(env.terminations.values()):
            turn = played.turn()
            assert turn.facts["continuation"] == 0.75
            assert turn.round < turn.rounds
            env.step(0)
        lengths.append(len(played._progress.past))
    # Geometric with mean 4 and standard deviation 3.5.
    assert abs(np.mean(lengths) - 4) < 4 * 3.47 / 200**0.5
    assert min(lengths) == 1
    for options, rounds in (({"continuation": 1.0, "rounds": 3}, 3), ({"continuation": 0.0}, 1)):
        env = make_env("trust", **options)
        env.reset(seed=1)
        while not all(env.terminations.values()):
            env.step(0)
        assert len(env.unwrapped._progress.past) == rounds


def test_a_random_length_is_said_in_words_kept_and_not_planned_over():
    from ludens.agents import BestReplyPolicy, RandomPolicy
    from ludens.agents.llm.prompts.games import render
    from ludens.experiments.study.environments import described

    env = make_env("trust", continuation=0.75)
    env.reset(seed=0)
    turn = env.unwrapped.turn()
    said = render(turn).messages[-1]["content"]
    assert "another one follows with probability 0.75" in said
    assert "10000" not in said
    assert described(env)["continuation"] == 0.75
    past = replace(turn, past=(PastRound(turn.role, (), {turn.role: 3.0}),), round=1)
    tabled = render(past, "table").messages[-1]["content"]
    assert "This is round 2; another follows with probability 0.75." in tabled
    with pytest.raises(UsageError, match="goes on by chance"):
        BestReplyPolicy(HOMO_ECONOMICUS, RandomPolicy()).decide(turn, np.random.default_rng(0))
    for wrong in (1.5, "often", float("nan")):
        with pytest.raises(UsageError, match="continuation"):
            make_env("trust", continuation=wrong)


def test_groups_and_noise_are_kept_and_not_planned_over():
    from ludens.agents import BestReplyPolicy, RandomPolicy
    from ludens.experiments.study.environments import described

    how = {"rounds": 3, "groups": 2, "matching": "random", "history": "reputation", "noise": 0.1}
    env = make_env("trust", **how)
    again = described(env)
    assert again.items() >= how.items()
    assert described(make_env(again.pop("id"), **again)) == described(env)
    for options in ({"groups": 2}, {"noise": 0.1}):
        env = make_env("trust", rounds=2, **options)
        env.reset(seed=0)
        with pytest.raises(UsageError, match="leave groups and noise out"):
            BestReplyPolicy(HOMO_ECONOMICUS, RandomPolicy()).decide(env.turn(), np.random.default_rng(0))


def members(env):
    """Every group's members and their roles in the round under way."""
    return [dict(group.sitting) for group in env.unwrapped._progress.groups]


def test_groups_play_side_by_side_and_are_paid_together():
    env = make_env("trust", protocol="TG3", roles="fixed", groups=3, rounds=2)
    assert env.possible_agents == [f"player_{seat}" for seat in range(6)]
    choice = {"player_0": 0, "player_1": 1, "player_2": 1, "player_4": 0, "player_5": 0}
    asked, paid = play(env, 0, lambda turn: choice[turn.agent])
    seats = [turn.agent for turn, _ in asked]
    assert seats == ["player_0", "player_1", "player_2", "player_4", "player_5"] * 2
    assert list(paid.values()) == [40.0, 160.0, 60.0, 60.0, 120.0, 120.0]
    (seen,) = asked[6][0].past
    assert (asked[6][0].agent, [step.option for step in seen.path]) == ("player_1", ["trust", "defect"])
    env.reset(seed=0)
    for action in (0, 1, 1, 0):
        env.step(action)
        assert set(env.rewards.values()) == {0.0}
    env.step(0)
    assert list(env.rewards.values()) == [20.0, 80.0, 30.0, 30.0, 60.0, 60.0]


@pytest.mark.parametrize("method", ["direct", "strategy"])
def test_partners_of_trees_are_drawn_anew_and_keep_roles_only_where_those_are_fixed(method):
    met = {"fixed": set(), "random": set()}
    for roles, pairs in met.items():
        env = make_env("trust", groups=3, matching="random", roles=roles, rounds=60, method=method)
        env.reset(seed=4)
        while any(not env.terminations[agent] for agent in env.agents):
            for sitting in members(env):
                pairs.add((sitting["investor"], sitting["trustee"]))
            env.step(1)
    places = [f"player_{seat}" for seat in range(6)]
    assert met["fixed"] == {(first, second) for first in places[::2] for second in places[1::2]}
    assert met["random"] == {(first, second) for first in places for second in places if first != second}


def test_groups_of_drawn_roles_stay_together_where_partners_are_fixed():
    env = make_env("trust", groups=2, rounds=20)
    env.reset(seed=4)
    while any(not env.terminations[agent] for agent in env.agents):
        assert [set(each.values()) for each in members(env)] == [
            {"player_0", "player_1"},
            {"player_2", "player_3"},
        ]
        env.step(1)


def played(env, seed, action):
    """The finished rounds of an episode in which everybody takes the same action, as each seat saw them."""
    env.reset(seed=seed)
    while any(not env.terminations[agent] for agent in env.agents):
        env.step(action)
    return env.unwrapped._progress.past


def test_a_first_mover_sees_the_reply_wrongly_as_often_as_noise_says():
    env = make_env("trust", protocol="TG3", roles="fixed", rounds=4000, noise=0.2, memory=0)
    past = played(env, 3, 0)
    assert set(env.rewards.values()) == {60.0}
    seen = [[step.option for step in each["player_0"].path] for each in past]
    assert all(each[0] == "trust" for each in seen)
    assert np.mean([each[1] == "defect" for each in seen]) == pytest.approx(0.2, abs=0.03)
    wrong = next(each["player_0"] for each in past if each["player_0"].path[1].option == "defect")
    assert wrong.payoffs == {"investor": 20.0, "trustee": 80.0}
    # Who answers has seen the first move, and knows its own.
    assert all([step.option for step in each["player_1"].path] == ["trust", "reciprocate"] for each in past)


def test_noise_under_the_strategy_method_shows_what_the_others_had_answered():
    env = make_env("trust", protocol="TG3", roles="fixed", method="strategy", rounds=2000, noise=0.25)
    seen = [each["player_1"].path for each in played(env, 3, 1)]  # keep; defect
    assert {tuple(step.option for step in path) for path in seen} == {("keep",), ("trust", "defect")}
    assert np.mean([len(path) == 2 for path in seen]) == pytest.approx(0.25, abs=0.04)


def test_noise_in_a_tree_with_hidden_moves_is_that_of_the_simultaneous_game():
    game = tree_form(find_game("PD1"))
    env = SequentialEnv(game, roles="fixed", rounds=4000, noise=0.2, memory=0)
    past = played(env, 5, 0)
    for own, other in (("player_0", 1), ("player_1", 0)):
        assert np.mean([each[own].path[other].option == "defect" for each in past]) == pytest.approx(
            0.2, abs=0.03
        )
        assert all(each[own].path[1 - other].option == "cooperate" for each in past)


@given(games(), st.integers(0, 2**32), st.sampled_from(["direct", "strategy"]), st.floats(0, 1))
@settings(max_examples=60)
def test_what_is_seen_with_noise_never_contradicts_what_a_seat_did_and_learnt(game, seed, method, noise):
    env = SequentialEnv(game, method=method, rounds=2, noise=noise, groups=2, matching="random")
    rng = np.random.default_rng(seed)
    asked, _ = play(env, seed, lambda turn: int(rng.integers(len(turn.options))))
    ends = {leaf.path: leaf.payoffs for leaf in game.leaves}
    for number, past in enumerate(env._progress.past):
        for seat, seen in past.items():
            assert tuple(seen.payoffs.values()) == ends[seen.path]
            own = {step.label: step.option for step in seen.path if step.role == seen.role}
            done = {
                turn.node: option
                for turn, option in asked
                if turn.agent == seat and turn.round == number and turn.role == seen.role
            }
            assert own.items() <= done.items()
            assert method == "strategy" or own == done


def test_reputation_in_a_tree_shows_what_partners_did_to_others():
    env = make_env(
        "trust", roles="fixed", groups=2, matching="random", history="reputation", rounds=6, protocol="TG3"
    )
    choice = {"player_0": 0, "player_1": 0, "player_2": 1, "player_3": 1}
    asked, _ = play(env, 2, lambda turn: choice[turn.agent])
    for turn, _ in asked:
        (partner,) = turn.facts["reputation"]
        assert len(partner) == turn.round
        deeds = {step.option for steps in partner for step in steps}
        if turn.role == "trustee":
            assert deeds <= {"trust"}  # who asks it now has always trusted
        else:
            assert deeds <= {"reciprocate", "defect"}
            assert len(deeds) < 2
    assert any(() in turn.facts["reputation"][0] for turn, _ in asked)  # it was not asked by who kept
