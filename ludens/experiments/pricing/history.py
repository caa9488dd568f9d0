"""The history of a pricing run, replayed from its decisions: prices, quantities, profits, turns.

Quantities and profits are not stored; they follow from the prices and the episode's seeds.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ludens.agents.policy import Decision
from ludens.agents.pricing.oversight import PRICE, REVIEW, REVISION
from ludens.envs import Turn
from ludens.envs.pricing.theory.market import AnyMarket
from ludens.experiments.pricing.config import PricingConfig, pricing_config
from ludens.experiments.pricing.session import MarketSession
from ludens.experiments.runs.records import DecisionRecord, EpisodeRecord
from ludens.experiments.runs.run import Run
from ludens.experiments.runs.seeds import environment_seed, episode_seeds

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class History:
    """The history of one episode. T periods were played by F firms with J products.

    Attributes:
        episode: how it stands.
        market: at the episode's scale.
        prices: (T, F), in money, means over a firm's products; NaN for a firm that was not in the market.
        products: (T, 2, J), price and quantity of each product; NaN for those not on sale.
        quantities, profits, fines: (T, F), in units and in money; profits are less fines.
        welfare: (T, 2), consumer surplus and efficient total surplus, in money.
        decisions: by (period, firm), the last period's of an aborted episode among them.
    """

    episode: EpisodeRecord
    market: AnyMarket
    prices: Floats
    quantities: Floats
    profits: Floats
    fines: Floats
    welfare: Floats
    products: Floats
    decisions: dict[tuple[int, int], Decision]


def histories(run: Run) -> list[History]:
    """Return every episode of a pricing run, as far as it was played, without asking anything.

    Raises:
        NoRunError: the run is not one of a pricing market.
    """
    config = pricing_config(run)
    return [history(run, config, episode) for episode in run.episodes()]


def periods_of(
    run: Run, config: PricingConfig, episode: EpisodeRecord, seeds: np.random.SeedSequence | None = None
) -> Iterator[tuple[MarketSession, dict[str, Turn], dict[str, Decision]]]:
    """Yield the market before each period, the turns in it, and the decisions whose prices were charged; the
    last period may lack decisions, or hold those that oversight has not settled.

    Args:
        run: that holds the decisions.
        config: of the market.
        episode: of the run.
        seeds: of the market; None for those of the episode's number, as in a pricing run.
    """
    table = MarketSession(config, episode.labels)
    table.reset(environment_seed(seeds or episode_seeds(config.seed, episode.index)))
    kept = {(record.round, record.agent, record.node): record for record in run.decisions(episode.index)}

    def made(seats: Iterable[str], node: str) -> dict[str, Decision]:
        asked = {seat: kept.get((table.period, seat, node)) for seat in seats}
        return {seat: _decision(record) for seat, record in asked.items() if record is not None}

    while turns := table.turns():
        decided = made(turns, PRICE)
        whole = len(decided) == len(turns) and all(each.action is not None for each in decided.values())
        if whole:
            read = table.reviews(turns, decided)
            verdicts = made(read, REVIEW)
            again = table.revisions(turns, decided, verdicts)
            revised = made(again, REVISION)
            whole = len(verdicts) == len(read) and len(revised) == len(again)
            if any(each.action is None for each in revised.values()):
                decided, whole = {**decided, **revised}, False
            if whole:
                decided = table.settled(turns, decided, verdicts, revised)
        yield table, turns, decided
        if not whole:
            return
        table.step(decided)


def history(
    run: Run, config: PricingConfig, episode: EpisodeRecord, seeds: np.random.SeedSequence | None = None
) -> History:
    """Return one episode as far as it was played; arguments as in `periods_of`."""
    seats = list(config.seats)
    decisions: dict[tuple[int, int], Decision] = {}
    played: list[dict[str, dict[str, float]]] = []
    products: list[Floats] = []
    welfare: list[tuple[float, float]] = []
    for table, _, decided in periods_of(run, config, episode, seeds):
        played, products, welfare = table.played, table.products, table.welfare
        decisions |= {(table.period, seats.index(seat)): each for seat, each in decided.items()}

    def column(name: str) -> Floats:
        rows = [[period.get(seat, {}).get(name, np.nan) for seat in seats] for period in played]
        return np.array(rows, dtype=np.float64).reshape(len(rows), len(seats))

    market = config.scaled(float(episode.labels["scale"]))
    return History(
        episode,
        market,
        prices=column("price"),
        quantities=column("quantity"),
        profits=column("profit"),
        fines=column("fine"),
        welfare=np.array(welfare).reshape(len(welfare), 2),
        products=np.array(products).reshape(len(products), 2, market.products),
        decisions=decisions,
    )


def _decision(record: DecisionRecord) -> Decision:
    assert isinstance(record.decision, Decision)
    return record.decision
