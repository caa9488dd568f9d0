"""Impulse responses of limit strategies: how prices react after a firm is forced to deviate.

From every state of a session's limit cycle, each firm in turn is forced to a price for one or more periods;
everything else follows the limit strategies. As in Calvano et al. (AER 2020), the default deviation is the
static best reply to the prices that the rivals are about to charge, and means are over deviations: a session
whose cycle has three states counts three times as much as one that repeats one price. A measure by session is
the mean over that session's own deviations.

(The authors' impulse-response routine looks up the static best reply by the position of the state in the
cycle instead of by the state; here it belongs to the state.)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ludens.agents.qlearning.sessions import Sessions
from ludens.agents.qlearning.values import Floats, Ints, path_values
from ludens.errors import UsageError


@dataclass(frozen=True, eq=False)
class ImpulseResponse:
    """Responses to forced deviations.

    Prices are relative to those of the same period without the deviation: 0 is no change, −0.1 is a tenth
    less. A price that would be 0 without it has no relative change and counts as unchanged.

    Attributes:
        deviator: relative price change of the firm that was forced, by session and period; the first column
            is the period of the deviation, (sessions, horizon).
        rivals: relative price change of the other firms, mean over them, (sessions, horizon).
        unprofitable: share of a session's deviations that lower the deviator's discounted profits over the
            infinite future, (sessions,); NaN where no forced price differs from the strategy's own.
        gain: mean relative change of the deviator's discounted profits over the infinite future, against
            keeping to the strategy, over firms that earn something by that, (sessions,); NaN where no forced
            price differs from the strategy's own.
        periods: periods from the last forced one until play is on the limit cycle again, mean over the
            deviations that return, (sessions,); NaN where none does.
        returned: share of deviations after which play returns to its own cycle and not to another one,
            (sessions,); NaN where no forced price differs from the strategy's own.
        deviations: share of a session's starting points at which a forced price differs from the strategy's
            own, (sessions,).
        starts: number of a session's starting points, the cycle's states times the firms, (sessions,).
    """

    deviator: Floats
    rivals: Floats
    unprofitable: Floats
    gain: Floats
    periods: Floats
    returned: Floats
    deviations: Floats
    starts: Ints

    def means(self) -> dict[str, float | Floats]:
        """Return the mean of each measure over deviations, so that long cycles count more.

        Prices and `deviations` are averaged over all starting points, `unprofitable`, `gain` and `returned`
        over those at which the forced price differs from the strategy's own, and `periods` over those from
        which play returns. A mean over nothing is NaN.
        """
        forced = self.starts * self.deviations
        weights = {
            "unprofitable": forced,
            "gain": forced * np.isfinite(self.gain),
            "periods": forced * np.nan_to_num(self.returned),
            "returned": forced,
            "deviations": self.starts,
        }
        means: dict[str, float | Floats] = {
            name: np.average(getattr(self, name), axis=0, weights=self.starts)
            for name in ("deviator", "rivals")
        }
        for name, weight in weights.items():
            means[name] = _weighted(getattr(self, name), np.asarray(weight, dtype=np.float64))
        return means

    def as_published(self) -> tuple[float, float, float]:
        """Return three numbers as Calvano et al. count them.

        Returns:
            The rivals' mean relative price change in the period after the deviation (NaN if only one period
            was asked for); the share of starting points at which deviating does not pay, where a forced price
            that equals the strategy's own counts as a deviation that pays; and the mean number of periods
            until play is back, the deviation's own period included.
        """
        means = self.means()
        rivals, periods = np.asarray(means["rivals"]), means["periods"]
        starts = self.starts.astype(np.float64)
        unprofitable = _weighted(np.nan_to_num(self.unprofitable * self.deviations), starts)
        return float(rivals[1]) if len(rivals) > 1 else float("nan"), unprofitable, float(np.add(periods, 1))


def impulse_response(
    sessions: Sessions,
    *,
    forced: int = 1,
    price: Literal["best reply"] | int = "best reply",
    horizon: int = 15,
    among: NDArray[np.bool_] | None = None,
) -> ImpulseResponse:
    """Force every firm to deviate in every state of each limit cycle, and follow the reactions.

    Learners without memory see no deviation: their prices are unchanged in the period after it.

    Args:
        sessions: trained sessions.
        forced: for how many periods the firm is forced, at least 1.
        price: ``"best reply"``, the static best reply to the rivals' prices, anew in each forced period; or
            the index of a price on the grid.
        horizon: number of periods to report, at least 1.
        among: mask of the sessions to include, (sessions,); all by default.

    Raises:
        UsageError: a number is out of its range.
    """
    tables = sessions.tables
    if forced < 1 or horizon < 1:
        raise UsageError(
            f"forced and horizon must be at least 1 period for a deviation; got {forced} and {horizon}."
        )
    if price != "best reply" and not 0 <= int(price) < tables.points:
        raise UsageError(f"A forced price is 'best reply' or an index on the grid, 0 to {tables.points - 1}.")
    chosen = range(len(sessions)) if among is None else np.flatnonzero(among).tolist()
    rows = [_respond(sessions, session, forced, price, horizon) for session in chosen]
    parts = [np.array(part) for part in zip(*rows, strict=True)]
    if not parts:
        raise UsageError("`among` selects no session: set it for at least one.")
    return ImpulseResponse(*parts)


def _respond(
    sessions: Sessions, session: int, forced: int, price: str | int, horizon: int
) -> tuple[Floats, Floats, float, float, float, float, float, int]:
    tables = sessions.tables
    joint, following = sessions.joint_actions(session), sessions.next_states(session)
    cycle = sessions.cycles[session]
    everywhere = np.arange(tables.states)
    earning = np.stack([tables.earned(everywhere, joint, firm) for firm in range(tables.firms)], axis=-1)
    values = path_values(earning, following, tables.discounts)
    deviator, rivals = np.zeros(horizon), np.zeros(horizon)
    present = tables.phases[-1].present
    losses: list[bool] = []
    gains, lengths = [], []
    count = 0
    for firm in range(tables.firms):
        others = [other for other in range(tables.firms) if other != firm and present[other]]
        for start in cycle[tables.free(cycle, firm)].tolist():
            count += 1
            state, usual = start, start
            earned, weight, after = 0.0, 1.0, start
            differs = False
            for period in range(max(forced, horizon)):
                played = int(joint[state])
                if period < forced:
                    met = tables.choices(state, played, firm)
                    best = (
                        int(tables.earned(state, met, firm).argmax()) if price == "best reply" else int(price)
                    )
                    played = int(met[best])
                    differs |= played != int(joint[state])
                    earned += weight * float(tables.earned(state, played, firm))
                    weight *= float(tables.discounts[firm])
                if period < horizon:
                    before = tables.prices(joint[usual])
                    above = tables.prices(played) - before
                    change = np.divide(above, before, out=np.zeros(tables.firms), where=before > 0)
                    deviator[period] += change[firm]
                    rivals[period] += change[others].mean() if others else 0.0
                state = int(tables.next_state(state, played) if period < forced else following[state])
                usual = int(following[usual])
                if period == forced - 1:
                    earned += weight * float(values[state, firm])
                    after = state
            if differs:
                keeps = float(values[start, firm])
                losses.append(earned < keeps)
                if keeps != 0:
                    gains.append(earned / keeps - 1)
                lengths.append(_until(following, after, cycle))
    back = [length for length in lengths if length is not None]
    return (
        deviator / count,
        rivals / count,
        float(np.mean(losses)) if losses else np.nan,
        float(np.mean(gains)) if gains else np.nan,
        float(np.mean(back)) if back else np.nan,
        len(back) / len(lengths) if lengths else np.nan,
        len(losses) / count,
        count,
    )


def _weighted(values: Floats, weights: Floats) -> float:
    """Return the weighted mean of those values that have weight; NaN if none has."""
    counted = weights > 0
    return float(np.average(values[counted], weights=weights[counted])) if counted.any() else float("nan")


def _until(following: Ints, state: int, cycle: Ints) -> int | None:
    """Return the periods until play is in a state of the cycle; None if it never is."""
    inside = set(cycle.tolist())
    seen: set[int] = set()
    periods = 0
    while state not in inside:
        if state in seen:
            return None
        seen.add(state)
        state = int(following[state])
        periods += 1
    return periods
