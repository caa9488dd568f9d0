"""The configuration of a study of invasions: the game, the weights κ, and how populations evolve."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, Field

from ludens.envs import StrategicGame, find_game
from ludens.errors import UsageError
from ludens.experiments.populations.finite import Process
from ludens.experiments.study.config import Count, StudyConfig, plain_values
from ludens.preferences.stability import (
    PairwiseGame,
    cournot,
    invasions,
    linear_public_good,
    pairwise_game,
    quadratic_public_good,
    two_actions,
)


def _published(protocol: str) -> PairwiseGame:
    game = find_game(protocol)
    if not isinstance(game, StrategicGame):
        raise UsageError(f"{protocol} is a game tree; name one in which all move at once.")
    return pairwise_game(game)


GAMES: Mapping[str, Callable[..., PairwiseGame]] = {
    "published": _published,
    "two_actions": two_actions,
    "linear_public_good": linear_public_good,
    "quadratic_public_good": quadratic_public_good,
    "cournot": cournot,
}
"""The games of this study, by name; their arguments are keys of the configuration's table ``game``."""


def _weights(values: tuple[float, ...]) -> tuple[float, ...]:
    if len(set(values)) < 2 or not all(0 <= value <= 1 for value in values):
        raise ValueError(f"Give at least two weights kappa between 0 and 1; got {list(values)}.")
    return tuple(dict.fromkeys(values))


class InvasionConfig(StudyConfig):
    """The configuration of a study of invasions.

    Attributes:
        game: what is played: ``name`` (see `GAMES`) with its arguments, such as ``{"name": "two_actions",
            "payoffs": [[5, 2], [7, 3]]}`` or ``{"name": "published", "protocol": "PG1"}``.
        kappas: the weights, each of residents and of mutants.
        assortativity: σ, the probability with which one meets one's own type.
        population: how many members there are.
        mutants: their share of the population at the start.
        generations: of each simulation.
        selection: how much a payoff larger by the whole range of payoffs multiplies offspring: by its
            exponential.
        process: how members are replaced (`ludens.experiments.populations.finite`).
        replicates: simulations of each pair.
    """

    kind: ClassVar[str] = "invasion"

    game: Annotated[dict[str, Any], AfterValidator(plain_values)]
    kappas: Annotated[tuple[float, ...], AfterValidator(_weights)] = tuple(i / 10 for i in range(11))
    assortativity: float = Field(0.0, ge=0, le=1)
    population: int = Field(100_000, ge=2)
    mutants: float = Field(0.05, gt=0, lt=1)
    generations: Count = 1000
    selection: float = Field(10.0, ge=0, allow_inf_nan=False)
    process: Process = "wright_fisher"
    replicates: Count = 1

    def __init__(self, /, **values: Any) -> None:
        super().__init__(**values)
        try:
            made = self.made_game()
            for kappa in self.kappas:
                invasions(made, kappa, kappa, self.assortativity)
        except UsageError as why:
            raise UsageError(f"{self.kind}.game: {why}") from None
        if not 1 <= self.first_mutants < self.population:
            raise UsageError(
                f"{self.kind}.mutants: a share of {self.mutants:g} of {self.population} members is no "
                "mutant, or leaves no resident: change one of them."
            )

    @property
    def first_mutants(self) -> int:
        """The number of mutants at the start of a simulation."""
        return round(self.mutants * self.population)

    def made_game(self) -> PairwiseGame:
        """Return the game.

        Raises:
            UsageError: it is unknown, or an argument is wrong.
        """
        arguments = dict(self.game)
        name = str(arguments.pop("name", ""))
        if name not in GAMES:
            raise UsageError(f"there is no game {name!r}; there are {', '.join(GAMES)}.")
        try:
            return GAMES[name](**arguments)
        except TypeError as why:
            raise UsageError(f"{str(why).removeprefix(f'{name}() ')}.") from None
