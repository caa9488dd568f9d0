"""The models that can play here now: those on this machine, and those of providers whose key is set.

Nothing is asked over a network, the value of no key is read, and LiteLLM is not loaded.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ludens.agents.local import available

if TYPE_CHECKING:
    from rich.console import Console

# The providers that most people use, each with an example of a name for LiteLLM and the variables of which
# one must be set. LiteLLM knows many more, and all of them are named in the same way.
PROVIDERS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "OpenAI": ("openai/gpt-5-mini", ("OPENAI_API_KEY",)),
    "Anthropic": ("anthropic/claude-sonnet-4-5", ("ANTHROPIC_API_KEY",)),
    "Google": ("gemini/gemini-2.5-flash", ("GEMINI_API_KEY", "GOOGLE_API_KEY")),
    "Mistral": ("mistral/mistral-small-latest", ("MISTRAL_API_KEY",)),
    "DeepSeek": ("deepseek/deepseek-chat", ("DEEPSEEK_API_KEY",)),
    "xAI": ("xai/grok-4.3", ("XAI_API_KEY",)),
    "Groq": ("groq/openai/gpt-oss-20b", ("GROQ_API_KEY",)),
    "Together AI": ("together_ai/deepseek-ai/DeepSeek-V3", ("TOGETHERAI_API_KEY",)),
    "OpenRouter": ("openrouter/openai/gpt-5-mini", ("OPENROUTER_API_KEY",)),
    "Azure OpenAI": ("azure/YOUR-DEPLOYMENT", ("AZURE_API_KEY",)),
}
SERVER = "openai/NAME"


def list_models() -> list[dict[str, Any]]:
    """List the ways to name a model, as JSON values.

    Returns:
        Entries with ``name`` (what to write), ``where`` (``"this machine"``, ``"provider"`` or ``"server"``),
        ``description``, ``ready`` (None where it is not known), ``needs`` (what to install or set; empty if
        ready) and ``keys`` (the names of the environment variables that can hold a key, set or not).
    """
    here = [_entry(m.name, "this machine", m.description, m.ready, m.missing) for m in available()]
    hosted = []
    for provider, (example, keys) in PROVIDERS.items():
        ready = any(os.environ.get(key) for key in keys)
        needs = "" if ready else f"set {' or '.join(keys)}"
        hosted.append(_entry(example, "provider", provider, ready, needs, keys=keys))
    server = _entry(
        SERVER,
        "server",
        "any OpenAI-compatible server (vLLM, Ollama, llama.cpp, LM Studio …)",
        None,
        "give its address with --api-base http://HOST:PORT/v1",
    )
    return [*here, *hosted, server]


def render(models: Sequence[Mapping[str, Any]], console: Console) -> None:
    """Print the entries of `list_models`."""
    from rich import box
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="dim")
    table.add_column("")
    table.add_column("name it", no_wrap=True)
    table.add_column("what it is")
    for model in models:
        mark = {True: "[green]✓[/]", False: "–", None: "?"}[model["ready"]]
        needs = f"\n[yellow]{escape(model['needs'])}[/]" if model["needs"] else ""
        table.add_row(mark, escape(model["name"]), escape(model["description"]) + needs)
    console.print(table)
    console.print("Any other model that LiteLLM knows is named in the same way: provider/model.", style="dim")


def _entry(
    name: str, where: str, description: str, ready: bool | None, needs: str, *, keys: Sequence[str] = ()
) -> dict[str, Any]:
    return {
        "name": name,
        "where": where,
        "description": description,
        "ready": ready,
        "needs": needs,
        "keys": list(keys),
    }
