"""Choices in numeric form: situations, the events that can be observed in them, and counts by subject.

A *situation* offers alternatives, each with attributes from which a model computes utility. An observation is
an *event*, a set of alternatives: usually a single one, but all strategies with a given move where a whole
strategy is chosen and only the move at one node is observed. A subject's choices are counts of events;
probabilities of events count as fractional choices. Equal situations are merged, so that fits are quick.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from ludens.errors import UsageError
from ludens.preferences.estimation.data.columns import Codes, Table, combined, first_seen

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Choices:
    """A data set of choices, in the form that likelihoods take.

    Attributes:
        attributes: attributes of every alternative, shape (situations, alternatives, attributes); padding is
            0.
        available: which alternatives a situation has, shape (situations, alternatives).
        members: which alternatives make up each event, shape (situations, events, alternatives); None where
            the events are the alternatives themselves.
        counts: how often, or with which probability, each subject showed each event: a sparse matrix of
            shape (subjects, situations·events), with the events of a situation next to each other.
        subjects: a name for each row of `counts`; types and individual estimates belong to subjects.
        clusters: the number of each subject's cluster, shape (subjects,); standard errors treat clusters
            as independent.
        clustered_by: a cluster's meaning in words, for tables.
        crossed: the counts of each cluster, shape (clusters, situations·events), where clusters do not hold
            whole subjects: one table, or three where errors are clustered two ways, by the first, the second,
            and both together. `clusters` then says nothing. Empty otherwise.
        covariates: characteristics of the subjects, shape (subjects,) each.
        situations: a name for each situation, for messages.
        measure: where choices are continuous, the quadrature weight of each alternative in the integral over
            the choice set, shape (situations, alternatives), and 0 for the alternative that was chosen: the
            likelihood is then a density. None where the alternatives are all there are.
        notes: what readers of tables have to say of the data, in sentences: what was left out.
        exact: whether the counts are probabilities, without sampling error, even where each is 0 or 1.
        first: which event's option was shown first, shape (situations, events); None where that is unknown.
        outcomes: how many outcomes an alternative may have, of which `attributes` then hold the probability
            and the attributes; 0 where an alternative is its outcome (see `models.expected`).
    """

    attributes: Floats
    available: NDArray[np.bool_]
    members: NDArray[np.bool_] | None
    counts: sparse.csr_array
    subjects: tuple[str, ...]
    clusters: NDArray[np.intp]
    clustered_by: str = "subject"
    situations: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    exact: bool = False
    first: NDArray[np.bool_] | None = None
    measure: Floats | None = None
    crossed: tuple[sparse.csr_array, ...] = ()
    covariates: Mapping[str, Floats] = field(default_factory=dict)
    outcomes: int = 0

    def __post_init__(self) -> None:
        situations, alternatives, _ = self.attributes.shape
        if self.available.shape != (situations, alternatives):
            raise UsageError(
                f"Choices need `available` of shape {(situations, alternatives)}; got {self.available.shape}."
            )
        if self.counts.shape != (len(self.subjects), situations * self.events):
            wanted = (len(self.subjects), situations * self.events)
            raise UsageError(f"Choices need counts of shape {wanted}; got {self.counts.shape}.")
        if self.clusters.shape != (len(self.subjects),):
            raise UsageError(f"Choices need one cluster for each of {len(self.subjects)} subjects.")

    @property
    def events(self) -> int:
        """The number of events per situation, padding included."""
        return int(self.available.shape[1] if self.members is None else self.members.shape[1])

    @property
    def size(self) -> float:
        """The number of observed choices; the fractions of one choice sum to 1."""
        return float(self.counts.sum())

    @cached_property
    def total(self) -> Floats:
        """Counts summed over all subjects, shape (situations, events)."""
        return self.tally(np.ones(len(self.subjects)))

    def tally(self, weights: ArrayLike) -> Floats:
        """Return counts summed with weights (..., subjects), shape (..., situations, events)."""
        array = np.asarray(weights, dtype=np.float64)
        flat = (self.counts.T @ array.reshape(-1, len(self.subjects)).T).T
        shaped: Floats = np.asarray(flat).reshape(*array.shape[:-1], len(self.available), self.events)
        return shaped

    def by_subject(self, per_event: Floats) -> Floats:
        """Sum a quantity per event (situations, events, ...) over each subject's choices; shape (subjects,
        ...).
        """
        flat = per_event.reshape(self.counts.shape[1], -1)
        # An event that nobody showed may have the log-probability −inf, and 0·(−inf) is not 0.
        seen = self.total.reshape(-1) > 0
        summed = np.asarray(self.counts[:, seen] @ flat[seen])
        return summed.reshape(len(self.subjects), *per_event.shape[2:])

    def by_cluster(self, per_subject: Floats) -> Floats:
        """Sum a quantity (subjects, ...) over the subjects of each cluster; shape (clusters, ...)."""
        summed = np.zeros((self.clusters.max(initial=-1) + 1, *per_subject.shape[1:]))
        np.add.at(summed, self.clusters, per_subject)
        return summed

    @property
    def fractional(self) -> bool:
        """Whether some choices are probabilities instead of counts."""
        return bool(np.any(np.abs(self.counts.data - np.rint(self.counts.data)) > 1e-9))

    @cached_property
    def questions(self) -> NDArray[np.intp]:
        """The question that each event answers, numbered within its situation; shape (situations, events).

        The events that answer one question partition the alternatives; padding is −1.

        Raises:
            UsageError: events overlap, so that they answer no common question.
        """
        found = np.full((len(self.available), self.events), -1, dtype=np.intp)
        if self.members is None:
            found[self.available] = 0
            return found
        covered, number = np.zeros_like(self.available), np.zeros(len(self.available), dtype=np.intp)
        for event in range(self.events):
            members = self.members[:, event]
            shown = members.any(axis=1)
            overlap = np.flatnonzero((covered & members).any(axis=1))
            if len(overlap):
                raise UsageError(
                    f"Events of situation {overlap[0] + 1} overlap, so that their answers cannot be drawn."
                )
            covered |= members
            found[shown, event] = number[shown]
            whole = shown & (covered == self.available).all(axis=1)
            covered[whole], number[whole] = False, number[whole] + 1
        return found

    @cached_property
    def beside_first(self) -> NDArray[np.intp]:
        """The event of each event's question whose option was shown first, shape (situations, events); −1
        where none is known.
        """
        found = np.full(self.questions.shape, -1, dtype=np.intp)
        if self.first is None:
            return found
        for number in range(int(self.questions.max(initial=-1)) + 1):
            of_question = self.questions == number
            shown = of_question & self.first
            place = np.where(shown.any(axis=1), shown.argmax(axis=1), -1)
            found = np.where(of_question, place[:, None], found)
        return found

    @cached_property
    def options(self) -> Floats:
        """The number of options of each event's question, shape (situations, events)."""
        found = np.ones(self.questions.shape)
        for number in range(int(self.questions.max(initial=-1)) + 1):
            of_question = self.questions == number
            found = np.where(of_question, of_question.sum(axis=1, keepdims=True), found)
        return found

    def only(self, subjects: Sequence[int] | NDArray[np.intp]) -> Choices:
        """Return the choices of some subjects by their numbers; a repeated one becomes a subject of
        its own.
        """
        rows = np.asarray(subjects, dtype=np.intp)
        _, clusters = np.unique(self.clusters[rows], return_inverse=True)
        return replace(
            self,
            counts=sparse.csr_array(self.counts[rows]),
            subjects=tuple(self.subjects[row] for row in rows),
            clusters=clusters,
            crossed=(),
            covariates={name: values[rows] for name, values in self.covariates.items()},
        )


