"""Tit for tat in prices: charge what the rival charged last.

Matching a rival's price is the strategy of Salop (in Stiglitz & Mathewson (eds.), *New Developments in the
Analysis of Market Structure*, 1986) without the promise to customers; that it opens with the joint-profit
price is tit for tat's cooperative beginning, and our choice.
"""

from __future__ import annotations

import numpy as np

from ludens.agents.pricing.rules import PriceRulePolicy
from ludens.agents.pricing.view import MarketView
from ludens.envs.pricing.theory.benchmarks import monopoly_prices


class MatchingPolicy(PriceRulePolicy):
    """The joint-profit price at first, then the lowest price of a rival in the last period."""

    name = "matching"

    def price(self, view: MarketView, rng: np.random.Generator) -> float:
        """Return the lowest price that a rival now in the market charged last; without one the joint-profit
        price.
        """
        charged = view.charged
        if len(charged):
            last = np.delete(charged[-1, list(view.active)], view.places)
            if np.isfinite(last).any():
                return float(np.nanmin(last))
        return float(monopoly_prices(view.present)[view.place])
