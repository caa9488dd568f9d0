"""Reading a model's reply: which option it takes, or why that cannot be said.

The reader is tolerant of form and intolerant of doubt. ``b)``, ``**B**``, ``Answer: B``, ``I choose option
B.`` and JSON inside prose are all B; two different answers, an answer outside the options, one that is
denied ("I would never choose A"), doubted ("Should I choose A?") or conditional ("A, unless …"), and one
followed by a second thought are none. It never picks one of two.

A *firm* answer stands in JSON, in a box, or on a line of its own behind a word like "Answer:". A *loose* one
stands in a sentence ("I would take B"), or opens the reply. All answers must agree, and no other option may
be named beside them. Only a reply that was asked to think first may weigh options ("if I choose A, …") before
a firm answer at its end, after which it names no other.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from ludens.agents.llm.reading.refusals import declined

Outcome = Literal["ok", "invalid", "refused"]

MAX_JSON_OBJECTS = 50
KEYS = ("choice", "answer", "option", "decision")

Pairs = list[tuple[str, Any]]
"""A JSON object with every key it holds: a key that stands there twice may hold two answers."""


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
    clean = plain(text or "")
    if not clean:
        return Reading("invalid", detail="The reply was empty.")
    objects, around, cut = json_objects(clean)
    prose = _with_labels(around, labels, words)
    firm = [*_json_answers(objects, labels, words), *_answers(prose, labels, "firm", "boxed")]
    loose = _answers(prose, labels, *(("stated",) if reasoning and firm else ("stated", "said", "opening")))
    given = firm + loose
    named = {label for _, label in given}
    if given and _TAKEN_BACK.search(prose[min(end for end, _ in given) :]):
        return Reading("invalid", detail="The reply takes its answer back.")
    if given:
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
    return _no_answer(prose, labels, cut, f"The reply gives none of the answers {', '.join(labels)}.")


def read_shares(text: str | None, labels: Sequence[str]) -> Reading:
    """How many of 100 people the reply expects at each label: JSON such as ``{"A": 60, "B": 40}``, or lines
    such as ``A: 60``. All labels must be there once and sum to 100 (give or take 1, for rounding).
    """
    clean = plain(text or "")
    if not clean:
        return Reading("invalid", detail="The reply was empty.")
    objects, around, cut = json_objects(clean)
    found: dict[str, set[float]] = {label: set() for label in labels}
    stated = [(key, str(value)) for _, entry in objects for key, value in entry if key in found]
    stated += re.findall(
        rf"(?<![\w'])({'|'.join(labels)})\**\s*[:=]\s*\**([-\d.]++\s*+%?+)(?!\s*(?:or|to)\b)", around
    )
    for label, number in stated:
        if re.fullmatch(r"-?\d+(\.\d+)?\.?\s*%?", number.strip()):
            found[label].add(float(number.strip(" %").rstrip(".")))
    missing = [label for label, numbers in found.items() if not numbers]
    if missing:
        return _no_answer(around, labels, cut, f"The reply gives no number for {', '.join(missing)}.")
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


def _no_answer(text: str, labels: Sequence[str], cut: bool, otherwise: str) -> Reading:
    """Why a reply without an answer has none."""
    # "I won't take B" turns an option down, not the question.
    if any(len(_mentions(what, labels)) != 1 for what in declined(text)):
        return Reading("refused", detail="The model declined to answer.")
    return Reading("invalid", detail="The JSON in the reply is cut off or broken." if cut else otherwise)


def plain(text: str) -> str:
    """The text without a thinking model's thoughts, terminal escape codes, control characters and HTML tags,
    with straight quotes and with letters in their plain form.
    """
    text = unicodedata.normalize("NFKC", text)
    text = re.sub(r"(?s)\A.*</think>|\A\s*<think>.*", " ", text)
    text = re.sub(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|.)", "", text)
    text = re.sub(r"[\x00-\x08\x0b-\x1f\x7f\u200b-\u200f\u2060\ufeff]", " ", text)
    text = re.sub(r"</?[a-zA-Z][^<>]{0,500}>", " ", text)
    return text.translate(str.maketrans("‘’“”«»", '\'\'""""')).strip()


