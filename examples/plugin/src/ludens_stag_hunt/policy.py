"""A policy: play it safe."""

from __future__ import annotations

from typing import Any

import numpy as np

from ludens.agents import Decision, Policy, draw
from ludens.envs import GameTree, Turn
from ludens.errors import UsageError


class Cautious(Policy):
    """Takes the option whose worst payoff is the highest (maximin; Wald, 1950), and errs now and then.

    Args:
        error: the probability in [0, 1] of taking an option at random.

    Raises:
        UsageError: the probability is out of its range.
    """

    def __init__(self, error: float = 0.0) -> None:
        if isinstance(error, bool | str) or not 0 <= error <= 1:
            raise UsageError(f"The error of a cautious policy is a probability; got {error!r}.")
        self.error = float(error)
        self.name = f"cautious:{error:g}" if error else "cautious"

    def decide(self, turn: Turn, rng: np.random.Generator) -> Decision:
        """Draw from the exact probabilities.

        Raises:
            UsageError: the turn does not belong to a game tree.
        """
        if not isinstance(turn.game, GameTree):
            raise UsageError(f"{self.name} plays game trees, and {turn.environment} is none.")
        worst = np.array([self._worst(turn.game, turn, option.name) for option in turn.options])
        best = worst == worst.max()
        shares = (1 - self.error) * best / best.sum() + self.error / len(best)
        return draw(shares.tolist(), turn, rng, provenance="exact")

    def _worst(self, game: GameTree, turn: Turn, option: str) -> float:
        """Return the lowest payoff that can follow the option."""
        role = game.roles.index(turn.role)
        return min(
            leaf.payoffs[role]
            for leaf in game.leaves
            if set(turn.known) <= set(leaf.path)
            and any(step.label == turn.node and step.option == option for step in leaf.path)
        )

    def describe(self) -> dict[str, Any]:
        """Return JSON values from which an equal policy can be made."""
        return {**super().describe(), "spec": "cautious", "error": self.error}

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Cautious) and self.error == other.error

    def __hash__(self) -> int:
        return hash((Cautious, self.error))
