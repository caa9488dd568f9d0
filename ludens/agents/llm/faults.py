"""Faults of requests to a model: whether one is temporary, how long to wait, and the error if it is not."""

from __future__ import annotations

import math
import random
import re
from collections.abc import Iterator

from ludens.agents.secrets import masked
from ludens.errors import LudensError

LONGEST_WAIT = 60.0
_SPREAD = random.Random()  # waits only; no result depends on it


class ModelError(LudensError):
    """An error for a model that cannot be used, where asking again will not help: there is no key or no such
    model, or the model does not take the request.
    """


def is_temporary(error: BaseException) -> bool:
    """Return whether asking again may help."""
    if isinstance(error, TimeoutError):
        return True
    if not type(error).__module__.startswith("litellm") or any(
        isinstance(e, LudensError) for e in chain(error)
    ):
        return False
    status = getattr(error, "status_code", None)
    if status == 429:
        return "insufficient_quota" not in str(error)
    return status is None or status in (408, 409, 425) or status >= 500


def waiting_time(error: BaseException | None, attempt: int, first: float) -> float:
    """Return how long to wait after a failed attempt.

    Args:
        error: the fault; None if it is not known.
        attempt: its number, from 1.
        first: seconds to wait after the first attempt, doubled after each further one, unless the server said
            how long to wait.

    Returns:
        Seconds, at most a minute.
    """
    headers = getattr(error, "litellm_response_headers", None)
    if headers is None:  # an error that LiteLLM passed on as its client raised it
        headers = getattr(getattr(error, "response", None), "headers", None) or {}
    try:
        asked = float(headers.get("retry-after", "nan"))
    except ValueError:
        asked = math.nan
    if asked >= 0:
        return min(asked, LONGEST_WAIT)
    # Spread out, so that many requests refused together do not come back together.
    return min(first * 2.0 ** (attempt - 1), LONGEST_WAIT) * _SPREAD.uniform(0.5, 1.0)


def permanent_error(error: BaseException, model: str, where: str, keys: str) -> ModelError:
    """Return the error for a fault that is not temporary.

    Args:
        error: what LiteLLM raised.
        model: the id that was asked.
        where: the address or the provider that answered.
        keys: the environment variables that hold the key.
    """
    status, said = getattr(error, "status_code", None), provider_words(error)
    if status in (401, 403):
        return ModelError(
            f"{where} did not accept the key for {model} ({said}): set {keys} to one that may use this model."
        )
    if status == 404:
        return ModelError(
            f"{where} knows no model {model} ({said}): check the name "
            "(`ludens models` shows how models are named)."
        )
    return ModelError(f"{model} cannot be used ({said}): see to it and run again.")


def provider_words(error: BaseException) -> str:
    """Return the provider's own words on one short line, without the layers that LiteLLM puts around them."""
    if isinstance(error, TimeoutError) or type(error).__name__ == "Timeout":
        return "the time for it ran out"
    text = re.sub(
        r"^(?:litellm\.)?(?:\w+Error:\s*|\w+Exception\s*-\s*|litellm\.)*",
        "",
        masked(str(error)).split("Traceback")[0],
    )
    line = " ".join(re.sub(r"[\x00-\x1f\x7f]", " ", text).split())
    return (line if len(line) <= 200 else line[:197] + "...").rstrip(".") or type(error).__name__


def chain(error: BaseException | None) -> Iterator[BaseException]:
    """Yield the error and those that it was raised from."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__
