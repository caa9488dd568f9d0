"""Best replies and Nash prices under plain logit demand, in closed form and in logarithms.

Products of one firm carry one margin m_f. Against rivals and an outside good of joint value r_f = μ·log R_f
it is

    m_f = μ·(1 + ω((i_f − r_f)/μ − 1)),   i_f = μ·log Σ_{j of f} e^{(a_j−c_j)/μ}

with Wright's ω, the solution of ω + log ω = z (Lambert's W of e^z; Anderson, de Palma & Thisse 1992 for the
first-order condition). It is the only maximum. Derivatives of these replies, ∂m_f/∂m_g = S_f·S_g/(1−S_f),
have rows that sum to less than 1: replies are a contraction, their fixed point is the only equilibrium (cf.
Nocke & Schutz, Econometrica 86(2), 2018), and repeating them finds it from anywhere. Newton's method on m −
reply(m), whose matrix is diagonal plus rank one, finds it sooner. At a fixed point no firm can gain by any
deviation.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ludens.envs.pricing.theory.errors import EquilibriumError
from ludens.envs.pricing.theory.groups import Groups

Floats = NDArray[np.float64]

_STEPS = 500
_ROUNDING = 4 * float(np.finfo(np.float64).eps)
_TOLERANCE = 1e-10


def inclusive(values: Floats, outside: Floats | None, mu: float) -> Floats:
    """Return μ·log(Σ_j e^{u_j/μ} + e^{a_0/μ}), (..., J) to (...); without the outside good where it is
    None.
    """
    top = values.max(axis=-1) if outside is None else np.maximum(values.max(axis=-1), outside)
    with np.errstate(over="ignore", under="ignore"):
        total = np.exp((values - top[..., None]) / mu).sum(axis=-1)
        if outside is not None:
            total = total + np.exp((outside - top) / mu)
    value: Floats = top + mu * np.log(total)
    return value


def reply_margin(own: Floats, rivals: Floats, mu: float) -> Floats:
    """Return the margin that answers rivals and outside good of joint value `rivals`, given i_f = `own`."""
    from scipy.special import wrightomega

    margin: Floats = mu * (1 + wrightomega((own - rivals) / mu - 1))
    return margin


def nash_margins(surplus: Floats, outside: float, owners: Groups, mu: float) -> Floats:
    """Return equilibrium margins, (J,), of products whose quality less cost is `surplus`, (J,).

    Raises:
        EquilibriumError: rounding kept the best replies from being met.
    """
    best = owners.maxima(surplus)
    with np.errstate(over="ignore", under="ignore"):
        odds = np.exp((surplus - owners.spread(best)) / mu)
    own = best + mu * np.log(owners.sums(odds))
    margins = reply_margin(own, _rivals(own, outside, mu), mu)
    error = np.inf
    for _ in range(_STEPS):
        rivals = _rivals(own - margins, outside, mu)
        replies = reply_margin(own, rivals, mu)
        gap = replies - margins
        previous, error = error, float(np.abs(gap / replies).max())
        if error <= _ROUNDING:
            return owners.spread(replies)
        if error < previous / 2:
            margins = margins + _newton_step(own - margins, rivals, gap, mu)
        elif error <= _TOLERANCE:  # rounding: exponents are differences of values, divided by a small mu
            return owners.spread(replies)
        else:
            margins = replies
        margins = np.maximum(margins, mu)
    if error > max(_TOLERANCE, _ROUNDING * (np.abs(own).max() + abs(outside)) / mu):
        raise EquilibriumError(
            f"Nash prices were not found: best replies still differ from prices by a share {error:.3g} of the"
            " margin; try a larger mu."
        )
    return owners.spread(margins)


def _newton_step(values: Floats, rivals: Floats, gap: Floats, mu: float) -> Floats:
    """Solve (I − J)·step = gap, with J_fg = S_f·S_g/(1−S_f) off the diagonal, by Sherman & Morrison."""
    with np.errstate(over="ignore", under="ignore"):
        ratio = np.exp(np.minimum((values - rivals) / mu, 500.0))  # S/(1−S)
    shares = ratio / (1 + ratio)
    diagonal = 1 + ratio * shares
    step = gap / diagonal
    lift = ratio / diagonal
    result: Floats = step + lift * (shares @ step) / (1 - shares @ lift)
    return result


def _rivals(values: Floats, outside: float, mu: float) -> Floats:
    """Return μ·log of the others' odds and the outside good's, for each firm, (F,), without subtraction of
    sums: a firm with nearly the whole market has rivals whose odds would be lost in it.
    """
    top = max(outside, float(values.max()))
    with np.errstate(over="ignore", under="ignore", divide="ignore"):
        odds = np.exp((values - top) / mu)
        before = np.concatenate(([0.0], np.cumsum(odds[:-1])))
        after = np.concatenate((np.cumsum(odds[:0:-1])[::-1], [0.0]))
        others: Floats = top + mu * np.log(before + after + np.exp((outside - top) / mu))
    leader = int(np.argmax(values))
    rest = np.concatenate((values[:leader], values[leader + 1 :], [outside]))
    others[leader] = inclusive(rest, None, mu)
    return others
