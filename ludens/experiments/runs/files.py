"""Files that are written whole or not at all."""

from __future__ import annotations

import csv
import io
import json
import math
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from ludens.display.printable import harmless
from ludens.experiments.runs.database import PACKED, StoreError, reason


@contextmanager
def draft_of(target: Path) -> Iterator[Path]:
    """Give a draft beside the target to be filled: it takes the target's place at the end, or is removed on
    an error.

    Raises:
        OSError: it cannot take that place; a file that was there before still is.
    """
    draft = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        yield draft
        draft.replace(target)
    finally:
        with suppress(OSError):  # where the folder is none, there is no draft either
            draft.unlink()


def write_whole(target: Path, content: str | bytes) -> None:
    """Write a file whole or not at all, durably; a text in UTF-8.

    Raises:
        OSError: it cannot be written; one that was there before still is.
    """
    with draft_of(target) as draft, draft.open("wb") as file:
        file.write(content.encode() if isinstance(content, str) else content)
        file.flush()
        os.fsync(file.fileno())


def as_csv(rows: Iterable[Mapping[str, Any]]) -> str:
    """Return rows as CSV, below a line with the names of all their columns; what a row lacks is empty.

    Lists and tables are JSON. A text that a spreadsheet would take for a formula begins with an apostrophe;
    numbers stay numbers.
    """
    found, text = list(rows), io.StringIO(newline="")
    names = list(dict.fromkeys(name for row in found for name in row))
    writer = csv.writer(text)
    writer.writerow([harmless(name) for name in names])
    writer.writerows([_field(row.get(name)) for name in names] for row in found)
    return text.getvalue()


def as_json_lines(rows: Iterable[Mapping[str, Any]]) -> str:
    """Return rows as JSON, one object per line."""
    return "".join(json.dumps(plain(dict(row)), ensure_ascii=False, default=str) + "\n" for row in rows)


def write_table(
    text: str, path: str | os.PathLike[str], advice: str = "name another file; the run is kept."
) -> Path:
    """Write a table whole or not at all.

    Args:
        text: the table.
        path: the file.
        advice: ends the error's sentence by saying what to do.

    Raises:
        StoreError: it cannot be written; one that was there before still is.
    """
    target = Path(path)
    try:
        write_whole(target, text.encode("utf-8", "backslashreplace"))
    except OSError as error:
        raise StoreError(f"The table cannot be written to {target} ({reason(error)}): {advice}") from None
    return target


def report_path(path: str | os.PathLike[str]) -> Path:
    """Return where the report of a run lies: beside it, with the ending ``.html``."""
    return beside(path, ".html")


def beside(path: str | os.PathLike[str], ending: str) -> Path:
    """Return the file or folder beside a run, or beside a compressed copy, that is named after it."""
    run = Path(path)
    if run.suffix.lower() == PACKED:
        run = run.with_suffix("")
    return run.with_name(f"{run.stem}{ending}")


def _field(value: Any) -> Any:
    if isinstance(value, list | tuple | Mapping):
        value = json.dumps(plain(value), ensure_ascii=False, default=str)
    return harmless(value) if isinstance(value, str) else value


def plain(value: Any) -> Any:
    """Return the value with NaN and infinities as None, which JSON has no word for."""
    if isinstance(value, Mapping):
        return {key: plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
