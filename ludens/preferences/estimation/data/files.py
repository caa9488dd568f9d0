"""The opening of a user's table: a data frame, a mapping of columns, or a file.

Files are CSV in any of its dialects, plain or compressed (.gz, .bz2, .xz, .zip), Excel workbooks, Parquet
and Stata files. CSV needs no other library; the others are read by pandas or polars, imported only then.
"""

from __future__ import annotations

import bz2
import csv
import gzip
import importlib
import io
import lzma
import os
import re
import tarfile
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from ludens.errors import UsageError
from ludens.preferences.estimation.data.columns import Codes, Column, Decimal, Places, Table, TextColumn

_TEXTS = frozenset({".csv", ".tsv", ".tab", ".txt"})
_EXCEL = frozenset({".xlsx", ".xlsm", ".xls", ".ods"})
_COMPRESSED = frozenset({".gz", ".bz2", ".xz", ".zip"})
UNREADABLE = (OSError, EOFError, csv.Error, lzma.LZMAError, zlib.error, zipfile.BadZipFile)
"""What the reading of a file raises that is damaged or not of the kind that its ending says."""

_DELIMITERS = ",;\t|"
_BREAK = re.compile(r"\r\n|\r|\n")

_BLOCK = 2000
"""Cells of a file that are held as texts at a time: they stay in the processor's cache."""

_MANY = 20_000
"""Distinct texts of a column above which numbering them takes longer than it saves."""


def is_table(path: str | os.PathLike[str]) -> bool:
    """Return whether a path's ending is that of a table's file."""
    return _kind(Path(path)) in {*_TEXTS, *_EXCEL, ".parquet", ".pq", ".dta"}


def open_table(
    table: Any,
    names: Mapping[str, str] | None = None,
    *,
    delimiter: str | None = None,
    decimal: Decimal | None = None,
    sheet: str | None = None,
) -> Table:
    """Open a table of any supported kind.

    Args:
        table: a data frame of pandas, polars or Arrow (lazy ones are collected), a mapping of column names to
            columns, or the path of a file with a header line.
        names: the user's name of a column by ours, where the two differ.
        delimiter: what stands between the cells of a CSV file; recognised in its header by default.
        decimal: the decimal mark of numbers that are texts; recognised by default.
        sheet: the name of a workbook's sheet; needed where there are several.

    Raises:
        UsageError: the table is of another kind, cannot be read, has no rows, or has columns of different
            lengths.
    """
    renamed = dict(names or {})
    if isinstance(table, str | os.PathLike):
        opened = _read_file(Path(table), renamed, delimiter=delimiter, decimal=decimal, sheet=sheet)
    elif isinstance(table, Mapping):
        cells = {str(name): _array(column) for name, column in table.items()}
        lengths = {name: len(column) for name, column in cells.items()}
        if len(set(lengths.values())) > 1:
            listed = ", ".join(f"{name} {length}" for name, length in lengths.items())
            raise UsageError(
                f"The table's columns have different lengths ({listed}); give every row a value in each."
            )
        opened = Table(cells, renamed, range(next(iter(lengths.values()), 0)), "row", decimal)
    else:
        opened = _of_frame(table, renamed, decimal)
    if not len(opened):
        raise UsageError("The table of choices has no rows; give one row for each choice.")
    return opened


def _kind(path: Path) -> str:
    suffix = path.suffix.lower()
    return Path(path.stem).suffix.lower() or ".csv" if suffix in _COMPRESSED else suffix


def _read_file(
    path: Path, names: Mapping[str, str], *, delimiter: str | None, decimal: Decimal | None, sheet: str | None
) -> Table:
    kind = _kind(path)
    if delimiter is not None and len(delimiter) != 1:
        raise UsageError(f"A delimiter is one character, such as ';'; got {delimiter!r}.")
    if sheet is not None and kind not in _EXCEL:
        raise UsageError(f"Only workbooks have sheets, and {path} is none: leave the sheet out.")
    if kind in _EXCEL:
        # The first row of data is the second of the sheet.
        frame = _read_workbook(path, sheet)
        opened = _of_frame(frame, names, decimal)
        return Table(opened.cells, names, range(2, len(opened) + 2), "row", decimal)
    if kind in {".parquet", ".pq"}:
        return _of_frame(_by_library(path, "Parquet", _PARQUET), names, decimal)
    if kind == ".dta":
        opened = _of_frame(_by_library(path, "Stata", _STATA), names, decimal)
        return Table(opened.cells, names, range(1, len(opened) + 1), "row", decimal)
    return _read_csv(path, names, delimiter, decimal)


