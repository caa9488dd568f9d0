"""A language model that sets a firm's prices.

Every period is one stateless request: what the model keeps in mind stands in its notes, which it rewrites in
each reply (after Fish, Gonczarowski & Shorrer, arXiv 2404.00806; the wording, the schema and the reader are
ours). A reply that gives no usable price is asked again with the reason, and no price is ever put in its
place.
"""

from __future__ import annotations

import math
import re
from dataclasses import replace
from typing import Any, Literal

import numpy as np

from ludens.agents.llm.abilities import LOCAL, Abilities, abilities
from ludens.agents.llm.client import TIMEOUT, Endpoint, Reply
from ludens.agents.llm.faults import ModelError
from ludens.agents.llm.loop import run, shared
from ludens.agents.llm.prompts.games import Prompt
from ludens.agents.llm.prompts.prices import (
    Format,
    Layout,
    PricePromptOptions,
    check_prefix,
    render_firm,
    reply_schema,
    slots,
)
from ludens.agents.llm.query import ModelQuery
from ludens.agents.llm.reading.prices import FirmReading, read_firm
from ludens.agents.llm.reading.verdicts import ParsedReply
from ludens.agents.llm.settings import (
    check_amount,
    check_model,
    check_options,
    check_persona,
    check_whole,
    check_word,
)
from ludens.agents.policy import Decision, Policy, Status
from ludens.agents.pricing.view import MarketView, market_view
from ludens.agents.secrets import without_secrets
from ludens.envs import Turn
from ludens.errors import UsageError

# Of the stated ceiling, or of the unit cost where none is stated: what lies beyond is a slip and no price.
SANE = 1000.0
QUOTED = 1000
SETTINGS = (
    "prefix", "persona", "layout", "window", "notes", "note_limit", "schema", "tries", "temperature",
    "timeout", "transport_retries", "retry_wait", "max_tokens", "seed", "api_base",
)  # fmt: skip
# What a small context has room for.
SMALL_WINDOW, SMALL_NOTE, SMALL_REPLY = 4, 32, 200
WINDOW, LONG_REPLY = 100, 2048


