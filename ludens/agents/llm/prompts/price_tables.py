"""A market's turn as a table: prices of a grid, and the profit of each alone and if everybody took it.

The rivals are taken to keep their last prices, and to charge Nash prices where they have none yet. A firm
with several products takes one price for all of them.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ludens.agents.llm.prompts.games import render_table
from ludens.agents.llm.prompts.surfaces import shows_others
from ludens.agents.llm.prompts.tables import GRID, Table, market_table
from ludens.agents.llm.prompts.templates import Prompt
from ludens.agents.pricing.view import market_views, usual_prices
from ludens.envs import Turn
from ludens.envs.pricing.theory.benchmarks import nash_prices
from ludens.preferences.pricing.consequences import price_consequences


def price_table(turn: Turn, *, others: bool = False) -> Table:
    """Return the table of a firm's turn, with the mean profit of its rivals if `others`.

    Raises:
        UsageError: the turn is not one of a market.
    """
    view, *more = market_views(turn)
    places = [view.place, *(other.place for other in more)]
    last = view.charged[-1] if len(view.charged) else np.full(view.market.products, np.nan)
    last = np.array([view.announced.get(product, last[product]) for product in view.active])
    last = np.where(np.isfinite(last), last, nash_prices(view.present))
    found = price_consequences(view.present, places, last, price_grid(turn), others=others)
    table = market_table(found, view.cost, np.delete(last, places).tolist())
    if more:
        costs = " and ".join(f"{other.cost:.4g}" for other in more)
        several = (
            f"You sell {len(places)} products, the others at costs of {costs}, and take one price for all."
        )
        return replace(table, intro=f"{several} This is period {view.period + 1}.")
    return replace(table, intro=f"This is period {view.period + 1}.")


def price_grid(turn: Turn) -> dict[str, float]:
    """Return the prices in the table of a market, by name: those on offer, or `GRID` on the usual grid.

    Where more than `GRID` are on offer, it is as many of them, at equal distances.
    """
    if turn.options:
        offers = [float(option.name) for option in turn.options]
        if len(offers) > GRID:
            places = np.unique(np.linspace(0, len(offers) - 1, GRID).round().astype(int))
            offers = [offers[place] for place in places]
    else:
        low, high = usual_prices(turn)
        floor, ceiling = turn.interval or (0.0, np.inf)
        offers = np.clip(np.linspace(low, high, GRID), floor, ceiling).tolist()
    return {f"{price:.4g}": price for price in offers}


def render_price_table(
    turn: Turn, framing: str = "table", *, persona: str | None = None, reasoning: bool = True
) -> tuple[Prompt, tuple[float, ...]]:
    """Word a turn of a market as a table whose rows are prices.

    Args:
        turn: what the firm may know.
        framing: ``table``, ``payoffs`` or one of their surfaces.
        persona: a name from `personas`, or a text, put into the system message.
        reasoning: ask for thoughts before the answer.

    Returns:
        The prompt, and the price of each label, in money.

    Raises:
        UsageError: as `price_table`.
    """
    table = price_table(turn, others=shows_others(framing))
    prompt = render_table(
        table, framing, persona=persona, asking={"reasoning": reasoning, "format": "letter"}
    )
    return prompt, tuple(price_grid(turn).values())
