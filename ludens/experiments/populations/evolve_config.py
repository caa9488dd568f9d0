"""The configuration of a study of evolving shares: the payoffs of the types, and the dynamics."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal, get_args

import numpy as np
from numpy.typing import NDArray
from pydantic import AfterValidator, Field

from ludens.errors import UsageError
from ludens.experiments.populations.dynamics import Dynamics, check_shares
from ludens.experiments.populations.finite import Process
from ludens.experiments.study.config import Count, StudyConfig
from ludens.preferences.symmetric import symmetric_payoffs

Kind = Literal[Dynamics, Process]

KINDS = get_args(Kind)
"""Every kind of dynamics: of an infinite population, then of a finite one."""


def _square(rows: tuple[tuple[float, ...], ...]) -> tuple[tuple[float, ...], ...]:
    try:
        symmetric_payoffs(rows)
    except (UsageError, ValueError):
        raise ValueError(
            "Give as many rows as columns of finite numbers, one of each for every type; got "
            f"{[list(row) for row in rows]}."
        ) from None
    return rows


Square = Annotated[tuple[tuple[float, ...], ...], AfterValidator(_square)]


class EvolveConfig(StudyConfig):
    """The configuration of a study of evolving shares.

    Attributes:
        payoffs: what the row type earns against the column type, in points.
        types: their names, in the order of rows.
        errors: standard errors of the payoffs; None for exact ones.
        source: where the payoffs come from, for the report.
        dynamics: which kinds (`KINDS`).
        assortativity: σ, the probability with which one meets one's own type.
        start: the shares at the beginning; None for equal ones.
        population: members of finite populations.
        generations: how long; a unit of time of the dynamics of infinite populations is one too.
        selection: how much a payoff larger by the whole range of payoffs multiplies offspring: by its
            exponential.
        mutation: the probability that a new member is of a random type, in finite populations.
        noise: λ of logit dynamics, in points; None for a tenth of the range of payoffs.
        replicates: populations, or draws of the payoffs.
    """

    kind: ClassVar[str] = "evolve"

    payoffs: Square
    types: tuple[str, ...] = ()
    errors: Square | None = None
    source: str = ""
    dynamics: Annotated[tuple[Kind, ...], Field(min_length=1)] = ("replicator", "moran")
    assortativity: float = Field(0.0, ge=0, le=1)
    start: tuple[float, ...] | None = None
    population: int = Field(1000, ge=2)
    generations: Count = 500
    selection: float = Field(1.0, ge=0, allow_inf_nan=False)
    mutation: float = Field(0.0, ge=0, le=1)
    noise: float | None = Field(None, gt=0, allow_inf_nan=False)
    replicates: Count = 20

    def __init__(self, /, **values: Any) -> None:
        super().__init__(**values)
        count = len(self.payoffs)
        if count < 2:
            raise UsageError(f"{self.kind}.payoffs: at least two types evolve; got {count}.")
        if self.types and (len(self.types) != count or len(set(self.types)) != count):
            raise UsageError(
                f"{self.kind}.types: give each of the {count} types a name of its own; got "
                f"{', '.join(self.types)}."
            )
        if self.errors is not None and (
            len(self.errors) != count or any(error < 0 for row in self.errors for error in row)
        ):
            raise UsageError(
                f"{self.kind}.errors: give each of the {count}×{count} payoffs an error from 0 on."
            )
        if self.start is not None:
            try:
                check_shares(self.start, count)
            except UsageError as why:
                raise UsageError(f"{self.kind}.start: {why}") from None

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the types."""
        return self.types or tuple(f"type {place + 1}" for place in range(len(self.payoffs)))

    @property
    def shares(self) -> NDArray[np.float64]:
        """The shares at the beginning, shape (types,)."""
        count = len(self.payoffs)
        return np.full(count, 1 / count) if self.start is None else check_shares(self.start, count)

    @property
    def members(self) -> NDArray[np.int64]:
        """The members of each type at the beginning: whole numbers nearest to the shares."""
        exact = self.shares * self.population
        counts = np.floor(exact).astype(np.int64)
        most = np.argsort(counts - exact, kind="stable")[: self.population - int(counts.sum())]
        counts[most] += 1
        return counts

    @property
    def range(self) -> float:
        """The range of the payoffs, in points."""
        return max(float(np.ptp(self.payoffs)), 1e-300)
