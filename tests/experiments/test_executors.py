"""Every executor gives the same run, whatever dies in the middle, and no answer is paid for twice."""

from __future__ import annotations

import os
import signal
import sqlite3
import threading
import time
from collections import Counter
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from ludens.agents import CallablePolicy
from ludens.cli import main
from ludens.envs import PROTOCOLS, uniform_strategy
from ludens.errors import LudensError, UsageError
from ludens.experiments import Run, compute, play, resume, run_study
from ludens.experiments.bench.study import BenchConfig, BenchStudy
from ludens.experiments.play.study import PlayConfig, PlayStudy
from ludens.experiments.runs.budget import BudgetSpentError
from ludens.experiments.study.files import as_toml, parse_study
from ludens.preferences.estimation import fit, fit_types, questions, simulate, strategy_frequencies
from ludens.preferences.estimation.strategies.rounds import rounds_of
from tests.experiments import executor_policies
from tests.experiments.lives import lives_of
from tests.experiments.test_interrupt import Holding, Interrupted
from tests.experiments.test_resume import by_prompt, requests_of
from tests.loopback import Loopback, limited

CIRCUMSTANCES = {"seconds"}
"""Columns that no two runs share."""


def rows_of(path):
    """All rows of a run's file but its manifest, without what depends on the clock."""
    with closing(sqlite3.connect(path)) as database:
        database.row_factory = sqlite3.Row
        return {
            table: [
                {name: row[name] for name in row.keys() if name not in CIRCUMSTANCES}  # noqa: SIM118
                for row in database.execute(f"SELECT * FROM {table}")
            ]
            for table in ("episodes", "decisions", "calls", "texts")
        }


