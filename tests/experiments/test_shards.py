"""A run that is a folder of files is read as one, and holds what a run of one file holds."""

from __future__ import annotations

import asyncio
import json
import lzma
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from ludens.cli import main
from ludens.errors import LudensError, UsageError
from ludens.experiments import (
    EpisodeSpec,
    NoRunError,
    Run,
    Store,
    StoreError,
    create_run,
    extend,
    play,
    resume,
    run_study,
)
from ludens.experiments.runs import database
from ludens.experiments.runs.budget import BudgetSpentError
from ludens.experiments.runs.commits import Commits
from ludens.experiments.runs.database import HEAD, connect, shard_file
from ludens.experiments.runs.records import EpisodeRecord
from ludens.experiments.runs.store import MovedError
from ludens.experiments.study.export import export
from ludens.experiments.study.files import parse_study
from tests.experiments import executor_policies
from tests.experiments.lives import lives_of
from tests.experiments.test_commits import ends, transactions
from tests.experiments.test_executors import repeated
from tests.experiments.test_resume import Killer, by_prompt, play_arguments, requests_of
from tests.experiments.test_store import CALL, names, small_disk
from tests.experiments.test_store import record as first_of
from tests.loopback import Loopback

__all__ = ["small_disk"]

SPECS = [EpisodeSpec(index, {"policy": "a"}) for index in range(7)]
FILES = [HEAD, "shard-0.db", "shard-1.db", "shard-2.db"]


def record(episode=0):
    return replace(first_of(), episode=episode)


def rows_of(path):
    """All rows of a run but its manifest, without what depends on the clock."""
    with closing(connect(path)) as database:
        database.row_factory = sqlite3.Row
        return {
            table: [
                {name: row[name] for name in row.keys() if name != "seconds"}  # noqa: SIM118
                for row in database.execute(f"SELECT DISTINCT * FROM {table} ORDER BY {order}")
            ]
            for table, order in (
                ("episodes", "episode"),
                ("decisions", "episode, step"),
                ("calls", "episode, step, number"),
                ("texts", "hash"),
            )
        }


def held(path):
    """The numbers of the episodes and of the decisions' episodes in each file of a run."""
    found = {}
    for file in sorted(path.glob("*.db")):
        with closing(sqlite3.connect(file)) as database:
            found[file.name] = tuple(
                [number for (number,) in database.execute(f"SELECT DISTINCT episode FROM {table}")]
                for table in ("episodes", "decisions")
            )
    return found


@pytest.fixture
def path(tmp_path):
    return tmp_path / "run.db"


@pytest.fixture
def store(path):
    with create_run(path, "play", {}, SPECS, shards=3) as store:
        yield store


@pytest.fixture(scope="module")
def lives():
    with lives_of("tests.experiments.command_lives") as lives:
        yield lives


@pytest.fixture(scope="module")
def one(tmp_path_factory):
    """Games with a model in one file, and what was asked in them."""
    path = tmp_path_factory.mktemp("one") / "run.db"
    with Loopback(otherwise=by_prompt) as server:
        run_study(repeated(server, executor="serial"), path)
        return path, requests_of(server)


def divided(path, folder):
    """Divide the run in a file over three shards in a folder, as if it had been begun so."""
    specs = [EpisodeSpec(each.index, each.labels) for each in Run(path).episodes()]
    create_run(folder, "play", {}, specs, shards=3).close()
    with closing(connect(folder, write=True)) as database, closing(connect(path)) as read:
        manifest = read.execute("SELECT key, value FROM manifest WHERE key <> 'id'")
        database.executemany("INSERT OR REPLACE INTO manifest VALUES (?, ?)", manifest)
        for table in ("episodes", "decisions", "calls", "texts"):
            for row in read.execute(f"SELECT * FROM {table}"):
                shards = range(3) if table == "texts" else [row[0] % 3]
                places = ", ".join("?" * len(row))
                for number in shards:
                    database.execute(f"INSERT OR REPLACE INTO shard_{number}.{table} VALUES ({places})", row)


