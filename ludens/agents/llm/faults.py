"""Faults of requests to a model: whether one is temporary, how long to wait, and the error if it is not."""

from __future__ import annotations

import json
import math
import random
import re
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from email.utils import parsedate_to_datetime
from typing import Any

from ludens.agents.secrets import masked
from ludens.errors import LudensError

LONGEST_WAIT = 60.0
LONGEST_ASKED = 366 * 24 * 3600.0
"""Seconds; a server that asks for a longer wait does not mean it."""
LONGEST_WORDS = 8000

_SPREAD = random.Random()  # waits only; no result depends on it

_SPENT = re.compile(
    r"(?i)insufficient[_ ](?:quota|balance|credits?)|exceeded_current_quota_error|billing_hard_limit|"
    r"billing_not_active|credit balance is too low|used all available credits|requires more credits|"
    r"balance is insufficient|credit[_ ]limit|key limit exceeded|reached your specified api usage limits|"
    r"monthly spend\w*|spend\w* limit|arrearage|余额不足|欠费"
)
"""What providers say when a quota or a prepaid credit is spent: codes, types and sentences."""

_PASSING = re.compile(
    r"(?i)<html|<!doctype html|\b(?:is|still|currently) loading\b|loading (?:the )?model|"
    r"model (?:has |was |is )?(?:crashed|unloaded|overloaded|busy)|overloaded_error|"
    r"(?:server|service|engine|system) (?:is )?(?:currently |temporarily )?(?:overloaded|busy|unavailable)|"
    r"temporarily unavailable"
)
"""What a server says with status 400 that has nothing to do with the request: LM Studio of a model that has
crashed or is not loaded yet, gateways of a server behind them."""

_TEMPLATE = re.compile(
    r"(?i)system role|\bjinja|chat template|roles must alternate|context size|context length"
)

_CAUSES: tuple[tuple[type[BaseException], str], ...] = (
    (ConnectionRefusedError, "it was refused"),
    (ConnectionResetError, "it was broken off"),
    (socket.gaierror, "the name of the server is not known"),
)

_AGAIN = re.compile(r"(?i)(?:try again|retry) (?:in|after) (\d[\d.hms]*)(?: ?(s)ec)?")
"""How providers put the wait into words: "try again in 7m12.5s", "retry after 2 seconds"."""

_PARTS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}


class ModelError(LudensError):
    """An error for a model that cannot be used: there is no key or no such model, the model does not take the
    request, or its server gave no reply (`NoReplyError`).
    """


class NoReplyError(ModelError):
    """An error for a question that was not answered, because an outage or a rate limit lasted too long.

    It says nothing of the model: nothing is recorded, and the question can be asked again later.
    """


def status_of(error: BaseException) -> int | None:
    """Return the HTTP status of an error; None if it has none.

    Where an error came with status 200, LiteLLM gives that, or takes the error's own code for the status,
    which may be a word or a number of the provider's.
    """
    status = getattr(error, "status_code", None)
    if isinstance(status, str) and status.isdecimal():
        status = int(status)
    return status if isinstance(status, int) and 400 <= status <= 599 else None


def is_temporary(error: BaseException) -> bool:
    """Return whether asking again may help."""
    if isinstance(error, TimeoutError):
        return True
    if not type(error).__module__.startswith("litellm") or any(
        isinstance(e, LudensError) for e in chain(error)
    ):
        return False
    status = status_of(error)
    if is_spent(error) or is_of_template(error):
        return False
    if status in (400, 422):
        # The server does not look at the request, or a proxy before it answers in its place.
        return any(_PASSING.search(text) for text in _texts(error))
    return status is None or status in (408, 409, 425, 429) or status >= 500


def is_timeout(error: BaseException) -> bool:
    """Return whether no answer came in time."""
    return isinstance(error, TimeoutError) or type(error).__name__ == "Timeout"


def is_rate_limit(error: BaseException) -> bool:
    """Return whether the server refused the request because there were too many; waiting helps then."""
    return status_of(error) == 429 and not is_spent(error)


def has_error_status(error: BaseException) -> bool:
    """Return whether an error stands for a response with an error status, and not for one with status 200."""
    return any(type(each).__name__ == "HTTPStatusError" for each in chain(error))


def is_of_template(error: BaseException) -> bool:
    """Return whether the chat template does not take the messages, or the context cannot hold them: servers
    of llama.cpp report it as a fault of their own (status 500).
    """
    return status_of(error) == 500 and any(_TEMPLATE.search(text) for text in _texts(error))


