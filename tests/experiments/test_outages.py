"""Outages, rate limits and spent quotas in studies: no table shows a provider's failure as the model's."""

from __future__ import annotations

import json
import re
import threading
import time

import pytest

from ludens import cli
from ludens.agents.llm import ModelError, NoReplyError, circuit
from ludens.experiments import STUDIES, Run, resume, run_study
from ludens.experiments.bench.study import BenchConfig, BenchStudy
from ludens.experiments.pricing.study import play_pricing
from ludens.training.evaluation.exam import ExamStudy
from tests import loopback
from tests.loopback import Loopback, say

LONG = 3600.0
"""Seconds that no test needs, on however slow a machine."""
BENCH = {"framings": ("neutral",), "elicit": "sample", "protocols": ("SPD5", "TG3", "UG1")}
SLOTS = "OBSERVATIONS: seen\nPLANS: Avoid a price war.\nINSIGHTS: calm\nPRICE: 1.7"


@pytest.fixture(autouse=True)
def _no_key(monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)


def served(server, **settings):
    base = {"spec": "openai/loopback", "api_base": server.url, "timeout": LONG, "retry_wait": 0.001}
    return base | {"patience": LONG} | settings


def answer(request):
    """An answer to the questions of every study, by the question alone."""
    text = "\n".join(str(message["content"]) for message in request["messages"])
    if "PRICE:" in text:
        return say(SLOTS)
    letter = "AB"[len(text) % 2]
    return say(letter if re.search(rf"\b{letter}\b", text) else "7")


class Failing:
    """A server that answers `well` requests, then fails until `up` is set.

    Attributes:
        answered: how many requests were answered.
    """

    def __init__(self, well, fault, *, again_after=None):
        self.well, self.fault, self.again_after = well, fault, again_after
        self.answered = self.failed = 0
        self.up = False
        self._lock = threading.Lock()

    def __call__(self, request):
        with self._lock:
            if self.again_after is not None and self.failed >= self.again_after:
                self.up = True
            if not self.up and self.answered >= self.well:
                self.failed += 1
                return self.fault
            self.answered += 1
        return answer(request)


def decisions(path):
    """What was decided, whatever the times and repetitions."""
    with Run(path) as run:
        return sorted(
            (record.episode, record.step, record.decision.status, record.decision.action)
            for record in run.decisions()
        )


def all_valid(run):
    counts = run.summary().decisions
    return counts["valid"] == sum(counts.values()) > 0


def tables(path, study):
    with Run(path) as run:
        found = study.measure(run)
        rows = {name: [dict(row) for row in rows] for name, rows in study.tables(found).items()}
    return json.dumps(rows, default=str)


