"""The dynamic best reply takes what is best over all rounds left, as counting by hand and by force says."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ludens.agents import (
    AlwaysCooperate,
    AlwaysDefect,
    BestReplyPolicy,
    CallablePolicy,
    Decision,
    Grim,
    HumanPolicy,
    LLMPolicy,
    OraclePolicy,
    Policy,
    RandomPolicy,
    Reciprocator,
    TitForTat,
)
from ludens.agents.tree.memory import remembered
from ludens.envs import DecisionNode, GameTree, PayoffNode, SequentialEnv, make_env, pure_strategies, strategy
from ludens.errors import UsageError
from ludens.preferences import (
    HOMO_ECONOMICUS,
    Preferences,
    best_strategies,
    homo_moralis,
    uniform_belief,
    utility,
)
from ludens.testing import PolicyConformance
from ludens.testing.generators import games
from ludens.training.data.dagger import roll_out

DETERMINISTIC = (TitForTat(), Grim(), AlwaysCooperate(), AlwaysDefect(), Reciprocator())
SOCIAL = Preferences(alpha=0.4, beta=0.3)


class TestBestReply(PolicyConformance):
    named = False

    def make(self):
        return BestReplyPolicy(HOMO_ECONOMICUS, RandomPolicy())


def play(env, seat, policy, opponent):
    """What the seat did, by node and option, and the payoffs of both, (rounds, 2), its own first."""
    me, other = env.possible_agents[seat], env.possible_agents[1 - seat]
    env.reset(seed=1)
    rng = np.random.default_rng(0)
    done, paid = [], []
    for agent in env.agent_iter():
        _, _, terminated, truncated, _ = env.last(observe=False)
        if terminated or truncated:
            env.step(None)
            continue
        turn = env.unwrapped.turn(agent)
        decision = (policy if agent == me else opponent).decide(turn, rng)
        if agent == me:
            done.append((turn.node, turn.options[decision.action].name))
        env.step(decision.action)
        if any(env.unwrapped.rewards.values()):
            paid.append([env.unwrapped.rewards[me], env.unwrapped.rewards[other]])
    return done, np.array(paid)


def felt(preferences, paid):
    gap = paid[:, 1] - paid[:, 0]
    worth = paid[:, 0] - preferences.alpha * np.maximum(gap, 0) - preferences.beta * np.maximum(-gap, 0)
    return worth.sum()


def moves(payoffs, rounds, seat, opponent, preferences=HOMO_ECONOMICUS):
    env = make_env("sequential_prisoners_dilemma", payoffs=payoffs, rounds=rounds, roles="fixed")
    done, _ = play(env, seat, BestReplyPolicy(preferences, opponent), opponent)
    return [option[0] for _, option in done]


# Payoffs are T, R, P, S. A second mover faces what the opponent makes of the last round, as in the game of
# simultaneous moves.


def test_against_unconditional_opponents_it_always_defects():
    for opponent, seat in itertools.product((AlwaysCooperate(), AlwaysDefect(), RandomPolicy()), (0, 1)):
        assert moves((9, 7, 3, 1), 4, seat, opponent) == ["d"] * 4


def test_against_tit_for_tat_it_cooperates_until_the_last_round():
    assert moves((9, 7, 3, 1), 4, 1, TitForTat()) == ["c", "c", "c", "d"]
    # 2R > T + S, and R > P: the first mover is answered within the round, in the last one too.
    assert moves((9, 7, 3, 1), 4, 0, TitForTat()) == ["c", "c", "c", "c"]


def test_against_tit_for_tat_it_alternates_where_that_pays_more():
    # T + S = 22 > 2R = 20: D C D earns 21 + 1 + 21, C C D 10 + 10 + 21, D D D 21 + 2 + 2.
    assert moves((21, 10, 2, 1), 3, 1, TitForTat()) == ["d", "c", "d"]


@pytest.mark.parametrize("payoffs", [(9, 7, 3, 1), (30, 7, 3, 1), (30, 4, 3, 1)])
def test_against_grim_it_cooperates_until_the_last_round(payoffs):
    """Defecting with k rounds left earns T + P(k-1), waiting for the last one R(k-1) + T: R > P decides."""
    assert moves(payoffs, 6, 1, Grim()) == ["c"] * 5 + ["d"]


def test_against_grim_that_was_betrayed_it_defects():
    env = make_env("sequential_prisoners_dilemma", payoffs=(9, 7, 3, 1), rounds=5, roles="fixed")
    reply = BestReplyPolicy(HOMO_ECONOMICUS, Grim())

    class Slips(Policy):
        name = "defects once"

        def decide(self, turn, rng):
            return reply.decide(turn, rng) if turn.past else Decision(1)

    done, _ = play(env, 1, Slips(), Grim())
    assert [option[0] for _, option in done] == ["d"] * 5


def test_one_round_of_punishment_ahead_is_weighed_against_the_temptation():
    """Alone before the end a first mover sees its partner's answer: with k rounds left against grim as second
    mover, R in each, as it answers in kind at once.
    """
    env = make_env("sequential_prisoners_dilemma", payoffs=(9, 7, 3, 1), rounds=4, roles="fixed")
    env.reset(seed=0)
    turn = env.unwrapped.turn("player_0")
    assert BestReplyPolicy(HOMO_ECONOMICUS, Grim()).values(turn) == pytest.approx((4 * 7, 4 * 3))


def test_a_reciprocator_is_answered_within_the_round():
    assert moves((9, 7, 3, 1), 3, 0, Reciprocator()) == ["c"] * 3
    assert moves((9, 7, 3, 1), 3, 1, Reciprocator()) == ["d"] * 3


def test_a_guilty_mind_cooperates_in_the_last_round_too():
    # T - β(T - S) = 9 - 8β < R = 7 for β > 1/4.
    assert moves((9, 7, 3, 1), 3, 1, TitForTat(), Preferences(beta=0.3)) == ["c"] * 3
    assert moves((9, 7, 3, 1), 3, 1, TitForTat(), Preferences(beta=0.2)) == ["c", "c", "d"]


def test_trust_is_repaid_while_the_future_lasts():
    env = make_env("trust", payoffs=(8, 6, 3, 1), rounds=3, roles="fixed")
    done, _ = play(env, 1, BestReplyPolicy(HOMO_ECONOMICUS, TitForTat()), TitForTat())
    assert [option for _, option in done] == ["reciprocate", "reciprocate", "defect"]


class Script(Policy):
    """A plan for every round, whatever happens."""

    name = "script"

    def __init__(self, plans):
        self.plans = plans

    def decide(self, turn, rng):
        return Decision(self.plans[turn.round][turn.node])


@settings(max_examples=25)
@given(
    numbers=st.lists(st.integers(1, 30), min_size=4, max_size=4, unique=True),
    opponent=st.sampled_from(DETERMINISTIC),
    family=st.sampled_from(["sequential_prisoners_dilemma", "trust"]),
    seat=st.sampled_from([0, 1]),
    rounds=st.integers(1, 3),
    preferences=st.sampled_from([HOMO_ECONOMICUS, SOCIAL]),
)
def test_no_fixed_sequence_of_plans_earns_more(*, numbers, opponent, family, seat, rounds, preferences):
    """And one earns as much: a deterministic opponent answers the best sequence as the best reply."""
    env = make_env(family, payoffs=sorted(numbers, reverse=True), rounds=rounds, roles="fixed")
    policy = BestReplyPolicy(preferences, opponent)
    earned = felt(preferences, play(env, seat, policy, opponent)[1])
    game = env.unwrapped.game
    own = [node.label for node in game.information_sets if node.role == game.roles[seat]]
    one_round = [
        dict(zip(own, answers, strict=True)) for answers in itertools.product((0, 1), repeat=len(own))
    ]
    best = max(
        felt(preferences, play(env, seat, Script(plans), opponent)[1])
        for plans in itertools.product(one_round, repeat=rounds)
    )
    assert earned == pytest.approx(best)


@settings(max_examples=15)
@given(
    opponent=st.sampled_from((*DETERMINISTIC, RandomPolicy(), OraclePolicy(homo_moralis(0.6)))),
    seed=st.integers(0, 10_000),
    family=st.sampled_from(["sequential_prisoners_dilemma", "trust"]),
)
def test_a_shortened_past_changes_no_decision(opponent, seed, family):
    env = make_env(family, rounds=5, roles="random")
    seats = env.possible_agents
    played = roll_out(env, dict.fromkeys(seats, RandomPolicy()), seats, seed=seed)
    assert len({entry.turn.round for entry in played}) == 5
    for turn in (entry.turn for entry in played):
        short = remembered(opponent, turn.game, turn.past)
        assert len(short) <= 1
        known = opponent.decide(turn, np.random.default_rng(0))
        assert opponent.decide(replace(turn, past=short), np.random.default_rng(0)) == known


class LongMemory(TitForTat):
    """Tit for tat, of which only the parent's memory is known: all of the past is kept."""

    name = "a subclass"


