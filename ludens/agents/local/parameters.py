"""Parameters of a request, which LiteLLM passes on unchecked under OpenAI's names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ludens.agents.local.engine import ChatParams, Ending, RequestError

MOST_TOP_LOGPROBS = 1000
_SAMPLING = ("presence_penalty", "frequency_penalty", "logit_bias")
# Addressed to the client or to the operator of the server; they do not change a reply.
_WITHOUT_EFFECT = frozenset(
    {"stream", "max_retries", "user", "metadata", "store", "stream_options", "extra_headers"}
)


def read_parameters(given: Mapping[str, Any]) -> ChatParams:
    """Return the parameters of a request.

    Raises:
        RequestError: a parameter is unknown here or out of range; none is ignored silently.
    """
    left = {key: value for key, value in given.items() if value is not None and key not in _WITHOUT_EFFECT}
    extra = left.pop("extra_body", {})
    if not isinstance(extra, Mapping):
        raise RequestError(f"extra_body must be a mapping of parameters, not {extra!r}.")
    left.update(extra)
    top_logprobs = _whole(left, "top_logprobs", 0, least=0, most=MOST_TOP_LOGPROBS) or 0
    logprobs = _flag(left, "logprobs")
    if top_logprobs and not logprobs:
        raise RequestError("top_logprobs needs logprobs=True beside it.")
    longest = _whole(left, "max_tokens", None, least=1)
    longest = _whole(left, "max_completion_tokens", longest, least=1)
    held = left.pop("response_format", None)
    ending = _ending(held)
    params = ChatParams(
        max_tokens=longest,
        temperature=_number(left, "temperature", 1.0, 0.0, 100.0),
        top_p=_number(left, "top_p", 1.0, 0.0, 1.0),
        top_k=_whole(left, "top_k", 0, least=0) or 0,
        min_p=_number(left, "min_p", 0.0, 0.0, 1.0),
        seed=_whole(left, "seed", None),
        stop=_stop(left.pop("stop", ())),
        n=_whole(left, "n", 1, least=1) or 1,
        logprobs=logprobs,
        top_logprobs=top_logprobs,
        schema=_schema(held) if ending is None else None,
        ending=ending,
        sampling={name: left.pop(name) for name in _SAMPLING if name in left},
    )
    if left:
        raise RequestError(
            f"A local model does not take the parameter {', '.join(sorted(left))}: leave it out."
        )
    return params


def _whole(
    given: dict[str, Any], name: str, default: int | None, least: int | None = None, most: int | None = None
) -> int | None:
    value = given.pop(name, default)
    if value is None:
        return None
    good = isinstance(value, int) and not isinstance(value, bool)
    if not good or (least is not None and value < least) or (most is not None and value > most):
        between = f" of at least {least}" if least is not None else ""
        between += f" and at most {most}" if most is not None else ""
        raise RequestError(f"{name} must be a whole number{between}, not {value!r}.")
    return int(value)


def _number(given: dict[str, Any], name: str, default: float, least: float, most: float) -> float:
    value = given.pop(name, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
        raise RequestError(f"{name} must be a number from {least:g} to {most:g}, not {value!r}.")
    return float(value)


def _flag(given: dict[str, Any], name: str) -> bool:
    value = given.pop(name, False)
    if not isinstance(value, bool):
        raise RequestError(f"{name} must be True or False, not {value!r}.")
    return value


def _stop(value: Any) -> tuple[str, ...]:
    texts = (value,) if isinstance(value, str) else tuple(value) if isinstance(value, Sequence) else (None,)
    if not all(isinstance(text, str) and text for text in texts):
        raise RequestError(f"stop must be a text or a list of texts that are not empty, not {value!r}.")
    return texts


def _ending(value: Any) -> Ending | None:
    """Return what the last line is held to, where a response format of our own says so."""
    if not isinstance(value, Mapping) or value.get("type") != "ending":
        return None
    start, choices = value.get("start"), value.get("choices")
    texts = isinstance(choices, list | tuple) and all(isinstance(text, str) and text for text in choices)
    if not isinstance(start, str) or not choices or not texts:
        raise RequestError(
            "response_format must be {'type': 'ending', 'start': TEXT, 'choices': [TEXT, …]}, not "
            f"{value!r}."
        )
    return Ending(start, tuple(choices))


def _schema(value: Any) -> Mapping[str, Any] | None:
    if value is None:
        return None
    kind = value.get("type") if isinstance(value, Mapping) else None
    if kind == "text":
        return None
    if kind == "json_object":
        schema = value.get("schema", {})
    elif kind == "json_schema":
        described = value.get("json_schema")
        schema = described.get("schema") if isinstance(described, Mapping) else None
    else:
        schema = None
    if not isinstance(schema, Mapping):
        raise RequestError(
            "response_format must be {'type': 'json_schema', 'json_schema': {'schema': …}}, "
            f"{{'type': 'json_object'}} or {{'type': 'text'}}, not {value!r}."
        )
    return schema
