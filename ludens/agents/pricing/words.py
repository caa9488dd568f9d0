"""What a person who sets prices is shown: the market, and the last periods."""

from __future__ import annotations

import numpy as np

from ludens.agents.pricing.view import market_view
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
    lines += [f"A unit costs firm {product} {cost:g}." for product, cost in view.rival_costs]
    for period in range(max(0, len(view.prices) - PERIODS), len(view.prices)):
        seen = ""
        if view.sold is not None:
            sold = [view.sold[period, product] for product in view.rivals]
            seen += "; others sold " + ", ".join(f"{number:.5g}" for number in sold)
        if view.earned is not None:
            owners = [view.market.owners[product] for product in view.rivals]
            seen += "; others' profit " + ", ".join(f"{view.earned[period, owner]:.5g}" for owner in owners)
        others = ""
        if view.information is None or view.information.prices:
            prices = [view.prices[period, product] for product in view.rivals]
            others = ", others' " + ", ".join("–" if np.isnan(price) else f"{price:.6g}" for price in prices)
        fine = 0.0 if view.fines is None else view.fines[period]
        lines.append(
            f"Period {period + 1}: your price {view.prices[period, view.product]:.6g}{others}; sold "
            f"{view.quantities[period]:.5g}, profit {view.profits[period]:.5g}"
            + (f" after a fine of {fine:.5g}" if fine > 0 else "")
            + f"{seen}."
        )
    return "\n".join(lines)
