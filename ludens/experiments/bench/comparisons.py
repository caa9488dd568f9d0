"""How far a policy's choices are from those of homo economicus and homo moralis.

*Agreement* with an oracle is the probability put on the oracle's optimal options, over the questions at
which it is not indifferent. *Regret* is the utility, in points, that the policy's whole strategy in a
protocol loses against it: the strategy is put together from the answers at all its nodes, and where one is
missing the protocol is left out and counted. The oracle is that of Alger & Weibull's (2013) homo moralis
with weight κ, homo economicus at κ = 0. In a stage of a round it expects everybody to play later stages as
it does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np

from ludens.envs import AnyGame, Strategy, find_game, uniform_strategy
from ludens.experiments.measures.intervals import Estimate, cluster_mean
from ludens.experiments.measures.shares import Plans, Share, Shares, strategies

KAPPAS = (0.0, 0.25, 0.5, 0.75, 1.0)
"""Weights on the Kantian motive at which policies are compared with the oracle; our own choice of grid."""

Beliefs = Literal["uniform", "own"]


@dataclass(frozen=True)
class Comparison:
    """A policy against the oracle of homo moralis with weight κ (homo economicus at 0).

    Attributes:
        agreement: probability on the optimal options; n counts questions × framings.
        regret: points lost per protocol; n counts protocols × framings.
        indifferent: questions × framings left out of agreement because there the oracle would take any
            option.
        incomplete: protocols × framings left out of regret because the policy's strategy is not known whole.
    """

    kappa: float
    beliefs: Beliefs
    agreement: Estimate
    regret: Estimate
    indifferent: int
    incomplete: int


def compare(
    shares: Shares, beliefs: Sequence[Share], kappa: float, kind: Beliefs, rng: np.random.Generator
) -> Comparison:
    """Compare a policy with the oracle of weight `kappa`.

    Args:
        shares: the policy's choices.
        beliefs: what it said that others choose, for ``kind="own"``.
        kappa: the oracle's weight on the Kantian motive.
        kind: the beliefs under which the oracle chooses.
        rng: of the bootstrap.
    """
    from ludens.preferences import homo_moralis, regret
    from ludens.preferences.oracle import foreseen

    believed = strategies(beliefs)
    agreed: list[float] = []
    at: list[tuple[str, str]] = []
    indifferent = 0
    for share in shares.found:
        game = find_game(share.protocol)
        belief = (
            uniform_strategy(game) if kind == "uniform" else believed.get((share.protocol, share.framing))
        )
        if belief is None:
            continue
        best = _optimal(game, kappa, belief.tobytes())[share.node]
        if len(best) == len(share.options):
            indifferent += 1
            continue
        agreed.append(sum(float(share.probabilities[share.options.index(option)]) for option in best))
        at.append(share.question)
    lost: list[float] = []
    protocols: list[str] = []
    whole = strategies(shares.found)
    for (protocol, framing), plan in whole.items():
        belief = _belief(protocol, framing, believed if kind == "own" else None)
        if belief is not None:
            oracle = homo_moralis(kappa)
            lost.append(float(regret(foreseen(find_game(protocol), oracle), oracle, plan, belief)))
            protocols.append(protocol)
    return Comparison(
        kappa,
        kind,
        cluster_mean(agreed, at, rng),
        cluster_mean(lost, protocols, rng),
        indifferent,
        shares.protocols - len(lost),
    )


def _belief(protocol: str, framing: str, own: Plans | None) -> Strategy | None:
    return uniform_strategy(find_game(protocol)) if own is None else own.get((protocol, framing))


@lru_cache(maxsize=4096)
def _optimal(game: AnyGame, kappa: float, belief: bytes) -> Mapping[str, frozenset[str]]:
    from ludens.preferences import homo_moralis, optimal_options
    from ludens.preferences.oracle import foreseen

    oracle = homo_moralis(kappa)
    found = optimal_options(foreseen(game, oracle), oracle, np.frombuffer(belief))
    return {node: frozenset(options) for node, options in found.items()}
