"""The consequences of what a car does, for oneself and if all cars did the same, in whole numbers.

In a dilemma with m passengers and n pedestrians the numbers are chances of living, in cases of m + n where
harm is certain; the probability of harm multiplies all differences alike. With the universalisation
``"veil"`` one may be any of the m + n people: if the own car alone stays, its m passengers are safe, and if
all cars stay, the m; if all swerve, the n. The differences between the rows are those of
`ludens.preferences.av.dilemma.worth` up to a common factor, which tests verify.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from ludens.envs.av.adoption.game import PROGRAMS, AdoptionGame
from ludens.envs.av.dilemma.vignette import ALLOCATIONS, Vignette
from ludens.preferences.av.dilemma import Universalisation
from ludens.preferences.av.thresholds import Universalisation as RiderUniversalisation
from ludens.preferences.av.thresholds import role_payoff
from ludens.preferences.consequences import MOST, Consequences, Weights, weights_of, whole_numbers

Column = tuple[float, float]

ACTS = ("stay", "swerve")
SPARED = ("spare the first", "spare the second")
COMFORT = "allocate_comfort"
"""The question about others' cars."""


@lru_cache(maxsize=4096)
def dilemma_consequences(
    vignette: Vignette, universalisation: Universalisation = "veil", *, family: float = 0.0, most: int = MOST
) -> Consequences:
    """Return the consequences of staying and of swerving, in chances of living.

    Where the vignette asks about comfort with others' cars, the first column is what follows if all cars but
    one's own do so.

    Args:
        vignette: the dilemma.
        universalisation: the roles in which one considers oneself, see `ludens.preferences.av.dilemma`.
        family: the extra weight on each family member's life.
        most: the largest number.
    """
    m, n = vignette.riders, vignette.pedestrians
    kin = family * vignette.relatives
    inside, outside = m + kin, float(n)
    own: Column
    everybody: Column
    others: Column
    on_foot = float(vignette.perspective == "pedestrian")
    role = (kin + (vignette.perspective == "passenger"), on_foot)
    if universalisation == "veil":
        own, everybody, others = (inside, 0), (inside, outside), (0, outside)
    elif universalisation == "even":
        own, everybody, others = (inside / m, 0), (inside / m, 1), (0, 1)
    elif universalisation == "role":
        own, everybody, others = role, role, (0, on_foot)
    else:
        known = (role[0] * (m + n), role[1] * (m + n))
        own, everybody, others = known, (inside, outside), (0, on_foot * (m + n))
    first = others if vignette.question == COMFORT else own
    (alone, together), exact = whole_numbers((first, everybody), most)
    return Consequences(ACTS, alone, together, exact)


def scenario_consequences(
    humans: tuple[int, int], passengers: tuple[bool, bool], most: int = MOST
) -> Consequences:
    """Return the consequences of sparing the first and the second group of a Moral Machine scenario, in cases
    out of all its people, of which one may be any.

    The own car's choice concerns its passengers alone; if all cars choose so, everybody. The differences
    between the rows are those of `ludens.preferences.av.moral.sparing_worth`, which tests verify.

    Args:
        humans: the number of people in each group; pets do not count.
        passengers: whether each group sits in the vehicle.
        most: the largest number.
    """
    inside = tuple(float(count * seated) for count, seated in zip(humans, passengers, strict=True))
    (alone, together), exact = whole_numbers((inside, tuple(map(float, humans))), most)
    return Consequences(SPARED, alone, together, exact)


def question_weights(question: str, kappa: float, universalisation: Universalisation = "veil") -> Weights:
    """Return the weights of homo moralis with which a vignette's question is answered.

    An act, a purchase and points by the wish to buy weigh the own car against all cars; morality is the
    consequence if all cars do so, as far as it counts for the respondent (not at all with κ = 0); a law
    concerns all cars. Comfort weighs others' cars, which stand in the first column then, against all.

    Raises:
        UsageError: κ is no fraction of small numbers.
    """
    plain = weights_of(kappa)
    if question in ("morality", "allocate_morality"):
        return Weights(0, plain.together)
    if question == "law":
        return plain if universalisation == "mixed" else Weights(0, 1)
    return plain


def points(vignette: Vignette, values: Sequence[int]) -> int:
    """Return the points that follow from the values of staying and swerving: 0, 50 or 100.

    A rating of a program is 100 where the program does the better act, 0 where it does the worse, and 50
    where both are as good: `ludens.preferences.av.ratings.RatingMap` with the shape ``"step"``. Points that
    are shared out count those for the program that swerves.
    """
    stay, swerve = values
    share = 50 * ((swerve > stay) - (swerve < stay))
    turned = vignette.program == "protective" and vignette.question not in ALLOCATIONS
    return 50 - share if turned else 50 + share


def adoption_consequences(
    game: AdoptionGame,
    share: float = 0.0,
    *,
    universalisation: RiderUniversalisation = "veil",
    period: int = 0,
    most: int = MOST,
) -> Consequences:
    """Return the consequences of the utilitarian and the self-protective program of one's own car.

    Each column counts what a program is worth more than the worse one, in a round.

    Args:
        game: the rules.
        share: of utilitarian cars among the others, in [0, 1].
        universalisation: the roles in which one considers oneself.
        period: the period whose regulation applies.
        most: the largest number.
    """
    rows = [(1.0, share), (0.0, share)], [(1.0, 1.0), (0.0, 0.0)]
    columns = [
        [
            float(role_payoff(game, own, others, universalisation=universalisation, period=period))
            for own, others in row
        ]
        for row in rows
    ]
    # Rounded, since differences of probabilities such as 0.95 - 0.9 are no exact decimals.
    raised = [[round(value - min(column), 12) for value in column] for column in columns]
    (alone, together), exact = whole_numbers(raised, most)
    return Consequences(PROGRAMS, alone, together, exact=exact)
