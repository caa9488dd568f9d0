"""Equilibrium prices of a logit market: the ζ fixed point, with Newton's method where it is slow.

Every firm's first-order conditions, for margins m_j = p_j − c_j in units of quality, with own-firm weight 1 and weight
`rival` on what other firms lose or gain, and weight `scale` on the firm's own sales, read m = ζ(m) (Morrow & Skerlos,
Operations Research 59(2), 2011):

    plain logit:   ζ_j(m) = scale·μ + Σ_k H_jk·s_k·m_k,      H_jk = 1 within a firm, `rival` across firms

`scale` = 1 and `rival` = 0 is Nash, `rival` = 1 joint profit; other values arise from moral preferences. The result is
certified: where neither method brings |m − ζ(m)| down to rounding error, there is an `EquilibriumError`, never a price.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from ludens.envs.pricing.groups import Groups
from ludens.errors import LudensError

if TYPE_CHECKING:
    from collections.abc import Callable

Floats = NDArray[np.float64]

_SWEEPS = 200  # steps of ζ before Newton's method is tried
_NEWTON = 100
_TOLERANCE = 1e-11  # of |m − ζ(m)|, as a share of the largest margin


class EquilibriumError(LudensError):
    """No prices were found that satisfy every firm's first-order conditions."""


class ZetaDemand(Protocol):
    """Demand whose first-order conditions have the ζ form."""

    def zeta(
        self, values: Floats, outside: Floats, margins: Floats, owners: Groups, scale: float, rival: float
    ) -> Floats:
        """The map from margins to margins."""

    def zeta_slopes(self, values: Floats, outside: Floats, margins: Floats, conduct: Floats) -> Floats:
        """Its derivatives, (J, J)."""

    def floor(self, products: int) -> Floats:
        """Margins of products without a share, (J,)."""


def zeta_margins(
    demand: ZetaDemand,
    surplus: Floats,
    outside: float,
    owners: Groups,
    *,
    scale: float = 1.0,
    rival: float = 0.0,
    moving: NDArray[np.bool_] | None = None,
    start: Floats | None = None,
) -> Floats:
    """Margins (J,) at which every product's first-order condition holds.

    Args:
        demand: plain or nested logit.
        surplus: quality less cost, (J,).
        outside: the outside good's value.
        owners: the products of each firm.
        scale: weight of own sales in the first-order condition.
        rival: weight of other firms' margins in it.
        moving: the products whose margins are sought; the rest stay at `start`. All by default.
        start: where to begin, (J,); by default margins of products without a share.

    Raises:
        EquilibriumError: no such margins were found.
    """
    value = np.float64(outside)
    begin = demand.floor(len(surplus)) * scale if start is None else start

    def mapped(margins: Floats) -> Floats:
        found = demand.zeta(surplus - margins, value, margins, owners, scale, rival)
        return found if moving is None else np.where(moving, found, begin)

    margins, wrong, allowed = _iterate(mapped, begin, surplus, demand)
    if wrong > allowed:
        conduct = np.where(owners.together, 1.0, rival)

        def slopes(margins: Floats) -> Floats:
            jacobian = demand.zeta_slopes(surplus - margins, value, margins, conduct)
            return jacobian if moving is None else np.where(moving[:, None], jacobian, 0.0)

        margins, wrong = _newton(mapped, slopes, [margins, begin], allowed)
    if not wrong <= allowed:
        raise EquilibriumError(
            f"No equilibrium prices were found: the first-order conditions fail by {wrong:.3g}"
            f" (allowed {allowed:.3g}, in units of quality); try a larger mu or qualities nearer to costs."
        )
    return margins


def _iterate(
    mapped: Callable[[Floats], Floats], begin: Floats, surplus: Floats, demand: ZetaDemand
) -> tuple[Floats, float, float]:
    """Steps of ζ until they no longer move, or no longer help; margins, error and what error is allowed."""
    margins, best, allowed = begin, (begin, np.inf), 0.0
    # Rounding in values of this size reaches margins through exponents that divide it by the scale of tastes.
    rounding = 16 * np.finfo(np.float64).eps * float(np.abs(surplus).max() + np.abs(begin).max())
    steep = float(demand.floor(len(surplus)).min())
    for _ in range(_SWEEPS):
        following = mapped(margins)
        wrong = float(np.abs(following - margins).max())
        if not np.isfinite(wrong):
            break
        size = float(np.abs(margins).max())
        if wrong < best[1]:
            best, allowed = (margins, wrong), _TOLERANCE * size + rounding * (1 + size / steep)
        if wrong <= 1e-15 * size or (
            wrong >= best[1] and wrong > 0 and best[1] <= allowed and margins is not best[0]
        ):
            break
        margins = following
    return best[0], best[1], max(allowed, rounding)


def _newton(
    mapped: Callable[[Floats], Floats],
    slopes: Callable[[Floats], Floats],
    starts: list[Floats],
    allowed: float,
) -> tuple[Floats, float]:
    """Damped Newton steps on m − ζ(m) from each start in turn, then Powell's hybrid method."""
    best: tuple[Floats, float] = (starts[0], np.inf)
    for start in starts:
        found = _newton_from(mapped, slopes, start)
        best = min(best, found, key=lambda pair: pair[1])
        if best[1] <= allowed:
            return best
    from scipy.optimize import root

    for start in starts:
        unit = np.eye(len(start))
        with np.errstate(all="ignore"):
            answer = root(
                lambda m: m - mapped(m),
                start,
                jac=lambda m, one=unit: one - slopes(m),
                method="hybr",
                tol=1e-14,
            )
        wrong = float(np.abs(answer.x - mapped(answer.x)).max())
        if np.isfinite(wrong):
            best = min(best, (answer.x, wrong), key=lambda pair: pair[1])
    return best


def _newton_from(
    mapped: Callable[[Floats], Floats], slopes: Callable[[Floats], Floats], start: Floats
) -> tuple[Floats, float]:
    margins, error = start, start - mapped(start)
    size = float(np.abs(error).max())
    for _ in range(_NEWTON):
        try:
            step = np.linalg.solve(np.eye(len(margins)) - slopes(margins), error)
        except np.linalg.LinAlgError:
            break
        for halving in range(40):
            candidate = margins - step * 0.5**halving
            remaining = candidate - mapped(candidate)
            length = float(np.abs(remaining).max())
            if length < size:
                break
        else:
            break
        margins, error, size = candidate, remaining, length
        if size == 0:
            break
    return margins, size
