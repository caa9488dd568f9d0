"""Paraphrases are played like any framing, say the same numbers, and the reasoning copies their own rows."""

from __future__ import annotations

import re

import pytest

from ludens.agents.llm.prompts.games import framings, paraphrases, render
from ludens.envs import FAMILIES, PROTOCOLS, questions
from ludens.preferences import homo_moralis
from ludens.training import HELD_OUT, build_dataset, training_framings


def test_training_and_held_out_framings_are_all_there_are_and_no_benchmark_asks_in_one():
    assert {*training_framings()} - {"neutral"} == {*paraphrases()} - {*HELD_OUT}
    assert {*HELD_OUT} < {*paraphrases()}
    assert not {*framings()} & {*paraphrases()}


@pytest.mark.parametrize("framing", paraphrases())
@pytest.mark.parametrize("protocol", ["SPD1", "TG3", "UG6"])
def test_the_same_numbers_stand_in_the_same_order_under_the_same_letters(framing, protocol):
    for turn in questions(PROTOCOLS[protocol]).values():
        plain, said = (render(turn, name, 1, reasoning=True) for name in ("neutral", framing))
        texts = [prompt.messages[1]["content"] for prompt in (plain, said)]
        assert texts[0] != texts[1]
        assert (
            re.findall(r"\d+|\b[AB]\b", texts[0].split("\n\nYou")[0].split("\n\nHere")[0])[:20]
            == (re.findall(r"\d+|\b[AB]\b", texts[1])[:20])
        )
        assert (plain.labels, plain.order) == (said.labels, said.order)


def test_reasoning_copies_the_rows_of_its_own_prompt():
    data = build_dataset(
        homo_moralis(0.5), examples=140, validation=0, test=0, framings=(*training_framings(), *HELD_OUT)
    )
    assert {example.framing for example in data.train} == {"neutral", *paraphrases()}
    for example in data.train:
        rows = example.prompt[1]["content"].splitlines()
        copied = [line for line in example.completion.splitlines() if line in rows]
        assert len(copied) >= 2
        game = FAMILIES[example.family].game(payoffs=example.payoffs)
        own = render(questions(game)[example.node], example.framing, example.order, reasoning=True)
        assert example.prompt == own.messages


def test_drawn_wordings_of_the_neutral_framing_are_those_of_the_prompts_and_are_copied():
    data = build_dataset(
        homo_moralis(0.5), examples=60, validation=0, test=0, framings=["varied"], surfaces=40, seed=1
    )
    framings = {example.framing for example in data.train}
    assert len(framings) > 25
    assert all(re.fullmatch(r"varied/\d+", framing) for framing in framings)
    texts = set()
    for example in data.train:
        rows = example.prompt[1]["content"].splitlines()
        assert len([line for line in example.completion.splitlines() if line in rows]) >= 2
        game = FAMILIES[example.family].game(payoffs=example.payoffs)
        own = render(questions(game)[example.node], example.framing, example.order, reasoning=True)
        assert example.prompt == own.messages
        assert example.answer in own.labels
        texts.add(re.sub(r"\d+", "0", rows[0]))
    assert len(texts) > 15
