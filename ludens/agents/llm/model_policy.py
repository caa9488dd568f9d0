"""What all policies that ask a language model share.

At a turn the model is shown a prompt, its reply is read, and a reply that cannot be read is asked again with
the reason. If no reply can be read, the decision is invalid, and no action is put in its place. A policy of
its own kind adds the template, the response schema and the reader.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from inspect import Signature
from typing import Any, ClassVar

import numpy as np

from ludens.agents.journal import current_journal
from ludens.agents.llm.abilities import LOCAL, Abilities, abilities, lost_abilities
from ludens.agents.llm.adaptation import Learnt, too_long
from ludens.agents.llm.addresses import reached, with_headers
from ludens.agents.llm.endpoint import TIMEOUT, Endpoint
from ludens.agents.llm.faults import ModelError
from ludens.agents.llm.loop import run, shared
from ludens.agents.llm.prompts.templates import Prompt
from ludens.agents.llm.query import ModelQuery, Read, Rejection
from ludens.agents.llm.reading.parsed import ParsedReply
from ludens.agents.llm.reading.schemas import ENDING
from ludens.agents.llm.settings import ModelSettings
from ludens.agents.local.resolve import LocalModelError
from ludens.agents.policy import Decision, OnInvalid, Policy, Wording
from ludens.envs import Turn


@dataclass(frozen=True)
class Question:
    """A question in one form.

    Attributes:
        prompt: its text.
        read: reads a reply to it.
        max_tokens: a limit that suits the reply, for models that do not think before they reply.
        schema: the response format; None for plain text.
        retries: how often a reply that cannot be read is asked again; None for the policy's own number.
    """

    prompt: Prompt
    read: Read
    max_tokens: int
    schema: dict[str, Any] | None = None
    retries: int | None = None


class ModelPolicy(Policy):
    """A policy that asks a language model, named as LiteLLM names it, or ``local/…`` for one on this machine.

    Args:
        model: for example ``"openai/gpt-5-mini"``, ``"local/smollm2-135m"``.
        settings: the settings of the policy's kind by name (`Settings`). Anything else is handed to LiteLLM
            with every request; a misspelt setting, and a parameter that the policy decides itself (messages,
            n, stream …), is an error.

    Raises:
        UsageError: a setting is out of its range or unknown.
    """

    needs_words = True
    Settings: ClassVar[type[ModelSettings]] = ModelSettings
    __signature__: ClassVar[Signature | None] = ModelSettings.signature()
    settings: ModelSettings

    def __init__(self, model: str, **settings: Any) -> None:
        self.settings = self.Settings.checked(type(self).__name__, model, settings)
        self.name = self.model = self.settings.model
        self._own = Learnt()
        self._abilities: Abilities | None = None

    def __init_subclass__(cls) -> None:
        # So that `help` shows the settings, which are typed in one place alone.
        cls.__signature__ = cls.Settings.signature() if cls.__init__ is ModelPolicy.__init__ else None

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and isinstance(other, Policy) and self.describe() == other.describe()

    def __hash__(self) -> int:
        return hash((type(self), self.model))

    @property
    def options(self) -> dict[str, Any]:
        """What is handed to LiteLLM with every request, secrets included."""
        return self.settings.options

    @property
    def connection(self) -> dict[str, Any]:
        """The options, and the address with its password."""
        address = {} if self.settings.api_base is None else {"api_base": self.settings.api_base}
        return self.options | address

    @property
    def on_invalid(self) -> OnInvalid:
        """What becomes of an episode in which no reply could be read."""
        return "drop"

    @property
    def local(self) -> bool:
        """Whether the model runs on this machine."""
        return self.model.startswith(LOCAL)

    def describe(self) -> dict[str, Any]:
        """Return all settings as JSON values; keys and other secrets are left out and come from the
        environment.
        """
        if self.made_from is not None:
            return self._described()
        return {"spec": self.model, **self.settings.described()}

    def decide(self, turn: Turn, rng: np.random.Generator) -> Decision:
        """Ask the model and wait for it; this also works where an event loop runs (in a notebook)."""
        return run(self.adecide(turn, rng))

    @abstractmethod
    async def adecide(self, turn: Turn, rng: np.random.Generator) -> Decision:
        """Ask the model.

        Raises:
            ModelError: the model cannot be used, or gave no reply (`NoReplyError`).
        """

    @cached_property
    def _endpoint(self) -> Endpoint:
        """The model and how to reach it, without the headers whose values stand in the environment."""
        settings = self.settings
        here = {} if settings.batched is None else {"batched": settings.batched}
        return Endpoint(
            self.model,
            reached(self.connection | here),
            settings.timeout or (None if self.local else TIMEOUT),
            settings.patience,
            settings.transport_retries,
            settings.retry_wait,
        )

    async def _query(self, rng: np.random.Generator | None = None) -> ModelQuery:
        """Begin the requests of a decision; without `rng` no seed is drawn for them."""
        settings, endpoint = self.settings, self._endpoint
        if settings.headers_from is not None:  # variables may have changed
            endpoint = replace(endpoint, options=with_headers(endpoint.options, settings.headers_from))
        learnt = self._learnt(endpoint.server)
        if self._abilities is None:
            try:
                self._abilities = await shared(abilities(self.model))
            except LocalModelError:
                if (journal := current_journal()) is None or journal.reread is None:
                    raise
                # Its replies are read again from a run, wherever the model itself may be.
                self._abilities = lost_abilities(self.model)
        learnt.abilities = self._abilities
        seed = settings.seed
        if seed is None and rng is not None and "seed" in learnt.abilities.parameters:
            seed = int(rng.integers(2**31))
        return ModelQuery(endpoint, seed, learnt, roomy=settings.max_tokens is None, too_long=self._rejection)

    def _learnt(self, server: str) -> Learnt:
        """Return what is known of the model and its server: by the run, or by this policy outside of runs."""
        if (journal := current_journal()) is None:
            return self._own
        if server not in journal.servers:
            journal.servers[server] = Learnt.known(server, journal.remembered(server))
        learnt: Learnt = journal.servers[server]
        return learnt

    async def _ask(self, query: ModelQuery, pose: Callable[[bool], Question]) -> tuple[Prompt, ParsedReply]:
        """Put a question, held to a JSON schema where the model takes one and in plain text otherwise.

        Args:
            query: the requests of the decision.
            pose: returns the question; its argument says whether the reply is held to a schema.
        """
        for held in (True, False) if self._by_schema(query) else (False,):
            question = pose(held)
            parsed = await self._put(query, question, None if held else self._rejection)
            if parsed.outcome != "rejected":
                return question.prompt, parsed
            query.learnt.takes_schema = False
        raise AssertionError("plain text is never rejected without an error")

    async def _put(self, query: ModelQuery, question: Question, rejection: Rejection | None) -> ParsedReply:
        """Put a question in one form, again while the reply cannot be read."""
        retries = self._retries if question.retries is None else question.retries
        parameters = self._parameters(question, query.learnt)
        return await query.ask(question.prompt, parameters, question.read, retries, rejection)

    @property
    def _retries(self) -> int:
        """How often a reply that cannot be read is asked again."""
        return 0

    @property
    def _wants_schema(self) -> bool:
        """Whether replies are to be held to a schema where the model takes one."""
        return False

    def _by_schema(self, query: ModelQuery) -> bool:
        # A resumed decision asks again in the form in which it asked before, whatever is known by now.
        if (earlier := query.upcoming()) is not None:
            return bool(earlier.parameters.get("response_format", {"type": ENDING}).get("type") != ENDING)
        learnt = query.learnt
        return self._wants_schema and learnt.takes_schema is not False and learnt.abilities.schema

    def _parameters(self, question: Question, learnt: Learnt) -> dict[str, Any]:
        """Return the parameters of a request, without those that the model is known not to take."""
        chosen: dict[str, Any] = {"temperature": self.settings.temperature}
        if self.settings.max_tokens is not None:
            chosen["max_tokens"] = self.settings.max_tokens
        elif not learnt.abilities.thinks:
            chosen["max_tokens"] = question.max_tokens
        if question.schema is not None:
            chosen["response_format"] = question.schema
        taken = {name: value for name, value in chosen.items() if name in learnt.abilities.parameters}
        learnt.miss(chosen, taken)
        return taken

    def _rejection(self, detail: str) -> ModelError:
        """Return the error for a request that the server takes in no form."""
        if too_long(detail):
            return ModelError(
                f"The prompt does not fit the context of {self.model} ({detail.rstrip('.')}): give it a "
                "longer context, or shorten the question (its persona, its rounds, its limit of tokens)."
            )
        return ModelError(f"{self.model} rejects the request ({detail.rstrip('.')}): see its parameters.")

    def _known(self, query: ModelQuery, wording: Wording | None) -> dict[str, Any]:
        """Return what every decision of this policy records beside the action; what was learnt is kept."""
        query.remember()
        return {"wording": wording, "calls": tuple(query.calls), "on_invalid": self.on_invalid}

    def _undecided(self, parsed: ParsedReply, wording: Wording | None, query: ModelQuery) -> Decision:
        """Return the decision in which no reply could be read, or the model declined to answer."""
        return Decision(None, parsed.status, **self._known(query, wording))
