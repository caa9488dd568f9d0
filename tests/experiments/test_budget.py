"""Budgets: a run stops within its limits, says so, keeps what was answered, and goes on with larger ones."""

from __future__ import annotations

import json

import pytest

from ludens import cli
from ludens.agents.policy import Call
from ludens.errors import UsageError
from ludens.experiments import Budget, BudgetSpentError, Run, resume, run_study
from ludens.experiments.bench.study import BenchConfig, BenchStudy
from ludens.experiments.runs.budget import Account, Spending
from ludens.experiments.study.files import parse_study
from tests.loopback import Loopback, failing, say

WORDS = "SPD5"
ANSWER = "A"


def study(server, **more):
    settings = {"spec": "openai/loopback", "api_base": server.url, "api_key": "none", "max_tokens": 5}
    return BenchStudy(
        BenchConfig(models=[settings], elicit="sample", protocols=[WORDS], framings=["neutral"], **more)
    )


def priced(made, prices):
    return BenchStudy(
        made.config.with_policies(lambda policy: {**policy, **prices} if policy != str(policy) else policy)
    )


def answers(path):
    with Run(path) as run:
        return [
            (record.episode, record.step, record.choice, [call.messages for call in record.decision.calls])
            for record in run.decisions()
        ]


def test_a_run_stops_at_its_calls_and_goes_on_with_more(tmp_path):
    with Loopback(otherwise=say(ANSWER)) as server:
        whole = run_study(study(server, replicates=4), tmp_path / "whole.db")
        needed, path = server.count, tmp_path / "r.db"
        with pytest.raises(BudgetSpentError, match=r"7 of 7 calls.*ludens resume .*--max-calls 14"):
            run_study(study(server, replicates=4, concurrency=4, budget={"calls": 7}), path)
        assert server.count == needed + 7
        with Run(path) as run:
            assert run.manifest["status"] == "interrupted"
            assert "--max-calls" in run.manifest["detail"]
            assert run.summary().calls == 7
        with pytest.raises(BudgetSpentError):  # what was recorded counts
            resume(path)
        assert server.count == needed + 7
        done = resume(path, budget={"calls": needed})
        assert server.count == 2 * needed
        assert done.manifest["status"] == "done"
        assert done.manifest["config"]["budget"] == {"calls": needed}
    assert answers(path) == answers(whole.path)


def test_tokens_stop_a_run_before_they_are_exceeded(tmp_path):
    with Loopback(otherwise=say(ANSWER)) as server:
        path = tmp_path / "r.db"
        with pytest.raises(BudgetSpentError, match="tokens"):
            run_study(study(server, concurrency=1, budget={"tokens": 700}), path)
        with Run(path) as run:
            calls = [call for record in run.decisions() for call in record.decision.calls]
    used = [call.prompt_tokens + call.completion_tokens for call in calls]
    assert sum(used) <= 700 < sum(used) + max(used)


def test_money_stops_a_run_and_counts_what_earlier_sessions_cost(tmp_path):
    prices = {"input_cost_per_token": 0.0, "output_cost_per_token": 0.25}
    with Loopback(otherwise=say(ANSWER)) as server:
        made = study(server, replicates=2, concurrency=3, budget=Budget(cost=1.0))
        path = tmp_path / "r.db"
        with pytest.raises(BudgetSpentError, match=r"\$1.00 of \$1.00.*--max-cost 2"):
            run_study(priced(made, prices), path)
        assert server.count == 4
        with pytest.raises(BudgetSpentError, match=r"\$1.50 of \$1.50"):
            resume(path, budget={"cost": 1.5})
        assert server.count == 6
        assert resume(path, budget={"cost": None}).manifest["status"] == "done"


def test_prices_of_one_run_are_not_those_of_the_next(tmp_path):
    prices = {"input_cost_per_token": 0.5, "output_cost_per_token": 0.25}
    costs = []
    with Loopback(otherwise=say(ANSWER)) as server:
        for number, more in enumerate([prices, {}, {**prices, "input_cost_per_token": 0.125}, {}]):
            made = study(server, concurrency=1)
            calls = run_study(priced(made, more), tmp_path / f"{number}.db").rows("calls")
            costs.append({(call["prompt_tokens"], call["completion_tokens"], call["cost"]) for call in calls})
    first, second, third, fourth = costs
    assert all(cost == prompt * 0.5 + reply * 0.25 for prompt, reply, cost in first)
    assert all(cost == prompt * 0.125 + reply * 0.25 for prompt, reply, cost in third)
    assert all(cost == 0 for _, _, cost in second | fourth)


