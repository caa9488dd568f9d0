"""Firms that know the market: benchmarks for learners and language models, and rivals for them.

Each names a price in money. Where the environment offers a grid of prices, the one nearest to it is taken.
None keeps a memory: what happened stands in the turn.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from typing import Any, get_args

import numpy as np

from ludens.agents.policy import Decision, Policy
from ludens.agents.pricing.view import MarketView, market_view
from ludens.envs import Turn
from ludens.envs.pricing.theory.benchmarks import monopoly_prices, nash_prices
from ludens.errors import UsageError
from ludens.preferences.pricing.moral import Universalise, moralis_prices


class PriceRulePolicy(Policy):
    """A rule that names a price for what a firm sees. Two with the same settings are equal."""

    def decide(self, turn: Turn, rng: np.random.Generator) -> Decision:
        """Take the rule's price, or the one on offer that is nearest to it.

        Raises:
            UsageError: the turn is none of a pricing market, or the firm sells more than one product.
        """
        return priced(turn, self.price(market_view(turn), rng))

    @abstractmethod
    def price(self, view: MarketView, rng: np.random.Generator) -> float:
        """The price in money, which need not be on offer."""

    def settings(self) -> dict[str, Any]:
        """The rule's numbers and words, by name."""
        return {}

    def describe(self) -> dict[str, Any]:
        """JSON values from which an equal firm can be made."""
        return {"spec": self.name} | self.settings()

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self.describe() == other.describe()

    def __hash__(self) -> int:
        return hash((type(self), self.name))


def priced(turn: Turn, price: float) -> Decision:
    """The decision for a price: the option nearest to it, or the price itself within the turn's bounds."""
    if not turn.options:
        low, high = turn.interval if turn.interval is not None else (0.0, math.inf)
        return Decision(float(min(max(price, low), high)))
    nearest = min(turn.options, key=lambda option: abs(float(option.name) - price))
    return Decision(nearest.action)


class NashPolicy(PriceRulePolicy):
    """The one-shot Bertrand-Nash price of the market of those firms that are in it."""

    name = "nash"

    def price(self, view: MarketView, rng: np.random.Generator) -> float:
        """The Nash price of the firm's product."""
        return float(nash_prices(view.present)[view.place])


class MonopolyPolicy(PriceRulePolicy):
    """The price that maximises the profit of all firms together, whatever the others do."""

    name = "monopoly"

    def price(self, view: MarketView, rng: np.random.Generator) -> float:
        """The joint-profit price of the firm's product."""
        return float(monopoly_prices(view.present)[view.place])


class MyopicPolicy(PriceRulePolicy):
    """The best reply to the prices of the last period; the Nash price where there is no period before."""

    name = "myopic"

    def price(self, view: MarketView, rng: np.random.Generator) -> float:
        """The price that would have earned the most against the rivals' last prices."""
        if not len(view.prices):
            return float(nash_prices(view.present)[view.place])
        last = view.prices[-1, list(view.active)]
        # A firm that has just come has no price yet.
        last = np.where(np.isfinite(last), last, nash_prices(view.present))
        firm = int(view.present.owners[view.place])
        return float(view.present.best_response(firm, last)[view.place])


class GrimPricePolicy(PriceRulePolicy):
    """The joint-profit price until a rival has undercut it once, then the Nash price for ever.

    The trigger strategy of Friedman (Review of Economic Studies 38(1), 1971). A rival undercuts with a price
    below its own joint-profit price by more than 0.1 % of the distance from there to the Nash price, on a
    grid by more than the grid's rounding. Where firms come, go, or demand changes, it holds the past against
    the joint-profit prices of today, and forgives those that left.
    """

    name = "grim"

    def decide(self, turn: Turn, rng: np.random.Generator) -> Decision:
        """Hold the joint-profit price, or the Nash price once it was undercut."""
        view = market_view(turn)
        monopoly, nash = monopoly_prices(view.present), nash_prices(view.present)
        agreed = np.array([_offered(turn, float(price)) for price in monopoly])
        slack = 1e-3 * np.abs(monopoly - nash)
        undercut = view.prices[:, list(view.active)] < agreed - slack  # False where a price is not there
        betrayed = bool(np.delete(undercut, view.place, axis=1).any())
        return priced(turn, float((nash if betrayed else monopoly)[view.place]))

    def price(self, view: MarketView, rng: np.random.Generator) -> float:
        """The joint-profit price, at which it opens."""
        return float(monopoly_prices(view.present)[view.place])


class HomoMoralisPricePolicy(PriceRulePolicy):
    """The price of the symmetric equilibrium of firms with weight κ on the universalised profit.

    Each maximises (1 - κ) π(p, rivals) + κ π(p, everyone at p). Whom the maxim is universalised over is a
    choice: over firms alone, κ raises prices to the joint-profit price; see
        `ludens.preferences.pricing.moral`.

    Args:
        kappa: in [0, 1].
        universalise: ``"firms"`` or ``"firms_and_consumers"``.
    """

    def __init__(self, kappa: float, universalise: Universalise = "firms") -> None:
        if isinstance(kappa, bool | str) or not 0 <= kappa <= 1:
            raise UsageError(f"The weight κ of a moralis firm lies in [0, 1]; got {kappa!r}.")
        if universalise not in get_args(Universalise):
            raise UsageError(
                f"A moralis firm universalises over one of {', '.join(get_args(Universalise))}; got "
                f"{universalise!r}."
            )
        self.kappa = float(kappa)
        self.universalise: Universalise = universalise
        self.name = f"moralis:{kappa:g}" + (
            "" if universalise == "firms" else f",universalise={universalise}"
        )

    def price(self, view: MarketView, rng: np.random.Generator) -> float:
        """The equilibrium price of the firm's product."""
        return float(moralis_prices(view.present, self.kappa, self.universalise)[view.place])


class FixedPricePolicy(PriceRulePolicy):
    """One price for ever.

    Args:
        price: in the market's money before it is scaled (a price of 1.7 is 17 where the price scale is 10),
            at least 0.
    """

    def __init__(self, price: float) -> None:
        if isinstance(price, bool | str) or not 0 <= price < math.inf:
            raise UsageError(f"The price of a fixed firm is a number of at least 0; got {price!r}.")
        self.fixed = float(price)
        self.name = f"fixed:{price:g}"

    def price(self, view: MarketView, rng: np.random.Generator) -> float:
        """The price in the market's money."""
        return self.fixed * float(view.market.price_scale)


class RandomFirm(PriceRulePolicy):
    """A price drawn anew each period: one of those on offer, or any between the ends of the usual grid (from
    a tenth below the Nash price to a tenth above the joint-profit price, in terms of their distance).
    """

    name = "random"

    def decide(self, turn: Turn, rng: np.random.Generator) -> Decision:
        """Draw a price, uniformly."""
        if turn.options:
            return Decision(turn.options[int(rng.integers(len(turn.options)))].action)
        return super().decide(turn, rng)

    def price(self, view: MarketView, rng: np.random.Generator) -> float:
        """Draw a price between the grid's ends."""
        nash, monopoly = nash_prices(view.present)[view.place], monopoly_prices(view.present)[view.place]
        margin = 0.1 * (monopoly - nash)
        return float(rng.uniform(nash - margin, monopoly + margin))


def _offered(turn: Turn, price: float) -> float:
    """The price on offer that is nearest to this one."""
    if not turn.options:
        return price
    return min((float(option.name) for option in turn.options), key=lambda offer: abs(offer - price))
