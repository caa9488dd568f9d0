"""Equilibrium prices of firms of *homo moralis*; whom they universalise over is a choice, made by name.

A player of *homo moralis* (Alger & Weibull, Econometrica 81(6), 2013) gives weight κ to what it would earn if
everybody followed its own rule. A rule here is a price for every product of the market, "what to ask in each
firm's place", and the player may be any of the firms; so asymmetric markets and firms with several products
need no other definition. Where all firms are alike it is the plain one, each maximising (1−κ)·π(p, rivals) +
κ·π(p, everyone at p).

`"firms"`: everybody means all firms. With Π the sum of all firms' profits, product j of firm f satisfies

    (1−κ)·∂π_f/∂p_j + κ·∂Π/∂p_j = 0

so κ is the weight on other firms' profits, and prices rise from Nash at κ = 0 to joint profit at κ = 1.

`"firms_and_consumers"`: behind the veil the player is a consumer with probability w and one of the F firms
otherwise. The universalised payoff is (1−w)·Π/F + w·CS/F, with consumer surplus CS counted per firm. As
∂CS/∂p_j = −q_j,

    (1−κ)·∂π_f/∂p_j + κ·[(1−w)·∂Π/∂p_j − w·q_j] = 0

and with w = 1/2, κ = 1 prices equal costs. Both maxims, the counting per firm and w = 1/2 are choices of this
library; none of them is taken from a published pricing study.
"""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from ludens.envs.pricing.theory.demand import Conduct
from ludens.envs.pricing.theory.groups import Groups
from ludens.envs.pricing.theory.market import AnyMarket, Market
from ludens.errors import UsageError

Universalisation = Literal["firms", "firms_and_consumers"]


Floats = NDArray[np.float64]


def moralis_prices(
    market: AnyMarket, kappa: float, universalisation: Universalisation = "firms", *, consumers: float = 0.5
) -> Floats:
    """Return the prices (J,) when every firm has weight κ on its universalised payoff.

    Args:
        market: the market.
        kappa: κ in [0, 1]; 0 is Nash.
        universalisation: over all firms, or over a veil behind which one may also be a consumer.
        consumers: w, the weight of consumers under "firms_and_consumers".

    Raises:
        UsageError: a weight outside its range, a surplus that does not exist, or a homogeneous good with κ
            strictly between 0 and 1.
        EquilibriumError: the solver did not find such prices.
    """
    conduct = moral_conduct(market.groups, kappa, universalisation, consumers)
    if universalisation == "firms_and_consumers" and isinstance(market, Market):
        prices = market.equilibrium(conduct)
        market.consumer_surplus(prices)
        return prices
    return market.equilibrium(conduct)


def moral_conduct(
    owners: Groups, kappa: float, universalisation: Universalisation, consumers: float
) -> Conduct:
    """Return the conduct of firms with weight κ on the named maxim.

    Args:
        owners: the products of each firm.
        kappa: κ in [0, 1].
        universalisation: over whom.
        consumers: w in [0, 1]; matters for "firms_and_consumers" only.

    Raises:
        UsageError: a weight lies outside its range, or κ·w exceeds 1/2: then a firm would gain by paying
            consumers ever more to buy, and no price is best.
    """
    if universalisation not in get_args(Universalisation):
        raise UsageError(f"universalisation is 'firms' or 'firms_and_consumers'; got {universalisation!r}.")
    if not 0 <= kappa <= 1 or not 0 <= consumers <= 1:
        raise UsageError(f"kappa and consumers lie between 0 and 1; got {kappa} and {consumers}.")
    if universalisation == "firms":
        return Conduct(owners, 1.0, float(kappa))
    burden = kappa * consumers
    if burden > 0.5:
        raise UsageError(
            f"kappa·consumers must not exceed 1/2, or no price is low enough for a firm; got {burden:.6g}."
        )
    # Divided by the weight on own profit's margins, as `Conduct` wants it.
    return Conduct(owners, (1 - 2 * burden) / (1 - burden), (kappa - burden) / (1 - burden))
