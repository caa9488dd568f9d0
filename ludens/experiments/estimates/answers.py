"""A run's answers as choices: each policy's choices at the nodes of games, with its assumed beliefs.

Answers are used node by node: a policy is asked at each node separately, so that only the marginals of its
joint distribution over strategies are observed (see `ludens.preferences.estimation.data.games`). In a
benchmark, questions that were not answered in every order of the options are left out, and the orders of the
others have equal weights. Which option was shown first is kept: a liking for the first place does not cancel
over the orders, it attenuates what is estimated, and is therefore estimated beside it. An answer
that gives its whole distribution is a fractional choice of weight 1; asking again adds nothing. Nothing is
imputed: invalid and refused answers are counted, never used.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from ludens.agents.policy import Decision
from ludens.envs import (
    AnyGame,
    GameTree,
    StageGame,
    StrategicGame,
    Strategy,
    find_game,
    make_env,
    uniform_strategy,
)
from ludens.envs.games import later_questions
from ludens.envs.strategic.mechanisms.cheap_talk import MESSAGE
from ludens.envs.strategic.mechanisms.env import StagedEnv
from ludens.envs.strategic.mechanisms.foresight import selfish_play
from ludens.errors import UsageError
from ludens.experiments.measures.answer_mass import answer_mass
from ludens.experiments.measures.shares import Plans, Share, Shares, shares_by_policy, strategies
from ludens.experiments.runs.records import DecisionRecord
from ludens.experiments.runs.run import Run
from ludens.experiments.runs.seeds import environment_seed, episode_seeds

if TYPE_CHECKING:
    from ludens.preferences.estimation.data.choices import Choices
    from ludens.preferences.estimation.models.linear import Model

Beliefs = Literal["uniform", "equilibrium", "own"]
"""Beliefs about others: that they choose at random, that they play the equilibrium of homo economicus, or
what the policy itself stated."""

BENCH_CLUSTERS = "game"


@dataclass(frozen=True, eq=False)
class PolicyAnswers:
    """The answers of one policy, not yet tied to a model of preferences.

    Attributes:
        policy: the policy's label.
        seen: the options chosen, with their weights.
        exact: whether all answers give their whole distribution, so that none has sampling error.
        answers: the number of valid answers.
        invalid, refused, low_mass: the numbers of answers that could not be read, of refusals, and of answers
            with too little of the probability on the options.
        answer_mass: the mean part of a model's probability that lay on the options, where choices were read
            from log-probabilities; None elsewhere.
        left_out: the number of valid answers that are not used, because other orders of their question were
            not answered, or because beliefs are missing.
        clustered_by: a cluster's meaning in words.
    """

    policy: str
    seen: tuple[Seen, ...]
    exact: bool
    answers: int
    invalid: int
    refused: int
    low_mass: int
    answer_mass: float | None
    left_out: int
    clustered_by: str


@dataclass(frozen=True, eq=False)
class Seen:
    """One chosen option: its game, the belief, its column in a strategy vector, its weight and its cluster.

    A choice has weight 1, a probability weighs as much as its value. `first` says which option of the
    question was shown first, by its number; None where no text was shown.
    """

    game: AnyGame
    belief: Strategy
    column: int
    weight: float
    cluster: str
    first: int | None = None


def bench_answers(
    decisions: Sequence[DecisionRecord],
    planned: Sequence[Mapping[str, Any]] = (),
    beliefs: Beliefs = "uniform",
) -> tuple[PolicyAnswers, ...]:
    """Return the answers of each policy of a benchmark, in order of appearance.

    Args:
        decisions: choices and stated beliefs of a run of the preference suite.
        planned: the labels of all its episodes.
        beliefs: ``"uniform"``: others choose at random; ``"equilibrium"``: they play the equilibrium of homo
            economicus; ``"own"``: as the policy stated, leaving out protocols for which it did not state a
            belief at every node.

    Raises:
        BeliefError: a game has no equilibrium, or several.
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
    """Return the answers of one policy of a benchmark; `records` are its decisions, for counting."""
    from ludens.preferences.strategic import linear_in_kappa

    stated = stated if beliefs == "own" else None
    believed = strategies(stated.found) if stated is not None else {}
    plans = strategies(shares.found)
    seen: list[Seen] = []
    used = 0
    for share in shares.found:
        game = continued(find_game(share.protocol), plans, share.framing)
        belief = believed.get((share.protocol, share.framing)) if stated else _assumed(game, beliefs)
        if belief is None or not linear_in_kappa(game):
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
        sum(record.decision.status == "low_mass" for record in records),
        answer_mass(records).mean,
        usable - used,
        BENCH_CLUSTERS,
    )


