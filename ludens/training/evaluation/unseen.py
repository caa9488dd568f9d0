"""Families of games for measuring only, which never occur in training.

They are not in `ludens.envs.FAMILIES`, so that no data set is drawn from them. Each is a textbook game; games
of two moves are played in sequence, so that they are trees with perfect information.
"""

from __future__ import annotations

from collections.abc import Callable

from ludens.envs import DecisionNode, Family, PayoffNode


def _two_moves(first: tuple[str, str], cells: tuple[tuple[float, float], ...]) -> DecisionNode:
    """Return a tree in which the second mover sees the first move and has the same options; `cells` follow
    the order of the options.
    """
    one, other = first
    return DecisionNode(
        "opening",
        "first mover",
        {
            one: DecisionNode(
                f"reply to {one}",
                "second mover",
                {one: PayoffNode(cells[0]), other: PayoffNode(cells[1])},
            ),
            other: DecisionNode(
                f"reply to {other}",
                "second mover",
                {one: PayoffNode(cells[2]), other: PayoffNode(cells[3])},
            ),
        },
    )


def _stag(R: float, T: float, P: float, S: float) -> DecisionNode:
    return _two_moves(("stag", "hare"), ((R, R), (S, T), (T, S), (P, P)))


def _chicken(T: float, R: float, S: float, P: float) -> DecisionNode:
    return _two_moves(("swerve", "straight"), ((R, R), (S, T), (T, S), (P, P)))


def _dictator(T: float, R: float, S: float) -> DecisionNode:
    return DecisionNode("sharing", "sharer", {"equal": PayoffNode((R, R)), "unequal": PayoffNode((T, S))})


def _falling(*names: str) -> Callable[..., str | None]:
    """Return a check that the numbers decrease strictly in the order of their names."""

    def check(*values: float) -> str | None:
        for place in range(len(values) - 1):
            if not values[place] > values[place + 1]:
                return f"{names[place]} > {names[place + 1]} is needed"
        return None

    return check


STAG_HUNT = Family(
    name="stag_hunt_in_sequence",
    title="Stag hunt in sequence",
    source="after Rousseau 1755",
    roles=("first mover", "second mover"),
    parameters=("R", "T", "P", "S"),
    build=_stag,
    check=_falling("R", "T", "P", "S"),
    prosocial={"opening": "stag", "reply to stag": "stag", "reply to hare": "stag"},
)

CHICKEN = Family(
    name="chicken",
    title="Chicken in sequence",
    source="after Maynard Smith & Price 1973",
    roles=("first mover", "second mover"),
    parameters=("T", "R", "S", "P"),
    build=_chicken,
    check=_falling("T", "R", "S", "P"),
    prosocial={"opening": "swerve", "reply to swerve": "swerve", "reply to straight": "swerve"},
)

DICTATOR = Family(
    name="mini_dictator",
    title="Mini dictator game",
    source="after Forsythe, Horowitz, Savin & Sefton 1994",
    roles=("sharer", "receiver"),
    parameters=("T", "R", "S"),
    build=_dictator,
    check=_falling("T", "R", "S"),
    prosocial={"sharing": "equal"},
)

UNSEEN: dict[str, Family] = {family.name: family for family in (STAG_HUNT, CHICKEN, DICTATOR)}
"""Families for measuring, by name."""
