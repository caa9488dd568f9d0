"""What went wrong with a request: whether it passes, how long to wait, and the sentence for what does not
pass.
"""

from __future__ import annotations

import math
import random
import re
from collections.abc import Iterator

from ludens.errors import LudensError

LONGEST_WAIT = 60.0
_SPREAD = random.Random()  # waits only; no result depends on it


class ModelError(LudensError):
    """A model cannot be used, and asking again will not help: no key, no such model, a request it does not
    take.
    """


def passes(error: BaseException) -> bool:
    """Whether asking again may help."""
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


def wait(error: BaseException | None, attempt: int, first: float) -> float:
    """Seconds to wait after an attempt (counted from 1): what the server asked for, or `first`, doubling."""
    headers = getattr(error, "litellm_response_headers", None)
    if headers is None:  # an error that LiteLLM passed on as its client raised it
        headers = getattr(getattr(error, "response", None), "headers", None) or {}
    try:
        told = float(headers.get("retry-after", "nan"))
    except ValueError:
        told = math.nan
    if told >= 0:
        return min(told, LONGEST_WAIT)
    # Spread out, so that many requests refused together do not come back together.
    return min(first * 2.0 ** (attempt - 1), LONGEST_WAIT) * _SPREAD.uniform(0.5, 1.0)


def lasting(error: BaseException, model: str, where: str, keys: str) -> ModelError:
    """The error for a fault that does not pass.

    Args:
        error: what LiteLLM raised.
        model: the id that was asked.
        where: who answered.
        keys: the environment variables that hold its key.
    """
    status, said = getattr(error, "status_code", None), words(error)
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


def words(error: BaseException) -> str:
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


def chain(error: BaseException | None) -> Iterator[BaseException]:
    """The error and what it was raised from."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__