@pytest.mark.parametrize(
    "fault",
    [loopback.failing(503), loopback.limited(), loopback.broken(), loopback.garbled()],
    ids=["503", "429", "broken", "garbled"],
)
def test_a_while_of_failures_at_32_in_flight_changes_nothing(tmp_path, fault):
    def bench(server, name):
        study = BenchStudy(BenchConfig(models=[served(server)], concurrency=32, replicates=3, **BENCH))
        run_study(study, tmp_path / name)
        return study

    with Loopback(otherwise=answer) as server:
        undisturbed = bench(server, "undisturbed.db")
        asked = server.count
    failing = Failing(asked // 2, fault, again_after=16)
    with Loopback(otherwise=failing) as server:
        disturbed = bench(server, "disturbed.db")
    assert failing.failed >= 16
    assert failing.answered == asked
    assert decisions(tmp_path / "disturbed.db") == decisions(tmp_path / "undisturbed.db")
    with Run(tmp_path / "disturbed.db") as run:
        assert run.manifest["status"] == "done"
        assert all_valid(run)
    costs = re.compile(r'"(?:calls?_seconds|seconds|transport_retries)": [^,}]*|https?://[^"]*')
    first, second = (
        costs.sub("", tables(tmp_path / name, study))
        for name, study in (("undisturbed.db", undisturbed), ("disturbed.db", disturbed))
    )
    assert first == second


def test_a_limit_of_six_in_a_while_without_retry_after_is_waited_out(tmp_path):
    times, lock = [], threading.Lock()

    def limited(request):
        with lock:
            now = time.monotonic()
            times[:] = [each for each in times if each > now - 0.05]
            if len(times) >= 6:
                return loopback.limited()
            times.append(now)
        return answer(request)

    with Loopback(otherwise=limited) as server:
        study = BenchStudy(BenchConfig(models=[served(server)], concurrency=32, **BENCH))
        run = run_study(study, tmp_path / "run.db")
    assert all_valid(run)


def play(server):
    return {"environment": "trust-v0", "policies": served(server, patience=0), "episodes": 6}


def priced(server, tmp_path):
    """A run of a market whose notes can be judged and changed."""
    path = tmp_path / "source.db"
    if not path.exists():
        play_pricing([served(server, patience=0), "nash"], periods=4, path=path)
    return path


def asked(server):
    return [served(server, patience=0, elicit="sample", retries=0)]


CONFIGS = {
    "play": lambda server, _: play(server),
    "bench": lambda server, _: {"models": asked(server), **BENCH},
    "pricing": lambda server, _: {"firms": [served(server, patience=0), "nash"], "periods": 3, "runs": 2},
    "implant": lambda server, folder: {"source": priced(server, folder), "periods": (2, 3), "places": 2},
    "deviate": lambda server, folder: {"source": priced(server, folder), "periods": (3,), "after": 3},
    "judge": lambda server, folder: {
        "source": priced(server, folder),
        "judge": served(server, patience=0, retries=0),
    },
    "av": lambda server, _: {"models": asked(server), "studies": (1,), "framings": ("neutral",)},
    "moral_machine": lambda server, _: {"models": asked(server), "scenarios": 30},
    "adoption": lambda server, _: {"agents": asked(server), "game": {"people": 4}, "rounds": 3},
    "exam": lambda server, _: {
        "policies": asked(server),
        "questions": [
            {"set": "s", "family": "trust", "payoffs": (80, 60, 30, 20), "node": node, "order": order}
            for node in ("opening", "reply to trust")
            for order in (0, 1)
        ],
    },
}


def study_of(kind, server, folder):
    study = ExamStudy if kind == "exam" else STUDIES[kind]
    return study(study.config_type(**CONFIGS[kind](server, folder), concurrency=4))


@pytest.mark.parametrize("kind", CONFIGS)
def test_every_study_stops_at_an_outage_and_goes_on_where_it_was(tmp_path, kind):
    path = tmp_path / "run.db"
    with Loopback(otherwise=answer) as server:
        study = study_of(kind, server, tmp_path)
        before = server.count
        run_study(study, tmp_path / "undisturbed.db")
        asked = server.count - before
        whole = decisions(tmp_path / "undisturbed.db")
        assert asked > 1
        server.otherwise = failing = Failing(asked // 2, loopback.failing(503))
        with pytest.raises(NoReplyError, match=r"gave no reply at http://127\.0\.0\.1:\d+/v1") as error:
            run_study(study_of(kind, server, tmp_path), path)
        assert any(f"ludens resume {path}" in note for note in error.value.__notes__)
        with Run(path) as run:
            assert run.manifest["status"] == "failed"
            assert run.manifest["detail"] == str(error.value)
        kept = decisions(path)
        assert len(kept) < len(whole)
        assert set(kept) <= set(whole)
        failing.up = True
        resume(path)
    assert decisions(path) == whole
    assert failing.answered == asked
    with Run(path) as run:
        assert run.manifest["status"] == "done"


@pytest.mark.parametrize("kind", CONFIGS)
def test_a_study_that_gets_no_answer_at_all_holds_nothing_of_the_model(tmp_path, kind):
    with Loopback(otherwise=answer) as server:
        study = study_of(kind, server, tmp_path)
        server.otherwise = loopback.failing(503)
        with pytest.raises(NoReplyError):
            run_study(study, tmp_path / "run.db")
    # References and other policies that were asked before the model keep what they decided.
    if (tmp_path / "run.db").exists():
        with Run(tmp_path / "run.db") as run:
            assert run.manifest["status"] == "failed"
            assert "openai/loopback" not in {record.policy for record in run.decisions()}


def test_a_spent_quota_stops_the_run_at_once(tmp_path):
    said = {"message": "You exceeded your current quota", "type": "insufficient_quota", "param": None}
    spent = loopback.Answer(
        status=429, body=json.dumps({"error": {**said, "code": "insufficient_quota"}}).encode()
    )
    failing = Failing(5, spent)
    with Loopback(otherwise=failing) as server:
        config = BenchConfig(models=[served(server)], concurrency=1, **BENCH)
        with pytest.raises(ModelError, match=r"quota or credit .* is spent") as error:
            run_study(BenchStudy(config), tmp_path / "run.db")
        assert failing.failed == 1
    assert f"ludens resume {tmp_path / 'run.db'}" in error.value.__notes__[0]
    with Run(tmp_path / "run.db") as run:
        assert len([record for record in run.decisions() if record.decision.calls]) == 5


@pytest.fixture
def hurried(monkeypatch):
    """Waits between requests take no time, but are counted as if they did."""
    passed = [0.0]

    async def wait(event, seconds):
        if seconds is None:
            await event.wait()
        else:
            passed[0] += seconds

    monkeypatch.setattr(circuit, "now", lambda: 1000 + passed[0])
    monkeypatch.setattr(circuit, "wait", wait)


def command(capsys, *arguments):
    code = cli.main([str(argument) for argument in arguments])
    out, err = capsys.readouterr()
    return code, out, err


def test_a_server_that_is_not_there_is_one_sentence_and_no_table(tmp_path, monkeypatch, capsys, hurried):
    monkeypatch.chdir(tmp_path)
    with Loopback() as server:
        nowhere = server.url  # closed again: nobody listens
    code, out, err = command(
        capsys, "bench", "openai/m", "--api-base", nowhere, "--protocols", "SPD5", "--framings", "neutral"
    )
    assert (code, out) == (1, "")
    assert f"openai/m gave no reply at {nowhere} in " in err
    (path,) = tmp_path.rglob("*.db")  # the references have answered
    assert f"ludens resume {path.relative_to(tmp_path)}" in err
    assert not list(tmp_path.rglob("*.html"))
    with Run(path) as run:
        assert run.manifest["status"] == "failed"
        assert not [record for record in run.decisions() if record.policy == "openai/m"]


def test_a_run_resumed_while_its_server_has_moved_loses_nothing(tmp_path, monkeypatch, capsys, hurried):
    monkeypatch.chdir(tmp_path)
    failing = Failing(9, loopback.failing(503))
    options = ("--protocols", "TG3", "--framings", "neutral", "--elicit", "sample", "--patience", "0s")
    with Loopback(otherwise=failing) as server:
        code, out, err = command(
            capsys,
            "bench",
            "openai/m",
            "--replicates",
            4,
            *options,
            "--api-base",
            server.url,
            "--out",
            "r.db",
        )
    kept = decisions("r.db")
    assert (code, out) == (1, "")
    assert "ludens resume r.db" in err
    code, out, err = command(capsys, "resume", "r.db", "--patience", "10m")
    assert (code, out) == (1, "")
    assert "for 10 minutes" in err
    assert decisions("r.db") == kept
    with Loopback(otherwise=answer) as moved:
        code, out, err = command(capsys, "resume", "r.db", "--api-base", moved.url)
        assert (code, moved.count) == (0, 16 - 9)
    with Run("r.db") as run:
        assert all_valid(run)
        assert run.manifest["config"]["models"][0]["patience"] == "0s"


@pytest.mark.parametrize("text", ["soon", "-5", "10x"])
def test_a_patience_that_is_no_time_is_a_sentence(tmp_path, monkeypatch, capsys, text):
    monkeypatch.chdir(tmp_path)
    code, out, err = command(capsys, "bench", "openai/m", f"--patience={text}")
    assert (code, out) == (2, "")
    assert f"got patience={text!r}" in err
    assert list(tmp_path.iterdir()) == []
