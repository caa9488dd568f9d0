"""A run file that is removed, moved or replaced while it is written: no answer is lost, none more is paid."""

from __future__ import annotations

import os
import re
import shutil
import threading
from pathlib import Path

import pytest

from ludens import cli
from ludens.agents.policy import Decision, Policy
from ludens.experiments import Run, Store, StoreError, create_run, play, resume
from tests.experiments.test_store import CALL, SPECS, names, record
from tests.loopback import Loopback, say


def another_run(path):
    with create_run(path, "play", {}, SPECS, seed=1) as store:
        for step in range(60):
            store.add_decision(record(step=step), [CALL])
    return path


def remove(path):
    path.unlink()


def remove_all(path):
    for file in path.parent.glob(f"{path.name}*"):
        file.unlink()


def remove_log(path):
    path.with_name(path.name + "-wal").unlink()


def remove_folder(path):
    shutil.rmtree(path.parent)


def move(path):
    path.rename(path.parent / "elsewhere.db")


def move_folder(path):
    path.parent.rename(path.parent.parent / "elsewhere")


def replace_by_another(path):
    another_run(path.parent / "another.db").replace(path)


def replace_by_text(path):
    path.unlink()
    path.write_text("precious")


LOSSES = {
    remove: "was removed or moved",
    remove_all: "was removed or moved",
    remove_folder: "was removed or moved",
    move: "was removed or moved",
    move_folder: "was removed or moved",
    replace_by_another: "was replaced by another file",
    replace_by_text: "was replaced by another file",
    remove_log: r"lost the file run\.db-wal beside it",
}


@pytest.mark.parametrize("lose", LOSSES, ids=lambda lose: lose.__name__)
def test_a_lost_file_is_a_sentence_and_all_that_was_written_is_kept(tmp_path, lose):
    path, kept = tmp_path / "runs" / "run.db", tmp_path / "runs" / "run-kept.db"
    written = [record(step=step) for step in range(4)]
    sentence = (
        rf"^{re.escape(str(path))} {LOSSES[lose]} while the run was written: all of it is kept in "
        rf"{re.escape(str(kept))}, go on with `ludens resume {re.escape(str(kept))}`\.$"
    )
    with create_run(path, "play", {}, SPECS) as store:
        store.add_decision(written[0])
        store.add_decision(written[1])
        lose(path)
        with pytest.raises(StoreError, match=sentence):
            store.add_decision(written[2])
        store.add_decision(written[3])  # of a call under way meanwhile: kept without another word
        assert store.path == kept
        assert store.decisions(0) == written
    with Run(kept) as run:
        assert run.decisions() == written
    assert not [name for name in names(kept.parent) if name.endswith((".lock", "-wal", "-shm"))]
    Store(kept).close()
    if lose is replace_by_text:
        assert path.read_text() == "precious"
    if lose is replace_by_another:
        assert len(Run(path).decisions()) == 60


def by_text(path):
    path.write_text("precious")


def by_nothing(path):
    os.truncate(path, 0)


def by_another(path):
    path.write_bytes(another_run(path.parent / "another.db").read_bytes())


@pytest.mark.parametrize("overwrite", [by_text, by_nothing, by_another], ids=lambda each: each.__name__)
def test_a_file_that_was_overwritten_is_a_sentence_before_more_is_asked(tmp_path, overwrite):
    path = tmp_path / "run.db"
    whole = Store(create_and_close(path, 400))
    overwrite(path)
    with pytest.raises(StoreError, match=r"run\.db was overwritten while the run was written"):
        whole.add_decision(record(step=500))
    whole.close()


def create_and_close(path, decisions):
    with create_run(path, "play", {}, SPECS) as store:
        for step in range(decisions):
            store.add_decision(record(step=step), [CALL])
    return path


