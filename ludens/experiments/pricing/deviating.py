"""Forced deviations: go back to a period of a market, force one firm's price, and let all firms go on.

The test of collusion of Calvano, Calzolari, Denicolò & Pastorello (AER 2020, section IV) for firms of any
kind, language models included: is a cut of the price answered, is it unprofitable for the firm that was
forced, and how long do prices take to come back? High prices alone are no collusion; high prices that a
punishment sustains are.

Each *branch* is an episode. Up to and including its first period it repeats what was decided in the source
run, for free, with the forced price in place of one firm's; after that every firm goes on as itself, on its
own notes and on the prices that it saw. The *path* beside the branches is the same market in which nobody was
forced: the source itself as far as it was played, then asked. Branches and path meet the same demand, and
policies that draw draw the same numbers, so that they differ by what the deviation caused (models answer
anew). A forced firm keeps the notes that it had; it did not choose the price that it sees itself charge.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from ludens.agents.policy import Decision, Policy
from ludens.agents.pricing.rules import priced
from ludens.agents.pricing.view import market_view
from ludens.envs import Turn
from ludens.errors import UsageError
from ludens.experiments.pricing.branch import BranchStudy, firms_of
from ludens.experiments.pricing.deviations import (
    DEVIATIONS,
    NOBODY,
    PRICES,
    DeviateResult,
    market_of,
    measured,
    price_rows,
    rows_of,
)
from ludens.experiments.pricing.deviations_config import BEST_REPLY, DeviateConfig, pointed
from ludens.experiments.pricing.session import MarketSession, together
from ludens.experiments.runs.files import plain
from ludens.experiments.runs.recorder import OnProgress, Recorder
from ludens.experiments.runs.records import EpisodeRecord, EpisodeSpec
from ludens.experiments.runs.run import Run
from ludens.experiments.runs.runner import PlayOne, unplayed
from ludens.experiments.runs.seeds import decision_rng, environment_seed, episode_seeds
from ludens.experiments.study.base import Columns, Labels, Rows
from ludens.experiments.study.connection import ApiBase
from ludens.experiments.study.engine import run_study

if TYPE_CHECKING:
    from rich.console import Console

    from ludens.experiments.report.page import Page

_BRANCH = 3
"""The child of an episode's seeds that further replicates draw from; 0 to 2 are those of the market."""

FORCED, REPEATED = "forced", "repeated"
"""The policies of decisions that were forced, and of those that stand in the source: no firm was asked."""


