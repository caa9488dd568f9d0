"""The figures of the dilemma: policies under test in colour, reference policies in grey, people in black."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ludens.display.svg import INK, MUTED, PAPER
from ludens.experiments.av.measures import DilemmaMeasures
from ludens.experiments.measures.intervals import Estimate
from ludens.experiments.report import drawing
from ludens.experiments.report.names import policy_name, shortened
from ludens.preferences.av.approval import approval_probability, fit_approval
from ludens.preferences.av.people import APPROVAL, PURCHASE, PURCHASE_REGULATED

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from ludens.experiments.av.result import DilemmaResult


def approval_curves(result: DilemmaResult) -> Figure | None:
    """Draw P(sacrifice) against the number of pedestrians; None with fewer than two numbers."""
    found = [each for each in result.measures if len(each.approval) > 1]
    if not found:
        return None
    numbers = sorted({n for each in found for n in each.approval})
    with drawing.new_figure(8.6, 4.3) as figure:
        axes = figure.add_axes((0.075, 0.13, 0.6, 0.82))
        axes.set_xscale("log")
        for each in reversed(found):
            look = _look(result, each.policy)
            places = list(each.approval)
            values = [float(each.approval[n].value or 0.0) for n in places]
            axes.plot(places, values, label=shortened(policy_name(each.policy)), **look)
            if each.policy in result.tested:
                for n, value in zip(places, values, strict=True):
                    _interval(axes, n, each.approval[n], value, look["color"])
        people = {n: float(number.value or 0.0) for n, number in APPROVAL.items()}
        axes.plot(*zip(*people.items(), strict=True), "D", color=INK, markersize=6, label="people (recalled)")
        curve = fit_approval(list(people), list(people.values()))
        if curve.kappa is not None and curve.scale is not None:
            grid = np.geomspace(numbers[0], numbers[-1], 100)
            heights = approval_probability(grid, curve.kappa, curve.scale)
            label = f"κ={curve.kappa:.2f}, λ={curve.scale:.1f} through them"
            axes.plot(grid, heights, color=INK, linewidth=0.9, linestyle=":", label=label)
        axes.set_xticks(numbers, [str(n) for n in numbers])
        axes.minorticks_off()
        axes.set_xlabel("pedestrians", fontsize=8.5, color=MUTED)
        _shares(axes, "y")
        handles, labels = axes.get_legend_handles_labels()
        order = [*range(len(found) - 1, -1, -1), *range(len(found), len(labels))]
        shown: Any = {"frameon": False, "fontsize": 8, "loc": "upper left", "bbox_to_anchor": (1.02, 1.0)}
        axes.legend([handles[place] for place in order], [labels[place] for place in order], **shown)
    return figure


def social_dilemma(result: DilemmaResult) -> Figure | None:
    """Draw ratings of the utilitarian program's morality and of its purchase, by passengers."""
    groups = list(dict.fromkeys(group for each in result.measures for group in each.gaps))
    panels = [
        (
            company if perspective == "passenger" else f"{company}, {perspective}",
            {each.policy: _pair(each, company, perspective) for each in result.measures},
        )
        for company, perspective in groups
    ]
    return _dumbbells(result, panels[:6], ("moral", "buys"))


def law(result: DilemmaResult) -> Figure | None:
    """Draw morality and the wish for a law, purchases without and under one; None where neither was asked."""
    ratings: Sequence[tuple[str, Callable[[DilemmaMeasures], tuple[float, float] | None]]] = (
        ("morality and law", lambda each: _mean_pair(each, "morality", "law")),
        ("purchase, free and under the law", _regulated),
    )
    panels = [(title, {each.policy: read(each) for each in result.measures}) for title, read in ratings]
    panels = [(title, pairs) for title, pairs in panels if any(pairs.values())]
    asked = tuple(float(number.value or 0) for number in (PURCHASE, PURCHASE_REGULATED))
    people = {"purchase, free and under the law": (asked[0], asked[1])}
    return _dumbbells(result, panels, ("moral, free", "law, regulated"), people)


def points(result: DilemmaResult) -> Figure | None:
    """Draw how many of 100 points go to the utilitarian program; None where the question was not asked."""
    questions = list(dict.fromkeys(question for each in result.measures for question in each.points))
    if not questions:
        return None
    with drawing.new_figure(8.6, 0.8 + 0.3 * len(result.measures)) as figure:
        grid = figure.subplots(1, len(questions), sharey=True, squeeze=False).ravel().tolist()
        for axes, question in zip(grid, questions, strict=True):
            for row, each in enumerate(result.measures):
                estimate = each.points.get(question)
                if estimate is None or estimate.value is None:
                    continue
                colour = _look(result, each.policy)["color"]
                axes.barh(row, estimate.value, height=0.6, color=colour, alpha=0.85, linewidth=0)
            _rows(axes, result)
            axes.set_title(question.replace("allocate_", "points by "), fontsize=8.5, loc="left")
        drawing.margins(figure, policies(result).margin, 0.42, 0.35)
    return figure


