"""Sweeps: every cell is a training of its own, kept when it is done, the same however it was run."""

from __future__ import annotations

import csv
import io
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from ludens.agents.qlearning import QLearning, equilibrium_test, train
from ludens.cli.entry import main
from ludens.envs.pricing import Market, welfare
from ludens.errors import LudensError, UsageError
from ludens.experiments import Run, extend, report, resume, run_study
from ludens.experiments.pricing import sweep
from ludens.experiments.pricing.cells import measure_cell, training_of
from ludens.experiments.pricing.sweep import SweepStudy
from ludens.experiments.pricing.sweep_config import SweepConfig
from ludens.experiments.study.files import as_toml, parse_study

ROOT = Path(__file__).parents[3]
QUICK = {"points": 4, "window": 500, "beta": 1e-3}


def config(**values):
    given = {"settings": QUICK, "vary": {"alpha": [0.1, 0.3], "mu": [0.2, 0.3]}, "sessions": 5, "seed": 2}
    return SweepConfig(**given | values)


def measures(path):
    with Run(path) as run:
        return {json.dumps(each.labels): dict(each.decision.notes) for each in run.decisions()}


@pytest.fixture(scope="module")
def swept(tmp_path_factory):
    path = tmp_path_factory.mktemp("sweep") / "sweep.db"
    run_study(SweepStudy(config()), path)
    return path


def test_a_cell_is_the_training_of_its_parameters(swept):
    study = SweepStudy(config())
    with Run(swept) as run:
        result = study.measure(run)
    assert [dict(cell.labels) for cell in result.cells] == [
        {"alpha": alpha, "mu": mu} for alpha in (0.1, 0.3) for mu in (0.2, 0.3)
    ]
    cell = result.cells[2]
    trained = train(Market.symmetric(mu=0.2), QLearning(alpha=0.3, **QUICK), sessions=5, seed=2)
    gains = trained.gains
    assert cell.measures["gain"] == pytest.approx((gains.mean(), gains.std(ddof=1) / np.sqrt(5)))
    assert cell.measures["periods"][0] == trained.periods.mean()
    assert cell.measures["one_shot"][0] == equilibrium_test(trained).one_shot_nash.mean()
    prices = np.mean([trained.path_prices(session).mean() for session in range(5)])
    assert cell.measures["price"][0] == pytest.approx(prices)
    reached = [welfare(trained.tables.market, trained.path_prices(session)) for session in range(5)]
    consumer = np.mean([each.consumer.mean() for each in reached])
    assert cell.measures["consumer_surplus"][0] == pytest.approx(consumer)
    assert cell.measures["deadweight_loss"][0] == pytest.approx(
        np.mean([each.deadweight.mean() for each in reached])
    )


def test_two_processes_give_what_one_gives(swept, tmp_path):
    run_study(SweepStudy(config(concurrency=1)), tmp_path / "alone.db")
    assert measures(tmp_path / "alone.db") == measures(swept)


KILLED = """
import sys
from ludens.experiments import run_study
from ludens.experiments.pricing.sweep import SweepStudy
from ludens.experiments.pricing.sweep_config import SweepConfig

# The last cell would take hours: the run cannot be over before it is killed.
config = SweepConfig(
    settings={"points": 4, "beta": 1e-3}, vary={"window": [500, 501, 10**11]}, sessions=3, concurrency=2
)
if __name__ == "__main__":
    run_study(SweepStudy(config), sys.argv[1])
"""


