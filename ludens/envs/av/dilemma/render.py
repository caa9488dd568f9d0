"""The dilemma for the eye: each respondent's last vignette and answer, in text or drawn."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ludens.envs.av.dilemma.vignette import ALLOCATIONS, MOST, Vignette

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from ludens.envs.av.dilemma.env import AvDilemmaEnv

SIZE, DPI = (8.0, 5.0), 100
MOST_DRAWN = 4

# Okabe & Ito's palette, which colour-blind readers can tell apart.
_CAR, _ROAD, _ANSWER, _INK = "#0072b2", "#d55e00", "#009e73", "#222222"


def text(env: AvDilemmaEnv) -> str:
    """One line for each respondent: the vignette last answered (or the first to come), and the answer."""
    lines = [f"{env.environment}: {env.round} of {env.rounds} vignettes"]
    for agent in env.possible_agents:
        vignette, answer = _last(env, agent)
        if vignette is not None:
            said = "not answered yet" if answer is None else f"answers {told(vignette, answer)}"
            lines.append(f"  {agent} ({vignette.perspective}): {summary(vignette)}: {said}")
    return "\n".join(lines)


def show(env: AvDilemmaEnv) -> None:
    """Print `text`."""
    sys.stdout.write(text(env) + "\n")


def summary(vignette: Vignette) -> str:
    """A vignette in a few words: who is at stake, and what is asked."""
    asked = vignette.question.replace("_", " ")
    if vignette.question not in ("act", *ALLOCATIONS):
        asked += f" of the {vignette.program} program"
    certain = "" if vignette.certainty == 1 else f", harm {vignette.certainty:.0%} certain"
    return f"{' and '.join(vignette.passengers)} in the car, {vignette.pedestrians} ahead{certain}; {asked}"


def told(vignette: Vignette, answer: int) -> str:
    """An answer in words."""
    return ("stay", "swerve")[answer] if vignette.question == "act" else f"{answer} of {MOST}"


def pixels(env: AvDilemmaEnv) -> NDArray[np.uint8]:
    """The picture, shape (height, width, 3), uint8; always of the same size."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    canvas: Any = FigureCanvasAgg(figure(env))
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()


def figure(env: AvDilemmaEnv) -> Figure:
    """The first respondents' last vignettes, as bars of lives and of the answer."""
    from matplotlib.figure import Figure

    drawn = Figure(figsize=SIZE, dpi=DPI, layout="constrained")
    agents = env.possible_agents[:MOST_DRAWN]
    grid = drawn.subplots(len(agents), 1, squeeze=False).ravel().tolist()
    drawn.suptitle(
        f"{env.environment}, {env.round} of {env.rounds} vignettes", x=0.01, ha="left", fontsize=11
    )
    for axes, agent in zip(grid, agents, strict=True):
        vignette, answer = _last(env, agent)
        if vignette is not None:
            _panel(axes, agent, vignette, answer)
    return drawn


def _last(env: AvDilemmaEnv, agent: str) -> tuple[Vignette | None, int | None]:
    asked, answered = env.asked(agent), env.answered.get(agent, [])
    if not asked:
        return None, None
    return (asked[len(answered) - 1], answered[-1]) if answered else (asked[0], None)


def _panel(axes: Axes, agent: str, vignette: Vignette, answer: int | None) -> None:
    axes.barh([2], [vignette.riders], color=_CAR, height=0.6)
    axes.barh([1], [vignette.pedestrians], color=_ROAD, height=0.6)
    swerving = None if answer is None else vignette.swerving(answer)
    names = ["expected deaths", "pedestrians", "passengers"]
    if swerving is not None:
        axes.barh([0], [sum(vignette.deaths(swerving).values())], color=_ANSWER, height=0.6)
    axes.set_yticks([0, 1, 2], names, fontsize=8, color=_INK)
    axes.tick_params(labelsize=8)
    axes.set_ylim(-0.6, 2.6)
    said = "not answered yet" if answer is None else told(vignette, answer)
    axes.set_title(f"{agent}, {vignette.perspective}: {summary(vignette)}: {said}", loc="left", fontsize=8)
    axes.spines[["top", "right"]].set_visible(False)
