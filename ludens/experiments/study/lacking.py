"""Which episodes of a study a run lacks, by their labels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from ludens.experiments.runs.rows import as_json
from ludens.experiments.study.base import Labels


def lacking(wanted: Sequence[Labels], there: Sequence[Labels]) -> list[Labels]:
    """Return the wanted labels that are not there, each as often as it is missing.

    Labels of a stored episode may hold more, drawn for it alone: only keys that are on both sides are
        compared.
    """
    if not wanted or not there:
        return list(wanted)
    keys = set(wanted[0]) & set(there[0])
    count = Counter(_key(labels, keys) for labels in there)
    missing = []
    for labels in wanted:
        key = _key(labels, keys)
        if count[key]:
            count[key] -= 1
        else:
            missing.append(labels)
    return missing


def _key(labels: Labels, keys: set[str]) -> str:
    return as_json({name: labels.get(name) for name in sorted(keys)})
