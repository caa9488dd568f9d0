"""What the server of a model asks for in requests: learnt once, remembered for the run, kept in its manifest.

A server that rejects a request often says what it would take. One table (`TABLE`) pairs such words with the
change they ask for; each change is made once. What was changed is part of what was measured, above all a
temperature that could not be set: `notes` says it in words.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any, Literal

from ludens.agents.llm.abilities import Abilities

ROOM = (0, 1024, 4096, 16384)
"""Tokens for thoughts beside those of the answer, of a model that turns out to think before it answers. The
steps are ours: the second suffices for most questions, and the last is a limit to what one reply can cost."""
LEAST_TEMPERATURE = 0.01
"""In place of temperature 0, where a server takes only temperatures above 0."""

Parameters = Mapping[str, Any]
Messages = Sequence[Mapping[str, str]]


@dataclass(frozen=True)
class Request:
    """A request to a model.

    Attributes:
        messages: in OpenAI's shape.
        parameters: by OpenAI's names.
        roomy: whether its limit of tokens may be raised.
    """

    messages: Messages
    parameters: Parameters
    roomy: bool = False

    @property
    def shape(self) -> tuple[frozenset[str], frozenset[str]]:
        """What a server accepts or rejects whatever the prompt says: names of parameters, and roles."""
        return frozenset(self.parameters), frozenset(message["role"] for message in self.messages)


@dataclass(frozen=True)
class Fit:
    """How requests are changed to suit a server.

    Attributes:
        without: parameters that it does not take.
        limit_as: the name under which it takes the limit of tokens.
        least_temperature: in place of temperature 0; None where 0 is taken.
        top_logprobs: how many likely tokens it lists at most; None where it did not say.
        system: whether it takes system messages. Their text stands at the head of the first question
            otherwise.
        token_texts: whether it has to be asked for the texts of tokens, and not for their ids.
        room: tokens for thoughts, beside those of the answer.
    """

    without: tuple[str, ...] = ()
    limit_as: str = "max_tokens"
    least_temperature: float | None = None
    top_logprobs: int | None = None
    system: bool = True
    token_texts: bool = False
    room: int = 0

    def applied(self, request: Request) -> Request:
        """Return the request as the server takes it."""
        given = {name: value for name, value in request.parameters.items() if name not in self.without}
        if self.least_temperature is not None and given.get("temperature") == 0:
            given["temperature"] = self.least_temperature
        if self.top_logprobs is not None and "top_logprobs" in given:
            given["top_logprobs"] = min(self.top_logprobs, given["top_logprobs"])
        body: dict[str, Any] = {}
        if self.token_texts and "logprobs" in given:
            body["return_tokens_as_token_ids"] = False
        if "max_tokens" in given:
            limit = given["max_tokens"] + (self.room if request.roomy else 0)
            if self.limit_as == "max_tokens":
                given["max_tokens"] = limit
            else:
                del given["max_tokens"]
                # LiteLLM names the limit after its own knowledge of the model; what stands in the body stays.
                (given if self.limit_as == "max_completion_tokens" else body)[
                    self.limit_as.removeprefix("body:")
                ] = limit
        if body:
            given["extra_body"] = body
        return replace(
            request, messages=request.messages if self.system else folded(request.messages), parameters=given
        )


def folded(messages: Messages) -> list[dict[str, str]]:
    """Return the messages with the text of the system message at the head of the first question."""
    system = [message["content"] for message in messages if message["role"] == "system"]
    rest = [dict(message) for message in messages if message["role"] != "system"]
    if system and rest:
        rest[0] = {**rest[0], "content": "\n\n".join([*system, rest[0]["content"]])}
    return rest


Change = Callable[[Fit, Request, str], Fit]


def _leave_out(*names: str) -> Change:
    def change(fit: Fit, sent: Request, words: str) -> Fit:
        new = tuple(name for name in names if name in sent.parameters and name not in fit.without)
        return replace(fit, without=fit.without + new)

    return change


def _complete_limit(fit: Fit, sent: Request, words: str) -> Fit:
    # LiteLLM turns the new name back into the old one for some providers; the body it leaves alone.
    again = fit.limit_as in ("max_completion_tokens", "body:max_completion_tokens")
    return replace(fit, limit_as="body:max_completion_tokens" if again else "max_completion_tokens")


def _plain_limit(fit: Fit, sent: Request, words: str) -> Fit:
    return fit if _WANTS_COMPLETE.match(words) else replace(fit, limit_as="body:max_tokens")


def _raise_temperature(fit: Fit, sent: Request, words: str) -> Fit:
    return (
        replace(fit, least_temperature=LEAST_TEMPERATURE) if sent.parameters.get("temperature") == 0 else fit
    )


def _leave_out_temperature(fit: Fit, sent: Request, words: str) -> Fit:
    # Outside a range that the server names it is the user's to change.
    beyond = sent.parameters.get("temperature", 0) > 1 and re.search(_RANGE, words)
    return fit if beyond else _leave_out("temperature")(fit, sent, words)


def _list_fewer(fit: Fit, sent: Request, words: str) -> Fit:
    wanted = sent.parameters.get("top_logprobs", 0)
    numbers = map(int, re.findall(r"(?<![\w.-])\d{1,3}(?!\w|[.-]\w)", words))
    fewer = [number for number in numbers if 1 < number < wanted]
    return replace(fit, top_logprobs=max(fewer)) if fewer else fit


def _fold_system(fit: Fit, sent: Request, words: str) -> Fit:
    return replace(fit, system=False) if sent.messages[0]["role"] == "system" else fit


_NOT = (
    r"(?:unsupported|not supported|n[o']t support|unrecogni[sz]ed|unknown|unexpected|not permitted"
    r"|extra inputs|extra_forbidden|not allowed|only the default|only supports|deprecated|incompatible"
    r"|can ?not be|can't be|must be|may only|not available|\binvalid\b|no longer|not accepted|not enabled)"
)
_RANGE = r"range|between|less than|<=|≤|at most|maximum|exceed|greater than 1|larger than"


def _says(*patterns: str) -> re.Pattern[str]:
    """Return a pattern for words that match each of the patterns, in any order."""
    return re.compile("(?s)" + "".join(f"(?=.*(?:{pattern}))" for pattern in patterns))


_WANTS_COMPLETE = _says(r"\bmax_tokens\b", r"(?:use|instead|rather).{0,20}max_completion_tokens")

TABLE: tuple[tuple[re.Pattern[str], Change], ...] = (
    # "'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead."
    (_WANTS_COMPLETE, _complete_limit),
    # "Unrecognized request argument supplied: max_completion_tokens"
    (_says(r"max_completion_tokens", _NOT), _plain_limit),
    # "`temperature` must be strictly positive"
    (
        _says(r"temperature", r"strictly positive|greater than 0|above 0|> ?0(?!\.)|larger than 0"),
        _raise_temperature,
    ),
    # "'temperature' does not support 0.2 with this model. Only the default (1) value is supported."
    (_says(r"temperature", _NOT), _leave_out_temperature),
    # "Requested sample logprobs of 20, which is greater than max allowed: 5"
    (_says(r"log_?probs|log probabilities", rf"{_RANGE}|max|up to|no more"), _list_fewer),
    (_says(r"\bseed\b", _NOT), _leave_out("seed")),
    # "System role not supported", "Developer instruction is not enabled for models/gemma-3-1b-it"
    (
        _says(
            r"\bsystem\b|\bdeveloper (?:instruction|message|role)|\broles?\b",
            rf"{_NOT}|must alternate|should be",
        ),
        _fold_system,
    ),
)
"""What a server says (in lower case), and the change that it asks for. The first row that changes anything
counts; a server that asks for several things asks for them one after the other."""


def adapted(fit: Fit, words: str, sent: Request) -> Fit | None:
    """Return the fit with what a server's words ask for; None if they ask for nothing that can be changed.

    Args:
        fit: the present one.
        words: what the server said of a request that it rejected.
        sent: that request, as it was sent.
    """
    words = words.lower()
    return next(
        (
            new
            for pattern, change in TABLE
            if pattern.match(words) and (new := change(fit, sent, words)) != fit
        ),
        None,
    )


def named(words: str, sent: Request) -> bool:
    """Return whether a server's words name a parameter of the request, or the form of the answer."""
    words = words.lower()
    names = {*sent.parameters, *sent.parameters.get("extra_body", {})}
    further = {"response_format": r"schema|grammar|structured|json", "logprobs": r"log ?probabilit|logprob"}
    return any(re.search(rf"\b{re.escape(name)}\b", words) for name in names) or any(
        name in names and re.search(pattern, words) for name, pattern in further.items()
    )


