"""The PettingZoo environment of budget sets: one agent divides one budget after the other.

Version history of ``ludens/budget-v0``: v0, first release.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import gymnasium
import numpy as np

from ludens.checks import check_choice, check_count, whole_number
from ludens.envs.base import (
    Info,
    Observation,
    ObservationForm,
    RenderMode,
    SimultaneousEnv,
    StepResult,
    observation_space,
)
from ludens.envs.budgets.budget import DOMAINS, NODE, Domain, budget_game, bundles, draw_budgets
from ludens.envs.tree.tree import GameTree
from ludens.envs.turn import Option, PastRound, Step, Turn
from ludens.errors import UsageError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ENVIRONMENT = "ludens/budget-v0"
AGENT = "chooser_0"


def budget_turn(
    game: GameTree, observation: Observation, *, past: tuple[PastRound, ...] = (), rounds: int = 1
) -> Turn:
    """Return the turn of the agent that divides a budget, in an episode or outside of one."""
    node = game.information_set(NODE)
    return Turn(
        environment=ENVIRONMENT,
        agent=AGENT,
        role=game.roles[0],
        node=NODE,
        options=tuple(Option(place, name) for place, name in enumerate(node.options)),
        observation=observation,
        game=game,
        past=past,
        round=len(past),
        rounds=rounds,
    )


def observe(domain: Domain, intercepts: Sequence[float], points: int) -> Observation:
    """Return what is observed of a budget: both intercepts / 100, and which domain it is."""
    numbers = [*(value / 100 for value in intercepts), *(float(domain == each) for each in DOMAINS)]
    return {
        "observation": np.array(numbers, dtype=np.float32),
        "action_mask": np.ones(points, dtype=np.int8),
    }


class BudgetEnv(SimultaneousEnv):
    """One agent that divides budgets between two goods.

    Args:
        domain: ``"social"``, ``"risk"`` or ``"time"``.
        budgets: how many it divides in an episode.
        points: how many options each has, from all of the first good to all of the second.
        draw: the seed from which the budgets are drawn, the same for every episode.
        max_cycles: PettingZoo's name for a limit of rounds, after which the agent is truncated.
        render_mode: ``"ansi"`` returns text, ``"human"`` prints it, ``"rgb_array"`` returns a picture of the
            budget lines and choices, shape (height, width, 3), uint8.
        observation: ``"dict"``, ``"box"`` or ``"rllib"``: the form of observations, see
            `ludens.envs.base.BaseEnv`.

    Actions are the numbers of options. Observations are a dict of ``observation`` (float32: what the budget
    buys of each good alone / 100, and the domain as three zeros and ones) and ``action_mask``. The reward is
    what the agent keeps (social), the mean over both states (risk) or the sum over both dates (time), in
    points. Infos hold ``bundle``, the amounts that were just chosen; None before the first choice.

    Raises:
        UsageError: an argument is out of its range.
    """

    def __init__(
        self,
        *,
        domain: Domain = "social",
        budgets: int = 25,
        points: int = 11,
        draw: int = 0,
        max_cycles: int | None = None,
        render_mode: RenderMode | None = None,
        observation: ObservationForm = "dict",
    ) -> None:
        check_choice(ENVIRONMENT, "domain", domain, DOMAINS)
        self.domain: Domain = domain
        self.points = check_count(ENVIRONMENT, "points", points, least=2)
        self.intercepts = draw_budgets(budgets, draw)
        self.games = [budget_game(domain, row, self.points) for row in self.intercepts]
        self.game = self.games[0]
        self.max_cycles = None if max_cycles is None else check_count(ENVIRONMENT, "max_cycles", max_cycles)
        super().__init__(ENVIRONMENT, [AGENT], render_mode, observation)
        size = 2 + len(DOMAINS)
        self._set_spaces(
            {AGENT: gymnasium.spaces.Discrete(self.points)},
            {AGENT: observation_space(np.zeros(size), np.ones(size), self.points)},
        )
        self.round = 0
        self.chosen: list[int] = []

    @property
    def stochastic(self) -> bool:
        """Whether the seed matters: no."""
        return False

    def _open(self, rng: np.random.Generator) -> list[str]:
        self.round, self.chosen = 0, []
        return self.possible_agents[:]

    def _play(self, moves: Mapping[str, Any]) -> StepResult:
        action = moves[AGENT]
        own, other = bundles(self.intercepts[self.round], self.points)[action].tolist()
        reward = {"social": own, "risk": (own + other) / 2, "time": own + other}[self.domain]
        self.chosen.append(action)
        self.round += 1
        over = self.round >= len(self.games)
        cut = not over and self.max_cycles is not None and self.round >= self.max_cycles
        observations, infos = self._observations([AGENT]), self._infos([AGENT])
        if over or cut:
            self.agents = []
        return observations, {AGENT: reward}, {AGENT: over}, {AGENT: cut}, infos

    def _observations(self, agents: Sequence[str]) -> dict[str, Observation]:
        place = min(self.round, len(self.games) - 1)
        seen = observe(self.domain, self.intercepts[place].tolist(), self.points)
        return dict.fromkeys(agents, seen)

    def _turn(self, agent: str) -> Turn:
        seen = self._observations([agent])[agent]
        past = tuple(map(self._past, range(self.round)))
        return budget_turn(self.games[self.round], seen, past=past, rounds=len(self.games))

    def _past(self, place: int) -> PastRound:
        game, option = self.games[place], self.chosen[place]
        own, other = bundles(self.intercepts[place], self.points)[option].tolist()
        payoffs = {"social": (own, other), "risk": ((own + other) / 2,), "time": (own + other,)}[self.domain]
        step = Step(NODE, game.information_set(NODE).options[option], game.roles[0])
        return PastRound(game.roles[0], (step,), dict(zip(game.roles, payoffs, strict=True)))

    def _info(self, agent: str) -> Info:
        if not self.chosen:
            return {"bundle": None}
        last = len(self.chosen) - 1
        return {"bundle": tuple(bundles(self.intercepts[last], self.points)[self.chosen[last]].tolist())}

    def _text(self) -> str:
        lines = [
            f"budget {place + 1}: {self.games[place].information_set(NODE).options[choice]}"
            for place, choice in enumerate(self.chosen)
        ]
        return "\n".join(lines) or f"{len(self.games)} budgets to divide"

    def _figure(self) -> Figure:
        from matplotlib.figure import Figure

        figure = Figure(figsize=(4, 4))
        axes = figure.subplots()
        for place, (first, second) in enumerate(self.intercepts.tolist()):
            asked = place < len(self.chosen)
            axes.plot([first, 0], [0, second], color="0.6" if asked else "0.9", linewidth=1)
            if asked:
                own, other = bundles(self.intercepts[place], self.points)[self.chosen[place]].tolist()
                axes.plot([own], [other], "o", color="C0", markersize=4)
        axes.set_xlabel("first good")
        axes.set_ylabel("second good")
        figure.tight_layout()
        return figure

    def _legal(self, agent: str, action: Any) -> int:
        number = whole_number(action)
        if number is None or not 0 <= number < self.points:
            raise UsageError(
                f"{action!r} is not a legal choice of {agent} in {ENVIRONMENT}: give a whole number from 0 "
                f"to {self.points - 1}."
            )
        return number
