"""Attributes of an outcome that follow from its payoffs alone, by the names that models give them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ludens.errors import UsageError

Floats = NDArray[np.float64]

PAYOFF_ATTRIBUTES = ("own", "other", "minus behind", "minus ahead", "s·(other−own)", "r·(other−own)")
"""The attributes that follow from payoffs alone."""


def payoff_attribute(name: str, own: Floats, others: Floats) -> Floats | None:
    """Return an attribute of each outcome, (n,); None if it does not follow from payoffs.

    Args:
        name: ``own``, ``other``, ``minus behind``, ``minus ahead``, or ``s·(other−own)`` and
            ``r·(other−own)``, in which s and r are 1 for who is behind and ahead.
        own: payoffs (n,).
        others: payoffs of the other people, (n, k).

    Raises:
        UsageError: the attribute compares with one other person, and there are several.
    """
    gap = others - own[:, None]
    if name == "own":
        return own
    if name == "minus behind":
        return np.asarray(-np.maximum(gap, 0).mean(axis=1))
    if name == "minus ahead":
        return np.asarray(-np.maximum(-gap, 0).mean(axis=1))
    if name == "other":
        return the_other(name, others)
    if name in {"s·(other−own)", "r·(other−own)"}:
        other = the_other(name, others)
        return np.where(own < other if name[0] == "s" else own > other, other - own, 0.0)
    return None


def the_other(name: str, others: Floats) -> Floats:
    """Return the payoffs of the one other person, (n,).

    Raises:
        UsageError: there are several.
    """
    if others.shape[1] != 1:
        raise UsageError(
            f"{name!r} is defined for one other person and there are {others.shape[1]} of them; "
            "choose the model fehr_schmidt, which averages over the others."
        )
    return np.asarray(others[:, 0])