def test_a_killed_sweep_keeps_every_cell_that_was_done_and_leaves_no_process(tmp_path):
    file, script = tmp_path / "sweep.db", tmp_path / "script.py"
    script.write_text(KILLED)
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    process = subprocess.Popen([sys.executable, str(script), str(file)], env=environment)
    try:
        while process.poll() is None and kept(file) < 2:
            time.sleep(0.05)
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
        workers = children.read_text().split() if children.exists() else []
    finally:
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
    before = measures(file)
    assert len(before) == 2
    short = {"vary": {"window": [500, 501, 10**11]}, "settings": {"points": 4, "beta": 1e-3}, "sessions": 3}
    study = SweepStudy(SweepConfig(**short))
    with Run(file) as run:
        result = study.measure(run)
        assert result.planned == 3
        assert "unfinished" in study.page(result).warnings[0]
    for worker in workers:  # they see that nobody waits for them
        while alive(worker):
            time.sleep(0.05)
    fresh = measure_cell(
        {"settings": {"points": 4, "beta": 1e-3, "window": 501}, "sessions": 3, "seed": 0, "tests": True}
    )
    assert json.loads(before[json.dumps({"window": 501})]["measures"]) == fresh


def kept(file):
    try:
        with Run(file) as run:
            return len(run.decisions())
    except (LudensError, sqlite3.Error):
        return 0


def alive(process):
    try:
        return "(zombie)" not in Path(f"/proc/{process}/status").read_text()
    except OSError:
        return False


def test_a_sweep_that_broke_off_goes_on_with_the_cells_that_lack(swept, tmp_path, monkeypatch):
    file = tmp_path / "sweep.db"
    asked = []

    def failing(task):
        asked.append(task["settings"])
        if len(asked) == 3:
            raise LudensError("the power is gone")
        return measure_cell(task)

    monkeypatch.setattr(sweep, "measure_cell", failing)
    with pytest.raises(LudensError, match="power"):
        run_study(SweepStudy(config(executor="serial")), file)
    assert len(measures(file)) == 2
    asked.append(None)
    resume(file)
    assert len(asked) == 6  # two that failed or lacked, after the three before
    assert measures(file) == measures(swept)


def test_a_sweep_grows_by_more_values(swept, tmp_path):
    file = tmp_path / "sweep.db"
    run_study(SweepStudy(config(vary={"alpha": [0.1], "mu": [0.2, 0.3]})), file)
    before = measures(file)
    extend(file, vary={"alpha": [0.1, 0.3], "mu": [0.2, 0.3]})
    assert measures(file) == measures(swept)
    assert before.items() <= measures(file).items()


def test_a_file_says_everything():
    study = SweepStudy(
        config(
            cells=[
                {"label": "one", "firms": 3, "published": {"gain": 0.5}},
                {"firms": 3, "alpha": [0.1, 0.2, 0.3]},
            ],
            vary={"memory": [0, 1]},
            settings=QUICK | {"interventions": [{"kind": "Exit", "period": 9, "firm": 1}]},
        )
    )
    again = parse_study(as_toml(study))
    assert again.config == study.config
    assert [labels for labels, _ in again.config.planned()] == [
        {"cell": name, "memory": memory} for name in ("one", "2") for memory in (0, 1)
    ]


def test_published_numbers_stand_beside_ours(tmp_path):
    cells = [
        {"label": "low", "alpha": 0.1, "points": 6, "published": {"gain": 0.8, "one_shot": 0.4}},
        {"label": "high", "alpha": 0.3},
    ]
    study = SweepStudy(config(cells=cells, vary={}))
    run_study(study, tmp_path / "sweep.db")
    result = report(tmp_path / "sweep.db")
    table = study.page(result).tables[0]
    assert table.names == ("low: profit gain Δ", "low: one-shot equilibrium")
    ours, error = result.cells[0].measures["gain"]
    assert [cell.text for cell in table.rows[0]] == [
        f"{ours:.3f}",
        "0.800",
        f"{ours - 0.8:.3f}".replace("-", "−"),
        f"{abs(ours - 0.8) / error:.1f}",
    ]
    console = Console(width=80, record=True, file=io.StringIO())
    study.show(result, console)
    printed = console.export_text()
    assert "published" in printed
    assert max(map(len, printed.splitlines()[:-3])) <= 80
    rows = study.tables(result)["cells"]
    assert [row["gain_published"] for row in rows] == [0.8, None]
    assert "<svg" in (tmp_path / "sweep.html").read_text()


