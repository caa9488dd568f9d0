"""Utility differences between sparing one group of a Moral Machine scenario and sparing the other.

Only human lives count, all equally; no other feature of a character does. m people sit in the vehicle (if
anybody does), n₁ and n₂ are the numbers of humans in the two groups, and the policy's own vehicle decides:

* behind the veil, passengers against n pedestrians, as in `ludens.preferences.av.dilemma`: sparing the
  pedestrians has the utility (κ·n − m)/(m+n), sparing the passengers the opposite: pedestrians iff κ > m/n;
* behind the veil, pedestrians against pedestrians: the choice of one's own vehicle never concerns oneself, so
  that only universalised survival counts: sparing the first group has the utility κ·(n₁ − n₂)/(n₁+n₂). Homo
  economicus is indifferent, and every κ > 0 spares the larger group;
* with ``"role"``, one's own group is spared, and a bystander is indifferent, whatever κ;
* the altruist adds α for every other life to its own, the utilitarian counts lives.

The other universalisations are those of the dilemma; ``"even"`` gives both groups equal odds. All of this is
ours.
"""

from __future__ import annotations

from collections.abc import Sequence

from ludens.preferences.av.dilemma import DilemmaPreferences


def sparing_worth(
    humans: tuple[int, int],
    passengers: tuple[bool, bool],
    preferences: DilemmaPreferences,
    own: int | None = None,
) -> float:
    """Return u(spare the first group) − u(spare the second), in lives.

    Args:
        humans: the number of people in each group; pets do not count.
        passengers: whether each group sits in the vehicle; at most one does.
        preferences: the preferences.
        own: one's own group, 0 or 1; None for a bystander.
    """
    first, second = humans
    lives = float(first - second)
    mine = 0.0 if own is None else 1.0 if own == 0 else -1.0
    if preferences.kind == "utilitarian":
        return lives
    if preferences.kind == "altruist":
        return mine + preferences.altruism * (lives - mine)
    kappa, universalisation = preferences.kappa, preferences.universalisation
    if universalisation == "role":
        return mine
    everybody = first + second
    universal = 0.0 if everybody == 0 or universalisation == "even" else lives / everybody
    if universalisation == "mixed":
        return (1 - kappa) * mine + kappa * universal
    return (1 - kappa) * _at_stake(humans, passengers, universalisation) + kappa * universal


def _at_stake(humans: Sequence[int], passengers: Sequence[bool], universalisation: str) -> float:
    """Return the change in own survival behind the veil from sparing the first group, by one's own car."""
    if not any(passengers) or sum(humans) == 0:
        return 0.0
    riders = humans[0] if passengers[0] else humans[1]
    share = (0.5 if riders else 0.0) if universalisation == "even" else riders / sum(humans)
    return share if passengers[0] else -share
