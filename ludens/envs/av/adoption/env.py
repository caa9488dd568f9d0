"""The PettingZoo face (parallel) of the adoption game: all people choose programs at once, round after round.

Version history of ``ludens/av_adoption-v0``: v0, first release.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, get_args

import gymnasium
import numpy as np
from numpy.typing import NDArray
from pettingzoo import ParallelEnv

from ludens.checks import check_choice, check_count, check_running, seeded, whole_number
from ludens.envs.av.adoption.game import PROGRAMS, AdoptionGame
from ludens.envs.av.adoption.simulator import AdoptionCore, AdoptionOutcome
from ludens.envs.turn import Option, Turn
from ludens.errors import UsageError

ENVIRONMENT = "ludens/av_adoption-v0"
Payoffs = Literal["expected", "realised"]
RenderMode = Literal["ansi", "human", "rgb_array"]
Observation = dict[str, NDArray[np.generic]]
Five = tuple[
    dict[str, Observation], dict[str, float], dict[str, bool], dict[str, bool], dict[str, dict[str, Any]]
]

PARTS = ("none", "passenger", "pedestrian")
_OPTIONS = tuple(Option(number, name) for number, name in enumerate(PROGRAMS))


class AdoptionEnv(ParallelEnv):  # type: ignore[misc]  # PettingZoo ships no types
    """People choose car programs, again in every round; all see the shares of the rounds before.

    An action is 0 for the utilitarian program, 1 for the self-protective one, which the mask forbids under a
    mandate. A round's accidents end nobody's part in later rounds.

    Args:
        rounds: how many are played, after which all seats are truncated.
        payoffs: ``"expected"``, over the accidents of a round; ``"realised"``: accidents are drawn, and a
            person survives (1) or does not (0).
        memory: how many of the last rounds' shares are observed.
        max_cycles: PettingZoo's name for `rounds`; the smaller of the two counts.
        render_mode: ``"ansi"`` returns text, ``"human"`` prints it, ``"rgb_array"`` returns a picture of
            adoption over rounds above the gains from it, shape (height, width, 3), uint8.
        parameters: those of `AdoptionGame`.

    Observations are a dict of ``action_mask`` (int8) and ``observation``, a float32 vector: the shares of
    utilitarian cars in the last `memory` rounds, the oldest first, −1 for rounds before the first · the own
    program of the last round, 1 utilitarian, 0 self-protective, −1 before the first · the own payoff in it, 0
    before · whether a mandate holds · the fine · the subsidy · the round's extra cost of a utilitarian car ·
    the share of rounds still to come.

    Infos hold ``share``; ``deaths``, the lives lost by group (``passengers``, ``pedestrians``,
    ``outsiders``), expected or counted; and where accidents are drawn ``part`` (``"none"``, ``"passenger"``,
    ``"pedestrian"``) and ``died``.

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
        **parameters: Any,
    ) -> None:
        check_choice(ENVIRONMENT, "payoffs", payoffs, get_args(Payoffs))
        check_choice(ENVIRONMENT, "render_mode", render_mode, (None, *get_args(RenderMode)))
        self.rounds = check_count(ENVIRONMENT, "rounds", rounds)
        if max_cycles is not None:
            self.rounds = min(self.rounds, check_count(ENVIRONMENT, "max_cycles", max_cycles))
        self.memory = check_count(ENVIRONMENT, "memory", memory, least=0)
        self.game = AdoptionGame(**parameters)
        self.environment = ENVIRONMENT
        self.payoffs: Payoffs = payoffs
        self.render_mode = render_mode
        self.metadata: dict[str, Any] = {
            "name": "av_adoption_v0",
            "render_modes": ["ansi", "human", "rgb_array"],
            "is_parallelizable": False,
            "render_fps": 2,
        }
        self.core = AdoptionCore(self.game, realised=payoffs == "realised")
        self.possible_agents = [f"owner_{number}" for number in range(self.game.people)]
        self.agents: list[str] = []
        self._place = {agent: number for number, agent in enumerate(self.possible_agents)}
        low, high = self._bounds()
        self._observation_spaces = {
            agent: gymnasium.spaces.Dict(
                {
                    "observation": gymnasium.spaces.Box(low, high, dtype=np.float32),
                    "action_mask": gymnasium.spaces.Box(0, 1, (len(PROGRAMS),), dtype=np.int8),
                }
            )
            for agent in self.possible_agents
        }
        self._action_spaces = {
            agent: gymnasium.spaces.Discrete(len(PROGRAMS)) for agent in self.possible_agents
        }
        self._rng: np.random.Generator | None = None
        self._started = False
        self._clear()

    def observation_space(self, agent: str) -> gymnasium.spaces.Space[Any]:
        """The space of one seat's observations (the same object each time)."""
        return self._observation_spaces[agent]

    def action_space(self, agent: str) -> gymnasium.spaces.Space[Any]:
        """The space of one seat's actions (the same object each time)."""
        return self._action_spaces[agent]

    @property
    def stochastic(self) -> bool:
        """Whether the seed matters."""
        return self.core.realised

    @property
    def shares(self) -> NDArray[np.float64]:
        """Of utilitarian cars in the rounds played, (rounds so far,)."""
        return np.array([outcome.shares[0] for outcome in self._outcomes])

    @property
    def round(self) -> int:
        """How many rounds have been played."""
        return len(self._outcomes)

    def reset(
        self, seed: int | None = None, options: Mapping[str, Any] | None = None
    ) -> tuple[dict[str, Observation], dict[str, dict[str, Any]]]:
        """Start an episode. A seed starts the environment's own generator anew; without one it goes on.

        `options` are accepted and ignored, as PettingZoo asks.

        Raises:
            UsageError: the seed is no whole number of at least 0; nothing has changed then.
        """
        self._rng = seeded(ENVIRONMENT, seed, self._rng)
        self.core.reset(int(self._rng.integers(2**63)) if self.core.realised else 0)
        self._started = True
        self._clear()
        self.agents = self.possible_agents[:]
        return self._observations(), {agent: {} for agent in self.agents}

    def step(self, actions: Mapping[str, Any]) -> Five:
        """Play a round and tell each person what came of it.

        Args:
            actions: one for each of `agents`; others are not looked at.

        Raises:
            UsageError: `reset` has not been called, the episode is over, or an action is missing or not
                legal; nothing has changed then.
        """
        self._running("step()")
        mask = self._mask()
        utilitarian = np.zeros((1, self.game.people), dtype=np.bool_)
        for agent in self.agents:
            if agent not in actions:
                raise UsageError(f"{ENVIRONMENT} got no action of {agent}: give one for every agent.")
            number = whole_number(actions[agent])
            if number is None or not 0 <= number < len(PROGRAMS) or not mask[number]:
                offered = " or ".join(
                    f"{option.action} ({option.name})" for option in _OPTIONS if mask[option.action]
                )
                raise UsageError(
                    f"{actions[agent]!r} is no legal action of {agent} in {ENVIRONMENT} now: choose"
                    f" {offered}."
                )
            utilitarian[0, self._place[agent]] = number == 0
        outcome = self.core._advance(utilitarian)
        self._outcomes.append(outcome)
        self._choices.append(utilitarian[0])
        told, over = self.agents, self.round == self.rounds
        rewards = dict(zip(told, outcome.payoffs[0].tolist(), strict=True))
        infos = {agent: self._info(outcome, self._place[agent]) for agent in told}
        observations = self._observations()
        self.agents = [] if over else told
        return observations, rewards, dict.fromkeys(told, False), dict.fromkeys(told, over), infos

    def turn(self, agent: str) -> Turn:
        """All that a person may know when it chooses a program.

        Raises:
            UsageError: the episode has not started or is over, or there is no such seat.
        """
        self._running("turn()")
        if agent not in self._place:
            raise UsageError(f"{ENVIRONMENT} has no seat {agent!r}; its seats are owner_0 and so on.")
        place, mask, period = self._place[agent], self._mask(), self.round
        fine, subsidy = self.game.levies(period)
        return Turn(
            environment=ENVIRONMENT,
            agent=agent,
            role="owner",
            node="program",
            options=tuple(option for option in _OPTIONS if mask[option.action]),
            observation=self._observation(place),
            game=self.game,
            round=period,
            rounds=self.rounds,
            facts={
                "period": period,
                "shares": tuple(self.shares.tolist()),
                "own": tuple(PROGRAMS[0 if chosen[place] else 1] for chosen in self._choices),
                "own_payoffs": tuple(float(outcome.payoffs[0, place]) for outcome in self._outcomes),
                "others": tuple(
                    float((chosen.sum() - chosen[place]) / (self.game.people - 1)) for chosen in self._choices
                ),
                "mandate": self.game.mandated(period),
                "fine": fine,
                "subsidy": subsidy,
            },
        )

    def render(self) -> str | NDArray[np.uint8] | None:
        """Adoption over rounds and the gains from it, as `render_mode` says."""
        if self.render_mode is None:
            gymnasium.logger.warn(f"{ENVIRONMENT} has no render_mode: pass one when making it.")
            return None
        from ludens.envs.av.adoption import render

        if self.render_mode == "rgb_array":
            return render.pixels(self)
        if self.render_mode == "ansi":
            return render.text(self)
        render.show(self)
        return None

    def close(self) -> None:
        """Nothing is held open."""

    def _clear(self) -> None:
        self._outcomes: list[AdoptionOutcome] = []
        self._choices: list[NDArray[np.bool_]] = []

    def _mask(self) -> NDArray[np.int8]:
        return np.array([1, not self.game.mandated(self.round)], dtype=np.int8)

    def _shared(self) -> NDArray[np.float32]:
        """What all see alike: the shares of past rounds, and the law."""
        past = self.shares[-self.memory :] if self.memory else self.shares[:0]
        shares = np.concatenate([np.full(self.memory - len(past), -1.0), past])
        fine, subsidy = self.game.levies(self.round)
        last = self.shares[-1] if self.round else 0.0
        law = [self.game.mandated(self.round), fine, subsidy, float(self.game.extra_cost(last, self.round))]
        return np.array([*shares, -1.0, 0.0, *law, 1.0 - self.round / self.rounds], dtype=np.float32)

    def _observation(self, place: int, shared: NDArray[np.float32] | None = None) -> Observation:
        vector = self._shared() if shared is None else shared.copy()
        if self._choices:
            vector[self.memory] = self._choices[-1][place]
            vector[self.memory + 1] = self._outcomes[-1].payoffs[0, place]
        return {"observation": vector, "action_mask": self._mask()}

    def _observations(self) -> dict[str, Observation]:
        shared = self._shared()
        return {agent: self._observation(self._place[agent], shared) for agent in self.agents}

    def _info(self, outcome: AdoptionOutcome, place: int) -> dict[str, Any]:
        deaths = {name: float(lost[0]) for name, lost in outcome.deaths._asdict().items()}
        found: dict[str, Any] = {"share": float(outcome.shares[0]), "deaths": deaths}
        if outcome.parts is not None and outcome.died is not None:
            found["part"] = PARTS[int(outcome.parts[0, place])]
            found["died"] = bool(outcome.died[0, place])
        return found

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

    def _running(self, call: str) -> None:
        check_running(ENVIRONMENT, call, self._started, self.agents)