class DeviateStudy(BranchStudy[DeviateConfig, DeviateResult]):
    """Branches of a pricing run in which one firm is forced to deviate."""

    config_type = DeviateConfig
    title = "a pricing run taken up again after one firm was forced to deviate"
    columns: ClassVar[Columns] = {"deviations": DEVIATIONS, "prices": PRICES}
    grows = frozenset({"replicates"})
    abort_run: ClassVar[bool] = False

    def episodes(self) -> Sequence[Labels]:
        """Return the path and a branch for every deviator at every branching point.

        Raises:
            NoRunError: the source is not a pricing run.
            UsageError: it was not played that far, or has no such firm.
        """
        if not self.config.points:
            # The file of the run says from here on where it branches, however the source grows.
            self.config = self.kept = pointed(self.config)
        config = self.config
        seats = market_of(config.as_json()).seats
        deviators = [seats[firm] for firm in config.deviators or range(len(seats))]
        return [
            {
                "source": point["source"],
                "run": point["run"],
                "period": point["period"],
                "deviator": deviator,
                "replicate": replicate,
                "scale": point["scale"],
                "ceiling": point.get("ceiling"),
            }
            for point in config.points
            for replicate in range(config.replicates)
            for deviator in (NOBODY, *deviators)
        ]

    def player(self) -> PlayOne:
        """Return the player of one branch or path.

        Raises:
            NoRunError: the source is not where it was.
            UsageError: a policy cannot be made, or steps are counted on a grid that the market lacks.
        """
        self.episodes()
        config, seated = self.config, self.policies
        market = market_of(config.as_json())
        if config.to.startswith("step:") and market.price_grid is None:
            raise UsageError(
                f"deviate.to: {config.to!r} counts points of a price grid, and {config.source} has none: "
                "force a price, or a change such as -10%."
            )
        with Run(config.source) as run:
            numbers = {episode.index: episode.labels["run"] for episode in run.episodes()}
            kept = {
                point["source"]: {
                    (record.round, record.agent): record.decision
                    for record in run.decisions(point["source"])
                    if isinstance(record.decision, Decision)
                }
                for point in config.points
            }
        played = {(point["source"], point["period"]): point["played"] for point in config.points}

        async def play_one(
            spec: EpisodeSpec, recorder: Recorder, seeds: np.random.SeedSequence
        ) -> EpisodeRecord:
            labels = spec.labels
            policies = {seat: policy.in_run(labels["run"]) for seat, policy in seated.items()}
            source, first, deviator = labels["source"], labels["period"] - 1, labels["deviator"]
            policies = {seat: policy.in_run(numbers[source]) for seat, policy in seated.items()}
            whole = played[source, labels["period"]]
            if deviator != NOBODY or labels["replicate"]:
                whole = min(whole, first + 1)
            own = episode_seeds(market.seed, source)
            draws = _draws(own, labels["replicate"])
            session = MarketSession(market, labels)
            session.reset(environment_seed(own))
            payoffs = dict.fromkeys(policies, 0.0)
            step, usual = 0, 0.0
            while session.period < first + config.length + config.after and (turns := session.turns()):
                period = session.period
                at = dict(zip(turns, range(step, step + len(turns)), strict=True))
                step += len(turns)
                forced = deviator in turns and first <= period < first + config.length
                if forced and period == first:
                    usual = _usual_price(turns[deviator], kept[source].get((period, deviator)))
                asked = {
                    seat: recorder.decide(
                        _Known(REPEATED, kept[source][period, seat]) if period < whole else policies[seat],
                        turn,
                        decision_rng(draws, seat, at[seat]),
                    )
                    for seat, turn in turns.items()
                    if not (forced and seat == deviator)
                }
                decisions = dict(zip(asked, await together(asked.values()), strict=True))
                for seat, decision in decisions.items():
                    if decision.action is None:
                        return unplayed(spec, turns[seat], decision, payoffs, policies[seat].name)
                if forced:
                    price = _forced(config.to, turns, deviator, decisions, usual)
                    decisions[deviator] = await recorder.decide(_Known(FORCED, price), turns[deviator])
                for seat, came in session.step(decisions).items():
                    payoffs[seat] += came["profit"] if period >= first else 0.0
            return EpisodeRecord(spec.index, labels, "done", payoffs)

        return play_one

    def measure(self, run: Run) -> DeviateResult:
        """Measure a run as it stands, finished or not; the source is not needed."""
        return measured(run)

    def page(self, result: DeviateResult) -> Page:
        """Return the report."""
        from ludens.experiments.pricing.deviations_page import page

        return page(result)

    def show(self, result: DeviateResult, console: Console) -> None:
        """Print the responses."""
        from ludens.experiments.pricing.deviations_page import print_responses

        print_responses(result, console)

    def as_json(self, result: DeviateResult) -> dict[str, Any]:
        """Return the responses and every branch as JSON values."""
        return {
            **result.as_json(),
            "responses": [plain(asdict(each)) for each in result.responses],
            "deviations": [plain(row) for row in rows_of(result.deviations)],
            "failed": result.failed,
        }

    def tables(self, result: DeviateResult) -> Mapping[str, Rows]:
        """Return one row for each branch, and one for each price in it."""
        return {
            "deviations": list(rows_of(result.deviations)),
            "prices": list(price_rows(result.deviations)),
        }


