"""Recognise a reply in which a model declines to answer.

The pattern is short and open to inspection on purpose, and it is looked for only in replies that give no
answer. Refusing an offer is a move in some games, and saying that one cannot know what others will do is no
refusal: the model must decline to answer, to choose, to take part, or to have preferences at all.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

LONGEST = 2000


def declined(text: str) -> Iterator[str]:
    """Yield the rest of the sentence, which says what is declined, for each place where a reply declines."""
    return (hit["what"] for hit in _REFUSAL.finditer(text[:LONGEST]))


_UNWILLING = (
    r"\bI(?:\s+(?:can't|cannot|can\s+not|won't|will\s+not)|(?:'m|\s+am)\s+(?:unable|not\s+able|not\s+going)\s+to|"
    r"\s+(?:must\s+|have\s+to\s+)?(?:decline|refuse)\s+to|(?:'d|\s+would)\s+(?:rather|prefer)\s+not(?:\s+to)?)"
)
_REFUSAL = re.compile(
    rf"(?i)(?:{_UNWILLING}(?:\s+(?:\w+ly|in\s+good\s+conscience))?\s+(?:answer|help(?!\s+but)|assist|choose|pick|select|take|"
    r"decide|participate|engage|respond|comply|fulfill?|provide|continue|make\s+(?:an?|this|that|such|any)|"
    r"do\s+(?:that|this|so)|have\s+(?:any|personal|preferences|opinions))\b"
    r"|\bI\s+must\s+decline(?=\s*(?:[.!]|\Z))|\bI'?m\s+sorry,?\s+(?:but\s+)?I\s+(?:can't|cannot|won't)(?=\s*(?:[.!]|\Z))"
    r"|\bas\s+an\s+ai\b[^.!?\n]*(?:\b(?:not|no|cannot|unable)\b|n't\b))(?P<what>[^.!?\n]*)"
)
