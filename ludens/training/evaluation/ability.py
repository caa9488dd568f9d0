"""General ability: the perplexity of a fixed text before and after tuning.

The text is our own plain English on everyday subjects, not about games (``general.txt``). Perplexity is the
exponential of the mean negative log-likelihood of a token given the earlier ones in its paragraph; only
ratios between models with the same tokenizer are meaningful. A tuned model that has lost its language shows
it here, and in the share of unreadable replies.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from ludens.agents.local.resolve import PREFIX, LocalModelError, resolve


@dataclass(frozen=True)
class Perplexity:
    """The perplexity of a text for a model.

    Attributes:
        model: the model's id.
        value: the perplexity, at least 1.
        tokens: the number of predicted tokens.
    """

    model: str
    value: float
    tokens: int


def general_text() -> tuple[str, ...]:
    """Return the paragraphs of the fixed text."""
    text = files("ludens.training.evaluation").joinpath("general.txt").read_text(encoding="utf-8")
    return tuple(part.strip() for part in text.split("\n\n") if part.strip())


def perplexity(model: str, paragraphs: tuple[str, ...] | None = None) -> Perplexity:
    """Compute the perplexity of a model on this machine with Transformers (extra ``train``).

    Args:
        model: ``local/…``: the embedded model, a GGUF file, a directory or an adapter.
        paragraphs: the paragraphs of the text; None for `general_text`.

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
    """Compute the perplexities of a base model and of the model tuned from it.

    If the tuned model is an adapter of this base, the base is loaded only once, since most of the time is
    spent on reading the GGUF file.

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
    """Return the summed negative log-likelihood, in nats, and the number of tokens."""
    import torch

    lost, tokens = 0.0, 0
    for paragraph in paragraphs:
        ids = tokenizer(paragraph, return_tensors="pt").input_ids.to(model.device)
        with torch.inference_mode():
            logits = model(input_ids=ids).logits[0, :-1].float()
        loss = torch.nn.functional.cross_entropy(logits, ids[0, 1:], reduction="sum")
        lost, tokens = lost + float(loss), tokens + ids.shape[1] - 1
    return lost, tokens