def distinct_situations(attributes: Floats, available: NDArray[np.bool_]) -> tuple[Codes, Codes]:
    """Number equal situations alike; return each one's number, and the first situation of each number.

    Args:
        attributes: shape (n, j, a); −0 equals 0.
        available: shape (n, j).
    """
    flat = attributes.reshape(len(attributes), -1) + 0.0
    columns = [column for column in (*flat.T, *available.T) if np.any(column != column[0])]
    return combined(*columns) if columns else combined(np.zeros(len(flat)))


def count_events(
    subjects: Codes, situations: Codes, events: Codes, weights: Floats, shape: tuple[int, int, int]
) -> sparse.csr_array:
    """Return observations as the counts of `Choices`; `shape` is (subjects, situations, events per
    situation).
    """
    width = shape[2]
    table = sparse.coo_array(
        (weights, (subjects, situations * width + events)), shape=(shape[0], shape[1] * width)
    ).tocsr()
    table.eliminate_zeros()
    return sparse.csr_array(table)


class Clusters(NamedTuple):
    """The clusters of a table.

    Attributes:
        subjects: each subject's cluster.
        name: a cluster's meaning in words.
        rows: each row's cluster, where clusters do not hold whole subjects: by one column, or by the first,
            the second and both together.
    """

    subjects: Codes
    name: str
    rows: tuple[Codes, ...] = ()

    def tabulate(
        self, rows: Codes, situations: Codes, events: Codes, weights: Floats, *, cells: tuple[int, int]
    ) -> tuple[sparse.csr_array, ...]:
        """Return observations as the tables `Choices.crossed`.

        Args:
            rows: each observation's row of the table.
            situations: its situation.
            events: its event.
            weights: how often it was made, or its probability.
            cells: the numbers of situations and of events per situation.
        """
        return tuple(
            count_events(codes[rows], situations, events, weights, (int(codes.max()) + 1, *cells))
            for codes in self.rows
        )


def read_clusters(table: Table, subjects: Codes, count: int) -> Clusters:
    """Return the clusters named by the column `cluster`, and `cluster_2` for two ways; subjects without them.

    Raises:
        UsageError: there is a second column without a first.
    """
    if "cluster" not in table:
        if "cluster_2" in table:
            raise UsageError("Clusters of two ways need a column cluster beside cluster_2.")
        return Clusters(np.arange(count), "subject")
    codes, _ = table.keys("cluster")
    if "cluster_2" in table:
        second, _ = table.keys("cluster_2")
        name = f"{table.called('cluster')} and {table.called('cluster_2')}"
        return Clusters(np.arange(count), name, (codes, second, combined(codes, second)[0]))
    chosen = np.zeros(count, dtype=np.intp)
    chosen[subjects] = codes
    if np.any(chosen[subjects] != codes):
        return Clusters(np.arange(count), table.called("cluster"), (codes,))
    # Numbered by subject, so that none is empty.
    return Clusters(first_seen(chosen)[0], table.called("cluster"))


def make_choices(
    attributes: Floats,
    available: NDArray[np.bool_],
    counts: sparse.csr_array,
    *,
    subjects: Sequence[str],
    clusters: Clusters,
    situations: Sequence[str],
    members: NDArray[np.bool_] | None = None,
    measure: Floats | None = None,
    crossed: tuple[sparse.csr_array, ...] = (),
) -> Choices:
    """Make `Choices`; `crossed` are the tables of clusters that do not hold whole subjects.

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
        clusters.subjects,
        clusters.name,
        tuple(situations),
        measure=measure,
        crossed=crossed,
    )
