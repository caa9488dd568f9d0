"""Policies that know the market and follow a rule: benchmarks for learners and language models, and rivals.

Each names a price in money. Where the environment offers a grid of prices, the nearest one is taken. None
keeps a memory: the past is read from the turn.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from typing import Any, ClassVar, get_args

import numpy as np
from numpy.typing import NDArray

from ludens.agents.policy import Decision, Policy
from ludens.agents.pricing.view import MarketView, market_views
from ludens.envs import Turn
from ludens.envs.pricing.theory.benchmarks import monopoly_prices, nash_prices
from ludens.envs.pricing.theory.market import Market
from ludens.envs.pricing.theory.stackelberg import stackelberg_prices
from ludens.errors import UsageError
from ludens.preferences.pricing.consequences import price_profits
from ludens.preferences.pricing.moral import Universalisation, moralis_prices


class PriceRulePolicy(Policy):
    """A rule that names a price from what a firm sees. Two with the same settings are equal.

    Attributes:
        name: of the policy, for tables; it may be rounded.
        head: its name without settings, as `ludens.agents.make_policy` takes it.
    """

    head: ClassVar[str] = ""
    several: ClassVar[bool] = True

    def decide(self, turn: Turn, rng: np.random.Generator) -> Decision:
        """Take the rule's price, or the one on offer that is nearest to it.

        Raises:
            UsageError: the turn does not belong to a pricing market, or the rule has no price in it.
        """
        try:
            return priced(turn, *(self.price(view, rng) for view in market_views(turn)))
        except UsageError as error:
            why = str(error)
            raise UsageError(
                f"The policy {self.name!r} has no price in {turn.environment}: {why[:1].lower()}{why[1:]}"
            ) from error

    def check(self, turn: Turn) -> None:
        """Refuse a market in which the rule has no price, or the firm may not see what the rule needs.

        Raises:
            UsageError: it is such a market.
            EquilibriumError: the price is not worked out where capacities are limited.
        """
        self.decide(turn, np.random.default_rng(0))

    @abstractmethod
    def price(self, view: MarketView, rng: np.random.Generator) -> float:
        """Return the price in money, which need not be on offer."""

    def settings(self) -> dict[str, Any]:
        """Return the rule's numbers and words, by name."""
        return {}

    def describe(self) -> dict[str, Any]:
        """Return JSON values from which an equal policy can be made."""
        return self._described(spec=self.head or self.name, **self.settings())

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self.describe() == other.describe()

    def __hash__(self) -> int:
        return hash((type(self), self.name))


def priced(turn: Turn, price: float, *further: float) -> Decision:
    """Return the decision for a price, and those of further products: the option nearest to it, or the price
    itself within the turn's bounds.
    """
    if not turn.options:
        low, high = turn.interval if turn.interval is not None else (0.0, math.inf)
        first, *others = (float(min(max(each, low), high)) for each in (price, *further))
        return Decision(first, further=tuple(others))
    nearest = min(turn.options, key=lambda option: abs(float(option.name) - price))
    return Decision(nearest.action)


class NashPolicy(PriceRulePolicy):
    """The one-shot Bertrand-Nash price of the market of those firms that are in it."""

    name = "nash"

    def price(self, view: MarketView, rng: np.random.Generator) -> float:
        """Return the Nash price of the firm's product."""
        return float(nash_prices(view.present)[view.place])


class LeaderPolicy(PriceRulePolicy):
    """The price of a Stackelberg leader, a firm that commits to it before the others, which reply with
    Nash prices among themselves; see `ludens.envs.pricing.stackelberg_prices`.
    """

    name = "leader"

    def price(self, view: MarketView, rng: np.random.Generator) -> float:
        """Return the price to commit to."""
        if not isinstance(view.present, Market):
            raise UsageError("nobody can lead where firms sell one good, which the cheapest one sells.")
        firm = int(view.present.owners[view.place])
        return float(stackelberg_prices(view.present, firm)[view.place])


class MonopolyPolicy(PriceRulePolicy):
    """The price that maximises the profit of all firms together, whatever the others do."""

    name = "monopoly"

    def price(self, view: MarketView, rng: np.random.Generator) -> float:
        """Return the joint-profit price of the firm's product."""
        return float(monopoly_prices(view.present)[view.place])


class MyopicPolicy(PriceRulePolicy):
    """The best reply to the prices of the last period, and to those of a leader in this one; the Nash price
    where neither is known.

    Homo moralis against the last prices maximises (1 − κ)·π(p, last prices) + κ·π̄(p, …, p), where π̄ is the
    mean profit of a firm if everybody took the price. It opens with the price of `HomoMoralisPricePolicy`,
    which is where it stays against itself in a symmetric market.

    Args:
        kappa: κ in [0, 1]; 0 is the best reply for own profit alone.

    Raises:
        UsageError: κ lies outside [0, 1].
    """

    head = "myopic"

    def __init__(self, kappa: float = 0.0) -> None:
        if isinstance(kappa, bool | str) or not 0 <= kappa <= 1:
            raise UsageError(f"The weight κ of a myopic firm lies in [0, 1]; got {kappa!r}.")
        self.kappa = float(kappa)
        self.name = f"myopic:{kappa:g}" if kappa else "myopic"

    def settings(self) -> dict[str, Any]:
        """Return κ, where it is not 0."""
        return {"kappa": self.kappa} if self.kappa else {}

    def price(self, view: MarketView, rng: np.random.Generator) -> float:
        """Return the price that would have been best against the rivals' last prices."""
        charged = view.charged
        if not len(charged) and not view.announced:
            return float(moralis_prices(view.present, self.kappa)[view.place])
        last = charged[-1] if len(charged) else np.full(view.market.products, np.nan)
        last = np.array([view.announced.get(product, last[product]) for product in view.active])
        # A firm that has just come has no price yet.
        last = np.where(np.isfinite(last), last, nash_prices(view.present))
        if self.kappa:
            return _moral_reply(view, last, self.kappa)
        firm = int(view.present.owners[view.place])
        return float(view.present.best_response(firm, last)[view.place])

    def check(self, turn: Turn) -> None:
        """Refuse a market without best replies too.

        Raises:
            UsageError: it is such a market, or a firm with several products and a κ above 0.
        """
        super().check(turn)
        view = market_views(turn)[0]
        view.present.best_response(int(view.present.owners[view.place]), nash_prices(view.present))


