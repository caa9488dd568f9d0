"""Models on this machine as a LiteLLM provider: ``local/smollm2-135m``, ``local/<file.gguf>``,
``local/<directory>``, ``local/<Hugging Face id>``.

`register` makes these names known to LiteLLM, `available` lists what can run here, and `resolve` finds a
model's files. Importing this package loads neither LiteLLM nor an engine.
"""

from __future__ import annotations

from ludens.agents.local.available import LocalModel, available
from ludens.agents.local.engine import Settings
from ludens.agents.local.engines import close_all
from ludens.agents.local.provider import register
from ludens.agents.local.resolve import LocalModelError, Reference, resolve

__all__ = [
    "LocalModel",
    "LocalModelError",
    "Reference",
    "Settings",
    "available",
    "close_all",
    "register",
    "resolve",
]
