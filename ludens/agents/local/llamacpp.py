"""GGUF models in this process, run by llama.cpp (xllamacpp)."""

from __future__ import annotations

import ctypes
import os
import re
import secrets
import sys
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import replace
from importlib.util import find_spec
from typing import Any, cast

from ludens.agents.local.engine import (
    ChatParams,
    Choice,
    ContextTooLongError,
    Ending,
    EngineReply,
    Message,
    RequestError,
    Settings,
    Token,
)
from ludens.agents.local.prefix_cache import PrefixCache, prefix
from ludens.agents.local.resolve import LocalModelError, Reference
from ludens.agents.local.scheduler import Scheduler

# Up to about this many tokens of reply, generating them together saves less than reading once what prompts
# share (see scheduler.py).
SHORT_REPLY = 128
# OpenAI's value for a log-probability that is not reported.
NOT_REPORTED = -9999.0
_SEEDS = 2**32 - 1  # to llama.cpp, the seed 2**32 - 1 means "draw a seed"


class LlamaCppEngine:
    """A GGUF model with its slots for prompts."""

    def __init__(self, reference: Reference, settings: Settings) -> None:
        self._name = reference.name
        self._slots = settings.slots
        self._server = load(reference, settings)
        self._batched = settings.batched is True
        together = settings.slots // 2 if self._batched else 0
        self._prefixes = PrefixCache(range(settings.slots - together))
        self._scheduler = Scheduler[EngineReply]("llamacpp", together)
        try:
            # llama.cpp hangs for ever if it is stopped before its loop has begun; a first reply shows that
            # it has begun.
            self.submit([{"role": "user", "content": "?"}], ChatParams(max_tokens=1)).result()
        except Exception as error:
            self._scheduler.close()
            raise LocalModelError(
                f"The model {reference.path} was loaded but does not reply ({_line(error)}): use a chat "
                "model."
            ) from error

    def submit(self, messages: Sequence[Message], params: ChatParams) -> Future[EngineReply]:
        """See `Engine.submit`."""
        prompt = "\x00".join(f"{message.get('role')}\x00{message.get('content')}" for message in messages)
        short = params.max_tokens is not None and params.max_tokens <= SHORT_REPLY
        return self._scheduler.submit(prompt, lambda lane: self._chat(lane, messages, params), short=short)

    def close(self) -> None:
        """See `Engine.close`."""
        self._scheduler.close()
        self._server = None

    def abandon(self) -> None:
        """See `Engine.abandon`; freeing llama.cpp would wait for threads that do not exist."""
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(self._server))

    def _chat(self, thread: int, messages: Sequence[Message], params: ChatParams) -> EngineReply:
        replies = []
        for start in range(0, params.n, self._slots):  # these choices share one evaluation of the prompt
            n = min(self._slots, params.n - start)
            seed = None if params.seed is None else params.seed + start
            replies.append(self._ask_once(thread, messages, replace(params, n=n, seed=seed)))
        choices = tuple(choice for reply in replies for choice in reply.choices)
        if params.logprobs and not all(choice.tokens for choice in choices):
            greedy = self._ask_once(thread, messages, replace(params, n=1, max_tokens=1, temperature=0.0))
            choices = tuple(_with_tokens(choice, greedy) for choice in choices)
        return EngineReply(
            choices=choices,
            prompt_tokens=replies[0].prompt_tokens,
            completion_tokens=sum(reply.completion_tokens for reply in replies),
            cached_tokens=replies[0].cached_tokens,
        )

    def _ask_once(self, thread: int, messages: Sequence[Message], params: ChatParams) -> EngineReply:
        slot, keep = self._read(messages) if thread == 0 else (self._slots - thread, True)
        reply = self._ask(slot, messages, params, keep=keep)
        if params.n > 1:
            self._prefixes.clear()  # llama.cpp chose the slots of these choices
        return reply

    def _read(self, messages: Sequence[Message]) -> tuple[int, bool]:
        """Let a slot read the chat's prefix and nothing after it, unless exactness is waived.

        Log-probabilities depend, in the second decimal, on where the reading of a prompt was interrupted. It
        is therefore always interrupted at the same place, and a slot reads a prefix in one piece from the
        first token, so that a reply depends on its own request alone and not on earlier ones.

        Returns:
            The slot, and whether the request continues from what the slot has read.
        """
        first = prefix(messages)
        slot, read_before = self._prefixes.place(first)
        if self._batched:
            return slot, True
        if first:
            try:
                self._ask(slot, first, ChatParams(max_tokens=1, temperature=0.0), keep=read_before)
            except BaseException:
                self._prefixes.clear()
                raise
        return slot, bool(first)

    def _ask(self, slot: int, messages: Sequence[Message], params: ChatParams, *, keep: bool) -> EngineReply:
        body = _body(messages, params) | {"id_slot": slot, "cache_prompt": keep}
        try:
            reply = self._server.handle_chat_completions(body)
        except ValueError as error:  # some of llama.cpp's checks raise, the others return an error
            raise RequestError(f"{self._name} does not take this request: {_line(error)}.") from error
        if "error" in reply:
            fault = reply["error"]
            said = f"{self._name} does not take this request: {_line(fault.get('message', fault))}."
            if fault.get("type") == "exceed_context_size_error":
                raise ContextTooLongError(
                    f"{said[:-1]}; make room with register(settings=Settings(context=…, slots=…))."
                )
            # A chat template that does not take these messages is reported as a fault of the server.
            if int(fault.get("code", 500)) < 500 or re.search(r"(?i)template|jinja", said):
                raise RequestError(said)
            raise RuntimeError(said)
        return _reply(reply, params)


