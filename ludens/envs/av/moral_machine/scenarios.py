"""Scenarios of the Moral Machine: two groups on a road, one of which an autonomous vehicle must spare.

After Awad et al. (Nature 563, 2018): 20 characters; six types of scenario that set two groups against each
other in one attribute, and a random one; and three structural factors. Which group is named first is drawn
independently of the attribute, so that a bias towards one position is not taken for a preference. The
probabilities of the cells of structural factors are parameters and are stored with every scenario, since
estimates are weighted by their inverse; the defaults (uniform) are ours.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ludens.checks import entries
from ludens.errors import UsageError

CHARACTERS = (
    "man", "woman", "pregnant woman", "baby in a stroller", "elderly man", "elderly woman", "boy", "girl",
    "homeless person", "large woman", "large man", "criminal", "male executive", "female executive",
    "female athlete", "male athlete", "female doctor", "male doctor", "dog", "cat",
)  # fmt: skip
TYPES = ("species", "social status", "gender", "age", "fitness", "number", "random")
"""The types of scenario; each but the last is named by the attribute in which its groups differ."""
MOST = 5
"""The most characters in a group."""
RELATIONS = ("passengers against pedestrians", "pedestrians against pedestrians")
LEGALITIES = ("none", "first lawful", "second lawful")
"""Of pedestrians against pedestrians: no signal, or one group crosses lawfully and the other does not. Of
passengers against pedestrians: no signal, or the pedestrians cross lawfully, or unlawfully.
"""

# Characters of the level that people favour, each beside one that differs in this attribute alone.
_PAIRS: dict[str, tuple[tuple[str, str], ...]] = {
    "species": tuple((person, pet) for person in CHARACTERS[:18] for pet in ("dog", "cat")),
    "social status": tuple(
        (high, low)
        for high in ("male executive", "female executive", "female doctor", "male doctor")
        for low in ("homeless person", "criminal")
    ),
    "gender": (
        ("woman", "man"), ("elderly woman", "elderly man"), ("girl", "boy"), ("large woman", "large man"),
        ("female executive", "male executive"), ("female athlete", "male athlete"),
        ("female doctor", "male doctor"),
    ),
    "age": (
        ("boy", "man"), ("boy", "elderly man"), ("man", "elderly man"),
        ("girl", "woman"), ("girl", "elderly woman"), ("woman", "elderly woman"),
    ),
    "fitness": (
        ("male athlete", "man"), ("male athlete", "large man"), ("man", "large man"),
        ("female athlete", "woman"), ("female athlete", "large woman"), ("woman", "large woman"),
    ),
}  # fmt: skip
_PLACE = {name: place for place, name in enumerate(CHARACTERS)}


@dataclass(frozen=True, eq=False)
class Scenarios:
    """Scenarios, n of them; in pairs of columns the first is the group named first.

    Attributes:
        type: (n,) numbers of `TYPES`.
        counts: (n, 2, 20) how many of each of `CHARACTERS` are in each group.
        level: (n, 2) 1 for the group with the attribute's favoured level (people, higher status, women, the
            young, the fit, the more), 0 for the other; −1 in random scenarios.
        passengers: (n, 2) whether the group sits in the vehicle.
        legality: (n, 2) 1 where the group crosses lawfully, −1 unlawfully, 0 without a signal; a group in the
            vehicle has 0.
        signal: (n,) whether there is a signal at all.
        inaction: (n, 2) whether the group is spared if the vehicle stays on course.
        probability: (n,) of the scenario's cell of structural factors.
    """

    type: NDArray[np.int64]
    counts: NDArray[np.integer[Any]]
    level: NDArray[np.int64]
    passengers: NDArray[np.bool_]
    legality: NDArray[np.int64]
    signal: NDArray[np.bool_]
    inaction: NDArray[np.bool_]
    probability: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.type)

    @property
    def size(self) -> NDArray[np.int64]:
        """(n, 2) how many characters are in each group."""
        sizes: NDArray[np.int64] = self.counts.sum(axis=2)
        return sizes

    def swapped(self) -> Scenarios:
        """Return the same scenarios with the two groups in the other order."""
        paired = ("counts", "level", "passengers", "legality", "inaction")
        values: dict[str, Any] = {name: getattr(self, name)[:, ::-1] for name in paired}
        return Scenarios(type=self.type, signal=self.signal, probability=self.probability, **values)


def joined(parts: Iterable[Scenarios]) -> Scenarios:
    """Return the scenarios of all parts, one part after another."""
    blocks = list(parts)
    return Scenarios(
        **{
            each.name: np.concatenate([getattr(block, each.name) for block in blocks])
            for each in fields(Scenarios)
        }
    )


def draw_scenarios(
    n: int,
    *,
    seed: int = 0,
    types: Sequence[str] = TYPES,
    relations: Sequence[float] = (0.5, 0.5),
    legalities: Sequence[float] = (1 / 3, 1 / 3, 1 / 3),
) -> Scenarios:
    """Draw scenarios, the types in equal numbers (give or take one) and in random order.

    Args:
        n: how many, at least 1.
        seed: the same seed gives the same scenarios.
        types: those to draw from `TYPES`.
        relations: probabilities of `RELATIONS`.
        legalities: probabilities of `LEGALITIES`.

    Raises:
        UsageError: an argument is out of its range.
    """
    if not isinstance(n, int) or isinstance(n, bool) or n < 1:
        raise UsageError(f"The number of scenarios is a whole number of at least 1; got {n!r}.")
    listed = entries(types)
    if not listed or any(not isinstance(name, str) or name not in TYPES for name in listed):
        raise UsageError(f"Types of scenarios are a list from {', '.join(TYPES)}; got {types!r}.")
    related = _shares("relations", relations, len(RELATIONS))
    lawful = _shares("legalities", legalities, len(LEGALITIES))
    rng = np.random.default_rng(seed)
    kinds = np.array([TYPES.index(name) for name in listed])
    kind = rng.permutation(kinds[np.arange(n) % len(kinds)])
    counts, level = np.zeros((n, 2, len(CHARACTERS)), dtype=np.int64), np.full((n, 2), -1)
    for number in set(kinds.tolist()):
        at = np.flatnonzero(kind == number)
        counts[at] = _groups(TYPES[number], len(at), rng)
        if TYPES[number] != "random":
            level[at] = (1, 0)
    relation = rng.choice(len(RELATIONS), size=n, p=related)
    legality = rng.choice(len(LEGALITIES), size=n, p=lawful)
    aboard = rng.integers(2, size=n)
    stays = rng.integers(2, size=n)
    rows = np.arange(n)
    passengers = np.zeros((n, 2), dtype=np.bool_)
    passengers[rows, aboard] = relation == 0
    signs = np.array([[0, 0], [1, -1], [-1, 1]])[legality]
    # Beside passengers there is one group of pedestrians, whose crossing is lawful or not.
    one = np.array([0, 1, -1])[legality]
    signs = np.where(relation[:, None] == 0, np.where(passengers, 0, one[:, None]), signs)
    inaction = np.zeros((n, 2), dtype=np.bool_)
    inaction[rows, stays] = True
    # Who sits in the vehicle and who is spared by inaction are even chances each.
    sides = np.where(relation == 0, 0.25, 0.5)
    made = Scenarios(
        kind,
        counts,
        level,
        passengers,
        signs,
        legality > 0,
        inaction,
        related[relation] * lawful[legality] * sides,
    )
    turned = rng.integers(2, size=n).astype(np.bool_)
    other = made.swapped()

    def mixed(name: str) -> NDArray[Any]:
        mine, theirs = getattr(made, name), getattr(other, name)
        picked: NDArray[Any] = np.where(turned.reshape(-1, *[1] * (mine.ndim - 1)), theirs, mine)
        return picked

    names = ("counts", "level", "passengers", "legality", "inaction")
    return Scenarios(
        type=kind, signal=made.signal, probability=made.probability, **{name: mixed(name) for name in names}
    )


def _groups(kind: str, n: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Return pairs of groups, shape (n, 2, 20), the favoured level first."""
    counts = np.zeros((n, 2, len(CHARACTERS)), dtype=np.int64)
    rows = np.arange(n)
    if kind == "random":
        for side in range(2):
            size = rng.integers(1, MOST + 1, size=n)
            for place in range(MOST):
                who = rng.integers(len(CHARACTERS), size=n)
                counts[rows, side, who] += place < size
        return counts
    if kind == "number":
        pairs = rng.integers(1, MOST, size=n)
        extra = 1 + (rng.random(n) * (MOST - pairs)).astype(np.int64)
        for place in range(MOST):
            who = rng.integers(len(CHARACTERS), size=n)
            counts[rows, 0, who] += place < pairs + extra
            counts[rows, 1, who] += place < pairs
        return counts
    pairs_of = np.array([[_PLACE[name] for name in pair] for pair in _PAIRS[kind]])
    size = rng.integers(1, MOST + 1, size=n)
    for place in range(MOST):
        chosen = pairs_of[rng.integers(len(pairs_of), size=n)]
        for side in range(2):
            counts[rows, side, chosen[:, side]] += place < size
    return counts


def _shares(name: str, given: Sequence[float], length: int) -> NDArray[np.float64]:
    try:
        shares = np.asarray(given, dtype=np.float64)
    except (TypeError, ValueError):
        shares = np.array([np.nan])
    if shares.shape != (length,) or not np.all(shares >= 0) or not math.isclose(float(shares.sum()), 1):
        raise UsageError(f"{name} are {length} probabilities that sum to 1; got {given!r}.")
    return shares
