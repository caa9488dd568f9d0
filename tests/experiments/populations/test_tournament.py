"""Tournaments: swapped seats, ratings with known answers, Swiss pairings, evolution of what was measured."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from ludens.cli.entry import main
from ludens.errors import UsageError
from ludens.experiments import Run, extend, report, resume, run_study
from ludens.experiments.populations.measured import measured_payoffs
from ludens.experiments.populations.ratings import alpha_rank, bradley_terry, nash_average
from ludens.experiments.populations.tournament import TournamentStudy, swiss
from ludens.experiments.populations.tournament_config import TournamentConfig
from tests.experiments.test_executors import rows_of

PD = {"id": "prisoners_dilemma-v0", "protocol": "PD1", "rounds": 10}
ROCK = np.array([[0, -1, 1], [1, 0, -1], [-1, 1, 0]], dtype=float)


def config(**values):
    return TournamentConfig(
        **{"policies": ["always_defect", "tit_for_tat", "always_cooperate"], "games": [PD], "matches": 1}
        | values
    )


def played(path, **values):
    run_study(TournamentStudy(config(**values)), path)
    return report(path)


def test_bradley_terry_of_two_is_the_log_odds_of_their_wins():
    found = bradley_terry([[0, 30], [10, 0]])
    assert found.ratings[0] - found.ratings[1] == pytest.approx(math.log(3), abs=0.02)
    error = math.sqrt(1 / 30 + 1 / 10)
    assert 2 * found.errors[0] == pytest.approx(error, rel=0.02)


def test_bradley_terry_recovers_strengths_and_never_leaves_a_winner_without_a_rating():
    true = np.array([1.0, 0.2, -0.5, -0.7])
    wins = 4000 / (1 + np.exp(true[None] - true[:, None]))
    assert bradley_terry(wins).ratings == pytest.approx(true, abs=0.01)
    always = bradley_terry([[0, 20, 20], [0, 0, 10], [0, 10, 0]])
    assert 3 < always.ratings[0] - always.ratings[1] < 10
    assert np.isfinite(always.errors).all()


def test_alpha_rank_of_a_cycle_is_uniform_and_of_a_dominant_player_certain():
    assert alpha_rank(ROCK) == pytest.approx(np.full(3, 1 / 3))
    assert alpha_rank([[2, 3], [1, 1]]) == pytest.approx([1, 0], abs=1e-9)
    weak = alpha_rank([[0, 0.01], [0, 0]], alpha=10, population=5)  # the ratio of both transitions is e^{4αd}
    assert weak[0] / weak[1] == pytest.approx(math.exp(4 * 0.1))


def test_nash_averaging_is_the_equilibrium_of_greatest_entropy():
    shares, skill = nash_average(ROCK)
    assert shares == pytest.approx(np.full(3, 1 / 3), abs=1e-4)
    assert skill == pytest.approx(np.zeros(3), abs=1e-4)
    copies = np.zeros((4, 4))
    copies[:3, :3] = ROCK
    copies[3, :3], copies[:3, 3] = ROCK[2], ROCK[:, 2]  # a copy of scissors shares its weight
    assert nash_average(copies)[0] == pytest.approx([1 / 3, 1 / 3, 1 / 6, 1 / 6], abs=1e-3)
    shares, skill = nash_average([[2, 3, 4], [1, 1, 1], [0, 1, 1]])
    assert shares == pytest.approx([1, 0, 0], abs=1e-6)
    assert (skill[1:] < 0).all()


def test_what_each_earns_against_each(tmp_path):
    result = played(tmp_path / "run.db")
    (game,) = result.games.values()
    # PD1 is (T, R, P, S) = (5, 3, 1, 0), ten rounds.
    expected = [[1, 1.4, 5], [0.9, 3, 3], [0, 3, 3]]
    assert game.payoffs == pytest.approx(np.array(expected))
    assert result.wins[0].tolist() == [0, 2, 2]
    assert result.wins[1, 2] == 1  # two draws
    assert game.matches.tolist() == [[1, 2, 2], [2, 1, 2], [2, 2, 1]]
    assert [each.labels["first"] for each in Run(tmp_path / "run.db").episodes()][:2] == [
        "always_defect", "tit_for_tat",
    ]  # fmt: skip
    assert "<svg" in (tmp_path / "run.html").read_text()


def test_both_seatings_meet_the_same_draws(tmp_path):
    trust = {"id": "trust-v0", "protocol": "TG3", "rounds": 6}
    path = tmp_path / "run.db"
    played(path, policies=["tit_for_tat", "always_defect"], games=[trust], matches=2)
    with Run(path) as run:
        roles = {}
        for each in run.decisions():
            if each.agent == "player_0":
                key = each.labels["match"], each.labels["first"], each.labels["second"]
                roles.setdefault(key, []).append(each.role)
    for match in range(2):
        one, other = ("tit_for_tat", "always_defect")
        first = roles[match, one, other][0], roles[match, other, one][0]
        assert first[0] == first[1]


def test_groups_of_many_are_mixed(tmp_path):
    goods = {"id": "public_goods-v0", "protocol": "PG1"}
    result = played(tmp_path / "run.db", policies=["homo_economicus", "homo_moralis:1"], games=[goods])
    (game,) = result.games.values()
    assert result.labels == ("homo_economicus", "homo_moralis:1")
    assert game.payoffs[0, 1] > game.payoffs[1, 0]  # whoever keeps earns more in a mixed group
    assert game.payoffs[1, 1] > game.payoffs[0, 0]


def test_a_tournament_grows_by_a_policy_and_is_resumed(tmp_path):
    path = tmp_path / "run.db"
    played(path)
    policies = ["always_defect", "tit_for_tat", "always_cooperate", "grim"]
    with extend(path, policies=policies) as run:
        assert len(run.episodes()) == 16
    resume(path)
    assert report(path).together.complete


def test_a_swiss_system_lets_neighbours_meet_who_have_not_met(tmp_path):
    path = tmp_path / "run.db"
    policies = ["always_defect", "grim", "tit_for_tat", "always_cooperate"]
    start = config(
        policies=policies, pairings=[["always_defect", "tit_for_tat"], ["grim", "always_cooperate"]]
    )
    assert config(policies=policies, swiss=3).pairings == start.pairings
    run_study(TournamentStudy(start), path)
    swiss(path, 3)
    result = report(path)
    met = {frozenset(pair) for pair in result.config.pairings}
    assert len(result.config.pairings) == len(met) == 6
    assert np.isnan(np.diag(result.together.payoffs)).all()
    assert result.alpha_rank[0].value is None
    with pytest.raises(UsageError, match="not everybody has met everybody"):
        measured_payoffs(path)
    swiss(path, 3)  # nothing is left to play
    assert len(report(path).config.pairings) == 6


def test_a_swiss_system_that_was_killed_after_a_round_goes_on_with_further_ones(tmp_path, capsys):
    whole, killed = tmp_path / "whole.db", tmp_path / "killed.db"
    policies = ["always_defect", "grim", "tit_for_tat", "always_cooperate"]
    game = "prisoners_dilemma-v0:protocol=PD1,rounds=10"
    command = ["tournament", *policies, "--game", game, "--matches", "1", "--swiss", "3"]
    assert main([*command, "--out", str(whole)]) == 0
    run_study(TournamentStudy(config(policies=policies, swiss=3)), killed)
    assert len(report(killed).config.pairings) == 2  # what a process that died after a round leaves
    assert main(["resume", str(killed)]) == 0
    assert len(report(killed).config.pairings) == 6
    assert rows_of(killed) == rows_of(whole)
    capsys.readouterr()
    assert main(["resume", str(killed)]) == 0  # nothing is left to play
    assert rows_of(killed) == rows_of(whole)


def test_groups_mix_more_than_two_policies(tmp_path):
    policies = ["always_defect", "always_cooperate", "random", "homo_economicus"]
    game = {"id": "volunteers_dilemma-v0", "protocol": "VD1"}
    result = played(tmp_path / "run.db", policies=policies, games=[game], group=3)
    with Run(tmp_path / "run.db") as run:
        episodes = run.episodes()
    mixed = [each for each in episodes if len({each.labels["first"], each.labels["second"]}) == 2]
    assert len(mixed) == 4 * 3  # each three of four, each of them first once
    assert len(episodes) == 12 + 4
    orders = {(each.labels["first"], each.labels["second"], *each.labels["others"]) for each in mixed}
    assert len(orders) == 12
    assert result.together.complete
    # A volunteer pays 25 of 100 whoever else is there; who never volunteers beside one gets all.
    (name,) = result.games
    table = result.games[name].payoffs
    assert (table[1, [0, 2, 3]] == 75).all()
    assert table[0, 1] == 100
    wins = result.wins
    assert wins[0, 1] == 6
    assert wins[1, 0] == 0


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"group": 4}, r"tournament\.group: 4 policies meet in a match, and there are 3"),
        ({"group": 3, "swiss": 2}, "leave pairings and swiss out"),
        ({"group": 1}, "group"),
    ],
)
def test_groups_that_cannot_meet_are_refused(values, words):
    with pytest.raises(UsageError, match=words):
        config(**values)
    with pytest.raises(UsageError, match="has 2 seats for 3 policies"):
        TournamentStudy(config(group=3)).episodes()


def test_what_was_measured_evolves_with_its_errors(tmp_path, capsys):
    run, evolved = tmp_path / "run.db", tmp_path / "evolved.db"
    words = ["tournament", "tit_for_tat", "always_defect", "random", "--matches", "3", "--out", str(run)]
    assert main([*words, "--game", "prisoners_dilemma-v0:protocol=PD1,rounds=10"]) == 0
    assert "Bradley" in capsys.readouterr().out
    measured = measured_payoffs(run)
    assert measured["types"] == ("tit_for_tat", "always_defect", "random")
    assert np.array(measured["errors"])[2, 0] > 0
    words = ["--replicates", "3", "--generations", "50", "--population", "60", "--json"]
    assert main(["evolve", "types", str(run), *words, "--out", str(evolved)]) == 0
    end = json.loads(capsys.readouterr().out)["end"]["replicator"]
    assert end["tit_for_tat"] > end["random"]
    assert measured["payoffs"] == [list(row) for row in report(evolved).config.payoffs]


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"policies": ["grim"]}, r"tournament\.policies: .*at least two"),
        ({"policies": ["grim", "grim"]}, r"tournament\.policies: Two policies are called 'grim'"),
        ({"games": []}, r"tournament\.games: name at least one"),
        ({"games": [PD, PD]}, r"tournament\.games: .* stands twice"),
        ({"pairings": [["always_defect", "grim"]]}, r"tournament\.pairings\[0\]: no policy is called 'grim'"),
        ({"matches": 0}, r"tournament\.matches"),
    ],
)
def test_wrong_configurations_are_refused_in_a_sentence(values, words):
    with pytest.raises(UsageError, match=words):
        config(**values)


def test_a_game_that_is_unknown_leaves_no_file(tmp_path):
    path = tmp_path / "run.db"
    with pytest.raises(UsageError, match=r"tournament\.games\[0\]: There is no environment"):
        run_study(TournamentStudy(config(games=[{"id": "chess-v0"}])), path)
    assert not path.exists()


def test_a_tournament_is_the_same_in_several_processes(tmp_path):
    command = [
        "tournament",
        "random",
        "tit_for_tat",
        "always_defect",
        "--matches",
        "1",
        "--swiss",
        "2",
        "--seed",
        "3",
    ]
    alone, shared = tmp_path / "alone.db", tmp_path / "shared.db"
    assert main([*command, "--out", str(alone)]) == 0
    assert main([*command, "--out", str(shared), "--workers", "2"]) == 0
    assert rows_of(shared) == rows_of(alone)
    with Run(shared) as run:
        assert run.manifest["config"]["workers"] == 2
