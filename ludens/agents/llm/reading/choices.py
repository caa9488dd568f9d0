"""Read a choice between options from a model's reply, or say why there is none.

The reader is lenient about form and strict about doubt. ``b)``, ``**B**``, ``Answer: B``, ``I choose option
B.`` and JSON inside prose are all read as B. No answer is read from two different answers, from an answer
outside the options, from one that is denied ("I would never choose A"), doubted ("Should I choose A?") or
conditional ("A, unless …"), or from one that is followed by a second thought. The reader never picks one of
two.

A *definite* answer stands in JSON, in a box, or on a line of its own after a word like "Answer:". A *loose*
one stands in a sentence ("I would take B") or opens the reply. All answers must agree, and no other option
may be named beside them. Only a reply that was asked to reason first may weigh options ("if I choose A, …")
before a definite answer at its end, after which it names no other.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from ludens.agents.llm.reading.refusals import declined
from ludens.agents.llm.reading.text import DECLINED, EMPTY, Outcome, Pairs, json_objects, json_thoughts, plain

KEYS = ("choice", "answer", "option", "decision")


@dataclass(frozen=True)
class ChoiceReading:
    """What a reply to a choice between options says.

    Attributes:
        outcome: ``"ok"``, ``"invalid"`` or ``"refused"``.
        place: the place of the chosen option among the labels; None unless ``"ok"``.
        detail: one sentence that says what was wrong, in words that the model can be shown; empty if
            ``"ok"``.
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
) -> ChoiceReading:
    """Read the option that a reply chooses.

    Args:
        text: the reply.
        labels: single capital letters, one per option.
        words: the names of the options beside their labels, in the same order; may be empty.
        reasoning: whether the model was asked to reason first, so that options may be weighed before the
            answer.
    """
    clean = plain(text or "")
    if not clean:
        return ChoiceReading("invalid", detail=EMPTY)
    objects, around, cut = json_objects(clean)
    prose = _with_labels(around, labels, words)
    definite = [*_json_answers(objects, labels, words), *_answers(prose, labels, "definite", "boxed")]
    loose = _answers(
        prose, labels, *(("stated",) if reasoning and definite else ("stated", "said", "opening"))
    )
    given = definite + loose
    named = {label for _, label in given}
    if given and _TAKEN_BACK.search(prose[min(end for end, _ in given) :]):
        return ChoiceReading("invalid", detail="The reply takes its answer back.")
    if given:
        named |= _mentions(
            prose[max(end for end, _ in definite) :] if reasoning and definite else prose, labels
        )
    if len(named) > 1:
        return ChoiceReading(
            "invalid", detail=f"The reply names more than one option: {', '.join(sorted(named))}."
        )
    if named:
        (label,) = named
        if label in labels:
            return ChoiceReading(
                "ok", labels.index(label), reasoning=_thoughts(objects, around) if reasoning else None
            )
        return ChoiceReading("invalid", detail=f"{label!r} is not one of the options {', '.join(labels)}.")
    return _no_answer(prose, labels, cut, f"The reply gives none of the answers {', '.join(labels)}.")


def read_shares(text: str | None, labels: Sequence[str]) -> ChoiceReading:
    """Read how many of 100 people the reply expects to choose each label.

    The numbers stand in JSON such as ``{"A": 60, "B": 40}``, or on lines such as ``A: 60``. Each label must
    have one number, and the numbers must sum to 100 (99 to 101, to allow for rounding).
    """
    clean = plain(text or "")
    if not clean:
        return ChoiceReading("invalid", detail=EMPTY)
    objects, around, cut = json_objects(clean)
    given: dict[str, set[float]] = {label: set() for label in labels}
    stated = [(key, str(value)) for _, entry in objects for key, value in entry if key in given]
    stated += re.findall(
        rf"(?<![\w'])({'|'.join(labels)})\**\s*[:=]\s*\**([-\d.]++\s*+%?+)(?!\s*(?:or|to)\b)", around
    )
    for label, number in stated:
        if re.fullmatch(r"-?\d+(\.\d+)?\.?\s*%?", number.strip()):
            given[label].add(float(number.strip(" %").rstrip(".")))
    missing = [label for label, numbers in given.items() if not numbers]
    if missing:
        return _no_answer(around, labels, cut, f"The reply gives no number for {', '.join(missing)}.")
    twice = [label for label, numbers in given.items() if len(numbers) > 1]
    if twice:
        return ChoiceReading(
            "invalid", detail=f"The reply gives more than one number for {', '.join(twice)}."
        )
    numbers = [numbers.pop() for numbers in given.values()]
    total = sum(numbers)
    if min(numbers) < 0 or not 99 <= total <= 101:
        return ChoiceReading(
            "invalid", detail=f"The numbers must be at least 0 and sum to 100; they sum to {total:g}."
        )
    return ChoiceReading("ok", shares=tuple(number / total for number in numbers))