Reader = tuple[str, str, dict[str, Any], str]
"""A library, its function, the function's settings, and what pip has to install."""

_PARQUET: tuple[Reader, ...] = (
    ("polars", "read_parquet", {}, "polars"),
    ("pandas", "read_parquet", {}, "pandas pyarrow"),
)
_STATA: tuple[Reader, ...] = (("pandas", "read_stata", {}, "pandas"),)
_WORKBOOK: tuple[Reader, ...] = (
    ("pandas", "read_excel", {"sheet_name": None}, "pandas openpyxl"),
    ("polars", "read_excel", {"sheet_id": 0}, "polars fastexcel"),
)


def _by_library(path: Path, kind: str, readers: Sequence[Reader]) -> Any:
    """Return what the first of some libraries that is installed reads from a file.

    Raises:
        UsageError: none is installed, or the file cannot be read.
    """
    if not path.is_file():
        raise UsageError(f"The table {path} cannot be read (there is no such file): name another file.")
    for library, function, settings, _ in readers:
        try:
            return getattr(importlib.import_module(library), function)(path, **settings)
        except ImportError:  # the library, or what it needs for this kind of file
            continue
        except Exception as error:
            reason = " ".join(str(error).split()) or type(error).__name__
            raise UsageError(
                f"The table {path} cannot be read ({reason}): give a valid {kind} file, or save it as CSV."
            ) from None
    raise UsageError(
        f"Reading {kind} files needs another library: pip install {readers[0][3]}, or save {path} as CSV."
    )


def _read_workbook(path: Path, sheet: str | None) -> Any:
    sheets = _by_library(path, "Excel", _WORKBOOK)
    filled = [name for name, frame in sheets.items() if len(frame)]
    if sheet is None and len(filled) <= 1:
        return sheets[(filled or list(sheets))[0]]
    if sheet in sheets:
        return sheets[sheet]
    said = "has several sheets" if sheet is None else f"has no sheet {sheet!r}"
    raise UsageError(f"The workbook {path} {said}: name one of {', '.join(sheets)} (sheet='…' or --sheet).")


def _of_frame(table: Any, names: Mapping[str, str], decimal: Decimal | None) -> Table:
    import narwhals as nw

    try:
        frame = nw.from_native(table)
        if isinstance(frame, nw.LazyFrame):
            frame = frame.collect()
        cells = {str(name): _array(frame.get_column(name)) for name in frame.columns}
    except nw.exceptions.DuplicateError:
        twice = [name for name, count in Counter(table.columns).items() if count > 1]
        raise UsageError(f"The table has two columns called {twice[0]!r}; rename one.") from None
    except (TypeError, AttributeError):
        raise UsageError(
            "A table of choices is a data frame (pandas, polars, Arrow), a mapping of columns or the path of "
            f"a file; got {type(table).__name__}."
        ) from None
    index = getattr(nw.to_native(frame), "index", None)
    rows: Sequence[Any] = list(index) if index is not None else range(len(frame))
    return Table(cells, names, rows, "row", decimal)


class _GrowingColumn:
    """A column of a file while it is read: numbered texts, as long as there are not too many of them."""

    def __init__(self) -> None:
        self._places = Places()
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


def _array(column: Any) -> NDArray[Any]:
    array = np.asarray(column.to_numpy() if hasattr(column, "to_numpy") else column)
    if array.ndim != 1:
        raise UsageError(f"A column of a table has one dimension; got shape {array.shape}.")
    return array


