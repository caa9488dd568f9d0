"""Families of games with mechanisms, under names of their own.

"PD1 with mediation" is the published game PD1 in which each may also delegate to the mediator of `Mediation`.
All still move at once in it, so that benchmarks ask it and estimates use the choices as those of any other
game.

"PD1 with contracts", "PD1 with sanctions" and "PD1 with cheap talk" stand for the stages of a round that
oracles can label. Each is a question with a name of its own, such as "PD1 with contracts: signature" or "PD1
with contracts: choice if all refuse", and a `StageGame`, whose payoffs are those that the rest of the round
leads to. What happened before it is part of the question.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from ludens.envs.strategic.family import StrategicFamily
from ludens.envs.strategic.game import StrategicGame
from ludens.envs.strategic.mechanisms.cheap_talk import CheapTalk
from ludens.envs.strategic.mechanisms.contracts import Contracts
from ludens.envs.strategic.mechanisms.env import StagedEnv
from ludens.envs.strategic.mechanisms.mechanism import History, Mechanism, StagedGame, StageGame
from ludens.envs.strategic.mechanisms.mediation import DELEGATE, Mediation
from ludens.envs.strategic.mechanisms.sanctions import POINTS, Sanctions
from ludens.envs.tree.nodes import GameError
from ludens.envs.turn import Turn

WITH = " with "
STAGE = ": "
BY_WORDS: Mapping[str, type[Mechanism]] = {
    each.kind.replace("_", " "): each for each in (Mediation, Contracts, Sanctions, CheapTalk)
}
"""The mechanisms by what they are called in the names of games."""


def with_mechanism(family: StrategicFamily, called: str) -> StrategicFamily:
    """Return the family of a family's games with a mechanism, by its name in `BY_WORDS`."""
    if BY_WORDS[called] is Mediation:
        return _with_mediation(family)
    return StagedFamily(
        name=f"{family.name}_with_{called.replace(' ', '_')}",
        title=f"{family.title} with {called}",
        source=f"{family.source}; {BY_WORDS[called].source}",
        roles=family.roles,
        parameters=family.parameters,
        build=family.build,
        check=family.check,
        base=family,
        called=called,
    )


def _with_mediation(family: StrategicFamily) -> StrategicFamily:
    """Return the family of a family's games with mediation; to delegate is the cooperative option."""
    return StrategicFamily(
        name=f"{family.name}_with_mediation",
        title=f"{family.title} with mediation",
        source=f"{family.source}; {Mediation.source}",
        roles=family.roles,
        parameters=family.parameters,
        build=partial(_build, family),
        check=family.check,
        prosocial=dict.fromkeys(family.prosocial, DELEGATE),
        protocols={f"{name}{WITH}mediation": numbers for name, numbers in family.protocols.items()},
    )


def _build(family: StrategicFamily, *payoffs: float) -> StrategicGame:
    return Mediation().around(family.game(payoffs=payoffs))


@dataclass(frozen=True, eq=False)
class StageQuestion:
    """One stage of a round, as benchmarks ask it.

    Attributes:
        game: its game, named after the question.
        staged: the game of whose rounds it is a stage.
        history: what happened before.
        seats: the seat that is asked, by information set.
        environment: the id that turns name.
    """

    game: StageGame
    staged: StagedGame
    history: History
    seats: Mapping[str, int]
    environment: str

    @property
    def stages(self) -> tuple[StageGame, ...]:
        """The games of this stage as the round has them, of the seats that are asked."""
        games = self.staged.stage(self.history).games
        return tuple(dict.fromkeys(games[seat] for seat in self.seats.values()))

    def turns(self) -> Mapping[str, Turn]:
        """Return the turns of those who are asked, by information set."""
        env = StagedEnv(self.staged, self.environment)
        env.reset(seed=0)
        for moves in self.history:
            env.step({agent: int(move) for agent, move in zip(env.agents, moves, strict=True)})
        asked = {node: env.turn(f"player_{seat}") for node, seat in self.seats.items()}
        return {node: replace(turn, node=node, game=self.game) for node, turn in asked.items()}


@dataclass(frozen=True, repr=False)
class StagedFamily(StrategicFamily):
    """The questions that stages of a family's published games with a mechanism make.

    Attributes:
        base: the family without the mechanism.
        called: the mechanism, by its name in `BY_WORDS`.
    """

    base: StrategicFamily | None = None
    called: str = ""
    questions: Mapping[str, StageQuestion] = field(init=False, compare=False)

    def __post_init__(self) -> None:
        assert self.base is not None
        questions = {
            name: question
            for protocol in self.base.protocols
            for name, question in self._of(protocol).items()
        }
        object.__setattr__(self, "questions", questions)
        ending = f"{WITH}{self.called}{STAGE}"
        numbers = {name: self.base.protocols[name.partition(ending)[0]] for name in questions}
        object.__setattr__(self, "protocols", numbers)
        good: dict[str, str] = {}
        for question in questions.values():
            good |= self._prosocial(question)
        object.__setattr__(self, "prosocial", good)

    def game(self, protocol: str | None = None, payoffs: Sequence[float] | None = None) -> StrategicGame:
        """Return the game of a question.

        Raises:
            GameError: there is no such question.
        """
        question = None if protocol is None else self.questions.get(protocol)
        if question is None:
            raise GameError(
                f"{self.name} has several stages, each a question of its own; name one of "
                f"{', '.join(self.questions)}."
            )
        return question.game

    def _of(self, protocol: str) -> Mapping[str, StageQuestion]:
        """Return the questions that a published game with the mechanism makes, by name; none where it does
        not fit the game.
        """
        assert self.base is not None
        game = self.base.game(protocol)
        try:
            staged = BY_WORDS[self.called]().around(game)
        except GameError:
            return {}
        assert isinstance(staged, StagedGame)
        found = {}
        for label, history in staged.asked().items():
            stage = staged.stage(history)
            seats = {role: game.seats.index(role) for role in game.roles}
            together = len({id(stage.games[seat]) for seat in seats.values()}) == 1
            for asked in [tuple(seats)] if together else [(role,) for role in seats]:
                name = f"{protocol}{WITH}{self.called}{STAGE}{label}"
                name += "" if together or len(seats) == 1 else f" of {asked[0]}"
                found[name] = self._question(name, staged, history, label, [seats[role] for role in asked])
        return found

    def _question(
        self, name: str, staged: StagedGame, history: History, label: str, seats: Sequence[int]
    ) -> StageQuestion:
        stage = staged.stage(history)
        own = stage.games[seats[0]]
        game = replace(
            own,
            name=self.name,
            protocol=name,
            parameters={**staged.base.parameters, **own.parameters},
            # What was done before the points is in the name of the question.
            stage=POINTS if own.stage.startswith(POINTS) else label,
        )
        asked = {game.node(stage.roles[seat]): seat for seat in seats}
        return StageQuestion(game, staged, history, asked, self.environment)

    def _prosocial(self, question: StageQuestion) -> Mapping[str, str]:
        """Return the cooperative option of a question where there is one; to assign points is neither."""
        assert self.base is not None
        good: dict[str, str] = {}
        staged, game = question.staged, question.game
        for node, seat in question.seats.items():
            action = self.base.prosocial.get(staged.base.node(staged.base.seats[seat]))
            if action is not None and game.stage != POINTS:
                good[node] = staged.rule(game.stage, action, ())[0]
        return good
