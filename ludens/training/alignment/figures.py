"""The figures of an alignment: the base and the persona in cool colours, the tuned model in orange."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from ludens.display.svg import INK, MUTED, PAPER, RULE
from ludens.experiments.estimates.profile import CRITICAL
from ludens.experiments.report import drawing
from ludens.training.alignment.files import BASE, BASE_DIRECT, GREEDY, PERSONA, PERSONA_DIRECT, TUNED
from ludens.training.evaluation.sets import SETS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from ludens.training.alignment.result import AlignmentResult

COLOURS: Mapping[str, str] = {
    BASE: "#56b4e9",
    BASE_DIRECT: "#0072b2",
    PERSONA: "#cc79a7",
    PERSONA_DIRECT: "#009e73",
    TUNED: "#d55e00",
    GREEDY: "#e69f00",
}
_MARKERS = {BASE: "v", BASE_DIRECT: "o", PERSONA: "^", PERSONA_DIRECT: "s", TUNED: "D", GREEDY: "P"}
_DASHED, _DOTTED = (0, (4, 2)), (0, (1, 1.5))
_MARKETS: Mapping[str, tuple[str, str, str, Any]] = {
    "before": ("base", COLOURS[BASE_DIRECT], _MARKERS[BASE_DIRECT], "-"),
    "after": ("tuned", COLOURS[TUNED], _MARKERS[TUNED], "-"),
    "table, itself": ("tuned, as tables, against itself", COLOURS[TUNED], "", _DASHED),
    "table, myopic": ("tuned, as tables, against a myopic firm", COLOURS[TUNED], "", _DOTTED),
    "table, oracle-itself": ("oracle against itself", MUTED, "", _DASHED),
    "table, oracle-myopic": ("oracle against a myopic firm", MUTED, "", _DOTTED),
}
"""What a market is called in the picture, with its colour, marker and dashes."""
_WIDTH = 8.6
_MOST_DROP = 12.0


def agreement(result: AlignmentResult) -> Figure | None:
    """Draw agreement with the target on every set, with a 95 % interval for every policy; None without
    answers.
    """
    sets = [name for name in SETS if any(found.set == name for found in result.scores)]
    if not sets:
        return None
    who = result.policies
    row = 0.12 * len(who) + 0.12
    with drawing.new_figure(_WIDTH, 0.9 + row * len(sets)) as figure:
        axes = figure.subplots()
        axes.axvline(0.5, color=MUTED, linewidth=0.9, linestyle=(0, (4, 2)))
        for place, name in enumerate(sets):
            for turn, policy in enumerate(who):
                found = result.score(policy, name)
                height = place + (turn - (len(who) - 1) / 2) * 0.8 / len(who)
                if found is None or found.agreement.value is None:
                    continue
                _point(axes, found.agreement, height, policy)
            if place:
                axes.axhline(place - 0.5, color=RULE, linewidth=0.6)
        axes.set_ylim(len(sets) - 0.5, -0.5)
        axes.set_yticks(range(len(sets)), sets, fontsize=8.5)
        drawing.percent_axis(axes)
        axes.set_xlim(-0.015, 1.015)
        axes.grid(visible=False, axis="y")
        _legend(figure, who)
        drawing.margins(figure, 1.5, 0.45, 0.32)
    return figure


def cooperation(result: AlignmentResult) -> Figure | None:
    """Draw mean cooperation with a cooperating partner at each temptation T − R, and the oracle's."""
    from matplotlib.ticker import MaxNLocator

    shown = [found for found in result.slopes if found.points]
    if not shown:
        return None
    with drawing.new_figure(_WIDTH, 3.3) as figure:
        axes = figure.subplots()
        for found in shown:
            _means(axes, found.points, COLOURS[found.policy], _MARKERS[found.policy], "solid")
        oracle = _oracle(result)
        if oracle:
            _means(axes, oracle, INK, ".", (0, (2, 1.5)))
        axes.set_ylim(-0.04, 1.04)
        axes.set_yticks([0, 0.5, 1], ["0", "50", "100 %"])
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.set_xlabel("temptation T − R, points", fontsize=8, color=MUTED)
        drawing.quiet(axes)
        _legend(figure, [found.policy for found in shown], oracle=bool(oracle))
        drawing.margins(figure, 0.6, 0.5, 0.5)
    return figure


def kappas(result: AlignmentResult) -> Figure | None:
    """Draw the likelihood-ratio statistic of every value of κ from the protocols, and its 95 % cut."""
    shown = [found for found in result.kappas if found.alone.grid]
    if not shown:
        return None
    with drawing.new_figure(_WIDTH, 3.4) as figure:
        for axes, kind in zip(figure.subplots(1, 2, sharey=True).tolist(), ("alone", "free"), strict=True):
            axes.axhline(CRITICAL, color=MUTED, linewidth=0.9, linestyle=(0, (4, 2)))
            axes.axvline(result.plan.preferences.kappa, color=INK, linewidth=0.8, linestyle=(0, (1, 1.5)))
            for found in shown:
                curve = getattr(found, kind)
                drop = np.minimum(np.array(curve.drop), _MOST_DROP + 1)
                axes.plot(curve.grid, drop, color=COLOURS[found.policy], linewidth=1.8)
            axes.set_xlim(-1, 1)
            axes.set_ylim(0, _MOST_DROP)
            title = "with α = β = 0" if kind == "alone" else "with α and β free"
            axes.set_title(title, fontsize=8.5, loc="left")
            axes.set_xlabel("κ", fontsize=8, color=MUTED)
            drawing.quiet(axes)
        figure.axes[0].set_ylabel("2 × log-likelihood lost", fontsize=8, color=MUTED)
        _legend(figure, [found.policy for found in shown], markers=False)
        drawing.margins(figure, 0.6, 0.72, 0.48)
    return figure


