"""The tools for tests: conformance fails where a promise is broken, for environments of all kinds."""

from __future__ import annotations

import subprocess
import sys

import gymnasium
import numpy as np
import pytest
from hypothesis import Phase, find, given, settings
from hypothesis import strategies as st
from pettingzoo import ParallelEnv
from pettingzoo.utils.conversions import parallel_to_aec

from ludens.agents import Decision, RandomPolicy
from ludens.envs import FAMILIES, PROTOCOLS, ChanceNode, SequentialEnv, Turn, check_strategy, walk
from ludens.envs.base import OneAtATime
from ludens.envs.turn import Option
from ludens.errors import UsageError
from ludens.testing import (
    EnvironmentConformance,
    PolicyConformance,
    behaviour_strategies,
    games,
    payoffs,
)


class GlobalDraws(SequentialEnv):
    """Draws from NumPy's global generator."""

    def step(self, action):
        super().step(action)
        self.infos = {agent: {"luck": np.random.rand()} for agent in self.agents}  # noqa: NPY002


class SharedArrays(SequentialEnv):
    """Hands out the arrays that it keeps."""

    def observe(self, agent):
        if not hasattr(self, "kept"):
            self.kept = super().observe(agent)
        return self.kept


class CountsFirst(SequentialEnv):
    """Changes something before it refuses."""

    def step(self, action):
        self.moves += 1
        super().step(action)


class WholeRewards(SequentialEnv):
    """Pays integers."""

    def step(self, action):
        super().step(action)
        self.rewards = {agent: int(reward) for agent, reward in self.rewards.items()}


class IgnoresSeed(SequentialEnv):
    """Seats everybody alike."""

    def reset(self, seed=None, options=None):
        super().reset(seed=0, options=options)


class SecretClock(SequentialEnv):
    """Keeps something that a copy loses."""

    def __getstate__(self):
        return self.__dict__ | {"rewards": dict.fromkeys(self.agents, 0.0), "past_pickled": True}

    def last(self, observe=True):
        seen = super().last(observe)
        return (*seen[:4], {"copied": hasattr(self, "past_pickled")})


class LateInfos(SequentialEnv):
    """Says more from the first step on."""

    def _infos(self):
        return {agent: {"moves": self.moves} if self.moves else {} for agent in self.agents}


class FixedEntry(SequentialEnv):
    """Observes something that never varies, and says so in its bounds."""

    def __init__(self, *args, **options):
        super().__init__(*args, **options)
        for space in self._observation_spaces.values():
            space["observation"].high[0] = space["observation"].low[0]


class NarrowState(SequentialEnv):
    """Has a state that its space does not hold."""

    def state(self):
        return super().state()[:-1]


BROKEN = [
    (LateInfos, "test_infos_have_the_same_keys_at_reset_and_at_every_step"),
    (FixedEntry, "test_observations_can_be_normalised"),
    (NarrowState, "test_state"),
    (GlobalDraws, "test_global_random_state_is_left_alone"),
    (GlobalDraws, "test_same_seed_same_episode"),
    (SharedArrays, "test_what_is_returned_is_fresh"),
    (CountsFirst, "test_illegal_actions_change_nothing"),
    (WholeRewards, "test_types"),
    (IgnoresSeed, "test_different_seeds_differ"),
    (SecretClock, "test_copies_go_on_alike"),
]


@pytest.mark.parametrize(("broken", "check"), BROKEN, ids=lambda case: getattr(case, "__name__", case))
def test_a_broken_promise_is_found(broken, check):
    class Case(EnvironmentConformance):
        environment = "broken"

        def make(self, **options):
            return broken(PROTOCOLS["TG3"], **options)

        def make_parallel(self, **options):
            return OneAtATime(self.make(**options))

    with pytest.raises(AssertionError):
        getattr(Case(), check)()


class Counting(RandomPolicy):
    """Keeps count, and so alternates."""

    decided = 0

    def decide(self, turn, rng):
        self.decided += 1
        return Decision(self.decided % 2)


class Guessing(RandomPolicy):
    """Draws from a generator of its own."""

    def decide(self, turn, rng):
        return super().decide(turn, np.random.default_rng())


@pytest.mark.parametrize(
    ("broken", "check"),
    [
        (Counting, "test_nothing_is_remembered_between_turns"),
        (Guessing, "test_the_same_stream_gives_the_same_decisions"),
        (Counting, "test_its_description_makes_an_equal_policy"),
    ],
)
def test_a_policy_that_breaks_a_promise_is_found(broken, check):
    class Case(PolicyConformance):
        make = broken

    with pytest.raises(AssertionError):
        getattr(Case(), check)()


