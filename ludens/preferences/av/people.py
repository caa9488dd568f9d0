"""People's answers in dilemmas of autonomous vehicles. All numbers are from memory, none is verified."""

from __future__ import annotations

from ludens.preferences.human import HumanNumber

SOURCE = "Bonnefon, Shariff & Rahwan, The social dilemma of autonomous vehicles, Science 352 (2016)"


def _number(measure: str, value: float, unit: str, n: int, study: int) -> HumanNumber:
    return HumanNumber(
        game="av_dilemma",
        measure=measure,
        value=value,
        unit="share" if unit == "share" else "points",
        n=n,
        of="people",
        source=f"{SOURCE}, study {study}",
        confidence="literature",
        verified=False,
    )


def _missing(measure: str, n: int, study: int, why: str) -> HumanNumber:
    return HumanNumber(
        game="av_dilemma",
        measure=measure,
        value=None,
        unit="points",
        n=n,
        of="people",
        source=f"{SOURCE}, study {study}",
        missing=why,
    )


APPROVAL_10 = _number("approval of sacrificing one passenger for 10 pedestrians", 0.76, "share", 182, 1)
APPROVAL_1 = _number("approval of sacrificing one passenger for 1 pedestrian", 0.23, "share", 451, 2)
PURCHASE = _number("likelihood of considering a purchase, no regulation", 59.0, "points", 393, 6)
PURCHASE_REGULATED = _number(
    "likelihood of considering a purchase, utilitarian regulation", 21.0, "points", 393, 6
)

PEOPLE = (
    APPROVAL_10,
    APPROVAL_1,
    _missing("moral minus purchase rating by passengers", 259, 3, "only its sign and order are known here"),
    _missing("points for the utilitarian program", 267, 4, "not at hand"),
    _missing("moral minus legal approval of sacrifice", 376, 5, "only its sign is known here"),
    PURCHASE,
    PURCHASE_REGULATED,
)

APPROVAL = {1: APPROVAL_1, 10: APPROVAL_10}
"""Approval of sacrifice by the number of pedestrians, in two studies."""
