"""A language model as a policy.

At a turn the model is shown a wording (`wording`), its reply is read (`replies`, `logprobs`), and a reply
that cannot be read is asked again with the reason. What then cannot be read stays unread: the decision is
invalid, and no action is put in its place.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ludens.agents.llm.abilities import LOCAL, Abilities, abilities
from ludens.agents.llm.client import TIMEOUT, Endpoint, Reply
from ludens.agents.llm.faults import ModelError
from ludens.agents.llm.logprobs import NEVER, normalised
from ludens.agents.llm.loop import run, shared
from ludens.agents.llm.prompts.games import Format, Prompt, check_framing, orders, render, render_scale
from ludens.agents.llm.query import ModelQuery
from ludens.agents.llm.reading.choices import read_choice, read_shares
from ludens.agents.llm.reading.verdicts import (
    ParsedReply,
    answer_schema,
    in_game_order,
    points_of,
    points_schema,
    read_masses,
    read_points,
    read_text,
)
from ludens.agents.llm.settings import (
    AnswerFormat,
    Elicit,
    Order,
    check_amount,
    check_model,
    check_options,
    check_order,
    check_persona,
    check_whole,
    check_word,
)
from ludens.agents.policy import BeliefReport, Decision, OnInvalid, Policy, Wording, draw
from ludens.agents.secrets import without_secrets
from ludens.envs import Turn
from ludens.errors import UsageError

# The embedded engine can list as many tokens as one likes; hosted models list twenty at most.
TOP_LOGPROBS, TOP_LOGPROBS_LOCAL = 20, 200
SETTINGS = (
    "framing", "elicit", "reasoning", "format", "temperature", "invalid", "persona", "order", "retries",
    "timeout", "transport_retries", "retry_wait", "max_tokens", "seed", "api_base",
)  # fmt: skip


class LLMPolicy(Policy):
    """A language model named as LiteLLM names it, or ``local/…`` for a model on this machine.

    Args:
        model: for example ``"openai/gpt-5-mini"``, ``"local/smollm2-135m"``.
        framing: the wording, see `ludens.agents.llm.framings`.
        elicit: ``"logprobs"`` reads the probabilities of the options from the first token of the answer and
            draws the action from them; ``"sample"`` takes the reply itself; ``"auto"`` the former where the
            model gives log-probabilities and is not asked to reason.
        reasoning: let the model think before it answers.
        format: ``"letter"`` asks for plain text that ends in a letter, as models tuned by ludens have learnt
            it; ``"auto"`` asks for JSON where the model can be held to a schema.
        temperature: of sampling; with log-probabilities p ∝ probability^(1/temperature).
        invalid: what becomes of an episode in which no reply could be read: it is dropped, the seat forfeits
            it, or the run is aborted.
        persona: ``"homo_economicus"``, ``"homo_moralis"``, or a text, put into the system message.
        order: the order in which options are shown: a number k shows them rotated by k; ``"random"`` draws
            one order for each decision; ``"both"`` asks all orders and averages. ``"auto"`` is ``"both"``
            with log-probabilities and ``"random"`` with samples.
        retries: how often a reply that cannot be read is asked again, with the reason.
        timeout: seconds for one request; None for 120, and for a model on this machine, where requests wait
            for one another and not for a network, as long as it takes.
        transport_retries: how often a request is repeated after 429, 5xx, a time-out or a broken connection.
        retry_wait: seconds before the first repetition, doubling; Retry-After is heeded.
        max_tokens: limit of a sampled reply; None for a limit that suits the question.
        seed: sent with every request as it is. None draws one per request from the run's own stream, for
            models that take a seed.
        api_base: address of an OpenAI-compatible server, for models named ``openai/…``.
        options: anything else is handed to LiteLLM with every request; what looks like a setting above
            written wrongly, and what the policy decides itself (messages, n, stream …), is an error.

    A refusal ends the decision at once (it is not argued with); so does a transport that fails for good.

    Raises:
        UsageError: an argument is out of its range or unknown.
    """

    def __init__(
        self,
        model: str,
        *,
        framing: str = "neutral",
        elicit: Elicit = "auto",
        reasoning: bool = False,
        format: AnswerFormat = "auto",
        temperature: float = 1.0,
        invalid: OnInvalid = "drop",
        persona: str | None = None,
        order: Order | int = "auto",
        retries: int = 2,
        timeout: float | None = None,
        transport_retries: int = 4,
        retry_wait: float = 1.0,
        max_tokens: int | None = None,
        seed: int | None = None,
        api_base: str | None = None,
        **options: Any,
    ) -> None:
        check_word("elicit", elicit, Elicit)
        check_word("format", format, AnswerFormat)
        check_word("invalid", invalid, OnInvalid)
        if reasoning and elicit == "logprobs":
            raise UsageError(
                "elicit='logprobs' reads the first word of a reply, so it cannot go with reasoning=True."
            )
        check_options(options, SETTINGS)
        self.model = self.name = check_model(model)
        self.framing = check_framing(framing)
        self.elicit = elicit
        self.reasoning = reasoning
        self.format = format
        self.temperature = check_amount("temperature", temperature)
        self.invalid = invalid
        self.persona = check_persona(persona)
        self.order = check_order(order)
        self.retries = check_whole("retries", retries)
        self.timeout = None if timeout is None else check_amount("timeout", timeout, above_0=True)
        self.transport_retries = check_whole("transport_retries", transport_retries)
        self.retry_wait = check_amount("retry_wait", retry_wait)
        self.max_tokens = None if max_tokens is None else check_whole("max_tokens", max_tokens, 1)
        self.seed = None if seed is None else check_whole("seed", seed)
        self.api_base = api_base
        self.options = options
        # What the model turned out to be able to do; None until it has been asked.
        self._gives_logprobs: bool | None = None
        self._takes_schema: bool | None = None
        self._able = Abilities()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, LLMPolicy) and self.describe() == other.describe()

    def __hash__(self) -> int:
        return hash((self.model, self.framing))

    def describe(self) -> dict[str, Any]:
        """All arguments as JSON values; keys and other secrets are left out, and come from the
        environment.
        """
        settings = {name: getattr(self, name) for name in SETTINGS}
        return {"spec": self.model, **settings, **without_secrets(self.options)}

    def decide(self, turn: Turn, rng: np.random.Generator) -> Decision:
        """Ask the model, waiting for it. Works where an event loop runs, too (in a notebook)."""
        return run(self.adecide(turn, rng))

    async def adecide(self, turn: Turn, rng: np.random.Generator) -> Decision:
        """Ask the model.

        Raises:
            ModelError: the model cannot be used, and asking again will not help.
            WordingError: the framing cannot word this game.
        """
        asking = await self._asking(rng)
        if turn.facts.get("scale"):
            return await self._pointed(turn, rng, asking)
        if self._by_logprobs(asking):
            decision = await self._weighed(turn, rng, asking)
            if decision is not None:
                return decision
        return await self._sampled(turn, rng, asking)

    async def abelief(self, turn: Turn, rng: np.random.Generator) -> BeliefReport:
        """Ask the model what share of people take each option at this turn.

        Raises:
            ModelError: the model cannot be used, and asking again will not help.
            WordingError: the framing cannot word this game.
        """
        asking = await self._asking(rng)
        reports: list[tuple[float, ...]] = []
        wording = None
        for order in self._orders(turn, rng, every=False):
            prompt, verdict = await self._freely(turn, order, asking, belief=True)
            wording = _joined(wording, prompt.wording)
            if verdict.outcome != "ok":
                return BeliefReport(None, verdict.status, wording, tuple(asking.calls))
            shares = read_shares(verdict.reply, prompt.labels).shares or ()
            reports.append(in_game_order(shares, prompt))
        return BeliefReport(_mean(reports), "valid", wording, tuple(asking.calls))

    def belief(self, turn: Turn, rng: np.random.Generator) -> BeliefReport:
        """The same as `abelief`, waiting for the model."""
        return run(self.abelief(turn, rng))

    async def _weighed(self, turn: Turn, rng: np.random.Generator, asking: ModelQuery) -> Decision | None:
        """A decision drawn from log-probabilities; None if the model turns out to give none and may be
        sampled.
        """
        weighed: list[tuple[float, ...]] = []
        wording = None
        for order in self._orders(turn, rng, every=True):
            prompt = self._render(turn, order)

            def read(reply: Reply, prompt: Prompt = prompt) -> ParsedReply:
                return read_masses(reply, prompt)

            verdict = await asking.ask(prompt, self._weighing_parameters(asking), read, self.retries)
            if verdict.outcome == "rejected" or verdict.detail in NEVER:
                self._give_up_logprobs(verdict.detail)
                return None
            self._gives_logprobs = True
            wording = _joined(wording, prompt.wording)
            if verdict.outcome != "ok" or verdict.masses is None:
                return self._undecided(verdict, wording, asking)
            weighed.append(normalised(verdict.masses, self.temperature))
        return draw(
            _mean(weighed),
            turn,
            rng,
            provenance="logprobs",
            wording=wording,
            calls=tuple(asking.calls),
            on_invalid=self.invalid,
        )

    async def _sampled(self, turn: Turn, rng: np.random.Generator, asking: ModelQuery) -> Decision:
        """A decision by the reply itself. Where all orders are asked, one of the answers is drawn."""
        answers: list[tuple[int, str | None]] = []
        wording = None
        asked = self._orders(turn, rng, every=False)
        for order in asked:
            prompt, verdict = await self._freely(turn, order, asking)
            wording = _joined(wording, prompt.wording)
            if verdict.outcome != "ok":
                return self._undecided(verdict, wording, asking)
            reading = read_choice(verdict.reply, prompt.labels, prompt.words, self.reasoning)
            assert reading.place is not None
            answers.append((prompt.order[reading.place], reading.reasoning))
        place, thoughts = answers[int(rng.integers(len(answers)))] if len(answers) > 1 else answers[0]
        shares = _mean([tuple(float(place == n) for n in range(len(turn.options))) for place, _ in answers])
        return Decision(
            turn.options[place].action,
            probabilities=shares if len(asked) > 1 else None,
            provenance="sample",
            reasoning=thoughts,
            wording=wording,
            calls=tuple(asking.calls),
            on_invalid=self.invalid,
        )

    async def _pointed(self, turn: Turn, rng: np.random.Generator, asking: ModelQuery) -> Decision:
        """A number of points, read from the reply: the rating, or those of 100 points that go to the second
        of the game's two things. One order is shown; points are a sample, with no distribution over
        options.
        """
        order = self.order % 2 if isinstance(self.order, int) else int(rng.integers(2))
        formats: tuple[Format, ...] = ("json", "letter") if self._by_schema(asking) else ("letter",)
        verdict, prompt = ParsedReply("invalid"), None
        for format_ in formats:
            prompt = render_scale(
                turn,
                self.framing,
                order,
                persona=self.persona,
                reasoning=self.reasoning,
                format=format_,
            )

            def read(reply: Reply, prompt: Prompt = prompt) -> ParsedReply:
                return read_points(reply, prompt)

            parameters = self._parameters(prompt, "letter", belief=False)
            if format_ == "json":
                parameters["response_format"] = points_schema(
                    prompt, self.reasoning, local=self.model.startswith(LOCAL)
                )
            verdict = await asking.ask(
                prompt, parameters, read, self.retries, may_be_rejected=format_ == "json"
            )
            if verdict.outcome != "rejected":
                break
            self._takes_schema = False
        assert prompt is not None
        if verdict.outcome != "ok":
            return self._undecided(verdict, prompt.wording, asking)
        reading = points_of(verdict.reply, prompt)
        # Which of the two an allocation's label names depends on the order shown.
        point = reading.points[prompt.order.index(1)] if len(reading.points) > 1 else reading.points[0]
        return Decision(
            turn.options[point].action,
            reasoning=reading.reasoning,
            wording=prompt.wording,
            calls=tuple(asking.calls),
            on_invalid=self.invalid,
        )

    async def _freely(
        self, turn: Turn, order: int, asking: ModelQuery, belief: bool = False
    ) -> tuple[Prompt, ParsedReply]:
        """The reply to a question, held to a JSON schema where the model takes one."""
        formats: tuple[Format, ...] = ("json", "letter") if self._by_schema(asking) else ("letter",)
        for format_ in formats:
            prompt = self._render(turn, order, format_, belief)

            def read(reply: Reply, prompt: Prompt = prompt) -> ParsedReply:
                return read_text(reply, prompt, self.reasoning, belief)

            verdict = await asking.ask(
                prompt,
                self._parameters(prompt, format_, belief),
                read,
                self.retries,
                may_be_rejected=format_ == "json",
            )
            if verdict.outcome != "rejected":
                return prompt, verdict
            self._takes_schema = False
        raise AssertionError("the last format is never rejected")

    async def _asking(self, rng: np.random.Generator) -> ModelQuery:
        timeout = self.timeout or (None if self.model.startswith(LOCAL) else TIMEOUT)
        endpoint = Endpoint(self.model, self._options(), timeout, self.transport_retries, self.retry_wait)
        self._able = await shared(abilities(self.model))
        takes_seed = "seed" in self._able.parameters
        return ModelQuery(
            endpoint, self.seed if self.seed is not None or not takes_seed else int(rng.integers(2**31))
        )

    def _options(self) -> dict[str, Any]:
        return {**self.options, **({"api_base": self.api_base} if self.api_base else {})}

    def _orders(self, turn: Turn, rng: np.random.Generator, every: bool) -> tuple[int, ...]:
        if isinstance(self.order, int):
            return (self.order % len(turn.options),)
        if self.order == "both" or (self.order == "auto" and every):
            return orders(turn)
        return (int(rng.integers(len(turn.options))),)

    def _render(self, turn: Turn, order: int, format_: Format = "letter", belief: bool = False) -> Prompt:
        return render(
            turn,
            self.framing,
            order,
            persona=self.persona,
            reasoning=self.reasoning and not belief,
            format=format_,
            belief=belief,
        )

    def _by_logprobs(self, asking: ModelQuery) -> bool:
        # What an earlier life of the run asked is asked again in the same way, whatever is known by now.
        if (earlier := asking.upcoming()) is not None:
            return "logprobs" in earlier.parameters
        if self.elicit != "auto":
            return self.elicit == "logprobs"
        offered = {"logprobs", "top_logprobs"} <= self._able.parameters
        return offered and not self.reasoning and self._gives_logprobs is not False

    def _by_schema(self, asking: ModelQuery) -> bool:
        if (earlier := asking.upcoming()) is not None:
            return "response_format" in earlier.parameters
        return self.format == "auto" and self._takes_schema is not False and self._able.schema

    def _give_up_logprobs(self, detail: str) -> None:
        if self.elicit == "logprobs":
            raise ModelError(
                f"{self.model} gives no log-probabilities ({detail.rstrip('.')}): use elicit='sample'."
            )
        if self._gives_logprobs is None:
            self._gives_logprobs = False

    def _weighing_parameters(self, asking: ModelQuery) -> dict[str, Any]:
        # At temperature 1 every server reports the model's own distribution; ours is applied to what is read.
        local = self.model.startswith(LOCAL)
        top = TOP_LOGPROBS_LOCAL if local else TOP_LOGPROBS
        return {"temperature": 1.0, "max_tokens": 1 if local else 8, "logprobs": True, "top_logprobs": top}

    def _parameters(self, prompt: Prompt, format_: Format, belief: bool) -> dict[str, Any]:
        able = self._able
        reasoning = self.reasoning and not belief
        chosen: dict[str, Any] = {"temperature": self.temperature}
        if self.max_tokens is not None:
            chosen["max_tokens"] = self.max_tokens
        elif not able.thinks:
            chosen["max_tokens"] = 1024 if reasoning else 64 if self.model.startswith(LOCAL) else 256
        if format_ == "json":
            chosen["response_format"] = answer_schema(prompt, reasoning, belief)
        return {name: value for name, value in chosen.items() if name in able.parameters}

    def _undecided(self, verdict: ParsedReply, wording: Wording | None, asking: ModelQuery) -> Decision:
        return Decision(
            None, verdict.status, wording=wording, calls=tuple(asking.calls), on_invalid=self.invalid
        )


def _mean(rows: list[tuple[float, ...]]) -> tuple[float, ...]:
    return tuple(np.mean(rows, axis=0).tolist())


def _joined(wording: Wording | None, more: Wording) -> Wording:
    earlier = wording.orders if wording is not None else ()
    return Wording(more.framing, more.template, more.hash, (*earlier, *more.orders))
