"""What people observe in the adoption game, as numbers; `AdoptionEnv` describes the vector."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ludens.envs.av.adoption.game import AdoptionGame


def shared_parts(
    game: AdoptionGame, shares: NDArray[np.float64], *, memory: int, period: int, rounds: int
) -> NDArray[np.float32]:
    """Return what everybody in a population observes, (B, memory + 7).

    The own program and payoff, which follow the shares, are those of a first round: −1 and 0.

    Args:
        game: the rules.
        shares: of utilitarian cars in the last rounds, (B, rounds), the latest last.
        memory: how many of them are observed.
        period: the number of the next round, from 0.
        rounds: the number of all rounds.
    """
    seen = min(memory, period)
    parts = np.full((len(shares), memory + 7), -1.0, dtype=np.float32)
    if seen:
        parts[:, memory - seen : memory] = shares[:, -seen:]
    fine, subsidy = game.levies(period)
    parts[:, memory + 1 : memory + 5] = 0.0, game.mandated(period), fine, subsidy
    parts[:, memory + 5] = game.extra_cost(shares[:, -1] if period else 0.0, period)
    parts[:, memory + 6] = 1.0 - period / rounds
    return parts
