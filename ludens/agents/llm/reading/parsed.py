"""What a model's reply amounts to for the question that was asked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

from ludens.agents.llm.logprobs import option_masses
from ludens.agents.llm.prompts.templates import Prompt
from ludens.agents.llm.reading.choices import read_choice, read_shares
from ludens.agents.llm.reading.text import DECLINED, Outcome
from ludens.agents.llm.reply import Reply
from ludens.agents.policy import Status


@dataclass(frozen=True)
class ParsedReply:
    """A reply, and whether it answers the question.

    Attributes:
        outcome: as in `Call`; ``"rejected"`` where the server does not take such a request.
        detail: the reason for every outcome other than ``"ok"``.
        reply: the text.
        masses: probability of each of the game's options, where log-probabilities were read.
    """

    outcome: Literal["ok", "invalid", "refused", "error", "rejected"]
    detail: str = ""
    reply: str | None = None
    masses: tuple[float, ...] | None = None

    @property
    def status(self) -> Status:
        """The status of a decision that rests on this reply."""
        return {"ok": "valid", "refused": "refused"}.get(self.outcome, "invalid")  # type: ignore[return-value]


class Reading(Protocol):
    """What every reader returns at least."""

    @property
    def outcome(self) -> Outcome:
        """Whether the text is an answer, cannot be read, or declines to answer."""

    @property
    def detail(self) -> str:
        """One sentence that says what was wrong; empty if nothing was."""


def parsed(reply: Reply, reading: Reading) -> ParsedReply:
    """Return what a reply amounts to by the reading of its text; the provider's word that the model declined
    comes first.
    """
    if reply.refused:
        return ParsedReply("refused", DECLINED, reply.text)
    return ParsedReply(reading.outcome, reading.detail, reply.text)


def read_masses(reply: Reply, prompt: Prompt) -> ParsedReply:
    """Read the options' probabilities from the tokens of a reply."""
    if reply.refused:
        return ParsedReply("refused", DECLINED, reply.text)
    found = option_masses(reply.tokens, prompt.labels)
    if found.masses is not None:
        return ParsedReply("ok", "", reply.text, prompt.in_game_order(found.masses))
    if reply.tokens and (reading := read_choice(reply.text, prompt.labels)).outcome == "refused":
        return ParsedReply("refused", reading.detail, reply.text)
    return ParsedReply("invalid", found.detail, reply.text)


def read_text(reply: Reply, prompt: Prompt, *, reasoning: bool = False, belief: bool = False) -> ParsedReply:
    """Read an option from the text of a reply, or shares of people if `belief`."""
    reading = (
        read_shares(reply.text, prompt.labels)
        if belief
        else read_choice(reply.text, prompt.labels, prompt.words, reasoning)
    )
    found = parsed(reply, reading)
    if found.outcome == "invalid" and reply.cut:
        return ParsedReply("invalid", "The reply was cut off before it gave an answer.", reply.text)
    return found
