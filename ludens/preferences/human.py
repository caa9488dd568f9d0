"""Human choices in numbers, with their sources, and how far a model is from them.

`HUMAN` lists shares and means from surveys of experiments, and estimated preferences. `verified` is True
only for numbers that were checked against raw data or the paper's own tables; `confidence` says where the
others come from, an abstract or the literature at large. Numbers that belong here but are not available are
listed without a value and with the reason; none is guessed.

Only like is compared with like: a measure with the same measure of the same game, a parameter with the same
parameter of the same model. The signs and scales of models differ (α of Bruhin, Fehr & Schunk is −α
of Fehr & Schmidt).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from ludens.errors import UsageError

Confidence = Literal["raw data or tables", "abstract", "literature, high", "literature", "none"]


@dataclass(frozen=True)
class HumanNumber:
    """One number about people.

    Attributes:
        game: the game that they played, or the model whose parameters were estimated.
        measure: the quantity that was measured, in the unit `unit`.
        value: its value; None where it is missing.
        unit: ``"share"`` (of the pie, the endowment or the people, in [0, 1]), ``"points"``, or
            ``"parameter"``.
        spread: the standard error of the value, in the same unit, where the source gives one or it was
            computed from the source's raw data (types: clustered by subject).
        n: the number of observations behind the value, counted in `of`.
        of: the unit of observation: people, choices, papers or estimates.
        source: the paper or data set.
        confidence: how reliable our reading of the source is.
        verified: whether it was checked against raw data or the paper's own tables.
        missing: the reason why there is no value; None where there is one.
    """

    game: str
    measure: str
    value: float | None
    unit: Literal["share", "points", "parameter"] = "share"
    spread: float | None = None
    n: int | None = None
    of: str = ""
    source: str = ""
    confidence: Confidence = "none"
    verified: bool = False
    missing: str | None = None


@dataclass(frozen=True)
class Distance:
    """The difference between a model and people in one measure.

    Attributes:
        human: the number about people.
        value: the model's number; None where it was not measured.
        difference: model minus people, in the unit of the measure; None where either is missing.
        standardised: for parameters, the difference divided by its standard error √(model's² + people's²);
            None where neither error is known.
        reason: the reason why there is no difference; empty where there is one.
    """

    human: HumanNumber
    value: float | None
    difference: float | None
    standardised: float | None
    reason: str = ""


def numbers(game: str | None = None) -> tuple[HumanNumber, ...]:
    """Return all human numbers, or those of one game.

    Raises:
        UsageError: there are no numbers of that game.
    """
    found = tuple(number for number in HUMAN if game is None or number.game == game)
    if not found:
        known = ", ".join(dict.fromkeys(number.game for number in HUMAN))
        raise UsageError(f"There are no human numbers of {game!r}; there are those of {known}.")
    return found


def distance(
    game: str, measured: Mapping[str, float], errors: Mapping[str, float] | None = None
) -> tuple[Distance, ...]:
    """Compare a model's measures of a game with people's; one entry for each human number of that game.

    Args:
        game: the name of the game in `HUMAN`.
        measured: the model's number by measure, in the unit of the human number; NaN where not identified.
        errors: standard errors of the model's parameters.

    Raises:
        UsageError: there are no human numbers of that game, or it has no such measure.
    """
    there = numbers(game)
    unknown = sorted(set(measured) - {number.measure for number in there})
    if unknown:
        known = ", ".join(dict.fromkeys(number.measure for number in there))
        raise UsageError(f"People's {game} has no measure {unknown[0]!r}; it has {known}.")
    return tuple(
        _distance(number, measured.get(number.measure), (errors or {}).get(number.measure))
        for number in there
    )


def _distance(human: HumanNumber, value: float | None, error: float | None) -> Distance:
    if human.value is None:
        return Distance(human, value, None, None, human.missing or "no human number")
    if value is None:
        return Distance(human, None, None, None, "not measured of the model")
    if math.isnan(value):
        return Distance(human, None, None, None, "not identified for the model")
    gap = value - human.value
    known = [part for part in (error, human.spread) if part is not None and math.isfinite(part) and part > 0]
    standard = gap / math.hypot(*known) if human.unit == "parameter" and known else None
    return Distance(human, value, gap, standard)


BFS = "binary allocations, BFS model"
"""Parameters of Bruhin, Fehr & Schunk's model in their 117 binary allocation choices."""
FEHR_SCHMIDT = "Fehr–Schmidt model, all games"
CHARNESS_RABIN = "Charness–Rabin model"
MORALIS = "18 protocols, homo moralis with inequity aversion"
PROTOCOLS = "18 protocols, choices"

_BFS_SOURCE = "Bruhin, Fehr & Schunk, JEEA 17(4), 2019, session 1"
_ENGEL = "Engel 2011 (survey of dictator games)"
_MOBLAB = "MobLab data (online classes)"
_OOSTERBEEK = "Oosterbeek, Sloof & van de Kuilen 2004 (survey of ultimatum games)"
_WITHHELD = (
    "van Leeuwen & Alger, JPE Microeconomics 2(4), 2024, report it, and their tables are not available "
    "to this project"
)


