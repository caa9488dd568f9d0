"""What servers refuse and ask for, on the command line: counted, shown, remembered, and never asked twice."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ludens import cli
from ludens.experiments import Run
from tests.loopback import Answer, Loopback, say


@pytest.fixture
def ran(tmp_path, monkeypatch, capsys):
    """Runs the command in an empty folder; returns code, stdout, stderr."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")

    def run(*arguments):
        code = cli.main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


def error(status, message):
    said = {"message": message, "type": "invalid_request_error", "param": None, "code": None}
    return Answer(status=status, body=json.dumps({"error": said}).encode())


class Server(Loopback):
    """A server that takes no seed, no temperature and no system message, with a filter that lets nobody be
    Person 2, and a quota.

    Args:
        words: of the filter's refusals.
        answers: how many it gives before the quota is spent.
    """

    def __init__(self, words="Content Exists Risk", answers=10**9):
        super().__init__([], self.reply)
        self.words, self.answers, self.demands = words, answers, 0

    def reply(self, request):
        for name in ("seed", "temperature"):
            if name in request:
                self.demands += 1
                return error(400, f"Unsupported parameter: '{name}' is not supported with this model.")
        if request["messages"][0]["role"] == "system":
            self.demands += 1
            return error(400, "System role not supported")
        if "You are Person 2" in request["messages"][0]["content"]:
            return error(400, self.words)
        self.answers -= 1
        return say("A") if self.answers >= 0 else error(402, "Insufficient Balance")


STUDY = """\
[bench]
models = [{{ spec = "openai/loopback", api_base = "{url}", temperature = 0.5 }}]
elicit = "sample"
protocols = ["SPD5"]
framings = ["neutral"]
replicates = 3
concurrency = {concurrency}
"""
QUESTIONS = 3 * 2 * 3
REFUSED = 2 * 2 * 3


def study(server, concurrency=1):
    Path("s.toml").write_text(STUDY.format(url=server.url, concurrency=concurrency), encoding="utf-8")
    return "run", "s.toml", "--out", "r.db"


def asked(run):
    return [record for record in run.decisions() if record.policy == "openai/loopback"]


FILTERS = {
    "Content Exists Risk": "The provider's content filter: Content Exists Risk.",
    "Error 4711": "The provider turned this prompt down: Error 4711.",
}


@pytest.mark.parametrize("concurrency", [1, 32])
@pytest.mark.parametrize(("words", "detail"), FILTERS.items())
def test_a_prompt_refused_is_that_prompts_refusal_and_the_benchmark_goes_on(ran, words, detail, concurrency):
    with Server(words) as server:
        code, _, _ = ran(*study(server, concurrency))
    run = Run("r.db")
    refused = [record for record in asked(run) if record.decision.status == "refused"]
    assert (code, run.summary().status) == (0, "done")
    assert {record.node for record in refused} == {"reply to cooperation", "reply to defection"}
    assert (len(asked(run)), len(refused)) == (QUESTIONS, REFUSED)
    assert {record.decision.status for record in asked(run)} == {"valid", "refused"}
    assert {record.decision.calls[-1].detail for record in refused} == {detail}
    assert run.summary().decisions["refused"] == REFUSED


def test_resume_neither_stops_at_a_refused_prompt_nor_asks_for_what_the_server_does_not_take(ran):
    with Server() as whole:
        ran(*study(whole))
        table = Run("r.db").final_table()
    Path("r.db").unlink()
    with Server(answers=4) as server:
        code, out, err = ran(*study(server))
        assert (code, out) == (1, "")
        assert "ludens resume r.db" in err
        demands, refused = server.demands, Run("r.db").summary().decisions["refused"]
        assert demands == 3
        assert refused > 0
        server.answers = 10**9
        code, _, _ = ran("resume", "r.db")
        assert (code, server.demands) == (0, demands)
    run = Run("r.db")
    assert (run.final_table(), len(asked(run))) == (table, QUESTIONS)
    assert (
        sum("You are Person 2" in request["messages"][0]["content"] for request in server.requests) == REFUSED
    )


def test_what_was_changed_in_the_requests_is_kept_and_shown(ran):
    with Server() as server:
        _, out, _ = ran(*study(server))
    name = f"openai/loopback at {server.url}"
    assert Run("r.db").manifest["adapted"] == {
        name: {"without": ["seed", "temperature"], "system": False, "temperatures": [0.5]}
    }
    warning = f"{name} was not sampled as the configuration says: temperature 0.5 could not be set"
    for text in (out, ran("show", "r.db")[1]):
        assert warning in " ".join(text.split())
        assert f"Requests to {name}: sent without seed." in " ".join(text.split())
        assert "no system messages" in text
    assert warning in Path("r.html").read_text(encoding="utf-8")
    shown = json.loads(ran("show", "r.db", "--json")[1])
    assert shown["manifest"]["adapted"] == Run("r.db").manifest["adapted"]


def test_a_run_of_which_nothing_had_to_be_changed_says_nothing_of_it(ran):
    with Loopback([], say("A")) as server:
        _, out, _ = ran(*study(server))
    assert "adapted" not in Run("r.db").manifest
    assert "Requests" not in out


def test_markets_go_on_from_a_server_that_wants_requests_of_its_own(ran):
    reply = json.dumps({"observations": "", "plans": "", "insights": "", "price": 1.7})

    def answer(request):
        if "temperature" in request:
            return error(400, "temperature is deprecated for this model.")
        return say(reply)

    with Loopback([], answer) as server:
        market = "price", "--firms", "openai/loopback,myopic", "--periods", 3, "--out", "p.db"
        code, _, _ = ran(*market, "--api-base", server.url)
    assert (code, server.count) == (0, 4)
    (facts,) = Run("p.db").manifest["adapted"].values()
    assert facts == {"without": ["temperature"]}
