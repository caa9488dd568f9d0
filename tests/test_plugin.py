"""The plug-in of the examples, installed, and what users bring without a package."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path
from types import SimpleNamespace

import pytest

import ludens
from ludens import plugins
from ludens.experiments import Run

ROOT = Path(ludens.__file__).parent.parent
PLUGIN = ROOT / "examples" / "plugin"


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A folder in which the plug-in is installed."""
    target = tmp_path_factory.mktemp("site")
    subprocess.run(
        [
            *(sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"),
            *("--no-index", "--no-deps", "--no-build-isolation", "--target", str(target), str(PLUGIN)),
        ],
        check=True,
        capture_output=True,
    )
    return target


def python(*arguments, path, cwd):
    """A finished Python process that imports from these folders too."""
    folders = [str(ROOT), *map(str, path)]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(folders), "COLUMNS": "80"}
    return subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True, check=False, cwd=cwd, env=environment
    )


def test_its_game_is_benchmarked_with_its_policy_from_the_command_line(site, tmp_path):
    done = python(
        *("-m", "ludens", "bench", "cautious:0.1", "loss_averse:2.25,reference=30", "--protocols", "SH1,SH2"),
        *("--out", "run.db", "--json"),
        path=[site],
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    json.loads(done.stdout)
    with Run(tmp_path / "run.db") as run:
        decisions = run.decisions()
    assert {record.protocol for record in decisions} == {"SH1", "SH2"}
    shares = {
        (record.policy, record.protocol, record.node): record.decision.probabilities for record in decisions
    }
    for protocol in ("SH1", "SH2"):
        assert shares["cautious:0.1", protocol, "first choice"] == pytest.approx((0.05, 0.95))
    # Half a chance of 80 and of 0 is worth less to the loss averse than 30 for certain, and more to homo
    # economicus.
    (averse,) = {record.policy for record in decisions if record.policy.startswith("loss_averse")}
    assert shares[averse, "SH1", "first choice"] == (0, 1)
    assert shares["homo economicus", "SH1", "first choice"] == (1, 0)


@pytest.mark.parametrize("command", [["show"], ["resume"], ["report"], ["estimate"]])
def test_a_run_of_its_game_without_it_is_one_sentence_with_the_game_s_name(site, tmp_path, command):
    begun = ("-m", "ludens", "bench", "random", "--protocols", "SH1", "--out", "run.db", "--json")
    assert python(*begun, path=[site], cwd=tmp_path).returncode == 0
    done = python("-m", "ludens", *command, "run.db", path=[], cwd=tmp_path)
    assert done.returncode == 2
    (sentence,) = done.stderr.splitlines()
    assert "There is no protocol 'SH1'" in sentence


def test_its_game_is_listed(site, tmp_path):
    done = python("-m", "ludens", "envs", "--json", path=[site], cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    (game,) = [each for each in json.loads(done.stdout) if each["id"] == "ludens/two_hunters-v0"]
    assert game["protocols"]["SH1"] == {"stag": 80, "hare": 30}
    program = "from ludens.agents import policy_names; print(policy_names(), policy_names('bertrand'))"
    trees, market = python("-c", program, path=[site], cwd=tmp_path).stdout.strip().split("] [")
    assert "'cautious'" in trees
    assert "'loss_averse'" in trees
    assert "'cautious'" in market
    assert "'loss_averse'" not in market


def test_its_study_is_run_and_reported_from_a_file(site, tmp_path):
    done = python(
        "-m",
        "ludens",
        "run",
        str(PLUGIN / "hunts.toml"),
        "--out",
        "hunts.db",
        "--json",
        path=[site],
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    shares = [(row["first"], row["second"], row["both"]) for row in json.loads(done.stdout)["meetings"]]
    assert shares == [
        ("cautious", "cautious", 0),
        ("cautious", "always_cooperate", 0),
        ("always_cooperate", "always_cooperate", 1),
    ]
    shown = python("-m", "ludens", "show", "hunts.db", path=[site], cwd=tmp_path)
    assert "always_cooperate and always_cooperate: 100%" in shown.stdout
    reported = python("-m", "ludens", "report", "hunts.db", path=[site], cwd=tmp_path)
    assert reported.returncode == 0, reported.stderr
    assert "Stag hunts" in (tmp_path / "hunts.html").read_text(encoding="utf-8")


def test_its_preference_is_for_game_trees_alone(site, tmp_path):
    done = python(
        *("-m", "ludens", "play", "bertrand", "-p", "loss_averse:2", "-p", "nash"), path=[site], cwd=tmp_path
    )
    assert done.returncode == 2
    assert "outcomes of game trees, and is not for ludens/bertrand-v0" in " ".join(done.stderr.split())
    assert list(tmp_path.iterdir()) == []


def test_a_policy_of_ones_own_is_named_on_the_command_line(tmp_path):
    source = """
        from ludens.agents import Policy, draw

        class Last(Policy):
            name = "last"

            def __init__(self, error=0.0):
                self.error = float(error)

            def decide(self, turn, rng):
                shares = [self.error] * (len(turn.options) - 1)
                return draw([*shares, 1 - sum(shares)], turn, rng, provenance="exact")

        last = Last()
        number = 3
        def wrong(): return number
        def failing(): raise KeyError("weights")
        def unnamed():
            made = Last()
            made.name = 7
            return made
        def ready(weight=0.5):
            from ludens.agents import make_policy

            return make_policy(f"homo_moralis:{weight}")
    """
    (tmp_path / "mine.py").write_text(textwrap.dedent(source), encoding="utf-8")
    line = ("-m", "ludens", "play", "trust", "-p", "mine:last", "-p", "mine:Last:0.25", "--out", "run.db")
    done = python(*line, path=[], cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    with Run(tmp_path / "run.db") as run:
        assert run.manifest["config"]["policies"] == ["mine:last", "mine:Last:0.25"]
    program = """
        from ludens.agents import make_policy

        for spec in ("mine:last", "mine:Last:0.25", {"spec": "mine:Last", "error": 0.25}):
            made = make_policy(spec)
            assert made.describe().items() >= {"kind": "Last"}.items()
            assert make_policy(made.describe()).error == made.error
        # A policy of ludens that a function of one's own makes is made again by that function.
        ready = make_policy("mine:ready:0.25").describe()
        assert {key: ready[key] for key in set(ready) - {"name", "kind"}} == {"spec": "mine:ready:0.25"}
        assert make_policy(ready).preferences.kappa == 0.25
    """
    done = python("-c", textwrap.dedent(program), path=[], cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    for spec, told in {
        "mine:gone": "cannot be loaded",
        "mine:number": "gives int, which is not a policy",
        "mine:wrong": "gives int, which is not a policy",
        "mine:failing": "'mine:failing' cannot be made (KeyError: 'weights')",
        "mine:unnamed": "is called 7: make its name a text",
        "mine:last:0.5": "takes no settings",
        "mine:Last:much=1": "has no setting 'much'; it has error",
        "gone:Last": "There is no policy 'gone:Last'",
    }.items():
        done = python("-m", "ludens", "play", "trust", "-p", spec, path=[], cwd=tmp_path)
        assert done.returncode == 2, (spec, done.stderr)
        assert told in " ".join(done.stderr.split())


def test_a_broken_plug_in_is_one_sentence_that_names_it_and_spoils_nothing(tmp_path):
    metadata = tmp_path / "site" / "broken_games-1.0.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: broken-games\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(
        "[ludens.games]\nbroken = no_such_module:FAMILY\njson = json:dumps\nspoilt = spoilt:FAMILY\n"
        "[ludens.policies]\nbroken = no_such_module:Policy\n"
    )
    site = [tmp_path / "site"]
    (site[0] / "spoilt.py").write_text(
        "from dataclasses import replace\n"
        "from ludens.envs import FAMILIES\n"
        "FAMILY = replace(FAMILIES['trust'], name='spoilt', protocols={'X1': (80, 60, 30, 20)},\n"
        "    build=lambda *numbers: {}['root'])\n"
    )
    listed = python("-m", "ludens", "envs", "--json", path=site, cwd=tmp_path)
    assert listed.returncode == 0
    assert len(json.loads(listed.stdout)) >= 8
    told = " ".join(listed.stderr.split())
    assert "plug-in 'broken' of the package broken-games (ludens.games: no_such_module:FAMILY)" in told
    assert "plug-in 'json' (ludens.games) gives function, which is not a game" in told
    assert "plug-in 'spoilt' of the package broken-games (ludens.games) gives a game that cannot be" in told
    assert "(KeyError: 'root')" in told
    for arguments in (("broken", "-p", "random"), ("trust", "-p", "broken")):
        done = python("-m", "ludens", "play", *arguments, path=site, cwd=tmp_path)
        assert done.returncode == 2
        assert "cannot be loaded (ModuleNotFoundError" in " ".join(done.stderr.split())
    fine = python("-m", "ludens", "play", "trust", "-p", "tit_for_tat", path=site, cwd=tmp_path)
    assert fine.returncode == 0, fine.stderr
    assert fine.stderr.count("plug-in") == 0


@pytest.mark.parametrize("packages", [("ludens", "other"), ("other", "ludens")])
def test_what_ludens_brings_is_not_hidden_by_another_package(monkeypatch, packages):
    entries = [SimpleNamespace(name="play", dist=SimpleNamespace(name=name)) for name in packages]
    monkeypatch.setattr(plugins, "entry_points", lambda group: entries)
    assert plugins.installed.__wrapped__("ludens.studies")["play"].dist.name == "ludens"
