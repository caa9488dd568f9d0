"""A run on disk: one SQLite file, or a folder of them, appended to while the run goes on.

A file is in WAL mode with ``synchronous=NORMAL``: every write is with the operating system before the next
question is asked, so nothing is lost when the process dies, however it dies. Only a crash of the machine
itself may cost the last moments (``FULL`` would force the disk at every decision, a thousandfold slowdown on
spinning ones); the file stays consistent then too, and `resume` plays again what is missing. A finished run
is folded into the one file.

All files of a folder are written through one connection. A transaction over several of them may be kept in
part when the process dies in the middle of it; each change belongs to one episode, and so to one file.
"""

from __future__ import annotations

import json
import os
import sqlite3
import threading
import time
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from ludens.agents.policy import Call
from ludens.agents.secrets import masked
from ludens.errors import UsageError
from ludens.experiments.runs import rows
from ludens.experiments.runs.budget import Spending
from ludens.experiments.runs.database import (
    HEAD,
    MOST_SHARDS,
    Database,
    StoreError,
    connect,
    reason,
    shard_file,
    shard_name,
    translated,
)
from ludens.experiments.runs.lock import RunLock
from ludens.experiments.runs.manifest import new_manifest, new_run_path
from ludens.experiments.runs.place import Place, remove_draft
from ludens.experiments.runs.records import FINISHED, DecisionRecord, EpisodeRecord, EpisodeSpec, RunStatus
from ludens.experiments.runs.seeds import check_seed

OTHER_FILES = frozenset({".csv", ".html", ".json", ".jsonl", ".parquet", ".toml", ".xz"})
"""Endings of files that are written beside a run, and never hold one."""


class MovedError(StoreError):
    """The file of a run is no longer where it was; what was to be written is kept in a copy beside it."""


def create_run(
    path: str | os.PathLike[str] | None,
    kind: str,
    config: Mapping[str, Any],
    specs: Sequence[EpisodeSpec],
    seed: int = 0,
    *,
    study: str | None = None,
    shards: int = 1,
) -> Store:
    """Make the file of a new run, whole or not at all, and open it for writing.

    Args:
        path: where; None for a new name under ``runs/`` of the working directory.
        kind: the study's.
        config: JSON values from which the study can be made again.
        specs: all its episodes, numbered as they stand.
        seed: the root of the run's tree of seeds.
        study: ``module:object`` of a study that no installed package names.
        shards: over how many files the episodes are divided; from 2 on the run is a folder.

    Raises:
        StoreError: the file exists already or cannot be written.
        UsageError: the seed or the number of shards is wrong, or the file's name is that of a table, a report
            or a study file.
    """
    manifest = new_manifest(kind, config, check_seed(seed), study)
    target = new_run_path(kind) if path is None else Path(path)
    if not target.name or target.suffix.lower() in OTHER_FILES:
        raise UsageError(f"{target} cannot hold a run: name a file that ends in .db.")
    if not 1 <= shards <= MOST_SHARDS:
        raise UsageError(f"A run has 1 to {MOST_SHARDS} shards; got {shards}.")
    draft = target.with_name(f".{target.name}.{os.getpid()}")
    if target.exists():
        raise StoreError(
            f"{target} exists already: name another file, or go on with it by `ludens resume {target}`."
        )
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with translated(target):
            if shards > 1:
                _write_folder(draft, manifest, specs, shards)
            else:
                _write_draft(draft, manifest, specs)
        _put(draft, target)
    except OSError as error:
        raise StoreError(f"The run cannot be written to {target}: {reason(error)}.") from error
    finally:
        remove_draft(draft)
    store = Store(target)
    store.fresh = True
    return store


