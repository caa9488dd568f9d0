"""`ludens price` and what other commands make of its runs: output, exit codes, one sentence for a mistake."""

from __future__ import annotations

import csv
import json
import re
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from ludens import cli
from ludens.experiments import Run
from tests.loopback import Loopback, say

REPLY = json.dumps(
    {"observations": "Sold.", "plans": "Undercut the rival.", "insights": "Avoid a price war.", "price": 1.7}
)


@pytest.fixture
def ran(tmp_path, monkeypatch, capsys):
    """Runs the command in an empty folder with a terminal 80 wide; returns code, stdout, stderr."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")

    def run(*arguments):
        code = cli.main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


def sentence(code, out, err, expected):
    """One sentence on stderr and nothing on stdout."""
    assert code == expected
    assert out == ""
    assert len(err.splitlines()) == 1
    return err.strip()


def test_a_market_is_played_kept_and_reported(ran):
    code, out, err = ran(
        "price", "--firms", "myopic,random", "--periods", 24, "--runs", 2, "--scale", "1,10", "--out", "r.db"
    )
    assert (code, err) == (0, "")
    assert re.search(r"firm 0: myopic +1.473 +1.925 ", out)
    assert "r.html" in out
    assert all(len(line) <= 80 for line in out.splitlines())
    page = Path("r.html").read_text(encoding="utf-8")
    assert "myopic against random" in page
    labels = [record.labels for record in Run("r.db").episodes()]
    assert [label["scale"] for label in labels] == [1, 1, 10, 10]
    assert Run("r.db").manifest["kind"] == "pricing"


def test_json_csv_and_panel_hold_the_same_numbers(ran):
    code, out, err = ran("price", "--firms", "myopic,fixed:1.7", "--periods", 12, "--seed", 3, "--json",
                         "--csv", "e.csv", "--panel", "p.csv", "--out", "r.db")  # fmt: skip
    assert (code, err) == (0, "")
    data = json.loads(out)
    with Path("e.csv").open(encoding="utf-8") as file:
        (price,) = [
            row for row in csv.DictReader(file) if (row["measure"], row["of"]) == ("price", "all runs")
        ]
    assert float(price["value"]) == data["runs"][0]["price"]
    with Path("p.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    last = [float(row["price"]) for row in rows if row["firm"] == "1" and int(row["period"]) > 6]
    assert sum(last) / len(last) == pytest.approx(data["runs"][0]["prices"][1]) == 1.7
    assert json.loads(ran("report", "r.db", "--json")[1])["estimates"] == data["estimates"]
    assert json.loads(ran("price", "report", "r.db", "--json")[1])["runs"] == data["runs"]
    assert json.loads(ran("resume", "r.db", "--json")[1])["runs"] == data["runs"]


def test_the_same_seed_gives_the_same_run(ran):
    for name, seed in (("a", 5), ("b", 5), ("c", 6)):
        ran("price", "--firms", "random,random", "--periods", 6, "--seed", seed, "--out", f"{name}.db")
    tables = [Run(f"{name}.db").final_table() for name in "abc"]
    assert tables[0] == tables[1] != tables[2]


def broken_off(path):
    """A run as a kill leaves it: the last episode lacks its second half."""
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("DELETE FROM decisions WHERE episode = 1 AND step >= 11")
        database.execute("UPDATE episodes SET status = 'running', payoffs = '{}' WHERE episode = 1")
        database.execute("UPDATE manifest SET value = '\"running\"' WHERE key = 'status'")


def test_a_run_that_broke_off_is_shown_reported_and_resumed(ran):
    ran("price", "--firms", "random,myopic", "--periods", 12, "--runs", 2, "--out", "r.db")
    whole = Run("r.db").final_table()
    broken_off("r.db")
    code, out, _ = ran("report", "r.db")
    assert code == 0
    assert "1 of 2 runs are still to be played" in out
    assert "ludens resume r.db" in out
    assert "This run is unfinished" in Path("r.html").read_text(encoding="utf-8")
    assert "running" in ran("show", "r.db")[1]
    code, out, err = ran("resume", "r.db")
    assert (code, err) == (0, "")
    assert "Unfinished" not in out
    assert Run("r.db").final_table() == whole


def test_show_tells_a_run_and_one_of_its_episodes(ran):
    ran("price", "--firms", "grim,nash", "--periods", 3, "--out", "r.db")
    code, out, _ = ran("show", "r.db")
    assert code == 0
    assert "firm 0: grim" in out
    assert "Report       not written yet" not in out
    code, out, _ = ran("show", "r.db", "--episode", 0)
    assert code == 0
    assert "firm_0 (firm), round 1, at price: 1.92498" in out


def test_a_model_plays_and_a_judge_reads_its_notes(ran):
    def answer(request):
        asked = request["messages"][-1]["content"]
        return say("A") if "Answer with one letter" in asked else say(REPLY)

    with Loopback([], otherwise=answer) as server:
        code, out, err = ran(
            "price", "--firms", "openai/loopback,nash", "--periods", 4, "--prefix", "P2",
            "--api-base", server.url, "--judge", "openai/loopback", "--out", "r.db",
        )  # fmt: skip
        assert (code, err) == (0, "")
        assert "wants to undercut: 4 of 8 sentences" in out
        assert "by the judge" in out
        asked = server.count
        assert asked == 4 + 2
        assert ran("resume", "r.db")[0] == 0
        assert ran("price", "report", "r.db", "--judge", "openai/loopback", "--api-base", server.url)[0] == 0
        assert server.count == asked
    page = Path("r.html").read_text(encoding="utf-8")
    assert "The same, read by a model" in page
    assert "Avoid a price war." in page
    with Run("r.db") as run:
        assert run.decisions()[0].decision.notes["plans"] == "Undercut the rival."


def test_an_unreadable_model_aborts_its_run_and_the_command_says_so(ran):
    with Loopback([], otherwise=say("free")) as server:
        code, out, err = ran("price", "--firms", "openai/loopback,nash", "--periods", 4,
                             "--api-base", server.url, "--out", "r.db")  # fmt: skip
    assert (code, err) == (0, "")
    assert "aborted" in out
    assert "0 of 1 played to the end" in out
    data = json.loads(ran("report", "r.db", "--json")[1])
    assert data["runs"][0]["status"] == "aborted"
    assert data["runs"][0]["price"] is None
    assert "runs were aborted" in Path("r.html").read_text(encoding="utf-8")


def test_implanted_sentences_are_put_and_their_effects_shown(ran):
    def answer(request):
        cut = "nder" in request["messages"][-1]["content"].split("PLANS")[-1]
        return say(REPLY.replace("1.7", "1.5") if cut else REPLY.replace("Undercut the rival.", "Hold."))

    with Loopback([], otherwise=answer) as server:
        ran(
            "price",
            "--firms",
            "openai/loopback,nash",
            "--periods",
            4,
            "--api-base",
            server.url,
            "--out",
            "r.db",
        )
        code, out, err = ran("price", "implant", "r.db", "--out", "i.db")
        assert (code, err) == (0, "")
        assert "price war" in out
        data = json.loads(ran("resume", "i.db", "--json")[1])
    assert {effect["group"] for effect in data["effects"]} == {"avoid a price war", "undercut"}


def test_learners_are_trained_and_reported(ran):
    learner = "qlearning:points=4,beta=0.001,window=300"
    code, out, err = ran("price", "--firms", f"{learner},{learner}", "--sessions", 5, "--out", "l.npz")
    assert (code, err) == (0, "")
    assert "limit cycle" in out
    assert Path("l.html").exists()
    data = json.loads(
        ran("price", "--firms", f"{learner},{learner}", "--sessions", 5, "--out", "l.npz", "--json")[1]
    )
    assert data["sessions"] == 5


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "Name the firms, as in --firms local/smollm2-135m,nash."),
        (["--firms", "nosuch,nash"], "There is no policy 'nosuch'; there are random"),
        (["--firms", "nash,nash", "--periods", 0], "The number of periods is a whole number of at least 1"),
        (["--firms", "nash,nash", "--scale", "1,x"], "--scale takes numbers separated by commas"),
        (
            ["--firms", "nash,nash", "--costs", "1,1,1"],
            "--costs takes one number, or one for each of 2 firms",
        ),
        (
            ["--firms", "nash,nash", "--market", "owners=0,1,1", "--costs", "1,2"],
            "--costs takes one number, or one for each of 3 products",
        ),
        (["--firms", "nash,nash", "--mu", ".1", "--market", "mu=.2"], "--mu and --market mu=… say the same"),
        (
            ["--firms", "nash,nash", "--costs", "1,1.2", "--market", "cost=2"],
            "--costs and --market cost=… say the same",
        ),
        (
            ["--firms", "nash,nash", "--market", "demand=nested", "--market", "nests=0"],
            "nests of a market should be a list; got 0.",
        ),
        (["--firms", "nash,nash", "--prefix", "P9"], "P9"),
        (["--firms", "nash,nash", "--with", "flood"], "--with knows no 'flood'; there are cheap-talk"),
        (["--firms", "nash,nash", "--with", "entrant:period"], "cannot be read at 'period'"),
        (["--firms", "qlearning,qlearning", "--with", "cheap-talk"], "leave --with cheap-talk out"),
        (["--firms", "qlearning,qlearning", "--with", "exit:period=9,firm=5"], "has firms 0 to 1"),
        (["--firms", "qlearning,qlearning", "--print-config"], "leave --print-config out"),
        (["--firms", "qlearning:memory=2,qlearning"], "differ in alpha, discount and beta alone"),
        (["--firms", "qlearning,qlearning", "--runs", 2], "--runs has no effect on Q-learners"),
        (["--firms", "qlearning,qlearning", "--judge", "random"], "--judge has no effect on Q-learners"),
        (["--firms", "nash,nash", "--sessions", 100], "--sessions has no effect unless all firms are"),
        (["--firms", "nash,nash", "--judge", "a/b", "--print-config"], "--judge has no effect on a study"),
        (
            ["sweep", "--set", "alpha=.1", "--set", "alpha=.2"],
            "alpha is given twice by --set: give each parameter once.",
        ),
        (["sweep", "--set", "mu=.1", "--market", "mu=.2"], "mu is given twice by --set and --market"),
        (["report", "nosuch.db", "--api-base", "x"], "--api-base has no effect without --judge"),
        (["report", "nosuch.db"], "nosuch.db"),
        (["implant", "nosuch.db"], "nosuch.db"),
    ],
)
def test_wrong_usage_is_one_sentence_and_leaves_nothing(ran, tmp_path, arguments, message):
    expected = 2
    assert message in sentence(*ran("price", *arguments), expected)
    assert list(tmp_path.iterdir()) == []


def test_a_run_of_another_kind_is_a_sentence(ran):
    ran("play", "trust-v0", "-p", "random", "--out", "r.db")
    assert "is a run of play" in sentence(*ran("price", "report", "r.db"), 2)
    assert "is a run of play" in sentence(*ran("price", "implant", "r.db"), 2)


def test_interventions_reach_the_run(ran):
    code, _, err = ran(
        "price", "--firms", "nash,nash", "--periods", 6, "--with", "exit:period=4,firm=1",
        "--with", "demand-shock:period=3,qualities=-0.1", "--out", "r.db", "--panel", "p.csv",
    )  # fmt: skip
    assert (code, err) == (0, "")
    kinds = [each["kind"] for each in Run("r.db").manifest["config"]["interventions"]]
    assert kinds == ["Exit", "DemandShock"]
    with Path("p.csv").open(encoding="utf-8") as file:
        assert [row["period"] for row in csv.DictReader(file) if row["firm"] == "1"] == ["1", "2", "3"]
    assert "those of each period&#39;s own regime" in Path("r.html").read_text(encoding="utf-8")


def test_a_forced_deviation_is_measured_and_shown_in_80_columns(ran):
    ran("price", "--firms", "grim,matching", "--periods", 30, "--out", "r.db")
    code, out, err = ran(
        "price",
        "deviate",
        "r.db",
        "--period",
        10,
        "--period",
        12,
        "--to",
        "-10%",
        "--after",
        5,
        "--out",
        "d.db",
    )
    assert (code, err) == (0, "")
    assert max(len(line) for line in out.splitlines() if not line.startswith(("Report", "Run "))) <= 80
    assert "Forced to a price of 90 % of the path's" in out
    data = json.loads(ran("report", "d.db", "--json")[1])
    assert [each["name"] for each in data["responses"]] == ["all", "firm 0: grim", "firm 1: matching"]
    assert data["responses"][0]["unprofitable"]["value"] == 1
    assert {(row["period"], row["firm"]) for row in data["deviations"]} == {
        (10, 0),
        (10, 1),
        (12, 0),
        (12, 1),
    }
    code, out, _ = ran("price", "deviate", "r.db", "--period", 9, "--firm", 1, "--print-config")
    Path("deviate.toml").write_text(out, encoding="utf-8")
    assert ran("run", "deviate.toml", "--out", "again.db")[0] == 0
    assert "played for 30 periods" in sentence(*ran("price", "deviate", "r.db", "--period", 40), 2)


def test_runs_are_compared_in_a_table_of_80_columns_and_a_report(ran):
    ran("price", "--firms", "random,random", "--periods", 10, "--runs", 3, "--out", "a.db")
    ran("price", "--firms", "random,matching", "--periods", 10, "--runs", 3, "--out", "b.db")
    code, out, err = ran("price", "compare", "a.db", "tit for tat=b.db", "--out", "c.html", "--csv", "c.csv")
    assert (code, err) == (0, "")
    assert max(map(len, out.splitlines())) <= 80
    assert "Differences from a" in out
    assert "paired" in out
    assert "tit for tat" in Path("c.html").read_text(encoding="utf-8")
    with Path("c.csv").open(encoding="utf-8") as file:
        assert [row["against"] for row in csv.DictReader(file)] == [""] * 12 + ["a"] * 3
    data = json.loads(ran("price", "compare", "a.db", "b.db", "--against", "b", "--json")[1])
    assert data["differences"][0]["name"] == "a"
    assert "ends in .html" in sentence(*ran("price", "compare", "a.db", "b.db", "--out", "c.txt"), 2)
    assert "Two runs are called 'a'" in sentence(*ran("price", "compare", "a.db", "a.db"), 2)


def test_the_command_fits_80_columns(ran):
    for arguments in ([], ["compare"], ["implant"], ["deviate"], ["report"]):
        code, out, _ = ran("price", *arguments, "--help")
        assert code == 0
        assert max(map(len, out.splitlines())) <= 80


def test_the_file_of_a_command_is_the_same_run(ran):
    given = (
        "price",
        "--firms",
        "random,nash",
        "--periods",
        4,
        "--costs",
        "1,1.1",
        "--with",
        "exit:period=3,firm=1",
    )
    code, out, err = ran(*given, "--print-config")
    assert (code, err) == (0, "")
    assert not Path("runs").exists()
    Path("market.toml").write_text(out, encoding="utf-8")
    assert ran("run", "market.toml", "--out", "file.db")[0] == 0
    assert ran(*given, "--out", "command.db")[0] == 0
    assert Run("file.db").final_table() == Run("command.db").final_table()
    assert ran("run", "market.toml", "--print-config")[1] == out


def test_a_market_is_extended_and_exported(ran):
    ran("price", "--firms", "random,nash", "--periods", 4, "--out", "r.db")
    code, out, err = ran("extend", "r.db", "runs=3")
    assert (code, err) == (0, "")
    assert "3 of 3 played to the end" in " ".join(out.split())
    assert "cannot be extended by 'periods'" in sentence(*ran("extend", "r.db", "periods=9"), 2)
    code, out, _ = ran("export", "r.db", "--table", "panel", "--out", "p.csv")
    assert code == 0
    assert len(Path("p.csv").read_text(encoding="utf-8").splitlines()) == 1 + 3 * 4 * 2


def test_a_wrong_file_names_its_key(ran):
    Path("x.toml").write_text('[pricing]\nfirms = ["nash", "nobody"]\n', encoding="utf-8")
    assert "pricing.firms[1]: There is no policy 'nobody'" in sentence(*ran("run", "x.toml"), 2)
    assert not Path("runs").exists()


def test_an_implantation_and_a_judge_are_studies_like_any_other(ran):
    def answer(request):
        asked = request["messages"][-1]["content"]
        return say("A") if "Answer with one letter" in asked else say(REPLY)

    with Loopback([], otherwise=answer) as server:
        ran(
            "price",
            "--firms",
            "openai/loopback,nash",
            "--periods",
            4,
            "--api-base",
            server.url,
            "--out",
            "r.db",
        )
        code, out, err = ran("price", "implant", "r.db", "--print-config")
        assert (code, err) == (0, "")
        Path("implant.toml").write_text(out, encoding="utf-8")
        assert ran("run", "implant.toml", "--out", "i.db")[0] == 0
        judge = (
            f'[judge]\nsource = "r.db"\njudge = {{ spec = "openai/loopback", api_base = "{server.url}" }}\n'
        )
        Path("judge.toml").write_text(judge, encoding="utf-8")
        code, out, err = ran("run", "judge.toml", "--out", "j.db")
        assert (code, err) == (0, "")
        assert "wants to undercut: " in out
        assert out.count(" of 2 by the judge, ") == 3
        assert all(len(line) <= 80 for line in out.splitlines() if not line.startswith(("Report", "Run ")))
    code, out, _ = ran("report", "i.db")
    assert code == 0
    assert "i.html" in out
    assert "price war" in ran("show", "i.db")[1]
    assert json.loads(ran("show", "j.db", "--json")[1])["manifest"]["kind"] == "judge"
    assert json.loads(ran("report", "j.db", "--json")[1])["verdicts"]["Undercut the rival."] is not None


def test_a_judge_that_is_not_a_model_is_refused_before_anything_is_played(ran, tmp_path):
    code, _, err = ran(
        "price", "--firms", "nash,nash", "--periods", 3, "--judge", "random", "--out", "run.db"
    )
    assert code == 2
    assert "--judge takes a model's id" in err
    assert not (tmp_path / "run.db").exists()


def test_numbers_without_a_digit_before_their_point_are_numbers(ran):
    market = ["--market", "demand=nested", "--market", "nests=0,0"]
    for name, value in (("a", ".5"), ("b", "0.5")):
        code, _, err = ran("price", "--firms", "nash,nash", *market, "--market", f"nest_parameter={value}",
                           "--periods", 1, "--out", f"{name}.db")  # fmt: skip
        assert (code, err) == (0, "")
    assert Run("a.db").final_table() == Run("b.db").final_table()