def _body(messages: Sequence[Message], params: ChatParams) -> dict[str, Any]:
    body: dict[str, Any] = {
        "messages": [dict(message) for message in messages],
        "temperature": params.temperature,
        # llama.cpp's own defaults cut off the tail of the distribution.
        "top_p": params.top_p,
        "top_k": params.top_k,
        "min_p": params.min_p,
        "n": params.n,
        "stop": list(params.stop),
        **params.sampling,
    }
    if params.max_tokens is not None:
        body["max_tokens"] = params.max_tokens
    if params.seed is not None:
        body["seed"] = params.seed % _SEEDS
    if params.logprobs or params.n > 1:  # with several choices llama.cpp counts only the first one's tokens
        body |= {"logprobs": True, "top_logprobs": max(1, params.top_logprobs)}
    if params.ending is not None:
        body["grammar"] = grammar_of(params.ending)
    if params.schema is not None:
        body["response_format"] = (
            {"type": "json_schema", "json_schema": {"name": "reply", "schema": dict(params.schema)}}
            if params.schema
            else {"type": "json_object"}
        )
    return body


def grammar_of(ending: Ending) -> str:
    """Return llama.cpp's grammar (GBNF) of a reply whose last line is held to an ending."""
    choices = " | ".join(_quoted(choice) for choice in ending.choices)
    if not ending.start:
        return f"root ::= {choices}"
    word = ending.start.split()[0].rstrip(":")
    # A line is free as long as it does not begin with the word: it differs from it somewhere, or is shorter.
    free = [f"{_quoted(word[:place])} [^{word[place]}\\n] [^\\n]*" for place in range(1, len(word))]
    short = [_quoted(word[:place]) for place in range(1, len(word))]
    lines = " | ".join([f"[^{word[0]}\\n] [^\\n]*", *free, *short])
    return f'root ::= (({lines})? "\\n")* {_quoted(ending.start)} ({choices})'


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


def _reply(reply: dict[str, Any], params: ChatParams) -> EngineReply:
    usage = reply["usage"]
    made = [choice["logprobs"]["content"] if choice.get("logprobs") else [] for choice in reply["choices"]]
    return EngineReply(
        choices=tuple(
            Choice(
                text=choice["message"].get("content") or "",
                finish_reason="length" if choice["finish_reason"] == "length" else "stop",
                tokens=tuple(_token(entry, params.top_logprobs) for entry in entries)
                if params.logprobs
                else None,
            )
            for choice, entries in zip(reply["choices"], made, strict=True)
        ),
        prompt_tokens=usage["prompt_tokens"],
        completion_tokens=sum(max(1, len(entries)) for entries in made)
        if params.n > 1
        else usage["completion_tokens"],
        cached_tokens=usage.get("prompt_tokens_details", {}).get("cached_tokens", 0),
    )


def _with_tokens(choice: Choice, greedy: EngineReply) -> Choice:
    """Return the choice with a token in place of one that llama.cpp does not report.

    llama.cpp withholds a token that is only part of a character and, if the reply ends there, its
    log-probabilities too. Those of the other tokens at this position do not depend on it and are taken from
    the `greedy` reply; its own stays unknown.
    """
    first = (greedy.choices[0].tokens or ())[:1]
    if choice.tokens or not first:
        return choice
    return replace(choice, tokens=(Token(choice.text, NOT_REPORTED, first[0].top),))


def _token(entry: dict[str, Any], top: int) -> Token:
    listed = tuple((item["token"], float(item["logprob"])) for item in entry["top_logprobs"][:top])
    return Token(entry["token"], float(entry["logprob"]), listed)


def load(reference: Reference, settings: Settings) -> Any:
    """Load the model into llama.cpp's own server object, without output.

    Raises:
        LocalModelError: xllamacpp is not installed, or cannot load the file.
    """
    llama = _xllamacpp()
    params = llama.CommonParams()
    params.model.path = reference.path
    params.n_parallel = settings.slots
    params.n_ctx = settings.slots * settings.context
    threads = settings.threads or _cores()
    params.cpuparams.n_threads = threads
    params.cpuparams_batch.n_threads = threads
    params.cache_ram_mib = 0  # or the slots' prompts are kept twice, in up to 8 GiB
    params.verbosity = -1  # the terminal belongs to the user
    params.warmup = False  # the first reply warms up
    # llama.cpp opens an HTTP port on the loopback address, which nothing here uses: a random key locks it.
    params.api_keys = [secrets.token_hex(32)]
    params.ui = params.endpoint_slots = False
    try:
        return llama.Server(params)
    except Exception as error:
        raise LocalModelError(
            f"The model file {reference.path} cannot be loaded ({_line(error)}): it may be cut short, too "
            "large for the memory, or of an architecture that this xllamacpp does not know."
        ) from error


def _xllamacpp() -> Any:
    if find_spec("xllamacpp") is None:
        raise LocalModelError(
            "GGUF models need xllamacpp, which is not installed: run `pip install 'ludens[local]'`."
        )
    # By default OpenMP's threads wait for one another by spinning. On cores that other processes use too,
    # that makes generation 10 to 20 times slower. OpenMP reads this variable once, when it is loaded.
    ours = "xllamacpp" not in sys.modules and "OMP_WAIT_POLICY" not in os.environ
    if ours:
        os.environ["OMP_WAIT_POLICY"] = "PASSIVE"
    try:
        import xllamacpp
    finally:
        if ours:
            del os.environ["OMP_WAIT_POLICY"]
    return cast("Any", xllamacpp)


def _cores() -> int:
    # Not every system reports which cores this process may use.
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _line(said: object) -> str:
    return " ".join(str(said).split()).rstrip(".")
