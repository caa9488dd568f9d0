"""Profile-likelihood intervals of one parameter, which remain valid for choices that are nearly free of
noise.

A policy that hardly ever errs *separates* its choices: the likelihood rises without bound as the noise goes
to 0, and there is neither a maximum nor a standard error. The choices then identify a range, for example all
values of κ for which some noise (and some α and β, unless they are held) explains every choice. The
likelihood-ratio interval

    { κ : 2 [max ℓ − max over the other parameters ℓ(κ, ·)] ≤ χ²₁(.95) = 3.84 }

is this range, widened for sampling error, where choices are free of noise, and the usual interval where they
are not. It may be open on one or both sides.

Repeated answers to one question are not independent evidence. Every question therefore counts once, however
often and in however many orders it was asked, so that the interval is conservative.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from ludens.errors import UsageError
from ludens.experiments.estimates.answers import PolicyAnswers, as_choices
from ludens.experiments.measures.intervals import Estimate, missing

CRITICAL = 3.841458820694124
"""The .95 quantile of χ² with one degree of freedom."""

STEPS = 41
_FINE = 1e-3  # precision of the ends of an interval
_STARTS = 3


@dataclass(frozen=True)
class Profile:
    """The profile likelihood of one parameter.

    Attributes:
        policy: the policy whose choices these are.
        parameter: the name of the parameter.
        held: the parameters that were held at values.
        grid: values of the parameter.
        drop: 2 (max ℓ − ℓ) at each of them, at least 0.
        estimate: the value with the largest likelihood, and the interval. Where all values in a range explain
            the choices equally well, the value is the middle of the range, and the note says so.
        open_low, open_high: whether the interval continues beyond the grid on that side.
        separated: whether choices are free of noise, so that a range of values explains all of them.
    """

    policy: str
    parameter: str
    held: Mapping[str, float]
    grid: tuple[float, ...]
    drop: tuple[float, ...]
    estimate: Estimate
    open_low: bool = False
    open_high: bool = False
    separated: bool = False
    warnings: tuple[str, ...] = field(default=())

    def above(self, other: Profile) -> bool:
        """Return whether this interval lies entirely above the other one."""
        mine, theirs = self.estimate, other.estimate
        if mine.low is None or theirs.high is None:
            return False
        return not self.open_low and not other.open_high and mine.low > theirs.high


def profile(
    answers: PolicyAnswers,
    parameter: str = "kappa",
    *,
    fix: Mapping[str, float] | None = None,
    within: tuple[float, float] = (-1.0, 1.0),
    per_question: float = 1.0,
) -> Profile:
    """Compute the profile likelihood of one parameter of homo moralis with inequity aversion.

    Args:
        answers: the answers of one policy.
        parameter: ``"kappa"``, ``"alpha"`` or ``"beta"``.
        fix: other parameters to hold at values, for example ``{"alpha": 0, "beta": 0}`` for κ alone.
        within: the range of the grid; it includes negative values, so that an interval around 0 has two ends.
        per_question: the number of answers that the policy gave to each question; together they count once.

    Raises:
        UsageError: the model has no such parameter, or it is held.
    """
    from ludens.preferences.estimation import find_model, fit

    model = find_model("moralis")
    held = dict(fix or {})
    if parameter not in model.names[:-1] or parameter in held:
        raise UsageError(f"A profile is of a free weight of homo moralis; got {parameter!r}.")
    if not answers.seen:
        none = missing("no question was answered in every order")
        return Profile(answers.policy, parameter, held, (), (), none)
    choices = as_choices(answers, model, 1 / per_question)

    def level(value: float) -> float:
        found = fit(choices, model, fix={**held, parameter: value}, starts=_STARTS)
        return float(found.log_likelihood)

    grid = np.linspace(*within, STEPS)
    levels = np.array([level(float(value)) for value in grid])
    top, where = _top(level, grid, levels)
    drop = np.maximum(2 * (top - levels), 0.0)
    chance = level_of_chance(answers, per_question)
    n = round(sum(entry.weight for entry in answers.seen) / per_question)
    clusters = len(set(choices.subjects))
    if 2 * (top - chance) < CRITICAL:
        none = missing("not identified: choices cannot be distinguished from chance", n)
        return Profile(
            answers.policy, parameter, held, tuple(grid.tolist()), tuple(drop.tolist()), none, True, True
        )

    def inside(value: float) -> bool:
        return 2 * (top - level(value)) <= CRITICAL

    kept = [float(value) for value, lost in zip(grid, drop, strict=True) if lost <= CRITICAL] or [where]
    first, last = min([*kept, where]), max([*kept, where])
    open_low, open_high = first <= within[0], last >= within[1]
    step = float(grid[1] - grid[0])
    low = first if open_low else _end(inside, first, max(within[0], first - step))
    high = last if open_high else _end(inside, last, min(within[1], last + step))
    separated = top > -1e-3 * max(n, 1)
    best = [float(value) for value, lost in zip(grid, drop, strict=True) if lost < 1e-3]
    value, note = where, ""
    if separated and best:
        value = (min(best) + max(best)) / 2
        note = f"choices are free of noise: all from {min(best):.2f} to {max(best):.2f} explain every one"
    estimate = Estimate(value, low, high, n, clusters, "profile likelihood", note)
    return Profile(
        answers.policy,
        parameter,
        held,
        tuple(grid.tolist()),
        tuple(drop.tolist()),
        estimate,
        open_low,
        open_high,
        separated,
    )


def level_of_chance(answers: PolicyAnswers, per_question: float = 1.0) -> float:
    """Return the log-likelihood of choosing at random."""
    return sum(
        -entry.weight / per_question * float(np.log(_options(entry.game, entry.column)))
        for entry in answers.seen
    )


def _options(game: object, column: int) -> int:
    from ludens.envs import GameTree, StrategicGame

    assert isinstance(game, GameTree | StrategicGame)
    return next(
        len(node.options)
        for node in game.information_sets
        if node.columns.start <= column < node.columns.stop
    )


def _top(level: Callable[[float], float], grid: np.ndarray, levels: np.ndarray) -> tuple[float, float]:
    """Return the largest log-likelihood and its place, sought between the neighbours of the grid's best
    value.
    """
    from scipy.optimize import minimize_scalar

    place = int(levels.argmax())
    low, high = float(grid[max(place - 1, 0)]), float(grid[min(place + 1, len(grid) - 1)])
    found = minimize_scalar(lambda value: -level(float(value)), bounds=(low, high), options={"xatol": _FINE})
    if -float(found.fun) > levels[place]:
        return -float(found.fun), float(found.x)
    return float(levels[place]), float(grid[place])


def _end(inside: Callable[[float], bool], within: float, beyond: float) -> float:
    """Find the edge of the interval between a value inside it and one outside."""
    while abs(within - beyond) > _FINE:
        middle = (within + beyond) / 2
        if inside(middle):
            within = middle
        else:
            beyond = middle
    return within
