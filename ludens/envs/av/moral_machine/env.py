"""The PettingZoo environment of the Moral Machine, with the Parallel API.

All respondents are asked about the same scenarios at the same time, and nobody learns the others' answers. No
action spares both groups, or neither.

Version history of ``ludens/moral_machine-v0``: v0, first release.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from ludens.checks import check_choice, check_count, whole_number
from ludens.envs.av.moral_machine import render
from ludens.envs.av.moral_machine.scenarios import CHARACTERS, MOST, TYPES, Scenarios, draw_scenarios
from ludens.envs.av.survey import Order, SurveyEnv
from ludens.envs.base import Info, Observation, ObservationForm, RenderMode
from ludens.envs.turn import Option, Turn
from ludens.errors import UsageError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ENVIRONMENT = "ludens/moral_machine-v0"

Perspective = Literal["bystander", "first", "second"]

PETS = ("dog", "cat")
OPTIONS = (Option(0, "spare the first"), Option(1, "spare the second"))
SIZE = 2 * (len(CHARACTERS) + 4)


@dataclass(frozen=True)
class Group:
    """One group of a scenario.

    Attributes:
        characters: name and number of each kind of character, in the order of `CHARACTERS`.
        passengers: whether it sits in the vehicle.
        crossing: ``"lawfully"``, ``"unlawfully"``, or None without a signal and in the vehicle.
        inaction: whether it is spared if the vehicle stays on course.
    """

    characters: tuple[tuple[str, int], ...]
    passengers: bool
    crossing: str | None
    inaction: bool

    @property
    def size(self) -> int:
        """The number of characters."""
        return sum(count for _, count in self.characters)

    @property
    def humans(self) -> int:
        """The number of people, without pets."""
        return sum(count for name, count in self.characters if name not in PETS)


@dataclass(frozen=True)
class MoralScenario:
    """One scenario, as in `Turn.game`."""

    groups: tuple[Group, Group]
    protocol: str | None = None
    name: str = "moral_machine"
    roles: tuple[str, ...] = field(default=("bystander", "first", "second"))

    @property
    def parameters(self) -> Mapping[str, float]:
        """The sizes of both groups."""
        return {"first": float(self.groups[0].size), "second": float(self.groups[1].size)}


def scenario(scenarios: Scenarios, place: int) -> MoralScenario:
    """Return one of many scenarios as an object with names in place of numbers."""
    groups = tuple(
        Group(
            tuple(
                (name, int(count))
                for name, count in zip(CHARACTERS, scenarios.counts[place, side], strict=True)
                if count
            ),
            bool(scenarios.passengers[place, side]),
            {1: "lawfully", -1: "unlawfully"}.get(int(scenarios.legality[place, side])),
            bool(scenarios.inaction[place, side]),
        )
        for side in range(2)
    )
    return MoralScenario((groups[0], groups[1]), TYPES[scenarios.type[place]])


def moral_turn(
    scenarios: Scenarios,
    place: int,
    *,
    agent: str = "respondent_0",
    role: Perspective = "bystander",
    round: int = 0,  # the word for it
    rounds: int = 1,
) -> Turn:
    """Return the turn of a respondent who is asked about one scenario, in an episode or outside of one."""
    shown = scenario(scenarios, place)
    return Turn(
        environment=ENVIRONMENT,
        agent=agent,
        role=role,
        node=TYPES[scenarios.type[place]],
        options=OPTIONS,
        observation=_observed(scenarios, place),
        game=shown,
        round=round,
        rounds=rounds,
        facts={"groups": shown.groups, "scenario": place},
    )


class MoralMachineEnv(SurveyEnv):
    """Respondents who decide one scenario after the other, all at the same time.

    Args:
        respondents: how many seats there are.
        scenarios: how many each is asked.
        draw: the seed from which the scenarios are drawn; the same for every episode, so that respondents of
            different episodes can be compared.
        types: of scenarios, see `ludens.envs.av.moral_machine.scenarios.TYPES`.
        perspective: whose life the reward is about: a bystander's, who is not in danger, or that of somebody
            in the group named first or second.
        order: ``"random"`` asks each respondent in an order of its own, ``"fixed"`` as they were drawn.
        max_cycles: PettingZoo's name for a limit of rounds, after which all seats are truncated.
        render_mode: ``"ansi"`` returns text, ``"human"`` prints it, ``"rgb_array"`` returns a picture of the
            shares spared, shape (height, width, 3), uint8.
        observation: ``"dict"``, ``"box"`` or ``"rllib"``: the form of observations, see
            `ludens.envs.base.BaseEnv`.

    Actions are 0 (spare the group named first) or 1 (spare the second). Observations are a dict of
    ``observation`` (float32, per group: the number of each character / 5, in the vehicle, lawful, unlawful,
    spared by inaction) and ``action_mask`` (int8, always 1). The reward is 1 if the respondent survives, else
    0. Infos hold ``lives_lost`` by group (people, pets) and ``type``, both of the scenario that was just
    decided; before the first one they are 0 and None.

    Raises:
        UsageError: an argument is out of its range.
    """

    def __init__(
        self,
        *,
        respondents: int = 1,
        scenarios: int = 13,
        draw: int = 0,
        types: Sequence[str] = TYPES,
        perspective: Perspective = "bystander",
        order: Order = "random",
        max_cycles: int | None = None,
        render_mode: RenderMode | None = None,
        observation: ObservationForm = "dict",
    ) -> None:
        check_choice(ENVIRONMENT, "perspective", perspective, get_args(Perspective))
        rounds = check_count(ENVIRONMENT, "scenarios", scenarios)
        self.perspective = perspective
        self.draw = check_count(ENVIRONMENT, "draw", draw, least=0)
        self.scenarios = draw_scenarios(rounds, seed=self.draw, types=types)
        self.game = scenario(self.scenarios, 0)
        self.asked: dict[str, list[int]] = {}
        super().__init__(
            ENVIRONMENT,
            rounds=rounds,
            respondents=respondents,
            answers=len(OPTIONS),
            size=SIZE,
            order=order,
            max_cycles=max_cycles,
            render_mode=render_mode,
            observation=observation,
        )

    @property
    def stochastic(self) -> bool:
        """Whether the seed matters."""
        return self.order == "random" and self.rounds > 1

    def _ask(self, rng: np.random.Generator) -> None:
        self.asked = {
            agent: rng.permutation(self.rounds).tolist() if self.order == "random" else [*range(self.rounds)]
            for agent in self.possible_agents
        }

    def _observed(self, agent: str, place: int) -> Observation:
        return _observed(self.scenarios, self.asked[agent][place])

    def _turn(self, agent: str) -> Turn:
        return moral_turn(
            self.scenarios,
            self.asked[agent][self.round],
            agent=agent,
            role=self.perspective,
            round=self.round,
            rounds=self.rounds,
        )

    def _reward(self, agent: str, action: int) -> float:
        own = {"first": 0, "second": 1}.get(self.perspective)
        return 1.0 if own is None else float(action == own)

    def _info(self, agent: str) -> Info:
        answers = self.answered[agent]
        if not answers:
            return {"lives_lost": {"people": 0.0, "pets": 0.0}, "type": None}
        place = self.asked[agent][len(answers) - 1]
        lost = self.scenarios.counts[place, 1 - answers[-1]]
        return {
            "lives_lost": {"people": float(lost[:18].sum()), "pets": float(lost[18:].sum())},
            "type": TYPES[self.scenarios.type[place]],
        }

    def _text(self) -> str:
        return render.text(self)

    def _figure(self) -> Figure:
        return render.figure(self)

    def _legal(self, agent: str, action: Any) -> int:
        number = whole_number(action)
        if number is None or not 0 <= number < len(OPTIONS):
            raise UsageError(
                f"{action!r} is not a legal answer of {agent} in {ENVIRONMENT}: give 0 (spare the first "
                "group) or 1 (spare the second)."
            )
        return number


def _observed(scenarios: Scenarios, place: int) -> Observation:
    sides = [
        np.concatenate(
            [
                scenarios.counts[place, side] / MOST,
                [
                    scenarios.passengers[place, side],
                    scenarios.legality[place, side] > 0,
                    scenarios.legality[place, side] < 0,
                    scenarios.inaction[place, side],
                ],
            ]
        )
        for side in range(2)
    ]
    return {"observation": np.concatenate(sides).astype(np.float32), "action_mask": np.ones(2, dtype=np.int8)}
