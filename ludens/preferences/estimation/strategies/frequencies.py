"""Strategy frequency estimation (SFEM): how frequent each strategy is among the players of a repeated game.

Dal Bó & Fréchette (American Economic Review 101(1), 2011): a subject follows one strategy k in all matches,
and in every round does what it prescribes with probability β (a *tremble* has probability 1 − β):

    L = Π_i Σ_k φ_k · β^{a_ik} · (1−β)^{n_i − a_ik}

where a_ik counts the choices of subject i that strategy k prescribes. The maximum is found by EM from several
starts; intervals are from a bootstrap that draws subjects with all their matches.

Strategies that prescribe the same everywhere in the data cannot be told apart: only their sum is estimated.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ludens.checks import check_count
from ludens.errors import UsageError
from ludens.preferences.estimation.strategies.automata import STRATEGIES, Automaton, find_strategies
from ludens.preferences.estimation.strategies.rounds import Rounds
from ludens.preferences.mapping import MapLike

Floats = NDArray[np.float64]
Counts = NDArray[np.signedinteger[Any]]

_STARTS = (0.6, 0.8, 0.95)
_STEPS = 5000
_CLOSE = 1e-9  # in the log-likelihood per subject
_LEAST = 1e-12
_TOGETHER = 50  # bootstrap draws maximised together


@dataclass(frozen=True, eq=False)
class StrategyFrequencies:
    """How frequent strategies are.

    Attributes:
        strategies: names; of strategies that cannot be told apart all names in one tuple.
        shares: of subjects, shape (strategies,); they sum to 1.
        tremble: 1 − β, the probability to do what the strategy does not prescribe, in [0, 1/2].
        log_likelihood: at the maximum.
        memberships: the probability of each strategy for each subject, shape (subjects, strategies).
        draws: shares in bootstrap samples, shape (draws, strategies); without rows if none was asked
            for or there is one subject.
        trembles: those of the bootstrap samples, shape (draws,).
        subjects: names.
        choices: how many there are.
    """

    strategies: tuple[tuple[str, ...], ...]
    shares: Floats
    tremble: float
    log_likelihood: float
    memberships: Floats
    draws: Floats
    trembles: Floats
    subjects: tuple[str, ...]
    choices: int

    def share(self, name: str) -> float:
        """Return the share of a strategy; NaN if it cannot be told apart from another one.

        Raises:
            UsageError: it was not among the strategies.
        """
        for place, names in enumerate(self.strategies):
            if name in names:
                return float(self.shares[place]) if len(names) == 1 else float("nan")
        raise UsageError(f"The strategy {name!r} was not estimated.")

    @property
    def errors(self) -> Floats:
        """Standard errors of the shares, from the bootstrap, shape (strategies,); NaN without it."""
        return _spread(self.draws)

    @property
    def intervals(self) -> Floats:
        """95 % percentile intervals of the shares, shape (strategies, 2); NaN without a bootstrap."""
        return _ends(self.draws)

    @property
    def tremble_error(self) -> float:
        """The standard error of the tremble."""
        return float(_spread(self.trembles[:, None])[0])

    @property
    def tremble_interval(self) -> tuple[float, float]:
        """The 95 % interval of the tremble."""
        low, high = _ends(self.trembles[:, None])[0].tolist()
        return low, high


def strategy_frequencies(
    rounds: Rounds,
    strategies: Sequence[str | Automaton] = tuple(STRATEGIES),
    *,
    draws: int = 500,
    seed: int = 0,
    map_with: MapLike = map,
) -> StrategyFrequencies:
    """Estimate how frequent strategies are.

    Args:
        rounds: what was played.
        strategies: by name (`STRATEGIES`), or automata of one's own.
        draws: bootstrap samples of subjects; 0 for none.
        seed: of the bootstrap.
        map_with: carries out the bootstrap; `ludens.experiments.compute` uses several processes.

    Raises:
        UsageError: a strategy is unknown, fewer than two are named or can be told apart, or draws is wrong.
    """
    check_count("strategy_frequencies", "draws", draws, least=0)
    chosen = find_strategies(strategies)
    prescribed = [each.prescribed(rounds.own, rounds.other) for each in chosen]
    groups: dict[bytes, list[int]] = {}
    for place, wanted in enumerate(prescribed):
        groups.setdefault(wanted.tobytes(), []).append(place)
    if len(groups) < 2:
        raise UsageError(
            "All strategies prescribe the same in these rounds, so that none can be told apart: longer or "
            "other matches would."
        )
    kept = [members[0] for members in groups.values()]
    played = rounds.own >= 0
    people = len(rounds.names)
    totals = np.bincount(rounds.subjects, played.sum(axis=1), people)
    agreed = np.stack(
        [
            np.bincount(rounds.subjects, ((prescribed[place] == rounds.own) & played).sum(axis=1), people)
            for place in kept
        ],
        axis=1,
    )
    even, once = np.full((1, len(kept)), 1 / len(kept)), np.ones((1, people))
    found = [_maximise(agreed, totals, once, even, np.array([start])) for start in _STARTS]
    shares, beta, likelihood = max(found, key=lambda each: float(each[2][0]))
    resampled, betas = np.empty((0, len(kept))), np.empty(0)
    if draws and people > 1:  # one subject says nothing of how others differ
        rng = np.random.default_rng(seed)
        weights = rng.multinomial(people, np.full(people, 1 / people), size=draws).astype(np.float64)
        again = partial(_resampled, agreed, totals, 0.9 * shares + 0.1 * even, beta)
        parts = [weights[first : first + _TOGETHER] for first in range(0, draws, _TOGETHER)]
        resampled, betas = map(np.concatenate, zip(*map_with(again, parts), strict=True))
    return StrategyFrequencies(
        strategies=tuple(tuple(chosen[place].name for place in members) for members in groups.values()),
        shares=shares[0],
        tremble=float(1 - beta[0]),
        log_likelihood=float(likelihood[0]),
        memberships=_memberships(agreed, totals, shares, beta)[0][0],
        draws=resampled,
        trembles=1 - betas,
        subjects=rounds.names,
        choices=rounds.size,
    )


def _resampled(
    agreed: Counts, totals: Counts, shares: Floats, beta: Floats, weights: Floats
) -> tuple[Floats, Floats]:
    """Return the shares (draws, strategies) and β (draws,) of bootstrap samples with these weights (draws,
    subjects), from one starting point: shares (1, strategies) and β (1,).
    """
    start = np.repeat(shares, len(weights), axis=0)
    resampled, betas, _ = _maximise(agreed, totals, weights, start, np.repeat(beta, len(weights)))
    return resampled, betas


def _maximise(
    agreed: Counts, totals: Counts, weights: Floats, shares: Floats, beta: Floats
) -> tuple[Floats, Floats, Floats]:
    """Maximise the likelihoods of several samples at once by EM.

    Args:
        agreed: a_ik, shape (subjects, strategies).
        totals: n_i, shape (subjects,).
        weights: how often each sample holds each subject, shape (samples, subjects).
        shares: where to begin, shape (samples, strategies).
        beta: where to begin, shape (samples,).

    Returns:
        Shares, β and log-likelihoods.
    """
    last = np.full(len(weights), -np.inf)
    people = weights.sum(axis=1)
    choices = weights @ totals
    going = np.arange(len(weights))
    shares, beta = shares.copy(), beta.copy()
    for _ in range(_STEPS):
        member, evidence = _memberships(agreed, totals, shares[going], beta[going])
        likelihood = (weights[going] * evidence).sum(axis=1)
        weighted = member * weights[going][:, :, None]
        shares[going] = weighted.sum(axis=1) / people[going, None]
        right = (weighted * agreed).sum(axis=(1, 2)) / choices[going]
        beta[going] = np.clip(right, 0.5, 1 - _LEAST)
        gained = likelihood - last[going]
        last[going] = likelihood
        going = going[gained > _CLOSE * people[going]]
        if not len(going):
            break
    return shares, beta, last


def _memberships(agreed: Counts, totals: Counts, shares: Floats, beta: Floats) -> tuple[Floats, Floats]:
    """Return posterior probabilities, shape (samples, subjects, strategies), and log-likelihoods of subjects,
    shape (samples, subjects).
    """
    right, wrong = np.log(beta)[:, None, None], np.log1p(-beta)[:, None, None]
    with np.errstate(divide="ignore"):
        terms = np.log(shares)[:, None, :] + agreed * right + (totals[:, None] - agreed) * wrong
    top = terms.max(axis=2, keepdims=True)
    parts = np.exp(terms - top)
    total = parts.sum(axis=2, keepdims=True)
    return parts / total, (np.log(total) + top)[:, :, 0]


def _spread(draws: Floats) -> Floats:
    spread: Floats = draws.std(axis=0, ddof=1) if len(draws) > 1 else np.full(draws.shape[1], np.nan)
    return spread


def _ends(draws: Floats) -> Floats:
    if len(draws) < 2:
        return np.full((draws.shape[1], 2), np.nan)
    return np.quantile(draws, [0.025, 0.975], axis=0).T