def test_every_episode_lies_in_one_shard_with_all_that_belongs_to_it(store, path):
    for index in range(7):
        store.add_decision(record(episode=index), [CALL])
    store.close()
    assert names(path) == FILES
    assert held(path) == {
        HEAD: ([], []),
        "shard-0.db": ([0, 3, 6], [0, 3, 6]),
        "shard-1.db": ([1, 4], [1, 4]),
        "shard-2.db": ([2, 5], [2, 5]),
    }
    assert [each.episode for each in Run(path).decisions()] == list(range(7))


@pytest.mark.parametrize(
    "carried_out", [{"executor": "serial", "shards": 3}, {"shards": 2}, {"workers": 2, "shards": 10}], ids=str
)
def test_the_rows_are_those_of_one_file_on_every_executor(one, path, carried_out):
    whole, asked = one
    with Loopback(otherwise=by_prompt) as server:
        run_study(repeated(server, **carried_out), path)
        assert requests_of(server) == asked
    expected = rows_of(whole)
    assert len(expected["calls"]) > len(expected["decisions"]) / 2 > 20
    assert rows_of(path) == expected
    assert Run(path).final_table() == Run(whole).final_table()
    assert len(names(path)) == 1 + carried_out["shards"]


def test_a_run_killed_at_several_points_ends_as_if_it_had_not_been(tmp_path, lives):
    whole, broken, at = tmp_path / "whole.db", tmp_path / "broken.db", (6, 20)
    with Loopback(otherwise=by_prompt) as server:
        assert lives.live(*play_arguments(server, whole, "strategy", 3)) == 0
    with Killer(at, lives) as killer:
        arguments = (*play_arguments(killer, broken, "strategy", 3), "--shards", 3)
        for _ in at:
            assert lives.live(*arguments) == -signal.SIGKILL
            arguments = ("resume", broken)
            assert Run(broken).manifest["status"] == "running"
        assert lives.live(*arguments) == 0
    assert rows_of(broken) == rows_of(whole)
    assert requests_of(server) - requests_of(killer) == {}
    assert (requests_of(killer) - requests_of(server)).total() <= len(at) * 3
    assert names(broken) == FILES


def test_every_command_reads_a_folder_as_it_reads_a_file(one, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "400")  # or paths of another length are divided elsewhere
    told = {}
    for kind in ("file", "folder"):
        place = tmp_path / kind / "run.db"
        place.parent.mkdir()
        (shutil.copy if kind == "file" else divided)(one[0], place)
        for command in (
            ("report", place, "--json"),
            ("show", place),
            ("show", place, "--episode", 3, "--json"),
            ("replay", place, "--json"),
            ("export", place),
            ("export", place, "--jsonl", "--out", place.with_name("lines")),
            ("export", place, "--parquet", "--out", place.with_name("columns")),
            ("export", place, "--table", "decisions", "--out", place.with_name("decisions.json")),
            ("estimate", place, "--json"),
            ("resume", place),
        ):
            assert main([str(each) for each in command]) == 0, command
            printed = capsys.readouterr().out.replace(str(tmp_path / kind), "HERE")
            told.setdefault(kind, []).append([line for line in printed.splitlines() if "shards" not in line])
        written = [each for each in place.parent.rglob("*.*") if each.suffix not in {".db", ".html"}]
        told[kind].append({str(each.relative_to(place.parent)): each.read_bytes() for each in written})
        assert place.with_name("run.html").is_file()
    assert told["file"] == told["folder"]
    assert len(told["file"][-1]) == 10
    assert Run(place).to_pandas().equals(Run(one[0]).to_pandas())
    assert Run(place).to_polars("calls").equals(Run(one[0]).to_polars("calls"))
    assert Run(place).to_arrow("episodes").equals(Run(one[0]).to_arrow("episodes"))


def test_a_compressed_copy_of_a_folder_is_a_run_of_one_file(one, path, capsys):
    divided(one[0], path)
    assert main(["export", str(path), "--replayable"]) == 0
    packed = path.with_name("run.db.xz")
    assert rows_of(packed) == rows_of(path) == rows_of(one[0])
    assert {"shards", "planned"}.isdisjoint(Run(packed).manifest)
    assert main(["replay", str(packed)]) == 0
    unpacked = path.with_name("unpacked.db")
    unpacked.write_bytes(lzma.decompress(packed.read_bytes()))
    Store(unpacked).close()


