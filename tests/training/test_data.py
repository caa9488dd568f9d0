"""Data sets: an example says what the oracle says, splits share no game, and files keep every byte."""

from __future__ import annotations

import json

import pytest

from ludens.agents import OraclePolicy
from ludens.agents.llm.prompts.games import render
from ludens.agents.llm.reading.choices import read_choice
from ludens.cli import main
from ludens.envs import FAMILIES, PROTOCOLS, questions
from ludens.errors import UsageError
from ludens.preferences import HOMO_ECONOMICUS, Preferences, homo_moralis, optimal_options, uniform_belief
from ludens.training import DataSet, DataSetError, Payoffs, build_dataset
from ludens.training.data.games import game_key, reserved_keys
from ludens.training.tuning.rounds import regret_of

KINDS = (HOMO_ECONOMICUS, homo_moralis(0.5), Preferences(0.5, 0.25, 0.3))


@pytest.fixture(scope="module", params=KINDS, ids=lambda p: p.name)
def made(request):
    return request.param, build_dataset(request.param, examples=140, validation=28, test=28, seed=3)


def everything(data):
    return data.train + data.validation + data.test


def test_prompts_are_those_that_the_environments_emit(made):
    _, data = made
    for example in everything(data):
        game = FAMILIES[example.family].game(payoffs=example.payoffs)
        prompt = render(questions(game)[example.node], example.framing, example.order, reasoning=True)
        assert example.prompt == prompt.messages
        assert example.labels == prompt.labels


def test_answers_are_read_from_completions_and_are_the_oracles(made):
    preferences, data = made
    for example in everything(data):
        reading = read_choice(example.completion, example.labels, (), reasoning=True)
        assert reading.outcome == "ok"
        option = example.options[reading.place]
        game = FAMILIES[example.family].game(payoffs=example.payoffs)
        best = optimal_options(game, preferences, uniform_belief(game))[example.node]
        assert best == {option} == set(example.optimal)
        strategy = OraclePolicy(preferences).strategy(game)[game.information_set(example.node).columns]
        assert strategy[game.information_set(example.node).options.index(option)] == pytest.approx(1)
        top, second = sorted(example.utilities, reverse=True)[:2]
        assert top - second == pytest.approx(example.margin)


def test_splits_share_no_game_and_none_is_a_protocol(made):
    _, data = made
    games = [{example.game for example in split} for split in data.splits.values()]
    assert not games[0] & games[1]
    assert not games[0] & games[2]
    assert not games[1] & games[2]
    assert not set.union(*games) & reserved_keys()
    assert len(reserved_keys()) > 0


def test_a_rescaled_protocol_is_the_same_game_and_another_is_not():
    family = FAMILIES["trust"]
    assert game_key(family.game(payoffs=(7, 4, 2, 1))) == game_key(PROTOCOLS["TG1"])
    assert game_key(family.game(payoffs=(7.5, 4.5, 2.5, 1.5))) == game_key(PROTOCOLS["TG1"])
    assert game_key(family.game(payoffs=(8, 4, 2, 1))) != game_key(PROTOCOLS["TG1"])


def test_letters_and_orders_are_balanced(made):
    _, data = made
    answers = [example.answer for example in data.train]
    assert 0.4 <= answers.count("A") / len(answers) <= 0.6
    assert {example.order for example in data.train} == {0, 1}


def test_the_same_seed_gives_the_same_bytes_and_another_does_not(tmp_path):
    for name, seed in (("one", 1), ("again", 1), ("other", 2)):
        build_dataset(homo_moralis(0.5), examples=40, validation=8, test=8, seed=seed).write(tmp_path / name)
    files = sorted(p.relative_to(tmp_path / "one") for p in (tmp_path / "one").rglob("*") if p.is_file())
    assert len(files) == 8
    for file in files:
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "again" / file).read_bytes()
    assert (tmp_path / "one/train.jsonl").read_bytes() != (tmp_path / "other/train.jsonl").read_bytes()