_TOO_LONG = re.compile(
    r"context[ _]?(?:length|window|size|limit)|maximum context|too many (?:input )?tokens|reduce the length"
    r"|exceed\w* .{0,40}(?:tokens|context)|maximum.{0,40}tokens|does not fit|too (?:long|large)"
)
_OWN_LIMIT = re.compile(r"max_(?:\w+_)?tokens\W.{0,40}too (?:large|high|big|long)")


def too_long(words: str) -> bool:
    """Return whether a server says that a prompt does not fit the model's context."""
    words = words.lower()
    return _TOO_LONG.search(words) is not None and not _OWN_LIMIT.search(words)


def is_about(words: str, sent: Request) -> bool:
    """Return whether a server's words are about the request that it was sent, and not about itself."""
    return (
        adapted(Fit(), words, sent) is not None
        or named(words, sent)
        or too_long(words)
        or STARVED.search(words.lower()) is not None
        or "invalid_request" in words.lower()
    )


STARVED = re.compile(r"could not finish the message because max_tokens")
"""What a server says (in lower case) in place of a reply that reached the limit before any text."""


_USUAL = Fit()


@dataclass
class Learnt:
    """What becomes known of a model and its server while it is asked.

    Attributes:
        server: the name under which a run remembers it.
        kept: the `facts` that the run has kept.
        abilities: what LiteLLM knows of the model.
        gives_logprobs: whether its replies come with log-probabilities; None until it was asked for them.
        takes_schema: whether the server takes a response schema; None until one was sent.
        fit: how requests are changed to suit the server.
        temperatures: those that were asked for and could not be set.
        roomiest: whether a longer reply is not to be had.
        accepted, rejected: when a request of a shape was last accepted, and rejected for its shape, as
            numbers of `tick`.
    """

    server: str = ""
    kept: Mapping[str, Any] = field(default_factory=dict)
    abilities: Abilities = field(default_factory=Abilities)
    gives_logprobs: bool | None = None
    takes_schema: bool | None = None
    fit: Fit = field(default_factory=Fit)
    temperatures: set[float] = field(default_factory=set)
    roomiest: bool = False
    accepted: dict[Any, int] = field(default_factory=dict)
    rejected: dict[Any, int] = field(default_factory=dict)
    _ticks: int = 0
    _gates: dict[str, tuple[asyncio.AbstractEventLoop, asyncio.Lock]] = field(default_factory=dict)

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_gates": {}}

    def tick(self) -> int:
        """Return the next moment."""
        self._ticks += 1
        return self._ticks

    def gate(self, matter: Literal["requests", "log-probabilities"] = "requests") -> asyncio.Lock:
        """Return the lock under which one request at a time finds out what the server takes, or gives."""
        loop = asyncio.get_running_loop()
        if matter not in self._gates or self._gates[matter][0] is not loop:
            self._gates[matter] = loop, asyncio.Lock()
        return self._gates[matter][1]

    def adapt(self, words: str, sent: Request) -> bool:
        """Learn from the server's words about a rejected request; return whether anything was learnt."""
        new = adapted(self.fit, words, sent)
        if new is None:
            return False
        self.fit = new
        return True

    @property
    def has_more_room(self) -> bool:
        """Whether the limit of tokens can be raised."""
        return self.fit.room < ROOM[-1] and not self.roomiest

    def raise_room(self) -> None:
        """Raise the limit of tokens by one step."""
        self.fit = replace(self.fit, room=next(step for step in ROOM if step > self.fit.room))

    def miss(
        self, wanted: Parameters, sent: Parameters, left_out: Sequence[str] | frozenset[str] = ()
    ) -> None:
        """Note a temperature that was wanted and not sent; servers that take none sample at 1."""
        temperature = wanted.get("temperature")
        unset = "temperature" in left_out or sent.get("temperature") != temperature
        if temperature is not None and temperature != 1 and unset:
            self.temperatures.add(float(temperature))

    def facts(self) -> dict[str, Any]:
        """Return as JSON values what is to be known again when the run goes on; empty if nothing is."""
        known: dict[str, Any] = {}
        if self.fit != _USUAL:
            known = {
                each.name: value
                for each in fields(Fit)
                if (value := getattr(self.fit, each.name)) != getattr(_USUAL, each.name)
            }
        known |= {name: False for name in ("gives_logprobs", "takes_schema") if getattr(self, name) is False}
        if "without" in known:
            known["without"] = sorted(known["without"])
        if self.temperatures:
            known["temperatures"] = sorted(self.temperatures)
        return known

    @classmethod
    def known(cls, server: str, facts: Mapping[str, Any]) -> Learnt:
        """Return what `facts` gave of a server."""
        names = {each.name for each in fields(Fit)}
        fit = {name: value for name, value in facts.items() if name in names}
        if "without" in fit:
            fit["without"] = tuple(fit["without"])
        return cls(
            server,
            dict(facts),
            gives_logprobs=facts.get("gives_logprobs"),
            takes_schema=facts.get("takes_schema"),
            fit=Fit(**fit),
            temperatures=set(facts.get("temperatures", ())),
        )


