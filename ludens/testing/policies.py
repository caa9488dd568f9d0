"""The requirements on policies, as one class of tests."""

from __future__ import annotations

import asyncio
import json
import pickle
from collections.abc import Sequence
from functools import lru_cache
from typing import ClassVar

import numpy as np
import pytest

from ludens.agents import Decision, Policy, make_policy
from ludens.envs import FAMILIES, PROTOCOLS, Turn, make_env
from ludens.envs.tree.questions import questions


class PolicyConformance:
    """Tests of a policy. Inherit from this class and define `make`, and pytest runs every check below::

        class TestMine(PolicyConformance):
            named = False

            def make(self):
                return MyPolicy()

    `named` says whether `ludens.agents.make_policy` can make an equal policy from `describe()`, for `game`.
    """

    named: ClassVar[bool] = True
    game: ClassVar[object] = None

    def make(self) -> Policy:
        """Return a new policy."""
        raise NotImplementedError

    def turns(self) -> Sequence[Turn]:
        """Return the turns to decide: every question of every family, and those of repeated direct play."""
        return _turns()

    def test_decisions_are_legal_and_their_probabilities_a_distribution(self) -> None:
        """Check that the action is among the options, and that the probabilities follow their order."""
        for turn, decision in zip(self.turns(), self._decide(self.make()), strict=True):
            assert decision.status == "valid"
            assert decision.action in {option.action for option in turn.options}
            if decision.probabilities is not None:
                assert len(decision.probabilities) == len(turn.options)
                assert sum(decision.probabilities) == pytest.approx(1)
                places = {option.action: place for place, option in enumerate(turn.options)}
                assert decision.probabilities[places[int(decision.action)]] > 0

    def test_the_same_stream_gives_the_same_decisions(self) -> None:
        """Check that all randomness comes from the generator that is passed in."""
        before = pickle.dumps(np.random.get_state())  # noqa: NPY002  # checks the global generator
        assert self._decide(self.make()) == self._decide(self.make())
        assert pickle.dumps(np.random.get_state()) == before  # noqa: NPY002  # see above

    def test_nothing_is_remembered_between_turns(self) -> None:
        """Check that decisions depend on the turn alone, not on the order in which turns are decided."""
        policy = self.make()
        forwards = self._decide(policy)
        assert self._decide(policy, backwards=True) == forwards

    def test_turns_are_left_as_they_were(self) -> None:
        """Check that a policy does not change the turns that it is given."""
        before = pickle.dumps(self.turns())
        self._decide(self.make())
        assert pickle.dumps(self.turns()) == before

    def test_a_pickled_policy_decides_alike(self) -> None:
        """Check that a policy can be sent to another process."""
        policy = self.make()
        assert self._decide(self._again(pickle.loads(pickle.dumps(policy)))) == self._decide(policy)

    def test_deciding_without_blocking_gives_the_same(self) -> None:
        """Check that `adecide` returns the same decisions as `decide`."""
        policy = self.make()

        async def ask() -> list[Decision]:
            rngs = [np.random.default_rng(place) for place in range(len(self.turns()))]
            return [await policy.adecide(turn, rng) for turn, rng in zip(self.turns(), rngs, strict=True)]

        assert asyncio.run(ask()) == self._decide(self.make())

    def test_its_description_makes_an_equal_policy(self) -> None:
        """Check that `describe()` returns JSON values from which an equal policy can be made."""
        policy = self.make()
        written = json.loads(json.dumps(policy.describe()))
        assert written == policy.describe()
        assert ("spec" in written) == self.named
        if self.named:
            other = make_policy(written, self.game)
            assert other == policy
            assert other.describe() == written
            assert self._decide(self._again(other)) == self._decide(policy)

    def _again(self, policy: Policy) -> Policy:
        """Prepare a copy for deciding; override this if the policy holds something that cannot be copied."""
        return policy

    def _decide(self, policy: Policy, *, backwards: bool = False) -> list[Decision]:
        places = list(range(len(self.turns())))
        if backwards:
            places.reverse()
        made = {place: policy.decide(self.turns()[place], np.random.default_rng(place)) for place in places}
        return [made[place] for place in sorted(made)]


@lru_cache(maxsize=1)
def _turns() -> tuple[Turn, ...]:
    turns = [
        turn
        for family in FAMILIES.values()
        for protocol in list(family.protocols)[:2]
        for turn in questions(PROTOCOLS[protocol]).values()
    ]
    rng = np.random.default_rng(0)
    for family in FAMILIES:
        env = make_env(family, rounds=3)
        env.reset(seed=1)
        for agent in env.agent_iter():
            observation, _, terminated, truncated, _ = env.last()
            if terminated or truncated:
                env.step(None)
                continue
            turns.append(env.unwrapped.turn(agent))
            env.step(int(rng.choice(np.flatnonzero(observation["action_mask"]))))
    return tuple(turns)
