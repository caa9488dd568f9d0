"""Equilibrium prices where best replies have no closed form: the ζ fixed point, then Newton's method.

With margins m_j = p_j − c_j in units of quality, every product's first-order condition can be written m =
ζ(m) (Morrow & Skerlos, Operations Research 59(2), 2011). For plain logit demand

    ζ_j(m) = scale·μ + Σ_k H_jk·s_k·m_k,      H_jk = 1 within a firm, `rival` across firms

with `demand.Conduct`'s scale and rival: 1 and 0 is Nash, 1 and 1 joint profit; other values arise from moral
preferences. Unlike a Newton step on the first-order condition itself, ζ never runs off to prices at which
nothing is sold. The result is certified by |m − ζ(m)|; where that stays above rounding error there is an
`EquilibriumError`, never a price.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ludens.envs.pricing.theory.demand import Conduct, Fixed
from ludens.envs.pricing.theory.errors import EquilibriumError

Floats = NDArray[np.float64]
Map = Callable[[Floats], Floats]

_SWEEPS = 200  # steps of ζ before Newton's method is tried
_NEWTON = 100
_TOLERANCE = 1e-12  # of |m − ζ(m)|, as a share of the largest margin
_EPS = float(np.finfo(np.float64).eps)


class ZetaDemand(Protocol):
    """Demand whose first-order conditions have the ζ form."""

    def zeta(self, values: Floats, outside: Floats, margins: Floats, conduct: Conduct) -> Floats:
        """Return the map from margins to margins."""

    def zeta_slopes(self, values: Floats, outside: Floats, margins: Floats, conduct: Conduct) -> Floats:
        """Return the derivatives of `zeta` by margins, (J, J)."""

    def floor(self, products: int) -> Floats:
        """Return margins of products without a share, (J,)."""


def zeta_margins(
    demand: ZetaDemand,
    surplus: Floats,
    outside: float,
    conduct: Conduct,
    *,
    fixed: Fixed | None = None,
    start: Floats | None = None,
) -> Floats:
    """Return margins (J,) at which every product's first-order condition holds.

    Args:
        demand: plain or nested logit.
        surplus: quality less cost, (J,).
        outside: the outside good's value.
        conduct: what firms maximise.
        fixed: products that keep their margins.
        start: where to begin, (J,); by default margins of products without a share.

    Raises:
        EquilibriumError: no such margins were found.
    """
    value = np.asarray(outside, dtype=np.float64)
    floor = demand.floor(len(surplus))

    def settle(margins: Floats) -> Floats:
        return margins if fixed is None else np.where(fixed.products, fixed.margins, margins)

    def mapped(margins: Floats) -> Floats:
        return settle(demand.zeta(surplus - margins, value, margins, conduct))

    def slopes(margins: Floats) -> Floats:
        jacobian = demand.zeta_slopes(surplus - margins, value, margins, conduct)
        return jacobian if fixed is None else np.where(fixed.products[:, None], 0.0, jacobian)

    def allowed(margins: Floats) -> float:
        # Exponents are values over mu: their rounding reaches margins magnified by margin/mu. But a residual
        # must also be small beside the margin of a product without a share, or any price of a firm with
        # nearly the whole market would pass.
        size, steep = float(np.abs(margins).max()), float(floor.min())
        rounding = 16 * _EPS * (float(np.abs(surplus).max()) + size) * (1 + size / steep)
        return min(_TOLERANCE * size + rounding, 1e-6 * abs(conduct.scale) * steep)

    begin = settle(floor * conduct.scale if start is None else start)
    lowest = np.minimum(begin, floor * conduct.scale)  # margins of a solution are never below
    margins, wrong = _sweep(mapped, begin)
    if not wrong <= allowed(margins):
        margins, wrong = _newton(mapped, slopes, [margins, begin], lowest, allowed)
    if not wrong <= allowed(margins):
        raise EquilibriumError(
            f"Equilibrium prices were not found: the first-order conditions fail by {wrong:.3g} where"
            f" {allowed(margins):.3g} is allowed, in units of quality; try a larger mu or smaller"
            " nest parameters."
        )
    return margins


def _sweep(mapped: Map, begin: Floats) -> tuple[Floats, float]:
    """Take steps of ζ until they no longer help; return the best margins and their error."""
    margins, best, waited = begin, (begin, np.inf), 0
    for _ in range(_SWEEPS):
        following = mapped(margins)
        wrong = float(np.abs(following - margins).max())
        if wrong < best[1]:
            best, waited = (margins, wrong), 0
        else:  # at rounding error it no longer falls
            waited += 1
        if not np.isfinite(wrong) or wrong <= 2 * _EPS * float(np.abs(margins).max()) or waited == 5:
            break
        margins = following
    return best


def _newton(
    mapped: Map, slopes: Map, starts: list[Floats], lowest: Floats, allowed: Callable[[Floats], float]
) -> tuple[Floats, float]:
    """Return the best of damped Newton steps on m − ζ(m) and Powell's hybrid method, from each start."""
    from scipy.optimize import root

    def gap(margins: Floats) -> Floats:
        return margins - mapped(margins)

    def gap_slopes(margins: Floats) -> Floats:
        derivatives: Floats = np.eye(len(margins)) - slopes(margins)
        return derivatives

    best: tuple[Floats, float] = (starts[0], np.inf)
    with np.errstate(all="ignore"):
        for start in starts:
            best = min(best, _newton_from(gap, gap_slopes, start, lowest), key=_error)
        if not best[1] <= allowed(best[0]):
            hybrid: Any = partial(root, gap, jac=gap_slopes, method="hybr")
            for start in starts:
                best = min(best, _newton_from(gap, gap_slopes, hybrid(start).x, lowest), key=_error)
    return best


def _newton_from(gap: Map, slopes: Map, margins: Floats, lowest: Floats) -> tuple[Floats, float]:
    margins = np.maximum(margins, lowest)
    error = gap(margins)
    size = float(np.abs(error).max())
    for _ in range(_NEWTON):
        try:
            step = np.linalg.solve(slopes(margins), error)
        except np.linalg.LinAlgError:
            break
        for halving in range(40):
            candidate = np.maximum(margins - step * 0.5**halving, lowest)
            remaining = gap(candidate)
            length = float(np.abs(remaining).max())
            if length < size:
                break
        else:
            break
        margins, error, size = candidate, remaining, length
    return margins, size if np.isfinite(size) else np.inf


def _error(pair: tuple[Floats, float]) -> float:
    return pair[1]
