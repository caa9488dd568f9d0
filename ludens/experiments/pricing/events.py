"""The events of a market: what changes from outside in the course of a run, in a few words, for pictures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ludens.envs.pricing.interventions import (
    CostShock,
    DemandShock,
    Entrant,
    Exit,
    Intervention,
    Merger,
    Prominence,
    Regulator,
)
from ludens.experiments.pricing.panels import Panel


@dataclass(frozen=True)
class Event:
    """A change: the first period with it, from 1, and what changes."""

    period: int
    text: str


def events(interventions: Sequence[Intervention]) -> tuple[Event, ...]:
    """Return what changes after the first period, in order; what holds from the start is no event."""
    found = [event for each in interventions for event in _events(each) if event.period > 1]
    return tuple(sorted(found, key=lambda event: event.period))


def events_of(panel: Panel) -> tuple[Event, ...]:
    """Return the events of a panel's market that fall into its periods."""
    known = events(panel.schedules[0].interventions) if panel.schedules else ()
    return tuple(event for event in known if event.period <= panel.periods)


def _events(each: Intervention) -> Iterator[Event]:
    match each:
        case Entrant():
            yield Event(each.period, f"firm {each.firm} enters")
        case Exit():
            yield Event(each.period, f"firm {each.firm} leaves")
        case Merger():
            yield Event(each.period, f"firm {each.into} buys firm {each.firm}")
        case DemandShock():
            yield Event(each.period, "demand changes")
            if each.until is not None:
                yield Event(each.until, "demand is as before")
        case CostShock():
            yield Event(each.period, "costs change")
            if each.until is not None:
                yield Event(each.until, "costs are as before")
        case Regulator():
            whose = "prices" if each.measure == "own" else "average prices"
            yield Event(each.period, f"{whose} above {each.threshold:g} are fined")
        case Prominence():
            yield Event(each.period, "a platform steers consumers")
        case _:
            return
