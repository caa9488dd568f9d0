"""The six studies of Bonnefon, Shariff & Rahwan (Science 352, 2016) as designs, and custom designs.

A design is a tuple of vignettes, each asked of every respondent. The vignettes of the studies are ours, made
from a summary of what each study varied and asked; their sizes and results are from memory and not verified
(`ludens.preferences.av.people`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

from ludens.checks import entries, whole_number
from ludens.envs.av.dilemma.vignette import (
    ALLOCATIONS,
    DECIDERS,
    PERSPECTIVES,
    PROGRAMS,
    SELF,
    Vignette,
    as_company,
)
from ludens.errors import UsageError

NUMBERS = (1, 2, 5, 10, 20, 50, 100)
"""The numbers of pedestrians of study 2, and of approval curves (ours)."""

COMPANIES = ((SELF,), (SELF, "co-worker"), (SELF, "family member"))

VARIABLES = (
    "pedestrians",
    "passengers",
    "perspective",
    "default",
    "certainty",
    "regime",
    "question",
    "program",
    "decider",
)
"""The design variables of a free design."""

LARGEST = 20_000


@dataclass(frozen=True)
class Study:
    """A study as a design.

    Attributes:
        number: 1 to 6.
        title: what it varies.
        vignettes: what is asked, in the order of tables, from a passenger's perspective.
    """

    number: int
    title: str
    vignettes: tuple[Vignette, ...]


def _rated(questions: Sequence[str], programs: Sequence[str] = PROGRAMS, **fixed: Any) -> list[Vignette]:
    return [
        Vignette(question=question, program=program, **fixed)
        for question in questions
        for program in programs
    ]


STUDIES: Mapping[int, Study] = {
    study.number: study
    for study in (
        Study(
            1,
            "one passenger against ten pedestrians: what to do, and how moral each program is",
            (Vignette(10), *_rated(["morality"])),
        ),
        Study(
            2,
            "1 to 100 pedestrians: what to do, and how moral it is to sacrifice the passenger",
            (
                *(Vignette(number) for number in NUMBERS),
                *(Vignette(number, question="morality") for number in NUMBERS),
            ),
        ),
        Study(
            3,
            "who is in the car: alone, with a co-worker, with a family member, against 20 pedestrians",
            tuple(
                vignette
                for company in COMPANIES
                for vignette in _rated(["morality", "purchase"], pedestrians=20, passengers=company)
            ),
        ),
        Study(
            4,
            "100 points over the two programs: for morality, for comfort with others having it, for buying",
            tuple(Vignette(10, question=question) for question in ALLOCATIONS),
        ),
        Study(
            5,
            "sacrifice enforced by law, for human drivers and for algorithms",
            tuple(
                Vignette(10, question=question, decider=decider)
                for decider in DECIDERS
                for question in ("morality", "law")
            ),
        ),
        Study(
            6,
            "buying without regulation and where the law requires the utilitarian program",
            (
                *_rated(["purchase"]),
                *_rated(["purchase"], ["utilitarian"], regime="utilitarian"),
                *_rated(["law"], ["utilitarian"]),
            ),
        ),
    )
}


def study_design(number: int, perspectives: Sequence[str] = ("passenger",)) -> tuple[Vignette, ...]:
    """Return the vignettes of a study, in each of the perspectives.

    Raises:
        UsageError: there is no such study or perspective.
    """
    known = whole_number(number)
    if known is None or known not in STUDIES:
        raise UsageError(f"There is no study {number!r}; there are 1 to {max(STUDIES)}.")
    for perspective in perspectives:
        if perspective not in PERSPECTIVES:
            raise UsageError(
                f"There is no perspective {perspective!r}; choose one of {', '.join(PERSPECTIVES)}."
            )
    return tuple(
        vignette.seen_from(perspective)
        for perspective in dict.fromkeys(perspectives)
        for vignette in STUDIES[known].vignettes
    )


def free_design(**variables: Any) -> tuple[Vignette, ...]:
    """Return every combination of values, as in ``free_design(pedestrians=[1, 10], question="act")``.

    Args:
        variables: the arguments of `Vignette`, each one value or a list of them. Passengers are written with
            ``"self"``; from another perspective, a stranger takes that place.

    Raises:
        UsageError: a variable or a value is wrong, or there are more than 20,000 combinations.
    """
    unknown = sorted(set(variables) - set(VARIABLES))
    if unknown:
        raise UsageError(f"A design has no variable {unknown[0]!r}; it has {', '.join(VARIABLES)}.")
    values = {name: _several(name, variables[name]) for name in VARIABLES if name in variables}
    count = 1
    for name, given in values.items():
        if not given:
            raise UsageError(f"A design needs at least one value of {name}.")
        count *= len(given)
    if count > LARGEST:
        raise UsageError(f"This design has {count:,} vignettes; at most {LARGEST:,} can be asked.")
    found: dict[Vignette, None] = {}
    for combination in product(*values.values()):
        chosen = dict(zip(values, combination, strict=True))
        perspective = chosen.pop("perspective", "passenger")
        company = chosen.pop("passengers", (SELF,))
        if perspective != "passenger":
            company = tuple("stranger" if kind == SELF else kind for kind in company)
        found[Vignette(perspective=perspective, passengers=company, **chosen)] = None
    return tuple(found)


def _several(name: str, value: Any) -> list[Any]:
    """Return one value or several as a list; a tuple of passengers is one value."""
    if name == "passengers":
        if isinstance(value, str) or (isinstance(value, tuple) and all(isinstance(v, str) for v in value)):
            return [as_company(value)]
        several = entries(value)
        return [as_company(each) for each in ([value] if several is None else several)]
    return list(value) if isinstance(value, list | tuple | range) else [value]
