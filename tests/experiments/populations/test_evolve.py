"""The studies of evolution: what a run holds, the prediction κ = σ, and payoffs with errors."""

from __future__ import annotations

import json

import numpy as np
import pytest

from ludens.cli.entry import main
from ludens.errors import UsageError
from ludens.experiments import Run, extend, report, run_study
from ludens.experiments.populations.evolve import EvolveStudy
from ludens.experiments.populations.evolve_config import EvolveConfig
from ludens.experiments.populations.invasion import InvasionStudy
from ludens.experiments.populations.invasion_config import InvasionConfig

HAWK_DOVE = {"name": "two_actions", "payoffs": [[-1, 4], [0, 2]]}
QUICK = {"kappas": [0, 0.3, 0.6, 1], "generations": 300}


@pytest.mark.parametrize(
    ("game", "sigma"),
    [
        (HAWK_DOVE, 0.3),
        ({"name": "two_actions", "payoffs": [[5, 2], [7, 3]]}, 0.6),
        ({"name": "linear_public_good", "players": 4, "marginal_return": 0.4}, 1.0),
        ({"name": "linear_public_good", "players": 4, "marginal_return": 0.4}, 0.3),
        ({"name": "published", "protocol": "PG1"}, 0.3),
    ],
)
def test_mutants_die_out_among_residents_with_kappa_sigma(tmp_path, game, sigma):
    path = tmp_path / "run.db"
    run_study(InvasionStudy(InvasionConfig(game=game, assortativity=sigma, **QUICK)), path)
    result = report(path)
    own = [cell for (resident, _), cell in result.cells.items() if resident == sigma]
    assert {cell.invasion.outcome for cell in own} <= {"resists", "neutral"}
    differing = [cell for cell in result.cells.values() if cell.invasion.outcome != "neutral"]
    assert differing
    for cell in differing:  # theory and simulation agree everywhere
        assert (cell.shares[0] < 0.05) == (cell.invasion.outcome == "resists")
    same_play = [
        result.over_time[result.config.kappas.index(kappa)]
        for kappa in {
            sigma,
            *(cell.invasion.mutant_kappa for cell in own if cell.invasion.outcome == "neutral"),
        }
    ]
    assert sum(same_play) == pytest.approx(1, abs=1e-3)
    page = (tmp_path / "run.html").read_text()
    assert page.count("<svg") >= 2
    assert "κ = σ" in page


def test_a_run_grows_by_more_weights(tmp_path):
    path = tmp_path / "run.db"
    run_study(InvasionStudy(InvasionConfig(game=HAWK_DOVE, assortativity=0.3, **QUICK)), path)
    with Run(path) as run:
        before = {json.dumps(each.labels): each.decision.notes for each in run.decisions()}
    with extend(path, kappas=[*QUICK["kappas"], 0.8]) as run:
        after = {json.dumps(each.labels): each.decision.notes for each in run.decisions()}
    assert len(after) == 20
    assert before.items() <= after.items()


def test_the_command_shows_who_resists(tmp_path, capsys):
    out, table = tmp_path / "run.db", tmp_path / "rows.csv"
    code = main(
        ["evolve", "kappa", "--assortativity", "0.3", "--kappas", "0,0.3,1", "--generations", "100", "--csv",
         str(table), "--out", str(out), "--", "-1,4,0,2"]
    )  # fmt: skip
    assert code == 0
    assert "0.3 = σ" in capsys.readouterr().out
    assert len(table.read_text().splitlines()) == 7