def deviate(
    source: str | os.PathLike[str],
    *,
    path: str | os.PathLike[str] | None = None,
    api_base: ApiBase = None,
    progress: OnProgress | None = None,
    **config: Any,
) -> Run:
    """Go back to a period of a pricing run, force one firm's price, and let all firms go on as themselves.

    Args:
        source: the pricing run's file, finished or not; it must stay where it is until the new run is done.
        path: the new run's file; None for a new name under ``runs/``.
        api_base: where the source's models are reached now, as in `ludens.experiments.resume`.
        progress: called after each decision.
        config: the other keys of `DeviateConfig` (``periods``, ``deviators``, ``to``, ``length``, ``after``,
            ``replicates`` …).

    Raises:
        NoRunError: the source is not a pricing run.
        UsageError: an argument is wrong, or the source was not played that far.
        RunInterrupted: Ctrl-C; `ludens.experiments.resume` goes on.
    """
    if api_base is not None and not config.get("firms"):
        config["firms"] = firms_of(source, api_base)
    return run_study(DeviateStudy(DeviateConfig(source=source, **config)), path, progress=progress)


class _Known(Policy):
    """A decision that is known already, in place of the policy that would be asked."""

    def __init__(self, name: str, decision: Decision) -> None:
        self.name = name
        # Its calls were paid for in the source.
        self._decision = replace(decision, calls=())

    def decide(self, turn: Turn, rng: np.random.Generator) -> Decision:
        """Return the decision."""
        return self._decision


def _draws(source: np.random.SeedSequence, replicate: int) -> np.random.SeedSequence:
    """Return the seeds of decisions: those of the source first, so that what nothing caused stays the "
    "same.
    """
    if replicate == 0:
        return source
    return np.random.SeedSequence(source.entropy, spawn_key=(*source.spawn_key, _BRANCH, replicate))


def _usual_price(turn: Turn, decision: Decision | None) -> float:
    """Return what the firm charged in this period of the source, else its last price, in money."""
    if decision is not None and decision.action is not None:
        return _price(turn, decision)
    view = market_view(turn)
    known = view.prices[np.isfinite(view.prices[:, view.product]), view.product]
    return float(known[-1]) if len(known) else float("nan")


def _forced(
    to: str, turns: Mapping[str, Turn], deviator: str, decisions: Mapping[str, Decision], usual: float
) -> Decision:
    """Return the price that the deviator is forced to, given those that its rivals charge now."""
    turn = turns[deviator]
    if to == BEST_REPLY:
        prices = {
            market_view(turns[seat]).product: _price(turns[seat], each) for seat, each in decisions.items()
        }
        return best_reply(turn, prices)
    if to.endswith("%"):
        return priced(turn, usual * (1 + float(to[:-1]) / 100))
    if to.startswith("step:"):
        place = priced(turn, usual).action
        assert isinstance(place, int)
        return Decision(min(max(place + int(to[5:]), 0), len(turn.options) - 1))
    return priced(turn, float(to) * float(market_view(turn).market.price_scale))


def best_reply(turn: Turn, rivals: Mapping[int, float]) -> Decision:
    """Return the static best reply of the firm at this turn, on its price grid where there is one.

    Args:
        turn: of the firm.
        rivals: the prices of the other products that are on sale in this period, in money.
    """
    view = market_view(turn)
    prices = np.array([rivals.get(product, np.nan) for product in view.active])
    firm = int(view.present.owners[view.place])
    prices[view.place] = view.cost
    if not turn.options:
        return priced(turn, float(view.present.best_response(firm, prices)[view.place]))
    tried = np.tile(prices, (len(turn.options), 1))
    tried[:, view.place] = [float(option.name) for option in turn.options]
    return Decision(turn.options[int(view.present.profits(tried)[:, firm].argmax())].action)


def _price(turn: Turn, decision: Decision) -> float:
    assert decision.action is not None
    options = {option.action: option.name for option in turn.options}
    return float(options[int(decision.action)]) if options else float(decision.action)
