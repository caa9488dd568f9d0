"""Reading points from a model's reply: a rating from 0 to 100, or 100 points shared out.

A number is read where it can be meant in one way only; whatever else is asked again, with the reason. The
rules are ours:

==================================  ===================================================================
written                             read as
==================================  ===================================================================
``73``, ``**73**``, ``73.``         73
``73 %``, ``73/100``,               73: the scale's end may be named
``73 out of 100``, ``73 points``
``Rating: 73``, ``{"rating": 73}``  73, whatever else the reply says, as long as no other line says another
``I would rate it 73.``             73, if it is the only number in the reply and nothing denies it
``about 50 or 60``, ``50-60``       asked again: more than one number
``about 50``, ``at least 50``       asked again: no plain number
``7/10``, ``0.7``, ``62.5``         asked again: another scale, or no whole number
``[50]``, ``"high"``, ``null``      asked again: no single number
``-1``, ``101``, ``1,000``          asked again: not on the scale
==================================  ===================================================================

100 points are read as ``A: 60`` and ``B: 40`` on lines of their own or in one JSON object: every label once,
whole numbers of at least 0, their sum exactly 100.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ludens.agents.llm.reading.choices import Outcome, json_objects, plain
from ludens.agents.llm.reading.refusals import declined

HIGHEST = 100
KEYS = ("rating", "answer", "score", "points", "value", "number")


@dataclass(frozen=True)
class PointsReading:
    """What a reply says in points.

    Attributes:
        outcome: ``"ok"``, ``"invalid"`` or ``"refused"``.
        points: one number for a rating, one for each label of an allocation; empty unless ``"ok"``.
        detail: one sentence that says what was wrong, fit to be told to the model; empty if ``"ok"``.
        reasoning: the thoughts given before the answer, if any.
    """

    outcome: Outcome
    points: tuple[int, ...] = ()
    detail: str = ""
    reasoning: str | None = None


def read_rating(text: str | None, *, cut: bool = False) -> PointsReading:
    """The rating of a reply, from 0 to 100.

    Args:
        text: the reply.
        cut: it ended because it reached the limit of tokens; then a number at its end may lack digits.
    """
    clean = plain((text or "").translate(_MINUS))
    if not clean:
        return PointsReading("invalid", detail="The reply was empty.")
    objects, around, broken = json_objects(clean)
    lines = [line.strip(_MARKUP) for line in around.splitlines()]
    given: list[Any] = [value for _, entry in objects for key, value in entry if key.strip().lower() in KEYS]
    stated = [hit for line in lines if (hit := _FIRM.fullmatch(line))]
    if stated and cut and _ends_with_number(clean):
        return PointsReading("invalid", detail="The reply was cut off before its number ended.")
    given += [hit["number"] for hit in stated]
    given = given or _said(around)
    told = list(dict.fromkeys(map(str, given)))
    if len(told) > 1:
        return PointsReading(
            "invalid", detail=f"The reply gives more than one number: {', '.join(told)[:60]}."
        )
    if given:
        points = _point(given[0])
        if isinstance(points, str):
            return PointsReading("invalid", detail=points)
        return PointsReading("ok", (points,), reasoning=_thoughts(objects))
    if cut or broken:
        return PointsReading("invalid", detail="The reply was cut off or broken before it gave a number.")
    return _none(around, "The reply gives no whole number from 0 to 100.")


def read_allocation(text: str | None, labels: Sequence[str], *, cut: bool = False) -> PointsReading:
    """How the reply shares out 100 points over the labels (single capital letters), in their order."""
    clean = plain((text or "").translate(_MINUS))
    if not clean:
        return PointsReading("invalid", detail="The reply was empty.")
    objects, around, broken = json_objects(clean)
    found: dict[str, list[Any]] = {label: [] for label in labels}
    for _, entry in objects:
        for key, value in entry:
            if key.strip() in found:
                found[key.strip()].append(value)
    for line in around.splitlines():
        # "A: 60, B: 40" is two statements on one line.
        for part in re.split(r"[,;]\s+(?=[A-Z]\W)", line):
            hit = _SHARE.fullmatch(part.strip(_MARKUP))
            if hit and hit["label"] in found:
                found[hit["label"]].append(hit["number"])
    if cut and not objects:
        return PointsReading("invalid", detail="The reply was cut off before it ended.")
    if not any(found.values()):
        what = "The reply is cut off or broken." if broken else "The reply gives no points."
        return _none(around, what)
    points: list[int] = []
    for label, values in found.items():
        told = list(dict.fromkeys(map(str, values)))
        if len(told) != 1:
            how = "no number" if not told else "more than one number"
            return PointsReading("invalid", detail=f"The reply gives {how} for {label}.")
        point = _point(values[0])
        if isinstance(point, str):
            return PointsReading("invalid", detail=f"{label}: {point}")
        points.append(point)
    if sum(points) != HIGHEST:
        return PointsReading(
            "invalid", detail=f"The points must sum to {HIGHEST}; they sum to {sum(points)}."
        )
    return PointsReading("ok", tuple(points), reasoning=_thoughts(objects))


_MINUS = str.maketrans({"\N{MINUS SIGN}": "-", "\N{EN DASH}": "-", "\N{EM DASH}": "-"})
_MARKUP = " \t\r*_`\"'#>"
_NUMBER = r"(?P<number>[-+]?[0-9]+(?:[.,][0-9]+)?)"
_END = r"[*_`\"' \t]*(?:%|/[ \t]*100|out[ \t]+of[ \t]+(?:a[ \t]+)?100|points?|per[ \t]?cent)?[*_`\"' \t]*\.?"
_GAP = r"[*_`\"' \t]*"
_FIRM = re.compile(
    rf"(?i)(?:-[ \t]+)?(?:(?:(?:my|the|final|overall)[ \t]+)*(?:rating|answer|score){_GAP}"
    rf"(?:is|would[ \t]+be|:|=){_GAP})?{_NUMBER}{_END}"
)
_SHARE = re.compile(
    rf"(?i:(?:[-*][ \t]+)?(?:program|option)?[ \t]*)(?P<label>[A-Z])[*_`\"')\] \t]*[:=-]{_GAP}{_NUMBER}{_END}"
)
_SAID = re.compile(
    rf"(?i)\bI(?:'d|'ll|[ \t]+would|[ \t]+will)?[ \t]+(?:rate|give|say|choose|pick|put|assign|answer)\b"
    r"(?:[ \t]+(?:it|this|that|an?|the|at|as|with|of|to|rating|score|answer|swerving|staying|program)\b){0,6}"
    rf"[ \t]+{_NUMBER}{_END}(?=\s|\Z)"
)
_DENIED = re.compile(r"(?i)\b(?:not|never|no|nor|if|unless|or)\b|n't\b")


def _said(text: str) -> list[str]:
    """The number of a sentence such as "I would rate it 73.", if the reply holds no other."""
    hits = list(_SAID.finditer(text))
    if len(hits) != 1 or _DENIED.search(text) or "?" in text:
        return []
    (hit,) = hits
    rest = text[: hit.start("number")] + text[hit.end() :]
    return [] if re.search(r"[0-9]", rest) else [hit["number"]]


def _point(value: Any) -> int | str:
    """A whole number from 0 to 100, or why it is none."""
    if isinstance(value, str):
        hit = re.fullmatch(rf"\s*{_NUMBER}{_END}\s*", value, re.IGNORECASE)
        if hit is None:
            return f"{value.strip()[:40]!r} is no plain number."
        digits = hit["number"]
        if "," in digits:
            return f"{digits!r} is no whole number from 0 to {HIGHEST}."
        value = float(digits)
    if isinstance(value, bool) or not isinstance(value, int | float):
        shown = json.dumps(value, default=str)[:40]
        return f"{shown} is no single number."
    if not 0 <= value <= HIGHEST:  # what is not a number is not between them either
        return f"{value:.6g} does not lie between 0 and {HIGHEST}."
    if value != int(value):
        return f"{value:.6g} is no whole number."
    return int(value)


def _none(text: str, otherwise: str) -> PointsReading:
    if any(True for _ in declined(text)):
        return PointsReading("refused", detail="The model declined to answer.")
    return PointsReading("invalid", detail=otherwise)


def _ends_with_number(text: str) -> bool:
    return re.search(r"[0-9][.,]?\Z", text) is not None


def _thoughts(objects: Sequence[tuple[int, Sequence[tuple[str, Any]]]]) -> str | None:
    told = (
        value for _, entry in objects for key, value in entry if key == "reasoning" and isinstance(value, str)
    )
    return next(told, None)
