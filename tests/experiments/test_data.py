"""Tables that leave a run: data frames of three libraries, files of four formats, and the page on columns."""

from __future__ import annotations

import csv
import json
import math
import runpy
import sqlite3
from contextlib import closing
from pathlib import Path

import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ludens.cli import main
from ludens.errors import UsageError
from ludens.experiments import STUDIES, Run, export, frame, load, play, run_study
from ludens.experiments.runs.columns import COLUMNS
from ludens.experiments.runs.files import as_csv
from ludens.experiments.runs.frames import data_frame
from tests.experiments.test_outages import CONFIGS, answer, study_of
from tests.loopback import Loopback, say

DOCS = Path(__file__).parents[2] / "docs"
ODD = "=HYPERLINK(1) \x00 κ"


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    """A run with an odd reply, a question asked twice, and a policy that is not asked in words."""
    path = tmp_path_factory.mktemp("data") / "run.db"
    odd = json.dumps({"choice": "A"}) + ODD
    with Loopback([say(ODD)], otherwise=say(odd)) as server:
        model = {"spec": "openai/m", "api_base": server.url, "elicit": "sample", "api_key": "none"}
        play("trust-v0", [model, "random"], episodes=3, path=path, concurrency=1)
    return path


@pytest.mark.parametrize("table", COLUMNS)
def test_a_table_is_the_same_in_every_library(path, table):
    run = Run(path)
    rows = run.rows(table)
    assert rows
    expected = json.loads(json.dumps(rows))
    in_polars = run.to_polars(table)
    assert json.loads(json.dumps(plain(in_polars.to_dicts()))) == plain(expected)
    assert plain(run.to_arrow(table).to_pylist()) == plain(expected)
    in_pandas = run.to_pandas(table)
    records = in_pandas.astype(object).where(in_pandas.notna(), None).to_dict("records")
    assert plain(records) == plain(expected)


def plain(rows):
    """Rows with what is JSON as itself."""
    return [
        {
            name: json.loads(value)
            if name in {"messages", "parameters"} and isinstance(value, str)
            else value
            for name, value in row.items()
        }
        for row in rows
    ]


def test_columns_have_the_documented_types(path):
    wanted = {
        "integer": pl.Int64,
        "number": pl.Float64,
        "text": pl.String,
        "JSON": pl.String,
        "texts": pl.List(pl.String),
        "numbers": pl.List(pl.Float64),
    }
    for table, columns in COLUMNS.items():
        schema = Run(path).to_polars(table).schema
        for column in columns:
            if "…" not in column.name:
                assert schema[column.name] == wanted[column.type]


def test_what_is_not_described_has_the_type_of_its_values():
    rows = [
        {"a": 1, "b": 1, "c": True, "d": True, "e": [1], "f": None},
        {"a": None, "b": 0.5, "c": None, "d": 3},
    ]
    found = data_frame(rows, (), "polars")
    assert dict(found.schema) == {
        "a": pl.Int64,
        "b": pl.Float64,
        "c": pl.Boolean,
        "d": pl.String,
        "e": pl.String,
        "f": pl.String,
    }
    assert data_frame(rows, (), "pandas")["a"].tolist()[0] == 1
    for library in ("pandas", "polars", "pyarrow"):
        assert "\\ud83d" in str(data_frame([{"name": "half \ud83d"}], (), library)["name"][0])
    assert data_frame(rows, (), "pandas")["c"].tolist() == [True, None]


def test_what_no_library_holds_is_a_text_and_an_empty_payoff_a_number():
    rows = [{"much": 2**70, "half \ud800": 1, "payoff seat": None}]
    for library in ("pandas", "polars", "pyarrow"):
        found = data_frame(rows, COLUMNS["episodes"], library)
        assert list(found.columns if library != "pyarrow" else found.column_names)[1] == "half \\ud800"
    assert found.column("much").to_pylist() == [str(2**70)]
    assert found.schema.field("payoff seat").type == pa.float64()


def test_calls_of_a_decision_that_was_not_reached_are_rows_too(tmp_path):
    with Loopback(otherwise=say("A")) as server:
        model = {"spec": "openai/m", "api_base": server.url, "elicit": "sample", "api_key": "none"}
        play("trust-v0", [model, "random"], episodes=3, path=tmp_path / "r.db", concurrency=1).close()
    with closing(sqlite3.connect(tmp_path / "r.db")) as database, database:
        first = database.execute("SELECT min(episode) FROM calls").fetchone()
        database.execute("DELETE FROM decisions WHERE episode = ?", first)
    with Run(tmp_path / "r.db") as run:
        assert len(run.rows("calls")) == run.summary().calls


def test_an_empty_table_has_its_columns():
    assert "options" in data_frame([], COLUMNS["decisions"], "pyarrow").column_names
    assert data_frame([], COLUMNS["decisions"], "pandas").empty


