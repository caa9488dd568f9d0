"""What the seat of a firm knows when it must set its price, read from the turn of a pricing environment.

A firm sees every price that was charged, and of quantities and profits only its own, unless the market's
`Information` says otherwise. Nothing is remembered between turns: what a firm did before is part of the
market's history, what it thought of its notes.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ludens.envs import Turn
from ludens.errors import UsageError

if TYPE_CHECKING:
    from ludens.agents.pricing.oversight import Oversight
    from ludens.envs.pricing.interventions import Information, Vendor
    from ludens.envs.pricing.theory.market import AnyMarket

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class MarketView:
    """A turn as the firm in one seat sees it.

    Attributes:
        market: the demand and the costs of all firms, those not in the market now among them.
        firm: the firm's number in it; `product` is the number of its only product, or of that of its
            products, `owned`, whose price is asked for.
        present: the market of the firms that are there now, numbered anew; `place` is the product in it, and
            `active` are the numbers of its products in `market`.
        period: of the price that is asked for, from 0.
        prices: shape (periods, products), in money; NaN where a product was not on sale.
        quantities: of `product`, shape (periods,), in units; NaN where the firm did not sell it.
        profits: the firm's own, shape (periods,), in money, less fines.
        fines: those that the firm paid, shape (periods,), in money; None where nobody fines.
        limit: the price above which the firm learns that nothing can be sold; None if it learns of none.
        notes: what the firm wrote down in the last period, by name.
        messages: what firms said to one another in the last period, as (seat, text); None where they cannot.
        message_limit: the most characters of a message; None for any.
        notices: what happened in the market and is publicly known, one sentence each.
        lowest, highest: the bounds of prices that the environment takes.
        information: what the firm sees of its rivals; None for prices alone, in a market whose rules are
            common knowledge.
        oversight: what the firm knows of the oversight of its price; None where nobody oversees it.
        vendor: the rule by which one vendor's software sets the prices of all firms; None where firms decide
            for themselves.
        client_notes: what the software wrote down for the other firms, by seat, where it pools what they
            know.
        sold: what was sold of all products, shape (periods, products), in units; None where the firm sees
            its own alone.
        earned: what all firms earned less fines, shape (periods, firms), in money; None where it
            sees its own alone.
        owned: the numbers of the firm's products.
        sales: what the firm sold of each of them, shape (periods, products of the firm), as `quantities`.
        opening: the prices of all products before the first period where firms move in turns; else None.
        leader: the number of the firm that sets its prices first in each period; None where none does.
        announced: the leader's prices in this period by the numbers of its products, where it has set them.
    """

    market: AnyMarket
    firm: int
    product: int
    present: AnyMarket
    place: int
    active: tuple[int, ...]
    period: int
    prices: Floats
    quantities: Floats
    profits: Floats
    fines: Floats | None
    limit: float | None
    notes: Mapping[str, str]
    messages: tuple[tuple[str, str], ...] | None
    message_limit: int | None
    notices: tuple[str, ...]
    lowest: float
    highest: float
    information: Information | None = None
    oversight: Oversight | None = None
    vendor: Vendor | None = None
    client_notes: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    sold: Floats | None = None
    earned: Floats | None = None
    owned: tuple[int, ...] = ()
    sales: Floats = field(default_factory=lambda: np.zeros((0, 1)))
    opening: Floats | None = None
    leader: int | None = None
    announced: Mapping[int, float] = field(default_factory=dict)

    @property
    def places(self) -> tuple[int, ...]:
        """The firm's products in `present`."""
        return tuple(self.active.index(product) for product in self.owned)

    @property
    def charged(self) -> Floats:
        """All prices that were charged, as `prices`, for a policy that answers to those of rivals.

        Raises:
            UsageError: the firm does not see them.
        """
        if self.information is not None and not self.information.prices:
            raise UsageError(
                f"firm_{self.firm} does not see its rivals' prices, and this answers to them: take a policy "
                "that does not, or give the firm Information with prices=true."
            )
        return self.prices

    @property
    def rival_costs(self) -> tuple[tuple[int, float], ...]:
        """The numbers and unit costs, in money, of rivals' products on sale, where the firm is told them."""
        if self.information is None or not self.information.costs:
            return ()
        rivals = [product for product in self.rivals if product in self.active]
        return tuple((product, float(self.market.unit_costs[product])) for product in rivals)

    @property
    def capacities(self) -> tuple[float, ...]:
        """The most units that can be sold in a period, by product; empty where nothing is limited."""
        limits = getattr(self.market, "capacities", None)
        return () if limits is None else tuple(limits.tolist())

    @property
    def rationing(self) -> str:
        """What customers do who are not served: ``"leave"`` or ``"reroute"``."""
        return str(getattr(self.market, "rationing", "leave"))

    @property
    def cost(self) -> float:
        """Of one unit of the firm's product, in money."""
        return float(self.market.unit_costs[self.product])

    @property
    def rivals(self) -> tuple[int, ...]:
        """The numbers of the products of others that the firm has met: those on sale now or
        before. A firm that is still to enter is not among them.
        """
        met = [bool(np.isfinite(column).any()) for column in self.prices.T]
        return tuple(
            number
            for number in range(self.market.products)
            if number not in self.owned and (met[number] or number in self.active)
        )

    @property
    def met(self) -> tuple[int, ...]:
        """The products that other firms had at first, of those that the firm has met; some may be its own
        now.
        """
        met = np.asarray(np.isfinite(self.prices).any(axis=0))
        return tuple(
            number
            for number, owner in enumerate(self.market.owners)
            if owner != self.firm and (met[number] or number in self.active)
        )

    @property
    def closest(self) -> tuple[int, ...]:
        """The rivals' products in a nest with the firm's own, to which its customers switch most readily;
        empty without nests.
        """
        nests = self.market.parameters.get("nests")
        if nests is None or not self.market.parameters["nest_parameter"][nests[self.product]]:
            return ()
        return tuple(rival for rival in self.rivals if nests[rival] == nests[self.product])


