"""Scripted policies do what their names say."""

from __future__ import annotations

import numpy as np
import pytest
from pettingzoo import make

from ludens.agents import (
    AlwaysCooperate,
    AlwaysDefect,
    CallablePolicy,
    Grim,
    OraclePolicy,
    QuantalPolicy,
    RandomPolicy,
    Reciprocator,
    TitForTat,
    make_policy,
)
from ludens.envs import PROTOCOLS, DecisionNode, GameTree, PayoffNode, SequentialEnv, make_env
from ludens.envs.tree.questions import questions
from ludens.errors import UsageError
from ludens.preferences import HOMO_ECONOMICUS, homo_moralis
from ludens.testing import PolicyConformance


class TestRandom(PolicyConformance):
    make = RandomPolicy


class TestAlwaysCooperate(PolicyConformance):
    make = AlwaysCooperate


class TestAlwaysDefect(PolicyConformance):
    make = AlwaysDefect


class TestTitForTat(PolicyConformance):
    make = TitForTat


class TestReciprocator(PolicyConformance):
    make = Reciprocator


class TestGrim(PolicyConformance):
    make = Grim


class TestOracle(PolicyConformance):
    def make(self):
        return OraclePolicy(homo_moralis(0.5))


class TestQuantal(PolicyConformance):
    def make(self):
        return QuantalPolicy(HOMO_ECONOMICUS, noise=5.0)


def lowest(observation):
    return int(np.argmax(observation["action_mask"]))


class TestCallable(PolicyConformance):
    named = False

    def make(self):
        return CallablePolicy(lowest)


@pytest.mark.parametrize("number", [1, np.int64(1), np.array(1), np.uint8(1)])
def test_a_learners_whole_number_is_an_action(number):
    turn = questions(PROTOCOLS["SPD3"])["opening"]
    assert CallablePolicy(lambda observation: number).decide(turn, np.random.default_rng(0)).action == 1


@pytest.mark.parametrize("wrong", [True, np.True_, 1.0, "1", None, 2, -1, np.array([1])])
def test_what_is_no_legal_action_is_never_taken_for_one(wrong):
    turn = questions(PROTOCOLS["SPD3"])["opening"]
    with pytest.raises(UsageError, match=r"learner returned .* at 'opening'; legal are \[0, 1\]"):
        CallablePolicy(lambda observation: wrong, "learner").decide(turn, np.random.default_rng(0))


def played(first, second, rounds, protocol="SPD3", family="sequential_prisoners_dilemma"):
    """The rounds between two policies with fixed roles, as initials: ``"CC CD"``."""
    env = make_env(family, protocol=protocol, roles="fixed", rounds=rounds)
    env.reset(seed=0)
    policies = {"player_0": first, "player_1": second}
    rng = np.random.default_rng(0)
    for agent in env.agent_iter():
        env.step(policies[agent].act(env, rng))
    return " ".join(
        "".join(step.option[0].upper() for step in past["player_0"].path) for past in env._progress.past
    )


class Alternates(AlwaysCooperate):
    """Cooperates in even rounds."""

    name = "alternates"

    def cooperates(self, turn):
        return turn.round % 2 == 0


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        (AlwaysCooperate(), AlwaysDefect(), "CD CD CD"),
        (AlwaysDefect(), AlwaysCooperate(), "DC DC DC"),
        (TitForTat(), AlwaysCooperate(), "CC CC CC"),
        (TitForTat(), AlwaysDefect(), "CD DD DD"),
        (AlwaysDefect(), TitForTat(), "DD DD DD"),
        (TitForTat(), Alternates(), "CC CD DC CD DC"),
        (Alternates(), TitForTat(), "CC DD CC DD"),
        (Reciprocator(), AlwaysDefect(), "CD CD CD"),
        (AlwaysDefect(), Reciprocator(), "DD DD DD"),
        (Alternates(), Reciprocator(), "CC DD CC DD"),
        (Grim(), Alternates(), "CC CD DC DD DC"),
        (Alternates(), Grim(), "CC DD CD DD"),
        (Grim(), TitForTat(), "CC CC CC"),
    ],
    ids=lambda case: getattr(case, "name", None),
)
def test_matches_run_as_the_literature_has_them(first, second, expected):
    assert played(first, second, len(expected.split())) == expected


