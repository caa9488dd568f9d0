"""Find the number that a sentence states as the answer: "My price is $1.80.", "I'd rate it 75 - quite high".

The rules are those of choices (`ludens.agents.llm.reading.choices`): a number is read only from a sentence
that is understood as a statement of it, and only if nothing beside it takes it back. Numbers that count
something ("the next 99 periods") or number it ("period 2") are no answers.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from ludens.agents.llm.reading.sentences import AMOUNT, MOST_AMOUNTS, UNCLEAR, sentences, special
from ludens.agents.llm.reading.statements import TAKEN_BACK, harm, judge, statements

LONGEST_SAID = 5_000
"""The most characters of a text in whose sentences a number is looked for."""

# A list, a number of a list, a range that is not finished, a bound ("->" and "=>" point to a number), cents.
_NO_STATEMENT = re.compile(
    r"[\[{]\s*[-+]?[0-9$.]|#[0-9]|\A\s*[0-9]+\)|[0-9]-(?:\s|\Z)|[0-9]\s*[¢‰°]"
    r"|(?<![-=])[<>≤≥⩽⩾]=?\s*[^\w\s]?\s*[0-9.]"
)
_COUNTED = re.compile(
    r"[ \t]*[*_`]*[ \t]+(?!(?:if|unless|but|and|or|because|since|as|is|was|per|each|this|for|so|to|just|"
    r"which|wait|with|when|provided|in|assuming|depending|otherwise|maybe|perhaps|though|although|however|instead|"
    r"rather|not|no|at|on)\b)[a-z]{3,}"
)
_NUMBERED = re.compile(
    r"(?i)\b(?:periods?|rounds?|steps?|firms?|competitors?|players?|persons?|options?|days?|weeks?|section|"
    r"table|no\.|number)[ \t]*#?\Z"
)


def stated(text: str, number: re.Pattern[str], parse: Callable[[str], float | str]) -> float | None:
    """Return the number that a text states as its answer; None if it states none, or not clearly.

    Args:
        text: plain text.
        number: how an answer is written, with signs and units.
        parse: reads such a number, or returns what is wrong with it.
    """
    if len(text) > LONGEST_SAID or _NO_STATEMENT.search(text):
        return None
    values: list[float] = []

    def mark(hit: re.Match[str]) -> str:
        before, after = text[: hit.start()], text[hit.end() :]
        digits = re.search(r"[0-9]+", hit[0])
        whole = re.fullmatch(r"\s*[0-9]+\s*", hit[0]) is not None
        if digits is None or (_NUMBERED.search(before) or (whole and _COUNTED.match(after))):
            return hit[0]
        value = parse(hit[0].strip())
        if isinstance(value, str):
            return f" {UNCLEAR} "
        if value not in values:
            values.append(value)
        return f" {special(values.index(value), AMOUNT)} " if len(values) <= MOST_AMOUNTS else UNCLEAR

    read = sentences(number.sub(mark, text), (), numbers=True)
    problem, place = judge(read, statements(read), [f"{value:g}" for value in values], reasoning=False)
    return None if problem or place is None else values[place]


def taken_back(text: str) -> bool:
    """Return whether words after an answer take it back."""
    return len(text) <= LONGEST_SAID and any(
        harm(sentence.tokens, sentence.asks, None, strict=False) == TAKEN_BACK
        for sentence in sentences(text, (), numbers=True)
    )


def decimal(digits: str) -> str | None:
    """Return digits and the marks among them as Python reads a number; None where they are ambiguous."""
    marks = re.sub(r"[0-9]", "", digits)
    if marks in ("", "."):
        return digits
    if marks == ",":
        whole, part = digits.split(",")
        thousands = len(part) == 3 and len(whole) <= 3 and not whole.startswith("0") and whole != ""
        return None if thousands else f"{whole or 0}.{part or 0}"
    last, others = marks[-1], set(marks[:-1])
    if len(others) > 1 or "'" in marks:
        return None
    if last in others:  # a mark that comes more than once separates thousands
        groups, part = re.split(r"[.,]", digits), ""
    else:
        head, _, part = digits.rpartition(last)
        groups = re.split(r"[.,]", head)
    if not 1 <= len(groups[0]) <= 3 or any(len(group) != 3 for group in groups[1:]):
        return None
    return f"{''.join(groups)}.{part}"
