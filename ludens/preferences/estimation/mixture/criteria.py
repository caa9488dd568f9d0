"""Criteria for the number of types; for all of them smaller is better.

With ν free parameters, ℓ(K) the log-likelihood and E = −Σ_i Σ_k τ_ik·log τ_ik the entropy of membership,

    AIC = 2ν − 2ℓ                                  (Akaike 1974)
    BIC = ν·log n − 2ℓ                             (Schwarz 1978)
    ICL = BIC + 2E                                 (Biernacki, Celeux & Govaert 2000)
    NEC = E / (ℓ(K) − ℓ(1)),  NEC(1) = 1           (Celeux & Soromenho 1996; Biernacki et al. 1999)

If subjects make many choices each, there is no consensus on n: choices are the observations behind the
parameters, subjects the units for which types are drawn. Both are reported. `bic` and `icl` count choices,
like `Fit.bic`; `bic_subjects` and `icl_subjects` count subjects and are less strict.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import special

Floats = NDArray[np.float64]


class Criteria(NamedTuple):
    """The criteria for one number of types.

    Attributes:
        types: K.
        free: ν.
        log_likelihood: ℓ(K).
        aic, bic, bic_subjects, icl, icl_subjects: see the module's docstring.
        entropy: E, in nats: 0 if all types are certain, at most subjects·log K.
        nec: 1 for one type; NaN where K types fit no better than one.
    """

    types: int
    free: int
    log_likelihood: float
    aic: float
    bic: float
    bic_subjects: float
    icl: float
    icl_subjects: float
    entropy: float
    nec: float


CRITERIA = ("aic", "bic", "bic_subjects", "icl", "icl_subjects", "nec")
"""The columns of `Criteria` that suggest a number of types."""


def criteria(membership: Floats, *, free: int, log_likelihood: float, pooled: float, size: float) -> Criteria:
    """Return all criteria of one mixture.

    Args:
        membership: τ, shape (subjects, K).
        free: ν.
        log_likelihood: ℓ(K).
        pooled: ℓ(1).
        size: the number of choices.
    """
    subjects, types = membership.shape
    # Adding 0 makes −0 the same as 0.
    entropy = float(special.entr(membership).sum()) + 0.0
    gain = log_likelihood - pooled
    bic = free * math.log(max(size, 1.0)) - 2 * log_likelihood
    bic_subjects = free * math.log(max(subjects, 1)) - 2 * log_likelihood
    return Criteria(
        types=types,
        free=free,
        log_likelihood=log_likelihood,
        aic=2 * free - 2 * log_likelihood,
        bic=bic,
        bic_subjects=bic_subjects,
        icl=bic + 2 * entropy,
        icl_subjects=bic_subjects + 2 * entropy,
        entropy=entropy,
        nec=1.0 if types == 1 else entropy / gain if gain > 0 else math.nan,
    )


def suggested(rows: Sequence[Criteria]) -> dict[str, int]:
    """Return the number of types that each criterion would choose."""
    found = {}
    for name in CRITERIA:
        values = np.array([getattr(row, name) for row in rows])
        found[name] = rows[int(np.nanargmin(values))].types
    return found
