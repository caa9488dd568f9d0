"""Replies of a run are read again without a network, from the run or from one small file."""

from __future__ import annotations

import json
import lzma
import socket
from contextlib import closing

import pytest

from ludens.agents import CallablePolicy
from ludens.agents.llm.abilities import _abilities as abilities_of
from ludens.agents.llm.reading import choices
from ludens.agents.llm.reading.choices import ChoiceReading
from ludens.agents.local import close_all
from ludens.agents.local.resolve import embedded_file
from ludens.cli import main
from ludens.errors import UsageError
from ludens.experiments import (
    NoRunError,
    Run,
    StoreError,
    export,
    load,
    play,
    replay,
    report,
    resume,
    run_study,
)
from ludens.experiments.bench.study import BenchConfig, BenchStudy
from ludens.experiments.runs import database
from ludens.experiments.runs.compressed import pack
from ludens.experiments.study.replay import ASKS, REWORDED, UNREACHED
from tests.experiments.test_outages import CONFIGS, answer, study_of
from tests.loopback import Answer, Loopback, ended, filtered, refusing, say, weighing


@pytest.fixture(autouse=True)
def _no_key(monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)


ODD = [
    say("Well, it depends."),
    say("I choose"),
    ended("length", "I choose A because the oth"),
    refusing(),
    filtered(),
    say("B"),
    weighing(A=0.01, Hm=0.9),
    weighing(A=0.6, B=0.3),
    weighing(B=0.9, A=0.05),
    Answer("A", tokens=[{"A": 0.7, "B": 0.2}, {"!": 0.9}]),
    say(None),
]
"""Replies of every kind, in the order in which they are given."""


def odd_run(path, elicit="auto"):
    script = [*ODD[6:9], filtered(), refusing()] if elicit == "logprobs" else ODD
    otherwise = weighing(A=0.6, B=0.3) if elicit == "logprobs" else say("A")
    with Loopback(script, otherwise=otherwise) as server:
        model = {"spec": "openai/m", "api_base": server.url}
        config = BenchConfig(models=[model], protocols=["TG3", "UG1"], elicit=elicit, concurrency=1)
        run_study(BenchStudy(config), path)
    return path


def unchanged(found):
    assert found.changes == ()
    assert found.calls
    assert all(then == now for counted in (found.calls, found.decisions) for then, now in counted)


@pytest.mark.parametrize("elicit", ["auto", "sample", "logprobs"])
def test_today_s_readers_read_what_they_read(tmp_path, elicit):
    path = odd_run(tmp_path / "run.db", elicit)
    before = path.read_bytes()
    found = replay(path)
    unchanged(found)
    with Run(path) as run:
        calls = [call for record in run.decisions() for call in record.decision.calls]
    assert sum(found.calls.values()) == len(calls)
    assert {call.outcome for call in calls} >= {"ok", "invalid", "refused"}
    marks = {mark for call in calls for mark in call.marks}
    assert marks >= {"refused"} | ({"cut"} if elicit != "logprobs" else set())
    assert path.read_bytes() == before


@pytest.mark.parametrize("kind", CONFIGS)
def test_every_study_is_read_again_without_a_network(tmp_path, kind, monkeypatch):
    path = tmp_path / "run.db"
    with Loopback(otherwise=answer) as server:
        run_study(study_of(kind, server, tmp_path), path)
        asked = server.count
        found = replay(path)
        assert server.count == asked
    unchanged(found)
    with Run(path) as run:
        assert sum(found.decisions.values()) == sum(bool(each.decision.calls) for each in run.decisions())


