"""What a pricing run is made of, from what users write and from what a run's file says of it.

One episode is one run of a market at one price scale α. Its market is the run's market at α times its own
scale; its ceiling, the price above which firms are told not to expect sales, is k times the highest
joint-profit price, with k drawn uniformly for each run (between 1.5 and 2.5 after Fish, Gonczarowski &
Shorrer, arXiv 2404.00806). The ceiling is stated, and enforced by nobody.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ludens.agents.llm.prompts.prices import check_prefix
from ludens.agents.policy import Decision, Policy
from ludens.agents.registry import make_policy
from ludens.envs import Turn
from ludens.envs.pricing import Intervention, Market, Regulator
from ludens.envs.pricing.interventions import as_interventions
from ludens.envs.pricing.registration import BERTRAND
from ludens.envs.pricing.theory.benchmarks import monopoly_prices, price_grid
from ludens.errors import UsageError
from ludens.experiments.runs.database import NoRunError
from ludens.experiments.runs.records import EpisodeSpec
from ludens.experiments.runs.run import Run
from ludens.experiments.runs.seeds import episode_seeds

Floats = NDArray[np.float64]
Firm: TypeAlias = str | Policy | Mapping[str, Any]

KIND = "pricing"
ENVIRONMENT = "ludens/bertrand-v0"
_CEILING = 2
"""The child of an episode's seeds that its ceiling is drawn from; `ludens.experiments.runs.seeds` has 0
and 1."""


@dataclass(frozen=True)
class PricingSetup:
    """A pricing run before it is played.

    Attributes:
        market: at scale 1.
        firms: one policy per firm, in the firms' order.
        scales: the price scales α, each played `runs` times.
        periods: how many an episode has.
        prefix: the treatment, for the labels; language models that name none of their own get it.
        seed: the root of the run's tree of seeds.
        discount: δ, which firms and measures may use; play does not depend on it.
        ceiling: the interval from which k is drawn; None states no ceiling.
        interventions: of the environment, in their order; money in them is that of scale 1.
        concurrency: how many episodes are played at once.
        price_grid: the prices that firms choose from by their numbers, at scale 1, (m,) or one row for each
            firm; None where any price may be set.
    """

    market: Market
    firms: tuple[Policy, ...]
    scales: tuple[float, ...]
    runs: int
    periods: int
    prefix: str
    seed: int
    discount: float
    ceiling: tuple[float, float] | None
    interventions: tuple[Intervention, ...]
    concurrency: int
    price_grid: tuple[Any, ...] | None = None

    @property
    def config(self) -> dict[str, Any]:
        """JSON values from which the setup can be built again."""
        return {
            "market": self.market.parameters,
            "firms": [firm.describe() for firm in self.firms],
            "scales": list(self.scales),
            "runs": self.runs,
            "periods": self.periods,
            "prefix": self.prefix,
            "discount": self.discount,
            "ceiling": None if self.ceiling is None else list(self.ceiling),
            "interventions": [{"kind": type(each).__name__, **asdict(each)} for each in self.interventions],
            "concurrency": self.concurrency,
            "price_grid": self.price_grid,
        }

    @property
    def seats(self) -> tuple[str, ...]:
        """The seats in the firms' order."""
        return tuple(f"firm_{number}" for number in range(len(self.firms)))

    @property
    def specs(self) -> list[EpisodeSpec]:
        """All episodes: every scale, every run of it."""
        places = [(scale, run) for scale in self.scales for run in range(self.runs)]
        return [EpisodeSpec(index, self._labels(index, *place)) for index, place in enumerate(places)]

    def scaled(self, scale: float) -> Market:
        """The market in which an episode of this price scale is played."""
        return scaled_market(self.market, scale)

    def scaled_grid(self, scale: float) -> Floats | None:
        """Return the price grid of an episode of this price scale."""
        return None if self.price_grid is None else scale * np.array(self.price_grid)

    def scaled_interventions(self, scale: float) -> tuple[Intervention, ...]:
        """What happens in an episode of this price scale: regulators' money is multiplied as all money is."""
        return tuple(
            replace(each, threshold=scale * each.threshold, fine=scale * each.fine)
            if isinstance(each, Regulator)
            else each
            for each in self.interventions
        )

    def _labels(self, index: int, scale: float, run: int) -> dict[str, Any]:
        names = [firm.name for firm in self.firms]
        return {
            "firms": names,
            "scale": scale,
            "prefix": self.prefix,
            "ceiling": self._ceiling(index, scale),
            "run": run,
            **dict(zip(self.seats, names, strict=True)),
        }

    def _ceiling(self, index: int, scale: float) -> float | None:
        if self.ceiling is None:
            return None
        seeds = episode_seeds(self.seed, index)
        child = np.random.SeedSequence(seeds.entropy, spawn_key=(*seeds.spawn_key, _CEILING))
        factor = np.random.default_rng(child).uniform(*self.ceiling)
        # Rounded as a person would state it: to the cent, or to three digits where money is finer than that.
        highest = float(np.max(monopoly_prices(self.scaled(scale))))
        return round(factor * highest, max(2, 2 - math.floor(math.log10(highest))))


