"""One request to a language model, through LiteLLM.

LiteLLM knows the providers, their parameters and their prices. Requests are repeated here after a fault of
the transport (see `ludens.agents.llm.circuit`), because LiteLLM hides its own repetitions, so that they could
not be counted, and ignores Retry-After.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from ludens.agents.journal import asking
from ludens.agents.llm.abilities import check_key, load, missing_keys
from ludens.agents.llm.adaptation import Request, is_about
from ludens.agents.llm.circuit import circuit_of
from ludens.agents.llm.content_filters import filtered
from ludens.agents.llm.endpoint import Endpoint
from ludens.agents.llm.faults import (
    all_words,
    chain,
    has_error_status,
    is_of_template,
    is_spent,
    no_such_page,
    permanent_error,
    provider_words,
    says_spent,
    status_of,
)
from ludens.agents.llm.rehearsal import rehearsed
from ludens.agents.llm.reply import (
    FILTERED,
    PRICES,
    Prices,
    Reply,
    broken_off,
    error_inside,
    read_reply,
    received,
)
from ludens.agents.llm.token_counts import prompt_tokens, reply_tokens
from ludens.agents.secrets import mask_error
from ludens.errors import LudensError

if TYPE_CHECKING:
    from types import ModuleType


logger = logging.getLogger("ludens")

_SAMPLING = {
    "frequency_penalty": ("frequency_penalty",),
    "presence_penalty": ("presence_penalty",),
    "reasoning_effort": ("reasoning_effort", "reasoning", "thinking"),
    "stop": ("stop", "stop_sequences"),
    "top_p": ("top_p",),
    "verbosity": ("verbosity",),
}
"""Parameters of sampling by LiteLLM's names, and the names under which providers take them."""


async def complete(
    endpoint: Endpoint, messages: Sequence[Mapping[str, str]], parameters: Mapping[str, Any]
) -> Reply:
    """Make one request, and repeat it after temporary faults for as long as there is patience.

    Raises:
        NoReplyError: an outage or a rate limit outlasted the patience.
        ModelError: the model cannot be used.
        LudensError: a model on this machine cannot be loaded, or the run's budget is spent; the message says
            which.
    """
    if (stand_in := rehearsed(endpoint, messages, parameters)) is not None:
        return stand_in
    litellm = load(endpoint.model)
    check_key(endpoint.model, endpoint.options)
    begun = time.monotonic()

    async def request() -> Reply:
        return await _request(litellm, endpoint, messages, parameters)

    async with asking(endpoint.model) as took:
        try:
            reply, repeated = await circuit_of(endpoint).send(endpoint, request)
        except tuple(litellm.exceptions.LITELLM_EXCEPTION_TYPES) as error:
            failed = _failed(litellm, endpoint, error, time.monotonic() - begun)
            if failed.refused:  # an answer like any other, as a run that goes on counts it
                took(failed)
            return failed
        took(reply)
    return reply.after(time.monotonic() - begun, repeated)


async def _request(
    litellm: ModuleType,
    endpoint: Endpoint,
    messages: Sequence[Mapping[str, str]],
    parameters: Mapping[str, Any],
) -> Reply:
    options = dict(endpoint.options)
    seen: dict[str, Any] = {}
    sent: dict[str, Any] = {}

    def note(details: dict[str, Any]) -> None:
        seen.update(details)
        if isinstance(body := (details.get("additional_args") or {}).get("complete_input_dict"), dict):
            sent.update(body)

    if isinstance(given := options.get("extra_body"), dict) and "extra_body" in parameters:
        options["extra_body"] = {**parameters["extra_body"], **given}
    if (
        "api_base" in options
        and "api_key" not in options
        and endpoint.model.startswith("openai/")
        and not os.environ.get("OPENAI_API_KEY")
    ):
        # A server of the user's own seldom needs a key, but the client underneath insists on one.
        options["api_key"] = "none"
    try:
        # LiteLLM would keep these prices for every later request of this process to a model of that name.
        sending = {name: value for name, value in options.items() if name not in PRICES}
        # LiteLLM's time-out restarts with every byte that arrives; ours is for the request as a whole.
        async with asyncio.timeout(endpoint.timeout):
            response: Any = await litellm.acompletion(
                model=endpoint.model,
                messages=[dict(message) for message in messages],
                timeout=endpoint.timeout,
                max_retries=0,
                drop_params=True,
                **{"logger_fn": note, **parameters, **sending},
            )
    except Exception as error:
        mask_error(error)  # it may come to light as the cause of another one
        if type(error) is Exception and options.get("fallbacks"):  # LiteLLM's, when none of them answered
            raise litellm.APIConnectionError(
                message=str(error), llm_provider="", model=endpoint.model
            ) from error
        # LiteLLM cannot read every reply that a server sends: what came over the wire may still be one.
        if (body := received(seen.get("original_response"))) is None:
            if isinstance(came := seen.get("original_response"), str | Mapping) and not has_error_status(
                error
            ):
                raise _of_body(litellm, endpoint, came, Request(messages, parameters)) from error
            raise
        response = body
    if error_inside(seen.get("original_response")) is not None:
        raise _of_body(litellm, endpoint, seen["original_response"], Request(messages, parameters))
    if why := broken_off(response):
        raise litellm.InternalServerError(message=why, llm_provider="", model=endpoint.model)
    if missed := _missed(endpoint.options, sent):
        _warn(endpoint.server, missed)
    left_out = "temperature" in parameters and bool(sent) and not _holds(sent, "temperature")
    reply = read_reply(
        litellm,
        endpoint.model,
        response,
        Prices.given(options),
        left_out=frozenset({"temperature"} if left_out else ()),
    )
    if reply.text and not reply.prompt_tokens and not reply.completion_tokens:
        return _counted(litellm, endpoint, messages, reply)
    return reply


