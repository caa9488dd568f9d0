"""The results of a study of the adoption game: paths of adoption, thresholds and shares by κ."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ludens.display.notebook import Shown
from ludens.envs.av.adoption.game import AdoptionGame
from ludens.errors import UsageError
from ludens.experiments.av.adoption import AdoptionPaths
from ludens.experiments.runs.columns import Column
from ludens.experiments.runs.database import StoreError
from ludens.experiments.runs.files import as_csv, draft_of
from ludens.preferences.av.adoption import altruism_threshold, kappa_threshold

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class KappaCurve:
    """The share of utilitarian cars against κ, in simulated populations.

    Attributes:
        law: whether the regulation held.
        threshold: κ* behind the veil, at the shares before anybody chose.
        kappas: (m,), κ of everybody, and the mean κ of mixed populations.
        alike: (m,), shares in populations whose people are all alike.
        mixed: (m,), shares in populations whose κ is drawn from a Beta distribution with a + b = `spread`.
        spread: of the mixed populations.
    """

    law: bool
    threshold: float
    kappas: tuple[float, ...]
    alike: tuple[float, ...]
    mixed: tuple[float, ...]
    spread: float


@dataclass(frozen=True)
class GroupFound:
    """The results of a group, means over finished populations.

    Attributes:
        name: of the group.
        people: in each population.
        before, after: the share of utilitarian cars at the beginning and in the last round; None if
            there is none (nobody has a car before the first round of seats; no population was finished).
        without_law: the share in the last round without the regulation; None if there is none.
        payoff: mean per round.
    """

    name: str
    people: int
    before: float | None
    after: float | None
    without_law: float | None
    payoff: float | None


@dataclass(frozen=True, eq=False, repr=False)
class AdoptionResult(Shown):
    """The results of a study of the adoption game.

    Attributes:
        path: of its file: a run's ``.db`` where models played, JSON where all was simulated; None if unkept.
        settings: rounds, revision, noise and so on, JSON values.
        paths: of the populations.
        unregulated: the paths without the regulation, from the same seed; None if there is none.
        curves: shares against κ, without the law and, if there is one, with it; empty where models played.
        decisions: how many decisions ended as ``"valid"``, ``"invalid"`` and ``"refused"``, and as
            ``"low_mass"`` where any did; None where all was simulated.
        report_path: the HTML report of a run; None until one is written.
    """

    shown_by: ClassVar[str] = "ludens.experiments.av.adoption_page:view"

    path: Path | None
    settings: Mapping[str, Any]
    paths: AdoptionPaths
    unregulated: AdoptionPaths | None = None
    curves: tuple[KappaCurve, ...] = ()
    decisions: Mapping[str, int] | None = None
    report_path: Path | None = None

    def __repr__(self) -> str:
        names = ", ".join(f"{group.people} {group.name}" for group in self.paths.groups)
        return f"AdoptionResult({names}; {self.paths.shares.shape[1] - 1} rounds)"

    @property
    def game(self) -> AdoptionGame:
        """The rules."""
        return self.paths.game

    @property
    def groups(self) -> tuple[GroupFound, ...]:
        """The results of each group."""
        other = None if self.unregulated is None else self.unregulated.shares
        return tuple(
            GroupFound(
                group.name,
                group.people,
                _mean(self.paths.shares[:, 0, place]),
                _mean(self.paths.shares[:, -1, place]),
                None if other is None else _mean(other[:, -1, place]),
                _mean(self.paths.payoffs[:, :, place]),
            )
            for place, group in enumerate(self.paths.groups)
        )

    @property
    def thresholds(self) -> dict[str, float | None]:
        """κ* behind the veil and a*, without the law (``kappa``, ``altruism``) and in the last round
        (``kappa_last``, ``altruism_last``), at the shares before that round; None where it is infinite.
        """
        total, last = self.paths.total, self.paths.shares.shape[1] - 2
        free = AdoptionGame(**self.game.config | {"regulation": None})
        share = [_mean(total[:, 0]) or 0.0, _mean(total[:, last]) or 0.0]
        found = {
            "kappa": kappa_threshold(free, share[0]),
            "altruism": altruism_threshold(free, share[0]),
            "kappa_last": kappa_threshold(self.game, share[1], period=last),
            "altruism_last": altruism_threshold(self.game, share[1], period=last),
        }
        return {name: float(value) if np.isfinite(value) else None for name, value in found.items()}

    @property
    def deaths_per_round(self) -> tuple[float, float, float] | None:
        """Lives lost per round: passengers, pedestrians, outsiders; None if no population was finished."""
        means = [_mean(self.paths.deaths[:, :, place]) for place in range(3)]
        return None if None in means else (means[0] or 0.0, means[1] or 0.0, means[2] or 0.0)


def to_json(result: AdoptionResult) -> dict[str, Any]:
    """Return everything measured as JSON values; paths are means over populations, NaN is None."""
    return {
        "path": None if result.path is None else str(result.path),
        "report": None if result.report_path is None else str(result.report_path),
        "game": result.game.config,
        "settings": dict(result.settings),
        "thresholds": result.thresholds,
        "groups": [vars(group) for group in result.groups],
        "deaths_per_round": result.deaths_per_round,
        "decisions": None if result.decisions is None else dict(result.decisions),
        "curves": [vars(curve) for curve in result.curves],
        "paths": [_plain(row) for row in path_rows(result)],
    }


PATHS = (
    Column("law", "text", "`as set`, or `none` for the same population without the law"),
    Column("population", "integer", "the population's number, from 0"),
    Column("round", "integer", "the round; 0 is the beginning"),
    Column("group", "text", "the group's name"),
    Column("people", "integer", "people in the group"),
    Column("share", "number", "those who have the utilitarian car", "share"),
    Column("payoff", "number", "mean payoff of the group in the round", "points", "the beginning"),
)


def path_rows(result: AdoptionResult) -> Iterator[dict[str, Any]]:
    """Yield adoption as rows: law, population, round, group, people, share, payoff.

    The law is ``"as set"`` or ``"none"``; round 0 is the beginning, with the payoff None.
    """
    for law, paths in (("as set", result.paths), ("none", result.unregulated)):
        if paths is None:
            continue
        populations, rounds, _ = paths.shares.shape
        for population in range(populations):
            for number in range(rounds):
                for place, group in enumerate(paths.groups):
                    paid = math.nan if number == 0 else paths.payoffs[population, number - 1, place]
                    yield {
                        "law": law,
                        "population": population,
                        "round": number,
                        "group": group.name,
                        "people": group.people,
                        "share": float(paths.shares[population, number, place]),
                        "payoff": float(paid),
                    }


def write_csv(result: AdoptionResult, path: str | os.PathLike[str]) -> Path:
    """Write `path_rows` as a CSV file, which is replaced as a whole or not at all; NaN is an empty cell.

    Raises:
        StoreError: it cannot be written.
    """
    text = as_csv(_plain(row) for row in path_rows(result))
    return written(Path(path), lambda draft: draft.write_bytes(text.encode()))


def write_json(result: AdoptionResult, path: str | os.PathLike[str]) -> Path:
    """Write `to_json` to a file, which is replaced as a whole or not at all.

    Raises:
        StoreError: it cannot be written.
    """
    text = json.dumps(to_json(result), indent=1) + "\n"
    return written(Path(path), lambda draft: draft.write_text(text, encoding="utf-8"))


def written(target: Path, write: Callable[[Path], object]) -> Path:
    """Let `write` fill a draft beside the target and put it in its place; folders are made.

    Raises:
        StoreError: it cannot be written.
    """
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with draft_of(target) as draft:
            write(draft)
    except OSError as error:
        raise StoreError(f"{target} cannot be written ({error.strerror}): name another file.") from None
    return target


def check_target(path: str | os.PathLike[str], ending: str) -> Path:
    """Return the path of a file to be written, after checking its ending.

    Raises:
        UsageError: the file has another ending.
    """
    target = Path(path)
    if target.suffix != ending:
        raise UsageError(f"{target} must end in {ending}: name another file.")
    return target


def _mean(values: Floats) -> float | None:
    there = values[np.isfinite(values)]
    return float(there.mean()) if there.size else None


def _plain(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: None if isinstance(value, float) and math.isnan(value) else value for name, value in row.items()
    }