def bfs_group(number: int | None = None) -> str:
    """Return the name in `HUMAN` of the pooled estimates (None) or of those of type 1, 2 or 3, in the paper's
    order.
    """
    return BFS if number is None else f"{BFS}, type {number}"


def _of(
    game: str,
    source: str,
    confidence: Confidence,
    values: Mapping[str, float],
    *,
    unit: Literal["share", "points", "parameter"] = "share",
    n: int | None = None,
    of: str = "",
    spreads: Mapping[str, float] | None = None,
) -> list[HumanNumber]:
    """Return one game's numbers from one source."""
    checked = confidence == "raw data or tables"
    known = spreads or {}
    return [
        HumanNumber(game, measure, value, unit, known.get(measure), n, of, source, confidence, checked)
        for measure, value in values.items()
    ]


def _bfs_type(
    number: int, share: tuple[float, float], values: Mapping[str, tuple[float, float]]
) -> list[HumanNumber]:
    """Return a type's share and parameters, each given with its standard error."""
    group, source = bfs_group(number), f"{_BFS_SOURCE}, type {number} of 3"
    return [
        *_of(
            group,
            source,
            _CHECKED,
            {"share": share[0]},
            n=160,
            of="people, all types",
            spreads={"share": share[1]},
        ),
        *_of(
            group,
            source,
            _CHECKED,
            {name: value for name, (value, _) in values.items()},
            unit="parameter",
            n=160,
            of="people, all types",
            spreads={name: error for name, (_, error) in values.items()},
        ),
    ]


_CHECKED: Confidence = "raw data or tables"

HUMAN: tuple[HumanNumber, ...] = (
    *_of(
        "dictator",
        _ENGEL,
        "literature, high",
        {"mean gift": 0.2835, "gives nothing": 0.361, "gives half": 0.167, "gives all": 0.054},
    ),
    *_of(
        "dictator, online",
        _MOBLAB,
        _CHECKED,
        {"mean gift": 0.259, "gives nothing": 0.26, "gives half": 0.19},
        n=13232,
        of="choices",
    ),
    *_of("ultimatum", _OOSTERBEEK, "abstract", {"offer": 0.40, "rejection": 0.16}, n=37, of="papers"),
    *_of(
        "ultimatum, strategy method, online",
        _MOBLAB,
        _CHECKED,
        {"offer": 0.444, "least accepted, mean": 0.346, "least accepted, median": 0.40},
    ),
    *_of(
        "trust",
        "Johnson & Mislin 2011 (survey of trust games)",
        "literature, high",
        {"sent": 0.50, "returned of what is available": 0.37},
        n=162,
        of="replications",
    ),
    *_of(
        "public goods",
        "Zelmer 2003 (survey of public goods games)",
        "literature, high",
        {"contributed": 0.377},
        n=27,
        of="studies",
    ),
    *_of(
        "beauty contest",
        "Nagel 1995",
        "literature, high",
        {"mean number, p = 2/3": 36.7, "mean number, p = 1/2": 27.1},
        unit="points",
    ),
    *_of(
        FEHR_SCHMIDT,
        "meta-analysis of 297 estimates in 41 papers",
        "abstract",
        {"alpha": 0.533, "beta": 0.326},
        unit="parameter",
        n=297,
        of="estimates",
    ),
    *_of(
        CHARNESS_RABIN,
        "Charness & Rabin, QJE 117(3), 2002",
        "literature",
        {"rho": 0.424, "sigma": 0.023, "theta": -0.111},
        unit="parameter",
    ),
    *_of(
        BFS,
        _BFS_SOURCE,
        _CHECKED,
        {"alpha": 0.083, "beta": 0.261, "gamma": 0.072, "delta": -0.042, "precision": 0.016},
        unit="parameter",
        n=160,
        of="people",
        spreads={"alpha": 0.015, "beta": 0.019, "gamma": 0.014, "delta": 0.011, "precision": 0.0007},
    ),
    *_bfs_type(
        1,
        (0.405, 0.049),
        {
            "alpha": (0.159, 0.040),
            "beta": (0.463, 0.030),
            "gamma": (0.151, 0.027),
            "delta": (-0.054, 0.027),
            "precision": (0.018, 0.0012),
        },
    ),
    *_bfs_type(
        2,
        (0.474, 0.042),
        {
            "alpha": (0.065, 0.013),
            "beta": (0.130, 0.017),
            "gamma": (-0.001, 0.012),
            "delta": (-0.027, 0.012),
            "precision": (0.032, 0.0025),
        },
    ),
    *_bfs_type(
        3,
        (0.121, 0.043),
        {
            "alpha": (-0.435, 0.124),
            "beta": (-0.145, 0.159),
            "gamma": (0.171, 0.127),
            "delta": (-0.075, 0.180),
            "precision": (0.008, 0.0015),
        },
    ),
    *(
        HumanNumber(MORALIS, name, None, "parameter", missing=_WITHHELD)
        for name in ("alpha", "beta", "kappa", "noise")
    ),
    *(
        HumanNumber(PROTOCOLS, f"prosocial share, {family}", None, missing=_WITHHELD)
        for family in ("sequential prisoner's dilemma", "trust", "ultimatum")
    ),
)
"""Every human number, missing ones included."""
