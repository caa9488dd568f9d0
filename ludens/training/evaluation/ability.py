"""Whether a model still speaks as it did: the perplexity of a fixed text before and after.

The text is our own, plain English on everyday subjects and nothing of games (``general.txt``). Perplexity is
the exponential of the mean negative log-likelihood of a token given all before it in its paragraph; only
ratios between models with one tokenizer mean anything. A tuned model that forgot its language for the sake of
the games would show it here, and in the share of unreadable replies.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from ludens.agents.local.resolve import PREFIX, LocalModelError, resolve


@dataclass(frozen=True)
class Perplexity:
    """How well a model foresees a text.

    Attributes:
        model: the model's id.
        value: the perplexity, at least 1.
        tokens: how many tokens were foretold.
    """

    model: str
    value: float
    tokens: int


def general_text() -> tuple[str, ...]:
    """The paragraphs of the fixed text."""
    text = files("ludens.training.evaluation").joinpath("general.txt").read_text(encoding="utf-8")
    return tuple(part.strip() for part in text.split("\n\n") if part.strip())


def perplexity(model: str, paragraphs: tuple[str, ...] | None = None) -> Perplexity:
    """The perplexity of a model on this machine, by Transformers (extra ``train``).

    Args:
        model: ``local/…``: the embedded model, a GGUF file, a directory or an adapter.
        paragraphs: the text, each paragraph by itself; None for `general_text`.

    Raises:
        LocalModelError: the model is not on this machine, or cannot be loaded.
    """
    if not model.startswith(PREFIX):
        raise LocalModelError(f"Perplexity is measured of models on this machine (local/…); got {model!r}.")
    from ludens.agents.local.hf import load

    loaded, tokenizer = load(resolve(model))
    lost, tokens = _losses(loaded, tokenizer, general_text() if paragraphs is None else paragraphs)
    return Perplexity(model, math.exp(lost / tokens), tokens)


def perplexities(base: str, tuned: str) -> tuple[Perplexity, Perplexity]:
    """Before and after: of the base, and of the model tuned from it.

    Where the tuned model is an adapter of this very base, the base is loaded once, since reading a GGUF file
    takes Transformers most of the time.

    Raises:
        LocalModelError: a model is not on this machine, or cannot be loaded.
    """
    before, after = resolve(base), resolve(tuned)
    if after.base is None or after.base.path != before.path:
        return perplexity(base), perplexity(tuned)
    from ludens.agents.local.hf import load

    model, tokenizer = load(before)
    lost, tokens = _losses(model, tokenizer, general_text())
    first = Perplexity(base, math.exp(lost / tokens), tokens)
    from peft import PeftModel

    adapted = PeftModel.from_pretrained(model, after.path).merge_and_unload()
    lost, tokens = _losses(adapted, tokenizer, general_text())
    return first, Perplexity(tuned, math.exp(lost / tokens), tokens)


def _losses(model: Any, tokenizer: Any, paragraphs: tuple[str, ...]) -> tuple[float, int]:
    """The summed negative log-likelihood, in nats, and the number of tokens."""
    import torch

    lost, tokens = 0.0, 0
    for paragraph in paragraphs:
        ids = tokenizer(paragraph, return_tensors="pt").input_ids.to(model.device)
        with torch.inference_mode():
            logits = model(input_ids=ids).logits[0, :-1].float()
        loss = torch.nn.functional.cross_entropy(logits, ids[0, 1:], reduction="sum")
        lost, tokens = lost + float(loss), tokens + ids.shape[1] - 1
    return lost, tokens
