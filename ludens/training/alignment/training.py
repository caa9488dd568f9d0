"""The training of an alignment as a picture: its loss, step by step."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ludens.experiments.report import drawing
from ludens.experiments.report.svg import MUTED

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ludens.training.alignment.result import AlignmentResult


def curve(result: AlignmentResult) -> Figure | None:
    """The loss by training step; None where the tuned model's card has none."""
    points = [
        (float(step), float(loss))
        for entry in result.tuning.get("losses", ())
        if isinstance(entry, list | tuple) and len(entry) == 2
        for step, loss in [entry]
    ]
    if len(points) < 2:
        return None
    with drawing.sheet(8.6, 2.6) as figure:
        axes = figure.subplots()
        steps, losses = zip(*points, strict=True)
        axes.plot(steps, losses, color="#d55e00", linewidth=1.6)
        axes.set_yscale("log")
        axes.set_xlabel("step", fontsize=8, color=MUTED)
        axes.set_ylabel("loss, nats per token", fontsize=8, color=MUTED)
        drawing.quiet(axes)
        drawing.margins(figure, 0.75, 0.2, 0.48)
    return figure
