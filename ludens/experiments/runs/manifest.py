"""What a run says of itself: how it came about, and from what."""

from __future__ import annotations

import platform
import secrets
import subprocess
from collections.abc import Mapping
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

RUNS = Path("runs")
LIBRARIES = ("ludens", "numpy", "gymnasium", "pettingzoo", "litellm", "xllamacpp", "torch", "transformers")


def new_manifest(kind: str, config: Mapping[str, Any], seed: int, study: str | None = None) -> dict[str, Any]:
    """Return the manifest of a run that starts now; from `config`, JSON values, the run can be built again.

    `study` is ``module:object`` of a study that no installed package names.

    ``id`` tells it apart from all others, wherever its file lies.

    ``addresses`` lists the models that are reached elsewhere by now than `config` says.

    ``seconds`` is the wall-clock time that it took so far, over all its lives; of a life that was killed, up
    to its last finished episode.
    """
    return {
        "id": secrets.token_hex(8),
        "kind": kind,
        "config": dict(config),
        "seed": seed,
        "started": datetime.now().astimezone().isoformat(timespec="seconds"),
        "seconds": 0.0,
        "versions": versions(),
        "git": git_commit(),
        "status": "running",
        "detail": "",
        "study": study,
        "addresses": [],
    }


def new_run_path(kind: str, folder: Path = RUNS) -> Path:
    """Return a name that no other run has: ``runs/<kind>-<date>-<time>-<random>.db``."""
    stamp = datetime.now().astimezone().strftime("%Y%m%d-%H%M%S")
    return folder / f"{kind}-{stamp}-{secrets.token_hex(2)}.db"


def versions() -> dict[str, str]:
    """Return the versions of Python and of the libraries that shape results, read without importing them."""
    found = {"python": platform.python_version()}
    for name in LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def git_commit() -> str | None:
    """Return the commit of the working directory, with ``+`` if files differ from it; None outside a
    repository.
    """
    commit = _git("rev-parse", "HEAD")
    if not commit:
        return None
    return commit + ("+" if _git("status", "--porcelain", "--untracked-files=no") else "")


def _git(*arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", *arguments],
            capture_output=True,
            text=True,
            timeout=5,
            check=True,
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
