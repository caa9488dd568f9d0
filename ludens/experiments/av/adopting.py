"""A study of the adoption game in one call: populations with and without their law, and shares against κ."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ludens.envs.av.adoption.game import AdoptionGame
from ludens.errors import UsageError
from ludens.experiments.av.adoption import OnRound, share_by_kappa, simulate_adoption
from ludens.experiments.av.adoption_result import (
    AdoptionResult,
    KappaCurve,
    check_target,
    write_json,
)
from ludens.experiments.av.adoption_study import AdoptionConfig, AdoptionStudy
from ludens.experiments.av.groups import Named, make_groups
from ludens.experiments.runs.manifest import new_run_path
from ludens.experiments.runs.recorder import OnProgress
from ludens.experiments.study.engine import load_result, run_study
from ludens.experiments.study.questions import with_settings
from ludens.preferences.av.thresholds import kappa_threshold

SPREAD = 8.0
"""a + b of the Beta distributions in mixed populations of `kappa_curves`; ours."""

_POINTS = 41
_SETTLED = 50


def adopt(
    agents: Sequence[Named],
    *,
    game: AdoptionGame | None = None,
    sizes: Sequence[int] | None = None,
    rounds: int = 100,
    revision: float = 1.0,
    noise: float | None = None,
    start: float = 0.0,
    populations: int = 1,
    realised: bool = False,
    seed: int = 0,
    path: str | os.PathLike[str] | None = None,
    concurrency: int = 8,
    progress: OnProgress | None = None,
    on_round: OnRound | None = None,
    **defaults: Any,
) -> AdoptionResult:
    """Let populations of these groups choose car programs.

    If a group is a language model, or another policy that must be asked, every person has a seat: see
    `AdoptionStudy`. Otherwise the populations are simulated: see `simulate_adoption`; with a regulation they
    are also simulated without it, from the same seed. The shares against κ are simulated as well.

    Args:
        agents: the groups, see `ludens.experiments.av.groups`.
        game: the rules; None for the defaults of `AdoptionGame`.
        sizes: of the groups; None for groups as equal as can be.
        rounds: how many are played.
        revision: the probability to choose in a round; of simulations only.
        noise: λ of all choices; of simulations only.
        start: the share of utilitarian cars at the beginning; of simulations only.
        populations: the number of populations, each with its own random draws.
        realised: whether accidents are drawn.
        seed: the same seed gives the same study.
        path: the result's file: ``.db`` for seats, ``.json`` for a simulation; None for a new name under
            ``runs/``.
        concurrency: how many populations of seats are played concurrently.
        progress: of seats, called after each decision.
        on_round: of simulations, called after each round.
        defaults: settings of language models.

    Raises:
        UsageError: an argument is wrong; nothing was written.
        StoreError: a file cannot be written.
        LudensError: a model cannot be reached at all; what was played is kept.
    """
    rules = AdoptionGame() if game is None else game
    study = seated(
        agents, rules, sizes, revision=revision, noise=noise, start=start, settings=defaults, rounds=rounds,
        populations=populations, realised=realised, seed=seed, concurrency=concurrency,
    )  # fmt: skip
    if study is not None:
        place = None if path is None else check_target(path, ".db")
        return load_result(AdoptionStudy, run_study(study, place, progress=progress).path)
    groups = make_groups(agents, rules.people, sizes)
    target = new_run_path("adopt").with_suffix(".json") if path is None else check_target(path, ".json")
    settings: dict[str, Any] = {
        "rounds": rounds, "revision": revision, "noise": noise, "start": start, "populations": populations,
        "realised": realised, "seed": seed,
    }  # fmt: skip
    paths = simulate_adoption(rules, groups, on_round=on_round, **settings)
    free = None
    if rules.law is not None:
        free = simulate_adoption(replace(rules, regulation=None), groups, **settings)
    result = AdoptionResult(
        Path(target),
        settings | {"agents": [group.name for group in groups], "sizes": [group.people for group in groups]},
        paths,
        free,
        kappa_curves(rules, noise=noise or 0.0, seed=seed),
    )
    write_json(result, target)
    return result


def seated(
    agents: Sequence[Named],
    game: AdoptionGame,
    sizes: Sequence[int] | None = None,
    *,
    revision: float = 1.0,
    noise: float | None = None,
    start: float = 0.0,
    settings: Mapping[str, Any] | None = None,
    **config: Any,
) -> AdoptionStudy | None:
    """Return the study in which every person has a seat; None if all groups can be simulated.

    Args:
        agents: the groups.
        game: the rules.
        sizes: of the groups; None for groups as equal as can be.
        revision: of simulations alone, see `adopt`.
        noise: of simulations alone.
        start: of simulations alone.
        settings: of language models.
        config: the other keys of `AdoptionConfig`.

    Raises:
        UsageError: an argument is wrong, or belongs to simulations.
    """
    named = with_settings(agents, **(settings or {}))
    asked = [group.name for group in make_groups(named, game.people, sizes) if not group.simulated]
    if not asked:
        return None
    given = {"revision": revision != 1, "start": start != 0, "noise": noise is not None}
    if wrong := [name for name, is_given in given.items() if is_given]:
        raise UsageError(
            f"{wrong[0]} belongs to simulated populations, and {asked[0]} is asked in every round: leave"
            " it out."
        )
    return AdoptionStudy(AdoptionConfig(agents=named, sizes=sizes, game=game, **config))


def kappa_curves(
    game: AdoptionGame, *, noise: float = 0.0, seed: int = 0, points: int = _POINTS
) -> tuple[KappaCurve, ...]:
    """Simulate shares of utilitarian cars against κ, without the law and, if there is one, with it.

    With economies of scale, these are the shares to which populations converge from none.
    """
    laws = [None] if game.law is None else [None, replace(game.law, period=0, until=None)]
    kappas = np.linspace(0.0, 1.0, points)
    rounds = _SETTLED if game.economies else 1
    found = []
    for law in laws:
        rules = replace(game, regulation=law)
        shares = {
            kind: share_by_kappa(rules, kappas.tolist(), spread=spread, noise=noise, rounds=rounds, seed=seed)
            for kind, spread in (("alike", None), ("mixed", SPREAD))
        }
        found.append(
            KappaCurve(
                law is not None,
                float(kappa_threshold(rules)),
                tuple(kappas.tolist()),
                tuple(shares["alike"].tolist()),
                tuple(shares["mixed"].tolist()),
                SPREAD,
            )
        )
    return tuple(found)
