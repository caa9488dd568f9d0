"""Answers in games as choices: alternatives are pure strategies, what is seen of one is the whole or a move.

A game and a belief make a situation; its alternatives x are the pure strategies over both roles, with the
terms of their utility (`ludens.preferences.terms`). Somebody who answered every node has shown x itself. Of
a single answer at
a node h only the move is seen: its probability is the marginal of the joint logit,

    P(a at h) = Σ_{x: x_h = a} P(x).

A logit at each node by itself would be another model, since κ couples the nodes. Several answers of one
person to one game, taken node by node, are treated as draws apart (a composite likelihood): estimates stay
consistent, and errors are to be clustered by person.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ludens.envs import GameTree, Strategy, pure_strategies
from ludens.errors import UsageError
from ludens.preferences.estimation.data.choices import Choices, count_events, make_choices
from ludens.preferences.estimation.data.columns import Codes
from ludens.preferences.estimation.models.linear import Model
from ludens.preferences.terms import UtilityTerms, utility_terms

Floats = NDArray[np.float64]

_TERMS: Mapping[str, Callable[[UtilityTerms], Floats]] = {
    "own": lambda terms: terms.own,
    "behind": lambda terms: terms.behind,
    "ahead": lambda terms: terms.ahead,
    "universalised": lambda terms: terms.universalised,
    "minus behind": lambda terms: -terms.behind,
    "minus ahead": lambda terms: -terms.ahead,
    "universalised minus own": lambda terms: terms.universalised - terms.own,
    # With one other, s·(other − own) is how far one is behind, r·(other − own) less how far ahead.
    "s·(other−own)": lambda terms: terms.behind,
    "r·(other−own)": lambda terms: -terms.ahead,
}


@dataclass(frozen=True, eq=False)
class Answers:
    """Answers in games, a row each.

    Attributes:
        subjects: the number of the row of `Choices.counts` that the answer belongs to, shape (n,).
        situations: its game and belief, as a number into the list that `game_choices` is given.
        whole: whether it is a whole pure strategy.
        events: the number of that strategy in `pure_strategies`, or the column of the option in a strategy
            vector.
        weights: how often it was given, or with what probability.
    """

    subjects: Codes
    situations: Codes
    whole: NDArray[np.bool_]
    events: Codes
    weights: Floats


def game_choices(
    answers: Answers,
    situations: Sequence[tuple[GameTree, Strategy]],
    model: Model,
    *,
    subjects: Sequence[str],
    clusters: tuple[Codes, str],
) -> Choices:
    """Answers in games in the form that estimators take.

    Args:
        answers: the answers.
        situations: games, each with the belief under which it is played, a strategy of shape (width,).
        model: it names the terms of utility that the alternatives need.
        subjects: one name per row of counts.
        clusters: each row's cluster, and what a cluster is, in words.

    Raises:
        UsageError: the model needs what games do not tell, or a subject has no answer.
    """
    tables = _attributes(situations, model)
    width = max(map(len, tables))
    attributes = np.zeros((len(situations), width, len(model.attributes)))
    available = np.zeros((len(situations), width), dtype=bool)
    for place, table in enumerate(tables):
        attributes[place, : len(table)] = table
        available[place, : len(table)] = True
    members, events = _events(answers, [game for game, _ in situations], available)
    names = [game.protocol or repr(game) for game, _ in situations]
    shape = (len(subjects), len(situations), width if members is None else members.shape[1])
    counts = count_events(answers.subjects, answers.situations, events, answers.weights, shape)
    return make_choices(
        attributes, available, counts, members=members, subjects=subjects, clusters=clusters, situations=names
    )


def _attributes(situations: Sequence[tuple[GameTree, Strategy]], model: Model) -> list[Floats]:
    """Attributes of the pure strategies of each situation, shape (strategies, attributes); one call per
    game.
    """
    missing = [name for name in model.attributes if name not in _TERMS]
    if missing:
        raise UsageError(
            f"The model {model.name!r} needs {missing[0]!r}, which strategies in games do not have (they "
            f"have "
            f"{', '.join(_TERMS)}); choose the model moralis or fehr_schmidt."
        )
    for game, _ in situations:
        if len(game.roles) != 2 and any("other−own" in name for name in model.attributes):
            raise UsageError(
                f"The model {model.name!r} compares two players and {game!r} has {len(game.roles)}."
            )
    by_game: dict[GameTree, list[int]] = {}
    for place, (game, _) in enumerate(situations):
        by_game.setdefault(game, []).append(place)
    found: list[Floats] = [np.zeros(0)] * len(situations)
    for game, places in by_game.items():
        terms = utility_terms(game, np.stack([situations[place][1] for place in places]))
        table = np.stack([_TERMS[name](terms) for name in model.attributes], axis=-1)
        for row, place in enumerate(places):
            found[place] = table[row]
    return found


def _events(
    answers: Answers, games: Sequence[GameTree], available: NDArray[np.bool_]
) -> tuple[NDArray[np.bool_] | None, Codes]:
    """Members of the events, None where all answers are whole strategies, and each answer's event:
    strategies come before moves where there are both.
    """
    if answers.whole.all():
        return None, answers.events
    before = available.shape[1] if answers.whole.any() else 0
    members = np.zeros(
        (len(games), before + max(game.width for game in games), available.shape[1]), dtype=bool
    )
    for place, game in enumerate(games):
        moves = pure_strategies(game).T > 0
        members[place, before : before + game.width, : moves.shape[1]] = moves
        if before:
            members[place, :before] = np.diag(available[place])
    return members, np.where(answers.whole, answers.events, before + answers.events)
