"""Panels made from prices, for the tests of what is measured on them."""

from __future__ import annotations

import numpy as np

from ludens.experiments.pricing.panels import Panel


def panel_from(prices, status=None, scale=None, notes=()):
    """A panel in which profit is price − 1, Nash is 1.5 (profit .5) and the joint price 2 (profit 1);
    consumers gain 1 of an efficient surplus of 5.
    """
    prices = np.asarray(prices, dtype=float)
    runs, _, firms = prices.shape
    scale = np.ones(runs) if scale is None else np.asarray(scale, dtype=float)
    flat = np.ones(prices.shape) * scale[:, None, None]
    efficient = np.where(np.isfinite(prices).any(axis=2), 5.0, np.nan) * scale[:, None]
    return Panel(
        prices=prices,
        quantities=np.where(np.isfinite(prices), 1.0, np.nan),
        profits=prices - flat,
        firms=(tuple(f"firm {number}" for number in range(firms)),) * runs,
        status=tuple(status or ["done"] * runs),
        scale=scale,
        ceiling=np.full(runs, np.nan),
        nash_prices=1.5 * flat,
        joint_prices=2 * flat,
        nash_profits=0.5 * flat,
        joint_profits=flat,
        fines=np.where(np.isfinite(prices), 0.0, np.nan),
        consumer_surplus=efficient / 5,
        efficient_surplus=efficient,
        labels=tuple({"run": number} for number in range(runs)),
        detail=("",) * runs,
        notes=tuple(notes),
    )
