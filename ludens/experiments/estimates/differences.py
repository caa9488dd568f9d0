"""Differences between the preferences that policies of one run reveal, with intervals and a joint test.

The difference of a parameter θ between policies a and b is θ_a − θ_b, with the variance of both estimates
added and t of Welch's degrees of freedom, as if the answers of one did not depend on those of the other.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np

from ludens.errors import UsageError
from ludens.experiments.estimates.answers import Beliefs
from ludens.experiments.measures.intervals import Estimate, missing
from ludens.experiments.report.names import finite

if TYPE_CHECKING:
    from ludens.experiments.estimates.revealed import Revealed
    from ludens.preferences.estimation.fitting.hypotheses import Difference, HypothesisTest
    from ludens.preferences.estimation.fitting.results import ErrorKind

EACH_PAIR = 4
"""The most policies of which each pair is compared; of more, the first is compared with each other."""


@dataclass(frozen=True)
class PolicyDifference:
    """The preferences of one policy less those of another.

    Attributes:
        policy, other: labels of both.
        beliefs: the beliefs under which both were estimated.
        gaps: the differences by parameter, of the parameters that both fits have.
        test: that all parameters with an error in both are equal (Wald); None where it cannot be made.
        reason: why there is no test; empty where there is one.
    """

    policy: str
    other: str
    beliefs: Beliefs
    gaps: Mapping[str, Difference]
    test: HypothesisTest | None
    reason: str = ""

    def estimate(self, name: str) -> Estimate:
        """Return the difference of a parameter as an estimate; without a value where it is not identified in
        both.
        """
        gap = self.gaps[name]
        if math.isnan(gap.estimate):
            return missing("not identified in both")
        if math.isnan(gap.se):
            return Estimate(gap.estimate, note="not both have an error")
        return Estimate(gap.estimate, gap.low, gap.high, method="Welch's t")


def policy_differences(
    revealed: Sequence[Revealed], kind: ErrorKind = "cluster"
) -> tuple[PolicyDifference, ...]:
    """Compare the policies of `comparable`: each pair of up to `EACH_PAIR`, and of more the first with each
    other; nothing of fewer than two.
    """
    fitted = comparable(revealed)
    pairs = list(combinations(fitted, 2))
    if len(fitted) > EACH_PAIR:
        pairs = [(fitted[0], other) for other in fitted[1:]]
    return tuple(_difference(first, second, kind) for first, second in pairs)


def comparable(revealed: Sequence[Revealed]) -> list[Revealed]:
    """Return the policies that have a fit, those first in which some parameter is identified."""
    fitted = [each for each in revealed if each.fit is not None]
    return sorted(fitted, key=lambda each: each.fit is None or not np.isfinite(each.fit.values).any())


def rows_of(found: Sequence[PolicyDifference]) -> Iterator[dict[str, Any]]:
    """Yield differences as JSON values: every parameter's, with its interval and p-value, and the test."""
    for each in found:
        yield {
            "policy": each.policy,
            "other": each.other,
            "beliefs": each.beliefs,
            "differences": {
                name: {key: finite(getattr(gap, key)) for key in ("estimate", "se", "low", "high", "p")}
                for name, gap in each.gaps.items()
            },
            "equal": None
            if each.test is None
            else {
                key: finite(getattr(each.test, key)) for key in ("statistic", "restrictions", "freedom", "p")
            },
            "note": each.reason,
        }


def _difference(first: Revealed, second: Revealed, kind: ErrorKind) -> PolicyDifference:
    from ludens.preferences.estimation import compare, equality

    assert first.fit is not None
    assert second.fit is not None
    gaps = {gap.name: gap for gap in compare(first.fit, second.fit, kind=kind)}
    test, reason = None, ""
    try:
        test = equality(first.fit, second.fit, kind)
    except UsageError as why:
        reason = str(why)
    return PolicyDifference(first.policy, second.policy, first.beliefs, gaps, test, reason)
