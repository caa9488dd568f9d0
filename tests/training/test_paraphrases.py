"""Paraphrases are played like any framing, say the same numbers, and the reasoning copies their own rows."""

from __future__ import annotations

import re

import pytest

from ludens.agents.llm.prompts.games import framings, paraphrases, render
from ludens.agents.llm.prompts.surfaces import neutral_words
from ludens.agents.llm.prompts.templates import WORDINGS
from ludens.envs import FAMILIES, PROTOCOLS, questions
from ludens.preferences import HOMO_ECONOMICUS, homo_moralis
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


def copied_rows(example):
    """Return the line of the prompt that each row of a rationale copies, and what it says each role gets."""
    game = FAMILIES[example.family].game(payoffs=example.payoffs)
    drawn = example.framing.startswith("varied")
    people = neutral_words(example.framing).people(2) if drawn else ("Person 1", "Person 2")
    names = "|".join(people)
    row = re.compile(rf"(.+): ((?:(?:{names}) gets \d+(?:, |$))+)")
    rows = []
    for line in example.completion.splitlines():
        if found := row.fullmatch(line):
            path, paid = found.groups()
            path = re.sub(r"=[A-Z]\b", "", path)
            lines = [each for each in example.prompt[1]["content"].splitlines() if path in each]
            gets = dict(re.findall(rf"({names}) gets (\d+)", paid))
            rows.append((lines, {game.roles[people.index(name)]: int(value) for name, value in gets.items()}))
    return rows


def check_copied(example):
    """Check that the rationale has the right payoffs of the outcomes that can be reached."""
    game = FAMILIES[example.family].game(payoffs=example.payoffs)
    rows = copied_rows(example)
    for lines, gets in rows:
        assert any({str(value) for value in gets.values()} <= {*re.findall(r"\d+", line)} for line in lines)
        assert {*gets} in ({*game.roles}, {example.role})
    reached = [
        leaf
        for leaf in game.leaves
        if len(rows) == len(game.leaves) or example.node in {step.label for step in leaf.path}
    ]
    paid = [dict(zip(game.roles, leaf.payoffs, strict=True)) for leaf in reached]
    named = rows[0][1].keys()
    in_order = [{role: each[role] for role in named} for each in paid]
    assert sorted(map(str, (gets for _, gets in rows))) == sorted(
        str({role: int(value) for role, value in each.items()}) for each in in_order
    )


def test_reasoning_copies_the_rows_of_its_own_prompt():
    data = build_dataset(
        homo_moralis(0.5), examples=140, validation=0, test=0, framings=(*training_framings(), *HELD_OUT)
    )
    assert {example.framing for example in data.train} == {"neutral", *paraphrases()}
    for example in data.train:
        check_copied(example)
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
        check_copied(example)
        game = FAMILIES[example.family].game(payoffs=example.payoffs)
        own = render(questions(game)[example.node], example.framing, example.order, reasoning=True)
        assert example.prompt == own.messages
        assert example.answer in own.labels
        texts.add(re.sub(r"\d+", "0", example.prompt[1]["content"].splitlines()[0]))
    assert len(texts) > 15


@pytest.fixture(scope="module", params=[0.0, 0.5])
def drawn(request):
    preferences = homo_moralis(request.param) if request.param else HOMO_ECONOMICUS
    return build_dataset(
        preferences, examples=200, validation=0, test=0, framings=["varied"], surfaces=400, seed=2
    )


def test_drawn_wordings_lay_rows_out_in_many_ways_and_the_right_payoffs_are_copied(drawn):
    layouts = set()
    for example in drawn.train:
        game = FAMILIES[example.family].game(payoffs=example.payoffs)
        turn, *_, last, _ = example.completion.splitlines()
        turn_form = r"(.+?) (?:(moves first)|replies to ([^:]+))(?:: (.+))?"
        me, first, there, tags = re.fullmatch(turn_form, turn).groups()
        question = example.prompt[1]["content"].rpartition("\n\n")[2]
        assert me in question.splitlines()[0]
        assert bool(first) == (example.node == game.information_sets[0].label)
        assert first or there in question.splitlines()[1]
        stand_for = dict(tag.split("=") for tag in tags.split(", ")) if tags else {}
        prompt = render(questions(game)[example.node], example.framing, example.order, reasoning=True)
        acts = dict(zip(prompt.words, prompt.labels, strict=True)) if prompt.words else {}
        rules = {option: tag for option, tag in stand_for.items() if option not in acts}
        assert {act: label for act, label in stand_for.items() if act in acts} == acts
        for act, label in acts.items():
            tagged = re.findall(rf"\b{re.escape(act)}=(\w)", example.completion)
            assert len(tagged) > 1
            assert set(tagged) == {label}
        if rules:
            assert rules == {option: "all" if option == there else me for option in rules}
            assert next(iter(rules)) == there
            best = re.search(r"^rule: .*: -?\d+ (.+)=(.+)$", example.completion, re.MULTILINE)
            assert best is None or last.startswith(f"{there}, {best[2]}: ")
            assert best is None or rules[best[1]] == best[2]
        check_copied(example)
        layouts.update(re.sub(r"[\w ]+", "w", lines[0]) for lines, _ in copied_rows(example))
    assert len(layouts) > 20


def test_drawn_wordings_name_people_units_and_options_and_every_label_is_said(drawn):
    named, people, units = 0, set(), set()
    for example in drawn.train:
        text = example.prompt[1]["content"]
        game = FAMILIES[example.family].game(payoffs=example.payoffs)
        prompt = render(questions(game)[example.node], example.framing, example.order, reasoning=True)
        people.add(text.split(" and ")[0])
        units.update(re.findall(r"(points|tokens|marks|ECU|yen|euros|stars)", text))
        assert len(set(prompt.words)) == len(prompt.words)
        if not prompt.words:
            continue
        named += 1
        for label, word in zip(prompt.labels, prompt.words, strict=True):
            assert f"\n{label}: {word}\n" in text
        # Options of other turns have no labels in such a prompt, and go by their names.
        labelled = re.findall(r"(?<!\w)([A-Z])(?!\w)", example.completion)
        assert set(labelled) <= set(example.labels)
    assert named > 40
    assert len(people) > 12
    assert units == {"points", "tokens", "marks", "ECU", "yen", "euros", "stars"}


def test_drawn_wordings_stay_clear_of_those_that_measure_transfer():
    said = set(
        re.findall(
            r"[a-z]+", " ".join(re.findall(r'"([^"]*)"', WORDINGS.read("varied/grammar.toml"))).lower()
        )
    )
    people = {"alex", "bo", "chris", "dana", "eli", "flo", "gus", "hal", "friend"}
    colours = {"red", "blue", "green", "white", "brown", "grey", "gold", "black", "side"}
    called = {"coin", "coins", "unit", "units", "credits", "credited", "signals", "sends", "paid", "payments"}
    called |= {"selects", "selected", "wins", "won", "winnings", "goes", "went"}
    deeds = {"post", "parcel", "lend", "cart", "takings", "propose", "shares", "sign", "unsigned", "way"}
    measured = " ".join(
        path.read_text(encoding="utf-8")
        for folder in ("story", "twin", *(f"paraphrases/{name.partition('/')[2]}" for name in HELD_OUT))
        for path in sorted((WORDINGS.path / folder).glob("*.j2"))
    )
    theirs = people | colours | called | deeds
    assert theirs <= set(re.findall(r"[a-z]+", measured.lower()))
    assert not theirs & said
