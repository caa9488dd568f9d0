"""The Transformers engine, on a tiny model with random weights that is made here."""

from __future__ import annotations

import json
import math
import random

import pytest

pytest.importorskip("torch", reason="needs the extra `train`")
pytest.importorskip("transformers", reason="needs the extra `train`")

from ludens.agents.local.engine import ChatParams, ContextTooLongError, Ending, RequestError, Settings
from ludens.agents.local.hf import TransformersEngine
from ludens.agents.local.resolve import LocalModelError, resolve

pytestmark = [
    # Libraries of the extra warn about one another's deprecations.
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::UserWarning"),
]
TEMPLATE = (
    "{% for m in messages %}{{ '<s>' + m['role'] + ' ' + m['content'] }}{% if not loop.last %}</s>{% endif %}"
    "{% endfor %}{% if add_generation_prompt %}</s><s>assistant {% endif %}"
)
WORDS = [*"ABCDEFGHIJ", "user", "assistant", "system"]


@pytest.fixture(scope="module")
def directory(tmp_path_factory):
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    place = tmp_path_factory.mktemp("tiny")
    words = {word: i for i, word in enumerate(["<unk>", "<s>", "</s>", *WORDS])}
    tokenizer = Tokenizer(models.WordLevel(words, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        unk_token="<unk>",
        bos_token="<s>",
        eos_token="</s>",
        chat_template=TEMPLATE,
    )
    fast.save_pretrained(place)
    torch.manual_seed(0)
    sizes = {"hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
    config = LlamaConfig(
        vocab_size=len(words), max_position_embeddings=128, eos_token_id=2, bos_token_id=1, **sizes
    )
    LlamaForCausalLM(config).save_pretrained(place)
    return place


@pytest.fixture(scope="module")
def engine(directory):
    engine = TransformersEngine(resolve(str(directory)), Settings(slots=8, threads=1))
    yield engine
    engine.close()


def chat(engine, text="A B", **params):
    return engine.submit([{"role": "user", "content": text}], ChatParams(**params)).result()


def test_the_last_line_is_held_to_an_ending(engine):
    bare = [chat(engine, ending=Ending("", ("C", "J")), max_tokens=4, seed=seed) for seed in range(8)]
    assert {reply.choices[0].text for reply in bare} == {"C", "J"}
    assert {reply.choices[0].finish_reason for reply in bare} == {"stop"}
    assert max(reply.completion_tokens for reply in bare) == 2
    after = [chat(engine, ending=Ending("A ", ("C", "J")), max_tokens=3, seed=seed) for seed in range(40)]
    begun = [reply.choices[0] for reply in after if reply.choices[0].text.startswith("A")]
    assert begun
    assert {choice.text for choice in begun} <= {"A C", "A J"}
    # Other lines are free, and a reply does not end there.
    assert all(c.finish_reason == "length" for reply in after if (c := reply.choices[0]) not in begun)


def test_a_seed_gives_the_same_reply_alone_and_in_company(engine):
    alone = [chat(engine, f"{'A B ' * i}", max_tokens=6, seed=i) for i in range(6)]
    futures = [
        engine.submit([{"role": "user", "content": f"{'A B ' * i}"}], ChatParams(max_tokens=6, seed=i))
        for i in range(6)
    ]
    together = [future.result() for future in futures]
    same = sum(a.choices[0].text == b.choices[0].text for a, b in zip(alone, together, strict=True))
    assert same >= 5  # in bfloat16 a padded batch may round a close draw the other way
    assert len({reply.choices[0].text for reply in alone}) > 1


def test_rows_that_are_done_leave_the_batch_and_the_others_go_on_as_before(directory, monkeypatch):
    from transformers import LlamaForCausalLM

    sizes = []
    forward = LlamaForCausalLM.forward
    monkeypatch.setattr(
        LlamaForCausalLM,
        "forward",
        lambda self, *args, **kwargs: (
            sizes.append(len(kwargs["input_ids"])) or forward(self, *args, **kwargs)
        ),
    )
    engine = TransformersEngine(resolve(str(directory)), Settings(slots=8, threads=1))
    asked = [
        ({"role": "user", "content": "A B " * (place % 3)}, ChatParams(max_tokens=4 * place + 1, seed=place))
        for place in range(8)
    ]
    try:
        alone = [engine.submit([said], params).result().choices[0] for said, params in asked]
        sizes.clear()
        futures = [engine.submit([said], params) for said, params in asked]
        together = [future.result().choices[0] for future in futures]
    finally:
        engine.close()
    same = sum(a.text == b.text for a, b in zip(alone, together, strict=True))
    assert same >= 7  # in bfloat16 a padded batch may round a close draw the other way
    assert len({choice.text for choice in alone}) >= 7
    assert min(sizes) == 1 < max(sizes)
    assert sum(sizes) < 0.7 * max(sizes) * len(sizes)


def test_models_that_keep_more_than_keys_and_values_go_on_as_before_too(directory, tmp_path):
    """Lfm2 has convolutions, whose states cannot leave rows out."""
    import shutil

    import torch
    from transformers import Lfm2Config, Lfm2ForCausalLM

    shutil.copytree(directory, tmp_path / "lfm")
    torch.manual_seed(0)
    config = Lfm2Config(
        vocab_size=len(WORDS) + 3, hidden_size=32, intermediate_size=32, num_hidden_layers=2,
        num_attention_heads=2, num_key_value_heads=2, max_position_embeddings=128, eos_token_id=2,
        bos_token_id=1, pad_token_id=0, layer_types=["conv", "full_attention"],
    )  # fmt: skip
    Lfm2ForCausalLM(config).save_pretrained(tmp_path / "lfm")
    engine = TransformersEngine(resolve(str(tmp_path / "lfm")), Settings(slots=4, threads=1))
    asked = [ChatParams(max_tokens=3 * place + 1, seed=place) for place in range(4)]
    said = [{"role": "user", "content": "A B"}]
    try:
        alone = [engine.submit(said, params).result().choices[0].text for params in asked]
        futures = [engine.submit(said, params) for params in asked]
        together = [future.result().choices[0].text for future in futures]
    finally:
        engine.close()
    assert sum(a == b for a, b in zip(alone, together, strict=True)) >= 3


def test_choices_draw_from_seed_and_up(engine):
    three = chat(engine, n=3, max_tokens=5, seed=10)
    assert [choice.text for choice in three.choices] == [
        chat(engine, max_tokens=5, seed=10 + i).choices[0].text for i in range(3)
    ]
    assert three.completion_tokens == sum(
        chat(engine, max_tokens=5, seed=10 + i).completion_tokens for i in range(3)
    )


def test_more_choices_than_slots(engine):
    assert len(chat(engine, n=19, max_tokens=2).choices) == 19


def test_draws_follow_the_log_probabilities(engine):
    reply = chat(engine, n=400, max_tokens=1, seed=0, logprobs=True, top_logprobs=16)
    told = dict(reply.choices[0].tokens[0].top)
    # special tokens share the empty text
    assert sum(map(math.exp, dict(reply.choices[0].tokens[0].top).values())) <= 1 + 1e-4
    for word in "ABCDEF":
        share = sum(choice.text == word for choice in reply.choices) / 400
        p = math.exp(told[word])
        assert abs(share - p) < 5 * math.sqrt(p * (1 - p) / 400)


def test_greedy_takes_the_most_probable_token(engine):
    reply = chat(engine, temperature=0, max_tokens=4, logprobs=True, top_logprobs=1)
    for token in reply.choices[0].tokens:
        assert token.top[0] == (token.text, pytest.approx(token.logprob))


def test_truncation_leaves_only_what_it_says(engine):
    likeliest = chat(engine, temperature=0, max_tokens=1).choices[0].text
    for params in ({"top_k": 1}, {"top_p": 0.0}, {"min_p": 1.0}):
        reply = chat(engine, n=30, max_tokens=1, seed=0, **params)
        assert {choice.text for choice in reply.choices} == {likeliest}


def test_a_stop_text_ends_the_reply_and_is_not_in_it(engine):
    whole = chat(engine, temperature=0, max_tokens=12).choices[0]
    middle = whole.text.split()[3]
    cut = chat(engine, temperature=0, max_tokens=12, stop=(middle,)).choices[0]
    assert cut.finish_reason == "stop"
    assert cut.text == whole.text[: whole.text.index(middle)]


def test_a_final_assistant_message_is_continued(engine):
    messages = [{"role": "user", "content": "A B"}]
    greedy = ChatParams(temperature=0, max_tokens=4)
    whole = engine.submit(messages, greedy).result().choices[0].text.split()
    head = {"role": "assistant", "content": " ".join(whole[:2])}
    rest = engine.submit([*messages, head], greedy).result().choices[0].text.split()
    assert rest[:2] == whole[2:]


def test_what_it_cannot_do_is_said(engine):
    with pytest.raises(RequestError, match="JSON schema"):
        chat(engine, schema={"type": "object"})
    with pytest.raises(RequestError, match="logit_bias"):
        chat(engine, sampling={"logit_bias": {}})
    with pytest.raises(ContextTooLongError, match="128 tokens"):
        chat(engine, "A " * 200)


def test_an_adapter_runs_on_its_base(directory, tmp_path):
    pytest.importorskip("peft", reason="needs the extra `train`")
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    torch.manual_seed(1)
    base = AutoModelForCausalLM.from_pretrained(directory)
    base.name_or_path = str(directory)
    tuned = get_peft_model(
        base, LoraConfig(r=4, target_modules=["q_proj", "down_proj"], init_lora_weights=False)
    )
    tuned.save_pretrained(tmp_path)
    reference = resolve(str(tmp_path))
    assert (reference.kind, reference.base.path) == ("adapter", str(directory))
    params = {"max_tokens": 1, "logprobs": True, "top_logprobs": 16, "temperature": 0}
    engines = [
        TransformersEngine(resolve(str(place)), Settings(threads=1)) for place in (directory, tmp_path)
    ]
    plain, adapted = (dict(chat(engine, **params).choices[0].tokens[0].top) for engine in engines)
    for engine in engines:
        engine.close()
    assert max(abs(plain[word] - adapted[word]) for word in "ABCDEF") > 0.01


def test_through_litellm(directory):
    from ludens.agents.local import close_all, register

    register(str(directory), settings=Settings(threads=1))
    import litellm

    model = f"local/{directory}"
    reply = litellm.completion(
        model=model,
        messages=[{"role": "user", "content": "A"}],
        max_tokens=2,
        n=2,
        logprobs=True,
        top_logprobs=3,
    )
    assert len(reply.choices) == 2
    assert len(reply.choices[0].logprobs.content[0].top_logprobs) == 3
    assert reply.model == model
    assert not litellm.supports_response_schema(model)
    close_all()
    register(settings=Settings())


def test_a_broken_model_and_an_unreachable_one_are_said_in_a_sentence(directory, tmp_path, monkeypatch):
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "llama"}))
    with pytest.raises(LocalModelError, match="cannot be loaded") as broken:
        TransformersEngine(resolve(str(tmp_path)), Settings())
    assert "\n" not in str(broken.value)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    name = f"nobody/none-{random.randrange(10**9)}"
    with pytest.raises(LocalModelError, match="could not be fetched"):
        TransformersEngine(resolve(name), Settings())


def test_log_probabilities_are_finer_than_bfloat16(directory, engine):
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    exact = AutoModelForCausalLM.from_pretrained(directory, dtype=torch.float32)
    ids = AutoTokenizer.from_pretrained(directory).apply_chat_template(
        [{"role": "user", "content": "A B"}],
        add_generation_prompt=True,
        return_tensors="pt",
        return_dict=False,
    )
    known = exact(ids).logits[0, -1].log_softmax(-1)
    told = dict(chat(engine, max_tokens=1, logprobs=True, top_logprobs=16).choices[0].tokens[0].top)
    assert told["A"] == pytest.approx(float(known[3]), abs=0.02)
