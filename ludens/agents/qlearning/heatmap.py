"""The profit gain over learning rates and exploration rates, after figure 1 of Calvano et al. (AER 2020)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ludens.agents.qlearning.parameters import QLearning
from ludens.agents.qlearning.training import train
from ludens.envs.pricing import Market
from ludens.errors import UsageError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class HeatMap:
    """Means over sessions for every pair (α, β).

    Attributes:
        alphas: (A,); betas: (B,), per period.
        gains: average profit gain Δ, (A, B).
        periods: median periods to convergence, (A, B).
        converged: share of sessions that converged, (A, B).
    """

    alphas: Floats
    betas: Floats
    gains: Floats
    periods: Floats
    converged: Floats

    def figure(self) -> Figure:
        """Draw the profit gains, with α to the right and β upwards."""
        from matplotlib.figure import Figure

        figure = Figure(figsize=(6.4, 4.8), layout="constrained")
        axes = figure.add_subplot()
        image = axes.imshow(self.gains.T, origin="lower", aspect="auto", cmap="viridis")
        for axis, values in ((axes.xaxis, self.alphas), (axes.yaxis, self.betas)):
            # About eight labels at most, or they would overlap.
            places = range(0, len(values), -(-len(values) // 8))
            axis.set_ticks(list(places), [f"{values[place]:.3g}" for place in places])
        axes.set_xlabel("learning rate α")
        axes.set_ylabel("exploration decay β, per period")
        figure.colorbar(image, label="average profit gain Δ (0 Nash, 1 joint profit)")
        return figure


def heat_map(
    market: Market | None = None,
    alphas: Sequence[float] = tuple(np.linspace(0.025, 0.25, 10)),
    betas: Sequence[float] = tuple(np.linspace(2e-6, 2e-5, 10)),
    *,
    parameters: QLearning | None = None,
    sessions: int = 100,
    seed: int = 0,
    workers: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> HeatMap:
    """Train at every pair of rates (α, β); all pairs use the same random numbers.

    Args:
        market: the published baseline by default.
        alphas: learning rates, each in (0, 1].
        betas: decay rates of exploration, each at least 0.
        parameters: the other parameters of the learners; the published ones by default.
        sessions: how many to train at each pair.
        seed: of the training at each pair.
        workers: number of threads; by default, all cores that this process may use.
        progress: called with the number of pairs done and the number of all pairs.

    Raises:
        UsageError: there is no learning rate or no decay rate, or one is out of its range.
    """
    if not len(alphas) or not len(betas):
        raise UsageError("A heat map needs at least one learning rate and one exploration rate.")
    base = QLearning() if parameters is None else parameters
    # Checks all pairs before the first one is trained.
    grid = [[replace(base, alpha=float(a), beta=float(b)) for b in betas] for a in alphas]
    means = np.zeros((3, len(alphas), len(betas)))
    for row, column in np.ndindex(*means.shape[1:]):
        trained = train(market, grid[row][column], sessions, seed, workers=workers)
        means[:, row, column] = trained.gains.mean(), np.median(trained.periods), trained.converged.mean()
        if progress is not None:
            progress(row * len(betas) + column + 1, len(alphas) * len(betas))
    return HeatMap(np.array(alphas, dtype=float), np.array(betas, dtype=float), *means)
