"""`ludens av adopt` on the command line."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from ludens.cli import app
from tests.loopback import Loopback, say


@pytest.fixture
def ludens(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return lambda *arguments: CliRunner().invoke(app, ["av", "adopt", *arguments])


def test_a_study_prints_thresholds_and_leaves_its_files(ludens, tmp_path):
    done = ludens("homo_economicus", "mixed:2,5", "--people", "40", "--rounds", "5", "--fine", "0.1",
                  "--out", "s.json", "--csv", "s.csv")  # fmt: skip
    assert done.exit_code == 0, done.output
    assert "κ*" in done.stdout
    assert "0.25" in done.stdout
    assert {path.name for path in tmp_path.iterdir()} == {"s.json", "s.csv", "s.png", "s.svg"}


def test_json_is_the_whole_study(ludens):
    done = ludens("homo_moralis:0.5", "--people", "20", "--rounds", "2", "--json", "--figure", "f.png")
    found = json.loads(done.stdout)
    assert found["groups"][0]["after"] == 1
    assert found["thresholds"]["kappa"] == pytest.approx(0.25)
    assert found["figure"] == ["f.png", "f.svg"]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["nobody"], "There is no policy"),
        (["mixed", "--prices", "1"], "two numbers"),
        (["mixed", "--sizes", "a"], "whole numbers"),
        (["mixed", "--people", "1"], "from 2 to 10,000"),
        (["mixed", "--fine", "1", "--from", "0"], "counts rounds from 1"),
        (["mixed", "--from", "1"], "--from has no effect without --mandate, --fine or --subsidy"),
        (["mixed", "--until", "5"], "--until has no effect without --mandate"),
        (["a.db", "mixed"], "read alone"),
        (["a.db", "--people", "9"], "--people has no effect on a stored run"),
        (["mixed", "--print-config"], "no study file describes"),
    ],
)
def test_mistakes_are_one_sentence(ludens, arguments, told, tmp_path):
    done = ludens(*arguments)
    assert done.exit_code == 2
    assert told in " ".join(done.stderr.split())
    assert list(tmp_path.iterdir()) == []


def test_a_model_is_asked_in_seats_and_its_run_is_a_study_like_any_other(ludens, tmp_path):
    with Loopback(otherwise=say("A")) as server, pytest.MonkeyPatch.context() as patch:
        patch.setenv("OPENAI_API_KEY", "none")
        told = ["openai/loopback", "utilitarian", "--people", "4", "--rounds", "2", "--accident", "0.1",
                "--api-base", server.url]  # fmt: skip
        printed = ludens(*told, "--print-config")
        assert printed.exit_code == 0, printed.output
        assert not list(tmp_path.iterdir())
        (tmp_path / "study.toml").write_text(printed.stdout, encoding="utf-8")
        done = ludens(*told, "--out", "run.db", "--csv", "paths.csv", "--figure", "drawn.png")
        assert done.exit_code == 0, done.output
        assert "decisions" in done.stdout
        names = {"study.toml", "run.db", "run.html", "paths.csv", "drawn.png", "drawn.svg"}
        assert {path.name for path in tmp_path.iterdir()} == names
        once = server.count
        again = CliRunner().invoke(app, ["run", "study.toml", "--out", "again.db", "--json"])
        assert server.count == 2 * once
        grown = CliRunner().invoke(app, ["extend", "again.db", "populations=2", "--json"])
        # The second population alone; that the server gives no log-probabilities is known from the first.
        assert server.count == 3 * once - 1
    one, two = json.loads(again.stdout), json.loads(grown.stdout)
    assert one["paths"] == json.loads(ludens("run.db", "--json").stdout)["paths"]
    assert two["paths"][: len(one["paths"])] == one["paths"]
    assert len(two["paths"]) == 2 * len(one["paths"])
    shown = CliRunner().invoke(app, ["show", "run.db"])
    assert "κ*" in shown.stdout
    (tmp_path / "run.html").unlink()
    assert CliRunner().invoke(app, ["report", "run.db"]).exit_code == 0
    assert (tmp_path / "run.html").exists()
