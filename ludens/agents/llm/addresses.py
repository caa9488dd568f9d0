"""Addresses of models: how a password in one is sent, and which of them would be sent a key unasked.

A file with a model's settings may come from a stranger, and the keys of the environment are sent wherever its
addresses lead. `exposures` finds those that lead anywhere but to the model's own provider.
"""

from __future__ import annotations

import base64
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlsplit

from ludens.agents.llm.abilities import LOCAL, load
from ludens.agents.llm.faults import ModelError
from ludens.agents.secrets import is_address, is_placeholder, is_secret, masked, plain_address, remember

# The addresses that LiteLLM holds inside its calls; of other providers it tells them.
_OWN = {
    "openai": ("https://api.openai.com",),
    "text-completion-openai": ("https://api.openai.com",),
    "anthropic": ("https://api.anthropic.com",),
    "anthropic_text": ("https://api.anthropic.com",),
    "gemini": ("https://generativelanguage.googleapis.com",),
    "openrouter": ("https://openrouter.ai",),
    "cohere": ("https://api.cohere.ai", "https://api.cohere.com"),
    "cohere_chat": ("https://api.cohere.ai", "https://api.cohere.com"),
    "huggingface": ("https://router.huggingface.co",),
    "replicate": ("https://api.replicate.com",),
}
# The beginnings of the variables in which providers' keys stand. For a provider that is not here, and for one
# that is not known, every variable with a key counts.
_VARIABLES = {
    "openai": ("OPENAI_",),
    "text-completion-openai": ("OPENAI_",),
    "custom_openai": ("OPENAI_",),
    "azure": ("AZURE_",),
    "azure_ai": ("AZURE_",),
    "anthropic": ("ANTHROPIC_",),
    "anthropic_text": ("ANTHROPIC_",),
    "gemini": ("GEMINI_", "GOOGLE_"),
    "mistral": ("MISTRAL_",),
    "groq": ("GROQ_",),
    "xai": ("XAI_",),
    "deepseek": ("DEEPSEEK_",),
    "openrouter": ("OPENROUTER_", "OR_"),
    "together_ai": ("TOGETHER",),
    "cohere": ("COHERE_", "CO_"),
    "cohere_chat": ("COHERE_", "CO_"),
    "huggingface": ("HUGGINGFACE_", "HF_"),
    "hosted_vllm": ("HOSTED_VLLM_",),
    "lm_studio": ("LM_STUDIO_",),
    "llamafile": ("LLAMAFILE_",),
    "ollama": ("OLLAMA_",),
    "ollama_chat": ("OLLAMA_",),
}
# Credentials of these come from the machine or its surroundings as well, which nothing can list.
_OF_THE_MACHINE = ("bedrock", "sagemaker", "vertex_ai")
# LiteLLM signs in to these when it is asked about them.
_SIGN_IN = frozenset({"github_copilot", "chatgpt"})

# With these LiteLLM asks another model, perhaps of another provider, at the same address.
_OTHER_MODELS = frozenset(
    {"azure", "context_window_fallback_dict", "deployment_id", "fallbacks", "model_list"}
)

_MODEL_NAME = "name of the model"
"""Stands for the setting of an address that is part of the model's id."""

_PLACE = re.compile(r"(?:^|_)(?:region|location|region_name|zone|account|account_id|project|tenant)$")
_CONFUSING = re.compile(r"[\s\\\x00-\x20\x7f-\U0010ffff]")

Origin = tuple[str, str, int | None]


@dataclass(frozen=True)
class Exposure:
    """An address to which a key would be sent.

    Attributes:
        setting: the setting that holds it.
        address: as it may be shown.
        host: with the port, if it names one.
        key: the variable that holds the key, or whose credentials it is.
    """

    setting: str
    address: str
    host: str
    key: str


