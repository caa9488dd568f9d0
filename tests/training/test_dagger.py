"""A policy plays, the oracle relabels: histories are the policy's own, labels the oracle's."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ludens.agents import BestReplyPolicy, OraclePolicy, RandomPolicy, TitForTat, make_policy
from ludens.agents.llm.reading.choices import read_choice
from ludens.agents.llm.reading.prices import read_price_reply
from ludens.agents.pricing import (
    BestReplyPricePolicy,
    HomoMoralisPricePolicy,
    MatchingPolicy,
    MyopicPolicy,
    market_view,
)
from ludens.envs import make_env
from ludens.errors import UsageError
from ludens.preferences import HOMO_ECONOMICUS, homo_moralis
from ludens.training.data.dagger import pricing_rows, relabel, roll_out
from ludens.training.data.example import Example

MORALIS = homo_moralis(0.5)


def test_turns_of_a_repeated_game_carry_their_history_and_the_oracles_answer():
    env = make_env("sequential_prisoners_dilemma", payoffs=(9, 7, 3, 1), rounds=3)
    seats = env.possible_agents
    turns = roll_out(env, dict.fromkeys(seats, RandomPolicy()), seats[:1], episodes=6, seed=1)
    assert {entry.turn.agent for entry in turns} == {seats[0]}
    assert max(len(entry.turn.past) for entry in turns) == 2
    examples = relabel(turns, MORALIS)
    assert len(examples) == len(turns)
    oracle = OraclePolicy(MORALIS)
    for entry, example in zip(turns, examples, strict=True):
        told = example.prompt[1]["content"]
        assert told.count("Round ") == len(entry.turn.past)
        reading = read_choice(example.completion, example.labels, (), True)
        option = example.options[reading.place]
        node = entry.turn.game.information_set(entry.turn.node)
        assert oracle.strategy(entry.turn.game)[node.columns][node.options.index(option)] == pytest.approx(1)
    assert len({entry.decision.action for entry in turns}) == 2


def test_the_same_seed_plays_the_same():
    env = make_env("trust", rounds=2)
    policies = dict.fromkeys(env.possible_agents, RandomPolicy())
    played = [
        [
            entry.decision.action
            for entry in roll_out(env, policies, env.possible_agents, episodes=5, seed=seed)
        ]
        for seed in (0, 0, 1)
    ]
    assert played[0] == played[1] != played[2]


@pytest.mark.parametrize("teacher", [MyopicPolicy(), HomoMoralisPricePolicy(0.5)], ids=lambda t: t.name)
def test_rows_of_a_market_end_in_the_teachers_price(teacher):
    env = make_env("bertrand", periods=4)
    seats = env.possible_agents
    turns = roll_out(
        env, dict.fromkeys(seats, make_policy("random", "bertrand")), seats[:1], teacher=teacher, seed=3
    )
    rows = pricing_rows(turns)
    assert len(rows) == 4
    for row, entry in zip(rows, turns, strict=True):
        view = market_view(entry.turn)
        reading = read_price_reply(row["completion"][0]["content"], slots=("observations",))
        assert reading.outcome == "ok"
        offered = [float(option.name) for option in entry.turn.options]
        wanted = teacher.price(view, None)
        nearest = min(offered, key=lambda price: abs(price - wanted)) if offered else wanted
        assert reading.price == pytest.approx(nearest, rel=1e-3)


def test_wrong_seats_and_missing_teachers_are_told():
    env = make_env("trust")
    seats = env.possible_agents
    with pytest.raises(UsageError, match="needs a policy"):
        roll_out(env, {seats[0]: RandomPolicy()}, seats)
    with pytest.raises(UsageError, match="at least 1"):
        roll_out(env, dict.fromkeys(seats, RandomPolicy()), seats, episodes=0)
    with pytest.raises(UsageError, match="seed"):
        roll_out(env, dict.fromkeys(seats, RandomPolicy()), seats, seed=-1)
    with pytest.raises(UsageError, match="seed"):
        relabel([], MORALIS, seed=-1)
    market = make_env("bertrand", periods=2)
    turns = roll_out(
        market,
        dict.fromkeys(market.possible_agents, make_policy("random", "bertrand")),
        market.possible_agents,
    )
    with pytest.raises(UsageError, match="teacher"):
        pricing_rows(turns)
    with pytest.raises(UsageError, match="pricing_rows"):
        relabel(turns, MORALIS)


def test_labels_of_a_teacher_are_best_over_the_rounds_left():
    env = make_env("sequential_prisoners_dilemma", payoffs=(9, 7, 3, 1), rounds=3, roles="fixed")
    seats = env.possible_agents
    teacher = BestReplyPolicy(HOMO_ECONOMICUS, TitForTat())
    policies = {seats[0]: TitForTat(), seats[1]: RandomPolicy()}
    turns = roll_out(env, policies, seats[1:], teacher=teacher, episodes=8, seed=2)
    examples = relabel(turns)
    assert len(examples) == len(turns)
    for entry, example in zip(turns, examples, strict=True):
        assert example.reasoning == "none"
        assert example.completion == example.answer
        assert example.option == ("defect" if entry.turn.round == 2 else "cooperate")
        assert example.prompt[1]["content"].count("Round ") == len(entry.turn.past)
        by_name = dict(zip(example.options, example.utilities, strict=True))
        names = [option.name for option in entry.turn.options]
        assert by_name == dict(zip(names, entry.teacher_values, strict=True))
        assert example.margin == pytest.approx(abs(entry.teacher_values[0] - entry.teacher_values[1]))
        assert Example.from_row(example.to_row()) == example
    # The oracle of one round says otherwise: it would defect in every one.
    assert {example.option for example in relabel(turns, HOMO_ECONOMICUS)} == {"defect"}


def test_any_policy_teaches_and_mixtures_are_left_out():
    env = make_env("trust", rounds=2)
    seats = env.possible_agents
    policies = dict.fromkeys(seats, RandomPolicy())
    examples = relabel(roll_out(env, policies, seats, teacher=TitForTat(), episodes=3))
    assert examples
    assert {(example.utilities, example.margin) for example in examples} == {((), float("inf"))}
    assert not relabel(roll_out(env, policies, seats, teacher=RandomPolicy()))


def test_a_teachers_label_takes_no_argument_of_one_round():
    env = make_env("trust", rounds=2)
    seats = env.possible_agents
    policies = dict.fromkeys(seats, RandomPolicy())
    turns = roll_out(env, policies, seats, teacher=BestReplyPolicy(HOMO_ECONOMICUS, TitForTat()))
    for claimed in ({"reasoning": "steps"}, {"reasoning": "prose"}, {"belief": "equilibrium"}):
        with pytest.raises(UsageError, match="oracle of one round"):
            relabel(turns, **claimed)
    with pytest.raises(UsageError, match="give roll_out a teacher"):
        relabel(roll_out(env, policies, seats))


def test_rows_of_a_market_take_the_dynamic_best_reply():
    env = make_env("bertrand", periods=5)
    firms = {"firm_0": make_policy("random", "bertrand"), "firm_1": MatchingPolicy()}
    teacher = BestReplyPricePolicy(MatchingPolicy(), discount=0.9)
    turns = roll_out(env, firms, ["firm_0"], teacher=teacher, seed=3)
    for row, entry in zip(pricing_rows(turns), turns, strict=True):
        reading = read_price_reply(row["completion"][0]["content"], slots=("observations",))
        best = max(zip(teacher.values(entry.turn), entry.turn.options, strict=True), key=lambda pair: pair[0])
        assert reading.price == pytest.approx(float(best[1].name), rel=1e-3)


def test_the_page_s_snippet_runs(capsys):
    page = (Path(__file__).parents[2] / "docs" / "align.md").read_text(encoding="utf-8")
    section = page.split("## Relabel a model's own play")[1].split("\n## ")[0]
    (code,) = re.findall(r"^```python\n(.*?)^```", section, re.MULTILINE | re.DOTALL)
    exec(compile(code, "align.md", "exec"), {})
    assert "['cooperate', 'cooperate', 'cooperate', 'defect']" in capsys.readouterr().out
