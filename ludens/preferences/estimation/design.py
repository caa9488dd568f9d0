"""Situations made numeric: equal ones are found and counted once, so that fits are quick."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from ludens.errors import UsageError
from ludens.preferences.estimation.data.choices import Choices
from ludens.preferences.estimation.data.columns import Codes, Table, combined, first_seen

Floats = NDArray[np.float64]


def distinct(attributes: Floats, available: NDArray[np.bool_]) -> tuple[Codes, Codes]:
    """Which situations are the same: attributes (n, j, a), available (n, j) to each one's number and the
    first of each number. Adding 0 makes −0 the same as 0.
    """
    flat = attributes.reshape(len(attributes), -1) + 0.0
    columns = [column for column in (*flat.T, *available.T) if np.any(column != column[0])]
    return combined(*columns) if columns else combined(np.zeros(len(flat)))


def counted(
    subjects: Codes, situations: Codes, events: Codes, weights: Floats, shape: tuple[int, int, int]
) -> sparse.csr_array:
    """Observations as the counts of `Choices`; `shape` is (subjects, situations, events per situation)."""
    width = shape[2]
    table = sparse.coo_array(
        (weights, (subjects, situations * width + events)), shape=(shape[0], shape[1] * width)
    ).tocsr()
    table.eliminate_zeros()
    return sparse.csr_array(table)


def clusters_of(table: Table, subjects: Codes, count: int) -> tuple[Codes, str]:
    """Each subject's cluster, from the column `cluster` if there is one, and what a cluster is called.

    Raises:
        UsageError: a subject's rows lie in two clusters.
    """
    if "cluster" not in table:
        return np.arange(count), "subject"
    codes, _ = table.keys("cluster")
    chosen = np.zeros(count, dtype=np.intp)
    chosen[subjects] = codes
    apart = np.flatnonzero(chosen[subjects] != codes)
    if len(apart):
        raise table.error(
            apart[0],
            "cluster",
            "puts a subject into a second cluster, and clusters hold whole subjects: mend it, or name that "
            "column "
            "as the subject",
        )
    # Numbered by subject, so that none is empty.
    return first_seen(chosen)[0], table.called("cluster")


def make(
    attributes: Floats,
    available: NDArray[np.bool_],
    counts: sparse.csr_array,
    *,
    subjects: Sequence[str],
    clusters: tuple[Codes, str],
    situations: Sequence[str],
    members: NDArray[np.bool_] | None = None,
) -> Choices:
    """`Choices` of which every subject chose something; `clusters` are their numbers and what they are
    called.

    Raises:
        UsageError: a subject has no choice.
    """
    sizes = np.asarray(counts.sum(axis=1)).reshape(-1)
    empty = np.flatnonzero(sizes == 0)
    if len(empty):
        raise UsageError(f"Subject {subjects[empty[0]]!r} has no choice; leave its rows out.")
    return Choices(
        np.where(available[..., None], attributes, 0.0),
        available,
        members,
        counts,
        tuple(subjects),
        clusters[0],
        clusters[1],
        tuple(situations),
    )
