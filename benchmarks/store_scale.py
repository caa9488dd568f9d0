"""How a run behaves as it grows to a million decisions, in one file or in several: writing, size, opening,
counting, and reading.

    python benchmarks/store_scale.py [DECISIONS] [FOLDER] [SHARDS]

With SHARDS (1 without) the run is a folder of so many files.

Decisions are single questions to a language model, one call each; prompts repeat ten times, as replicates of
a question do, and replies are short. At each size some thousands are written through the store that every
run is written by, and the rest is filled in by SQL, so that the whole takes minutes. What is printed for 10⁷
and 10⁸ is extrapolated in proportion.
"""

from __future__ import annotations

import os
import sqlite3
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

from ludens.agents.policy import Call, Decision, Wording
from ludens.experiments.runs.database import shard_file
from ludens.experiments.runs.records import DecisionRecord, EpisodeRecord, EpisodeSpec
from ludens.experiments.runs.run import Run
from ludens.experiments.runs.store import Store, create_run

PROMPT = "You and another person play a game of several rounds. " * 20
LABELS = {"policy": "openai/model", "protocol": "TG3", "framing": "neutral"}
SAMPLE = 3000
"""Decisions that are written through the store at each size."""


def decisions(first: int, last: int) -> Iterator[tuple[DecisionRecord, Call]]:
    """Yield decisions with the call behind each."""
    wording = Wording("neutral", "tree.j2", "0" * 12, ((0, 1),))
    decision = Decision(0, "valid", None, "sample", None, wording)
    for episode in range(first, last):
        messages = (
            {"role": "system", "content": "You take part in an experiment."},
            {"role": "user", "content": f"{PROMPT} Question {episode // 10}."},
        )
        sent = {"temperature": 1.0, "max_tokens": 16}
        call = Call("openai/model", messages, "A", "ok", "", sent, None, 260, 1, 1e-5, 0.3, 0)
        record = DecisionRecord(
            episode, {}, 0, "choice", "player_0", "openai/model", "ludens/trust-v0", "TG3", "investor",
            "opening", 0, ("keep", "send"), decision,
        )  # fmt: skip
        yield record, call


def written(store: Store, first: int, last: int) -> float:
    """Write decisions through the store, and return the processor time of each, in milliseconds."""
    rows = list(decisions(first, last))
    begun = time.process_time()
    for record, call in rows:
        store.add_call(record.episode, 0, 0, call)
        store.add_decision(record)
        store.end_episode(EpisodeRecord(record.episode, LABELS, "done", {"player_0": 80.0}))
    return 1000 * (time.process_time() - begun) / (last - first)


def filled(path: Path, first: int, last: int, shards: int) -> None:
    """Fill in decisions as copies of one that was written."""
    for number in range(shards):
        file = path if shards == 1 else shard_file(path, number)
        _filled(file, first + (number - first) % shards, last, number, shards)


def _filled(file: Path, first: int, last: int, number: int, shards: int) -> None:
    if first >= last:
        return
    with closing(sqlite3.connect(file)) as database, database:
        span = (
            f"WITH RECURSIVE n(i) AS (SELECT {first} UNION ALL SELECT i + {shards} FROM n "
            f"WHERE i + {shards} < {last})"
        )
        for table in ("decisions", "calls"):
            names = [row[1] for row in database.execute(f"PRAGMA table_info({table})")]
            chosen = ", ".join("i" if name == "episode" else name for name in names)
            database.execute(
                f"{span} INSERT INTO {table} SELECT {chosen} FROM n, {table} WHERE episode = {number}"
            )
        database.execute(
            f"{span} INSERT INTO texts SELECT printf('%032x', i), text || i FROM n, (SELECT text FROM texts "
            f"ORDER BY length(text) DESC LIMIT 1) WHERE i / {shards} % 10 = 0"
        )
        database.execute(
            "UPDATE episodes SET status = 'done', payoffs = '{\"player_0\":80.0}' "
            "WHERE episode BETWEEN ? AND ?",
            (first, last - 1),
        )


def seconds(work: Callable[[], object]) -> float:
    """Return the processor time of something."""
    begun = time.process_time()
    work()
    return time.process_time() - begun


def main() -> None:
    """Let the run grow, and print its figures at each size."""
    count = int(float(sys.argv[1])) if len(sys.argv) > 1 else 1_000_000
    shards = int(sys.argv[3]) if len(sys.argv) > 3 else 1
    print(f"files: {shards}; load of the machine at the start: {os.getloadavg()[0]:.1f}")
    print(
        f"{'decisions':>12} {'write, ms':>10} {'MB':>8} {'open, s':>9} {'episodes, s':>12} {'show, s':>9} "
        f"{'read all, s':>12}"
    )
    size, read = 0, [0.0]
    with tempfile.TemporaryDirectory(dir=sys.argv[2] if len(sys.argv) > 2 else None) as folder:
        path = Path(folder) / "run.db"
        specs = [EpisodeSpec(index, LABELS | {"replicate": index}) for index in range(count)]
        create_run(path, "bench", {}, specs, shards=shards).close()
        del specs
        begun = 0
        for size_wanted in (count // 100, count // 10, count):
            with Store(path) as store:
                each = written(store, begun, begun + SAMPLE)
            filled(path, begun + SAMPLE, size_wanted, shards)
            begun = size_wanted
            files = [path] if path.is_file() else path.iterdir()
            size = sum(file.stat().st_size for file in files)
            read = [
                seconds(lambda: Store(path).close()),
                seconds(lambda: Run(path).episodes()),
                seconds(lambda: Run(path).summary()),
                seconds(lambda: deque(Run(path).each_decision(), maxlen=0)),
            ]
            print(
                f"{size_wanted:>12,} {each:>10.3f} {size / 1e6:>8,.0f} {read[0]:>9.2f} {read[1]:>12.2f} "
                f"{read[2]:>9.2f} {read[3]:>12.2f}",
                flush=True,
            )
    for many in (10**7, 10**8):
        more = " ".join(
            f"{each * many / count:>{width},.0f}" for each, width in zip(read, (9, 12, 9, 12), strict=True)
        )
        print(f"{many:>12,} {'':>10} {size * many / count / 1e6:>8,.0f} {more}   extrapolated")


if __name__ == "__main__":
    main()