def notes(adapted: Mapping[str, Mapping[str, Any]]) -> Iterator[tuple[str, str, bool]]:
    """Yield what was changed in the requests of a run: whose, in words, and whether it changes what was
    measured.

    Args:
        adapted: by server, as the manifest holds it.
    """
    for server, facts in adapted.items():
        if wanted := facts.get("temperatures"):
            least = facts.get("least_temperature")
            instead = f"it was {least:g}" if least is not None else "the server's own, usually 1, was used"
            asked = " and ".join(f"{value:g}" for value in wanted)
            yield server, f"temperature {asked} could not be set: {instead}", True
        for name in facts.get("without", ()):
            if name != "temperature" or not wanted:
                yield server, f"sent without {name}", False
        if name := facts.get("limit_as"):
            yield server, f"the limit of tokens was sent as {name.removeprefix('body:')}", False
        if number := facts.get("top_logprobs"):
            yield server, f"{number} likely tokens were listed at most", False
        if facts.get("system") is False:
            yield server, "no system messages: their text stood at the head of the question", False
        if facts.get("token_texts"):
            yield server, "the texts of tokens were asked for in place of their ids", False
        if room := facts.get("room"):
            yield server, f"replies had room for {room} more tokens, for thoughts", False
        if facts.get("takes_schema") is False:
            yield server, "took no response schema", False
        if facts.get("gives_logprobs") is False:
            yield server, "gave no log-probabilities", False
