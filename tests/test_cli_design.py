"""`ludens design` names games and what to expect of them; `ludens bench --suite sharp` asks them."""

from __future__ import annotations

import json

import pytest

from ludens import cli
from ludens.experiments import bench
from ludens.experiments.bench.study import BenchConfig, BenchStudy

SMALL = ("--games", "6", "--payoffs", "10,30,50,70,90", "--families", "trust,ultimatum")


def test_a_design_on_a_terminal_and_as_json(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    assert cli.main(["design", *SMALL, "--width", "0.5"]) == 0
    out = capsys.readouterr().out
    for word in (
        "6 games",
        "ultimatum",
        "λ = 8, these",
        "the published 18",
        "answers at every node",
        "sharp",
    ):
        assert word in out
    assert max(map(len, out.splitlines())) <= 80
    assert cli.main(["design", *SMALL, "--parameter", "kappa", "--width", "0.5", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (len(found["games"]), found["parameter"], found["of"]) == (6, "kappa", "kappa")
    assert found["replicates"] > 1
    assert {"scenario", "half_widths", "half_widths_if_kept"} == set(found["expected"][0])


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--noises", "loud"], "--noises takes numbers"),
        (["--width", "-1"], "A width is a number above 0"),
        (["--parameter", "gamma"], "no parameter 'gamma'"),
    ],
)
def test_mistakes_are_one_sentence(arguments, told, capsys):
    assert cli.main(["design", *SMALL, *arguments]) == 2
    captured = capsys.readouterr()
    assert (captured.out, told in captured.err, len(captured.err.splitlines())) == ("", True, 1)


def test_the_suite_sharp_is_asked_beside_the_published_one(tmp_path):
    games = {
        suite: set(BenchStudy(BenchConfig(models=("random:x",), suite=suite)).games)
        for suite in ("published", "sharp")
    }
    both = BenchStudy(BenchConfig(models=("tit_for_tat",), suite="both")).games
    assert set(both) == games["published"] | games["sharp"]
    assert (len(games["published"]), len(games["sharp"]), len(both)) == (18, 18, 36)
    result = bench(["quantal:kappa=0.5,noise=8"], suite="sharp", path=tmp_path / "run.db")
    protocols = {protocol for protocol, _ in result.measures[0].cells}
    assert protocols == games["sharp"]
    assert result.measures[0].revealed[0].parameters["kappa"].value == pytest.approx(0.5, abs=1e-3)


def test_the_width_of_intervals_is_said_before_a_model_is_asked():
    study = BenchStudy(BenchConfig(models=("openai/some-model",)))
    (sentence,) = study.foresees()
    assert "κ ±" in sentence
    assert "if one strategy per game is kept" in sentence
    assert not list(BenchStudy(BenchConfig(models=("tit_for_tat",))).foresees())
