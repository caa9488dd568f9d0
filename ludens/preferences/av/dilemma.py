"""Utility differences between swerving and staying in a vignette, and thresholds of κ and α.

There are m passengers and n pedestrians, and harm has probability c; f of the passengers are the policy's
family, each of whose lives has weight 1 + a, so that W = m + a·f. A death costs 1, x is the swerve
probability of one's own car, y that of the others' cars. There are four forms of universalisation:

* ``"veil"``: the own role is unknown; ρ = m/(m+n) is the chance of being a passenger:

      π(x, y) = −c·[W·x + n·(1−y)] / (m+n),        u = (1−κ)·π(x, y) + κ·π(x, x)
      u(1) − u(0) = c·(κ·n − W) / (m+n)            so: sacrifice iff κ > κ* = W/n   (m/n where a = 0)

* ``"even"``: passenger and pedestrian are equally likely, ρ = ½:

      u(1) − u(0) = c·(κ − 1 − a·f/m) / 2          so: nobody with κ < 1 sacrifices, κ* = 1 + a·f/m

* ``"role"``: universalisation within one's own role: all passengers' cars swerve, or none does. Own survival
  is then the same function of x in both terms, and κ has no effect:

      u(1) − u(0) = o = −c·(1 + a·f) as passenger, c·(1 − a·f) as pedestrian, −c·a·f as anybody else

* ``"mixed"``: own survival in the known role, universalisation behind the veil:

      u(1) − u(0) = (1−κ)·o + κ·c·(n − W)/(m+n)    so: sacrifice iff κ > (1+af)/(1+af+Δ)

  for a passenger, Δ = (n − W)/(m+n). Here morality and purchase come apart, as they do among people.

For comparison, to show what universalisation adds: the *altruist* knows its role and puts a weight α on every
other life, u(1) − u(0) = (own as in ``"role"``) + α·c·(others saved − others killed), so that the
passenger sacrifices iff α·(n − m + 1) > 1 + a·f: the threshold falls with n alone. The *utilitarian* counts
lives, c·(n − m). ``"veil"`` and ``"even"`` depend on m, n and κ, not on one's role. All derivations are
ours; homo moralis is Alger & Weibull's (Econometrica 2013).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, get_args

from ludens.envs.av.dilemma.vignette import Vignette
from ludens.errors import UsageError

Kind = Literal["moralis", "altruist", "utilitarian"]
Universalisation = Literal["veil", "even", "role", "mixed"]

UNIVERSALISATIONS = get_args(Universalisation)


@dataclass(frozen=True)
class DilemmaPreferences:
    """Preferences in a dilemma.

    Args:
        kind: ``"moralis"`` (own survival and universalised survival), ``"altruist"`` (own survival and
            others' lives), ``"utilitarian"`` (all lives equally).
        kappa: κ in [0, 1], the weight of homo moralis on universalised survival; 0 is homo economicus.
        altruism: α of the altruist, at least 0.
        family: a, the extra weight on each family member's life, at least 0.
        universalisation: how homo moralis universalises, see this module.

    Raises:
        UsageError: a value is out of its range.
    """

    kind: Kind = "moralis"
    kappa: float = 0.0
    altruism: float = 0.0
    family: float = 0.0
    universalisation: Universalisation = "veil"

    def __post_init__(self) -> None:
        for name, choices in (("kind", get_args(Kind)), ("universalisation", UNIVERSALISATIONS)):
            if getattr(self, name) not in choices:
                raise UsageError(
                    f"Preferences in a dilemma got {name}={getattr(self, name)!r}; choose one of "
                    f"{', '.join(choices)}."
                )
        for name, most in (("kappa", 1.0), ("altruism", math.inf), ("family", math.inf)):
            value = getattr(self, name)
            number = math.nan if isinstance(value, bool | str) or value is None else float(value)
            if not 0 <= number <= most or math.isinf(number):
                between = "lie in [0, 1]" if most == 1 else "be a number of at least 0"
                raise UsageError(f"Preferences in a dilemma got {name}={value!r}; it must {between}.")
            object.__setattr__(self, name, number + 0.0)

    @property
    def name(self) -> str:
        """The name in tables."""
        more = (
            "" if self.universalisation == "veil" or self.kind != "moralis" else f" ({self.universalisation})"
        )
        more += f" a={self.family:g}" if self.family else ""
        if self.kind == "utilitarian":
            return f"utilitarian{more}"
        if self.kind == "altruist":
            return f"altruist α={self.altruism:g}{more}"
        return (f"homo moralis κ={self.kappa:g}" if self.kappa else "homo economicus") + more


@dataclass(frozen=True)
class Worth:
    """The utility differences between swerving and staying, in lives, by source.

    Attributes:
        own: own survival (and family) if one's own car swerves and nothing else changes.
        moral: the moral term: κ times the universalised difference, α times the lives of others, or the
            lives.
        others: the change if all other cars swerve, the only term in which others' cars matter.
        mandate: the change if all cars swerve, including one's own.
    """

    own: float
    moral: float
    others: float
    mandate: float

    @property
    def choice(self) -> float:
        """The utility difference of one's own car's program, u(1) − u(0)."""
        return self.own + self.moral


def worth(vignette: Vignette, preferences: DilemmaPreferences) -> Worth:
    """Return the utility differences of a vignette; the module's docstring has the formulas."""
    c, m, n = vignette.certainty, vignette.riders, vignette.pedestrians
    kin = preferences.family * vignette.relatives
    if preferences.kind == "utilitarian":
        lives = c * (n - m - kin)
        return Worth(0.0, lives, lives, lives)
    if preferences.kind == "altruist":
        own = _in_role(vignette, kin)
        lives = preferences.altruism * c * _others_saved(vignette)
        return Worth(own, lives, lives + _hit(vignette), own + lives)
    kappa = preferences.kappa
    if preferences.universalisation == "role":
        own = _in_role(vignette, kin)
        # Own and universalised survival are the same here: κ splits it, and changes nothing.
        return Worth((1 - kappa) * own, kappa * own, (1 - kappa) * _hit(vignette) + kappa * own, own)
    if preferences.universalisation == "mixed":
        own, universal = _in_role(vignette, kin), c * (n - m - kin) / (m + n)
        # A mandate also reaches the respondent's own car.
        mandate = (1 - kappa) * own + kappa * universal
        hit = (1 - kappa) * _hit(vignette)
        return Worth((1 - kappa) * own, kappa * universal, hit + kappa * universal, mandate)
    if preferences.universalisation == "even":
        lost, saved = c * (1 + kin / m) / 2, c / 2
    else:
        lost, saved = c * (m + kin) / (m + n), c * n / (m + n)
    universal = saved - lost
    return Worth(-(1 - kappa) * lost, kappa * universal, (1 - kappa) * saved + kappa * universal, universal)


def kappa_threshold(
    vignette: Vignette, *, family: float = 0.0, universalisation: Universalisation = "veil"
) -> float:
    """Return κ*: homo moralis sacrifices the passengers iff κ > κ*.

    A κ* above 1 means that nobody does. With ``"role"``, κ has no effect: κ* is infinity if staying is at
    least as good, and −infinity if swerving is better. With ``"mixed"`` this holds where both terms agree.

    Raises:
        UsageError: with ``"mixed"``, for a pedestrian when the car carries more lives than stand on the road,
            small instead of large κ swerve, so that there is no such threshold.
    """
    m, n = vignette.riders, vignette.pedestrians
    kin = DilemmaPreferences(family=family, universalisation=universalisation).family * vignette.relatives
    if universalisation == "veil":
        return (m + kin) / n
    if universalisation == "even":
        return 1 + kin / m
    if universalisation == "mixed":
        own, universal = _in_role(vignette, kin) / vignette.certainty, (n - m - kin) / (m + n)
        if own < 0 < universal:
            return -own / (universal - own)
        if own > 0 > universal:
            raise UsageError(
                "This pedestrian sacrifices the passengers below a threshold of κ, not above one."
            )
        return -math.inf if own > 0 or (own == 0 and universal > 0) else math.inf
    return -math.inf if _in_role(vignette, kin) > 0 else math.inf


def altruism_threshold(vignette: Vignette, *, family: float = 0.0) -> float:
    """Return α*: the altruist sacrifices the passengers iff α > α*.

    It is infinity if no α is large enough, and below 0 if every α is.

    Raises:
        UsageError: for a pedestrian whose survival costs more lives of others than it saves, small instead of
            large α swerve, so that there is no such threshold.
    """
    own = _in_role(vignette, family * vignette.relatives)
    saved = vignette.certainty * _others_saved(vignette)
    if saved > 0:
        return -own / saved
    if own > 0 and saved < 0:
        raise UsageError("This pedestrian sacrifices the passengers below a threshold of α, not above one.")
    return -math.inf if own > 0 else math.inf


def _in_role(vignette: Vignette, kin: float) -> float:
    """Return the change in one's own and one's family's survival from swerving, in one's own role."""
    own = {"passenger": -1.0, "pedestrian": 1.0}.get(vignette.perspective, 0.0)
    return vignette.certainty * (own - kin)


def _hit(vignette: Vignette) -> float:
    """Return the effect of others' cars on one's own survival, which they only threaten on foot."""
    return vignette.certainty if vignette.perspective == "pedestrian" else 0.0


def _others_saved(vignette: Vignette) -> int:
    """Return others' lives saved minus others' lives lost if all harm is certain."""
    m, n = vignette.riders, vignette.pedestrians
    return n - (vignette.perspective == "pedestrian") - (m - (vignette.perspective == "passenger"))
