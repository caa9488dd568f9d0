"""Environments of other libraries with turns: PettingZoo's own, in its wrappers, and odd ones."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from gymnasium.spaces import Box, Dict, Discrete, MultiDiscrete
from pettingzoo import AECEnv, ParallelEnv
from pettingzoo.utils import BaseWrapper
from pettingzoo.utils.wrappers import OrderEnforcingWrapper
from rich.console import Console

from ludens.agents import CallablePolicy, Decision, HumanPolicy, Policy, against, make_policy
from ludens.envs import Turn, make_env, numbered_turn, turn_of, with_turns
from ludens.errors import LudensError, UsageError
from ludens.experiments import Run, play, resume

rps_v2 = pytest.importorskip("pettingzoo.classic.rps.rps", reason="it draws with pygame, which is missing")
connect_four_v3 = pytest.importorskip("pettingzoo.classic.connect_four.connect_four")


class Race(AECEnv):
    """Two seats take 1 to 3 steps in turn; the first to stand at 5 wins. Steps past 5 are not legal."""

    metadata = {"name": "race_v1", "is_parallelizable": False}  # noqa: RUF012  # PettingZoo's own way

    def __init__(self, mask="infos", start=1, space=None):
        self.possible_agents = ["a", "b"]
        self.mask, self.start, self.space, self.render_mode = mask, start, space, None

    def observation_space(self, agent):
        return Box(0, 5, (1,), np.float32)

    def action_space(self, agent):
        return self.space or Discrete(3, start=self.start)

    def observe(self, agent):
        seen = np.array([self.place], np.float32)
        return {"observation": seen, "action_mask": self._legal()} if self.mask == "observation" else seen

    def _legal(self):
        return np.array([self.place + step <= 5 for step in (1, 2, 3)], np.int8)

    def reset(self, seed=None, options=None):
        self.place, self.agents = 0, self.possible_agents[:]
        self.agent_selection = "a"
        self.rewards = self._cumulative_rewards = dict.fromkeys(self.agents, 0)
        self.terminations = dict.fromkeys(self.agents, False)
        self.truncations = dict.fromkeys(self.agents, False)
        self._renew()

    def _renew(self):
        self.infos = {each: {"action_mask": self._legal()} if self.mask == "infos" else {} for each in "ab"}

    def step(self, action):
        mover = self.agent_selection
        if self.terminations[mover]:
            self._was_dead_step(action)
            return
        self.place += int(action) - self.start + 1
        assert self.place <= 5
        other = "b" if mover == "a" else "a"
        self._cumulative_rewards[mover] = 0
        if self.place == 5:
            self.rewards = {mover: 1, other: -1}
            self.terminations = dict.fromkeys(self.agents, True)
        self._renew()
        self._accumulate_rewards()
        self.agent_selection = other


class Pick(ParallelEnv):
    """Seats pick one of four things at once, twice; `masked` hides all but one of them."""

    metadata = {"name": "pick_v0"}  # noqa: RUF012  # as above
    render_mode = None

    def __init__(self, masked=None):
        self.possible_agents, self.masked = ["x", "y"], masked

    def observation_space(self, agent):
        return Dict({"observation": Discrete(3), "action_mask": Box(0, 1, (4,), np.int8)})

    def action_space(self, agent):
        return Discrete(4)

    def _seen(self):
        mask = np.ones(4, np.int8) if self.masked is None else np.eye(4, dtype=np.int8)[self.masked]
        return {each: {"observation": self.time, "action_mask": mask} for each in self.possible_agents}

    def reset(self, seed=None, options=None):
        self.time, self.agents = 0, self.possible_agents[:]
        return self._seen(), {each: {} for each in self.agents}

    def step(self, actions):
        self.time += 1
        same = len(set(actions.values())) == 1
        done = dict.fromkeys(self.agents, self.time == 2)
        paid, infos = dict.fromkeys(self.agents, float(same)), {each: {} for each in self.agents}
        if self.time == 2:
            self.agents = []
        return self._seen(), paid, done, dict.fromkeys(done, False), infos


class Wrapped(BaseWrapper):
    """A wrapper with turns that a user wrote."""

    def turn(self, agent):
        return numbered_turn(self, agent, names=lambda action: f"column {action + 1}", node="drop")


@pytest.mark.parametrize(
    "make",
    [
        rps_v2.env,
        rps_v2.raw_env,
        rps_v2.parallel_env,
        connect_four_v3.env,
        connect_four_v3.raw_env,
        Race,
        Pick,
        lambda: Race("observation"),
        lambda: OrderEnforcingWrapper(Race()),
    ],
)
def test_policies_play_any_environment_with_numbered_actions(tmp_path, make):
    runs = [play(with_turns(make()), "random", path=tmp_path / f"{each}.db", episodes=3) for each in (1, 2)]
    with runs[0] as one, runs[1] as other:
        assert {record.status for record in one.episodes()} == {"done"}
        assert [record.payoffs for record in one.episodes()] == [each.payoffs for each in other.episodes()]
        assert one.decisions() == other.decisions()
        assert all(record.environment == make().metadata["name"] for record in one.decisions())


def test_the_two_apis_of_one_environment_are_one_game(tmp_path):
    made = (rps_v2.env(max_cycles=4), rps_v2.parallel_env(max_cycles=4))
    runs = [play(with_turns(env), "random", path=tmp_path / f"{env.unwrapped is env}.db") for env in made[:1]]
    runs += [play(with_turns(made[1]), "random", path=tmp_path / "parallel.db")]
    with runs[0] as aec, runs[1] as parallel:
        assert [each.payoffs for each in aec.episodes()] == [each.payoffs for each in parallel.episodes()]
        assert len(aec.decisions()) == len(parallel.decisions()) == 8
        assert aec.episodes()[0].detail == "truncated by max_cycles"


@pytest.mark.parametrize("mask", ["infos", "observation"])
def test_only_legal_actions_are_options_with_the_environment_s_own_numbers(mask):
    env = with_turns(Race(mask), lambda env, agent: numbered_turn(env, agent, names=("one", "two", "three")))
    env.reset(seed=0)
    assert [(each.action, each.name) for each in turn_of(env, "a").options] == [
        (1, "one"),
        (2, "two"),
        (3, "three"),
    ]
    env.step(3)
    turn = env.turn()
    assert (turn.agent, [each.action for each in turn.options]) == ("b", [1, 2])
    assert turn.observation["observation"] == [3]
    env.step(1)
    assert [each.name for each in env.turn("a").options] == ["one"]


def test_turns_may_come_from_a_wrapper_a_subclass_or_a_function_set_on_it():
    class Own(connect_four_v3.raw_env):
        def turn(self, agent):
            return numbered_turn(self, agent, "ABCDEFG")

    bare = connect_four_v3.raw_env()
    bare.turn = lambda agent: numbered_turn(bare, agent)
    for env, name in ((Wrapped(connect_four_v3.env()), "column 1"), (Own(), "A"), (bare, "0")):
        outer = OrderEnforcingWrapper(env)
        outer.reset(seed=0)
        assert turn_of(outer, "player_0").options[0].name == name


@pytest.mark.parametrize("make", [rps_v2.parallel_env, Pick])
def test_pettingzoo_s_own_parallel_loop(make):
    env = with_turns(make())
    policy, rng = make_policy("random"), np.random.default_rng(0)
    env.reset(seed=0)
    steps = 0
    while env.agents:
        actions = {agent: policy.act(env, rng, agent) for agent in env.agents}
        assert None not in actions.values()
        env.step(actions)
        steps += 1
    assert steps > 1
    assert policy.act(env, rng, env.possible_agents[0]) is None


def test_pettingzoo_s_own_aec_loop_with_seats_that_are_done():
    env = with_turns(connect_four_v3.env())
    policy, rng = make_policy("random"), np.random.default_rng(3)
    env.reset(seed=0)
    dead = 0
    for _agent in env.agent_iter():
        action = policy.act(env, rng)
        dead += action is None
        env.step(action)
    assert dead == 2


def test_one_seat_against_policies():
    env = against(with_turns(Pick()), CallablePolicy(lambda seen: 2, "two"))
    env.reset(seed=0)
    assert env.step(2)[1:4] == (1.0, False, False)
    assert env.step(1)[1:4] == (0.0, True, False)
    four = against(with_turns(connect_four_v3.env()), "random")
    four.reset(seed=0)
    assert four.action_masks().all()


def test_a_mask_with_one_option_leaves_one(tmp_path):
    with play(with_turns(Pick(masked=3)), "random", path=tmp_path / "run.db") as run:
        assert {record.options for record in run.decisions()} == {("3",)}
        assert {record.decision.action for record in run.decisions()} == {3}


class Failing(Race):
    def step(self, action):
        if self.place:
            raise RuntimeError("the track is wet")
        super().step(action)


def test_an_environment_that_raises_is_not_hidden_and_what_was_decided_is_kept(tmp_path):
    with pytest.raises(RuntimeError, match="the track is wet"):
        play(with_turns(Failing()), "random", path=tmp_path / "run.db")
    with Run(tmp_path / "run.db") as run:
        assert len(run.decisions()) == 2


@pytest.mark.parametrize(
    ("env", "turn", "message"),
    [
        (Race(space=Box(0, 1, (2,))), numbered_turn, r"a of race_v1 are a Box.*Discrete\(n\)"),
        (Race(space=MultiDiscrete([2, 2])), numbered_turn, r"a of race_v1 are a MultiDiscrete"),
        (Race(space=Discrete(5)), numbered_turn, r"has 5 actions, and its action mask has the shape \(3,\)"),
        (Race(), lambda env, agent: numbered_turn(env, agent, names="AB"), "3 actions, and 2 names"),
        (Race(), lambda env, agent: numbered_turn(env, agent, names=[1, 2, 3]), "Action 1 .* is called 1"),
        (Race(), lambda env, agent: numbered_turn(env, agent, names=lambda n: " "), "is called ' '"),
        (Race(), lambda env, agent: {"options": [1]}, r"turn\('a'\) of race_v1 returned {.*numbered_turn"),
    ],
)
def test_what_makes_no_turn_is_one_sentence_and_leaves_no_file(tmp_path, env, turn, message):
    with pytest.raises(UsageError, match=message) as caught:
        play(with_turns(env, turn), "random", path=tmp_path / "run.db")
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_seats_that_are_not_named_by_texts_are_one_sentence(tmp_path):
    numbered = Race()
    numbered.possible_agents = [0, 1]
    with pytest.raises(UsageError, match="A seat of race_v1 is called 0, and runs name seats by texts"):
        play(with_turns(numbered), "random", path=tmp_path / "run.db")
    assert list(tmp_path.iterdir()) == []


def test_no_legal_action_is_one_sentence():
    env = with_turns(Race())
    env.reset()
    env.unwrapped.place = 5
    env.unwrapped._renew()
    with pytest.raises(UsageError, match="No action of a of race_v1 is legal"):
        env.turn()


def test_what_has_no_turns_is_one_sentence():
    env = rps_v2.parallel_env()
    env.reset(seed=0)
    with pytest.raises(UsageError, match=r"rps_v2 has no turn\(agent\).*with_turns"):
        make_policy("random").act(env, np.random.default_rng(0), "player_0")
    with pytest.raises(UsageError, match="with_turns"):
        against(env, "random")
    for env in (5, "trust-v0", None):
        with pytest.raises(UsageError, match="takes an environment of PettingZoo's"):
            with_turns(env)
    with pytest.raises(UsageError, match="takes a function"):
        with_turns(Race(), "turn")


def test_a_turn_may_be_written_whole_and_changed(tmp_path):
    def turn(env, agent):
        made = numbered_turn(env, agent, round=2, rounds=5, board="..x")
        return replace(made, options=made.options[::-1])

    env = with_turns(Race(), turn)
    env.reset()
    made = env.turn()
    assert isinstance(made, Turn)
    assert (made.round, made.rounds, made.facts) == (2, 5, {"board": "..x"})
    assert [option.action for option in made.options] == [3, 2, 1]


def test_a_person_is_shown_the_facts_of_the_turn():
    def turn(env, agent):
        return numbered_turn(env, agent, ("one", "two", "three"), board="..x\n.o.", steps=5)

    env, out = with_turns(Race(), turn), io.StringIO()
    env.reset()
    person = HumanPolicy(Console(file=out, width=60), io.StringIO("two\n"))
    assert person.act(env, np.random.default_rng(0)) == 2
    assert "board:\n..x\n.o.\nsteps: 5\n" in out.getvalue()


def test_a_run_of_an_object_goes_on_with_it_and_with_no_other(tmp_path):
    class Stops(Policy):
        name = "stops"
        left = 3

        def decide(self, turn, rng):
            type(self).left -= 1
            if type(self).left == 0:
                raise LudensError("It is late.")
            return Decision(turn.options[0].action)

    path = tmp_path / "run.db"
    with pytest.raises(LudensError, match="late"):
        play(with_turns(Race()), Stops(), path=path)
    with pytest.raises(UsageError, match=r"'race_v1' was a Python object.*environment=\.\.\."):
        resume(path)
    with pytest.raises(UsageError, match="begun with other episodes"):
        resume(path, environment=with_turns(rps_v2.env()), policies=Stops())
    assert resume(path, environment=with_turns(Race()), policies=Stops()).manifest["status"] == "done"
    with Run(path) as run:
        assert len(run.decisions()) == 5


SOURCE = """
from pettingzoo.classic.rps import rps
from ludens.envs import numbered_turn, with_turns

