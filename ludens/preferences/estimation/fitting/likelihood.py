"""Log-likelihoods of choices, their gradients and Hessians, for many parameter vectors at once.

With P the logit probabilities of a situation's alternatives and e an observed event,

    ℓ_e = log Σ_{j∈e} P_j
    ∂ℓ_e/∂φ = E[∂V | e] − E[∂V]
    ∂²ℓ_e/∂φ² = Cov[∂V | e] − Cov[∂V]     (+ terms of ∂²V where V is not linear in φ)

with moments under P, conditional on e or not. For an event of one alternative Cov[∂V | e] = 0, so that ℓ is
concave. Where choices are continuous, sums over alternatives are integrals by quadrature
(`Choices.measure`), and ℓ_e is the logarithm of a density.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ludens.preferences.estimation.data.choices import Choices
from ludens.preferences.estimation.models.lapses import LapsesModel
from ludens.preferences.estimation.models.linear import Model
from ludens.preferences.estimation.models.restriction import Restriction

Floats = NDArray[np.float64]

_NEVER = 1e-100  # a probability that counts as 0 where answers may be lapses
_LARGEST = 30.0  # log-odds from which on a first place decides everything
_BLOCK = 1 << 21  # numbers held at once in the largest array


class Value(NamedTuple):
    """Log-likelihood (...), gradient (..., p) and Hessian (..., p, p) in φ."""

    level: Floats
    gradient: Floats
    hessian: Floats


Function = Callable[[Floats, NDArray[np.intp]], Value]
"""A function of points (n, p) and problem numbers (n,) that returns each problem's log-likelihood there."""


class Events(NamedTuple):
    """Log-probability (..., c, e), score ∂ℓ_e/∂φ (..., c, e, p) and curvature ∂²ℓ_e/∂φ² (..., c, e, p, p) of
    all events.
    """

    level: Floats
    score: Floats
    curvature: Floats


def events(model: Model, choices: Choices, phi: Floats) -> Events:
    """Return log-probabilities, scores and curvatures of all events at one φ (p,) or several (..., p).

    Events without an available alternative have log-probability −inf and zero derivatives.
    """
    if isinstance(model, LapsesModel):
        return _tilted(model, choices, phi) if model.bias else _lapsed(model, choices, phi)
    level, slope, curvature = model.derivatives(phi, choices.attributes)
    level, weights, total = _exponentials(choices, level)
    shares = weights / total
    mean, spread = _moments(shares, slope)
    if curvature is not None:
        spread = spread + np.einsum("...j,...jpq->...pq", shares, curvature)
    if choices.members is None:
        found = level - np.log(total)
        score = np.where(choices.available[..., None], slope - mean[..., None, :], 0.0)
        if curvature is not None:
            curvature = np.where(choices.available[..., None, None], curvature - spread[..., None, :, :], 0.0)
            return Events(found, score, curvature)
        return Events(
            found, score, np.broadcast_to(-spread[..., None, :, :], (*score.shape, score.shape[-1]))
        )
    inside = shares[..., None, :] * choices.members
    mass = inside.sum(axis=-1)
    possible = mass > 0
    with np.errstate(divide="ignore"):
        found = np.log(mass)
    given = inside / np.where(possible, mass, 1.0)[..., None]
    inner, curve = _moments(given, slope[..., None, :, :])
    if curvature is not None:
        curve = curve + np.einsum("...ej,...jpq->...epq", given, curvature)
    score = np.where(possible[..., None], inner - mean[..., None, :], 0.0)
    return Events(found, score, np.where(possible[..., None, None], curve - spread[..., None, :, :], 0.0))


def log_probabilities(model: Model, choices: Choices, phi: Floats) -> Floats:
    """Return the log-probabilities of all events, without derivatives; shape (..., c, e)."""
    if isinstance(model, LapsesModel):
        if model.bias:
            return _tilted(model, choices, phi).level
        core, shares = model.split(phi)
        return _mixed(model, choices, np.exp(log_probabilities(model.base, choices, core)), shares)[0]
    level, _ = model.index(phi, choices.attributes)
    level, weights, total = _exponentials(choices, level)
    if choices.members is None:
        found: Floats = level - np.log(total)
        return found
    with np.errstate(divide="ignore"):
        joint: Floats = np.log((weights[..., None, :] * choices.members).sum(-1) / total)
    return joint