def _no_answer(text: str, labels: Sequence[str], cut: bool, otherwise: str) -> ChoiceReading:
    """Return the reading of a reply that gives no answer: refused, or invalid with the reason."""
    # "I won't take B" turns an option down, not the question.
    if any(len(_mentions(what, labels)) != 1 for what in declined(text)):
        return ChoiceReading("refused", detail=DECLINED)
    return ChoiceReading(
        "invalid", detail="The JSON in the reply is cut off or broken." if cut else otherwise
    )


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
    """Replace the names of options by their labels, longest names first, and keep the length of the text."""
    for word, label in sorted(zip(words, labels, strict=False), key=lambda pair: -len(pair[0])):
        name = re.compile(rf"(?<!\w){re.escape(word)}(?!\w)", re.IGNORECASE)
        text = name.sub(label.ljust(len(word)), text)
    return text


# A label, with or without markup, then the end of a word. A small letter must end its clause: "I choose a
# middle way" names no option.
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
    "definite": re.compile(
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
# Words that undo an answer in the clause before it ("I do not say that the answer is A", "should I choose
# A"), and those that undo it anywhere before it in its sentence ("I don't think that, here, I'd choose A").
_DENIED = re.compile(
    r"(?i)\b(?:not|never|no|nor|nobody|neither|cannot|hardly|wrong|avoid|unlikely|except|whether|expects?)\b|n't\b"
    r"|\b(?:would|will|should|shall|could|can|may|might|must|do|did)\s*\Z"
)
_DOUBTED = re.compile(
    r"(?i)(?:\b(?:not|never)|n't)\s+(?:think|believe|say|see|imagine|mean|that)\b|\b(?:doubt|no\s+(?:way|reason)|"
    r"circumstances?|why|unless|if)\b"
)
_CLAUSE = re.compile(r"(?i),|\b(?:so|therefore|thus|hence|but)\b")
# What undoes an answer when it follows at once: "A) is worse", "I choose A if …", "A: 45", "A?".
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
    """Return where each answer ends, and its label (or the text in the place of one)."""
    found = []
    for kind in kinds:
        for hit in _PATTERNS[kind].finditer(text):
            group = next(name for name, part in hit.groupdict().items() if part)
            if kind != "definite" and _meant_otherwise(text[: hit.start()], text[hit.end(group) :]):
                continue
            answer = hit[group]
            found.append((hit.end(), answer.upper() if answer.upper() in labels else answer))
    return found


def _meant_otherwise(before: str, after: str) -> bool:
    """Return whether the words around "I choose A" mean that A is not simply chosen."""
    sentence = re.split(r"[.!?;:\n]", before[-400:])[-1]
    joints = list(_CLAUSE.finditer(sentence))
    clause = sentence[joints[-1].end() if joints else 0 :]
    concluded = any(joint[0] != "," for joint in joints)
    return bool(
        _DENIED.search(clause) or (not concluded and _DOUBTED.search(sentence)) or _UNDONE.match(after)
    )


def _mentions(text: str, labels: Sequence[str]) -> set[str]:
    """Return the labels that the text names: letters standing alone, capital or small, but not articles."""
    found = set()
    for label in labels:
        named = rf"(?<![\w'])(?:{label}|{label.lower()}{_NO_ARTICLE if label == 'A' else ''})(?![\w'])"
        if re.search(rf"{named}|(?i:option|answer|choice|letter)[\s:]+{label.lower()}(?!\w)", text):
            found.add(label)
    return found


def _thoughts(objects: Sequence[tuple[int, Pairs]], around: str) -> str | None:
    thoughts = json_thoughts(objects)
    return (around if thoughts is None else thoughts).strip() or None
