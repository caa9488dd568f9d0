"""Which games identify which parameters: expected standard errors of α, β, κ and λ, and the warnings of a
fit.

    python docs/identification.py

Each row is a set of the published protocols, played by 100 people with uniform beliefs and (α, β, κ, λ) =
(0.2, 0.2, 0.3, 8). The expected errors come from the inverse of the information at these values, the best
that a sample of that size can achieve. The last column has the warnings of `fit` for one simulated sample.
"""

from __future__ import annotations

from itertools import product
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ludens.envs import PROTOCOLS, uniform_strategy
from ludens.preferences.estimation import HOMO_MORALIS, Choices, fit
from ludens.preferences.estimation.fitting.likelihood import events
from ludens.preferences.estimation.simulation import questions, simulate

PEOPLE = 100
TRUTH = np.array([0.2, 0.2, 0.3, 8.0])
SETS = {"SPD": ["SPD"], "TG": ["TG"], "UG": ["UG"], "TG and UG": ["TG", "UG"], "all 18": ["SPD", "TG", "UG"]}


def asked(families: list[str], seen: Literal["strategies", "nodes"]) -> Choices:
    """Return a design in which everybody is asked about all protocols of some families."""
    games = [game for name, game in PROTOCOLS.items() if name.rstrip("123456") in families]
    return questions([(game, uniform_strategy(game)) for game in games], subjects=PEOPLE, seen=seen)


def expected_errors(choices: Choices) -> NDArray[np.float64]:
    """Return standard errors from the expected information of a design, shape (4,)."""
    phi = HOMO_MORALIS.to_free(TRUTH)
    found = events(HOMO_MORALIS, choices, phi)
    # Every node, or every game, is answered once by everybody.
    weights = np.where(choices.total > 0, np.exp(found.level), 0.0) * PEOPLE
    information = -np.einsum("ce,cepq->pq", weights, found.curvature)
    jacobian = HOMO_MORALIS.jacobian(phi)
    with np.errstate(invalid="ignore"):
        return np.sqrt(np.diag(jacobian @ np.linalg.pinv(information, rcond=1e-14) @ jacobian.T))


if __name__ == "__main__":
    print("| games | answers seen | α | β | κ | λ | one sample |")
    print("|---|---|---|---|---|---|---|")
    for (name, families), seen in product(SETS.items(), ("strategies", "nodes")):
        choices = asked(families, seen)
        errors = " | ".join(f"{error:.3f}" for error in expected_errors(choices))
        sample = fit(simulate(choices, "moralis", TRUTH, np.random.default_rng(1)))
        warned = [
            f"{warning.kind}: {', '.join(warning.parameters)}"
            for warning in sample.warnings
            if np.isnan(sample.values).any()
        ]
        result = "; ".join(warned) or "all identified"
        print(
            f"| {name} | {'whole strategies' if seen == 'strategies' else 'moves at nodes'} | {errors} | "
            f"{result} |"
        )
