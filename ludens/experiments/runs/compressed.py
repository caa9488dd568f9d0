"""A run as one small file: a compressed copy that every command reads, and none writes to.

The copy is the run's own SQLite file without the gaps in it, or the files of a folder as one, compressed by
xz; ``xz -dk FILE`` makes a run of it again. Texts of prompts stand in it once, however many calls sent them.
"""

from __future__ import annotations

import lzma
import os
import shutil
import tempfile
from contextlib import closing
from pathlib import Path

from ludens.errors import UsageError
from ludens.experiments.runs.database import PACKED, StoreError, connect, reason, translated
from ludens.experiments.runs.files import draft_of
from ludens.experiments.runs.store import write_file


def pack(path: str | os.PathLike[str], target: str | os.PathLike[str]) -> Path:
    """Write a run as one small file, which `connect` opens for reading. It is replaced whole or not at all.

    Args:
        path: the run's file, also while the run is written.
        target: the file; it ends in ``.xz``.

    Raises:
        NoRunError: the file is not a run.
        UsageError: the target has another ending.
        StoreError: it cannot be written.
    """
    file, packed = Path(path), Path(target)
    if packed.suffix.lower() != PACKED or packed.resolve() == file.resolve():
        raise UsageError(
            f"{packed} must end in {PACKED}, and be another file than the run: name another file."
        )
    try:
        with draft_of(packed) as draft, tempfile.TemporaryDirectory(dir=packed.parent) as folder:
            whole = Path(folder) / "run.db"
            with translated(file), closing(connect(file)) as database:
                write_file(database, whole)
            with whole.open("rb") as read, lzma.open(draft, "wb", preset=6) as written:
                shutil.copyfileobj(read, written, 1 << 20)
    except OSError as error:
        raise StoreError(
            f"The run cannot be written to {packed} ({reason(error)}): name another file; the run is kept."
        ) from None
    return packed
