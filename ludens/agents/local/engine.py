"""The interface of an engine, which holds a model's weights and replies to chats."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

Message = Mapping[str, Any]
EngineName = Literal["llamacpp", "hf"]


class RequestError(ValueError):
    """A request that the engine does not accept; the message says what to change in it.

    It is not a `LudensError`: LiteLLM passes it on as `litellm.BadRequestError`, as from any provider.
    """


class ContextTooLongError(RequestError):
    """A prompt that does not fit the context; LiteLLM raises `litellm.ContextWindowExceededError`."""


@dataclass(frozen=True)
class Settings:
    """Settings of the engines, shared by all local models of this process.

    Attributes:
        slots: in a GGUF engine, the number of prompts that are cached, and of choices generated together; in
            a Transformers engine, the size of a batch.
        context: tokens of one slot of a GGUF engine, prompt and reply together. Its memory is allocated when
            the model is loaded: 24 kB per token for the embedded model.
        threads: processor threads of one engine; 0 uses every core that this process may use.
        engine: which engine runs the model; "auto" uses llama.cpp for GGUF files and Transformers for the
            rest.
        batched: whether requests may be evaluated together, which is faster, and varies probabilities in
            the second decimal with the other requests: a GGUF engine reads a prompt from where it differs
            from the one before, and half of its slots generate long replies together; a Transformers engine
            evaluates whole batches. If False, requests are evaluated one at a time, so that a reply depends
            on its own request alone and not on earlier or concurrent ones. None means False for GGUF and True
            for Transformers. A request may say so itself (``batched=True`` beside its other parameters).
    """

    slots: int = 8
    context: int = 4096
    threads: int = 0
    engine: Literal["auto", "llamacpp", "hf"] = "auto"
    batched: bool | None = None


@dataclass(frozen=True)
class Ending:
    """The form that the last line of a reply is held to; the lines before it are free.

    Attributes:
        start: how the last line begins, for example ``"Answer: "``; no other line begins with its first word.
            Empty for a reply that is one of the choices alone.
        choices: what may follow.
    """

    start: str
    choices: tuple[str, ...]


@dataclass(frozen=True)
class ChatParams:
    """A request's parameters, in OpenAI's terms.

    Attributes:
        max_tokens: length of the longest reply; None means as long as the context allows.
        temperature: 0 takes the most probable token; at 1 with the other defaults, tokens are drawn from the
            model's own distribution, without truncation.
        top_p: draw from the most probable tokens whose probabilities sum to this; 1 keeps all.
        top_k: draw from this many of the most probable tokens; 0 keeps all.
        min_p: drop tokens whose probability is less than this share of the highest one; 0 keeps all.
        seed: of the first choice; choice i uses seed + i. None uses a new seed each time.
        stop: texts that end the reply; they are not part of it.
        n: number of choices.
        logprobs: whether to return the log-probability of each token, at temperature 1 and before any
            truncation.
        top_logprobs: how many of the most probable tokens to list at each position; may exceed OpenAI's 20.
        schema: JSON schema that the reply must satisfy; an empty one allows any JSON object.
        ending: what the last line of the reply is held to; None for any.
        sampling: further parameters that are passed to llama.cpp unchanged.
    """

    max_tokens: int | None = None
    temperature: float = 1.0
    top_p: float = 1.0
    top_k: int = 0
    min_p: float = 0.0
    seed: int | None = None
    stop: tuple[str, ...] = ()
    n: int = 1
    logprobs: bool = False
    top_logprobs: int = 0
    schema: Mapping[str, Any] | None = None
    ending: Ending | None = None
    sampling: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Token:
    """A token of the reply: its text, its log-probability, and the most probable tokens at its position.

    The token that ends a reply has an empty text.
    """

    text: str
    logprob: float
    top: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True)
class Choice:
    """One reply; `tokens` is None unless log-probabilities were requested."""

    text: str
    finish_reason: Literal["stop", "length"]
    tokens: tuple[Token, ...] | None = None


@dataclass(frozen=True)
class EngineReply:
    """The choices and the numbers of tokens; `cached_tokens` of the prompt had been evaluated before."""

    choices: tuple[Choice, ...]
    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int = 0


class Engine(Protocol):
    """A loaded model. Any thread may submit requests; concurrent ones may be evaluated together."""

    def submit(self, messages: Sequence[Message], params: ChatParams) -> Future[EngineReply]:
        """Submit a chat and return the future of its reply.

        If the last message is the assistant's, the reply continues it. The future raises `RequestError` if
        the request is not accepted. A future that is cancelled before its turn drops the request.
        """

    def close(self) -> None:
        """Drop waiting requests, finish running ones, free the model; later requests are refused."""

    def abandon(self) -> None:
        """Give up the engine in a forked child process, where its threads do not exist."""
