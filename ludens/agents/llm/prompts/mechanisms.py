"""Games with a mechanism for templates: the game itself, the mechanism, what has happened, what is asked.

Actions of a game whose rules stand in words are called by their names, those of a payoff table ``action 1``,
``action 2`` …, numbered in the order in which the prompt shows options.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

from ludens.agents.llm.prompts.templates import WordingError
from ludens.agents.llm.prompts.tree import rotation
from ludens.envs import Contracts, Mediation, StageGame, Step, StrategicGame, Turn
from ludens.envs.strategic.mechanisms.cheap_talk import MESSAGE, SILENCE, announcement
from ludens.envs.strategic.mechanisms.contracts import ContractGame
from ludens.envs.strategic.tree_form import seat_roles
from ludens.envs.strategic.turns import MOST_WORDED

FOLDER = "mechanisms"
MOST_PLAYERS_OF_A_RULE = 4


def around(turn: Turn) -> StrategicGame | None:
    """Return the game that the mechanism of a turn is around; None without a mechanism."""
    return turn.game.base if isinstance(turn.game, StageGame) else None


class Mechanical:
    """A turn of a game with a mechanism, for templates.

    Args:
        turn: the turn.
        order: the number of the order in which options are shown.
        rules: the template of the base game's rules; None where it has none in words.

    Raises:
        WordingError: the base game is too large to be told as a table.
    """

    def __init__(self, turn: Turn, order: int, rules: str | None) -> None:
        assert isinstance(turn.game, StageGame)
        assert turn.game.base is not None
        self.turn, self.game, self.base = turn, turn.game, turn.game.base
        if rules is None and self.base.profiles > MOST_WORDED:
            raise WordingError(
                f"There is no wording for {self.base.name} with a mechanism: add wordings/rules/"
                f"{self.base.name}.j2."
            )
        self._rules = rules
        # What others write in their own words must call actions as all do, whatever order they are shown in.
        staged = self.game.staged
        self._free = staged is not None and staged.longest_text is not None
        # Stages name the player itself first in its role, as the records of rounds do.
        self._names = seat_roles(self.base)
        own = turn.role if turn.role in self._names else self._names[self.base.seats.index(turn.role)]
        self._mine = self._names.index(own)
        self._called: dict[str, dict[str, str]] = {}
        for name, role in zip(self._names, self.base.seats, strict=True):
            actions = self.base.finite[role].names
            shown = dict.fromkeys(actions, "")
            for place, number in enumerate(rotation(len(actions), 0 if self._free else order)):
                shown[actions[number]] = f"action {place + 1}" if rules is None else actions[number]
            self._called[name] = shown

    def facts(self) -> dict[str, Any]:
        """Return what templates may use besides what they may use of every turn."""
        own = self._names[self._mine]
        return {
            "game": self.base,
            "parameters": self.base.parameters,
            "players": len(self.base.seats),
            "rules": f"{FOLDER}/rules.j2",
            "base_rules": self._rules or f"{FOLDER}/table.j2",
            "mechanism": self.game.mechanism.kind if self.game.mechanism is not None else "",
            "stage": self._kind(self.turn.node),
            "acts": list(self._called[own].values()),
            "alike": len({tuple(each) for each in self._called.values()}) == 1,
            "others_acts": [list(self._called[name].values()) for name in self._others],
            "outcomes": [] if self._rules else self._outcomes(),
            "setting": self.game.mechanism,
            "details": self._details(),
            "now": self._now(),
            "target": self._target(),
            "known": self._stages(self.turn.known),
            "past": [
                {"stages": self._stages(past.path), "points": past.payoffs[own]} for past in self.turn.past
            ],
        }

    def option(self, name: str) -> str:
        """Return what the option of that name is called at this turn."""
        return self._shown(name, self._names[self._mine])

    def reputation(self, told: Sequence[Sequence[str]]) -> tuple[tuple[str, ...], ...]:
        """Return what partners chose in earlier rounds, as actions are called."""
        others = zip(self._others, told, strict=True)
        return tuple(tuple(self._shown(name, who) for name in names) for who, names in others)

    @property
    def _others(self) -> list[str]:
        return [name for place, name in enumerate(self._names) if place != self._mine]

    def _said(self, kind: str, step: Step) -> str:
        """Return what a step is called; what somebody wrote stands in quotation marks."""
        assert step.role is not None
        if not (self._free and kind == MESSAGE):
            return self._shown(step.option, step.role)
        return step.option if step.option == SILENCE else '"' + step.option.replace('"', "'") + '"'

    def _shown(self, option: str, who: str) -> str:
        called = self._called[who]
        said = {announcement(name): announcement(shown) for name, shown in called.items()}
        return called.get(option, said.get(option, option))

    def _kind(self, label: str) -> str:
        return label.split(" ", 1)[0]

    def _stages(self, path: Sequence[Step]) -> list[dict[str, Any]]:
        """Return what was done, by stage: every player's move, and whom it is about."""
        stages: list[dict[str, Any]] = []
        for kind, steps in itertools.groupby(path, key=lambda step: self._kind(step.label)):
            moves = []
            for step in steps:
                assert step.role is not None
                target = next((name for name in self._names if step.label.endswith(f" for {name}")), None)
                moves.append(
                    {
                        "number": self._number(step.role),
                        "option": self._said(kind, step),
                        "target": None if target is None else self._number(target),
                    }
                )
            stages.append({"kind": kind, "moves": moves})
        return stages

    def _number(self, name: str) -> int:
        """Return a player's number in the text: 1 is who reads it."""
        return 1 if name == self._names[self._mine] else self._others.index(name) + 2

    def _outcomes(self) -> list[dict[str, Any]]:
        rows = []
        order = [self._mine, *(place for place in range(len(self._names)) if place != self._mine)]
        shown = [list(self._called[self._names[place]].items()) for place in order]
        shown = [sorted(pairs, key=lambda pair: pair[1]) for pairs in shown]
        for acts in itertools.product(*shown):
            profile = [0.0] * len(order)
            for place, (name, _) in zip(order, acts, strict=True):
                actions = self.base.finite[self.base.seats[place]]
                profile[place] = actions.values[actions.names.index(name)]
            paid = self.base.payoffs_of(profile)[order].tolist()
            rows.append({"acts": [said for _, said in acts], "points": paid})
        return rows

    def _details(self) -> dict[str, Any]:
        mechanism, staged = self.game.mechanism, self.game.staged
        if isinstance(mechanism, Contracts) and isinstance(staged, ContractGame):
            agreed = {role: self.base.finite[role].names[place] for role, place in staged.agreed.items()}
            return {
                "agreed": self._by_player(agreed),
                "fines": staged.fines,
                "menu": mechanism.menu is not None,
            }
        if isinstance(mechanism, Mediation) and mechanism.rule is None:
            everybody, some = mechanism.plans(self.base)
            return {"everybody": self._by_player(everybody), "some": self._by_player(some), "cases": []}
        if isinstance(mechanism, Mediation):
            return {"everybody": [], "some": [], "cases": self._cases(mechanism)}
        return {}

    def _cases(self, mechanism: Mediation) -> list[dict[str, Any]]:
        """Return for every set of delegating players what the mediator plays for each of them."""
        players = len(self._names)
        if players > MOST_PLAYERS_OF_A_RULE:
            raise WordingError(
                f"A mediator's rule is told in words for at most {MOST_PLAYERS_OF_A_RULE} players, and "
                f"{self.base.name} has {players}: give all_delegate and otherwise, or a template of your own."
            )
        assert mechanism.rule is not None
        cases = []
        for who in itertools.product((True, False), repeat=players):
            played = mechanism.rule(who)
            listed = [
                {"number": self._number(name), "option": self._shown(option, name)}
                for name, option, delegates in zip(self._names, played, who, strict=True)
                if delegates
            ]
            cases += [listed] if listed else []
        return [{"delegates": sorted(each, key=lambda one: one["number"])} for each in cases]

    def _by_player(self, by_role: dict[str, str]) -> list[str]:
        """Return one action for each player, the own first; one alone where all have the same."""
        order = [self._mine, *(place for place in range(len(self._names)) if place != self._mine)]
        listed = [self._shown(by_role[self.base.seats[place]], self._names[place]) for place in order]
        return listed[:1] if len(set(listed)) == 1 else listed

    def _now(self) -> list[float]:
        """Return what each player has before the own points are assigned, the own first; empty elsewhere."""
        if self._kind(self.turn.node) != "points":
            return []
        nothing = [self.game.finite[role].values[0] for role in self.game.seats]
        paid = self.game.payoffs_of(nothing).tolist()
        return [paid[self._mine], *(paid[place] for place in range(len(paid)) if place != self._mine)]

    def _target(self) -> int:
        """Return the number of the player whom the question is about; 0 where it is about none."""
        if self._kind(self.turn.node) != "points":
            return 0
        return sum(self._kind(step.label) == "points" for step in self.turn.known) + 2