def pricing_setup(
    firms: Sequence[Firm],
    *,
    market: Market | None = None,
    scales: Sequence[float] = (1.0,),
    periods: int = 300,
    runs: int = 1,
    prefix: str = "P0",
    seed: int = 0,
    discount: float = 0.95,
    ceiling: tuple[float, float] | None = (1.5, 2.5),
    interventions: Sequence[Intervention | Mapping[str, Any]] = (),
    concurrency: int = 8,
    price_grid: int | Sequence[float] | Sequence[Sequence[float]] | None = None,
) -> PricingSetup:
    """Check all that a run is made of.

    Raises:
        UsageError: something is wrong; nothing was written.
    """
    given = [firms] if isinstance(firms, str | Policy | Mapping) else list(firms)
    if market is None:
        # The size of the language-model studies; profits are percentages of it.
        market = Market.symmetric(max(1, len(given)), quantity_scale=100.0)
    if market.products != market.firms:
        raise UsageError(
            f"A pricing run needs one product for each firm; this market has {market.products} products of "
            f"{market.firms} firms."
        )
    if len(given) == 1 and market.firms > 1:
        given *= market.firms
    if len(given) != market.firms:
        raise UsageError(
            f"The market has {market.firms} firms and {len(given)} were named: name one for each, or one for "
            "all."
        )
    for name, value in (("periods", periods), ("runs", runs), ("concurrency", concurrency)):
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise UsageError(f"The number of {name} is a whole number of at least 1; got {value!r}.")
    numbers = [float(scale) for scale in scales]
    if not numbers or not all(0 < scale < math.inf for scale in numbers):
        raise UsageError(f"Price scales are numbers above 0, at least one of them; got {list(scales)!r}.")
    if not 0 <= discount < 1:
        raise UsageError(f"The discount factor lies in [0, 1); got {discount!r}.")
    if ceiling is not None and not 0 < ceiling[0] <= ceiling[1] < math.inf:
        raise UsageError(f"A ceiling is an interval of factors above 0, or None; got {ceiling!r}.")
    events = as_interventions(interventions)
    return PricingSetup(
        market=market,
        firms=tuple(_made(firm, check_prefix(prefix)) for firm in given),
        scales=tuple(numbers),
        runs=runs,
        periods=periods,
        prefix=prefix,
        seed=seed,
        discount=discount,
        ceiling=None if ceiling is None else (float(ceiling[0]), float(ceiling[1])),
        interventions=events,
        concurrency=concurrency,
        price_grid=_grid(market, price_grid),
    )


def stored_setup(
    manifest: Mapping[str, Any],
    path: str | os.PathLike[str],
    firms: Sequence[Firm] | None = None,
    concurrency: int | None = None,
    *,
    replay: bool = False,
) -> PricingSetup:
    """The setup of a run from its manifest.

    Args:
        manifest: of a run of kind ``"pricing"``.
        path: of the run, for messages.
        firms: in place of those in the file, where these were Python objects that it cannot describe.
        concurrency: in place of that of the start.
        replay: nothing will be asked, so that firms need not be made.

    Raises:
        UsageError: a firm or an intervention was a Python object, and nothing was given in its place.
    """
    config = manifest["config"]
    if replay:
        firms = [_Played(description.get("name") or description["spec"]) for description in config["firms"]]
    for seat, description in enumerate(config["firms"] if firms is None else ()):
        if "spec" not in description:
            raise UsageError(
                f"The firm {description.get('name')!r} in seat {seat} of {path} was a Python object: go on "
                f"from Python with ludens.experiments.pricing.resume_pricing({str(path)!r}, firms=...)."
            )
    return pricing_setup(
        config["firms"] if firms is None else firms,
        market=Market(**config["market"]),
        scales=config["scales"],
        periods=config["periods"],
        runs=config["runs"],
        prefix=config["prefix"],
        seed=manifest["seed"],
        discount=config["discount"],
        ceiling=None if config["ceiling"] is None else tuple(config["ceiling"]),
        interventions=config["interventions"],
        concurrency=config["concurrency"] if concurrency is None else concurrency,
        price_grid=config["price_grid"],
    )


def scaled_market(market: Market, scale: float) -> Market:
    """The same market with all money multiplied by `scale`."""
    if scale == 1:
        return market
    return Market(**market.parameters | {"price_scale": market.price_scale * scale})


def check_kind(run: Run, kind: str = KIND) -> dict[str, Any]:
    """The manifest of a pricing run.

    Raises:
        NoRunError: it is none.
    """
    manifest = run.manifest
    if manifest["kind"] != kind:
        raise NoRunError(
            f"{run.path} is a run of {manifest['kind']}, not of {kind}: `ludens show {run.path}`."
        )
    return manifest


def with_facts(turn: Turn, **facts: Any) -> Turn:
    """The turn, told more."""
    return replace(turn, facts={**turn.facts, **facts})


class _Played(Policy):
    """A firm whose decisions are all there."""

    def __init__(self, name: str) -> None:
        self.name = name

    def decide(self, turn: Turn, rng: np.random.Generator) -> Decision:
        raise UsageError(f"{self.name} is played back from a run, and decides nothing anew.")


def _grid(
    market: Market, given: int | Sequence[float] | Sequence[Sequence[float]] | None
) -> tuple[Any, ...] | None:
    """Return a price grid as numbers: that of so many points, or the one that is given."""
    if given is None:
        return None
    if isinstance(given, int):
        return _grid(market, price_grid(market, given).tolist())
    try:
        rows = np.array(given, dtype=np.float64)
    except (TypeError, ValueError):
        raise UsageError(
            f"A price grid is a number of points, or prices; got price_grid={given!r}."
        ) from None
    grid: tuple[Any, ...] = tuple(row if isinstance(row, float) else tuple(row) for row in rows.tolist())
    return grid


def _made(firm: Firm, prefix: str) -> Policy:
    return make_policy(firm, BERTRAND.environment, prefix=prefix)
