"""One request to a language model, through LiteLLM.

LiteLLM knows the providers, their parameters and their prices. Requests are repeated here after a fault of
the transport, because LiteLLM hides its own repetitions, so that they could not be counted, and ignores
Retry-After.
"""

from __future__ import annotations

import asyncio
import math
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ludens.agents.llm.abilities import check_key, load, missing_keys, price_known
from ludens.agents.llm.faults import chain, is_temporary, permanent_error, provider_words, waiting_time
from ludens.agents.llm.logprobs import Token
from ludens.errors import LudensError

if TYPE_CHECKING:
    from types import ModuleType

TIMEOUT = 120.0


@dataclass(frozen=True)
class Endpoint:
    """A model and how to reach it.

    Attributes:
        model: LiteLLM's id.
        options: passed to LiteLLM unchanged, for example ``api_base``.
        timeout: seconds for one request; None for no limit.
        transport_retries: how often a request is repeated after 429, 5xx, a time-out or a broken connection.
        retry_wait: seconds before the first repetition; the wait doubles each time. Where the server says how
            long to wait (Retry-After), this counts instead. Every wait is at most a minute.
    """

    model: str
    options: Mapping[str, Any] = field(default_factory=dict)
    timeout: float | None = TIMEOUT
    transport_retries: int = 4
    retry_wait: float = 1.0


@dataclass(frozen=True)
class Reply:
    """The outcome of a request.

    Attributes:
        text: the reply's text; None if there is none.
        refused: the provider says that the model declined to answer, or that the reply was filtered.
        cut: the reply ended because it reached the limit of tokens.
        tokens: the reply's tokens with their probabilities, if the provider sent them.
        error: why there is no reply, after all repetitions; empty if there is one.
        rejected: why the server does not take this request (status 400 or 422); empty if it does.
        prompt_tokens, completion_tokens: as the provider counted them.
        cost: in US dollars; 0 where the price is unknown.
        seconds: wall-clock time, repetitions included.
        transport_retries: how often the request was repeated.
    """

    text: str | None = None
    refused: bool = False
    cut: bool = False
    tokens: tuple[Token, ...] = ()
    error: str = ""
    rejected: str = ""
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost: float = 0.0
    seconds: float = 0.0
    transport_retries: int = 0


async def complete(
    endpoint: Endpoint, messages: Sequence[Mapping[str, str]], parameters: Mapping[str, Any]
) -> Reply:
    """Make one request, and repeat it after temporary faults.

    Raises:
        ModelError: the model cannot be used.
        LudensError: a model on this machine cannot be loaded; the message says why.
    """
    from tenacity import AsyncRetrying, retry_if_exception, stop_after_attempt

    litellm = load(endpoint.model)
    check_key(endpoint.model, endpoint.options)
    begun = time.monotonic()
    tries = AsyncRetrying(
        retry=retry_if_exception(is_temporary),
        stop=stop_after_attempt(1 + endpoint.transport_retries),
        wait=lambda state: waiting_time(
            state.outcome.exception() if state.outcome else None, state.attempt_number, endpoint.retry_wait
        ),
        reraise=True,
    )
    try:
        response: Any = await tries(_request, litellm, endpoint, messages, parameters)
    except (TimeoutError, *litellm.exceptions.LITELLM_EXCEPTION_TYPES) as error:
        spent = {"seconds": time.monotonic() - begun, "transport_retries": _repeated(tries)}
        return _failed(litellm, endpoint, error, spent)
    return _reply(litellm, endpoint, response, time.monotonic() - begun, _repeated(tries))


async def _request(
    litellm: ModuleType,
    endpoint: Endpoint,
    messages: Sequence[Mapping[str, str]],
    parameters: Mapping[str, Any],
) -> Any:
    options = dict(endpoint.options)
    if (
        "api_base" in options
        and endpoint.model.startswith("openai/")
        and not os.environ.get("OPENAI_API_KEY")
    ):
        # A server of the user's own seldom needs a key, but the client underneath insists on one.
        options.setdefault("api_key", "none")
    # LiteLLM's time-out restarts with every byte that arrives; ours is for the request as a whole.
    async with asyncio.timeout(endpoint.timeout):
        return await litellm.acompletion(
            model=endpoint.model,
            messages=[dict(message) for message in messages],
            timeout=endpoint.timeout,
            max_retries=0,
            drop_params=True,
            **{**parameters, **options},
        )


def _repeated(tries: Any) -> int:
    return max(0, int(tries.statistics.get("attempt_number", 1)) - 1)


def _failed(litellm: ModuleType, endpoint: Endpoint, error: BaseException, spent: dict[str, Any]) -> Reply:
    for cause in chain(error):
        if isinstance(cause, LudensError):
            raise cause
    said = provider_words(error)
    if isinstance(error, litellm.ContentPolicyViolationError):
        return Reply(refused=True, text=None, **spent)
    if is_temporary(error):
        times = spent["transport_retries"] + 1
        return Reply(error=f"No reply after {times} {'try' if times == 1 else 'tries'}: {said}", **spent)
    if getattr(error, "status_code", None) in (400, 422):
        return Reply(rejected=said, **spent)
    where = str(endpoint.options.get("api_base") or "its provider")
    keys = missing_keys(endpoint.model) or f"{endpoint.model.split('/')[0].upper()}_API_KEY"
    raise permanent_error(error, endpoint.model, where, keys) from error


def _reply(litellm: ModuleType, endpoint: Endpoint, response: Any, seconds: float, repeated: int) -> Reply:
    usage = getattr(response, "usage", None)
    spent: dict[str, Any] = {
        "prompt_tokens": int(getattr(usage, "prompt_tokens", 0) or 0),
        "completion_tokens": int(getattr(usage, "completion_tokens", 0) or 0),
        "cost": _cost(litellm, endpoint.model, response),
        "seconds": seconds,
        "transport_retries": repeated,
    }
    if not response.choices:
        return Reply(**spent)
    choice = response.choices[0]
    message = choice.message
    extra = getattr(message, "provider_specific_fields", None) or {}
    return Reply(
        text=message.content,
        refused=bool(getattr(message, "refusal", None) or extra.get("refusal"))
        or choice.finish_reason == "content_filter",
        cut=choice.finish_reason == "length",
        tokens=_tokens(getattr(choice, "logprobs", None)),
        **spent,
    )


def _cost(litellm: ModuleType, model: str, response: Any) -> float:
    if not price_known(model):
        return 0.0
    try:
        return float(litellm.completion_cost(completion_response=response, model=model))
    except Exception:  # LiteLLM raises bare exceptions where it cannot tell a price
        return 0.0


def _tokens(logprobs: Any) -> tuple[Token, ...]:
    content = getattr(logprobs, "content", None) or []
    tokens = []
    for entry in content:
        seen = {item.token: math.exp(item.logprob) for item in entry.top_logprobs or []}
        seen.setdefault(entry.token, math.exp(entry.logprob))
        tokens.append(Token(entry.token, tuple(seen.items())))
    return tuple(tokens)
