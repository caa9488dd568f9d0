"""The file of a run: whole or absent, one writer, and a sentence for everything that can be wrong with it."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path

import pytest

from ludens.agents.policy import BeliefReport, Call, Decision, Wording
from ludens.errors import UsageError
from ludens.experiments import (
    DecisionRecord,
    EpisodeRecord,
    EpisodeSpec,
    Run,
    Store,
    StoreError,
    create_run,
    play,
    resume,
)

SPECS = [EpisodeSpec(index, {"policy": "x", "protocol": "TG1"}) for index in range(3)]

CALL = Call(
    model="openai/x",
    messages=({"role": "system", "content": "the rules"}, {"role": "user", "content": "A or B? κ"}),
    reply='</script>\x1b[31m"\ud800\x00',
    outcome="invalid",
    detail="two answers",
    parameters={"temperature": 1.0, "stop": ["\n"]},
    option_probabilities=(0.1, 0.9),
    prompt_tokens=7,
    completion_tokens=2,
    cost=0.0001,
    seconds=0.5,
    transport_retries=1,
)


def record(episode=0, step=0, decision=None):
    return DecisionRecord(
        episode=episode,
        labels=SPECS[episode].labels,
        step=step,
        question="choice",
        agent="player_0",
        policy="x",
        environment="ludens/trust-v0",
        protocol="TG1",
        role="investor",
        node="opening",
        round=0,
        options=("trust", "keep"),
        decision=decision or Decision(1),
    )


def names(folder):
    return sorted(file.name for file in folder.iterdir())


@pytest.fixture
def path(tmp_path):
    return tmp_path / "run.db"


def test_everything_comes_back_as_it_was_kept(path):
    wording = Wording("neutral", "neutral/any.j2", "0123456789ab", ((1, 0), (0, 1)))
    decision = Decision(
        1, "valid", (0.25, 0.75), "logprobs", "because \ud800", wording, (CALL, CALL), "forfeit"
    )
    report = BeliefReport((0.5, 0.5), "valid", wording, (CALL,))
    believed = replace(record(step=1, decision=report), question="belief")
    kept = [record(decision=decision), believed, record(episode=2, decision=Decision(None, "refused"))]
    ended = EpisodeRecord(0, SPECS[0].labels, "forfeited", {"player_0": 20.0, "player_1": None}, "gave up")
    with create_run(path, "play", {"a": [1, None]}, SPECS, seed=7) as store:
        for each in kept:
            store.add_decision(each, each.decision.calls)
        store.end_episode(ended)
    with Run(path) as run:
        assert run.decisions() == kept
        assert run.decisions(2) == kept[2:]
        first, second, third = run.episodes()
        assert first == ended
        assert (second.status, third.status) == ("planned", "running")
        manifest = run.manifest
    assert manifest["config"] == {"a": [1, None]}
    assert (manifest["kind"], manifest["seed"]) == ("play", 7)
    assert manifest["models"] == ["openai/x"]
    assert manifest["prompts"] == [
        {"framing": "neutral", "template": "neutral/any.j2", "hash": "0123456789ab"}
    ]
    assert {"python", "ludens", "numpy", "pettingzoo", "litellm"} <= set(manifest["versions"])


def test_a_text_that_was_sent_often_is_kept_once(path):
    with create_run(path, "play", {}, SPECS) as store:
        for step in range(50):
            store.add_decision(record(step=step), [CALL])
    with closing(sqlite3.connect(path)) as database:
        assert database.execute("SELECT count(*) FROM texts").fetchone() == (2,)


def test_a_finished_run_is_one_file(path):
    with create_run(path, "play", {}, SPECS) as store:
        store.add_decision(record())
    assert names(path.parent) == ["run.db"]


def test_a_run_is_read_while_it_is_written(path):
    with create_run(path, "play", {}, SPECS) as store, Run(path) as run:
        assert run.decisions() == []
        store.add_decision(record())
        assert len(run.decisions()) == 1
        assert run.summary().status == "running"


def test_a_finished_run_is_read_from_a_folder_without_write_permission():
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "run.db")
        create_run(path, "play", {}, SPECS).close()
        path.parent.chmod(0o555)
        # Root may write everywhere, so it reads as somebody else.
        program = (
            "import os, sys\nfrom ludens.experiments import Run\n"
            "if os.getuid() == 0:\n    os.seteuid(65534)\n"
            "print(os.access(os.path.dirname(sys.argv[1]), os.W_OK, effective_ids=True), end=' ')\n"
            "print(len(Run(sys.argv[1]).episodes()))"
        )
        done = subprocess.run(
            [sys.executable, "-c", program, path], capture_output=True, text=True, check=False
        )
        path.parent.chmod(0o755)
    assert done.stdout.split() == ["False", "3"], done.stderr


def test_a_run_that_broke_off_cannot_be_read_where_nothing_can_be_written_and_says_why():
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "run.db")
        program = (
            "import os, signal, sys\nfrom ludens.experiments import EpisodeSpec, create_run\n"
            "create_run(sys.argv[1], 'play', {}, [EpisodeSpec(0, {})]).set_status('running')\n"
            "os.kill(os.getpid(), signal.SIGKILL)"
        )
        subprocess.run([sys.executable, "-c", program, path], check=False)
        Path(f"{path}-shm").unlink()  # as after a copy
        path.parent.chmod(0o555)
        program = (
            "import os, sys\nfrom ludens.experiments import Run, StoreError\n"
            "if os.getuid() == 0:\n    os.seteuid(65534)\n"
            "try:\n    Run(sys.argv[1])\nexcept StoreError as error:\n    print(error)"
        )
        done = subprocess.run(
            [sys.executable, "-c", program, path], capture_output=True, text=True, check=False
        )
        path.parent.chmod(0o755)
    assert "part of it still lies in run.db-wal" in done.stdout, done.stderr
    assert "copy both files" in done.stdout


def test_an_existing_file_is_never_written_over(path):
    path.write_text("precious")
    with pytest.raises(
        StoreError, match=r"exists already: name another file, or go on with it by `ludens resume"
    ):
        create_run(path, "play", {}, SPECS)
    assert path.read_text() == "precious"
    assert names(path.parent) == ["run.db"]


@pytest.mark.parametrize(
    ("labels", "seed", "error"),
    [({"x": {1, 2}}, -1, UsageError), ({}, True, UsageError), ({}, 1.5, UsageError)],
)
def test_a_failed_start_leaves_nothing(path, labels, seed, error):
    with pytest.raises(error, match="whole number of at least 0"):
        create_run(path, "play", {}, [EpisodeSpec(0, labels)], seed=seed)
    assert names(path.parent) == []


def test_a_folder_that_cannot_be_made_is_a_sentence(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match=r"The run cannot be written to .*not a directory|file exists"):
        create_run(tmp_path / "file" / "run.db", "play", {}, SPECS)


@pytest.mark.parametrize("text", ["", "not a database at all, but long enough to look at" * 100])
def test_a_file_that_is_no_run_is_a_sentence(path, text):
    path.write_text(text)
    for opened in (Run, Store):
        with pytest.raises(StoreError, match=r"run\.db is not a run of ludens: name the \.db file of one"):
            opened(path)
    assert path.read_text() == text
    assert names(path.parent) == ["run.db"]


def test_another_program_s_database_is_a_sentence(path):
    with closing(sqlite3.connect(path)) as database:
        database.execute("CREATE TABLE manifest (key TEXT)")
    with pytest.raises(StoreError, match="is not a run of ludens"):
        Run(path)


def test_a_missing_file_is_a_sentence(path):
    for opened in (Run, Store):
        with pytest.raises(StoreError, match=r"There is no run at .*run\.db"):
            opened(path)
    with pytest.raises(StoreError, match="There is no run in"):
        Run.latest(path.parent)


def test_a_newer_store_is_a_sentence_and_stays_as_it_is(path):
    create_run(path, "play", {}, SPECS).close()
    with closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA user_version = 99")
    before = path.read_bytes()
    for opened in (Run, Store):
        with pytest.raises(
            StoreError,
            match=r"newer ludens \(store version 99, this one reads up to 4\): upgrade ludens to open it",
        ):
            opened(path)
    assert path.read_bytes() == before


def test_a_damaged_file_is_a_sentence(path):
    with create_run(path, "play", {}, SPECS) as store:
        for step in range(200):
            store.add_decision(record(step=step), [CALL])
    content = bytearray(path.read_bytes())
    content[4096:20000] = os.urandom(20000 - 4096)
    path.write_bytes(content)
    with pytest.raises(StoreError, match=r"damaged"):
        Run(path).decisions()


@pytest.mark.parametrize(
    ("damage", "why"),
    [
        ("DELETE FROM manifest WHERE key IN ('config', 'seed')", r"its manifest lacks config, seed"),
        ("UPDATE manifest SET value = '{nonsense' WHERE key = 'config'", r"Expecting property name"),
        ("UPDATE decisions SET options = '['", r"Expecting value"),
        ("DROP TABLE decisions", r"no such table: decisions"),
    ],
)
def test_a_run_that_lacks_something_is_a_sentence(path, damage, why):
    with create_run(path, "play", {}, SPECS) as store:
        store.add_decision(record())
    with closing(sqlite3.connect(path)) as database, database:
        database.execute(damage)

    def read():
        with Run(path) as run:
            return run.manifest, run.decisions()

    with pytest.raises(StoreError, match=rf"run\.db (is damaged|cannot be used as a run) \({why}"):
        read()


def test_a_second_writer_is_a_sentence_and_a_reader_is_welcome(path):
    with create_run(path, "play", {}, SPECS):
        program = (
            "import sys\nfrom ludens.experiments import Run, Store\nfrom ludens.errors import LudensError\n"
            f"print(len(Run({str(path)!r}).episodes()))\n"
            f"try:\n    Store({str(path)!r})\nexcept LudensError as error:\n    print(error)"
        )
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
        assert done.stdout.splitlines() == [
            "3",
            f"Another process is at work on {path}: wait until it is done, or end it first.",
        ]
        with pytest.raises(StoreError, match="Another process is at work"):
            Store(path)
    Store(path).close()


def test_the_lock_ends_with_its_process_however_it_ends(path):
    create_run(path, "play", {}, SPECS).close()
    program = f"import os, signal\nfrom ludens.experiments import Store\ns = Store({str(path)!r})\n" \
        "os.kill(os.getpid(), signal.SIGKILL)"  # fmt: skip
    done = subprocess.run([sys.executable, "-c", program], check=False)
    assert done.returncode == -9
    Store(path).close()
    assert names(path.parent) == ["run.db"]


@pytest.fixture
def small_disk(tmp_path):
    """A file system with 300 kB of room, and 8 MB more when its file `filler` is removed."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = shutil.which("mount") and subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=8300k", "none", folder], capture_output=True, check=False
    )
    if not mounted or mounted.returncode:
        pytest.skip("no permission to mount a small file system")
    (folder / "filler").write_bytes(bytes(8_000 * 1024))
    yield folder
    subprocess.run(["umount", folder], check=True)


