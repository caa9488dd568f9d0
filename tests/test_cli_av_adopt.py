"""`ludens av adopt` on the command line."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from ludens.cli import app


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
        (["a.db", "mixed"], "read alone"),
    ],
)
def test_mistakes_are_one_sentence(ludens, arguments, told, tmp_path):
    done = ludens(*arguments)
    assert done.exit_code == 2
    assert told in " ".join(done.stderr.split())
    assert list(tmp_path.iterdir()) == []
