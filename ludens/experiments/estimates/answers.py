"""A run's answers as choices: what each policy chose at the nodes of games, with the beliefs it is taken to
hold.

Answers are taken node by node: a policy is asked at each node by itself, so that of its joint distribution
over strategies only the marginals are seen (see `ludens.preferences.estimation.data.games`). Of a
benchmark, a question whose options were not answered in every order is left out, and the orders of the
others weigh the same, so that a liking for the first place does not pass for a preference. An answer that
told its whole distribution is a fractional choice of weight 1, and asking it again adds nothing. Nothing is
imputed: invalid and refused answers are counted, never used.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from ludens.agents.policy import Decision
from ludens.envs import PROTOCOLS, GameTree, Strategy, make_env, uniform_strategy
from ludens.errors import UsageError
from ludens.experiments.measures.shares import Share, Shares, shares_by_policy
from ludens.experiments.runs.records import DecisionRecord
from ludens.experiments.runs.run import Run

if TYPE_CHECKING:
    from ludens.preferences.estimation.data.choices import Choices
    from ludens.preferences.estimation.models.linear import Model

Beliefs = Literal["uniform", "own"]

BENCH_CLUSTERS = "game × framing × order"


@dataclass(frozen=True, eq=False)
class PolicyAnswers:
    """What one policy answered, before a model says which attributes matter.

    Attributes:
        policy: its label.
        seen: game, belief, column of the option in a strategy vector, weight and cluster of every answer's
            part.
        exact: whether all answers told their whole distribution, so that none has sampling error.
        answers: usable answers.
        invalid, refused: answers that could not be read, or were declined.
        left_out: usable answers that were not used, with no counterpart under other orders, or without
            beliefs.
        clustered_by: what a cluster is.
    """

    policy: str
    seen: tuple[Seen, ...]
    exact: bool
    answers: int
    invalid: int
    refused: int
    left_out: int
    clustered_by: str


@dataclass(frozen=True, eq=False)
class Seen:
    """One option taken, with a weight: a choice counts 1, a probability its value."""

    game: GameTree
    belief: Strategy
    column: int
    weight: float
    cluster: str


def bench_answers(
    decisions: Sequence[DecisionRecord],
    planned: Sequence[Mapping[str, Any]] = (),
    beliefs: Beliefs = "uniform",
) -> tuple[PolicyAnswers, ...]:
    """The answers of each policy of a benchmark, in order of appearance.

    Args:
        decisions: of a run of the preference suite, choices and beliefs.
        planned: labels of all its episodes.
        beliefs: the others choose at random, or as the policy said where it was asked; protocols of which it
            did not say it at every node are left out.
    """
    choices = shares_by_policy(decisions, planned)
    stated = shares_by_policy(decisions, question="belief") if beliefs == "own" else {}
    return tuple(
        of_shares(shares, stated.get(policy), _of_policy(decisions, policy), beliefs)
        for policy, shares in choices.items()
    )


def of_shares(
    shares: Shares, stated: Shares | None, records: Sequence[DecisionRecord], beliefs: Beliefs = "uniform"
) -> PolicyAnswers:
    """The answers of one policy of a benchmark; `records` are its choices, for counting."""
    from ludens.experiments.bench.comparisons import strategies

    believed = strategies(stated.found) if stated is not None else {}
    seen: list[Seen] = []
    used = 0
    for share in shares.found:
        game = PROTOCOLS[share.protocol]
        belief = (
            uniform_strategy(game) if beliefs == "uniform" else believed.get((share.protocol, share.framing))
        )
        if belief is None:
            continue
        used += share.answers
        seen += _of_share(share, game, belief)
    usable = sum(record.decision.status == "valid" for record in records)
    return PolicyAnswers(
        shares.policy,
        tuple(seen),
        all(share.exact for share in shares.found),
        usable,
        sum(record.decision.status == "invalid" for record in records),
        sum(record.decision.status == "refused" for record in records),
        usable - used,
        BENCH_CLUSTERS,
    )


def run_answers(run: Run, beliefs: Beliefs = "uniform") -> tuple[PolicyAnswers, ...]:
    """The answers of each policy of a run, of `ludens bench` or of `ludens play`.

    Of a play, answers are clustered by episode, and every round counts as if the game were played once.

    Raises:
        UsageError: the run is of another kind, or of a game that is no tree.
    """
    manifest, decisions = run.manifest, run.decisions()
    if manifest["kind"] == "bench":
        if beliefs == "own" and not any(record.question == "belief" for record in decisions):
            raise UsageError(
                f"{run.path} holds no stated beliefs: `ludens bench --beliefs` asks models for them; give "
                f"uniform ones."
            )
        return bench_answers(decisions, [episode.labels for episode in run.episodes()], beliefs)
    if manifest["kind"] != "play":
        raise UsageError(
            f"{run.path} is a run of {manifest['kind']}: preferences are estimated from runs of bench and "
            f"of play, or "
            "from a CSV file."
        )
    if beliefs == "own":
        raise UsageError(f"{run.path} is a run of play, in which nobody states beliefs: give uniform ones.")
    game = _game(manifest, run.path)
    policies = dict.fromkeys(record.policy for record in decisions)
    return tuple(_played(policy, _of_policy(decisions, policy, label=False), game) for policy in policies)


def as_choices(answers: PolicyAnswers, model: Model, weight: float = 1.0) -> Choices:
    """One policy's answers in the form that estimators take, a row for each cluster, every answer counting
    `weight` times.

    Raises:
        UsageError: there is no usable answer.
    """
    seen = [(entry.cluster, entry) for entry in answers.seen]
    found = _choices(seen, model, answers.clustered_by, answers.policy)
    return found if weight == 1 else replace(found, counts=found.counts * weight)


def together(policies: Sequence[PolicyAnswers], model: Model) -> Choices:
    """The answers of several policies, a row for each policy: whom a type may belong to.

    Raises:
        UsageError: there is no usable answer.
    """
    seen = [(answers.policy, entry) for answers in policies for entry in answers.seen]
    return _choices(seen, model, "policy", "the run")


def _choices(seen: Sequence[tuple[str, Seen]], model: Model, clustered_by: str, whose: str) -> Choices:
    from ludens.preferences.estimation.data.games import Answers, game_choices

    if not seen:
        raise UsageError(f"No answer of {whose} can be used: preferences need at least one readable choice.")
    rows = {name: place for place, name in enumerate(dict.fromkeys(name for name, _ in seen))}
    places: dict[tuple[GameTree, bytes], int] = {}
    situations: list[tuple[GameTree, Strategy]] = []
    for _, entry in seen:
        key = entry.game, entry.belief.tobytes()
        if key not in places:
            places[key] = len(situations)
            situations.append((entry.game, entry.belief))
    answers = Answers(
        np.array([rows[name] for name, _ in seen], dtype=np.intp),
        np.array([places[entry.game, entry.belief.tobytes()] for _, entry in seen], dtype=np.intp),
        np.zeros(len(seen), dtype=bool),
        np.array([entry.column for _, entry in seen], dtype=np.intp),
        np.array([entry.weight for _, entry in seen]),
    )
    clusters = np.arange(len(rows)), clustered_by
    return game_choices(answers, situations, model, subjects=tuple(rows), clusters=clusters)


def _of_share(share: Share, game: GameTree, belief: Strategy) -> list[Seen]:
    start = game.information_set(share.node).columns.start
    weight = 1.0 if share.exact else share.answers / len(share.by_order)
    return [
        Seen(
            game, belief, start + place, weight * float(part), f"{share.protocol} · {share.framing} · {order}"
        )
        for order, row in enumerate(share.by_order)
        for place, part in enumerate(row)
        if part > 0
    ]


def _played(policy: str, records: Sequence[DecisionRecord], game: GameTree) -> PolicyAnswers:
    belief = uniform_strategy(game)
    seen: list[Seen] = []
    exact = True
    for record in records:
        answer = record.decision
        if not isinstance(answer, Decision) or answer.status != "valid" or not isinstance(answer.action, int):
            continue
        columns = game.information_set(record.node).columns
        shares = answer.probabilities
        exact = exact and shares is not None
        if shares is None:
            shares = tuple(float(place == answer.action) for place in range(len(record.options)))
        seen += [
            Seen(game, belief, columns.start + place, part, f"episode {record.episode}")
            for place, part in enumerate(shares)
            if part > 0
        ]
    status = [record.decision.status for record in records]
    return PolicyAnswers(
        policy,
        tuple(seen),
        exact,
        status.count("valid"),
        status.count("invalid"),
        status.count("refused"),
        0,
        "episode",
    )


def _of_policy(
    decisions: Sequence[DecisionRecord], policy: str, *, label: bool = True
) -> list[DecisionRecord]:
    return [
        record
        for record in decisions
        if record.question == "choice" and (record.labels["policy"] if label else record.policy) == policy
    ]


def _game(manifest: Mapping[str, Any], path: str | os.PathLike[str]) -> GameTree:
    described = manifest["config"]["environment"]
    if "id" not in described:
        raise UsageError(
            f"The environment of {path} was a Python object ({described['name']}), which its file cannot "
            "describe: preferences need its game."
        )
    env = make_env(described["id"], **{name: value for name, value in described.items() if name != "id"})
    game = getattr(env.unwrapped, "game", None)
    if not isinstance(game, GameTree):
        raise UsageError(
            f"{path} was played on a game that is no tree: preferences over strategies need one."
        )
    return game