def test_a_full_disk_is_a_sentence_and_keeps_what_was_decided(small_disk):
    path = small_disk / "run.db"
    long = Call("openai/x", ({"role": "user", "content": "x"},), "y" * 3000, "ok")
    kept = []

    def fill(store):
        for step in range(1000):
            store.add_decision(record(step=step), [long])
            kept.append(step)

    full = r"disk is full or failing where .*run\.db.*`ludens resume .*run\.db`"
    with create_run(path, "play", {}, SPECS) as store, pytest.raises(StoreError, match=full):
        fill(store)
    assert len(kept) > 10
    with Run(path) as run:
        assert [each.step for each in run.decisions()] == kept


def test_a_disk_that_is_full_at_the_start_is_a_sentence_and_leaves_nothing(small_disk):
    with suppress(OSError), (small_disk / "more").open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))
    with pytest.raises(StoreError, match=r"disk is full or failing"):
        create_run(small_disk / "run.db", "play", {}, SPECS)
    assert names(small_disk) == ["filler", "more"]


def test_the_latest_run_is_the_one_written_last(tmp_path):
    for name in ("b.db", "a.db"):
        create_run(tmp_path / name, "play", {}, SPECS).close()
        os.utime(tmp_path / name, ns=(0, 1 if name == "b.db" else 2))
    with Run.latest(tmp_path) as run:
        assert run.path.name == "a.db"