def test_a_map_is_drawn_of_two_settings(swept):
    study = SweepStudy(config())
    with Run(swept) as run:
        result = study.measure(run)
    (picture,) = study.page(result).pictures
    mesh = picture.figure.axes[0].collections[0]
    drawn = np.ma.getdata(mesh.get_array())
    wanted = [[result.cells[0].measures["gain"][0], result.cells[2].measures["gain"][0]],
              [result.cells[1].measures["gain"][0], result.cells[3].measures["gain"][0]]]  # fmt: skip
    np.testing.assert_allclose(drawn, wanted)
    axes = picture.figure.axes[0]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("alpha", "mu")
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["0.1", "0.3"]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"vary": {"gamma": [1]}}, r"sweep\.vary: there is no setting 'gamma'"),
        ({"vary": {"alpha": []}}, r"sweep\.vary\.alpha: list at least one"),
        ({"vary": {"alpha": [0.1, 7]}}, r"cell alpha 7: alpha must be"),
        ({"cells": [{"points": 10**5}]}, r"cell 1: A price grid holds at most"),
        ({"settings": {"colour": 1}}, "no setting 'colour'"),
        ({"cells": [{"published": {"profits": 1}}]}, r"cells\[0\]\.published: profits"),
        ({"settings": {"prices": [2, 1]}}, "lowest and the highest"),
        ({"settings": {"memory": 3, "points": 15, "firms": 3}}, "states need"),
    ],
)
def test_what_is_wrong_is_said_before_anything_is_trained(values, message):
    with pytest.raises(LudensError, match=message):
        config(**{"vary": {}} | values)


def test_cells_that_cannot_be_told_apart_are_refused(tmp_path):
    twins = SweepStudy(config(cells=[{"label": "a", "alpha": 0.1}, {"label": "a", "alpha": 0.2}], vary={}))
    with pytest.raises(UsageError, match="give one another label"):
        run_study(twins, tmp_path / "sweep.db")
    assert not (tmp_path / "sweep.db").exists()


def test_settings_make_the_market_and_the_learners():
    made = training_of({"firms": 3, "quality": 2.5, "cost": 0.5, "mu": 0.1, "alpha": [0.1, 0.2, 0.3]})
    assert made.market == Market.symmetric(3, 2.5, 0.5, mu=0.1)
    assert made.learners.alpha == (0.1, 0.2, 0.3)
    unit = training_of({
        "demand": "homogeneous", "intercept": 10.0, "cost": 2.0, "unit": True,
        "prices": [0.01, 10.0], "points": 100, "moves": "together", "outside_values": None,
    } | {"outside_values": []})  # fmt: skip
    assert unit.market.unit
    np.testing.assert_allclose(unit.tables().grid[1], np.linspace(0.01, 10, 100))


def test_the_command_trains_and_writes_a_table(tmp_path, capsys):
    out, table = tmp_path / "sweep.db", tmp_path / "sweep.csv"
    arguments = [
        "price", "sweep", "--vary", "beta=1e-3:4e-3:3:log", "--vary", "delta=0.5,0.9", "--set", "points=4",
        "--set", "window=300", "--with", "demand-shock:period=50,qualities=0.1", "--sessions", "2",
        "--no-tests", "--out", str(out), "--csv", str(table),
    ]  # fmt: skip
    assert main(arguments) == 0
    with table.open() as file:
        rows = list(csv.DictReader(file))
    assert [(float(row["beta"]), float(row["discount"])) for row in rows] == [
        (beta, discount) for beta in (0.001, 0.002, 0.004) for discount in (0.5, 0.9)
    ]
    assert all(row["one_shot"] == "" and float(row["gain"]) for row in rows)
    capsys.readouterr()
    assert main([*arguments[:-4], "--print-config"]) == 0
    printed = parse_study(capsys.readouterr().out)
    with Run(out) as run:
        assert printed.config.as_json() == run.manifest["config"]
    assert main(["price", "sweep", "--vary", "alpha"]) == 2
    assert "KEY=VALUE" in capsys.readouterr().err
    assert main(["price", "sweep", "--vary", "alpha=low:high:3"]) == 2
    assert "LOW:HIGH:STEPS" in capsys.readouterr().err
