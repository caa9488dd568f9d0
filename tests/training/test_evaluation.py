"""Before and after: known players get their known scores, and nothing is imputed."""

from __future__ import annotations

import math

import pytest
from typer.testing import CliRunner

from ludens.cli import app
from ludens.envs import FAMILIES
from ludens.errors import UsageError
from ludens.experiments.play.study import play
from ludens.experiments.runs.database import NoRunError
from ludens.experiments.runs.run import Run
from ludens.experiments.study.engine import load
from ludens.preferences import HOMO_ECONOMICUS, Preferences, homo_moralis
from ludens.training import build_dataset
from ludens.training.data.build import HELD_OUT
from ludens.training.data.games import game_key
from ludens.training.evaluation.ability import general_text
from ludens.training.evaluation.exam import ExamConfig, ExamStudy, examine, policy_under_test
from ludens.training.evaluation.scores import oracle_points, read_exam, score_exam, temptation
from ludens.training.evaluation.sets import SETS, Question, optimal, option_utilities, question_sets
from ludens.training.evaluation.transfer import play_market, read_market
from ludens.training.evaluation.unseen import UNSEEN
from tests.loopback import Loopback, say, weighing

MORAL = homo_moralis(0.5)


@pytest.fixture(scope="module")
def data():
    return build_dataset(MORAL, examples=256, seed=3)


@pytest.fixture(scope="module")
def asked(data):
    return question_sets(data, MORAL, held_out=32, others=12, rewordings=HELD_OUT, seed=3)


@pytest.fixture(scope="module")
def exam(asked, tmp_path_factory):
    path = tmp_path_factory.mktemp("exam") / "exam.db"
    who = [policy_under_test("oracle", "homo_moralis:0.5"), policy_under_test("random", "random"),
           policy_under_test("selfish", "homo_economicus")]  # fmt: skip
    examine(who, asked, path, seed=3)
    return path


def test_the_oracle_agrees_with_itself_everywhere_and_regrets_nothing(exam):
    found = [m for m in score_exam(*read_exam(exam), MORAL) if m.policy == "oracle"]
    assert {m.set for m in found} == {*SETS, "all"}
    for m in found:
        assert (m.agreement.value, m.right.value, m.invalid.value, m.refused.value) == (1, 1, 0, 0)
        assert m.regret.value == pytest.approx(0, abs=1e-12)
        assert m.cooperation.value == pytest.approx(m.oracle)


def test_random_play_agrees_half_of_the_time_and_regrets_something(exam):
    for m in score_exam(*read_exam(exam), MORAL):
        if m.policy == "random":
            assert m.agreement.value == pytest.approx(0.5)
            assert 0 < m.regret.value < 0.5


def test_homo_economicus_never_cooperates_with_a_partner_who_did(exam):
    (m,) = (
        m
        for m in score_exam(*read_exam(exam), MORAL)
        if (m.policy, m.set) == ("selfish", "partner cooperates")
    )
    assert m.cooperation.value == 0
    assert m.selfish.value == 1
    assert 0 < m.agreement.value < 1


def test_temptation_lowers_the_cooperation_of_homo_moralis_alone(exam):
    slopes = {found.policy: found for found in temptation(*read_exam(exam))}
    assert slopes["oracle"].slope.value < -0.2
    assert slopes["random"].slope.value == pytest.approx(0, abs=1e-9)
    assert sorted(set(slopes["oracle"].points)) == sorted(set(oracle_points(exam, MORAL)))


def test_no_question_is_on_a_game_that_was_trained_on(data, asked):
    trained = {example.game for example in data.train}
    assert not trained & {game_key(question.game) for question in asked}
    families = {question.family for question in asked if question.set == "new families"}
    assert families
    assert not families & {example.family for example in data.train}
    assert not set(UNSEEN) & set(FAMILIES)


def test_sets_hold_what_their_names_say(asked):
    for question in asked:
        assert len(optimal(question.family, question.payoffs, question.node, MORAL)) == 1
        if question.set == "two digits":
            assert all(10 <= value <= 99 for value in question.payoffs)
        if question.set == "partner cooperates":
            T, R, P, S = question.payoffs
            assert T > R > P > S
            assert 2 * R > T + S
            assert question.node == "reply to cooperation"
        if question.set == "rewordings":
            assert question.framing in HELD_OUT
        if question.set in ("story", "twin"):
            assert question.framing == question.set
        assert Question.of(question.labels()) == question


def test_the_same_seed_asks_the_same_questions(data, asked):
    assert question_sets(data, MORAL, held_out=32, others=12, rewordings=HELD_OUT, seed=3) == asked
    assert question_sets(data, MORAL, held_out=32, others=12, rewordings=HELD_OUT, seed=4) != asked