class PricePolicy(Policy):
    """A firm whose prices a language model sets, named as LiteLLM names it.

    Args:
        model: for example ``"openai/gpt-5-mini"``, ``"local/smollm2-135m"``.
        prefix: what the firm is after, ``"P0"`` to ``"P3"`` or a text of one's own.
        persona: ``"homo_economicus"``, ``"homo_moralis"`` (universalised over firms), or a text, put into
            the system message.
        layout: ``"full"``, or ``"compact"`` for small contexts; ``"auto"`` is compact for models on this
            machine.
        window: how many of the last periods are shown; None for 100, and for 4 in the compact layout.
        notes: whether the firm keeps PLANS and INSIGHTS.
        note_limit: how many characters of each note are shown again; None for all, and for 32 in the
            compact layout.
        schema: ask for a JSON object held to a schema where the model takes one; else for slots in a text.
        tries: how many requests a price may take, at least 1.
        temperature: of sampling.
        timeout: seconds for one request; None for 120, and for no limit with a model on this machine.
        transport_retries: how often a request is repeated after 429, 5xx, a time-out or a broken connection.
        retry_wait: seconds before the first repetition, doubling; Retry-After is heeded.
        max_tokens: limit of a reply; None for one that suits the layout.
        seed: sent with every request as it is. None draws one per request from the run's own stream, for
            models that take a seed.
        api_base: address of an OpenAI-compatible server, for models named ``openai/…``.
        options: anything else is handed to LiteLLM with every request.

    What gives no usable price is asked again with the reason. After all tries the
    decision is invalid, and ends its episode as aborted. A refusal ends it at once. A provider that gives no
    reply at all stops the run with an error, to be resumed; such requests count as tries too.

    Raises:
        UsageError: an argument is out of its range or unknown.
    """

    def __init__(
        self,
        model: str,
        *,
        prefix: str = "P0",
        persona: str | None = None,
        layout: Layout | Literal["auto"] = "auto",
        window: int | None = None,
        notes: bool = True,
        note_limit: int | None = None,
        schema: bool = True,
        tries: int = 10,
        temperature: float = 1.0,
        timeout: float | None = None,
        transport_retries: int = 4,
        retry_wait: float = 1.0,
        max_tokens: int | None = None,
        seed: int | None = None,
        api_base: str | None = None,
        **options: Any,
    ) -> None:
        check_word("layout", layout, Literal["auto", "full", "compact"])
        for name, value in (("notes", notes), ("schema", schema)):
            if not isinstance(value, bool):
                raise UsageError(f"PricePolicy got {name}={value!r}; it must be True or False.")
        check_options(options, SETTINGS)
        self.model = self.name = check_model(model)
        self.prefix = check_prefix(prefix)
        self.persona = check_persona(persona)
        self.layout = layout
        self.window = None if window is None else check_whole("window", window, 1)
        self.notes = notes
        self.note_limit = None if note_limit is None else check_whole("note_limit", note_limit, 1)
        self.schema = schema
        self.tries = check_whole("tries", tries, 1)
        self.temperature = check_amount("temperature", temperature)
        self.timeout = None if timeout is None else check_amount("timeout", timeout, above_0=True)
        self.transport_retries = check_whole("transport_retries", transport_retries)
        self.retry_wait = check_amount("retry_wait", retry_wait)
        self.max_tokens = None if max_tokens is None else check_whole("max_tokens", max_tokens, 1)
        self.seed = None if seed is None else check_whole("seed", seed)
        self.api_base = api_base
        self.options = options
        small = layout == "compact" or (layout == "auto" and model.startswith(LOCAL))
        self.telling = PricePromptOptions(
            prefix=self.prefix,
            persona=self.persona,
            layout="compact" if small else "full",
            window=self.window or (SMALL_WINDOW if small else WINDOW),
            notes=notes,
            note_limit=self.note_limit or (SMALL_NOTE if small else None),
        )
        # What the model turned out to be able to do; None until it has been asked.
        self._takes_schema: bool | None = None
        self._able = Abilities()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PricePolicy) and self.describe() == other.describe()

    def __hash__(self) -> int:
        return hash((self.model, self.prefix))

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
        """Ask the model for its price and its notes.

        Raises:
            ModelError: the model cannot be used, or gave no reply.
            UsageError: the turn is none of a pricing market.
        """
        view = market_view(turn)
        asking = await self._asking(rng)
        formats: tuple[Format, ...] = ("json", "slots") if self._by_schema(asking) else ("slots",)
        verdict, prompt = ParsedReply("invalid"), None
        for format_ in formats:
            prompt = render_firm(view, self.telling, format_, tuple(option.name for option in turn.options))
            verdict = await self._tried(turn, view, prompt, format_, asking)
            if verdict.outcome != "rejected":
                break
            self._takes_schema = False if format_ == "json" else self._takes_schema
        if verdict.outcome == "rejected":
            raise self._rejected(verdict.detail)
        assert prompt is not None
        known: dict[str, Any] = {
            "wording": prompt.wording,
            "calls": tuple(asking.calls),
            "on_invalid": "abort",
        }
        if verdict.outcome != "ok":
            status: Status = "refused" if verdict.outcome == "refused" else "invalid"
            return Decision(None, status, **known)
        reading = self._read(turn, view, verdict.reply)
        assert reading.price is not None
        return Decision(
            _action(turn, reading.price),
            reasoning=reading.notes.get("observations") or None,
            notes=reading.notes,
            **known,
        )

    async def _tried(
        self, turn: Turn, view: MarketView, prompt: Prompt, format_: Format, asking: ModelQuery
    ) -> ParsedReply:
        """The first reply with a usable price, or what the last try came to."""

        def read(reply: Reply) -> ParsedReply:
            if reply.refused:
                return ParsedReply("refused", "The model declined to answer.", reply.text)
            reading = self._read(turn, view, reply.text, reply.cut)
            return ParsedReply(reading.outcome, reading.detail, reply.text)

        asked, verdict = prompt, ParsedReply("invalid")
        parameters = self._parameters(view, format_)
        last = len(asking.calls) + self.tries
        while len(asking.calls) < last:
            replayed = asking.upcoming() is not None
            verdict = await asking.ask(asked, parameters, read, retries=0)
            if verdict.outcome == "error" and not replayed and len(asking.calls) < last:
                raise ModelError(
                    f"{self.model} gave no reply for period {view.period + 1} "
                    f"({verdict.detail.rstrip('.')}): see to the connection and the provider, then go on."
                )
            if verdict.outcome == "invalid":
                asked = self._again(prompt, verdict)
            elif verdict.outcome != "error":
                break
        return verdict

    def _again(self, prompt: Prompt, verdict: ParsedReply) -> Prompt:
        """The question put again, with the reason. Only the last reply stands beside it: ten would not fit a
        small context. In the compact layout not even that one does: small models repeat what they see, and a
        prompt that begins as it did need not be read anew by a model on this machine.
        """
        reason = prompt.reread(verdict.detail)
        if self.telling.layout == "compact":
            *before, last = prompt.messages
            return replace(prompt, messages=(*before, {**last, "content": f"{last['content']}\n{reason}"}))
        said = (verdict.reply or "").strip()[:QUOTED] or "(no text)"
        again = ({"role": "assistant", "content": said}, {"role": "user", "content": reason})
        return replace(prompt, messages=(*prompt.messages, *again))

    def _read(self, turn: Turn, view: MarketView, text: str | None, cut: bool = False) -> FirmReading:
        reading = read_firm(text, lowest=0.0, highest=_sane(view), slots=slots(self.telling, view), cut=cut)
        if reading.price is None:
            return reading
        said = len(reading.notes.get("message", ""))
        if view.message_limit is not None and said > view.message_limit:
            return FirmReading(
                "invalid",
                detail=f"The message has {said} characters; it may have {view.message_limit} at most.",
            )
        if turn.options and _action(turn, reading.price) is None:
            return FirmReading("invalid", detail=f"{reading.price:.6g} is none of the prices to choose from.")
        if not turn.options and not view.lowest <= reading.price <= view.highest:
            # Without the bound, which may tell what the firm is to find out.
            return FirmReading("invalid", detail=f"{reading.price:.6g} is no price that this market takes.")
        return reading

    async def _asking(self, rng: np.random.Generator) -> ModelQuery:
        timeout = self.timeout or (None if self.model.startswith(LOCAL) else TIMEOUT)
        options = {**self.options, **({"api_base": self.api_base} if self.api_base else {})}
        endpoint = Endpoint(self.model, options, timeout, self.transport_retries, self.retry_wait)
        self._able = await shared(abilities(self.model))
        takes_seed = "seed" in self._able.parameters
        return ModelQuery(
            endpoint, self.seed if self.seed is not None or not takes_seed else int(rng.integers(2**31))
        )

    def _by_schema(self, asking: ModelQuery) -> bool:
        # What an earlier life of the run asked is asked again in the same way, whatever is known by now.
        if (earlier := asking.upcoming()) is not None:
            return "response_format" in earlier.parameters
        return self.schema and self._takes_schema is not False and self._able.schema

    def _parameters(self, view: MarketView, format_: Format) -> dict[str, Any]:
        able, small = self._able, self.telling.layout == "compact"
        chosen: dict[str, Any] = {"temperature": self.temperature}
        if self.max_tokens is not None:
            chosen["max_tokens"] = self.max_tokens
        elif not able.thinks:
            chosen["max_tokens"] = SMALL_REPLY if small else LONG_REPLY
        if format_ == "json":
            longest = self.telling.note_limit if self.model.startswith(LOCAL) else None
            chosen["response_format"] = reply_schema(slots(self.telling, view), longest)
        return {name: value for name, value in chosen.items() if name in able.parameters}

    def _rejected(self, detail: str) -> ModelError:
        if re.search(r"(?i)context|too (?:long|large|many tokens)|maximum.{0,40}tokens", detail):
            return ModelError(
                f"The prompt does not fit the context of {self.model} ({detail.rstrip('.')}): show fewer "
                f"periods or shorter notes, with window (now {self.telling.window}), note_limit (now "
                f"{self.telling.note_limit}) or layout='compact'."
            )
        return ModelError(f"{self.model} rejects the request ({detail.rstrip('.')}): see its parameters.")


def _action(turn: Turn, price: float) -> int | float | None:
    """The price as the environment takes it; None if it is none of those on offer."""
    if not turn.options:
        return price
    same = (each.action for each in turn.options if math.isclose(float(each.name), price, rel_tol=1e-6))
    return next(same, None)


def _sane(view: MarketView) -> float:
    return SANE * (view.limit or view.cost or view.market.price_scale)