def prices(result: AlignmentResult) -> Figure | None:
    """Draw the model's prices before and after, and in markets of tables beside its oracle's, with the Nash
    and the joint-profit price.
    """
    if not any(path.prices for path in result.markets.values()):
        return None
    first = next(iter(result.markets.values()))
    with drawing.new_figure(_WIDTH, 3.0) as figure:
        axes = figure.subplots()
        top = max(3.0, *(min(10.0, max(path.prices, default=0.0)) for path in result.markets.values()))
        for value, text in ((first.nash, "Nash"), (first.joint, "joint profit")):
            axes.axhline(value, color=MUTED, linewidth=0.9, linestyle=(0, (4, 2)))
            axes.annotate(
                text, (1.0, value), (2, 2), xycoords=("axes fraction", "data"), textcoords="offset points",
                fontsize=7.5, color=MUTED, ha="right", annotation_clip=False,
            )  # fmt: skip
        for when, path in result.markets.items():
            name, colour, marker, dashes = _MARKETS[when]
            periods = range(1, len(path.prices) + 1)
            look: Any = {"color": colour, "marker": marker, "markersize": 3.6, "linestyle": dashes}
            axes.plot(periods, np.minimum(path.prices, top * 1.02), linewidth=1.6, label=name, **look)
            if path.status == "aborted":
                axes.plot(len(path.prices) + 1, path.nash, marker="x", color=colour, markersize=8)
        axes.set_ylim(0, top * 1.05)
        axes.set_xlim(0.5, max(path.periods for path in result.markets.values()) + 0.7)
        axes.set_xlabel("period", fontsize=8, color=MUTED)
        axes.set_ylabel("price", fontsize=8, color=MUTED)
        drawing.quiet(axes)
        down = -(-len(result.markets) // 2)
        axes.legend(
            loc="lower left", frameon=False, fontsize=8, ncols=2, bbox_to_anchor=(0, 1.0), borderaxespad=0.2
        )
        drawing.margins(figure, 0.6, 0.17 + 0.18 * down, 0.48)
    return figure


def loss(result: AlignmentResult) -> Figure | None:
    """Draw the loss by training step, and its mean over a fortieth of the steps; None where the training left
    no losses.
    """
    points = [
        (float(step), float(loss))
        for entry in result.tuning.get("losses", ())
        if isinstance(entry, list | tuple) and len(entry) == 2
        for step, loss in [entry]
    ]
    if len(points) < 2:
        return None
    with drawing.new_figure(8.6, 2.6) as figure:
        axes = figure.subplots()
        steps, losses = zip(*points, strict=True)
        together = max(1, len(steps) // 40)
        mean = np.convolve(losses, np.full(together, 1 / together), "valid")
        if together > 1:
            axes.plot(steps, losses, color="#d55e00", linewidth=0.6, alpha=0.3)
        axes.plot(steps[together - 1 :], mean, color="#d55e00", linewidth=1.6)
        axes.set_yscale("log")
        axes.set_xlabel("step", fontsize=8, color=MUTED)
        axes.set_ylabel("loss, nats per token", fontsize=8, color=MUTED)
        drawing.quiet(axes)
        drawing.margins(figure, 0.75, 0.2, 0.48)
    return figure


def _point(axes: Axes, estimate: Any, height: float, policy: str) -> None:
    look: Any = {"color": COLOURS[policy], "zorder": 3}
    if estimate.low is not None:
        axes.plot(
            [estimate.low, estimate.high], [height, height], linewidth=1.6, solid_capstyle="butt", **look
        )
    edge: Any = {"markeredgecolor": PAPER, "markeredgewidth": 0.5}
    axes.plot(estimate.value, height, marker=_MARKERS[policy], markersize=5.2, **edge, **look)


def _means(axes: Axes, points: Any, colour: str, marker: str, dashes: Any) -> None:
    by_place: dict[float, list[float]] = {}
    for x, y in points:
        by_place.setdefault(x, []).append(y)
    places = sorted(by_place)
    means = [float(np.mean(by_place[place])) for place in places]
    axes.plot(places, means, color=colour, linewidth=1.8, linestyle=dashes, marker=marker, markersize=4.5)


def _oracle(result: AlignmentResult) -> list[tuple[float, float]]:
    """Return the oracle's cooperation on the same dilemmas."""
    from ludens.training.evaluation.scores import oracle_points

    names = (("before", "exam"), ("after", "exam"), ("before", "thinking"))
    found = next((path for name in names if (path := result.files.run(*name)).exists()), None)
    return [] if found is None else oracle_points(found, result.plan.preferences)


def _legend(figure: Figure, who: Any, *, oracle: bool = False, markers: bool = True) -> None:
    from matplotlib.lines import Line2D

    handles = [
        Line2D(
            [],
            [],
            color=COLOURS[name],
            linewidth=1.8,
            marker=_MARKERS[name] if markers else None,
            markersize=5,
        )
        for name in who
    ]
    labels = list(who)
    if oracle:
        handles.append(Line2D([], [], color=INK, linewidth=1.8, linestyle=(0, (2, 1.5)), marker="."))
        labels.append("the target's oracle")
    look: Any = {"frameon": False, "fontsize": 8.5, "borderaxespad": 0.1}
    figure.legend(handles, labels, loc="upper left", ncols=6, **look)
