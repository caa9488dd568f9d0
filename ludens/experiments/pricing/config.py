"""The configuration of a pricing run: the market, its policies, and the number of runs.

One episode is one run of a market at one price scale α. Its market is the configured market at α times its
own scale; its ceiling, the price above which firms should not expect sales, is k times the highest
joint-profit price, with k drawn uniformly for each run (between 1.5 and 2.5 after Fish, Gonczarowski &
Shorrer, arXiv 2404.00806). The ceiling is stated in prompts but not enforced.
"""

from __future__ import annotations

import math
import os
from dataclasses import asdict, replace
from functools import lru_cache
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import (
    BeforeValidator,
    Field,
    PlainSerializer,
    ValidationInfo,
    field_validator,
    model_validator,
)

from ludens.agents.llm.prompts.prices import check_prefix
from ludens.agents.policy import Policy
from ludens.envs.pricing import Intervention, Market, Prominence, Regulator
from ludens.envs.pricing.interventions import Information, Merger, Vendor, as_intervention, as_interventions
from ludens.envs.pricing.options import as_market
from ludens.envs.pricing.registration import BERTRAND
from ludens.envs.pricing.simulator import checked_grid
from ludens.envs.pricing.theory.benchmarks import highest_price, price_grid
from ludens.envs.pricing.theory.homogeneous import HomogeneousMarket
from ludens.envs.pricing.theory.market import AnyMarket
from ludens.experiments.pricing.market_config import MarketConfig, as_hashable
from ludens.experiments.pricing.oversight import OversightConfig
from ludens.experiments.runs.run import Run
from ludens.experiments.study.config import (
    HOLDS_POLICIES,
    Count,
    PolicyLike,
    PolicySpecs,
    StudyConfig,
    as_kept,
    as_policy,
    described,
    identity,
    same_policy,
)

Floats = NDArray[np.float64]

KIND = "pricing"

_CEILING = 2
"""The child of an episode's seeds that its ceiling is drawn from; `ludens.experiments.runs.seeds` has 0
and 1."""


def _run_path(value: object) -> object:
    return os.path.abspath(value) if isinstance(value, str | os.PathLike) else value  # noqa: PTH100  # links stay


RunPath = Annotated[str, BeforeValidator(_run_path)]
"""The file of another run, kept as an absolute path, so that a run can be resumed from any folder."""


def _as_market(value: object) -> object:
    if value is None:
        return {}
    return value.parameters if isinstance(value, Market | HomogeneousMarket) else value


def _market_values(market: MarketConfig) -> dict[str, Any]:
    # The number of firms is that of other numbers, which a configuration always holds.
    return market.made(1).parameters


def _overseer(value: object) -> object:
    return None if value is None else as_policy(value)


def _described(overseer: PolicyLike | None) -> str | dict[str, Any] | None:
    return None if overseer is None else described(overseer)


def _ceiling(value: object) -> object:
    if value is None or (isinstance(value, tuple | list) and not value):
        return ()
    try:
        low, high = (float(each) for each in value)  # type: ignore[attr-defined]  # what is not a pair is found out here
    except (TypeError, ValueError):
        low = high = math.nan
    if not 0 < low <= high < math.inf:
        raise ValueError(
            f"A ceiling is an interval of two factors above 0, or an empty list for none; got {value!r}."
        )
    return low, high


def intervention_values(intervention: Intervention) -> dict[str, Any]:
    """Return an intervention as a configuration holds it: its kind, and its values without those left out."""
    values = {name: value for name, value in asdict(intervention).items() if value is not None}
    return {"kind": type(intervention).__name__, **values}


