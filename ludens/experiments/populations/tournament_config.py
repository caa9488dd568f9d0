"""The configuration of a tournament: who plays which games how often, and who meets whom."""

from __future__ import annotations

import json
from collections.abc import Mapping
from itertools import combinations
from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, Field

from ludens.errors import UsageError
from ludens.experiments.study.config import Count, PolicyLike, PolicySpecs, StudyConfig
from ludens.experiments.study.environments import EnvField
from ludens.experiments.study.questions import check_models, label_of

Pair = tuple[str, str]

GAME = {"id": "prisoners_dilemma-v0", "protocol": "PD1", "rounds": 10}
"""What is played where nothing else is named."""


def _policies(policies: tuple[PolicyLike, ...]) -> tuple[PolicyLike, ...]:
    if len(policies) < 2:
        raise ValueError(f"A tournament needs at least two policies; got {len(policies)}.")
    return check_models(policies)


class TournamentConfig(StudyConfig):
    """The configuration of a tournament.

    Attributes:
        policies: who plays; their labels must differ.
        games: environments with their options. In games with more seats than policies meet, seats belong to
            them in turn, so that groups are mixed.
        matches: how often policies that meet play in each seating.
        group: how many different policies meet in a match, two or more. The seats of a game are theirs in
            turn, and every one of them takes the first seat once.
        pairings: who meets whom, by labels; None for everybody everybody else and themselves.
        swiss: how many rounds of a Swiss system are played: where there are no pairings, the upper half of
            the policies first meets the lower half, and every further round is added when one is done.
    """

    kind: ClassVar[str] = "tournament"

    policies: Annotated[PolicySpecs, AfterValidator(_policies)]
    games: tuple[EnvField, ...] = (GAME,)
    matches: Count = 5
    group: int = Field(2, ge=2)
    pairings: tuple[Pair, ...] | None = None
    swiss: Count | None = None

    def __init__(self, /, **values: Any) -> None:
        super().__init__(**values)
        if not self.games or not all(isinstance(game, Mapping) and "id" in game for game in self.games):
            raise UsageError(f"{self.kind}.games: name at least one environment by its id and its options.")
        names = [game_name(game) for game in self.games]
        if twice := next((name for name in names if names.count(name) > 1), None):
            raise UsageError(f"{self.kind}.games: {twice} stands twice.")
        for place, pair in enumerate(self.pairings or ()):
            if unknown := [label for label in pair if label not in self.labels]:
                raise UsageError(
                    f"{self.kind}.pairings[{place}]: no policy is called {unknown[0]!r}; there are "
                    f"{', '.join(self.labels)}."
                )
        if self.group > len(self.policies):
            raise UsageError(
                f"{self.kind}.group: {self.group} policies meet in a match, and there are "
                f"{len(self.policies)}: name more, or let fewer meet."
            )
        if self.group > 2 and (self.pairings is not None or self.swiss is not None):
            raise UsageError(f"{self.kind}.group: only pairs are paired: leave pairings and swiss out.")
        if self.swiss is not None and self.pairings is None:
            half = len(self.labels) // 2
            first = tuple(zip(self.labels[:half], self.labels[half : 2 * half], strict=True))
            object.__setattr__(self, "pairings", first)

    @property
    def labels(self) -> tuple[str, ...]:
        """What tables call the policies."""
        return tuple(map(label_of, self.policies))

    @property
    def meetings(self) -> tuple[tuple[str, ...], ...]:
        """Who meets whom: each group once, in the order of play."""
        if self.pairings is None:
            alike = ((label,) * self.group for label in self.labels)
            return (*combinations(self.labels, self.group), *alike)
        seen: dict[frozenset[str], Pair] = {}
        for pair in self.pairings:
            seen.setdefault(frozenset(pair), pair)
        return tuple(seen.values())


def seatings(group: tuple[str, ...]) -> tuple[tuple[str, ...], ...]:
    """Return the orders in which those who meet are seated: each of them comes first once."""
    return tuple(dict.fromkeys(group[place:] + group[:place] for place in range(len(group))))


def game_name(game: Mapping[str, Any]) -> str:
    """Return the name of a game in tables: its environment, and what distinguishes it."""
    options = {name: value for name, value in game.items() if name != "id"}
    short = str(game["id"]).removeprefix("ludens/")
    parts = [
        str(value) if name == "protocol" else f"{name}={json.dumps(value)}" for name, value in options.items()
    ]
    return " ".join([short, *parts])