def test_every_format_holds_the_same(path, tmp_path):
    rows = Run(path).rows("calls")
    files = {
        format_: export(path, tmp_path / format_, format=format_) for format_ in ("csv", "jsonl", "parquet")
    }
    for written in files.values():
        assert set(written) == {"decisions", "calls", "episodes"}
    lines = [json.loads(line) for line in files["jsonl"]["calls"].read_text(encoding="utf-8").splitlines()]
    parquet = pq.read_table(files["parquet"]["calls"]).to_pylist()
    with files["csv"]["calls"].open(newline="", encoding="utf-8") as file:
        written = list(csv.DictReader(file))
    assert len(rows) == len(lines) == len(parquet) == len(written) > 3
    assert parquet[0]["reply"] == ODD
    assert written[0]["reply"] == f"'{parquet[0]['reply']}"
    assert [json.loads(row["messages"]) for row in written] == [row["messages"] for row in lines]
    assert [float(row["seconds"]) for row in written] == [row["seconds"] for row in lines]


def test_no_text_is_a_formula_and_every_number_stays_one():
    texts = ["=1+1", "+cmd", "-cmd", "@SUM(A1)", "\tx", "\rx", "-1+cmd|' /C calc'!A0"]
    numbers = [-1.5, -3, 1e-7, -1e-7, -math.inf, "-1.5", "+2", "-1e-07", "−1"]
    content = as_csv([{"=head": value} for value in [*texts, *numbers]])
    head, *cells = [row[0] for row in csv.reader(content.splitlines(keepends=True)) if row]
    assert head == "'=head"
    assert cells[: len(texts)] == [f"'{text}" for text in texts]
    assert cells[len(texts) :] == [str(value) for value in numbers]


def test_the_command_writes_one_format(path, tmp_path, capsys):
    target = tmp_path / "d.parquet"
    assert main(["export", str(path), "--table", "decisions", "--out", str(target)]) == 0
    assert pd.read_parquet(target)["status"].tolist() == Run(path).to_pandas()["status"].tolist()
    assert main(["export", str(path), "--jsonl", "--out", str(tmp_path / "lines")]) == 0
    assert {file.suffix for file in (tmp_path / "lines").iterdir()} == {".jsonl"}
    for wrong, said in (
        (["--csv", "--parquet"], "exclude each other"),
        (["--table", "decisions", "--out", "x.csv", "--jsonl"], "does not end in .jsonl"),
        (["--table", "nothing"], "has no table 'nothing'; there are decisions, calls, episodes"),
        (["--table", "decisions", "--out", "x.txt"], "must end in .csv, .json, .jsonl or .parquet"),
    ):
        capsys.readouterr()
        assert main(["export", str(path), *wrong]) == 2
        assert said in " ".join(capsys.readouterr().err.split())


def test_a_library_that_is_not_there_is_a_sentence(path, monkeypatch):
    with pytest.raises(UsageError, match="'pandas', 'polars', 'pyarrow'"):
        frame(path, library="spark")
    monkeypatch.setattr("ludens.experiments.runs.frames.find_spec", lambda name: None)
    with pytest.raises(UsageError, match="polars is not installed: pip install polars"):
        frame(path, library="polars")
    with pytest.raises(UsageError, match="Parquet needs pyarrow or polars"):
        export(path, format="parquet")
    assert not path.with_name("run-tables").exists()


COMPUTED = {
    "evolve": {"payoffs": [[1, 2], [0, 3]], "replicates": 1, "generations": 2},
    "invasion": {
        "game": {"name": "two_actions", "payoffs": [[3, 0], [5, 1]]}, "kappas": [0, 1], "population": 50,
        "generations": 2,
    },
    "tournament": {"policies": ["always_defect", "tit_for_tat"], "matches": 1},
    "sweep": {"vary": {"alpha": [0.1]}, "settings": {"points": 2, "beta": 0.01}, "sessions": 2},
}  # fmt: skip


@pytest.mark.parametrize("kind", [*CONFIGS, *COMPUTED])
def test_every_column_of_every_study_is_described(tmp_path, kind, monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    path = tmp_path / "run.db"
    with Loopback(otherwise=answer) as server:
        if kind in COMPUTED:
            study = STUDIES[kind]
            made = study(study.config_type(**COMPUTED[kind]))
        else:
            made = study_of(kind, server, tmp_path)
        run_study(made, path)
    study, result = load(path)
    tables = {name: list(rows) for name, rows in study.tables(result).items()}
    # These two tables are of markets with several products of a firm, and of overseen prices.
    assert set(tables) == set(study.columns) - ({"products", "reviews"} if kind == "pricing" else set())
    for name, rows in tables.items():
        known = {column.name: column for column in study.columns[name]}
        given = {key for row in rows for key in row}
        if "…" not in known:
            assert given <= set(known)
        assert given or name == "answer_mass"
        found = frame(path, name, "pyarrow")
        assert isinstance(found, pa.Table)
        for column in known.values():
            if column.name in found.column_names:
                numbers = {"integer": pa.types.is_integer, "number": pa.types.is_floating}
                kind_of = numbers.get(column.type, lambda type_: not pa.types.is_integer(type_))
                assert kind_of(found.schema.field(column.name).type)


def test_the_page_on_data_describes_the_columns_that_there_are():
    made = runpy.run_path(str(DOCS / "make_columns.py"))
    page = (DOCS / "data.md").read_text(encoding="utf-8")
    assert made["with_columns"](page) == page
    assert set(made["OWN"]) == {kind for kind in STUDIES if STUDIES[kind].columns}