def game(cycles=2):
    env = rps.env(max_cycles=cycles)
    return with_turns(env, lambda env, agent: numbered_turn(env, agent, names=("rock", "paper", "scissors")))

def number():
    return 3

def broken():
    raise KeyError("nothing")
"""


@pytest.fixture
def module(tmp_path, monkeypatch):
    (tmp_path / "own_rps.py").write_text(SOURCE, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    yield "own_rps"
    sys.modules.pop("own_rps", None)


def test_an_environment_of_a_module_is_named_and_its_run_resumed(module):
    with play((f"{module}:game", {"cycles": 3}), "random", path="run.db") as run:
        assert run.manifest["config"]["environment"] == {"id": "own_rps:game", "cycles": 3}
        assert len(run.decisions()) == 6
        assert run.decisions()[0].options == ("rock", "paper", "scissors")
    with resume("run.db") as run:
        assert run.manifest["status"] == "done"
    assert make_env(f"{module}:game").unwrapped.metadata["name"] == "rps_v2"


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("own_rps:none", {}, "cannot be loaded"),
        ("own_rps:number", {}, "makes a int, which is no environment of PettingZoo's"),
        ("own_rps:broken", {}, r"cannot be made \(KeyError: 'nothing'\)"),
        ("own_rps:game", {"rounds": 3}, "cannot be made .*rounds"),
        ("os:getcwd", {}, "makes no environment"),
        ("no_such_module:game", {}, "cannot be loaded"),
    ],
)
def test_a_module_that_makes_no_environment_is_one_sentence(module, name, options, message):
    with pytest.raises(UsageError, match=message) as caught:
        play((name, options), "random", path="run.db")
    assert "\n" not in str(caught.value)


def test_an_environment_of_a_module_is_played_from_the_command_line(module, tmp_path):
    command = ["play", f"{module}:game", "-p", "random", "--env", "cycles=3", "--out", "run.db", "--json"]
    done = subprocess.run(
        [sys.executable, "-m", "ludens", *command], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["summary"]["decisions"]["valid"] == 6
