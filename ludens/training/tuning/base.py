"""Loading of a model for tuning, in the number types that training needs."""

from __future__ import annotations

from typing import Any

from ludens.agents.local.hf import read_weights
from ludens.agents.local.hf_sampling import end_tokens
from ludens.agents.local.resolve import Reference


def computes_bfloat16(device: str) -> bool:
    """Return whether a device (``"cpu"``, ``"cuda"``) multiplies matrices of bfloat16 in hardware.

    A processor that does not takes tens of times longer for them than for float32.
    """
    import torch

    if device != "cpu":
        return True
    return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


def plainly(model: Any, tokenizer: Any, *, tokens: int, sampled: bool) -> Any:
    """Return the configuration by which a model generates from its own distribution, at temperature 1 and
    without truncation or penalties, or greedily. What a model's own configuration says otherwise does not
    hold, and neither do the defaults of Transformers, which keep 50 tokens.

    Args:
        model: a causal language model.
        tokenizer: its tokenizer.
        tokens: largest number of tokens.
        sampled: whether tokens are drawn, by torch's global generator.
    """
    from transformers import GenerationConfig

    return GenerationConfig(
        do_sample=sampled,
        temperature=1.0,
        top_k=0,
        top_p=1.0,
        repetition_penalty=1.0,
        max_new_tokens=tokens,
        eos_token_id=end_tokens(model, tokenizer),
        pad_token_id=tokenizer.pad_token_id,
    )


def load_base(reference: Reference, *, trained: bool, device: str = "cpu") -> tuple[Any, Any]:
    """Load a model, with its adapter merged, and its tokenizer.

    Args:
        reference: the model; the weights of a GGUF file are dequantised.
        trained: whether all weights will be trained or changed; they are then float32, otherwise bfloat16
            where the device computes with it.
        device: where the model will be trained, ``"cpu"`` or ``"cuda"``.

    Raises:
        LocalModelError: the model cannot be loaded, or has no chat template.
    """
    import torch

    single = trained or not computes_bfloat16(device)
    model, tokenizer = read_weights(reference, torch.float32 if single else torch.bfloat16)
    gguf = (reference.base or reference).kind in ("embedded", "gguf")
    # A dequantised model is an ordinary one; a leftover mark of quantisation forbids saving it.
    if gguf and hasattr(model.config, "quantization_config"):
        del model.config.quantization_config
        model.hf_quantizer = None
        model.is_quantized = False
    return model, tokenizer
