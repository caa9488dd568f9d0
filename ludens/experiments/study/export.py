"""Tables of a run as files and as data frames: one row per decision, call and episode, and per estimate of
its study.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from ludens.checks import check_choice
from ludens.errors import UsageError
from ludens.experiments.runs.columns import COLUMNS, Column
from ludens.experiments.runs.database import StoreError, reason
from ludens.experiments.runs.files import as_csv, as_json_lines, beside, draft_of, plain, write_table
from ludens.experiments.runs.frames import Library, check_library, data_frame, parquet_library, write_parquet
from ludens.experiments.runs.run import RUN_TABLES, Run
from ludens.experiments.study.base import Columns, Rows
from ludens.experiments.study.engine import load

Format = Literal["csv", "jsonl", "parquet"]

ENDINGS = (".csv", ".json", ".jsonl", ".parquet")
"""Of files that hold one table."""


def export(
    path: str | os.PathLike[str],
    target: str | os.PathLike[str] | None = None,
    *,
    table: str | None = None,
    format: Format | None = None,
) -> dict[str, Path]:
    """Write the tables of a run, finished or not.

    Args:
        path: the run's file.
        target: a folder for all tables; of one table the file, which ends in ``.csv``, ``.json``, ``.jsonl``
            (one object per line) or ``.parquet``. None for names beside the run.
        table: the name of one table; None for all.
        format: ``"csv"``, ``"jsonl"`` or ``"parquet"``; None for what the file's ending says, and for CSV.

    Returns:
        The files by the names of the tables.

    Raises:
        NoRunError: the file is not a run.
        UsageError: there is no such table or format, the file has another ending, or Parquet cannot be
            written here.
        StoreError: a file cannot be written.
    """
    check_choice("The export", "format", format, ("csv", "jsonl", "parquet", None))
    ending = f".{format or 'csv'}"
    if table is None and target is not None and Path(target).resolve() == Path(path).resolve():
        raise UsageError(f"{target} is the run itself: name another folder for the tables.")
    tables, columns = _tables(path)
    if table is not None:
        _check_table(path, table, tables)
        file = beside(path, f"-{table}{ending}") if target is None else Path(target)
        check_target(file, path)
        if format is not None and file.suffix.lower() != ending:
            raise UsageError(f"{file} does not end in {ending}: name another file, or leave out the format.")
        return {table: write_rows(tables[table], file, columns=columns.get(table, ()))}
    folder = beside(path, "-tables") if target is None else Path(target)
    # Most runs ask no model: their table of calls would be an empty file.
    files = {name: folder / f"{name}{ending}" for name in tables if name != "calls" or tables[name]}
    for name, file in files.items():
        if file.parent != folder:
            raise UsageError(f"{name!r} cannot be the name of a table: use plain words.")
        check_target(file)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(
            f"The tables cannot be written to {folder} ({reason(error)}): name another folder; the run is "
            "kept."
        ) from None
    return {
        name: write_rows(tables[name], file, columns=columns.get(name, ())) for name, file in files.items()
    }


def frame(path: str | os.PathLike[str], table: str = "decisions", library: Library = "pandas") -> Any:
    """Return a table of a run, finished or not, as a data frame.

    Args:
        path: the run's file.
        table: ``"decisions"``, ``"calls"``, ``"episodes"``, or a table of the run's study (``"estimates"``).
        library: ``"pandas"``, ``"polars"`` or ``"pyarrow"``.

    Raises:
        NoRunError: the file is not a run.
        UsageError: there is no such table, or the library is not installed.
    """
    check_library(library)
    tables, columns = _tables(path)
    _check_table(path, table, tables)
    return data_frame(tables[table], columns.get(table, ()), library)


def check_target(target: str | os.PathLike[str], run: str | os.PathLike[str] | None = None) -> None:
    """See that a table can be written to a file.

    Args:
        target: the file.
        run: the file of the run, which no table replaces; None where it has no name yet.

    Raises:
        UsageError: the file has another ending than those of tables, it is the run's, or Parquet cannot be
            written here.
    """
    ending = Path(target).suffix.lower()
    if ending not in ENDINGS:
        raise UsageError(
            f"{target} must end in {', '.join(ENDINGS[:-1])} or {ENDINGS[-1]}: name another file."
        )
    if run is not None and Path(target).resolve() == Path(run).resolve():
        raise UsageError(f"{target} is the run itself: name another file for the table.")
    if ending == ".parquet":
        parquet_library()


def write_rows(
    rows: Rows,
    target: str | os.PathLike[str],
    again: str = "name another file; the run is kept.",
    *,
    columns: Sequence[Column] = (),
) -> Path:
    """Write rows as a file, in the format that its ending names. It is replaced whole or not at all.

    Args:
        rows: of the table.
        target: the file.
        again: ends the error's sentence by saying what to do.
        columns: what is known of the columns, which gives Parquet their types.

    Raises:
        UsageError: it has another ending.
        StoreError: it cannot be written.
    """
    check_target(target)
    ending = Path(target).suffix.lower()
    if ending == ".parquet":
        try:
            with draft_of(Path(target)) as draft:
                write_parquet(rows, columns, draft)
        except OSError as error:
            raise StoreError(f"The table cannot be written to {target} ({reason(error)}): {again}") from None
        return Path(target)
    if ending == ".jsonl":
        return write_table(as_json_lines(rows), target, again)
    if ending == ".json":
        text = json.dumps([plain(dict(row)) for row in rows], indent=1, default=str) + "\n"
        return write_table(text, target, again)
    return write_table(as_csv(rows), target, again)


def _tables(path: str | os.PathLike[str]) -> tuple[dict[str, Rows], Columns]:
    """Return all tables of a run by name, and what is known of their columns."""
    study, result = load(path)
    with Run(path) as run:
        tables: dict[str, Rows] = {**study.tables(result), **{name: run.rows(name) for name in RUN_TABLES}}
    return tables, {**study.columns, **COLUMNS}


def _check_table(path: str | os.PathLike[str], table: str, tables: Mapping[str, Rows]) -> None:
    if table not in tables:
        raise UsageError(f"{path} has no table {table!r}; there are {', '.join(tables)}.")
