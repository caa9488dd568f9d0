"""Plain logit demand, safe against overflow at any price and any μ > 0 (Calvano et al., AER 2020):

    s_j = e^{u_j/μ} / (Σ_k e^{u_k/μ} + e^{a_0/μ})

Consumer surplus is the expected gain over the outside good, μ·log(1 + Σ_j e^{(u_j−a_0)/μ}) (Small & Rosen
1981).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ludens.envs.pricing.theory.demand import Conduct, Fixed
from ludens.envs.pricing.theory.equilibrium import zeta_margins
from ludens.envs.pricing.theory.groups import Groups
from ludens.envs.pricing.theory.logit_reply import inclusive, nash_margins, reply_margin

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Logit:
    """Logit demand with scale μ > 0 of tastes: small μ makes products close substitutes."""

    mu: float

    name: ClassVar[str] = "logit"
    exchangeable: ClassVar[bool] = True

    @property
    def parameters(self) -> dict[str, Any]:
        """`Market`'s keyword arguments."""
        return {"demand": "logit", "mu": self.mu}

    def shares(self, values: Floats, outside: Floats) -> Floats:
        """Return shares (..., J)."""
        return logit_shares(values, outside, self.mu)[0]

    def marginal(self, values: Floats, outside: Floats, weights: Floats, conduct: Conduct) -> Floats:
        """Return ∂s_k/∂u_j = s_k(1{j=k} − s_j)/μ, weighted and summed over k."""
        shares = self.shares(values, outside)
        total: Floats = shares * (weights - conduct.pooled(shares * weights)) / self.mu
        return total

    def surplus(self, values: Floats, outside: Floats) -> Floats:
        """Return μ·log(1 + Σ_j e^{(u_j−a_0)/μ})."""
        _, top, total = logit_shares(values, outside, self.mu)
        gain: Floats = (top - outside) + self.mu * np.log(total)
        return gain

    def equilibrium(
        self, surplus: Floats, outside: float, conduct: Conduct, fixed: Fixed | None = None
    ) -> Floats:
        """Return the margins (J,) of the equilibrium.

        By best replies where firms maximise profit, else by ζ, started at the best replies.
        """
        if fixed is not None:  # what stands fast is to all others a part of the outside good
            value = inclusive((surplus - fixed.margins)[fixed.products], np.asarray(outside), self.mu)
            free = np.flatnonzero(~fixed.products)
            margins = fixed.margins.copy()
            part = Conduct(conduct.owners.restricted(free), conduct.scale, conduct.rival)
            margins[free] = self.equilibrium(surplus[free], float(value), part)
            return margins
        if conduct.rival == 1:  # everybody is one firm
            conduct = Conduct(Groups(np.zeros(len(surplus), dtype=np.intp)), conduct.scale)
        start = nash_margins(surplus, outside, conduct.owners, self.mu)
        if conduct.scale == 1 and conduct.rival == 0:
            return start
        return zeta_margins(self, surplus, outside, conduct, start=conduct.scale * start)

    def reply(self, own: NDArray[np.bool_], surplus: Floats, values: Floats, outside: Floats) -> Floats:
        """Return the firm's best margins in closed form: one margin for all its products."""
        ours = inclusive(surplus[own], None, self.mu)
        rivals = inclusive(values[..., ~own], outside, self.mu) if not own.all() else outside
        margin = reply_margin(ours, rivals, self.mu)
        return np.broadcast_to(margin[..., None], (*margin.shape, len(own)))

    def zeta(self, values: Floats, outside: Floats, margins: Floats, conduct: Conduct) -> Floats:
        """Return the map of `equilibrium.zeta_margins`."""
        shares = self.shares(values, outside)
        return conduct.scale * self.mu + conduct.pooled(shares * margins)

    def zeta_slopes(self, values: Floats, outside: Floats, margins: Floats, conduct: Conduct) -> Floats:
        """Return ∂ζ_j/∂margin_l, (J, J)."""
        shares, table = self.shares(values, outside), conduct.matrix
        pool = table @ (shares * margins)
        slopes: Floats = shares * (table * (1 - margins / self.mu) + pool[:, None] / self.mu)
        return slopes

    def floor(self, products: int) -> Floats:
        """Return μ for each product."""
        return np.full(products, self.mu)


def logit_shares(values: Floats, outside: Floats, mu: float) -> tuple[Floats, Floats, Floats]:
    """Return shares (..., J), the highest value top (...), and Σ_j e^{(u_j−top)/μ} + e^{(a_0−top)/μ}
    (...).
    """
    if values.size == values.shape[-1] <= 8 and outside.size == 1:
        return _one_market(values, float(outside.reshape(())), mu)
    few = values.shape[-1] <= 8  # numpy reduces a short last axis slowly: take its columns one by one
    if few:
        top = np.maximum(outside, values[..., 0])
        for column in range(1, values.shape[-1]):
            top = np.maximum(top, values[..., column])
    else:
        top = np.maximum(outside, values.max(axis=-1))
    # The greatest exponent is exactly 0, so nothing overflows; those far below become a share of 0.
    with np.errstate(over="ignore", under="ignore"):
        odds = np.exp((values - top[..., None]) / mu)
        total = np.exp((outside - top) / mu)
    if few:
        for column in range(values.shape[-1]):
            total = total + odds[..., column]
    else:
        total = total + odds.sum(axis=-1)
    return odds / total[..., None], top, total


def _one_market(values: Floats, outside: float, mu: float) -> tuple[Floats, Floats, Floats]:
    """Return the same numbers for one market, with the same operations on plain numbers: a tenth of the calls
    of NumPy, which take most of the time there.
    """
    worth = values.reshape(-1).tolist()
    top = max(outside, *worth)
    *odds, total = np.exp([(each - top) / mu for each in (*worth, outside)]).tolist()
    for each in odds:
        total += each
    shares = np.array([each / total for each in odds]).reshape(values.shape)
    shape = values.shape[:-1]
    return shares, np.full(shape, top), np.full(shape, total)
