"""What every report says of its run: how it came about, and whether it is finished."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ludens.agents.llm.adaptation import notes


def facts(
    manifest: Mapping[str, Any], path: str | os.PathLike[str], own: Mapping[str, str]
) -> dict[str, str]:
    """Return a study's own facts, and below them seed, time, versions and file of the run."""
    common = {
        "seed": str(manifest["seed"]),
        "started": str(manifest["started"]),
        "took": f"{manifest['seconds']:.0f} seconds",
        "versions": ", ".join(f"{name} {version}" for name, version in manifest["versions"].items()),
        "run": Path(path).name,
    }
    commit = {"commit": str(manifest["git"])} if manifest.get("git") else {}
    changes = {"requests": "; ".join(lines)} if (lines := requests(manifest)) else {}
    return {**own, **common, **commit, **changes}


def requests(manifest: Mapping[str, Any]) -> tuple[str, ...]:
    """Return how the requests to servers were changed to suit them, a line for each change."""
    return tuple(f"{server}: {change}" for server, change, _ in notes(manifest.get("adapted", {})))


def measured_otherwise(manifest: Mapping[str, Any]) -> tuple[str, ...]:
    """Return a warning for each change of the requests that changes what was measured."""
    changes = notes(manifest.get("adapted", {}))
    return tuple(
        f"{server} was not sampled as the configuration says: {change}."
        for server, change, measured in changes
        if measured
    )


def unfinished(ended: int, planned: int, path: str | os.PathLike[str]) -> tuple[str, ...]:
    """Return the warning that a run of questions is unfinished, as the only one; empty if it is done."""
    if ended >= planned:
        return ()
    return (
        f"This run is unfinished: {ended} of {planned} questions were asked. What was not asked is left out "
        f"below; `ludens resume {path}` goes on.",
    )
