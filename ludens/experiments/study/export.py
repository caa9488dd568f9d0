"""Tables of a run as files: one row per decision, per episode, and per estimate of its study."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ludens.agents.policy import BeliefReport
from ludens.errors import UsageError
from ludens.experiments.runs.database import StoreError, reason
from ludens.experiments.runs.files import as_csv, plain, write_table
from ludens.experiments.runs.records import DecisionRecord
from ludens.experiments.runs.run import Run
from ludens.experiments.study.base import Rows
from ludens.experiments.study.engine import load


def export(
    path: str | os.PathLike[str], target: str | os.PathLike[str] | None = None, *, table: str | None = None
) -> dict[str, Path]:
    """Write the tables of a run, finished or not.

    Args:
        path: the run's file.
        target: a folder for all tables, as CSV; of one table the file, which ends in ``.csv`` or ``.json``.
            None for names beside the run.
        table: the name of one table; None for all.

    Returns:
        The files by the names of the tables.

    Raises:
        NoRunError: the file is not a run.
        UsageError: there is no such table, or the file has another ending.
        StoreError: a file cannot be written.
    """
    study, result = load(path)
    with Run(path) as run:
        tables: dict[str, Rows] = {
            **study.tables(result),
            "decisions": list(_decisions(run.decisions())),
            "episodes": run.table(),
        }
    if table is not None:
        if table not in tables:
            raise UsageError(f"{path} has no table {table!r}; there are {', '.join(tables)}.")
        file = Path(path).with_name(f"{Path(path).stem}-{table}.csv") if target is None else Path(target)
        check_target(file, path)
        return {table: write_rows(tables[table], file)}
    folder = Path(path).with_name(f"{Path(path).stem}-tables") if target is None else Path(target)
    files = {name: folder / f"{name}.csv" for name in tables}
    for name, file in files.items():
        if file.parent != folder:
            raise UsageError(f"{name!r} cannot be the name of a table: use plain words.")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(
            f"The tables cannot be written to {folder} ({reason(error)}): name another folder; the run is "
            "kept."
        ) from None
    return {name: write_rows(tables[name], file) for name, file in files.items()}


def check_target(target: str | os.PathLike[str], run: str | os.PathLike[str] | None = None) -> None:
    """See that a table can be written to a file.

    Args:
        target: the file.
        run: the file of the run, which no table replaces; None where it has no name yet.

    Raises:
        UsageError: the file has another ending than ``.csv`` or ``.json``, or it is the run's.
    """
    if Path(target).suffix.lower() not in {".csv", ".json"}:
        raise UsageError(f"{target} must end in .csv or .json: name another file.")
    if run is not None and Path(target).resolve() == Path(run).resolve():
        raise UsageError(f"{target} is the run itself: name another file for the table.")


def write_rows(
    rows: Rows, target: str | os.PathLike[str], again: str = "name another file; the run is kept."
) -> Path:
    """Write rows as a file, ``.csv`` or ``.json`` by its ending. It is replaced whole or not at all.

    Args:
        rows: of the table.
        target: the file.
        again: ends the error's sentence by saying what to do.

    Raises:
        UsageError: it has another ending.
        StoreError: it cannot be written.
    """
    check_target(target)
    if Path(target).suffix.lower() == ".json":
        text = json.dumps([plain(dict(row)) for row in rows], indent=1) + "\n"
        return write_table(text, target, again)
    return write_table(as_csv(rows), target, again)


def _decisions(records: list[DecisionRecord]) -> Iterator[Mapping[str, Any]]:
    """Yield one row per decision: its place, what was decided, what it took, and the episode's labels where
    they say more.
    """
    rows = [(_decision(record), record.labels) for record in records]
    labels = dict.fromkeys(
        name for row, labels in rows for name, value in labels.items() if row.get(name) != value
    )
    for row, own in rows:
        yield row | {f"label_{name}": _plain(own.get(name)) for name in labels}


def _decision(record: DecisionRecord) -> dict[str, Any]:
    decision = record.decision
    choice = None if isinstance(decision, BeliefReport) else decision
    return {
        "episode": record.episode,
        "step": record.step,
        "question": record.question,
        "agent": record.agent,
        "policy": record.policy,
        "environment": record.environment,
        "protocol": record.protocol,
        "role": record.role,
        "node": record.node,
        "round": record.round,
        "options": _json(record.options),
        "choice": record.choice,
        "status": decision.status,
        "probabilities": _json(decision.probabilities),
        "provenance": None if choice is None else choice.provenance,
        "answer_mass": None if choice is None else choice.answer_mass,
        "reasoning": None if choice is None else choice.reasoning,
        "calls": len(decision.calls),
        "prompt_tokens": sum(call.prompt_tokens for call in decision.calls),
        "completion_tokens": sum(call.completion_tokens for call in decision.calls),
        "cost": sum(call.cost for call in decision.calls),
        "seconds": sum(call.seconds for call in decision.calls),
    }


def _plain(value: object) -> object:
    return value if isinstance(value, str | int | float | None) else _json(value)


def _json(value: object) -> str | None:
    return None if value is None else json.dumps(value, ensure_ascii=False)