def reached(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return options for LiteLLM in which user and password of the address stand in a header, as its clients
    need them.

    Raises:
        ModelError: headers or a body to be added are no table.
    """
    given = dict(options)
    for name in ("extra_headers", "extra_body"):
        if not isinstance(given.get(name) or {}, Mapping):
            raise ModelError(
                f'The option {name} must be a table: write it as in --set \'{name}={{"name": "value"}}\'.'
            )
    for name in ("api_base", "base_url"):
        scheme, mark, rest = str(given.get(name) or "").partition("://")
        credentials, at, _ = re.split(r"[/?#]", rest, maxsplit=1)[0].rpartition("@")
        if at:
            both = unquote(credentials if ":" in credentials else f"{credentials}:")
            header = {"Authorization": f"Basic {base64.b64encode(both.encode()).decode()}"}
            given[name] = scheme + mark + rest.removeprefix(f"{credentials}@")
            given["extra_headers"] = {**header, **(given.get("extra_headers") or {})}
    return given


def with_headers(options: Mapping[str, Any], headers_from: Sequence[str]) -> dict[str, Any]:
    """Return options for LiteLLM with headers whose values stand in environment variables.

    Args:
        options: as they are given.
        headers_from: each ``NAME=VARIABLE``.

    Raises:
        ModelError: a variable is not set.
    """
    if not headers_from:
        return dict(options)
    headers = {}
    for name, _, variable in (each.partition("=") for each in headers_from):
        if not (value := os.environ.get(variable)):
            # What is not written as variables are may be the secret itself.
            shown = variable if variable.isupper() else f"that {name}=… names, or write the name of another"
            raise ModelError(f"The header {name} needs a value: set the environment variable {shown}.")
        headers[name] = value
    remember({"extra_headers": headers})
    return {**options, "extra_headers": {**(options.get("extra_headers") or {}), **headers}}


def origin(address: str) -> Origin | None:
    """Return scheme, host and port of an address; None if it is none that can be read in one way alone."""
    if _CONFUSING.search(address):
        return None
    try:
        parts = urlsplit(address if "://" in address else f"https://{address}")
        host, port = parts.hostname, parts.port
    except ValueError:
        return None
    if not host:
        return None
    return parts.scheme, host, port or {"https": 443, "http": 80}.get(parts.scheme)


def exposures(model: str, settings: Mapping[str, Any]) -> Iterator[Exposure]:
    """Yield the addresses in a model's settings to which a key of the environment would be sent, and which
    are not its provider's own.

    Args:
        model: its LiteLLM id; another specification of a policy counts as a model of an unknown provider.
        settings: of the policy, for LiteLLM those options that may hold addresses, nested ones too.
    """
    for nested in _models(settings):
        yield from exposures(str(nested["model"]), nested)
    rerouted = _OTHER_MODELS | {"custom_llm_provider", "use_litellm_proxy"}
    if model.startswith(LOCAL) and not any(settings.get(name) for name in rerouted):
        return
    addresses = [*_addresses(settings), *([(_MODEL_NAME, model)] if "://" in model else ())]
    if not addresses:
        return
    provider = _provider(model, settings)
    headers = settings.get("headers_from") or ()
    key = str(headers[0]).partition("=")[2] if headers else _key(provider)
    if key is None:
        return
    own = {*_own(model, provider)}
    for setting, address in addresses:
        where = None if setting == _MODEL_NAME else origin(address)
        if where is None or "@" in address or where not in own:
            yield Exposure(setting, masked(plain_address(address)), _host(address), key)


def _host(address: str) -> str:
    rest = plain_address(address).rpartition("://")[2]
    return re.split(r"[/?#\\]", rest, maxsplit=1)[0] or rest


def _addresses(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """Yield all addresses among settings, with the setting that each stands in."""
    if isinstance(value, Mapping):
        for key, each in value.items():
            yield from _addresses(each, f"{name}.{key}" if name else str(key))
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _addresses(each, name)
    elif isinstance(value, str) and value.strip():
        named = any(map(is_address, name.split(".")))
        placed = _PLACE.search(name.lower().replace("-", "_")) and not re.fullmatch(r"[\w .:-]+", value)
        if named or placed or "://" in value or value.startswith("//"):
            yield name, value


def _models(value: Any) -> Iterator[Mapping[str, Any]]:
    """Yield the models among nested options, which LiteLLM asks in place of the first one."""
    if isinstance(value, Mapping):
        for each in value.values():
            if isinstance(each, Mapping) and isinstance(each.get("model"), str):
                yield each
            yield from _models(each)
    elif isinstance(value, list | tuple):
        for each in value:
            if isinstance(each, Mapping) and isinstance(each.get("model"), str):
                yield each
            yield from _models(each)


def _provider(model: str, settings: Mapping[str, Any]) -> str:
    """Return the provider that LiteLLM would ask; empty if it is not known."""
    named = settings.get("custom_llm_provider")
    prefix = str(named) if named else model.partition("/")[0]
    elsewhere = settings.get("use_litellm_proxy") or any(settings.get(name) for name in _OTHER_MODELS)
    if prefix in _SIGN_IN or elsewhere:
        return ""
    try:
        litellm = load(model)
        return str(litellm.get_llm_provider(model, custom_llm_provider=named)[1])
    except Exception:  # LiteLLM raises various errors for what it does not know
        return ""


def _key(provider: str) -> str | None:
    """Return what would be sent: the variable that holds a provider's key; None if there is none."""
    if provider.startswith(_OF_THE_MACHINE):
        return "the credentials of this machine"
    beginnings = _VARIABLES.get(provider, ("",))
    held = [
        name
        for name, value in os.environ.items()
        if name.startswith(beginnings) and is_secret(name) and not is_placeholder(value)
    ]
    return min(held, key=lambda name: (not name.endswith("API_KEY"), name), default=None)


def _own(model: str, provider: str) -> Iterator[Origin]:
    """Yield the addresses at which the provider itself is reached, those of the environment among them."""
    addresses = list(_OWN.get(provider, ()))
    beginnings = _VARIABLES.get(provider)
    for name, value in os.environ.items():
        if beginnings and name.startswith(beginnings) and name.endswith(("_BASE", "_URL", "_ENDPOINT")):
            addresses.append(value)
    if provider:
        try:
            told = load(model).get_llm_provider(f"{provider}/model")[3]
        except Exception:  # as above
            told = None
        addresses += [told] if told else []
    for address in addresses:
        if (where := origin(address)) is not None:
            yield where