def test_what_a_subclass_remembers_is_not_guessed():
    env = make_env("sequential_prisoners_dilemma", payoffs=(9, 7, 3, 1), rounds=4)
    seats = env.possible_agents
    turns = roll_out(env, dict.fromkeys(seats, RandomPolicy()), seats, episodes=3)
    for entry in turns:
        known = BestReplyPolicy(SOCIAL, TitForTat()).values(entry.turn)
        assert BestReplyPolicy(SOCIAL, LongMemory()).values(entry.turn) == pytest.approx(known)
    past = turns[-1].turn.past
    assert remembered(LongMemory(), turns[-1].turn.game, past) == past


@settings(max_examples=40)
@given(
    game=games(max_roles=2, max_decisions=5).filter(lambda game: len(game.roles) == 2),
    kappa=st.sampled_from([0.0, 0.3, 1.0]),
    rounds=st.integers(1, 3),
    seed=st.integers(0, 100),
)
def test_against_chance_it_is_the_oracle_round_by_round(game, kappa, rounds, seed):
    """Additive over rounds: in every round an option that some optimal strategy of the oracle uses."""
    preferences = Preferences(0.2, 0.1, kappa)
    env = SequentialEnv(game, rounds=rounds)
    policy, seats = BestReplyPolicy(preferences, RandomPolicy()), env.possible_agents
    turns = roll_out(env, dict.fromkeys(seats, RandomPolicy()), seats, teacher=policy, seed=seed)
    solved = best_strategies(game, preferences, uniform_belief(game))
    for entry in turns:
        columns = game.information_set(entry.turn.node).columns
        used = solved.strategies[:, columns].max(axis=0) > 0
        taken = np.array(entry.teacher_decision.probabilities) > 0
        # Where an own earlier move was a mistake, the oracle of whole plans holds every option for as good.
        assert np.all(used[taken])
        assert used.all() or np.array_equal(taken, used)
        if kappa and rounds == 1:
            worth = np.where(solved.all_strategies[:, columns] > 0, solved.utilities[:, None], -np.inf)
            assert entry.teacher_values == pytest.approx(worth.max(axis=0))


