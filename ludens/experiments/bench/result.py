"""A benchmark as measured, and its estimates as rows, JSON and CSV."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any

from ludens.experiments.bench.metrics import Measures, measure
from ludens.experiments.bench.rationality import over_settings, variance_shares
from ludens.experiments.estimates.differences import PolicyDifference, policy_differences, rows_of
from ludens.experiments.measures.intervals import ESTIMATE_COLUMNS, Estimate
from ludens.experiments.measures.reliability import Reliability
from ludens.experiments.report.result import RunResult
from ludens.experiments.runs.columns import Column
from ludens.experiments.runs.run import Run


@dataclass(frozen=True, kw_only=True, repr=False)
class BenchResult(RunResult):
    """A benchmark as measured.

    Attributes:
        models: labels of the policies under test; the other measures are of reference policies.
        measures: one per policy, models first.
        over_settings: what moves the answers of each model that was asked under several formats, or with and
            without reasoning, over all of them; under the name that tables give it.
    """

    models: tuple[str, ...]
    measures: tuple[Measures, ...]
    over_settings: Mapping[str, Reliability] = field(default_factory=dict)

    @property
    def reliabilities(self) -> Mapping[str, Reliability]:
        """How far answers repeat and what moves them: of every policy, then over the settings of models."""
        each = {found.policy: found.rationality.reliability for found in self.measures}
        return {**each, **self.over_settings}

    @cached_property
    def differences(self) -> tuple[PolicyDifference, ...]:
        """The differences between the preferences of the models under test, under uniform beliefs and under
        their own where they were asked.
        """
        tested = [found for found in self.measures if found.policy in self.models]
        return tuple(
            gap
            for kind in ("uniform", "own")
            for gap in policy_differences(
                [entry for found in tested for entry in found.revealed if entry.beliefs == kind]
            )
        )

    @property
    def table(self) -> list[dict[str, Any]]:
        """The summary, one row per policy: name, whether it is a reference, and its main estimates."""
        return [_row(found, found.policy in self.models) for found in self.measures]


def measured(run: Run, models: Mapping[str, Mapping[str, Any]], policies: Sequence[str]) -> BenchResult:
    """Measure a benchmark as it stands on disk, finished or not, without asking anything.

    Args:
        run: of the benchmark.
        models: specifications of the policies under test, by label.
        policies: labels of all policies, in the order of the tables.
    """
    decisions, labels = run.decisions(), [episode.labels for episode in run.episodes()]
    seed = run.manifest["seed"]
    measures = measure(decisions, labels, seed=seed, equilibrium=models)
    choices = [record for record in decisions if record.question == "choice"]
    return BenchResult.of(
        run,
        decisions,
        models=tuple(models),
        over_settings=over_settings(choices, models, seed=seed),
        # A run that was extended holds the questions of its later models behind those of the references.
        measures=tuple(sorted(measures, key=lambda found: policies.index(found.policy))),
    )


def to_json(result: BenchResult) -> dict[str, Any]:
    """Return everything measured as JSON values: the run, how it came about, and every estimate of every
    policy.
    """
    return {
        **result.as_json(),
        "models": list(result.models),
        "estimates": list(estimates(result)),
        "differences": list(rows_of(result.differences)),
        "answer_mass": list(answer_masses(result)),
        "refusals": {
            found.policy: [asdict(each) for each in found.refusals]
            for found in result.measures
            if found.refusals
        },
        "costs": {found.policy: asdict(found.costs) for found in result.measures},
    }


ESTIMATES = (
    Column("policy", "text", "the policy's label, or those of one model that was asked in several ways"),
    Column("measure", "text", "what is measured (`cooperation`, `agreement`, `regret`, `refused` …)"),
    Column("family", "text", "the family of games", empty="all games"),
    Column("node", "text", "the decision node", empty="all nodes"),
    Column("framing", "text", "the framing", empty="all framings"),
    Column("kappa", "number", "κ of the oracle that the choices are compared with", empty="no oracle"),
    Column(
        "beliefs",
        "text",
        "beliefs of the oracle or of preferences: `uniform`, `equilibrium` or `own`",
        empty="no beliefs",
    ),
    Column("other", "text", "the policy whose preferences are subtracted", empty="no difference"),
    *ESTIMATE_COLUMNS,
)
ANSWER_MASSES = (
    Column("policy", "text", "the model's label"),
    Column("protocol", "text", "the protocol"),
    Column(
        "answer_mass", "number", "mean probability on any of the options", "share", "no choice was read so"
    ),
    Column("lowest", "number", "the lowest of them", "share", "no choice was read so"),
    Column("choices", "integer", "choices that were read from log-probabilities"),
    Column("weighed", "integer", "decisions for which log-probabilities came"),
    Column("sampled", "integer", "of those, how many were sampled instead"),
    Column("low_mass", "integer", "of those, how many ended as low mass"),
)


def estimates(result: BenchResult) -> Iterator[dict[str, Any]]:
    """Yield every estimate as one row: policy, measure, what it is of (family, node, framing, κ, beliefs,
    other policy; None where it is of all), value, the interval's ends, n, clusters, method and note.
    """
    for found in result.measures:
        for name in _PLAIN:
            yield _entry(found.policy, name, getattr(found, name))
        for cooperation in found.cooperation:
            place = {"family": cooperation.family, "node": cooperation.node}
            yield _entry(found.policy, "cooperation", cooperation.rate, **place)
        for family, estimate in found.by_family.items():
            yield _entry(found.policy, "cooperation", estimate, family=family)
        for name, by_framing in (
            ("cooperation", found.by_framing),
            ("first_shown", found.first_by_framing),
            ("answer_mass", found.mass_by_framing),
        ):
            for framing, estimate in by_framing.items():
                yield _entry(found.policy, name, estimate, framing=framing)
        for slope in found.sensitivity:
            at: dict[str, str | None] = {"family": slope.family, "node": slope.node}
            yield _entry(found.policy, "temptation_slope", slope.temptation, **at)
            yield _entry(found.policy, "risk_slope", slope.risk, **at)
        for comparison in found.comparisons:
            oracle = {"kappa": comparison.kappa, "beliefs": comparison.beliefs}
            yield _entry(found.policy, "agreement", comparison.agreement, **oracle)
            yield _entry(found.policy, "regret", comparison.regret, **oracle)
        yield from _repeating(found.policy, found.rationality.reliability)
        yield _entry(found.policy, "rationalised", found.rationality.rationalised)
        for revealed in found.revealed:
            # Those under equilibrium beliefs are a check of the others, and are not taken for them.
            of = "equilibrium_preferences" if revealed.beliefs == "equilibrium" else "preferences"
            for name, estimate in {**revealed.parameters, **revealed.lapses}.items():
                yield _entry(found.policy, f"{of}_{name}", estimate, beliefs=revealed.beliefs)
    for model, reliability in result.over_settings.items():
        yield from _repeating(model, reliability)
    for gap in result.differences:
        for name in gap.gaps:
            between = {"beliefs": gap.beliefs, "other": gap.other}
            yield _entry(gap.policy, f"difference_{name}", gap.estimate(name), **between)


def answer_masses(result: BenchResult) -> Iterator[dict[str, Any]]:
    """Yield the answer mass of every model on every protocol as one row: policy, protocol, the mean and the
    lowest answer mass of the choices that were read from log-probabilities, how many those are, for how many
    decisions log-probabilities came, and how many of them were sampled instead or ended as low mass. Policies
    without log-probabilities have no rows.
    """
    for found in result.measures:
        for protocol, mass in found.mass_by_protocol.items():
            yield {
                "policy": found.policy,
                "protocol": protocol,
                "answer_mass": mass.mean,
                "lowest": mass.lowest,
                "choices": mass.choices,
                "weighed": mass.weighed,
                "sampled": mass.sampled,
                "low_mass": mass.low_mass,
            }


_PLAIN = (
    "overall",
    "order_consistency",
    "framing_consistency",
    "first_shown",
    "invalid",
    "refused",
    "low_mass",
    "beliefs_unread",
    "answer_mass",
)


def _repeating(policy: str, found: Reliability) -> Iterator[dict[str, Any]]:
    yield _entry(policy, "retest_icc", found.icc)
    for name, value in variance_shares(found).items():
        yield _entry(policy, f"variance_{name}", Estimate(value, n=found.answers))


_OF = ("family", "node", "framing", "kappa", "beliefs", "other")


def _entry(policy: str, name: str, estimate: Estimate, **of: Any) -> dict[str, Any]:
    place = {key: of.get(key) for key in _OF}
    return {"policy": policy, "measure": name} | place | asdict(estimate)


def _row(found: Measures, tested: bool) -> dict[str, Any]:
    economicus, moralis = found.comparison(0.0), found.comparison(0.5)
    assert economicus is not None
    assert moralis is not None
    return {
        "policy": found.policy,
        "reference": not tested,
        "cooperation": found.overall,
        "agreement_economicus": economicus.agreement,
        "agreement_moralis": moralis.agreement,
        "regret_economicus": economicus.regret,
        "regret_moralis": moralis.regret,
        "order_consistency": found.order_consistency,
        "framing_consistency": found.framing_consistency,
        "first_shown": found.first_shown,
        "invalid": found.invalid,
        "refused": found.refused,
        "low_mass": found.low_mass,
        "answer_mass": found.answer_mass,
        "decisions": found.costs.decisions,
        **dict(found.revealed[0].parameters),
        "cost": found.costs.cost,
        "call_seconds": found.costs.call_seconds,
    }
