"""The weight κ that answers of any domain reveal: its profile likelihood under a logit choice.

An option is worth u_κ, the same utility that labels data sets, and is chosen with a probability proportional
to exp(u_κ/λ). The interval holds all κ in [0, 1] whose likelihood, with the best noise λ for each, is not
significantly below the largest, as in `ludens.experiments.estimates.profile`. Unlike there, utilities are
shares of the question's range, so that all domains can be asked alike.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ludens.experiments.estimates.profile import CRITICAL
from ludens.experiments.measures.intervals import Estimate, missing
from ludens.preferences import Preferences
from ludens.training.evaluation.sets import Question

KAPPAS = np.linspace(0.0, 1.0, 41)
PRECISIONS = np.concatenate([[0.0], np.geomspace(0.05, 2000.0, 64)])
"""Values of 1/λ, where the largest difference between two options of a question is 1."""
_FREE = 1e-3

Floats = NDArray[np.float64]


def revealed_kappa(answers: Sequence[tuple[Question, Floats]]) -> Estimate:
    """Return the κ in [0, 1] with the largest likelihood, with a 95 % likelihood-ratio interval.

    Where answers are free of noise, a range of κ explains every one; the value is the middle of it. Where
    they cannot be told from chance, κ is not identified.

    Args:
        answers: questions, and how each was answered, as a distribution over its options.
    """
    if not answers:
        return missing("no readable answer")
    most = max(len(shares) for _, shares in answers)
    worth = np.full((len(answers), len(KAPPAS), most), -np.inf)
    chosen = np.zeros((len(answers), most))
    for place, (question, shares) in enumerate(answers):
        worth[place, :, : len(shares)] = _utilities(question)
        chosen[place, : len(shares)] = shares
    spread = np.where(np.isfinite(worth), worth, np.nan)
    ranges = np.nanmax(spread, axis=2) - np.nanmin(spread, axis=2)
    scale = ranges.max(axis=1)[:, None, None]
    worth = (worth - worth.max(axis=2, keepdims=True)) / np.where(scale > 0, scale, 1)
    levels = np.array([_level(worth, chosen, precision) for precision in PRECISIONS])  # (precisions, κ)
    best = levels.max(axis=0)
    top, n = float(best.max()), len(answers)
    if 2 * (top - float(levels[0].max())) < CRITICAL:
        return missing("not identified: choices cannot be distinguished from chance", n)
    drop = 2 * (top - best)
    value, note = float(KAPPAS[drop.argmin()]), ""
    explain = KAPPAS[drop < _FREE]
    if len(explain) > 1:
        value = float(explain.min() + explain.max()) / 2
        note = f"all from {explain.min():.2f} to {explain.max():.2f} explain the choices equally well"
    low, high = _ends(drop)
    return Estimate(value, low, high, n, n, "profile likelihood", note)


def _utilities(question: Question) -> Floats:
    """Return what each option is worth at each of `KAPPAS`, shape (κ, options)."""
    if question.case:  # one row for each option, so that utilities are linear in κ
        alone, together = (np.array(question.utilities(Preferences(kappa=kappa))) for kappa in (0.0, 1.0))
        linear: Floats = np.outer(1 - KAPPAS, alone) + np.outer(KAPPAS, together)
        return linear
    return np.array([question.utilities(Preferences(kappa=float(kappa))) for kappa in KAPPAS])


def _level(worth: Floats, chosen: Floats, precision: float) -> Floats:
    """Return the log-likelihood at each κ, for one precision."""
    offered = np.isfinite(worth)
    scores = precision * np.where(offered, worth, 0.0)
    total = np.where(offered, np.exp(scores), 0.0).sum(axis=2, keepdims=True)
    levels: Floats = (chosen[:, None, :] * (scores - np.log(total))).sum(axis=(0, 2))
    return levels


def _ends(drop: Floats) -> tuple[float, float]:
    """Return where the drop crosses the critical value, by straight lines between the grid's points."""
    inside = np.flatnonzero(drop <= CRITICAL)

    def end(kept: int, beyond: int) -> float:
        if not 0 <= beyond < len(KAPPAS):
            return float(KAPPAS[kept])
        share = (CRITICAL - drop[kept]) / (drop[beyond] - drop[kept])
        return float(KAPPAS[kept] + share * (KAPPAS[beyond] - KAPPAS[kept]))

    return end(int(inside[0]), int(inside[0]) - 1), end(int(inside[-1]), int(inside[-1]) + 1)
