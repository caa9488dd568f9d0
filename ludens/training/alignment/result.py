"""The measurements of an alignment, finished or not, read from its folder without asking anything."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

from ludens.display.notebook import Shown
from ludens.experiments.av import DilemmaMeasures
from ludens.experiments.bench.result import BenchResult, estimates
from ludens.experiments.bench.study import BenchStudy
from ludens.experiments.estimates.answers import of_shares
from ludens.experiments.estimates.profile import Profile, profile
from ludens.experiments.measures.shares import shares_by_policy
from ludens.experiments.runs.records import DecisionRecord, EpisodeRecord
from ludens.experiments.study import engine
from ludens.training.alignment.allowance import is_done
from ludens.training.alignment.files import BASE, BASE_DIRECT, GREEDY, PERSONA, PERSONA_DIRECT, TUNED, Files
from ludens.training.alignment.plan import Plan, read_plan
from ludens.training.data.dataset import DataSet
from ludens.training.evaluation.persistence import Persistence
from ludens.training.evaluation.repeated import RepeatedStudy
from ludens.training.evaluation.scores import Score, Slope, read_exam, score_exam, temptation
from ludens.training.evaluation.sets import CARRIED, SETS
from ludens.training.evaluation.transfer import PAIRS, MarketPath, read_dilemmas, read_market

ALONE: Mapping[str, float] = {"alpha": 0.0, "beta": 0.0}
"""The parameters that are held when κ is estimated alone."""

ORDER = (BASE, BASE_DIRECT, PERSONA, PERSONA_DIRECT, TUNED, GREEDY)


@dataclass(frozen=True)
class Kappa:
    """The estimates of κ from one policy's choices in the published protocols.

    Attributes:
        policy: the policy's label.
        alone: the profile with α and β held at 0.
        free: the profile with α and β free.
    """

    policy: str
    alone: Profile
    free: Profile


@dataclass(frozen=True)
class Sample:
    """A question with the replies of the base and of the tuned model; None where there is no reply."""

    question: str
    base: str | None
    tuned: str | None
    optimal: str


@dataclass(frozen=True, repr=False)
class AlignmentResult(Shown):
    """The measurements of an alignment.

    Attributes:
        folder, plan: its folder and plan.
        scores: the scores of every policy on every set.
        slopes: the slope of cooperation with a cooperating partner in T − R, by policy.
        protocols: all policies on the published protocols, models first; None before anything was asked.
        kappas: the estimates of κ from the protocols, by policy.
        markets: the pricing runs by ``"before"`` and ``"after"``, and those of tables by ``"table, …"``, as
            far as they exist.
        dilemmas: the autonomous-vehicle studies by ``"before"`` and ``"after"``, and ``"after, as tables"``,
            as far as they exist: the model, then the policies to compare with.
        persistence: agreement with the target in repeated games, by policy, wording and partner.
        ability: perplexities by ``"before"`` and ``"after"``; empty if not measured.
        samples: a few questions in full.
        data: counts and settings of the data set; empty before it is built.
        tuning: the record of the training, with the steps and seconds of all rounds; empty before it is done.
        missing: the stages that remain to be done.
    """

    shown_by: ClassVar[str] = "ludens.training.alignment.report:view"

    folder: Path
    plan: Plan
    scores: tuple[Score, ...]
    slopes: tuple[Slope, ...]
    protocols: BenchResult | None
    kappas: tuple[Kappa, ...]
    markets: Mapping[str, MarketPath]
    dilemmas: Mapping[str, tuple[DilemmaMeasures, ...]]
    persistence: tuple[Persistence, ...]
    ability: Mapping[str, Mapping[str, Any]]
    samples: tuple[Sample, ...]
    data: Mapping[str, Any]
    tuning: Mapping[str, Any]
    missing: tuple[str, ...]

    def __repr__(self) -> str:
        left = f"; still to do: {', '.join(self.missing)}" if self.missing else ""
        return f"AlignmentResult({self.plan.base} toward {self.plan.preferences.name}{left})"

    @property
    def files(self) -> Files:
        """The paths of the alignment's files."""
        return Files(self.folder)

    @property
    def policies(self) -> tuple[str, ...]:
        """The policies that were asked anything, in the order of tables."""
        return tuple(who for who in ORDER if any(found.policy == who for found in self.scores))

    def score(self, policy: str, name: str) -> Score | None:
        """Return the score of a policy on a set, or None."""
        return next((m for m in self.scores if (m.policy, m.set) == (policy, name)), None)

    def overall(self, policy: str) -> Score | None:
        """Return the score of a policy on all questions: of several sets together, or of its only one."""
        return self.score(policy, "all") or next((m for m in self.scores if m.policy == policy), None)

    def kappa(self, policy: str) -> Kappa | None:
        """Return the estimates of a policy's κ, or None."""
        return next((found for found in self.kappas if found.policy == policy), None)


