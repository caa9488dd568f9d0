"""Repeated pricing markets as a study: an episode is one run of a market at one price scale.

Every period all firms decide at once, on what they saw of the periods before and on their own notes; each
decision is kept before the next period is asked for. A run that was killed continues in the middle of
its period, and nothing that was answered is asked again.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from ludens.agents.policy import Decision, Policy
from ludens.agents.pricing.oversight import OVERSEER, threshold_overseer
from ludens.envs import Turn
from ludens.envs.pricing.registration import BERTRAND
from ludens.envs.pricing.schedule import Schedule
from ludens.errors import UsageError
from ludens.experiments.pricing.analysis import ESTIMATES, estimates
from ludens.experiments.pricing.config import PricingConfig
from ludens.experiments.pricing.oversight import REVIEWS, review_rows
from ludens.experiments.pricing.result import (
    PANEL,
    PRODUCTS,
    PricingResult,
    measured,
    panel_rows,
    product_rows,
    to_json,
)
from ludens.experiments.pricing.screening import check_screened
from ludens.experiments.pricing.session import (
    LEADER,
    MarketSession,
    OnPeriod,
    PeriodNews,
    together,
    with_facts,
)
from ludens.experiments.runs.recorder import OnProgress, Recorder
from ludens.experiments.runs.records import EpisodeRecord, EpisodeSpec
from ludens.experiments.runs.run import Run
from ludens.experiments.runs.runner import PlayOne, unplayed
from ludens.experiments.runs.seeds import environment_seed
from ludens.experiments.study.base import Columns, Labels, Rows, Study
from ludens.experiments.study.config import PolicyLike
from ludens.experiments.study.engine import run_study
from ludens.experiments.study.questions import asks_person

if TYPE_CHECKING:
    from rich.console import Console

    from ludens.experiments.report.page import Page


class PricingStudy(Study[PricingConfig, PricingResult]):
    """Policies that price against each other in a repeated market.

    Attributes:
        on_period: called after each period, including those that a resumed run replays.
    """

    config_type = PricingConfig
    title = "policies that price against each other in a repeated market"
    columns: ClassVar[Columns] = {
        "estimates": ESTIMATES,
        "panel": PANEL,
        "products": PRODUCTS,
        "reviews": REVIEWS,
    }
    grows = frozenset({"runs", "scales"})
    # The run of a market in which a firm gives no price stays as it is, and the others go on.
    abort_run: ClassVar[bool] = False

    on_period: OnPeriod | None = None

    @cached_property
    def firms(self) -> tuple[Policy, ...]:
        """The policies in the firms' order.

        Raises:
            UsageError: one cannot be made; the message names its key.
        """
        return self.made("firms", BERTRAND.environment, prefix=self.config.prefix)

    @property
    def keyboard(self) -> bool:
        """Whether a person prices in this terminal."""
        return asks_person(self.config.firms)

    def cast(self) -> Mapping[str, PolicyLike]:
        """Return the policies by seat, and the overseer."""
        overseer = {} if self.config.overseer is None else {"overseer": self.config.overseer}
        return {**dict(zip(self.config.seats, self.config.firms, strict=True)), **overseer}

    @cached_property
    def overseer(self) -> Policy | None:
        """The policy that decides on prices; None where nobody does.

        Raises:
            UsageError: it cannot be made.
        """
        given = self.config.overseer
        if given is None:
            return None
        rule = threshold_overseer(given.get("spec") if isinstance(given, Mapping) else given)
        if rule is not None:
            return rule
        return self.make("overseer", given, **OVERSEER)

    def episodes(self) -> Sequence[Labels]:
        """Return every run of every scale; where learners play, also the session of each firm's training."""
        names = [firm.name for firm in self.firms]
        seats = dict(zip(self.config.seats, names, strict=True))
        return [
            {"firms": names, "scale": scale, "prefix": self.config.prefix, "run": run, **seats}
            | self._sessions(run)
            for scale in self.config.scales
            for run in range(self.config.runs)
        ]

    def _check_products(self, seated: Mapping[str, Policy]) -> None:
        """Refuse policies that price one product where their firms have, or come to have, several.

        Raises:
            UsageError: there is such a policy.
        """
        schedule = Schedule(self.config.scaled(1.0), self.config.scaled_interventions(1.0))
        for number, (seat, policy) in enumerate(seated.items()):
            count = len(schedule.ever_owned(number))
            if count > 1 and not policy.several:
                raise UsageError(
                    f"{policy.name} prices one product, and {seat} sells {count} at some time: seat a policy "
                    "that prices several, such as nash, myopic or fixed:1.7."
                )

    def _sessions(self, run: int) -> dict[str, Any]:
        sessions = [firm.in_run(run).session for firm in self.firms]
        return {} if all(each is None for each in sessions) else {"sessions": sessions}

    def drawn(self, labels: Labels, seeds: np.random.SeedSequence) -> Labels:
        """Return the labels with the ceiling that the episode states."""
        return {**labels, "ceiling": self.config.drawn_ceiling(labels["scale"], seeds)}

    def player(self) -> PlayOne:
        """Return the player of one episode.

        Raises:
            UsageError: a policy cannot be made or may not enter, or the environment does not take the
                configuration.
        """
        seated = dict(zip(self.config.seats, self.firms, strict=True))
        if self.config.screening is not None:
            check_screened(self.firms, self.config.screening)
        overseer = self.overseer
        # So that what cannot be played shows before a file is made.
        self._check_products(seated)
        first = MarketSession(self.config, self.episodes()[0])
        first.reset(0)
        for seat, turn in first.every_turn().items():
            seated[seat].check(with_facts(turn, leader=LEADER) if self.config.moves == "leader" else turn)

        async def play_one(
            spec: EpisodeSpec, recorder: Recorder, seeds: np.random.SeedSequence
        ) -> EpisodeRecord:
            policies = {seat: policy.in_run(spec.labels["run"]) for seat, policy in seated.items()}
            session = MarketSession(self.config, spec.labels)
            session.reset(environment_seed(seeds))
            payoffs = dict.fromkeys(policies, 0.0)
            while turns := session.turns():
                asked = [recorder.decide(policies[seat], turn) for seat, turn in turns.items()]
                decisions = dict(zip(turns, await together(asked), strict=True))
                verdicts: dict[str, Decision] = {}
                again: dict[str, Turn] = {}
                revised: dict[str, Decision] = {}
                if overseer is not None and all(each.action is not None for each in decisions.values()):
                    read = session.reviews(turns, decisions)
                    asked = [recorder.decide(overseer, turn) for turn in read.values()]
                    verdicts = dict(zip(read, await together(asked), strict=True))
                    again = session.revisions(turns, decisions, verdicts)
                    asked = [recorder.decide(policies[seat], turn) for seat, turn in again.items()]
                    revised = dict(zip(again, await together(asked), strict=True))
                for seat, decision in {**decisions, **revised}.items():
                    if decision.action is None:
                        return unplayed(spec, turns[seat], decision, payoffs, policies[seat].name)
                decisions = session.settled(turns, decisions, verdicts, revised)
                for seat, came in self._played(session, decisions, spec).items():
                    payoffs[seat] += came["profit"]
            return EpisodeRecord(spec.index, spec.labels, "done", payoffs)

        return play_one

    def measure(self, run: Run) -> PricingResult:
        """Measure a run as it stands, finished or not."""
        return measured(run)

    def page(self, result: PricingResult) -> Page:
        """Return the report."""
        from ludens.experiments.pricing.page import page

        return page(result)

    def show(self, result: PricingResult, console: Console) -> None:
        """Print the runs, their means and the regression."""
        from ludens.experiments.pricing.terminal import print_result

        print_result(result, console)

    def as_json(self, result: PricingResult) -> dict[str, Any]:
        """Return everything measured as JSON values."""
        return to_json(result)

    def tables(self, result: PricingResult) -> Mapping[str, Rows]:
        """Return every estimate as a row, every firm of every period of every run, and in the same way every
        product where firms have several, and every price that was overseen.
        """
        found = {"estimates": list(estimates(result.analysis)), "panel": list(panel_rows(result.panel))}
        if result.analysis.products:
            found["products"] = list(product_rows(result.panel))
        if result.overseen:
            found["reviews"] = review_rows(result.reviews)
        return found

    @contextmanager
    def watched(self, console: Console, title: str) -> Iterator[OnProgress | None]:
        """Show a bar over all periods, and the current prices of each open run of the market."""
        from ludens.experiments.pricing.terminal import live

        hidden, periods = self.keyboard, self.config.periods
        with live(console, title, periods=periods, hidden=hidden) as (progress, on_period):
            self.on_period = on_period or self.on_period
            yield progress

    def _played(
        self, session: MarketSession, decisions: Mapping[str, Decision], spec: EpisodeSpec
    ) -> dict[str, dict[str, float]]:
        period, came = session.period, session.step(decisions)
        if self.on_period is not None and came:
            prices, profits = (
                {seat: each[name] for seat, each in came.items()} for name in ("price", "profit")
            )
            news = PeriodNews(spec.index, spec.labels, period, self.config.periods, prices, profits)
            self.on_period(news)
        return came


