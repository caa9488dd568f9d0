"""Columns of a user's table, and what its cells mean.

Error messages name the row and the column, and count rows as the user does: by the line of a CSV file, by
the row of a spreadsheet, by the index of a pandas frame, and from 0 elsewhere. Texts are numbered as they are
read, and each distinct one is interpreted once: tables of choices have many rows and few values.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ludens.errors import UsageError

Floats = NDArray[np.float64]
Codes = NDArray[np.intp]


Decimal = Literal[".", ","]

_LISTED = 20
"""Names of columns that a message lists."""

_BLANK = frozenset({"", "na", "n/a", "nan", "null", "."})
"""What programs write into an empty cell, in small letters."""

_TRUTH = {"true": 1.0, "t": 1.0, "yes": 1.0, "false": 0.0, "f": 0.0, "no": 0.0}
"""Words for true and false, in small letters; R writes TRUE and FALSE."""

_DECIMAL_COMMA = re.compile(r"[+-]?\d*,\d+")
_PERHAPS_THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2},\d{3}")


class BlankCellError(UsageError):
    """Empty cells in a column where each row needs a value.

    Attributes:
        column: the user's name of the column.
        rows: the places of the rows concerned, from 0.
    """

    def __init__(self, message: str, column: str, rows: Codes) -> None:
        super().__init__(message)
        self.column = column
        self.rows = rows


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

    def take(self, rows: NDArray[Any]) -> TextColumn:
        """Return the column of some rows, by their numbers or by a mask."""
        codes, places = first_seen(self.codes[rows])
        return TextColumn([self.distinct[place] for place in places], codes)


Column = NDArray[Any] | TextColumn


@dataclass(frozen=True, eq=False)
class Table:
    """A table's columns.

    Attributes:
        cells: the columns by name, all of one length.
        names: the user's name of a column by ours, where the two differ.
        rows: the user's name of each row.
        row_word: ``"line"`` or ``"row"``.
        decimal: the decimal mark of numbers that are texts; None recognises it, column by column.
        codes: our name of an answer by the user's, as in ``{"left": "x"}``.
    """

    cells: Mapping[str, Column]
    names: Mapping[str, str]
    rows: Sequence[Any]
    row_word: str
    decimal: Decimal | None = None
    codes: Mapping[str, str] = field(default_factory=dict)

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

    def without(self, rows: Codes) -> Table:
        """Return the table without some rows."""
        kept = np.ones(len(self), dtype=bool)
        kept[rows] = False
        cells = {
            name: column.take(kept) if isinstance(column, TextColumn) else column[kept]
            for name, column in self.cells.items()
        }
        return replace(self, cells=cells, rows=[self.rows[row] for row in np.flatnonzero(kept).tolist()])

    def numbers(self, column: str) -> Floats:
        """Return a column of finite numbers.

        Raises:
            BlankCellError: a cell is empty.
            UsageError: a cell is not a number or not finite.
        """
        return self._numbers(column, {}, "write one such as 12 or 3.5")

    def indicators(self, column: str) -> Floats:
        """Return a column of zeros and ones, or of true and false.

        Raises:
            BlankCellError: a cell is empty.
            UsageError: a cell is anything else.
        """
        array = self._numbers(column, _TRUTH, "write 1 or 0, or TRUE or FALSE")
        wrong = np.flatnonzero((array != 0) & (array != 1))
        if len(wrong):
            held = f"holds {array[wrong[0]]:g} where only 0 or 1 may stand: write 1 for yes and 0 for no"
            raise self.error(wrong[0], column, held)
        return array

    def _numbers(self, column: str, words: Mapping[str, float], remedy: str) -> Floats:
        cells = self.raw(column)
        if isinstance(cells, TextColumn):
            array = self._floats(column, cells.distinct, words)[cells.codes]
        else:
            try:
                array = cells.astype(np.float64)
            except (TypeError, ValueError):
                array = self._floats(column, cells.tolist(), words)
        wrong = np.flatnonzero(~np.isfinite(array))
        if len(wrong):
            blank = np.array([is_blank(cells[row]) for row in wrong.tolist()])
            if blank.any():
                raise self.blank(wrong[blank], column)
            cell = cells[wrong[0]]
            shown = repr(str(cell)) if isinstance(cell, str) else str(cell)
            raise self.error(wrong[0], column, f"holds {shown}, no finite number: {remedy}")
        return array

    def _floats(self, column: str, cells: Sequence[object], words: Mapping[str, float]) -> Floats:
        """Return cells as numbers, those that are none as NaN."""
        array = _floats(cells)
        lost = [place for place in np.flatnonzero(np.isnan(array)).tolist() if isinstance(cells[place], str)]
        texts = [str(cells[place]).strip() for place in lost]
        for place, text in zip(lost, texts, strict=True):
            array[place] = words.get(text.lower(), math.nan)
        if self.decimal == "." or not (commas := [text for text in texts if _DECIMAL_COMMA.fullmatch(text)]):
            return array
        if self.decimal is None and all(map(_PERHAPS_THOUSANDS.fullmatch, commas)):
            row = next(row for row in range(len(self)) if str(self.raw(column)[row]).strip() == commas[0])
            raise self.error(
                row,
                column,
                f"holds {commas[0]!r}, whose comma may stand before decimals or after thousands: name the "
                "decimal mark (decimal=',' or --decimal ,), or leave out the commas of thousands",
            )
        for place, text in zip(lost, texts, strict=True):
            if _DECIMAL_COMMA.fullmatch(text):
                array[place] = float(text.replace(",", "."))
        return array

    def shares(self, column: str) -> Floats:
        """Return a column of probabilities.

        Raises:
            UsageError: a cell lies outside [0, 1].
        """
        array = self.numbers(column)
        wrong = np.flatnonzero((array < 0) | (array > 1))
        if len(wrong):
            held = f"holds {array[wrong[0]]:g}, no probability between 0 and 1: write a share such as 0.25"
            raise self.error(wrong[0], column, held)
        return array

    def keys(self, column: str) -> tuple[Codes, list[str]]:
        """Return a column of names as numbers, and the distinct names in order of first appearance.

        Raises:
            BlankCellError: a cell is empty.
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
            empty = [place for place, cell in enumerate(listed) if is_empty(cell)]
            if empty:
                raise self.blank(np.array(empty), column)
            column_of_texts = numbered(map(_text, listed), len(listed))
        stripped = numbered(map(str.strip, column_of_texts.distinct), len(column_of_texts.distinct))
        codes = stripped.codes[column_of_texts.codes]
        if "" in stripped.distinct:
            raise self.blank(np.flatnonzero(codes == stripped.distinct.index("")), column)
        return codes, stripped.distinct

    def answers(self, column: str) -> tuple[Codes, list[str]]:
        """Return a column of answers like `keys`, with the user's codes translated.

        Raises:
            BlankCellError: a cell is empty, or holds a program's word for that (NA).
        """
        codes, texts = self.keys(column)
        blank = [place for place, text in enumerate(texts) if is_blank(text) and text not in self.codes]
        if blank:
            raise self.blank(np.flatnonzero(np.isin(codes, blank)), column)
        translated = numbered((self.codes.get(text, text) for text in texts), len(texts))
        return translated.codes[codes], translated.distinct

    def blank(self, rows: Codes, column: str) -> BlankCellError:
        """Return the error of empty cells; the message names the first."""
        return BlankCellError(str(self.error(rows[0], column, "is empty")), self.called(column), rows)

    def error(self, row: int, column: str | None, what: str) -> UsageError:
        """Return the error of one cell or, without a column, of one row; `what` completes the sentence."""
        where = f"{self.row_word} {self.rows[int(row)]}"
        cell = f"column {self.called(column)!r} " if column is not None else ""
        said = f"In {where} of the table {cell}{what}."
        # A file may hold anything, and an error is one line.
        return UsageError("".join(char if char.isprintable() else repr(char)[1:-1] for char in said))


def numbered(texts: Iterable[str], count: int) -> TextColumn:
    """Number so many texts in order of first appearance."""
    places = Places()
    codes = np.fromiter(map(places.__getitem__, texts), np.intp, count)
    return TextColumn(list(places), codes)


class Places(dict[str, int]):
    """The place of each text that was asked for, in order of first appearance."""

    def __missing__(self, text: str) -> int:
        place = self[text] = len(self)
        return place


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


def is_blank(cell: object) -> bool:
    """Return whether a cell is empty, or holds what programs write into an empty cell (NA)."""
    return is_empty(cell) or (isinstance(cell, str) and cell.strip().lower() in _BLANK)


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