def load_result(directory: str | os.PathLike[str]) -> AlignmentResult:
    """Measure an alignment from its folder.

    Raises:
        UsageError: the folder holds no alignment.
    """
    folder = Path(directory)
    plan, files = read_plan(folder), Files(folder)
    exams = [files.run("before", what) for what in ("thinking", "exam")]
    exams += [files.run("after", what) for what in ("exam", "greedy")]
    there = [read_exam(path) for path in exams if path.exists()]
    scores = [
        m
        for episodes, decisions in there
        for m in score_exam(episodes, decisions, plan.preferences, seed=plan.seed)
    ]
    slopes = [s for episodes, decisions in there for s in temptation(episodes, decisions, seed=plan.seed)]
    rank = {who: place for place, who in enumerate(ORDER)}
    places = {name: place for place, name in enumerate((*SETS, *CARRIED, "all"))}
    scores.sort(key=lambda m: (places[m.set], rank[m.policy]))
    slopes.sort(key=lambda s: rank[s.policy])
    runs = [files.run("before", "protocols"), files.run("after", "protocols")]
    runs.append(files.run("after", "greedy-protocols"))
    benches = [engine.load_result(BenchStudy, path) for path in runs if path.exists()]
    return AlignmentResult(
        folder,
        plan,
        tuple(scores),
        tuple(slopes),
        _together(benches),
        tuple(found for result in benches for found in _kappas(result)),
        {name: read_market(path) for name, path in _market_files(files).items() if path.exists()},
        {name: read_dilemmas(path) for name, path in _vehicle_files(files).items() if path.exists()},
        _persistence(files),
        _read(files.ability),
        _samples(there),
        _data(files),
        _tuning(plan, files),
        _missing(plan, files),
    )


def to_json(result: AlignmentResult) -> dict[str, Any]:
    """Return all measurements as JSON values."""
    files = result.files
    return {
        "folder": str(result.folder),
        "report": str(files.report) if files.report.exists() else None,
        "tuned": str(files.tuned) if files.card.exists() else None,
        "gguf": str(files.gguf) if files.gguf.exists() else None,
        "plan": result.plan.to_config(),
        "missing": list(result.missing),
        "data": dict(result.data),
        "tuning": dict(result.tuning),
        "scores": [asdict(found) for found in result.scores],
        "temptation": [{"policy": s.policy, "slope": asdict(s.slope)} for s in result.slopes],
        "kappa": [
            {"policy": found.policy, "alone": _profile_json(found.alone), "free": _profile_json(found.free)}
            for found in result.kappas
        ],
        "protocols": [] if result.protocols is None else list(estimates(result.protocols)),
        "pricing": {when: asdict(path) for when, path in result.markets.items()},
        "vehicles": {when: _dilemmas_json(found[0]) for when, found in result.dilemmas.items()},
        "repeated": [asdict(found) for found in result.persistence],
        "ability": dict(result.ability),
    }


def _dilemmas_json(found: DilemmaMeasures) -> dict[str, Any]:
    shares = {"invalid": asdict(found.invalid["all"]), "refused": asdict(found.refused["all"])}
    approval = {str(number): asdict(estimate) for number, estimate in found.approval.items()}
    named = {name: asdict(getattr(found, name)) for name in ("moral", "buys", "all_gaps", "protection")}
    return {"approval": approval, **named, **shares, "asked": found.asked, "incomplete": found.incomplete}


def _profile_json(found: Profile) -> dict[str, Any]:
    flags = {"open_low": found.open_low, "open_high": found.open_high, "free_of_noise": found.separated}
    return asdict(found.estimate) | flags


def _together(benches: Sequence[BenchResult]) -> BenchResult | None:
    """Combine the benchmarks before and after: all models, then the reference policies once."""
    if not benches:
        return None
    models = tuple(model for result in benches for model in result.models)
    tested = [found for result in benches for found in result.measures if found.policy in result.models]
    references = [found for found in benches[-1].measures if found.policy not in benches[-1].models]
    decisions = tuple(record for result in benches for record in result.decisions)
    return replace(benches[-1], models=models, measures=(*tested, *references), decisions=decisions)


def _kappas(result: BenchResult) -> list[Kappa]:
    found = []
    for who, shares in shares_by_policy(result.decisions).items():
        if who not in result.models:
            continue
        records = [
            each for each in result.decisions if each.labels["policy"] == who and each.question == "choice"
        ]
        answers = of_shares(shares, None, records)
        questions = max(len(shares.found), 1)
        each = max(sum(entry.weight for entry in answers.seen) / questions, 1e-9)
        found.append(
            Kappa(
                who,
                profile(answers, fix=ALONE, per_question=each),
                profile(answers, per_question=each),
            )
        )
    return found