@pytest.mark.parametrize("name", UNSEEN)
def test_unseen_families_are_games_with_their_own_conditions(name):
    family = UNSEEN[name]
    falling = tuple(float(9 - place) for place in range(len(family.parameters)))
    game = family.game(payoffs=falling)
    assert {node.label for node in game.information_sets} == set(family.prosocial)
    with pytest.raises(UsageError, match="is needed"):
        family.game(payoffs=falling[::-1])


def test_what_an_option_is_worth_is_what_the_players_get():
    # A dictator gets T or R; with one role drawn at random and no reply, half of it is expected.
    T, R, S = 9.0, 6.0, 1.0
    equal, unequal = option_utilities("mini_dictator", (T, R, S), "sharing", HOMO_ECONOMICUS)
    assert unequal - equal == pytest.approx((T - R) / 2)
    equal, unequal = option_utilities("mini_dictator", (T, R, S), "sharing", Preferences(kappa=1.0))
    assert unequal - equal == pytest.approx((T + S) / 2 - R)


def test_the_answer_mass_of_direct_answers_stands_beside_their_scores(asked, tmp_path):
    some = [question for question in asked if question.set == "held-out"][:4]
    masses = [weighing(A=0.3, B=0.1), weighing(A=0.1, B=0.1), weighing(Hm=0.9, A=0.01, B=0.01)]
    with Loopback([*masses, *masses[:1]]) as server:
        who = policy_under_test("m", "openai/x", api_base=server.url, api_key="k", elicit="logprobs")
        run = examine([who], some, tmp_path / "e.db", concurrency=1)
    (m,) = score_exam(*read_exam(tmp_path / "e.db"), MORAL)
    assert m.low_mass.value == pytest.approx(1 / 4)
    assert (m.invalid.value, m.refused.value) == (0, 0)
    assert m.answer_mass == pytest.approx((0.4 + 0.2 + 0.4) / 3)
    assert m.lowest_mass == pytest.approx(0.2)
    study, result = load(run.path)
    (row,) = study.tables(result)["sets"]
    assert (row["answer_mass"], row["lowest_mass"]) == (m.answer_mass, m.lowest_mass)
    scores = study.page(result).tables[0]
    assert scores.rows[0][scores.headers.index("answer mass")].text == "33"
    assert any("33 per cent of its probability" in warning for warning in study.page(result).warnings)


def test_unreadable_and_refused_replies_are_counted_and_never_become_answers(asked, tmp_path):
    some = [question for question in asked if question.set == "held-out"][:8]
    with Loopback(
        [say("Answer: A"), say("What a game!"), say("I cannot help with that.")], say("Answer: A")
    ) as server:
        who = policy_under_test("m", "openai/x", api_base=server.url, api_key="k", reasoning=True)
        examine([who], some, tmp_path / "e.db", concurrency=1)
    (m,) = score_exam(*read_exam(tmp_path / "e.db"), MORAL)
    assert (m.asked, m.answered) == (8, 8)
    assert m.invalid.value == pytest.approx(1 / 8)
    assert m.refused.value == pytest.approx(1 / 8)
    assert m.agreement.n == 6
    assert m.right.value == pytest.approx(m.agreement.value * 6 / 8)
    assert all("Answer:" in request["messages"][-1]["content"] for request in server.requests)


def test_an_exam_goes_on_where_it_broke_off_and_is_never_asked_twice(asked, tmp_path):
    some = [question for question in asked if question.set == "held-out"][:6]
    path = tmp_path / "e.db"
    with Loopback([say("Answer: A")] * 3, say("Answer: B")) as server:
        who = policy_under_test("m", "openai/x", api_base=server.url, api_key="k", reasoning=True)

        def stop(progress):
            if progress.decisions == 3:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            examine([who], some, path, concurrency=1, progress=stop)
        examine([who], some, path, concurrency=1)
        assert len(server.requests) == 6
        examine([who], some, path, concurrency=1)
        assert len(server.requests) == 6
    with pytest.raises(UsageError, match="another exam"):
        examine([who], some[:5], path)


def test_faults_of_an_exam(asked, tmp_path):
    with pytest.raises(UsageError, match="distinct labels"):
        examine([policy_under_test("a", "random")] * 2, asked, tmp_path / "e.db")
    with pytest.raises(UsageError, match="no policy"):
        examine([policy_under_test("a", "nobody")], asked, tmp_path / "e.db")
    assert not (tmp_path / "e.db").exists()
    play("ludens/trust-v0", ["random", "random"], path=tmp_path / "p.db")
    with pytest.raises(NoRunError, match="not of exam"):
        examine([policy_under_test("a", "random")], asked, tmp_path / "p.db")
    with pytest.raises(NoRunError, match="not an exam"):
        read_exam(tmp_path / "p.db")


