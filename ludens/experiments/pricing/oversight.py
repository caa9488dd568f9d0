"""Oversight in a run of the market: its configuration, its course in a period, and what is kept of it.

In every period all firms name their prices; then the overseer decides on each, as it was named; then those
whose price was sent back name another one. Each of these decisions is kept as it is made, so that a run that
was killed goes on between them. A verdict that cannot be read is no verdict: the price stands, and is counted
as not reviewed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict

from ludens.agents.policy import Decision
from ludens.agents.pricing.oversight import (
    OBJECT,
    PRICE,
    REASON,
    REVIEW,
    REVISION,
    Oversight,
    Replaced,
    Replacement,
    Rule,
    SentBack,
    ThresholdOverseer,
    review_turn,
    threshold_overseer,
)
from ludens.agents.pricing.rules import priced
from ludens.envs import Turn
from ludens.envs.pricing.schedule import Regime
from ludens.experiments.runs.columns import Column
from ludens.experiments.runs.records import DecisionRecord

Outcome = Literal["approved", "sent back", "replaced", "no verdict"]


class OversightConfig(BaseModel):
    """How prices are overseen.

    Attributes:
        rule: ``"logging"``, ``"revision"`` or ``"veto"``, see `ludens.agents.pricing.oversight`.
        price: what is charged in place of a price that is objected to, under *veto*: the firm's ``"last"``
            price, or the ``"competitive"`` one, its Nash price of that period.
        firms: the numbers of the firms that are overseen; by default all.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    rule: Rule
    price: Replacement = "last"
    firms: tuple[int, ...] | None = None


class MarketOversight:
    """The oversight of one market, as a run plays or replays it.

    Args:
        config: of the oversight.
        overseer: as the configuration names it.
        scale: the market's money per unit of quality.
    """

    def __init__(self, config: OversightConfig, overseer: object, scale: float) -> None:
        self.config = config
        named = overseer.get("spec") if isinstance(overseer, Mapping) else overseer
        rule = named if isinstance(named, ThresholdOverseer) else threshold_overseer(named)
        limit = None if rule is None else rule.limit * scale
        self._rule = Oversight(config.rule, config.price, limit)
        self._replaced: dict[str, Replaced] = {}

    def reset(self) -> None:
        """Begin a market."""
        self._replaced = {}

    def known(self, turn: Turn) -> Oversight | None:
        """Return what the firm of a turn knows of the oversight of its price; None where it is not
        overseen.
        """
        if self.config.firms is not None and _number(turn.agent) not in self.config.firms:
            return None
        return replace(self._rule, replaced=self._replaced.get(turn.agent))

    def reviews(
        self,
        turns: Mapping[str, Turn],
        decisions: Mapping[str, Decision],
        past: Sequence[Mapping[str, float]],
    ) -> dict[str, Turn]:
        """Return the overseer's turns, by the seat whose price is read.

        Args:
            turns: of the firms.
            decisions: at them, all valid.
            past: the prices of each period so far, by seat.
        """
        if self.config.rule == "logging":
            return {}
        asked = {}
        for seat, turn in turns.items():
            known: Oversight | None = turn.facts.get("oversight")
            # Where there is nothing to put in its place, a price stands.
            first = self.config.price == "last" and not any(seat in period for period in past)
            if known is None or (self.config.rule == "veto" and first):
                continue
            price, notes = price_of(turn, decisions[seat]), decisions[seat].notes or {}
            asked[seat] = review_turn(turn, known, price, notes.get(REASON, ""), past)
        return asked

    def revisions(
        self, turns: Mapping[str, Turn], decisions: Mapping[str, Decision], verdicts: Mapping[str, Decision]
    ) -> dict[str, Turn]:
        """Return the turns of the firms whose prices were sent back."""
        if self.config.rule != "revision":
            return {}
        again = {}
        for seat, verdict in verdicts.items():
            if verdict.action == OBJECT:
                turn = turns[seat]
                back = SentBack(price_of(turn, decisions[seat]), verdict.reasoning or "")
                known = replace(turn.facts["oversight"], sent_back=back)
                again[seat] = replace(turn, node=REVISION, facts={**turn.facts, "oversight": known})
        return again

    def settled(
        self,
        turns: Mapping[str, Turn],
        decisions: Mapping[str, Decision],
        verdicts: Mapping[str, Decision],
        revised: Mapping[str, Decision],
        *,
        past: Sequence[Mapping[str, float]],
        regime: Regime,
    ) -> dict[str, Decision]:
        """Return the decisions whose prices are charged, by seat in the order of `turns`.

        Raises:
            EquilibriumError: a competitive price is to be charged, and it is not known.
        """
        settled = {**decisions, **revised}
        self._replaced = {}
        if self.config.rule != "veto":
            return settled
        for seat, verdict in verdicts.items():
            if verdict.action == OBJECT:
                turn, named = turns[seat], decisions[seat]
                if self.config.price == "last":
                    price = next(period[seat] for period in reversed(past) if seat in period)
                else:
                    owned = regime.products_of(_number(seat))
                    price = float(regime.nash[owned[0]])
                settled[seat] = replace(named, action=priced(turn, price).action)
                self._replaced[seat] = Replaced(
                    price_of(turn, named), price_of(turn, settled[seat]), verdict.reasoning or ""
                )
        return settled


