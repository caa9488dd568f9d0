"""The log-likelihood of a finite mixture of types, its gradient and its Hessian, for many points at once.

Each subject i has one type k, drawn with probability π_k, and makes all choices with that type's ψ_k:

    ℓ = Σ_i log Σ_k π_k·exp(ℓ_ik),   ℓ_ik = Σ_choices of i log P(choice | ψ_k)

With τ_ik = π_k·exp(ℓ_ik) / Σ_l π_l·exp(ℓ_il) the probability that i is of type k, u_ik the score of
log π_k + ℓ_ik and U_ik its Hessian (Louis 1982),

    ∂ℓ   = Σ_i v_i,   v_i = Σ_k τ_ik·u_ik
    ∂²ℓ  = Σ_i [ Σ_k τ_ik·(U_ik + u_ik·u_ikᵀ) − v_i·v_iᵀ ]

at the point ω = (ψ_1, …, ψ_K, η_1, …, η_{K−1}), η_k = log(π_k / π_K).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import special

from ludens.preferences.estimation.data.choices import Choices
from ludens.preferences.estimation.fitting.likelihood import Value, events, log_probabilities
from ludens.preferences.estimation.models.linear import Model
from ludens.preferences.estimation.models.restriction import Restriction

Floats = NDArray[np.float64]

_DENSE = 0.05  # counts this full are quicker as an array than as a sparse matrix
_BLOCK = 1 << 22  # numbers held at once in the largest array


class Parts(NamedTuple):
    """At n points: level (n,), membership τ (n, subjects, K), scores v_i (n, subjects, P), Hessian (n, P, P)
    and the types' own Hessians Σ_i τ_ik·∂²ℓ_ik (n, K, q, q).
    """

    level: Floats
    membership: Floats
    scores: Floats
    hessian: Floats
    within: Floats


@dataclass(frozen=True, eq=False)
class MixtureLikelihood:
    """The log-likelihood of K types as a function of ω.

    Args:
        model: the model of each type's choices.
        choices: the data.
        restriction: the restriction that says which parameters are free, the same for every type.
        types: the number of types K.
        weights: weights of the subjects, one row per problem, shape (problems, subjects); None where each
            counts once.
    """

    model: Model
    choices: Choices
    restriction: Restriction
    types: int
    weights: Floats | None = None

    @property
    def size(self) -> int:
        """P = K·q + K − 1, the length of ω."""
        return self.types * self.restriction.free + self.types - 1

    def join(self, psi: Floats, shares: Floats) -> Floats:
        """Return ω (n, P) from ψ (n, K, q) and shares (n, K)."""
        logs = np.log(np.maximum(shares, 1e-300))
        return np.concatenate([psi.reshape(len(psi), -1), logs[:, :-1] - logs[:, -1:]], axis=1)

    def split(self, omega: Floats) -> tuple[Floats, Floats]:
        """Return ψ (n, K, q) and log-shares (n, K) from ω (n, P)."""
        free = self.types * self.restriction.free
        psi = omega[:, :free].reshape(len(omega), self.types, self.restriction.free)
        ratios = np.concatenate([omega[:, free:], np.zeros((len(omega), 1))], axis=1)
        return psi, ratios - special.logsumexp(ratios, axis=1, keepdims=True)

    def by_type(self, psi: Floats) -> Floats:
        """Return ℓ_ik, shape (n, subjects, K)."""
        flat = self._phi(psi)
        found = log_probabilities(self.model, self.choices, flat)
        return self._by_subject(found[..., None], len(psi))[..., 0]

    def tally(self, membership: Floats) -> Floats:
        """Return counts weighted by membership (n, subjects, K), shape (n·K, situations, events)."""
        flat = np.swapaxes(membership, 1, 2).reshape(-1, membership.shape[1])
        found = np.zeros((len(flat), self.choices.counts.shape[1]))
        found[:, self._seen] = (self._counts.T @ flat.T).T
        return found.reshape(len(flat), len(self.choices.available), self.choices.events)

    def __call__(self, omega: Floats, which: NDArray[np.intp]) -> Value:
        """Return level, gradient and Hessian of the problems with these numbers, as a `Function` does."""
        width = self.types * int(np.prod(self.choices.attributes.shape[:2])) * len(self.model.parameters) ** 2
        width *= 1 if self.choices.members is None else self.choices.events
        block = max(1, _BLOCK // width)
        values = []
        for first in range(0, len(omega), block):
            rows = which[first : first + block]
            weights = None if self.weights is None else self.weights[rows]
            found = self.parts(omega[first : first + block], weights)
            gradient = (
                found.scores.sum(axis=1)
                if weights is None
                else np.einsum("ni,nip->np", weights, found.scores)
            )
            values.append(Value(found.level, gradient, found.hessian))
        return Value(*(np.concatenate(part) for part in zip(*values, strict=True)))

    def parts(self, omega: Floats, weights: Floats | None = None) -> Parts:
        """Return all parts at the points ω (n, P), with subjects weighted by (n, subjects)."""
        psi, log_shares = self.split(omega)
        number, types, free = psi.shape
        seen = events(self.model, self.choices, self._phi(psi))
        matrix = self.restriction.matrix
        by_type = self._by_subject(seen.level[..., None], number)[..., 0]
        score = self._by_subject(seen.score @ matrix, number)
        joint = by_type + log_shares[:, None]
        level = special.logsumexp(joint, axis=2)
        membership = np.exp(joint - level[..., None])
        mass = membership if weights is None else membership * weights[..., None]
        shares = np.exp(log_shares)
        # v_i, the score of the observed choices.
        weighted = membership[..., None] * score
        offsets = membership - shares[:, None]
        scores = np.concatenate(
            [weighted.reshape(number, -1, types * free), offsets[..., : types - 1]], axis=2
        )
        within = self._within(self.tally(mass), seen.curvature).reshape(number, types, free, free)
        curved = -_squares(scores, weights)
        share_place = slice(types * free, None)
        for k in range(types):
            here = slice(k * free, (k + 1) * free)
            own = mass[:, :, k, None] * score[:, :, k]
            curved[:, here, here] += within[:, k] + np.swapaxes(own, 1, 2) @ score[:, :, k]
            # τ_ik·s_ik·(e_k − π)ᵀ
            unit = (np.arange(types) == k) - shares
            cross = own.sum(axis=1)[:, :, None] * unit[:, None, : types - 1]
            curved[:, here, share_place] += cross
            curved[:, share_place, here] += np.swapaxes(cross, 1, 2)
        curved[:, share_place, share_place] += _share_moments(mass, shares)
        total = level.sum(axis=1) if weights is None else (weights * level).sum(axis=1)
        return Parts(total, membership, scores, curved, within)

    def _phi(self, psi: Floats) -> Floats:
        return self.restriction.expand(psi).reshape(-1, len(self.restriction.offset))

    def _within(self, counts: Floats, curvature: Floats) -> Floats:
        """Return Σ counts·∂²ℓ in ψ, shape (n·K, q, q)."""
        matrix = self.restriction.matrix
        if self.model.linear and self.choices.members is None:
            # All events of a situation have the same curvature.
            size, shape = counts.sum(axis=-1), curvature.shape
            flat = curvature[..., 0, :, :].reshape(shape[0], shape[1], -1)
            found = np.matmul(size[:, None], flat).reshape(shape[0], *shape[-2:])
        else:
            found = np.einsum("bce,bcepq->bpq", counts, curvature)
        within: Floats = matrix.T @ found @ matrix
        return within

    def _by_subject(self, per_event: Floats, number: int) -> Floats:
        """Sum a quantity (n·K, c, e, m) over subjects' choices; shape (n, subjects, K, m)."""
        batch, *_, width = per_event.shape
        flat = per_event.reshape(batch, -1, width)[:, self._seen]
        columns = np.moveaxis(flat, 1, 0).reshape(len(self._seen), -1)
        summed = np.asarray(self._counts @ columns).reshape(-1, number, batch // number, width)
        return np.ascontiguousarray(np.moveaxis(summed, 0, 1))

    @cached_property
    def _seen(self) -> NDArray[np.intp]:
        """The observed events; others can be impossible, and 0·(−∞) is not 0."""
        return np.flatnonzero(self.choices.total.reshape(-1) > 0)

    @cached_property
    def _counts(self) -> Any:
        """The counts of the observed events, as a dense array if that is faster."""
        kept = self.choices.counts[:, self._seen]
        full = kept.nnz > _DENSE * kept.shape[0] * kept.shape[1]
        return kept.toarray() if full else kept


def _squares(scores: Floats, weights: Floats | None) -> Floats:
    """Return Σ_i w_i·v_i·v_iᵀ, shape (n, P, P)."""
    left = scores if weights is None else weights[..., None] * scores
    found: Floats = np.swapaxes(left, 1, 2) @ scores
    return found


def _share_moments(mass: Floats, shares: Floats) -> Floats:
    """Return Σ_i Σ_k τ_ik·[(e_k − π)(e_k − π)ᵀ − (diag π − ππᵀ)] without the last type, shape (n,
    K−1, K−1).
    """
    types = shares.shape[1]
    summed = mass.sum(axis=1)
    total = summed.sum(axis=1)[:, None, None]
    outer = shares[:, :, None] * shares[:, None]
    eye = np.eye(types)
    mixed = summed[:, :, None] * shares[:, None]
    found = (
        eye * summed[:, None]
        - mixed
        - np.swapaxes(mixed, 1, 2)
        + total * outer
        - total * (eye * shares[:, None] - outer)
    )
    kept: Floats = found[:, : types - 1, : types - 1]
    return kept
