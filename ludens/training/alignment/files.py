"""The files of an alignment, and the names of the policies that it compares."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

BASE, BASE_DIRECT, PERSONA, PERSONA_DIRECT, TUNED, GREEDY = (
    "base",
    "base, direct",
    "persona",
    "persona, direct",
    "tuned",
    "tuned, greedy",
)
"""The policies that the tables compare: the base model, asked to think first or for a direct answer (one
letter); the base model under the persona, asked in the same two ways; the tuned model, whose replies are
sampled at temperature 1 as all of these are; and the tuned model decoded greedily, at temperature 0.
"""


@dataclass(frozen=True)
class Files:
    """The paths of everything that an alignment keeps in its folder."""

    folder: Path

    @property
    def data(self) -> Path:
        """The data set."""
        return self.folder / "data"

    @property
    def tuned(self) -> Path:
        """The tuned model: an adapter or a whole model."""
        return self.folder / "tuned"

    def round(self, number: int) -> Path:
        """Return the folder of the model before a round, which the round trains further."""
        return self.folder / "rounds" / str(number)

    def lessons(self, number: int) -> Path:
        """Return the data set of what a round's model got wrong, and of as much that it got right; it exists
        where there were enough errors.
        """
        return self.folder / "rounds" / f"{number}-data"

    @property
    def rounds(self) -> Path:
        """What each round asked and found, as JSON."""
        return self.folder / "rounds.json"

    @property
    def gguf(self) -> Path:
        """The tuned model as one GGUF file, for the light engine."""
        return self.folder / "tuned.gguf"

    @property
    def card(self) -> Path:
        """The record of the training; it exists once the training is done."""
        return self.tuned / "card.json"

    @property
    def no_gguf(self) -> Path:
        """The reason why no GGUF file could be written; it exists only in that case."""
        return self.folder / "no-gguf.txt"

    @property
    def ability(self) -> Path:
        """The perplexities before and after."""
        return self.folder / "ability.json"

    @property
    def report(self) -> Path:
        """The report as a web page."""
        return self.folder / "report.html"

    @property
    def numbers(self) -> Path:
        """Every measured number, as JSON."""
        return self.folder / "report.json"

    def run(self, when: str, what: str) -> Path:
        """Return the path of a run's file; `when` is ``"before"`` or ``"after"``."""
        return self.folder / f"{when}-{what}.db"
