"""LiteLLM, and what it knows of a model before the model is asked."""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import ModuleType
from typing import Any

from ludens.agents.llm.faults import ModelError

LOCAL = "local/"


@dataclass(frozen=True)
class Abilities:
    """What LiteLLM knows of a model.

    Attributes:
        parameters: the request parameters that it takes.
        schema: whether replies can be held to a JSON schema.
        thinks: whether it reasons, and spends tokens on that, before it replies.
        priced: whether its price is known.
    """

    parameters: frozenset[str] = frozenset()
    schema: bool = False
    thinks: bool = False
    priced: bool = False


def price_known(model: str) -> bool:
    """Return whether LiteLLM knows the price of a model; if not, `Call.cost` is 0 and says nothing."""
    return _abilities(model).priced


async def abilities(model: str) -> Abilities:
    """Look up what LiteLLM knows of a model. The first call loads LiteLLM, which takes seconds.

    Raises:
        ModelError: LiteLLM knows no provider of that name.
        LudensError: a model on this machine cannot be loaded; the message says why.
    """
    return _abilities(model)


def lost_abilities(model: str) -> Abilities:
    """Return what a model on another machine took, of which nothing is here but its name."""
    return _of_local(model.endswith(".gguf"))


def _of_local(schema: bool) -> Abilities:
    every = frozenset({"temperature", "max_tokens", "seed", "logprobs", "top_logprobs", "response_format"})
    return Abilities(every, schema, thinks=False, priced=True)


@lru_cache(maxsize=256)
def _abilities(model: str) -> Abilities:
    litellm = load(model)
    if model.startswith(LOCAL):
        from ludens.agents.local import resolve
        from ludens.agents.local.provider import takes_schema

        return _of_local(takes_schema(resolve(model)))
    provider = _provider(litellm, model)
    taken = litellm.get_supported_openai_params(model=model, custom_llm_provider=provider) or []
    try:
        litellm.get_model_info(model)
        priced = True
    except Exception:  # LiteLLM raises a bare Exception for a model without an entry
        priced = False
    schema, thinks = litellm.supports_response_schema(model=model), litellm.supports_reasoning(model=model)
    return Abilities(frozenset(taken), bool(schema), bool(thinks), priced)


def load(model: str) -> ModuleType:
    """Return LiteLLM, imported quietly; for a model on this machine its provider is registered as well."""
    litellm = _imported()
    if model.startswith(LOCAL):
        from ludens.agents.local import register

        register()
    return litellm


@lru_cache(maxsize=1)
def _imported() -> ModuleType:
    # Without this LiteLLM asks the network for a price list when it is imported, and waits for it when
    # offline.
    os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")
    import litellm

    litellm.suppress_debug_info = True
    # Replies of an odd form are read all the same, and nobody but their server can mend them.
    warnings.filterwarnings("ignore", message="Pydantic serializer warnings")
    if "LITELLM_LOG" not in os.environ:
        for name in ("LiteLLM", "LiteLLM Router", "LiteLLM Proxy"):
            logging.getLogger(name).setLevel(logging.CRITICAL)
    return litellm


def _provider(litellm: ModuleType, model: str) -> str:
    try:
        return str(litellm.get_llm_provider(model)[1])
    except litellm.exceptions.BadRequestError:
        raise ModelError(
            f"No provider is known for the model {model!r}: name it as provider/model, for example "
            "openai/gpt-5-mini (`ludens models` shows how models are named)."
        ) from None


def check_key(model: str, options: Mapping[str, Any]) -> None:
    """Check that there is a key for the model's provider before anything is asked.

    To the provider's client a missing key looks like a fault of the server, after which to ask again.

    Raises:
        ModelError: there is no key; the message names the environment variable.
    """
    if model.startswith(LOCAL) or {"api_key", "api_base", "mock_response"} & set(options):
        return
    litellm = load(model)
    _provider(litellm, model)
    if not litellm.validate_environment(model)["keys_in_environment"] and (keys := missing_keys(model)):
        raise ModelError(
            f"{model} needs a key: set the environment variable {keys} "
            "(`ludens models` shows what can run here without one)."
        )


def missing_keys(model: str) -> str:
    """Return the variables of which one would hold the provider's key, joined by "or"; empty if it is set."""
    # Other variables (a region, an address) often have defaults that LiteLLM does not mention.
    missing = load(model).validate_environment(model)["missing_keys"]
    return " or ".join(sorted(name for name in missing if name.endswith("_API_KEY")))
