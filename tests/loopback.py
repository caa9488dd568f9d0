"""A server on the loopback interface that speaks the OpenAI chat API and misbehaves on order.

    with Loopback([limited(retry_after=0), say("B")]) as server:
        policy = LLMPolicy("openai/loopback", api_base=server.url, api_key="none")

Answers are given one per request, in the order of arrival; when the list is used up, `otherwise` answers. An
answer may also be a function of the request (and so of the prompt), which makes a server that does not depend
on the order of requests. Every request is kept in `server.requests`, and its headers in `server.headers`.
"""

from __future__ import annotations

import json
import math
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.serving import Handler, Serving

Request = dict[str, Any]
"""The decoded body of a request."""


@dataclass(frozen=True)
class Answer:
    """What the server does with one request.

    Attributes:
        text: content of the reply; None for a reply without content.
        refusal: the refusal field of the reply.
        finish_reason: as in OpenAI's shape.
        status: HTTP status; from 400 on the body is an error that says `text`.
        headers: further response headers.
        tokens: per reply token the probabilities of its most likely alternatives; sent where
            log-probabilities are asked for. The first of each is the token that was drawn.
        body: bytes to send in place of the reply.
        cut: close the connection after so many bytes of the body.
        hangs: no answer at all until the server is closed.
        heard: called when the request is there, before anything is answered.
    """

    text: str | None = "A"
    refusal: str | None = None
    finish_reason: str = "stop"
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    tokens: Sequence[Mapping[str, float]] = ()
    body: bytes | None = None
    cut: int | None = None
    hangs: bool = False
    heard: Callable[[], Any] | None = None


Reaction = Answer | Callable[[Request], Answer]


def say(text: str | None, **more: Any) -> Answer:
    """A well-formed reply with this text."""
    return Answer(text, **more)


def limited(retry_after: float | None = None) -> Answer:
    """429, with or without Retry-After (seconds)."""
    headers = {} if retry_after is None else {"Retry-After": f"{retry_after:g}"}
    return Answer("Rate limit reached", status=429, headers=headers)


def failing(status: int = 500, text: str = "The server had an error") -> Answer:
    """An error status."""
    return Answer(text, status=status)


def hanging(heard: Callable[[], Any] | None = None) -> Answer:
    """No answer until the server is closed; `heard` is called when the request is there."""
    return Answer(hangs=True, heard=heard)


def together(count: int) -> Callable[[], Any]:
    """For `heard`: requests are answered in groups of so many that wait at once, and a smaller group never.

    The limit is there for a client that asks one after the other; no client that asks at once needs it.
    """
    return threading.Barrier(count, timeout=600).wait


def broken() -> Answer:
    """The connection is closed before any answer."""
    return Answer(cut=0)


def cut_short() -> Answer:
    """The connection is closed in the middle of the body."""
    return Answer(cut=40)


def garbled() -> Answer:
    """Status 200, and a body that is JSON only at its beginning."""
    return Answer(body=b'{"id": "x", "choices": [{"index": 0, "mess')


def ended(reason: str, text: str | None = "") -> Answer:
    """A reply that ended for a reason of the server's own."""
    return Answer(text, finish_reason=reason)


def refusing(text: str = "I'm sorry, but I can't help with that.") -> Answer:
    """A refusal in the field that OpenAI made for it."""
    return Answer(None, refusal=text)


def filtered() -> Answer:
    """The provider's content filter stopped the reply."""
    return Answer("", finish_reason="content_filter")


def prose(words: int = 10_000) -> Answer:
    """Very much text that answers nothing."""
    return Answer(
        " ".join(("consider", "the", "matter", "from", "every", "side")[i % 6] for i in range(words))
    )


def weighing(**tokens: float) -> Answer:
    """One token with these probabilities: ``weighing(A=0.7, B=0.2)``."""
    first = max(tokens, key=lambda token: tokens[token])
    drawn = {first: tokens[first], **tokens}
    return Answer(first, finish_reason="length", tokens=[drawn])


