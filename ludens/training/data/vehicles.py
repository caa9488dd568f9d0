"""Random dilemmas of autonomous vehicles and adoption games, as cases to be labelled.

The numbers of people of the published studies (`ludens.envs.av.dilemma.studies`) are never drawn, and neither
is the adoption game with its default numbers: models are measured on them. The ranges are our choice; half of
the dilemmas have a number of pedestrians near the threshold m/κ, where homo moralis changes its mind.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache, partial
from types import MappingProxyType
from typing import Any

import numpy as np

from ludens.agents.llm.prompts.tables import adoption_table, dilemma_table
from ludens.envs.av.adoption.game import AdoptionGame
from ludens.envs.av.dilemma.env import dilemma_turn
from ludens.envs.av.dilemma.studies import STUDIES
from ludens.envs.av.dilemma.vignette import (
    ALLOCATIONS,
    DECIDERS,
    DEFAULTS,
    MOST,
    PERSPECTIVES,
    PROGRAMS,
    QUESTIONS,
    REGIMES,
    SELF,
    Vignette,
)
from ludens.preferences.av.consequences import adoption_consequences, dilemma_consequences, question_weights
from ludens.preferences.av.dilemma import Universalisation
from ludens.preferences.consequences import weights_of
from ludens.training.data.example import Asks
from ludens.training.data.tables import Case

KINDS: Mapping[tuple[str, str], int] = MappingProxyType(
    {
        ("av_adoption", "choice"): 1,
        ("av_dilemma", "choice"): 2,
        ("av_dilemma", "rating"): 3,
        ("av_dilemma", "allocation"): 3,
    }
)
"""How examples are divided by family and kind of answer. Points are asked for in many questions, and which of
the columns counts differs between them. Our choice.
"""
ADOPTION_SHARE = 0.15
"""Share of the cases drawn that are adoption games."""
CERTAINTIES = (1.0, 1.0, 0.9, 0.75, 0.5, 0.25, 0.1)
COMPANY = ("co-worker", "family member", "child", "stranger")
ACCIDENTS = (0.01, 0.02, 0.03, 0.04, 0.06, 0.08, 0.1)
"""Probabilities of an accident in adoption games."""
SYMMETRIES = (0.25, 0.5, 0.75, 1.0)
ACT_SHARE = 0.3
"""Share of the dilemmas that ask for an act; the other questions share the rest."""


@lru_cache(maxsize=1)
def reserved_cases() -> frozenset[tuple[int, int]]:
    """Return the numbers of passengers and pedestrians on which models are measured."""
    return frozenset(
        (vignette.riders, vignette.pedestrians) for study in STUDIES.values() for vignette in study.vignettes
    )


def draw_vehicles(
    kappa: float, rng: np.random.Generator, universalisation: Universalisation = "veil"
) -> Iterator[Case]:
    """Yield random dilemmas and adoption games without end, none of them reserved."""
    while True:
        if rng.random() < ADOPTION_SHARE:
            yield _adoption(kappa, rng)
        elif (case := _dilemma(kappa, rng, universalisation)) is not None:
            yield case


def _dilemma(kappa: float, rng: np.random.Generator, universalisation: Universalisation) -> Case | None:
    riders = int(rng.integers(1, 6))
    if kappa > 0 and rng.random() < 0.5:
        pedestrians = int(rng.integers(1, 2 + int(2 * riders / kappa)))
    else:
        pedestrians = int(np.exp(rng.uniform(0, np.log(MOST + 1))))
    pedestrians = min(pedestrians, MOST)
    if (riders, pedestrians) in reserved_cases():
        return None

    pick = _picking(rng, riders + 9)
    perspective = pick(PERSPECTIVES)
    company = [pick(COMPANY) for _ in range(riders)]
    if perspective == "passenger":
        company[0] = SELF
    question = "act" if rng.random() < ACT_SHARE else pick(QUESTIONS[1:])
    regime = rng.random() < 0.3
    vignette = Vignette(
        pedestrians,
        tuple(company),
        perspective,
        pick(DEFAULTS),
        pick(CERTAINTIES),
        pick(REGIMES) if regime else "none",
        question,
        pick(PROGRAMS) if question not in ("act", *ALLOCATIONS) else "utilitarian",
        pick(DECIDERS) if question in ("morality", "law") else "algorithm",
    )
    return dilemma_case(vignette, kappa, universalisation, pick(range(2)))


def _picking(rng: np.random.Generator, most: int) -> Callable[[Sequence[Any]], Any]:
    """Return a function that draws one of several, up to `most` times: numbers that are drawn together cost a
    tenth of those drawn one by one.
    """
    draws = iter(rng.random(most).tolist())
    return lambda choices: choices[int(next(draws) * len(choices))]


def dilemma_case(
    vignette: Vignette, kappa: float, universalisation: Universalisation = "veil", order: int = 0
) -> Case:
    """Return a vignette as a case for homo moralis with this κ."""
    question = vignette.question
    asks: Asks = "choice" if question == "act" else "allocation" if question in ALLOCATIONS else "rating"
    return Case(
        "av",
        "av_dilemma",
        f"av_dilemma {vignette.riders} {vignette.pedestrians}",
        vignette.perspective,
        question,
        (float(vignette.riders), float(vignette.pedestrians), vignette.certainty),
        dilemma_consequences(vignette, universalisation),
        partial(dilemma_table, vignette, order, universalisation=universalisation),
        question_weights(question, kappa, universalisation),
        asks,
        rises=vignette.program == "utilitarian" or question in ALLOCATIONS,
        make_turn=partial(dilemma_turn, vignette),
        order=order if asks == "allocation" else 0,
        subject=vignette,
    )


def _adoption(kappa: float, rng: np.random.Generator) -> Case:
    while True:
        pick = _picking(rng, 8)
        walkers = pick(range(1, 7))
        people = pick(range(walkers + 1, 41))
        most = (people // (walkers + 1)) / people
        accident = min(most, pick(ACCIDENTS))
        game = AdoptionGame(
            people,
            walkers,
            round(accident, 4),
            symmetry=pick(SYMMETRIES),
            price_utilitarian=pick(range(5)) / 100,
            price_protective=pick(range(5)) / 100,
            economies=pick(range(3)) / 100,
        )
        share = pick(range(11)) / 10
        if game != AdoptionGame():
            return adoption_case(game, share, kappa)


def adoption_case(game: AdoptionGame, share: float, kappa: float) -> Case:
    """Return the adoption game as a case for homo moralis with this κ."""
    numbers = tuple(game.parameters.values())
    return Case(
        "av",
        "av_adoption",
        f"av_adoption {' '.join(f'{number:g}' for number in numbers)}",
        "owner",
        "program",
        (*numbers, share),
        adoption_consequences(game, share),
        partial(adoption_table, game, share),
        weights_of(kappa),
        subject=(game, share),
    )