def test_time_that_is_over_ends_a_run_that_waits(tmp_path, monkeypatch):
    with Loopback([say(ANSWER)], otherwise=failing(503)) as server:
        timed = study(server, concurrency=1, budget={"time": "2s"})
        with pytest.raises(BudgetSpentError, match="--max-time"):
            run_study(timed, tmp_path / "r.db")
    with Run(tmp_path / "r.db") as run:
        assert run.summary().calls == 1


def test_requests_without_an_answer_are_not_counted(tmp_path):
    with Loopback([failing(500), say(ANSWER), failing(500)], otherwise=say(ANSWER)) as server:
        with pytest.raises(BudgetSpentError):
            run_study(study(server, concurrency=1, budget={"calls": 3}), tmp_path / "r.db")
        assert server.count == 5


def test_prompts_that_a_provider_turns_down_are_counted_alike_at_once_and_later(tmp_path):
    turned_down = failing(400, "The request was rejected because it was considered high risk")
    with Loopback(otherwise=turned_down) as server:
        path = tmp_path / "r.db"
        with pytest.raises(BudgetSpentError, match="2 of 2 calls"):
            run_study(study(server, replicates=4, concurrency=1, budget={"calls": 2}), path)
        with pytest.raises(BudgetSpentError, match="2 of 2 calls"):
            resume(path)
        assert server.count == 2
    with Run(path) as run:
        assert {call.outcome for record in run.decisions() for call in record.decision.calls} == {"refused"}


def test_prompts_that_are_turned_down_without_a_reason_count_as_well(tmp_path):
    def answer(request):
        return say("Paris.") if "Answer briefly" in json.dumps(request) else failing(400, "Invalid request.")

    with Loopback(otherwise=answer) as server:
        path = tmp_path / "r.db"
        with pytest.raises(BudgetSpentError, match="3 of 3 calls"):
            run_study(study(server, replicates=4, concurrency=1, budget={"calls": 3}), path)
    with Run(path) as run:
        assert run.spending().calls <= 3


def test_a_server_that_counts_no_tokens_keeps_to_limits_too(tmp_path):
    prices = {"input_cost_per_token": 0.001, "output_cost_per_token": 0.001}
    with Loopback(otherwise=say(ANSWER)) as server:
        server.usage = False
        for number, limit in enumerate([{"tokens": 500}, {"cost": 0.5}]):
            made = study(server, replicates=3, concurrency=1, budget=limit)
            with pytest.raises(BudgetSpentError):
                run_study(priced(made, prices), tmp_path / f"{number}.db")
            calls = Run(tmp_path / f"{number}.db").rows("calls")
            assert calls
            assert all("counted" in call["marks"] and call["prompt_tokens"] > 20 for call in calls)
            assert sum(call["prompt_tokens"] + call["completion_tokens"] for call in calls) <= 500


def test_time_that_is_over_ends_the_waiting_of_workers(tmp_path):
    with Loopback(otherwise=failing(503)) as server:
        settings = {"spec": "openai/loopback", "api_base": server.url, "api_key": "none", "patience": "1h"}
        config = BenchConfig(
            models=[settings], elicit="sample", protocols=[WORDS], framings=["neutral"],
            workers=1, budget={"time": "3s"},
        )  # fmt: skip
        with pytest.raises(BudgetSpentError, match="--max-time"):
            run_study(BenchStudy(config), tmp_path / "r.db")


def test_a_value_that_cannot_be_read_is_not_repeated(capsys):
    for given, said in (
        ("api_key=hunter2secret,api_key=hunter2secret", "part 2"),
        ("api_key=abc12,hunter2secret", "part 2"),
        ("top_p=0.5,temperature", "'temperature'"),
    ):
        assert cli.main(["bench", "openai/m", "--set", given]) == 2
        told = " ".join(capsys.readouterr().err.split())
        assert said in told
        assert "hunter2secret" not in told
    with pytest.raises(UsageError) as refused:
        BenchConfig(models=[["openai/x", {"spec": "openai/x", "api_key": "hunter2secret"}]])
    assert "hunter2secret" not in str(refused.value)


def test_a_key_that_is_also_an_option_is_a_sentence(tmp_path, capsys):
    run_study(
        BenchStudy(BenchConfig(models=["homo_economicus"], protocols=[WORDS])), tmp_path / "r.db"
    ).close()
    assert cli.main(["extend", str(tmp_path / "r.db"), "concurrency=4", "--concurrency", "8"]) == 2
    assert "concurrency is given twice" in " ".join(capsys.readouterr().err.split())


