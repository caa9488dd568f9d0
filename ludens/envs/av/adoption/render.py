"""Text and pictures of an adoption game: the share of utilitarian cars over rounds, and the gains from them.

The gains are the two payoff differences that make the game a dilemma: that of one owner who alone chooses a
utilitarian car, and that of each person if all choose it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from ludens.envs.av.adoption.game import AdoptionGame
from ludens.envs.av.adoption.simulator import AdoptionOutcome
from ludens.envs.pixels import COLOURS

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Floats = NDArray[np.float64]

ROWS, WIDTH = 10, 60
SIZE, DPI = (8.0, 5.0), 100
_BARS = "▁▂▃▄▅▆▇█"
_ADOPTION, _ALONE, _TOGETHER = COLOURS[:3]
_LAW = "#999999"


class AdoptionHistory(Protocol):
    """The properties of an adoption environment that are shown."""

    environment: str
    game: AdoptionGame
    rounds: int
    outcomes: Sequence[AdoptionOutcome]

    @property
    def round(self) -> int:
        """How many rounds have been played."""

    @property
    def shares(self) -> Floats:
        """Of utilitarian cars, (rounds so far,)."""


def gains(env: AdoptionHistory) -> tuple[Floats, Floats]:
    """Return the gains from utilitarian cars in each round played and the next one, two arrays (rounds + 1,).

    At the share y of the round before (0 in the first), the first array is π(1, y) − π(0, y), the gain of one
    owner alone; the second is π(1, 1) − π(0, 0), the gain of each if all change together.
    """
    game, before = env.game, [0.0, *env.shares.tolist()]
    alone = [float(game.payoff(1.0, y, t) - game.payoff(0.0, y, t)) for t, y in enumerate(before)]
    together = [float(game.payoff(1.0, 1.0, t) - game.payoff(0.0, 0.0, t)) for t in range(len(before))]
    return np.array(alone), np.array(together)


def text(env: AdoptionHistory) -> str:
    """Return the last rounds as a table, and adoption as a row of bars."""
    game = env.game
    lines = [
        f"{env.environment}: {env.round} of {env.rounds} rounds, {game.people} people, {game.walkers} "
        f"pedestrians per accident",
        "",
        f"{'round':>6}  {'utilitarian':>11}  {'alone':>8}  {'together':>8}  {'mean payoff':>11}  lives lost",
    ]
    alone, together = gains(env)
    for number in range(max(0, env.round - ROWS), env.round):
        outcome = env.outcomes[number]
        lost = sum(float(group[0]) for group in outcome.deaths)
        lines.append(
            f"{number + 1:>6}  {outcome.shares[0]:>11.1%}  {alone[number]:>8.4f}  {together[number]:>8.4f}  "
            f"{outcome.payoffs[0].mean():>11.4f}  {lost:.4g}"
        )
    lines.append(f"{'next':>6}  {'':>11}  {alone[-1]:>8.4f}  {together[-1]:>8.4f}  {_law(env)}".rstrip())
    if env.round:
        levels = np.rint(env.shares[-WIDTH:] * (len(_BARS) - 1)).astype(int)
        lines += ["", "utilitarian " + "".join(_BARS[level] for level in levels)]
    return "\n".join(lines)


def figure(env: AdoptionHistory) -> Figure:
    """Draw adoption above the two gains, as a figure of its own (no pyplot)."""
    from matplotlib.figure import Figure

    drawn = Figure(figsize=SIZE, dpi=DPI, layout="constrained")
    above, below = drawn.subplots(2, 1, sharex=True, height_ratios=(3, 2))
    rounds = np.arange(1, env.round + 1)
    above.plot(rounds, env.shares, color=_ADOPTION, marker="o", markersize=3.5, linewidth=1.5)
    above.set(ylim=(-0.04, 1.04), ylabel="share of utilitarian cars")
    curves = gains(env)
    edges = np.arange(0.5, env.round + 2)
    for values, colour, name in zip(curves, (_ALONE, _TOGETHER), ("to one alone", "if all do"), strict=True):
        below.stairs(values, edges, baseline=None, color=colour, linewidth=1.5, label=name)
    below.set(ylabel="gain from choosing it", xlabel="round", xlim=(0.5, max(env.rounds, 2) + 0.5))
    below.axhline(0.0, color="#bbbbbb", linewidth=0.8, linestyle=":")
    below.legend(loc="best", frameon=False, fontsize=8)
    law = env.game.law
    if law is not None:
        end = env.rounds if law.until is None else min(law.until, env.rounds)
        for axes in (above, below):
            if law.period < env.rounds:
                axes.axvspan(law.period + 0.5, end + 0.5, color=_LAW, alpha=0.15, linewidth=0)
    for axes in (above, below):
        axes.spines[["top", "right"]].set_visible(False)
    shaded = "; shaded: regulated" if law is not None else ""
    above.set_title(f"{env.environment}, {env.round} of {env.rounds} rounds{shaded}", loc="left", fontsize=10)
    return drawn


def _law(env: AdoptionHistory) -> str:
    fine, subsidy = env.game.levies(env.round)
    parts = ["mandate"] * env.game.mandated(env.round)
    parts += [f"fine {fine:g}"] * (fine > 0) + [f"subsidy {subsidy:g}"] * (subsidy > 0)
    return ", ".join(parts)
