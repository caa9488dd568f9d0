"""Branches of pricing runs: what a study needs that goes back into another run of the market.

A branch reads the run that it starts from, its source, and asks the source's own firms, unless others are
named. What the source's firms decided is replayed and never asked again.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Generic, TypeVar

from ludens.agents.policy import Policy
from ludens.envs.pricing.registration import BERTRAND
from ludens.errors import UsageError
from ludens.experiments.pricing.config import PricingConfig, RunPath, pricing_config
from ludens.experiments.runs.run import Run
from ludens.experiments.study.base import ResultT, Study
from ludens.experiments.study.config import PolicyLike, PolicySpecs, StudyConfig
from ludens.experiments.study.connection import ApiBase, Connection


class BranchConfig(StudyConfig):
    """The part of a configuration that names the source.

    Attributes:
        source: the pricing run's file, which must stay where it is until the new run is done.
        firms: in place of the source's own, one for each or one for all; empty for its own.
    """

    source: RunPath
    firms: PolicySpecs = ()


BranchT = TypeVar("BranchT", bound=BranchConfig)


class BranchStudy(Study[BranchT, ResultT], Generic[BranchT, ResultT]):
    """A study that goes back into a pricing run and asks its firms again."""

    @cached_property
    def source(self) -> PricingConfig:
        """The configuration of the source.

        Raises:
            NoRunError: the source is not a pricing run.
            UsageError: its firms do not move together.
        """
        with Run(self.config.source) as run:
            config = source_market(run)
        if config.oversight is not None:
            raise UsageError(
                f"{self.config.source} is a run under oversight, which a branch does not repeat: take one "
                "without."
            )
        return config

    def inherited(self) -> Mapping[str, Sequence[PolicyLike]]:
        """Return the firms of the source, where the configuration names none."""
        return {} if self.config.firms else {"firms": firms_of(self.config.source)}

    @cached_property
    def policies(self) -> Mapping[str, Policy]:
        """The policies by seat.

        Raises:
            UsageError: there are not as many as firms, or one cannot be made.
        """
        seats, given = self.source.seats, self.config.firms or firms_of(self.config.source)
        if len(given) not in {1, len(seats)}:
            raise UsageError(
                f"{self.kind()}.firms: The market has {len(seats)} firms and {len(given)} were named: name "
                "one for each, or one for all."
            )
        firms = given if len(given) > 1 else given * len(seats)
        return {
            seat: self.make(f"firms[{place}]", firm, BERTRAND.environment, prefix=self.source.prefix)
            for place, (seat, firm) in enumerate(zip(seats, firms, strict=True))
        }


def source_market(run: Run) -> PricingConfig:
    """Return the configuration of a pricing run that can be taken up again.

    Raises:
        NoRunError: it is a run of another kind.
        UsageError: its firms do not move together.
    """
    config = pricing_config(run)
    if config.moves != "together":
        raise UsageError(
            f"{run.path} is a market in which firms do not set prices together (moves = {config.moves!r}), "
            "and is not taken up again: name a run in which they do."
        )
    return config


def firms_of(
    source: str | os.PathLike[str], api_base: ApiBase = None, patience: str | float | None = None
) -> tuple[PolicyLike, ...]:
    """Return the firms of a pricing run as they are reached now.

    Args:
        source: the run's file.
        api_base: other addresses for its models, as in `ludens.experiments.resume`.
        patience: of its models with their servers; None for what each has.

    Raises:
        NoRunError: the source is not a pricing run.
        UsageError: an address belongs to no model, or to more than one.
    """
    with Run(source) as run:
        firms, stored = pricing_config(run).firms, run.manifest.get("addresses", ())
    connection = Connection(source, firms, stored, api_base, patience=patience)
    return tuple(map(connection.reached, firms))
