"""Tests of hypotheses about fits, and differences between two fits.

With θ̂ and its covariance V, and R the rows of the q parameters that a hypothesis is about,

    Wald                W = (Rθ̂ − r)ᵀ (RVRᵀ)⁻¹ (Rθ̂ − r)                     (Wald 1943)
    likelihood ratio    LR = 2·(ℓ_general − ℓ_restricted)                       (Wilks 1938)

Both are χ² with q degrees of freedom in large samples. With clustered covariances, W/q is compared with F of
q and G − 1 degrees of freedom, as t is with a single parameter. With bias-reduced ones, W is Hotelling's T²
with the fewest degrees of freedom ν of the parameters: (ν − q + 1)/(νq)·W is compared with F of q and ν − q +
1 (after Pustejovsky & Tipton, Journal of Business & Economic Statistics 36(4), 2018, section 3). The
likelihood ratio takes choices as independent given the model; where subjects repeat themselves, use the Wald
test.

Two fits of samples that have nobody in common have independent estimates: the variance of a difference is the
sum of the two, with the degrees of freedom of Welch (1947) and Satterthwaite (1946).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import special

from ludens.errors import UsageError
from ludens.preferences.estimation.fitting.results import ErrorKind, Fit, two_sided
from ludens.preferences.estimation.models.grouped_noise import GroupedNoiseModel

Floats = NDArray[np.float64]


class HypothesisTest(NamedTuple):
    """The result of a test.

    Attributes:
        method: the test.
        statistic: F for Wald tests with clustered errors, otherwise W or LR.
        restrictions: q, the number of restrictions.
        freedom: the denominator's degrees of freedom, with which the statistic is F; infinite for χ².
        p: the probability of a statistic as large under the hypothesis.
    """

    method: Literal["Wald", "likelihood ratio"]
    statistic: float
    restrictions: int
    freedom: float
    p: float


class Difference(NamedTuple):
    """The difference of a parameter between two fits, first minus second; NaN where not identified."""

    name: str
    symbol: str
    estimate: float
    se: float
    low: float
    high: float
    p: float


def wald(fit: Fit, hypothesis: Mapping[str, float], kind: ErrorKind = "cluster") -> HypothesisTest:
    """Test jointly that parameters have given values, such as ``{"alpha": 0, "beta": 0}``.

    Raises:
        UsageError: the hypothesis is empty, names a parameter that the model lacks or that has no error, or
            is about more parameters than degrees of freedom allow.
    """
    places = [_place(fit, name) for name in hypothesis]
    if not places:
        raise UsageError("A hypothesis names one parameter at least, as in {'kappa': 0}.")
    covariance = fit.covariance(kind)[np.ix_(places, places)]
    unknown = [
        name for name, variance in zip(hypothesis, np.diag(covariance), strict=True) if not variance > 0
    ]
    if unknown:
        raise UsageError(
            f"This fit has no {kind!r} error of {unknown[0]}, so that nothing can be tested about it; "
            "take another kind of errors, or another hypothesis."
        )
    gap = fit.values[places] - np.array(list(hypothesis.values()), dtype=np.float64)
    return _wald(gap, covariance, fit.freedom(kind), kind)


def likelihood_ratio(restricted: Fit, general: Fit) -> HypothesisTest:
    """Test a fit against a more general one of the same choices, such as one with ``fix={"kappa": 0}``
    against one without.

    Raises:
        UsageError: the fits are not of the same model and choices, or the first is not more restricted.
    """
    same = (restricted.model.name, restricted.size, restricted.subjects)
    if same != (general.model.name, general.size, general.subjects):
        raise UsageError(
            "A likelihood ratio compares two fits of one model to the same choices; these are "
            f"{restricted!r} and {general!r}."
        )
    number = general.free - restricted.free
    if number < 1 or not set(general.fixed) <= set(restricted.fixed):
        raise UsageError(
            "The first fit must hold parameters at values that the second leaves free: give the restricted "
            "fit first, as in likelihood_ratio(fit(choices, fix={'kappa': 0}), fit(choices))."
        )
    statistic = max(0.0, 2 * (general.log_likelihood - restricted.log_likelihood))
    p = float(special.chdtrc(number, statistic))
    return HypothesisTest("likelihood ratio", statistic, number, math.inf, p)


def compare(
    first: Fit, second: Fit, *, kind: ErrorKind = "cluster", level: float = 0.95
) -> tuple[Difference, ...]:
    """Return the differences of the parameters that two fits of different samples have in common.

    A parameter held at a value counts as known exactly.

    Raises:
        UsageError: the fits have no parameter in common, or the level does not lie between 0 and 1.
    """
    if not 0 < level < 1:
        raise UsageError(f"An interval's level lies between 0 and 1; got {level!r}.")
    symbols = {parameter.name: parameter.symbol for parameter in first.model.parameters}
    found = []
    for name in _shared(first, second):
        values = [fit.values[_place(fit, name)] for fit in (first, second)]
        variances = [_variance(fit, name, kind) for fit in (first, second)]
        gap, error = float(values[0] - values[1]), math.sqrt(sum(variances))
        freedom = _welch(variances, (first.freedom(kind, name), second.freedom(kind, name)))
        if not error > 0 or math.isnan(gap):
            found.append(Difference(name, symbols[name], gap, *[math.nan] * 4))
            continue
        tail = 0.5 + level / 2
        reach = error * float(special.ndtri(tail) if math.isinf(freedom) else special.stdtrit(freedom, tail))
        p = two_sided(gap / error, freedom)
        found.append(Difference(name, symbols[name], gap, error, gap - reach, gap + reach, p))
    return tuple(found)


def equality(first: Fit, second: Fit, kind: ErrorKind = "cluster") -> HypothesisTest:
    """Test jointly that all common parameters that both fits estimate are equal.

    The degrees of freedom are those of the fit with fewer.

    Raises:
        UsageError: no common parameter has an error in both fits, or they are more than degrees of freedom
            allow.
    """
    names = [
        name
        for name in _shared(first, second)
        if all(fit.covariance(kind)[_place(fit, name), _place(fit, name)] > 0 for fit in (first, second))
    ]
    if not names:
        raise UsageError(f"No parameter has a {kind!r} error in both fits, so that none can be compared.")
    gap, covariance = np.zeros(len(names)), np.zeros((len(names), len(names)))
    for fit, sign in ((first, 1.0), (second, -1.0)):
        places = [_place(fit, name) for name in names]
        gap += sign * fit.values[places]
        covariance += fit.covariance(kind)[np.ix_(places, places)]
    return _wald(gap, covariance, min(first.freedom(kind), second.freedom(kind)), kind)


def equal_noise(fit: Fit, kind: ErrorKind = "cluster") -> HypothesisTest:
    """Test that groups have the same noise, of a fit with `with_noise_groups`; by Wald, on its logarithm.

    Raises:
        UsageError: the fit has no groups, a noise has no error, or there are more groups than degrees of
            freedom allow.
    """
    if not isinstance(fit.model, GroupedNoiseModel):
        raise UsageError(f"{fit!r} has one noise for all: fit choices and the model of with_noise_groups.")
    number = len(fit.model.groups)
    places = np.arange(len(fit.names) - 1 - number, len(fit.names))
    covariance, values = fit.covariance(kind)[np.ix_(places, places)], fit.values[places]
    if not np.all(np.diag(covariance) > 0):
        raise UsageError(f"Not every group's noise has a {kind!r} error, so that they cannot be compared.")
    contrast = np.concatenate([np.eye(number), -np.ones((number, 1))], axis=1)
    table = contrast / values
    return _wald(contrast @ np.log(values), table @ covariance @ table.T, fit.freedom(kind), kind)


def _wald(gap: Floats, covariance: Floats, freedom: float, kind: ErrorKind) -> HypothesisTest:
    statistic = float(gap @ np.linalg.pinv(covariance, hermitian=True) @ gap)
    number = int(np.linalg.matrix_rank(covariance, hermitian=True))
    if math.isinf(freedom):
        return HypothesisTest("Wald", statistic, number, freedom, float(special.chdtrc(number, statistic)))
    statistic /= number
    if kind == "cr2":
        left = freedom - number + 1
        if not left > 0:
            raise UsageError(
                f"{freedom:.1f} degrees of freedom do not allow a test of {number} parameters together: test "
                "fewer, or take clustered errors."
            )
        statistic, freedom = statistic * left / freedom, left
    return HypothesisTest(
        "Wald", statistic, number, freedom, float(special.fdtrc(number, freedom, statistic))
    )


def _place(fit: Fit, name: str) -> int:
    if name not in fit.names:
        raise UsageError(
            f"The model {fit.model.name!r} has no parameter {name!r}, only {', '.join(fit.names)}."
        )
    return fit.names.index(name)


def _shared(first: Fit, second: Fit) -> list[str]:
    names = [name for name in first.names if name in second.names]
    if not names:
        raise UsageError(
            f"The models {first.model.name!r} and {second.model.name!r} have no parameter in common."
        )
    return names


def _variance(fit: Fit, name: str, kind: ErrorKind) -> float:
    place = _place(fit, name)
    return 0.0 if name in fit.fixed else float(fit.covariance(kind)[place, place])


def _welch(variances: list[float], freedoms: tuple[float, float]) -> float:
    """Return the degrees of freedom of a sum of two variances, infinite where both are; a variance of 0, of a
    value that is held, has none to lose.
    """
    loss = sum(
        variance**2 / freedom
        for variance, freedom in zip(variances, freedoms, strict=True)
        if variance != 0  # but one that is not known leaves the sum so
    )
    return sum(variances) ** 2 / loss if loss > 0 else math.inf
