"""Tuning at a provider, before anything is sent: the data's shapes, the provider's rules, the price."""

from __future__ import annotations

import json
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ludens.errors import UsageError
from ludens.training.provider import RULES, prepare
from ludens.training.provider.conversations import chat_lines, contents_lines, conversations
from ludens.training.provider.prices import estimate, training_price, usual_epochs

NANO = "openai/gpt-4.1-nano-2025-04-14"

texts = st.text(min_size=1, max_size=40).filter(lambda text: text.strip())
turns = st.tuples(texts, texts, texts)


def said(system="You play games.", user="A or B?", assistant="A"):
    return [
        {"role": "system", "content": system},
        {"role": "user", "content": user},
        {"role": "assistant", "content": assistant},
    ]


def write(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def refused(tmp_path, rows, model=NANO, name="data.jsonl"):
    with pytest.raises(UsageError) as caught:
        prepare(model, write(tmp_path / name, rows))
    return str(caught.value)


@dataclass
class Labelled:
    prompt: tuple
    completion: object


@dataclass
class Data:
    train: tuple
    validation: tuple = ()


def test_every_shape_of_a_data_set_is_the_same_conversations(tmp_path):
    whole, prompt, reply = said(), said()[:2], said()[2:]
    rows = [
        {"messages": whole},
        {"prompt": prompt, "completion": reply},
        {"prompt": prompt, "completion": "A"},
    ]
    from_file = conversations(write(tmp_path / "train.jsonl", rows))
    write(tmp_path / "validation.jsonl", rows[:1])
    from_folder = conversations(tmp_path)
    objects = Data((Labelled(tuple(prompt), reply), Labelled(tuple(prompt), "A"), {"messages": whole}))
    assert from_file.train == from_folder.train == conversations(objects).train == (tuple(whole),) * 3
    assert (from_file.validation, from_folder.validation) == ((), (tuple(whole),))


@given(st.lists(turns, min_size=1, max_size=5), st.booleans())
def test_what_is_sent_reads_back_as_what_was_given(tmp_path_factory, examples, mark):
    given_ = tuple(tuple(said(*turn)) for turn in examples)
    path = tmp_path_factory.mktemp("sent") / "train.jsonl"
    path.write_bytes(chat_lines(given_, mark=mark))
    assert path.read_bytes().startswith(b"\xef\xbb\xbf") == mark
    assert conversations(path).train == given_


@given(st.lists(turns, min_size=1, max_size=5))
def test_vertex_gets_the_same_texts_in_its_own_shape(examples):
    lines = contents_lines(tuple(said(*turn)) for turn in examples).decode().split("\n")[:-1]
    for turn, line in zip(examples, lines, strict=True):
        row = json.loads(line)
        assert row["systemInstruction"]["parts"] == [{"text": turn[0]}]
        assert [(c["role"], c["parts"][0]["text"]) for c in row["contents"]] == [
            ("user", turn[1]),
            ("model", turn[2]),
        ]


def test_a_prompt_without_system_message_has_no_instruction():
    row = json.loads(contents_lines([tuple(said()[1:])]))
    assert set(row) == {"contents"}


@pytest.mark.parametrize(
    ("example", "why"),
    [
        (said()[:2], "does not end with a message of the assistant"),
        ([said()[2]], "has no message of the user"),
        ([], "has no messages"),
        ([{"role": "tutor", "content": "A"}, *said()[1:]], "the role 'tutor'"),
        (said(assistant="  "), "message of the assistant without text"),
        (said(user="half \ud800"), "half a character"),
        (said(user=None), "message of the user without text"),
        ([{**said()[0], "note": "x"}, *said()[1:]], "unknown fields"),
    ],
)
def test_an_example_that_breaks_a_rule_is_named(tmp_path, example, why):
    rows = [{"messages": said()} for _ in range(12)]
    rows[6] = {"messages": example}
    sentence = refused(tmp_path, rows)
    assert "example 7" in sentence
    assert why in sentence


def test_several_broken_examples_are_counted(tmp_path):
    rows = [{"messages": said()}] * 10 + [{"messages": said()[:1]}] * 3
    assert "example 11" in refused(tmp_path, rows)
    assert "2 more are at fault" in refused(tmp_path, rows)


def test_too_few_examples(tmp_path):
    assert "holds 9 examples and at least 10" in refused(tmp_path, [{"messages": said()}] * 9)
    prepare(NANO, write(tmp_path / "ten.jsonl", [{"messages": said()}] * 10))


def test_an_example_that_is_too_long_is_named(tmp_path):
    rows = [{"messages": said()} for _ in range(12)]
    rows[3] = {"messages": said(user="word " * 20_000)}
    assert "example 4 has about 20,0" in refused(tmp_path, rows, "openai/gpt-3.5-turbo-0125")
    prepare(NANO, write(tmp_path / "longer.jsonl", rows))  # its limit is 65,536


def test_the_size_of_the_file_is_bounded(tmp_path, monkeypatch):
    from dataclasses import replace

    monkeypatch.setitem(RULES, "openai", replace(RULES["openai"], file_bytes=1000))
    assert "at most 1,000 are taken" in refused(tmp_path, [{"messages": said()}] * 12)


def test_the_validation_file_is_checked_too(tmp_path):
    write(tmp_path / "train.jsonl", [{"messages": said()}] * 10)
    write(tmp_path / "validation.jsonl", [{"messages": said()[:2]}])
    with pytest.raises(UsageError, match="The validation file cannot be used at openai: example 1"):
        prepare(NANO, tmp_path)


def test_vertex_wants_user_and_model_in_turn(tmp_path):
    rows = [{"messages": [*said()[:2], *said()[1:]]}]
    assert "does not alternate" in refused(tmp_path, rows, "vertex_ai/gemini-2.0-flash-001")
    rows = [{"messages": [said()[1], said()[0], said()[2]]}]
    assert "system message after the beginning" in refused(tmp_path, rows, "vertex_ai/gemini-2.0-flash-001")
    found = prepare("vertex_ai/gemini-2.0-flash-001", write(tmp_path / "d.jsonl", [{"messages": said()}]))
    assert b'"contents"' in found.files["train"][0]


@pytest.mark.parametrize(
    ("line", "why"),
    [("{", "Line 2 of"), ('{"text": "A"}', "neither messages nor"), ("[1]", "neither messages nor")],
)
def test_a_line_that_is_no_example_is_named(tmp_path, line, why):
    path = tmp_path / "data.jsonl"
    path.write_text(json.dumps({"messages": said()}) + f"\n{line}\n", encoding="utf-8")
    with pytest.raises(UsageError, match=why):
        prepare(NANO, path)


@pytest.mark.parametrize("model", ["anthropic/claude", "gpt-4.1", "openai/", "local/smollm2-135m"])
def test_other_models_cannot_be_tuned_here(tmp_path, model):
    assert "Tuning is offered at openai, azure, vertex_ai" in refused(tmp_path, [], model)


def test_the_estimate_is_tokens_times_epochs_times_price(tmp_path):
    import litellm

    rows = [{"messages": said(user=f"Game {i}: A or B?")} for i in range(20)]
    found = prepare(NANO, write(tmp_path / "data.jsonl", rows), epochs=3).estimate
    tokens = sum(litellm.token_counter(model=NANO, messages=row["messages"]) for row in rows)
    assert (found.examples, found.tokens, found.epochs) == (20, tokens, 3)
    assert found.price is not None
    assert found.price.verified is False
    assert found.cost == pytest.approx(tokens * 3 * 1.5 / 1e6)
    assert "not verified" in found.sentence()


def test_a_price_is_told_for_releases_of_a_family_only():
    assert training_price("openai", "gpt-4.1-mini-2025-04-14").dollars == 5.0
    assert training_price("openai", "gpt-4.1-2025-04-14").dollars == 25.0
    assert training_price("openai", "ft:gpt-4.1-nano-2025-04-14:org:name:id").dollars == 1.5
    assert training_price("vertex_ai", "gemini-2.0-flash-001").dollars == 3.0
    for provider, base in (
        ("openai", "gpt-4.1-mega"),
        ("openai", "o9"),
        ("azure", "gpt-4.1-mini-2025-04-14"),
    ):
        assert training_price(provider, base) is None
    unknown = estimate("azure", "gpt-4.1-mini", [10] * 10, 1)
    assert unknown.cost is None
    assert "not known here" in unknown.sentence()


@given(st.integers(1, 100_000))
def test_epochs_left_to_the_provider_are_guessed_within_its_bounds(examples):
    epochs = usual_epochs(examples)
    assert 1 <= epochs <= 25
    assert epochs == 3 or (epochs > 3) == (examples < 34)
    assert examples * epochs <= 25_000 or epochs in (1, 3)


def test_every_rule_says_where_it_is_from():
    for rules in RULES.values():
        assert rules.source.startswith("https://")
        assert rules.date
        assert rules.verified is False


def test_the_page_gives_the_rules_as_they_are():
    from pathlib import Path

    page = (Path(__file__).parents[2] / "docs" / "align.md").read_text(encoding="utf-8")
    for rules in RULES.values():
        (row,) = [line for line in page.splitlines() if line.startswith("|") and rules.source in line]
        for number in (rules.least, rules.example_tokens, rules.file_bytes, rules.suffix):
            assert f" {number:,}" in row


@pytest.mark.parametrize("model", [NANO, "azure/gpt-4.1-nano", "vertex_ai/gemini-2.0-flash-001"])
def test_an_oracle_labelled_data_set_keeps_every_providers_rules(tmp_path, model):
    from ludens.preferences import homo_moralis
    from ludens.training import build_dataset

    data = build_dataset(homo_moralis(0.5), examples=24, validation=6, test=6, seed=1)
    folder = data.write(tmp_path / "data")
    found = prepare(model, data, epochs=3)
    assert found.files == prepare(model, folder, epochs=3).files
    assert found.estimate.examples == 24
    # What the data set writes for OpenAI's models is the same conversations.
    assert conversations(folder / "openai" / "train.jsonl").train == conversations(data).train