class Pennies(ParallelEnv):
    """Matching pennies for ten rounds: both seats move at once."""

    name, roles, parameters, protocol = "pennies", ("matcher", "hider"), {}, None
    metadata = {"name": "pennies_v0", "render_modes": ["ansi", "human", "rgb_array"]}  # noqa: RUF012  # PettingZoo's

    def __init__(self, max_cycles=None, render_mode=None):
        self.possible_agents = ["player_0", "player_1"]
        self.agents = []
        self.render_mode = render_mode
        self.max_cycles = max_cycles
        self.spaces = {agent: gymnasium.spaces.Discrete(2) for agent in self.possible_agents}
        self.seen = {agent: gymnasium.spaces.Box(0, 1, (3,), np.float32) for agent in self.possible_agents}
        self.state_space = gymnasium.spaces.Box(0, 1, (3,), np.float32)

    def observation_space(self, agent):
        return self.seen[agent]

    def action_space(self, agent):
        return self.spaces[agent]

    def reset(self, seed=None, options=None):
        if seed is not None and (not isinstance(seed, int) or seed < 0):
            raise UsageError("The seed must be a whole number of at least 0.")
        self.agents, self.cycles, self.last_moves = self.possible_agents[:], 0, (0, 0)
        return self._observed(), {agent: {} for agent in self.agents}

    def state(self):
        if not hasattr(self, "cycles"):
            raise UsageError("Call reset() first.")
        return np.array([*self.last_moves, 1 - self.cycles / 20], dtype=np.float32)

    def _observed(self):
        share = 1 - self.cycles / 20
        return {agent: np.array([*self.last_moves, share], dtype=np.float32) for agent in self.agents}

    def step(self, actions):
        if not self.agents:
            raise UsageError("Call reset() first.")
        moves = [actions[agent] for agent in self.agents]
        if not all(type(move) in {int, np.int64, np.int32} and 0 <= move < 2 for move in moves):
            raise UsageError(f"{moves} are no moves.")
        self.last_moves, self.cycles = tuple(moves), self.cycles + 1
        won = 1.0 if moves[0] == moves[1] else -1.0
        over, cut = self.cycles == 10, self.cycles == self.max_cycles
        flags = [dict.fromkeys(self.agents, flag) for flag in (over, cut and not over)]
        paid, infos = {"player_0": won, "player_1": -won}, {agent: {} for agent in self.agents}
        observed = self._observed()
        if over or cut:
            self.agents = []
        return observed, paid, *flags, infos

    def turn(self, agent):
        place = self.possible_agents.index(agent)
        return Turn(
            "pennies", agent, self.roles[place], "choice", (Option(0, "heads"), Option(1, "tails")),
            self._observed()[agent], self, rounds=10, round=self.cycles, past=(None,) * self.cycles,
        )  # fmt: skip

    def render(self):
        drawn = {"rgb_array": np.zeros((2, 2, 3), np.uint8), "ansi": str(self.last_moves)}
        return drawn.get(self.render_mode)

    def close(self):
        pass


class TestSimultaneousMoves(EnvironmentConformance):
    """An environment that is parallel by nature is held to the same promises."""

    environment = "pennies"

    def make(self, **options):
        return parallel_to_aec(Pennies(**options))

    def make_parallel(self, **options):
        return Pennies(**options)

    def test_turns_agree_with_observations(self):
        env = Pennies()
        env.reset(seed=0)
        assert env.turn("player_1").observation.tolist() == [0, 0, 1]


@given(games())
def test_drawn_games_have_a_decision_and_at_most_three_roles(game):
    assert game.information_sets
    assert len(game.roles) <= 3
    assert all(2 <= len(node.options) <= 3 for node in game.information_sets)


@given(st.integers(1, 3), st.integers(1, 4), st.data())
def test_drawn_games_keep_to_the_depth_and_the_number_of_decisions_asked_for(depth, decisions, data):
    game = data.draw(games(max_depth=depth, max_decisions=decisions))
    assert max(len(leaf.path) for leaf in game.leaves) <= depth
    assert 1 <= sum(hasattr(node, "role") for _, node in walk(game.root)) <= decisions


@given(games(chance=False, hidden=False))
def test_perfect_information_can_be_asked_for(game):
    decisions = [node for _, node in walk(game.root) if hasattr(node, "role")]
    assert len(decisions) == len(game.information_sets)
    assert not any(isinstance(node, ChanceNode) for _, node in walk(game.root))


def test_the_generator_reaches_hidden_moves_chance_and_three_roles():
    def has_hidden_move(game):
        return sum(hasattr(node, "role") for _, node in walk(game.root)) > len(game.information_sets)

    def has_chance(game):
        return any(isinstance(node, ChanceNode) for _, node in walk(game.root))

    def has_three_roles(game):
        return len({node.role for node in game.information_sets}) == 3

    for wanted in (has_hidden_move, has_chance, has_three_roles):
        find(games(), wanted, settings=settings(phases=[Phase.generate], database=None))


@pytest.mark.parametrize("family", FAMILIES.values(), ids=lambda family: family.name)
def test_drawn_payoffs_make_games(family):
    @given(payoffs(family))
    def make(values):
        game = family.game(payoffs=values)
        assert tuple(game.parameters.values()) == values

    make()


def test_drawn_strategies_are_strategies():
    @given(behaviour_strategies(PROTOCOLS["SPD1"]))
    def check(vector):
        check_strategy(PROTOCOLS["SPD1"], vector)

    check()


@pytest.mark.parametrize("missing", ["pytest", "hypothesis"])
def test_a_missing_tool_is_named_in_one_sentence(missing):
    program = (
        f"import sys; sys.modules[{missing!r}] = None\n"
        "import ludens.testing\n"
        "try:\n"
        "    ludens.testing.EnvironmentConformance, ludens.testing.games\n"
        "except ImportError as why:\n"
        "    print(type(why).__name__, why)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("MissingTestToolError ludens.testing.")
    assert f"needs {missing}: install it with pip install pytest hypothesis." in done.stdout
