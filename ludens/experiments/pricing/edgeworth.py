"""Edgeworth cycles in a series of prices: many small cuts, then a jump.

Maskin & Tirole (Econometrica 56(3), 1988) call an Edgeworth cycle a war in which firms undercut each other
until one relents and raises its price, after which the war begins anew. In data it is a sawtooth: many small
decreases that a few large increases interrupt, strongly asymmetric, tall and repeated (Noel, Journal of
Industrial Economics 55(1), 2007). Methods to detect it ask whether falls take longer than rises, whether
rises are the larger steps, and whether the median change of the price is negative (collected by Holt, Igami
& Scheidegger, "Detecting Edgeworth Cycles", 2021). Here all three are needed, with thresholds that are ours:

* turning points are those of movements of at least `least`, so that ripples do not count;
* from trough to trough, a cycle is one of Edgeworth's if its fall has at least two cuts and takes at least
  twice as many periods as its rise, and the largest rise between two periods exceeds the largest cut;
* a series cycles if it has at least three such cycles, if at least half of its periods lie in them, and if
  the median of its changes, other than 0, is negative.

Noise, convergence from above or below, an alternation between two prices, rises as slow as falls, and slow
rises before a crash are no such cycles. Nor is a price that falls at once, stays low and jumps back: that is
a punishment.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

CYCLES, SHARE, SLOWER = 3, 0.5, 2.0
"""The least number of cycles, the least share of periods in them, and how many times as long as its rise a
fall takes at least; all are ours.
"""

_SAME = 1e-9


@dataclass(frozen=True)
class Cycle:
    """One cycle from trough to trough.

    Attributes:
        start, end: the period of its trough and that of the next one, from 0.
        rise, fall: how many periods the price rises from the trough to the peak, and falls from there.
        amplitude: the height of the peak over the mean of both troughs.
    """

    start: int
    end: int
    rise: int
    fall: int
    amplitude: float


@dataclass(frozen=True)
class EdgeworthCycles:
    """The Edgeworth cycles of a series.

    Attributes:
        cycles: all that are asymmetric as the module says.
        share: of the series' periods, those in one of them.
        length, amplitude: their means, in periods and in prices; None without a cycle.
        median_change: of the changes other than 0; None where the price never changes.
        cycling: whether the series cycles, as the module says.
    """

    cycles: tuple[Cycle, ...]
    share: float
    length: float | None
    amplitude: float | None
    median_change: float | None
    cycling: bool


@dataclass(frozen=True)
class _Turn:
    """A turning point: a peak or a trough, and the first and the last period in which the price is there."""

    peak: bool
    first: int
    last: int
    price: float


def edgeworth_cycles(prices: Sequence[float] | Floats, least: float) -> EdgeworthCycles:
    """Return the Edgeworth cycles of a series; see the module.

    Args:
        prices: (T,), without gaps.
        least: the least movement that counts as a rise or a fall, above 0.
    """
    series = np.asarray(prices, dtype=np.float64)
    turns = _turning_points(series, least)
    found = tuple(
        cycle
        for trough, peak, after in zip(turns, turns[1:], turns[2:], strict=False)
        if not trough.peak and (cycle := _cycle(series, trough, peak, after)) is not None
    )
    changes = np.diff(series)
    changes = changes[np.abs(changes) > _SAME]
    median = float(np.median(changes)) if len(changes) else None
    share = sum(each.end - each.start for each in found) / max(len(series), 1)
    return EdgeworthCycles(
        cycles=found,
        share=share,
        length=float(np.mean([each.end - each.start for each in found])) if found else None,
        amplitude=float(np.mean([each.amplitude for each in found])) if found else None,
        median_change=median,
        cycling=len(found) >= CYCLES and share >= SHARE and median is not None and median < 0,
    )


def _cycle(series: Floats, trough: _Turn, peak: _Turn, after: _Turn) -> Cycle | None:
    """Return the cycle between two troughs; None where it is not one of Edgeworth's."""
    rise, fall = peak.first - trough.last, after.first - peak.last
    up = np.diff(series[trough.last : peak.first + 1])
    down = -np.diff(series[peak.last : after.first + 1])
    slow = fall >= SLOWER * rise and (down > _SAME).sum() >= 2
    if not slow or up.max() <= down.max() + _SAME:
        return None
    height = peak.price - (trough.price + after.price) / 2
    return Cycle(trough.first, after.first, rise, fall, height)


def _turning_points(series: Floats, least: float) -> list[_Turn]:
    """Return peaks and troughs in turns, each confirmed by a movement of at least `least` away from it."""
    if not len(series):
        return []
    turns: list[_Turn] = []
    high = low = (0, 0, float(series[0]))  # first period, last period, price
    rising: bool | None = None
    for period, price in enumerate(series.tolist()):
        high, low = _extreme(high, period, price, 1.0), _extreme(low, period, price, -1.0)
        if rising is not False and high[2] - price >= least - _SAME:
            turns.append(_Turn(True, *high))
            rising, low, high = False, (period, period, price), (period, period, price)
        elif rising is not True and price - low[2] >= least - _SAME:
            turns.append(_Turn(False, *low))
            rising, high, low = True, (period, period, price), (period, period, price)
    return turns


def _extreme(known: tuple[int, int, float], period: int, price: float, sign: float) -> tuple[int, int, float]:
    """Return the highest price so far (the lowest for a negative sign), with its first and last period."""
    if sign * (price - known[2]) > _SAME:
        return (period, period, price)
    return (known[0], period, known[2]) if abs(price - known[2]) <= _SAME else known
