"""Rows as data frames of pandas, polars or Arrow, and as Parquet files."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

from ludens.checks import check_choice
from ludens.errors import UsageError
from ludens.experiments.runs.columns import Column, ColumnType

if TYPE_CHECKING:
    import narwhals as nw

Library = Literal["pandas", "polars", "pyarrow"]


def data_frame(rows: Iterable[Mapping[str, Any]], columns: Sequence[Column], library: Library) -> Any:
    r"""Return rows as a data frame.

    Columns that are not described have the type of their values: whole numbers, numbers, booleans, lists of
    texts or of numbers, and texts otherwise. An empty cell is the library's missing value; where pandas has
    none for whole numbers and booleans, their column holds numbers or objects. Half a surrogate pair, which
    no library takes, is written out (``\ud800``).

    Args:
        rows: the rows; what a row lacks is empty.
        columns: what is known of them, by name.
        library: ``"pandas"``, ``"polars"`` or ``"pyarrow"``.

    Raises:
        UsageError: the library is not installed.
    """
    frame: Any = _frame(rows, columns, library).to_native()
    return frame


def write_parquet(rows: Iterable[Mapping[str, Any]], columns: Sequence[Column], target: Path) -> None:
    """Write rows as a Parquet file, by pyarrow or by polars; columns as in `data_frame`.

    Raises:
        UsageError: neither is installed.
        OSError: the file cannot be written.
    """
    _frame(rows, columns, parquet_library()).write_parquet(target)


def parquet_library() -> Library:
    """Return the library that writes Parquet here.

    Raises:
        UsageError: there is none.
    """
    installed = [name for name in ("pyarrow", "polars") if find_spec(name) is not None]
    if not installed:
        raise UsageError("Parquet needs pyarrow or polars, and neither is installed: pip install pyarrow.")
    return "pyarrow" if installed[0] == "pyarrow" else "polars"


def check_library(library: str) -> None:
    """Raise UsageError unless data frames of the library can be made here."""
    check_choice("A data frame", "library", library, get_args(Library))
    if find_spec(library) is None:
        raise UsageError(f"{library} is not installed: pip install {library}.")


def _frame(
    rows: Iterable[Mapping[str, Any]], columns: Sequence[Column], library: Library
) -> nw.DataFrame[Any]:
    check_library(library)
    import narwhals as nw

    given = list(rows)
    known: dict[str, ColumnType] = {column.name: column.type for column in columns}
    given = [{as_text(name): value for name, value in row.items()} for row in given]
    names = dict.fromkeys(name for row in given for name in row)
    if not given:
        names = dict.fromkeys(name for name in known if "…" not in name)
    data: dict[str, list[Any]] = {}
    types: dict[str, Any] = {}
    for name in names:
        values = [row.get(name) for row in given]
        kind = known.get(name) or _kind(values) or _family(name, known)
        data[name] = [None if value is None else _cell(value, kind) for value in values]
        types[name] = _type(kind, nw, library, lacking=None in values)
    found: nw.DataFrame[Any] = nw.from_dict(data, schema=types, backend=library)
    return found


def _family(name: str, known: Mapping[str, ColumnType]) -> ColumnType:
    """Return the type of an empty column, of which others of its kind are known: ``payoff …``."""
    families = ((each.removesuffix("…"), kind) for each, kind in known.items() if each.endswith("…"))
    kinds = (kind for start, kind in families if start and name.startswith(start))
    return next(kinds, "text")


def _kind(values: Sequence[Any]) -> ColumnType | None:
    """Return the type of values that nothing is known of; None where there are none."""
    given = [value for value in values if value is not None]
    if not given:
        return None
    if any(isinstance(value, int) and not -(2**63) <= value < 2**63 for value in given):
        return "text"  # no library has such numbers
    kinds: tuple[tuple[ColumnType, Any], ...] = (("boolean", bool), ("integer", int), ("number", int | float))
    for kind, python in kinds:
        if all(isinstance(value, python) for value in given):
            mixed = kind != "boolean" and any(isinstance(value, bool) for value in given)
            return "text" if mixed else kind
    return "text"


def _cell(value: Any, kind: ColumnType) -> Any:
    if kind == "number":
        return float(value)
    if kind == "texts":
        return [as_text(each) for each in value]
    if kind in {"text", "JSON"}:
        return as_text(value)
    return value


def as_text(value: Any) -> str:
    """Return a text, or what is none as JSON, as every file and library takes it: half a surrogate pair is
    written out.
    """
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return text.encode("utf-8", "backslashreplace").decode()


def _type(kind: ColumnType, nw: Any, library: Library, *, lacking: bool) -> Any:
    if library == "pandas":
        if kind in {"texts", "numbers"} or (kind == "boolean" and lacking):
            return nw.Object()
        if kind == "integer" and lacking:
            return nw.Float64()
    types = {
        "integer": nw.Int64(),
        "number": nw.Float64(),
        "boolean": nw.Boolean(),
        "texts": nw.List(nw.String()),
        "numbers": nw.List(nw.Float64()),
    }
    return types.get(kind, nw.String())
