"""The LiteLLM provider ``local/…``, through which models on this machine are called like any others."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from concurrent.futures import Future
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from ludens.agents.local.engine import (
    Choice,
    ContextTooLongError,
    EngineReply,
    RequestError,
    Settings,
    Token,
)
from ludens.agents.local.engines import engine_for, engine_name
from ludens.agents.local.parameters import read_parameters
from ludens.agents.local.resolve import EMBEDDED, PREFIX, LocalModelError, Reference, resolve

if TYPE_CHECKING:
    from types import ModuleType

    from litellm.llms.custom_llm import CustomLLM

PROVIDER = "local"
_lock = threading.Lock()
_settings = Settings()
_described: set[str] = set()


def register(*models: str, settings: Settings | None = None) -> None:
    """Make ``litellm.completion(model="local/…")`` work in this process; calling it again changes nothing.

    LiteLLM is imported here. A reply's ``usage`` counts its tokens, and its price is 0.

    Args:
        models: names to describe to LiteLLM in advance, so that ``litellm.supports_response_schema`` knows
            them too; completions work without this.
        settings: of the engines of models loaded from now on; None leaves them unchanged.

    Raises:
        LocalModelError: there is no model of a name in `models`.
    """
    global _settings  # noqa: PLW0603 - LiteLLM's providers are per process, and so are their settings
    # Without this, LiteLLM downloads prices when it is imported, and without a network waits a long time.
    os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")
    import litellm
    from litellm.utils import custom_llm_setup

    with _lock:
        if settings is not None:
            _settings = settings
        others = [entry for entry in litellm.custom_provider_map if entry["provider"] != PROVIDER]
        if len(others) == len(litellm.custom_provider_map):
            litellm.custom_provider_map = [*others, {"provider": PROVIDER, "custom_handler": _handler()}]
            # LiteLLM itself does this only before a completion.
            custom_llm_setup()  # type: ignore[no-untyped-call]
    _describe(litellm, EMBEDDED, schema=True)
    for model in models:
        reference = resolve(model)
        _describe(litellm, reference.name, schema=takes_schema(reference))


def takes_schema(reference: Reference) -> bool:
    """Return whether the engine that runs a model holds replies to a JSON schema."""
    return engine_name(reference, _settings) == "llamacpp"


def _describe(litellm: ModuleType, name: str, *, schema: bool) -> None:
    """Register the price and the abilities of a model with LiteLLM."""
    with _lock:
        if name in _described:
            return
        _described.add(name)
        entry = {
            "litellm_provider": PROVIDER,
            "mode": "chat",
            "input_cost_per_token": 0.0,
            "output_cost_per_token": 0.0,
            # LiteLLM warns if these are missing.
            "cache_creation_input_token_cost": 0.0,
            "cache_read_input_token_cost": 0.0,
            "supports_response_schema": schema,
            "supports_system_messages": True,
        }
        litellm.register_model({PREFIX + name: entry})


@lru_cache(maxsize=1)
def _handler() -> CustomLLM:
    """Return the handler that LiteLLM calls; its class is defined here, because that imports LiteLLM."""
    from litellm.llms.custom_llm import CustomLLM

    class LocalModels(CustomLLM):
        def completion(self, *, model: str, messages: list[Any], **given: Any) -> Any:  # type: ignore[override]
            try:
                reply = _submit(model, messages, given["optional_params"]).result()
            except Exception as error:
                raise _as_litellm(error, model) from error
            return _fill(given["model_response"], model, reply)

        async def acompletion(self, *, model: str, messages: list[Any], **given: Any) -> Any:  # type: ignore[override]
            try:
                future = await _submit_aside(model, messages, given["optional_params"])
                reply = await asyncio.wrap_future(future)
            except Exception as error:
                raise _as_litellm(error, model) from error
            return _fill(given["model_response"], model, reply)

        def streaming(self, *, model: str, **_: Any) -> Any:  # type: ignore[override]
            raise _as_litellm(RequestError("Local models do not stream: leave stream=True out."), model)

        def astreaming(self, *, model: str, **_: Any) -> Any:  # type: ignore[override]
            raise _as_litellm(RequestError("Local models do not stream: leave stream=True out."), model)

    return LocalModels()


async def _submit_aside(model: str, messages: list[Any], given: dict[str, Any]) -> Future[EngineReply]:
    """Submit in a thread, since loading a model takes seconds and must not block the event loop.

    A request that is given up meanwhile is cancelled as soon as the engine has it.
    """
    submitting = asyncio.ensure_future(asyncio.to_thread(_submit, model, messages, given))
    try:
        return await asyncio.shield(submitting)
    except asyncio.CancelledError:
        submitting.add_done_callback(_cancel_submitted)
        raise


def _cancel_submitted(submitting: asyncio.Future[Future[EngineReply]]) -> None:
    if not submitting.cancelled() and submitting.exception() is None:
        submitting.result().cancel()


def _submit(model: str, messages: list[Any], given: dict[str, Any]) -> Future[EngineReply]:
    import litellm

    if not messages:
        raise RequestError("messages must hold at least one message.")
    settings = _settings
    if (batched := given.get("batched")) is not None:
        if not isinstance(batched, bool):
            raise RequestError(f"batched must be True or False, not {batched!r}.")
        settings = replace(settings, batched=batched)
    params = read_parameters({name: value for name, value in given.items() if name != "batched"})
    reference = resolve(model)
    _describe(litellm, reference.name, schema=takes_schema(reference))
    return engine_for(reference, settings).submit(messages, params)


def _as_litellm(error: Exception, model: str) -> Exception:
    """Return LiteLLM's exception for this error, so that callers see the same ones with every provider."""
    from litellm import exceptions

    said: dict[str, Any] = {"message": str(error), "model": model, "llm_provider": PROVIDER}
    match error:
        case LocalModelError():
            return exceptions.NotFoundError(**said)
        case ContextTooLongError():
            return exceptions.ContextWindowExceededError(**said)
        case RequestError():
            return exceptions.BadRequestError(**said)
        case _:
            return exceptions.InternalServerError(**said)


def _fill(response: Any, model: str, reply: EngineReply) -> Any:
    """Fill LiteLLM's response object with the engine's reply, and return it."""
    from litellm.types.utils import Choices, Message, PromptTokensDetailsWrapper, Usage

    response.created = int(time.time())
    response.model = PREFIX + model
    response.choices = [
        Choices(
            index=i,
            finish_reason=choice.finish_reason,
            message=Message(role="assistant", content=choice.text),
            logprobs=_logprobs(choice),
        )
        for i, choice in enumerate(reply.choices)
    ]
    response.usage = Usage(
        prompt_tokens=reply.prompt_tokens,
        completion_tokens=reply.completion_tokens,
        total_tokens=reply.prompt_tokens + reply.completion_tokens,
        prompt_tokens_details=PromptTokensDetailsWrapper(cached_tokens=reply.cached_tokens),
    )
    return response


def _logprobs(choice: Choice) -> Any:
    from litellm.types.utils import ChatCompletionTokenLogprob, ChoiceLogprobs, TopLogprob

    def entry(token: Token) -> ChatCompletionTokenLogprob:
        top = [TopLogprob(token=text, logprob=value, bytes=list(text.encode())) for text, value in token.top]
        return ChatCompletionTokenLogprob(
            token=token.text, logprob=token.logprob, bytes=list(token.text.encode()), top_logprobs=top
        )

    return (
        None if choice.tokens is None else ChoiceLogprobs(content=[entry(token) for token in choice.tokens])
    )