@pytest.mark.parametrize("kappa", [0.2, 0.5, 0.8])
def test_each_round_s_plan_is_universalised_by_itself(kappa):
    """Two rounds as first mover against tit for tat: the best pair of plans, each worth its `utility`."""
    preferences = Preferences(0.1, 0.2, kappa)
    env = make_env("sequential_prisoners_dilemma", payoffs=(9, 6, 4, 1), rounds=2, roles="fixed")
    env.reset(seed=0)
    turn = env.unwrapped.turn("player_0")
    game, plans = turn.game, pure_strategies(turn.game)
    # A second mover that answers in kind remembers nothing that counts: it always knows this round's move.
    kind = strategy(game, {"opening": 1.0, "reply to cooperation": 1.0, "reply to defection": 0.0})
    once = utility(game, preferences, plans, kind, "first mover")
    cooperates = plans[:, 0] == 1
    wanted = [once[rows].max() + once.max() for rows in (cooperates, ~cooperates)]
    assert BestReplyPolicy(preferences, TitForTat()).values(turn) == pytest.approx(wanted)


def test_roles_drawn_at_random_are_averaged():
    """Two rounds against grim: after mutual cooperation the last round is worth the mean over roles."""
    T, R, P, S = 9, 7, 3, 1
    env = make_env("sequential_prisoners_dilemma", payoffs=(T, R, P, S), rounds=2)
    env.reset(seed=0)
    turn = env.unwrapped.turn(env.agent_selection)
    assert turn.node == "opening"
    first, second = max(R, P), max(T, R)  # grim that was not betrayed answers in kind, and opens with trust
    betrayed = max(S, P)
    worth = BestReplyPolicy(HOMO_ECONOMICUS, Grim()).values(turn)
    assert worth == pytest.approx((R + (first + second) / 2, P + betrayed))