QUESTION = {"set": "a", "family": "trust", "payoffs": [80, 60, 30, 20], "node": "opening"}


@pytest.mark.parametrize(
    ("question", "message"),
    [
        (
            {"family": "poker"},
            r"^exam\.questions\[0\]\.family: There is no family 'poker'; there are .*trust",
        ),
        ({"payoffs": [80, 60]}, r"^exam\.questions\[0\]\.payoffs: trust takes 4 payoffs .* got 2\.$"),
        ({"payoffs": [1, 1, 1, 1]}, r"^exam\.questions\[0\]\.payoffs: .* do not make a game of trust"),
        (
            {"node": "end"},
            r"^exam\.questions\[0\]\.node: .* no node 'end'; there are opening, reply to trust",
        ),
        ({"framing": "zz"}, r"^exam\.questions\[0\]\.framing: There is no framing 'zz'"),
        ({"order": 9}, r"^exam\.questions\[0\]\.order: .* a number from 0 to 1; got 9\.$"),
        ({"order": -1}, r"^exam\.questions\[0\]\.order: .* a number from 0 to 1; got -1\.$"),
    ],
)
def test_a_question_that_cannot_be_asked_is_refused_by_its_key(question, message):
    with pytest.raises(UsageError, match=message):
        ExamConfig(policies=["random"], questions=[QUESTION | question])


@pytest.mark.parametrize("target", [{"kappa": 5}, {"alpha": math.nan}, {"beta": math.inf}])
def test_an_exam_for_impossible_preferences_is_refused(target):
    (name,) = target
    with pytest.raises(UsageError, match=rf"^exam\.{name}: Preferences need .*{name}"):
        ExamConfig(policies=["random"], questions=[QUESTION], **target)


@pytest.mark.parametrize("sets", [5, "a", [1]])
def test_the_sets_of_a_policy_are_a_list_of_names(sets):
    with pytest.raises(UsageError, match=r"^exam\.policies: The sets of policy 'random' are a list of names"):
        ExamConfig(policies=[{"spec": "random", "sets": sets}], questions=[QUESTION])


def test_a_question_that_is_given_twice_is_asked_once():
    other = QUESTION | {"order": 1}
    config = ExamConfig(policies=["random"], questions=[QUESTION, other, QUESTION | {"order": 0}])
    assert [each.order for each in config.questions] == [0, 1]
    assert len(ExamStudy(config).episodes()) == 2


def test_an_unfinished_exam_says_how_to_go_on(asked, tmp_path):
    class Enough(Exception):
        pass

    def stop(progress):
        raise Enough

    path = tmp_path / "e.db"
    with pytest.raises(Enough):
        examine([policy_under_test("a", "random")], asked[:3], path, concurrency=1, progress=stop)
    shown = CliRunner().invoke(app, ["show", str(path)])
    assert f"ludens resume {path}" in shown.stdout
    examine([policy_under_test("a", "random")], asked[:3], path)
    assert "ludens resume" not in CliRunner().invoke(app, ["show", str(path)]).stdout


def test_a_market_is_played_resumed_and_read(tmp_path):
    play_market("nash", tmp_path / "m.db", 6)
    with Run(tmp_path / "m.db") as run:
        before = run.final_table()
    play_market("nash", tmp_path / "m.db", 6)
    with Run(tmp_path / "m.db") as run:
        assert run.final_table() == before
    found = read_market(tmp_path / "m.db")
    assert found.status == "done"
    assert len(found.prices) == found.periods == 6
    assert found.prices == pytest.approx([found.nash] * 6)
    assert found.gain == pytest.approx(0, abs=1e-3)


def test_the_fixed_text_is_plain_and_speaks_of_no_game():
    text = " ".join(general_text())
    assert len(text.split()) > 300
    assert text.isascii()
    for word in ("payoff", "cooperate", "option", "Person 1", "points"):
        assert word not in text


def test_marks_of_nothing_are_missing_and_not_zero(asked, tmp_path):
    path = tmp_path / "e.db"
    examine([policy_under_test("a", "random")], asked[:2], path)
    episodes, _ = read_exam(path)
    (m,) = score_exam(episodes, [], MORAL)
    assert (m.asked, m.answered) == (2, 0)
    assert m.agreement.value is None
    assert m.invalid.value is None
    assert m.oracle is None  # which is compared on what was answered