def evaluator(model: Model, choices: Choices, counts: Floats) -> Function:
    """Return the log-likelihood of counts (b, c, e), b problems on the same situations, as a
    `Function` of φ.
    """
    width = int(np.prod(choices.attributes.shape[:2])) * max(1, len(model.parameters) ** 2)
    block = max(1, _BLOCK // (width * (1 if choices.members is None else choices.events)))

    def value(phi: Floats, which: NDArray[np.intp]) -> Value:
        parts = [
            _value(model, choices, phi[start : start + block], counts[which[start : start + block]])
            for start in range(0, len(phi), block)
        ]
        return Value(*(np.concatenate(part) for part in zip(*parts, strict=True)))

    return value


def restricted(function: Function, restriction: Restriction) -> Function:
    """Return a log-likelihood of φ, as made by `evaluator`, as a function of ψ."""
    if restriction.trivial:
        return function
    matrix = restriction.matrix

    def value(psi: Floats, which: NDArray[np.intp]) -> Value:
        level, gradient, hessian = function(restriction.expand(psi), which)
        return Value(level, gradient @ matrix, matrix.T @ hessian @ matrix)

    return value


def levels(choices: Choices, log_shares: Floats, counts: Floats) -> Floats:
    """Return log-likelihoods (...) of counts (..., c, e) under log-probabilities (..., c, e).

    Events that were never observed do not count, even if they are impossible.
    """
    with np.errstate(invalid="ignore"):
        summed: Floats = np.where(counts > 0, counts * log_shares, 0.0).sum(axis=(-2, -1))
    return summed


def _exponentials(choices: Choices, level: Floats) -> tuple[Floats, Floats, Floats]:
    """Return V less its maximum, its exponential by the measure of alternatives, and the sum of that."""
    level = np.where(choices.available, level, -np.inf)
    level = level - level.max(axis=-1, keepdims=True)
    weights = np.exp(level) if choices.measure is None else np.exp(level) * choices.measure
    return level, weights, weights.sum(axis=-1, keepdims=True)


def _value(model: Model, choices: Choices, phi: Floats, counts: Floats) -> Value:
    if choices.members is None and not isinstance(model, LapsesModel):
        level, slope, curvature = model.derivatives(phi, choices.attributes)
        level, weights, total = _exponentials(choices, level)
        shares = weights / total
        size = counts.sum(axis=-1)
        mean, spread = _moments(shares, slope)
        observed = np.einsum(
            "...cj,...cjp->...p", counts, np.broadcast_to(slope, (*level.shape, slope.shape[-1]))
        )
        gradient = observed - np.einsum("...c,...cp->...p", size, mean)
        hessian = -np.einsum("...c,...cpq->...pq", size, spread)
        if curvature is not None:
            # The second derivative counts by observed minus expected shares.
            hessian += np.einsum("...cj,...cjpq->...pq", counts - size[..., None] * shares, curvature)
        return Value(levels(choices, level - np.log(total), counts), gradient, hessian)
    found = events(model, choices, phi)
    gradient = np.einsum("...ce,...cep->...p", counts, found.score)
    hessian = np.einsum("...ce,...cepq->...pq", counts, found.curvature)
    return Value(levels(choices, found.level, counts), gradient, hessian)


def _lapsed(model: LapsesModel, choices: Choices, phi: Floats) -> Events:
    """Return the events of a model with lapses, by the chain rule from those of its model of preferences."""
    core, shares = model.split(phi)
    base = events(model.base, choices, core)
    chance = np.exp(base.level)
    level, targets, mixed = _mixed(model, choices, chance, shares)
    rest = 1 - shares.sum(axis=-1)
    safe = np.where(mixed > _NEVER, mixed, np.inf)
    part = rest[..., None, None] * chance / safe
    gain = (targets - chance[..., None]) / safe[..., None]
    ratio = chance / safe
    score = np.concatenate([part[..., None] * base.score, gain], axis=-1)
    size, extra = base.score.shape[-1], model.lapses
    curvature = np.zeros((*score.shape, size + extra))
    squared = base.score[..., :, None] * base.score[..., None, :]
    curvature[..., :size, :size] = (
        part[..., None, None] * base.curvature + (part * (1 - part))[..., None, None] * squared
    )
    cross = base.score[..., :, None] * -(ratio[..., None] + part[..., None] * gain)[..., None, :]
    curvature[..., :size, size:] = cross
    curvature[..., size:, :size] = np.swapaxes(cross, -1, -2)
    curvature[..., size:, size:] = -gain[..., :, None] * gain[..., None, :]
    possible = np.isfinite(level)
    return Events(
        level, np.where(possible[..., None], score, 0.0), np.where(possible[..., None, None], curvature, 0.0)
    )


def _tilted(model: LapsesModel, choices: Choices, phi: Floats) -> Events:
    """Return the events of a model with a utility of the first place, from those of its model of preferences.

    With D = 1 + (e^b − 1)·P_f of the option f shown first, log P'_e = log P_e + b·1[e = f] − log D.
    """
    core, bias = model.split(phi)
    bias = np.clip(bias, -_LARGEST, _LARGEST)[..., None]
    base = events(model.base, choices, core)
    shown = np.zeros(choices.questions.shape, dtype=bool) if choices.first is None else choices.first
    known, rows = choices.beside_first >= 0, np.arange(len(shown))[:, None]
    chance = np.where(known, np.exp(base.level)[..., rows, choices.beside_first], 0.0)
    gain, slope = base.score[..., rows, choices.beside_first, :], base.score.shape[-1]
    total = (1 - chance) + np.exp(bias) * chance
    part, share = np.expm1(bias) * chance / total, np.exp(bias) * chance / total
    level = base.level + bias * shown - np.log(total)
    score = np.concatenate([base.score - part[..., None] * gain, (shown - share)[..., None]], axis=-1)
    curvature = np.zeros((*score.shape, slope + 1))
    curvature[..., :slope, :slope] = (
        base.curvature
        - part[..., None, None] * base.curvature[..., rows, choices.beside_first, :, :]
        - (part * (1 - part))[..., None, None] * gain[..., :, None] * gain[..., None, :]
    )
    cross = -(share * (1 - part))[..., None] * gain
    curvature[..., :slope, slope] = cross
    curvature[..., slope, :slope] = cross
    curvature[..., slope, slope] = -share * (1 - share)
    possible = np.isfinite(level)
    return Events(
        level, np.where(possible[..., None], score, 0.0), np.where(possible[..., None, None], curvature, 0.0)
    )


def _mixed(
    model: LapsesModel, choices: Choices, chance: Floats, shares: Floats
) -> tuple[Floats, Floats, Floats]:
    """Return log P', the lapses' own probabilities (c, e, kinds), and P'; log P' is −inf where P' is none."""
    asked = choices.questions >= 0
    first = np.zeros(asked.shape, dtype=bool) if choices.first is None else choices.first
    targets = np.stack([first.astype(np.float64), asked / choices.options], axis=-1)[..., : model.lapses]
    rest = 1 - shares.sum(axis=-1)
    mixed = rest[..., None, None] * chance + np.einsum("cek,...k->...ce", targets, shares)
    with np.errstate(divide="ignore"):
        level = np.log(np.where(mixed > _NEVER, mixed, 0.0))
    level = np.where(rest[..., None, None] >= 0, level, -np.inf)
    return level, targets, mixed


def _moments(shares: Floats, slope: Floats) -> tuple[Floats, Floats]:
    """Return mean and covariance of ∂V over alternatives, from shares (..., j) and slope (..., j, p)."""
    mean = np.matmul(shares[..., None, :], slope)[..., 0, :]
    centred = slope - mean[..., None, :]
    spread = np.matmul(np.swapaxes(centred * shares[..., None], -1, -2), centred)
    return mean, spread
