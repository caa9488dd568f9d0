"""Small data sets for the tests of estimation: drawn from a model, or read from beside the project."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from scipy import sparse

from ludens.envs import PROTOCOLS, pure_strategies
from ludens.preferences import uniform_belief, utility_terms
from ludens.preferences.estimation import BRUHIN_FEHR_SCHUNK, HOMO_MORALIS, Choices
from ludens.preferences.estimation.fitting.likelihood import log_probabilities

DATA = Path(__file__).parents[3] / ".." / "shared" / "data"
FAMILIES = {family: [f"{family}{number}" for number in range(1, 7)] for family in ("SPD", "TG", "UG")}
ALL = [name for names in FAMILIES.values() for name in names]


def empty(attributes, available=None, members=None):
    """A design without choices."""
    if available is None:
        available = np.ones(attributes.shape[:2], dtype=bool)
    events = attributes.shape[1] if members is None else members.shape[1]
    counts = sparse.csr_array((1, len(attributes) * events))
    return Choices(attributes, available, members, counts, ("nobody",), np.zeros(1, dtype=np.intp))


def filled(design, counts, clusters=None):
    """A design with counts (subjects, situations, events)."""
    flat = np.asarray(counts, dtype=float).reshape(len(counts), -1)
    return Choices(
        design.attributes,
        design.available,
        design.members,
        sparse.csr_array(flat),
        tuple(f"s{number}" for number in range(len(flat))),
        np.arange(len(flat)) if clusters is None else np.asarray(clusters),
    )


def probabilities(design, model, theta):
    """Of every event, shape (situations, events)."""
    return np.exp(log_probabilities(model, design, model.to_free(np.array(theta, dtype=float))))


def drawn(design, model, theta, subjects, seed):
    """Every subject chooses once in every situation."""
    shares = probabilities(design, model, theta)
    shares = shares / shares.sum(axis=-1, keepdims=True)
    return filled(design, np.random.default_rng(seed).multinomial(1, shares, size=(subjects, len(shares))))


def games(names, *, nodes=False):
    """Whole strategies of protocols against uniform beliefs; with `nodes` single moves are seen."""
    rows, here, seen = [], [], []
    for name in names:
        game = PROTOCOLS[name]
        terms = utility_terms(game, uniform_belief(game))
        table = np.stack([terms.own, -terms.behind, -terms.ahead, terms.universalised - terms.own], -1)
        spare = 8 - len(table)
        strategies = pure_strategies(game)
        for one in game.information_sets if nodes else [None]:
            rows.append(np.pad(table, ((0, spare), (0, 0))))
            here.append(np.arange(8) < len(table))
            if one is not None:
                seen.append(np.pad(strategies[:, one.columns].T > 0, ((0, 0), (0, spare))))
    return empty(np.array(rows), np.array(here), np.array(seen) if nodes else None)


def moral(names, theta, subjects, seed, *, nodes=False):
    """Choices of homo moralis in protocols."""
    return drawn(games(names, nodes=nodes), HOMO_MORALIS, theta, subjects, seed)


def allocations(theta, subjects=60, situations=40, seed=0):
    """Binary allocation choices of the kind that Bruhin, Fehr & Schunk asked for."""
    rng = np.random.default_rng(seed)
    own, other = rng.integers(20, 100, (2, situations, 2)) * 10.0
    kind, unkind = (rng.integers(0, 3, situations) == number for number in (1, 2))
    gap = other - own
    parts = (own, (gap > 0) * gap, (gap < 0) * gap, kind[:, None] * gap, unkind[:, None] * gap)
    return drawn(empty(np.stack(parts, axis=-1)), BRUHIN_FEHR_SCHUNK, theta, subjects, seed + 1)


def published():
    """Session 1 of Bruhin, Fehr & Schunk (2019) without the subjects that they leave out."""
    table, dropped = DATA / "bfs2019_choices_exp1.csv", DATA / "bfs2019_dropped_subjects.csv"
    if not table.exists():
        pytest.skip("the replication data of Bruhin, Fehr & Schunk are not beside the project")
    out = {line.strip().strip('"') for line in dropped.read_text(encoding="utf-8").splitlines()}
    with table.open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["sid"] not in out]
    sides = []
    for side in ("x", "y"):
        own, other, behind, ahead, kind, unkind = (
            np.array([float(row[name]) for row in rows])
            for name in (f"self_{side}", f"other_{side}", f"s_{side}", f"r_{side}", "q", "v")
        )
        gap = other - own
        sides.append(np.stack([own, behind * gap, ahead * gap, kind * gap, unkind * gap], axis=-1))
    pairs, place = np.unique(np.stack(sides, axis=1).reshape(len(rows), -1), axis=0, return_inverse=True)
    names, subject = np.unique([row["sid"] for row in rows], return_inverse=True)
    counts = np.zeros((len(names), len(pairs), 2))
    np.add.at(counts, (subject, place, [1 - int(row["choice_x"]) for row in rows]), 1)
    return filled(empty(pairs.reshape(len(pairs), 2, 5)), counts)