def test_two_hundred_rounds_are_solved():
    env = make_env("sequential_prisoners_dilemma", payoffs=(9, 7, 3, 1), rounds=200, roles="fixed")
    done, paid = play(env, 1, BestReplyPolicy(HOMO_ECONOMICUS, Grim()), Grim())
    assert [option[0] for _, option in done] == ["c"] * 199 + ["d"]
    assert paid[:, 0].sum() == 199 * 7 + 9


def test_hidden_moves_are_weighed_as_the_opponent_makes_them():
    """A prisoner's dilemma in which the second mover does not see the first."""

    def reply(cooperated, defected):
        return {"cooperate": PayoffNode(cooperated), "defect": PayoffNode(defected)}

    root = DecisionNode(
        "first",
        "row",
        {
            "cooperate": DecisionNode("a", "column", reply((7, 7), (1, 9)), "second"),
            "defect": DecisionNode("b", "column", reply((9, 1), (3, 3)), "second"),
        },
    )
    env = SequentialEnv(GameTree("hidden", ("row", "column"), root), rounds=3, roles="fixed")
    done, _ = play(env, 1, BestReplyPolicy(HOMO_ECONOMICUS, RandomPolicy()), RandomPolicy())
    assert done == [("second", "defect")] * 3
    env.reset(seed=0)
    env.step(0)
    policy = BestReplyPolicy(HOMO_ECONOMICUS, RandomPolicy())
    # (7 + 1)/2 and (9 + 3)/2 now, and two rounds of 6 after it.
    assert policy.values(env.turn(env.agent_selection)) == pytest.approx((4 + 12, 6 + 12))


def test_unknown_opponents_and_other_games_are_refused():
    for opponent in (HumanPolicy(), LLMPolicy("openai/gpt-5-mini"), "tit_for_tat"):
        with pytest.raises(UsageError, match="strategy is known"):
            BestReplyPolicy(HOMO_ECONOMICUS, opponent)
    env = make_env("trust")
    env.reset(seed=0)
    turn = env.unwrapped.turn(env.agent_selection)
    with pytest.raises(UsageError, match="exact probabilities"):
        BestReplyPolicy(HOMO_ECONOMICUS, CallablePolicy(lambda seen: 0)).values(turn)
    market = make_env("bertrand", periods=2)
    market.reset(seed=0)
    with pytest.raises(UsageError, match="two roles"):
        BestReplyPolicy(HOMO_ECONOMICUS, TitForTat()).values(market.unwrapped.turn("firm_0"))
    with pytest.raises(UsageError, match="Preferences"):
        BestReplyPolicy(0.5, TitForTat())


def test_too_many_histories_are_refused(monkeypatch):
    monkeypatch.setattr("ludens.agents.tree.rounds.MOST_STATES", 50)
    env = make_env("sequential_prisoners_dilemma", rounds=12)
    env.reset(seed=0)
    turn = env.unwrapped.turn(env.agent_selection)
    with pytest.raises(UsageError, match="histories"):
        BestReplyPolicy(HOMO_ECONOMICUS, LongMemory()).values(turn)


def test_a_past_that_the_opponent_would_not_have_had_is_gone_on_from():
    """The policy that really played defected where tit for tat would have cooperated."""
    env = make_env("sequential_prisoners_dilemma", payoffs=(9, 7, 3, 1), rounds=2, roles="fixed")
    env.reset(seed=0)
    env.step(1)
    turn = env.unwrapped.turn("player_1")
    assert turn.node == "reply to defection"
    # Cooperation costs 2 now, and wins 9 against 3 in the last round.
    assert BestReplyPolicy(HOMO_ECONOMICUS, TitForTat()).values(turn) == pytest.approx((1 + 9, 3 + 3))
