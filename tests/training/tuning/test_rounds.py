"""Rounds: what a model got wrong is what it learns from next."""

from __future__ import annotations

import pytest

from ludens.errors import UsageError
from ludens.preferences import homo_moralis
from ludens.training import build_dataset
from ludens.training.alignment import make_plan
from ludens.training.evaluation.sets import question_sets
from ludens.training.tuning.rounds import FEWEST, regret_of, sorted_out, without

ALL = ("games", "av", "pricing")


@pytest.fixture(scope="module")
def pool():
    return build_dataset(
        homo_moralis(0.5), examples=90, validation=0, test=12, domains=ALL, surfaces=9, seed=4
    )


def wrong_reply(example):
    if example.asks == "rating":
        return f"Rating: {100 - int(example.answer)}"
    if example.asks == "allocation":
        one = example.completion.splitlines()[-2:]
        return "\n".join(f"{line[0]}: {100 - int(line[3:])}" for line in one)
    place = example.utilities.index(min(example.utilities))
    return f"Answer: {example.labels[place]}"


def test_the_oracles_replies_have_no_regret_and_others_have(pool):
    for example in pool.train:
        assert regret_of(example, example.completion) == 0
        found = regret_of(example, wrong_reply(example))
        assert 0 <= found <= 1
        if example.asks == "choice":
            assert found == 1
        assert regret_of(example, "I do not know.") is None


def test_what_was_wrong_is_learnt_with_as_much_that_was_right(pool):
    said = [
        wrong_reply(example) if place % 3 == 0 and example.asks == "choice" else example.completion
        for place, example in enumerate(pool.train)
    ]
    said[1] = "no answer"
    found = sorted_out(pool, said)
    wrong = {
        example.prompt[1]["content"]
        for example, text in zip(pool.train, said, strict=True)
        if regret_of(example, text) != 0
    }
    assert (found.asked, found.wrong, found.unreadable) == (90, len(wrong), 1)
    assert 0 < found.regret < 1
    learnt = [example.prompt[1]["content"] for example in found.data.train]
    assert wrong <= set(learnt)
    assert len(learnt) == 2 * len(wrong)
    assert {example.completion for example in found.data.train} <= {e.completion for e in pool.train}


def test_too_few_errors_teach_nothing(pool):
    said = [example.completion for example in pool.train]
    assert sorted_out(pool, said).data is None
    places = [place for place, example in enumerate(pool.train) if example.asks == "choice"]
    for place in places[:FEWEST]:
        said[place] = wrong_reply(pool.train[place])
    assert sorted_out(pool, said).data is not None


def test_a_pool_leaves_out_what_was_trained_on(pool):
    more = build_dataset(
        homo_moralis(0.5), examples=120, validation=0, test=12, domains=ALL, surfaces=9, seed=4
    )
    seen = {example.prompt[1]["content"] for example in pool.train}
    left = without(more, pool)
    assert not seen & {example.prompt[1]["content"] for example in left.train}
    keys = {example.game for example in left.train}
    assert not keys & {example.game for example in pool.test}


def test_a_pool_leaves_out_what_the_exam_asks_about(pool):
    asked = {question.key for question in question_sets(pool, homo_moralis(0.5), held_out=8, carry=12)}
    more = build_dataset(
        homo_moralis(0.5), examples=360, validation=0, test=12, domains=ALL, surfaces=9, seed=4
    )
    assert asked & {example.game for example in without(more, pool).train}
    assert not asked & {example.game for example in without(more, pool, asked).train}


def test_rounds_need_adapters():
    with pytest.raises(UsageError, match="Rounds train adapters"):
        make_plan("local/smollm2-135m", "economicus", rounds=1, method="full")
    with pytest.raises(UsageError, match="number of rounds"):
        make_plan("local/smollm2-135m", "economicus", rounds=-1)
