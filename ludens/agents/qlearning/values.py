"""Exact discounted values of limit strategies.

Play is deterministic: from each state it follows a path through a finite set of states. Its value is computed
by doubling: the value of 2h periods is that of the first h, plus δ^h times that of h periods from the state
then reached. After about twenty doublings the remainder is below rounding.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from ludens.agents.qlearning.sessions import Sessions

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def path_values(earned: Floats, following: Ints, discount: float | Floats) -> Floats:
    """Return the discounted sums Σ δ^t·earned along the path from every state, shape (states, …).

    Args:
        earned: profit in each state, (states, …).
        following: the state that follows each state, (states,).
        discount: δ in [0, 1); with a last axis of `earned` over firms, one number or one for each.
    """
    value, step, weight = np.array(earned, dtype=np.float64), np.asarray(following), np.asarray(discount)
    while weight.max() > 0:
        value = value + weight * value[step]
        step = step[step]
        weight = weight * weight
        if weight.max() < math.ulp(1.0) ** 2:
            break
    return value


def action_values(sessions: Sessions, session: int, firm: int, values: Floats | None = None) -> Floats:
    """Return the value of each price to a firm in each state while its rivals keep to their strategies.

    This is the "true" Q of the limit strategies.

    Args:
        sessions: trained sessions.
        session: number of the session.
        firm: number of the firm.
        values: the firm's value of each state from the next period on, (states,); by default that of its own
            strategy, so that Q(s, a) is the value of deviating in one period only.

    Returns:
        Values, shape (states, points).
    """
    tables = sessions.tables
    joint = sessions.joint_actions(session)
    discount = float(tables.discounts[firm])
    everywhere = np.arange(tables.states)
    if values is None:
        earned = tables.earned(everywhere, joint, firm)
        values = path_values(earned, sessions.next_states(session), discount)
    met = tables.choices(everywhere, joint, firm)
    following = tables.next_state(everywhere[:, None], met)
    worth: Floats = tables.earned(everywhere[:, None], met, firm) + discount * values[following]
    return worth


def best_reply_values(sessions: Sessions, session: int, firm: int) -> Floats:
    """Return the value of each state to a firm that plays its full best reply to its rivals, (states,).

    Policy iteration from the firm's own strategy finds the best reply, with exact values in each round.
    """
    tables = sessions.tables
    discount = float(tables.discounts[firm])
    everywhere = np.arange(tables.states)
    own = sessions.strategies[session, firm].astype(np.int64)
    joint = sessions.joint_actions(session)
    step = tables.points ** (tables.firms - 1 - firm)
    rivals = joint - own * step
    while True:
        met = rivals + own * step
        following = tables.next_state(everywhere, met)
        values = path_values(tables.earned(everywhere, met, firm), following, discount)
        worth = action_values(sessions, session, firm, values)
        better = worth.argmax(axis=1)
        # A gain within rounding does not count, or two equally good strategies could alternate for ever.
        gains = worth[everywhere, better] - worth[everywhere, own]
        improves = gains > 1e-12 * np.abs(worth[everywhere, better])
        if not improves.any():
            return values
        own = np.where(improves, better, own)
