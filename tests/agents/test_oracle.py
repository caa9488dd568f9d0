"""Oracle and quantal policies play what their preferences imply, and say so."""

from __future__ import annotations

import asyncio
import json
import pickle

import numpy as np
import pytest

from ludens.agents.registry import make_policy
from ludens.agents.tree.oracle import OraclePolicy, QuantalPolicy
from ludens.envs import PROTOCOLS, Option, Turn, make_env, strategy
from ludens.errors import UsageError
from ludens.preferences import (
    HOMO_ECONOMICUS,
    BeliefError,
    Preferences,
    choice_probabilities,
    homo_moralis,
    uniform_belief,
)


def turn_at(protocol, node, game=None):
    game = game or PROTOCOLS[protocol]
    place = game.information_set(node)
    return Turn(
        environment=f"ludens/{game.name}-v0",
        agent="player_0",
        role=place.role,
        node=node,
        options=tuple(Option(number, name) for number, name in enumerate(place.options)),
        observation={},
        game=game,
    )


def choose(policy, protocol, node, seed=0):
    return policy.decide(turn_at(protocol, node), np.random.default_rng(seed))


POLICIES = [
    OraclePolicy(HOMO_ECONOMICUS),
    OraclePolicy(homo_moralis(0.5)),
    OraclePolicy(HOMO_ECONOMICUS, "equilibrium"),
    OraclePolicy(Preferences(0.4, 0.2, 0.1), {"opening": "trust", "reply to trust": [0.3, 0.7]}),
    OraclePolicy(Preferences(0.4), np.array([0.5, 0.5, 1, 0])),
    QuantalPolicy(homo_moralis(0.5)),
    QuantalPolicy(Preferences(0.4, 0.2, 1 / 3), "equilibrium", noise=2),
]


@pytest.mark.parametrize("policy", POLICIES, ids=lambda policy: policy.name)
def test_a_description_is_plain_and_makes_an_equal_policy(policy):
    description = json.loads(json.dumps(policy.describe()))
    again = make_policy(description)
    assert again == policy
    assert hash(again) == hash(policy)
    assert again.describe() == policy.describe()
    assert pickle.loads(pickle.dumps(policy)) == policy


def test_the_specification_alone_names_the_preferences():
    assert make_policy("homo_moralis:0.5") == OraclePolicy(homo_moralis(0.5))
    assert make_policy(OraclePolicy(Preferences(0.4, -0.2, 0.1)).describe()["spec"]) == OraclePolicy(
        Preferences(0.4, -0.2, 0.1)
    )
    assert make_policy(QuantalPolicy(homo_moralis(0.5), noise=3).describe()["spec"]) == QuantalPolicy(
        homo_moralis(0.5), noise=3
    )


def test_different_policies_differ():
    assert len(set(POLICIES)) == len(POLICIES)
    assert OraclePolicy(homo_moralis(0.5)) != QuantalPolicy(homo_moralis(0.5), noise=0)


def test_names_for_tables():
    assert [policy.name for policy in POLICIES] == [
        "homo economicus",
        "homo moralis κ=0.5",
        "homo economicus (equilibrium belief)",
        "oracle α=0.4 β=0.2 κ=0.1 (given belief)",
        "oracle α=0.4 β=0 κ=0 (given belief)",
        "quantal homo moralis κ=0.5 λ=8",
        "quantal α=0.4 β=0.2 κ=0.333333 λ=2 (equilibrium belief)",
    ]


@pytest.mark.parametrize(
    ("kappa", "protocol", "node", "option"),
    [
        (0, "SPD6", "opening", "defect"),
        (0, "TG6", "opening", "trust"),
        (0, "TG6", "reply to trust", "defect"),
        (0.25, "TG6", "reply to trust", "reciprocate"),
        (0.5, "SPD4", "reply to cooperation", "cooperate"),
        (0.5, "SPD4", "reply to defection", "defect"),
        (0.9, "UG6", "opening", "equal"),
    ],
)
def test_an_oracle_plays_its_optimum_and_says_why(kappa, protocol, node, option):
    decision = choose(OraclePolicy(homo_moralis(kappa)), protocol, node)
    options = PROTOCOLS[protocol].information_set(node).options
    assert options[decision.action] == option
    assert decision.probabilities[decision.action] == 1
    assert decision.provenance == "exact"
    assert f"{option} is optimal" in decision.reasoning


def test_reasoning_gives_the_utilities():
    decision = choose(OraclePolicy(HOMO_ECONOMICUS), "TG6", "opening")
    assert decision.reasoning == (
        "The best plan with each option is worth, if the others choose at random: trust 50.00, keep 45.00; "
        "trust is optimal."
    )
    quantal = choose(QuantalPolicy(HOMO_ECONOMICUS, noise=5), "TG6", "opening")
    assert quantal.reasoning.endswith("with noise 5 I choose with probabilities trust 0.73, keep 0.27.")


