"""`ludens design` names games and what to expect of them; `ludens bench --suite sharp` asks them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ludens import cli
from ludens.envs import LIBRARY, find_game
from ludens.errors import UsageError
from ludens.experiments import bench
from ludens.experiments.bench.study import BenchConfig, BenchStudy
from ludens.experiments.runs.run import Run
from ludens.preferences.estimation.design import candidate_games

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


def test_a_design_of_ones_own_is_written_and_asked(tmp_path, capsys, monkeypatch):
    """Of game trees and of games in which all move at once; the run keeps the games, not the file's name."""
    monkeypatch.chdir(tmp_path)
    arguments = ("--games", "8", "--payoffs", "10,30,50,70,90", "--families", "trust,prisoners_dilemma")
    assert cli.main(["design", *arguments, "--out", "mine.json"]) == 0
    assert "ludens bench MODEL --suite mine.json" in " ".join(capsys.readouterr().out.split())
    written = json.loads(Path("mine.json").read_text(encoding="utf-8"))["games"]
    assert {game["family"] for game in written} == {"trust", "prisoners_dilemma"}
    result = bench(["quantal:kappa=0.5,noise=8"], suite="mine.json", path="run.db")
    Path("mine.json").unlink()
    asked = {protocol for protocol, _ in result.measures[0].cells}
    numbers = [[game["family"], *(f"{n:g}" for n in game["payoffs"].values())] for game in written]
    assert asked == set(map(" ".join, numbers))
    revealed = result.measures[0].revealed[0].parameters
    assert [one.value for one in revealed.values()] == pytest.approx([0, 0, 0.5, 8], abs=1e-3)
    assert set(Run("run.db").manifest["config"]["protocols"]) == asked


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (None, "cannot be read"),
        ("[]", "holds no games of a design"),
        ('{"games": []}', "a design of no games"),
        ('{"games": [{"family": "nix", "payoffs": {}}]}', "no family of games 'nix'"),
        ('{"games": [{"family": "trust", "payoffs": {"T": 1, "R": 2, "P": 3, "S": 4}}]}', "T > R is needed"),
        ('{"games": [{"family": "trust", "payoffs": {"T": 1}}]}', "holds no games of a design"),
        ('{"games": [{"family": "trust", "payoffs": {"T": "x", "R": 2, "P": 3, "S": 4}}]}', "no games of a"),
    ],
)
def test_a_wrong_suite_is_one_sentence(text, told, tmp_path, capsys):
    path = tmp_path / "mine.json"
    if text is not None:
        path.write_text(text, encoding="utf-8")
    assert cli.main(["bench", "tit_for_tat", "--suite", str(path), "--out", str(tmp_path / "run.db")]) == 2
    captured = capsys.readouterr()
    assert (captured.out, told in captured.err, len(captured.err.splitlines())) == ("", True, 1)
    assert not (tmp_path / "run.db").exists()


def test_a_game_is_named_by_its_family_and_numbers():
    game = find_game("trust 80 60 30 20.5")
    assert dict(game.parameters) == {"T": 80, "R": 60, "P": 30, "S": 20.5}
    assert find_game("trust 80 60 30 20.5") is game
    assert LIBRARY["trust"].name_of(list(game.parameters.values())) == game.protocol == "trust 80 60 30 20.5"
    third = LIBRARY["trust"].name_of([80, 60, 100 / 3, 20])
    assert find_game(third).parameters["P"] == 100 / 3
    with pytest.raises(UsageError, match="T > R is needed"):
        find_game("trust 1 2 3 4")
    with pytest.raises(UsageError, match="no protocol"):
        find_game("trust five")


def test_one_game_in_two_spellings_is_asked_once():
    config = BenchConfig(
        models=("random:x",), protocols=("trust 80 60 30 20", "trust 80.0 60 3e1 20", "SPD1")
    )
    assert config.protocols == ("trust 80 60 30 20", "SPD1")


def test_games_of_a_design_with_mediation_are_found_by_their_names():
    games = candidate_games(["prisoners_dilemma_with_mediation"], [10, 20, 40, 50])
    name = next(iter(games))
    assert find_game(name) == games[name]
    with pytest.raises(UsageError, match="stage by stage"):
        candidate_games(["prisoners_dilemma_with_contracts"])


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
