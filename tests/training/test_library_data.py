"""Data sets from the library's games: what the oracle does, read as replies are, after sums that hold."""

from __future__ import annotations

import json
import re
from fractions import Fraction

import numpy as np
import pytest

from ludens.agents.llm.prompts.games import render, render_scale
from ludens.cli import main
from ludens.envs import LIBRARY, questions
from ludens.envs.strategic.expectations import is_exact
from ludens.errors import UsageError
from ludens.preferences import (
    HOMO_ECONOMICUS,
    Preferences,
    best_strategies,
    homo_moralis,
    optimal_options,
    uniform_belief,
)
from ludens.training import build_dataset
from ludens.training.data.games import draw_games, game_key, ranges_of
from ludens.training.data.labels import label_games
from ludens.training.data.values import read_example, value_example
from ludens.training.evaluation.exam import examine, policy_under_test
from ludens.training.evaluation.scores import read_exam, score_exam
from ludens.training.evaluation.sets import Question, question_sets
from ludens.training.tuning.rounds import regret_of

NUMBER = r"(\d+(?:\.\d+)?)"
SUM = re.compile(rf"(?<![\d.]){NUMBER}([+*x]){NUMBER}={NUMBER}(?![\d/])")
COMPARED = re.compile(r"^(\d+) (\S+), (\d+) (\S+): (\d+) (\S+)$", re.MULTILINE)

CASES = [
    (homo_moralis(0.5), "prisoners_dilemma"),
    (homo_moralis(0.25), "stag_hunt"),
    (HOMO_ECONOMICUS, "battle_of_the_sexes"),
    (homo_moralis(0.5), "matching_pennies"),
    (homo_moralis(0.5), "threshold_public_good"),
    (homo_moralis(0.25), "volunteers_dilemma"),
    (homo_moralis(0.5), "one_person_dilemma"),
    (HOMO_ECONOMICUS, "ultimatum_thresholds"),
    (homo_moralis(0.5), "taking"),
    (homo_moralis(0.5), "centipede"),
    (homo_moralis(0.5), "gift_exchange"),
    (homo_moralis(0.5), "dictator"),
    (Preferences(0.5, 0.25, 0.1), "hawk_dove"),
    (Preferences(0.5, 0.25, 0.0), "dictator_taking"),
]


@pytest.mark.parametrize(("preferences", "family"), CASES, ids=lambda value: getattr(value, "name", value))
def test_examples_of_any_family_are_read_as_what_the_oracle_does(preferences, family):
    data = build_dataset(
        preferences, families=[family], examples=10, validation=2, test=2, framings=["neutral", "story"]
    )
    assert {example.framing for example in data.train} == {"neutral", "story"}
    published = {game_key(LIBRARY[family].game(name)) for name in LIBRARY[family].protocols}
    for example in (*data.train, *data.validation, *data.test):
        game = LIBRARY[family].game(payoffs=example.payoffs)
        assert game_key(game) == example.game not in published
        write = render if example.asks == "choice" else render_scale
        turn = questions(game)[example.node]
        assert example.prompt == write(turn, example.framing, example.order, reasoning=True).messages
        option = example.options[read_example(example, example.completion)]
        assert option in example.optimal
        assert set(example.optimal) == optimal_options(game, preferences, uniform_belief(game))[example.node]
        assert regret_of(example, example.completion) == 0
        for one, sign, other, total in SUM.findall(example.completion):
            left, right = Fraction(one), Fraction(other)
            assert Fraction(total) == (left + right if sign == "+" else left * right)
        for one, _, other, _, top, name in COMPARED.findall(example.completion):
            assert int(top) == max(int(one), int(other))
            assert name in example.labels
    assert not {each.game for each in data.train} & {each.game for each in (*data.validation, *data.test)}


def test_sums_of_a_small_game_begin_with_the_payoffs_of_the_prompt():
    data = build_dataset(homo_moralis(0.5), families=["prisoners_dilemma"], examples=8, validation=0, test=0)
    for example in data.train:
        prompt = set(re.findall(r"\d+", example.prompt[-1]["content"]))
        lines = example.completion.splitlines()
        assert [line.split(":")[0] for line in lines[:4]] == [
            "A alone",
            "A together",
            "B alone",
            "B together",
        ]
        for line in (lines[0], lines[2]):
            assert set(re.findall(r"\d+", line.split("=")[0])) <= prompt


def test_numbers_and_allocations_are_their_own_labels():
    data = build_dataset(HOMO_ECONOMICUS, families=["public_goods"], examples=6, validation=0, test=0)
    assert {example.asks for example in data.train} == {"number"}
    example = data.train[0]
    assert example.completion.endswith(f"Number: {example.answer}")
    worst = example.options[int(np.argmin(example.utilities))]
    assert regret_of(example, f"Number: {worst}") == 1
    assert regret_of(example, "Number: 1.5") is None
    game = LIBRARY["colonel_blotto"].game(payoffs=(5, 3))
    (label,) = label_games([game], HOMO_ECONOMICUS)
    for order in range(3):
        how = {"preferences": HOMO_ECONOMICUS, "belief": "uniform", "reasoning": "none"}
        shared = value_example(label, "neutral", order, 0, **how)
        assert shared.asks == "numbers"
        assert shared.prompt == render_scale(questions(game)["choice"], "neutral", order).messages
        assert shared.options[read_example(shared, shared.completion)] == shared.answer