def is_spent(error: BaseException) -> bool:
    """Return whether a quota or a prepaid credit is spent, so that waiting does not help.

    Providers say so with many statuses, in a code, in a type or in a sentence.
    """
    status = status_of(error)
    if status == 402:
        return True
    return status in (None, 400, 401, 403, 412, 429) and any(map(says_spent, _texts(error)))


def says_spent(words: str) -> bool:
    """Return whether a provider says that a quota or a prepaid credit is spent."""
    return _SPENT.search(words) is not None


def asked_wait(error: BaseException) -> float | None:
    """Return for how many seconds the server asks to wait; None if it does not, or asks for nothing sensible.

    Read are Retry-After (seconds or an HTTP date, RFC 9110 §10.2.3), ``retry-after-ms``,
    ``x-ratelimit-reset-*`` of what is used up (OpenAI), ``retryDelay`` in the body (Google), and words such
    as "try again in 20s".
    """
    for each in chain(error):
        headers = _headers(each)
        waits = [
            _number(headers.get("retry-after-ms")) / 1000,
            _number(headers.get("retry-after")),
            _until(headers.get("retry-after")),
            *(
                _duration(headers.get(f"x-ratelimit-reset-{what}"))
                for what in ("requests", "tokens")
                if _number(headers.get(f"x-ratelimit-remaining-{what}")) == 0
            ),
        ]
        if sensible := [wait for wait in waits if 0 < wait <= LONGEST_ASKED]:
            return sensible[0]
    delays = (re.search(r'"retryDelay":\s*"(\d{1,9}(?:\.\d{1,9})?)s"', text) for text in _texts(error))
    if delay := next(filter(None, delays), None):
        return float(delay[1])
    phrases = filter(None, map(_AGAIN.search, _texts(error)))
    waits = [_duration(phrase[1].rstrip(".") + (phrase[2] or "")) for phrase in phrases]
    return next((wait for wait in waits if 0 < wait <= LONGEST_ASKED), None)


def backoff(attempt: int, first: float) -> float:
    """Return how long to wait after a failed attempt if the server does not say.

    Args:
        attempt: its number, from 1.
        first: seconds to wait after the first attempt, doubled after each further one.

    Returns:
        Seconds, at most a minute, spread out so that what was refused together does not come back together.
    """
    return min(first * 2.0 ** min(attempt - 1, 60), LONGEST_WAIT) * _SPREAD.uniform(0.5, 1.0)


def waiting_time(error: BaseException | None, attempt: int, first: float) -> float:
    """Return how long to wait after a failed attempt: what the server asks for, else a `backoff`.

    Args:
        error: the fault; None if it is not known.
        attempt: its number, from 1.
        first: seconds to wait after the first attempt.

    Returns:
        Seconds, at most a minute.
    """
    asked = None if error is None else asked_wait(error)
    return backoff(attempt, first) if asked is None else min(asked, LONGEST_WAIT)


def permanent_error(error: BaseException, model: str, where: str, keys: str) -> ModelError:
    """Return the error for a fault that is not temporary.

    Args:
        error: what LiteLLM raised.
        model: the id that was asked.
        where: the address or the provider that answered.
        keys: the environment variables that hold the key.
    """
    status, said = status_of(error), provider_words(error)
    if is_spent(error):
        return ModelError(
            f"The quota or credit for {model} at {where} is spent ({said}): add to it there, then go on."
        )
    if status in (401, 403):
        again = ", or give the address with its password again by --api-base" if "://" in where else ""
        return ModelError(
            f"{where} did not accept the key for {model} ({said}): set {keys} to one that may use this "
            f"model{again}."
        )
    if "://" in where and (no_such_page(said) or (status in (404, 405) and "model" not in said.lower())):
        return ModelError(
            f"{where} is the wrong address for {model} ({said}): {_right_address(where, model)}."
        )
    if status == 404:
        return ModelError(
            f"{where} knows no model {model} ({said}): check the name "
            "(`ludens models` shows how models are named)."
        )
    return ModelError(f"{model} cannot be used ({said}): see to it and run again.")


def no_such_page(words: str) -> bool:
    """Return whether a server says that nothing is asked at this address; some say so with another status."""
    return re.search(r"(?i)unexpected endpoint|cannot post /|page not found", words) is not None


