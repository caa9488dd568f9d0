"""The command: what it prints where, its exit codes, and one sentence for everything that goes wrong."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from functools import partial
from operator import truediv

import pytest

import ludens
from ludens import cli
from ludens.agents.policy import Call, Decision
from ludens.cli.options import assignments
from ludens.display.printable import printable
from ludens.envs import PROTOCOLS, protocols
from ludens.experiments import DecisionRecord, EpisodeRecord, EpisodeSpec, Run, create_run, play
from ludens.experiments.play.study import PlayConfig, PlayStudy
from tests.loopback import Loopback, hanging, say

EVIL = "</script><img onerror=alert(1)> [bold red]B[/] \x1b[31mred\x1b]0;title\x07 \u202eright \r\x00\x9b2J"


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


def test_bare_ludens_prints_help_and_the_version_is_the_package_s(ran):
    code, out, err = ran()
    assert (code, err) == (0, "")
    for command in ("envs", "play", "bench", "resume", "report", "show", "models"):
        assert f"│ {command}" in out
    assert ran("--version") == (0, f"ludens {ludens.__version__}\n", "")


def test_envs_lists_every_protocol(ran):
    code, out, _ = ran("envs")
    assert code == 0
    assert all(name in out for name in PROTOCOLS)
    listed = json.loads(ran("envs", "--json")[1])
    assert {name for family in listed for name in family["protocols"]} == set(protocols())
    assert listed[1]["protocols"]["TG3"] == {"T": 80, "R": 60, "P": 30, "S": 20}


def test_play_keeps_a_run_and_says_where(ran, tmp_path):
    arguments = ("play", "trust-v0", "-p", "tit_for_tat", "-p", "random", "--protocol", "TG3", "--rounds", 5)
    code, out, err = ran(*arguments, "--episodes", 3, "--seed", 4)
    assert (code, err) == (0, "")
    (path,) = (tmp_path / "runs").iterdir()
    assert str(path.relative_to(tmp_path)) in out
    assert "3 done" in out
    same = play(("trust-v0", {"protocol": "TG3", "rounds": 5}), ["tit_for_tat", "random"], episodes=3, seed=4,
                path=tmp_path / "same.db")  # fmt: skip
    assert Run(path).final_table() == same.final_table()


def test_json_is_all_that_stdout_holds(ran):
    code, out, err = ran("play", "trust-v0", "-p", "random", "--episodes", 2, "--json")
    assert (code, err) == (0, "")
    found = json.loads(out)
    assert found["summary"]["episodes"] == {"done": 2}
    assert len(found["episodes"]) == 2
    shown = json.loads(ran("show", found["run"], "--json")[1])
    assert shown["episodes"] == found["episodes"]
    assert shown["manifest"]["kind"] == "play"
    moves = json.loads(ran("show", found["run"], "--episode", 1, "--json")[1])
    assert moves[0]["node"] == "opening"
    assert json.loads(ran("resume", found["run"], "--json")[1]) == found


def test_play_takes_the_options_of_any_environment(ran):
    options = ("--env", "firms=3,periods=4", "--env", "actions=continuous,bounds=[1,3]")
    code, out, err = ran("play", "bertrand", *options, "-p", "nash", "--json")
    assert (code, err) == (0, "")
    assert set(json.loads(out)["summary"]["payoffs"]) == {"nash"}
    (episode,) = json.loads(out)["episodes"]
    assert {name for name in episode if name.startswith("payoff")} == {f"payoff firm_{n}" for n in range(3)}
    code, out, _ = ran(
        "play", "trust", "--env", "payoffs=[80,50,30,20],rounds=2", "-p", "grim", "--print-config"
    )
    assert "payoffs = [" in out
    assert "rounds = 2" in out


def test_show_without_a_name_shows_the_latest_run(ran):
    ran("play", "trust-v0", "-p", "grim", "--out", "runs/one.db")
    ran("play", "ultimatum-v0", "-p", "random", "--out", "runs/two.db")
    os.utime("runs/one.db", ns=(0, 0))
    assert "runs/two.db" in ran("show")[1]


def test_every_screen_fits_80_columns(ran):
    ran("play", "trust-v0", "-p", "homo_moralis:0.5", "-p", "quantal:kappa=0.5,noise=8", "--out", "runs/r.db")
    for arguments in (
        ["envs"],
        ["show"],
        ["show", "--episode", "0"],
        ["play", "--help"],
        ["bench", "--help"],
    ):
        code, out, _ = ran(*arguments)
        assert code == 0
        assert max(map(len, out.splitlines())) <= 80 or "show" in arguments
        assert all(len(line) <= 80 or line.startswith("Read one episode") for line in out.splitlines())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["play", "chess-v0", "-p", "random"], "There is no environment 'chess-v0'; there are ludens/"),
        (["play", "trust-v0", "-p", "nosuch"], "There is no policy 'nosuch'; there are random"),
        (["play", "trust-v0", "-p", "random", "--protocol", "SPD1"], "has no protocol 'SPD1'"),
        (["play", "trust-v0", "-p", "random", "--payoffs", "1,2,3,4"], "T > R is needed"),
        (["play", "trust-v0", "-p", "random", "--payoffs", "a,b"], "--payoffs takes numbers"),
        (
            ["play", "bertrand", "-p", "random", "--env", "firms"],
            "--env takes key=value,…, each key once; it",
        ),
        (["play", "bertrand", "-p", "random", "--env", "firms=2,firms=3"], "cannot be read at 'firms=3'"),
        (["play", "bertrand", "-p", "random", "--env", "forms=2"], "has no option 'forms'"),
        (["play", "trust", "-p", "random", "--rounds", "2", "--env", "rounds=3"], "both say rounds"),
        (["play", "trust-v0", "-p", "random", "--episodes", "0"], "at least 1; got 0"),
        (["play", "trust", "-p", "random", "--print-config", "--json"], "plays nothing: leave out --out"),
        (["bench", "random", "--print-config", "--csv", "x.csv"], "plays nothing: leave out --out"),
        (["price", "--firms", "nash,nash", "--print-config", "--out", "x.db"], "plays nothing: leave out"),
        (["play", "trust-v0", "-p", "random", "--rounds", "0"], "got rounds=0"),
        (["play", "trust-v0", "-p", "random", "--seed", "-1"], "at least 0; got -1"),
        (["play", "trust-v0", "-p", "random", "--concurrency", "0"], "at least 1; got 0"),
        (
            ["play", "trust-v0", *["-p", "random"] * 3],
            "has 2 seats (player_0, player_1); 3 policies were given",
        ),
        (
            ["play", "bertrand-v0", "-p", "openai/x", "--framing", "story"],
            "PricePolicy has no setting 'framing'; it has prefix,",
        ),
        (["bench", "random", "--protocols", "XX"], "There is no protocol 'XX'"),
    ],
)
def test_wrong_use_is_one_sentence_exit_2_and_no_file(ran, tmp_path, arguments, message):
    assert message in sentence(*ran(*arguments), 2)
    assert list(tmp_path.rglob("*.db")) == []


def test_a_market_is_played_without_the_settings_of_choices(ran):
    model = ("play", "bertrand-v0", "-p", "openai/x", "--persona", "homo_economicus", "--print-config")
    code, out, _ = ran(*model)
    assert code == 0
    assert {name for name in ("framing", "elicit", "invalid", "persona") if name in out} == {"persona"}


@pytest.mark.parametrize(
    "arguments", [["plai"], ["play"], ["play", "trust-v0"], ["play", "--nosuch"], ["envs", "--json=7"]]
)
def test_what_the_parser_refuses_exits_2_too(ran, arguments):
    code, out, err = ran(*arguments)
    assert (code, out) == (2, "")
    assert "Traceback" not in err


def test_naming_what_is_no_run_is_wrong_use(ran, tmp_path):
    (tmp_path / "text.db").write_text("hello")
    (tmp_path / "folder.db").mkdir()
    for command in ("show", "resume", "report"):
        assert "There is no run at none.db" in sentence(*ran(command, "none.db"), 2)
        assert "There is no run at folder.db" in sentence(*ran(command, "folder.db"), 2)
        assert "text.db is not a run of ludens" in sentence(*ran(command, "text.db"), 2)
    assert "There is no run in runs" in sentence(*ran("show"), 2)
    ran("play", "trust-v0", "-p", "random", "--out", "run.db")
    assert "has no episode 9; its episodes are 0 to 0" in sentence(*ran("show", "run.db", "--episode", 9), 2)
    create_run("other.db", "market", {}, [EpisodeSpec(0, {})]).close()
    for command in ("show", "resume", "report", "export"):
        assert "There is no study 'market'; there are " in sentence(*ran(command, "other.db"), 2)


def test_a_run_of_every_kind_has_a_report(ran, tmp_path):
    played = ran("play", "trust-v0", "-p", "random", "--episodes", 3, "--out", "run.db")[1]
    assert not (tmp_path / "run.html").exists()
    code, out, _ = ran("report", "run.db")
    assert code == 0
    assert out == f"{played}Report       run.html\n"
    assert "<h1>random</h1>" in (tmp_path / "run.html").read_text(encoding="utf-8")


def test_runs_that_cannot_be_used_are_one_sentence_and_exit_1(ran, tmp_path):
    ran("play", "trust-v0", "-p", "random", "--out", "newer.db")
    with closing(sqlite3.connect("newer.db")) as database:
        database.execute("PRAGMA user_version = 7")
    for command in ("show", "resume", "report"):
        assert "written by a newer ludens" in sentence(*ran(command, "newer.db"), 1)
    ran("play", "trust-v0", "-p", "random", "--out", "run.db")
    assert "run.db exists already" in sentence(*ran("play", "trust-v0", "-p", "random", "--out", "run.db"), 1)


def test_a_second_process_on_a_run_is_one_sentence(ran):
    study = PlayStudy(PlayConfig(environment="trust-v0", policies="random"))
    specs = [EpisodeSpec(index, labels) for index, labels in enumerate(study.episodes())]
    with create_run("run.db", "play", study.config.as_json(), specs):
        assert "Another process is at work on run.db" in sentence(*ran("resume", "run.db"), 1)
    assert ran("resume", "run.db")[0] == 0


def test_debug_shows_where_an_error_came_from(ran):
    code, _, err = ran("show", "none.db", "--debug")
    assert code == 2
    assert "Traceback" in err
    assert "database.py" in err


def test_a_defect_is_told_without_a_traceback(ran, monkeypatch):
    monkeypatch.setattr("ludens.experiments.runs.run.Run.latest", partial(truediv, 1, 0))
    code, _, err = ran("show")
    assert code == 1
    assert err.splitlines() == [
        "ZeroDivisionError: division by zero",
        "This is a defect of ludens: run again with --debug to see the way there.",
    ]
    with pytest.raises(ZeroDivisionError):
        ran("show", "--debug")


def test_what_a_model_says_reaches_the_terminal_as_text_only(ran, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    spec = EpisodeSpec(0, {"policy": EVIL})
    call = Call("x/y", ({"role": "user", "content": EVIL},), EVIL, "invalid", EVIL)
    config = {"environment": "trust-v0", "policies": "random"}
    with create_run("run.db", "play", config, [spec]) as store:
        decision = Decision(1, reasoning=EVIL, calls=(call,))
        place = (EVIL, "trust-v0", "TG1", "investor", "opening", 0, ("trust", "keep"))
        store.add_decision(
            DecisionRecord(0, spec.labels, 0, "choice", "player_0", *place, decision), decision.calls
        )
        store.end_episode(EpisodeRecord(0, spec.labels, "dropped", {}, EVIL))
        store.set_status("failed", EVIL)
    for arguments in (["show", "run.db"], ["show", "run.db", "--episode", "0"]):
        code, out, _ = ran(*arguments)
        assert code == 0
        assert "[bold red]B[/]" in " ".join(out.split())
        assert not {"\x07", "\x9b", "\r", "\x00", "\u202e"} & set(out)
        assert "\x1b]0" not in out
        assert "\x1b[31mred" not in out
    assert printable("a\x1b[31m\u202eb\ud800\n\tκ") == "a\\x1b[31m\\u202eb\\ud800\n\tκ"


def test_a_model_s_run_from_the_command_line(ran, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    with Loopback(otherwise=say("K")) as server:
        arguments = (
            "-p",
            "openai/loopback",
            "--api-base",
            server.url,
            "--elicit",
            "sample",
            "--framing",
            "twin",
        )
        code, out, err = ran("play", "trust-v0", *arguments, "--out", "run.db", "--json")
    assert (code, err) == (0, "")
    assert json.loads(out)["summary"]["calls"] == server.count > 0
    manifest = Run("run.db").manifest
    assert manifest["models"] == ["openai/loopback"]
    assert {prompt["framing"] for prompt in manifest["prompts"]} == {"twin"}
    assert all(call.messages for each in Run("run.db").decisions() for call in each.decision.calls)
    assert "openai/loopback: ok" in ran("show", "run.db", "--episode", 0)[1]


@pytest.mark.parametrize(
    ("model", "message"),
    [("openai/gpt-5-mini", "set the environment variable OPENAI_API_KEY"), ("nosuch/model", "nosuch/model")],
)
def test_a_model_that_cannot_be_used_is_one_sentence_and_no_file(ran, monkeypatch, tmp_path, model, message):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    assert message in sentence(*ran("play", "trust-v0", "-p", model), 1)
    assert list(tmp_path.rglob("*.db*")) == []


def test_models_names_keys_and_never_their_values(ran, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    code, out, _ = ran("models")
    assert code == 0
    assert "openai/" in out
    listed = ran("models", "--json")[1]
    assert "OPENAI_API_KEY" in listed
    assert isinstance(json.loads(listed), list)
    assert "sk-secret" not in out + listed


def test_bench_prints_its_table_and_writes_what_was_asked_for(ran, tmp_path):
    code, out, err = ran("bench", "random", "--protocols", "TG1,UG1", "--out", "b.db", "--csv", "b.csv")
    assert (code, err) == (0, "")
    assert "homo economicus" in out
    assert sorted(file.name for file in tmp_path.iterdir()) == ["b.csv", "b.db", "b.html"]
    (tmp_path / "b.html").unlink()
    found = json.loads(ran("report", "b.db", "--json")[1])
    assert (found["run"], found["report"]) == ("b.db", "b.html")
    assert (tmp_path / "b.html").exists()
    assert json.loads(ran("resume", "b.db", "--json")[1])["estimates"] == found["estimates"]
    ran("report", "b.db", "--csv", "again.csv")
    assert (tmp_path / "again.csv").read_bytes() == (tmp_path / "b.csv").read_bytes()


def test_a_table_with_nowhere_to_go_costs_no_result(ran):
    code, out, err = ran(
        "bench", "random", "--protocols", "TG1", "--out", "b.db", "--csv", "no/b.csv", "--json"
    )
    assert code == 1
    assert json.loads(out)["estimates"]
    assert "`ludens export b.db --table estimates --out FILE`" in err


def test_ctrl_c_exits_130_and_names_the_way_to_go_on(tmp_path):
    environment = {**os.environ, "OPENAI_API_KEY": "none"}
    with Loopback([say("A")], otherwise=hanging()) as server:
        command = [
            *(
                sys.executable,
                "-m",
                "ludens",
                "play",
                "ultimatum-v0",
                "-p",
                "openai/loopback",
                "--elicit",
                "sample",
            ),
            *("--api-base", server.url, "--episodes", "3", "--concurrency", "1", "--out", "run.db"),
        ]
        process = subprocess.Popen(command, cwd=tmp_path, env=environment, stderr=subprocess.PIPE, text=True)
        while server.count < 2 and process.poll() is None:
            server.closing.wait(0.05)
        process.send_signal(signal.SIGINT)
        waiting = process.stderr.readline()
        process.send_signal(signal.SIGINT)
        _, err = process.communicate()
    assert process.returncode == 130
    assert waiting == "Waiting for the 1 call under way: press Ctrl-C again to leave at once.\n"
    assert err == "Interrupted: go on with `ludens resume run.db`.\n"
    run = Run(tmp_path / "run.db")
    assert run.manifest["status"] == "interrupted"
    assert len(run.decisions()) == 1


def test_an_error_in_a_file_of_ones_own_names_that_file(ran, tmp_path, monkeypatch):
    (tmp_path / "mine.py").write_text(
        "from ludens.agents import Policy\n\n\n"
        "class Wrong(Policy):\n    def decide(self, turn, rng):\n        return {}['x']\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    code, _, err = ran("play", "trust-v0", "-p", "mine:Wrong", "--out", "run.db")
    assert code == 1
    assert "KeyError: 'x'" in err
    assert f"This comes from {tmp_path / 'mine.py'}, line 6" in err
    assert "defect of ludens" not in err


def test_a_study_of_ones_own_says_that_its_run_is_unfinished(tmp_path):
    from tests.test_own_study import FILE, ROOT

    (tmp_path / "own_study.py").write_bytes((ROOT / "examples" / "own_study.py").read_bytes())
    (tmp_path / "order.toml").write_text(FILE)
    script = (
        "import sys; sys.path.insert(0, '.')\n"
        "from ludens.experiments import read_study, run_study\n"
        "study = read_study('order.toml')\n"
        "study = type(study)(study.config.changed(concurrency=2))\n"
        "def stop(progress):\n    if progress.done == 3: raise SystemExit\n"
        "run_study(study, 'run.db', progress=stop)\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-c", script], cwd=tmp_path, env=environment, check=False)
    done = subprocess.run(
        [sys.executable, "-m", "ludens", "report", "run.db"],
        cwd=tmp_path, env=environment, check=True, capture_output=True, text=True,
    )  # fmt: skip
    assert "This run is unfinished: " in done.stdout
    assert "This run is unfinished: " in (tmp_path / "run.html").read_text(encoding="utf-8")


def test_a_table_inside_a_table_is_one_setting():
    texts = [
        'extra_body={"kwargs":{"thinking":false},"top_k":20},top_p=0.9',
        'stop=["a,]","b"],user="q,r"',
        "x=[,y=1",
    ]
    assert assignments(texts, "--set") == {
        "extra_body": {"kwargs": {"thinking": False}, "top_k": 20},
        "top_p": 0.9,
        "stop": ["a,]", "b"],
        "user": "q,r",
        "x": "[",
        "y": 1,
    }
