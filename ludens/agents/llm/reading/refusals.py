"""How models decline to answer, in words.

Short and open to inspection on purpose, and looked for only in replies that give no answer. To refuse or
decline an offer is a move in some games, and to be unable to know what others do is no refusal: what is
declined must be to answer, to choose, to take part, or to have preferences at all.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

LONGEST = 2000


def declined(text: str) -> Iterator[str]:
    """For each place where the reply declines, what it declines: the rest of the sentence."""
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
