"""The model to tune, in the types that training wants."""

from __future__ import annotations

from typing import Any

from ludens.agents.local.hf import read_weights
from ludens.agents.local.resolve import Reference


def load_base(reference: Reference, *, trained: bool) -> tuple[Any, Any]:
    """A model, an adapter merged into it, and its tokenizer.

    Args:
        reference: where it lies; the weights of a GGUF file are dequantised.
        trained: all weights will be trained or added to, and are float32; else they are bfloat16.

    Raises:
        LocalModelError: it cannot be loaded, or has no chat template.
    """
    import torch

    model, tokenizer = read_weights(reference, torch.float32 if trained else torch.bfloat16)
    gguf = (reference.base or reference).kind in ("embedded", "gguf")
    # A dequantised model is an ordinary one; a leftover mark of quantisation forbids saving it.
    if gguf and hasattr(model.config, "quantization_config"):
        del model.config.quantization_config
        model.hf_quantizer = None
        model.is_quantized = False
    return model, tokenizer
