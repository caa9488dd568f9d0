"""Exports: pairs differ in the answer alone, and the reward is one less the share of what can be lost."""

from __future__ import annotations

import importlib.util
import sys
from dataclasses import replace

import pytest

from ludens.agents.llm.reading.choices import read_choice
from ludens.envs import LIBRARY
from ludens.errors import UsageError
from ludens.preferences import HOMO_ECONOMICUS, homo_moralis
from ludens.training import build_dataset
from ludens.training.data.exports import (
    UNREADABLE,
    _answering,
    dpo_rows,
    grpo_rows,
    regret_reward,
    to_datasets,
    write_parquet,
)
from ludens.training.data.labels import label_games
from ludens.training.data.values import value_example
from ludens.training.tuning.rounds import regret_of

needs_datasets = pytest.mark.skipif(
    importlib.util.find_spec("datasets") is None, reason="needs the extra train"
)


@pytest.fixture(scope="module")
def data():
    return build_dataset(homo_moralis(0.5), examples=56, validation=8, test=8)


def test_pairs_differ_in_the_answer_alone(data):
    rows = dpo_rows(data.train)
    assert len(rows) == len(data.train)
    for row, example in zip(rows, data.train, strict=True):
        chosen, rejected = (row[key][0]["content"] for key in ("chosen", "rejected"))
        taken = [example.labels[read_choice(t, example.labels, (), True).place] for t in (chosen, rejected)]
        assert taken[0] == example.answer != taken[1]
        assert chosen[:-1] == rejected[:-1]


def test_pairs_and_rewards_of_every_kind_of_answer():
    cars = build_dataset(homo_moralis(0.5), examples=60, validation=0, test=0, domains=["av"], surfaces=20)
    fields = LIBRARY["colonel_blotto"].game(payoffs=(5, 3))
    money = LIBRARY["public_goods"].game("PG1")
    examples = list(cars.train)
    for label in label_games([fields, money], HOMO_ECONOMICUS):
        how = {"preferences": HOMO_ECONOMICUS, "belief": "uniform", "reasoning": "steps"}
        examples += [value_example(label, "neutral", order, 0, **how) for order in range(2)]
    assert {example.asks for example in examples} == {"choice", "rating", "allocation", "numbers", "number"}
    for example in examples:
        assert _answering(example, example.answer) == example.completion
        for label, name in zip(example.labels, example.options, strict=True):
            asked = replace(example, answer=label, optimal=(name,), utilities=())
            assert regret_of(asked, _answering(example, label)) == 0.0
    assert all(row["chosen"] != row["rejected"] for row in dpo_rows(examples))
    assert len(grpo_rows(examples)) == sum(
        example.asks not in ("rating", "allocation") for example in examples
    )


def test_the_reward_is_one_for_the_optimum_and_nought_for_the_worst(data):
    rows = grpo_rows(data.train)
    columns = {key: [row[key] for row in rows] for key in ("labels", "utilities", "reasoning")}
    messages = [[{"role": "assistant", "content": e.completion}] for e in data.train]
    assert regret_reward(messages, **columns) == pytest.approx([1.0] * len(rows))
    others = [row["rejected"][0]["content"] for row in dpo_rows(data.train)]
    assert regret_reward(others, **columns, trainer_state=None) == pytest.approx([0.0] * len(rows))
    assert regret_reward(["I would rather not."], [["A", "B"]], [[1.0, 2.0]]) == [UNREADABLE]
    assert regret_reward(["Answer: B"], [["A", "B", "C"]], [[0.0, 3.0, 4.0]]) == pytest.approx([0.75])


def test_without_the_package_one_sentence_says_so(data, monkeypatch):
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(UsageError, match="pip install"):
        to_datasets(data)


@needs_datasets
def test_parquet_and_datasets_keep_the_examples(data, tmp_path):
    import datasets

    found = to_datasets(data)
    assert [row["completion"][0]["content"] for row in found["train"]] == [e.completion for e in data.train]
    files = write_parquet(data, tmp_path)
    assert sorted(path.name for path in files) == ["test.parquet", "train.parquet", "validation.parquet"]
    again = datasets.Dataset.from_parquet(str(tmp_path / "train.parquet"), cache_dir=str(tmp_path / "cache"))
    assert again[0]["prompt"] == [dict(message) for message in data.train[0].prompt]
