"""The model to tune, in the types that training wants."""

from __future__ import annotations

import contextlib
import io
from pathlib import Path
from typing import Any

from ludens.agents.local.resolve import LocalModelError, Reference


def load_base(reference: Reference, *, trained: bool) -> tuple[Any, Any]:
    """A model and its tokenizer.

    Args:
        reference: an embedded model, a GGUF file (whose weights are dequantised), a directory or a hub's id.
        trained: all weights will be trained, and are float32; else they stay as they are, in bfloat16.

    Raises:
        LocalModelError: it cannot be loaded, or has no chat template.
    """
    import torch
    import transformers

    gguf = reference.kind in ("embedded", "gguf")
    where = str(Path(reference.path).parent) if gguf else reference.path
    options: dict[str, Any] = {"gguf_file": Path(reference.path).name} if gguf else {}
    weights = {"quantization_config": transformers.GgufConfig(dequantize=True)} if gguf else {}
    # The progress bar of GGUF files heeds no setting.
    hidden = contextlib.redirect_stderr(io.StringIO()) if gguf else contextlib.nullcontext()
    try:
        with hidden:
            tokenizer: Any = transformers.AutoTokenizer.from_pretrained(where, **options)
            model: Any = transformers.AutoModelForCausalLM.from_pretrained(
                where, dtype=torch.float32 if trained else torch.bfloat16, **options, **weights
            )
    except Exception as error:
        raise LocalModelError(
            f"The model local/{reference.name} cannot be loaded ({type(error).__name__}: "
            f"{' '.join(str(error).split())[:200]}): check {reference.path}."
        ) from error
    if tokenizer.chat_template is None:
        raise LocalModelError(
            f"The tokenizer of local/{reference.name} has no chat template, so it is no chat model: use one "
            "that has."
        )
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    # A dequantised model is an ordinary one; a leftover mark of quantisation forbids saving it.
    if gguf and hasattr(model.config, "quantization_config"):
        del model.config.quantization_config
        model.hf_quantizer = None
        model.is_quantized = False
    return model, tokenizer