def test_a_file_that_was_only_touched_or_copied_goes_on(tmp_path, monkeypatch):
    path = tmp_path / "run.db"
    monkeypatch.chdir(tmp_path)
    with create_run("run.db", "play", {}, SPECS) as store:
        store.add_decision(record())
        os.utime(path)
        shutil.copy(path, tmp_path / "copy.db")
        path.chmod(0o600)
        monkeypatch.chdir("/")
        for step in range(1, 1500):  # far enough that SQLite folds its log into the file
            store.add_decision(record(step=step), [CALL])
    assert len(Run(path).decisions()) == 1500
    assert names(tmp_path) == ["copy.db", "run.db"]


def test_names_of_copies_are_never_taken_twice(tmp_path):
    path = tmp_path / "run.db"
    (tmp_path / "run-kept.db").write_text("precious")
    with create_run(path, "play", {}, SPECS) as store:
        path.unlink()
        with pytest.raises(StoreError, match=r"is kept in .*run-kept-2\.db"):
            store.add_decision(record())
    assert (tmp_path / "run-kept.db").read_text() == "precious"
    assert len(Run(tmp_path / "run-kept-2.db").decisions()) == 1


def test_where_no_copy_can_be_written_the_sentence_says_so(tmp_path):
    path = tmp_path / "runs" / "run.db"
    with create_run(path, "play", {}, SPECS) as store:
        shutil.rmtree(path.parent)
        path.parent.write_text("a file in place of the folder")
        for _ in range(2):
            with pytest.raises(StoreError, match="no copy of it could be kept: restore it"):
                store.add_decision(record())


def test_a_run_that_came_to_nothing_removes_no_stranger_s_file(tmp_path):
    path = tmp_path / "run.db"

    class Failing(Policy):
        name = "failing"

        def decide(self, turn, rng):
            path.unlink()
            path.write_text("precious")
            raise ValueError("It broke.")

    with pytest.raises(ValueError, match="It broke"):
        play("ultimatum-v0", Failing(), path=path)
    assert path.read_text() == "precious"


def test_a_run_whose_file_was_removed_goes_on_from_the_copy(tmp_path):
    path, kept = tmp_path / "run.db", tmp_path / "run-kept.db"

    class Remover(Policy):
        name = "remover"
        asked = 0

        def decide(self, turn, rng):
            Remover.asked += 1
            if Remover.asked == 9:
                path.unlink(missing_ok=True)
            return Decision(turn.options[rng.integers(len(turn.options))].action)

    with pytest.raises(StoreError, match=r"`ludens resume .*run-kept\.db`"):
        play("ultimatum-v0", Remover(), episodes=20, path=path, concurrency=1)
    assert Remover.asked == 9
    with Run(kept) as run:
        assert len(run.decisions()) == 9
        assert run.manifest["status"] == "failed"
        assert "was removed or moved" in run.manifest["detail"]
    Remover.asked = 10
    whole = play("ultimatum-v0", Remover(), episodes=20, path=tmp_path / "whole.db").final_table()
    assert resume(kept, policies=Remover()).final_table() == whole


def test_of_what_is_paid_for_nothing_is_lost_with_the_file(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    path, kept, together = tmp_path / "run.db", tmp_path / "run-kept.db", threading.Barrier(8, timeout=600)

    def answer(request):
        # The first eight questions are on their way at once; then the file goes, then they are answered.
        if together.wait() == 0:
            Path(path).unlink()
        together.wait()
        return say("A")

    def command(*arguments):
        return cli.main([str(argument) for argument in arguments]), capsys.readouterr().err

    with Loopback([answer] * 8, otherwise=say("B")) as server:
        bench = ("bench", "openai/loopback", "--protocols", "TG3,UG1", "--framings", "neutral,twin")
        more = ("--elicit", "sample", "--replicates", 2, "--concurrency", 8, "--api-base", server.url)
        code, err = command(*bench, *more, "--out", path)
        assert code == 1
        assert err.splitlines()[-1].startswith(f"{path} was removed or moved while the run was written")
        assert f"`ludens resume {kept}`" in err
        assert server.count == 8
        with Run(kept) as run:
            assert run.summary().calls == 8
            assert run.manifest["status"] == "failed"
        assert command("resume", kept)[0] == 0
        with Run(kept) as run:
            assert run.summary().calls == server.count > 8
            assert run.manifest["status"] == "done"
