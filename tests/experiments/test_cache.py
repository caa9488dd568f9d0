"""Replies that runs share: none is paid for twice, and none serves twice within a run."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing

import pytest

from ludens.agents.llm.cache import CachePlace
from ludens.cli import main
from ludens.experiments import Run, caching, play, run_study
from ludens.experiments.bench.study import BenchConfig, BenchStudy
from ludens.experiments.runs.caching import why
from tests.experiments.test_outages import CONFIGS, answer, study_of
from tests.loopback import Loopback, refusing, say

KEY = "planted-key-of-a-cache-01"


@pytest.fixture(autouse=True)
def _no_key(monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.delenv("LUDENS_CACHE", raising=False)


def bench(server, path, **more):
    config = {"protocols": ["SPD5", "UG1"], "framings": ["neutral"], "elicit": "sample", "concurrency": 1}
    model = {"spec": "openai/m", "api_base": server.url} | more.pop("model", {})
    return run_study(BenchStudy(BenchConfig(models=[model], **(config | more))), path)


def calls_of(path):
    return [call for record in Run(path).decisions() for call in record.decision.calls]


def final(path):
    return Run(path).final_table()


@pytest.mark.parametrize("kind", CONFIGS)
def test_a_second_run_pays_for_nothing_and_is_the_same(tmp_path, kind):
    with Loopback(otherwise=answer) as server, caching(tmp_path / "cache"):
        run_study(study_of(kind, server, tmp_path), tmp_path / "first.db")
        asked = server.count
        run_study(study_of(kind, server, tmp_path), tmp_path / "second.db")
        again = server.count - asked
    assert final(tmp_path / "second.db") == final(tmp_path / "first.db")
    first, second = calls_of(tmp_path / "first.db"), calls_of(tmp_path / "second.db")
    assert not any("cached" in call.marks for call in first)
    assert sum(call.prompt_tokens + call.completion_tokens for call in first) > 0
    hits = [call for call in second if "cached" in call.marks]
    # What the server does not give (log-probabilities) is found out anew, by the first requests at most.
    assert again == len(second) - len(hits) <= 4
    assert all(call.outcome == "invalid" for call in second if call not in hits)
    assert {(call.cost, call.seconds, call.prompt_tokens + call.completion_tokens) for call in hits} == {
        (0, 0, 0)
    }
    assert why(tmp_path / "second.db", tmp_path / "cache")["from the cache"] == len(hits) > 0


def test_no_reply_serves_twice_within_a_run(tmp_path):
    """Episodes that differ in nothing but their number ask the very same."""
    letters = iter("ABAABABBBABABBAABAAB" * 9)
    with Loopback(otherwise=lambda _: say(next(letters))) as server, caching(tmp_path / "cache"):
        model = {"spec": "openai/m", "api_base": server.url, "elicit": "sample", "seed": 1, "order": 0}
        game = ("sequential_prisoners_dilemma-v0", {"roles": "fixed"})
        for name in ("first.db", "second.db"):
            play(game, [model, "random"], episodes=6, path=tmp_path / name, concurrency=1)
            assert server.count == 6
    asked = calls_of(tmp_path / "first.db")
    assert len({json.dumps(call.messages) for call in asked}) == 1
    assert len({call.reply for call in asked}) == 2
    assert final(tmp_path / "second.db") == final(tmp_path / "first.db")


def test_what_is_no_answer_is_asked_again(tmp_path):
    script = [refusing(), say("Well."), say("Hm."), say("It depends."), say("B")]
    with Loopback(script, otherwise=say("A")) as server, caching(tmp_path / "cache"):
        bench(server, tmp_path / "first.db")
        outcomes = [call.outcome for call in calls_of(tmp_path / "first.db")]
        assert {"refused", "invalid"} <= set(outcomes)
        before = server.count
        bench(server, tmp_path / "second.db")
        # The refused and the unreadable decision; the latter's first question is answered at once now.
        assert server.count - before == 2
    reasons = why(tmp_path / "first.db", tmp_path / "cache")
    assert reasons["asked, and never kept: refused"] == 1
    assert reasons["asked, and never kept: invalid"] == outcomes.count("invalid")
    assert reasons["asked: no other run asked this question"] > 1


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"seed": 5}, "another run seed (0 there)"),
        ({"model": {"temperature": 0.5}}, "another parameters.temperature (1.0 there)"),
        ({"model": {"label": "warm"}}, "another labels.policy ('openai/m' there)"),
        ({"model": {"top_p": 0.5}}, "another options.top_p (None there)"),
    ],
)
def test_a_miss_is_explained(tmp_path, change, said, capsys):
    fixed = {"seed": 1, "order": 0}
    model = fixed | change.pop("model", {})
    with Loopback(otherwise=answer) as server, caching(tmp_path / "cache"):
        bench(server, tmp_path / "first.db", model=fixed)
        before = server.count
        bench(server, tmp_path / "second.db", model=model, **change)
        assert server.count == 2 * before
    assert main(["cache", "why", str(tmp_path / "second.db"), "--cache", str(tmp_path / "cache")]) == 0
    assert f"{before:>7}  asked: {said}" in capsys.readouterr().out


def test_another_header_or_file_is_another_request(tmp_path):
    """A gateway may choose who answers by a header, and a file may hold another model than before."""
    place = CachePlace(str(tmp_path), "run", {"step": 0})

    def key(model="openai/m", **options):
        return place.parts(model, [{"role": "user", "content": "?"}], {}, options, 0)

    routed = {"X-Route": "planted-route"}
    assert key(extra_headers=routed) != key(extra_headers={"X-Route": "b"})
    assert key(extra_headers=routed) != key()
    assert key(extra_headers={"Authorization": "Bearer 1"}) == key(
        extra_headers={"Authorization": "Bearer 2"}
    )
    assert "planted-route" not in json.dumps(key(extra_headers=routed))
    file = tmp_path / "m.gguf"
    file.write_bytes(b"GGUF" + bytes(60))
    before = key(f"local/{file}")
    assert key(f"local/{file}") == before
    file.write_bytes(b"GGUF" + bytes(59) + b"1")
    assert key(f"local/{file}") != before


def test_no_secret_is_in_the_cache(tmp_path):
    with Loopback(otherwise=say(f"A, and your key is {KEY}")) as server, caching(tmp_path / "cache"):
        hidden = {"api_key": KEY, "extra_headers": {"X": KEY}, "extra_body": {"password": KEY}}
        address = server.url.replace("http://", f"http://user:{KEY}@")
        bench(server, tmp_path / "run.db", model={**hidden, "api_base": address})
        assert server.count > 1
    assert not [file for file in tmp_path.rglob("*") if file.is_file() and KEY.encode() in file.read_bytes()]


def test_commands_share_a_cache_and_a_budget_counts_what_was_paid(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    with Loopback(otherwise=say("A")) as server:
        base = ["bench", "openai/m", "--api-base", server.url, "--protocols", "SPD5", "--elicit", "sample"]
        base += ["--framings", "neutral"]
        assert main([*base, "--cache", "kept", "--out", "first.db"]) == 0
        asked = server.count
        assert main([*base, "--cache", "kept", "--out", "second.db", "--max-calls", "1"]) == 0
        assert server.count == asked
        monkeypatch.setenv("LUDENS_CACHE", "kept")
        assert main([*base, "--out", "third.db", "--workers", "2"]) == 0
        assert server.count == asked
        assert main(["extend", "third.db", "replicates=2", "--max-calls", "1000"]) == 0
        assert server.count == 2 * asked
    assert final("second.db") == final("first.db")
    capsys.readouterr()
    assert main(["cache", "why", "first.db", "--cache", "nowhere"]) == 1
    assert "There is no cache in nowhere" in capsys.readouterr().err


def test_a_cache_that_cannot_be_used_is_a_sentence(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("no folder")
    with Loopback(otherwise=answer) as server:
        base = ["bench", "openai/m", "--api-base", server.url, "--protocols", "SPD5", "--elicit", "sample"]
        base += ["--framings", "neutral"]
        assert main([*base, "--cache", "file", "--out", "run.db"]) == 1
        said = " ".join(capsys.readouterr().err.split())
        assert "cannot be used" in said
        assert "leave out the cache" in said
        assert server.count == 0


def test_a_reply_that_cannot_be_read_from_the_cache_is_asked_for(tmp_path):
    with Loopback([], say("A")) as server, caching(tmp_path / "cache"):
        bench(server, tmp_path / "a.db")
        asked = server.count
        with closing(sqlite3.connect(tmp_path / "cache" / "replies.db")) as database, database:
            damaged = "SELECT key FROM replies ORDER BY key LIMIT 1"
            database.execute(f"UPDATE replies SET call = '{{' WHERE key = ({damaged})")
        bench(server, tmp_path / "b.db")
        assert server.count == asked + 1
        bench(server, tmp_path / "c.db")
    assert server.count == asked + 1
    assert [call.reply for call in calls_of(tmp_path / "b.db")] == ["A"] * asked


def test_workers_share_the_cache(tmp_path):
    with Loopback(otherwise=answer) as server, caching(tmp_path / "cache"):
        bench(server, tmp_path / "a.db", workers=2, concurrency=4)
        asked = server.count
        bench(server, tmp_path / "b.db")
        bench(server, tmp_path / "c.db", workers=2, concurrency=4)
    assert server.count == asked > 0
    assert final(tmp_path / "b.db") == final(tmp_path / "c.db") == final(tmp_path / "a.db")