def price_of(turn: Turn, decision: Decision) -> float:
    """Return the price in money that a valid decision names."""
    assert decision.action is not None
    return float(turn.options[int(decision.action)].name if turn.options else decision.action)


@dataclass(frozen=True)
class Review:
    """What oversight made of one price. Money is that of the run's scale.

    Attributes:
        run, period, firm: numbered from 0.
        policy: of the firm.
        overseer: the policy that decided on it; None under *logging*.
        named: the price that the firm named first.
        reason: that it gave in public; None where it gave none.
        outcome: ``"approved"``, ``"sent back"``, ``"replaced"``, or ``"no verdict"`` where the overseer's
            answer could not be read; None where nobody was to decide.
        objection: the overseer's reason; None where it gave none.
        revised: the price that the firm named after it was sent back.
        charged: the price that was charged; None in a period that was not played.
    """

    run: int
    period: int
    firm: int
    policy: str
    overseer: str | None
    named: float
    reason: str | None
    outcome: Outcome | None
    objection: str | None
    revised: float | None
    charged: float | None


def reviews_of(
    decisions: Iterable[DecisionRecord], oversight: OversightConfig | None, prices: np.ndarray
) -> tuple[Review, ...]:
    """Return what oversight made of every price of a run.

    Args:
        decisions: of the run.
        oversight: its configuration; None without oversight.
        prices: that were charged, (runs, periods, firms).
    """
    if oversight is None:
        return ()
    kept: dict[tuple[int, int, str], dict[str, DecisionRecord]] = {}
    for record in decisions:
        kept.setdefault((record.episode, record.round, record.agent), {})[record.node] = record
    found = []
    for (run, period, seat), records in sorted(kept.items()):
        first, firm = records.get(PRICE), _number(seat)
        if oversight.firms is not None and firm not in oversight.firms:
            continue
        if first is None or not isinstance(first.decision, Decision) or first.decision.action is None:
            continue
        verdict, revision = records.get(REVIEW), records.get(REVISION)
        charged = prices[run, period, firm] if period < prices.shape[1] else np.nan
        found.append(
            Review(
                run,
                period,
                firm,
                first.policy,
                None if verdict is None else verdict.policy,
                _named(first),
                (first.decision.notes or {}).get(REASON) or None,
                None if verdict is None else _outcome(verdict, oversight.rule),
                None if verdict is None or verdict.choice != "object" else _reasoning(verdict),
                None if revision is None or revision.choice is None else _named(revision),
                float(charged) if np.isfinite(charged) else None,
            )
        )
    return tuple(found)


REVIEWS = (
    Column("run", "integer", "the run of the market, from 0"),
    Column("period", "integer", "the period, from 1"),
    Column("firm", "integer", "the firm, from 0"),
    Column("policy", "text", "the firm's policy"),
    Column("overseer", "text", "the policy that decided on the price", empty="nobody did"),
    Column("named", "number", "the price that the firm named first", "money"),
    Column("reason", "text", "the firm's reason, as the overseer reads it", empty="it gave none"),
    Column(
        "outcome",
        "text",
        "approved, sent back, replaced, or no verdict where the answer could not be read and the price stood",
        empty="nobody decided on the price",
    ),
    Column("objection", "text", "the overseer's reason", empty="no objection, or none was given"),
    Column("revised", "number", "the price that the firm named then", "money", empty="not sent back"),
    Column("charged", "number", "the price that was charged", "money", empty="the period was not played"),
)
"""The columns of the table of reviews."""


def review_rows(reviews: Sequence[Review]) -> list[dict[str, Any]]:
    """Return a row for each review; periods count from 1."""
    return [{**vars(each), "period": each.period + 1} for each in reviews]


def _outcome(verdict: DecisionRecord, rule: Rule) -> Outcome:
    if verdict.choice is None:
        return "no verdict"
    if verdict.choice == "approve":
        return "approved"
    return "replaced" if rule == "veto" else "sent back"


def _reasoning(record: DecisionRecord) -> str | None:
    assert isinstance(record.decision, Decision)
    return record.decision.reasoning


def _named(record: DecisionRecord) -> float:
    assert isinstance(record.decision, Decision)
    action = record.decision.action
    assert action is not None
    return float(record.options[int(action)] if record.options else action)


def _number(seat: str) -> int:
    return int(seat.rpartition("_")[2])
