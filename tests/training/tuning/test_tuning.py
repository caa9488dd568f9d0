"""Tuning for real: a few steps on the embedded model, and on a tiny one that is killed and goes on."""

from __future__ import annotations

import json
import math
import shutil
import signal
import subprocess
import sys
from dataclasses import replace

import pytest
from typer.testing import CliRunner

pytest.importorskip("torch", reason="needs the extra `train`")
pytest.importorskip("trl", reason="needs the extra `train`")

from ludens.agents.local import close_all
from ludens.agents.local.engine import ChatParams, Settings
from ludens.agents.local.llamacpp import LlamaCppEngine
from ludens.agents.local.resolve import LocalModelError, embedded_file, resolve
from ludens.cli import app
from ludens.errors import UsageError
from ludens.preferences import HOMO_ECONOMICUS
from ludens.training import DataSet, build_dataset
from ludens.training.alignment import Sizes, load_result, make_plan, stages
from ludens.training.alignment.files import Files
from ludens.training.alignment.plan import open_folder
from ludens.training.alignment.stages import _tune, data_of, questions_of
from ludens.training.tuning import (
    Recipe,
    Reinforcement,
    TuningError,
    export,
    grpo,
    read_tuned,
    reinforce,
    rounds,
    tune,
)

tune_module = sys.modules["ludens.training.tuning.tune"]  # the package's own name is the function

pytestmark = [
    # Libraries of the extra warn about one another's deprecations.
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::UserWarning"),
]
TEMPLATE = (
    "{% for m in messages %}{{ m['role'] + ' : ' + m['content'] + ' <end> ' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ 'assistant : ' }}{% endif %}"
)


@pytest.fixture(scope="module")
def data():
    return build_dataset(HOMO_ECONOMICUS, families=["trust"], examples=24, validation=4, test=4, seed=0)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory, data):
    """A Llama of two small layers with random weights, whose words are those of the data set."""
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    place = tmp_path_factory.mktemp("tiny")
    texts = [message["content"] for example in data.train for message in example.prompt]
    texts += [example.completion for example in data.train]
    cut = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Punctuation()])
    words = {word for text in texts for word, _ in cut.pre_tokenize_str(text)}
    first = ["<unk>", "<end>", *map(str, range(20)), "user", "assistant", "system", "<", "end", ">", ":"]
    order = [*first, *sorted(words - set(first))]
    tokenizer = Tokenizer(models.WordLevel({word: i for i, word in enumerate(order)}, unk_token="<unk>"))
    tokenizer.pre_tokenizer = cut
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, unk_token="<unk>", eos_token="<end>", chat_template=TEMPLATE
    )
    fast.save_pretrained(place)
    generator = torch.get_rng_state()
    torch.manual_seed(0)
    sizes = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
    config = LlamaConfig(vocab_size=len(order), max_position_embeddings=512, eos_token_id=1, **sizes)
    LlamaForCausalLM(config).save_pretrained(place)
    torch.set_rng_state(generator)
    return place


@pytest.fixture(scope="module")
def embedded(tmp_path_factory, data):
    """The embedded model after six steps."""
    heard = []
    made = tune(
        "local/smollm2-135m",
        data,
        tmp_path_factory.mktemp("tuned") / "model",
        batch_size=4,
        threads=2,
        progress=lambda told: heard.append((told.done, told.total)),
    )
    return made, heard


def test_the_loss_of_the_embedded_model_falls(embedded):
    made, heard = embedded
    losses = [loss for _, loss in made.card["losses"]]
    assert heard == [(step, 6) for step in range(1, 7)]
    assert len(losses) == 6
    assert losses[-1] < losses[0] - 0.1