def test_the_command_line_stops_resumes_and_lifts(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    with Loopback(otherwise=say(ANSWER)) as server:
        ask = "bench", "openai/loopback", "--api-base", server.url, "--elicit", "sample", "--protocols", WORDS
        more = "--framings", "neutral", "--out", "r.db", "--json"
        assert cli.main([*ask, *more, "--max-calls", "3"]) == 1
        said = capsys.readouterr()
        assert "3 of 3 calls" in " ".join(said.err.split())
        assert not said.out
        assert cli.main(["resume", "r.db", "--max-calls", "none", "--json"]) == 0
        capsys.readouterr()
        assert cli.main([*ask, "--print-config", "--max-cost", "$2.5", "--max-time", "2h"]) == 0
        assert "[bench.budget]\ncost = 2.5\ntime = 7200.0" in capsys.readouterr().out
        assert cli.main([*ask, "--max-tokens", "many"]) == 2
        assert "--max-tokens takes a whole number" in capsys.readouterr().err


def test_settings_of_models_on_the_command_line_are_sent_and_kept(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    monkeypatch.setenv("TEAM_TOKEN", "t0p-secret-value-of-a-team")
    with Loopback(otherwise=say(ANSWER)) as server:
        ask = "bench", "openai/loopback", "--api-base", server.url, "--elicit", "sample", "--protocols", WORDS
        sampled = (
            *("--temperature", "0.25", "--model-seed", "7", "--reply-tokens", "9"),
            *("--header", "X-Team=TEAM_TOKEN", "--set", "top_p=0.5"),
        )
        assert cli.main([*ask, *sampled, "--framings", "neutral", "--out", "r.db", "--json"]) == 0
        sent = server.requests[-1]
        assert (sent["temperature"], sent["seed"], sent["max_tokens"], sent["top_p"]) == (0.25, 7, 9, 0.5)
        assert all(headers["x-team"] == "t0p-secret-value-of-a-team" for headers in server.headers)
        with Run("r.db") as run:
            (model,) = run.manifest["config"]["models"]
        assert model["headers_from"] == ["X-Team=TEAM_TOKEN"]
        assert b"t0p-secret-value" not in b"".join(file.read_bytes() for file in tmp_path.iterdir())
        capsys.readouterr()
        assert cli.main([*ask, *sampled, "--print-config"]) == 0
        text = capsys.readouterr().out
        (tmp_path / "s.toml").write_text(text, encoding="utf-8")
        assert cli.main(["run", "s.toml", "--temperature", "0.75", "--print-config"]) == 0
        assert capsys.readouterr().out == text.replace("temperature = 0.25", "temperature = 0.75")


def test_models_on_this_machine_alone_evaluate_requests_together(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    models = "local/smollm2-135m", "openai/loopback"
    assert cli.main(["bench", *models, "--batched", "--print-config"]) == 0
    text = capsys.readouterr().out
    (tmp_path / "s.toml").write_text(text, encoding="utf-8")
    local, hosted = parse_study(text).config.models
    assert local == {"spec": models[0], "batched": True}
    assert hosted == models[1] or hosted == {"spec": models[1]}
    assert cli.main(["run", "s.toml", "--one-at-a-time", "--print-config"]) == 0
    assert capsys.readouterr().out == text.replace("batched = true", "batched = false")
    assert cli.main(["bench", models[1], "--batched", "--print-config"]) == 2
    assert "a setting of models on this machine" in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize("given", ["Bearer sk-planted-0001", "sk_planted_0001"])
def test_a_secret_in_place_of_a_headers_variable_is_not_repeated(tmp_path, monkeypatch, capsys, given):
    monkeypatch.chdir(tmp_path)
    ask = "bench", "openai/loopback", "--api-base", "http://127.0.0.1:9/v1", "--out", "r.db"
    assert cli.main([*ask, "--header", f"Authorization={given}", "--protocols", WORDS]) in {1, 2}
    said = " ".join(capsys.readouterr().err.split())
    assert "Authorization=…" in said
    assert "planted" not in said
    assert not list(tmp_path.iterdir())


def test_an_unset_variable_of_a_header_is_named_before_anything_is_written(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    with Loopback() as server:
        ask = (
            "bench",
            "openai/loopback",
            "--api-base",
            server.url,
            "--header",
            "X-Team=NOT_SET",
            "--out",
            "r.db",
        )
        assert cli.main([*ask, "--protocols", WORDS]) == 1
        assert "set the environment variable NOT_SET" in " ".join(capsys.readouterr().err.split())
        assert not server.count
    assert not (tmp_path / "r.db").exists()


def test_a_stored_run_sends_no_variable_to_an_address_that_its_file_names(tmp_path, monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.setenv("TEAM_TOKEN", "t0p-secret-value-of-a-team")
    with Loopback(otherwise=say(ANSWER)) as server:
        settings = {"spec": "openai/loopback", "api_base": server.url, "headers_from": ["X-Team=TEAM_TOKEN"]}
        config = BenchConfig(models=[settings], elicit="sample", protocols=[WORDS], budget={"calls": 2})
        with pytest.raises(BudgetSpentError):
            run_study(BenchStudy(config), tmp_path / "r.db")
        with pytest.raises(UsageError, match="TEAM_TOKEN"):
            resume(tmp_path / "r.db", budget=None)
        assert resume(tmp_path / "r.db", api_base=server.url, budget=None).manifest["status"] == "done"


@pytest.mark.parametrize(
    ("limits", "said"),
    [
        ({"cost": 0}, "cost must be"),
        ({"calls": 1.5}, "calls must be"),
        ({"tokens": True}, "tokens must be"),
        ({"time": "soon"}, "time must be"),
        ({"dollars": 3}, "no limit 'dollars'"),
        ("5", "is a table"),
    ],
)
def test_wrong_budgets_are_refused(limits, said):
    with pytest.raises(UsageError, match=said):
        BenchConfig(models=["homo_economicus"], budget=limits)


def test_budgets_survive_files():
    config = BenchConfig(models=["homo_economicus"], budget={"cost": 1, "time": "2m"})
    assert config.budget == Budget(cost=1.0, time=120.0)
    assert BenchConfig(**json.loads(json.dumps(config.as_json()))) == config
    assert BenchConfig(models=["homo_economicus"], budget={}).budget is None


def test_calls_that_policies_tell_of_afterwards_count(tmp_path):
    account = Account(tmp_path / "r.db", Budget(calls=3), {"m": Spending(2, 10, 0.1)})
    account.check()
    account.book(Call("m", (), "A", "ok", prompt_tokens=5, cost=0.2))
    assert account.spent == Spending(3, 15, pytest.approx(0.3))
    with pytest.raises(BudgetSpentError, match="3 of 3 calls"):
        account.check()


def test_an_option_that_a_model_does_not_take_is_said_to_be_left_out(tmp_path, caplog):
    with Loopback(otherwise=say(ANSWER)) as server:
        settings = {"spec": "openai/gpt-4o", "api_base": server.url, "api_key": "none", "top_p": 0.5}
        config = BenchConfig(
            models=[{**settings, "reasoning_effort": "low"}],
            elicit="sample",
            protocols=[WORDS],
            framings=["neutral"],
        )
        run_study(BenchStudy(config), tmp_path / "r.db")
        assert all(
            request["top_p"] == 0.5 and "reasoning_effort" not in request for request in server.requests
        )
    said = [record.message for record in caplog.records if "left out" in record.message]
    assert said == [
        f"openai/gpt-4o at {server.url} takes no reasoning_effort: it is left out of all requests."
    ]


def test_a_judge_has_what_its_run_has_left_of_the_budget(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    notes = {"observations": "x", "plans": "Undercut. Avoid a war.", "insights": "y"}
    reply = json.dumps({**notes, "price": 1.5})

    def answer(request):
        return say("A") if "Answer with one letter" in request["messages"][-1]["content"] else say(reply)

    with Loopback(otherwise=answer) as server:
        market = "price", "--firms", "openai/loopback,nash", "--periods", "3", "--prefix", "P2"
        judged = "--api-base", server.url, "--judge", "openai/loopback"
        assert cli.main([*market, *judged, "--max-calls", "4", "--out", "r.db"]) == 1
        assert server.count == 4
        assert "The budget for r.judge.db is spent (1 of 1 calls)" in " ".join(
            capsys.readouterr().err.split()
        )
        assert cli.main([*market, *judged, "--max-calls", "3", "--out", "s.db"]) == 1
        assert server.count == 7
        assert "nothing is left to the judge" in " ".join(capsys.readouterr().err.split())
        assert (tmp_path / "s.html").exists()
        wrong = "--set", "note_limit=20"
        before = server.count
        assert cli.main([*market, *judged, *wrong, "--out", "t.db"]) == 2
        assert server.count == before
        assert not (tmp_path / "t.db").exists()
        assert cli.main(["price", "report", "s.db", *judged, "--max-calls", "1"]) == 1
        assert cli.main(["price", "report", "s.db", *judged]) == 1  # the limit stands until it is lifted
        assert cli.main(["price", "report", "s.db", *judged, "--max-calls", "100"]) == 0
        assert server.count > 7