def test_a_game_of_the_library_is_named(tmp_path, capsys):
    assert main(["evolve", "kappa", "PD2", "--print-config"]) == 0
    assert "payoffs = [" in capsys.readouterr().out
    assert main(["evolve", "kappa", "PG1", "--print-config"]) == 0
    assert 'protocol = "PG1"' in capsys.readouterr().out
    assert main(["evolve", "kappa", "BS1", "--print-config"]) == 2
    assert "several players of one role" in " ".join(capsys.readouterr().err.split())
    assert main(["evolve", "kappa", "TG1", "--print-config"]) == 2
    assert "one in which all move at once" in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"game": {"name": "chess"}}, r"invasion\.game: there is no game 'chess'"),
        ({"game": {"name": "two_actions"}}, r"invasion\.game: missing 1 required"),
        ({"game": {"name": "two_actions", "payoffs": [[1, 2]]}}, r"invasion\.game: A symmetric game"),
        ({"kappas": [0.5]}, r"invasion\.kappas: Give at least two"),
        ({"kappas": [0, 2]}, r"invasion\.kappas: .*between 0 and 1"),
        ({"assortativity": 1.5}, r"invasion\.assortativity"),
        ({"population": 10, "mutants": 0.01}, r"invasion\.mutants: .*no mutant"),
    ],
)
def test_wrong_configurations_are_refused_in_a_sentence(values, words):
    with pytest.raises(UsageError, match=words):
        InvasionConfig(**{"game": HAWK_DOVE} | values)


def test_shares_evolve_the_same_way_in_every_dynamics(tmp_path):
    path = tmp_path / "run.db"
    config = EvolveConfig(
        payoffs=[[3, 1], [4, 2]], types=["nice", "mean"], dynamics=["replicator", "moran", "wright_fisher"],
        selection=3, population=400, generations=60, replicates=5,
    )  # fmt: skip
    run_study(EvolveStudy(config), path)
    result = report(path)
    assert len(result.decisions) == 1 + 5 + 5
    for each in result.paths.values():
        assert each.shares[:, 0] == pytest.approx(np.full((len(each.shares), 2), 0.5))
        assert each.at_end(1).value > 0.95
    assert result.over_time[1].value > 0.95


def test_errors_of_the_payoffs_are_carried_through(tmp_path):
    config = {"payoffs": [[2.0, 2.0], [2.0, 2.1]], "dynamics": ["replicator"], "replicates": 40}
    run_study(EvolveStudy(EvolveConfig(**config)), tmp_path / "exact.db")
    run_study(EvolveStudy(EvolveConfig(**config, errors=[[0.5] * 2] * 2)), tmp_path / "measured.db")
    exact, measured = report(tmp_path / "exact.db"), report(tmp_path / "measured.db")
    assert exact.paths["replicator"].at_end(0).low is None
    end = measured.paths["replicator"].at_end(0)
    assert end.low < 0.01
    assert end.high > 0.99  # the order of payoffs is not known, nor who takes over
    assert measured.over_time[0].high - measured.over_time[0].low > 0.5


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"payoffs": [[1, 2]]}, r"evolve\.payoffs: Give as many rows"),
        ({"payoffs": [[1]]}, r"evolve\.payoffs: at least two"),
        ({"types": ["a", "a"]}, r"evolve\.types: .*name of its own"),
        ({"errors": [[-1, 0], [0, 0]]}, r"evolve\.errors"),
        ({"start": [0.5, 0.6]}, r"evolve\.start: .*together they are 1"),
        ({"dynamics": ["chaos"]}, r"evolve\.dynamics.*wright_fisher"),
        ({"noise": 0}, r"evolve\.noise"),
    ],
)
def test_wrong_tables_are_refused_in_a_sentence(values, words):
    with pytest.raises(UsageError, match=words):
        EvolveConfig(**{"payoffs": [[1, 2], [3, 4]]} | values)


def test_the_command_evolves_a_table(tmp_path, capsys):
    out = tmp_path / "run.db"
    words = [
        "--types",
        "rock,paper,scissors",
        "--replicates",
        "2",
        "--generations",
        "20",
        "--population",
        "50",
        "--json",
    ]
    assert main(["evolve", "types", "0,-1,1;1,0,-1;-1,1,0", *words, "--out", str(out)]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["end"]["replicator"]["rock"] == pytest.approx(1 / 3)