def test_ties_are_played_as_shares_of_the_optimal_strategies():
    tied = choose(OraclePolicy(HOMO_ECONOMICUS), "TG2", "opening")
    assert tied.probabilities == (0.5, 0.5)
    assert "trust and keep are equally good" in tied.reasoning
    # three of the four optimal plans of the Kantian in SPD1 reward no cooperation
    reply = choose(OraclePolicy(homo_moralis(1)), "SPD1", "reply to cooperation")
    assert reply.probabilities == (0.25, 0.75)
    drawn = {choose(OraclePolicy(HOMO_ECONOMICUS), "TG2", "opening", seed).action for seed in range(20)}
    assert drawn == {0, 1}


def test_the_belief_matters():
    cautious = OraclePolicy(HOMO_ECONOMICUS, "equilibrium")
    assert choose(cautious, "TG6", "opening").action == 1
    hopeful = OraclePolicy(HOMO_ECONOMICUS, {"opening": 0.5, "reply to trust": "reciprocate"})
    assert choose(hopeful, "TG1", "opening").action == 0
    vector = strategy(PROTOCOLS["TG1"], {"opening": 0.5, "reply to trust": "defect"})
    assert choose(OraclePolicy(HOMO_ECONOMICUS, vector), "TG1", "opening").action == 1


def test_quantal_plays_the_marginals_of_the_joint_logit():
    game = PROTOCOLS["SPD5"]
    marginals = choice_probabilities(game, homo_moralis(0.5), uniform_belief(game), 8).marginals
    policy = QuantalPolicy(homo_moralis(0.5))
    np.testing.assert_allclose(policy.strategy(game), marginals)
    for node in game.information_sets:
        decision = choose(policy, "SPD5", node.label)
        assert decision.probabilities == pytest.approx(tuple(marginals[node.columns]))
    drawn = [choose(policy, "SPD5", "opening", seed).action for seed in range(400)]
    assert np.mean(drawn) == pytest.approx(marginals[1], abs=0.08)


def test_without_noise_quantal_is_the_oracle():
    for game in PROTOCOLS.values():
        oracle, quantal = OraclePolicy(homo_moralis(0.25)), QuantalPolicy(homo_moralis(0.25), noise=0)
        np.testing.assert_array_equal(oracle.strategy(game), quantal.strategy(game))


def test_what_a_caller_does_to_a_strategy_does_not_reach_the_policy():
    policy = OraclePolicy(HOMO_ECONOMICUS)
    policy.strategy(PROTOCOLS["TG6"])[:] = 0.5
    assert choose(policy, "TG6", "opening").probabilities == (1, 0)


def test_same_seed_same_decision_and_no_memory():
    policy = QuantalPolicy(homo_moralis(0.3), noise=20)
    first = [choose(policy, "SPD2", "opening", seed) for seed in range(10)]
    again = [
        choose(QuantalPolicy(homo_moralis(0.3), noise=20), "SPD2", "opening", seed) for seed in range(10)
    ]
    assert first == again
    awaited = asyncio.run(policy.adecide(turn_at("SPD2", "opening"), np.random.default_rng(3)))
    assert awaited == first[3]


@pytest.mark.parametrize("method", ["direct", "strategy"])
def test_it_plays_in_an_environment(method):
    env = make_env("sequential_prisoners_dilemma", protocol="SPD6", method=method, rounds=3)
    env.reset(seed=1)
    policy, rng = OraclePolicy(homo_moralis(0.75)), np.random.default_rng(0)
    earned = dict.fromkeys(env.possible_agents, 0.0)
    for agent in env.agent_iter():
        earned[agent] += env.last()[1]
        env.step(policy.act(env, rng))
    assert earned == {"player_0": 225, "player_1": 225}


def test_a_game_that_is_no_tree_is_one_clear_error():
    class Market:
        name, roles, parameters, protocol = "market", ("firm",), {}, None

    turn = Turn("ludens/pricing-v0", "firm_0", "firm", "price", (Option(0, "low"),), {}, Market())
    with pytest.raises(UsageError, match=r"homo economicus solves game trees; ludens/pricing-v0 .* Market"):
        OraclePolicy(HOMO_ECONOMICUS).decide(turn, np.random.default_rng(0))


def test_wrong_settings_are_one_clear_error():
    with pytest.raises(UsageError, match="Preferences"):
        OraclePolicy(0.5)
    with pytest.raises(UsageError, match="'rational'"):
        OraclePolicy(HOMO_ECONOMICUS, "rational")
    for belief in (
        {"opening": None},
        {"opening": {"trust": "often"}},
        None,
        0.5,
        [[0.5, 0.5]],
        [float("nan")],
    ):
        with pytest.raises(UsageError, match="belief"):
            OraclePolicy(HOMO_ECONOMICUS, belief)
    for noise in (-1, float("nan"), float("inf"), "loud", None):
        with pytest.raises(UsageError, match="noise"):
            QuantalPolicy(HOMO_ECONOMICUS, noise=noise)


def test_a_belief_that_does_not_fit_the_game_is_said_at_the_decision():
    with pytest.raises(UsageError, match="4 entries"):
        choose(OraclePolicy(HOMO_ECONOMICUS, [0.5] * 6), "TG1", "opening")
    with pytest.raises(BeliefError, match="2 symmetric pure equilibria"):
        choose(OraclePolicy(homo_moralis(1), "equilibrium"), "SPD6", "opening")