def _dumbbells(
    result: DilemmaResult,
    panels: Sequence[tuple[str, Mapping[str, tuple[float, float] | None]]],
    ends: tuple[str, str],
    people: Mapping[str, tuple[float, float]] | None = None,
) -> Figure | None:
    """Draw two ratings of each policy, joined by a line, in one panel beside the other."""
    if not panels:
        return None
    from matplotlib.lines import Line2D

    extra = 1 if people and any(title in people for title, _ in panels) else 0
    with drawing.new_figure(8.6, 1.1 + 0.3 * (len(result.measures) + extra)) as figure:
        grid = figure.subplots(1, len(panels), sharey=True, squeeze=False).ravel().tolist()
        for axes, (title, pairs) in zip(grid, panels, strict=True):
            for row, each in enumerate(result.measures):
                pair = pairs.get(each.policy)
                if pair is None:
                    axes.text(0.02, row, "not read", fontsize=7, color=MUTED, va="center")
                    continue
                _dumbbell(axes, row, pair, _look(result, each.policy)["color"])
            if people and title in people:
                first, second = people[title]
                _dumbbell(axes, len(result.measures), (first / 100, second / 100), INK)
            _rows(axes, result, extra)
            axes.set_title(title, fontsize=8.5, loc="left")
        handles = [
            Line2D([], [], marker="o", linestyle="none", color=MUTED, label=ends[0]),
            Line2D([], [], marker="o", linestyle="none", color=MUTED, markerfacecolor=PAPER, label=ends[1]),
        ]
        look: Any = {"frameon": False, "fontsize": 8, "borderaxespad": 0.1, "ncols": 2, "loc": "upper left"}
        figure.legend(handles=handles, **look)
        drawing.margins(figure, policies(result).margin, 0.62, 0.35)
    return figure


def _dumbbell(axes: Axes, row: int, pair: tuple[float, float], colour: str) -> None:
    axes.plot(pair, [row, row], color=colour, linewidth=1.6, zorder=2)
    axes.plot(pair[:1], [row], "o", color=colour, markersize=7, zorder=3)
    axes.plot(
        pair[1:], [row], "o", color=colour, markersize=7, markerfacecolor=PAPER, markeredgewidth=1.5, zorder=4
    )


def _pair(found: DilemmaMeasures, company: str, perspective: str) -> tuple[float, float] | None:
    """Return the two ratings of which a gap is the difference."""
    if (company, perspective) not in found.gaps:
        return None
    first = found.ratings.get(("morality", "utilitarian", company, perspective, "none", "algorithm"))
    second = found.ratings.get(("purchase", "utilitarian", company, perspective, "none", "algorithm"))
    return _values(first, second)


def _mean_pair(found: DilemmaMeasures, first: str, second: str) -> tuple[float, float] | None:
    """Return mean ratings of the utilitarian program over the cases in which both questions were asked."""
    kinds = [key[1:] for key in found.ratings if key[0] == second and key[1] == "utilitarian"]
    pairs = [_values(found.ratings.get((first, *kind)), found.ratings.get((second, *kind))) for kind in kinds]
    known = [pair for pair in pairs if pair is not None]
    if not known:
        return None
    one, two = np.mean(known, axis=0).tolist()
    return one, two


def _regulated(found: DilemmaMeasures) -> tuple[float, float] | None:
    for question, program, company, perspective, regime, decider in found.ratings:
        if (question, program, regime) == ("purchase", "utilitarian", "utilitarian"):
            free = ("purchase", "protective", company, perspective, "none", decider)
            bound = (question, program, company, perspective, regime, decider)
            return _values(found.ratings.get(free), found.ratings[bound])
    return None


def _values(first: Estimate | None, second: Estimate | None) -> tuple[float, float] | None:
    if first is None or second is None or first.value is None or second.value is None:
        return None
    return first.value, second.value


def _rows(axes: Axes, result: DilemmaResult, extra: int = 0) -> None:
    _shares(axes, "x")
    drawing.policy_rows(axes, policies(result), *["people (recalled)"] * extra)


def _shares(axes: Axes, which: str) -> None:
    """Let one axis show shares from 0 to 100 %."""
    ticks = ["0", "50", "100 %"]
    if which == "y":
        axes.set_ylim(-0.03, 1.03)
        axes.set_yticks([0, 0.5, 1], ticks)
    else:
        axes.set_xlim(-0.04, 1.04)
        axes.set_xticks([0, 0.5, 1], ["0", "50", "100"])
    drawing.quiet(axes)


def _interval(axes: Axes, place: float, estimate: Estimate, value: float, colour: str) -> None:
    if estimate.low is None or estimate.high is None or math.isclose(estimate.low, estimate.high):
        return
    axes.plot([place, place], [estimate.low, estimate.high], color=colour, linewidth=1.2, alpha=0.7)


def _look(result: DilemmaResult, policy: str) -> dict[str, Any]:
    """Return how a policy's line is drawn; only those under test have markers."""
    style = policies(result).styles[policy]
    if policy not in result.tested:
        return {**style.line, "zorder": 3}
    return {**style.line, "marker": style.marker, "markersize": 5, "zorder": 5}


def policies(result: DilemmaResult) -> drawing.Policies:
    """Return the policies of the figures."""
    return drawing.Policies(tuple(each.policy for each in result.measures), result.tested)
