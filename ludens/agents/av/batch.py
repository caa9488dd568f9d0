"""Many episodes of the adoption game stepped together, in one `AdoptionCore`.

What a policy of the adoption game does depends on the round and on how many of the others drove utilitarian
cars in the last one. Each is asked once for its probability in each of these situations.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ludens.agents.av.adoption import AdoptionOraclePolicy, FixedProgramPolicy
from ludens.agents.batch import BatchEnv, Flags, Floats, Outcome, Places
from ludens.agents.policy import Policy
from ludens.agents.random import RandomPolicy
from ludens.envs.av.adoption.env import OPTIONS, PARTS, AdoptionEnv
from ludens.envs.av.adoption.game import PROGRAMS, Deaths
from ludens.envs.av.adoption.observations import shared_parts
from ludens.envs.av.adoption.simulator import AdoptionCore, AdoptionOutcome


class AdoptionBatch(BatchEnv[AdoptionEnv]):
    """Many episodes of an `AdoptionEnv`."""

    together = True

    @classmethod
    def can_batch(cls, env: AdoptionEnv, policies: Mapping[str, Policy]) -> bool:
        """Return whether the policies look at the last round alone, as those of ludens do."""
        known = (AdoptionOraclePolicy, FixedProgramPolicy, RandomPolicy)
        return all(type(policy) in known for policy in policies.values())

    def _prepare(self, env: AdoptionEnv, policies: Mapping[str, Policy]) -> None:
        self._env = env
        self.core = AdoptionCore(env.game, populations=self.num_envs, realised=env.core.realised)
        self._seat = env.possible_agents.index(self.seat)
        places: dict[int, list[int]] = {}
        for seat, policy in policies.items():
            places.setdefault(id(policy), []).append(env.possible_agents.index(seat))
        made = {id(policy): policy for policy in policies.values()}
        self._groups = [
            _Group(env, made[each], np.array(seats), self.num_envs) for each, seats in places.items()
        ]
        self._shares: Floats = np.zeros((self.num_envs, 0))
        self._utilitarian: Flags = np.zeros((self.num_envs, env.game.people), dtype=np.bool_)
        self._last: AdoptionOutcome | None = None

    def _open(self, where: Flags) -> None:
        self.core.reset(int(self.np_random.integers(2**63)) if self.core.realised else 0)
        self._shares = np.zeros((self.num_envs, 0))
        self._last = None

    def _move(self, actions: NDArray[Any], playing: Flags) -> Outcome:
        nothing = np.zeros(self.num_envs, dtype=np.bool_)
        if not playing.any():
            return np.zeros(self.num_envs), nothing, nothing.copy()
        chosen = np.zeros(self._utilitarian.shape, dtype=np.bool_)
        chosen[:, self._seat] = actions == 0
        before = None if self._last is None else self._utilitarian
        for group in self._groups:
            chosen[:, group.places] = group.choices(self.core.period, before, self.np_random)
        self._utilitarian = chosen
        self._last = self.core._advance(chosen)
        kept = self._shares[:, max(0, self._shares.shape[1] - self._env.memory) :]
        self._shares = np.concatenate([kept, self._last.shares[:, None]], axis=1)
        over = np.full(self.num_envs, self.core.period == self._env.rounds)
        return self._last.payoffs[:, self._seat].copy(), nothing, over

    def _observed(self) -> tuple[NDArray[np.float32], NDArray[np.int8] | None]:
        env = self._env
        vectors = shared_parts(
            env.game, self._shares, memory=env.memory, period=self.core.period, rounds=env.rounds
        )
        if self._last is not None:
            vectors[:, env.memory] = self._utilitarian[:, self._seat]
            vectors[:, env.memory + 1] = self._last.payoffs[:, self._seat]
        return vectors, self._masks()

    def _masks(self) -> NDArray[np.int8]:
        masks = np.ones((self.num_envs, len(PROGRAMS)), dtype=np.int8)
        masks[:, 1] = not self._env.game.mandated(self.core.period)
        return masks

    def _infos(self) -> dict[str, Any]:
        number, last = self.num_envs, self._last
        lost = (np.zeros(number),) * len(Deaths._fields) if last is None else last.deaths
        infos: dict[str, Any] = {
            "share": np.zeros(number) if last is None else last.shares.copy(),
            "deaths": {name: each.copy() for name, each in zip(Deaths._fields, lost, strict=True)},
        }
        if self.core.realised:
            parts, died = np.zeros(number, dtype=np.intp), np.zeros(number, dtype=np.bool_)
            if last is not None and last.parts is not None and last.died is not None:
                parts, died = last.parts[:, self._seat].astype(np.intp), last.died[:, self._seat].copy()
            infos |= {"part": np.array(PARTS, dtype=object)[parts], "died": died}
        return infos


class _Group:
    """The seats of one policy in all episodes, and its probabilities, asked once each."""

    def __init__(self, env: AdoptionEnv, policy: Policy, places: Places, number: int) -> None:
        env.reset(seed=0)
        self.policy, self.places, self._number = policy, places, number
        self._env, self._first = env, env.turn(env.possible_agents[places[0]])
        # By round, and by how many of the others drove utilitarian cars in the last one.
        self._chances: Floats = np.full((env.rounds, env.game.people), np.nan)

    def choices(self, period: int, before: Flags | None, rng: np.random.Generator) -> Flags:
        """Return which of the seats choose utilitarian cars, (n, seats).

        Args:
            period: the number of the round, from 0.
            before: who did in the round before, (n, people); None in the first one.
            rng: the source of chance.
        """
        chances = self._chances[period]
        if before is None:
            if np.isnan(chances[0]):
                chances[0] = self._asked(period, ())
            drawn: Flags = rng.random((self._number, len(self.places))) < chances[0]
            return drawn
        others: Places = before.sum(axis=1)[:, None] - before[:, self.places]
        missing = np.unique(others[np.isnan(chances[others])])
        for count in missing.tolist():
            chances[count] = self._asked(period, (count / (self._env.game.people - 1),))
        shares: Floats = chances[others]
        return rng.random(others.shape) < shares

    def _asked(self, period: int, others: tuple[float, ...]) -> float:
        """Return the probability of the utilitarian program in a round after these shares of others."""
        game = self._env.game
        fine, subsidy = game.levies(period)
        mandate = game.mandated(period)
        facts = dict(self._first.facts) | {
            "period": period,
            "others": others,
            "mandate": mandate,
            "fine": fine,
            "subsidy": subsidy,
        }
        options = OPTIONS[: 1 if mandate else None]
        turn = replace(self._first, options=options, round=period, facts=facts)
        probabilities = self.policy.decide(turn, np.random.default_rng(0)).probabilities
        assert probabilities is not None
        return probabilities[0]