def test_what_is_written_is_read_and_a_changed_file_is_not(tmp_path, made):
    _, data = made
    folder = data.write(tmp_path / "data")
    assert DataSet.read(folder) == data
    rows = [json.loads(line) for line in (folder / "train.jsonl").read_text().splitlines()]
    assert [row["completion"][0]["content"] for row in rows] == [e.completion for e in data.train]
    chat = json.loads((folder / "openai/train.jsonl").read_text().splitlines()[0])
    assert [message["role"] for message in chat["messages"]] == ["system", "user", "assistant"]
    lines = (folder / "test.jsonl").read_text().splitlines(keepends=True)
    (folder / "test.jsonl").write_text("".join(lines[1:]))
    with pytest.raises(DataSetError, match="not those that its card describes"):
        DataSet.read(folder)


def test_a_folder_of_somebody_else_is_left_alone(tmp_path):
    data = build_dataset(HOMO_ECONOMICUS, examples=8, validation=0, test=0)
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(DataSetError, match="other than a data set"):
        data.write(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"families": ["chess"]},
        {"families": []},
        {"examples": 0},
        {"examples": "many"},
        {"reasoning": "loud"},
        {"framings": ["opera"]},
        {"framings": []},
        {"payoffs": (9, 1)},
        {"payoffs": (1, 2)},
        {"ties": "ignore"},
        {"seed": -1},
        {"seed": 1.5},
        {"near": float("nan")},
        {"near": -0.1},
        {"near": 1.1},
        {"near": "some"},
        {"near_margin": -0.01},
        {"near_margin": float("nan")},
        {"near_margin": float("inf")},
        {"phrasings": 0},
        {"phrasings": 1.5},
    ],
    ids=str,
)
def test_wrong_arguments_are_told_in_one_sentence(wrong):
    with pytest.raises(UsageError) as caught:
        build_dataset(HOMO_ECONOMICUS, **wrong)
    assert "\n" not in str(caught.value)


def test_ties_are_split_or_dropped_by_name():
    kept = build_dataset(homo_moralis(0.5), examples=280, ties="split")
    tied = [example for example in kept.train if len(example.optimal) > 1]
    assert tied
    assert all(sum(example.label_shares) == pytest.approx(1) for example in tied)
    assert {example.option for example in tied} > {tied[0].option}
    assert all(len(e.optimal) == 1 for e in build_dataset(homo_moralis(0.5), examples=280).train)


def test_payoffs_are_of_several_ranges_as_often_as_of_each():
    ranges = (Payoffs(1, 9), Payoffs(10, 90, 5))
    data = build_dataset(Preferences(kappa=0.5), examples=400, payoffs=ranges)
    small = [max(example.payoffs) <= 9 for example in data.train]
    assert all(value in range(10, 91, 5) for e in data.train if max(e.payoffs) > 9 for value in e.payoffs)
    assert 0.4 < sum(small) / len(small) < 0.6
    assert data.card.settings["payoffs"] == "1-9 and 10-90 in steps of 5"
    with pytest.raises(UsageError, match="step"):
        Payoffs(1, 9, 0)


def test_a_data_set_is_the_same_in_other_processes(tmp_path, capsys):
    command = [
        "align",
        "data",
        "--to",
        "moralis",
        "--kappa",
        "0.5",
        "--examples",
        "90",
        "--domains",
        "games,av,pricing",
    ]
    command += ["--surfaces", "20", "--framings", "neutral,varied,table", "--json"]
    assert main([*command[:2], str(tmp_path / "alone"), *command[2:]]) == 0
    assert main([*command[:2], str(tmp_path / "shared"), *command[2:], "--workers", "2"]) == 0
    alone, shared = map(json.loads, capsys.readouterr().out.strip().replace("}\n{", "}\0{").split("\0"))
    assert alone["hash"] == shared["hash"]
    for file in (tmp_path / "alone").glob("*.jsonl"):
        assert file.read_bytes() == (tmp_path / "shared" / file.name).read_bytes()


@pytest.mark.parametrize("preferences", [HOMO_ECONOMICUS, homo_moralis(0.5)])
def test_every_completion_in_drawn_wordings_is_read_as_its_own_answer(preferences):
    """Whatever options are called."""
    data = build_dataset(preferences, framings=["varied"], surfaces=400, examples=900, validation=0, test=0)
    assert [example for example in data.train if regret_of(example, example.completion) != 0] == []
