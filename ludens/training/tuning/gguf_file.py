"""Writing of a GGUF file of a tuned Llama model, from the GGUF file of its base.

The tokenizer, the chat template and the sizes are the metadata of the base's file. llama.cpp stores the rows
of query and key projections in another order than Transformers: rotary pairs are adjacent, not half a head
apart, so the rows are reordered.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ludens.training.tuning.tune import NoGgufError

Weights = Literal["F32", "BF16", "Q8_0"]

_ARCHITECTURE = "llama"
_OWN = ("GGUF.version", "GGUF.tensor_count", "GGUF.kv_count", "general.architecture", "general.file_type")


def write_gguf(state: Mapping[str, Any], pattern: Path, target: Path, weights: Weights) -> None:
    """Write a model's weights with another file's metadata.

    Args:
        state: torch tensors by Transformers' names.
        pattern: a GGUF file of the same model before it was tuned.
        target: the file to write.
        weights: the type of matrices; vectors stay float32.

    Raises:
        NoGgufError: the pattern is not a Llama model, or one of its tensors is missing.
    """
    import gguf

    reader = gguf.GGUFReader(str(pattern))
    architecture = reader.fields["general.architecture"].contents()
    if architecture != _ARCHITECTURE:
        raise NoGgufError(
            f"{pattern.name} is a model of the kind {architecture!r}; only {_ARCHITECTURE!r} is written as "
            "GGUF here: export it as safetensors, and convert those with llama.cpp's convert_hf_to_gguf.py."
        )
    heads = int(reader.fields["llama.attention.head_count"].contents())
    shared = int(reader.fields["llama.attention.head_count_kv"].contents())
    blocks = int(reader.fields["llama.block_count"].contents())
    kind = getattr(gguf.GGMLQuantizationType, weights)
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.LLAMA, blocks)
    tensors = {}
    for name, tensor in state.items():
        stored = names.get_name(name, try_suffixes=(".weight", ".bias"))
        if stored is not None:
            tensors[stored] = tensor
    writer = gguf.GGUFWriter(str(target), architecture)
    for key, field in reader.fields.items():
        if key in _OWN:
            continue
        inner = field.types[1] if len(field.types) > 1 else None
        writer.add_key_value(key, field.contents(), field.types[0], inner)
    writer.add_file_type(getattr(gguf.LlamaFileType, {"F32": "ALL_F32"}.get(weights, f"MOSTLY_{weights}")))
    for old in reader.tensors:
        if old.name not in tensors:
            raise NoGgufError(f"The tuned model has no {old.name}, which {pattern.name} has.")
        values = tensors[old.name].float().cpu().numpy()
        if old.name.endswith("attn_q.weight"):
            values = _interleaved(values, heads)
        elif old.name.endswith("attn_k.weight"):
            values = _interleaved(values, shared)
        if values.ndim > 1 and weights != "F32":
            writer.add_tensor(old.name, gguf.quants.quantize(values, kind), raw_dtype=kind)
        else:
            writer.add_tensor(old.name, np.ascontiguousarray(values, dtype=np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _interleaved(rows: NDArray[np.float32], heads: int) -> NDArray[np.float32]:
    """Return the rows of a projection with the two halves of each head interleaved."""
    halves = rows.reshape(heads, 2, rows.shape[0] // heads // 2, *rows.shape[1:])
    return np.ascontiguousarray(halves.swapaxes(1, 2).reshape(rows.shape))