def workers_of(writer):
    """The process ids of a writing process's workers."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            command = (folder / "cmdline").read_bytes()
        except OSError:
            continue
        if parent == writer and b"executors.worker" in command:
            found.append(int(folder.name))
    return found


def bench(server, **more):
    model = {"spec": "openai/loopback", "api_base": server.url, "api_key": "none"}
    return BenchStudy(
        BenchConfig(
            models=[model],
            protocols=["TG3", "UG1"],
            framings=["neutral", "twin"],
            elicit="sample",
            replicates=2,
            seed=3,
            concurrency=6,
            **more,
        )
    )


def repeated(server, **more):
    """A game that needs no report, and so no time for one."""
    model = {"spec": "openai/loopback", "api_base": server.url, "elicit": "sample"}
    environment = ("trust-v0", {"protocol": "TG3", "rounds": 3})
    policies = (model, "tit_for_tat")
    given = {"episodes": 12, "seed": 3, "concurrency": 6} | more
    return PlayStudy(PlayConfig(environment=environment, policies=policies, **given))


def game(policy, path=None, **more):
    return play("trust-v0", policy, episodes=6, seed=1, path=path, **more)


@pytest.fixture(scope="module")
def serial(tmp_path_factory):
    """A benchmark of a model that was played alone, and what was asked for it."""
    path = tmp_path_factory.mktemp("serial") / "run.db"
    with Loopback(otherwise=by_prompt) as server:
        run_study(bench(server, executor="serial"), path)
        assert server.most_at_once == 1
        return path, requests_of(server)


@pytest.fixture(scope="module")
def lives():
    with lives_of("tests.experiments.command_lives") as lives:
        yield lives


def test_all_executors_give_the_same_rows(serial, tmp_path):
    path, requests = serial
    expected = rows_of(path)
    assert len(expected["calls"]) > len(expected["decisions"]) > 40
    for executor in ({"executor": "asyncio"}, {"workers": 2}):
        with Loopback(otherwise=by_prompt) as server:
            other = run_study(bench(server, **executor), tmp_path / f"{executor}.db").path
        assert rows_of(other) == expected
        assert requests_of(server) == requests


def test_a_worker_that_dies_costs_what_was_under_way_alone(serial, tmp_path):
    path, requests = serial
    killed, alive = [], []

    def kill(request):
        if server.count in (9, 30):
            alive.append(len(workers_of(os.getpid())))
            worker = workers_of(os.getpid())[0]
            killed.append(worker)
            os.kill(worker, signal.SIGKILL)
        return by_prompt(request)

    with Loopback(otherwise=kill) as server:
        broken = run_study(bench(server, workers=2), tmp_path / "run.db").path
    assert len(set(killed)) == 2
    assert max(alive) == 2
    assert rows_of(broken) == rows_of(path)
    assert requests - requests_of(server) == Counter()
    # A worker has three of the six questions that are open at once.
    assert (requests_of(server) - requests).total() <= 2 * 3


def test_workers_share_one_budget(serial, tmp_path):
    path, requests = serial
    with Loopback(otherwise=by_prompt) as server:
        with pytest.raises(BudgetSpentError, match="10 of 10 calls"):
            run_study(bench(server, workers=2, budget={"calls": 10}), tmp_path / "run.db")
        assert server.count == 10
        assert Run(tmp_path / "run.db").summary().calls == 10
        resume(tmp_path / "run.db", budget=None, api_base=server.url, executor="asyncio", workers=1)
    assert rows_of(tmp_path / "run.db") == rows_of(path)
    assert requests_of(server) == requests


def test_a_task_that_always_kills_its_worker_fails_the_run_and_can_be_resumed(tmp_path):
    file = tmp_path / "run.db"
    died = "3 workers died over the same task, the last process ended with code 7: "
    with pytest.raises(LudensError, match=died) as error:
        game(["random", executor_policies.dying], file, workers=1)
    assert "ludens resume" in error.value.__notes__[0]
    assert Run(file).manifest["status"] == "failed"
    assert Run(file).summary().decisions["valid"] >= 1


def test_errors_come_from_workers_as_they_are(tmp_path):
    with pytest.raises(LudensError, match="has had enough"):
        game(executor_policies.raising, tmp_path / "a.db", workers=1)
    with pytest.raises(KeyError, match="the secret") as error:
        game(executor_policies.failing, tmp_path / "b.db", workers=1)
    assert "executor_policies.py" in error.value.__notes__[0]
    assert not list(tmp_path.iterdir())


def test_python_objects_go_along_or_are_refused(tmp_path):
    least = CallablePolicy(lambda turn, rng: 0, name="least")
    expected = game(least, tmp_path / "a.db")
    assert rows_of(game(least, tmp_path / "b.db", workers=1).path) == rows_of(expected.path)
    held = (tmp_path / "a.db").open()
    with held, pytest.raises(UsageError, match=r"cannot be sent to another process .*module:object"):
        game(CallablePolicy(lambda turn, rng: held and 0, name="held"), tmp_path / "c.db", workers=1)
    assert not (tmp_path / "c.db").exists()


def test_the_writer_is_killed_and_the_workers_end_with_it(tmp_path, lives, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    file, whole, broken = tmp_path / "study.toml", tmp_path / "whole.db", tmp_path / "broken.db"
    orphans = []

    def kill(request):
        if server.count == 12:
            orphans.extend(workers_of(lives.send(0).pid))
            lives.kill()
        return by_prompt(request)

    with Loopback(otherwise=kill) as server:
        file.write_text(as_toml(repeated(server, workers=2)))
        assert lives.live("run", file, "--out", broken) == -signal.SIGKILL
        assert len(orphans) == 2
        for orphan in orphans:
            while _state(orphan) != b"Z":
                time.sleep(0.01)
        assert Run(broken).manifest["config"]["workers"] == 2
        resume(broken, api_base=server.url, executor="asyncio", workers=1)
    with Loopback(otherwise=by_prompt) as other:
        run_study(repeated(other), whole)
    assert Run(broken).final_table() == Run(whole).final_table()
    assert Run(broken).summary().calls == Run(whole).summary().calls
    assert requests_of(other) - requests_of(server) == Counter()
    assert 1 <= (requests_of(server) - requests_of(other)).total() <= 6


def _state(process):
    try:
        return Path(f"/proc/{process}/stat").read_bytes().rpartition(b")")[2].split()[0]
    except OSError:
        return b"Z"


def test_workers_share_what_a_server_says_of_its_limit(tmp_path):
    arrived, lock, six = [], threading.Lock(), threading.Barrier(6, timeout=600)

    def limits(request):
        with lock:
            arrived.append(time.monotonic())
            number = len(arrived)
        if 12 < number <= 18:  # three of each worker
            six.wait()
            if number == 13:
                return limited(retry_after=4)
            time.sleep(2)  # so long the others are under way, and then they would ask for more
        return by_prompt(request)

    with Loopback(otherwise=limits) as server:
        run = run_study(repeated(server, workers=2, executor="processes"), tmp_path / "run.db")
    assert len(arrived) == run.summary().calls + 1
    assert arrived[18] - arrived[17] > 3.9


def test_ctrl_c_waits_for_the_calls_of_workers(tmp_path):
    file, broken = tmp_path / "study.toml", tmp_path / "run.db"
    with lives_of("tests.experiments.interrupt_lives") as lives, Holding(held=6, free=4) as server:
        file.write_text(as_toml(repeated(server, workers=2)))
        life = Interrupted(lives, tmp_path, "run", file, "--out", broken)
        server.wait()
        life.send(signal.SIGINT)
        waiting = life.stderr.readline()
        assert waiting == "Waiting for the 6 calls under way: press Ctrl-C again to leave at once.\n"
        time.sleep(0.5)
        server.release.set()
        assert life.stderr.read() == f"Interrupted: go on with `ludens resume {broken}`.\n"
        assert life.wait() == 130
        kept = Run(broken).summary()
        assert kept.calls == server.count
        assert server.count < 20
    assert Run(broken).manifest["status"] == "interrupted"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"executor": "serial", "workers": 2}, "serial is one process"),
        ({"address": "auto"}, "An address is that of a Ray cluster"),
        ({"workers": 0}, r"play\.workers: The number of workers is a whole number of at least 1"),
        (
            {"executor": "threads"},
            r"play\.executor: this should be 'serial', 'asyncio', 'processes' or 'ray'",
        ),
    ],
)
def test_a_wrong_executor_is_one_sentence(tmp_path, given, message):
    with pytest.raises(UsageError, match=message):
        game("random", tmp_path / "run.db", **given)
    assert not list(tmp_path.iterdir())


def test_the_command_line_chooses_an_executor(tmp_path, capsys):
    command = ["play", "trust-v0", "-p", "random", "--executor", "processes", "--workers", "3"]
    assert main([*command, "--print-config"]) == 0
    config = parse_study(capsys.readouterr().out).config
    assert (config.executor, config.workers) == ("processes", 3)
    file = tmp_path / "run.db"
    assert main(["play", "trust-v0", "-p", "random", "--executor", "serial", "--out", str(file)]) == 0
    assert main(["resume", str(file), "--workers", "2"]) == 0
    capsys.readouterr()
    assert main(["extend", str(file), "episodes=2", "--workers", "2"]) == 2
    assert "serial is one process" in capsys.readouterr().err


def test_no_file_names_the_address_of_a_cluster():
    study = PlayStudy(PlayConfig(environment="trust-v0", policies="random", executor="ray", address="x:1"))
    assert "address" not in as_toml(study)
    assert "address" not in study.config.as_json()
    with pytest.raises(UsageError, match=r"play\.address: whoever has the cluster"):
        parse_study('[play]\nenvironment = "trust-v0"\npolicies = "random"\naddress = "there:6379"')


def test_a_simulation_study_is_the_same_on_every_executor():
    design = questions([(PROTOCOLS["TG3"], uniform_strategy(PROTOCOLS["TG3"]))], subjects=40)

    def recovered(seed):
        if seed is None:
            raise ZeroDivisionError("no seed")
        drawn = simulate(design, "moralis", [0.0, 0.0, 0.0, 10.0], np.random.default_rng(seed))
        return fit(drawn, fix={"alpha": 0.0, "beta": 0.0, "kappa": 0.0}).log_likelihood

    seeds = np.random.SeedSequence(5).spawn(6)
    expected = [recovered(seed) for seed in seeds]
    assert len(set(expected)) > 1
    assert compute(recovered, seeds, workers=2) == expected
    assert compute(recovered, seeds, executor="serial") == expected
    assert compute(recovered, []) == []
    with pytest.raises(ZeroDivisionError, match="no seed"):
        compute(recovered, [None], workers=1)


def bootstrapped(map_with):
    """The draws of every bootstrap that can be divided."""
    games = ("TG3", "UG1")
    design = questions([(PROTOCOLS[name], uniform_strategy(PROTOCOLS[name])) for name in games], subjects=40)
    choices = simulate(design, "moralis", [0.1, 0.2, 0.3, 8.0], np.random.default_rng(1))
    answers = np.random.default_rng(2).integers(0, 2, (2, 200)).tolist()
    places = np.arange(200)
    rounds = rounds_of((places // 10).tolist(), (places // 5).tolist(), (places % 5).tolist(), *answers)
    return [
        fit(choices, draws=120, map_with=map_with).draws,
        fit_types(choices, types=2, starts=2, draws=30, map_with=map_with).draws,
        strategy_frequencies(rounds, draws=120, map_with=map_with).draws,
    ]


def test_bootstraps_are_the_same_in_other_processes():
    asked = []

    def recorded(function, tasks):
        asked.append(list(tasks))
        return compute(function, asked[-1], workers=1)

    for here, there in zip(bootstrapped(map), bootstrapped(recorded), strict=True):
        assert len(here) > 10
        np.testing.assert_array_equal(here, there)
    assert [len(tasks) for tasks in asked] == [2, 2, 3]


def test_the_command_line_estimates_in_other_processes(tmp_path, capsys):
    path = tmp_path / "run.db"
    game = ("prisoners_dilemma-v0", {"rounds": 5})
    play(game, ["tit_for_tat", "random"], episodes=12, seed=3, path=path)
    command = ["estimate", str(path), "--model", "sfem", "--draws", "60", "--json"]
    assert main(command) == 0
    alone = capsys.readouterr().out
    assert main([*command, "--workers", "2"]) == 0
    assert capsys.readouterr().out == alone
