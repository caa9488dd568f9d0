"""The figure of the adoption game: shares against κ with the threshold, and paths over rounds."""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ludens.display.svg import INK, MUTED
from ludens.experiments.av.adoption import AdoptionPaths
from ludens.experiments.av.adoption_result import AdoptionResult, KappaCurve
from ludens.experiments.report.drawing import COLOURS, new_figure, save_twice

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Floats = NDArray[np.float64]

_LAW = "#e69f00"


def picture(result: AdoptionResult) -> Figure:
    """Draw shares against κ on the left (where populations were simulated), and paths on the right."""
    panels = 2 if result.curves else 1
    with new_figure(5.4 * panels, 4.2) as figure:
        axes = np.atleast_1d(figure.subplots(1, panels)).tolist()
        figure.subplots_adjust(left=0.12 / panels, right=0.985, bottom=0.14, top=0.78, wspace=0.2)
        if result.curves:
            _curves(axes[0], result)
        _paths(axes[-1], result)
    return figure


def save_figure(result: AdoptionResult, path: str | os.PathLike[str]) -> tuple[Path, Path]:
    """Write `picture` as PNG and as SVG, on white, under `path` with the endings ``.png`` and ``.svg``.

    Raises:
        StoreError: they cannot be written.
    """
    return save_twice(picture(result), path)


def _curves(axes: Axes, result: AdoptionResult) -> None:
    for curve, colour in zip(result.curves, (COLOURS[0], COLOURS[1]), strict=False):
        _curve(axes, curve, colour, several=len(result.curves) > 1)
    axes.set(xlim=(-0.03, 1.03), ylim=(-0.04, 1.04), xlabel="κ, or its mean in a mixed population")
    axes.set_ylabel("share of utilitarian cars")
    axes.set_title("Adoption against κ", loc="left", fontsize=10, pad=46)
    axes.legend(loc="lower left", bbox_to_anchor=(-0.01, 1.0), frameon=False, fontsize=7.5, ncols=2)
    axes.spines[["top", "right"]].set_visible(False)


def _curve(axes: Axes, curve: KappaCurve, colour: str, *, several: bool) -> None:
    law = (", law" if curve.law else ", no law") if several else ""
    axes.plot(curve.kappas, curve.alike, "o", color=colour, markersize=3.2, label=f"all alike{law}")
    name = f"mixed, Beta with a + b = {curve.spread:g}{law}"
    axes.plot(curve.kappas, curve.mixed, color=colour, linewidth=1.4, label=name)
    if -0.03 <= curve.threshold <= 1.03:
        axes.axvline(curve.threshold, color=colour, linestyle=(0, (4, 2)), linewidth=1.1)
        right = curve.threshold < 0.6
        axes.annotate(
            f"κ* = {curve.threshold:.3g}",
            (curve.threshold, 0.5 + 0.08 * curve.law),
            (4 if right else -4, 0),
            textcoords="offset points",
            ha="left" if right else "right",
            fontsize=8.5,
            color=colour,
        )
    elif not math.isnan(curve.threshold):
        where = "above 1: nobody" if curve.threshold > 1 else "below 0: everybody"
        axes.annotate(
            f"κ* is {where}{law}",
            (0.5, 0.5 + 0.08 * curve.law),
            xycoords="axes fraction",
            ha="center",
            fontsize=8.5,
            color=colour,
        )


def _paths(axes: Axes, result: AdoptionResult) -> None:
    from matplotlib.ticker import MaxNLocator

    law, paths = result.game.law, result.paths
    rounds = paths.shares.shape[1] - 1
    if law is not None and law.period < rounds:
        end = rounds if law.until is None else min(law.until, rounds)
        axes.axvspan(law.period + 0.5, end + 0.5, color=_LAW, alpha=0.13, linewidth=0, label="law holds")
    for place, group in enumerate(paths.groups):
        colour = COLOURS[place % len(COLOURS)]
        _path(axes, paths, place, colour, f"{group.name} ({group.people})")
        if result.unregulated is not None:
            name = "without the law" if place == 0 else None
            _path(axes, result.unregulated, place, colour, name, dashed=True)
    if len(paths.groups) > 1:
        axes.plot(*_means(paths.total), color=INK, linewidth=2, label="all")
    axes.set(xlim=(0, rounds + 0.5), ylim=(-0.04, 1.04), xlabel="round")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    if not result.curves:
        axes.set_ylabel("share of utilitarian cars")
    count = int(np.isfinite(paths.shares[:, -1, 0]).sum())
    axes.set_title(
        f"Adoption over rounds, {count} population{'s' * (count != 1)} of {result.game.people}",
        loc="left",
        fontsize=10,
        pad=46,
    )
    axes.legend(loc="lower left", bbox_to_anchor=(-0.01, 1.0), frameon=False, fontsize=7.5, ncols=2)
    axes.spines[["top", "right"]].set_visible(False)
    if count == 0:
        axes.text(0.5, 0.5, "no population was played to its end", transform=axes.transAxes, ha="center",
                  color=MUTED)  # fmt: skip


def _path(
    axes: Axes, paths: AdoptionPaths, place: int, colour: str, name: str | None, *, dashed: bool = False
) -> None:
    rounds, means = _means(paths.shares[:, :, place])
    axes.plot(
        rounds,
        means,
        color=colour,
        linewidth=1.5,
        linestyle=(0, (4, 2)) if dashed else "solid",
        marker="o" if len(rounds) <= 30 else None,
        markersize=2.8,
        label=name,
    )


def _means(shares: Floats) -> tuple[NDArray[np.intp], Floats]:
    """Return the rounds in which shares (populations, rounds) are known, and their means over populations."""
    rounds = np.flatnonzero(np.isfinite(shares).any(axis=0))
    return rounds, np.nanmean(shares[:, rounds], axis=0)
