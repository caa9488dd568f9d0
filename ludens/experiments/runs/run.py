"""A run as it lies on disk, for reading: during the run as well as after it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar, Literal, Self, get_args

from ludens.agents.policy import Decision
from ludens.checks import check_choice
from ludens.display.notebook import Shown, View, clipped
from ludens.display.table import Table
from ludens.experiments.runs import rows
from ludens.experiments.runs.budget import Spending
from ludens.experiments.runs.columns import COLUMNS, call_rows, decision_rows, episode_rows
from ludens.experiments.runs.database import Database, NoRunError, connect, is_there, translated
from ludens.experiments.runs.frames import data_frame
from ludens.experiments.runs.manifest import RUNS
from ludens.experiments.runs.records import DecisionRecord, EpisodeRecord, count_statuses
from ludens.experiments.runs.store import read_manifest, read_spending

RunTable = Literal["decisions", "calls", "episodes"]
RUN_TABLES: tuple[RunTable, ...] = get_args(RunTable)

_SHOWN = 10
"""Episodes that a notebook shows of a run."""


@dataclass(frozen=True)
class Summary:
    """A run in a few numbers.

    Attributes:
        status: of the run; a run that was killed still says ``"running"``.
        episodes: how many episodes stand at each status.
        decisions: how many decisions ended as ``"valid"``, ``"invalid"`` and ``"refused"``, and as
            ``"low_mass"`` where any did; beliefs included.
        payoffs: per policy the mean payoff of its seats, in points per episode, over those that are defined;
            None if none.
        calls, transport_retries, prompt_tokens, completion_tokens: totals over all calls to models.
        cost: of all calls, in US dollars; models without a known price count as 0.
        call_seconds: from request to reply, summed over calls (which overlap).
        seconds: wall-clock time that the run took, over all its lives; of a life that was killed, up to its
            last finished episode.
    """

    kind: str
    status: str
    detail: str
    episodes: Mapping[str, int]
    decisions: Mapping[str, int]
    payoffs: Mapping[str, float | None]
    calls: int
    transport_retries: int
    prompt_tokens: int
    completion_tokens: int
    cost: float
    call_seconds: float
    seconds: float


class Run(Shown):
    """A run, opened for reading; several processes may read it while one writes it.

    Args:
        path: the ``.db`` file, or the folder of a run of several files.

    Raises:
        NoRunError: there is no such file, or it is not a run.
        StoreError: a newer ludens wrote it, it is damaged, or it cannot be opened.
    """

    shown_by: ClassVar[str] = "ludens.experiments.runs.run:view"

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        connect(self.path).close()

    @classmethod
    def latest(cls, folder: str | os.PathLike[str] = RUNS) -> Self:
        """Return the run in a folder that was written to last.

        Raises:
            NoRunError: the folder holds no run.
        """
        files = [file for file in Path(folder).glob("*.db") if is_there(file)]
        if not files:
            raise NoRunError(f"There is no run in {folder}: start one with `ludens play` or `ludens bench`.")
        return cls(max(files, key=_last_written))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Run({str(self.path)!r})"

    def close(self) -> None:
        """Nothing is held open between two readings: a run may be dropped without closing it."""

    @property
    def manifest(self) -> dict[str, Any]:
        """How the run came about.

        ``kind``, ``config`` (what it is built from), ``seed``, ``started``, ``seconds`` (wall-clock time so
        far), ``versions``, ``git``, ``status`` and ``detail``; and from what was played so far ``models``
        (ids) and ``prompts`` (framing, template, hash).
        """
        with self._reading() as database:
            manifest = read_manifest(database)
            models = database.execute("SELECT DISTINCT model FROM calls ORDER BY model").fetchall()
            prompts = database.execute(
                "SELECT DISTINCT framing, template, prompt_hash FROM decisions WHERE prompt_hash IS NOT NULL "
                "ORDER BY framing, template, prompt_hash"
            ).fetchall()
        names = ("framing", "template", "hash")
        return manifest | {
            "models": [model for (model,) in models],
            "prompts": [dict(zip(names, prompt, strict=True)) for prompt in prompts],
        }

    def outline(self, most: int) -> tuple[dict[str, Any], dict[str, int], list[EpisodeRecord]]:
        """Return the manifest as it was written, how many episodes stand at each status, and the first `most`
        episodes. Decisions and calls, the bulk of a run, are not touched.
        """
        with self._reading() as database:
            statuses = database.execute("SELECT status, count(*) FROM episodes GROUP BY status").fetchall()
            return read_manifest(database), dict(statuses), list(rows.select_episodes(database, most))

    def manifest_of(self, kind: str) -> dict[str, Any]:
        """Return the manifest of a run of a study of that kind.

        Raises:
            NoRunError: it is a run of another kind.
        """
        manifest = self.manifest
        if manifest["kind"] != kind:
            raise NoRunError(
                f"{self.path} is a run of {manifest['kind']}, not of {kind}: `ludens show {self.path}`."
            )
        return manifest

    def episodes(self) -> list[EpisodeRecord]:
        """Return all episodes in their order."""
        with self._reading() as database:
            return list(rows.select_episodes(database))

    def decisions(self, episode: int | None = None) -> list[DecisionRecord]:
        """Return the decisions of all episodes, or of one, in their order, with the calls behind each."""
        return list(self.each_decision(episode))

    def each_decision(self, episode: int | None = None) -> Iterator[DecisionRecord]:
        """Yield what `decisions` returns one after the other: a long run need not fit into memory."""
        with self._reading() as database:
            if episode is None:
                labels: Mapping[int, Mapping[str, Any]] = {
                    record.index: record.labels for record in rows.select_episodes(database)
                }
            elif not (labels := rows.select_labels(database, episode)):
                (count,) = database.execute("SELECT count(*) FROM episodes").fetchone()
                raise NoRunError(f"{self.path} has no episode {episode}; its episodes are 0 to {count - 1}.")
            yield from rows.select_decisions(database, labels, episode)

    def table(self) -> list[dict[str, Any]]:
        """Return one row per episode: number, labels, status, ``payoff <seat>`` of every seat, detail."""
        return list(episode_rows(self.episodes()))

    def rows(self, table: RunTable = "decisions") -> list[dict[str, Any]]:
        """Return a table of the run, one row per decision, call or episode, with the columns that
        `ludens.experiments.runs.columns.COLUMNS` describes.

        Raises:
            UsageError: there is no such table.
        """
        check_choice("A run", "table", table, RUN_TABLES)
        if table == "episodes":
            return self.table()
        if table == "decisions":
            return list(decision_rows(self.decisions()))
        with self._reading() as database:
            return list(call_rows(rows.every_call(database)))

    def to_pandas(self, table: RunTable = "decisions") -> Any:
        """Return a table of the run (see `rows`) as a pandas DataFrame.

        Raises:
            UsageError: there is no such table, or pandas is not installed.
        """
        return data_frame(self.rows(table), COLUMNS[table], "pandas")

    def to_polars(self, table: RunTable = "decisions") -> Any:
        """Return a table of the run (see `rows`) as a polars DataFrame.

        Raises:
            UsageError: there is no such table, or polars is not installed.
        """
        return data_frame(self.rows(table), COLUMNS[table], "polars")

    def to_arrow(self, table: RunTable = "decisions") -> Any:
        """Return a table of the run (see `rows`) as a pyarrow Table.

        Raises:
            UsageError: there is no such table, or pyarrow is not installed.
        """
        return data_frame(self.rows(table), COLUMNS[table], "pyarrow")

    def final_table(self) -> str:
        """Return the run's outcome without its circumstances.

        The same text, byte for byte, for the same seed and the same replies, however often the run broke off
        and was resumed. One JSON object per line and episode: the row of `table`, and its decisions as
        [question, seat, node, round, action, status, probabilities].
        """
        moves: dict[int, list[list[Any]]] = {}
        for record in self.decisions():
            action: Any = record.decision.action if isinstance(record.decision, Decision) else None
            if isinstance(record.decision, Decision) and record.decision.further:
                action = [action, *record.decision.further]
            moves.setdefault(record.episode, []).append(
                [
                    *(record.question, record.agent, record.node, record.round, action),
                    *(record.decision.status, record.decision.probabilities),
                ]
            )
        lines = (row | {"decisions": moves.get(row["episode"], [])} for row in self.table())
        return "".join(json.dumps(line, sort_keys=True, ensure_ascii=False) + "\n" for line in lines)

    def summary(self) -> Summary:
        """Return the run in a few numbers."""
        with self._reading() as database:
            manifest = read_manifest(database)
            count = database.execute
            episodes = dict(
                count("SELECT status, count(*) FROM episodes GROUP BY status ORDER BY status").fetchall()
            )
            decisions = count_statuses(
                dict(count("SELECT status, count(*) FROM decisions GROUP BY status").fetchall())
            )
            calls = count(
                "SELECT count(*), coalesce(sum(transport_retries), 0), coalesce(sum(prompt_tokens), 0), "
                "coalesce(sum(completion_tokens), 0), total(cost), total(seconds) FROM calls"
            ).fetchone()
        return Summary(
            manifest["kind"],
            manifest["status"],
            manifest["detail"],
            episodes,
            decisions,
            self._mean_payoffs(),
            *(*calls, manifest["seconds"]),
        )

    def spending(self) -> Spending:
        """Return what the answered calls took, as a budget counts them."""
        with self._reading() as database:
            return sum(read_spending(database).values(), Spending())

    def calls_by_episode(self) -> dict[int, int]:
        """Return how many calls the run holds of each episode that has any, as far as it was played."""
        with self._reading() as database:
            return dict(database.execute("SELECT episode, count(*) FROM calls GROUP BY episode"))

    @contextmanager
    def _reading(self) -> Iterator[Database]:
        with closing(connect(self.path)) as database, translated(self.path):
            yield database

    def _mean_payoffs(self) -> dict[str, float | None]:
        earned: dict[str, list[float]] = {}
        for record in self.episodes():
            for seat, payoff in record.payoffs.items():
                defined = earned.setdefault(str(record.labels.get(seat, seat)), [])
                if payoff is not None:
                    defined.append(payoff)
        return {
            policy: sum(defined) / len(defined) if defined else None
            for policy, defined in sorted(earned.items())
        }


def view(run: Run) -> View:
    """Return what a notebook shows of a run: how it stands, and its first episodes."""
    manifest, statuses, episodes = run.outline(_SHOWN)
    total = sum(statuses.values())
    labels = list(dict.fromkeys(name for each in episodes for name in each.labels))
    varying = [name for name in labels if len({str(each.labels.get(name)) for each in episodes}) > 1]
    seats = list(dict.fromkeys(seat for each in episodes for seat in each.payoffs))
    table = Table.of(
        "Episodes",
        f"The first {len(episodes)} of {total}." if total > len(episodes) else "",
        ["status", *varying, *(("payoff", seat) for seat in seats)],
        [
            (
                str(each.index),
                [
                    each.status,
                    *(clipped(each.labels.get(name, ""), 60) for name in varying),
                    *(points(each.payoffs.get(seat)) for seat in seats),
                ],
            )
            for each in episodes
        ],
        corner="episode",
    )
    same = {name: clipped(episodes[0].labels[name]) for name in labels if name not in varying}
    unfinished = statuses.get("planned", 0) + statuses.get("running", 0)
    return View(
        str(run.path),
        f"run of {manifest['kind']}",
        ", ".join(f"{count} {status}" for status, count in sorted(statuses.items()))
        + f" of {total} episodes.",
        warnings=[f"This run is unfinished: `ludens resume {run.path}` goes on."] if unfinished else (),
        tables=[table] if episodes else (),
        facts={
            **same,
            "status": f"{manifest['status']}{': ' + manifest['detail'] if manifest['detail'] else ''}",
            "seed": str(manifest["seed"]),
            "started": str(manifest["started"]),
            "took": f"{manifest['seconds']:.1f} s",
        },
    )


def points(payoff: float | None) -> str:
    """Format a payoff, whole ones without decimals, and None as a dash."""
    return "–" if payoff is None else f"{payoff:.2f}".removesuffix(".00")


def _last_written(run: Path) -> int:
    files = list(run.glob("*.db")) if run.is_dir() else [run]
    beside = [*files, *(file.with_name(file.name + "-wal") for file in files)]
    return max(each.stat().st_mtime_ns for each in beside if each.exists())