def market_view(turn: Turn) -> MarketView:
    """Return a turn of a market as the firm in its seat sees it.

    Raises:
        UsageError: the environment is not a pricing market, or the firm sells several products.
    """
    views = market_views(turn)
    if len(views) != 1:
        raise UsageError(
            f"This policy prices one product, and {turn.agent} has {len(views)}: give the market one product "
            "for each firm, or seat a policy that prices several, such as nash."
        )
    return views[0]


def market_views(turn: Turn) -> tuple[MarketView, ...]:
    """Return the views of a firm that asks for the price of each of its products, in their order.

    Raises:
        UsageError: the environment is not a pricing market.
    """
    facts = turn.facts
    market, history = facts.get("market"), facts.get("prices")
    if market is None or history is None:
        raise UsageError(
            f"A firm sets prices in a market, and {turn.environment} is none: seat it in ludens/bertrand-v0."
        )
    firm = int(turn.agent.rpartition("_")[2])
    owned = facts.get("owned")
    if owned is None:
        owned = np.flatnonzero(np.asarray(market.owners) == firm).tolist()
    sales = np.asarray(facts["own_quantities"] if facts.get("own_quantities") is not None else ())
    sales = sales.astype(np.float64).reshape(len(sales), len(owned))
    active = tuple(facts.get("active") or range(market.products))
    low, high = turn.interval if turn.interval is not None else _ends(turn)
    first = MarketView(
        market=market,
        firm=firm,
        product=int(owned[0]),
        present=facts.get("present") or market,
        place=active.index(int(owned[0])),
        active=active,
        period=int(facts["period"]),
        prices=np.asarray(history, dtype=np.float64).reshape(-1, market.products),
        quantities=sales[:, 0],
        profits=_own(facts.get("own_profits")),
        fines=None if facts.get("own_fines") is None else _own(facts["own_fines"]),
        limit=facts.get("price_limit"),
        notes=facts.get("notes") or {},
        messages=_messages(facts.get("messages")),
        message_limit=facts.get("message_limit"),
        notices=tuple(map(str, facts.get("notices") or ())),
        lowest=low,
        highest=high,
        information=facts.get("information"),
        oversight=facts.get("oversight"),
        vendor=facts.get("vendor"),
        client_notes=facts.get("client_notes") or {},
        sold=_table(facts.get("quantities")),
        earned=_table(facts.get("profits")),
        owned=tuple(map(int, owned)),
        sales=sales,
        opening=_table(facts.get("opening")),
        leader=None if facts.get("leader") is None else int(facts["leader"].rpartition("_")[2]),
        announced=facts.get("announced") or {},
    )
    if len(owned) == 1:
        return (first,)
    return tuple(
        replace(first, product=product, place=active.index(product), quantities=sales[:, number])
        for number, product in enumerate(first.owned)
    )


def usual_prices(turn: Turn) -> tuple[float, float]:
    """Return the ends of the usual price grid of the seat's first product: from a tenth below the Nash price
    to a tenth above the joint-profit price, in terms of their distance.

    Raises:
        UsageError: as `market_view`.
    """
    from ludens.envs.pricing.theory.benchmarks import monopoly_prices, nash_prices

    view = market_views(turn)[0]
    nash = float(nash_prices(view.present)[view.place])
    monopoly = float(monopoly_prices(view.present)[view.place])
    margin = 0.1 * (monopoly - nash)
    return nash - margin, monopoly + margin


def _own(values: object) -> Floats:
    array = np.asarray(() if values is None else values, dtype=np.float64)
    return array.reshape(len(array), -1).sum(axis=1) if array.ndim > 1 else array


def _table(values: object) -> Floats | None:
    return None if values is None else np.asarray(values, dtype=np.float64)


def _messages(
    said: Mapping[str, str] | Sequence[tuple[str, str]] | None,
) -> tuple[tuple[str, str], ...] | None:
    if said is None:
        return None
    pairs = said.items() if isinstance(said, Mapping) else said
    return tuple((str(seat), str(text)) for seat, text in pairs if text)


def _ends(turn: Turn) -> tuple[float, float]:
    prices = [float(option.name) for option in turn.options]
    return (min(prices), max(prices)) if prices else (0.0, math.inf)
