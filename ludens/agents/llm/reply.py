"""A server's reply to one request, read whatever its form.

LiteLLM turns what providers send into the shape of OpenAI's chat completions. Servers that speak that shape
themselves fill it in many ways: content in parts or as an object, an answer as the arguments of a tool call,
thoughts in fields of several names, tokens as ids, counts that are no whole numbers. Where LiteLLM gives up
on such a body, the body is read here as it came (`received`): it was paid for.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Self

from ludens.agents.llm.abilities import price_known
from ludens.agents.llm.logprobs import Masses, Token, kept_masses
from ludens.agents.policy import Call
from ludens.agents.secrets import masked
from ludens.checks import real_number

if TYPE_CHECKING:
    from types import ModuleType

MOST_TOKENS = 10**9
"""A larger count of tokens is a slip of the server, and stands for an unknown one."""

FILTERED = "The provider's content filter: "
TURNED_DOWN = "The provider turned this prompt down: "
"""How the details of calls begin that a provider refused, and not the model."""

_TEXTS = frozenset({"text", "output_text"})
_THOUGHTS = ("reasoning_content", "reasoning", "thinking", "thinking_blocks", "reasoning_details")
_BROKEN_OFF = frozenset({"error", "abort", "insufficient_system_resource"})
"""Reasons for a reply's end of OpenRouter, vLLM and DeepSeek where the server failed."""
_ID = re.compile(r"token_id:\d+")


@dataclass(frozen=True)
class Reply:
    """The outcome of a request.

    Attributes:
        text: the reply's text; None if there is none.
        refused: the provider says that the model declined to answer, or that the reply was filtered.
        refusal: who refused and why, where it was the provider and not the model; empty otherwise.
        cut: the reply ended because it reached the limit of tokens.
        thoughts: the reply holds thoughts beside its text, in a field of their own.
        tokens: the text's tokens with their probabilities, if the provider sent them.
        ids: the provider sent tokens, by their ids alone.
        rejected: why the server does not take this request (status 400 or 422), on one short line; empty if
            it does.
        told: all that the server says of a request that it did not take; empty if it took it.
        left_out: parameters of the request that LiteLLM did not send.
        prompt_tokens, completion_tokens: as the provider counted them; 0 where it gives no sensible count.
        counted: the provider gave no counts of tokens, and these were counted here.
        cost: in US dollars; 0 where the price is unknown.
        seconds: wall-clock time, repetitions included.
        transport_retries: how often the request was repeated.
        masses: what was read from its tokens when it came, in the game's order of the options, for a reply
            that is read again from a run, which does not keep the tokens.
    """

    text: str | None = None
    refused: bool = False
    refusal: str = ""
    cut: bool = False
    thoughts: bool = False
    tokens: tuple[Token, ...] = ()
    ids: bool = False
    rejected: str = ""
    told: str = ""
    left_out: frozenset[str] = frozenset()
    prompt_tokens: int = 0
    completion_tokens: int = 0
    counted: bool = False
    cost: float = 0.0
    seconds: float = 0.0
    transport_retries: int = 0
    masses: Masses | None = None

    @property
    def marks(self) -> tuple[str, ...]:
        """What a run keeps of the reply beside its text; see `ludens.agents.policy.Call`."""
        return tuple(name for name in ("cut", "thoughts", "refused", "counted") if getattr(self, name))

    def after(self, seconds: float, transport_retries: int) -> Self:
        """Return the reply with how long the request took, and how often it was repeated."""
        timed = copy(self)  # its texts are masked already
        object.__setattr__(timed, "seconds", seconds)
        object.__setattr__(timed, "transport_retries", transport_retries)
        return timed

    def __post_init__(self) -> None:
        # A server may send back the key that it was sent.
        for name in ("text", "refusal", "rejected", "told"):
            if said := getattr(self, name):
                object.__setattr__(self, name, masked(said))


PRICES = ("input_cost_per_token", "output_cost_per_token")
"""Options of LiteLLM that say what a token of the prompt costs, and one of the reply."""


@dataclass(frozen=True)
class Prices:
    """What tokens cost.

    Attributes:
        prompt, completion: US dollars for one token of the prompt, and of the reply.
    """

    prompt: float
    completion: float

    @classmethod
    def given(cls, options: Mapping[str, Any]) -> Self | None:
        """Return the prices among the options for LiteLLM; None where there are none."""
        if not any(name in options for name in PRICES):
            return None
        return cls(*(real_number(options.get(name)) or 0.0 for name in PRICES))

    @classmethod
    def of_model(cls, litellm: ModuleType, model: str, options: Mapping[str, Any]) -> Self | None:
        """Return the prices among the options for LiteLLM, else LiteLLM's; None where it knows none."""
        if (given := cls.given(options)) is not None or not price_known(model):
            return given
        try:
            return cls(*(price / 1000 for price in litellm.cost_per_token(model, 1000, 1000)))
        except Exception:  # as in `_cost`
            return None

    def of(self, prompt: float, completion: float) -> float:
        """Return what so many tokens cost."""
        return self.prompt * prompt + self.completion * completion


