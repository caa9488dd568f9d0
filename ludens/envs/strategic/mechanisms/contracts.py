"""Binding contracts with transfers that depend on actions (Christoffersen, Haupt & Hadfield-Menell, Get It in
Writing, AAMAS 2023; Haupt, Christoffersen, Damani & Hadfield-Menell, Formal contracts mitigate social
dilemmas in multi-agent reinforcement learning, Autonomous Agents and Multi-Agent Systems 38, 2024).

The contract: whoever does not take the agreed action pays a fine, which the others share equally, so that the
sum of payoffs is what it was. All say at once whether they sign; if all do, the contract binds when they act,
otherwise the game is played as it is. The agreed actions are those with the largest sum of payoffs in which
all players of a role act alike, and the fine is the smallest whole number of points with which nobody gains
by deviating from them alone.

With a menu of fines everybody names the contract that it signs or none, and the contract that all name binds.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np

from ludens.checks import entries, real_number
from ludens.envs.strategic.game import Floats, StrategicGame
from ludens.envs.strategic.mechanisms.foresight import efficient_alike, together
from ludens.envs.strategic.mechanisms.mechanism import (
    Foresight,
    History,
    Mechanism,
    StagedGame,
    StageGame,
    anticipating,
    choice_in,
    on_grid,
    role_payoffs,
)
from ludens.envs.strategic.mechanisms.opening import OpenedGame
from ludens.envs.tree.nodes import GameError

SIGNATURE = "signature"
REFUSE = "refuse"
MOST_FINES = 12


@dataclass(frozen=True)
class Contracts(Mechanism):
    """A contract that binds if all sign it.

    Attributes:
        agreed: the action that the contract asks of everybody; None for the efficient one.
        fine: what a player who does something else pays, in points; None for the smallest that suffices.
        menu: in place of `fine`, fines of several contracts of which everybody names one or none.
    """

    kind: ClassVar[str] = "contracts"
    title: ClassVar[str] = "A contract"
    source: ClassVar[str] = "Christoffersen, Haupt & Hadfield-Menell 2023"

    agreed: str | None = None
    fine: float | None = None
    menu: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        if self.fine is not None:
            if self.menu is not None:
                raise GameError("Contracts take a fine or a menu of fines, not both.")
            object.__setattr__(self, "fine", _fine(self.fine))
        if self.menu is not None:
            listed = entries(self.menu)
            if not listed or len(listed) > MOST_FINES:
                raise GameError(f"A menu holds from 1 to {MOST_FINES} fines; got menu={self.menu!r}.")
            fines = tuple(map(_fine, listed))
            if len(set(fines)) < len(fines):
                raise GameError(f"The fines of a menu must differ; got menu={self.menu!r}.")
            object.__setattr__(self, "menu", fines)

    def around(self, game: StrategicGame) -> StagedGame:
        """Return the game with a stage of signatures before it.

        Raises:
            GameError: the game has one player, or no action of the agreed name.
        """
        game = on_grid(game, self)
        if self.agreed is not None:
            for role, actions in game.finite.items():
                if self.agreed not in actions.names:
                    raise GameError(
                        f"A contract cannot ask {role!r} in {game!r} for {self.agreed!r}: name one of "
                        f"{', '.join(actions.names)}."
                    )
        return ContractGame(game, self)


class ContractGame(OpenedGame):
    """A game with a stage of signatures before it."""

    mechanism: Contracts
    opening: ClassVar[str] = SIGNATURE

    @cached_property
    def agreed(self) -> dict[str, int]:
        """The action that the contract asks of every role, by its number."""
        asked = self.mechanism.agreed
        if asked is None:
            return efficient_alike(self.base)
        return {role: actions.names.index(asked) for role, actions in self.base.finite.items()}

    @cached_property
    def fines(self) -> tuple[float, ...]:
        """The fines of the contracts that can be signed, in points."""
        if self.mechanism.menu is not None:
            return self.mechanism.menu
        return (least_fine(self.base, self.agreed) if self.mechanism.fine is None else self.mechanism.fine,)

    @property
    def signatures(self) -> tuple[str, ...]:
        """The options of the first stage."""
        if self.mechanism.menu is None:
            return ("sign", REFUSE)
        return (*(f"sign for a fine of {fine:.12g}" for fine in self.fines), REFUSE)

    def sayings(self, role: str) -> tuple[str, ...]:
        """Return the contracts that can be signed, and to sign none."""
        return self.signatures

    def act(self, said: Sequence[float]) -> StageGame:
        """Return the game under the contract that all signed, or without one."""
        return self._acts[int(said[0]) if len(set(said)) == 1 else len(self.fines)]

    @property
    def following(self) -> Callable[[Foresight], Callable[[Floats], Floats]]:
        """From a foresight to what everybody earns after signatures."""
        return anticipating(_follows, self._acts)

    def rule(self, stage: str, good: str, bad: tuple[str, ...]) -> tuple[str, tuple[str, ...]]:
        """Return what a rule does in a stage: to cooperate is to sign the first contract."""
        return (self.signatures[0], (REFUSE,)) if stage == SIGNATURE else (good, bad)

    def asked(self) -> Mapping[str, History]:
        """Return the signature, and the choice under every contract and where all refuse one."""
        players = len(self.base.seats)
        signed = [f"choice if all {each}" for each in (*self.signatures[:-1], REFUSE)]
        return {SIGNATURE: (), **{name: ((place,) * players,) for place, name in enumerate(signed)}}

    @cached_property
    def _acts(self) -> tuple[StageGame, ...]:
        """The game under every contract, and without one."""
        agreed = together(self.base, self.agreed)
        bound = [
            StageGame(
                f"{self.base.name}_under_contract",
                dict(self.base.players),
                dict(self.base.actions),
                _Bound(self.base, agreed, fine),
                parameters={**self.base.parameters, "fine": fine},
                protocol=self.base.protocol,
                base=self.base,
                mechanism=self.mechanism,
                staged=self,
            )
            for fine in self.fines
        ]
        return (*bound, choice_in(self.base, self))


@dataclass(frozen=True)
class _Bound:
    """The payoffs of a game under a contract."""

    game: StrategicGame
    agreed: Floats
    fine: float

    def __call__(self, profiles: Floats) -> Floats:
        broken = (profiles != self.agreed).astype(np.float64)
        shared = (broken.sum(-1, keepdims=True) - broken) / (len(self.agreed) - 1)
        paid: Floats = self.game.payoffs_of(profiles) + self.fine * (shared - broken)
        return paid


def least_fine(game: StrategicGame, agreed: dict[str, int]) -> float:
    """Return the smallest whole number of points, at least 0, that is more than anybody gains by deviating
    alone from the profile in which every role takes its agreed action; 0 where all lose by that.
    """
    profile = together(game, agreed)
    usual = game.payoffs_of(profile)
    gain = -math.inf
    for role in game.roles:
        seat = game.seats.index(role)
        others = np.delete(np.array(game.finite[role].values), agreed[role])
        if len(others):
            deviations = np.tile(profile, (len(others), 1))
            deviations[:, seat] = others
            gain = max(gain, float(game.payoffs_of(deviations)[:, seat].max() - usual[seat]))
    return float(math.floor(round(gain, 9)) + 1) if gain >= 0 else 0.0


def _follows(acts: tuple[StageGame, ...], foresight: Foresight, profiles: Floats) -> Floats:
    """Return what everybody earns after signatures: under the contract that all signed, else without one."""
    paid = np.array([role_payoffs(act, foresight) for act in acts])
    signed = profiles.astype(np.intp)
    same = (signed == signed[..., :1]).all(-1)
    binding = np.where(same, signed[..., 0], len(acts) - 1)
    followed: Floats = paid[binding]
    return followed


def _fine(value: object) -> float:
    number = real_number(value)
    if number is None or not 0 <= number < math.inf:
        raise GameError(f"The fine of a contract is a finite number of points of at least 0; got {value!r}.")
    return number
