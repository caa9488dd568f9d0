"""Answers in games as choices among pure strategies, observed as a whole or move by move.

A game and a belief make a situation; its alternatives x are the pure strategies over both roles, with the
terms of their utility (`ludens.preferences.terms`) as attributes. Answers at every node show x itself. A
single answer at a node h shows only the move there, whose probability is the marginal of the joint logit,

    P(a at h) = Σ_{x: x_h = a} P(x).

Separate logits at the nodes would be a different model, since κ couples the nodes. Several answers of one
person in one game, taken node by node, are treated as independent draws (a composite likelihood): estimates
remain consistent, and standard errors should be clustered by person.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ludens.envs import AnyGame, GameTree, Strategy, pure_strategies
from ludens.errors import UsageError
from ludens.preferences.acts import acts
from ludens.preferences.estimation.data.choices import Choices, Clusters, count_events, make_choices
from ludens.preferences.estimation.data.columns import Codes, combined
from ludens.preferences.estimation.data.payoffs import payoff_attribute
from ludens.preferences.estimation.models.linear import Model
from ludens.preferences.estimation.models.nonlinear import NonlinearModel
from ludens.preferences.terms import UtilityTerms, outcome_weights, utility_terms

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
    "other": lambda terms: terms.own + terms.behind - terms.ahead,
}
_OF_TWO = frozenset({"s·(other−own)", "r·(other−own)", "other"})
_ACTS = {"q·(other−own)": 1.0, "v·(other−own)": -1.0, "misbehaved·(other−own)": -1.0}
"""Attributes after a kind (1) or an unkind act (−1) of the other; see `ludens.preferences.acts`."""


@dataclass(frozen=True, eq=False)
class Answers:
    """Answers in games, one per row; all arrays have shape (n,).

    Attributes:
        subjects: the row of `Choices.counts` that the answer belongs to.
        situations: its game and belief, as an index into the list of situations given to `game_choices`.
        whole: whether the answer is a whole pure strategy.
        events: the number of that strategy in `pure_strategies`, or the column of the chosen option in a
            strategy vector.
        weights: how often the answer was given, or its probability.
    """

    subjects: Codes
    situations: Codes
    whole: NDArray[np.bool_]
    events: Codes
    weights: Floats


def game_choices(
    answers: Answers,
    situations: Sequence[tuple[AnyGame, Strategy]],
    model: Model,
    *,
    subjects: Sequence[str],
    clusters: tuple[Codes, str] | Clusters,
    rows: Codes | None = None,
) -> Choices:
    """Return answers in games in the form that estimators take.

    Args:
        answers: the answers.
        situations: games, each with the belief under which it is played, a strategy of shape (width,).
        model: the model, which says which terms of utility the alternatives need.
        subjects: a name for each row of counts.
        clusters: each subject's cluster, and a cluster's meaning in words.
        rows: each answer's row of the table, where clusters may cross subjects.

    Raises:
        UsageError: the model needs attributes that games do not have, or a subject has no answer.
    """
    games = _by_game(situations)
    width = max(len(pure_strategies(game)) for game, _ in games)
    read = _outcomes if isinstance(model, NonlinearModel) else _attributes
    tables = [
        read(game, np.stack([situations[place][1] for place in places]), model) for game, places in games
    ]
    attributes = np.zeros((len(situations), width, max(table.shape[2] for table in tables)))
    available = np.zeros((len(situations), width), dtype=bool)
    for (_, places), table in zip(games, tables, strict=True):
        attributes[places, : table.shape[1], : table.shape[2]] = table
        available[places, : table.shape[1]] = True
    members, events = _events(answers, games, available)
    names = [game.protocol or repr(game) for game, _ in situations]
    shape = (len(subjects), len(situations), width if members is None else members.shape[1])
    seen = answers.situations, events, answers.weights
    known = Clusters(*clusters)
    outcomes = attributes.shape[2] // (1 + len(model.attributes)) if read is _outcomes else 0
    found = make_choices(
        attributes,
        available,
        count_events(answers.subjects, *seen, shape),
        members=members,
        subjects=subjects,
        clusters=known,
        situations=names,
        crossed=() if rows is None else known.tabulate(rows, *seen, cells=shape[1:]),
    )
    return replace(found, outcomes=outcomes)


def _by_game(situations: Sequence[tuple[AnyGame, Strategy]]) -> list[tuple[AnyGame, Codes]]:
    """Return the games, each with the places of its situations."""
    names = np.array([id(game) for game, _ in situations])
    codes, firsts = combined(names)
    return [(situations[first][0], np.flatnonzero(codes == code)) for code, first in enumerate(firsts)]


def _attributes(game: AnyGame, beliefs: Floats, model: Model) -> Floats:
    """Return the attributes of a game's pure strategies, shape (beliefs, strategies, attributes)."""
    missing = [name for name in model.attributes if name not in {*_TERMS, *_ACTS}]
    if missing:
        raise UsageError(
            f"The model {model.name!r} needs {missing[0]!r}, which strategies in games do not have (they "
            f"have {', '.join((*_TERMS, *_ACTS))}); choose another model, such as moralis."
        )
    if any(name in _OF_TWO or name in _ACTS for name in model.attributes):
        _check_two(game, model)
    terms, acted = utility_terms(game, beliefs), _after_acts(game, beliefs)
    return np.stack(
        [_TERMS[name](terms) if name in _TERMS else acted(_ACTS[name]) for name in model.attributes], axis=-1
    )


