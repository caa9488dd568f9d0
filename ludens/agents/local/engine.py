"""What an engine is: the part that holds a model's weights and answers chats with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

Message = Mapping[str, Any]
EngineName = Literal["llamacpp", "hf"]


class RequestError(ValueError):
    """The engine does not take this request; the message says what to change in it.

    It is no `LudensError`: through LiteLLM it arrives as `litellm.BadRequestError`, as from any provider.
    """


class ContextTooLongError(RequestError):
    """The prompt does not fit the model's context; it arrives as `litellm.ContextWindowExceededError`."""


@dataclass(frozen=True)
class Settings:
    """How models on this machine are run; the same for all of them in this process.

    Attributes:
        slots: how many prompts a GGUF engine keeps in mind, and how many choices it generates together; how
            many a Transformers engine puts in one batch.
        context: tokens of one slot, prompt and reply together, in a GGUF engine. The memory for it is
            taken at once: 24 kB a token for the embedded model.
        threads: processor threads of one engine; 0 takes every core that this process may use.
        engine: which engine runs the model; "auto" takes llama.cpp for GGUF files and Transformers for the
            rest.
        exact: requests are evaluated one at a time, so that every reply depends on its request alone,
            whatever was asked before or beside it. If False, half of a GGUF engine's slots generate replies
            of more than 16 tokens together, up to twice as fast in all (shorter ones gain nothing from
            company), and a Transformers engine evaluates whole batches, many times faster; log-probabilities
            then vary in the second decimal with what else is asked. None is True for GGUF, False for
            Transformers.
    """

    slots: int = 8
    context: int = 4096
    threads: int = 0
    engine: Literal["auto", "llamacpp", "hf"] = "auto"
    exact: bool | None = None


@dataclass(frozen=True)
class ChatParams:
    """A request's parameters, in OpenAI's terms.

    Attributes:
        max_tokens: longest reply; None leaves it to the context.
        temperature: 0 takes the likeliest token; at 1 with the other defaults tokens are drawn from the
            model's own distribution, without truncation.
        seed: of the first choice; choice i draws from seed + i. None draws afresh.
        stop: texts that end the reply and are not part of it.
        n: number of choices.
        logprobs: return the log-probability of each token, at temperature 1 and before any truncation.
        top_logprobs: how many of the likeliest tokens to list at each position; may exceed OpenAI's 20.
        schema: JSON schema that the reply must satisfy; an empty one asks for any JSON object.
        sampling: further numbers that llama.cpp takes as they are.
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
    sampling: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Token:
    """A token of the reply: its text, its log-probability, the likeliest tokens of its place.

    The token that ends a reply has the empty text.
    """

    text: str
    logprob: float
    top: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True)
class Choice:
    """One reply; `tokens` is None where log-probabilities were not asked for."""

    text: str
    finish_reason: Literal["stop", "length"]
    tokens: tuple[Token, ...] | None = None


@dataclass(frozen=True)
class EngineReply:
    """The choices and the tokens they took; `cached_tokens` of the prompt had been evaluated before."""

    choices: tuple[Choice, ...]
    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int = 0


class Engine(Protocol):
    """A loaded model. Any thread may submit; requests that are there together are evaluated together."""

    def submit(self, messages: Sequence[Message], params: ChatParams) -> Future[EngineReply]:
        """Ask for a reply.

        If the last message is the assistant's, the reply continues it.
        The future raises `RequestError`; cancelled before its turn, the request is dropped.
        """

    def close(self) -> None:
        """Drop what waits, finish what runs, free the model. A closed engine takes no request."""

    def abandon(self) -> None:
        """Forget the engine in a forked child, where its threads do not exist."""
