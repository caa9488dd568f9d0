"""One market with its firms in their seats: the environment, stepped on decisions, and what firms are told.

Prices are continuous, so that models, oracles and learners meet in one market; a firm that knows a grid names
prices of its grid.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from ludens.agents.policy import Decision
from ludens.envs import Turn
from ludens.errors import UsageError
from ludens.experiments.pricing.setup import ENVIRONMENT, PricingSetup
from ludens.experiments.records import EpisodeSpec

ROOM = 1000.0
"""Prices may go up to the power of ten that is next above so many times the highest joint-profit price."""


@dataclass(frozen=True)
class _Rules:
    name: str = "bertrand"
    roles: tuple[str, ...] = ("firm",)
    parameters: Mapping[str, float] = field(default_factory=dict)
    protocol: None = None


class PricingTable:
    """The market of one episode.

    Args:
        setup: of the run.
        spec: the episode, whose labels hold its scale and its stated ceiling.

    Raises:
        UsageError: the environment does not take the setup.
    """

    def __init__(self, setup: PricingSetup, spec: EpisodeSpec) -> None:
        if setup.interventions:
            raise UsageError("Interventions are not there yet.")
        self.market = setup.scaled(float(spec.labels["scale"]))
        self.setup = setup
        self.seats = setup.seats
        self.limit: float | None = spec.labels["ceiling"]
        self.played: list[dict[str, dict[str, float]]] = []
        self._notes: dict[str, Mapping[str, str]] = {}
        self._highest = 10.0 ** math.ceil(math.log10(ROOM * float(np.max(self.market.monopoly()))))

    def reset(self, seed: int) -> None:
        """Begin the first period."""
        self._notes = {}
        self.played = []

    @property
    def period(self) -> int:
        """The number of the period that is to be played, from 0."""
        return len(self.played)

    def turns(self) -> dict[str, Turn]:
        """What each firm that sets a price now may know, its own notes among it; empty at the end."""
        if self.period == self.setup.periods:
            return {}
        return {seat: self._turn(seat) for seat in self.seats}

    def step(self, decisions: Mapping[str, Decision]) -> dict[str, dict[str, float]]:
        """Charge the prices, all valid.

        Raises:
            UsageError: a price is below 0 or beyond all bounds.

        Returns:
            per seat what came of it: ``"price"``, ``"quantity"`` and ``"profit"``; it is kept in `played`.
        """
        for seat, decision in decisions.items():
            if decision.action is None or not 0 <= decision.action <= self._highest:
                raise UsageError(
                    f"The price of {seat} in period {self.period + 1} must lie between 0 and "
                    f"{self._highest:.6g}; got {decision.action!r}."
                )
        prices = [float(decisions[seat].action or 0.0) for seat in self.seats]
        quantities, profits = self.market.quantities(prices), self.market.profits(prices)
        for seat, decision in decisions.items():
            if decision.notes is not None:
                self._notes[seat] = decision.notes
        came = {
            seat: {"price": price, "quantity": float(quantity), "profit": float(profit)}
            for seat, price, quantity, profit in zip(self.seats, prices, quantities, profits, strict=True)
        }
        self.played.append(came)
        return came

    def _turn(self, seat: str) -> Turn:
        def of(name: str, seats: tuple[str, ...]) -> list[list[float]]:
            return [[period[each][name] for each in seats] for period in self.played]

        return Turn(
            environment=ENVIRONMENT,
            agent=seat,
            role="firm",
            node="price",
            options=(),
            observation={},
            game=_Rules(roles=("firm",) * len(self.seats)),
            round=self.period,
            rounds=self.setup.periods,
            interval=(0.0, self._highest),
            facts={
                "market": self.market,
                "period": self.period,
                "periods": self.setup.periods,
                "prices": np.array(of("price", self.seats)).reshape(-1, len(self.seats)),
                "own_quantities": np.array(of("quantity", (seat,))).reshape(-1),
                "own_profits": np.array(of("profit", (seat,))).reshape(-1),
                "discount": self.setup.discount,
                "price_limit": self.limit,
                "messages": None,
                "notices": (),
                "notes": self._notes.get(seat, {}),
            },
        )
