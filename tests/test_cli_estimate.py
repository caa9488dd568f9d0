"""`ludens estimate`: a table for a paper in the terminal, as LaTeX, CSV, JSON and figure; one sentence for
mistakes.
"""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from ludens import cli
from ludens.envs import PROTOCOLS
from ludens.experiments import bench

DATA = Path(__file__).parents[1] / ".." / "shared" / "data"


@pytest.fixture
def ran(tmp_path, monkeypatch, capsys):
    """Runs the command in an empty folder with a terminal 80 wide; returns code, stdout, stderr."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")

    def run(*arguments):
        code = cli.main(["estimate", *(str(argument) for argument in arguments)])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


def allocations(path, people=40, questions=30, seed=0):
    """Two types of people, who like the other ahead or behind more or less, choosing between two
    allocations.
    """
    rng = np.random.default_rng(seed)
    payoffs = rng.integers(100, 1000, (questions, 4))
    weights = [(0.1, 0.4, 0.02), (-0.2, -0.1, 0.01)]
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["sid", "self_x", "other_x", "self_y", "other_y", "choice_x", "q", "v"])
        for person in range(people):
            alpha, beta, precision = weights[person % 2]
            for own, other, own_y, other_y in payoffs.tolist():
                values = []
                for mine, theirs in ((own, other), (own_y, other_y)):
                    values.append(mine + (alpha if mine < theirs else beta) * (theirs - mine))
                taken = rng.random() < 1 / (1 + np.exp(-precision * (values[0] - values[1])))
                kind, unkind = int(rng.integers(2)), int(rng.integers(2))
                writer.writerow([person, own, other, own_y, other_y, int(taken), kind, unkind])
    return path


def test_a_table_for_a_paper(ran, tmp_path):
    table = allocations(tmp_path / "t.csv")
    code, out, err = ran(table, "--model", "bfs", "--stars")
    assert (code, err) == (0, "")
    assert max(map(len, out.splitlines())) <= 80
    for word in (
        "α",
        "σ",
        "Choices",
        "1200",
        "Clusters",
        "40",
        "Log-likelihood",
        "BIC",
        "clustered by subject",
        "***",
    ):
        assert word in out
    plain = ran(table, "--model", "bfs")[1]
    assert "***" not in plain
    found = json.loads(ran(table, "--model", "bfs", "--json")[1])[0]
    assert found["facts"]["subjects"] == [40]
    assert {entry["name"] for entry in found["estimates"]} == {"alpha", "beta", "gamma", "delta", "precision"}
    hessian = json.loads(ran(table, "--model", "bfs", "--errors", "hessian", "--json")[1])[0]
    assert hessian["estimates"][0]["se"] != found["estimates"][0]["se"]
    assert hessian["estimates"][0]["estimate"] == found["estimates"][0]["estimate"]


def test_files_are_written_beside_the_table(ran, tmp_path):
    table = allocations(tmp_path / "t.csv")
    code, _, err = ran(table, "--model", "bfs", "--latex", "t.tex", "--csv", "out.csv", "--figure", "f.png")
    assert (code, err) == (0, "")
    assert r"\begin{tabular}{lD{.}{.}{-1}}" in Path("t.tex").read_text(encoding="utf-8")
    rows = list(csv.DictReader(Path("out.csv").read_text(encoding="utf-8").splitlines()))
    assert {"alpha", "log_likelihood"} <= {row["name"] for row in rows}
    assert Path("f.png").read_bytes().startswith(b"\x89PNG")


def test_types_side_by_side_and_numbers_of_types(ran, tmp_path):
    table = allocations(tmp_path / "t.csv")
    code, out, _ = ran(table, "--model", "bfs", "--types", 2, "--figure", "f.svg")
    assert code == 0
    assert max(map(len, out.splitlines())) <= 80
    assert "type 2" in out
    assert "share" in out
    one = json.loads(ran(table, "--model", "bfs", "--types", 2, "--json")[1])
    assert one == json.loads(ran(table, "--model", "bfs", "--types", 2, "--json")[1])
    shares = [entry["estimate"] for entry in one[0]["estimates"] if entry["name"] == "share"]
    assert shares == pytest.approx([0.5, 0.5], abs=0.06)
    code, out, _ = ran(table, "--model", "bfs", "--types", "1..3")
    assert code == 0
    assert "2 types: suggested by" in out
    assert max(map(len, out.splitlines())) <= 80


def test_errors_are_clustered_by_any_column_and_by_two(ran, tmp_path):
    lines = allocations(tmp_path / "t.csv").read_text(encoding="utf-8").splitlines()
    half = [f"{line},{'session' if not row else row % 25}" for row, line in enumerate(lines)]
    (tmp_path / "t.csv").write_text("\n".join(half) + "\n", encoding="utf-8")
    arguments = ("t.csv", "--model", "bfs", "--columns", "subject=sid", "--json", "--cluster")
    found = [json.loads(ran(*arguments, names)[1])[0] for names in ("sid", "session", "sid,session")]
    assert [one["facts"]["clusters"] for one in found] == [[40], [25], [25]]
    assert found[2]["errors"] == "standard errors clustered by sid and session"
    errors = [one["estimates"][1]["se"] for one in found]
    # People differ and sessions do not: subjects matter, alone or as one of two ways.
    assert errors[1] < 0.7 * errors[2]
    assert errors[1] < 0.7 * errors[0]
    code, _, err = ran(*arguments, "sid,sid")
    assert code == 2
    assert "--cluster takes one column or two different ones" in err


def test_estimates_stand_beside_each_other_under_several_beliefs(ran, tmp_path):
    rng = np.random.default_rng(0)
    rows = [["subject", "protocol", "node", "choice"]]
    for protocol in ("SPD1", "SPD3", "SPD5", "TG1", "TG3", "TG5"):
        for node in PROTOCOLS[protocol].information_sets:
            rows += [[str(who), protocol, node.label, str(rng.choice(node.options))] for who in range(30)]
    (tmp_path / "t.csv").write_text("\n".join(map(",".join, rows)) + "\n", encoding="utf-8")
    code, out, err = ran("t.csv", "--beliefs", "all", "--json")
    assert (code, err) == (0, "")
    found = json.loads(out)[0]
    assert list(dict.fromkeys(one["column"] for one in found["estimates"])) == ["uniform", "equilibrium"]
    levels = found["facts"]["log_likelihood"]
    assert levels[0] != levels[1]
    for kind, level in zip(("uniform", "equilibrium"), levels, strict=True):
        alone = json.loads(ran("t.csv", "--beliefs", kind, "--json")[1])[0]
        assert alone["facts"]["log_likelihood"] == [pytest.approx(level)]
    assert any(note.startswith("Beliefs, stated: left out. ") for note in found["notes"])


def test_weights_depend_on_columns_of_the_table(ran, tmp_path):
    lines = allocations(tmp_path / "t.csv").read_text(encoding="utf-8").splitlines()
    odd = ["group", *("ab"[int(line.split(",")[0]) % 2] for line in lines[1:])]
    text = "\n".join(f"{line},{end}" for line, end in zip(lines, odd, strict=True))
    (tmp_path / "t.csv").write_text(text + "\n", encoding="utf-8")
    arguments = ("t.csv", "--model", "fehr_schmidt", "--covariates")
    code, out, err = ran(*arguments, "alpha ~ group; beta ~ group", "--json")
    assert (code, err) == (0, "")
    values = {one["name"]: one for one in json.loads(out)[0]["estimates"]}
    # β is .4 in one group and −.1 in the other; α of Fehr & Schmidt is −.1 and .2.
    assert values["beta:group=b"]["low"] < -0.5 < values["beta:group=b"]["high"]
    assert values["alpha:group=b"]["low"] < 0.3 < values["alpha:group=b"]["high"]
    assert values["beta:group=b"]["p"] < 0.001
    assert "β·group=b" in ran(*arguments, "beta ~ group")[1]
    for formula in ("beta", "beta ~", "beta ~ group + group", "gamma ~ group"):
        code, out, err = ran(*arguments, formula)
        assert (code, out, len(err.splitlines())) == (2, "", 1)


def test_two_tables_are_compared_and_hypotheses_tested(ran, tmp_path):
    allocations(tmp_path / "a.csv", people=40)
    allocations(tmp_path / "b.csv", people=40, seed=1)
    code, out, err = ran("a.csv", "--model", "fehr_schmidt", "--compare", "b.csv")
    assert (code, err) == (0, "")
    assert "difference" in out
    assert "All parameters are equal: F(3, 39) = " in out
    found = json.loads(ran("a.csv", "--model", "fehr_schmidt", "--compare", "b.csv", "--json")[1])[0]
    cells = {(one["column"], one["name"]): one for one in found["estimates"]}
    gap = cells["a", "beta"]["estimate"] - cells["b", "beta"]["estimate"]
    assert cells["difference", "beta"]["estimate"] == pytest.approx(gap)
    assert cells["difference", "beta"]["low"] < gap < cells["difference", "beta"]["high"]
    code, out, _ = ran("a.csv", "--model", "fehr_schmidt", "--test", "alpha=0,beta=0")
    assert "Wald test of α = 0, β = 0: F(2, 39) = " in out
    assert "χ²(2) = " in " ".join(out.split())
    for wrong in (["--test", "beta=0", "--types", "2"], ["--compare", "b.csv", "--by", "subject"]):
        code, out, err = ran("a.csv", "--model", "fehr_schmidt", *wrong)
        assert (code, out) == (2, "")
        assert "pooled" in err


def test_a_parameter_is_held_and_every_subject_is_fitted(ran, tmp_path):
    table = allocations(tmp_path / "t.csv")
    code, out, _ = ran(table, "--model", "bfs", "--fix", "gamma=0,delta=0")
    assert code == 0
    assert out.count("fixed") == 2
    code, out, _ = ran(table, "--model", "fehr_schmidt", "--by", "subject", "--csv", "s.csv")
    assert code == 0
    assert "40 subjects" in out
    rows = list(csv.DictReader(Path("s.csv").read_text(encoding="utf-8").splitlines()))
    assert len({row["column"] for row in rows}) == 41  # all of them, and what is of all


def test_columns_are_named_on_the_command_line(ran, tmp_path):
    table = allocations(tmp_path / "t.csv")
    text = table.read_text(encoding="utf-8").replace("sid,", "who,", 1)
    table.write_text(text, encoding="utf-8")
    assert ran(table, "--model", "bfs")[0] == 2
    code, out, _ = ran(table, "--model", "bfs", "--columns", "subject=who,cluster=who")
    assert code == 0
    assert "clustered by who" in out


def test_a_run_has_a_row_for_each_policy(ran, tmp_path):
    bench(["quantal:kappa=0.5,noise=8"], path=tmp_path / "run.db")
    code, out, err = ran("run.db", "--latex", "t.tex", "--figure", "f.png")
    assert (code, err) == (0, "")
    assert max(map(len, out.splitlines())) <= 80
    assert "random: not identified: choices do not react to payoffs." in out
    assert "κ=0.5, λ=8" in out  # after "quantal", on a line of its own
    assert "0.500" in out
    found = json.loads(ran("run.db", "--json")[1])[0]
    kappa = next(entry for entry in found["estimates"] if entry["name"] == "kappa")
    assert kappa["low"] < 0.5 < kappa["high"]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["nowhere.csv"], "cannot be read"),
        (["nowhere.db"], "nowhere.db"),
        (["t.csv", "--model", "utilitarian"], "'utilitarian'"),
        (["t.csv", "--model", "bfs", "--types", "many"], "--types takes"),
        (["t.csv", "--model", "bfs", "--types", "3..1"], "--types takes"),
        (["t.csv", "--model", "bfs", "--fix", "alpha"], "--fix takes name=value"),
        (["t.csv", "--model", "bfs", "--fix", "alpha=x"], "a number for alpha"),
        (["t.csv", "--model", "bfs", "--fix", "phi=1"], "'phi'"),
        (["t.csv", "--model", "bfs", "--columns", "self_x=mine"], "no column 'mine'"),
        (["t.csv", "--model", "bfs", "--figure", "f.pdf"], ".png or .svg"),
        (["t.csv", "--model", "bfs", "--types", "2", "--by", "subject"], "leave --by subject out"),
        (["t.csv", "--model", "bfs", "--types", "1..2", "--figure", "f.png"], "one number of types"),
        (["t.csv", "--model", "moralis"], "everybody chose alike"),
    ],
)
def test_a_mistake_is_one_sentence(ran, tmp_path, arguments, told):
    allocations(tmp_path / "t.csv", people=4, questions=10)
    code, out, err = ran(*arguments)
    assert code == 2
    assert out == ""
    assert told in err
    assert len(err.splitlines()) == 1
    assert {path.name for path in tmp_path.iterdir()} == {"t.csv"}


def test_a_file_that_cannot_be_written_is_told_in_one_sentence(ran, tmp_path):
    allocations(tmp_path / "t.csv", people=10)
    code, _, err = ran("t.csv", "--model", "bfs", "--latex", "no/such/folder.tex")
    assert code == 1
    assert "cannot be written" in err


@pytest.mark.skipif(
    not (DATA / "bfs2019_choices_exp1.csv").exists(), reason="the replication data is not here"
)
def test_the_published_types_come_out_of_the_command(ran, tmp_path):
    dropped = set((DATA / "bfs2019_dropped_subjects.csv").read_text(encoding="utf-8").split())
    lines = (DATA / "bfs2019_choices_exp1.csv").read_text(encoding="utf-8").splitlines()
    kept = [line for line in lines if line.split(",", 1)[0] not in dropped]
    (tmp_path / "kept.csv").write_text("\n".join(kept) + "\n", encoding="utf-8")
    pooled = json.loads(ran("kept.csv", "--model", "bfs", "--json")[1])[0]
    assert pooled["facts"]["log_likelihood"][0] == pytest.approx(-5472.314, abs=5e-4)
    numbers = {entry["name"]: (entry["estimate"], entry["se"]) for entry in pooled["estimates"]}
    assert numbers["alpha"] == pytest.approx((0.083, 0.015), abs=6e-4)
    assert numbers["beta"] == pytest.approx((0.261, 0.019), abs=6e-4)
    types = json.loads(ran("kept.csv", "--model", "bfs", "--types", 3, "--json")[1])[0]
    shares = [entry["estimate"] for entry in types["estimates"] if entry["name"] == "share"]
    assert shares == pytest.approx([0.474, 0.405, 0.121], abs=5e-3)


def test_the_command_s_help_fits_80_columns(ran):
    code, out, _ = ran("--help")
    assert code == 0
    assert max(map(len, out.splitlines())) <= 80


def test_consistency_is_said_before_the_parameters(ran, tmp_path):
    rows = ["subject,price_own,price_other,own,other", "a,2,1,4,1", "a,1,2,1,4", "b,1,1,5,5", "b,1,2,6,2"]
    (tmp_path / "t.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    found = json.loads(ran("t.csv", "--model", "ces", "--fix", "rho=0.5", "--json")[1])[0]
    assert found["notes"][0].startswith("Efficiency (Afriat's CCEI): 0.833 in the median of 2 subjects")
    assert "0.667 at least; 1 satisfy GARP" in found["notes"][0]
    lines = ["subject,self_x,other_x,self_y,other_y,choice_x", "a,5,5,6,6,1", "a,10,0,6,6,1", "a,6,6,10,0,1"]
    (tmp_path / "t.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    notes = json.loads(ran("t.csv", "--model", "fehr_schmidt", "--json")[1])[0]["notes"]
    assert (
        notes[0]
        == "Dominance: of 1 choices where an option gave everybody less than another, 100.0 per cent took it."
    )
    assert notes[1].startswith("Transitivity: one ordering of the options explains 67 per cent")
    code, _, err = ran("t.csv", "--model", "fehr_schmidt", "--label", "tab:x")
    assert (code, "--latex" in err) == (2, True)


def test_models_of_outcomes_on_a_run(ran, tmp_path):
    run = bench(
        ["quantal:alpha=0.2,beta=0.3,noise=8"], protocols=("TG1", "TG5", "UG1", "UG4", "SPD1")
    ).run_path
    for model, shown in (("bfs", ("−0.200", "0.300", "0.125")), ("charness_rabin", ("8.000",))):
        code, out, _ = ran(run, "--model", model)
        assert code == 0, out
        assert all(text in out for text in shown), out


def test_noise_by_group(ran, tmp_path):
    table = allocations(tmp_path / "t.csv")
    text = table.read_text(encoding="utf-8").splitlines()
    rows = [
        line + (",arm" if not place else f",{int(line.split(',')[0]) // 2 % 2}")
        for place, line in enumerate(text)
    ]
    table.write_text("\n".join(rows), encoding="utf-8")
    code, out, err = ran(table, "--model", "bfs", "--noise-by", "arm")
    assert (code, err) == (0, "")
    assert "σ·arm=1" in out
    assert "Wald test that noise is the same in all groups of arm: F(1, 39)" in " ".join(out.split())
    code, _, err = ran(table, "--model", "bfs", "--noise-by", "arm", "--by", "subject")
    assert code == 2
    assert "Noise by group is of one pooled estimate" in err
    run = bench(["quantal:alpha=0.2,beta=0.3,noise=8"], protocols=("TG1",)).run_path
    code, _, err = ran(run, "--noise-by", "arm")
    assert code == 2
    assert "no column 'arm': take --noise-by policy" in " ".join(err.split())


def test_errors_that_types_have_not_are_refused_before_anything_is_fitted(ran, tmp_path):
    table = allocations(tmp_path / "t.csv")
    for types in ("2", "1..3"):
        for errors in ("cr2", "ratio"):
            code, _, err = ran(table, "--model", "bfs", "--types", types, "--errors", errors)
            assert code == 2
            assert f"Types have no --errors {errors}: take cluster, hessian or bootstrap" in err