class Store:
    """A run that is being written: one at a time, held by a lock that ends with the process.

    Its methods are short and may be called from any thread; each write is durable against the end of the
    process when it returns. A file that was removed, moved or replaced meanwhile is noticed at the next
    write, which goes into a copy beside it, as do all later ones: `path` then names the copy.

    Attributes:
        fresh: whether this is the run's first life.
        path: the run's file.

    Raises:
        StoreError: on opening, if it is not a run or another process has it; on writing, if the disk is full
            or the file is no longer where it was (what was to be written is kept then, where it can be).
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self.fresh = False
        self._thread = threading.RLock()
        self._together = 0  # the thread whose writes are one transaction just now
        self._opened = time.monotonic()
        connect(self.path).close()  # a file that is not a run is left without a lock file beside it
        self._lock = RunLock(self.path)
        if not self._acquire():
            raise StoreError(
                f"Another process is at work on {self.path}: wait until it is done, or end it first."
            )
        try:
            self._database = connect(self.path, write=True)
            with translated(self.path):
                _set_up(self._database)
            self._earlier = float(self.manifest["seconds"])
            self._place = Place(self.path, self._database)
        except BaseException:
            self._lock.release()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def manifest(self) -> dict[str, Any]:
        """What the run says of itself (see `ludens.experiments.runs.manifest`)."""
        with self._reading() as database:
            return read_manifest(database)

    @property
    def seed(self) -> int:
        """The root of the run's tree of seeds."""
        return int(self.manifest["seed"])

    def episodes(self) -> list[EpisodeRecord]:
        """Return all episodes as they stand."""
        with self._reading() as database:
            return list(rows.select_episodes(database))

    def unfinished(self) -> list[EpisodeSpec]:
        """Return the episodes that are still to be played."""
        return [
            EpisodeSpec(each.index, each.labels) for each in self.episodes() if each.status not in FINISHED
        ]

    def ended(self, statuses: Collection[str]) -> set[int]:
        """Return the numbers of the episodes that stand at one of these statuses."""
        with self._reading() as database:
            standing = database.execute("SELECT episode, status FROM episodes")
            return {episode for episode, status in standing if status in statuses}

    def decisions(self, episode: int) -> list[DecisionRecord]:
        """Return the decisions made in an episode so far."""
        with self._reading() as database:
            return list(rows.select_decisions(database, rows.select_labels(database, episode), episode))

    def kept(self, episode: int) -> tuple[list[DecisionRecord], dict[int, list[Call]]]:
        """Return the decisions made in an episode so far, and by step the calls made for decisions that were
        not reached.
        """
        with self._reading() as database:
            labels = rows.select_labels(database, episode)
            decisions = list(rows.select_decisions(database, labels, episode))
            calls = rows.select_calls(database, episode)
        for record in decisions:
            calls.pop(record.step, None)
        return decisions, calls

    def totals(self) -> tuple[int, int, float]:
        """Return the numbers of decisions and of calls, and the cost of the calls in US dollars."""
        with self._reading() as database:
            (decisions,) = database.execute("SELECT count(*) FROM decisions").fetchone()
            calls, cost = database.execute("SELECT count(*), total(cost) FROM calls").fetchone()
        return decisions, calls, cost

    def spending(self) -> dict[str, Spending]:
        """Return what the answered calls took, by model. Requests that a server did not take, and those
        that a cache answered, are free.
        """
        with self._reading() as database:
            return read_spending(database)

    def seconds(self) -> float:
        """Return for how long the run has been at work, over all its sessions."""
        return self._earlier + time.monotonic() - self._opened

    def add_call(self, episode: int, step: int, number: int, call: Call) -> None:
        """Keep a finished call of a decision under way."""
        with self._writing() as database:
            rows.insert_call(database, episode, step, number, call, schema=database.holder(episode))

    def add_decision(self, record: DecisionRecord, calls: Sequence[Call] = ()) -> None:
        """Keep a decision, with those of its calls that are not kept yet."""
        with self._writing() as database:
            holder = database.holder(record.episode)
            for number, call in enumerate(calls):
                rows.insert_call(database, record.episode, record.step, number, call, schema=holder)
            rows.insert_decision(database, record, schema=holder)
            if record.step == 0:
                database.execute(
                    f"UPDATE {holder}.episodes SET status = 'running' WHERE episode = ?", (record.episode,)
                )

    def end_episode(self, record: EpisodeRecord) -> None:
        """Keep how an episode ended."""
        row = (record.status, rows.as_json(dict(record.payoffs)), masked(record.detail), record.index)
        with self._writing() as database:
            database.execute(
                f"UPDATE {database.holder(record.index)}.episodes SET status = ?, payoffs = ?, detail = ? "
                "WHERE episode = ?",
                row,
            )
            _set(database, "seconds", round(self.seconds(), 3))

    @contextmanager
    def together(self) -> Iterator[None]:
        """Make what this thread writes while the block runs one transaction: all of it is kept, or nothing.

        Raises:
            MovedError: it is kept, in a copy.
            StoreError: nothing of it could be kept.
        """
        with self._writing():
            self._together = threading.get_ident()
            try:
                yield
            finally:
                self._together = 0

    def extend(
        self,
        config: Mapping[str, Any],
        specs: Sequence[EpisodeSpec],
        addresses: Sequence[Mapping[str, Any]] = (),
    ) -> None:
        """Add episodes, with the configuration that they come from, whole or not at all; `addresses` as in
        `set_addresses`.
        """
        with self._durably():
            if self._database.shards:
                self._add_first(specs)
            with self._writing() as database:
                if database.shards:
                    _set(database, "planned", _planned(specs, read_manifest(database)["planned"]))
                else:
                    _add(database, specs)
                _set(database, "config", config)
                _set(database, "addresses", list(addresses))
                _set(database, "status", "running")
                _set(database, "detail", "")

    def set_addresses(self, addresses: Sequence[Mapping[str, Any]]) -> None:
        """Keep which models are reached elsewhere than the configuration says."""
        with self._writing() as database:
            _set(database, "addresses", list(addresses))

    def set_budget(self, budget: Mapping[str, Any] | None) -> None:
        """Keep another budget in the run's configuration."""
        with self._writing() as database:
            _set(database, "config", read_manifest(database)["config"] | {"budget": budget})

    def adapt(self, server: str, facts: Mapping[str, Any]) -> None:
        """Keep in the manifest how requests to a server were changed to suit it."""
        with self._writing() as database:
            _set(database, "adapted", read_manifest(database).get("adapted", {}) | {server: dict(facts)})

    def set_status(self, status: RunStatus, detail: str = "") -> None:
        """Keep how the run stands."""
        if status == "done":
            self._flush()
        with self._writing() as database:
            for item in (
                ("status", status),
                ("detail", masked(detail)),
                ("seconds", round(self.seconds(), 3)),
            ):
                _set(database, *item)

    def close(self) -> None:
        """Let go of the file, folded into one if nobody reads it just now. Closing twice does nothing."""
        with self._thread, suppress(sqlite3.Error):
            for name in reversed(self._database.files):
                # What could not be folded (a full disk, a reader) lies safe in the -wal file beside it.
                with suppress(sqlite3.Error):
                    self._database.execute(f"PRAGMA {name}.journal_mode = DELETE")
            self._database.close()
            self._lock.release()

    def discard(self) -> None:
        """Remove the run's file, of a run that came to nothing, and close."""
        own = self._place.holds_ours()
        self.close()
        if own:
            self._place.remove()

    def _acquire(self) -> bool:
        try:
            return self._lock.acquire()
        except OSError as error:
            raise StoreError(f"The run {self.path} cannot be written: {reason(error)}.") from error

    def _flush(self) -> None:
        """Put what a folder's files hold on the disk, before its manifest says that all is done: if
        the machine failed in between, what was lost would never be played again.
        """
        with self._reading() as database:
            for number in range(database.shards):
                database.execute(f"PRAGMA {shard_name(number)}.wal_checkpoint").fetchall()

    def _add_first(self, specs: Sequence[EpisodeSpec]) -> None:
        """Write further episodes into a folder's files: they become part of the run when its manifest counts
        them, and are written over if that never comes.
        """
        with self._writing() as database:
            for number in range(database.shards):
                _add(database, _share(specs, number, database.shards), shard_name(number))

    @contextmanager
    def _durably(self) -> Iterator[None]:
        """Write durably against the end of the machine too while the block runs: no file of a folder falls
        behind the others then.
        """
        with self._reading() as database:
            _set_up(database, "FULL")
        try:
            yield
        finally:
            with self._reading() as database:
                _set_up(database)

    @contextmanager
    def _reading(self) -> Iterator[Database]:
        with self._thread, translated(self.path):
            yield self._database

    @contextmanager
    def _writing(self) -> Iterator[Database]:
        if self._together == threading.get_ident():
            yield self._database
            return
        with self._thread, translated(self.path):
            moved = self._moved_to_copy()
            self._database.execute("BEGIN IMMEDIATE")
            try:
                yield self._database
                self._database.execute("COMMIT")
            except BaseException:
                with suppress(sqlite3.Error):  # SQLite has rolled back by itself where the disk is full
                    self._database.execute("ROLLBACK")
                raise
            self._place.note()
            if moved:
                raise MovedError(moved)

    def _moved_to_copy(self) -> str:
        """Go on in a copy if the file is no longer where it was; return the sentence that says so, or an
        empty one.

        Raises:
            StoreError: nothing is left to go on with.
        """
        if not (problem := self._place.problem()):
            return ""
        sentence = f"{problem} while the run was written"
        copy = self._place.keep_copy(self._database)
        if copy is None:
            raise StoreError(
                f"{sentence}, and no copy of it could be kept: restore it from a copy of your own and go on "
                f"with `ludens resume {self.path}`, or start the run again."
            )
        # The writes of calls under way still come, and they are paid for.
        lost, self._database, lock = self._database, connect(copy, write=True), RunLock(copy)
        _set_up(self._database)
        lock.acquire()
        self._lock.release()
        with suppress(sqlite3.Error):
            lost.close()
        self._place.remove_logs()
        self.path, self._lock, self._place = self.path.with_name(copy.name), lock, Place(copy, self._database)
        return f"{sentence}: all of it is kept in {self.path}, go on with `ludens resume {self.path}`."