def test_a_trustee_that_was_not_asked_is_judged_by_its_last_answer():
    # Rounds in which the trustee did not move say nothing of it: tit for tat goes on not trusting.
    assert played(TitForTat(), AlwaysDefect(), 4, "TG3", "trust") == "TD K K K"


@pytest.mark.parametrize("protocol", ["SPD3", "TG3", "UG3"])
def test_cooperation_is_the_prosocial_option_at_every_node(protocol):
    rng = np.random.default_rng(0)
    chosen = {
        policy.name: [
            turn.options[policy.decide(turn, rng).action].name
            for turn in questions(PROTOCOLS[protocol]).values()
        ]
        for policy in (AlwaysCooperate(), AlwaysDefect(), Reciprocator())
    }
    good = {
        "SPD3": ["cooperate", "cooperate", "cooperate"],
        "TG3": ["trust", "reciprocate"],
        "UG3": ["equal", "accept"],
    }[protocol]
    assert chosen["always_cooperate"] == good
    assert not set(chosen["always_defect"]) & set(good)
    # In the strategy method the case that is asked about counts as the other's move.
    kind = {"SPD3": ["cooperate", "cooperate", "defect"], "TG3": good, "UG3": ["equal", "reject"]}[protocol]
    assert chosen["reciprocator"] == kind


def test_random_takes_every_option_alike():
    turn = questions(PROTOCOLS["TG3"])["opening"]
    decision = RandomPolicy().decide(turn, np.random.default_rng(0))
    assert decision.probabilities == (0.5, 0.5)
    assert decision.provenance == "exact"
    rng = np.random.default_rng(1)
    actions = [RandomPolicy().decide(turn, rng).action for _ in range(400)]
    assert 150 <= sum(actions) <= 250


def test_a_game_that_does_not_say_what_cooperation_is_is_refused():
    game = GameTree(
        "mine", ("one",), DecisionNode("start", "one", {"a": PayoffNode((1,)), "b": PayoffNode((2,))})
    )
    env = SequentialEnv(game)
    env.reset(seed=0)
    with pytest.raises(
        UsageError, match="tit_for_tat needs to know what cooperation is at 'start', and 'mine'"
    ):
        Grim.decide(TitForTat(), env.turn(), np.random.default_rng(0))
    assert RandomPolicy().decide(env.turn(), np.random.default_rng(0)).action in {0, 1}


def test_a_policy_acts_in_pettingzoo_s_parallel_loop():
    env = make("parallel", "ludens/bertrand-v0", actions="continuous", periods=3)
    env.reset(seed=0)
    policies = {"firm_0": make_policy("nash", env), "firm_1": make_policy("fixed:1.9", env)}
    rng = np.random.default_rng(0)
    charged = []
    while env.agents:
        actions = {agent: policies[agent].act(env, rng, agent) for agent in env.agents}
        charged.append(actions["firm_1"])
        env.step(actions)
    assert charged == [1.9] * 3
    assert policies["firm_0"].act(env, rng, "firm_0") is None  # the seat is done
    with pytest.raises(UsageError, match="name the seat"):
        policies["firm_0"].act(env, rng)


def test_in_turns_the_seat_to_move_alone_acts_in_the_parallel_loop():
    def loop(api):
        env = make(api, "ludens/sequential_prisoners_dilemma-v0", protocol="SPD3", roles="fixed", rounds=4)
        env.reset(seed=0)
        policies, rng, taken = (
            {"player_0": TitForTat(), "player_1": AlwaysDefect()},
            np.random.default_rng(0),
            [],
        )
        while env.agents:
            if api == "aec":
                action = policies[env.agent_selection].act(env, rng)
                env.step(action)
                moves = [action]
            else:
                actions = {agent: policies[agent].act(env, rng, agent) for agent in env.agents}
                env.step(actions)
                moves = list(actions.values())
            taken += [move for move in moves if move is not None]
        return taken

    assert loop("parallel") == loop("aec")
