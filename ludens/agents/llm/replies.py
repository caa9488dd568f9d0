"""Reading a model's reply: which option it takes, or why that cannot be said.

The reader is tolerant of form and intolerant of doubt. ``b)``, ``**B**``, ``Answer: B``, ``I choose option
B.`` and JSON inside prose are all B; two different answers, an answer outside the options, or an answer
followed by a second thought are none. It never picks one of two.

A *firm* answer stands in JSON, in a box, or on a line of its own behind a word like "Answer:". A *loose* one
stands in a sentence ("I would take B"), or opens the reply. All answers must agree, and no other option may
be named beside them. Only a reply that was asked to think first may weigh options ("if I choose A, …") before
a firm answer at its end, after which it names no other.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

Outcome = Literal["ok", "invalid", "refused"]

MAX_JSON_OBJECTS = 50
KEYS = ("choice", "answer", "option", "decision")

# Short and open to inspection on purpose. They are looked for only in replies that give no answer.
REFUSALS = (
    "i can't", "i cannot", "i can not", "i won't", "i will not", "i refuse", "i must decline", "i decline",
    "i'm unable", "i am unable", "i'm not able", "i am not able", "as an ai",
)  # fmt: skip


@dataclass(frozen=True)
class Reading:
    """What a reply says.

    Attributes:
        outcome: ``"ok"``, ``"invalid"`` or ``"refused"``.
        place: the place of the option taken among the labels; None unless ``"ok"``.
        detail: one sentence that says what was wrong, fit to be told to the model; empty if ``"ok"``.
        reasoning: the thoughts given before the answer, if any.
        shares: for a stated belief: the share of each label, summing to 1.
    """

    outcome: Outcome
    place: int | None = None
    detail: str = ""
    reasoning: str | None = None
    shares: tuple[float, ...] | None = None


def read_choice(
    text: str | None, labels: Sequence[str], words: Sequence[str] = (), reasoning: bool = False
) -> Reading:
    """The option that a reply takes.

    Args:
        text: the reply.
        labels: single capital letters, one per option.
        words: what the options are called beside their labels, in the same order; may be empty.
        reasoning: the reply was asked to think first, so options may be weighed before the answer.
    """
    clean = _plain(text or "")
    if not clean:
        return Reading("invalid", detail="The reply was empty.")
    objects, around, cut = _json_objects(clean)
    prose = _with_labels(around, labels, words)
    firm = [*_json_answers(objects, labels, words), *_answers(prose, labels, "firm", "boxed")]
    loose = _answers(prose, labels, *(("stated",) if reasoning and firm else ("stated", "said", "opening")))
    named = {label for _, label in firm + loose}
    if firm or loose:
        named |= _mentions(prose[max(end for end, _ in firm) :] if reasoning and firm else prose, labels)
    if len(named) > 1:
        return Reading("invalid", detail=f"The reply names more than one option: {', '.join(sorted(named))}.")
    if named:
        (label,) = named
        if label in labels:
            return Reading(
                "ok", labels.index(label), reasoning=_thoughts(objects, around) if reasoning else None
            )
        return Reading("invalid", detail=f"{label!r} is not one of the options {', '.join(labels)}.")
    return _no_answer(clean, cut, f"The reply gives none of the answers {', '.join(labels)}.")


def read_shares(text: str | None, labels: Sequence[str]) -> Reading:
    """How many of 100 people the reply expects at each label: JSON such as ``{"A": 60, "B": 40}``, or lines
    such as ``A: 60``. All labels must be there once and sum to 100 (give or take 1, for rounding).
    """
    clean = _plain(text or "")
    if not clean:
        return Reading("invalid", detail="The reply was empty.")
    objects, around, cut = _json_objects(clean)
    found: dict[str, set[float]] = {label: set() for label in labels}
    stated = [(key, str(value)) for _, entry in objects for key, value in entry.items() if key in found]
    stated += re.findall(rf"(?<![\w'])({'|'.join(labels)})\**\s*[:=]\s*\**([-\d.]+\s*%?)", around)
    for label, number in stated:
        if re.fullmatch(r"-?\d+(\.\d+)?\.?\s*%?", number.strip()):
            found[label].add(float(number.strip(" %").rstrip(".")))
    missing = [label for label, numbers in found.items() if not numbers]
    if missing:
        return _no_answer(clean, cut, f"The reply gives no number for {', '.join(missing)}.")
    twice = [label for label, numbers in found.items() if len(numbers) > 1]
    if twice:
        return Reading("invalid", detail=f"The reply gives more than one number for {', '.join(twice)}.")
    numbers = [numbers.pop() for numbers in found.values()]
    total = sum(numbers)
    if min(numbers) < 0 or not 99 <= total <= 101:
        return Reading(
            "invalid", detail=f"The numbers must be at least 0 and sum to 100; they sum to {total:g}."
        )
    return Reading("ok", shares=tuple(number / total for number in numbers))


def _no_answer(text: str, cut: bool, otherwise: str) -> Reading:
    """Why a reply without an answer has none."""
    lowered = text[:2000].lower()
    if any(re.search(rf"(?<!\w){re.escape(phrase)}(?!\w)", lowered) for phrase in REFUSALS):
        return Reading("refused", detail="The model declined to answer.")
    return Reading("invalid", detail="The JSON in the reply is cut off or broken." if cut else otherwise)


def _plain(text: str) -> str:
    """The text without terminal escape codes, control characters and HTML tags, with straight quotes."""
    text = re.sub(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|.)", "", text)
    text = re.sub(r"[\x00-\x08\x0b-\x1f\x7f]", " ", text)
    text = re.sub(r"</?[a-zA-Z][^<>]{0,500}>", " ", text)
    return text.replace("’", "'").replace("“", '"').replace("”", '"').strip()


def _json_objects(text: str) -> tuple[list[tuple[int, dict[str, Any]]], str, bool]:
    """The JSON objects in a text and where each begins; the text with blanks in their place (so that places
    stay); and whether something that begins like an object is none.
    """
    decoder = json.JSONDecoder()
    objects: list[tuple[int, dict[str, Any]]] = []
    around, cut, start = text, False, -1
    for _ in range(MAX_JSON_OBJECTS):
        start = text.find("{", start + 1)
        if start < 0:
            break
        try:
            value, end = decoder.raw_decode(text, start)
        except (ValueError, RecursionError):
            cut = cut or re.match(r'\{\s*"', text[start:]) is not None
            continue
        objects.append((start, value))
        around = around[:start] + "\n".ljust(end - start) + around[end:]
        start = end - 1
    return objects, around, cut


def _json_answers(
    objects: Sequence[tuple[int, dict[str, Any]]], labels: Sequence[str], words: Sequence[str]
) -> list[tuple[int, str]]:
    found = []
    for start, entry in objects:
        for key, value in entry.items():
            if key.lower() in KEYS and isinstance(value, str | int | float):
                answer = _with_labels(str(value).strip(), labels, words).strip(" .()*\"'`")
                answer = re.sub(r"^option\s+", "", answer, flags=re.IGNORECASE)
                found.append(
                    (start, answer.upper() if answer.upper() in labels else answer[:20] or "nothing")
                )
    return found


def _with_labels(text: str, labels: Sequence[str], words: Sequence[str]) -> str:
    """The text with what the options are called replaced by their labels, longest names first; lengths are
    kept.
    """
    for word, label in sorted(zip(words, labels, strict=False), key=lambda pair: -len(pair[0])):
        name = re.compile(rf"(?<!\w){re.escape(word)}(?!\w)", re.IGNORECASE)
        text = name.sub(label.ljust(len(word)), text)
    return text


# A label, marked up or not, then the end of a word. A small letter must end its clause: "I choose a fair
# split" names no option.
_CAPITAL = r"[*_`\"'(\[<]*(?P<capital>[A-Z])(?![\w'])"
_SMALL = r"[*_`\"'(\[<]*(?P<small>[a-z])(?=[*_`\"')\]>]*(?:[).,;:!?\]]|\s*$|\s*\n))"
_NUMBER = r"(?P<number>\d{1,3})(?!\w)"
_ASKED = r"(?:(?:final|my|the|correct|best)\s+)*(?:answer|choice|decision|option|selection)"
_WILLING = r"(?:\s+(?:would|will|shall|do|am\s+going\s+to|want\s+to)|'ll|'d)"
_WILL = rf"{_WILLING}?"
_VERB = r"(?:choose|pick|select|take|go\s+with|opt\s+for|decide\s+(?:on|for|to)|prefer|send)"
_MARKS = r"[ \t*_`]*"
# An article goes before a word, though not before one that joins or opens another answer.
_NO_ARTICLE = r"(?!\s+(?!(?:or|and|but|i|the|my|option|answer|choice)\b)[a-z0-9])"
_PATTERNS = {
    "firm": re.compile(
        rf"(?im:^[ \t#>*_`\-]*{_ASKED}{_MARKS}(?:is)?{_MARKS}[:=]?{_MARKS}(?:option[ \t]+)?)"
        rf"(?m:(?:{_CAPITAL}|{_SMALL}|{_NUMBER})[*_`\"')\]>.! \t]*$)"
    ),
    "boxed": re.compile(r"\\boxed\{\s*(?:\\text\{)?\s*(?P<capital>[A-Za-z]|\d{1,3})\s*\}"),
    "said": re.compile(
        rf"(?<!\bif )(?<!\bIf )(?i:\bI(?:{_WILL}\s+{_VERB}|{_WILLING})|\b{_ASKED}\s*(?:is|would\s+be|:|=))"
        rf"(?i:\s+(?:the\s+)?(?:option|letter|choice|signal|to))*\s+(?:{_CAPITAL}|{_SMALL})"
    ),
    "stated": re.compile(rf"(?i:\banswer[*_`]*\s*(?:is|:|=)(?:\s+option)?)\s*(?:{_CAPITAL}|{_SMALL})"),
    "opening": re.compile(
        r"\A[\s*_`\"'(\[#>\-]*(?i:option\s+)?(?P<capital>[A-Za-z])"
        r"(?:[*_`\"')\]>]*\s*(?:\Z|\n|[).:,;!…–—]|-\s)|[*_`\"')\]>]+\s|\s+(?:because|since|as|is\s+my)\b)"
    ),
}


def _answers(text: str, labels: Sequence[str], *kinds: str) -> list[tuple[int, str]]:
    """Where each answer ends, and its label (or what stands in its place)."""
    found = []
    for hit in (hit for kind in kinds for hit in _PATTERNS[kind].finditer(text)):
        answer = next(part for part in hit.groupdict().values() if part)
        found.append((hit.end(), answer.upper() if answer.upper() in labels else answer))
    return found


def _mentions(text: str, labels: Sequence[str]) -> set[str]:
    """Every label that the text names: a letter standing alone, capital or small, unless it is an article."""
    found = set()
    for label in labels:
        named = rf"(?<![\w'])(?:{label}|{label.lower()}{_NO_ARTICLE if label == 'A' else ''})(?![\w'])"
        if re.search(rf"{named}|(?i:option|answer|choice|letter)[\s:]+{label.lower()}(?!\w)", text):
            found.add(label)
    return found


def _thoughts(objects: Sequence[tuple[int, dict[str, Any]]], around: str) -> str | None:
    told = [entry["reasoning"] for _, entry in objects if isinstance(entry.get("reasoning"), str)]
    return (told[0] if told else around).strip() or None