def _read_csv(path: Path, names: Mapping[str, str], delimiter: str | None, decimal: Decimal | None) -> Table:
    try:
        with open_text(path) as file:
            first = file.readline()
            mark = delimiter or _delimiter(first)
            reader = csv.reader(chain([first], file) if first else file, delimiter=mark)
            if mark == " ":
                reader = csv.reader(chain([first], file), delimiter=mark, skipinitialspace=True)
            header = [name.strip() for name in next(reader, [])]
            before, row = reader.line_num, next(reader, None)
            if row is not None and len(row) == len(header) + 1:  # R's names of rows, without a header
                header = ["", *header]
            twice = sorted(name for name, count in Counter(header).items() if count > 1)
            if twice:
                raise UsageError(f"The table {path} has two columns called {twice[0]!r}; rename one.")
            lines: list[int] = []
            columns = [_GrowingColumn() for _ in header]
            ahead = [] if row is None else [row]
            for rows in _blocks(reader, ahead, before, path=path, width=len(header), lines=lines):
                for column, cells in zip(columns, zip(*rows, strict=True), strict=True):
                    column.add(cells)
    except UNREADABLE as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise UsageError(f"The table {path} cannot be read ({reason}): name another file.") from None
    except UnicodeDecodeError:
        raise UsageError(
            f"The table {path} cannot be read (its text is not UTF-8): save it as “CSV UTF-8”."
        ) from None
    cells_of = {name: column.read() for name, column in zip(header, columns, strict=True)}
    return Table(cells_of, names, lines, "line", decimal)


def open_text(path: Path) -> IO[str]:
    """Open a text file for reading, plain or compressed as its ending says."""
    suffix = path.suffix.lower()
    openers: dict[str, Callable[[Path], Any]] = {
        ".gz": gzip.open,
        ".bz2": bz2.open,
        ".xz": lzma.open,
        ".zip": _only_member,
        ".tgz": _first_of_tar,
    }
    if path.name.lower().endswith(".tar.gz"):
        suffix = ".tgz"
    if suffix not in openers:
        return path.open(newline="", encoding="utf-8-sig")
    return io.TextIOWrapper(openers[suffix](path), newline="", encoding="utf-8-sig")


def _first_of_tar(path: Path) -> IO[bytes]:
    """Open the first file in a compressed tar archive; what stands behind it is not read."""
    try:
        archive = tarfile.open(path, "r:gz")  # noqa: SIM115  # what is returned reads from it
        while (member := archive.next()) is not None:
            content = archive.extractfile(member)
            if content is not None and not Path(member.name).name.startswith("._"):
                return content
    except tarfile.TarError as why:
        raise OSError(str(why)) from None
    raise UsageError(f"The archive {path} holds no file: put a table into it.")


def _only_member(path: Path) -> IO[bytes]:
    """Open the one file in a zip archive."""
    archive = zipfile.ZipFile(path)
    members = [name for name in archive.namelist() if not name.endswith("/") and "__MACOSX" not in name]
    if len(members) != 1:
        raise UsageError(f"The archive {path} holds {len(members)} files: put one table into it.")
    return archive.open(members[0])


def _delimiter(header: str) -> str:
    """Return what separates the cells of a header: what occurs most often in it outside of quotes."""
    bare = "".join(header.split('"')[::2])
    most = max(_DELIMITERS, key=bare.count)
    return most if most in bare or " " not in header.strip() else " "


def _blocks(
    reader: Any, ahead: Sequence[list[str]], before: int, *, path: Path, width: int, lines: list[int]
) -> Iterator[list[list[str]]]:
    """Yield the rows of a file in blocks, and add the number of each row's line to `lines`.

    Args:
        reader: the reader of the file.
        ahead: rows that were read already.
        before: the number of lines before them.
        path: the file, for messages.
        width: the number of cells of the header.
        lines: the numbers of lines.

    Raises:
        UsageError: a row has more or fewer cells than the header.
    """
    size = max(1, _BLOCK // max(width, 1))
    waiting = chain(ahead, reader)
    while rows := list(islice(waiting, size)):
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
                        "line, or name the delimiter."
                    )
        lines.extend(ends)
        before = reader.line_num
        if rows:
            yield rows


def _lines(row: Sequence[str]) -> int:
    """Return how many lines of a file a row takes."""
    return 1 + sum(len(_BREAK.findall(cell)) for cell in row)
