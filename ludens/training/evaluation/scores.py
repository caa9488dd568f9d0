"""The scores of an exam by policy and set: agreement, regret, cooperation, unreadable replies and refusals.

*Agreement* is the share of readable answers that are optimal for the target preferences; *right of all* is
the share of all questions that were answered optimally, where unreadable replies and refusals are not.
Nothing is imputed: regret and cooperation concern readable answers only. *Regret* is the utility lost against
the best option, as a share of the game's payoff range. Since answers are sampled and games are drawn,
intervals are the wider of Wilson's and a bootstrap over games.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from zlib import crc32

import numpy as np

from ludens.agents.policy import Decision
from ludens.experiments.measures.answer_mass import answer_mass
from ludens.experiments.measures.intervals import (
    Estimate,
    cluster_mean,
    cluster_slopes,
    missing,
    wider,
    wilson,
)
from ludens.experiments.runs.database import NoRunError
from ludens.experiments.runs.records import DecisionRecord, EpisodeRecord
from ludens.experiments.runs.run import Run
from ludens.preferences import HOMO_ECONOMICUS, Preferences
from ludens.training.evaluation.sets import (
    CARRIED,
    DILEMMA,
    REPLY,
    TAUGHT,
    Question,
)
from ludens.training.evaluation.weight import revealed_kappa

KIND = "exam"
"""The kind of the study whose runs are scored here."""


@dataclass(frozen=True)
class Score:
    """The scores of one policy on one set of questions.

    Attributes:
        policy, set: the policy's label and the set; the set ``"all"`` is everything that it was asked.
        asked, answered: the numbers of questions asked and of questions answered in any way.
        agreement: share of readable answers that are optimal for the target.
        selfish: share of readable answers that are optimal for homo economicus.
        right: share of all answers that are optimal for the target.
        regret: mean regret of readable answers, as a share of the payoff range.
        cooperation: share of the prosocial option among readable answers.
        oracle: share of the prosocial option in the choices of the target's oracle on the questions that were
            answered readably, as for `cooperation`.
        invalid, refused, low_mass: shares of unreadable replies, of refusals, and of answers with too little
            of the probability on the options.
        answer_mass, lowest_mass: where answers were read from log-probabilities, the mean and the lowest part
            of the model's probability that lay on the options; None elsewhere.
        kappa: the κ in [0, 1] that readable answers reveal, in sets of one domain and one surface
            (`ludens.training.evaluation.weight`); None elsewhere, and for ratings.
    """

    policy: str
    set: str
    asked: int
    answered: int
    agreement: Estimate
    selfish: Estimate
    right: Estimate
    regret: Estimate
    cooperation: Estimate
    oracle: float | None
    invalid: Estimate
    refused: Estimate
    low_mass: Estimate
    answer_mass: float | None
    lowest_mass: float | None
    kappa: Estimate | None = None


@dataclass(frozen=True)
class Slope:
    """The change of one policy's cooperation with a cooperating partner in the temptation T − R.

    Attributes:
        policy: the policy's label.
        slope: change of the share of cooperation per point.
        points: temptation in points, and share of cooperation, of every readable answer.
    """

    policy: str
    slope: Estimate
    points: tuple[tuple[float, float], ...]


def read_exam(path: str | os.PathLike[str]) -> tuple[list[EpisodeRecord], list[DecisionRecord]]:
    """Return the questions of an exam, and the answers so far.

    Raises:
        NoRunError: the file holds none.
    """
    with Run(path) as run:
        if run.manifest["kind"] != KIND:
            raise NoRunError(f"{path} is a run of {run.manifest['kind']}, not an exam.")
        return run.episodes(), run.decisions()


def score_exam(
    episodes: Sequence[EpisodeRecord],
    decisions: Sequence[DecisionRecord],
    preferences: Preferences,
    *,
    seed: int = 0,
) -> tuple[Score, ...]:
    """Return the scores of every policy on every set, in order of appearance, then on all sets together."""
    answers = {record.episode: record for record in decisions}
    asked: dict[str, dict[str, list[tuple[Question, DecisionRecord | None]]]] = {}
    for episode in episodes:
        question = Question.of(episode.labels)
        entry = question, answers.get(episode.index)
        sets = asked.setdefault(str(episode.labels["policy"]), {})
        sets.setdefault(question.set, []).append(entry)
    scores = []
    for who, sets in asked.items():
        everything = [entry for entries in sets.values() for entry in entries]
        for name, entries in [*sets.items(), *([("all", everything)] if len(sets) > 1 else [])]:
            scores.append(_score(who, name, entries, preferences, seed))
    return tuple(scores)


def temptation(
    episodes: Sequence[EpisodeRecord], decisions: Sequence[DecisionRecord], *, seed: int = 0
) -> tuple[Slope, ...]:
    """Regress cooperation with a cooperating partner on T − R, over all prisoner's dilemmas in the trained
    wording with one-digit payoffs.
    """
    answers = {record.episode: record for record in decisions}
    points: dict[str, list[tuple[float, float, tuple[float, ...]]]] = {}
    for episode in episodes:
        question = Question.of(episode.labels)
        who = str(episode.labels["policy"])
        points.setdefault(who, [])
        record = answers.get(episode.index)
        shares = None if record is None else shares_of(record)
        if shares is None or not _is_tempting(question):
            continue
        numbers = question.game.parameters
        points[who].append((numbers["T"] - numbers["R"], float(shares[question.prosocial]), question.payoffs))
    return tuple(
        Slope(who, _slope(found, _rng(who, "slope", seed)), tuple((x, y) for x, y, _ in found))
        for who, found in points.items()
    )


def _is_tempting(question: Question) -> bool:
    """Return whether a question is about the reply to cooperation in a dilemma with one-digit payoffs, in a
    trained wording.
    """
    asked = question.set in TAUGHT and (question.family, question.node) == (DILEMMA, REPLY)
    return asked and max(question.payoffs) <= 9


def _score(
    who: str,
    name: str,
    entries: Sequence[tuple[Question, DecisionRecord | None]],
    preferences: Preferences,
    seed: int,
) -> Score:
    ended = [(question, record) for question, record in entries if record is not None]
    read = [(question, shares_of(record)) for question, record in ended]
    usable = [(question, shares) for question, shares in read if shares is not None]
    clusters = [_game(question) for question, _ in usable]
    exact = all(record.decision.probabilities is not None for _, record in ended)

    def on(shares: np.ndarray, places: frozenset[int]) -> float:
        return float(sum(shares[place] for place in places))

    right = [
        0.0 if shares is None else on(shares, question.optimal(preferences)) for question, shares in read
    ]
    agreed = [on(shares, question.optimal(preferences)) for question, shares in usable]
    selfish = [on(shares, question.optimal(HOMO_ECONOMICUS)) for question, shares in usable]
    lost = [_regret(question, shares, preferences) for question, shares in usable]
    kind = [(float(shares[question.prosocial]), question) for question, shares in usable]
    oracle = [
        (question.prosocial in best) / len(best)
        for question, _ in usable
        for best in [question.optimal(preferences)]
    ]
    states = [record.decision.status for _, record in ended]
    mass = answer_mass(record for _, record in ended)

    def share(values: Sequence[float], what: str) -> Estimate:
        rng = _rng(who, name + what, seed)
        return share_over_games(values, clusters, rng, exact=exact, nothing="no readable answer")

    return Score(
        who,
        name,
        len(entries),
        len(ended),
        share(agreed, "agreement"),
        share(selfish, "selfish"),
        share_over_games(
            right,
            [_game(question) for question, _ in read],
            _rng(who, name + "right", seed),
            exact=exact,
            nothing="no answer",
        ),
        cluster_mean(lost, clusters, _rng(who, name + "regret", seed)),
        share([value for value, _ in kind], "cooperation"),
        float(np.mean(oracle)) if oracle else None,
        wilson(states.count("invalid"), len(states)),
        wilson(states.count("refused"), len(states)),
        wilson(states.count("low_mass"), len(states)),
        mass.mean,
        mass.lowest,
        revealed_kappa(usable) if name in CARRIED and not name.startswith("ratings") else None,
    )


def _game(question: Question) -> tuple[object, ...]:
    """Return what the bootstrap draws: the game, the numbers of people, or the market of a question."""
    return question.family, question.key if question.case else question.payoffs


def _regret(question: Question, shares: np.ndarray, preferences: Preferences) -> float:
    values = np.array(question.utilities(preferences))
    return float(shares @ (values.max() - values)) / question.stakes(preferences)


def shares_of(record: DecisionRecord | None) -> np.ndarray | None:
    """Return a readable answer as a distribution over the options, or None if the answer is not readable."""
    if record is None or record.decision.status != "valid":
        return None
    answer = record.decision
    if answer.probabilities is not None:
        return np.asarray(answer.probabilities, dtype=np.float64)
    assert isinstance(answer, Decision)
    assert isinstance(answer.action, int)
    chosen = np.zeros(len(record.options))
    chosen[answer.action] = 1
    return chosen


def share_over_games(
    values: Sequence[float],
    clusters: Sequence[object],
    rng: np.random.Generator,
    *,
    exact: bool,
    nothing: str,
) -> Estimate:
    """Return a mean share of answers, with its interval over games; of sampled answers the wider of it and
    Wilson's.

    Args:
        values: of each answer.
        clusters: the game that each answer is about.
        rng: for the bootstrap over games.
        exact: whether answers are probabilities, and not sampled.
        nothing: why there is no estimate, where there are no answers.
    """
    if not values:
        return missing(nothing)
    over_games = cluster_mean(values, clusters, rng)
    return over_games if exact else wider(wilson(sum(values), len(values)), over_games)


def _slope(points: Sequence[tuple[float, float, tuple[float, ...]]], rng: np.random.Generator) -> Estimate:
    if len({x for x, _, _ in points}) < 2:
        return missing("no readable answers at two temptations", len(points))
    regressors = np.array([[x, 1.0] for x, _, _ in points])
    return cluster_slopes([y for _, y, _ in points], regressors, [key for _, _, key in points], rng)[0]


def _rng(who: str, what: str, seed: int) -> np.random.Generator:
    return np.random.default_rng([seed, crc32(f"{who}\0{what}".encode("utf-8", "surrogatepass"))])


def by_policy(scores: Sequence[Score], name: str) -> Mapping[str, Score]:
    """Return the scores on one set, by policy."""
    return {found.policy: found for found in scores if found.set == name}


def oracle_points(path: str | os.PathLike[str], preferences: Preferences) -> list[tuple[float, float]]:
    """Return T − R and the target oracle's cooperation on the dilemmas of an exam, as in `temptation`."""
    episodes, _ = read_exam(path)
    found: dict[tuple[float, ...], tuple[float, float]] = {}
    for episode in episodes:
        question = Question.of(episode.labels)
        if _is_tempting(question):
            best, numbers = question.optimal(preferences), question.game.parameters
            share = (question.prosocial in best) / len(best)
            found[question.payoffs] = (numbers["T"] - numbers["R"], share)
    return list(found.values())
