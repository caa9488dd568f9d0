"""Columns of a user's table: a pandas or polars data frame, a mapping of columns, or a CSV file.

No data frame library is imported. Error messages name the row and the column, and count rows as the user
does: by the line of a CSV file, by the index of a pandas frame, and from 0 elsewhere.
"""

from __future__ import annotations

import csv
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ludens.errors import UsageError

Floats = NDArray[np.float64]
Codes = NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class Table:
    """A table's columns.

    Attributes:
        cells: the columns by name, arrays of one length.
        names: the user's name of a column by ours, where the two differ.
        rows: the user's name of each row.
        row_word: ``"line"`` or ``"row"``.
    """

    cells: Mapping[str, NDArray[Any]]
    names: Mapping[str, str]
    rows: Sequence[Any]
    row_word: str

    def __len__(self) -> int:
        return len(self.rows)

    def __contains__(self, column: str) -> bool:
        return self.called(column) in self.cells

    def called(self, column: str) -> str:
        """Return the user's name of a column."""
        return self.names.get(column, column)

    def raw(self, column: str) -> NDArray[Any]:
        """Return a column as it was given.

        Raises:
            UsageError: there is no column of that name.
        """
        if column not in self:
            listed = ", ".join(map(str, self.cells)) or "none at all"
            raise UsageError(
                f"The table has no column {self.called(column)!r}, only {listed}: add it, or say which one "
                f"holds it ({column}='…')."
            )
        return self.cells[self.called(column)]

    def numbers(self, column: str) -> Floats:
        """Return a column of finite numbers.

        Raises:
            UsageError: a cell is empty, not a number or not finite.
        """
        cells = self.raw(column)
        try:
            array = np.asarray(cells).astype(np.float64)
        except (TypeError, ValueError):
            array = np.array([_number(cell) for cell in cells])
        wrong = np.flatnonzero(~np.isfinite(array))
        if len(wrong):
            cell = cells[wrong[0]]
            shown = repr(str(cell)) if isinstance(cell, str) else str(cell)
            what = "is empty" if is_empty(cell) else f"holds {shown}, no finite number"
            raise self.error(wrong[0], column, what)
        return array

    def indicators(self, column: str) -> Floats:
        """Return a column of zeros and ones, or of true and false.

        Raises:
            UsageError: a cell is anything else.
        """
        array = self.numbers(column)
        wrong = np.flatnonzero((array != 0) & (array != 1))
        if len(wrong):
            raise self.error(wrong[0], column, f"holds {array[wrong[0]]:g} where only 0 or 1 may stand")
        return array

    def shares(self, column: str) -> Floats:
        """Return a column of probabilities.

        Raises:
            UsageError: a cell lies outside [0, 1].
        """
        array = self.numbers(column)
        wrong = np.flatnonzero((array < 0) | (array > 1))
        if len(wrong):
            raise self.error(wrong[0], column, f"holds {array[wrong[0]]:g}, no probability between 0 and 1")
        return array

    def keys(self, column: str) -> tuple[Codes, list[str]]:
        """Return a column of names as numbers, and the distinct names in order of first appearance.

        Raises:
            UsageError: a cell is empty.
        """
        cells = self.raw(column)
        texts = cells if cells.dtype.kind == "U" else None
        if texts is None:
            if cells.dtype.kind in "iub":
                texts = cells.astype(str)
            else:
                empty = next((place for place, cell in enumerate(cells) if is_empty(cell)), None)
                if empty is not None:
                    raise self.error(empty, column, "is empty")
                texts = np.array([_text(cell) for cell in cells], dtype=str)
        texts = np.char.strip(texts)
        empty_rows = np.flatnonzero(texts == "")
        if len(empty_rows):
            raise self.error(empty_rows[0], column, "is empty")
        return first_seen(texts)

    def error(self, row: int, column: str | None, what: str) -> UsageError:
        """Return the error of one cell or, without a column, of one row; `what` completes the sentence."""
        where = f"{self.row_word} {self.rows[int(row)]}"
        cell = f"column {self.called(column)!r} " if column is not None else ""
        said = f"In {where} of the table {cell}{what}."
        # A file may hold anything, and an error is one line.
        return UsageError("".join(char if char.isprintable() else repr(char)[1:-1] for char in said))


