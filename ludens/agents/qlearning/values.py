"""What strategies are worth: exact discounted values of deterministic play.

Play from a state is a path through a finite map of states, so its value is had by doubling: the value of 2h
periods is that of h, and δ^h times that of h more from where these end. Some twenty doublings make the rest
smaller than rounding.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from ludens.agents.qlearning.sessions import Sessions

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def path_values(earned: Floats, following: Ints, discount: float) -> Floats:
    """Discounted sums Σ δ^t·earned along the path from every state, shape (states, …).

    Args:
        earned: by state, (states, …).
        following: the next state of each, (states,).
        discount: δ in [0, 1).
    """
    value, step, weight = np.array(earned, dtype=np.float64), np.asarray(following), discount
    while weight > 0:
        value = value + weight * value[step]
        step = step[step]
        weight *= weight
        if weight < math.ulp(1.0) ** 2:
            break
    return value


def action_values(sessions: Sessions, session: int, firm: int, values: Floats | None = None) -> Floats:
    """What each price is worth to a firm in each state when rivals keep to their strategies: the "true" Q.

    Args:
        sessions: trained.
        session: its number.
        firm: whose prices.
        values: what a state is worth to the firm from the next period on, (states,); by default what its
            own strategy earns there, which makes it Q(s, a) of a deviation in one period only.

    Returns:
        (states, points).
    """
    tables = sessions.tables
    joint = sessions.joint_actions(session)
    discount = tables.parameters.discount
    if values is None:
        earned = tables.expected[joint, firm]
        values = path_values(earned, sessions.next_states(session), discount)
    step = tables.points ** (tables.firms - 1 - firm)
    own = sessions.strategies[session, firm].astype(np.int64)
    met = (joint - own * step)[:, None] + np.arange(tables.points) * step
    following = tables.next_state(np.arange(tables.states)[:, None], met)
    worth: Floats = tables.expected[met, firm] + discount * values[following]
    return worth


def best_reply_values(sessions: Sessions, session: int, firm: int) -> Floats:
    """What each state is worth to a firm that replies best for ever to its rivals' strategies, (states,).

    Policy iteration from the firm's own strategy; each round's strategy is valued exactly.
    """
    tables = sessions.tables
    discount = tables.parameters.discount
    everywhere = np.arange(tables.states)
    own = sessions.strategies[session, firm].astype(np.int64)
    joint = sessions.joint_actions(session)
    step = tables.points ** (tables.firms - 1 - firm)
    rivals = joint - own * step
    while True:
        met = rivals + own * step
        following = tables.next_state(everywhere, met)
        values = path_values(tables.expected[met, firm], following, discount)
        worth = action_values(sessions, session, firm, values)
        better = worth.argmax(axis=1)
        # A gain within rounding is none: without this, two equal strategies could take turns.
        gains = worth[everywhere, better] - worth[everywhere, own]
        improves = gains > 1e-12 * np.abs(worth[everywhere, better])
        if not improves.any():
            return values
        own = np.where(improves, better, own)
