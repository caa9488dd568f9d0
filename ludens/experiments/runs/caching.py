"""The cache of replies that runs share: which one it is, and what tells a request of a run apart."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from ludens.agents.llm.cache import CACHED, CachePlace, explain
from ludens.experiments.runs.records import EpisodeSpec
from ludens.experiments.runs.rows import as_json
from ludens.experiments.runs.run import Run
from ludens.experiments.runs.store import Store

VARIABLE = "LUDENS_CACHE"
"""The variable of the environment that names the folder of a cache for all runs."""

_folders: list[str] = []


@contextmanager
def caching(folder: str | os.PathLike[str] | None) -> Iterator[None]:
    """Let the runs that the block carries out share a cache of replies with others.

    Args:
        folder: where the cache lies, made if need be; None for what the environment names.
    """
    if folder is None:
        yield
        return
    _folders.append(str(Path(folder).absolute()))
    try:
        yield
    finally:
        _folders.pop()


def cache_folder() -> str | None:
    """Return the folder of the cache in use; None if there is none."""
    if _folders:
        return _folders[-1]
    return str(Path(named).absolute()) if (named := os.environ.get(VARIABLE)) else None


def places_in(folder: str, store: Store) -> Callable[[EpisodeSpec], CachePlace]:
    """Return what gives an episode of a run its place in a cache."""
    manifest, seen, ranks = store.manifest, Counter[str](), {}
    for record in store.episodes():
        labels = as_json(dict(record.labels))
        ranks[record.index] = seen[labels]
        seen[labels] += 1
    run, seed = manifest["id"], manifest["seed"]

    def place(spec: EpisodeSpec) -> CachePlace:
        known = {"run seed": seed, "labels": dict(spec.labels), "replicate": ranks.get(spec.index, 0)}
        return CachePlace(folder, run, known)

    return place


def why(path: str | os.PathLike[str], folder: str | os.PathLike[str]) -> dict[str, int]:
    """Return how the calls of a run came to be made although there was a cache, and how often each.

    Args:
        path: the run's file.
        folder: of the cache.

    Raises:
        NoRunError: the file is not a run.
        CacheError: there is no cache, or it cannot be read.
    """
    with Run(path) as run:
        reasons = explain(Path(folder), run.manifest["id"])
        calls = [call for record in run.decisions() for call in record.decision.calls]
    found = Counter({"from the cache": sum(CACHED in call.marks for call in calls)})
    found.update({f"asked: {reason}": count for reason, count in reasons.most_common()})
    kept = sum(reasons.values())
    for outcome in ("refused", "invalid", "error"):
        found[f"asked, and never kept: {outcome}"] = sum(call.outcome == outcome for call in calls)
    rest = sum(call.outcome == "ok" and CACHED not in call.marks for call in calls) - kept
    found["asked, and not kept: made without this cache, or known to it by then"] = max(0, rest)
    return {reason: count for reason, count in found.items() if count}
