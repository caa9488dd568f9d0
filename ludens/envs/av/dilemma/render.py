"""Text and pictures of the dilemma: each respondent's last vignette and answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

from ludens.envs.av.dilemma.vignette import ALLOCATIONS, MOST, Vignette
from ludens.envs.pixels import COLOURS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SIZE, DPI = (8.0, 5.0), 100
MOST_DRAWN = 4

_CAR, _ROAD, _ANSWER = COLOURS[:3]
_INK = "#222222"


class AnsweredVignettes(Protocol):
    """The properties of a dilemma environment that are shown."""

    environment: str
    possible_agents: list[str]
    rounds: int
    round: int

    @property
    def answered(self) -> Mapping[str, Sequence[int]]:
        """The answers of each respondent so far."""

    def asked(self, agent: str) -> tuple[Vignette, ...]:
        """Return the vignettes of a respondent in this episode."""


def text(env: AnsweredVignettes) -> str:
    """Return a line for each respondent: the vignette answered last (or the first one), and the answer."""
    lines = [f"{env.environment}: {env.round} of {env.rounds} vignettes"]
    for agent in env.possible_agents:
        vignette, answer = _last(env, agent)
        if vignette is not None:
            said = "not answered yet" if answer is None else f"answers {answer_in_words(vignette, answer)}"
            lines.append(f"  {agent} ({vignette.perspective}): {summary(vignette)}: {said}")
    return "\n".join(lines)


def summary(vignette: Vignette) -> str:
    """Return a vignette in a few words: who is at stake, and what is asked."""
    asked = vignette.question.replace("_", " ")
    if vignette.question not in ("act", *ALLOCATIONS):
        asked += f" of the {vignette.program} program"
    certain = "" if vignette.certainty == 1 else f", harm {vignette.certainty:.0%} certain"
    return f"{' and '.join(vignette.passengers)} in the car, {vignette.pedestrians} ahead{certain}; {asked}"


def answer_in_words(vignette: Vignette, answer: int) -> str:
    """Return an answer in words."""
    return ("stay", "swerve")[answer] if vignette.question == "act" else f"{answer} of {MOST}"


def figure(env: AnsweredVignettes) -> Figure:
    """Draw the last vignettes of the first respondents, as bars of lives at stake and expected deaths."""
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


def _last(env: AnsweredVignettes, agent: str) -> tuple[Vignette | None, int | None]:
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
    said = "not answered yet" if answer is None else answer_in_words(vignette, answer)
    axes.set_title(f"{agent}, {vignette.perspective}: {summary(vignette)}: {said}", loc="left", fontsize=8)
    axes.spines[["top", "right"]].set_visible(False)
