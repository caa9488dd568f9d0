"""What a reply amounts to for the question that was asked, and the form in which an answer is asked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from ludens.agents.llm.client import Reply
from ludens.agents.llm.logprobs import option_masses
from ludens.agents.llm.prompts.games import Prompt
from ludens.agents.llm.reading.choices import read_choice, read_shares
from ludens.agents.llm.reading.points import HIGHEST, PointsReading, read_allocation, read_rating
from ludens.agents.policy import Status


@dataclass(frozen=True)
class ParsedReply:
    """What a reply amounts to.

    Attributes:
        outcome: as in `Call`; ``"rejected"`` where the server took no such request.
        detail: the reason, where it is not ``"ok"``.
        reply: the text.
        masses: probability of each of the game's options, where log-probabilities were read.
    """

    outcome: Literal["ok", "invalid", "refused", "error", "rejected"]
    detail: str = ""
    reply: str | None = None
    masses: tuple[float, ...] | None = None

    @property
    def status(self) -> Status:
        """What becomes of a decision that rests on this reply."""
        return {"ok": "valid", "refused": "refused"}.get(self.outcome, "invalid")  # type: ignore[return-value]


def read_masses(reply: Reply, prompt: Prompt) -> ParsedReply:
    """Read the options' probabilities from the tokens."""
    if reply.refused:
        return ParsedReply("refused", "The model declined to answer.", reply.text)
    found = option_masses(reply.tokens, prompt.labels)
    if found.masses is not None:
        return ParsedReply("ok", "", reply.text, in_game_order(found.masses, prompt))
    if reply.tokens and (reading := read_choice(reply.text, prompt.labels)).outcome == "refused":
        return ParsedReply("refused", reading.detail, reply.text)
    return ParsedReply("invalid", found.detail, reply.text)


def read_text(reply: Reply, prompt: Prompt, reasoning: bool, belief: bool) -> ParsedReply:
    """Read the text: an option, or shares of people."""
    if reply.refused:
        return ParsedReply("refused", "The model declined to answer.", reply.text)
    reading = (
        read_shares(reply.text, prompt.labels)
        if belief
        else read_choice(reply.text, prompt.labels, prompt.words, reasoning)
    )
    if reading.outcome == "invalid" and reply.cut:
        return ParsedReply("invalid", "The reply was cut off before it gave an answer.", reply.text)
    return ParsedReply(reading.outcome, reading.detail, reply.text)


def read_points(reply: Reply, prompt: Prompt) -> ParsedReply:
    """Read the text: a rating, or points for each label of the prompt."""
    if reply.refused:
        return ParsedReply("refused", "The model declined to answer.", reply.text)
    reading = points_of(reply.text, prompt, cut=reply.cut)
    return ParsedReply(reading.outcome, reading.detail, reply.text)


def points_of(text: str | None, prompt: Prompt, *, cut: bool = False) -> PointsReading:
    """What a reply says in points: a rating where the prompt has no labels, else an allocation."""
    return read_allocation(text, prompt.labels, cut=cut) if prompt.labels else read_rating(text, cut=cut)


def points_schema(prompt: Prompt, reasoning: bool, *, local: bool) -> dict[str, Any]:
    """The response format that holds a reply to points. Models on this machine are held to the scale's range
    too, which hosted ones may not take.
    """
    number: dict[str, Any] = {"type": "integer"}
    if local:
        number |= {"minimum": 0, "maximum": HIGHEST}
    thoughts: dict[str, Any] = {"reasoning": {"type": "string"}} if reasoning else {}
    properties = thoughts | dict.fromkeys(prompt.labels or ("rating",), number)
    schema = {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }
    return {"type": "json_schema", "json_schema": {"name": "points", "schema": schema, "strict": True}}


def answer_schema(prompt: Prompt, reasoning: bool, belief: bool) -> dict[str, Any]:
    """The response format that holds a reply to the answers asked for, in OpenAI's shape."""
    if belief:
        properties: dict[str, Any] = {label: {"type": "integer"} for label in prompt.labels}
    else:
        thoughts = {"reasoning": {"type": "string"}} if reasoning else {}
        properties = thoughts | {"choice": {"type": "string", "enum": list(prompt.labels)}}
    schema = {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }
    return {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema, "strict": True}}


def in_game_order(values: tuple[float, ...], prompt: Prompt) -> tuple[float, ...]:
    """Values per label as values per option of the game."""
    return tuple(values[prompt.order.index(number)] for number in range(len(values)))
