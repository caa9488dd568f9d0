r"""Option probabilities from the log-probabilities of one token.

Where a model answers with a bare label, the probability of an option is the mass of all tokens at the place
of the answer that spell its label. Rules:

* A token spells a label if the label is what remains without surrounding space and markup: ``"B"``, ``" B"``,
  ``"**B"``, ``"B."``. Case counts: ``"a"`` is an article as often as an option.
* The place of the answer is the first token. Leading tokens that are nothing but space and markup
  (``"\n"``, ``"**"``) are skipped if less than half of the mass at their place lies on labels.
* Servers list only the most likely tokens. A label that is not listed has at most the probability of the
  least likely listed token. It counts as 0, and the reply cannot be read if that bound is above 5 % of the
  mass on labels.
* The labels must hold at least `MIN_ANSWER_MASS` of the probability. Below that the model was about to say
  something else, and its few per cent are not scaled up to a choice.
* A reply that begins with thoughts cannot be read. Nothing is filled in.

That the label ends the answer ("A", and not "A fair split") is a matter of the words that follow it: see
`ludens.agents.llm.reading.parsed.read_masses`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

MIN_ANSWER_MASS = 0.05
"""The probability that must lie on the labels together for the masses on them to count as a choice.

The value is ours. A model that begins 19 of 20 replies with something else answers otherwise than by a
label; what is left on the labels comes from articles ("A fair split") as much as from a choice. Between this
and `LOW_ANSWER_MASS` shares count, beside their answer mass and with a warning: so a small model stays
visible as what it is.
"""

LOW_ANSWER_MASS = 0.5
"""The mean answer mass of a model below which summaries warn: most of its probability lay on other words. The
value is ours.
"""

MAX_UNSEEN = 0.05
NO_TOKENS = "The reply came without log-probabilities."
THINKS = "The model thinks before it answers."
TOO_SHORT = "The list of likely tokens is too short to tell the probability of every answer."
# Reasons that will be the same the next time.
NEVER = (NO_TOKENS, THINKS)
MARKUP = " \t\r\n*_`\"'“”‘’()[]{}<>.,:;!#-–—▁Ġ"


@dataclass(frozen=True)
class Token:
    """One token of a reply, with the probabilities of the most likely tokens at its place, which include its
    own.
    """

    text: str
    alternatives: tuple[tuple[str, float], ...]


@dataclass(frozen=True)
class Masses:
    """The probability of each label.

    Attributes:
        masses: in the order of the labels, with a sum of at most 1; the rest lies on other tokens. None if
            the tokens are no answer.
        detail: why they are none; empty otherwise.
        listed: what is listed for each label, also where it is too little to count. None if the tokens cannot
            be read at all.
    """

    masses: tuple[float, ...] | None
    detail: str = ""
    listed: tuple[float, ...] | None = None


def kept_masses(listed: tuple[float, ...] | None, detail: str) -> Masses:
    """Return what was read from tokens that are not kept: what is listed for each option, and what was wrong.

    Whether that is enough for an answer is decided anew.
    """
    if listed is None or detail == TOO_SHORT:
        return Masses(None, detail or NO_TOKENS, listed)
    if sum(listed) < MIN_ANSWER_MASS:
        return Masses(None, detail or "Too little of the probability lies on the answers.", listed)
    return Masses(listed, "", listed)


def option_masses(tokens: Sequence[Token], labels: Sequence[str]) -> Masses:
    """Return the mass on each label at the place of the answer."""
    if "".join(token.text for token in tokens).lstrip().startswith("<think"):
        return Masses(None, THINKS)
    for token in tokens:
        masses = tuple(_mass(token, label) for label in labels)
        if sum(masses) < 0.5 and not token.text.strip(MARKUP) and token is not tokens[-1]:
            continue
        if sum(masses) < MIN_ANSWER_MASS:
            return Masses(
                None,
                f"The likely first words of the reply are none of the answers {', '.join(labels)}: "
                f"{100 * sum(masses):.2g} % of the probability lies on them.",
                masses,
            )
        bound = min(probability for _, probability in token.alternatives)
        if min(masses) == 0 and bound > MAX_UNSEEN * sum(masses):
            return Masses(None, TOO_SHORT, masses)
        return Masses(masses, "", masses)
    return Masses(None, NO_TOKENS)


def normalised(masses: Sequence[float], temperature: float = 1.0) -> tuple[float, ...]:
    """Return masses as probabilities at a sampling temperature: p ∝ mass^(1/temperature).

    At temperature 0 the largest mass has probability 1; equal ones share it.
    """
    top = max(masses)
    if temperature == 0:
        weights = [float(mass == top) for mass in masses]
    else:
        weights = [math.exp(math.log(mass / top) / temperature) if mass > 0 else 0.0 for mass in masses]
    return tuple(weight / sum(weights) for weight in weights)


def _mass(token: Token, label: str) -> float:
    return min(
        1.0, sum(probability for text, probability in token.alternatives if text.strip(MARKUP) == label)
    )
