"""Published numbers beside a benchmark: never among measured ones, with source and date, as published."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from ludens.cli.entry import main
from ludens.experiments import bench, report
from ludens.experiments.bench.published import affonso, coopeval, published_tables

DATA = Path(__file__).parents[2] / ".." / "shared" / "data"


def original(name):
    if not (DATA / name).exists():
        pytest.skip(f"{name} is not at hand beside the project")
    with (DATA / name).open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize(
    "name", ["affonso2026_same_opponent_pd.csv", "affonso2026_mechanism.csv", "affonso2026_reciprocity.csv"]
)
def test_affonsos_numbers_are_as_published(name):
    ours = {row["model"]: row for row in affonso()}
    published = original(name)
    assert {row["model_key"] for row in published} == set(ours)
    for row in published:
        assert {key: ours[row["model_key"]][key] for key in row if key != "model_key"} == {
            key: value for key, value in row.items() if key != "model_key"
        }


def test_coopevals_counts_are_as_counted():
    kept = ("mechanism", "game", "model", "cooperative", "n")
    assert coopeval() == [{key: row[key] for key in kept} for row in original("coopeval2026_counts.csv")]


def test_some_numbers_that_are_known():
    assert {row["model"]: row["same_opponent_rate"] for row in affonso()}["claude-opus-4.6"] == "69.3"
    assert len(affonso()) == 25
    (gpt,) = [
        row
        for row in coopeval()
        if (row["mechanism"], row["game"]) == ("no_mechanism", "prisoners_dilemma")
        and "gpt-4o" in row["model"]
    ]
    assert (gpt["cooperative"], gpt["n"]) == ("16", "36")


def test_every_table_names_its_source_and_that_it_was_not_measured_here():
    tables = published_tables()
    assert len(tables) == 5
    for table in tables:
        assert "not measured here" in table.title
        assert "arXiv 26" in table.caption
        assert "2026" in table.caption
    assert "CC BY 4.0" in tables[0].caption


def test_the_same_game_stands_beside_the_published_numbers_and_nothing_is_mixed(tmp_path):
    path = tmp_path / "run.db"
    result = bench(["always_cooperate"], protocols=["PD3"], path=path)
    page = (tmp_path / "run.html").read_text()
    assert "Beside published numbers" in page
    assert "openai/gpt-4o-2024-05-13(CoT)" in page
    assert "Affonso" not in page
    measured = {each.policy for each in result.measures}
    assert not any("gpt-4o" in policy for policy in measured)


def test_the_tables_are_shown_where_they_are_asked_for(tmp_path, capsys):
    path = tmp_path / "run.db"
    words = [
        "bench",
        "always_cooperate",
        "--protocols",
        "TG1",
        "--other-studies",
        "--out",
        str(path),
        "--json",
    ]
    assert main(words) == 0
    assert "gemini" not in json.dumps(json.loads(capsys.readouterr().out))
    page = (tmp_path / "run.html").read_text()
    assert "Published: Affonso 2026 (not measured here)" in page
    assert "Beside published numbers" not in page
    assert report(path).measures[0].policy == "always_cooperate"