def write_file(database: Database, target: Path) -> None:
    """Write an open run into one new file, also if it is a folder."""
    if not database.shards:
        database.execute("VACUUM INTO ?", (str(target),))
        return
    manifest = read_manifest(database)
    for key in ("shards", "planned"):
        del manifest[key]
    _write_draft(target, manifest, ())
    with closing(sqlite3.connect(target)) as written, written:
        for table in ("episodes", "decisions", "calls", "texts"):
            read = database.execute(f"SELECT * FROM {table}")
            places = ", ".join("?" * len(read.description))
            # Each file of a folder has its own texts.
            written.executemany(f"INSERT OR IGNORE INTO {table} VALUES ({places})", read)


def read_manifest(database: sqlite3.Connection) -> dict[str, Any]:
    """Return the manifest as it was written."""
    return {key: json.loads(value) for key, value in database.execute("SELECT key, value FROM manifest")}


def read_spending(database: sqlite3.Connection) -> dict[str, Spending]:
    """Return what the answered calls of a run took; see `Store.spending`."""
    found = database.execute(
        "SELECT model, count(*), sum(prompt_tokens + completion_tokens), total(cost) FROM calls "
        "WHERE outcome <> 'error' AND marks NOT LIKE '%cached%' GROUP BY model"
    )
    return {model: Spending(*took) for model, *took in found}


