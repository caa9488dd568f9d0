"""Bias-reduced clustered errors (CR2) with Satterthwaite's degrees of freedom.

The sandwich takes the scores s_g of clusters as they are at the maximum, where they are smaller than at the
true parameters, the more so the more of the information J = Σ_g J_g one cluster holds. With M = J⁻¹,

    s̃_g = M^(−1/2) (I − K_g)^(−1/2) M^(1/2) s_g,   K_g = M^(1/2) J_g M^(1/2)
    V = (−H)⁻¹ (Σ_g s̃_g s̃_gᵀ) (−H)⁻¹

has no bias if choices follow the model and are independent: the adjustment A_g = (I − H_gg)^(−1/2) of Bell &
McCaffrey (Survey Methodology 28(2), 2002) for regressions, of the weighted regression that a step of Fisher
scoring is, written in scores. J_g is the expected information of the questions that cluster g answered. The
error of d = cᵀθ has t with

    ν = (Σ_g e_gg)² / Σ_gh e_gh²,   e_gh = δ_gh·a_g − b_gᵀ b_h,
    a_g = dᵀ K_g (I − K_g)⁻¹ d,   b_g = K_g (I − K_g)^(−1/2) d,   d = M^(1/2) c

degrees of freedom, under the same working model (Pustejovsky & Tipton, Journal of Business & Economic
Statistics 36(4), 2018). With equal clusters and one parameter, V is that of `errors` and ν is G − 1; the
more unequal clusters are, the fewer are degrees of freedom.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from ludens.errors import UsageError
from ludens.preferences.estimation.data.choices import Choices
from ludens.preferences.estimation.fitting.errors import FLAT
from ludens.preferences.estimation.fitting.likelihood import Events

Floats = NDArray[np.float64]

_ALL = 1e-9  # 1 − k below which a cluster holds all information on a direction, which has no error then


class BiasReduced(NamedTuple):
    """A covariance of θ (p, p), and the degrees of freedom of each parameter's t (p,)."""

    covariance: Floats
    freedoms: Floats


def bias_reduced(
    choices: Choices, found: Events, matrix: Floats, *, bread: Floats, jacobian: Floats, sizes: Floats
) -> BiasReduced | None:
    """Return CR2 errors; None where clusters are of two ways, or events overlap, so that their answers have
    no expected information.

    Args:
        choices: the data.
        found: the events at the maximum.
        matrix: dφ/dψ, shape (p, q).
        bread: the inverse of −H in ψ, shape (q, q).
        jacobian: dθ/dψ, shape (p, q).
        sizes: typical sizes of ψ, shape (q,).
    """
    if len(choices.crossed) > 1 or matrix.shape[1] == 0:
        return None
    try:
        questions = choices.questions
    except UsageError:
        return None
    counts, free = _by_cluster(choices), matrix.shape[1]
    score = np.where(np.isfinite(found.level)[..., None], found.score, 0.0) @ matrix
    seen = choices.total.reshape(-1) > 0
    scores = np.asarray(counts[:, seen] @ score.reshape(len(seen), free)[seen])
    held = _information(choices, counts, questions, found.level, score)
    total = held.sum(axis=0)
    if not np.isfinite(total).all():
        return BiasReduced(np.full((len(jacobian), len(jacobian)), np.nan), np.full(len(jacobian), np.nan))
    curvature, axes = np.linalg.eigh(total * sizes[:, None] * sizes)
    known = curvature > FLAT * np.abs(curvature).max(initial=0.0)
    root = axes[:, known] * sizes[:, None] / np.sqrt(curvature[known])
    shares, turns = np.linalg.eigh(root.T @ held @ root)
    inside = shares < 1 - _ALL
    half = np.where(inside, 1 / np.sqrt(np.where(inside, 1 - shares, 1.0)), 0.0)
    adjusted = np.einsum("grk,gk,gk->gr", turns, half, np.einsum("grk,gr->gk", turns, scores @ root))
    influence = adjusted @ (jacobian @ bread @ total @ root).T
    turned = np.einsum("grk,pr->pgk", turns, jacobian @ root)
    a = (turned**2 * shares * half**2).sum(axis=-1)
    b = np.einsum("grk,pgk->pgr", turns, turned * shares * half)
    own = np.square(b).sum(axis=-1)
    cross = np.einsum("pgr,pgs->prs", b, b)
    square = (a**2).sum(axis=1) - 2 * (a * own).sum(axis=1) + (cross**2).sum(axis=(1, 2))
    with np.errstate(divide="ignore", invalid="ignore"):
        freedoms = (a - own).sum(axis=1) ** 2 / square
    return BiasReduced(influence.T @ influence, freedoms)


def _by_cluster(choices: Choices) -> sparse.csr_array:
    """Return the counts of every cluster that has choices, shape (clusters, situations·events)."""
    counts = choices.crossed[0] if choices.crossed else choices.counts
    if not choices.crossed:
        rows = len(choices.subjects)
        place = (np.ones(rows), (choices.clusters, np.arange(rows)))
        counts = sparse.csr_array(sparse.coo_array(place).tocsr() @ counts)
    return sparse.csr_array(counts[np.asarray(counts.sum(axis=1)).reshape(-1) > 0])


def _information(
    choices: Choices, counts: sparse.csr_array, questions: NDArray[np.intp], level: Floats, score: Floats
) -> Floats:
    """Return the expected information of each cluster, shape (clusters, q, q): of every question that it
    answered, Σ_e P_e·s_e·s_eᵀ over the question's events.
    """
    weights = np.exp(level) if choices.measure is None else np.exp(level) * choices.measure
    each = weights[..., None, None] * score[..., :, None] * score[..., None, :]
    asked = questions >= 0
    # Questions are numbered anew over all situations.
    most = int(questions.max(initial=-1)) + 1
    number = questions + most * np.arange(len(questions))[:, None]
    width = len(questions) * most
    where = np.flatnonzero(asked.reshape(-1))
    to_question = sparse.csr_array(
        (np.ones(len(where)), (where, number.reshape(-1)[where])), shape=(asked.size, width)
    )
    of_question = to_question.T @ each.reshape(asked.size, -1)
    free = score.shape[-1]
    found: Floats = np.asarray((counts @ to_question) @ of_question).reshape(-1, free, free)
    return found