def test_what_another_reader_would_make_of_replies_is_shown(tmp_path, monkeypatch, capsys):
    path = odd_run(tmp_path / "run.db", "sample")
    kept = choices.read_choice

    def other(text, labels, *more, **named):
        """Takes "it depends" for the first option, and B for nothing."""
        if text and "depends" in text:
            return ChoiceReading("ok", place=0)
        if text == "B":
            return ChoiceReading("invalid", detail="B is nothing.")
        return kept(text, labels, *more, **named)

    for module in ("reading.parsed", "choice_policy"):
        monkeypatch.setattr(f"ludens.agents.llm.{module}.read_choice", other)
    before = path.read_bytes()
    found = replay(path)
    assert path.read_bytes() == before
    assert found.calls["invalid", "ok"] == 1
    assert sum(n for (_, now), n in found.calls.items() if now == UNREACHED) >= 1
    assert found.calls["ok", "invalid"] == 1
    assert found.decisions["valid", ASKS] == 1
    (again,) = [change for change in found.changes if change.now == ASKS]
    assert (again.what, again.why) == ("status", "B is nothing.")
    assert main(["replay", str(path), "--most", "1"]) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert f"{len(found.changes)} decisions would be others today." in out
    assert main(["replay", str(path), "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["changes"]) == len(found.changes)


def test_a_question_that_is_worded_otherwise_today_is_not_read(tmp_path):
    path = odd_run(tmp_path / "run.db", "sample")
    with closing(database.connect(path, write=True)) as opened:
        opened.execute("UPDATE texts SET text = text || ' Please.'")
    found = replay(path)
    assert {now for _, now in found.decisions} == {REWORDED}
    assert found.calls == {}


def test_a_run_that_broke_off_is_read_as_far_as_it_goes(tmp_path):
    path = tmp_path / "run.db"
    left = [4]

    def stops(progress):
        left[0] -= 1
        if not left[0]:
            raise KeyError

    with Loopback(otherwise=answer) as server:
        policies = [{"spec": "openai/m", "api_base": server.url}, "random"]
        with pytest.raises(KeyError):
            play("trust-v0", policies, episodes=9, path=path, progress=stops, concurrency=1)
    found = replay(path)
    unchanged(found)


def test_python_objects_have_to_be_given_again(tmp_path):
    path = tmp_path / "run.db"
    policy = CallablePolicy(lambda observation: 0)
    with Loopback(otherwise=answer) as server:
        model = {"spec": "openai/m", "api_base": server.url}
        play(("trust-v0", {"roles": "fixed"}), [model, policy], path=path)
    with pytest.raises(UsageError, match="was a Python object"):
        replay(path)
    unchanged(replay(path, policies=[model, policy]))


def test_one_small_file_holds_everything(tmp_path, monkeypatch):
    path = tmp_path / "run.db"
    with Loopback(otherwise=answer) as server:
        run_study(study_of("bench", server, tmp_path), path)
    monkeypatch.setattr(socket.socket, "connect", None)  # from here on nothing is sent
    monkeypatch.chdir(tmp_path)
    assert main(["export", "run.db", "--replayable"]) == 0
    packed = tmp_path / "run.db.xz"
    assert packed.stat().st_size < path.stat().st_size / 4
    away = tmp_path / "elsewhere" / "run.db.xz"
    away.parent.mkdir()
    packed.rename(away)
    assert Run(away).final_table() == Run(path).final_table()
    assert Run(away).decisions() == Run(path).decisions()
    unchanged(replay(away))
    first, second = export(path, tmp_path / "a"), export(away, tmp_path / "b")
    assert set(first) == set(second)
    for name, file in first.items():
        assert file.read_bytes() == second[name].read_bytes()
    assert report(away).report_path == away.parent / "run.html"
    assert main(["show", str(away), "--episode", "0"]) == 0
    assert sorted(file.name for file in away.parent.iterdir()) == ["run.db.xz", "run.html"]
    # Unpacked it is a run like any other.
    again = tmp_path / "again.db"
    again.write_bytes(lzma.decompress(away.read_bytes()))
    assert resume(again).final_table() == Run(path).final_table()


def test_replies_of_a_model_that_is_elsewhere_are_read_again(tmp_path):
    file = tmp_path / "model.gguf"
    file.symlink_to(embedded_file())
    play("trust-v0", [f"local/{file}", "random"], episodes=1, path=tmp_path / "run.db")
    close_all()
    file.unlink()
    abilities_of.cache_clear()
    unchanged(replay(tmp_path / "run.db"))


def test_a_compressed_copy_is_only_read(tmp_path, capsys):
    path = tmp_path / "run.db"
    play("trust-v0", "random", path=path)
    with closing(database.connect(path, write=True)) as opened:
        opened.execute("UPDATE manifest SET value = '\"failed\"' WHERE key = 'status'")
    packed = pack(path, tmp_path / "run.db.xz")
    before = packed.read_bytes()
    with pytest.raises(StoreError, match=r"only read: make a run of it by `xz -dk .*run\.db\.xz`"):
        resume(packed)
    assert packed.read_bytes() == before
    assert main(["export", str(path), "--replayable", "--table", "decisions"]) == 2
    assert main(["export", str(path), "--replayable", "--out", str(tmp_path / "x.zip")]) == 2
    assert "must end in .xz" in capsys.readouterr().err
    assert main(["export", str(path), "--replayable", "--out", str(tmp_path / "no" / "x.xz")]) == 1
    assert sorted(file.name for file in tmp_path.iterdir()) == ["run.db", "run.db.xz"]


@pytest.mark.parametrize("content", [b"", b"no xz", lzma.compress(b"no run")])
def test_a_file_that_is_no_compressed_run_is_a_sentence(tmp_path, content):
    packed = tmp_path / "run.xz"
    packed.write_bytes(content)
    with pytest.raises(NoRunError, match=r"is not a (compressed )?run of ludens"):
        load(packed)


def test_a_file_that_swells_is_not_unpacked(tmp_path, monkeypatch):
    packed = tmp_path / "run.xz"
    packed.write_bytes(lzma.compress(bytes(1 << 20)))
    monkeypatch.setattr(database, "MOST_UNPACKED", 1 << 16)
    with pytest.raises(StoreError, match="holds more than"):
        Run(packed)
