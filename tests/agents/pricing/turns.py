"""Turns of a pricing market by hand: a history of prices, and what a firm is told beside it."""

from __future__ import annotations

import math
from typing import ClassVar

import numpy as np

from ludens.envs import Option, Turn
from ludens.envs.pricing import Market

BASELINE = Market.symmetric(quantity_scale=100.0)


class Rules:
    """The least that a turn's game says."""

    name = "bertrand"
    roles = ("firm", "firm")
    parameters: ClassVar[dict[str, float]] = {}
    protocol = None


def pricing_turn(history=(), *, agent="firm_0", market=BASELINE, grid=(), interval=(0.0, math.inf), **facts):
    """The turn of one firm after these prices, shape (periods, products), all on sale all the time."""
    prices = np.array(history, dtype=np.float64).reshape(-1, market.products)
    firm = int(agent.rpartition("_")[2])
    quantities, profits = (
        (market.quantities(prices)[:, firm], market.profits(prices)[:, firm]) if len(prices) else ((), ())
    )
    return Turn(
        environment="ludens/bertrand-v0",
        agent=agent,
        role="firm",
        node="price",
        options=tuple(Option(place, f"{price:.6g}") for place, price in enumerate(grid)),
        observation={},
        game=Rules(),
        round=len(prices),
        rounds=300,
        interval=None if len(grid) else interval,
        facts={
            "market": market,
            "period": len(prices),
            "periods": 300,
            "prices": prices,
            "own_quantities": quantities,
            "own_profits": profits,
            "discount": 0.95,
            "price_limit": 3.85,
            "messages": None,
            "notices": (),
        }
        | facts,
    )
