"""A person at the keyboard: what is shown, what counts as an answer, and how to leave."""

from __future__ import annotations

import asyncio
import io
import os
import pickle
import pty
import select
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from ludens.agents import HumanPolicy, TitForTat, make_policy
from ludens.agents.human import PlayerLeftError
from ludens.envs import PROTOCOLS, ChanceNode, DecisionNode, GameTree, PayoffNode, SequentialEnv, make_env
from ludens.envs.tree.questions import questions
from ludens.errors import LudensError
from ludens.testing import PolicyConformance


def person(*lines):
    """A policy that types these lines, and the console that it reads."""
    console = Console(file=io.StringIO(), width=80)
    return HumanPolicy(console, io.StringIO("".join(f"{line}\n" for line in lines))), console


def screen(console):
    return console.file.getvalue()


class Patient(io.StringIO):
    """Somebody who always types 1."""

    def readline(self, *limit):
        return "1\n"


class TestHuman(PolicyConformance):
    def make(self):
        return HumanPolicy(Console(file=io.StringIO()), Patient())

    def _again(self, policy):
        # Console and keyboard stay behind when a policy is copied: sit somebody down again.
        assert policy == self.make()
        return self.make()


@pytest.mark.parametrize(("typed", "action"), [("1", 0), ("2", 1), (" 2 ", 1), ("trust", 0), ("KEEP", 1)])
def test_numbers_and_names_are_answers(typed, action):
    policy, _ = person(typed)
    decision = policy.decide(questions(PROTOCOLS["TG3"])["opening"], np.random.default_rng(0))
    assert decision.action == action
    assert decision.probabilities is None


@pytest.mark.parametrize("typed", ["", "0", "3", "1.0", "tru", "trust or keep", "[bold]x[/bold]", "yes"])
def test_anything_else_is_asked_again_and_never_taken_for_an_answer(typed):
    policy, console = person(typed, "keep")
    assert policy.decide(questions(PROTOCOLS["TG3"])["opening"], np.random.default_rng(0)).action == 1
    assert f"{typed!r} is not an option: type a number from 1 to 2, or a name." in screen(console)


def facing(*names):
    """A turn with options of these names."""
    options = {name: PayoffNode((place,)) for place, name in enumerate(names)}
    env = SequentialEnv(GameTree("own", ("only",), DecisionNode("here", "only", options)))
    env.reset(seed=0)
    return env.turn()


@pytest.mark.parametrize(("typed", "action"), [("0", 0), ("1", 1), ("20", 2)])
def test_options_with_numbers_for_names_are_chosen_by_name_alone(typed, action):
    policy, console = person("2", typed)
    assert policy.decide(facing("0", "1", "20"), np.random.default_rng(0)).action == action
    assert "'2' is not an option: type a name." in screen(console)
    assert "\n  20\n" in screen(console)


def test_names_that_differ_in_case_alone_are_told_apart():
    for typed, action in (("Go", 0), ("go", 1), ("stay", 2), ("3", 2)):
        policy, _ = person(typed)
        assert policy.decide(facing("Go", "go", " Stay "), np.random.default_rng(0)).action == action
    policy, console = person("GO", "1")
    assert policy.decide(facing("Go", "go", " Stay "), np.random.default_rng(0)).action == 0
    assert "'GO' is not an option" in screen(console)


def test_the_screen_says_that_another_round_may_follow():
    env = make_env("trust", roles="fixed", continuation=0.8)
    env.reset(seed=0)
    policy, console = person("1")
    policy.act(env, np.random.default_rng(0))
    assert "Round 1 (another follows with probability 0.8)." in screen(console)


def test_the_screen_shows_who_one_is_what_happened_and_the_tree():
    env = make_env("trust", protocol="TG3", roles="fixed", rounds=2)
    env.reset(seed=0)
    for action in (0, 1, 0):
        env.step(action)
    policy, console = person("1")
    policy.act(env, np.random.default_rng(0))
    shown = screen(console)
    assert "ludens/trust-v0" in shown
    assert "Round 2 of 2. You are player_1, in the role of trustee." in shown
    assert "Round 1, you as trustee: investor: trust, trustee: defect; points:" in shown
    assert "├─▶ trust → reply to trust (trustee)  ◀ you are here" in shown
    assert "So far: investor: trust." in shown
    assert "  1  reciprocate" in shown
    assert max(map(len, shown.splitlines())) <= 80


def test_the_strategy_method_is_worded_as_a_supposition():
    policy, console = person("1")
    policy.decide(questions(PROTOCOLS["UG1"])["reply to unequal"], np.random.default_rng(0))
    assert "Choose as responder, in case you come to stand here." in screen(console)
    assert "Suppose that this has happened: proposer: unequal." in screen(console)


def test_a_hidden_move_is_not_shown():
    def answer(label):
        return DecisionNode(label, "blind", {"l": PayoffNode((1, 2)), "r": PayoffNode((3, 4))}, "answer")

    pick = DecisionNode("pick", "seeing", {"up": answer("after up"), "down": answer("after down")})
    game = GameTree("hidden", ("seeing", "blind"), ChanceNode("sky", {"sun": (1.0, pick)}))
    screens = set()
    for action in (0, 1):
        env = SequentialEnv(game, roles="fixed")
        env.reset(seed=0)
        env.step(action)
        policy, console = person("l")
        policy.act(env, np.random.default_rng(0))
        screens.add(screen(console))
    (shown,) = screens
    assert "So far: sky: sun." in shown
    assert shown.count("you are here") == 2


