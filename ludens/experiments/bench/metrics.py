"""What a run of the preference suite says of each policy, every number with its 95 % interval and its n.

*Cooperation* is the share of the family's prosocial option; *incentive sensitivity* is its slope in the
temptation T − R and in the risk P − S. Agreement with the oracles and regret against them are defined in
`ludens.experiments.bench.comparisons`.

Framings weigh the same wherever several were asked. Nothing is imputed: a question without usable answers
in every order of its options is left out and counted.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from ludens.envs import LIBRARY, find_game
from ludens.experiments.bench.comparisons import KAPPAS, Beliefs, Comparison, compare
from ludens.experiments.bench.rationality import Rationality, rationality
from ludens.experiments.estimates.answers import Beliefs as EstimateBeliefs
from ludens.experiments.estimates.answers import of_shares
from ludens.experiments.estimates.revealed import Revealed, reveal
from ludens.experiments.measures.answer_mass import AnswerMass, answer_mass, choices_read
from ludens.experiments.measures.costs import Costs, costs
from ludens.experiments.measures.intervals import (
    Estimate,
    cluster_mean,
    cluster_slopes,
    missing,
    wider,
    wilson,
)
from ludens.experiments.measures.refusals import Refusals, refusals
from ludens.experiments.measures.shares import Share, Shares, shares_by_policy
from ludens.experiments.runs.records import DecisionRecord
from ludens.preferences.beliefs import BeliefError


@dataclass(frozen=True)
class Cooperation:
    """Share of the prosocial option at one node of a family, over its protocols and the framings."""

    family: str
    node: str
    option: str
    rate: Estimate


@dataclass(frozen=True)
class Sensitivity:
    """Change of the cooperation rate per 10 points of T − R and of P − S, from one regression on both.

    `node` is None for all nodes of the family together, each with a constant of its own.
    """

    family: str
    node: str | None
    temptation: Estimate
    risk: Estimate


@dataclass(frozen=True)
class Measures:
    """All that is measured of one policy.

    Attributes:
        overall: cooperation over all questions asked.
        cells: cooperation by protocol and node, as a plain number, for pictures.
        order_consistency: 1 minus the mean total variation distance between a question's answers under
            different orders of the options. Single draws differ by chance as well: with one replicate this is
            the share of questions answered alike.
        framing_consistency: the same between framings, orders averaged out.
        first_shown: probability of the option that stood first, orders balanced; away from 1/number of
            options it is position bias. By framing too, in `first_by_framing`.
        invalid, refused, low_mass: shares of the choices asked.
        refusals: the refusals of choices by reason.
        beliefs_unread: share of the belief questions without a usable answer.
        answer_mass: where choices were read from log-probabilities, how much of the model's probability lay
            on any of the options; the rest went to other words. Far below 1, the choice was forced on a model
            that was about to say something else. By framing and by protocol too, in `mass_by_framing` and
            `mass_by_protocol`; the latter, and `mass` over all of them, with the lowest and with how much was
            sampled instead.
        rationality: whether answers repeat, what moves them, and how many games some preferences explain.
        incomplete: questions × framings left out of `asked` because an order has no usable answer.
        revealed: the preferences (α, β, κ, λ) that the choices reveal under uniform beliefs, under those of
            equilibrium where that was requested and every game has one, and under the policy's own where it
            was asked.
    """

    policy: str
    overall: Estimate
    cooperation: tuple[Cooperation, ...]
    by_family: Mapping[str, Estimate]
    by_framing: Mapping[str, Estimate]
    cells: Mapping[tuple[str, str], float]
    sensitivity: tuple[Sensitivity, ...]
    comparisons: tuple[Comparison, ...]
    order_consistency: Estimate
    framing_consistency: Estimate
    first_shown: Estimate
    first_by_framing: Mapping[str, Estimate]
    invalid: Estimate
    refused: Estimate
    low_mass: Estimate
    refusals: tuple[Refusals, ...]
    beliefs_unread: Estimate
    answer_mass: Estimate
    mass_by_framing: Mapping[str, Estimate]
    mass: AnswerMass
    mass_by_protocol: Mapping[str, AnswerMass]
    costs: Costs
    asked: int
    incomplete: int
    rationality: Rationality
    revealed: tuple[Revealed, ...]

    def comparison(self, kappa: float, beliefs: Beliefs = "uniform") -> Comparison | None:
        """Return the comparison with that oracle, or None if it was not made."""
        matches = (entry for entry in self.comparisons if (entry.kappa, entry.beliefs) == (kappa, beliefs))
        return next(matches, None)


def measure(
    decisions: Sequence[DecisionRecord],
    planned: Iterable[Mapping[str, Any]] = (),
    *,
    kappas: Sequence[float] = KAPPAS,
    seed: int = 0,
    equilibrium: Collection[str] = (),
) -> tuple[Measures, ...]:
    """Measure every policy in the decisions of a suite, in order of appearance.

    Args:
        decisions: of a run of the preference suite, choices and beliefs.
        planned: labels of all episodes of the run (see `shares_by_policy`).
        kappas: weights of the oracles to compare with.
        seed: of the bootstrap. An interval depends on the policy's own answers alone, not on who else was
            asked.
        equilibrium: labels of policies whose preferences are estimated under equilibrium beliefs too.
    """
    choices = shares_by_policy(decisions, planned)
    beliefs = shares_by_policy(decisions, question="belief")
    return tuple(
        _measures(
            shares,
            beliefs.get(policy),
            [record for record in decisions if record.labels["policy"] == policy],
            kappas,
            seed,
            equilibrium=policy in equilibrium,
        )
        for policy, shares in choices.items()
    )


def _measures(
    shares: Shares,
    beliefs: Shares | None,
    records: Sequence[DecisionRecord],
    kappas: Sequence[float],
    seed: int,
    *,
    equilibrium: bool,
) -> Measures:
    choices = [record for record in records if record.question == "choice"]
    asked_beliefs = [record for record in records if record.question == "belief"]
    stream = _Streams(shares.policy, seed)
    # Where no option is the cooperative one, as in an auction, there is no rate of cooperation.
    social = [share for share in shares.found if share.node in LIBRARY[share.family].prosocial]
    framings = list(dict.fromkeys(share.framing for share in shares.found))
    in_framing = {
        framing: [share for share in shares.found if share.framing == framing] for framing in framings
    }
    families = list(dict.fromkeys(share.family for share in social))
    in_family = {name: [share for share in social if share.family == name] for name in families}
    social_in = {name: [share for share in social if share.framing == name] for name in framings}
    own = list(beliefs.found) if beliefs else []
    return Measures(
        policy=shares.policy,
        overall=_rate(social, stream("overall")),
        cooperation=tuple(_cooperation(social, stream)),
        by_family={name: _rate(found, stream("family", name)) for name, found in in_family.items()},
        by_framing={name: _rate(found, stream("framing", name)) for name, found in social_in.items()},
        cells=_cells(social),
        sensitivity=tuple(_sensitivities(social, stream)),
        comparisons=tuple(
            compare(shares, own, kappa, kind, stream(kind, str(kappa)))
            for kind in (("uniform", "own") if own else ("uniform",))
            for kappa in kappas
        ),
        order_consistency=_order_consistency(shares.found, stream("orders")),
        framing_consistency=_framing_consistency(shares.found, stream("framings")),
        first_shown=_first_shown(shares.found, stream("first")),
        first_by_framing={
            name: _first_shown(found, stream("first", name)) for name, found in in_framing.items()
        },
        invalid=wilson(sum(record.decision.status == "invalid" for record in choices), len(choices)),
        refused=wilson(sum(record.decision.status == "refused" for record in choices), len(choices)),
        low_mass=wilson(sum(record.decision.status == "low_mass" for record in choices), len(choices)),
        refusals=refusals(choices),
        beliefs_unread=wilson(
            sum(record.decision.status != "valid" for record in asked_beliefs), len(asked_beliefs)
        ),
        answer_mass=_answer_mass(choices, stream("mass")),
        mass_by_framing={
            name: _answer_mass(
                [record for record in choices if record.labels["framing"] == name], stream("mass", name)
            )
            for name in framings
        },
        mass=answer_mass(choices),
        mass_by_protocol={
            name: mass
            for name in dict.fromkeys(str(record.protocol) for record in choices)
            if (mass := answer_mass(record for record in choices if record.protocol == name)).weighed
        },
        costs=costs(records),
        asked=shares.asked,
        incomplete=shares.incomplete,
        rationality=rationality(choices, shares.found, seed=seed),
        revealed=tuple(_revealed(shares, beliefs, choices, seed, equilibrium=equilibrium, own=bool(own))),
    )


def _revealed(
    shares: Shares,
    stated: Shares | None,
    choices: Sequence[DecisionRecord],
    seed: int,
    *,
    equilibrium: bool,
    own: bool,
) -> Iterator[Revealed]:
    kinds: dict[EstimateBeliefs, bool] = {"uniform": True, "equilibrium": equilibrium, "own": own}
    for kind, wanted in kinds.items():
        if wanted:
            try:
                answers = of_shares(shares, stated, choices, kind)
            except BeliefError:  # a game has several equilibria, or none
                continue
            # A check of the others: it needs no intervals as exact as theirs, which take ten times as long.
            yield reveal(answers, beliefs=kind, seed=seed, ratios=kind != "equilibrium")


class _Streams:
    """A generator for each estimate, by its name: adding one estimate leaves the intervals of the others
    alone.
    """

    def __init__(self, policy: str, seed: int) -> None:
        self._policy, self._seed = policy, seed

    def __call__(self, *names: str) -> np.random.Generator:
        return np.random.default_rng(
            [self._seed, crc32("\0".join((self._policy, *names)).encode("utf-8", "surrogatepass"))]
        )


def _prosocial(share: Share) -> float:
    return float(share.probabilities[share.options.index(LIBRARY[share.family].prosocial[share.node])])


def _rate(shares: Sequence[Share], rng: np.random.Generator) -> Estimate:
    """Cooperation over these shares, bootstrapped over questions; where answers were sampled, with the wider
    of that interval and Wilson's.
    """
    if not shares:
        return missing("no question was answered in every order")
    values = [_prosocial(share) for share in shares]
    over_questions = cluster_mean(values, [share.question for share in shares], rng)
    if all(share.exact for share in shares):
        return over_questions
    answers = sum(share.answers for share in shares)
    return wider(wilson(float(np.mean(values)) * answers, answers), over_questions)


def _nodes(shares: Sequence[Share]) -> dict[tuple[str, str], list[Share]]:
    groups: dict[tuple[str, str], list[Share]] = {}
    for share in shares:
        groups.setdefault((share.family, share.node), []).append(share)
    return groups


def _cooperation(shares: Sequence[Share], stream: _Streams) -> Iterable[Cooperation]:
    for (family, node), group in _nodes(shares).items():
        yield Cooperation(
            family, node, LIBRARY[family].prosocial[node], _rate(group, stream("rate", family, node))
        )


def _cells(shares: Sequence[Share]) -> dict[tuple[str, str], float]:
    cells: dict[tuple[str, str], list[float]] = {}
    for share in shares:
        cells.setdefault(share.question, []).append(_prosocial(share))
    return {question: float(np.mean(values)) for question, values in cells.items()}


def _sensitivities(shares: Sequence[Share], stream: _Streams) -> Iterable[Sensitivity]:
    for family in dict.fromkeys(share.family for share in shares):
        if not {"T", "R", "P", "S"} <= set(LIBRARY[family].parameters):
            continue
        of_family = [share for share in shares if share.family == family]
        nodes = list(dict.fromkeys(share.node for share in of_family))
        yield _sensitivity(of_family, family, None, stream("slope", family))
        for node in nodes:
            of_node = [share for share in of_family if share.node == node]
            yield _sensitivity(of_node, family, node, stream("slope", family, node))


def _sensitivity(
    shares: Sequence[Share], family: str, node: str | None, rng: np.random.Generator
) -> Sensitivity:
    numbers = [find_game(share.protocol).parameters for share in shares]
    incentives = [[(p["T"] - p["R"]) / 10, (p["P"] - p["S"]) / 10] for p in numbers]
    nodes = list(dict.fromkeys(share.node for share in shares))
    constants = [[float(share.node == name) for name in nodes] for share in shares]
    slopes = cluster_slopes(
        [_prosocial(share) for share in shares],
        np.concatenate([np.array(incentives), np.array(constants)], axis=1),
        [share.question for share in shares],
        rng,
    )
    return Sensitivity(family, node, slopes[0], slopes[1])


def _alike(distributions: Sequence[NDArray[np.float64]]) -> float:
    """1 minus the mean total variation distance over all pairs."""
    distances = [0.5 * float(np.abs(one - other).sum()) for one, other in combinations(distributions, 2)]
    return 1 - float(np.mean(distances))


def _order_consistency(shares: Sequence[Share], rng: np.random.Generator) -> Estimate:
    several = [share for share in shares if len(share.by_order) > 1]
    if not several:
        return missing("asked in one order only")
    alike = [_alike(list(share.by_order)) for share in several]
    return cluster_mean(alike, [share.question for share in several], rng)


def _framing_consistency(shares: Sequence[Share], rng: np.random.Generator) -> Estimate:
    framings: dict[tuple[str, str], list[NDArray[np.float64]]] = {}
    for share in shares:
        framings.setdefault(share.question, []).append(share.probabilities)
    several = {question: found for question, found in framings.items() if len(found) > 1}
    if not several:
        return missing("asked in one framing only")
    return cluster_mean([_alike(found) for found in several.values()], list(several), rng)


def _first_shown(shares: Sequence[Share], rng: np.random.Generator) -> Estimate:
    shown = [(share, share.first) for share in shares if share.first is not None]
    if not shown:
        return missing("no text was shown")
    first = [float(np.mean(share.by_order[np.arange(len(places)), places])) for share, places in shown]
    return cluster_mean(first, [share.question for share, _ in shown], rng)


def _answer_mass(choices: Sequence[DecisionRecord], rng: np.random.Generator) -> Estimate:
    read = [(mass, (record.protocol, record.node)) for mass, record in choices_read(choices)]
    if not read:
        return missing("no choice was read from log-probabilities")
    return cluster_mean([mass for mass, _ in read], [question for _, question in read], rng)
