"""Covariances of estimates: inverse Hessian, sandwich by clusters, cluster bootstrap.

With H the Hessian of the log-likelihood in what is free (ψ, see `Restriction`) and s_g the summed scores of
cluster g,

    hessian     (−H)⁻¹
    cluster     G/(G−1) · (−H)⁻¹ (Σ_g s_g s_gᵀ) (−H)⁻¹                    (Liang & Zeger 1986)
    bootstrap   the covariance of θ over draws of whole clusters with replacement

transformed to θ by the delta method, dθ/dφ·A. G/(G−1) is the only small-sample factor; for
clusters of two ways, G is the number of clusters of each. Directions without
information (relative curvature below `FLAT`) are left out of the inverse; the diagnoses set the parameters
that lie in them to NaN.

With fractional choices (probabilities of events), the inverse Hessian gives the error of one sampled answer
per question. The sandwich and the bootstrap give the variation over clusters, the only error that exact
probabilities have.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ludens.preferences.estimation.data.choices import Choices
from ludens.preferences.estimation.fitting.likelihood import Events, evaluator, events, restricted
from ludens.preferences.estimation.fitting.newton import maximise
from ludens.preferences.estimation.models.linear import Model
from ludens.preferences.estimation.models.restriction import Restriction
from ludens.preferences.mapping import MapLike

Floats = NDArray[np.float64]

FLAT = 1e-9
"""Share of the largest curvature below which curvature counts as 0, with parameters in typical sizes."""

_NOTHING = 1e-10  # share of the longest column of scores below which one is a rounding error
_BLOCK = 1 << 24  # numbers in the counts of the bootstrap draws held at once
_TOGETHER = 100  # bootstrap draws maximised together, unless their counts are too many


def inverse(information: Floats, sizes: Floats) -> Floats:
    """Return the inverse of information (..., q, q) without its flat directions."""
    scaled = information * sizes[:, None] * sizes
    curvature, axes = np.linalg.eigh(scaled)
    known = curvature > FLAT * np.abs(curvature).max(axis=-1, keepdims=True, initial=0.0)
    weights = np.divide(1.0, curvature, out=np.zeros_like(curvature), where=known)
    found: Floats = (axes * weights[..., None, :]) @ np.swapaxes(axes, -1, -2) * sizes[:, None] * sizes
    return found


def scores(model: Model, choices: Choices, phi: Floats) -> Floats:
    """Return ∂ℓ/∂φ of every subject, shape (subjects, p)."""
    return choices.by_subject(events(model, choices, phi).score)


def contained(
    model: Model, choices: Choices, restriction: Restriction, phi: Floats, found: Events | None = None
) -> int:
    """Return how many of the free parameters the likelihood depends on: the rank of the scores of all events
    in the situations where somebody chose.

    A parameter that multiplies nothing in these situations, or only what others multiply too, does not count.
    `found` are the events at φ, where they are known.
    """
    if restriction.free == 0:
        return 0
    asked = choices.total.sum(axis=-1) > 0
    found = events(model, choices, phi) if found is None else found
    table = found.score[asked] @ restriction.matrix * restriction.sizes(model.sizes(choices))
    table = np.nan_to_num(table.reshape(-1, restriction.free), posinf=0.0, neginf=0.0)
    lengths = np.linalg.norm(table, axis=0)
    used = lengths > _NOTHING * lengths.max(initial=0.0)
    unit = table[:, used] / lengths[used]
    return int((np.linalg.eigvalsh(unit.T @ unit) > FLAT).sum()) if used.any() else 0


def meat(choices: Choices, per_subject: Floats) -> Floats:
    """Return G/(G−1)·Σ_g s_g s_gᵀ of scores (subjects, p); clusters without choices do not count."""
    return _spread(choices.by_cluster(per_subject), cluster_count(choices))


def filling(choices: Choices, score: Floats) -> Floats:
    """Return the middle of the sandwich in φ (p, p) from the score of every event (situations, events, p),
    also for clusters that cross subjects, one way or two.

    For two ways it is the sum over both ways less that over their intersections; a negative curvature, which
    this may have in small samples, is set to 0 (Cameron, Gelbach & Miller 2011).
    """
    if not choices.crossed:
        return meat(choices, choices.by_subject(score))
    score = score.reshape(choices.counts.shape[1], -1)
    seen = choices.total.reshape(-1) > 0
    parts = [
        _spread(np.asarray(counts[:, seen] @ score[seen]), number)
        for counts, number in zip(choices.crossed, _crossed_counts(choices), strict=True)
    ]
    if len(parts) == 1:
        return parts[0]
    curvature, axes = np.linalg.eigh(parts[0] + parts[1] - parts[2])
    found: Floats = (axes * np.maximum(curvature, 0.0)) @ axes.T
    return found


def cluster_count(choices: Choices) -> int:
    """Return the number of clusters that have choices; where errors are clustered two ways, the smaller
    of both numbers.
    """
    if choices.crossed:
        return min(_crossed_counts(choices)[:2])
    seen = np.asarray(choices.counts.sum(axis=1)).reshape(-1) > 0
    return len(np.unique(choices.clusters[seen]))


def _crossed_counts(choices: Choices) -> list[int]:
    return [int((np.asarray(counts.sum(axis=1)) > 0).sum()) for counts in choices.crossed]


def _spread(sums: Floats, number: int) -> Floats:
    found: Floats = sums.T @ sums * (number / max(number - 1, 1))
    return found


def carried(covariance: Floats, jacobian: Floats) -> Floats:
    """Transform a covariance of ψ (..., q, q) to θ by dθ/dψ (..., p, q); NaN where the precision is 0."""
    with np.errstate(invalid="ignore", over="ignore"):
        found: Floats = jacobian @ covariance @ np.swapaxes(jacobian, -1, -2)
    return found


def bootstrap(
    model: Model,
    choices: Choices,
    restriction: Restriction,
    start: Floats,
    *,
    draws: int,
    rng: np.random.Generator,
    map_with: MapLike = map,
) -> tuple[Floats, int]:
    """Re-estimate θ on draws of whole clusters with replacement, many at once from `start` (q,).

    Returns:
        θ of the draws with a maximum at a positive precision, shape (≤ draws, p), and the number of draws
        without one.
    """
    clusters = int(choices.clusters.max()) + 1
    block = max(1, min(_TOGETHER, _BLOCK // max(1, choices.counts.shape[1])))
    shares = np.full(clusters, 1 / clusters)
    parts = (
        rng.multinomial(clusters, shares, size=min(block, draws - first)) for first in range(0, draws, block)
    )
    found = np.concatenate(list(map_with(partial(_refitted, model, choices, restriction, start), parts)))
    return model.to_reported(found), draws - len(found)


def _refitted(
    model: Model, choices: Choices, restriction: Restriction, start: Floats, drawn: NDArray[np.integer[Any]]
) -> Floats:
    """Return φ of the draws that have a maximum at a positive precision; `drawn` (draws, clusters) says how
    often each draw holds each cluster.
    """
    sizes = restriction.sizes(model.sizes(choices))
    counts = choices.tally(drawn[:, choices.clusters])
    function = restricted(evaluator(model, choices, counts), restriction)
    top = maximise(function, np.repeat(start[None], len(drawn), axis=0), sizes)
    phi = restriction.expand(top.phi)
    curvature = np.linalg.eigvalsh(-top.value.hessian * sizes[:, None] * sizes)
    curved = curvature[:, 0] > FLAT * curvature[:, -1]
    kept: Floats = phi[top.converged & curved & (model.precision(phi) > 0)]
    return kept