def test_the_loss_is_the_stock_one_on_rows_of_unequal_length(tiny, data, tmp_path):
    """Though it is computed at completions only, and without a mask over the padding."""
    pytest.importorskip("trl")
    import random

    import numpy as np
    import torch

    from ludens.training.tuning.worker import _trainer

    recipe = Recipe(batch_size=4, threads=1, device="cpu")
    rows = [
        {
            "prompt": [dict(message) for message in example.prompt],
            "completion": [{"role": "assistant", "content": example.completion}],
        }
        for example in data.train[:4]
    ]
    (tmp_path / "train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    # The trainer seeds everybody's generators, which is why it has a process of its own elsewhere.
    states = random.getstate(), np.random.get_state(), torch.get_rng_state()  # noqa: NPY002 - to restore it
    trainer, _, _ = _trainer(tmp_path, str(tiny), recipe)
    random.setstate(states[0]), np.random.set_state(states[1]), torch.set_rng_state(states[2])  # noqa: NPY002
    batch = next(iter(trainer.get_train_dataloader()))
    assert not batch["attention_mask"].all()
    with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
        ours = trainer.compute_loss(trainer.model, dict(batch))
        stock = super(type(trainer), trainer).compute_loss(trainer.model, dict(batch))
    assert float(ours) == pytest.approx(float(stock), rel=1e-3)


def test_the_adapter_answers_at_once_as_a_local_model(embedded, data):
    """By the probabilities of the tuned weights, not by those of the base."""
    import torch

    from ludens.agents.local.hf import TransformersEngine
    from ludens.training.tuning.base import load_base

    made, _ = embedded
    reference = resolve(made.name)
    assert reference.kind == "adapter"
    assert reference.base is not None
    assert reference.base.kind == "embedded"
    prompt = [dict(message) for message in data.test[0].prompt]
    engine = TransformersEngine(reference, Settings(threads=1))
    try:
        params = ChatParams(max_tokens=1, temperature=0.0, logprobs=True, top_logprobs=10)
        reply = engine.submit(prompt, params).result()
    finally:
        engine.close()
    (token,) = reply.choices[0].tokens
    said = dict(token.top)

    def computed(of):
        model, tokenizer = load_base(of, trained=True)
        ids = tokenizer.apply_chat_template(
            prompt, add_generation_prompt=True, return_tensors="pt", return_dict=True
        )["input_ids"]
        with torch.no_grad():
            logprobs = model(input_ids=ids).logits[0, -1].float().log_softmax(-1)
        return {text: float(logprobs[tokenizer.encode(text)[0]]) for text in said}

    def distance(other):
        return sum(abs(said[text] - other[text]) for text in said)

    # The engine multiplies in bfloat16, which moves a rare token by some tenths.
    assert distance(computed(reference)) < distance(computed(reference.base)) / 3


def test_the_card_says_how_it_was_made(embedded, data):
    card = read_tuned(embedded[0].folder).card
    assert card["base"] == "smollm2-135m"
    assert card["data"]["hash"] == data.card.hash
    assert card["recipe"]["seed"] == 0
    assert card["versions"]["trl"]
    assert card["seconds"] > 0


def test_an_exported_file_holds_the_merged_weights(embedded, tmp_path):
    """Read back by Transformers' own reader of GGUF files, which knows llama.cpp's order of rows."""
    import torch

    from ludens.training.tuning.base import load_base
    from ludens.training.tuning.export import merge

    made, _ = embedded
    file = export(made.folder, tmp_path / "tuned.gguf", weights="BF16")
    merged, _ = merge(resolve(made.name))
    back, _ = load_base(resolve(str(file)), trained=False)
    before, _ = load_base(resolve("smollm2-135m"), trained=False)
    mine, theirs, old = merged.state_dict(), back.state_dict(), before.state_dict()
    assert set(theirs) == set(mine)
    for name, values in mine.items():
        assert torch.equal(values.bfloat16(), theirs[name].bfloat16()), name
    changed = "model.layers.0.self_attn.q_proj.weight"
    assert not torch.equal(theirs[changed], old[changed])

    engine = LlamaCppEngine(resolve(str(file)), Settings(threads=1))
    try:
        said = engine.submit(
            [{"role": "user", "content": "Say hello."}], ChatParams(max_tokens=8, temperature=0.0)
        ).result()
    finally:
        engine.close()
        close_all()
    assert said.choices[0].text.strip()


def test_a_killed_tuning_goes_on_to_the_same_model(tiny, data, tmp_path):
    from safetensors.torch import load_file

    data.write(tmp_path / "data")
    recipe = {"epochs": 4, "batch_size": 4, "checkpoint_steps": 4, "threads": 1, "seed": 3}
    whole = tune(str(tiny), data, tmp_path / "whole", **recipe)
    script = (
        "import os, signal\n"
        "from ludens.training.tuning import tune\n"
        "def kill(step):\n"
        "    if step.done > 4:  # the first checkpoint is written\n"
        "        os.killpg(0, signal.SIGKILL)\n"
        f"tune({str(tiny)!r}, {str(tmp_path / 'data')!r}, {str(tmp_path / 'killed')!r}, **{recipe!r},\n"
        "     progress=kill)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", script], start_new_session=True)
    assert process.wait() == -signal.SIGKILL
    checkpoints = tmp_path / "killed" / "work" / "checkpoints"
    assert list(checkpoints.glob("checkpoint-*/trainer_state.json"))
    assert not (tmp_path / "killed" / "card.json").exists()
    (checkpoints / "checkpoint-9999").mkdir()  # as if it had been killed while it wrote one

    heard = []
    again = tune(
        str(tiny), data, tmp_path / "killed", progress=lambda told: heard.append(told.done), **recipe
    )
    assert heard[0] > 1  # it did not begin anew
    one, other = (load_file(made.folder / "adapter_model.safetensors") for made in (whole, again))
    assert all((one[name] == other[name]).all() for name in one)
    assert again.card["losses"] == whole.card["losses"]
    assert tune(str(tiny), data, tmp_path / "killed", **recipe).card == again.card


