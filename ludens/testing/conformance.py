"""The requirements on environments, as one class of tests."""

from __future__ import annotations

import copy
import pickle
import random
import re
from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any, ClassVar

import numpy as np
import pytest
from gymnasium.utils.env_checker import data_equivalence
from pettingzoo import make
from pettingzoo.utils.conversions import parallel_to_aec, parallel_to_aec_wrapper

from ludens.envs import ChanceNode, GameTree, make_env, walk
from ludens.errors import UsageError
from ludens.testing.episodes import (
    check_types,
    count_moves,
    episode,
    first_legal,
    is_moving,
    look,
    lowest_action,
    mask_now,
    mask_of,
    parallel_episode,
    pettingzoo_test,
    quiet,
    rest,
    spoil,
    turn_of,
    vector_of,
)

_CYCLES = 4
"""PettingZoo's test of `max_cycles` asks for so many."""


class EnvironmentConformance:
    """Tests of an environment. Inherit from this class and set `environment` (and `options`)::

        class TestTrust(EnvironmentConformance):
            environment = "ludens/trust-v0"
            options = {"protocol": "TG3", "rounds": 5}

    pytest then runs every check below on that environment. For an environment that is not registered,
    override `make` and `make_parallel`.
    """

    environment: ClassVar[str]
    options: ClassVar[Mapping[str, Any]] = {}

    def make(self, **options: Any) -> Any:
        """Return a new environment with the AEC API."""
        return make_env(self.environment, **{**self.options, **options})

    def make_parallel(self, **options: Any) -> Any:
        """Return a new environment with the Parallel API."""
        return make("parallel", self.environment, **{**self.options, **options})

    @property
    def turn_based(self) -> bool:
        """Whether seats move one after another, rather than simultaneously behind PettingZoo's conversion."""
        return not isinstance(getattr(self.make(), "env", None), parallel_to_aec_wrapper)

    @property
    def stochastic(self) -> bool:
        """Whether the seed matters, because roles are drawn or nature moves.

        An environment without a tree declares this by an attribute `stochastic`; otherwise override it.
        """
        env = self.make().unwrapped
        declared = getattr(env, "stochastic", None)
        if isinstance(declared, bool):
            return declared
        if getattr(env, "roles", None) == "random":
            return True
        game = getattr(env, "game", None)
        return isinstance(game, GameTree) and any(isinstance(node, ChanceNode) for _, node in walk(game.root))

    # PettingZoo's own tests

    def test_pettingzoo_api(self) -> None:
        """Run PettingZoo's test of the AEC API."""
        with quiet():
            pettingzoo_test("api_test")(self.make(), num_cycles=50)

    def test_pettingzoo_parallel_api(self) -> None:
        """Run PettingZoo's test of the Parallel API."""
        with quiet():
            pettingzoo_test("parallel_api_test")(self.make_parallel(), num_cycles=200)

    def test_pettingzoo_seed(self) -> None:
        """Run PettingZoo's test of seeding, with both APIs.

        The Parallel API is tested through `parallel_to_aec`, since PettingZoo's own `parallel_seed_test`
        checks the keys of the terminations instead of their values and so stops after one step.
        """
        with quiet():
            pettingzoo_test("seed_test")(self.make, num_cycles=200)
            pettingzoo_test("seed_test")(lambda: parallel_to_aec(self.make_parallel()), num_cycles=200)

    def test_pettingzoo_render(self) -> None:
        """Run PettingZoo's test of all render modes."""
        with quiet():
            pettingzoo_test("render_test")(self.make)

    # Chance

    def test_same_seed_same_episode(self) -> None:
        """Check that the same seed and actions give the same episode, with both APIs."""
        for seed in range(3):
            assert data_equivalence(episode(self.make(), seed), episode(self.make(), seed))
            one, other = (parallel_episode(self.make_parallel(), seed) for _ in range(2))
            assert data_equivalence(one, other)

    def test_a_seed_fixes_later_episodes_too(self) -> None:
        """Check that `reset()` without a seed continues with the generator of the last seed."""
        streams = []
        for _ in range(2):
            env = self.make()
            streams.append([episode(env, seed, first_legal) for seed in (7, None, None)])
        assert data_equivalence(streams[0], streams[1])

    def test_different_seeds_differ(self) -> None:
        """Check that episodes differ between seeds if, and only if, the environment is stochastic."""
        streams = [pickle.dumps(episode(self.make(), seed, first_legal)) for seed in range(30)]
        assert (len(set(streams)) > 1) == self.stochastic

    def test_global_random_state_is_left_alone(self) -> None:
        """Check that neither Python's nor NumPy's global generator is used or seeded."""
        before = random.getstate(), pickle.dumps(np.random.get_state())  # noqa: NPY002  # checks this generator
        episode(self.make(), 1, first_legal)
        assert before == (random.getstate(), pickle.dumps(np.random.get_state()))  # noqa: NPY002  # see above

    # The state

    def test_copies_go_on_alike(self) -> None:
        """Check that at every point of an episode, pickled and deep copies continue as the original does."""
        expected = episode(self.make(), 5, first_legal)
        env = self.make()
        env.reset(seed=5)
        for done in range(min(len(expected), 12)):
            assert data_equivalence(rest(copy.deepcopy(env)), expected[done:])
            assert data_equivalence(rest(pickle.loads(pickle.dumps(env))), expected[done:])
            env.step(first_legal(env))

    def test_what_is_returned_is_fresh(self) -> None:
        """Check that writing into returned values does not change the environment.

        If all seats move simultaneously, the AEC API is PettingZoo's conversion, which returns its own
        dictionaries; then only the Parallel API is tested.
        """
        if not self.turn_based:
            return
        env = self.make()
        env.reset(seed=2)
        expected = rest(copy.deepcopy(env))
        seen = []
        while env.agents:
            seen.append(look(env))
            for returned in (env.last()[0], env.observe(env.agent_selection)):
                spoil(returned)
            env.last()[4]["__all__"] = "spoilt"
            if is_moving(env):
                spoil(turn_of(env).observation)
                for past in turn_of(env).past:
                    spoil(past.payoffs)
            env.step(first_legal(env))
        assert data_equivalence(tuple(seen), expected)

    def test_what_the_parallel_api_returns_is_fresh(self) -> None:
        """Check that writing into the Parallel API's values is harmless; RLlib adds ``"__all__"`` to them."""
        spoilt = parallel_episode(self.make_parallel(), 2, after=spoil)
        assert data_equivalence(spoilt, parallel_episode(self.make_parallel(), 2))

    def test_rendering_changes_nothing(self) -> None:
        """Check that rendering does not change the environment."""
        for mode in ("ansi", "rgb_array"):
            env = self.make(render_mode=mode)
            env.reset(seed=1)
            env.step(first_legal(env))
            before = pickle.dumps(env)
            assert env.render() is not None
            assert pickle.dumps(env) == before

    def test_unknown_reset_options_are_tolerated(self) -> None:
        """Check that unknown options of `reset` have no effect, as PettingZoo requires."""
        plain, other = self.make(), self.make()
        plain.reset(seed=3)
        other.reset(seed=3, options={"unheard of": object()})
        assert data_equivalence(rest(plain), rest(other))

    def test_max_cycles(self) -> None:
        """Check that ``max_cycles=k`` truncates every seat after exactly k moves unless the game is over.

        PettingZoo's own test runs only if all seats move simultaneously: it assumes that every seat moves in
        every cycle and that the episode outlasts `max_cycles`, and neither holds if one seat moves at a time
        and the rules end the game.
        """
        whole = count_moves(self.make(), 4)
        if not self.turn_based and whole > _CYCLES * len(self.make().possible_agents):
            with quiet():
                module = SimpleNamespace(env=self.make, parallel_env=self.make_parallel)
                pettingzoo_test("max_cycles_test")(module)
        for limit in range(1, min(whole, 6) + 2):
            env = self.make(max_cycles=limit)
            env.reset(seed=4)
            moves = 0
            while is_moving(env):
                env.step(first_legal(env))
                moves += 1
            if self.turn_based:
                assert moves == min(limit, whole)
                assert set(env.terminations.values()) == {moves >= whole}
            else:
                assert moves == min(limit * len(env.possible_agents), whole)
            if moves < whole:
                assert set(env.truncations.values()) == {True}
            while env.agents:
                env.step(None)

    # Types

    def test_types(self) -> None:
        """Check that observations, rewards and flags have the types that learners rely on."""
        env = self.make()
        assert all(re.fullmatch(r"[a-z]+_\d+", agent) for agent in env.possible_agents)
        if not self.turn_based:
            self._check_parallel_types()
            return
        env.reset(seed=0)
        while env.agents:
            observation, reward, *flags, info = env.last()
            check_types(env.observation_space(env.agent_selection), observation, reward, flags, info)
            assert all(type(reward) is float for reward in env.rewards.values())
            env.step(first_legal(env))
            assert all(type(reward) is float for reward in env.rewards.values())

    def _check_parallel_types(self) -> None:
        env = self.make_parallel()
        for observations, *others in parallel_episode(env, 0):
            rewards, terminations, truncations, infos = (
                others if len(others) == 4 else ({}, {}, {}, others[0])
            )
            for agent, observation in observations.items():
                flags = [flag[agent] for flag in (terminations, truncations) if flag]
                space = env.observation_space(agent)
                check_types(space, observation, rewards.get(agent, 0.0), flags, infos[agent])

    def test_infos_have_the_same_keys_at_reset_and_at_every_step(self) -> None:
        """Check the keys of every seat's infos with both APIs, since learners stack the values into arrays.

        Nested dictionaries are included.
        """
        expected: dict[str, Any] = {}
        env = self.make()
        env.reset(seed=3)
        for infos in [env.infos, *_stepping(env, lambda: env.infos)]:
            _check_keys(infos, expected)
        for returned in parallel_episode(self.make_parallel(), 3):
            _check_keys(returned[-1], expected)

    def test_observations_can_be_normalised(self) -> None:
        """Check that no observation has equal bounds, so that (x − low)/(high − low) is finite in float32."""
        env = self.make()
        for agent in env.possible_agents:
            space = env.observation_space(agent)
            box = vector_of(getattr(space, "spaces", space))
            width = box.high - box.low
            assert np.all(width > 0)
            assert np.all(np.isfinite(width))

    def test_state(self) -> None:
        """Check that `state()` is an array in `state_space` at reset and after every step, with both APIs."""
        for env in (self.make(), self.make_parallel()):
            with pytest.raises(UsageError, match=r"reset\(\)"):
                env.unwrapped.state()
            env.reset(seed=4)
            states = [env.state()]
            if hasattr(env, "agent_selection"):
                states += _stepping(env, env.state)
            else:
                while env.agents:
                    env.step(self._joint(env))
                    states.append(env.state())
            assert all(type(state) is np.ndarray and state in env.state_space for state in states)
            assert not np.shares_memory(states[0], env.state())

    def test_spaces_are_the_same_objects_each_time(self) -> None:
        """Check that the spaces stay the same objects, so that seeding a space works."""
        env = self.make()
        for agent in env.possible_agents:
            assert env.observation_space(agent) is env.observation_space(agent)
            assert env.action_space(agent) is env.action_space(agent)

    # Mistakes

    def test_illegal_actions_change_nothing(self) -> None:
        """Check that illegal actions raise a `UsageError` and leave the environment exactly as it was."""
        env = self.make() if self.turn_based else self.make_parallel()
        env.reset(seed=6)
        for _ in range(6):
            if not (is_moving(env) if self.turn_based else env.agents):
                break
            before = pickle.dumps(env)
            for action in self.illegal_actions(env):
                with pytest.raises(UsageError):
                    env.step(action if self.turn_based else self._joint(env, action))
                assert pickle.dumps(env) == before, f"{action!r} was refused but left a trace"
            env.step(first_legal(env) if self.turn_based else self._joint(env))

    def illegal_actions(self, env: Any) -> list[Any]:
        """Return actions that the environment must refuse now, including those that the mask forbids."""
        agent = env.agent_selection if self.turn_based else env.agents[0]
        illegal: list[Any] = [None, float("nan"), float("inf"), 1j, "0", "", b"0", [0], (), {}, {0}]
        illegal += [np.array([0.5, 0.5]), np.array(["0"]), object(), int]
        space = env.action_space(agent)
        if hasattr(space, "n"):
            illegal += [-1, int(space.n), 0.0, 1.5, True, np.float32(0), np.bool_(True)]
        if self.turn_based:
            mask = mask_now(env)
            illegal += [] if mask is None else np.flatnonzero(mask == 0).tolist()
        return illegal

    def test_nothing_works_before_reset(self) -> None:
        """Check that every call before `reset()` raises an error that says to call it."""
        if not self.turn_based:
            with pytest.raises(UsageError, match=r"reset\(\)"):
                self.make_parallel().step({})
            return
        env = self.make()
        calls: list[Callable[[], object]] = [
            lambda: env.step(0),
            env.last,
            lambda: env.observe(env.possible_agents[0]),
            env.unwrapped.turn,
            env.agent_iter,
        ]
        for call in calls:
            with pytest.raises(UsageError, match=r"reset\(\)"):
                call()

    def test_nothing_works_after_the_end(self) -> None:
        """Check that calls after the end are refused, and that a reset starts a new episode."""
        env = self.make()
        expected = episode(env, 8)
        assert env.agents == []
        if self.turn_based:
            for call in (lambda: env.step(0), env.last, env.unwrapped.turn):
                with pytest.raises(UsageError, match=r"reset\(\)"):
                    call()
        assert data_equivalence(episode(env, 8), expected)

    def test_wrong_seeds_change_nothing(self) -> None:
        """Check that seeds other than whole numbers of at least 0 are refused."""
        env = self.make()
        env.reset(seed=1)
        before = pickle.dumps(env)
        for seed in (-1, 0.5, "1"):
            with pytest.raises(UsageError, match="seed"):
                env.reset(seed=seed)
            assert pickle.dumps(env) == before

    def test_closing_twice_is_fine(self) -> None:
        """Check that `close` may be called twice, before and during an episode."""
        env = self.make()
        env.close()
        env.reset(seed=0)
        env.close()
        env.close()

    # Turns

    def test_turns_agree_with_observations(self) -> None:
        """Check that a turn has the options that the mask allows, and the observation of its seat."""
        env = self.make()
        env.reset(seed=9)
        while env.agents:
            if is_moving(env):
                turn = turn_of(env)
                assert turn.agent == env.agent_selection
                assert turn.environment == self.environment
                observation, info = env.observe(turn.agent), env.infos[turn.agent]
                vector = turn.observation["observation"]
                assert data_equivalence(vector, vector_of(observation))
                mask = mask_of(observation, info)
                assert data_equivalence(mask, turn.observation.get("action_mask"))
                if mask is not None:
                    assert [option.action for option in turn.options] == np.flatnonzero(mask).tolist()
                assert turn.role in turn.game.roles
                assert turn.round < turn.rounds
                # Without a tree there are no paths, and the past may be in the facts alone.
                lengths = {turn.round} if isinstance(turn.game, GameTree) else {0, turn.round}
                assert len(turn.past) in lengths
                if turn.interval is not None:
                    space = env.action_space(turn.agent)
                    assert turn.options == ()
                    assert turn.interval == (float(space.low.min()), float(space.high.max()))
                assert pickle.loads(pickle.dumps(turn)).options == turn.options
            env.step(first_legal(env))

    def test_only_the_seat_to_play_has_a_turn(self) -> None:
        """Check that only the seat to play has a turn, unless all seats move simultaneously."""
        if not self.turn_based:
            return
        env = self.make()
        env.reset(seed=9)
        for agent in (*env.possible_agents, "nobody_0"):
            if agent != env.agent_selection:
                with pytest.raises(UsageError, match=env.agent_selection):
                    env.unwrapped.turn(agent)

    def _joint(self, env: Any, action: Any = ...) -> dict[str, Any]:
        """Return legal actions for all seats; the first seat takes `action` if one is given."""
        actions = {agent: lowest_action(env.action_space(agent)) for agent in env.agents}
        if action is not ...:
            actions[env.agents[0]] = action
        return actions


def _stepping(env: Any, read: Callable[[], Any]) -> list[Any]:
    """Return the results of `read` after each step of the rest of an AEC episode."""
    seen = []
    while env.agents:
        env.step(first_legal(env))
        seen.append(copy.deepcopy(read()))
    return seen


def _check_keys(infos: Mapping[str, Any], expected: dict[str, Any]) -> None:
    """Assert that each seat's info has the same keys as before, if it was present before."""
    for agent, info in infos.items():
        keys = {name: sorted(value) if isinstance(value, dict) else None for name, value in info.items()}
        known = expected.setdefault(agent, keys)
        assert set(keys) == set(known)
        for name, inner in keys.items():
            # A dictionary that does not exist yet may be None.
            assert inner is None or known[name] is None or inner == known[name]
            known[name] = known[name] or inner
