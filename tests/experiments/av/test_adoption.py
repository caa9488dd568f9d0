"""Populations that choose cars: who ends with which, laws, seeds, what is kept, and what goes wrong."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest
from scipy.stats import beta

from ludens.agents import CallablePolicy, Decision, Policy
from ludens.envs.av.adoption.game import AdoptionGame
from ludens.errors import UsageError
from ludens.experiments import Run, extend, load, parse_study, resume
from ludens.experiments.av import AdoptionStudy, adopt, simulate_adoption
from ludens.experiments.av.adopting import kappa_curves
from ludens.experiments.av.adoption_figures import save_figure
from ludens.experiments.av.adoption_page import page
from ludens.experiments.av.adoption_result import to_json, write_csv
from ludens.experiments.av.groups import make_groups
from ludens.experiments.report import render
from ludens.experiments.runs.database import NoRunError, StoreError
from ludens.experiments.study.engine import load_result, run_study
from ludens.preferences.av.adoption import adoption_equilibria
from tests.experiments.pages import Reader, decoded

NAMES = ["homo_economicus", "homo_moralis:0.2", "homo_moralis:0.3", "altruist:0.3", "utilitarian"]


def simulated(names, people=200, game=None, **options):
    rules = AdoptionGame(people=people) if game is None else game
    return simulate_adoption(rules, make_groups(names, rules.people), **options)


def test_groups_end_on_their_side_of_the_threshold():
    paths = simulated(NAMES, rounds=3)
    assert paths.shares[0, -1].tolist() == [0, 0, 1, 1, 1]  # κ* = a* = 1/4
    assert paths.shares[0, 0].tolist() == [0] * 5


def test_the_reading_within_the_passenger_never_adopts():
    paths = simulated(
        ["homo_moralis:1,universalisation=passenger", "homo_moralis:0.01,universalisation=pedestrian"],
        rounds=1,
    )
    assert paths.shares[0, -1].tolist() == [0, 1]


def test_a_mixed_population_ends_at_the_share_above_the_threshold():
    paths = simulated(["mixed:2,5"], people=10_000, rounds=1)
    assert paths.total[0, -1] == pytest.approx(beta(2, 5).sf(0.25), abs=0.02)


def test_populations_are_one_after_another_and_seeds_count():
    game = AdoptionGame(people=30, pedestrians=2, symmetry=0.5, economies=0.02, accident=0.1)
    options = {"rounds": 80, "revision": 0.2, "noise": 0.05, "realised": True, "start": 0.4}
    several = simulated(["mixed", "random"], game=game, populations=3, seed=5, **options)
    alone = simulated(["mixed", "random"], game=game, populations=1, seed=5, **options)
    for name in ("shares", "payoffs", "deaths"):
        assert np.array_equal(getattr(several, name)[:1], getattr(alone, name))
    assert several.total[:, 0] == pytest.approx(0.4)
    other = simulated(["mixed", "random"], game=game, populations=1, seed=6, **options)
    assert not np.array_equal(other.shares, alone.shares)
    assert len(np.unique(several.payoffs[:, -1, 0])) == 3


def test_simulated_shares_settle_at_the_lowest_equilibrium():
    game = AdoptionGame(people=50, pedestrians=2, accident=0.05, price_utilitarian=0.1, economies=0.12)
    (group,) = make_groups(["homo_moralis:0.8"], 50)
    ended = simulate_adoption(game, [group], rounds=60).total[0, -1]
    assert ended == adoption_equilibria(game, 0.8).lowest.mean()
    full = simulate_adoption(game, [group], rounds=60, start=1.0).total[0, -1]
    assert full == adoption_equilibria(game, 0.8).highest.mean()


def test_who_may_not_choose_keeps_the_old_car_under_a_mandate():
    game = AdoptionGame(people=2_000, regulation={"mandate": True, "period": 2, "until": 5})
    paths = simulated(["homo_economicus"], game=game, rounds=8, revision=0.5, seed=1)
    assert paths.total[0, :3].tolist() == [0, 0, 0]
    assert paths.total[0, 3:6] == pytest.approx([0.5, 0.75, 0.875], abs=0.04)
    assert np.all(np.diff(paths.total[0, 5:]) < 0)


def test_a_fine_moves_those_between_the_thresholds():
    game = AdoptionGame(people=90, regulation={"fine": 0.03, "period": 1, "until": 3})
    names = ["homo_economicus", "homo_moralis:0.15", "homo_moralis:0.5"]  # κ* falls from .25 to .1
    paths = simulated(names, game=game, rounds=4)
    assert paths.shares[0, 1:].tolist() == [[0, 0, 1], [0, 1, 1], [0, 1, 1], [0, 0, 1]]


def test_the_curve_over_kappa_jumps_at_the_threshold():
    free, law = kappa_curves(AdoptionGame(people=100, regulation={"fine": 0.03, "period": 7}), points=21)
    for curve, threshold in ((free, 0.25), (law, 0.1)):
        assert curve.threshold == pytest.approx(threshold)
        for kappa, share in zip(curve.kappas, curve.alike, strict=True):
            if abs(kappa - threshold) > 1e-9:
                assert share == float(kappa > threshold)
        assert {0.0, 1.0} < set(curve.mixed)
        assert curve.mixed[10] == pytest.approx(beta(4, 4).sf(threshold), abs=0.15)


def test_a_study_is_kept_whole(tmp_path):
    game = AdoptionGame(people=60, regulation={"subsidy": 0.06, "period": 5})
    result = adopt(
        ["homo_economicus", "mixed"], game=game, rounds=9, sizes=[20, 40], path=tmp_path / "a.json"
    )
    kept = json.loads((tmp_path / "a.json").read_text())
    assert kept == json.loads(json.dumps(to_json(result)))
    economicus = result.groups[0]
    assert (economicus.before, economicus.after, economicus.without_law) == (0, 1, 0)
    assert result.thresholds["kappa"] == pytest.approx(0.25)
    assert result.thresholds["kappa_last"] == pytest.approx(-0.05)
    with write_csv(result, tmp_path / "a.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 2 * 10 * 2
    assert rows[-1]["law"] == "none"
    text = render(page(result))
    for words in ("homo economicus", "Thresholds", "last without law", "Lives lost"):
        assert words in text
    png, svg = save_figure(result, tmp_path / "deep" / "a")
    assert png.read_bytes()[:4] == b"\x89PNG"
    assert "κ*" in svg.read_text(encoding="utf-8")
    with pytest.raises(StoreError, match="name another file"):
        write_csv(result, tmp_path / "a.json" / "b.csv")
    assert not list(tmp_path.glob("**/*.part"))


@pytest.mark.parametrize("realised", [False, True])
def test_seats_are_played_and_read_back_as_they_were(tmp_path, realised):
    game = AdoptionGame(people=6, pedestrians=2, accident=0.3)
    copycat = CallablePolicy(lambda seen: int(seen["observation"][0] < 0.3), "copycat")
    names = ["homo_moralis:0.9", "always:self-protective", copycat]
    result = adopt(names, game=game, rounds=3, populations=2, realised=realised, path=tmp_path / "s.db")
    assert [group.name for group in result.groups] == [
        "homo moralis κ=0.9",
        "always:self-protective",
        "copycat",
    ]
    assert result.paths.shares[0, 1:].tolist() == [[1, 0, 0], [1, 0, 1], [1, 0, 1]]
    assert result.decisions == {"valid": 36, "invalid": 0, "refused": 0}
    again = load(tmp_path / "s.db")[1]
    assert np.array_equal(again.paths.payoffs, result.paths.payoffs)
    if not realised:
        cars = np.array([1, 1, 0, 0, 0, 0])
        assert result.paths.payoffs[0, 0, 0] == pytest.approx(game.payoffs(cars)[0])
    totals = result.paths.payoffs[0].sum(axis=0)
    (episode, _) = Run(tmp_path / "s.db").episodes()
    assert sum(episode.payoffs.values()) == pytest.approx(2 * totals.sum())
    save_figure(result, tmp_path / "s")
    decisions = Run(tmp_path / "s.db").decisions()
    data, _ = decoded(Reader(render(page(result, decisions))).scripts[0])
    assert len(data["decisions"]) == len(decisions) > 0


class Declines(Policy):
    """Answers nothing, as a model may that refuses."""

    name = "declines"

    def decide(self, turn, rng):
        return Decision(None, "refused")


def test_a_population_in_which_somebody_refused_has_no_numbers(tmp_path):
    game = AdoptionGame(people=3)
    result = adopt([Declines(), "utilitarian"], game=game, rounds=2, path=tmp_path / "g.db")
    assert result.decisions == {"valid": 0, "invalid": 0, "refused": 1}
    assert [group.after for group in result.groups] == [None, None]
    assert result.deaths_per_round is None
    assert json.loads(json.dumps(to_json(result), allow_nan=False))["groups"][0]["payoff"] is None
    save_figure(result, tmp_path / "g")


@pytest.mark.parametrize(
    ("names", "options", "told"),
    [
        ([], {}, "Name the groups"),
        (["nobody"], {}, "mixed"),
        (["mixed:1"], {}, "two numbers above 0"),
        (["mixed:0,2"], {}, "two numbers above 0"),
        (["homo_economicus", "mixed"], {"sizes": [5, 6]}, "sum to 10"),
        (["mixed"], {"rounds": 0}, "rounds"),
        (["mixed"], {"revision": 0}, "revision"),
        (["mixed"], {"start": 2}, "start"),
        (["mixed"], {"noise": -1}, "noise"),
        (["mixed"], {"path": "a.db"}, "must end in .json"),
        (["local/smollm2-135m"], {"revision": 0.5}, "asked in every round"),
        (["local/smollm2-135m"], {"game": AdoptionGame(people=101)}, "at most 100"),
        (["local/smollm2-135m"], {"path": "a.json"}, "must end in .db"),
    ],
)
def test_what_is_wrong_is_told_and_nothing_is_written(tmp_path, monkeypatch, names, options, told):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match=told):
        adopt(names, **options)
    assert list(tmp_path.iterdir()) == []


def test_another_run_is_none_of_this_game(tmp_path):
    from ludens.experiments import play

    play("trust", "random", path=tmp_path / "t.db")
    with pytest.raises(NoRunError, match="adoption"):
        load_result(AdoptionStudy, tmp_path / "t.db")


FOUR = """
[adoption]
agents = ["homo_moralis:0.9", "random", "mixed:2,5"]
rounds = 3
seed = 7
[adoption.game]
people = 6
accident = 0.1
regulation = {fine = 0.1, period = 1}
"""


def test_a_run_of_seats_goes_on_and_grows_as_if_it_had_been_whole(tmp_path):
    class Enough(Exception):
        pass

    def stop(progress):
        if progress.decisions == 10:
            raise Enough

    path, asked = tmp_path / "run.db", []
    study = parse_study(FOUR)
    with pytest.raises(Enough):
        run_study(study, path, progress=stop)
    assert load(path)[1].settings["status"] == "failed"
    resume(path)
    extend(path, populations=2, progress=asked.append)
    assert asked[0].decisions == 18
    whole = run_study(parse_study(FOUR), tmp_path / "whole.db")
    assert np.array_equal(load(path)[1].paths.payoffs[:1], load(whole.path)[1].paths.payoffs)
    both = run_study(type(study)(study.config.changed(populations=2)), tmp_path / "both.db")
    assert np.array_equal(load(path)[1].paths.payoffs, load(both.path)[1].paths.payoffs)
    assert Run(path).final_table() == both.final_table()
    result = load(path)[1]
    assert [group.name for group in result.groups] == ["homo moralis κ=0.9", "random", "mixed:2,5"]
    (fixed,) = {group.people for group in result.groups}
    assert fixed == 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("agents = []", r"^adoption\.agents: Name the groups"),
        ('agents = ["random", 3]', r"^adoption\.agents\[1\]: A policy is named by its specification"),
        ('agents = ["random"]\nsizes = [9]', r"^adoption: 1 groups need 1 sizes .* sum to 10 people; got 9"),
        ('agents = ["random"]\ngame = {people = 101}', r"^adoption\.game: .* take at most 100 people\.$"),
        ('agents = ["random"]\ngame = {person = 3}', r"^adoption\.game\.person: there is no such key"),
        ('agents = ["random"]\ngame = {regulation = {fine = "a"}}', r"^adoption\.game\.regulation\.fine: "),
        ('agents = ["random"]\ngame = {regulation = {fine = -1}}', r"^adoption\.game\.regulation: .* fine"),
    ],
)
def test_a_wrong_file_names_its_key(text, message):
    with pytest.raises(UsageError, match=message):
        parse_study(f"[adoption]\n{text}")


def test_a_group_that_cannot_be_made_is_named_by_its_key():
    study = parse_study('[adoption]\nagents = ["random", "mixed:1"]')
    with pytest.raises(UsageError, match=r"^adoption\.agents\[1\]: A mixed group has two numbers"):
        study.player()
