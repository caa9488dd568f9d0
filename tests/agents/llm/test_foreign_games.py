"""PettingZoo's rock-paper-scissors and connect four, played by language models in a user's template."""

from __future__ import annotations

import re

import numpy as np
import pytest

from ludens.agents import LLMPolicy, NoDecisionError, make_policy
from ludens.envs import numbered_turn, with_turns
from ludens.experiments import play
from tests.loopback import Loopback, refusing, say

rps = pytest.importorskip("pettingzoo.classic.rps.rps", reason="it draws with pygame, which is missing")
connect_four = pytest.importorskip("pettingzoo.classic.connect_four.connect_four")

HANDS = ("rock", "paper", "scissors")
BEATEN_BY = {"rock": "paper", "paper": "scissors", "scissors": "rock"}
RPS = (
    "{% if facts.last %}The other's last hand was {{ facts.last }}.{% else %}It is the first hand.{% endif %}"
)
FOUR = "{{ facts.board }}\nYour pieces are X."


def hands(env, agent):
    seen = int(env.observe(agent))
    return numbered_turn(env, agent, HANDS, last=HANDS[seen] if seen < 3 else None)


def columns(env, agent):
    seen = env.observe(agent)["observation"]
    board = "\n".join("".join(".XO"[mine + 2 * other] for mine, other in row) for row in seen)
    return numbered_turn(env, agent, [f"column {number}" for number in range(1, 8)], board=board)


def text_of(request):
    return request["messages"][-1]["content"]


def label_of(name, text):
    return re.search(rf"^(\w+): {name}$", text, re.MULTILINE)[1]


def beats_the_last(request):
    """Plays what beats the other's last hand, by whatever label it has."""
    last = re.search(r"last hand was (\w+)", text_of(request))
    return say(label_of(BEATEN_BY[last[1]] if last else "rock", text_of(request)))


def model(server, template, **settings):
    more = {"api_base": server.url, "api_key": "none", "retry_wait": 0.01, "elicit": "sample"} | settings
    return LLMPolicy("openai/loopback", template=template, **more)


@pytest.mark.parametrize("make", [rps.env, rps.parallel_env, rps.raw_env])
def test_rock_paper_scissors(tmp_path, make):
    with Loopback([], beats_the_last) as server:
        env = with_turns(make(max_cycles=4), hands)
        run = play(env, [model(server, RPS), model(server, RPS, order=1)], path=tmp_path / "run.db", seed=2)
    # Both begin with rock, and then beat what was played last.
    chosen = [HANDS[record.decision.action] for record in run.decisions()]
    assert chosen == ["rock", "rock", "paper", "paper", "scissors", "scissors", "rock", "rock"]
    assert run.episodes()[0].payoffs == {"player_0": 0, "player_1": 0}
    assert {record.decision.wording.framing for record in run.decisions()} == {"own"}


def test_rock_paper_scissors_in_pettingzoo_s_parallel_loop():
    with Loopback([], beats_the_last) as server:
        env = with_turns(rps.parallel_env(max_cycles=3), hands)
        policies = {"player_0": model(server, RPS), "player_1": make_policy("random")}
        rng = np.random.default_rng(0)
        env.reset(seed=0)
        own, others = [], []
        while env.agents:
            actions = {agent: policies[agent].act(env, rng, agent) for agent in env.agents}
            own.append(HANDS[actions["player_0"]])
            others.append(HANDS[actions["player_1"]])
            env.step(actions)
    assert own == ["rock", *(BEATEN_BY[hand] for hand in others[:-1])]


def test_connect_four_offers_open_columns_alone():
    """A model that always takes the first option fills column after column."""
    with Loopback([], say("A")) as server:
        env = with_turns(connect_four.env(), columns)
        policy = model(server, FOUR, order=0)
        env.reset(seed=0)
        rng = np.random.default_rng(0)
        for _ in range(7):
            env.step(policy.act(env, rng))
    texts = list(map(text_of, server.requests))
    assert texts[0].startswith("\n".join(["......."] * 6) + "\nYour pieces are X.\nA: column 1\n")
    assert texts[6].startswith("O......\nX......\nO......\nX......\nO......\nX......\nYour")
    assert "column 1" not in texts[6]
    assert "A: column 2\n" in texts[6]
    assert texts[6].endswith("Answer with one letter, A, B, C, D, E or F.")
    assert env.agent_selection == "player_1"


def test_connect_four_to_its_end(tmp_path):
    def fourth(request):
        text = text_of(request)
        return say(label_of("column 4", text) if "column 4" in text else "A")

    with Loopback([], fourth) as server:
        policies = [model(server, FOUR), "random"]
        run = play(with_turns(connect_four.env(), columns), policies, path=tmp_path / "run.db", episodes=2)
    assert {record.status for record in run.episodes()} == {"done"}
    assert sum(record.payoffs["player_0"] for record in run.episodes()) in {-2, 0, 2}


@pytest.mark.parametrize("answer", [say("H"), say("column 8"), say("I pass."), say(""), refusing()])
def test_no_column_is_ever_put_in_the_place_of_an_answer(tmp_path, answer):
    with Loopback([], answer) as server:
        policy = model(server, FOUR, retries=1)
        run = play(with_turns(connect_four.env(), columns), policy, path=tmp_path / "run.db")
        (decision,) = run.decisions()
        assert decision.decision.action is None
        assert run.episodes()[0].status == "dropped"
        assert run.episodes()[0].payoffs == {"player_0": None, "player_1": None}
        env = with_turns(connect_four.env(), columns)
        env.reset()
        with pytest.raises(NoDecisionError):
            policy.act(env, np.random.default_rng(0))
        assert not any(env.unwrapped.board)
