"""A model as a second reader of firms' notes, against a server on the loopback interface."""

from __future__ import annotations

import re

import pytest

from ludens.agents.policy import Decision, Policy
from ludens.errors import LudensError, UsageError
from ludens.experiments import Run, load, report, resume
from ludens.experiments.pricing.judging import JudgeConfig, JudgeStudy, judge
from ludens.experiments.pricing.study import play_pricing
from ludens.experiments.pricing.verdicts import KINDS, beside
from tests.loopback import Loopback, failing, say

WAR, CUT, BOTH, PLAIN = "Avoid a price war.", "Undercut the rival.", "Both firms benefit.", "Hold at 1.8."


class Writer(Policy):
    """Writes a plan in each period; gives no price after the last one where it is told to abort."""

    name = "writer"

    def __init__(self, plans, aborts=False):
        self.plans = plans
        self.aborts = aborts

    def decide(self, turn, rng):
        if turn.round == len(self.plans):
            return Decision(None, status="invalid", on_invalid="abort")
        return Decision(1.7, notes={"plans": self.plans[turn.round]})


@pytest.fixture
def notes(tmp_path):
    """Makes a run of the market in which a firm writes these plans, one in each period."""

    def write(*plans, name="run", aborts=False):
        path = tmp_path / f"{name}.db"
        play_pricing([Writer(plans, aborts), "nash"], periods=len(plans) + aborts, path=path)
        return path

    return write


def knowing(request):
    """Answers by what the sentence says, whatever the order of the kinds."""
    prompt = request["messages"][0]["content"]
    words = {"price war.": "price war, or", "Undercut": "below", "Both": "together", "Hold": "none of"}
    (wanted,) = [kind for word, kind in words.items() if word in prompt.split("\n")[2]]
    return say(re.search(rf"^([A-D])\. .*{wanted}", prompt, re.MULTILINE)[1])


def judged(server, path, source, **options):
    model = {"spec": "openai/loopback", "api_base": server.url}
    return {each.rule.name: each for each in judge(source, model, path=path, **options)}


def test_verdicts_stand_beside_the_rules(tmp_path, notes):
    with Loopback([], otherwise=knowing) as server:
        found = judged(server, tmp_path / "judge.db", notes(f"{WAR} {CUT}", f"{BOTH} {PLAIN} {WAR}"))
        assert server.count == 4  # each different sentence once
    assert set(found) == set(KINDS) - {"none of these"}
    for each in found.values():
        assert (each.by_model, each.by_rule, each.by_both, each.read) == (1, 1, 1, 4)
        assert each.agreement.value == 1.0
        assert each.share.value == 0.25


def test_what_is_unreadable_is_left_out_and_never_guessed(tmp_path, notes):
    with Loopback([], otherwise=say("I would say A or B")) as server:
        found = judged(server, tmp_path / "judge.db", notes(WAR))
        assert server.count == 3
    assert found["undercutting"].read == 0
    assert found["undercutting"].share.value is None
    assert load(tmp_path / "judge.db")[1].said == {WAR: None}


def test_verdicts_are_kept_and_not_paid_for_twice(tmp_path, notes):
    path, source = tmp_path / "judge.db", notes(WAR, CUT)
    with Loopback([], otherwise=knowing) as server:
        first = judged(server, path, source)
        count = server.count
        assert judged(server, path, source) == first
        assert server.count == count
        with pytest.raises(UsageError, match="holds another judge"):
            judge(source, "openai/another", path=path)
        source.unlink()
        with pytest.raises(UsageError, match="the verdicts on other sentences: move it away"):
            judged(server, path, notes(WAR, BOTH))
        assert server.count == count
    assert Run(path).manifest["kind"] == "judge"


def test_a_sample_is_drawn_from_runs_that_are_done(tmp_path, notes):
    many = notes(*(f"Hold at {price}." for price in range(40)))
    with Loopback([], otherwise=knowing) as server:
        found = judged(server, tmp_path / "judge.db", many, sample=5)
        assert server.count == found["cooperation"].read == 5
        aborted = notes(WAR, name="aborted", aborts=True)
        assert judge(aborted, "openai/loopback", path=tmp_path / "none.db") == ()
    with pytest.raises(UsageError, match=r"^judge\.source: .* there is nothing to judge"):
        JudgeStudy(JudgeConfig(source=aborted, judge="openai/x")).episodes()
    assert not (tmp_path / "none.db").exists()


def test_a_judge_that_broke_off_goes_on_and_its_verdicts_enter_the_report_of_the_run(tmp_path, notes):
    source = notes(WAR, CUT, BOTH)
    path = beside(source)
    with Loopback([knowing, failing(500)], otherwise=knowing) as server:
        model = {"spec": "openai/loopback", "api_base": server.url, "transport_retries": 0}
        with pytest.raises(LudensError, match="gave no reply"):
            judge(source, model, concurrency=1)
        resume(path)
        assert server.count == 4
    assert report(path).ended == 3
    assert "Sentences by kind" in path.with_suffix(".html").read_text(encoding="utf-8")
    # The verdicts beside a run enter its own report, those on its own sentences alone.
    assert [each.read for each in report(source).judged] == [3, 3, 3]
    other = notes(PLAIN, name="other")
    beside(other).write_bytes(path.read_bytes())
    assert report(other).judged == ()


def test_only_language_models_judge(notes):
    with pytest.raises(UsageError, match=r"^judge\.judge: A judge is a language model.*'random'"):
        judge(notes(WAR), "random")
