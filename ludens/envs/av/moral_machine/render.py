"""Text and pictures of the Moral Machine: how often each respondent spared which side so far."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

from ludens.envs.av.moral_machine.scenarios import TYPES, Scenarios
from ludens.envs.pixels import COLOURS

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# What a type's favoured level is called, see `Scenarios.level`.
_FAVOURED = {
    "species": "people", "social status": "higher status", "gender": "women", "age": "the young",
    "fitness": "the fit", "number": "more",
}  # fmt: skip


class SparedGroups(Protocol):
    """The properties of a Moral Machine environment that are shown."""

    environment: str
    possible_agents: list[str]
    scenarios: Scenarios
    rounds: int
    round: int

    @property
    def asked(self) -> Mapping[str, Sequence[int]]:
        """The numbers of each respondent's scenarios in this episode."""

    @property
    def answered(self) -> Mapping[str, Sequence[int]]:
        """The answers of each respondent so far."""


def spared(env: SparedGroups, agent: str) -> dict[str, tuple[int, int]]:
    """Return how often the favoured level was spared, of how many scenarios, by type without the random
    one.
    """
    found = {name: [0, 0] for name in TYPES if name in _FAVOURED}
    for place, answer in zip(env.asked.get(agent, []), env.answered.get(agent, []), strict=False):
        name = TYPES[env.scenarios.type[place]]
        if name in found:
            found[name][0] += int(env.scenarios.level[place, answer] == 1)
            found[name][1] += 1
    return {name: (times, of) for name, (times, of) in found.items()}


def text(env: SparedGroups) -> str:
    """Return a line for each respondent."""
    lines = [f"{env.environment}: {env.round} of {env.rounds} scenarios"]
    for agent in env.possible_agents:
        shares = [
            f"{_FAVOURED[name]} {times} of {of}" for name, (times, of) in spared(env, agent).items() if of
        ]
        lines.append(f"  {agent} spared {', '.join(shares) or 'nobody yet'}")
    return "\n".join(lines)


def figure(env: SparedGroups) -> Figure:
    """Draw the shares spared as bars, for the first respondents."""
    from matplotlib.figure import Figure

    drawn = Figure(figsize=(7.0, 3.6), dpi=100, layout="constrained")
    axes = drawn.subplots()
    names = list(_FAVOURED)
    agents = env.possible_agents[:4]
    for number, agent in enumerate(agents):
        for row, (times, of) in enumerate(spared(env, agent).values()):
            if of:
                axes.barh(
                    row + (number - (len(agents) - 1) / 2) * 0.8 / len(agents),
                    times / of,
                    height=0.72 / len(agents),
                    color=COLOURS[number],
                )
    axes.axvline(0.5, color="#888888", linewidth=0.8)
    axes.set_yticks(range(len(names)), [_FAVOURED[name] for name in names])
    axes.set(xlim=(0, 1), ylim=(len(names) - 0.5, -0.5), xlabel="share spared")
    axes.set_title(f"{env.environment}, {env.round} of {env.rounds} scenarios", loc="left", fontsize=11)
    return drawn
