"""What a person who sets prices is shown: the market, and the last periods."""

from __future__ import annotations

import numpy as np

from ludens.agents.pricing.oversight import INSTEAD
from ludens.agents.pricing.view import MarketView, market_view
from ludens.envs import Turn

PERIODS = 10
"""How many of the last periods are shown."""


def market_words(turn: Turn) -> str:
    """Return a turn of a pricing market in words.

    Raises:
        UsageError: the turn does not belong to a pricing market, or the firm sells several products.
    """
    view = market_view(turn)
    lines = [
        f"You set the price of firm {view.firm}. Each unit costs you {view.cost:g}, and "
        f"{len(view.rivals)} other {'product is' if len(view.rivals) == 1 else 'products are'} on the market."
    ]
    if view.opening is not None:
        opening = ", ".join(f"{price:.6g}" for price in view.opening)
        lines.append(f"Firms set prices in turns; a price stands for {view.market.firms} periods.")
        lines += [] if len(view.prices) else [f"Before the first period they were {opening}."]
    if view.leader is not None:
        lines.append(f"Firm {view.leader} sets its price first in each period.")
        lines += [f"It charges {price:.6g} now." for price in view.announced.values()]
    if view.vendor is not None:
        lines.append("You set the prices of all firms, for each by itself.")
    if view.limit is not None:
        lines.append(f"Nothing can be sold above {view.limit:g}.")
    lines += [*view.notices, *(f"Message of {sender}: {text}" for sender, text in view.messages or ())]
    if view.capacities:
        others = ", ".join(f"{view.capacities[product]:g}" for product in view.rivals)
        lines.append(f"You can sell at most {view.capacities[view.product]:g} units, others {others}.")
    owners = [int(owner) for owner in view.market.owners]
    for product, cost in view.rival_costs:
        which = f" of product {product}" if owners.count(owners[product]) > 1 else ""
        lines.append(f"A unit{which} costs firm {owners[product]} {cost:g}.")
    lines += _oversight(view)
    for period in range(max(0, len(view.prices) - PERIODS), len(view.prices)):
        seen = ""
        if view.sold is not None:
            sold = [view.sold[period, product] for product in view.rivals]
            seen += "; others sold " + ", ".join(map(_number, sold))
        if view.earned is not None:
            firms = dict.fromkeys(owners[product] for product in view.rivals)
            seen += "; others' profit " + ", ".join(_number(view.earned[period, firm]) for firm in firms)
        others = ""
        if view.information is None or view.information.prices:
            prices = [view.prices[period, product] for product in view.rivals]
            others = ", others' " + ", ".join(_number(price, 6) for price in prices)
        fine = 0.0 if view.fines is None else view.fines[period]
        lines.append(
            f"Period {period + 1}: your price {_number(view.prices[period, view.product], 6)}{others}; sold "
            f"{_number(view.quantities[period])}, profit {_number(view.profits[period])}"
            + (f" after a fine of {fine:.5g}" if fine > 0 else "")
            + f"{seen}."
        )
    return "\n".join(lines)


def _oversight(view: MarketView) -> list[str]:
    """Return what may become of the price, and what became of the last ones."""
    known = view.oversight
    if known is None:
        return []
    instead = INSTEAD[known.replacement].replace("the firm", "your firm")
    what = {
        "logging": "is recorded",
        "revision": "may be sent back to you once",
        "veto": f"may be replaced by another one, {instead}",
    }[known.rule]
    lines = [f"Your price is read by an overseer: it {what}."]
    if known.replaced is not None:
        last, why = known.replaced, known.replaced.reason
        lines.append(
            f"In period {view.period} you named {last.named:.6g}, and {last.charged:.6g} was charged."
        )
        lines += [f"The reason given: {why}"] if why else []
    if known.sent_back is not None:
        back, why = known.sent_back, known.sent_back.reason
        lines.append(f"Your price of {back.price:.6g} for this period was sent back; set it once more.")
        lines += [f"The reason given: {why}"] if why else []
    return lines


def _number(value: float, digits: int = 5) -> str:
    return f"{value:.{digits}g}" if np.isfinite(value) else "–"