def _samples(
    exams: Sequence[tuple[Sequence[EpisodeRecord], Sequence[DecisionRecord]]], most: int = 3
) -> tuple[Sample, ...]:
    """Return the first held-out questions that the tuned model answered, with the base's replies."""
    replies: dict[tuple[Any, ...], dict[str, DecisionRecord]] = {}
    for _, decisions in exams:
        for record in decisions:
            labels = record.labels
            if labels["set"] == "held-out":
                names = ("family", "node", "framing", "order")
                key = (tuple(labels["payoffs"]), *(labels[name] for name in names))
                replies.setdefault(key, {})[str(labels["policy"])] = record
    found: list[Sample] = []
    for by_policy in replies.values():
        if TUNED in by_policy and by_policy[TUNED].decision.calls and len(found) < most:
            base = by_policy.get(BASE) or by_policy.get(BASE_DIRECT)
            calls = by_policy[TUNED].decision.calls
            call, counted = calls[0], ""
            if len(calls) > 1:
                counted = f", by a vote of {len(calls)} replies, of which this is the first"
            found.append(
                Sample(
                    call.messages[-1]["content"],
                    base.decision.calls[0].reply if base and base.decision.calls else None,
                    call.reply,
                    str(by_policy[TUNED].choice or by_policy[TUNED].decision.status) + counted,
                )
            )
    return tuple(found)


def _data(files: Files) -> dict[str, Any]:
    if not files.data.exists():
        return {}
    data = DataSet.read(files.data)
    sizes = {name: len(examples) for name, examples in data.splits.items()}
    return {"examples": sizes, "hash": data.card.hash, **dict(data.card.settings)}


def _market_files(files: Files) -> dict[str, Path]:
    """Return the pricing runs by name: before and after, and after in markets of tables."""
    found = {when: files.run(when, "pricing") for when in ("before", "after")}
    return found | {f"table, {name}": files.run("after", f"pricing-{name}") for name in PAIRS}


def _persistence(files: Files) -> tuple[Persistence, ...]:
    """Return what was measured in repeated games, before and after."""
    runs = [path for when in ("before", "after") if (path := files.run(when, "repeated")).exists()]
    return tuple(found for path in runs for found in engine.load_result(RepeatedStudy, path).persistence)


def _vehicle_files(files: Files) -> dict[str, Path]:
    found = {when: files.run(when, "vehicles") for when in ("before", "after")}
    return found | {"after, as tables": files.run("after", "vehicles-table")}


def _tuning(plan: Plan, files: Files) -> dict[str, Any]:
    """Return the record of the training; where rounds followed, with the steps and seconds of all of them."""
    last = _read(files.card)
    cards = [
        card for number in range(plan.rounds + 1) if (card := _read(files.round(number) / files.card.name))
    ]
    if not last or len(cards) < 2:
        return last
    losses, steps = [], 0
    for card in cards:
        losses += [[steps + step, loss] for step, loss in card.get("losses", ())]
        steps += card.get("steps", 0)
    seconds = sum(float(card.get("seconds", 0)) for card in cards)
    # Later rounds have the recipe of the first, at half its rate.
    return last | {"losses": losses, "steps": steps, "seconds": seconds, "recipe": cards[0]["recipe"]}


def _read(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _missing(plan: Plan, files: Files) -> tuple[str, ...]:
    stages = ["exam", "protocols"]
    stages += ["repeated"] if plan.sizes.repeated else []
    stages += ["pricing"] if plan.sizes.periods else []
    stages += ["vehicles"] if plan.sizes.studies else []
    wanted = {"data": files.data, "tune": files.card}
    for when in ("before", "after") if plan.sizes.compared else ("after",):
        wanted |= {f"{when}: {what}": files.run(when, what) for what in stages}
    if plan.sizes.compared and plan.sizes.thinking and plan.reasoning != "none":
        wanted["before: thinking"] = files.run("before", "thinking")
    if plan.sizes.greedy:
        wanted |= {f"after: {what}": files.run("after", what) for what in ("greedy", "greedy-protocols")}
    if plan.tabled and plan.sizes.periods:
        wanted |= {f"after: pricing, {name}": files.run("after", f"pricing-{name}") for name in PAIRS}
    if plan.tabled and plan.sizes.studies:
        wanted["after: autonomous vehicles, as tables"] = files.run("after", "vehicles-table")
    if plan.sizes.perplexity:
        wanted["general ability"] = files.ability
    return tuple(
        name
        for name, path in wanted.items()
        if not (is_done(path) if path.suffix == ".db" else path.exists())
    )
