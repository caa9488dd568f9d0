"""A language model that answers in points, with a rating, an amount, or by sharing points out, or that writes
a message to others.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from ludens.agents.llm.model_policy import ModelPolicy, Question
from ludens.agents.llm.prompts.games import render_scale
from ludens.agents.llm.prompts.templates import Prompt
from ludens.agents.llm.query import ModelQuery
from ludens.agents.llm.reading.messages import read_message
from ludens.agents.llm.reading.parsed import ParsedReply, parsed
from ludens.agents.llm.reading.points import PointsReading, read_allocation, read_rating
from ludens.agents.llm.reading.schemas import message_schema, points_schema
from ludens.agents.llm.reply import Reply
from ludens.agents.llm.settings import AnswerSettings, ModelSettings
from ludens.agents.policy import Decision, OnInvalid
from ludens.envs import Scale, Turn
from ludens.errors import UsageError

REASONED, LOCAL_REPLY, HOSTED_REPLY = 1024, 64, 256
"""Tokens of a reply: with reasoning, and without it from a model on this machine or elsewhere."""


class RatingPolicy(ModelPolicy):
    """A language model that rates on the turn's scale, names an amount, or shares points out over things.

    Args:
        model: for example ``"openai/gpt-5-mini"``, ``"local/smollm2-135m"``.
        settings: see `ludens.agents.llm.settings.AnswerSettings`. Anything else is handed to LiteLLM.

    A rating is a sample, with no distribution over the points. Where points are shared out, the action is the
    option that gives every thing so many; where any number of an interval may be chosen, it is that number. A
    message to others stands under ``"message"`` in the decision's notes.

    Raises:
        UsageError: a setting is out of its range or unknown.
    """

    Settings: ClassVar[type[ModelSettings]] = AnswerSettings
    settings: AnswerSettings

    @property
    def on_invalid(self) -> OnInvalid:
        """What becomes of an episode in which no reply could be read."""
        return self.settings.invalid

    async def adecide(self, turn: Turn, rng: np.random.Generator) -> Decision:
        """Ask the model for points.

        Raises:
            ModelError: the model cannot be used, or gave no reply (`NoReplyError`).
            WordingError: the framing cannot word this question.
            UsageError: the turn does not ask for points.
        """
        scale = turn.scale
        if scale is None:
            raise UsageError(f"{turn.environment} asks for no points at {turn.node!r}: use LLMPolicy there.")
        query = await self._query(rng)
        if scale.kind == "message":
            return await self._write(turn, int(scale.highest), query)
        orders = len(scale.things) if scale.kind == "allocation" else 2
        order = self.settings.order
        order = order % orders if isinstance(order, int) else int(rng.integers(orders))

        def pose(held: bool) -> Question:
            prompt = render_scale(
                turn,
                self.settings.framing,
                order,
                persona=self.settings.persona,
                reasoning=self.settings.reasoning,
                format="json" if held else "letter",
                template=self.settings.template,
            )

            def read(reply: Reply) -> ParsedReply:
                return parsed(reply, _read(reply.text, prompt, scale, cut=reply.cut))

            limits = (scale.lowest, scale.highest) if self.local and scale.step else None
            asked = prompt.labels or (scale.kind,)
            schema = None
            if held:
                schema = points_schema(asked, self.settings.reasoning, limits, whole=scale.step > 0)
            return Question(prompt, read, self._reply_tokens(self.settings.reasoning), schema)

        prompt, reply = await self._ask(query, pose)
        if reply.outcome != "ok":
            return self._undecided(reply, prompt.wording, query)
        reading = _read(reply.reply, prompt, scale)
        # Which of the things a label names depends on the order shown.
        points = prompt.in_game_order(reading.points) if prompt.labels else reading.points
        action = turn.options[scale.place(points)].action if scale.step else points[0]
        return Decision(
            action,
            reasoning=reading.reasoning,
            **self._known(query, prompt.wording),
        )

    async def _write(self, turn: Turn, longest: int, query: ModelQuery) -> Decision:
        """Ask the model for a message to the others, or none."""
        reasoning = self.settings.reasoning

        def pose(held: bool) -> Question:
            prompt = render_scale(
                turn,
                self.settings.framing,
                persona=self.settings.persona,
                reasoning=reasoning,
                format="json" if held else "letter",
                template=self.settings.template,
            )

            def read(reply: Reply) -> ParsedReply:
                return parsed(reply, read_message(reply.text, longest, reasoning=reasoning, cut=reply.cut))

            schema = message_schema(reasoning, longest if self.local else None) if held else None
            return Question(prompt, read, max(self._reply_tokens(reasoning), longest // 2), schema)

        prompt, reply = await self._ask(query, pose)
        if reply.outcome != "ok":
            return self._undecided(reply, prompt.wording, query)
        reading = read_message(reply.reply, longest, reasoning=reasoning)
        silence, speak = turn.options
        return Decision(
            (speak if reading.text else silence).action,
            reasoning=reading.reasoning,
            notes={"message": reading.text} if reading.text else None,
            **self._known(query, prompt.wording),
        )

    @property
    def _retries(self) -> int:
        return self.settings.retries

    @property
    def _wants_schema(self) -> bool:
        return self.settings.format == "auto"

    def _reply_tokens(self, reasoning: bool) -> int:
        return REASONED if reasoning else LOCAL_REPLY if self.local else HOSTED_REPLY


def _read(text: str | None, prompt: Prompt, scale: Scale, *, cut: bool = False) -> PointsReading:
    if prompt.labels:
        return read_allocation(text, prompt.labels, scale, cut=cut)
    return read_rating(text, scale, cut=cut)
