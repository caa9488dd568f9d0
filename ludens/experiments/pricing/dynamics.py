"""Learning paths: how the profit gain develops, when collusion sets in, and whether prices cycle.

All three are measured over the whole of a run, unlike its means, which are those of its last periods:

* the path: Δ in ten windows of equal length, each as `ludens.experiments.pricing.measures.averages` has it;
* the time to collusion: the first period from which Δ, averaged over ten periods from each period on, stays
  at or above 0.7 to the end of the run, for at least its last quarter. All three numbers are ours. Prices at
  random on the usual grid of the baseline duopoly give 0.497 with a standard deviation of 0.10 over ten
  periods, so that 0.7 lies two of these above what chance alone looks like; of random runs of 20 to 300
  periods, at most 1 in 100 stays there;
* Edgeworth cycles of the mean price of the firms in the market, as `ludens.experiments.pricing.edgeworth` has
  them, where movements of a tenth of the distance between the Nash and the joint-profit price count (ours).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ludens.envs.pricing.theory.benchmarks import total_gain
from ludens.experiments.measures.intervals import Estimate, cluster_mean, missing, wilson
from ludens.experiments.pricing.edgeworth import EdgeworthCycles, edgeworth_cycles
from ludens.experiments.pricing.measures import averages
from ludens.experiments.pricing.panels import Panel

Floats = NDArray[np.float64]

WINDOWS, SPAN, THRESHOLD, LASTING, MOVEMENT = 10, 10, 0.7, 0.25, 0.1
"""Windows of a path, periods over which Δ is averaged for the time to collusion, the Δ to reach, the share of
the run at the end over which it must stay there, and the share of the distance from Nash to joint-profit
price that counts as a movement.
"""


@dataclass(frozen=True)
class RunDynamics:
    """The dynamics of a run that is done.

    Attributes:
        run: its number in the panel.
        gains: Δ in each window; None where it is not defined.
        firms: the firms' own gains in each window.
        collusion: the first period, from 1, from which Δ stays at or above the threshold; None where it does
        not. cycles: the Edgeworth cycles of the mean price, divided by the scale; None where no price is
        known.
    """

    run: int
    gains: tuple[float | None, ...]
    firms: tuple[tuple[float, ...], ...]
    collusion: int | None
    cycles: EdgeworthCycles | None


@dataclass(frozen=True)
class PathMeasures:
    """The profit gain in each window over the runs that are done, with 95 % intervals over runs.

    Attributes:
        name: ``"all runs"``, the runs of a price scale where there are several, or a firm in all runs.
        gains: Δ in each window; of a firm, its own gain.
    """

    name: str
    gains: tuple[Estimate, ...]


@dataclass(frozen=True, kw_only=True)
class Outcomes:
    """What the dynamics of runs lead to, over the runs that are done, with 95 % intervals over runs.

    Attributes:
        colluding: the share of runs in which Δ stays at or above the threshold in the end.
        collusion: the mean of the periods from which it does, over these runs.
        cycling: the share of runs with Edgeworth cycles.
        length, amplitude, share: means over the runs with Edgeworth cycles: of periods in a cycle, of the
            height of the peak in prices divided by the scale, and of the share of periods in cycles.
    """

    colluding: Estimate
    collusion: Estimate
    cycling: Estimate
    length: Estimate
    amplitude: Estimate
    share: Estimate


@dataclass(frozen=True, kw_only=True)
class Dynamics(Outcomes):
    """The dynamics of a panel, over the runs that are done, with 95 % intervals over runs.

    Attributes:
        windows: the first and the last period of each window, from 1, of the longest run.
        runs: each of them.
        paths: the profit gains of all runs, of each scale and of each firm.
        threshold, span: as the module says.
    """

    windows: tuple[tuple[int, int], ...]
    runs: tuple[RunDynamics, ...]
    paths: tuple[PathMeasures, ...]
    threshold: float
    span: int


def measure_dynamics(panel: Panel, rng: np.random.Generator) -> Dynamics:
    """Measure how gains and prices develop in every run of a panel that is done."""
    found = run_dynamics(panel)
    bounds = windows(max((int(panel.played[each.run]) for each in found), default=0))
    none = "it is not defined in these periods" if found else "no run was played to its end"

    def path(name: str, of: Sequence[Sequence[float | None]]) -> PathMeasures:
        places = range(len(bounds))
        return PathMeasures(
            name, tuple(_over([_at(gains, place) for gains in of], none, rng) for place in places)
        )

    paths = [path("all runs", [each.gains for each in found])]
    scales = sorted({float(panel.scale[each.run]) for each in found})
    for scale in scales if len(scales) > 1 else ():
        own = [each.gains for each in found if panel.scale[each.run] == scale]
        paths.append(path(f"α = {scale:g}", own))
    firms = range(panel.prices.shape[2])
    paths += [path(f"firm {firm}", [each.firms[firm] for each in found]) for firm in firms]
    return Dynamics(
        windows=tuple((start + 1, end) for start, end in bounds),
        runs=found,
        paths=tuple(paths),
        threshold=THRESHOLD,
        span=SPAN,
        **vars(outcomes(found, rng)),
    )


def run_dynamics(panel: Panel) -> tuple[RunDynamics, ...]:
    """Measure how gains and prices develop in each run of a panel that is done."""
    played = panel.played
    runs = np.flatnonzero(panel.complete & (played > 0)).tolist()
    return tuple(_of_run(panel, run, int(played[run])) for run in runs)


def outcomes(found: Sequence[RunDynamics], rng: np.random.Generator) -> Outcomes:
    """Measure what the dynamics of runs, of one panel or several, lead to."""
    judged = [each for each in found if any(gain is not None for gain in each.gains)]
    reached = [each.collusion for each in judged if each.collusion is not None]
    cycles = [each.cycles for each in found if each.cycles is not None]
    cycling = [each for each in cycles if each.cycling]
    none = "no run has Edgeworth cycles"
    return Outcomes(
        colluding=wilson(len(reached), len(judged)),
        collusion=_over(reached, "no run stays above the threshold", rng),
        cycling=wilson(len(cycling), len(cycles)),
        length=_over([each.length for each in cycling], none, rng),
        amplitude=_over([each.amplitude for each in cycling], none, rng),
        share=_over([each.share for each in cycling], none, rng),
    )


def windows(periods: int, count: int = WINDOWS) -> tuple[tuple[int, int], ...]:
    """Return the windows of a run as (first period, period after the last one), from 0; fewer than `count`
    where there are fewer periods.
    """
    edges = np.linspace(0, periods, min(count, periods) + 1).round().astype(int).tolist()
    return tuple(pairwise(edges))


def moving_gains(profits: Floats, nash: Floats, joint: Floats, span: int = SPAN) -> Floats:
    """Return Δ over `span` periods from each period on, (T − span + 1,), with profits and both benchmarks
    averaged first; over all periods where there are fewer.

    Args:
        profits: (T, F), before fines; NaN for firms that are not in the market.
        nash: (T, F), at Nash prices.
        joint: (T, F), at joint-profit prices.
        span: at least 1.
    """
    if not len(profits):
        return np.zeros(0)
    there = np.isfinite(profits) & np.isfinite(nash) & np.isfinite(joint)
    sums = [np.where(there, each, 0.0).sum(axis=1) for each in (profits, nash, joint)]
    moved = [
        np.lib.stride_tricks.sliding_window_view(each, min(span, len(each))).sum(axis=1) for each in sums
    ]
    return total_gain(*(each[:, None] for each in moved))


def moving_gains_of(panel: Panel, run: int, span: int = SPAN) -> Floats:
    """Return the moving Δ of a run as far as it was played; see `moving_gains`."""
    played = slice(int(panel.played[run]))
    return moving_gains(
        panel.profits[run, played], panel.nash_profits[run, played], panel.joint_profits[run, played], span
    )


def time_to_collusion(gains: Floats, threshold: float = THRESHOLD, least: int = 1) -> int | None:
    """Return the first period, from 1, from which the gains stay at or above a threshold to the end.

    Args:
        gains: (T,), as of `moving_gains`; one that is not defined is not above.
        threshold: the Δ to reach.
        least: how many of the last gains must lie there at least.

    Returns:
        None where they do not.
    """
    below = np.flatnonzero(~(gains >= threshold))
    first = int(below[-1]) + 1 if len(below) else 0
    return first + 1 if len(gains) - first >= max(least, 1) else None


def dynamics_rows(found: Dynamics) -> Iterator[dict[str, Any]]:
    """Yield every estimate as a row: measure, object, value, interval, n, clusters, method, note."""
    for place, (first, last) in enumerate(found.windows):
        of = f"periods {first} to {last}"
        for path in found.paths:
            yield {"measure": "path_gain", "of": f"{path.name}, {of}"} | asdict(path.gains[place])
    for name in ("colluding", "collusion", "cycling", "length", "amplitude", "share"):
        measure = name if name in {"colluding", "collusion"} else f"edgeworth_{name}"
        yield {"measure": measure, "of": "all runs"} | asdict(getattr(found, name))


def _over(values: Sequence[float | None], why: str, rng: np.random.Generator) -> Estimate:
    """Return the mean over runs, one value for each; missing for the reason given where there is none."""
    known = [value for value in values if value is not None and np.isfinite(value)]
    return cluster_mean(known, range(len(known)), rng) if known else missing(why)


def _of_run(panel: Panel, run: int, played: int) -> RunDynamics:
    means = [averages(panel, run, slice(start, end)) for start, end in windows(played)]
    firms, gains = panel.prices.shape[2], moving_gains_of(panel, run)
    return RunDynamics(
        run=run,
        gains=tuple(each.gain for each in means),
        firms=tuple(tuple((each.gains or ())[firm] for each in means) for firm in range(firms)),
        collusion=time_to_collusion(gains, least=round(len(gains) * LASTING)),
        cycles=_cycles(panel, run, played),
    )


def _cycles(panel: Panel, run: int, played: int) -> EdgeworthCycles | None:
    scale = float(panel.scale[run])
    prices = panel.prices[run, :played] / scale
    there = np.isfinite(prices)
    distance = (panel.joint_prices[run, :played] - panel.nash_prices[run, :played])[there] / scale
    known = distance[np.isfinite(distance)]
    if not there.any(axis=1).all() or not len(known) or not known.mean() > 0:
        return None
    mean = np.where(there, prices, 0.0).sum(axis=1) / there.sum(axis=1)
    return edgeworth_cycles(mean, MOVEMENT * float(known.mean()))


def _at(values: Sequence[float | None], place: int) -> float | None:
    return values[place] if place < len(values) else None
