"""The names of policies that answer dilemmas of autonomous vehicles, and of those that choose a car.

In dilemmas and scenarios of the Moral Machine:

===============================================  ======================================================
specification                                    policy
===============================================  ======================================================
``homo_economicus``                              cares for its own survival alone, behind the veil
``homo_moralis:0.5``                             κ = 0.5, universalised behind the veil of the headcount
``homo_moralis:0.5,universalisation=role``       within its own role (or ``even``, ``mixed``)
``altruist:0.2``                                 stays in its role, with weight 0.2 on every other life
``utilitarian``                                  counts lives
``oracle:kappa=0.5``                             the same as ``homo_moralis:0.5``
``quantal:kappa=0.5,noise=0.1``                  acts by a logit, with λ = noise in lives
===============================================  ======================================================

All of them take ``family=`` and ``shape=logistic|linear|step``, and all but the last ``scale=``; the first
four also take ``act=best|logit``.

In the adoption game:

=================================================  ====================================================
specification                                      policy
=================================================  ====================================================
``homo_economicus``, ``homo_moralis:0.5``          `AdoptionOraclePolicy` with that κ
``altruist:0.3``                                   weight 0.3 on each other life
``utilitarian``                                    weight 1: all lives count alike
``oracle:kappa=0.5,altruism=0.1``                  both
``quantal:kappa=0.5,noise=0.01``                   chooses by a logit, with λ = noise
``always:utilitarian``, ``always:self-protective`` `FixedProgramPolicy`
=================================================  ====================================================

All but the last take ``universalisation=veil|passenger|pedestrian`` and ``expected=``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ludens.agents.specs import Domain, Name
from ludens.errors import UsageError

if TYPE_CHECKING:
    from ludens.agents.policy import Policy

_MODEL = "ludens.agents.llm.choice_policy:LLMPolicy"
_DILEMMA_WORDS = frozenset({"universalisation", "shape", "act"})
_ADOPTION_WORDS = frozenset({"universalisation"})


def _human() -> Policy:
    from ludens.agents.av.words import question_words
    from ludens.agents.human import HumanPolicy

    return HumanPolicy(text=question_words)


def _dilemma(shown: dict[str, Any], **wants: Any) -> Policy:
    """Return the policy of preferences, and of how they are shown; what is None was not given."""
    from ludens.agents.av.dilemma import DilemmaOraclePolicy
    from ludens.preferences.av.dilemma import DilemmaPreferences

    wants, shown = (
        {key: each for key, each in group.items() if each is not None} for group in (wants, shown)
    )
    return DilemmaOraclePolicy(DilemmaPreferences(**wants), **shown)


def _dilemma_moralis(
    kappa: float,
    *,
    universalisation: Any = None,
    family: Any = None,
    scale: Any = None,
    shape: Any = None,
    act: Any = None,
) -> Policy:
    shown = {"scale": scale, "shape": shape, "act": act}
    return _dilemma(shown, kappa=kappa, universalisation=universalisation, family=family)


def _dilemma_economicus(
    *,
    universalisation: Any = None,
    family: Any = None,
    scale: Any = None,
    shape: Any = None,
    act: Any = None,
) -> Policy:
    shown = {"scale": scale, "shape": shape, "act": act}
    return _dilemma(shown, universalisation=universalisation, family=family)


def _dilemma_oracle(
    *,
    kappa: float = 0.0,
    universalisation: Any = None,
    family: Any = None,
    scale: Any = None,
    shape: Any = None,
) -> Policy:
    shown = {"scale": scale, "shape": shape}
    return _dilemma(shown, kappa=kappa, universalisation=universalisation, family=family)


def _dilemma_quantal(
    *,
    noise: float,
    kappa: float = 0.0,
    universalisation: Any = None,
    family: Any = None,
    shape: Any = None,
) -> Policy:
    try:
        scale = 1 / float(noise)  # the map of ratings multiplies by what a logit divides by
    except (TypeError, ValueError, ZeroDivisionError):
        raise UsageError(f"The policy 'quantal' needs a noise above 0 in a dilemma; got {noise!r}.") from None
    shown = {"scale": scale, "shape": shape, "act": "logit"}
    return _dilemma(shown, kappa=kappa, universalisation=universalisation, family=family)


def _dilemma_altruist(
    altruism: float, *, family: Any = None, scale: Any = None, shape: Any = None, act: Any = None
) -> Policy:
    shown = {"scale": scale, "shape": shape, "act": act}
    return _dilemma(shown, kind="altruist", altruism=altruism, family=family)


def _dilemma_utilitarian(
    *, family: Any = None, scale: Any = None, shape: Any = None, act: Any = None
) -> Policy:
    return _dilemma({"scale": scale, "shape": shape, "act": act}, kind="utilitarian", family=family)


def _is_dilemma(game: object) -> bool:
    from ludens.envs.av.dilemma.env import Dilemma
    from ludens.envs.av.dilemma.vignette import Vignette
    from ludens.envs.av.moral_machine.env import MoralScenario

    return isinstance(game, Dilemma | Vignette | MoralScenario)


DILEMMA = Domain(
    games="dilemmas of autonomous vehicles",
    environments=frozenset({"av_dilemma", "moral_machine"}),
    holds=_is_dilemma,
    names={
        "human": Name(_human),
        "homo_economicus": Name(_dilemma_economicus, words=_DILEMMA_WORDS),
        "homo_moralis": Name(_dilemma_moralis, "homo_moralis:0.5", "kappa", words=_DILEMMA_WORDS),
        "altruist": Name(_dilemma_altruist, "altruist:0.2", "altruism", words=_DILEMMA_WORDS),
        "utilitarian": Name(_dilemma_utilitarian, words=_DILEMMA_WORDS),
        "oracle": Name(_dilemma_oracle, "oracle:kappa=0.5", words=_DILEMMA_WORDS),
        "quantal": Name(_dilemma_quantal, "quantal:kappa=0.5,noise=0.1", words=_DILEMMA_WORDS),
    },
    model=_MODEL,
)


def _adoption_quantal(
    noise: float,
    kappa: float = 0.0,
    altruism: float = 0.0,
    universalisation: Any = "veil",
    expected: float = 0.0,
) -> Policy:
    from ludens.agents.av.adoption import AdoptionOraclePolicy
    from ludens.preferences.av.adoption import AdoptionPreferences

    preferences = AdoptionPreferences(kappa, altruism, universalisation)
    return AdoptionOraclePolicy(preferences, noise=noise, expected=expected)


def _adoption_oracle(
    kappa: float = 0.0, altruism: float = 0.0, universalisation: Any = "veil", expected: float = 0.0
) -> Policy:
    return _adoption_quantal(0.0, kappa, altruism, universalisation, expected)


def _adoption_economicus(universalisation: Any = "veil", expected: float = 0.0) -> Policy:
    return _adoption_oracle(0.0, 0.0, universalisation, expected)


def _adoption_moralis(kappa: float, universalisation: Any = "veil", expected: float = 0.0) -> Policy:
    return _adoption_oracle(kappa, 0.0, universalisation, expected)


def _adoption_altruist(altruism: float, universalisation: Any = "veil", expected: float = 0.0) -> Policy:
    return _adoption_oracle(0.0, altruism, universalisation, expected)


def _adoption_utilitarian(universalisation: Any = "veil", expected: float = 0.0) -> Policy:
    return _adoption_oracle(0.0, 1.0, universalisation, expected)


def _is_adoption(game: object) -> bool:
    from ludens.envs.av.adoption.game import AdoptionGame

    return isinstance(game, AdoptionGame)


ADOPTION = Domain(
    games="the adoption game",
    environments=frozenset({"av_adoption"}),
    holds=_is_adoption,
    names={
        "human": Name(_human),
        "homo_economicus": Name(_adoption_economicus, words=_ADOPTION_WORDS),
        "homo_moralis": Name(_adoption_moralis, "homo_moralis:0.5", "kappa", words=_ADOPTION_WORDS),
        "altruist": Name(_adoption_altruist, "altruist:0.3", "altruism", words=_ADOPTION_WORDS),
        "utilitarian": Name(_adoption_utilitarian, words=_ADOPTION_WORDS),
        "oracle": Name(_adoption_oracle, "oracle:kappa=0.5,altruism=0.1", words=_ADOPTION_WORDS),
        "quantal": Name(_adoption_quantal, "quantal:kappa=0.5,noise=0.01", words=_ADOPTION_WORDS),
        "always": Name(
            "ludens.agents.av.adoption:FixedProgramPolicy",
            "always:utilitarian",
            "program",
            "program",
            frozenset({"program"}),
        ),
    },
    model=_MODEL,
)
