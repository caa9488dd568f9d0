"""Confidence regions of single parameters, from likelihood ratios that allow for dependent answers.

A value of a parameter belongs to its region if a test does not reject it. The test fits all other parameters
with that value held. With ℓ the log-likelihood, J the expected information and s_g the scores of cluster g at
that fit, and p free parameters,

    t² = 2·(max ℓ − ℓ)/r,    r = max(1, tr(J⁻¹ Σ_g s_g s_gᵀ)/p)

where r says how many answers count as one (Rotnitzky & Jewell 1990): 1 for independent answers, 6 if a
policy answers six prompts about a game alike, whatever the answers of a cluster have to do with each other.
t² is compared with F(1, ν). With n answers, ν = n/(2·p·r), and G−1 for G clusters if that is less. This rule
is ours, chosen since it covers in the simulations of `benchmarks/recovery.py`. The scores of the noise are
skewed: t is then transformed with their skewness γ under the model (Hall 1992),

    h(t) = t + γ·t²/3 + γ²·t³/27 + γ/6.

The region of the noise is positive, and does not depend on the scale it is written in. No region needs a
maximum: where choices are free of noise, or nearly so, it ends where they could no longer be explained, or is
open.

Probabilities have no sampling error. Their scores vary by how far the model misses them, from cluster to
cluster (r may then be less than 1, and ν is G−1); where it misses none, the region is a point.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import special

from ludens.preferences.estimation.data.choices import Choices
from ludens.preferences.estimation.fitting.errors import cluster_count, inverse
from ludens.preferences.estimation.fitting.likelihood import Value, evaluator, events
from ludens.preferences.estimation.fitting.newton import maximise
from ludens.preferences.estimation.models.lapses import FIRST, TREMBLE
from ludens.preferences.estimation.models.linear import Model

Floats = NDArray[np.float64]

_STARTS = 2  # random starts of each fit where several maxima are possible, beside the estimate
_STEPS = 8  # distances from the estimate that are tried first, each four times the one before
_NEAREST = 8  # so many steps nearer to the estimate for exact probabilities, whose region may be a point
_ROUNDS, _BETWEEN = 3, 4  # how often, and with how many values, an end is narrowed
_FALL = 1e-7, 1e-12  # per choice, the fall of the log-likelihood that counts as none: sampled, exact
_SKEWEST = 3.0
_BLOCK = 1 << 22  # numbers in the curvatures of hypotheses held at once


class Region(NamedTuple):
    """The values of a parameter that the choices do not reject; an open end is infinite.

    `p` is the p-value of the hypothesis that the parameter is 0, NaN where that is none.
    """

    low: float
    high: float
    p: float = math.nan


Hypothesis = tuple[str, float]
"""A parameter, and the value that it has by hypothesis."""


class End(NamedTuple):
    """A parameter with a value inside its region, one outside, and their p-values."""

    name: str
    inside: float
    outside: float
    p_inside: float
    p_outside: float

    def crossing(self, least: float) -> float:
        """Return the value at which the p-value, taken as linear, is `least`."""
        part = (self.p_inside - least) / max(self.p_inside - self.p_outside, 1e-300)
        return self.inside + (self.outside - self.inside) * min(max(part, 0.0), 1.0)


def regions(
    model: Model,
    choices: Choices,
    phi: Floats,
    fixed: Mapping[str, float],
    *,
    level: float = 0.95,
    names: Sequence[str] | None = None,
    steps: Mapping[str, float] | None = None,
) -> dict[str, Region]:
    """Return the confidence regions of parameters.

    A region with gaps is returned without them, from its lowest to its highest value.

    Args:
        model: the fitted model.
        choices: the data, with their clusters.
        phi: where to begin, for example the optimum, shape (p,); it need not be a maximum.
        fixed: parameters held at values.
        level: the confidence level.
        names: the parameters; None for all that are not held.
        steps: distances from `phi` at which values are tried first, for example fractions of standard errors.
    """
    tested = [name for name in (names or model.names) if name not in fixed]
    test = RatioTest(model, choices, phi, fixed)
    with np.errstate(all="ignore"):
        theta = dict(zip(model.names, model.to_reported(phi).tolist(), strict=True))
    exact = choices.exact or choices.fractional
    grids = [_grid(model, name, theta[name], (steps or {}).get(name, math.nan), exact) for name in tested]
    pairs = [(name, float(value)) for name, grid in zip(tested, grids, strict=True) for value in grid]
    nothing = [(name, 0.0) for name in tested if name != model.names[-1] and _has(model, name, 0.0)]
    *levels_of, at_nothing = np.split(test.p_values([*pairs, *nothing]), np.cumsum([*map(len, grids)]))
    p = dict(zip((name for name, _ in nothing), at_nothing.tolist(), strict=True))
    ends: list[End] = []
    found: dict[str, list[float]] = {}
    for name, grid, levels in zip(tested, grids, levels_of, strict=True):
        places = np.flatnonzero(levels >= 1 - level)
        if not len(places):
            found[name] = [theta[name], theta[name]]
            continue
        found[name] = [0.0 if name == model.names[-1] else -math.inf, math.inf]
        for place, away in ((int(places[0]), -1), (int(places[-1]), 1)):
            if 0 <= place + away < len(grid):
                values = float(grid[place]), float(grid[place + away])
                ends.append(End(name, *values, float(levels[place]), float(levels[place + away])))
    sides = [0 if end.outside < end.inside else 1 for end in ends]
    for side, (name, value) in zip(sides, _narrowed(test, model, ends, 1 - level), strict=True):
        found[name][side] = value
    return {name: Region(found[name][0], found[name][1], p.get(name, math.nan)) for name in tested}


class Fitted(NamedTuple):
    """What a fit with one parameter held says.

    Attributes:
        others: dφ/dψ of the other parameters, shape (p, q).
        information: the expected information in φ, shape (p, p).
        shares: the expected number of each event, shape (situations, events).
        score: ∂ℓ_e/∂φ of each event, shape (situations, events, p).
    """

    others: Floats
    information: Floats
    shares: Floats
    score: Floats


class RatioTest:
    """The test of single values of parameters, for many hypotheses at once.

    Args:
        model: the model.
        choices: the data, with their clusters.
        phi: the optimum, shape (p,), or where to begin.
        fixed: parameters held at values in all hypotheses.
    """

    def __init__(self, model: Model, choices: Choices, phi: Floats, fixed: Mapping[str, float]) -> None:
        self.model, self.choices, self.fixed = model, choices, dict(fixed)
        self.clusters = cluster_count(choices)
        self._sampled = not (choices.exact or choices.fractional)
        self._sizes = model.sizes(choices)
        self._all = model.restrict(self.fixed)
        totals, questions = choices.total, choices.questions
        self._asked = np.zeros_like(totals)
        for number in range(int(questions.max(initial=-1)) + 1):
            of_question = questions == number
            sums = np.where(of_question, totals, 0.0).sum(axis=1, keepdims=True)
            self._asked += np.where(of_question, sums, 0.0)
        each = choices.by_cluster(np.asarray(choices.counts.sum(axis=1), dtype=np.float64).reshape(-1))
        self._most = float((each**2).sum()) / choices.size  # if all answers of a cluster were one
        self._function = evaluator(model, choices, totals[None])
        begin = [phi if np.all(np.isfinite(phi)) else np.zeros(len(model.parameters))]
        self._top = float(self._function(begin[0][None], np.zeros(1, dtype=np.intp)).level[0])
        if not (model.linear and choices.members is None):
            begin += list(model.starts(_STARTS, choices.attributes, np.random.default_rng(0)))
        self._begin = begin
        self._known: dict[Hypothesis, Floats] = {}

    def p_values(
        self, hypotheses: Sequence[Hypothesis], near: Sequence[Sequence[Hypothesis]] | None = None
    ) -> Floats:
        """Return the p-value of each hypothesis, a parameter and its value.

        `near` are, for each of them, as many hypotheses that were tested before, from whose fits to begin.
        """
        restrictions = [self.model.restrict({**self.fixed, name: value}) for name, value in hypotheses]
        matrices = np.stack([one.matrix for one in restrictions])
        phi, levels = self._fitted(matrices, np.stack([one.offset for one in restrictions]), near)
        self._known.update(zip(hypotheses, phi, strict=True))
        self._top = max(self._top, float(levels.max()))
        block = max(1, _BLOCK // (self._asked.size * phi.shape[1] ** 2))
        found = np.ones(len(hypotheses))
        for first in range(0, len(hypotheses), block):
            part = slice(first, first + block)
            at = events(self.model, self.choices, phi[part])
            shares = self._asked * np.exp(at.level)
            weighted = np.where(shares[..., None] > 0, shares[..., None] * at.score, 0.0)
            information = np.einsum("ncep,nceq->npq", weighted, at.score)
            for place, fall in enumerate(self._top - levels[part]):
                if not math.isfinite(fall):
                    found[first + place] = 0.0  # impossible
                elif fall > _FALL[not self._sampled] * self.choices.size:
                    fit = Fitted(matrices[first + place], information[place], shares[place], at.score[place])
                    found[first + place] = self._p_value(fall, hypotheses[first + place][0], fit)
        return found

    def _p_value(self, fall: float, name: str, at: Fitted) -> float:
        free, information, score = self._all.matrix, at.information, at.score
        scores = self.choices.by_cluster(self.choices.by_subject(score)) @ free
        inverted = inverse(free.T @ information @ free, self._all.sizes(self._sizes))
        copies = float(np.einsum("gp,pq,gq->", scores, inverted, scores)) / free.shape[1]
        # A single cluster cannot show how its answers depend on each other.
        copies = min(copies, self._most) if self.clusters > 1 else 1.0
        freedom = math.inf
        if self._sampled:
            copies = max(copies, 1.0)
            freedom = self.choices.size / (2 * free.shape[1] * copies)
        if self.clusters > 1:
            freedom = min(freedom, self.clusters - 1)
        t = math.sqrt(2 * fall / max(copies, 1e-300))
        if name == self.model.names[-1] and self._sampled:
            t = self._unskewed(t, copies, at)
        return float(special.fdtrc(1, max(freedom, 1e-3), t**2))

    def _unskewed(self, t: float, copies: float, at: Fitted) -> float:
        """Return h(t), signed by the score of the precision."""
        others, information, shares, score = at
        direction = np.zeros(len(information))
        direction[0] = 1.0
        with np.errstate(divide="ignore"):
            sizes = np.min(self._sizes[:, None] / np.abs(others), axis=0, initial=np.inf)
        solved = inverse(others.T @ information @ others, sizes)
        along = score @ (direction - others @ (solved @ (others.T @ information @ direction)))
        second = float((shares * along**2).sum())
        if not second > 1e-100:
            return t
        skewness = math.sqrt(copies) * float((shares * along**3).sum()) / second**1.5
        skewness = min(max(skewness, -_SKEWEST), _SKEWEST)
        t = math.copysign(t, float(self.choices.by_subject(along).sum()))
        return float(t + skewness * t**2 / 3 + skewness**2 * t**3 / 27 + skewness / 6)

    def _fitted(
        self, matrices: Floats, offsets: Floats, near: Sequence[Sequence[Hypothesis]] | None
    ) -> tuple[Floats, Floats]:
        """Return the best φ (n, p) of each affine space, from all starts, and the log-likelihood there."""
        number, free = len(matrices), matrices.shape[-1]
        if free == 0:
            return offsets, self._function(offsets, np.zeros(number, dtype=np.intp)).level
        with np.errstate(divide="ignore"):
            units = np.min(self._sizes[:, None] / np.abs(matrices), axis=1, initial=np.inf)
        scaled = matrices * units[:, None, :]
        inverses = np.linalg.pinv(scaled)

        def at(points: Floats, which: NDArray[np.intp]) -> Value:
            phi = np.einsum("npq,nq->np", scaled[which], points) + offsets[which]
            level, gradient, hessian = self._function(phi, np.zeros_like(which))
            turned = np.swapaxes(scaled[which], 1, 2)
            return Value(level, np.einsum("nqp,np->nq", turned, gradient), turned @ hessian @ scaled[which])

        best, highest = np.zeros((number, free)), np.full(number, -np.inf)
        starts: Sequence[Floats] = self._begin
        if near is not None:
            starts = [np.stack([self._known[one] for one in each]) for each in zip(*near, strict=True)]
        for start in starts:
            begin = np.einsum("nqp,np->nq", inverses, start - offsets)
            top = maximise(at, begin, np.ones(free), iterations=60)
            better = top.value.level > highest + 1e-9
            best[better], highest[better] = top.phi[better], top.value.level[better]
        return np.einsum("npq,nq->np", scaled, best) + offsets, highest


def _has(model: Model, name: str, value: float) -> bool:
    parameter = model.parameters[model.names.index(name)]
    return model.linear or parameter.low < value < parameter.high


def _grid(model: Model, name: str, value: float, step: float, exact: bool) -> Floats:
    """Return values on both sides of an estimate, ascending, ever farther from it."""
    parameter = model.parameters[model.names.index(name)]
    nearest = _NEAREST if exact else 0
    if name == model.names[-1]:
        middle = value if math.isfinite(value) and value > 0 else 1.0
        away = np.exp(np.log(4) * (4.0 ** np.arange(-nearest, 0) if exact else np.zeros(0)))
        away = np.concatenate([away, 4.0 ** np.arange(1, 6)])
        return np.concatenate([middle / away[::-1], [middle], middle * away])
    middle = value if math.isfinite(value) else 0.0
    if not (math.isfinite(step) and step > 0):
        step = 0.02 * (1 + abs(middle))
    away = step / 4 * 4.0 ** np.arange(-nearest, _STEPS)
    grid = np.concatenate([middle - away[::-1], [middle], middle + away])
    if model.lapses:
        low, high = (-1.0, 1.0) if name in {FIRST.name, TREMBLE.name} else (-math.inf, math.inf)
    else:
        low, high = (-math.inf, math.inf) if model.linear else (parameter.low, parameter.high)
    return np.unique(np.clip(grid, low, high))


def _narrowed(test: RatioTest, model: Model, ends: Sequence[End], least: float) -> list[tuple[str, float]]:
    """Return where the p-value of each end is `least`, between a value inside and one outside."""
    for _ in range(_ROUNDS if ends else 0):
        hypotheses, near, grids = [], [], []
        for end in ends:
            parts = np.linspace(0, 1, _BETWEEN + 2)
            straight = end.name != model.names[-1]
            grid = (
                end.inside + (end.outside - end.inside) * parts
                if straight
                else (end.inside * (end.outside / end.inside) ** parts)
            )
            grid[0], grid[-1] = end.inside, end.outside
            grids.append(grid)
            tried = [(end.name, float(value)) for value in grid[1:-1]]
            hypotheses += tried
            near += [((end.name, end.inside), (end.name, end.outside))] * len(tried)
        values = test.p_values(hypotheses, near).reshape(len(ends), _BETWEEN)
        moved = []
        for end, grid, between in zip(ends, grids, values, strict=True):
            levels = [end.p_inside, *between.tolist(), end.p_outside]
            last = max(place for place, level in enumerate(levels[:-1]) if level >= least)
            moved.append(
                End(end.name, float(grid[last]), float(grid[last + 1]), levels[last], levels[last + 1])
            )
        ends = moved
    return [(end.name, end.crossing(least)) for end in ends]