def _set_up(database: Database, synchronous: str = "NORMAL") -> None:
    for name in database.files:
        database.execute(f"PRAGMA {name}.journal_mode = WAL")
        database.execute(f"PRAGMA {name}.synchronous = {synchronous}")


def _write_folder(
    folder: Path, manifest: Mapping[str, Any], specs: Sequence[EpisodeSpec], shards: int
) -> None:
    folder.mkdir()
    _write_draft(folder / HEAD, {**manifest, "shards": shards, "planned": _planned(specs)}, ())
    for number in range(shards):
        _write_draft(
            shard_file(folder, number), {"id": manifest["id"], "shard": number}, _share(specs, number, shards)
        )


def _write_draft(draft: Path, manifest: Mapping[str, Any], specs: Iterable[EpisodeSpec]) -> None:
    database = sqlite3.connect(draft, isolation_level=None)
    try:
        database.execute(f"PRAGMA application_id = {rows.APPLICATION_ID}")
        database.execute(f"PRAGMA user_version = {rows.SCHEMA_VERSION}")
        database.executescript(rows.SCHEMA)
        database.execute("BEGIN")
        for key, value in manifest.items():
            _set(database, key, value)
        _add(database, specs)
        database.execute("COMMIT")
    finally:
        database.close()


def _share(specs: Iterable[EpisodeSpec], number: int, shards: int) -> Iterator[EpisodeSpec]:
    """Yield the episodes that belong to a shard."""
    return (spec for spec in specs if spec.index % shards == number)


def _planned(specs: Sequence[EpisodeSpec], before: int = 0) -> int:
    """Return the number below which all episodes of a run are."""
    return max((spec.index + 1 for spec in specs), default=before)


def _put(draft: Path, target: Path) -> None:
    """Give the draft its name, never over another file."""
    try:
        os.link(draft, target)
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links
        draft.rename(target)


def _add(database: sqlite3.Connection, specs: Iterable[EpisodeSpec], schema: str = "main") -> None:
    database.executemany(
        f"{rows.insertion(schema)}.episodes VALUES (?, ?, 'planned', '{{}}', '')",
        ((spec.index, rows.as_json(dict(spec.labels))) for spec in specs),
    )


def _set(database: sqlite3.Connection, key: str, value: object) -> None:
    database.execute("INSERT OR REPLACE INTO manifest VALUES (?, ?)", (key, rows.as_json(value)))