def json_objects(text: str) -> tuple[list[tuple[int, Pairs]], str, bool]:
    """The JSON objects in a text and where each begins; the text with blanks in their place (so that places
    stay); and whether something that begins like an object is none.
    """
    decoder = json.JSONDecoder(object_pairs_hook=Pairs)
    objects: list[tuple[int, Pairs]] = []
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
    objects: Sequence[tuple[int, Pairs]], labels: Sequence[str], words: Sequence[str]
) -> list[tuple[int, str]]:
    found = []
    for start, entry in objects:
        for key, value in entry:
            if key.lower() in KEYS and isinstance(value, str | int | float):
                said = _with_labels(str(value), labels, words)
                named = {label for _, label in _answers(said, labels, "opening")}
                clear = len(named) == 1 and _mentions(said, labels) <= named
                found.append((start, named.pop() if clear else str(value)[:20] or "nothing"))
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
_CHOICE = r"(?:answer|choice|decision|option|selection)"
_ASKED = rf"(?:(?:final|my|the|correct|best)\s+)*{_CHOICE}"
_WILLING = r"(?:\s+(?:would|will|shall|do|am\s+going\s+to|want\s+to)|'ll|'d)"
_WILL = rf"{_WILLING}?"
_VERB = r"(?:choose|pick|select|take|go\s+with|opt\s+for|decide\s+(?:on|for|to)|prefer|send|say)"
_MARKS = r"[ \t*_`]*"
# An article goes before a word, though not before one that joins or opens another answer.
_NO_ARTICLE = r"(?!\s+(?!(?:or|and|but|i|the|my|option|answer|choice)\b)[a-z0-9])"
_PATTERNS = {
    "firm": re.compile(
        rf"(?im:^[ \t#>*_`\-]*{_ASKED}{_MARKS}(?:is)?{_MARKS}[:=–—-]?{_MARKS}(?:option[ \t]+)?)"
        rf"(?m:(?:{_CAPITAL}|{_SMALL}|{_NUMBER})[*_`\"')\]>.! \t]*$)"
    ),
    "boxed": re.compile(r"\\boxed\{\s*(?:\\text\{)?\s*(?P<capital>[A-Za-z]|\d{1,3})\s*\}"),
    "said": re.compile(
        rf"(?i:\bI(?:{_WILL}\s+{_VERB}|{_WILLING})|\b{_ASKED}\s*(?:is|would\s+be|:|=))"
        rf"(?i:\s+(?:the\s+)?(?:option|letter|choice|signal|to))*\s+(?:{_CAPITAL}|{_SMALL})"
    ),
    "stated": re.compile(rf"(?i:\banswer[*_`]*\s*(?:is|:|=)(?:\s+option)?)\s*(?:{_CAPITAL}|{_SMALL})"),
    "opening": re.compile(
        r"\A[\s*_`\"'(\[#>\-]*(?i:option\s+)?(?P<capital>[A-Za-z])"
        r"(?:[*_`\"')\]>]*\s*(?:\Z|\n|[).:,;!…–—]|-\s)|[*_`\"')\]>]+\s|\s+(?:because|since|as\s+(?:it|that|this|I)|is\s+my\s+"
        rf"(?:final\s+)?{_CHOICE})\b)"
    ),
}
# What, in the clause before an answer, makes it none ("I do not say that the answer is A", "should I choose
# A"), and what does so anywhere before it in its sentence ("I don't think that, here, I'd choose A").
_DENIED = re.compile(
    r"(?i)\b(?:not|never|no|nor|nobody|neither|cannot|hardly|wrong|avoid|unlikely|except|whether|expects?)\b|n't\b"
    r"|\b(?:would|will|should|shall|could|can|may|might|must|do|did)\s*\Z"
)
_DOUBTED = re.compile(
    r"(?i)(?:\b(?:not|never)|n't)\s+(?:think|believe|say|see|imagine|mean|that)\b|\b(?:doubt|no\s+(?:way|reason)|"
    r"circumstances?|why|unless|if)\b"
)
_CLAUSE = re.compile(r"(?i),|\b(?:so|therefore|thus|hence|but)\b")
# What, straight after an answer, makes it none: "A) is worse", "I choose A if …", "A: 45", "A?".
_UNDONE = re.compile(
    rf"(?i)[*_`\"')\]>]*\s*(?:(?:[,:]|\.\.\.)?\s*(?:only\s+)?(?:if|unless|provided|less|least|last|never|not)\b|[:=]\s*[-+]?\d|"
    rf"(?!is\s+my\s+(?:final\s+)?{_CHOICE})(?:is|was|has|would|will|could|can|may|might|does|gives|pays|gets|yields|"
    r"leads|means|makes|seems|looks)\b|[^.!\n]{0,200}\?)"
)
_TAKEN_BACK = re.compile(
    r"(?i)(?:\A|[.!?,;:–—\n-])[ \t]{0,9}(?:wait\b|(?:no|nope)\s*(?:[,.!;:–—-]|\Z))|"
    r"\b(?:on\s+(?:second\s+thoughts?|reflection)|scratch\s+that|changed?\s+my\s+mind)\b|"
    r"\b(?:but|actually|rather|instead)\b[^.!?\n]{0,200}\bthe\s+other\s*(?:one|option|answer|choice|letter)?\s*(?:[.!]|\Z)"
)


def _answers(text: str, labels: Sequence[str], *kinds: str) -> list[tuple[int, str]]:
    """Where each answer ends, and its label (or what stands in its place)."""
    found = []
    for kind in kinds:
        for hit in _PATTERNS[kind].finditer(text):
            group = next(name for name, part in hit.groupdict().items() if part)
            if kind != "firm" and _meant_otherwise(text[: hit.start()], text[hit.end(group) :]):
                continue
            answer = hit[group]
            found.append((hit.end(), answer.upper() if answer.upper() in labels else answer))
    return found


def _meant_otherwise(before: str, after: str) -> bool:
    """Whether what stands around "I choose A" makes it say something else than that A is chosen."""
    sentence = re.split(r"[.!?;:\n]", before[-400:])[-1]
    joints = list(_CLAUSE.finditer(sentence))
    clause = sentence[joints[-1].end() if joints else 0 :]
    concluded = any(joint[0] != "," for joint in joints)
    return bool(
        _DENIED.search(clause) or (not concluded and _DOUBTED.search(sentence)) or _UNDONE.match(after)
    )


def _mentions(text: str, labels: Sequence[str]) -> set[str]:
    """Every label that the text names: a letter standing alone, capital or small, unless it is an article."""
    found = set()
    for label in labels:
        named = rf"(?<![\w'])(?:{label}|{label.lower()}{_NO_ARTICLE if label == 'A' else ''})(?![\w'])"
        if re.search(rf"{named}|(?i:option|answer|choice|letter)[\s:]+{label.lower()}(?!\w)", text):
            found.add(label)
    return found


def _thoughts(objects: Sequence[tuple[int, Pairs]], around: str) -> str | None:
    told = [
        value for _, entry in objects for key, value in entry if key == "reasoning" and isinstance(value, str)
    ]
    return (told[0] if told else around).strip() or None
