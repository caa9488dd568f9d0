"""Read the message to others that a model's reply holds.

A message is what the reply says, without thoughts, quotation marks around it and a title such as
``Message:``; of a reply in JSON, what stands under ``"message"``. It is asked again, with the reason, where
the reply is empty, cut off, longer than the limit, holds several messages or goes on after a titled one; it
is never shortened or made up. ``No message`` sends none, and neither does ``say nothing``, which is how
prompts call that.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from ludens.agents.llm.reading.refusals import declined
from ludens.agents.llm.reading.text import CUT, DECLINED, EMPTY, Outcome, json_objects, json_thoughts, plain
from ludens.envs.strategic.mechanisms.cheap_talk import SILENCE

NO_MESSAGE = "No message"
FOLLOWED = "Text follows the message: write it on one line, with nothing after it."
UNCLEAR = "It is not clear whether this is a message to the others: say it in other words."

_TITLED = re.compile(
    r"(?im)^\W{0,4}(?:(?:sure|okay|ok|certainly|of\s+course)\W+)?(?:here(?:'s|\s+is)\s+)?(?:(?:my|the|a)\s+)?"
    r"message(?:\s+(?:to|for)\s+[^:\n]{1,60})?\W{0,3}(?::[\s*_]*|$)"
)
_MARKS = " \t\n*_"
_PAIRS = frozenset({'""', "''", "``", "\u201c\u201d"})
# What may be said to the others, too: "I won't take part in this unless you take action 1."
_TO_OTHERS = re.compile(r"(?i)\bunless\b|\bif\s+you\b|\bbut\s+I(?:'ll|\s+will)\b")
# "I won't choose action 2" is a message; that one does not write messages is none.
_ABOUT_ANSWERING = re.compile(
    r"(?i)\bas\s+an?\s+(?:AI|assistant|language\s+model)|\b(?:help|assist)(?:\s+you)?\s+with\s+(?:that|this)\b"
    r"|\b(?:participate|take\s+part|engage)\s+in\s+(?:that|this|such)\b|\bthis\s+(?:request|task)\b"
    r"|\b(?:write|send|provide|offer)\s+(?:a|any|this|that|such)\s+message"
)


@dataclass(frozen=True)
class MessageReading:
    """What a reply says to others.

    Attributes:
        outcome: ``"ok"``, ``"invalid"`` or ``"refused"``.
        text: the message, on one line; empty where none is sent, and unless ``"ok"``.
        detail: one sentence that says what was wrong, in words that the model can be shown; empty if
            ``"ok"``.
        reasoning: the thoughts given before the message, if any.
    """

    outcome: Outcome
    text: str = ""
    detail: str = ""
    reasoning: str | None = None


def read_message(
    text: str | None, longest: int, *, reasoning: bool = False, cut: bool = False
) -> MessageReading:
    """Read the message that a reply holds.

    Args:
        text: the reply.
        longest: the most characters of a message.
        reasoning: whether thoughts may stand before a line that is titled ``Message:``.
        cut: whether the reply ended because it reached the limit of tokens.
    """
    clean = plain(text or "")
    if not clean:
        return MessageReading("invalid", detail=EMPTY)
    objects, around, broken = json_objects(clean)
    given = [value for _, entry in objects for key, value in entry if key.strip().casefold() == "message"]
    thoughts = json_thoughts(objects)
    if not given:
        if cut or broken or objects:
            return MessageReading("invalid", detail=CUT if cut or broken else "The reply holds no message.")
        titled = list(_TITLED.finditer(around))
        ends = [*(hit.start() for hit in titled[1:]), len(around)]
        given = [around[hit.end() : end] for hit, end in zip(titled, ends, strict=False)]
        given = given or ([] if reasoning else [around])
        thoughts = around[: titled[0].start()].strip() or None if titled and reasoning else None
        if titled and any("\n" in each.strip(_MARKS) for each in given):
            return MessageReading("invalid", detail=FOLLOWED)
    messages = list(dict.fromkeys(_bare(each) for each in given if isinstance(each, str)))
    if len(messages) != 1:
        wanted = 'The reply has no line that says "Message:".' if reasoning else "The reply holds no message."
        many = "The reply holds more than one message."
        return MessageReading("invalid", detail=many if len(messages) > 1 else wanted)
    (message,) = messages
    if any(declined(message)) and _ABOUT_ANSWERING.search(message):
        if _TO_OTHERS.search(message):
            return MessageReading("invalid", detail=UNCLEAR)
        return MessageReading("refused", detail=DECLINED)
    if message.casefold().strip(" .!()[]") in {NO_MESSAGE.casefold(), SILENCE}:
        return MessageReading("ok", reasoning=thoughts)
    if not any(letter.isalnum() for letter in message):
        return MessageReading("invalid", detail="The reply holds no message.")
    if len(message) > longest:
        return MessageReading(
            "invalid", detail=f"The message has {len(message)} characters, and at most {longest} can be sent."
        )
    return MessageReading("ok", message, reasoning=thoughts)


def _bare(text: str) -> str:
    """Return a message on one line, without quotation marks around the whole of it."""
    text = " ".join(text.split()).strip(_MARKS)
    while len(text) > 1 and text[0] + text[-1] in _PAIRS:
        text = text[1:-1].strip(_MARKS)
    return text
