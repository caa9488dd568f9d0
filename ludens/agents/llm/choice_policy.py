"""A language model that chooses between options, and says what it believes others choose."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property, partial
from typing import Any, ClassVar

import numpy as np

from ludens.agents.llm.faults import ModelError
from ludens.agents.llm.logprobs import NEVER, normalised
from ludens.agents.llm.loop import run
from ludens.agents.llm.model_policy import Question
from ludens.agents.llm.prompts.games import Format, orders, render
from ludens.agents.llm.prompts.surfaces import is_table
from ludens.agents.llm.prompts.templates import Prompt, WordingError
from ludens.agents.llm.query import ModelQuery
from ludens.agents.llm.rating_policy import RatingPolicy
from ludens.agents.llm.reading.choices import read_choice, read_shares
from ludens.agents.llm.reading.parsed import ParsedReply, read_masses, read_text
from ludens.agents.llm.reading.schemas import answer_ending, choice_schema, shares_schema
from ludens.agents.llm.reply import Reply
from ludens.agents.llm.settings import ChoiceSettings, ModelSettings
from ludens.agents.llm.votes import most_voted
from ludens.agents.policy import BeliefReport, Decision, Policy, Wording, draw
from ludens.agents.registry import model_class
from ludens.envs import Turn
from ludens.errors import UsageError

# The embedded engine lists as many tokens as asked for; hosted models list twenty at most.
TOP_LOGPROBS, TOP_LOGPROBS_LOCAL = 20, 200


class LLMPolicy(RatingPolicy):
    """A language model as a player, named as LiteLLM names it, or ``local/…`` for a model on this machine.

    Log-probabilities count where the reply is an answer by a label (`read_masses`). Where it is not, the
    question is put again and the reply itself counts, if ``elicit="auto"``; that request is one of the
    `retries`. With ``elicit="logprobs"`` the decision is ``"low_mass"`` where too little of the probability
    lay on the labels, and ``"invalid"`` where the label was not the whole answer.

    Args:
        model: for example ``"openai/gpt-5-mini"``, ``"local/smollm2-135m"``.
        settings: see `ludens.agents.llm.settings.ChoiceSettings`: framing or template, persona, reasoning,
            elicit, order, format, retries, invalid, and those of every model (temperature, seed, api_base …).
            Anything else is handed to LiteLLM with every request; a misspelt setting, and a parameter that
            the policy decides itself (messages, n, stream …), is an error.

    A refusal ends the decision at once, without another attempt. A server that gives no reply is no decision
    of the model: it raises `NoReplyError`.
    Where a turn asks for points or for any number of an interval, it answers as `RatingPolicy` does, and in a
    market as the `PricePolicy` of the same model and settings; the framing ``table`` is the layout of that
    name there.

    Raises:
        UsageError: a setting is out of its range or unknown.
    """

    Settings: ClassVar[type[ModelSettings]] = ChoiceSettings
    settings: ChoiceSettings

    @cached_property
    def _kinds(self) -> dict[Any, Policy]:
        """The policies that ask the same model in other kinds of games."""
        return {}

    def for_game(self, game: object) -> Policy:
        """Return the policy that asks the model in a game: itself, or a `PricePolicy` in a market.

        Raises:
            UsageError: a setting means nothing there.
        """
        if type(self) is not LLMPolicy or issubclass(LLMPolicy, kind := model_class(game)):
            return self
        if (kind, self.name) not in self._kinds:
            self._kinds[kind, self.name] = self._as(kind)
        return self._kinds[kind, self.name]

    async def adecide(self, turn: Turn, rng: np.random.Generator) -> Decision:
        """Ask the model.

        Raises:
            ModelError: the model cannot be used, or gave no reply (`NoReplyError`).
            WordingError: the framing or the template cannot word this game.
            UsageError: the turn has neither options nor points, and is none of a market.
        """
        suited = self.for_game(turn.game)
        if suited is not self:
            return await suited.adecide(turn, rng)
        if turn.scale is not None:
            return await super().adecide(turn, rng)
        if not turn.options:
            raise UsageError(
                f"{self.name} chooses between options, and {turn.environment} has none at {turn.node!r}: "
                "give its turn options, such as points of a grid."
            )
        query = await self._query(rng)
        if (decision := await self._weighed(turn, rng, query)) is not None:
            return decision
        return await self._sample(turn, rng, query)

    async def abelief(self, turn: Turn, rng: np.random.Generator) -> BeliefReport:
        """Ask the model what share of people choose each option at this turn.

        Raises:
            ModelError: the model cannot be used, or gave no reply (`NoReplyError`).
            WordingError: the framing cannot word this game.
            UsageError: the turn has no options, whose shares could be asked for.
        """
        if not turn.options:
            raise UsageError(
                f"{self.name} is asked what others choose among options, and {turn.environment} has none at "
                f"{turn.node!r}: ask where there are options."
            )
        query = await self._query(rng)
        reports: list[tuple[float, ...]] = []
        wording = None
        for order in self._orders(turn, rng, every=False):
            prompt, reply = await self._ask_freely(turn, order, query, belief=True)
            wording = _joined(wording, prompt.wording)
            if reply.outcome != "ok":
                return BeliefReport(None, reply.status, wording, tuple(query.calls))
            reports.append(prompt.in_game_order(read_shares(reply.reply, prompt.labels).shares or ()))
        return BeliefReport(_mean(reports), "valid", wording, tuple(query.calls))

    def belief(self, turn: Turn, rng: np.random.Generator) -> BeliefReport:
        """Ask as `abelief` does, and wait for the model."""
        return run(self.abelief(turn, rng))

    def _as(self, kind: Callable[..., Policy]) -> Policy:
        """Return the policy of another kind that asks the same model, with all settings that were changed."""
        fields, settings = type(self.settings).model_fields, self.settings
        values = {name: getattr(settings, name) for name in settings.names()}
        changed = {name: value for name, value in values.items() if value != fields[name].default}
        settings_there = getattr(kind, "Settings", ModelSettings)
        if is_table(settings.framing) and "layout" in settings_there.names():
            # The same table stands in a market, where the layout names it.
            changed["layout"] = changed.pop("framing")
            changed["reasoning"] = settings.reasoning
            if "retries" in changed:
                changed["tries"] = 1 + changed["retries"]
            for name in ("order", "format", "retries", "invalid", "elicit"):
                changed.pop(name, None)
        made = kind(self.model, **changed, **self.options)
        made.name, made.made_from = self.name, self.made_from
        return made

    async def _weighed(self, turn: Turn, rng: np.random.Generator, query: ModelQuery) -> Decision | None:
        """Draw a decision from log-probabilities, if they are to be asked for; see `_weigh`."""
        if query.learnt.gives_logprobs is None and self._by_logprobs(query) and query.upcoming() is None:
            # One decision finds out whether the server gives any, so that the others under way do not pay
            # for it too.
            async with query.learnt.gate("log-probabilities"):
                if query.learnt.gives_logprobs is None:
                    return await self._weigh(turn, rng, query)
        return await self._weigh(turn, rng, query) if self._by_logprobs(query) else None

    async def _weigh(self, turn: Turn, rng: np.random.Generator, query: ModelQuery) -> Decision | None:
        """Draw a decision from log-probabilities; return None if they are none of an answer, or the model
        gives none, and it may be sampled.
        """
        insisted = self.settings.elicit == "logprobs"
        weighed: list[tuple[float, ...]] = []
        wording = None
        for order in self._orders(turn, rng, every=True):
            prompt = self._render(turn, order)
            if max(map(len, prompt.labels)) > 1:
                if insisted:
                    raise WordingError(
                        f"{turn.environment} offers {len(turn.options)} options at {turn.node!r}, whose "
                        "labels are no single tokens, so that log-probabilities do not tell them apart: use "
                        "elicit='sample'."
                    )
                return None

            def read(reply: Reply, prompt: Prompt = prompt) -> ParsedReply:
                return read_masses(reply, prompt, strict=not (insisted or self.local))

            retries = self._retries if insisted else 0
            reply = await query.ask(prompt, self._weighing_parameters(), read, retries)
            if reply.outcome == "rejected" or reply.detail in NEVER:
                self._give_up_logprobs(reply.detail, query)
                return None
            query.learnt.gives_logprobs = True
            wording = _joined(wording, prompt.wording)
            if reply.outcome == "invalid" and not insisted:
                return None
            if reply.outcome != "ok" or reply.masses is None:
                return self._undecided(reply, wording, query)
            weighed.append(normalised(reply.masses, self.settings.temperature))
        return draw(_mean(weighed), turn, rng, provenance="logprobs", **self._known(query, wording))

    async def _sample(self, turn: Turn, rng: np.random.Generator, query: ModelQuery) -> Decision:
        """Decide by the reply itself. Where all orders are asked, one of the answers is drawn."""
        answers: list[tuple[int, str | None]] = []
        wording = None
        asked = self._orders(turn, rng, every=False)
        for order in asked:
            ask = partial(self._ask_freely, turn, order, query)
            prompt, reply = await most_voted(ask, self.settings.votes, self.settings.reasoning)
            wording = _joined(wording, prompt.wording)
            if reply.outcome != "ok":
                return self._undecided(reply, wording, query)
            reading = read_choice(reply.reply, prompt.labels, prompt.words, self.settings.reasoning)
            assert reading.place is not None
            answers.append((prompt.order[reading.place], reading.reasoning))
        place, thoughts = answers[int(rng.integers(len(answers)))] if len(answers) > 1 else answers[0]
        shares = None
        if len(asked) > 1:
            shares = _mean([tuple(float(one == n) for n in range(len(turn.options))) for one, _ in answers])
        return Decision(
            turn.options[place].action,
            probabilities=shares,
            provenance="sample",
            reasoning=thoughts,
            **self._known(query, wording),
        )

    async def _ask_freely(
        self, turn: Turn, order: int, query: ModelQuery, belief: bool = False
    ) -> tuple[Prompt, ParsedReply]:
        """Ask for an answer in the model's own words: a choice, or shares of people."""
        reasoning = self.settings.reasoning and not belief
        weighed = any(call.option_probabilities is not None for call in query.calls)
        retries = max(0, self._retries - 1) if weighed else self._retries

        def pose(held: bool) -> Question:
            prompt = self._render(turn, order, "json" if held else "letter", belief)

            def read(reply: Reply) -> ParsedReply:
                return read_text(reply, prompt, reasoning=reasoning, belief=belief)

            labels = prompt.labels
            schema = None
            if held:
                schema = shares_schema(labels) if belief else choice_schema(labels, reasoning)
            elif self.settings.held and self.local and not belief:
                schema = answer_ending(labels, reasoning)
            return Question(prompt, read, self._reply_tokens(reasoning), schema, retries=retries)

        return await self._ask(query, pose)

    def _orders(self, turn: Turn, rng: np.random.Generator, every: bool) -> tuple[int, ...]:
        order = self.settings.order
        if isinstance(order, int):
            return (order % len(turn.options),)
        if order == "both" or (order == "auto" and every):
            return orders(turn)
        return (int(rng.integers(len(turn.options))),)

    def _render(self, turn: Turn, order: int, format_: Format = "letter", belief: bool = False) -> Prompt:
        return render(
            turn,
            self.settings.framing,
            order,
            persona=self.settings.persona,
            reasoning=self.settings.reasoning and not belief,
            format=format_,
            belief=belief,
            template=self.settings.template,
        )

    @property
    def _wants_schema(self) -> bool:
        return not self.local if self.settings.held else super()._wants_schema

    def _by_logprobs(self, query: ModelQuery) -> bool:
        # A resumed decision asks again in the form in which it asked before, whatever is known by now.
        if (earlier := query.upcoming()) is not None:
            return "logprobs" in earlier.parameters
        if self.settings.elicit != "auto":
            return self.settings.elicit == "logprobs"
        offered = {"logprobs", "top_logprobs"} <= query.learnt.abilities.parameters
        return offered and not self.settings.reasoning and query.learnt.gives_logprobs is not False

    def _give_up_logprobs(self, detail: str, query: ModelQuery) -> None:
        if self.settings.elicit == "logprobs":
            raise ModelError(
                f"{self.model} gives no log-probabilities ({detail.rstrip('.')}): use elicit='sample'."
            )
        if query.learnt.gives_logprobs is None:
            query.learnt.gives_logprobs = False

    def _weighing_parameters(self) -> dict[str, Any]:
        """Return the parameters of a request for log-probabilities.

        Eight tokens show whether the label ends the answer. A model on this machine is asked for one: two
        thirds of the replies of the embedded one begin with other words, and of the labels that it draws one
        in five or six goes on in words, so that most of its decisions would be sampled under a schema, which
        forces a choice all the same, and hides with how little of the probability it was made.
        """
        # At temperature 1 every server reports the model's own distribution; the policy's temperature is
        # applied to what is read.
        top = TOP_LOGPROBS_LOCAL if self.local else TOP_LOGPROBS
        return {
            "temperature": 1.0,
            "max_tokens": 1 if self.local else 8,
            "logprobs": True,
            "top_logprobs": top,
        }


def _mean(rows: list[tuple[float, ...]]) -> tuple[float, ...]:
    return tuple(np.mean(rows, axis=0).tolist())


def _joined(wording: Wording | None, more: Wording) -> Wording:
    earlier = wording.orders if wording is not None else ()
    return Wording(more.framing, more.template, more.hash, (*earlier, *more.orders))