def test_the_end_of_the_input_leaves_the_game_where_it_stood():
    env = make_env("trust", protocol="TG3")
    env.reset(seed=0)
    before = pickle.dumps(env)
    policy, _ = person("nonsense")
    with pytest.raises(
        PlayerLeftError, match="has no more input to give at 'opening' of ludens/trust-v0: nothing"
    ):
        policy.act(env, np.random.default_rng(0))
    assert pickle.dumps(env) == before
    assert issubclass(PlayerLeftError, LudensError)


def test_a_person_plays_in_an_event_loop():
    policy, _ = person("2")
    turn = questions(PROTOCOLS["TG3"])["opening"]
    assert asyncio.run(policy.adecide(turn, np.random.default_rng(0))).action == 1


PROGRAM = """
    import asyncio, fcntl, pickle, signal, sys, termios

    # Make the terminal this program's own, so that Ctrl-C reaches it as from a keyboard.
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)

    import numpy as np
    from ludens.agents import HumanPolicy, PlayerLeftError
    from ludens.envs import make_env

    async def ask(env):
        return await HumanPolicy().adecide(env.turn(), np.random.default_rng(0))

    env = make_env("trust", protocol="TG3", roles="fixed")
    env.reset(seed=0)
    before = pickle.dumps(env)
    handler = signal.getsignal(signal.SIGINT)
    try:
        if sys.argv[1] == "async":
            decision = asyncio.run(ask(env))
        else:
            decision = HumanPolicy().decide(env.turn(), np.random.default_rng(0))
        print("took", decision.action)
    except PlayerLeftError as why:
        print("left:", why)
    print("same", pickle.dumps(env) == before, signal.getsignal(signal.SIGINT) is handler)
"""


def sleeps(process):
    """Whether a process waits for something other than a processor; True where the system does not say."""
    try:
        state = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return True
    return state == "S"


def in_a_terminal(how, keys):
    """What a real terminal shows when the program asks and somebody presses `keys` at the prompt."""
    keyboard, terminal = pty.openpty()
    program = [sys.executable, "-c", textwrap.dedent(PROGRAM), how]
    ends = {"stdin": terminal, "stdout": terminal, "stderr": terminal}
    child = subprocess.Popen(program, **ends, start_new_session=True)
    os.close(terminal)
    shown, pressed, asleep = b"", False, 0
    try:
        while True:
            if select.select([keyboard], [], [], 0.2)[0]:
                try:
                    shown += os.read(keyboard, 4096)
                except OSError:  # the other end is closed: the program is done
                    break
            # Python may miss a signal that comes just as it begins to wait: like a person, press again if the
            # program does nothing more, which is not the same as being slow.
            asleep = asleep + 1 if sleeps(child) else 0
            if b"Your choice" in shown and (not pressed or asleep > 10):
                os.write(keyboard, keys)
                pressed, asleep = True, 0
        child.wait()
    finally:
        if child.poll() is None:
            child.send_signal(signal.SIGKILL)
            child.wait()
        os.close(keyboard)
    return shown.decode()


@pytest.mark.parametrize("how", ["sync", "async"])
@pytest.mark.parametrize(
    ("keys", "told"), [(b"\x03", "pressed Ctrl-C"), (b"\x04", "has no more input to give")]
)
def test_leaving_at_a_real_terminal_is_one_sentence_and_changes_nothing(how, keys, told):
    shown = in_a_terminal(how, keys)
    assert f"left: The player of player_0 {told} at 'opening'" in shown.replace("\r\n", "\n")
    assert "same True True" in shown
    assert "Traceback" not in shown


def test_answering_at_a_real_terminal():
    assert "took 1" in in_a_terminal("sync", b"2\n")


def test_a_person_can_play_a_whole_game_against_a_script():
    env = make_env("sequential_prisoners_dilemma", protocol="SPD3", roles="fixed", rounds=2)
    env.reset(seed=0)
    human, _ = person("cooperate", "defect")
    policies = {"player_0": human, "player_1": TitForTat()}
    for agent in env.agent_iter():
        env.step(policies[agent].act(env, np.random.default_rng(0)))
    assert [[step.option for step in past["player_0"].path] for past in env._progress.past] == [
        ["cooperate", "cooperate"],
        ["defect", "defect"],
    ]


@pytest.mark.parametrize(
    ("game", "options", "typed", "action", "shown"),
    [
        ("bertrand", {"actions": "continuous"}, ("much", "-1", "nan", "1.75"), 1.75, "Each unit costs you 1"),
        ("av_dilemma", {"question": "act", "pedestrians": 7}, ("C", "b"), 1, "7 pedestrians"),
        ("av_dilemma", {"question": "morality", "program": "utilitarian"}, ("101", "70"), 70, "0 to 100"),
        ("moral_machine", {}, ("A",), 0, "cannot stop in time"),
        ("av_adoption", {"people": 3}, ("self-protective",), 1, "3 people"),
    ],
)
def test_a_person_plays_markets_and_dilemmas_too(game, options, typed, action, shown):
    env = make_env(game, **options)
    env.reset(seed=0)
    made, (typist, console) = make_policy("human", env), person(*typed)
    made._console, made._stream = console, typist._stream
    turn = env.unwrapped.turn(env.agent_selection)
    assert made.decide(turn, np.random.default_rng(0)).action == action
    assert shown in " ".join(screen(console).split())
    assert screen(console).count(" is not a") == len(typed) - 1
    env.step(action)


def test_a_person_sees_the_prices_of_the_last_periods():
    env = make_env("bertrand", periods=3, actions="continuous")
    env.reset(seed=0)
    for price in (1.5, 1.625):
        env.step(np.array([price], dtype=np.float32))
    made, (typist, console) = make_policy("human", env), person("1.5")
    made._console, made._stream = console, typist._stream
    made.decide(env.unwrapped.turn(env.agent_selection), np.random.default_rng(0))
    assert "Period 1: your price 1.5, others' 1.625" in " ".join(screen(console).split())