def kept_reply(call: Call) -> Reply:
    """Return the reply of a call, as it is kept, to be read again."""
    refused = call.outcome == "refused" and call.detail.startswith((FILTERED, TURNED_DOWN))
    asked = bool(call.parameters.get("logprobs"))
    # The only token of a reply that was held to one is its text.
    single = asked and call.parameters.get("max_tokens") == 1 and call.reply is not None
    return Reply(
        text=call.reply,
        refusal=call.detail if refused else "",
        tokens=(Token(str(call.reply), ()),) if single else (),
        masses=kept_masses(call.option_probabilities, call.detail) if asked else None,
        cut="cut" in call.marks,
        thoughts="thoughts" in call.marks,
        refused="refused" in call.marks,
        counted="counted" in call.marks,
    )


def read_reply(
    litellm: ModuleType, model: str, response: Any, prices: Prices | None = None, **known: Any
) -> Reply:
    """Return what a server answered.

    Args:
        litellm: the module.
        model: the id that was asked.
        response: LiteLLM's object, or the body as the server sent it.
        prices: in place of LiteLLM's.
        known: further attributes of the reply.
    """
    counts = tuple(
        _count(_get(_get(response, "usage"), name)) for name in ("prompt_tokens", "completion_tokens")
    )
    choice = next(iter(_items(_get(response, "choices"))), None)
    message = _get(choice, "message")
    parts = _items(_get(message, "content"))
    text = _written(_get(message, "content"))
    if not text:
        text = _called(message) or _written(_get(choice, "text")) or text
    ended = _ended(litellm, _get(choice, "finish_reason"))
    further = _get(message, "provider_specific_fields")
    declined = _get(message, "refusal") or _get(further, "refusal")
    thoughts = any(_thought(part) for part in parts) or any(
        _get(message, name) or _get(further, name) for name in _THOUGHTS
    )
    tokens = _tokens(_get(choice, "logprobs"))
    if thoughts or (ended == "length" and not text):
        tokens = _of_text(tokens, text)
    return Reply(
        text=text,
        refused=bool(declined) or ended == "content_filter",
        refusal=f"{FILTERED}it stopped the reply." if ended == "content_filter" and not declined else "",
        cut=ended == "length",
        thoughts=thoughts,
        tokens=tokens,
        ids=not tokens and _by_ids(_get(choice, "logprobs")),
        prompt_tokens=counts[0],
        completion_tokens=counts[1],
        cost=_cost(litellm, model, response, counts) if prices is None else prices.of(*counts),
        **known,
    )


def received(body: object) -> Mapping[str, Any] | None:
    """Return a body that is a chat completion, however odd, as JSON; None if it is anything else.

    Args:
        body: what came over the wire: text, or what a client made of it.
    """
    body = _decoded(body)
    if not isinstance(body, Mapping) or "choices" not in body or body.get("error"):
        return None
    # Clients fill in what is missing, so that an answer of another kind looks like one without choices.
    return body if _items(body["choices"]) or body.get("usage") else None


def error_inside(body: object) -> Mapping[str, Any] | None:
    """Return the error that a body holds in place of a reply, with its ``message``; None if it holds none."""
    body = _decoded(body)
    said = body.get("error") if isinstance(body, Mapping) and not _items(body.get("choices")) else None
    if not said:
        return None
    return said if isinstance(said, Mapping) else {"message": str(said)}


def broken_off(response: Any) -> str:
    """Return why a server broke a reply off in the middle, which is no answer of the model; empty if it did
    not.

    Args:
        response: as in `read_reply`.
    """
    choice = next(iter(_items(_get(response, "choices"))), None)
    further = _get(choice, "provider_specific_fields")
    if fault := _get(choice, "error") or _get(further, "error"):
        return str(_get(fault, "message") or fault)
    if choice is None and not _count(_get(_get(response, "usage"), "completion_tokens")):
        return "the reply held nothing"
    reason = _get(further, "native_finish_reason") or _get(choice, "finish_reason")
    broken = isinstance(reason, str) and reason in _BROKEN_OFF
    return f"the reply ended with {reason!r}" if broken else ""


def well_formed(text: str) -> str:
    """Return a text in which U+FFFD stands for every half of a surrogate pair: no server takes one back."""
    return text if text.isascii() else text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _decoded(body: object) -> object:
    if not isinstance(body, str | bytes):
        return body
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def _ended(litellm: ModuleType, reason: object) -> str:
    """Return why a reply ended, in OpenAI's words."""
    if not isinstance(reason, str):
        return ""
    return str(litellm.litellm_core_utils.core_helpers.map_finish_reason(reason))