@pytest.mark.parametrize("processes", [1, 2])
def test_a_failed_tuning_says_why_this_time(tiny, data, tmp_path, processes):
    base = tmp_path / "base"
    shutil.copytree(tiny, base)
    (base / "model.safetensors").write_bytes(b"no weights")
    recipe = {"batch_size": 4, "processes": processes, "threads": 1, "device": "cpu"}
    with pytest.raises(TuningError, match=r"The training stopped \(\w+: .*header"):
        tune(str(base), data, tmp_path / "out", **recipe)
    shutil.copytree(tiny, base, dirs_exist_ok=True)
    (base / "tokenizer.json").unlink()
    with pytest.raises(TuningError) as raised:
        tune(str(base), data, tmp_path / "out", **recipe)
    assert "header" not in str(raised.value)
    shutil.copytree(tiny, base, dirs_exist_ok=True)
    assert tune(str(base), data, tmp_path / "out", **recipe).card["steps"] == 6


def test_a_tuning_stops_once_it_agrees_enough(tiny, data, tmp_path, monkeypatch):
    # Random weights agree with nothing readable, so only patience can end it.
    held, finished = [], tune_module.finish

    def finish(folder, work):
        held.extend(path.name for path in (work / "checkpoints").glob("checkpoint-*"))
        return finished(folder, work)

    monkeypatch.setattr(tune_module, "finish", finish)
    made = tune(
        str(tiny),
        data,
        tmp_path / "early",
        epochs=4,
        batch_size=4,
        check_steps=2,
        checkpoint_steps=2,
        check_examples=2,
        patience=2,
        threads=1,
    )
    assert made.card["stopped_early"]
    assert [step for step, _ in made.card["agreement"]] == [2, 4, 6]
    assert made.card["steps"] == 6
    # One that is killed after its last step, before its model is written, stops there again.
    assert held == ["checkpoint-4"]


def test_agreement_is_checked_where_choices_are_held_out(tiny, data, tmp_path):
    with pytest.raises(UsageError, match="leave check_steps out"):
        tune(str(tiny), replace(data, validation=()), tmp_path / "out", check_steps=2)
    assert not (tmp_path / "out").exists()


def test_full_tuning_leaves_a_whole_model(tiny, data, tmp_path):
    made = tune(str(tiny), data, tmp_path / "full", method="full", epochs=0.5, batch_size=4, threads=1)
    assert resolve(made.name).kind == "directory"
    assert made.card["trained_parameters"] > 10_000
    merged = export(made.folder, tmp_path / "merged", format="safetensors")
    assert json.loads((merged / "config.json").read_text())["model_type"] == "llama"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"rank": 0}, "rank"),
        ({"method": "prompt"}, "method"),
        ({"epochs": -1}, "epochs"),
        ({"warmup": 1}, "warmup"),
        ({"learning": 1}, "no 'learning'"),
        ({"batch_size": 8, "processes": 3}, "divide"),
    ],
)
def test_a_wrong_recipe_is_said_before_anything_is_written(tiny, data, tmp_path, changes, said):
    with pytest.raises(UsageError, match=said):
        tune(str(tiny), data, tmp_path / "out", **changes)
    assert not (tmp_path / "out").exists()