def _right_address(where: str, model: str) -> str:
    """Return which address to give in place of one where the model's provider finds nothing."""
    plain = where.rstrip("/")
    if model.partition("/")[0] in ("ollama", "ollama_chat"):
        # LiteLLM speaks Ollama's own API, and asks for it below the address.
        root = re.sub(r"/(?:v1|api)(?:/.*)?$", "", plain)
        return f"Ollama is asked at {root}" if root != plain else "check where Ollama listens"
    cut = re.sub(r"/(?:chat/)?completions$", "", plain)
    if not re.search(r"/v\d", cut):
        return f"most servers are asked at an address that ends in /v1, such as {cut}/v1"
    return f"check it, such as {cut}" if cut != plain else "check the address and its path"


def provider_words(error: BaseException) -> str:
    """Return the provider's own words on one short line, without the layers that LiteLLM puts around them."""
    if is_timeout(error):
        return "the time for it ran out"
    text = re.sub(
        r"^(?:litellm\.)?(?:\w+Error:\s*|\w+Exception\s*-\s*|litellm\.)*",
        "",
        masked(str(error)).split("Traceback")[0],
    )
    if re.search(r"(?i)<!doctype html|<html", text):
        title = re.search(r"(?is)<title[^>]*>(.*?)</title>", text)
        text = f"a web page, {title[1].strip()!r}" if title and title[1].strip() else "a web page"
    text = _message_inside(text) or text
    line = " ".join(re.sub(r"[\x00-\x1f\x7f]", " ", text).split())
    if line.rstrip(".") == "Connection error":
        causes = (why for each in chain(error) for kind, why in _CAUSES if isinstance(each, kind))
        line = f"Connection error: {why}" if (why := next(causes, "")) else line
    return (line if len(line) <= 200 else line[:197] + "...").rstrip(".") or type(error).__name__


def _message_inside(text: str) -> str:
    """Return the message of an error in JSON that a text holds; empty if it holds none."""
    try:
        body, _ = json.JSONDecoder().raw_decode(text, text.index("{"))
    except (ValueError, RecursionError):
        return ""
    said = body.get("error") or body
    said = said.get("message") if isinstance(said, Mapping) else said
    return said if isinstance(said, str) else ""


def all_words(error: BaseException) -> str:
    """Return all that a provider said, its codes included; for recognising it, not for showing it."""
    # Other errors in the chain are the clients' own words.
    return "\n".join([str(error), *(text for each in chain(error) for text in _bodies(each))])[:LONGEST_WORDS]


def chain(error: BaseException | None) -> Iterator[BaseException]:
    """Yield the error and those that it was raised from."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__


def _headers(error: BaseException) -> Mapping[str, str]:
    """Return the headers of the response, with names in lower case."""
    headers = getattr(error, "litellm_response_headers", None)
    if headers is None:  # an error that LiteLLM passed on as its client raised it
        headers = getattr(getattr(error, "response", None), "headers", None)
    return {str(name).lower(): str(value) for name, value in dict(headers or {}).items()}


def _texts(error: BaseException) -> Iterator[str]:
    """Yield all that the server said: what LiteLLM makes of it, and the body where one is kept."""
    for each in chain(error):
        yield str(each)
        yield from _bodies(each)


def _bodies(error: BaseException) -> Iterator[str]:
    """Yield the body of the response that led to an error, in the forms in which it is kept."""
    body: Any = getattr(error, "body", None)
    if isinstance(body, Mapping):
        with suppress(TypeError, ValueError):
            yield json.dumps(body, ensure_ascii=False)
    with suppress(Exception):  # a response whose body was never read raises its client's own error
        yield str(getattr(getattr(error, "response", None), "text", ""))


def _number(text: str | None) -> float:
    """Return the number that a text holds; NaN if it holds none."""
    try:
        return float(text or "nan")
    except ValueError:
        return math.nan


def _until(text: str | None) -> float:
    """Return the seconds until an HTTP date; NaN if the text is no date."""
    try:
        return parsedate_to_datetime(text or "").timestamp() - time.time()
    except (TypeError, ValueError, OverflowError):
        return math.nan


def _duration(text: str | None) -> float:
    """Return the seconds of a duration such as ``6m0s`` or ``120ms``; NaN if the text is none."""
    if not re.fullmatch(r"(?:\d{1,9}(?:\.\d{1,9})?(?:ms|[hms]))+", text or ""):
        return math.nan
    parts = re.findall(r"([\d.]+)(ms|[hms])", text or "")
    return sum(float(number) * _PARTS[unit] for number, unit in parts)