def _get(thing: Any, name: str) -> Any:
    if thing is None:
        return None
    kind: Any = type(thing)
    if _is_mapping(kind):
        return thing.get(name)
    # LiteLLM's objects are slow to say that they lack an attribute, and lack most of those asked for here.
    if name not in getattr(thing, "__dict__", ()):
        further = getattr(thing, "__pydantic_extra__", None)
        if isinstance(further, dict) and name not in further and not hasattr(kind, name):
            return None
    return getattr(thing, name, None)


@lru_cache(maxsize=64)
def _is_mapping(kind: type) -> bool:
    return issubclass(kind, Mapping)


def _items(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list | tuple) else ()


def _written(content: Any) -> str | None:
    """Return the text of a content: a text, parts of which some are text, or the very object asked for."""
    if isinstance(content, list | tuple):
        said = [part if isinstance(part, str) else _get(part, "text") for part in content if _says(part)]
        return well_formed("".join(part for part in said if isinstance(part, str))) if said else None
    if isinstance(content, Mapping):
        inner = content.get("text")
        return well_formed(inner if isinstance(inner, str) else json.dumps(content, ensure_ascii=False))
    return well_formed(content) if isinstance(content, str) else None


def _says(part: Any) -> bool:
    """Return whether a part of a content is text, and no thought, picture or call."""
    untyped = isinstance(part, Mapping) and "type" not in part
    return isinstance(part, str) or untyped or _get(part, "type") in _TEXTS


def _thought(part: Any) -> bool:
    return str(_get(part, "type") or "") in {"thinking", "reasoning", "redacted_thinking"}


def _called(message: Any) -> str | None:
    """Return the arguments of a call to a tool, where it is the only one: nothing but an answer was asked."""
    calls = [_get(call, "function") or call for call in _items(_get(message, "tool_calls"))]
    calls += [call] if (call := _get(message, "function_call")) else []
    said = {
        given if isinstance(given, str) else json.dumps(given, ensure_ascii=False)
        for call in calls
        if (given := _get(call, "arguments"))
    }
    return well_formed(said.pop()) if len(said) == 1 else None


def _count(value: Any) -> int:
    try:
        number = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError, OverflowError):
        return 0
    return int(number) if 0 <= number <= MOST_TOKENS else 0


def _cost(litellm: ModuleType, model: str, response: Any, counts: tuple[int, ...]) -> float:
    if not price_known(model):
        return 0.0
    usage = _get(response, "usage")
    sound = counts == (_get(usage, "prompt_tokens"), _get(usage, "completion_tokens"))
    try:
        if sound and not isinstance(response, Mapping):
            cost = float(litellm.completion_cost(completion_response=response, model=model))
        else:
            cost = float(sum(litellm.cost_per_token(model, *counts)))
    except Exception:  # LiteLLM raises bare exceptions where it cannot tell a price
        return 0.0
    return cost if 0 <= cost < math.inf else 0.0


def _tokens(logprobs: Any) -> tuple[Token, ...]:
    """Return the tokens, none of them if the text of one is unknown."""
    tokens = []
    for entry in _items(_get(logprobs, "content")):
        own = _listed(entry)
        if own is None:
            return ()
        seen: dict[str, float] = {}
        for item in _items(_get(entry, "top_logprobs")):
            listed = _listed(item)
            if listed is None:
                return ()
            seen.setdefault(*listed)
        seen.setdefault(*own)
        tokens.append(Token(own[0], tuple(seen.items())))
    return tuple(tokens)


def _by_ids(logprobs: Any) -> bool:
    tokens = (_get(entry, "token") for entry in _items(_get(logprobs, "content")))
    return any(isinstance(token, str) and _ID.fullmatch(token) for token in tokens)


def _listed(entry: Any) -> tuple[str, float] | None:
    """Return a token's text and its probability; None for one that is given by its id alone."""
    text, logprob = _get(entry, "token"), _get(entry, "logprob")
    if not isinstance(text, str):
        return None
    if _ID.fullmatch(text):
        try:
            text = bytes(_get(entry, "bytes") or ()).decode("utf-8", "replace")
        except (TypeError, ValueError):
            return None
        if not text or _ID.fullmatch(text):
            return None
    try:
        number = float(logprob)
    except (TypeError, ValueError):
        return None
    return text, 0.0 if math.isnan(number) else math.exp(min(0.0, number))


def _of_text(tokens: tuple[Token, ...], text: str | None) -> tuple[Token, ...]:
    """Return the tokens of the text alone, without those of the thoughts before it."""
    wanted = (text or "").strip()
    for start in reversed(range(len(tokens))):
        if wanted and "".join(token.text for token in tokens[start:]).strip().startswith(wanted):
            return tokens[start:]
    return ()
