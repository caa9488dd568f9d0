"""Estimates of what a run will ask and cost: nothing is asked, and calls are counted as they come out."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from ludens import cli
from ludens.experiments import BudgetSpentError, Progress, run_study
from ludens.experiments.av import AvConfig, AvStudy
from ludens.experiments.bench.study import BenchConfig, BenchStudy
from ludens.experiments.play.study import PlayConfig, PlayStudy
from ludens.experiments.pricing.config import PricingConfig
from ludens.experiments.pricing.study import PricingStudy
from ludens.experiments.runs.progress import spent, with_cost_to_come
from ludens.experiments.study.forecast import forecast
from tests.loopback import Loopback, say, weighing

PRICES = {"input_cost_per_token": 1e-6, "output_cost_per_token": 4e-6}


def model(server, **more):
    return {"spec": "openai/loopback", "api_base": server.url, "api_key": "none", **more}


def calls(run):
    return [call for record in run.decisions() for call in record.decision.calls]


@pytest.mark.parametrize("elicit", ["sample", "logprobs"])
def test_questions_are_counted_as_they_come_out(tmp_path, elicit):
    reply = say("A") if elicit == "sample" else weighing(A=0.7, B=0.3)
    with Loopback(otherwise=reply) as server:
        config = BenchConfig(
            models=[model(server)], elicit=elicit, protocols=["SPD5", "TG3"], framings=["neutral"]
        )
        expected = forecast(BenchStudy(config))
        assert not server.count
        run = run_study(BenchStudy(config), tmp_path / "r.db")
        (asked,) = expected.models
        assert asked.calls == pytest.approx(server.count)
        assert (asked.prompt_cost, asked.costs, expected.costs) == (None, False, False)
        assert all(call.outcome == "ok" for call in calls(run))


def test_what_a_model_of_a_known_price_may_cost(monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    settings = {"spec": "openai/loopback", **PRICES, "max_tokens": 50}
    config = BenchConfig(models=[settings], elicit="sample", protocols=["SPD5"], replicates=3)
    (asked,) = forecast(BenchStudy(config)).models
    assert asked.costs
    assert asked.reply_tokens == pytest.approx(50 * asked.calls)
    assert asked.prompt_cost == pytest.approx(1e-6 * asked.prompt_tokens)
    assert asked.most_cost == pytest.approx(asked.prompt_cost + 4e-6 * 50 * asked.calls)
    assert "at most $" in asked.sentence()
    assert 20 < asked.prompt_tokens / asked.calls < 1000


def test_a_market_is_counted_by_period_firm_and_growing_prompt(tmp_path):
    config = PricingConfig(firms=[{"spec": "openai/loopback", **PRICES}, "nash"], periods=60, runs=3)
    expected = forecast(PricingStudy(config))
    (asked,) = expected.models
    assert asked.calls == pytest.approx(180, rel=0.05)
    assert asked.rendered < 180
    assert (expected.episodes, expected.played) == (3, 2)


def test_a_played_game_and_a_dilemma_are_counted():
    config = PlayConfig(environment="trust", policies=[{"spec": "openai/loopback"}, "random"], episodes=5)
    (asked,) = forecast(PlayStudy(config)).models
    assert 0 < asked.calls <= 2 * 5  # in both orders of the options
    dilemmas = AvConfig(models=[{"spec": "openai/loopback"}], studies=[1], framings=["neutral"])
    study = AvStudy(dilemmas)
    (asked,) = forecast(study).models
    hosted = [labels for labels in study.episodes() if labels["policy"] == "openai/loopback"]
    assert asked.calls >= len(hosted)


@pytest.fixture
def terminal(monkeypatch, tmp_path):
    """A terminal at which somebody answers; returns what to answer, and what was asked."""
    from rich.console import Console

    from ludens.cli import approval

    answers, asked = [], []

    def confirm(question, err):
        asked.append(question)
        return answers.pop()

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    monkeypatch.setattr(approval, "console", lambda *, stderr: Console(stderr=stderr, force_terminal=True))
    monkeypatch.setattr(approval.sys, "stdin", SimpleNamespace(isatty=lambda: True))
    monkeypatch.setattr(approval.typer, "confirm", confirm)
    return answers, asked


def test_somebody_at_a_terminal_is_asked_before_money_is_spent(terminal, capsys):
    answers, asked = terminal
    prices = ",".join(f"{name}={value}" for name, value in PRICES.items())
    with Loopback(otherwise=say("A")) as server:
        ask = (
            *("bench", "openai/loopback", "--api-base", server.url, "--protocols", "SPD5", "--out", "r.db"),
            *("--elicit", "sample", "--framings", "neutral", "--set", prices, "--reply-tokens", "9"),
        )
        answers.append(False)
        assert cli.main([*ask]) == 1
        assert (len(asked), server.count, Path("r.db").exists()) == (1, 0, False)
        assert "at most $" in capsys.readouterr().err
        assert cli.main([*ask, "--dry-run"]) == 0
        assert (len(asked), server.count, Path("r.db").exists()) == (1, 0, False)
        assert "at most $" in capsys.readouterr().out
        assert cli.main([*ask, "--yes", "--max-calls", "2"]) == 1
        assert (len(asked), server.count) == (1, 2)
        assert "at most $" in capsys.readouterr().err
        answers.append(True)
        assert cli.main(["resume", "r.db", "--max-calls", "none", "--api-base", server.url]) == 0
        assert len(asked) == 2


def test_a_server_of_ones_own_without_a_price_is_asked_at_once(terminal, capsys):
    _, asked = terminal
    with Loopback(otherwise=say("A")) as server:
        ask = "bench", "openai/loopback", "--api-base", server.url, "--protocols", "SPD5"
        more = "--framings", "neutral", "--elicit", "sample", "--max-cost", "5", "--out", "r.db"
        assert cli.main([*ask, *more]) == 0
    assert not asked
    assert "does not count openai/loopback, whose price is not known" in capsys.readouterr().err


def test_a_run_that_cannot_be_estimated_is_asked_about_all_the_same(terminal, capsys, monkeypatch):
    from ludens.experiments.study import forecast as module

    answers, asked = terminal
    answers.append(False)
    monkeypatch.setattr(module, "_rehearse", None)
    assert cli.main(["bench", "openai/gpt-4o", "--protocols", "SPD5", "--out", "r.db"]) == 1
    assert (len(asked), Path("r.db").exists()) == (1, False)
    assert "could not be estimated" in capsys.readouterr().err


def test_the_progress_line_tells_the_cost_to_come():
    lines = []
    report = with_cost_to_come(lambda standing: lines.append(spent(standing)), 10)
    report(Progress(0, 5, 0, 2, 4.0))
    report(Progress(1, 5, 3, 6, 12.0))
    report(Progress(5, 5, 9, 14, 28.0))
    assert lines == [
        "2 calls · $4.00 · about $20.00 to come",
        "6 calls · $12.00 · about $12.00 to come",
        "14 calls · $28.00",
    ]


def test_what_costs_nothing_is_not_counted():
    config = BenchConfig(models=["homo_economicus", "local/smollm2-135m"], protocols=["SPD5"])
    assert forecast(BenchStudy(config)).models == ()
    assert "costs nothing" in forecast(BenchStudy(config)).sentences()[0]


def test_of_a_run_that_goes_on_the_rest_is_counted(tmp_path):
    with Loopback(otherwise=say("A")) as server:
        config = BenchConfig(
            models=[model(server, max_tokens=5)], elicit="sample", protocols=["SPD5"], budget={"calls": 4}
        )
        whole = forecast(BenchStudy(config)).models[0].calls
        with pytest.raises(BudgetSpentError):
            run_study(BenchStudy(config), tmp_path / "r.db")
        (rest,) = forecast(BenchStudy(config), tmp_path / "r.db").models
    assert rest.calls == pytest.approx(whole - 4)


def test_of_a_run_that_grows_what_is_new_is_counted(tmp_path):
    """References come last, so that what is added lies between what was played."""
    with Loopback(otherwise=say("A")) as server:
        config = {"elicit": "sample", "protocols": ["SPD5"]}
        small = BenchConfig(models=[model(server)], **config)
        whole = forecast(BenchStudy(small)).models[0].calls
        run_study(BenchStudy(small), tmp_path / "r.db").close()
        other = model(server, spec="openai/other")
        (added,) = forecast(
            BenchStudy(BenchConfig(models=[model(server), other], **config)), tmp_path / "r.db"
        ).models
        assert (added.model, added.calls) == ("openai/other", pytest.approx(whole))
        twice = BenchConfig(models=[model(server)], replicates=2, **config)
        (again,) = forecast(BenchStudy(twice), tmp_path / "r.db").models
        assert again.calls == pytest.approx(whole)


def test_of_an_episode_that_broke_off_the_rest_is_counted(tmp_path):
    with Loopback(otherwise=say('{"price": 1.5}')) as server:
        config = PricingConfig(firms=[model(server), "nash"], periods=12, budget={"calls": 10})
        with pytest.raises(BudgetSpentError):
            run_study(PricingStudy(config), tmp_path / "r.db")
        (rest,) = forecast(PricingStudy(config), tmp_path / "r.db").models
    assert rest.calls == pytest.approx(2)


class Seldom(PlayStudy):
    """A study that asks its model in every fifth episode."""

    def player(self):
        ask = super().player()

        async def play_one(spec, recorder, seeds):
            return None if spec.index % 5 else await ask(spec, recorder, seeds)

        return play_one


def test_episodes_that_ask_nothing_end_no_estimate(monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    policies = [{"spec": "openai/loopback", **PRICES, "elicit": "sample"}, "random"]
    config = PlayConfig(environment="ultimatum", policies=policies, episodes=100, seed=3)
    expected = forecast(Seldom(config))
    assert expected.costs
    assert expected.models[0].calls == pytest.approx(20, rel=0.3)


def test_a_dry_run_says_that_the_run_cannot_be_carried_out(capsys):
    words = ["bench", "openai/loopback", "--dry-run", "--executor", "serial", "--workers", "3"]
    assert cli.main(words) == 2
    assert "choose processes or ray" in " ".join(capsys.readouterr().err.split())
