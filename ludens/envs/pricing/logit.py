"""Logit demand, plain and nested, safe against overflow at any price and any μ > 0.

Plain (Calvano, Calzolari, Denicolò & Pastorello, AER 2020):

    s_j = e^{u_j/μ} / (Σ_k e^{u_k/μ} + e^{a_0/μ})

Nested, in the standard normalisation (Cardell 1997; Berry 1994) with nest parameter σ in [0, 1), the correlation of
tastes within a nest, which may differ between nests; σ = 0 is the plain logit and the outside good is alone:

    I_g = μ(1−σ_g)·log Σ_{k∈g} e^{u_k/(μ(1−σ_g))}          inclusive value of nest g
    s_j|g = e^{u_j/(μ(1−σ_g))} / Σ_{k∈g} e^{u_k/(μ(1−σ_g))},   s_g = e^{I_g/μ} / (Σ_h e^{I_h/μ} + e^{a_0/μ}),   s_j = s_j|g·s_g

Surplus is the expected gain over the outside good, μ·log(1 + Σ_g e^{(I_g−a_0)/μ}) (Small & Rosen 1981).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ludens.envs.pricing.groups import Groups

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Logit:
    """Plain logit demand with scale μ > 0 of tastes: small μ makes products close substitutes."""

    mu: float

    name: ClassVar[str] = "logit"
    exchangeable: ClassVar[bool] = True

    @property
    def parameters(self) -> dict[str, Any]:
        """`Market`'s keyword arguments."""
        return {"demand": "logit", "mu": self.mu}

    def shares(self, values: Floats, outside: Floats) -> Floats:
        """Shares (..., J)."""
        return _logit(values, outside, self.mu)[0]

    def marginal(
        self, values: Floats, outside: Floats, weights: Floats, owners: Groups, rival: float
    ) -> Floats:
        """∂s_k/∂u_j = s_k(1{j=k} − s_j)/μ, weighted and summed over k."""
        shares = self.shares(values, outside)
        total: Floats = shares * (weights - pooled(shares * weights, owners, rival)) / self.mu
        return total

    def surplus(self, values: Floats, outside: Floats) -> Floats:
        """μ·log(1 + Σ_j e^{(u_j−a_0)/μ})."""
        _, top, total = _logit(values, outside, self.mu)
        gain: Floats = (top - outside) + self.mu * np.log(total)
        return gain

    def zeta(
        self, values: Floats, outside: Floats, margins: Floats, owners: Groups, scale: float, rival: float
    ) -> Floats:
        """The map of Morrow & Skerlos (2011) from margins to margins, (..., J)."""
        shares = self.shares(values, outside)
        return scale * self.mu + pooled(shares * margins, owners, rival)

    def zeta_slopes(self, values: Floats, outside: Floats, margins: Floats, conduct: Floats) -> Floats:
        """∂ζ_j/∂margin_l for one market, shape (J, J); `conduct` is H."""
        shares = self.shares(values, outside)
        pool = conduct @ (shares * margins)
        slopes: Floats = shares * (conduct * (1 - margins / self.mu) + pool[:, None] / self.mu)
        return slopes

    def floor(self, products: int) -> Floats:
        """The least margin that any firm asks, (J,): that of a product with no share."""
        return np.full(products, self.mu)

    def restricted(self, products: NDArray[np.intp]) -> Logit:
        """The same: products are alike."""
        return self