def _after_acts(game: AnyGame, beliefs: Floats) -> Callable[[float], Floats]:
    """Return a function from the sign of acts to the expected other − own after such acts."""

    def expected(sign: float) -> Floats:
        if not isinstance(game, GameTree):  # nobody moves before another
            return np.zeros((len(beliefs), len(pure_strategies(game))))
        gap = game.payoffs[:, ::-1] - game.payoffs
        found: Floats = np.einsum(
            "...slr,lr->...s", outcome_weights(game, beliefs), gap * (acts(game) == sign)
        )
        return found

    return expected


def _outcomes(game: AnyGame, beliefs: Floats, model: Model) -> Floats:
    """Return the probabilities and attributes of the outcomes of a game's pure strategies, shape (beliefs,
    strategies, outcomes·(1 + attributes)).
    """
    if not isinstance(game, GameTree):
        raise UsageError(
            f"The model {model.name!r} is not linear in payoffs and is estimated from game trees; in "
            f"{game!r} all move at once: leave its answers out, or choose a linear model."
        )
    parts = []
    for role in range(len(game.roles)):
        others = np.delete(game.payoffs, role, axis=1)
        columns = [payoff_attribute(name, game.payoffs[:, role], others) for name in model.attributes]
        for name, column in zip(model.attributes, columns, strict=True):
            if column is None:
                raise UsageError(
                    f"The model {model.name!r} needs {name!r}, which outcomes of games do not have."
                )
        parts.append(np.stack([column for column in columns if column is not None], axis=-1))
    weights = outcome_weights(game, beliefs)
    # Outcomes that pay the same are one.
    met, kind = np.unique(np.concatenate(parts), axis=0, return_inverse=True)
    chances = np.zeros((*weights.shape[:2], len(met)))
    flat = np.moveaxis(weights, 3, 2).reshape(*weights.shape[:2], -1)
    for place, number in enumerate(kind.reshape(-1).tolist()):
        chances[..., number] += flat[..., place]
    table = np.concatenate(
        [chances[..., None], np.broadcast_to(met, (*chances.shape, met.shape[1]))], axis=-1
    )
    return table.reshape(*table.shape[:2], -1)


def _check_two(game: AnyGame, model: Model) -> None:
    players = len(game.roles if isinstance(game, GameTree) else game.seats)
    if players != 2:
        raise UsageError(f"The model {model.name!r} compares two players and {game!r} has {players}.")


def _events(
    answers: Answers, games: Sequence[tuple[AnyGame, Codes]], available: NDArray[np.bool_]
) -> tuple[NDArray[np.bool_] | None, Codes]:
    """Return the members of the events, None where all answers are whole strategies, and each answer's event.

    Where there are both, the events of whole strategies come before those of moves.
    """
    if answers.whole.all():
        return None, answers.events
    before = available.shape[1] if answers.whole.any() else 0
    width = max(game.width for game, _ in games)
    members = np.zeros((len(available), before + width, available.shape[1]), dtype=bool)
    for game, places in games:
        moves = pure_strategies(game).T > 0
        members[places, before : before + game.width, : moves.shape[1]] = moves
        if before:
            members[places, :before] = np.diag(available[places[0]])
    return members, np.where(answers.whole, answers.events, before + answers.events)