def test_a_mixture_has_no_label():
    game = LIBRARY["prisoners_dilemma"].game("PD2")
    assert not np.isin(
        best_strategies(game, homo_moralis(0.5), uniform_belief(game)).strategies, (0, 1)
    ).all()
    assert label_games([game], homo_moralis(0.5)) == []
    assert len(label_games([game], homo_moralis(0.9))) == 1


def test_numbers_that_are_no_payoffs_are_drawn_near_published_ones():
    rng = np.random.default_rng(1)
    (payoffs,) = ranges_of((1, 9))
    for game in draw_games(LIBRARY["public_goods"], payoffs, 20, rng):
        n, endowment, m = game.parameters.values()
        assert n == int(n)
        assert 2 <= n <= 150
        assert 10 <= endowment <= 30
        assert 0.01 <= m <= 1.13
    for game in draw_games(LIBRARY["stag_hunt"], payoffs, 20, rng):
        assert set(game.parameters.values()) <= set(map(float, range(1, 10)))


def test_games_whose_payoffs_are_means_over_draws_are_not_drawn():
    rng = np.random.default_rng(0)
    (payoffs,) = ranges_of((1, 9))
    assert not is_exact(LIBRARY["beauty_contest"].game("BC2"))
    for game in draw_games(LIBRARY["beauty_contest"], payoffs, 10, rng):
        assert is_exact(game)


def test_a_split_that_no_game_falls_to_is_named():
    """Of 25 different battles of the sexes, none falls to the validation split of this seed."""
    with pytest.raises(UsageError, match=r"of battle_of_the_sexes falls to the validation split: .* seed"):
        build_dataset(
            HOMO_ECONOMICUS, families=["battle_of_the_sexes"], examples=20, validation=3, test=5, seed=1
        )


def test_what_cannot_be_written_is_said_in_one_sentence():
    with pytest.raises(UsageError, match="no family 'chess'"):
        build_dataset(HOMO_ECONOMICUS, families=["chess"])
    with pytest.raises(UsageError, match=r"prisoners_dilemma .* in steps alone"):
        build_dataset(HOMO_ECONOMICUS, families=["prisoners_dilemma"], reasoning="prose")
    with pytest.raises(UsageError, match="word public_goods in sentences alone"):
        build_dataset(HOMO_ECONOMICUS, families=["public_goods"], framings=["table"])


def test_models_are_examined_on_trained_games_of_the_library(tmp_path):
    preferences = homo_moralis(0.5)
    families = ["prisoners_dilemma", "threshold_public_good", "trust"]
    data = build_dataset(preferences, families=families, examples=24, validation=6, test=24)
    sets = question_sets(data, preferences, held_out=9, others=3)
    held = [question for question in sets if question.set == "held-out"]
    assert {question.family for question in held} == set(families)
    assert all(Question.of(question.labels()) == question for question in held)
    tested = [policy_under_test(name, name) for name in ("homo_moralis:0.5", "homo_economicus")]
    examine(tested, held, tmp_path / "exam.db", target=preferences)
    scores = score_exam(*read_exam(tmp_path / "exam.db"), preferences)
    agreement = {score.policy: score.agreement.value for score in scores if score.set == "held-out"}
    assert agreement["homo_moralis:0.5"] == 1
    assert agreement["homo_economicus"] < 1


def test_a_command_writes_games_of_the_library(tmp_path, capsys):
    folder = tmp_path / "data"
    args = ["--to", "moralis", "--kappa", "0.5", "--games", "stag_hunt,trust", "--examples", "12", "--json"]
    assert main(["align", "data", str(folder), *args]) == 0
    assert json.loads(capsys.readouterr().out)["examples"]["train"] == 12
    lines = (folder / "train.jsonl").read_text().splitlines()
    assert {json.loads(line)["family"] for line in lines} == {"stag_hunt", "trust"}


def test_training_by_reward_names_the_folder_that_is_not_there(tmp_path, capsys):
    tuned, data, out = tmp_path / "tuned", tmp_path / "data", tmp_path / "out"
    assert main(["align", "grpo", str(tuned), str(out)]) == 2
    assert f"There is no folder {tuned}: name that of a tuned model" in capsys.readouterr().err
    tuned.mkdir()
    assert main(["align", "grpo", str(tuned), str(out), "--data", str(data)]) == 2
    assert f"There is no folder {data}: name that of a data set" in capsys.readouterr().err
    assert main(["align", "grpo", str(tuned), str(out)]) == 2
    assert f"{tuned} has no data set beside it" in capsys.readouterr().err
    assert not out.exists()