def _counted(
    litellm: ModuleType, endpoint: Endpoint, messages: Sequence[Mapping[str, str]], reply: Reply
) -> Reply:
    """Return a reply of a server that counts no tokens with those that are counted here, so that budgets hold
    for it too.
    """
    counts = prompt_tokens(endpoint.model, messages), reply_tokens(endpoint.model, str(reply.text))
    prices = Prices.of_model(litellm, endpoint.model, endpoint.options)
    return replace(
        reply,
        prompt_tokens=counts[0],
        completion_tokens=counts[1],
        counted=True,
        cost=0.0 if prices is None else prices.of(*counts),
    )


def _missed(options: Mapping[str, Any], sent: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the options of sampling that LiteLLM left out of a request, as those that it knows the model not
    to take. Only bodies in the shape of OpenAI's are looked at.
    """
    if "messages" not in sent:
        return ()
    return tuple(
        name
        for name, forms in _SAMPLING.items()
        if name in options and not any(_holds(sent, form) for form in forms)
    )


@lru_cache(maxsize=256)
def _warn(server: str, missed: tuple[str, ...]) -> None:
    """Log, once for each server, which options it was not sent."""
    logger.warning("%s takes no %s: it is left out of all requests.", server, " and no ".join(missed))


def _of_body(litellm: ModuleType, endpoint: Endpoint, body: object, request: Request) -> Exception:
    """Return the error for a body that came with status 200 and is no reply.

    What such an error says of the request counts as a rejection of it. Whatever else it says is a failure of
    the server, whatever LiteLLM takes it for.
    """
    fault = error_inside(body) or {"message": "the reply was no JSON that holds an answer"}
    said, words = str(fault.get("message") or fault), json.dumps(fault, default=str, ensure_ascii=False)
    code = str(fault.get("code") or fault.get("status") or "")
    if code.isdecimal() and 400 <= int(code) <= 599:
        status = int(code)
    elif says_spent(words):
        status = 402
    elif "rate_limit" in words or "rate limit" in words.lower():
        status = 429
    else:
        status = 400 if filtered(400, words) or no_such_page(words) or is_about(words, request) else 503
    error: Exception = litellm.APIError(
        status_code=status, message=said, llm_provider="", model=endpoint.model
    )
    error.body = fault  # type: ignore[attr-defined]  # where the words of a provider are looked for
    return error


def _holds(body: Any, name: str) -> bool:
    """Return whether a request's body names a parameter, wherever the provider wants it."""
    return isinstance(body, Mapping) and (name in body or any(_holds(part, name) for part in body.values()))


def _failed(litellm: ModuleType, endpoint: Endpoint, error: BaseException, seconds: float) -> Reply:
    for cause in chain(error):
        if isinstance(cause, LudensError):
            raise cause
    said, status, told = provider_words(error), status_of(error), all_words(error)
    if not is_spent(error):
        if isinstance(error, litellm.ContentPolicyViolationError) or filtered(status, told):
            return Reply(refused=True, refusal=f"{FILTERED}{said}.", told=told, seconds=seconds)
        if (status in (400, 422) and not no_such_page(told)) or is_of_template(error):
            return Reply(rejected=said, told=told, seconds=seconds)
    keys = missing_keys(endpoint.model) or f"{endpoint.model.split('/')[0].upper()}_API_KEY"
    raise permanent_error(error, endpoint.model, endpoint.where, keys) from error
