"""The Moral Machine for the eye: how often each respondent spared which side so far, in text or drawn."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ludens.envs.av.moral_machine.scenarios import TYPES

if TYPE_CHECKING:
    from ludens.envs.av.moral_machine.env import MoralMachineEnv

# What a type's favoured level is called, see `Scenarios.level`.
_FAVOURED = {
    "species": "people", "social status": "higher status", "gender": "women", "age": "the young",
    "fitness": "the fit", "number": "more",
}  # fmt: skip


def spared(env: MoralMachineEnv, agent: str) -> dict[str, tuple[int, int]]:
    """How often the favoured level was spared, of how many scenarios, by type; random ones are left out."""
    found = {name: [0, 0] for name in TYPES if name in _FAVOURED}
    for place, answer in zip(env.asked.get(agent, []), env.answered.get(agent, []), strict=False):
        name = TYPES[env.scenarios.type[place]]
        if name in found:
            found[name][0] += int(env.scenarios.level[place, answer] == 1)
            found[name][1] += 1
    return {name: (times, of) for name, (times, of) in found.items()}


def text(env: MoralMachineEnv) -> str:
    """One line for each respondent."""
    lines = [f"{env.environment}: {env.round} of {env.rounds} scenarios"]
    for agent in env.possible_agents:
        told = [
            f"{_FAVOURED[name]} {times} of {of}" for name, (times, of) in spared(env, agent).items() if of
        ]
        lines.append(f"  {agent} spared {', '.join(told) or 'nobody yet'}")
    return "\n".join(lines)


def show(env: MoralMachineEnv) -> None:
    """Print `text`."""
    sys.stdout.write(text(env) + "\n")


def pixels(env: MoralMachineEnv) -> NDArray[np.uint8]:
    """The shares spared as bars, shape (height, width, 3), uint8; always of the same size."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.0, 3.6), dpi=100, layout="constrained")
    axes = figure.subplots()
    names = list(_FAVOURED)
    agents = env.possible_agents[:4]
    for number, agent in enumerate(agents):
        for row, (times, of) in enumerate(spared(env, agent).values()):
            if of:
                axes.barh(
                    row + (number - (len(agents) - 1) / 2) * 0.8 / len(agents),
                    times / of,
                    height=0.72 / len(agents),
                    color=("#0072b2", "#d55e00", "#009e73", "#cc79a7")[number],
                )
    axes.axvline(0.5, color="#888888", linewidth=0.8)
    axes.set_yticks(range(len(names)), [_FAVOURED[name] for name in names])
    axes.set(xlim=(0, 1), ylim=(len(names) - 0.5, -0.5), xlabel="share spared")
    axes.set_title(f"{env.environment}, {env.round} of {env.rounds} scenarios", loc="left", fontsize=11)
    canvas: Any = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()