def test_a_run_that_its_budget_ended_goes_on_and_grows(one, path):
    whole, _ = one
    with Loopback(otherwise=by_prompt) as server:
        with pytest.raises(BudgetSpentError, match=r"10 of 10 calls.*`ludens resume .*run\.db --max-calls"):
            run_study(repeated(server, shards=3, budget={"calls": 10}), path)
        assert server.count == Run(path).summary().calls == 10
        resume(path, budget={"calls": None}, api_base=server.url)
        assert rows_of(path) == rows_of(whole)
        for go_on in (extend, resume):
            with pytest.raises(UsageError, match="keeps the number of files"):
                go_on(path, shards=2)
        extend(path, episodes=14, shards=3, api_base=server.url)
    assert Run(path).summary().episodes == {"done": 14}
    assert rows_of(path)["decisions"][: len(rows_of(whole)["decisions"])] == rows_of(whole)["decisions"]


def test_episodes_that_were_being_added_when_the_process_died_are_no_part_of_the_run(path, monkeypatch):
    game, one = ("trust-v0", "random"), path.with_name("one.db")
    play(*game, episodes=5, seed=1, path=path, shards=2)
    play(*game, episodes=5, seed=1, path=one)
    with monkeypatch.context() as patched:
        patched.setattr("ludens.experiments.runs.store._planned", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            extend(path, episodes=9)
    assert sum(len(episodes) for episodes, _ in held(path).values()) == 9
    assert len(Run(path).episodes()) == 5
    assert resume(path).manifest["config"]["episodes"] == 5
    assert rows_of(extend(path, episodes=7).path) == rows_of(extend(one, episodes=7).path)


def test_changes_of_several_shards_are_one_transaction(store):
    begun = transactions(store)

    async def write():
        commits = Commits(store, print)
        for index in range(7):
            commits.add(ends(store, index))
        await commits.settled()

    asyncio.run(write())
    assert len(begun) == 1
    assert {each.status for each in store.episodes()} == {"done"}


def test_what_was_kept_in_some_shards_alone_is_written_again(store):
    for _ in range(2):
        store.add_decision(record(episode=4), [CALL])
    assert store.totals()[:2] == (1, 1)


@pytest.mark.parametrize("shards", [1, 2])
def test_a_link_to_a_run_is_held_with_it(tmp_path, shards):
    path, link = tmp_path / "run.db", tmp_path / "link.db"
    link.symlink_to(path)
    with create_run(path, "play", {}, SPECS, shards=shards), pytest.raises(StoreError, match="Another proc"):
        Store(link)
    with Store(link) as store:
        store.add_decision(record())
        with pytest.raises(StoreError, match="Another proc"):
            Store(path)
    assert len(Run(path).decisions()) == 1
    assert names(tmp_path) == ["link.db", "run.db"]


def test_a_run_that_came_to_nothing_leaves_nothing(tmp_path):
    with pytest.raises(LudensError, match="has had enough"):
        play("trust-v0", executor_policies.raising, path=tmp_path / "run.db", shards=2)
    assert names(tmp_path) == []


def test_two_processes_are_never_at_one_folder(store, path):
    with pytest.raises(StoreError, match="Another process is at work on"):
        Store(path)
    with pytest.raises(StoreError, match="exists already"):
        create_run(path, "play", {}, SPECS)
    store.add_decision(record())
    with Run(path) as run:
        assert len(run.decisions()) == 1
    store.close()
    assert names(path.parent) == ["run.db"]
    Store(path).close()


def _forget(path):
    with closing(sqlite3.connect(path / HEAD)) as database, database:
        database.execute("DELETE FROM manifest WHERE key = 'shards'")


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (lambda path: shard_file(path, 1).unlink(), r"run\.db lacks its file shard-1\.db: restore it"),
        (lambda path: (path / HEAD).unlink(), r"no run at .*run\.db"),
        (
            lambda path: shard_file(path, 1).write_text("text " * 999),
            r"damaged \(shard-1\.db: file is not",
        ),
        (lambda path: os.truncate(shard_file(path, 1), 0), r"shard-1\.db is not a run of ludens"),
        (lambda path: os.truncate(shard_file(path, 1), 8192), r"run\.db is damaged \(.*malformed"),
        (
            lambda path: shutil.copy(shard_file(path, 2), shard_file(path, 1)),
            r"shard-1\.db belongs to an",
        ),
        (_forget, r"its manifest does not say how many files"),
    ],
)
def test_a_shard_that_is_missing_or_damaged_is_one_sentence(path, damage, sentence, capsys):
    play("trust-v0", "random", episodes=30, path=path, shards=3)
    damage(path)
    with pytest.raises(StoreError, match=sentence) as error:
        Run(path).decisions()
    assert str(error.value).count("\n") == 0
    for command in ("report", "show", "resume", "export", "replay"):
        assert main([command, str(path)]) in {1, 2}
    assert "Traceback" not in capsys.readouterr().err
    assert names(path.parent) == ["run.db"]