def test_a_run_that_filled_the_disk_goes_on_when_there_is_room(small_disk, tmp_path):
    game = ("trust-v0", {"rounds": 5})
    whole = play(game, "random", episodes=60, path=tmp_path / "whole.db").final_table()
    path = small_disk / "run.db"
    with pytest.raises(StoreError, match="disk is full"):
        play(game, "random", episodes=60, path=path)
    (small_disk / "filler").unlink()
    assert resume(path).final_table() == whole


def test_decisions_are_read_one_after_the_other_each_with_its_own_calls(path):
    calls = [replace(CALL, reply=letter) for letter in "abc"]
    kept = [
        record(0, 0, Decision(1, calls=(calls[0], calls[1]))),
        record(2, 0, Decision(0, calls=(calls[2],))),
    ]
    with create_run(path, "play", {}, SPECS) as store:
        store.add_call(0, 1, 0, CALL)  # of a decision that was not reached
        store.add_call(1, 0, 0, CALL)
        for each in kept:
            store.add_decision(each, each.decision.calls)
    with Run(path) as run:
        assert next(run.each_decision()) == kept[0]
        assert list(run.each_decision()) == run.decisions() == kept
        assert list(run.each_decision(2)) == kept[1:]


def test_notes_and_a_number_in_place_of_an_option_come_back(path):
    told = {"plans": "hold at 1.9\n\ud800", "insights": ""}
    decisions = [Decision(2.0, notes=told), Decision(1.4729), Decision(None, "invalid", notes={})]
    kept = [replace(record(step=step, decision=each), options=()) for step, each in enumerate(decisions)]
    with create_run(path, "pricing", {}, SPECS) as store:
        for each in kept:
            store.add_decision(each)
        assert store.decisions(0) == kept
    with Run(path) as run:
        assert run.decisions() == kept
        assert [type(each.decision.action) for each in run.decisions()] == [float, float, type(None)]
        assert [each.choice for each in run.decisions()] == ["2", "1.4729", None]


def test_a_file_of_an_earlier_version_is_refused_in_one_sentence_and_left_alone(path):
    create_run(path, "play", {}, SPECS).close()
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("PRAGMA user_version = 2")
    before = path.read_bytes()
    for opened in (Run, Store, resume):
        with pytest.raises(StoreError, match=r"an earlier ludens \(store version 2, this one reads 4\)"):
            opened(path)
    assert path.read_bytes() == before
    assert [each.name for each in path.parent.iterdir()] == [path.name]
