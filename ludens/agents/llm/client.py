"""One request to a language model, through LiteLLM.

LiteLLM knows the providers, their parameters and their prices. Repeating a request after a fault of the
transport is done here, because LiteLLM hides its own repetitions (they could not be counted) and does not
heed Retry-After.
"""

from __future__ import annotations

import asyncio
import logging
import math
import os
import random
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from ludens.agents.llm.logprobs import Token
from ludens.errors import LudensError

if TYPE_CHECKING:
    from types import ModuleType

    from tenacity import RetryCallState

LONGEST_WAIT = 60.0
LOCAL = "local/"
_SPREAD = random.Random()  # waits only; no result depends on it


class ModelError(LudensError):
    """A model cannot be used, and asking again will not help: no key, no such model, a request it does not
    take.
    """


@dataclass(frozen=True)
class Endpoint:
    """How a model is reached.

    Attributes:
        model: LiteLLM's id.
        options: passed to LiteLLM as they are, for example ``api_base``.
        timeout: seconds for one request.
        transport_retries: how often a request is repeated after 429, 5xx, a time-out or a broken connection.
        retry_wait: seconds before the first repetition; the wait doubles each time, up to a minute. Where the
            server says how long to wait (Retry-After), that is waited instead, again up to a minute.
    """

    model: str
    options: Mapping[str, Any] = field(default_factory=dict)
    timeout: float = 120.0
    transport_retries: int = 4
    retry_wait: float = 1.0


@dataclass(frozen=True)
class Reply:
    """What came of a request.

    Attributes:
        text: the reply's text; None if there is none.
        refused: the provider says that the model declined, or filtered the reply.
        cut: the reply ended because it reached the limit of tokens.
        tokens: the reply's tokens with their probabilities, if they came.
        error: why there is no reply, after all repetitions.
        rejected: why the server does not take this request (status 400 or 422).
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


@dataclass(frozen=True)
class Abilities:
    """What LiteLLM knows of a model: the request parameters it takes, whether replies can be held to a JSON
    schema, whether it thinks (and spends tokens) before it replies, whether its price is known.
    """

    parameters: frozenset[str] = frozenset()
    schema: bool = False
    thinks: bool = False
    priced: bool = False


async def complete(
    endpoint: Endpoint, messages: Sequence[Mapping[str, str]], parameters: Mapping[str, Any]
) -> Reply:
    """Ask once, repeating after faults of the transport.

    Raises:
        ModelError: the model cannot be used.
        LudensError: a model on this machine cannot be loaded; the message is its own.
    """
    from tenacity import AsyncRetrying, retry_if_exception, stop_after_attempt

    litellm = load(endpoint.model)
    _check_key(litellm, endpoint)
    begun = time.monotonic()
    tries = AsyncRetrying(
        retry=retry_if_exception(_transient),
        stop=stop_after_attempt(1 + endpoint.transport_retries),
        wait=lambda state: _wait(state, endpoint.retry_wait),
        reraise=True,
    )
    try:
        response: Any = await tries(_request, litellm, endpoint, messages, parameters)
    except (TimeoutError, *litellm.exceptions.LITELLM_EXCEPTION_TYPES) as error:
        spent = {"seconds": time.monotonic() - begun, "transport_retries": _repeated(tries)}
        return _failed(litellm, endpoint, error, spent)
    return _reply(litellm, endpoint, response, time.monotonic() - begun, _repeated(tries))


async def abilities(model: str) -> Abilities:
    """What LiteLLM knows of a model. The first time this loads LiteLLM, which takes seconds.

    Raises:
        ModelError: LiteLLM knows no provider of that name.
        LudensError: a model on this machine cannot be found; the message is its own.
    """
    return _abilities(model)


@lru_cache(maxsize=256)
def _abilities(model: str) -> Abilities:
    litellm = load(model)
    if model.startswith(LOCAL):
        from ludens.agents.local import register

        register(model)
        every = frozenset(
            {"temperature", "max_tokens", "seed", "logprobs", "top_logprobs", "response_format"}
        )
        return Abilities(
            every, bool(litellm.supports_response_schema(model=model)), thinks=False, priced=True
        )
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
    """LiteLLM, imported quietly; for a model on this machine with its provider registered."""
    litellm = _litellm()
    if model.startswith(LOCAL):
        from ludens.agents.local import register

        register()
    return litellm


@lru_cache(maxsize=1)
def _litellm() -> ModuleType:
    # Without this LiteLLM asks the network for a price list when it is imported, and waits for it when
    # offline.
    os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")
    import litellm

    litellm.suppress_debug_info = True
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


def _check_key(litellm: ModuleType, endpoint: Endpoint) -> None:
    # Left to the provider's client, a missing key looks like a fault of the server, to be repeated.
    if endpoint.model.startswith(LOCAL) or {"api_key", "api_base", "mock_response"} & set(endpoint.options):
        return
    _provider(litellm, endpoint.model)
    state = litellm.validate_environment(endpoint.model)
    # Other variables (a region, an address) often have defaults that LiteLLM does not speak of.
    keys = [name for name in state["missing_keys"] if name.endswith("_API_KEY")]
    if keys and not state["keys_in_environment"]:
        raise ModelError(
            f"{endpoint.model} needs a key: set the environment variable {' or '.join(sorted(keys))} "
            "(`ludens models` shows what can run here without one)."
        )


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
        # A server of one's own seldom asks for a key, but the client underneath insists on having one.
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


def _transient(error: BaseException) -> bool:
    """Whether asking again may help."""
    if isinstance(error, TimeoutError):
        return True
    if not type(error).__module__.startswith("litellm") or any(
        isinstance(e, LudensError) for e in _chain(error)
    ):
        return False
    status = getattr(error, "status_code", None)
    if status == 429:
        return "insufficient_quota" not in str(error)
    return status is None or status in (408, 409, 425) or status >= 500


def _wait(state: RetryCallState, first: float) -> float:
    error = state.outcome.exception() if state.outcome else None
    headers = getattr(error, "litellm_response_headers", None) or {}
    try:
        told = float(headers.get("retry-after", "nan"))
    except ValueError:
        told = math.nan
    if told >= 0:
        return min(told, LONGEST_WAIT)
    # Spread out, so that many requests refused together do not come back together.
    return min(first * 2.0 ** (state.attempt_number - 1), LONGEST_WAIT) * _SPREAD.uniform(0.5, 1.0)


def _repeated(tries: Any) -> int:
    return max(0, int(tries.statistics.get("attempt_number", 1)) - 1)


def _failed(litellm: ModuleType, endpoint: Endpoint, error: BaseException, spent: dict[str, Any]) -> Reply:
    for cause in _chain(error):
        if isinstance(cause, LudensError):
            raise cause
    said = _said(error)
    if isinstance(error, litellm.ContentPolicyViolationError):
        return Reply(refused=True, text=None, **spent)
    if _transient(error):
        times = spent["transport_retries"] + 1
        return Reply(error=f"No reply after {times} {'try' if times == 1 else 'tries'}: {said}", **spent)
    status = getattr(error, "status_code", None)
    if status in (400, 422):
        return Reply(rejected=said, **spent)
    raise ModelError(_lasting(endpoint, status, said)) from error


def _lasting(endpoint: Endpoint, status: int | None, said: str) -> str:
    where = endpoint.options.get("api_base") or "its provider"
    if status in (401, 403):
        state = _litellm().validate_environment(endpoint.model)
        names = [name for name in state.get("missing_keys", []) if name.endswith("_API_KEY")]
        key = " or ".join(sorted(names)) or f"{endpoint.model.split('/')[0].upper()}_API_KEY"
        return (
            f"{where} did not accept the key for {endpoint.model} ({said}): "
            f"set {key} to one that may use this model."
        )
    if status == 404:
        return (
            f"{where} knows no model {endpoint.model} ({said}): check the name "
            "(`ludens models` shows how models are named)."
        )
    return f"{endpoint.model} cannot be used ({said}): see to it and run again."


def _said(error: BaseException) -> str:
    """The provider's own words in one short line, without the layers that were put around them."""
    if isinstance(error, TimeoutError) or type(error).__name__ == "Timeout":
        return "the time for it ran out"
    text = re.sub(
        r"^(?:litellm\.)?(?:\w+Error:\s*|\w+Exception\s*-\s*|litellm\.)*",
        "",
        str(error).split("Traceback")[0],
    )
    line = " ".join(re.sub(r"[\x00-\x1f\x7f]", " ", text).split())
    return (line if len(line) <= 200 else line[:197] + "...").rstrip(".") or type(error).__name__


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__


