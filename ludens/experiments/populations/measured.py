"""Payoffs for evolution that a tournament measured: policies, models and oracles together."""

from __future__ import annotations

import os
from typing import Any

from ludens.errors import UsageError
from ludens.experiments.populations.tournament_result import TournamentResult
from ludens.experiments.study.engine import load


def measured_payoffs(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Return payoffs, standard errors, types and source of a tournament, as `EvolveConfig` takes them.

    With one game payoffs are its points per round; with several, the mean of their scaled payoffs.

    Raises:
        UsageError: the run is no tournament, or not everybody has met everybody and themselves.
        NoRunError: there is no such run.
    """
    _, result = load(path)
    if not isinstance(result, TournamentResult):
        raise UsageError(f"{path} is no tournament: `ludens tournament POLICY…` plays one.")
    table = next(iter(result.games.values())) if len(result.games) == 1 else result.together
    if not table.complete:
        raise UsageError(
            f"In {path} not everybody has met everybody and themselves, as types of a population do: play a "
            "round robin to its end."
        )
    errors = table.known_errors
    return {
        "payoffs": table.payoffs.tolist(),
        "errors": errors.tolist() if errors.any() else None,
        "types": result.labels,
        "source": f"{', '.join(result.games)}, {result.ended} matches of {result.run_path.name}",
    }