class Loopback(Serving):
    """The server: a context manager with `url` (the ``api_base``), `requests`, and `count`.

    Args:
        script: reactions to the first requests, in order.
        otherwise: the reaction to all later ones.
        usage: whether it counts tokens.
        logprobs: False for a server that ignores the wish for log-probabilities; ``"reject"`` for one that
            answers such a request with 400.
        schema: False for a server that answers a request with a response format with 400.
    """

    def __init__(
        self,
        script: Sequence[Reaction] = (),
        otherwise: Reaction = Answer("A"),  # frozen
        *,
        logprobs: bool | str = True,
        schema: bool = True,
    ) -> None:
        super().__init__(_Handler)
        self.script = list(script)
        self.otherwise = otherwise
        self.logprobs = logprobs
        self.usage = True
        self.schema = schema
        self.requests: list[Request] = []
        self.headers: list[dict[str, str]] = []
        self.at_once = 0
        self.most_at_once = 0
        self._lock = threading.Lock()

    @property
    def url(self) -> str:
        """The ``api_base`` for ``openai/…`` models."""
        return f"{self.address}/v1"

    @property
    def count(self) -> int:
        """How many requests came in."""
        return len(self.requests)

    def react(self, request: Request) -> Answer:
        """Keep the request and find the answer to it."""
        with self._lock:
            place = len(self.requests)
            self.requests.append(request)
        reaction = self.script[place] if place < len(self.script) else self.otherwise
        if request.get("logprobs") and self.logprobs == "reject":
            return failing(400, "logprobs is not supported with this model")
        if "response_format" in request and not self.schema:
            return failing(400, "Invalid parameter: response_format of type json_schema is not supported")
        return reaction if isinstance(reaction, Answer) else reaction(request)


class _Handler(Handler):
    def do_POST(self) -> None:
        loopback: Loopback = self.server.owner
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with loopback._lock:
            loopback.headers.append({name.lower(): value for name, value in self.headers.items()})
            loopback.at_once += 1
            loopback.most_at_once = max(loopback.most_at_once, loopback.at_once)
        try:
            self._answer(request, loopback.react(request), loopback)
        finally:
            with loopback._lock:
                loopback.at_once -= 1

    def _answer(self, request: Request, answer: Answer, loopback: Loopback) -> None:
        if answer.heard is not None:
            answer.heard()
        if answer.hangs:
            loopback.closing.wait()
            self.close_connection = True
            return
        body = (
            answer.body
            if answer.body is not None
            else json.dumps(_payload(request, answer, loopback)).encode()
        )
        if answer.cut == 0:
            self.close_connection = True
            return
        self.send_response(answer.status)
        for name, value in {"Content-Type": "application/json", **answer.headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body if answer.cut is None else body[: answer.cut])
        if answer.cut is not None:
            self.close_connection = True


def _payload(request: Request, answer: Answer, loopback: Loopback) -> dict[str, Any]:
    if answer.status >= 400:
        return {"error": {"message": answer.text, "type": "error", "param": None, "code": None}}
    choice: dict[str, Any] = {
        "index": 0,
        "finish_reason": answer.finish_reason,
        "message": {"role": "assistant", "content": answer.text, "refusal": answer.refusal},
        "logprobs": None,
    }
    if request.get("logprobs") and loopback.logprobs is True and answer.tokens:
        most = int(request.get("top_logprobs", 20))
        choice["logprobs"] = {"content": [_token(tokens, most) for tokens in answer.tokens], "refusal": None}
    prompt = sum(len(str(message["content"]).split()) for message in request["messages"])
    reply = len((answer.text or "").split())
    usage = {"prompt_tokens": prompt, "completion_tokens": reply, "total_tokens": prompt + reply}
    return {
        "id": "chatcmpl-loopback",
        "object": "chat.completion",
        "created": int(time.time()),
        "model": request["model"],
        "choices": [choice],
        **({"usage": usage} if loopback.usage else {}),
    }


def _token(tokens: Mapping[str, float], most: int) -> dict[str, Any]:
    entries = [
        {"token": token, "logprob": math.log(p), "bytes": list(token.encode())} for token, p in tokens.items()
    ]
    ranked = sorted(entries, key=lambda entry: -float(str(entry["logprob"])))
    return {**entries[0], "top_logprobs": ranked[:most]}