def open_table(table: Any, names: Mapping[str, str] | None = None) -> Table:
    """Open a table of any supported kind.

    Args:
        table: a pandas or polars data frame, a mapping of column names to columns, or the path of a CSV file
            (UTF-8, a header line, commas).
        names: the user's name of a column by ours, where the two differ.

    Raises:
        UsageError: the table is of another kind, cannot be read, has no rows, or has columns of different
            lengths.
    """
    found = dict(names or {})
    if isinstance(table, str | os.PathLike):
        opened = _read_csv(Path(table), found)
    elif isinstance(table, Mapping):
        cells = {str(name): _array(column) for name, column in table.items()}
        lengths = {name: len(column) for name, column in cells.items()}
        if len(set(lengths.values())) > 1:
            listed = ", ".join(f"{name} {length}" for name, length in lengths.items())
            raise UsageError(
                f"The table's columns have different lengths ({listed}); give every row a value in each."
            )
        opened = Table(cells, found, range(next(iter(lengths.values()), 0)), "row")
    elif hasattr(table, "columns") and hasattr(table, "__getitem__"):
        columns = list(table.columns)
        cells = {str(name): _array(table[name]) for name in columns}
        index = getattr(table, "index", None)
        rows: Sequence[Any] = list(index) if index is not None else range(len(table))
        opened = Table(cells, found, rows, "row")
    else:
        raise UsageError(
            "A table of choices is a pandas or polars data frame, a mapping of columns or the path of a CSV "
            f"file; got {type(table).__name__}."
        )
    if not len(opened):
        raise UsageError("The table of choices has no rows; give one row for each choice.")
    return opened


def first_seen(values: NDArray[Any]) -> tuple[Codes, list[Any]]:
    """Number values in order of first appearance; return the numbers and the distinct values."""
    found, first, inverse = np.unique(values, return_index=True, return_inverse=True)
    order = np.argsort(first, kind="stable")
    rank = np.empty(len(order), dtype=np.intp)
    rank[order] = np.arange(len(order))
    return rank[inverse.reshape(-1)], found[order].tolist()


def combined(*columns: NDArray[Any]) -> tuple[Codes, Codes]:
    """Number the distinct rows in order of first appearance; return the numbers and the first row of each."""
    codes = np.zeros(len(columns[0]), dtype=np.intp)
    for column in columns:
        _, inverse = np.unique(column, return_inverse=True)
        # Packed anew at each step, the numbers stay below the square of the rows.
        _, codes = np.unique(
            codes * (int(inverse.max(initial=0)) + 1) + inverse.reshape(-1), return_inverse=True
        )
    numbers, _ = first_seen(codes)
    return numbers, np.unique(numbers, return_index=True)[1]


def is_empty(cell: object) -> bool:
    """Return whether a cell is empty: None, NaN, pandas' NA, or blank text."""
    if cell is None or type(cell).__name__ in {"NAType", "NaTType"}:
        return True
    if isinstance(cell, str):
        return not cell.strip()
    return isinstance(cell, float | np.floating) and math.isnan(cell)


def _number(cell: object) -> float:
    try:
        return float(cell)  # type: ignore[arg-type]  # what is not a number is what this finds out
    except (TypeError, ValueError):
        return math.nan


def _text(cell: object) -> str:
    # A column of whole numbers with a gap elsewhere comes as floats: 3.0 is subject 3.
    if isinstance(cell, float | np.floating) and float(cell).is_integer():
        return str(int(cell))
    return str(cell)


def _array(column: Any) -> NDArray[Any]:
    array = np.asarray(column.to_numpy() if hasattr(column, "to_numpy") else column)
    if array.ndim != 1:
        raise UsageError(f"A column of a table has one dimension; got shape {array.shape}.")
    return array


def _read_csv(path: Path, names: Mapping[str, str]) -> Table:
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.reader(file)
            header = [name.strip() for name in next(reader, [])]
            rows, lines = [], []
            for row in reader:
                if not row:
                    continue
                if len(row) != len(header):
                    raise UsageError(
                        f"Line {reader.line_num} of {path} has {len(row)} cells and its header "
                        f"{len(header)}; correct that line."
                    )
                rows.append(row)
                lines.append(reader.line_num)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise UsageError(f"The table {path} cannot be read ({reason}); give a CSV file in UTF-8.") from None
    twice = sorted({name for name in header if header.count(name) > 1})
    if twice:
        raise UsageError(f"The table {path} has two columns called {twice[0]!r}; rename one.")
    columns = zip(*rows, strict=True) if rows else [() for _ in header]
    cells = {name: np.array(column, dtype=str) for name, column in zip(header, columns, strict=True)}
    return Table(cells, names, lines, "line")
