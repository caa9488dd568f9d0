"""Read points from a model's reply: a rating on a scale, or points shared out over several things.

A number is read where it can be meant in one way only; everything else is asked again, with the reason. The
rules are ours, shown here for a scale from 0 to 100:

==================================  ===================================================================
reply                               reading
==================================  ===================================================================
``73``, ``**73**``, ``73.``         73
``73 %``, ``73/100``,               73: the end of the scale may be named
``73 out of 100``, ``73 points``
``Rating: 73``, ``{"rating": 73}``  73, whatever else the reply says, as long as no other line says another
``I would rate it 73.``,            73, where it is stated so and nothing beside it takes it back; a number
``73 (quite high)``,                that counts something ("3 of 4 rounds") is no other
``Sure! My rating is 73.``
``about 50 or 60``, ``50-60``       asked again: more than one number
``about 50``, ``at least 50``       asked again: not a plain number
``7/10``, ``0.7``, ``62.5``         asked again: another scale, or not a whole number
``[50]``, ``"high"``, ``null``      asked again: not a single number
``-1``, ``101``, ``1,000``          asked again: not on the scale
==================================  ===================================================================

Where any number of an interval may be chosen, ``62.5``, ``62,5`` and ``.5`` are read too, ``1,000`` is asked
again, and a percentage is read only where the interval ends at 100.

Points that are shared out are read as ``A: 60`` and ``B: 40`` on lines of their own or in one JSON object:
each label once and no other, whole numbers of at least 0, which sum to all the points there are, or to at
most so many where not all need be given out.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from ludens.agents.llm.reading.numbers import decimal, stated, taken_back
from ludens.agents.llm.reading.refusals import declined
from ludens.agents.llm.reading.statements import TAKEN_BACK
from ludens.agents.llm.reading.text import (
    DECLINED,
    EMPTY,
    Outcome,
    json_objects,
    json_thoughts,
    plain_numbers,
    unboxed,
)
from ludens.envs import Scale

KEYS = ("rating", "answer", "score", "points", "value", "number")


@dataclass(frozen=True)
class PointsReading:
    """What a reply says in points.

    Attributes:
        outcome: ``"ok"``, ``"invalid"`` or ``"refused"``.
        points: one number for a rating, one for each label of an allocation; empty unless ``"ok"``.
        detail: one sentence that says what was wrong, in words that the model can be shown; empty if
            ``"ok"``.
        reasoning: the thoughts given before the answer, if any.
    """

    outcome: Outcome
    points: tuple[float, ...] = ()
    detail: str = ""
    reasoning: str | None = None


def read_rating(text: str | None, scale: Scale, *, cut: bool = False) -> PointsReading:
    """Read the rating that a reply gives.

    Args:
        text: the reply.
        scale: the range of the rating, and what is rated.
        cut: whether the reply ended because it reached the limit of tokens; then a number at its end may lack
            digits.
    """
    clean = unboxed(plain_numbers(text or ""))
    if not clean:
        return PointsReading("invalid", detail=EMPTY)
    patterns = _patterns(scale)
    objects, around, broken = json_objects(clean)
    if cut and not re.search(r"\n[ \t]*\Z", text or ""):
        # The last line is not complete.
        around = around[: around.rfind("\n") + 1]
    lines = [line.strip(_MARKUP) for line in around.splitlines()]
    given: list[Any] = [value for _, entry in objects for key, value in entry if key.strip().lower() in KEYS]
    after = max((start for start, _ in objects), default=0)
    for number, line in enumerate(lines):
        if hit := patterns.line.fullmatch(line):
            given.append(hit["number"])
            after = max(after, sum(len(each) + 1 for each in around.splitlines()[: number + 1]))
    if given and taken_back(around[after:]):
        return PointsReading("invalid", detail=TAKEN_BACK)
    given = given or _in_sentence(around, patterns) or _in_words(around, scale, patterns)
    different = _different(given)
    if len(different) > 1:
        return PointsReading(
            "invalid", detail=f"The reply gives more than one number: {', '.join(different)[:60]}."
        )
    if given:
        points = _point(given[0], scale, patterns)
        if isinstance(points, str):
            return PointsReading("invalid", detail=points)
        return PointsReading("ok", (points,), reasoning=json_thoughts(objects))
    if cut or broken:
        return _no_answer(clean, "The reply was cut off or broken before it gave a number.")
    return _no_answer(around, f"The reply gives no {_asked(scale)}.")


def read_allocation(
    text: str | None, labels: Sequence[str], scale: Scale, *, cut: bool = False
) -> PointsReading:
    """Read how a reply shares out the points of a scale over labels (single capital letters), in their order.

    Args:
        text: the reply.
        labels: of the things that share the points.
        scale: how many points there are, and what the things are called.
        cut: whether the reply ended because it reached the limit of tokens.
    """
    clean = plain_numbers(text or "")
    if not clean:
        return PointsReading("invalid", detail=EMPTY)
    patterns = _patterns(scale)
    objects, around, broken = json_objects(clean)
    given: dict[str, list[Any]] = {label: [] for label in labels}
    others: list[str] = []
    for _, entry in objects:
        for key, value in entry:
            if key.strip() in given:
                given[key.strip()].append(value)
            elif re.fullmatch(r"[A-Z]", key.strip()):
                others.append(key.strip())
    for line in around.splitlines():
        # "A: 60, B: 40" and "A = 60 B = 40" are two statements on one line.
        for part in re.split(r"[,;]\s+(?=[A-Z]\W)|(?<=[0-9])\s+(?:and\s+)?(?=[A-Z]\s?[:=])", line):
            hit = patterns.share.fullmatch(part.strip(_MARKUP))
            if hit and hit["label"] in given:
                given[hit["label"]].append(hit["number"])
            elif hit:
                others.append(hit["label"])
    if cut and not objects:
        return _no_answer(clean, "The reply was cut off before it ended.")
    if not any(given.values()):
        return _no_answer(around, f"The reply {'is cut off or broken' if broken else 'gives no points'}.")
    if others:
        wanted = f"{', '.join(labels[:-1])} and {labels[-1]}"
        return PointsReading(
            "invalid", detail=f"The reply gives points to {others[0]}; there are {wanted} only."
        )
    points: list[float] = []
    for label, values in given.items():
        different = _different(values)
        if len(different) != 1:
            how = "more than one number" if different else "no number"
            return PointsReading("invalid", detail=f"The reply gives {how} for {label}.")
        point = _point(values[0], scale, patterns)
        if isinstance(point, str):
            return PointsReading("invalid", detail=f"{label}: {point}")
        points.append(point)
    total = sum(points)
    if total > scale.highest or (scale.exact and total != scale.highest):
        most = "" if scale.exact else "at most "
        return PointsReading(
            "invalid", detail=f"The points must sum to {most}{scale.highest}; they sum to {total}."
        )
    return PointsReading("ok", tuple(points), reasoning=json_thoughts(objects))


_MARKUP = " \t\r*_`\"'#>"
_NUMBER = r"(?P<number>[-+]?[0-9]+(?:[.,][0-9]+)?)"
_REAL = r"(?P<number>[-+]?(?:[0-9]+(?:[.,'][0-9]+)*|[.,][0-9]+))"
_GAP = r"[*_`\"' \t]*"
_DENIED = re.compile(r"(?i)\b(?:not|never|no|nor|if|unless|or)\b|n't\b")


@dataclass(frozen=True)
class _Patterns:
    """How points may be written on one scale.

    Attributes:
        line: a rating on a line of its own.
        share: the points of one label.
        sentence: a rating within a sentence.
        value: a number as a text in JSON.
        stated: a number among words.
    """

    line: re.Pattern[str]
    share: re.Pattern[str]
    sentence: re.Pattern[str]
    value: re.Pattern[str]
    stated: re.Pattern[str]


@lru_cache(maxsize=64)
def _patterns(scale: Scale) -> _Patterns:
    top, whole = re.escape(f"{scale.highest:.10g}"), scale.step > 0
    number = _NUMBER if whole else _REAL
    digits = r"[0-9]+(?:[.,][0-9]+)*" if whole else r"(?:[0-9]+(?:[.,'][0-9]+)*|[.,][0-9]+)"
    # Half a per cent is no half of an interval from 0 to 1.
    cent = r"%|per[ \t]?cent\b|" if whole or scale.highest == 100 else ""
    end = rf"{_GAP}(?:{cent}/[ \t]*{top}|out[ \t]+of[ \t]+(?:a[ \t]+)?{top}|points?)?{_GAP}\.?"
    noun = [re.escape(scale.noun)] if scale.noun else []
    called = "|".join([*(re.escape(_gerund(thing)) for thing in scale.things), *noun])
    between = "it|this|that|an?|the|at|as|with|of|to|rating|score|answer" + (f"|{called}" if called else "")
    return _Patterns(
        line=re.compile(
            rf"(?i)(?:-[ \t]+)?(?:(?:(?:my|the|final|overall)[ \t]+)*(?:rating|answer|score|number){_GAP}"
            rf"(?:is|would[ \t]+be|:|=){_GAP})?{number}{end}"
        ),
        share=re.compile(
            rf"(?i:(?:[-*][ \t]+)?(?:{'|'.join([*noun, 'option'])})?[ \t]*)(?P<label>[A-Z])[*_`\"')\] \t]*"
            rf"[:=-]{_GAP}{number}{end}"
        ),
        sentence=re.compile(
            r"(?i)\bI(?:'d|'ll|[ \t]+would|[ \t]+will)?[ \t]+"
            rf"(?:rate|give|say|choose|pick|put|assign|answer"
            rf"|contribute|bid|claim|offer|guess)\b(?:[ \t]+(?:{between})\b){{0,6}}[ \t]+"
            rf"{number}{end}(?=\s|\Z)"
        ),
        value=re.compile(rf"(?i)\s*{number}{end}\s*"),
        stated=re.compile(
            rf"(?i)(?<![A-Za-z0-9_.,'])(?:(?<![A-Za-z0-9_)])[-+])?{digits}(?![A-Za-z0-9_'])"
            rf"(?:[ \t]*(?:{cent}(?:/|out[ \t]+of(?:[ \t]+a)?|von|sur|de|su|van|na|из)[ \t]*{top}(?!\d)"
            r"|points?\b))?"
        ),
    )


def _gerund(verb: str) -> str:
    return f"{verb.removesuffix('e')}ing"


def _in_sentence(text: str, patterns: _Patterns) -> list[str]:
    """Return the number of a sentence such as "I would rate it 73.", if the reply holds no other."""
    hits = list(patterns.sentence.finditer(text))
    if len(hits) != 1 or _DENIED.search(text) or "?" in text:
        return []
    (hit,) = hits
    rest = text[: hit.start("number")] + text[hit.end() :]
    return [] if re.search(r"[0-9]", rest) else [hit["number"]]


def _in_words(text: str, scale: Scale, patterns: _Patterns) -> list[str]:
    """Return the number that the words of a reply state as its rating, if it is one."""
    low, top = (re.escape(f"{end:.10g}") for end in (scale.lowest, scale.highest))
    range_ = rf"(?i)\b(?:on|in|using)\s+(?:a|the)\s+scale\s+(?:from|of)\s+{low}\s*(?:to|-)\s*{top}\b"
    text = re.sub(range_, " ", text)

    def number(said: str) -> float | str:
        if scale.step == 0:
            written = patterns.value.fullmatch(said)
            plainly = decimal(written["number"].lstrip("+-")) if written else None
            sign = -1 if said.startswith("-") else 1
            return "no plain number" if plainly is None else sign * float(plainly)
        digits = re.match(r"[-+]?[0-9]+(?:\.[0-9]+)?(?![.,0-9])", said)
        return float(digits[0]) if digits else "no plain number"

    found = stated(text, patterns.stated, number)
    return [] if found is None else [f"{found:.12g}"]


def _different(values: Sequence[Any]) -> list[str]:
    """Return values as texts, each once; 75 and "75" are one."""
    return list(dict.fromkeys(str(value).strip() for value in values))


def _asked(scale: Scale) -> str:
    return f"{'whole ' if scale.step else ''}number from {scale.lowest:.10g} to {scale.highest:.10g}"


def _point(value: Any, scale: Scale, patterns: _Patterns) -> float | str:
    """Return a number on the scale, or a sentence that says why the value is not one."""
    if isinstance(value, str):
        hit = patterns.value.fullmatch(value)
        if hit is None:
            return f"{value.strip()[:40]!r} is no plain number."
        digits = hit["number"]
        if scale.step and "," in digits:
            return f"{digits!r} is no {_asked(scale)}."
        plainly = decimal(digits.lstrip("+-"))
        if plainly is None:
            return f"{digits!r} can be read in more than one way: write it with a decimal point, as in 1.50."
        value = -float(plainly) if digits.startswith("-") else float(plainly)
    if isinstance(value, bool) or not isinstance(value, int | float):
        shown = json.dumps(value, default=str)[:40]
        return f"{shown} is no single number."
    if not scale.lowest <= value <= scale.highest:  # NaN does not lie between them either
        return f"{value:.6g} does not lie between {scale.lowest:.10g} and {scale.highest:.10g}."
    if not scale.step:
        return float(value)
    if value != int(value):
        return f"{value:.6g} is no whole number."
    if (int(value) - scale.lowest) % scale.step:
        low, step = int(scale.lowest), scale.step
        return f"{value:.6g} is not one of {low}, {low + step}, {low + 2 * step} and so on."
    return int(value)


def _no_answer(text: str, otherwise: str) -> PointsReading:
    if any(True for _ in declined(text)):
        return PointsReading("refused", detail=DECLINED)
    return PointsReading("invalid", detail=otherwise)