def play_pricing(
    firms: PolicyLike | Sequence[PolicyLike],
    *,
    path: str | os.PathLike[str] | None = None,
    progress: OnProgress | None = None,
    on_period: OnPeriod | None = None,
    **config: Any,
) -> Run:
    """Play runs of a pricing market and store them.

    An episode is one run of the market at one price scale. A firm whose reply stays unreadable ends its
    episode as ``aborted``; it is shown in the tables as such, and the others continue.

    Args:
        firms: one for each firm of the market, or one for all: policies or their names
            (`ludens.agents.make_policy`), as in ``["openai/gpt-5-mini", "nash"]``.
        path: the run's file; None for a new name under ``runs/``.
        progress: called after each decision and each episode.
        on_period: called after each period.
        config: the other keys of `PricingConfig` (``market``, ``scales``, ``runs``, ``periods``, ``prefix``,
            ``seed`` …).

    Raises:
        UsageError: an argument is wrong; nothing was written.
        StoreError: the run cannot be written.
        LudensError: a model cannot be reached; what was played is kept, and
            `ludens.experiments.resume` goes on.
        RunInterrupted: Ctrl-C; what was played is kept.
    """
    study = PricingStudy(PricingConfig(firms=firms, **config))
    study.on_period = on_period
    return run_study(study, path, progress=progress)
