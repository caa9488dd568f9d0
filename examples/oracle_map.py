"""What homo moralis does in every protocol as the Kantian weight κ grows, others playing at random."""

from __future__ import annotations

from ludens.envs import PROTOCOLS, uniform_strategy
from ludens.preferences import best_strategies, homo_moralis

KAPPAS = (0.0, 0.1, 0.25, 0.5, 0.75, 1.0)

for name, game in PROTOCOLS.items():
    print(f"\n{name}  " + "  ".join(f"{key}={value:g}" for key, value in game.parameters.items()))
    for kappa in KAPPAS:
        best = best_strategies(game, homo_moralis(kappa), uniform_strategy(game))
        plans = " or ".join(", ".join(plan.values()) for plan in best.plans)
        print(f"  κ={kappa:<5g} {plans}  (utility {best.utility:.1f}, ahead by {best.margin:.1f})")