def _reply(litellm: ModuleType, endpoint: Endpoint, response: Any, seconds: float, repeated: int) -> Reply:
    choice = response.choices[0]
    message = choice.message
    extra = getattr(message, "provider_specific_fields", None) or {}
    usage = getattr(response, "usage", None)
    return Reply(
        text=message.content,
        refused=bool(getattr(message, "refusal", None) or extra.get("refusal"))
        or choice.finish_reason == "content_filter",
        cut=choice.finish_reason == "length",
        tokens=_tokens(getattr(choice, "logprobs", None)),
        prompt_tokens=int(getattr(usage, "prompt_tokens", 0) or 0),
        completion_tokens=int(getattr(usage, "completion_tokens", 0) or 0),
        cost=_cost(litellm, endpoint.model, response),
        seconds=seconds,
        transport_retries=repeated,
    )


def _cost(litellm: ModuleType, model: str, response: Any) -> float:
    if not _abilities(model).priced:
        return 0.0
    try:
        return float(litellm.completion_cost(completion_response=response, model=model))
    except Exception:  # LiteLLM raises bare exceptions where a price cannot be told
        return 0.0


def _tokens(logprobs: Any) -> tuple[Token, ...]:
    content = getattr(logprobs, "content", None) or []
    found = []
    for entry in content:
        seen = {item.token: math.exp(item.logprob) for item in entry.top_logprobs or []}
        seen.setdefault(entry.token, math.exp(entry.logprob))
        found.append(Token(entry.token, tuple(seen.items())))
    return tuple(found)