def continued(game: AnyGame, plans: Plans, framing: str) -> AnyGame:
    """Return a stage of a round paid by what follows if everybody plays later stages as these plans; any
    other game as it is.

    As in Hotz & Miller (Review of Economic Studies 60(3), 1993), what a policy was seen to do later stands
    for what it expects of players of its kind, whatever its preferences. Where a later stage was not
    answered, it is played as by players who care for their own payoff alone.
    """
    if not isinstance(game, StageGame):
        return game
    seen = tuple(
        (stage, plans[name, framing])
        for name, question in later_questions(game).items()
        if (name, framing) in plans
        for stage in question.stages
    )
    return game.foreseen(partial(_as_seen, seen)) if seen else game


def _as_seen(seen: Sequence[tuple[StageGame, Strategy]], later: StrategicGame) -> Strategy:
    played = next((plan for stage, plan in seen if stage == later), None)
    return selfish_play(later) if played is None else played


def run_answers(run: Run, beliefs: Beliefs = "uniform") -> tuple[PolicyAnswers, ...]:
    """Return the answers of each policy in a run of `ludens bench` or `ludens play`.

    Answers in a run of play are clustered by episode, and every round counts as if the game were played once.
    A stage of a game with a mechanism is worth what follows as the policy was seen to play; messages, which
    all pay the same, are left out.

    Raises:
        UsageError: the run is of another kind, or of a game that is not a tree.
        BeliefError: beliefs are those of equilibrium, and a game has none, or several.
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
            f"{run.path} is a run of {manifest['kind']}: preferences are estimated from runs of bench and of "
            "play, or from a CSV file."
        )
    if beliefs == "own":
        raise UsageError(f"{run.path} is a run of play, in which nobody states beliefs: give uniform ones.")
    env = _environment(manifest, run.path)
    games: list[AnyGame | None]
    if isinstance(env.unwrapped, StagedEnv):
        stages = _stages(env, decisions, manifest["seed"])
        games = [None if stage.stage == MESSAGE else stage for stage in stages]
    else:
        games = [_game(env, run.path)] * len(decisions)
    policies = dict.fromkeys(record.policy for record in decisions)
    return tuple(_played(policy, decisions, games, beliefs) for policy in policies)


def as_choices(answers: PolicyAnswers, model: Model, weight: float = 1.0, *, orders: bool = False) -> Choices:
    """Return one policy's answers in the form that estimators take, with a row for each cluster.

    Every answer counts `weight` times. With `orders`, answers are apart by the option that was shown first.

    Raises:
        UsageError: there is no usable answer.
    """
    seen = [(entry.cluster, entry) for entry in answers.seen]
    found = _choices(seen, model, answers.clustered_by, answers.policy, orders)
    return replace(found, counts=found.counts * weight, exact=answers.exact)


def together(policies: Sequence[PolicyAnswers], model: Model) -> Choices:
    """Return the answers of several policies in the form that estimators take, with a row for each policy.

    Raises:
        UsageError: there is no usable answer.
    """
    seen = [(answers.policy, entry) for answers in policies for entry in answers.seen]
    return _choices(seen, model, "policy", "the run")


def grouped_by_policy(policies: Sequence[PolicyAnswers], model: Model) -> Choices:
    """Return the answers of several policies with a row for each policy and cluster, a game as a rule, and
    with indicators of all policies but the first as the covariates ``policy=…``.

    Raises:
        UsageError: there is no usable answer.
    """
    used = [answers for answers in policies if answers.seen]
    rows = {(answers.policy, entry.cluster): answers.policy for answers in used for entry in answers.seen}
    named = {key: f"{key[0]}, {key[1]}" for key in rows}
    seen = [(named[answers.policy, entry.cluster], entry) for answers in used for entry in answers.seen]
    within = used[0].clustered_by if used else "game"
    found = _choices(seen, model, f"policy and {within}", "the run")
    whose = np.array(list(rows.values()))
    return replace(
        found,
        covariates={
            f"policy={answers.policy}": (whose == answers.policy).astype(np.float64) for answers in used[1:]
        },
    )


def _choices(
    seen: Sequence[tuple[str, Seen]], model: Model, clustered_by: str, whose: str, orders: bool = False
) -> Choices:
    from ludens.preferences.estimation.data.games import Answers, game_choices

    if not seen:
        raise UsageError(f"No answer of {whose} can be used: preferences need at least one readable choice.")
    rows = {name: place for place, name in enumerate(dict.fromkeys(name for name, _ in seen))}
    keys = [(entry.game, entry.belief.tobytes(), entry.first if orders else None) for _, entry in seen]
    places = {key: place for place, key in enumerate(dict.fromkeys(keys))}
    situations = {places[key]: (entry.game, entry.belief) for key, (_, entry) in zip(keys, seen, strict=True)}
    answers = Answers(
        np.array([rows[name] for name, _ in seen], dtype=np.intp),
        np.array([places[key] for key in keys], dtype=np.intp),
        np.zeros(len(seen), dtype=bool),
        np.array([entry.column for _, entry in seen], dtype=np.intp),
        np.array([entry.weight for _, entry in seen]),
    )
    clusters = np.arange(len(rows)), clustered_by
    found = game_choices(answers, list(situations.values()), model, subjects=tuple(rows), clusters=clusters)
    if not orders:
        return found
    first = np.zeros(found.questions.shape, dtype=bool)
    for (game, _, shown), place in places.items():
        for node in game.information_sets:
            if shown is not None and shown < len(node.options):
                first[place, node.columns.start + shown] = True
    return replace(found, first=first)


def _of_share(share: Share, game: AnyGame, belief: Strategy) -> list[Seen]:
    start = game.information_set(share.node).columns.start
    weight = 1.0 if share.exact else share.answers / len(share.by_order)
    return [
        Seen(game, belief, start + place, weight * float(part), share.protocol, first)
        for row, first in zip(share.by_order, share.first or [None] * len(share.by_order), strict=True)
        for place, part in enumerate(row)
        if part > 0
    ]


def _assumed(game: AnyGame, beliefs: Beliefs) -> Strategy | None:
    """Return the belief that every policy is assumed to hold in a game; None where it had to state one."""
    if beliefs == "own":
        return None
    return uniform_strategy(game) if beliefs == "uniform" else _equilibrium(game)


@lru_cache(maxsize=1024)
def _equilibrium(game: AnyGame) -> Strategy:
    from ludens.preferences import HOMO_ECONOMICUS
    from ludens.preferences.beliefs import resolve_belief

    return resolve_belief(game, HOMO_ECONOMICUS, "equilibrium")


def _played(
    policy: str,
    decisions: Sequence[DecisionRecord],
    games: Sequence[AnyGame | None],
    beliefs: Beliefs,
) -> PolicyAnswers:
    """Return a policy's answers in a run of play; `games` has the game of every decision, None for one that
    preferences do not explain, such as a message.
    """
    from ludens.preferences.strategic import linear_in_kappa

    chosen = [
        (record, game)
        for record, game in zip(decisions, games, strict=True)
        if record.question == "choice" and record.policy == policy
    ]
    plans = _plans(chosen)
    seen: list[Seen] = []
    exact, left_out = True, 0
    foreseen: dict[StageGame, AnyGame] = {}
    for record, asked in chosen:
        answer = record.decision
        if not isinstance(answer, Decision) or answer.status != "valid" or not isinstance(answer.action, int):
            continue
        game = asked
        if isinstance(asked, StageGame):
            if asked not in foreseen:
                foreseen[asked] = asked.foreseen(partial(_as_seen, plans))
            game = foreseen[asked]
        staged = isinstance(asked, StageGame) and asked.staged is not None
        if game is None or (staged and not linear_in_kappa(game)):
            left_out += 1
            continue
        belief = _assumed(game, beliefs)
        assert belief is not None  # nobody states beliefs in a run of play
        columns = game.information_set(record.node).columns
        exact = exact and answer.probabilities is not None
        seen += [
            Seen(game, belief, columns.start + place, part, f"episode {record.episode}")
            for place, part in enumerate(_known_shares(answer, len(record.options)))
            if part > 0
        ]
    records = [record for record, _ in chosen]
    status = [record.decision.status for record in records]
    return PolicyAnswers(
        policy,
        tuple(seen),
        exact,
        status.count("valid"),
        status.count("invalid"),
        status.count("refused"),
        status.count("low_mass"),
        answer_mass(records).mean,
        left_out,
        "episode",
    )


def _known_shares(answer: Decision, options: int) -> tuple[float, ...]:
    """Return the probabilities of an answer's options; 1 of what was chosen where they are not known."""
    if answer.probabilities is not None:
        return tuple(answer.probabilities)
    return tuple(float(place == answer.action) for place in range(options))