@dataclass(frozen=True)
class NestedLogit:
    """Nested logit demand.

    Attributes:
        mu: scale of tastes, > 0.
        nests: the nest of each product, numbered from 0.
        nest_parameter: σ of each nest, in [0, 1).
    """

    mu: float
    nests: tuple[int, ...]
    nest_parameter: tuple[float, ...]

    name: ClassVar[str] = "nested"

    @property
    def parameters(self) -> dict[str, Any]:
        """`Market`'s keyword arguments."""
        return {
            "demand": "nested",
            "mu": self.mu,
            "nests": list(self.nests),
            "nest_parameter": list(self.nest_parameter),
        }

    @property
    def exchangeable(self) -> bool:
        """One nest for all, or one for each with the same parameter."""
        alone = self._groups.count == len(self.nests) and len(set(self.nest_parameter)) == 1
        return self._groups.count == 1 or alone

    def shares(self, values: Floats, outside: Floats) -> Floats:
        """Shares (..., J)."""
        within, between, _, _ = self._split(values, outside)
        product: Floats = within * self._groups.spread(between)
        return product

    def marginal(
        self, values: Floats, outside: Floats, weights: Floats, owners: Groups, rival: float
    ) -> Floats:
        """∂s_k/∂u_j = s_k[1{j=k}/(1−σ) − σ/(1−σ)·s_j|g·1{same nest} − s_j]/μ, weighted and summed over k."""
        within, between, _, _ = self._split(values, outside)
        shares = within * self._groups.spread(between)
        near = self._pooled_in_nest(shares * weights, owners, rival)
        far = pooled(shares * weights, owners, rival)
        own = (shares * weights - self._sigma * within * near) / (1 - self._sigma)
        total: Floats = (own - shares * far) / self.mu
        return total

    def surplus(self, values: Floats, outside: Floats) -> Floats:
        """μ·log(1 + Σ_g e^{(I_g−a_0)/μ})."""
        _, _, top, total = self._split(values, outside)
        gain: Floats = (top - outside) + self.mu * np.log(total)
        return gain

    def zeta(
        self, values: Floats, outside: Floats, margins: Floats, owners: Groups, scale: float, rival: float
    ) -> Floats:
        """(1−σ)μ + σ·Σ_{k in own firm and nest} s_k|g·margin_k + (1−σ)·Σ_{k in own firm} s_k·margin_k."""
        within, between, _, _ = self._split(values, outside)
        shares = within * self._groups.spread(between)
        near = self._pooled_in_nest(within * margins, owners, rival)
        far = scale * self.mu + pooled(shares * margins, owners, rival)
        mapped: Floats = self._sigma * near + (1 - self._sigma) * far
        return mapped

    def zeta_slopes(self, values: Floats, outside: Floats, margins: Floats, conduct: Floats) -> Floats:
        """∂ζ_j/∂margin_l for one market, shape (J, J)."""
        within, between, _, _ = self._split(values, outside)
        sigma, same = self._sigma, self._groups.together
        shares = within * self._groups.spread(between)
        inner = np.where(same, conduct, 0.0)
        steep = self.mu * (1 - sigma)
        near_pool = inner @ (within * margins)
        near = within * (inner * (1 - margins / steep) + np.where(same, near_pool[:, None], 0.0) / steep)
        # ∂s_k/∂p_l for all k is summed over the firm of j: own term, those of l's nest, all others.
        in_nest = conduct @ np.where(same, (shares * margins)[:, None], 0.0)
        pool = conduct @ (shares * margins)
        far = shares * conduct * (1 - margins / steep) + within * (sigma / steep) * in_nest
        far += shares * pool[:, None] / self.mu
        slopes: Floats = sigma[:, None] * near + (1 - sigma)[:, None] * far
        return slopes

    def floor(self, products: int) -> Floats:
        """μ(1−σ) for each product."""
        return np.broadcast_to(self.mu * (1 - self._sigma), (products,)).copy()

    def restricted(self, products: NDArray[np.intp]) -> NestedLogit:
        """The nests of those products; empty nests go."""
        kept = [self.nests[index] for index in products]
        used = sorted(set(kept))
        return NestedLogit(
            self.mu,
            tuple(used.index(nest) for nest in kept),
            tuple(self.nest_parameter[nest] for nest in used),
        )

    @cached_property
    def _groups(self) -> Groups:
        return Groups(self.nests)

    @cached_property
    def _sigma(self) -> Floats:
        return self._groups.spread(np.array(self.nest_parameter))

    @cached_property
    def _nest_scale(self) -> Floats:
        return self.mu * (1 - np.array(self.nest_parameter))

    def _split(self, values: Floats, outside: Floats) -> tuple[Floats, Floats, Floats, Floats]:
        """Shares within nests (..., J), shares of nests (..., G), the highest value and the total."""
        best = self._groups.maxima(values)
        with np.errstate(over="ignore", under="ignore"):
            odds = np.exp((values - self._groups.spread(best)) / self._groups.spread(self._nest_scale))
        sums = self._groups.sums(odds)
        between, top, total = _logit(best + self._nest_scale * np.log(sums), outside, self.mu)
        return odds / self._groups.spread(sums), between, top, total

    def _pooled_in_nest(self, values: Floats, owners: Groups, rival: float) -> Floats:
        """As `pooled`, within nests."""
        key = (owners.labels * self._groups.count + self._groups.labels).tolist()
        numbers = {label: index for index, label in enumerate(sorted(set(key)))}
        own = Groups([numbers[label] for label in key]).within(values)
        if rival == 0:
            return own
        result: Floats = (1 - rival) * own + rival * self._groups.within(values)
        return result


def pooled(values: Floats, owners: Groups, rival: float) -> Floats:
    """Σ_k H_jk·values_k for each j: the own firm's sum plus `rival` times that of all others."""
    own = owners.within(values)
    if rival == 0:
        return own
    result: Floats = (1 - rival) * own + rival * values.sum(axis=-1, keepdims=True)
    return result


def _logit(values: Floats, outside: Floats, mu: float) -> tuple[Floats, Floats, Floats]:
    """Shares (..., J), the highest value (...), and the sum of odds relative to it (...)."""
    if values.shape[-1] <= 8:  # columns one by one: numpy reduces a short last axis slowly
        top = np.maximum(outside, values[..., 0])
        for column in range(1, values.shape[-1]):
            top = np.maximum(top, values[..., column])
    else:
        top = np.maximum(outside, values.max(axis=-1))
    # The greatest exponent is exactly 0, so nothing overflows; those far below become a share of 0.
    with np.errstate(over="ignore", under="ignore"):
        odds = np.exp((values - top[..., None]) / mu)
        total = np.exp((outside - top) / mu)
    if values.shape[-1] <= 8:
        for column in range(values.shape[-1]):
            total = total + odds[..., column]
    else:
        total = total + odds.sum(axis=-1)
    return odds / total[..., None], top, total
