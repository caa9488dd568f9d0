"""Export of a tuned model as merged safetensors, or as a GGUF file for llama.cpp and compatible engines."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import Any, Literal, get_args

from ludens.agents.local.resolve import Reference, resolve
from ludens.errors import UsageError
from ludens.training.tuning.base import load_base
from ludens.training.tuning.gguf_file import Weights, write_gguf
from ludens.training.tuning.tune import NoGgufError, TuningError

Format = Literal["safetensors", "gguf"]


def export(
    model: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    format: Format = "gguf",  # the usual word for it
    weights: Weights = "BF16",
) -> Path:
    """Merge a tuned model into one that needs no PEFT.

    Args:
        model: the folder of an adapter or a model, with or without ``local/``.
        out: a new folder for safetensors, a new file for GGUF.
        format: ``"safetensors"`` for Transformers and vLLM; ``"gguf"`` for llama.cpp, Ollama and the light
            engine of ludens.
        weights: the type of weights in a GGUF file, ``"F32"``, ``"BF16"`` or ``"Q8_0"``; safetensors are
            bfloat16.

    Raises:
        UsageError: an argument is invalid, or `out` exists; nothing was written.
        NoGgufError: the model cannot be one GGUF file.
        TuningError: the files cannot be written.
        LocalModelError: there is no such model.
    """
    if format not in get_args(Format):
        raise UsageError(f"A model is exported as {' or '.join(get_args(Format))}; got {format!r}.")
    if weights not in get_args(Weights):
        raise UsageError(f"The weights of a GGUF file are {', '.join(get_args(Weights))}; got {weights!r}.")
    target = Path(out)
    if target.exists():
        raise UsageError(f"{target} exists already: name a new {'file' if format == 'gguf' else 'folder'}.")
    reference = resolve(str(model))
    base = reference.base or reference
    if format == "gguf" and base.kind not in ("embedded", "gguf"):
        raise NoGgufError(
            f"{model} builds on {base.name}, which is not a GGUF file whose metadata could be kept: export "
            "it as safetensors, and convert those with llama.cpp's convert_hf_to_gguf.py."
        )
    merged, tokenizer = merge(reference)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.name}-") as place:
            draft = Path(place) / target.name
            if format == "gguf":
                write_gguf(merged.state_dict(), Path(base.path), draft, weights)
            else:
                merged.save_pretrained(draft)
                tokenizer.save_pretrained(draft)
                card = Path(reference.path) / "card.json"
                if card.is_file():
                    shutil.copy2(card, draft / card.name)
            draft.rename(target)
    except OSError as why:
        raise TuningError(f"The model could not be written to {target}: {why}.") from why
    return target


def merge(reference: Reference) -> tuple[Any, Any]:
    """Return a model with its adapter's updates added to its weights (in float32), and its tokenizer."""
    import torch

    model, tokenizer = load_base(reference, trained=True)
    return model.to(torch.bfloat16), tokenizer
