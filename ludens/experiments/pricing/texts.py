"""Counts of kinds of sentences in firms' plans and insights, by simple keyword rules.

A text is split into sentences, and each sentence is searched for words. The lists are ours, in English. They
do not recognise irony or paraphrases: a count shows how often firms use such words, not what they mean. The
report prints the lists with examples of matching sentences, so that readers can judge them. Plans are written
anew in every period; a sentence that is copied counts each time.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ludens.experiments.measures.intervals import Estimate, cluster_mean, missing
from ludens.experiments.pricing.panels import Panel

FIELDS = ("plans", "insights")
"""The notes that are counted: what a firm tells itself for later, not what it observed."""

EXAMPLES = 3

_NEGATED = (
    r"\b(?:avoid\w*|not|never|without|no|don't|doesn't|won't|refrain\w*|rather than|instead of|prevent\w*)"
)
_NEAR = r"(?:\W+[\w'-]+){0,4}?\W+"  # up to four words between


@dataclass(frozen=True)
class Rule:
    """A kind of sentence.

    Attributes:
        name: for tables and files.
        title: for display.
        patterns: regular expressions, of which at least one must match; case is ignored.
        needs: further expressions, of which one must match too, if there are any.
        without: expressions of which none may match.
    """

    name: str
    title: str
    patterns: tuple[str, ...]
    needs: tuple[str, ...] = ()
    without: tuple[str, ...] = ()

    def matches(self, sentence: str) -> bool:
        """Return whether the sentence is of this kind."""
        return (
            _some(self.patterns, sentence)
            and (not self.needs or _some(self.needs, sentence))
            and not _some(self.without, sentence)
        )


_WAR = (
    r"\bprice[- ]?wars?\b",
    r"\brace to the bottom\b",
    r"\b(?:destructive|cut-?throat|ruinous) (?:price )?(?:competition|cuts?|cutting|undercutting)\b",
    r"\b(?:downward|price) spirals?\b",
    r"\bretaliat\w+",
)
_UNDERCUT = (
    r"\bundercut\w*",
    r"\bunder-?pric\w+ (?:the |my |our )?(?:competitor|rival|other)",
    r"\b(?:pric\w+|slightly|just|stay\w*|go\w*|set\w*) (?:\w+ )?(?:below|lower than|under|cheaper than) "
    r"(?:the |my |our |its |their )?(?:competit|rival|other firm|opponent)",
    r"\b(?:steal|capture|grab|gain|win) (?:\w+ )?(?:market share|customers|sales) (?:\w+ )?(?:from|by lower)",
)
_COOPERATE = (
    r"\bco-?operat\w+",
    r"\bcollu(?:de|des|ding|sion|sive)\b",
    r"\bco-?ordinat\w+",
    r"\btacit\w*",
    r"\bmutual\w*[- ](?:benefi\w+|profit\w+|gain\w*|restraint)",
    r"\bboth (?:of us |firms |companies |competitors |sides |players )?(?:can |could |to |will )?"
    r"(?:benefit|profit|gain|earn|prosper)",
    r"\bjoint(?:ly)?[- ](?:profit|maximi[sz])\w*",
    r"\b(?:keep|maintain|hold|sustain|support)\w* (?:\w+ ){0,2}(?:high|higher|elevated) prices? "
    r"(?:together|jointly)",
)

RULES = (
    Rule("price_war", "mentions a price war or retaliation", _WAR),
    Rule(
        "price_war_avoidance",
        "wants to avoid a price war",
        _WAR,
        needs=(
            r"\bavoid\w*",
            r"\bprevent\w*",
            r"\bwithout\b",
            r"\b(?:not|never|don't|doesn't) (?:\w+ ){0,3}(?:trigger|start|spark|provoke|cause|risk)\w*",
            r"\b(?:risk|danger|threat|fear)\w* of\b",
            r"\b(?:could|might|may|would|can) (?:\w+ )?(?:trigger|start|spark|provoke|cause|lead to)",
            r"\b(?:steer|stay|keep) (?:clear|away)\b",
        ),
    ),
    Rule(
        "undercutting",
        "wants to undercut",
        _UNDERCUT,
        without=tuple(_NEGATED + _NEAR + pattern.removeprefix(r"\b") for pattern in _UNDERCUT),
    ),
    Rule(
        "cooperation",
        "speaks of cooperating",
        _COOPERATE,
        without=tuple(_NEGATED + _NEAR + pattern.removeprefix(r"\b") for pattern in _COOPERATE),
    ),
)
"""The kinds of sentences that are counted. A sentence may be of several."""


@dataclass(frozen=True)
class Counted:
    """How often a kind of sentence occurs.

    Attributes:
        rule: the kind.
        sentences: how many sentences there are in the runs that are done; `found` of them are of this kind.
        share: of sentences, with a 95 % interval from resampling runs.
        by_run: per run, aborted ones too, (found, sentences).
        examples: the first different sentences that match.
    """

    rule: Rule
    sentences: int
    found: int
    share: Estimate
    by_run: Mapping[int, tuple[int, int]]
    examples: tuple[str, ...]


def count_sentences(
    panel: Panel,
    rng: np.random.Generator,
    *,
    fields: Sequence[str] = FIELDS,
    rules: Sequence[Rule] = RULES,
) -> tuple[Counted, ...]:
    """Count every kind of sentence in the notes of a panel.

    Args:
        panel: with its notes.
        rng: for the bootstrap.
        fields: the notes that are counted, ``"plans"`` and ``"insights"`` by default.
        rules: the kinds.
    """
    written: dict[str, tuple[bool, ...]] = {}
    runs: list[int] = []
    kinds: list[tuple[bool, ...]] = []
    examples: list[dict[str, None]] = [{} for _ in rules]
    for note in panel.notes:
        for sentence in (part for name in fields for part in split(note.texts.get(name, ""))):
            if sentence not in written:  # plans repeat themselves
                written[sentence] = tuple(rule.matches(sentence) for rule in rules)
                for place, taken in enumerate(written[sentence]):
                    if taken and len(examples[place]) < EXAMPLES:
                        examples[place][sentence] = None
            runs.append(note.run)
            kinds.append(written[sentence])
    at = np.array(runs, dtype=np.intp)
    caught = np.array(kinds, dtype=np.float64).reshape(len(kinds), len(rules))
    done = panel.complete[at] if len(at) else np.zeros(0, dtype=np.bool_)
    return tuple(
        _counted(rule, caught[:, place], at, done, examples=tuple(examples[place]), rng=rng)
        for place, rule in enumerate(rules)
    )


def sentences_of(panel: Panel) -> tuple[str, ...]:
    """Return the different sentences in the notes of runs that are done, as first written comes first."""
    return tuple(
        dict.fromkeys(
            sentence
            for note in panel.notes
            if panel.complete[note.run]
            for name in FIELDS
            for sentence in split(note.texts.get(name, ""))
        )
    )


def split(text: str) -> list[str]:
    """Return the sentences of a text, split after . ! ? ; before a space, and at line ends; list marks are
    dropped.

    A full stop inside a number does not end a sentence.
    """
    parts = re.split(r"(?<=[.!?;])\s+|\s*[\r\n]+\s*|\s+•\s+", text)
    bare = (re.sub(r"^(?:[-*•–]+|\(?\d{1,2}[.)](?!\d))\s*", "", part.strip()) for part in parts)
    return [part for part in bare if re.search(r"\w", part)]


def _counted(
    rule: Rule,
    caught: np.ndarray,  # (sentences,)
    runs: np.ndarray,  # (sentences,)
    done: np.ndarray,  # (sentences,)
    *,
    examples: tuple[str, ...],
    rng: np.random.Generator,
) -> Counted:
    share = (
        cluster_mean(caught[done], runs[done].tolist(), rng)
        if done.any()
        else missing("no sentences in runs that are done")
    )
    by_run = {int(run): (int(caught[runs == run].sum()), int((runs == run).sum())) for run in np.unique(runs)}
    return Counted(rule, int(done.sum()), int(caught[done].sum()), share, by_run, examples)


def _some(patterns: Sequence[str], sentence: str) -> bool:
    return any(re.search(pattern, sentence, re.IGNORECASE) for pattern in patterns)