def test_a_folder_with_other_things_is_left_alone(tiny, data, tmp_path):
    (tmp_path / "mine.txt").write_text("x")
    with pytest.raises(UsageError, match="name another folder"):
        tune(str(tiny), data, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_a_model_tuned_in_another_way_is_not_taken_for_this_one(tiny, data, tmp_path):
    made = tune(str(tiny), data, tmp_path / "out", epochs=0.2, batch_size=4, threads=1)
    with pytest.raises(UsageError, match="another way"):
        tune(str(tiny), data, made.folder, epochs=0.2, batch_size=4, threads=1, seed=5)
    with pytest.raises(UsageError, match="adapter itself"):
        tune(str(made.folder), data, tmp_path / "twice")
    with pytest.raises(TuningError, match="not a GGUF file"):
        export(made.folder, tmp_path / "tiny.gguf")
    assert not (tmp_path / "tiny.gguf").exists()


def test_a_missing_base_is_said(data, tmp_path):
    with pytest.raises(LocalModelError, match="No file or directory"):
        tune("local/./nowhere", data, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_the_same_recipe_is_the_same_in_json():
    recipe = Recipe(seed=2, epochs=0.5)
    assert Recipe(**json.loads(json.dumps(recipe.to_json()))).to_json() == recipe.to_json()
    assert embedded_file().is_file()


def test_two_processes_train_together_as_one_does(tiny, data, tmp_path):
    """Each computes half of a step's examples: the same loss, and the same weights but for rounding."""
    from safetensors.torch import load_file

    made = {
        processes: tune(
            str(tiny), data, tmp_path / str(processes), batch_size=4, processes=processes, threads=1,
            device="cpu", check_steps=2, check_examples=4, enough=1.0,
        )
        for processes in (1, 2)
    }  # fmt: skip
    one, two = made[1].card, made[2].card
    assert two["threads"] == 2
    assert one["steps"] == two["steps"] == 6
    assert one["agreement"] == two["agreement"]
    assert [loss for _, loss in two["losses"]] == pytest.approx([loss for _, loss in one["losses"]], rel=0.01)
    weights = [load_file(found.folder / "adapter_model.safetensors") for found in made.values()]
    for name, value in weights[0].items():
        assert float((value - weights[1][name]).abs().max()) < 2e-3, name


def test_replay_is_how_far_a_model_has_moved_from_its_base(tiny, tmp_path, monkeypatch):
    import torch
    from peft import LoraConfig, get_peft_model

    from ludens.agents.local.hf import read_weights
    from ludens.training.tuning import replay

    base, tokenizer = read_weights(resolve(f"local/{tiny}"), torch.float32)
    monkeypatch.setattr(replay, "TOKENS", 8)
    pieces = replay.written_by_base(base, tokenizer, tmp_path, pieces=6, seed=0)
    assert len(pieces) == 6
    # They are kept beside the checkpoints.
    assert replay.written_by_base(base, tokenizer, tmp_path, pieces=6, seed=1) == pieces
    for adapters in (True, False):
        model, _ = read_weights(resolve(f"local/{tiny}"), torch.float32)
        penalty = replay.Replay.of(pieces, model, adapters=adapters)
        if adapters:
            model = get_peft_model(model, LoraConfig(r=4, target_modules=["q_proj", "v_proj"]))
        assert float(penalty.loss(model, 0)) == pytest.approx(0.0, abs=1e-6)
        trained = [weights for weights in model.parameters() if weights.requires_grad]
        with torch.no_grad():
            for weights in trained:
                weights.add_(torch.randn_like(weights), alpha=0.1)
        optimizer = torch.optim.Adam(trained, lr=0.01)
        distances = []
        for _ in range(8):
            loss = penalty.loss(model, 0)
            distances.append(float(loss))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        assert 0 < distances[-1] < distances[0]
        # A piece is shared by two batches, at twice its weight in the second.
        assert penalty.loss(model, 1) == 0
        assert float(penalty.loss(model, 2)) > 0


def test_a_training_with_replay_keeps_its_pieces_and_says_so(tiny, data, tmp_path):
    made = tune(
        f"local/{tiny}", data, tmp_path / "made", replay=2.0, replay_pieces=2, batch_size=8, threads=1
    )
    assert made.card["recipe"]["replay"] == 2.0
    assert made.card["steps"] == 3


def test_adapters_are_trained_further_and_by_reward(tiny, data, tmp_path, monkeypatch):
    import torch
    from safetensors.torch import load_file

    first = tune(f"local/{tiny}", data, tmp_path / "first", batch_size=8, threads=1)
    # A learning rate of nearly nothing leaves them as they were.
    more = {"learning_rate": 1e-12, "batch_size": 24, "threads": 1}
    second = tune(f"local/{tiny}", data, tmp_path / "second", start=first.folder, **more)
    weights = [load_file(made.folder / "adapter_model.safetensors") for made in (first, second)]
    assert all(torch.allclose(weights[0][name], weights[1][name], atol=1e-6) for name in weights[0])
    assert any(value.abs().max() > 0 for name, value in weights[0].items() if "lora_B" in name)
    place = data.write(tmp_path / "data")
    wanted = Reinforcement(steps=2, turns=2, generations=2, max_tokens=6, learning_rate=0.01)
    monkeypatch.setattr(grpo, "MODULE", "ludens.no_such_module")
    with pytest.raises(TuningError, match="begins anew"):
        reinforce(first.folder, place, tmp_path / "reinforced", settings=wanted, threads=1)
    monkeypatch.undo()
    line = (
        f"align grpo {first.folder} {tmp_path / 'reinforced'} --data {place} --steps 2 --turns 2 --threads 1"
    )
    ran = CliRunner().invoke(
        app, [*line.split(), "--generations", "2", "--max-tokens", "6", "--learning-rate", "0.01", "--json"]
    )
    assert ran.exit_code == 0, ran.output
    reinforced = read_tuned(tmp_path / "reinforced")
    assert json.loads(ran.stdout)["model"] == reinforced.name
    assert json.loads(ran.stdout)["rewards"] == [reward for _, reward in reinforced.card["rewards"]]
    assert reinforced.card["steps"] == 2
    assert [step for step, _ in reinforced.card["rewards"]] == [1, 2]
    assert all(-1 <= reward <= 1 for _, reward in reinforced.card["rewards"])
    assert reinforced.card["grpo"]["generations"] == 2
    with pytest.raises(UsageError, match="not empty"):
        reinforce(first.folder, data, tmp_path / "reinforced")
    with pytest.raises(UsageError, match="generations"):
        Reinforcement(generations=1)
    assert CliRunner().invoke(app, ["align", "grpo", str(first.folder), str(tmp_path / "no")]).exit_code == 2
    with pytest.raises(UsageError, match="another rank"):
        tune(f"local/{tiny}", data, tmp_path / "third", start=first.folder, rank=4)
    with pytest.raises(UsageError, match="no adapters of the same base"):
        tune("local/smollm2-135m", data, tmp_path / "third", start=first.folder)


def test_rows_without_their_padding_have_the_same_loss(tiny):
    import torch

    from ludens.agents.local.hf import read_weights
    from ludens.training.tuning.worker import completion_loss, unpadded

    model, _ = read_weights(resolve(f"local/{tiny}"), torch.float32)
    ids = torch.randint(3, 20, (3, 12), generator=torch.Generator().manual_seed(0))
    labels, mask = ids.clone(), torch.ones_like(ids)
    labels[:, :4] = -100
    for row, length in ((0, 7), (2, 7)):
        labels[row, length:], mask[row, length:] = -100, 0
    batch = {"input_ids": ids, "labels": labels, "attention_mask": mask}
    parts = unpadded(batch)
    assert sorted(tuple(part["input_ids"].shape) for part in parts) == [(1, 12), (2, 7)]
    together, apart = completion_loss(model, batch)[0], sum(completion_loss(model, p)[0] for p in parts)
    assert float(apart) == pytest.approx(float(together), rel=1e-5)


def test_a_processor_trains_short_rows_with_plain_attention_and_the_same_gradient(tiny):
    import torch

    from ludens.agents.local.hf import read_weights
    from ludens.training.tuning.worker import ATTENTION, attention_for, completion_loss

    model, _ = read_weights(resolve(f"local/{tiny}"), torch.float32)
    per_pair = 6 * model.config.num_hidden_layers * model.config.num_attention_heads
    most = math.isqrt(ATTENTION // per_pair)
    assert attention_for(model.config, most, 1) == "eager"
    assert attention_for(model.config, most + 1, 1) == attention_for(model.config, most, 2) == "sdpa"
    ids = torch.randint(3, 20, (2, 12), generator=torch.Generator().manual_seed(0))
    labels = ids.masked_fill(torch.arange(12) < 4, -100)
    found = {}
    for name in ("eager", "sdpa"):
        model.set_attn_implementation(name)
        loss = completion_loss(model, {"input_ids": ids, "labels": labels})[0]
        weights = [value for value in model.parameters() if value.requires_grad]
        found[name] = [loss, *torch.autograd.grad(loss, weights)]
    for plain, fused in zip(found["eager"], found["sdpa"], strict=True):
        torch.testing.assert_close(plain, fused, rtol=1e-4, atol=1e-5)


def test_a_recipe_has_defaults_for_its_method_its_processes_and_its_length():
    from ludens.training.tuning.tune import _recipe

    assert (Recipe().rate(192), Recipe().batch) == (2e-3, 2)
    assert _recipe(None, {"method": "full"}).rate(192) == 2e-4
    assert _recipe(Recipe(), {"method": "full"}).rate(192) == 2e-4
    assert _recipe(Recipe(learning_rate=1e-5), {"method": "full"}).rate(9600) == 1e-5
    assert [_recipe(None, {"processes": count}).batch for count in (1, 2, 3, 4)] == [2, 2, 3, 4]
    assert Recipe(per_device=4).batch == 4
    assert Recipe(per_device=1, processes=3).batch == 3
    # The rate depends on steps, and falls with their cube root.
    assert [Recipe().rate(examples) for examples in (1, 200, 1600, 200 * 27)] == pytest.approx(
        [2e-3, 2e-3, 1e-3, 2e-3 / 3]
    )
    assert Recipe(epochs=8).rate(200) == Recipe(batch_size=1).rate(800) == pytest.approx(1e-3)
    made = Recipe(method="full", processes=3).for_data(2400)
    assert (made.learning_rate, made.batch_size) == (pytest.approx(1e-4), 3)
    again = Recipe(**json.loads(json.dumps(made.to_json())))
    assert again == made == again.for_data(12)


def test_replay_has_a_weight_of_at_least_nothing():
    with pytest.raises(UsageError, match="replay is a number of at least 0"):
        Recipe(replay=-1.0)


def begun_with_rounds(tiny, tmp_path, count):
    wanted = make_plan(
        f"local/{tiny}", "economicus", examples=12, paraphrases=False, batch_size=12, rounds=count,
        sizes=Sizes(held_out=4, others=1, thinking=0),
    )  # fmt: skip
    files = Files(open_folder(tmp_path / "made", wanted))
    return wanted, files, data_of(wanted, files)


def test_rounds_that_were_interrupted_ask_nothing_again(tiny, tmp_path, monkeypatch):
    wanted, files, data = begun_with_rounds(tiny, tmp_path, 2)
    asked = questions_of(wanted, data)
    _tune(wanted, data, asked, files, None)
    assert {path.name for path in files.tuned.iterdir()} >= {"card.json", "adapter_model.safetensors"}
    found = json.loads(files.rounds.read_text())
    assert [each["asked"] for each in found] == [12, 12]
    keys = {question.key for question in asked}
    assert not keys & {
        example.game for number in (0, 1) for example in DataSet.read(files.lessons(number)).train
    }
    steps = [step for step, _ in load_result(files.folder).tuning["losses"]]
    assert steps == sorted(set(steps))
    assert len(steps) > 1

    shutil.rmtree(files.tuned)  # as a kill in the middle of the last copy would leave it
    files.tuned.mkdir()
    monkeypatch.setattr(rounds, "next_round", lambda *_, **__: pytest.fail("asked again"))
    _tune(wanted, data, asked, files, None)
    assert files.card.exists()


def test_rounds_end_where_there_are_no_more_turns(tiny, tmp_path, monkeypatch):
    wanted, files, data = begun_with_rounds(tiny, tmp_path, 1)
    monkeypatch.setattr(stages, "_pool", lambda *_: replace(data, train=()))
    _tune(wanted, data, questions_of(wanted, data), files, None)
    assert files.card.exists()