def _stages(env: Any, decisions: Sequence[DecisionRecord], seed: int) -> list[StageGame]:
    """Return the stage of a round that every decision was made in, by playing the episodes again."""
    found: list[StageGame] = []
    for episode, records in itertools.groupby(decisions, key=lambda record: record.episode):
        env.reset(seed=environment_seed(episode_seeds(seed, episode)))
        for record in records:
            found.append(env.unwrapped.turn(record.agent).game)
            if isinstance(record.decision, Decision) and record.decision.action is not None:
                env.step(record.decision.action)
    return found


def _plans(chosen: Sequence[tuple[DecisionRecord, AnyGame | None]]) -> tuple[tuple[StageGame, Strategy], ...]:
    """Return how a policy was seen to play each stage, as a strategy; in roles in which it was not seen, as
    players who care for their own payoff alone.
    """
    counts: dict[StageGame, Strategy] = {}
    for record, game in chosen:
        answer = record.decision
        if not isinstance(game, StageGame) or not isinstance(answer, Decision) or answer.status != "valid":
            continue
        columns = game.information_set(record.node).columns
        counts.setdefault(game, np.zeros(game.width))[columns] += _known_shares(answer, len(record.options))
    plans = []
    for game, total in counts.items():
        plan = selfish_play(game).copy()
        for node in game.information_sets:
            if (sum_ := total[node.columns].sum()) > 0:
                plan[node.columns] = total[node.columns] / sum_
        plans.append((game, plan))
    return tuple(plans)


def _of_policy(
    decisions: Sequence[DecisionRecord], policy: str, *, label: bool = True
) -> list[DecisionRecord]:
    return [
        record
        for record in decisions
        if record.question == "choice" and (record.labels["policy"] if label else record.policy) == policy
    ]


def _environment(manifest: Mapping[str, Any], path: str | os.PathLike[str]) -> Any:
    described = manifest["config"]["environment"]
    if "id" not in described:
        raise UsageError(
            f"The environment of {path} was a Python object ({described['name']}), which its file cannot "
            "describe: preferences need its game."
        )
    return make_env(described["id"], **{name: value for name, value in described.items() if name != "id"})


def _game(env: Any, path: str | os.PathLike[str]) -> AnyGame:
    game = getattr(env.unwrapped, "game", None)
    if not isinstance(game, GameTree | StrategicGame):
        raise UsageError(
            f"{path} was played on a game that is not a tree, and in which not all move at once: preferences "
            "over strategies need one of these."
        )
    return game
