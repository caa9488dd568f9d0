"""What tells the contents of files apart."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path


def digest(path: str | Path) -> str:
    """Return the SHA-256 of a file, or of all files in a folder with their names, in hexadecimal digits.

    Raises:
        OSError: it cannot be read.
    """
    path = Path(path)
    if not path.is_dir():
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    whole = hashlib.sha256()
    for each in sorted(path.rglob("*")):
        if each.is_file():
            whole.update(os.fsencode(each.relative_to(path).as_posix()) + b"\0")
            whole.update(digest(each).encode())
    return whole.hexdigest()
