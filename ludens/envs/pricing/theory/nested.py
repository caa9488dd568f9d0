"""Nested logit demand in the standard normalisation (Cardell 1997; Berry, RAND 1994), safe against overflow.

The nest parameter σ_g in [0, 1) is the correlation of tastes within a nest; σ = 0 is the plain logit, σ near
1 makes the products of a nest perfect substitutes. The outside good is a nest of its own.

    I_g = μ(1−σ_g)·log Σ_{k in g} e^{u_k/(μ(1−σ_g))}                       the nest's value
    s_j|g = e^{(u_j−I_g)/(μ(1−σ_g))},   s_g = e^{I_g/μ} / (Σ_h e^{I_h/μ} + e^{a_0/μ}),   s_j = s_j|g·s_g

Consumer surplus is the expected gain over the outside good, μ·log(1 + Σ_g e^{(I_g−a_0)/μ}).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ludens.envs.pricing.theory.demand import Conduct, Fixed
from ludens.envs.pricing.theory.equilibrium import zeta_margins
from ludens.envs.pricing.theory.errors import EquilibriumError
from ludens.envs.pricing.theory.groups import Groups
from ludens.envs.pricing.theory.logit import logit_shares
from ludens.envs.pricing.theory.logit_reply import inclusive
from ludens.envs.pricing.theory.nested_reply import Position, nest_margins

Floats = NDArray[np.float64]

_ROUNDS = 1000
_PATH = 33


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
        nests, sigma = list(self.nests), list(self.nest_parameter)
        return {"demand": "nested", "mu": self.mu, "nests": nests, "nest_parameter": sigma}

    @property
    def exchangeable(self) -> bool:
        """One nest for all, or one for each with the same parameter."""
        alone = self._groups.count == len(self.nests) and len(set(self.nest_parameter)) == 1
        return self._groups.count == 1 or alone

    def shares(self, values: Floats, outside: Floats) -> Floats:
        """Return shares (..., J)."""
        within, between, _, _ = self._split(values, outside)
        product: Floats = within * self._groups.spread(between)
        return product

    def marginal(self, values: Floats, outside: Floats, weights: Floats, conduct: Conduct) -> Floats:
        """Return ∂s_k/∂u_j = s_k[(1{j=k} − σ·s_j|g·1{same nest})/(1−σ) − s_j]/μ, weighted and summed over
        k.
        """
        within, between, _, _ = self._split(values, outside)
        shares = within * self._groups.spread(between)
        sold = shares * weights
        own = (sold - self._sigma * within * self._pooled_in_nest(sold, conduct)) / (1 - self._sigma)
        total: Floats = (own - shares * conduct.pooled(sold)) / self.mu
        return total

    def surplus(self, values: Floats, outside: Floats) -> Floats:
        """Return μ·log(1 + Σ_g e^{(I_g−a_0)/μ})."""
        _, _, top, total = self._split(values, outside)
        gain: Floats = (top - outside) + self.mu * np.log(total)
        return gain

    def equilibrium(
        self, surplus: Floats, outside: float, conduct: Conduct, fixed: Fixed | None = None
    ) -> Floats:
        """Return the margins (J,) of the equilibrium.

        By ζ, then Newton; where firms maximise profit and these fail, by repeated exact replies; other
        conducts then raise an error.
        """
        if conduct.rival == 1:
            conduct = Conduct(Groups(np.zeros(len(surplus), dtype=np.intp)), conduct.scale)
        try:
            return zeta_margins(self, surplus, outside, conduct, fixed=fixed)
        except EquilibriumError:
            owners, start = conduct.owners, self._by_replies(surplus, outside, conduct.owners, fixed)
            path = np.linspace(0, 1, _PATH)[1:].tolist() if conduct != Conduct(owners) else []
            margins = zeta_margins(self, surplus, outside, Conduct(owners), fixed=fixed, start=start)
            for part in path:
                step = Conduct(owners, float(1 + part * (conduct.scale - 1)), float(part * conduct.rival))
                margins = zeta_margins(self, surplus, outside, step, fixed=fixed, start=margins)
            return margins

    def reply(self, own: NDArray[np.bool_], surplus: Floats, values: Floats, outside: Floats) -> Floats:
        """Return the firm's exact best margins (see `nested_reply`), row by row."""
        shape = np.broadcast_shapes(values.shape[:-1], outside.shape)
        rows = np.broadcast_to(values, (*shape, len(own))).reshape(-1, len(own))
        worth = np.broadcast_to(outside, shape).reshape(-1)
        found = [self._reply(own, surplus, row, float(value)) for row, value in zip(rows, worth, strict=True)]
        return np.array(found).reshape(*shape, len(own))

    def zeta(self, values: Floats, outside: Floats, margins: Floats, conduct: Conduct) -> Floats:
        """Return (1−σ)·scale·μ + σ·Σ_{k in nest} H_jk·s_k|g·m_k + (1−σ)·Σ_k H_jk·s_k·m_k."""
        within, between, _, _ = self._split(values, outside)
        near = self._pooled_in_nest(within * margins, conduct)
        far = conduct.scale * self.mu + conduct.pooled(within * self._groups.spread(between) * margins)
        mapped: Floats = self._sigma * near + (1 - self._sigma) * far
        return mapped

    def zeta_slopes(self, values: Floats, outside: Floats, margins: Floats, conduct: Conduct) -> Floats:
        """Return ∂ζ_j/∂margin_l, (J, J)."""
        within, between, _, _ = self._split(values, outside)
        sigma, same, table = self._sigma, self._groups.together, conduct.matrix
        shares, steep = within * self._groups.spread(between), self.mu * (1 - sigma)
        inner = np.where(same, table, 0.0)
        own = 1 - margins / steep
        # s_k|g rises with margin l by s_k|g·s_l|g/steep for k in l's nest, less s_l|g/steep for l itself.
        near = within * (inner * own + np.where(same, (inner @ (within * margins))[:, None], 0.0) / steep)
        # s_k rises by s_k·s_l/μ for every k, by s_k·s_l|g·σ/steep more in l's nest, less s_l/steep for l.
        sold = shares * margins
        in_nest = table @ np.where(same, sold[:, None], 0.0)
        far = shares * (table * own + (table @ sold)[:, None] / self.mu) + within * in_nest * sigma / steep
        slopes: Floats = sigma[:, None] * near + (1 - sigma)[:, None] * far
        return slopes

    def floor(self, products: int) -> Floats:
        """Return μ(1−σ) for each product."""
        return np.broadcast_to(self.mu * (1 - self._sigma), (products,)).copy()

    @cached_property
    def _groups(self) -> Groups:
        return Groups(self.nests)

    @cached_property
    def _sigma(self) -> Floats:
        return np.array(self.nest_parameter)[self._groups.labels]

    @cached_property
    def _nest_scale(self) -> Floats:
        scale: Floats = self.mu * (1 - np.array(self.nest_parameter))
        return scale

    def _split(self, values: Floats, outside: Floats) -> tuple[Floats, Floats, Floats, Floats]:
        """Return shares within nests (..., J), shares of nests (..., G), and `logit_shares`' top and
        total.
        """
        best = self._groups.maxima(values)
        with np.errstate(over="ignore", under="ignore"):
            odds = np.exp((values - self._groups.spread(best)) / self._groups.spread(self._nest_scale))
        sums = self._groups.sums(odds)
        between, top, total = logit_shares(best + self._nest_scale * np.log(sums), outside, self.mu)
        return odds / self._groups.spread(sums), between, top, total

    def _pooled_in_nest(self, values: Floats, conduct: Conduct) -> Floats:
        """Return `Conduct.pooled` over products of the same nest only."""
        own = conduct.owners.crossed(self._groups).within(values)
        if conduct.rival == 0:
            return own
        everyone: Floats = (1 - conduct.rival) * own + conduct.rival * self._groups.within(values)
        return everyone

    def _reply(self, own: NDArray[np.bool_], surplus: Floats, values: Floats, outside: float) -> Floats:
        """Return margins (J,) of the firm's products; 0 for others."""
        labels, scale = self._groups.labels, self._nest_scale
        ours = np.unique(labels[own])
        elsewhere = [outside]
        at_cost, rivals = np.full(len(scale), -np.inf), np.full(len(scale), -np.inf)
        for nest in range(len(scale)):
            inside = labels == nest
            if np.any(inside & own):
                at_cost[nest] = inclusive(surplus[inside & own], None, scale[nest])
            if np.any(inside & ~own):
                rivals[nest] = inclusive(values[inside & ~own], None, scale[nest])
            if not np.any(inside & own):
                elsewhere.append(float(rivals[nest]))
        rest = float(inclusive(np.array(elsewhere), None, self.mu))
        sigma = np.array(self.nest_parameter)[ours]
        margins = np.zeros(len(scale))
        margins[ours] = nest_margins(Position(at_cost[ours], rivals[ours], sigma, rest, self.mu))
        return np.where(own, margins[labels], 0.0)

    def _by_replies(self, surplus: Floats, outside: float, owners: Groups, fixed: Fixed | None) -> Floats:
        """Let one firm after another play its exact best reply, until prices settle or the rounds run out."""
        margins = self.floor(len(surplus))
        if fixed is not None:
            margins = np.where(fixed.products, fixed.margins, margins)
        for _ in range(_ROUNDS):
            before = margins
            for firm in range(owners.count):
                own = owners.labels == firm
                if fixed is None or not fixed.products[own].any():
                    margins = np.where(own, self._reply(own, surplus, surplus - margins, outside), margins)
            if np.abs(margins - before).max() <= 1e-14 * np.abs(margins).max():
                break
        return margins
