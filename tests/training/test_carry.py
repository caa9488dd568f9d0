"""The exam in every domain: cases are made again from their text, and oracles are right everywhere."""

from __future__ import annotations

import json
from collections import Counter

import numpy as np
import pytest

from ludens.agents import LLMPolicy, make_policy
from ludens.agents.llm.price_policy import PricePolicy
from ludens.errors import UsageError
from ludens.experiments.runs.run import Run
from ludens.experiments.study.engine import load_result
from ludens.preferences import HOMO_ECONOMICUS, Preferences, homo_moralis
from ludens.training import build_dataset
from ludens.training.evaluation.cases import case_optimal, case_turn, case_utilities, draw_cases
from ludens.training.evaluation.exam import ExamConfig, ExamStudy, examine, policy_under_test
from ludens.training.evaluation.sets import CARRIED, UNSEEN_SURFACES, Question, question_sets
from ludens.training.evaluation.weight import revealed_kappa
from tests.loopback import Loopback, say

MORAL = homo_moralis(0.5)
ALL = ("games", "av", "pricing")


@pytest.fixture(scope="module")
def data():
    return build_dataset(MORAL, examples=60, validation=0, test=30, domains=ALL, surfaces=20, seed=2)


@pytest.fixture(scope="module")
def asked(data):
    return question_sets(data, MORAL, held_out=4, others=1, carry=6, seed=2)


def carried(questions):
    return [question for question in questions if question.set in CARRIED]


def test_every_domain_is_asked_in_every_surface_that_it_has(asked):
    counts = Counter(question.set for question in carried(asked))
    assert set(counts) == set(CARRIED)
    assert set(counts.values()) == {6}
    unseen = {question.framing for question in asked if "unseen" in question.set}
    assert all(int(framing.partition("/")[2]) >= UNSEEN_SURFACES for framing in unseen)


def test_no_case_of_the_exam_is_trained_on(data, asked):
    keys = {example.game for example in (*data.train, *data.validation)}
    drawn = [case for case, _ in zip(draw_cases(MORAL, frozenset(keys), 2), range(60), strict=False)]
    assert not keys & {case.key for case in drawn}
    assert all(question.case for question in carried(asked) if not question.set.startswith("games"))


def test_a_case_is_made_again_from_its_text(asked):
    for question in carried(asked):
        again = Question.of(json.loads(json.dumps(question.labels())))
        assert again == question
        assert again.turn.game == question.turn.game or question.set.startswith("prices")
        assert 0 < len(question.optimal(MORAL)) < len(question.turn.options)
        assert 0 <= question.prosocial < len(question.turn.options)
        assert len(question.utilities(MORAL)) == len(question.turn.options)


def test_optimal_options_are_those_of_the_oracles_of_the_environments(asked):
    rng = np.random.default_rng(0)
    for question in carried(asked):
        turn = question.turn
        if question.family in ("av_dilemma", "av_adoption"):
            act = {"act": "best"} if question.node == "act" else {"shape": "step"}
            settings = act if question.family == "av_dilemma" else {}
            for spec in ("homo_economicus", "homo_moralis:0.5"):
                head, _, kappa = spec.partition(":")
                weight = {"kappa": float(kappa)} if kappa else {}
                oracle = make_policy({"spec": head, **weight, **settings}, turn.game)
                target = MORAL if kappa else HOMO_ECONOMICUS
                decision = oracle.decide(turn, rng)
                if question.node in ("act", "program"):
                    best = {n for n, share in enumerate(decision.probabilities) if share > 0}
                    assert best == set(question.optimal(target))
                else:
                    assert decision.action in question.optimal(target)
        elif question.family == "bertrand":
            for spec, target in (("myopic", HOMO_ECONOMICUS), ("myopic:0.5", MORAL)):
                price = make_policy(spec, "bertrand").decide(turn, rng).action
                best = question.optimal(target)
                worth = question.utilities(target)
                # The nearest price on offer to the best of all prices is one of the two best on offer.
                assert price in best or sorted(worth)[-2] == pytest.approx(worth[price])


def test_balanced_between_the_acts_and_programs(asked):
    for name in ("dilemmas: table", "adoption: table"):
        best = Counter(question.optimal(MORAL) for question in asked if question.set == name)
        assert set(best.values()) == {3}


@pytest.mark.parametrize("wrong", ["", "{}", "[]", '{"vignette": {"pedestrians": 0}}', "no json"])
def test_what_is_no_case_is_refused(wrong):
    with pytest.raises(UsageError):
        case_turn(wrong)
    if wrong:
        question = {"set": "x", "case": wrong, "family": "av", "payoffs": [], "node": "act"}
        with pytest.raises(UsageError):
            ExamConfig(policies=["homo_economicus"], questions=[question])


