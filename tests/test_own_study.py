"""The example of a study of one's own: from a file, by the command line, with everything that is generic."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FILE = """study = "own_study:OrderStudy"

[order]
policies = ["homo_economicus", "random"]
"""


@pytest.fixture
def folder(tmp_path):
    """A reader's folder: the study beside the file that uses it."""
    (tmp_path / "own_study.py").write_bytes((ROOT / "examples" / "own_study.py").read_bytes())
    (tmp_path / "order.toml").write_text(FILE)
    return tmp_path


def ludens(folder, *arguments):
    done = subprocess.run(
        [sys.executable, "-m", "ludens", *map(str, arguments)],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        env={"PYTHONPATH": str(ROOT), "PATH": "", "COLUMNS": "80"},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_study_of_ones_own_has_everything_that_is_generic(folder):
    played = ludens(folder, "run", "order.toml", "--out", "run.db")
    assert "homo_economicus: the same choice in both orders at 100 % of the questions" in played
    assert played.endswith("Report       run.html\nRun          run.db\n")
    shown = ludens(folder, "show", "run.db")
    assert played.startswith(shown)
    (folder / "run.html").unlink()
    assert ludens(folder, "report", "run.db") == played
    assert "Same choice in both orders" in (folder / "run.html").read_text(encoding="utf-8")
    assert ludens(folder, "resume", "run.db") == played
    extended = ludens(folder, "extend", "run.db", "policies+=homo_moralis:0.5")
    assert extended.startswith(shown)
    assert "homo_moralis:0.5: the same choice" in extended
    rows = json.loads(ludens(folder, "report", "run.db", "--json"))["order"]
    assert [row["policy"] for row in rows] == ["homo_economicus", "random", "homo_moralis:0.5"]
    ludens(folder, "export", "run.db")
    with (folder / "run-tables" / "order.csv").open(newline="") as file:
        assert [row["policy"] for row in csv.DictReader(file)] == [row["policy"] for row in rows]


def test_its_file_is_printed_as_it_is_read(folder):
    printed = ludens(folder, "run", "order.toml", "--print-config")
    (folder / "again.toml").write_text(printed)
    assert ludens(folder, "run", "again.toml", "--print-config") == printed
    assert printed.startswith('study = "own_study:OrderStudy"\n\n[order]\n')


def test_the_script_runs_by_itself(folder):
    done = subprocess.run(
        [sys.executable, "own_study.py"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        env={"PYTHONPATH": str(ROOT), "PATH": ""},
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("{'homo_moralis:0.5': 1.0, 'random': ")