@pytest.mark.parametrize("extended", [True, False], ids=["a newer shard", "an older shard"])
def test_a_file_from_before_the_run_was_extended_is_one_sentence(path, extended, capsys):
    play("trust-v0", "random", episodes=5, path=path, shards=2)
    old = path.with_name("old.db")
    shutil.copytree(path, old)
    extend(path, episodes=9)
    name = HEAD if extended else "shard-1.db"
    shutil.copy(old / name, path / name)
    what = rf"{HEAD} does not know" if extended else "lacks episode 7"
    with pytest.raises(StoreError, match=rf"run\.db is damaged \(shard-[01]\.db .*{what}\): restore"):
        Run(path)
    for command in ("report", "show", "resume", "export", "replay"):
        assert main([command, str(path)]) == 1
    printed = capsys.readouterr()
    assert printed.err.count("is damaged") == 5
    assert "defect" not in printed.err


def test_a_run_is_read_while_another_process_extends_it(path, monkeypatch):
    play("trust-v0", "random", episodes=5, path=path, shards=2)
    seen, real = [], database._numbers

    def extends_meanwhile(opened, *keys, **where):
        if keys == ("planned",) and not seen:
            seen.append(opened)
            before = real(opened, *keys, **where)
            extend(path, episodes=9)
            return before
        return real(opened, *keys, **where)

    monkeypatch.setattr(database, "_numbers", extends_meanwhile)
    assert len(Run(path).episodes()) == 9
    assert seen


def test_a_folder_around_a_run_of_one_file_is_no_run(path):
    create_run(path, "play", {}, SPECS).close()
    with pytest.raises(NoRunError, match=r"is a folder with a run in it: name the run, .*run\.db"):
        Run(path.parent)


def test_a_run_of_one_file_has_one_shard(tmp_path):
    for name, begun in (("none", None), ("one", 1)):
        path = play("trust-v0", "random", episodes=2, path=tmp_path / f"{name}.db", shards=begun).path
        for number in (1, None):
            assert len(resume(path, shards=number).episodes()) == 2
        assert len(extend(path, shards=1 if begun is None else None, episodes=3).episodes()) == 3
        with pytest.raises(UsageError, match="keeps the number of files"):
            resume(path, shards=2)


def test_a_run_is_told_from_other_arguments_also_with_a_slash_and_compressed(tmp_path, capsys):
    path = tmp_path / "t.db"
    assert main(["tournament", "tit_for_tat", "always_defect", "--shards", "2", "--out", str(path)]) == 0
    assert main(["export", str(path), "--replayable"]) == 0
    capsys.readouterr()
    told = []
    for number, source in enumerate((path, f"{path}/", f"{path}.xz")):
        out = tmp_path / f"e{number}.db"
        assert main(["evolve", "types", str(source), "--json", "--out", str(out)]) == 0
        capsys.readouterr()
        told.append(Run(out).final_table())
    assert told[0] == told[1] == told[2]
    assert main(["av", "adopt", f"{path}/"]) == 2
    assert "is a run of tournament, not of adopt" in capsys.readouterr().err


def test_a_file_of_a_folder_is_no_run_of_its_own(store, path):
    store.close()
    for name in (HEAD, "shard-0.db"):
        with pytest.raises(StoreError, match=r"one of several files of a run: name its folder, .*run\.db\."):
            Run(path / name)