class PricingConfig(StudyConfig):
    """The configuration of pricing runs: the policies and the market.

    Attributes:
        firms: one policy for each firm of the market, or one for all.
        market: by default the symmetric baseline of as many firms as are named, with 100 customers.
        scales: the price scales α, each played `runs` times; one that is given twice counts once.
        runs: how often each scale is played.
        periods: of each episode.
        prefix: the treatment P0 to P3, or a text of several words, of language models that name none of
            their own.
        discount: δ, for policies that use it; play does not depend on it.
        ceiling: the interval from which k is drawn; empty states no ceiling.
        interventions: of the environment, in their order, see `ludens.envs.pricing.interventions`; money in
            them is that of scale 1.
        price_grid: the prices that firms choose from, so that an action is the number of one of them, as for
            a learner that was trained so: how many points the usual grid has, or the prices themselves in
            money at scale 1, (m,) or one row for each firm. None lets firms set any price.
        oversight: who reads prices before they are charged, and what may become of them; None for nobody.
        overseer: the policy that decides on prices, where somebody does: a language model, ``"above:1.8"``
            for a rule that objects to prices above 1.8 (in money at scale 1), or any that chooses between
            options.
        screening: the file of a run of monopolies in which every language model must have found the monopoly
            price, see `ludens.experiments.pricing.screening`; None lets all of them play.
        moves: ``"together"``; ``"in turns"``, in which one firm sets its price in each period and the others'
            stand (`ludens.envs.pricing.SequentialBertrandEnv`); or ``"leader"``, in which firm 0 sets its
            price first in each period, and the others learn it before they set theirs.
        concurrency: how many episodes are open concurrently; firms that move together are asked together.

    Raises:
        UsageError: a value is wrong; the message names its key.
    """

    kind: ClassVar[str] = KIND

    firms: PolicySpecs
    market: Annotated[MarketConfig, BeforeValidator(_as_market), PlainSerializer(_market_values)] = Field(
        default_factory=MarketConfig, validate_default=True
    )
    scales: tuple[float, ...] = (1.0,)
    runs: Count = 1
    periods: Count = 300
    prefix: Annotated[str, BeforeValidator(check_prefix)] = "P0"
    discount: float = 0.95
    ceiling: Annotated[tuple[float, ...], BeforeValidator(_ceiling)] = (1.5, 2.5)
    interventions: tuple[
        Annotated[Any, BeforeValidator(as_intervention), PlainSerializer(intervention_values)], ...
    ] = ()

    price_grid: Annotated[Any, BeforeValidator(as_hashable)] = None
    screening: RunPath | None = None
    moves: Literal["together", "in turns", "leader"] = "together"
    oversight: OversightConfig | None = None
    overseer: Annotated[Any, BeforeValidator(_overseer), PlainSerializer(_described), HOLDS_POLICIES] = None

    @field_validator("firms")
    @classmethod
    def _check_firms(cls, firms: tuple[PolicyLike, ...]) -> tuple[PolicyLike, ...]:
        if not firms:
            raise ValueError("Name the firms, as in ['openai/gpt-5-mini', 'nash'].")
        market = BERTRAND.environment
        return tuple(each.for_game(market) if isinstance(each, Policy) else each for each in firms)

    @field_validator("market")
    @classmethod
    def _fill_market(cls, market: MarketConfig, info: ValidationInfo) -> MarketConfig:
        if "firms" not in info.data:  # they are wrong, which is the error then
            return market
        named = len(info.data["firms"])
        made = market.made(named)
        if named not in {1, made.firms}:
            raise ValueError(
                f"The market has {made.firms} firms and {named} were named: name one for each, or one for "
                "all."
            )
        return MarketConfig(**made.parameters)

    @field_validator("scales")
    @classmethod
    def _check_scales(cls, scales: tuple[float, ...]) -> tuple[float, ...]:
        if not scales or not all(0 < scale < math.inf for scale in scales):
            raise ValueError(f"Price scales are numbers above 0, at least one of them; got {list(scales)!r}.")
        return tuple(dict.fromkeys(scales))

    @field_validator("discount")
    @classmethod
    def _check_discount(cls, discount: float) -> float:
        if not 0 <= discount < 1:
            raise ValueError(f"The discount factor lies in [0, 1); got {discount!r}.")
        return discount

    @field_validator("interventions")
    @classmethod
    def _check_interventions(cls, given: tuple[Intervention, ...]) -> tuple[Intervention, ...]:
        return as_interventions(given)

    @field_validator("price_grid")
    @classmethod
    def _fill_grid(cls, grid: Any, info: ValidationInfo) -> Any:
        if grid is None or "market" not in info.data or "firms" not in info.data:
            return None
        market = info.data["market"].made(len(info.data["firms"]))
        if isinstance(grid, int) and not isinstance(grid, bool):
            prices = price_grid(market, grid)
        else:
            checked_grid(grid, market.products)
            prices = np.array(grid, dtype=np.float64)
        return tuple(row if isinstance(row, float) else tuple(row) for row in prices.tolist())

    @model_validator(mode="after")
    def _fill_firms(self) -> PricingConfig:
        if len(self.firms) == 1:
            self.__dict__["firms"] = self.firms * self.market.made(1).firms
        return self

    @model_validator(mode="after")
    def _check_information(self) -> PricingConfig:
        hidden = any(isinstance(each, Information) and not each.prices for each in self.interventions)
        if hidden and self.moves != "together":
            raise ValueError(
                "Firms that do not see prices cannot answer to those that stand or were set first: let them "
                "move together, or give Information prices=true."
            )
        return self

    @model_validator(mode="after")
    def _check_vendor(self) -> PricingConfig:
        if not any(isinstance(each, Vendor) for each in self.interventions):
            return self
        if not all(same_policy(self.firms[0], each) for each in self.firms):
            raise ValueError(
                "One vendor sets the prices of all firms with one policy: name that policy alone."
            )
        named = identity(self.firms[0])
        spec = named if isinstance(named, str) else str(named.get("spec", named.get("name")))
        if spec.partition(":")[0] == "qlearning":
            raise ValueError(
                "Q-learners learn a table for each firm, and no vendor's one for all: leave Vendor out."
            )
        return self

    @model_validator(mode="after")
    def _check_oversight(self) -> PricingConfig:
        if self.oversight is None:
            if self.overseer is not None:
                raise ValueError("An overseer needs oversight: rule='revision' or rule='veto'.")
            return self
        if (self.overseer is None) != (self.oversight.rule == "logging"):
            raise ValueError(
                "Oversight by revision or veto needs an overseer, such as above:1.8 or openai/gpt-5-mini, "
                "and logging none."
            )
        market = self.market.made(len(self.firms))
        several = market.products != market.firms
        several = several or any(isinstance(each, Merger) for each in self.interventions)
        if self.moves != "together" or several:
            raise ValueError(
                "Oversight is of firms that move together and have one product each: leave it out, or moves, "
                "owners and mergers."
            )
        for firm in self.oversight.firms or ():
            if not 0 <= firm < len(self.firms):
                raise ValueError(f"Firms are numbered from 0 to {len(self.firms) - 1}; got {firm} overseen.")
        return self

    @property
    def seats(self) -> tuple[str, ...]:
        """The seats in the firms' order."""
        return tuple(f"firm_{number}" for number in range(len(self.firms)))

    def scaled(self, scale: float) -> AnyMarket:
        """Return the market in which an episode of this price scale is played."""
        return scaled_market(self.market.made(len(self.firms)), scale)

    def scaled_grid(self, scale: float) -> Floats | None:
        """Return the price grid of an episode of this price scale; None where any price may be set."""
        return None if self.price_grid is None else scale * np.array(self.price_grid)

    def scaled_interventions(self, scale: float) -> tuple[Intervention, ...]:
        """Return what happens in an episode of this price scale: money in the rules is multiplied as all
        money is.
        """
        return tuple(_scaled(each, scale) for each in self.interventions)

    def drawn_ceiling(self, scale: float, seeds: np.random.SeedSequence) -> float | None:
        """Return the ceiling that an episode states, in money, drawn from its seeds; None where none is
        stated.
        """
        if not self.ceiling:
            return None
        child = np.random.SeedSequence(seeds.entropy, spawn_key=(*seeds.spawn_key, _CEILING))
        low, high = self.ceiling
        factor = np.random.default_rng(child).uniform(low, high)
        # Rounded as a person would state it: to the cent, or to three digits where money is finer than that.
        highest = highest_price(self.scaled(scale))
        return round(factor * highest, max(2, 2 - math.floor(math.log10(highest))))


def _scaled(each: Intervention, scale: float) -> Intervention:
    if isinstance(each, Regulator):
        return replace(each, threshold=scale * each.threshold, fine=scale * each.fine)
    if isinstance(each, Prominence) and each.advantage is not None:
        return replace(each, advantage=scale * each.advantage)
    return each


@lru_cache(maxsize=64)
def scaled_market(market: AnyMarket, scale: float) -> AnyMarket:
    """Return the same market with all money multiplied by `scale`."""
    if scale == 1:
        return market
    return as_market(market.parameters | {"price_scale": market.price_scale * scale}, market)


def pricing_config(run: Run) -> PricingConfig:
    """Return the configuration of a run of the market; no policy is made.

    Raises:
        NoRunError: it is a run of another kind.
    """
    config = PricingConfig(**run.manifest_of(KIND)["config"])
    return config.with_policies(as_kept)
