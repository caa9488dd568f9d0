"""Replies through Transformers whose last line is held to an ending (`ludens.agents.local.engine.Ending`).

The lines before it are free. Within the last line, tokens are drawn from the model's own distribution over
those that continue one of the choices; the reply ends with a whole choice, and nowhere else.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from ludens.agents.local.engine import Ending

if TYPE_CHECKING:
    import torch

TAIL = 24
"""The number of tokens at the end of a reply in which the beginning of an ending is looked for."""


class Held:
    """The tokens that may come next where replies are held to an ending.

    Args:
        tokenizer: of the model.
        ends: the tokens that end a reply.
    """

    def __init__(self, tokenizer: Any, ends: Sequence[int]) -> None:
        self._tokenizer, self._ends = tokenizer, list(ends)

    def scores(self, logits: torch.Tensor, made: Sequence[int], ending: Ending) -> torch.Tensor:
        """Return the logits of the tokens that may follow, and −∞ for all others.

        Args:
            logits: of the next token.
            made: the tokens of the reply so far.
            ending: what its last line is held to.
        """
        import torch

        line = self._last_line(made)
        word = ending.start.rstrip(" ")
        if line is None or not line.startswith(word):
            scores = logits.clone()
            scores[self._ends] = -torch.inf
            return scores
        rest = line[len(word) :]
        wanted = [ending.start[len(word) :] + choice for choice in ending.choices]
        allowed = self._ends if rest in wanted else []
        allowed = allowed + [
            token
            for start in {text[len(rest) :] for text in wanted if text.startswith(rest) and text != rest}
            for token in _beginning(self._tokenizer, start)
        ]
        if not allowed:  # the tokenizer has no single token for any beginning
            return logits
        scores = torch.full_like(logits, -torch.inf)
        scores[allowed] = logits[allowed]
        return scores

    def _last_line(self, made: Sequence[int]) -> str | None:
        """Return the line that is being written; None where it began long ago."""
        text = str(self._tokenizer.decode(list(made[-TAIL:]), skip_special_tokens=True))
        _, broken, line = text.rpartition("\n")
        return line if broken or len(made) <= TAIL else None


@lru_cache(maxsize=4096)
def _beginning(tokenizer: Any, text: str) -> tuple[int, ...]:
    """Return the tokens that are a beginning of a text."""
    found = set()
    for end in range(1, len(text) + 1):
        tokens = tokenizer.encode(text[:end], add_special_tokens=False)
        # Tokenizers of whole words write no blanks.
        if len(tokens) == 1 and tokenizer.decode(tokens) in (text[:end], text[:end].lstrip()):
            found.add(int(tokens[0]))
    return tuple(sorted(found))