@pytest.mark.parametrize(
    ("lose", "what"),
    [
        (lambda path: path.rename(path.with_name("elsewhere")), r"run\.db was removed or moved"),
        (shutil.rmtree, r"run\.db was removed or moved"),
        (lambda path: shard_file(path, 1).unlink(), r"run\.db/shard-1\.db was removed or moved"),
        (lambda path: shard_file(path, 0).replace(shard_file(path, 2)), r"shard-0\.db was removed or moved"),
        (lambda path: Path(f"{path / HEAD}-wal").unlink(), r"run\.db/run\.db lost the file run\.db-wal"),
    ],
)
def test_a_folder_that_is_lost_is_kept_in_a_copy(store, path, lose, what):
    kept = path.with_name("run-kept.db")
    store.add_decision(record(episode=1))
    lose(path)
    with pytest.raises(MovedError, match=rf"{what} .*while the run was written: all of it is kept in"):
        store.add_decision(record(episode=2))
    store.end_episode(EpisodeRecord(5, {}, "done"))
    assert store.path == kept
    store.close()
    assert [each.episode for each in Run(kept).decisions()] == [1, 2]
    assert Run(kept).episodes()[5].status == "done"
    assert names(kept) == FILES
    assert not [name for name in names(path.parent) if name.endswith((".lock", "-wal", "-shm"))]
    Store(kept).close()


def test_a_full_disk_loses_nothing_that_was_kept_and_the_run_goes_on(small_disk, tmp_path):
    game, path = ("trust-v0", {"rounds": 5}), small_disk / "run.db"
    whole = play(game, "random", episodes=60, path=tmp_path / "whole.db").final_table()
    with pytest.raises(StoreError, match=r"disk is full or failing where .*run\.db"):
        play(game, "random", episodes=60, path=path, shards=2)
    assert Run(path).summary().decisions["valid"] > 10
    (small_disk / "filler").unlink()
    assert resume(path).final_table() == whole


def test_a_folder_is_read_without_write_permission():
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "run.db")
        create_run(path, "play", {}, SPECS, shards=2).close()
        for place in (path, path.parent):
            place.chmod(0o555)
        program = (  # root may write everywhere, so it reads as somebody else
            "import os, sys\nfrom ludens.experiments import Run\n"
            "if os.getuid() == 0:\n    os.seteuid(65534)\n"
            "print(os.access(sys.argv[1], os.W_OK, effective_ids=True), len(Run(sys.argv[1]).episodes()))"
        )
        done = subprocess.run(
            [sys.executable, "-c", program, path], capture_output=True, text=True, check=False
        )
        for place in (path.parent, path):
            place.chmod(0o755)
    assert done.stdout.split() == ["False", "7"], done.stderr


def test_the_latest_run_may_be_a_folder(tmp_path):
    create_run(tmp_path / "a.db", "play", {}, SPECS).close()
    create_run(tmp_path / "b.db", "play", {}, SPECS, shards=2).close()
    (tmp_path / "c.db").mkdir()
    with Store(tmp_path / "b.db") as store:
        store.add_decision(record())
        assert Run.latest(tmp_path).path.name == "b.db"
    os.utime(tmp_path / "a.db", (4e9, 4e9))
    assert Run.latest(tmp_path).path.name == "a.db"


def test_the_number_of_shards_is_part_of_a_study_file_and_bounded(tmp_path, capsys):
    command = ["play", "trust-v0", "-p", "random", "--shards"]
    assert main([*command, "3", "--print-config"]) == 0
    assert parse_study(capsys.readouterr().out).config.shards == 3
    for wrong, sentence in (("0", "at least 1; got 0"), ("11", "at most 10 shards; got 11")):
        assert main([*command, wrong, "--out", str(tmp_path / "run.db")]) == 2
        assert sentence in capsys.readouterr().err
    with pytest.raises(UsageError, match="1 to 10 shards; got 11"):
        create_run(tmp_path / "run.db", "play", {}, SPECS, shards=11)
    assert names(tmp_path) == []
    assert main([*command, "1", "--out", str(tmp_path / "run.db"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["run"] == str(tmp_path / "run.db")
    assert (tmp_path / "run.db").is_file()


def test_tables_are_not_written_among_the_files_of_a_run(store, path):
    store.close()
    with pytest.raises(UsageError, match="the run itself"):
        export(path, path)
    assert names(path) == FILES
