"""Choices drawn from a model: whole strategies, allocations, or moves at single nodes.

A *design* is a `Choices` whose answers do not matter: it says which situations each subject faces, how often,
and whether whole strategies or single moves are observed. `questions` makes a design from games and beliefs;
any data set is one too, so that a study can be repeated in simulation.

Where moves are observed, a subject draws a whole strategy x from the joint logit, as the model says, and each
node shows its move x_h. Answers at the nodes of one game are therefore dependent; if a node was asked more
often than another, further strategies are drawn for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from ludens.envs import AnyGame, Strategy, pure_strategies
from ludens.errors import UsageError
from ludens.preferences.estimation.data.choices import Choices, count_events
from ludens.preferences.estimation.data.games import Answers, game_choices
from ludens.preferences.estimation.models.catalogue import find_model
from ludens.preferences.estimation.models.expected import model_of
from ludens.preferences.estimation.models.linear import Model

Floats = NDArray[np.float64]
Whole = NDArray[np.intp]


def questions(
    situations: Sequence[tuple[AnyGame, Strategy]],
    model: str | Model = "moralis",
    *,
    subjects: int,
    own: bool = False,
    seen: Literal["strategies", "nodes"] = "strategies",
) -> Choices:
    """Make a design of questions in games; as placeholders, all answers have the same probability.

    Args:
        situations: games, each with the belief under which it is played, a strategy of shape (width,).
        model: a model or its name; it says which attributes the alternatives have.
        subjects: the number of subjects; they are called ``"1"``, ``"2"``, …
        own: whether each subject has its own situations, for example its own beliefs; `situations` then lists
            those of the first subject, those of the second, …, the same number for each. Otherwise all
            subjects face all situations.
        seen: whether an answer is a whole strategy, or a move at each node.

    Raises:
        UsageError: there are no subjects or situations, or the number of situations is not a multiple of the
            number of subjects.
    """
    if subjects < 1 or not situations or (own and len(situations) % subjects):
        raise UsageError(
            "A design needs subjects and situations, with own=True the same number of situations for each "
            f"subject; got {subjects} subjects and {len(situations)} situations."
        )
    each = len(situations) // subjects if own else len(situations)
    faced = np.arange(subjects * each) % len(situations)
    faces = np.repeat(np.arange(subjects), each)
    options = [_options(game, seen) for game, _ in situations]
    sizes = np.array([len(option) for option, _ in options])[faced]
    answers = Answers(
        np.repeat(faces, sizes),
        np.repeat(faced, sizes),
        np.full(int(sizes.sum()), seen == "strategies"),
        np.concatenate([options[place][0] for place in faced]),
        np.concatenate([options[place][1] for place in faced]),
    )
    names = [str(number + 1) for number in range(subjects)]
    clusters = (np.arange(subjects), "subject")
    return game_choices(answers, situations, find_model(model), subjects=names, clusters=clusters)


def simulate(design: Choices, model: str | Model, theta: ArrayLike, rng: np.random.Generator) -> Choices:
    """Draw all choices of a design from a model.

    Args:
        design: which subject is asked what, and how often; its answers are ignored.
        model: a model or its name.
        theta: parameters in the order of `Model.names`, shape (p,) for all subjects or (subjects, p). For
            types, index their parameters by each subject's type: ``theta[types]``.
        rng: the source of randomness.

    Raises:
        UsageError: `theta` has another shape or values that are not finite, or events of the design overlap,
            so that they cannot be drawn.
    """
    chosen = model_of(design, find_model(model))
    people, width = len(design.subjects), len(chosen.names)
    values = np.asarray(theta, dtype=np.float64)
    if values.shape not in {(width,), (people, width)} or not np.all(np.isfinite(values)):
        raise UsageError(
            f"`theta` holds {', '.join(chosen.names)}, finite and of shape ({width},) or ({people}, {width})"
            f"; got {values!r}."
        )
    if np.any(values[..., -1] <= 0):
        raise UsageError(f"`theta` needs a {chosen.names[-1]} above 0; got {values[..., -1].min():g}.")
    shape = (people, len(design.available), design.events)
    rows, groups, places, numbers = _asked(design)
    # One strategy for each time that the most frequent question of a situation is put.
    cells, inverse = np.unique(rows * shape[1] + places, return_inverse=True)
    most = np.zeros(len(cells), dtype=np.intp)
    np.maximum.at(most, inverse, numbers)
    first = np.concatenate([[0], np.cumsum(most)])
    subject, situation = np.repeat(cells // shape[1], most), np.repeat(cells % shape[1], most)
    random, drawn = rng.random(len(subject)), np.empty(len(subject), dtype=np.intp)
    kinds, kind = np.unique(np.atleast_2d(values), axis=0, return_inverse=True)
    of_subject = np.broadcast_to(kind.reshape(-1), (people,))
    for number, one in enumerate(kinds):
        these = np.flatnonzero(of_subject[subject] == number)
        faced, at = np.unique(situation[these], return_inverse=True)
        phi = chosen.to_free(one)
        drawn[these] = _draw(
            _shares(chosen, phi, design.attributes[faced], design.available[faced]), at, random[these]
        )
    shows = _shows(design)
    # The t-th strategy of a cell shows its move at each question that is put more than t times.
    which = np.repeat(first[inverse], numbers) + _counting(numbers)
    events = shows[np.repeat(places, numbers), np.repeat(groups, numbers), drawn[which]]
    counts = count_events(subject[which], situation[which], events, np.ones(len(which)), shape)
    return replace(design, counts=counts)


def _options(game: AnyGame, seen: str) -> tuple[Whole, Floats]:
    """Return the events and their equal probabilities, for strategies or for the options at each node."""
    if seen == "strategies":
        number = len(pure_strategies(game))
        return np.arange(number), np.full(number, 1 / number)
    columns = [np.arange(game.width)[node.columns] for node in game.information_sets]
    return np.concatenate(columns), np.concatenate([np.full(len(one), 1 / len(one)) for one in columns])


def _asked(design: Choices) -> tuple[Whole, Whole, Whole, Whole]:
    """Return subject, question, situation and number of times, an entry for each question that was asked."""
    table = design.counts.tocoo()
    rows, columns = table.coords
    situations, events = columns // design.events, columns % design.events
    groups = design.questions
    number = int(groups.max()) + 1
    keys = (rows.astype(np.intp) * len(groups) + situations) * number + groups[situations, events]
    there, inverse = np.unique(keys, return_inverse=True)
    times = np.rint(np.bincount(inverse, weights=table.data)).astype(np.intp)
    kept = times > 0
    there, times = there[kept], times[kept]
    return there // number // len(groups), there % number, there // number % len(groups), times


def _shows(design: Choices) -> Whole:
    """Return the event by which an alternative answers each question; shape (situations, questions,
    alternatives).
    """
    groups = design.questions
    number = int(groups.max()) + 1
    found = np.full((len(groups), number, design.available.shape[1]), -1, dtype=np.intp)
    if design.members is None:
        found[:, 0] = np.arange(design.events)
        return found
    for place, event in zip(*np.nonzero(groups >= 0), strict=True):
        found[place, groups[place, event], design.members[place, event]] = event
    return found


def _draw(shares: Floats, rows: Whole, random: Floats) -> Whole:
    """Draw alternatives by their shares (situations, alternatives) in the situations `rows` (n,)."""
    ends = np.cumsum(shares, axis=1)
    # The last end is 1 but for rounding; a padded alternative has no share and is never drawn.
    ends /= ends[:, -1:]
    found: Whole = (random[:, None] >= ends[rows]).sum(axis=1)
    return found


def _shares(model: Model, phi: Floats, attributes: Floats, available: NDArray[np.bool_]) -> Floats:
    level, _ = model.index(phi, attributes)
    return np.asarray(special.softmax(np.where(available, level, -np.inf), axis=-1))


def _counting(numbers: Whole) -> Whole:
    """Return 0, …, n−1 for each n, concatenated."""
    ends = np.cumsum(numbers)
    return np.arange(int(numbers.sum())) - np.repeat(ends - numbers, numbers)
