"""Columns of a user's table: a pandas or polars data frame, a mapping of columns, or a CSV file.

No data frame library is imported. Error messages name the row and the column, and count rows as the user
does: by the line of a CSV file, by the index of a pandas frame, and from 0 elsewhere. Texts are numbered as
they are read, and each distinct one is interpreted once: tables of choices have many rows and few values.
"""

from __future__ import annotations

import csv
import math
import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ludens.errors import UsageError

Floats = NDArray[np.float64]
Codes = NDArray[np.intp]


_BLOCK = 2000
"""Cells of a file that are held as texts at a time: they stay in the processor's cache."""

_MANY = 20_000
"""Distinct texts of a column above which numbering them takes longer than it saves."""

_BREAK = re.compile(r"\r\n|\r|\n")

_LISTED = 20
"""Names of columns that a message lists."""


@dataclass(frozen=True, eq=False)
class TextColumn:
    """A column of texts.

    Attributes:
        distinct: the texts, each once, in order of first appearance.
        codes: the place of each row's text among them, shape (rows,).
    """

    distinct: list[str]
    codes: Codes

    def __len__(self) -> int:
        return len(self.codes)

    def __getitem__(self, row: int) -> str:
        return self.distinct[int(self.codes[row])]


Column = NDArray[Any] | TextColumn


@dataclass(frozen=True, eq=False)
class Table:
    """A table's columns.

    Attributes:
        cells: the columns by name, all of one length.
        names: the user's name of a column by ours, where the two differ.
        rows: the user's name of each row.
        row_word: ``"line"`` or ``"row"``.
    """

    cells: Mapping[str, Column]
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

    @property
    def listed(self) -> str:
        """The user's names of the columns, for messages; of many columns the first."""
        more = len(self.cells) - _LISTED
        names = ", ".join(islice(map(str, self.cells), _LISTED)) or "none at all"
        return f"{names} and {more:,} more" if more > 0 else names

    def raw(self, column: str) -> Column:
        """Return a column as it was given.

        Raises:
            UsageError: there is no column of that name.
        """
        if column not in self:
            raise UsageError(
                f"The table has no column {self.called(column)!r}, only {self.listed}: add it, or say which "
                f"one holds it ({column}='…')."
            )
        return self.cells[self.called(column)]

    def numbers(self, column: str) -> Floats:
        """Return a column of finite numbers.

        Raises:
            UsageError: a cell is empty, not a number or not finite.
        """
        cells = self.raw(column)
        if isinstance(cells, TextColumn):
            array = _floats(cells.distinct)[cells.codes]
        else:
            try:
                array = cells.astype(np.float64)
            except (TypeError, ValueError):
                array = _floats(cells.tolist())
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
        if isinstance(cells, TextColumn):
            column_of_texts = cells
        elif cells.dtype.kind in "iub":
            codes, values = first_seen(cells)
            return codes, [str(value) for value in values]
        elif cells.dtype.kind == "U":
            column_of_texts = numbered(cells.tolist(), len(cells))
        else:
            listed = cells.tolist()
            empty = next((place for place, cell in enumerate(listed) if is_empty(cell)), None)
            if empty is not None:
                raise self.error(empty, column, "is empty")
            column_of_texts = numbered(map(_text, listed), len(listed))
        stripped = numbered(map(str.strip, column_of_texts.distinct), len(column_of_texts.distinct))
        codes = stripped.codes[column_of_texts.codes]
        if "" in stripped.distinct:
            raise self.error(int(np.argmax(codes == stripped.distinct.index(""))), column, "is empty")
        return codes, stripped.distinct

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


def numbered(texts: Iterable[str], count: int) -> TextColumn:
    """Number so many texts in order of first appearance."""
    places = _Places()
    codes = np.fromiter(map(places.__getitem__, texts), np.intp, count)
    return TextColumn(list(places), codes)


class _Places(dict[str, int]):
    """The place of each text that was asked for, in order of first appearance."""

    def __missing__(self, text: str) -> int:
        place = self[text] = len(self)
        return place


class _GrowingColumn:
    """A column of a file while it is read: numbered texts, as long as there are not too many of them."""

    def __init__(self) -> None:
        self._places = _Places()
        self._codes: list[Codes] = []
        self._texts: list[NDArray[np.str_]] = []

    def add(self, cells: Sequence[str]) -> None:
        """Add the cells of some rows."""
        if len(self._places) > _MANY:
            self._texts.append(np.array(cells))
        else:
            self._codes.append(np.fromiter(map(self._places.__getitem__, cells), np.intp, len(cells)))

    def read(self) -> Column:
        """Return the column."""
        distinct = list(self._places)
        codes = np.concatenate(self._codes) if self._codes else np.zeros(0, dtype=np.intp)
        if not self._texts:
            return TextColumn(distinct, codes)
        return np.concatenate([np.array(distinct)[codes], *self._texts])


