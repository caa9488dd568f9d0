"""The PettingZoo environment of the adoption game, with the Parallel API.

Version history of ``ludens/av_adoption-v0``: v0, first release.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, get_args

import gymnasium
import numpy as np
from numpy.typing import NDArray

from ludens.checks import check_choice, check_count, whole_number
from ludens.envs.av.adoption import render
from ludens.envs.av.adoption.game import PROGRAMS, AdoptionGame, Deaths
from ludens.envs.av.adoption.observations import shared_parts
from ludens.envs.av.adoption.simulator import UNHARMED, AdoptionCore, AdoptionOutcome
from ludens.envs.base import (
    Info,
    Observation,
    ObservationForm,
    RenderMode,
    SimultaneousEnv,
    StepResult,
    observation_space,
)
from ludens.envs.turn import Option, Turn
from ludens.errors import UsageError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ENVIRONMENT = "ludens/av_adoption-v0"
Payoffs = Literal["expected", "realised"]

PARTS = ("none", "passenger", "pedestrian")
OPTIONS = tuple(Option(number, name) for number, name in enumerate(PROGRAMS))


class AdoptionEnv(SimultaneousEnv):
    """People who choose car programs, again in every round; all see the shares of the rounds before.

    An action is 0 for the utilitarian program and 1 for the self-protective one, which the mask forbids under
    a mandate. Accidents do not remove anybody from later rounds.

    Args:
        rounds: the number of rounds, after which all seats are truncated.
        payoffs: ``"expected"``, over the accidents of a round; ``"realised"``: accidents are drawn, and a
            person survives (1) or does not (0).
        memory: how many of the last rounds' shares are observed.
        max_cycles: PettingZoo's name for `rounds`; the smaller of the two counts.
        render_mode: ``"ansi"`` returns text, ``"human"`` prints it, ``"rgb_array"`` returns a picture of
            adoption over rounds above the gains from it, shape (height, width, 3), uint8.
        observation: ``"dict"``, ``"box"`` or ``"rllib"``: the form of observations, see
            `ludens.envs.base.BaseEnv`.
        parameters: those of `AdoptionGame`.

    Observations are a dict of ``action_mask`` (int8) and ``observation``, a float32 vector: the shares of
    utilitarian cars in the last `memory` rounds, the oldest first, −1 for rounds before the first · the own
    program of the last round, 1 utilitarian, 0 self-protective, −1 before the first · the own payoff in it, 0
    before · whether a mandate holds · the fine · the subsidy · the round's extra cost of a utilitarian car ·
    the share of rounds still to come.

    Infos hold ``share``; ``deaths``, the lives lost by group (``passengers``, ``pedestrians``,
    ``outsiders``), expected or counted; and where accidents are drawn ``part`` (``"none"``, ``"passenger"``,
    ``"pedestrian"``) and ``died``. Before the first round they are 0, ``"none"`` and False.

    Raises:
        UsageError: an argument is out of its range.
    """

    def __init__(
        self,
        *,
        rounds: int = 10,
        payoffs: Payoffs = "expected",
        memory: int = 1,
        max_cycles: int | None = None,
        render_mode: RenderMode | None = None,
        observation: ObservationForm = "dict",
        **parameters: Any,
    ) -> None:
        check_choice(ENVIRONMENT, "payoffs", payoffs, get_args(Payoffs))
        self.rounds = check_count(ENVIRONMENT, "rounds", rounds)
        if max_cycles is not None:
            self.rounds = min(self.rounds, check_count(ENVIRONMENT, "max_cycles", max_cycles))
        self.memory = check_count(ENVIRONMENT, "memory", memory, least=0)
        self.game = AdoptionGame(**parameters)
        seats = [f"owner_{number}" for number in range(self.game.people)]
        super().__init__(ENVIRONMENT, seats, render_mode, observation)
        self.payoffs: Payoffs = payoffs
        self.core = AdoptionCore(self.game, realised=payoffs == "realised")
        self._place = {agent: number for number, agent in enumerate(self.possible_agents)}
        low, high = self._bounds()
        self._set_spaces(
            {agent: gymnasium.spaces.Discrete(len(PROGRAMS)) for agent in self.possible_agents},
            {agent: observation_space(low, high, len(PROGRAMS)) for agent in self.possible_agents},
        )
        self._clear()

    @property
    def stochastic(self) -> bool:
        """Whether the seed matters."""
        return self.core.realised

    @property
    def shares(self) -> NDArray[np.float64]:
        """The share of utilitarian cars in each round played, (rounds so far,)."""
        return np.array([outcome.shares[0] for outcome in self.outcomes])

    @property
    def round(self) -> int:
        """How many rounds have been played."""
        return len(self.outcomes)

    def _declaration(self, agent: str) -> dict[str, Any]:
        return {"parameters": dict(self.game.parameters)}

    def _open(self, rng: np.random.Generator) -> list[str]:
        self.core.reset(int(rng.integers(2**63)) if self.core.realised else 0)
        self._clear()
        return self.possible_agents[:]

    def _legal(self, agent: str, action: Any) -> int:
        number = whole_number(action)
        # Nobody may choose the second program, the self-protective one, under a mandate.
        last = 0 if self._mandated else 1
        if number is None or not 0 <= number <= last:
            offered = " or ".join(f"{option.action} ({option.name})" for option in OPTIONS[: last + 1])
            raise UsageError(
                f"{action!r} is not a legal action of {agent} in {ENVIRONMENT} now: choose {offered}."
            )
        return number

    def _play(self, moves: Mapping[str, Any]) -> StepResult:
        utilitarian = np.zeros((1, self.game.people), dtype=np.bool_)
        for agent, number in moves.items():
            utilitarian[0, self._place[agent]] = number == 0
        outcome = self.core._advance(utilitarian)
        self.outcomes.append(outcome)
        self._choices.append(utilitarian[0])
        self._mandated = self.game.mandated(self.round)
        playing, over = self.agents, self.round == self.rounds
        rewards = dict(zip(playing, outcome.payoffs[0].tolist(), strict=True))
        observations, infos = self._observations(playing), self._infos(playing)
        self.agents = [] if over else playing
        return observations, rewards, dict.fromkeys(playing, False), dict.fromkeys(playing, over), infos

    def _turn(self, agent: str) -> Turn:
        place, mask, period = self._place[agent], self._mask(), self.round
        fine, subsidy = self.game.levies(period)
        return Turn(
            environment=ENVIRONMENT,
            agent=agent,
            role="owner",
            node="program",
            options=tuple(option for option in OPTIONS if mask[option.action]),
            observation=self._observations([agent])[agent],
            game=self.game,
            round=period,
            rounds=self.rounds,
            facts={
                "period": period,
                "shares": tuple(self.shares.tolist()),
                "own": tuple(PROGRAMS[0 if chosen[place] else 1] for chosen in self._choices),
                "own_payoffs": tuple(float(outcome.payoffs[0, place]) for outcome in self.outcomes),
                "others": tuple(
                    float((chosen.sum() - chosen[place]) / (self.game.people - 1)) for chosen in self._choices
                ),
                "mandate": self.game.mandated(period),
                "fine": fine,
                "subsidy": subsidy,
            },
        )

    def _text(self) -> str:
        return render.text(self)

    def _figure(self) -> Figure:
        return render.figure(self)

    def _clear(self) -> None:
        self.outcomes: list[AdoptionOutcome] = []
        self._choices: list[NDArray[np.bool_]] = []
        self._mandated = self.game.mandated(0)

    def _mask(self) -> NDArray[np.int8]:
        return np.array([1, not self._mandated], dtype=np.int8)

    def _shared(self) -> NDArray[np.float32]:
        """Return the part that all observe alike: the shares of past rounds, and the law."""
        seen = self.outcomes[self.round - min(max(self.memory, 1), self.round) :]
        shares = np.array([[outcome.shares[0] for outcome in seen]])
        part: NDArray[np.float32] = shared_parts(
            self.game, shares, memory=self.memory, period=self.round, rounds=self.rounds
        )[0]
        return part

    def _observations(self, agents: Sequence[str]) -> dict[str, Observation]:
        # All seats at once: of a thousand people, arrays made one by one would take most of a step's time.
        vectors, masks = (np.tile(part, (len(agents), 1)) for part in (self._shared(), self._mask()))
        if self.outcomes:
            places = [self._place[agent] for agent in agents]
            vectors[:, self.memory] = self._choices[-1][places]
            vectors[:, self.memory + 1] = self.outcomes[-1].payoffs[0, places]
        return {
            agent: {"observation": vector, "action_mask": mask}
            for agent, vector, mask in zip(agents, vectors, masks, strict=True)
        }

    def _info(self, agent: str) -> Info:
        return self._infos([agent])[agent]

    def _infos(self, agents: Sequence[str]) -> dict[str, Info]:
        last = self.outcomes[-1] if self.outcomes else None
        share = 0.0 if last is None else float(last.shares[0])
        lost = [0.0] * len(Deaths._fields) if last is None else [float(each[0]) for each in last.deaths]
        deaths = dict(zip(Deaths._fields, lost, strict=True))
        infos: dict[str, Info] = {agent: {"share": share, "deaths": deaths.copy()} for agent in agents}
        if self.core.realised:
            parts, died = [UNHARMED] * self.game.people, [False] * self.game.people
            if last is not None and last.parts is not None and last.died is not None:
                parts, died = last.parts[0].tolist(), last.died[0].tolist()
            for agent, info in infos.items():
                place = self._place[agent]
                info["part"], info["died"] = PARTS[parts[place]], died[place]
        return infos

    def _bounds(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        game = self.game
        law = game.law
        fine, subsidy = (0.0, 0.0) if law is None else (law.fine, law.subsidy)
        costs = [game.price_protective - game.ride_protective + more for more in (0.0, fine)] + [
            game.price_utilitarian - game.ride_utilitarian - less
            for less in (0.0, subsidy, game.economies, subsidy + game.economies)
        ]
        extra = float(game.extra_cost(0.0, -1))
        lowest_extra = extra - game.economies - fine - subsidy
        low = [-1.0] * (self.memory + 1) + [-max(costs) - 1.0, 0.0, 0.0, 0.0, lowest_extra, 0.0]
        high = [1.0] * (self.memory + 1) + [1.0 - min(costs), 1.0, fine, subsidy, extra, 1.0]
        widened = np.array([low, high], dtype=np.float64)
        # What is rounded to float32 must not fall outside.
        widened[0] -= 1e-6 * np.abs(widened[0])
        widened[1] += 1e-6 * np.abs(widened[1])
        return widened[0].astype(np.float32), widened[1].astype(np.float32)
