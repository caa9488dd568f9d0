"""Policies without a specification are benchmarked from Python, like any other."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from ludens.agents import CallablePolicy, Policy, draw
from ludens.cli import app
from ludens.errors import LudensError, UsageError
from ludens.experiments import bench, extend, resume
from ludens.experiments.bench.study import BenchConfig, BenchStudy
from ludens.experiments.runs.run import Run
from ludens.experiments.study.engine import load

PROTOCOLS = ("TG1", "SPD2")


class Cautious(Policy):
    """Takes the first option with probability 0.25."""

    name = "cautious"

    def decide(self, turn, rng):
        rest = [0.75 / (len(turn.options) - 1)] * (len(turn.options) - 1)
        return draw([0.25, *rest], turn, rng, provenance="exact")


class Tired(Cautious):
    """Stops in the middle of a run, as a policy whose server does not answer does."""

    def __init__(self, most):
        self.left = most

    def decide(self, turn, rng):
        self.left -= 1
        if self.left < 0:
            raise LudensError("tired")
        return super().decide(turn, rng)


def test_policies_of_ones_own_stand_beside_the_references(tmp_path):
    first = CallablePolicy(lambda observation: 0, "always first")
    path = tmp_path / "run.db"
    result = bench([Cautious(), first], protocols=PROTOCOLS, path=path)
    assert result.models == ("cautious", "always first")
    with Run(path) as run:
        asked = [each for each in run.decisions() if each.labels["policy"] == "cautious"]
        assert {each.decision.probabilities for each in asked} == {(0.25, 0.75)}
        assert len(asked) == len([each for each in run.decisions() if each.labels["policy"] == "random"])
    again = load(path)[1]
    assert again.models == result.models
    shown = CliRunner().invoke(app, ["show", str(path), "--json"])
    assert shown.exit_code == 0, shown.output
    assert json.loads(shown.stdout)


def test_it_is_resumed_with_the_policy_itself_and_with_no_other(tmp_path):
    path = tmp_path / "run.db"
    with pytest.raises(LudensError, match="tired"):
        bench([Tired(2)], protocols=PROTOCOLS, path=path)
    with pytest.raises(UsageError, match=r"'cautious' was a Python object.*resume\(path, models=\.\.\.\)"):
        resume(path)
    with pytest.raises(UsageError, match="other episodes"):
        resume(path, models=[CallablePolicy(lambda observation: 0, "always first")])
    resume(path, models=[Cautious()])
    whole = bench([Cautious()], protocols=PROTOCOLS, path=tmp_path / "whole.db")
    assert load(path)[1].table == whole.table


def test_a_run_grows_by_a_policy_of_ones_own(tmp_path):
    path = tmp_path / "run.db"
    bench(["tit_for_tat"], protocols=PROTOCOLS, path=path)
    extend(path, models=["tit_for_tat", Cautious()])
    assert load(path)[1].models == ("tit_for_tat", "cautious")
    with Run(path) as run:
        assert {"tit_for_tat", "cautious"} <= {each.labels["policy"] for each in run.decisions()}


def test_a_policy_that_needs_words_needs_a_specification():
    class Talker(Cautious):
        needs_words = True

    with pytest.raises(UsageError, match="named by its spec"):
        BenchConfig(models=[Talker()])


def test_what_a_policy_cannot_answer_shows_before_anything_is_asked(tmp_path):
    class Narrow(Cautious):
        def check(self, turn):
            if turn.game.name != "trust":
                raise UsageError("I play trust alone.")

    with pytest.raises(UsageError, match="trust alone"):
        bench([Narrow()], path=tmp_path / "run.db")
    assert not list(tmp_path.iterdir())
    assert BenchStudy(BenchConfig(models=[Narrow()], protocols=["TG1"])).player()
