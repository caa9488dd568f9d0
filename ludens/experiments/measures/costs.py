"""What the answers of a policy took: calls, tokens, money, time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ludens.experiments.runs.records import DecisionRecord


@dataclass(frozen=True)
class Costs:
    """What the answers took.

    Attributes:
        decisions: answers, beliefs included.
        cost: in US dollars by LiteLLM's prices, 0 for models that are free or have none.
        call_seconds: from request to reply, summed over calls. Calls run at the same time and wait for each
            other, so this is more than the time that passed (which the manifest tells for the whole run).
        transport_retries: requests repeated after 429, 5xx, a time-out or a broken connection.
    """

    decisions: int
    calls: int
    prompt_tokens: int
    completion_tokens: int
    cost: float
    call_seconds: float
    transport_retries: int


def costs(records: Sequence[DecisionRecord]) -> Costs:
    """Return the sums over all calls behind these decisions."""
    calls = [call for record in records for call in record.decision.calls]
    return Costs(
        decisions=len(records),
        calls=len(calls),
        prompt_tokens=sum(call.prompt_tokens for call in calls),
        completion_tokens=sum(call.completion_tokens for call in calls),
        cost=sum(call.cost for call in calls),
        call_seconds=sum(call.seconds for call in calls),
        transport_retries=sum(call.transport_retries for call in calls),
    )
