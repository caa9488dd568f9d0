"""One request to a language model, through LiteLLM.

LiteLLM knows the providers, their parameters and their prices. Requests are repeated here after a fault of
the transport, because LiteLLM hides its own repetitions, so that they could not be counted, and ignores
Retry-After.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from ludens.agents.llm.abilities import check_key, load, missing_keys
from ludens.agents.llm.faults import chain, is_temporary, permanent_error, provider_words, waiting_time
from ludens.agents.llm.reply import Reply, read_reply, received
from ludens.agents.secrets import mask_error
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
        reply: Reply = await tries(_request, litellm, endpoint, messages, parameters)
    except (TimeoutError, *litellm.exceptions.LITELLM_EXCEPTION_TYPES) as error:
        spent = {"seconds": time.monotonic() - begun, "transport_retries": _repeated(tries)}
        return _failed(litellm, endpoint, error, spent)
    return replace(reply, seconds=time.monotonic() - begun, transport_retries=_repeated(tries))


async def _request(
    litellm: ModuleType,
    endpoint: Endpoint,
    messages: Sequence[Mapping[str, str]],
    parameters: Mapping[str, Any],
) -> Reply:
    options = dict(endpoint.options)
    seen: dict[str, Any] = {}
    if (
        "api_base" in options
        and endpoint.model.startswith("openai/")
        and not os.environ.get("OPENAI_API_KEY")
    ):
        # A server of the user's own seldom needs a key, but the client underneath insists on one.
        options.setdefault("api_key", "none")
    try:
        # LiteLLM's time-out restarts with every byte that arrives; ours is for the request as a whole.
        async with asyncio.timeout(endpoint.timeout):
            response: Any = await litellm.acompletion(
                model=endpoint.model,
                messages=[dict(message) for message in messages],
                timeout=endpoint.timeout,
                max_retries=0,
                drop_params=True,
                **{"logger_fn": seen.update, **parameters, **options},
            )
    except Exception:
        # LiteLLM cannot read every reply that a server sends: what came over the wire may still be one.
        if (body := received(seen.get("original_response"))) is None:
            raise
        response = body
    return read_reply(litellm, endpoint.model, response)


def _repeated(tries: Any) -> int:
    return max(0, int(tries.statistics.get("attempt_number", 1)) - 1)


def _failed(litellm: ModuleType, endpoint: Endpoint, error: BaseException, spent: dict[str, Any]) -> Reply:
    for cause in chain(error):
        if isinstance(cause, LudensError):
            raise cause
    mask_error(error)  # it may come to light as the cause of another one
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
