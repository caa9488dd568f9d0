"""What a model's reply amounts to for the question that was asked."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, Protocol

from ludens.agents.llm.logprobs import MIN_ANSWER_MASS, option_masses
from ludens.agents.llm.prompts.templates import Prompt
from ludens.agents.llm.reading.choices import read_choice, read_shares
from ludens.agents.llm.reading.text import Outcome
from ludens.agents.llm.reply import Reply
from ludens.agents.policy import Status

MARKED = "The provider marked the reply as a refusal."


@dataclass(frozen=True)
class ParsedReply:
    """A reply, and whether it answers the question.

    Attributes:
        outcome: as in `Call`; ``"rejected"`` where the server does not take such a request.
        detail: the reason for every outcome other than ``"ok"``.
        reply: the text.
        masses: probability of each of the game's options, where log-probabilities were read; also where they
            are no choice.
    """

    outcome: Literal["ok", "invalid", "refused", "error", "rejected"]
    detail: str = ""
    reply: str | None = None
    masses: tuple[float, ...] | None = None

    @property
    def status(self) -> Status:
        """The status of a decision that rests on this reply."""
        if self.outcome == "invalid" and self.masses is not None and sum(self.masses) < MIN_ANSWER_MASS:
            return "low_mass"
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
        return ParsedReply("refused", MARKED, reply.text)
    return ParsedReply(reading.outcome, reading.detail, reply.text)


def read_masses(reply: Reply, prompt: Prompt, *, strict: bool = True) -> ParsedReply:
    """Read the options' probabilities from the tokens of a reply.

    The probabilities of the first token are those of a choice only if the reply is one, so its text is read
    too. A refusal is a refusal, whatever probability lies on the labels. A label that is not the end of the
    answer ("A or B? It depends", "A fair split") is none. Of a reply that was cut after one token, as those
    of models on this machine are, the probabilities alone are known.

    Args:
        reply: the reply.
        prompt: the question.
        strict: whether a reply in words counts for nothing, although enough of the probability lay on labels:
            it is another draw than they are, but shows that the model does not answer by a label alone. False
            where the model cannot be sampled instead.
    """
    if reply.refused:
        return ParsedReply("refused", MARKED, reply.text)
    found = reply.masses or option_masses(reply.tokens, prompt.labels)
    if found.listed is None:
        return ParsedReply("invalid", found.detail, reply.text)
    masses = found.listed if reply.masses is not None else prompt.in_game_order(found.listed)
    text = reply.text or "".join(token.text for token in reply.tokens)
    # A reply of eight tokens is nearly always cut; what stands in it so far is what counts here.
    if reply.cut:
        text = _BEGUN.sub(r"\1", text)
    reading = read_choice(text, prompt.labels, prompt.words)
    if reading.outcome == "refused":
        return ParsedReply("refused", reading.detail, reply.text, masses)
    if found.masses is None:
        return ParsedReply("invalid", found.detail, reply.text, masses)
    if len(reply.tokens) == 1 and reply.cut and text.strip() == reply.tokens[0].text.strip():
        return ParsedReply("ok", "", reply.text, masses)
    word = _FIRST_WORD.match(text)
    if word is None or word[1] not in prompt.labels:
        why = "The reply gives its answer in words, not by a label alone." if strict else ""
    else:
        why = "" if reading.outcome == "ok" else f"The reply goes on after {word[1]}: {reading.detail}"
    return ParsedReply("invalid" if why else "ok", why, reply.text, masses)


# The beginning of a sentence, after a label and its full stop, that tells nothing yet: "A. I think".
_BEGUN = re.compile(
    r"(?s)\A(\W{0,8}[A-Z][*_`)\"']*(?:[.!]|\s*\n))\s*(?:I|I'd|I'm|It|This|The|My|By|We|Both|"
    r"I (?:choose|chose|think|believe|trust|prefer|am|want))\s*\Z"
)
_FIRST_WORD = re.compile(r"[\W_]*([^\W_]+)")


def read_text(reply: Reply, prompt: Prompt, *, reasoning: bool = False, belief: bool = False) -> ParsedReply:
    """Read an option from the text of a reply, or shares of people if `belief`."""
    reading = (
        read_shares(reply.text, prompt.labels, cut=reply.cut)
        if belief
        else read_choice(reply.text, prompt.labels, prompt.words, reasoning, cut=reply.cut)
    )
    return parsed(reply, reading)