def first_seen(values: NDArray[Any]) -> tuple[Codes, list[Any]]:
    """Number values in order of first appearance; return the numbers and the distinct values."""
    codes, firsts = _numbered_codes(*_codes(values))
    return codes, values[firsts].tolist()


def combined(*columns: NDArray[Any]) -> tuple[Codes, Codes]:
    """Number the distinct rows in order of first appearance; return the numbers and the first row of each."""
    packed, size = np.zeros(len(columns[0]), dtype=np.int64), 1
    for column in columns:
        codes, distinct = _codes(column)
        if size * distinct > 2**62:
            packed, size = _codes(packed)
        packed, size = packed * distinct + codes, size * distinct
    return _numbered_codes(packed, size)


def _codes(column: NDArray[Any]) -> tuple[NDArray[np.int64], int]:
    """Return whole numbers of at least 0 that are equal where the cells are, and a number above them all."""
    if column.dtype.kind in "iub" and len(column):
        low, high = int(column.min()), int(column.max())
        if low >= 0 and high < 4 * len(column):  # numbers already, as those of names are
            return column.astype(np.int64), high + 1
    distinct, inverse = np.unique(column, return_inverse=True)
    return inverse.reshape(-1).astype(np.int64), max(len(distinct), 1)


def _numbered_codes(codes: NDArray[np.int64], size: int) -> tuple[Codes, Codes]:
    """Number codes below `size` in order of first appearance; return the numbers and the first place of
    each.
    """
    if size > 8 * len(codes):
        codes, size = _codes(codes)
    first = np.full(size, -1, dtype=np.intp)
    first[codes[::-1]] = np.arange(len(codes) - 1, -1, -1)  # of equal codes the last assignment stays
    present = np.flatnonzero(first >= 0)
    order = present[np.argsort(first[present])]
    rank = np.empty(size, dtype=np.intp)
    rank[order] = np.arange(len(order))
    return rank[codes], first[order]


def is_empty(cell: object) -> bool:
    """Return whether a cell is empty: None, NaN, pandas' NA, or blank text."""
    if cell is None or type(cell).__name__ in {"NAType", "NaTType"}:
        return True
    if isinstance(cell, str):
        return not cell.strip()
    return isinstance(cell, float | np.floating) and math.isnan(cell)


def _floats(cells: Sequence[object]) -> Floats:
    """Return cells as numbers; what is not one is NaN."""
    try:
        return np.fromiter(map(float, cells), np.float64, len(cells))  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        return np.fromiter(map(_number, cells), np.float64, len(cells))


def _number(cell: object) -> float:
    try:
        return float(cell)  # type: ignore[arg-type]  # what is not a number is what this finds out
    except (TypeError, ValueError, OverflowError):
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
            twice = sorted(name for name, count in Counter(header).items() if count > 1)
            if twice:
                raise UsageError(f"The table {path} has two columns called {twice[0]!r}; rename one.")
            lines: list[int] = []
            columns = [_GrowingColumn() for _ in header]
            for rows in _blocks(reader, path, len(header), lines):
                for column, cells in zip(columns, zip(*rows, strict=True), strict=True):
                    column.add(cells)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise UsageError(f"The table {path} cannot be read ({reason}); give a CSV file in UTF-8.") from None
    cells_of = {name: column.read() for name, column in zip(header, columns, strict=True)}
    return Table(cells_of, names, lines, "line")


def _blocks(reader: Any, path: Path, width: int, lines: list[int]) -> Iterator[list[list[str]]]:
    """Yield the rows of a file in blocks, and add the number of each row's line to `lines`.

    Raises:
        UsageError: a row has more or fewer cells than the header.
    """
    size = max(1, _BLOCK // max(width, 1))
    before = reader.line_num
    while rows := list(islice(reader, size)):
        ends: Sequence[int] = range(before + 1, reader.line_num + 1)
        if len(ends) != len(rows):  # cells with breaks in them
            ends = (before + np.cumsum([_lines(row) for row in rows])).tolist()
        if set(map(len, rows)) != {width}:
            kept = [(row, end) for row, end in zip(rows, ends, strict=True) if row]
            rows, ends = [row for row, _ in kept], [end for _, end in kept]
            for row, end in kept:
                if len(row) != width:
                    raise UsageError(
                        f"Line {end} of {path} has {len(row)} cells and its header {width}; correct that "
                        "line."
                    )
        lines.extend(ends)
        before = reader.line_num
        if rows:
            yield rows


def _lines(row: Sequence[str]) -> int:
    """Return how many lines of a file a row takes."""
    return 1 + sum(len(_BREAK.findall(cell)) for cell in row)