_POINTS, _PASSES = 400, 3
"""Prices that are compared in each pass of the search for a moral reply, and passes, each around the best."""


def _moral_reply(view: MarketView, last: NDArray[np.float64], kappa: float) -> float:
    """Return the price that is best for homo moralis against the last prices, by a search on finer and finer
    grids between the unit cost and twice the margin of joint-profit prices.
    """
    if len(view.owned) > 1:
        raise UsageError("everybody's price is that of one product, and this firm sells several.")
    cost = view.cost
    low, high = cost, cost + 2 * (float(monopoly_prices(view.present)[view.place]) - cost)
    best = low
    for _ in range(_PASSES):
        grid = np.linspace(low, high, _POINTS)
        own, together = price_profits(view.present, view.place, last, grid)
        best = float(grid[np.argmax((1 - kappa) * own + kappa * together)])
        step = grid[1] - grid[0]
        low, high = max(cost, best - step), best + step
    return best


class GrimPricePolicy(PriceRulePolicy):
    """The joint-profit price until a rival has undercut it once, then the Nash price for ever.

    The trigger strategy of Friedman (Review of Economic Studies 38(1), 1971). A rival undercuts with a price
    below its own joint-profit price by more than 0.1 % of the distance from there to the Nash price, on a
    grid by more than the grid's rounding. Where firms come, go, or demand changes, it holds the past against
    the joint-profit prices of today, and forgives those that left.
    """

    name = "grim"

    def decide(self, turn: Turn, rng: np.random.Generator) -> Decision:
        """Charge the joint-profit price, or the Nash price once it was undercut."""
        views = market_views(turn)
        view = views[0]
        charged = view.charged
        monopoly, nash = monopoly_prices(view.present), nash_prices(view.present)
        agreed = np.array([_offered(turn, float(price)) for price in monopoly])
        slack = 1e-3 * np.abs(monopoly - nash)
        undercut = charged[:, list(view.active)] < agreed - slack  # False where a price is not there
        betrayed = bool(np.delete(undercut, view.places, axis=1).any())
        return priced(turn, *(float((nash if betrayed else monopoly)[each.place]) for each in views))

    def price(self, view: MarketView, rng: np.random.Generator) -> float:
        """Return the joint-profit price, at which it opens."""
        return float(monopoly_prices(view.present)[view.place])


class HomoMoralisPricePolicy(PriceRulePolicy):
    """The price of the symmetric equilibrium of firms with weight κ on the universalised profit.

    Each maximises (1 - κ) π(p, rivals) + κ π(p, everyone at p). Whom the maxim is universalised over is a
    choice: over firms alone, κ raises prices to the joint-profit price; see
    `ludens.preferences.pricing.moral`. κ = 0 is homo economicus, and its price the Nash price.

    Args:
        kappa: κ in [0, 1].
        universalisation: ``"firms"`` or ``"firms_and_consumers"``.

    Raises:
        UsageError: κ lies outside [0, 1], or there is no such universalisation.
    """

    head = "homo_moralis"

    def __init__(self, kappa: float, universalisation: Universalisation = "firms") -> None:
        if isinstance(kappa, bool | str) or not 0 <= kappa <= 1:
            raise UsageError(f"The weight κ of homo moralis lies in [0, 1]; got {kappa!r}.")
        if universalisation not in get_args(Universalisation):
            known = ", ".join(get_args(Universalisation))
            raise UsageError(
                f"Homo moralis in a market universalises over one of {known}; got {universalisation!r}."
            )
        self.kappa = float(kappa)
        self.universalisation: Universalisation = universalisation
        whom = "" if universalisation == "firms" else f",universalisation={universalisation}"
        self.name = f"homo_moralis:{kappa:g}{whom}" if kappa or whom else "homo_economicus"

    def settings(self) -> dict[str, Any]:
        """Return κ and the universalisation."""
        return {"kappa": self.kappa, "universalisation": self.universalisation}

    def price(self, view: MarketView, rng: np.random.Generator) -> float:
        """Return the equilibrium price of the firm's product."""
        return float(moralis_prices(view.present, self.kappa, self.universalisation)[view.place])


class FixedPricePolicy(PriceRulePolicy):
    """One price for ever.

    Args:
        price: in the market's money before it is scaled (a price of 1.7 is 17 where the price scale is 10),
            at least 0.

    Raises:
        UsageError: the price is no such number.
    """

    head = "fixed"

    def __init__(self, price: float) -> None:
        if isinstance(price, bool | str) or not 0 <= price < math.inf:
            raise UsageError(f"A fixed price is a number of at least 0; got {price!r}.")
        self.fixed = float(price)
        self.name = f"fixed:{price:g}"

    def settings(self) -> dict[str, Any]:
        """Return the price."""
        return {"price": self.fixed}

    def price(self, view: MarketView, rng: np.random.Generator) -> float:
        """Return the price in the market's money."""
        return self.fixed * float(view.market.price_scale)


def _offered(turn: Turn, price: float) -> float:
    """Return the price on offer that is nearest to this one."""
    if not turn.options:
        return price
    return min((float(option.name) for option in turn.options), key=lambda offer: abs(offer - price))
