"""What it is worth to a preference to spare one group of a Moral Machine scenario and not the other.

Only human lives count, each alike; nothing else about a character does. m sit in the vehicle (if anybody
does), n₁ and n₂ are the humans of the two groups, and the respondent's own vehicle is the one that decides:

* behind the veil, passengers against n pedestrians, as in `ludens.preferences.av.dilemma`: to spare the
  pedestrians is worth (κ·n − m)/(m+n), to spare the passengers the opposite: pedestrians iff κ > m/n;
* behind the veil, pedestrians against pedestrians: the own vehicle's choice never concerns oneself, so own
  survival is silent, and universalised survival counts heads: to spare the first is worth κ·(n₁ −
  n₂)/(n₁+n₂). Homo economicus is indifferent, every κ > 0 spares the more;
* within one role, one's own group is spared, and who is in none is indifferent, whatever κ;
* the altruist adds α for every other life to the own one, the utilitarian counts lives.

The other universalisations are those of the dilemma, with even odds of both groups for ``"even"``. All of it
is ours.
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
    """Return u(spare the first) − u(spare the second), in lives.

    Args:
        humans: how many people each group has; pets count nothing.
        passengers: whether each group sits in the vehicle (at most one does).
        preferences: whose.
        own: the respondent's group, 0 or 1; None for a bystander.
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
    """Return what sparing the first changes in own survival behind the veil: as a passenger, by one's own
    car.
    """
    if not any(passengers) or sum(humans) == 0:
        return 0.0
    riders = humans[0] if passengers[0] else humans[1]
    share = (0.5 if riders else 0.0) if universalisation == "even" else riders / sum(humans)
    return share if passengers[0] else -share
