"""Measures: policies whose answers are known get the measures that follow from them."""

from __future__ import annotations

import numpy as np
import pytest

from ludens.agents.policy import Decision, Policy
from ludens.agents.trained.policy import CallablePolicy
from ludens.agents.tree.oracle import OraclePolicy, QuantalPolicy
from ludens.envs import PROTOCOLS, strategy
from ludens.experiments.bench.metrics import KAPPAS, measure
from ludens.experiments.measures.intervals import wilson
from ludens.preferences import HOMO_ECONOMICUS, homo_moralis, regret, uniform_belief
from tests.experiments.synthetic import answers, believed, cooperative, worded


class Uniform(Policy):
    name = "random"

    def decide(self, turn, rng):
        return Decision(0, probabilities=(0.5, 0.5), provenance="exact")


def measured(records, **options):
    (found,) = measure(records, **options)
    return found


def test_random_cooperates_half_the_time_and_agrees_half_the_time():
    found = measured(answers(Uniform()))
    assert found.overall.value == 0.5
    assert {entry.rate.value for entry in found.cooperation} == {0.5}
    assert len(found.cooperation) == 7
    assert {entry.agreement.value for entry in found.comparisons} == {0.5}
    assert all(entry.regret.value > 0 for entry in found.comparisons)
    assert found.invalid.value == 0
    assert found.overall.n == 42


@pytest.mark.parametrize("kappa", KAPPAS)
def test_an_oracle_agrees_with_itself_and_regrets_nothing(kappa):
    found = measured(answers(OraclePolicy(homo_moralis(kappa))))
    itself = found.comparison(kappa)
    assert itself.agreement.value == pytest.approx(1)
    assert (itself.agreement.low, itself.agreement.high) == (pytest.approx(1), pytest.approx(1))
    assert itself.agreement.n + itself.indifferent == 42
    others = [entry.regret.value for entry in found.comparisons if entry.kappa != kappa]
    assert max(others) > 1
    if kappa < 1:  # at κ = 1 mixing between tied strategies is itself a loss
        assert itself.regret.value == pytest.approx(0, abs=1e-9)
    assert itself.regret.n == 18


def test_indifference_is_left_out_of_agreement_and_counted():
    # With uniform beliefs homo economicus is indifferent only over trusting in TG2, where (R + S) / 2 = P.
    found = measured(answers(OraclePolicy(HOMO_ECONOMICUS))).comparison(0.0)
    assert (found.indifferent, found.agreement.n) == (1, 41)


def test_regret_is_that_of_the_whole_strategy_averaged_over_orders():
    def rule(turn, framing, order):
        return cooperative(turn, 0.9 if order == 0 else 0.3)

    found = measured(worded(rule, framings=("neutral",), protocols=("SPD3",))).comparison(0.5)
    game = PROTOCOLS["SPD3"]
    plan = strategy(game, {node.label: {"cooperate": 0.6, "defect": 0.4} for node in game.information_sets})
    assert found.regret.value == pytest.approx(
        float(regret(game, homo_moralis(0.5), plan, uniform_belief(game)))
    )


def test_a_known_slope_in_the_incentives_is_found():
    def rule(turn, framing, order):
        numbers = turn.game.parameters
        return cooperative(
            turn, 0.6 - 0.004 * (numbers["T"] - numbers["R"]) - 0.002 * (numbers["P"] - numbers["S"])
        )

    found = {(entry.family, entry.node): entry for entry in measured(worded(rule)).sensitivity}
    for place in (("sequential_prisoners_dilemma", None), ("trust", None), ("trust", "opening")):
        assert found[place].temptation.value == pytest.approx(-0.04)
        assert found[place].risk.value == pytest.approx(-0.02)
    # In the ultimatum protocols T − R and P − S move together one for one.
    assert found["ultimatum", None].temptation.value is None
    assert "not identified" in found["ultimatum", "opening"].risk.note


def test_choosing_what_stands_first_is_position_bias_and_no_preference():
    found = measured(
        worded(lambda turn, framing, order: order)
    )  # rotated by `order`, that option stands first
    assert found.first_shown.value == 1
    assert found.order_consistency.value == 0
    assert found.overall.value == 0.5
    assert found.framing_consistency.value == 1
    assert found.comparison(0.0).agreement.value == 0.5


