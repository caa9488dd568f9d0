"""Replay: keep a model what it was before, by a penalty on how far it moves away on plain text.

Beside the completions, every second step takes a piece of text that the base model itself wrote before the
training, half of them in reply to plain instructions and half without a chat's template, and adds

    2 · weight · KL(base ‖ tuned), the mean over the tokens of the piece

to the loss. A model that is tuned on rationales alone becomes worse at everything else; this holds its
distribution near the base's wherever the data set says nothing. The instructions are our own and concern
everyday subjects, none of them those of ``ludens/training/evaluation/general.txt``.
"""

from __future__ import annotations

import copy
import itertools
import json
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

from ludens.experiments.runs.files import write_whole
from ludens.training.tuning.base import plainly

TOKENS = 96
"""Largest number of tokens that it writes in each."""
BATCH = 16
EVERY = 2
"""The number of steps for each piece. A piece costs half as much as a step of short rationales, and with one
in every second step the embedded model keeps its distribution as well."""

SUBJECTS = (
    *(
        "bread",
        "bees",
        "the moon",
        "a bicycle",
        "tea",
        "rain",
        "a library",
        "glass",
        "horses",
        "salt",
        "an island",
    ),
    *(
        "the human heart",
        "chess",
        "a bridge",
        "snow",
        "a garden",
        "paper",
        "maps",
        "wool",
        "apples",
        "a guitar",
    ),
    *(
        "the tides",
        "coffee",
        "a letter to a friend",
        "trains",
        "soap",
        "birds in winter",
        "a small shop",
        "sleep",
    ),
    *(
        "mountains",
        "the alphabet",
        "a good teacher",
        "potatoes",
        "radio",
        "fire",
        "a kitchen",
        "colours",
        "dogs",
    ),
    *(
        "a long walk",
        "elections",
        "vaccines",
        "the desert",
        "numbers",
        "painting a wall",
        "swimming",
        "a museum",
    ),
    *("the weather tomorrow", "family meals"),
)
"""Subjects of the pieces; our choice."""

ASKED = (
    "Tell me about {subject}.",
    "Write a short paragraph about {subject}.",
    "What should a child know about {subject}?",
    "Give me three facts about {subject}.",
    "Explain {subject} in two sentences.",
    "Why do people care about {subject}?",
)
BEGUN = (
    "There is more to say about {subject} than",
    "The first thing one learns about {subject} is",
    "Most people who know something about {subject}",
    "In an old book on {subject} one reads that",
)


def written_by_base(model: Any, tokenizer: Any, work: Path, *, pieces: int, seed: int) -> list[list[int]]:
    """Return the tokens of pieces that the base model writes, and keep them beside the checkpoints, so that a
    training that is resumed has the same ones.

    Args:
        model: the base, before anything is added to it.
        tokenizer: its tokenizer, with a chat template.
        work: the folder of the training.
        pieces: how many it writes.
        seed: of the draws.
    """
    kept = work / "replay.json"
    if kept.is_file():
        found: list[list[int]] = json.loads(kept.read_text(encoding="utf-8"))
        return found
    import torch

    prompts = list(itertools.islice(_prompts(tokenizer), pieces))
    was, side = model.training, tokenizer.padding_side
    state = torch.random.get_rng_state()
    torch.manual_seed(seed)
    model.eval()
    tokenizer.padding_side = "left"
    texts: list[list[int]] = []
    try:
        for start in range(0, len(prompts), BATCH):
            given = tokenizer(
                prompts[start : start + BATCH], return_tensors="pt", padding=True, add_special_tokens=False
            ).to(model.device)
            with torch.no_grad():
                how = plainly(model, tokenizer, tokens=TOKENS, sampled=True)
                out = model.generate(**given, generation_config=how)
            ends = {*how.eos_token_id, tokenizer.pad_token_id}
            for row, mask in zip(out.tolist(), given["attention_mask"].tolist(), strict=True):
                begin, length = mask.index(1), len(mask)
                end = next((place for place in range(length, len(row)) if row[place] in ends), len(row))
                texts.append(row[begin:end])
    finally:
        tokenizer.padding_side = side
        model.train(was)
        torch.random.set_rng_state(state)
    write_whole(kept, json.dumps(texts))
    return texts


def _prompts(tokenizer: Any) -> Iterator[str]:
    """Yield instructions and openings in turn, each with another subject."""
    for number in itertools.count():
        subject = SUBJECTS[number % len(SUBJECTS)]
        if number % 2:
            yield BEGUN[number // 2 % len(BEGUN)].format(subject=subject)
            continue
        asked = [{"role": "user", "content": ASKED[number // 2 % len(ASKED)].format(subject=subject)}]
        yield str(tokenizer.apply_chat_template(asked, add_generation_prompt=True, tokenize=False))


class Replay:
    """The penalty on moving away from the base.

    Args:
        pieces: tokens of the pieces of text.
        base: a copy of the base for a training of all weights; None where adapters can be switched off.
    """

    def __init__(self, pieces: Sequence[Sequence[int]], base: Any = None) -> None:
        self._pieces = [list(piece) for piece in pieces if len(piece) > 1]
        self._base = base

    @classmethod
    def of(cls, pieces: Sequence[Sequence[int]], model: Any, *, adapters: bool) -> Replay:
        """Return the penalty for a model that is trained by adapters, or as a whole."""
        if adapters:
            return cls(pieces)
        base = copy.deepcopy(model).eval()
        base.requires_grad_(False)
        return cls(pieces, base)

    def loss(self, model: Any, step: int) -> Any:
        """Return the mean divergence KL(base ‖ tuned) of a token, in nats, on the piece of a step, times the
        number of steps that share it; 0 for steps without a piece.
        """
        import torch

        number, rest = divmod(step, EVERY)
        if rest:
            return 0.0
        piece = self._pieces[number % len(self._pieces)]
        ids = torch.tensor([piece], device=next(model.parameters()).device)
        off: AbstractContextManager[Any] = (
            nullcontext() if self._base is not None else model.disable_adapter()
        )
        with torch.no_grad(), off:
            before = (self._base or model)(input_ids=ids, use_cache=False).logits[0].float()
        after = model(input_ids=ids, use_cache=False).logits[0].float()
        before, after = before.log_softmax(-1), after.log_softmax(-1)
        distance = torch.nn.functional.kl_div(after, before, log_target=True, reduction="sum")
        return distance * EVERY / len(piece)
