"""The figures of the Moral Machine: effects of policies and of people as bars, and on a radar chart."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ludens.display.svg import INK
from ludens.experiments.av.amce import ATTRIBUTES, PEOPLE, Effect
from ludens.experiments.av.moral_result import MoralMeasures
from ludens.experiments.report.drawing import COLOURS, ENDINGS, check_figure, new_figure, save_figure
from ludens.experiments.report.names import policy_name

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Others = Mapping[str, Mapping[str, float]]
"""Effects of other models by name, as `read_effects` gives them."""

_PEOPLE, _OTHERS = INK, "#b9bec7"
_ENDINGS = (*ENDINGS, ".pdf")


def bars(found: Sequence[MoralMeasures], others: Others | None = None) -> Figure:
    """Draw the effect of each attribute with its 95 % interval for every policy, people as diamonds.

    Args:
        found: the measures of the policies.
        others: further models, as grey ticks.
    """
    with new_figure(7.6, 5.2, layout="constrained") as figure:
        axes = figure.subplots()
        for name in ("top", "right", "left"):
            axes.spines[name].set_visible(False)
        axes.axvline(0, color=_OTHERS, linewidth=0.8)
        names = list(ATTRIBUTES)
        for row, name in enumerate(names):
            known = [
                values[name]
                for model, values in (others or {}).items()
                if model != "Human" and name in values
            ]
            axes.plot(known, [row] * len(known), "|", color=_OTHERS, markersize=9, zorder=1)
            for number, each in enumerate(found):
                effect = each.effects[name]
                if math.isnan(effect.value):
                    continue
                place = row + (number - (len(found) - 1) / 2) * 0.5 / max(len(found), 2)
                colour = COLOURS[number % len(COLOURS)]
                axes.plot(_ends(effect), [place, place], color=colour, linewidth=2, solid_capstyle="butt")
                axes.plot([effect.value], [place], "o", color=colour, markersize=5)
            axes.plot([PEOPLE[name]], [row], "D", color=_PEOPLE, markersize=5, zorder=3)
        axes.set(
            xlim=(-1.02, 1.02),
            ylim=(len(names) - 0.4, -0.6),
            xlabel="spared more often by (share of scenarios)",
        )
        axes.set_yticks(range(len(names)), list(ATTRIBUTES.values()))
        axes.tick_params(left=False)
        _legend(figure, found, others)
    return figure


def radar(found: Sequence[MoralMeasures], others: Others | None = None) -> Figure:
    """Draw the nine effects around a circle: the centre is −1, the dashed ring 0, the rim 1."""
    with new_figure(6.4, 6.4, layout="constrained") as figure:
        axes = figure.add_subplot(projection="polar")
        around = np.linspace(0, 2 * math.pi, len(ATTRIBUTES), endpoint=False)
        closed = np.append(around, around[0])

        def line(values: Mapping[str, float], colour: str, width: float, order: int) -> None:
            heights = [values.get(name, math.nan) for name in ATTRIBUTES]
            axes.plot(closed, [*heights, heights[0]], color=colour, linewidth=width, zorder=order)

        for model, values in (others or {}).items():
            if model != "Human":
                line(values, _OTHERS, 0.5, 1)
        axes.plot(closed, np.zeros_like(closed), color="#666666", linewidth=0.8, linestyle="--", zorder=2)
        for number, each in enumerate(found):
            values = {name: effect.value for name, effect in each.effects.items()}
            line(values, COLOURS[number % len(COLOURS)], 2.0, 4)
        line(PEOPLE, _PEOPLE, 2.0, 3)
        axes.set_ylim(-1, 1)
        axes.set_yticks([-0.5, 0.5], ["", ""])
        axes.set_xticks(around, list(ATTRIBUTES.values()))
        axes.tick_params(pad=10)
        axes.spines["polar"].set_color(_OTHERS)
        _legend(figure, found, others)
    return figure


def save_figures(
    found: Sequence[MoralMeasures], path: str | os.PathLike[str], others: Others | None = None
) -> tuple[Path, Path]:
    """Write the bars under this name, and the radar beside it with ``-radar`` before the ending.

    Raises:
        UsageError: the ending is neither .png nor .svg nor .pdf.
        StoreError: they cannot be written.
    """
    target = check_figures(path)
    files = target, target.with_name(f"{target.stem}-radar{target.suffix}")
    for file, draw in zip(files, (bars, radar), strict=True):
        save_figure(draw(found, others), file, _ENDINGS)
    return files


def check_figures(path: str | os.PathLike[str]) -> Path:
    """Return the file that `save_figures` would write to.

    Raises:
        UsageError: the ending is neither .png nor .svg nor .pdf.
    """
    target = Path(path)
    check_figure(target, _ENDINGS)
    return target


def _ends(effect: Effect) -> tuple[float, float]:
    return (effect.value, effect.value) if math.isnan(effect.error) else effect.interval


def _legend(figure: Figure, found: Sequence[MoralMeasures], others: Others | None) -> None:
    from matplotlib.lines import Line2D

    marks = [
        Line2D([], [], color=COLOURS[number % len(COLOURS)], linewidth=2, label=policy_name(each.policy))
        for number, each in enumerate(found)
    ]
    marks.append(Line2D([], [], color=_PEOPLE, marker="D", markersize=5, linewidth=2, label="people"))
    if others:
        count = len([model for model in others if model != "Human"])
        marks.append(Line2D([], [], color=_OTHERS, linewidth=1, label=f"{count} other models"))
    figure.legend(handles=marks, loc="outside lower center", ncols=3, frameon=False, fontsize=9)