def test_an_exam_of_all_domains_is_asked_stored_and_scored(asked, tmp_path):
    """A server that always takes the first label of the prompt, or 100 points."""

    def react(request):
        text = request["messages"][-1]["content"]
        last = [line for line in text.splitlines() if line.strip()][-1]
        if "Rating:" in last or "whole number from 0 to 100" in last:
            return say("I think.\nRating: 100")
        if "A: <number>" in text:
            return say("I think.\nA: 100\nB: 0")
        return say(f"I think.\nAnswer: {last.rstrip('.').split('one letter, ')[1].split(',')[0].split()[0]}")

    questions = [question for name in CARRIED for question in carried(asked) if question.set == name]
    questions = [each for place, each in enumerate(questions) if place % 6 < 2]
    with Loopback(otherwise=react) as server:
        more = {"api_base": server.url, "api_key": "none", "reasoning": True}
        tested = policy_under_test("first", "openai/loopback", **more)
        run = examine([tested], questions, tmp_path / "exam.db", target=MORAL)
    run.close()
    scores = {score.set: score for score in load_result(ExamStudy, tmp_path / "exam.db").scores}
    assert set(scores) == {question.set for question in questions} | {"all"}
    for name, score in scores.items():
        assert score.asked == score.answered == (len(questions) if name == "all" else 2)
        assert score.invalid.value == 0
        assert 0 <= score.agreement.value <= 1
        assert 0 <= score.regret.value <= 1
    with Run(tmp_path / "exam.db") as stored:
        assert stored.manifest["config"]["questions"][-1]["case"]


def test_prices_that_cannot_be_read_are_counted_and_asked_once(asked, tmp_path):
    questions = [each for each in carried(asked) if each.set in ("prices: table", "dilemmas: table")]
    with Loopback(otherwise=say("I cannot say.")) as server:
        more = {"api_base": server.url, "api_key": "none", "reasoning": True}
        tested = policy_under_test("mute", "openai/loopback", **more)
        examine([tested], questions, tmp_path / "exam.db", target=MORAL).close()
        assert len(server.requests) == len(questions) == 12
    with Run(tmp_path / "exam.db") as stored:
        assert stored.manifest["status"] == "done"
    for score in load_result(ExamStudy, tmp_path / "exam.db").scores:
        assert (score.invalid.value, score.right.value, score.agreement.value) == (1, 0, None)
        assert score.oracle is None  # there is no question on which they could be compared


def test_every_price_is_of_another_market(data):
    asked = question_sets(data, MORAL, held_out=2, others=1, carry=12, seed=3)
    prices = [question for question in asked if question.set == "prices: table"]
    assert len({question.key for question in prices}) == len(prices) == 12


def test_one_policy_asks_in_all_domains():
    policy = LLMPolicy("openai/x", framing="table/3", reasoning=True, votes=3, retries=1, order=1)
    firm = policy.for_game("bertrand")
    assert isinstance(firm, PricePolicy)
    assert (firm.settings.layout, firm.settings.reasoning, firm.settings.votes) == ("table/3", True, 3)
    assert firm.settings.tries == 2


def test_ratings_are_right_on_the_oracles_side():
    case = json.dumps({"vignette": {"pedestrians": 9, "passengers": ["self"], "question": "purchase"}})
    assert case_optimal(case, MORAL) == frozenset(range(51, 101))
    assert case_optimal(case, HOMO_ECONOMICUS) == frozenset(range(50))
    moral = json.dumps({"vignette": {"pedestrians": 9, "passengers": ["self"], "question": "morality"}})
    assert case_optimal(moral, HOMO_ECONOMICUS) == frozenset(range(40, 61))
    assert case_utilities(moral, HOMO_ECONOMICUS)[50] == 0


@pytest.mark.parametrize("domain", ["games", "dilemmas", "adoption", "prices"])
def test_answers_of_an_oracle_reveal_its_weight(data, domain):
    found = question_sets(data, MORAL, held_out=1, others=1, carry=24, seed=5)
    questions = [question for question in found if question.set == f"{domain}: table"]

    def answered(choose):
        places = np.arange(max(len(question.turn.options) for question in questions))
        chosen = [(question, choose(question)) for question in questions]
        return [(q, (places[: len(q.turn.options)] == place).astype(float)) for q, place in chosen]

    for kappa in (0.0, 0.25, 0.5, 1.0):
        weight = Preferences(kappa=kappa)
        estimate = revealed_kappa(answered(lambda question, weight=weight: min(question.optimal(weight))))
        assert estimate.low - 0.025 <= kappa <= estimate.high + 0.025
        assert estimate.high - estimate.low < 0.5
    rng = np.random.default_rng(1)
    chance = revealed_kappa(answered(lambda question: rng.integers(len(question.turn.options))))
    assert chance.value is None
    assert "not identified" in chance.note
    assert revealed_kappa([]).value is None
