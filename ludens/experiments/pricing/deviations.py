"""Measures of forced deviations: the rivals' answer, the deviator's gain, and the way back.

A branch, in which a firm was forced, is compared with the path, in which nobody was; both come from a run of
`ludens.experiments.pricing.deviating`. With π the deviator's profits as they were paid (less fines) and t = 0
in the first forced period, the relative gain over the T periods that were played is

    Σ_t δ^t (π_t − π_t^path) / Σ_t δ^t π_t^path,

and the gain *for ever* adds to both sums, with weight δ^T/(1 − δ), the means over the last half of the
periods after the deviation, as if they went on for ever (ours, since no market is played for ever). A
deviation is unprofitable if its gain is below 0. Prices are back in the first period after the last forced
one (1 is the next) from which all of them stay at the path: within the tolerance of the same period's, or,
where the path is a cycle, at any point of it that the branch then follows, as Calvano, Calzolari, Denicolò &
Pastorello (AER 2020) count. In between lies the punishment.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ludens.experiments.measures.intervals import Estimate, cluster_mean, missing
from ludens.experiments.pricing.config import PricingConfig
from ludens.experiments.pricing.history import History, history
from ludens.experiments.report.result import RunResult
from ludens.experiments.runs.columns import Column
from ludens.experiments.runs.records import EpisodeRecord
from ludens.experiments.runs.run import Run
from ludens.experiments.runs.seeds import episode_seeds

Floats = NDArray[np.float64]

KIND = "deviate"
NOBODY = "nobody"
"""The deviator of a path."""

BEFORE = 10
"""Periods before the deviation that are kept for pictures."""

_SAME = 1e-9  # relative: prices of policies that repeat themselves are equal up to rounding


@dataclass(frozen=True, eq=False)
class Deviation:
    """A branch beside its path. P periods, F firms.

    Attributes:
        source, period, replicate: the source's episode, the first forced period (from 1), and the repetition.
        firm: the number of the firm that was forced; `policies` are the names of all.
        start: the first period in `path` and `prices`, from 1.
        path, prices: (P, F), without and with the deviation, divided by the price scale.
        forced, answer, cut: relative price changes against the path: the deviator's in its first forced
            period, the rivals' mean in the period after that, and the lowest of their means in any later
            period; None where there is none.
        gain, forever: the deviator's relative gain over the periods played, and for ever.
        back: periods from the last forced one until prices are back, 1 for the next; None where they are not
            within those played.
        differs: whether the forced price is another one than the path's; if not, nothing is measured.
    """

    source: int
    period: int
    replicate: int
    firm: int
    policies: tuple[str, ...]
    start: int
    path: Floats
    prices: Floats
    forced: float | None
    answer: float | None
    cut: float | None
    gain: float | None
    forever: float | None
    back: int | None
    differs: bool

    @property
    def unprofitable(self) -> bool | None:
        """Whether the deviator lost over the periods played; None where no gain is defined."""
        return None if self.gain is None else self.gain < 0

    @property
    def changes(self) -> Floats:
        """(F, periods from the first forced one): relative price changes against the path."""
        first = self.period - self.start
        return np.asarray((self.prices[first:] / self.path[first:] - 1).T)


@dataclass(frozen=True)
class Response:
    """Deviations taken together, with 95 % intervals over the source's runs.

    Attributes:
        name: what they have in common.
        deviations: how many changed a price; `same` did not, since the path's price was the forced one.
        failed: branches without a measure, because a firm gave no price in them or in their path.
        forced, answer, cut, gain, forever: means of those of `Deviation`.
        unprofitable: the share of deviations.
        returned: the share after which prices came back within the periods played.
        back: mean periods until then, over those that came back.
    """

    name: str
    deviations: int
    same: int
    failed: int
    forced: Estimate
    answer: Estimate
    cut: Estimate
    gain: Estimate
    forever: Estimate
    unprofitable: Estimate
    returned: Estimate
    back: Estimate


@dataclass(frozen=True, kw_only=True, repr=False)
class DeviateResult(RunResult):
    """The measures of forced deviations.

    Attributes:
        deviations: every branch that was played to its end beside its path.
        responses: of all, and of each firm where several were forced.
        failed: branches that have ended without a measure.
    """

    deviations: tuple[Deviation, ...]
    responses: tuple[Response, ...]
    failed: int


def measured(run: Run) -> DeviateResult:
    """Measure forced deviations as they stand on disk, finished or not, without asking anything; the source
    is not needed.

    Raises:
        NoRunError: the run is none of forced deviations.
    """
    config = run.manifest_of(KIND)["config"]
    market = market_of(config)
    paths: dict[tuple[Any, ...], History] = {}
    branches: list[History] = []
    failed: list[EpisodeRecord] = []
    for episode in run.episodes():
        if episode.status != "done":
            failed += [episode] if episode.status == "aborted" else []
            continue
        played = history(run, market, episode, episode_seeds(market.seed, episode.labels["source"]))
        if episode.labels["deviator"] == NOBODY:
            paths[_place(episode)] = played
        else:
            branches.append(played)
    lost = {_place(episode) for episode in failed if episode.labels["deviator"] == NOBODY}
    without = [each.episode for each in branches if _place(each.episode) in lost]
    without += [episode for episode in failed if episode.labels["deviator"] != NOBODY]
    found = [
        compared(paths[_place(each.episode)], each, config)
        for each in branches
        if _place(each.episode) in paths
    ]
    seats = market.seats
    rng = np.random.default_rng(config["seed"])
    responses = [response("all", found, len(without), rng)]
    forced = sorted({each.firm for each in found})
    if len(forced) > 1:
        for firm in forced:
            own = [each for each in found if each.firm == firm]
            name = f"firm {firm}: {market.firms[firm]}"
            lacking = sum(episode.labels["deviator"] == seats[firm] for episode in without)
            responses.append(response(name, own, lacking, rng))
    return DeviateResult.of(
        run,
        run.decisions(),
        deviations=tuple(found),
        responses=tuple(responses),
        failed=len(without),
    )


def market_of(config: Mapping[str, Any]) -> PricingConfig:
    """Return the market of the branches: the source's, with as many periods as the longest branch needs.

    Args:
        config: that of `ludens.experiments.pricing.deviations_config.DeviateConfig`, as JSON values.
    """
    source = PricingConfig(**config["played"])
    last = max((point["period"] for point in config["points"]), default=1)
    return source.changed(periods=max(source.periods, last - 1 + config["length"] + config["after"]))


def compared(path: History, branch: History, config: Mapping[str, Any]) -> Deviation:
    """Return what a deviation led to.

    Args:
        path: without the deviation, at least as long as the branch.
        branch: with it.
        config: as of `market_of`: ``length``, ``discount``, ``tolerance`` and ``played``.
    """
    labels = branch.episode.labels
    first, firm = labels["period"] - 1, int(str(labels["deviator"]).rpartition("_")[2])
    start, end = max(0, first - BEFORE), len(branch.prices)
    scale = float(labels["scale"])
    usual, prices = path.prices[:end] / scale, branch.prices / scale
    changes = prices[first:] / usual[first:] - 1
    others = np.delete(changes, firm, axis=1)
    rivals = _row_means(others)
    differs = bool(abs(changes[0, firm]) > _SAME) if np.isfinite(changes[0, firm]) else False
    discount = config["played"]["discount"] if config["discount"] is None else config["discount"]
    after = first + config["length"]
    gain, forever = gains(
        path.profits[first:end, firm], branch.profits[first:, firm], discount, config["length"]
    )
    return Deviation(
        source=labels["source"],
        period=labels["period"],
        replicate=labels["replicate"],
        firm=firm,
        policies=tuple(config["played"]["firms"]),
        start=start + 1,
        path=usual[start:],
        prices=prices[start:],
        forced=_finite(changes[0, firm]),
        answer=_finite(rivals[1]) if differs and len(rivals) > 1 else None,
        cut=_lowest(rivals[1:]) if differs else None,
        gain=gain if differs else None,
        forever=forever if differs else None,
        back=periods_until_back(usual[after:], prices[after:], config["tolerance"]) if differs else None,
        differs=differs,
    )


def gains(
    path: Floats, branch: Floats, discount: float, length: int = 1
) -> tuple[float | None, float | None]:
    """Return the relative gain of a deviation over the periods given, and for ever; see the module.

    Args:
        path: (T,), the deviator's profits from the first forced period on, had it not been forced.
        branch: (T,), those that it made.
        discount: δ in [0, 1).
        length: how many of the periods were forced.

    Returns:
        None for a gain that is not defined, since the path's profits are not above 0 or not known.
    """
    weights = discount ** np.arange(len(path))
    usual, difference = float(weights @ path), float(weights @ (branch - path))
    later = slice(length + (len(path) - length) // 2, None)
    tail = discount ** len(path) / (1 - discount)
    ever_usual = usual + tail * float(np.mean(path[later])) if len(path[later]) else usual
    ever = difference + tail * float(np.mean((branch - path)[later])) if len(path[later]) else difference
    return (
        difference / usual if usual > 0 else None,
        ever / ever_usual if ever_usual > 0 else None,
    )


def periods_until_back(path: Floats, prices: Floats, tolerance: float) -> int | None:
    """Return the first period from which all prices are at the path and stay there; see the module.

    Args:
        path: (T, F), prices without the deviation, from the first period that is not forced.
        prices: (T, F), those with it.
        tolerance: the share of the path's price within which a price is at the path.

    Returns:
        1 for the first of the periods given; None where prices are not back at the end.
    """
    count = len(path)
    cycle = next(
        (length for length in range(1, count // 2 + 1) if _near(path[length:], path[:-length], _SAME).all()),
        None,
    )
    best: int | None = None
    for shift in range(cycle or 1):
        usual = path if cycle is None else path[(np.arange(count) + shift) % cycle]
        away = np.flatnonzero(~_near(prices, usual, tolerance))
        back = int(away[-1]) + 2 if len(away) else 1
        if back <= count and (best is None or back < best):
            best = back
    return best


def response(name: str, found: Sequence[Deviation], failed: int, rng: np.random.Generator) -> Response:
    """Return the means of deviations, with intervals over the runs of the source."""
    some = [each for each in found if each.differs]
    none = "no deviation that changes a price was played to its end"

    def mean(values: Sequence[float | None], why: str) -> Estimate:
        known = [(each.source, value) for each, value in zip(some, values, strict=True) if value is not None]
        if not known:
            return missing(why if some else none)
        return cluster_mean([value for _, value in known], [source for source, _ in known], rng)

    back = [each.back is not None for each in some]
    return Response(
        name,
        deviations=len(some),
        same=len(found) - len(some),
        failed=failed,
        forced=mean([each.forced for each in some], none),
        answer=mean([each.answer for each in some], "the deviator has no rival"),
        cut=mean([each.cut for each in some], "the deviator has no rival"),
        gain=mean([each.gain for each in some], "no profit on the path"),
        forever=mean([each.forever for each in some], "no profit on the path"),
        unprofitable=mean(
            [None if each.gain is None else float(each.gain < 0) for each in some], "no profit on the path"
        ),
        returned=mean([float(each) for each in back], none),
        back=mean([each.back for each in some], "prices never came back"),
    )


DEVIATIONS = (
    Column("source", "integer", "the source's episode"),
    Column("period", "integer", "the first forced period, from 1"),
    Column("firm", "integer", "the firm that was forced, from 0"),
    Column("policy", "text", "its policy"),
    Column("replicate", "integer", "the repetition, from 0"),
    Column("differs", "boolean", "whether the forced price is another one than the path's"),
    Column(
        "forced", "number", "the deviator's price change against the path", "share of the price", "no change"
    ),
    Column("answer", "number", "the rivals' mean in the next period", "share of the price", "no next period"),
    Column("cut", "number", "the lowest mean of rivals in any later period", "share of the price", "none"),
    Column(
        "gain", "number", "the deviator's gain over the periods played", "share of its profit", "undefined"
    ),
    Column("gain_forever", "number", "the same for ever", "share of its profit", "undefined"),
    Column("unprofitable", "boolean", "whether the deviator lost over the periods played", empty="undefined"),
    Column("back", "integer", "periods until prices are back, 1 for the next", "periods", "not within those"),
)
PRICES = (
    Column("source", "integer", "the source's episode"),
    Column("branched", "integer", "the first forced period, from 1"),
    Column("deviator", "integer", "the firm that was forced, from 0"),
    Column("replicate", "integer", "the repetition, from 0"),
    Column("period", "integer", "the period, from 1"),
    Column("firm", "integer", "the firm, from 0"),
    Column("path", "number", "its price without the deviation", "price scale", "absent"),
    Column("price", "number", "its price with the deviation", "price scale", "absent"),
)


def rows_of(found: Sequence[Deviation]) -> Iterator[dict[str, Any]]:
    """Yield one row for each branch: where it was made, and what it led to."""
    for each in found:
        yield {
            "source": each.source,
            "period": each.period,
            "firm": each.firm,
            "policy": each.policies[each.firm],
            "replicate": each.replicate,
            "differs": each.differs,
            "forced": each.forced,
            "answer": each.answer,
            "cut": each.cut,
            "gain": each.gain,
            "gain_forever": each.forever,
            "unprofitable": each.unprofitable,
            "back": each.back,
        }


def price_rows(found: Sequence[Deviation]) -> Iterator[dict[str, Any]]:
    """Yield one row for each branch, period (from 1) and firm: the price with and without the deviation,
    divided by the price scale.
    """
    for each in found:
        for place, firm in np.ndindex(*each.prices.shape):
            yield {
                "source": each.source,
                "branched": each.period,
                "deviator": each.firm,
                "replicate": each.replicate,
                "period": each.start + place,
                "firm": firm,
                "path": _finite(float(each.path[place, firm])),
                "price": _finite(float(each.prices[place, firm])),
            }


def _place(episode: EpisodeRecord) -> tuple[Any, ...]:
    return tuple(episode.labels[name] for name in ("source", "period", "replicate"))


def _near(prices: Floats, others: Floats, share: float) -> NDArray[np.bool_]:
    """(T,): whether all firms' prices lie within a share of the others; a firm that is absent from both "
    "does.
    """
    both = np.isnan(prices) & np.isnan(others)
    with np.errstate(invalid="ignore"):
        near = np.abs(prices - others) <= (share + _SAME) * np.abs(others)
    return np.asarray((near | both).all(axis=1))


def _row_means(values: Floats) -> Floats:
    known = np.isfinite(values)
    with np.errstate(invalid="ignore"):
        return np.asarray(np.where(known, values, 0.0).sum(axis=1) / known.sum(axis=1))


def _lowest(values: Floats) -> float | None:
    known = values[np.isfinite(values)]
    return float(known.min()) if len(known) else None


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