def test_framing_consistency_is_one_minus_the_distance_between_framings():
    found = measured(
        worded(lambda turn, framing, order: cooperative(turn, 0.8 if framing == "story" else 0.5))
    )
    assert found.framing_consistency.value == pytest.approx(0.7)
    assert found.order_consistency.value == pytest.approx(1)
    assert found.by_framing["story"].value == pytest.approx(0.8)
    assert found.by_framing["neutral"].value == pytest.approx(0.5)


def test_sampled_answers_vary_by_chance_and_by_question():
    def rate(rule):
        found = measured(worded(rule, replicates=3)).cooperation
        return next(entry.rate for entry in found if (entry.family, entry.node) == ("trust", "opening"))

    always = rate(lambda turn, framing, order: 0)
    assert (always.value, always.n, always.clusters) == (1, 6 * 2 * 2 * 3, 6)
    assert always.low == wilson(72, 72).low < 1  # six equal questions still are only so many answers
    # All or nothing at each question: asking again tells nothing new, so the questions are what counts.
    split = rate(lambda turn, framing, order: int(turn.game.protocol in {"TG1", "TG2", "TG3"}))
    assert (split.value, split.low, split.high) == (0.5, pytest.approx(1 / 6), pytest.approx(5 / 6))


def test_what_cannot_be_read_is_counted_and_never_filled_in():
    def rule(turn, framing, order):
        unread = turn.game.protocol == "TG1" and turn.node == "opening" and order == 1
        return None if unread else cooperative(turn, 1.0)

    found = measured(worded(rule))
    assert (found.invalid.value, found.invalid.n) == (pytest.approx(2 / 168), 168)
    assert (found.incomplete, found.asked) == (2, 84)
    assert ("TG1", "opening") not in found.cells
    assert found.comparison(0.0).regret.n == 34
    assert found.comparison(0.0).incomplete == 2


def test_a_policy_that_never_answers_has_rates_and_no_measures():
    found = measured(worded(lambda turn, framing, order: None))
    assert found.invalid.value == 1
    assert found.overall.value is None
    assert found.comparison(0.0).agreement.value is None
    assert found.comparison(0.0).incomplete == 36
    assert found.cooperation == ()
    assert found.costs.calls == 168


def test_an_unfinished_run_does_not_pass_for_a_complete_one():
    records = worded(lambda turn, framing, order: order)
    first_half = [entry for entry in records if entry.labels["order"] == 0]
    assert measured(first_half).incomplete == 0
    assert measured(first_half, planned=[entry.labels for entry in records]).incomplete == 84


def test_own_beliefs_move_the_oracle_that_a_policy_is_compared_with():
    # Who expects everybody to cooperate trusts in every trust game, whatever 50/50 beliefs would say.
    class Trusting(Policy):
        name = "trusting"

        def decide(self, turn, rng):
            return Decision(0, probabilities=cooperative(turn, 1.0), provenance="exact")

    records = answers(Trusting(), "x") + believed(lambda turn: cooperative(turn, 1.0), "x")
    found = measured(records)
    assert found.comparison(0.0, "own").agreement.value != found.comparison(0.0).agreement.value
    assert (
        found.comparison(1.0, "own").agreement.value == found.comparison(1.0).agreement.value
    )  # κ = 1 asks nobody


def test_beliefs_that_cannot_be_read_leave_their_protocols_out():
    records = answers(Uniform(), "x") + believed(lambda turn: (0.5, 0.5), "x")[1:]
    found = measured(records).comparison(0.0, "own")
    assert (found.regret.n, found.incomplete) == (17, 1)


def test_intervals_do_not_depend_on_who_else_was_measured():
    noisy = answers(QuantalPolicy(HOMO_ECONOMICUS, noise=8.0), "quantal")
    alone = measured(noisy)
    beside = measure([*answers(Uniform()), *noisy])[1]
    assert alone == beside
    assert alone != measured(noisy, seed=1)


def test_costs_are_summed_over_calls():
    costs = measured(worded(lambda turn, framing, order: 0, framings=("neutral",), protocols=("TG1",))).costs
    assert (costs.decisions, costs.calls, costs.prompt_tokens, costs.completion_tokens) == (4, 4, 400, 4)
    assert (costs.cost, costs.call_seconds) == (pytest.approx(0.04), pytest.approx(2))


def test_a_policy_without_words_has_no_position_bias_to_measure():
    found = measured(answers(CallablePolicy(lambda observation: 0, "always first")))
    assert found.first_shown.value is None
    assert found.order_consistency.value is None
    assert np.isfinite(found.overall.value)
