"""A language model that sets a firm's prices.

Every period is one stateless request: the model's only memory is its notes, which it rewrites in each reply
(after Fish, Gonczarowski & Shorrer, arXiv 2404.00806; the wording, the schema and the reader are ours). A
reply without a usable price is asked again with the reason, and no price is ever put in its place.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import ClassVar

import numpy as np

from ludens.agents.llm.adaptation import too_long
from ludens.agents.llm.faults import ModelError
from ludens.agents.llm.model_policy import ModelPolicy, Question
from ludens.agents.llm.prompts.prices import PricePromptOptions, render_price_turn, slots
from ludens.agents.llm.prompts.surfaces import is_table
from ludens.agents.llm.prompts.templates import Prompt
from ludens.agents.llm.query import ModelQuery, Rejection, answered
from ludens.agents.llm.reading.choices import read_choice
from ludens.agents.llm.reading.parsed import ParsedReply, parsed, read_text
from ludens.agents.llm.reading.prices import PriceReading
from ludens.agents.llm.reading.schemas import answer_ending, price_schema
from ludens.agents.llm.reading.several_prices import read_price_replies
from ludens.agents.llm.reply import Reply
from ludens.agents.llm.settings import ModelSettings, PriceSettings
from ludens.agents.llm.votes import most_voted
from ludens.agents.policy import Decision, OnInvalid
from ludens.agents.pricing.view import MarketView, market_views
from ludens.envs import Turn

# Times the stated ceiling, or the unit cost where none is stated: a number beyond it is a slip, not a price.
SANE = 1000.0
# What a short context has room for.
SMALL_WINDOW, SMALL_NOTE, SMALL_REPLY = 4, 32, 200
WINDOW, LONG_REPLY = 100, 2048
TABLE_REPLY = 1024
"""Tokens of a choice from a table after thinking."""


class PricePolicy(ModelPolicy):
    """A language model that sets a firm's prices, named as LiteLLM names it.

    Args:
        model: for example ``"openai/gpt-5-mini"``, ``"local/smollm2-135m"``.
        settings: see `ludens.agents.llm.settings.PriceSettings`: prefix, persona, layout, window, notes,
            note_limit, schema, tries, and those of every model (temperature, seed, api_base …). Anything else
            is handed to LiteLLM with every request.

    A reply without a usable price is asked again with the reason. After all tries the decision is invalid,
    and its episode ends as aborted; a refusal ends it at once.

    Raises:
        UsageError: a setting is out of its range or unknown.
    """

    Settings: ClassVar[type[ModelSettings]] = PriceSettings
    several: ClassVar[bool] = True
    settings: PriceSettings

    @property
    def on_invalid(self) -> OnInvalid:
        """What becomes of an episode in which no price could be read: it is aborted."""
        return "abort"

    @property
    def prompt_options(self) -> PricePromptOptions:
        """What the prompts show, and how, with the defaults that suit the layout."""
        settings = self.settings
        small = settings.layout == "compact" or (settings.layout == "auto" and self.local)
        return PricePromptOptions(
            prefix=settings.prefix,
            persona=settings.persona,
            layout="compact" if small else "full",
            window=settings.window or (SMALL_WINDOW if small else WINDOW),
            notes=settings.notes,
            note_limit=settings.note_limit or (SMALL_NOTE if small else None),
        )

    async def adecide(self, turn: Turn, rng: np.random.Generator) -> Decision:
        """Ask the model for its price and its notes.

        Raises:
            ModelError: the model cannot be used, or gave no reply (`NoReplyError`).
            UsageError: the turn is not one of a pricing market.
        """
        if is_table(self.settings.layout):
            return await self._choose(turn, rng)
        view = market_views(turn)[0]
        query = await self._query(rng)
        options = self.prompt_options
        allowed = tuple(option.name for option in turn.options)
        small = options.layout == "compact"

        def pose(held: bool) -> Question:
            prompt = render_price_turn(view, options, "json" if held else "slots", allowed)
            longest = options.note_limit if self.local else None
            schema = price_schema(slots(options, view), longest, turn.numbers) if held else None

            def read(reply: Reply) -> ParsedReply:
                return parsed(reply, _read(turn, view, options, reply.text, cut=reply.cut))

            limit = SMALL_REPLY if small else LONG_REPLY
            return Question(prompt, read, limit, schema)

        prompt, reply = await self._ask(query, pose)
        if reply.outcome != "ok":
            return self._undecided(reply, prompt.wording, query)
        reading = _read(turn, view, options, reply.reply)
        assert reading.price is not None
        return Decision(
            _action(turn, reading.price),
            further=reading.further,
            reasoning=reading.notes.get("observations") or None,
            notes=reading.notes,
            **self._known(query, prompt.wording),
        )

    async def _choose(self, turn: Turn, rng: np.random.Generator) -> Decision:
        """Ask which price of a table the model takes."""
        from ludens.agents.llm.prompts.price_tables import render_price_table

        settings = self.settings
        reasoning = settings.reasoning is not False
        query = await self._query(rng)
        prompt, prices = render_price_table(
            turn, settings.layout, persona=settings.persona, reasoning=reasoning
        )

        def read(reply: Reply) -> ParsedReply:
            return read_text(reply, prompt, reasoning=reasoning)

        held = answer_ending(prompt.labels, reasoning) if settings.held and self.local else None
        question = Question(prompt, read, TABLE_REPLY if reasoning else SMALL_REPLY, held)

        async def ask() -> tuple[Prompt, ParsedReply]:
            return prompt, await self._put(query, question, self._rejection)

        _, reply = await most_voted(ask, settings.votes, reasoning)
        if reply.outcome != "ok":
            return self._undecided(reply, prompt.wording, query)
        reading = read_choice(reply.reply, prompt.labels, prompt.words, reasoning)
        assert reading.place is not None
        price = prices[prompt.order[reading.place]]
        action = _action(turn, price) if not turn.options else _nearest(turn, price)
        more = (price,) * (turn.numbers - 1)  # several are asked for without a grid of prices
        return Decision(
            action, further=more, reasoning=reading.reasoning, **self._known(query, prompt.wording)
        )

    @property
    def _wants_schema(self) -> bool:
        return self.settings.schema_

    async def _put(self, query: ModelQuery, question: Question, rejection: Rejection | None) -> ParsedReply:
        """Put the question until a price can be used, with as many requests as `tries` allows."""
        prompt, reply = question.prompt, ParsedReply("invalid")
        parameters = self._parameters(question, query.learnt)
        last = query.asked + self.settings.tries
        while query.asked < last:
            reply = await query.ask(prompt, parameters, question.read, retries=0, rejection=rejection)
            if reply.outcome != "invalid":
                break
            prompt = self._again(question.prompt, reply)
        return reply

    def _again(self, prompt: Prompt, reply: ParsedReply) -> Prompt:
        """Return the question once more, with the reason why the last reply could not be used.

        Only the last reply is quoted, since ten would not fit a short context. The compact layout does not
        quote even that one: small models repeat what they see, and a prompt that begins as it did before need
        not be read anew by a model on this machine.
        """
        if self.prompt_options.layout == "compact" or is_table(self.settings.layout):
            *before, last = prompt.messages
            text = f"{last['content']}\n{prompt.reread(reply.detail)}"
            return replace(prompt, messages=(*before, {**last, "content": text}))
        return replace(prompt, messages=(*prompt.messages, *answered(prompt, reply)))

    def _rejection(self, detail: str) -> ModelError:
        if too_long(detail):
            options = self.prompt_options
            return ModelError(
                f"The prompt does not fit the context of {self.model} ({detail.rstrip('.')}): show fewer "
                f"periods or shorter notes, with window (now {options.window}), note_limit (now "
                f"{options.note_limit}) or layout='compact'."
            )
        return super()._rejection(detail)


def _read(
    turn: Turn, view: MarketView, options: PricePromptOptions, text: str | None, *, cut: bool = False
) -> PriceReading:
    highest = SANE * (view.limit or view.cost or view.market.price_scale)
    reading = read_price_replies(
        text, turn.numbers, lowest=0.0, highest=highest, slots=slots(options, view), cut=cut
    )
    if reading.price is None:
        return reading
    length = len(reading.notes.get("message", ""))
    if view.message_limit is not None and length > view.message_limit:
        return PriceReading(
            "invalid",
            detail=f"The message has {length} characters; it may have {view.message_limit} at most.",
        )
    if turn.options and _action(turn, reading.price) is None:
        return PriceReading("invalid", detail=f"{reading.price:.6g} is none of the prices to choose from.")
    for price in (reading.price, *reading.further):
        if not turn.options and not view.lowest <= price <= view.highest:
            # Without the bound, which may be what the firm is to find out.
            return PriceReading("invalid", detail=f"{price:.6g} is no price that this market takes.")
    return reading


def _nearest(turn: Turn, price: float) -> int | float:
    """Return the price on offer that a price of a table was written for."""
    return min(turn.options, key=lambda option: abs(float(option.name) - price)).action


def _action(turn: Turn, price: float) -> int | float | None:
    """Return the price as the environment takes it; None if it is none of those on offer."""
    if not turn.options:
        return price
    same = (each.action for each in turn.options if math.isclose(float(each.name), price, rel_tol=1e-6))
    return next(same, None)
