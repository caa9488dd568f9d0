"""Recognise a reply in which a model declines to answer.

The patterns are open to inspection on purpose, and they are looked for only in replies that give no answer.
Refusing an offer is a move in some games, and saying that one cannot know what others will do is no refusal:
the model must decline to answer, to choose, to take part, or to have preferences at all, or must name a rule
that forbids it.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

LONGEST = 2000


def declined(text: str) -> Iterator[str]:
    """Yield what is declined, for each place where a reply declines.

    In English it is the rest of the sentence, in other languages the whole sentence, whose order of words is
    less fixed (``refusals.toml``).
    """
    begun = text[:LONGEST]
    # "May I decline to choose?" only asks.
    yield from (hit["what"] for hit in _ENGLISH.finditer(begun) if not begun.startswith("?", hit.end()))
    for hit in _others().finditer(begun):
        start = max(begun.rfind(mark, 0, hit.start()) for mark in ".!?\n")
        end = re.compile(r"[.!?\n]|\Z").search(begun, hit.end())
        yield begun[start + 1 : end.start() if end else len(begun)]


_UNWILLING = (
    r"\bI(?:\s+(?:really\s+)?(?:can't|cannot|can\s+not|won't|will\s+not|shall\s+not|do\s+not\s+want\s+to|don't\s+want\s+to)|"
    r"(?:'m|\s+am)\s+(?:afraid\s+I\s+can't|unable\s+to|not\s+(?:able|going|willing|allowed|permitted|in\s+a\s+position)\s+to)|"
    r"\s+(?:must\s+|have\s+to\s+|need\s+to\s+)?(?:respectfully\s+|politely\s+)?(?:decline|refuse)\s+to|"
    r"(?:'d|\s+would)\s+(?:rather|prefer)\s+not(?:\s+to)?|\s+prefer\s+not\s+to|(?:'d|\s+would)\s+prefer\s+to\s+not)"
)
_ACTS = (
    r"(?:answer|help(?!\s+(?:but|\w+ing)\b)|assist|choose|pick|select|take|decide|participate|engage|respond|comply|fulfill?|provide|"
    r"continue|proceed|play|rate|judge|evaluate|recommend|endorse|discuss|complete|support|"
    r"(?:give|offer|share|express|state)\s+(?:an?|any|my|you)|set\s+(?:an?|any|this)\s+price|fix\s+prices?|"
    r"make\s+(?:an?|this|that|such|any|choices|decisions|judge?ments)|do\s+(?:that|this|so)|be\s+(?:a\s+)?part\b|"
    r"have\s+(?:any|personal|preferences|opinions))"
)
_RULES = (
    r"(?:(?:usage|content|safety|ethical|core)\s+)?"
    r"(?:guidelines|polic(?:y|ies)|principles|programming|rules|values)"
)
_ENGLISH = re.compile(
    rf"(?i)(?:{_UNWILLING}(?:\s+(?:\w+ly|in\s+good\s+conscience))?\s+{_ACTS}\b"
    r"|\bI(?:\s+must|\s+have\s+to|\s+need\s+to|'ll\s+have\s+to)?\s+(?:respectfully|politely)\s+decline(?=\s*(?:[.!,]|\Z))"
    r"|\bI\s+(?:must|have\s+to|need\s+to)\s+decline(?=\s*(?:[.!,]|\Z))"
    r"|\bI'?m\s+sorry,?\s+(?:but\s+)?I\s+(?:can't|cannot|won't)(?=\s*(?:[.!]|\Z))"
    r"|\bI(?:'m|\s+am|\s+do)(?:\s+not|n't)\s+(?:feel\s+)?comfortable\b|\bI\s+don't\s+feel\s+comfortable\b"
    rf"|\b(?:against|violates?|conflicts?\s+with|goes\s+against|contrary\s+to)\s+(?:my|our|the)\s+{_RULES}"
    rf"|\bmy\s+{_RULES}\s+(?:do(?:es)?\s+not|don't|doesn't|prevents?|prohibits?|forbids?|won't|will\s+not)"
    r"|\bnot\s+something\s+I\s+(?:can|will|am\s+able\s+to)\b"
    r"|\bas\s+an?\s+(?:ai|(?:large\s+)?language\s+model)\b[^.!?\n]*(?:\b(?:not|no|cannot|unable)\b|n't\b))(?P<what>[^.!?\n]*)"
)


@lru_cache(maxsize=1)
def _others() -> re.Pattern[str]:
    with (Path(__file__).parent / "refusals.toml").open("rb") as file:
        patterns = [pattern for listed in tomllib.load(file).values() for pattern in listed]
    return re.compile("|".join(f"(?:{pattern})" for pattern in patterns), re.IGNORECASE)
