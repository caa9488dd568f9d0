"""The names of policies that play game trees, and games in which all move at once.

==========================================  ==========================================================
specification                               policy
==========================================  ==========================================================
``tit_for_tat``, ``grim`` …                 the rule of that name, see `ludens.agents.tree.scripted`
``homo_economicus``                         `OraclePolicy` of the own payoff
``homo_moralis:0.5``                        `OraclePolicy` with κ = 0.5
``altruist:0.2``                            `OraclePolicy` with weight 0.2 on the other player's payoff
``utilitarian``                             the same with weight 1: all payoffs count alike
``oracle:alpha=0.3,beta=0.2,kappa=0.1``     `OraclePolicy`; numbers left out are 0
``quantal:kappa=0.5,noise=8``               `QuantalPolicy`; noise is λ in points
==========================================  ==========================================================

The models that the estimator fits play too, as oracles of what they say outcomes are worth:
``fehr_schmidt:alpha=0.9,beta=0.3``, ``charness_rabin:rho=0.4,sigma=-0.1``, ``bfs:alpha=0.1,beta=0.3`` and
``ces:a=0.7,rho=-1`` (`ludens.preferences.estimation.preferences_of`), with κ beside them as ``kappa=0.5``. So
does ``maximin:0.5``, with weight 0.5 on the smallest payoff of all.

Where all move at once, ``level_k:2``, ``cognitive_hierarchy:1.5`` and ``qre:0.5`` (a quantal response
equilibrium, with the precision in 1/points) play what they predict (`ludens.agents.tree.foresight`).

All but these and the rules also take ``belief=uniform`` or ``belief=equilibrium``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ludens.agents.specs import Domain, Name

if TYPE_CHECKING:
    from ludens.agents.policy import Policy

_RULES = {
    "always_cooperate": "AlwaysCooperate",
    "always_defect": "AlwaysDefect",
    "tit_for_tat": "TitForTat",
    "reciprocator": "Reciprocator",
    "grim": "Grim",
}
_WORDS = frozenset({"belief"})


def _oracle(alpha: float = 0.0, beta: float = 0.0, kappa: float = 0.0, belief: Any = "uniform") -> Policy:
    from ludens.agents.tree.oracle import OraclePolicy
    from ludens.preferences import Preferences

    return OraclePolicy(Preferences(alpha, beta, kappa), belief)


def _quantal(
    alpha: float = 0.0,
    beta: float = 0.0,
    kappa: float = 0.0,
    noise: float = 8.0,
    belief: Any = "uniform",
) -> Policy:
    from ludens.agents.tree.oracle import QuantalPolicy
    from ludens.preferences import Preferences

    return QuantalPolicy(Preferences(alpha, beta, kappa), belief, noise)


def _homo_economicus(belief: Any = "uniform") -> Policy:
    return _oracle(belief=belief)


def _homo_moralis(kappa: float, belief: Any = "uniform") -> Policy:
    return _oracle(kappa=kappa, belief=belief)


def _altruist(altruism: float, belief: Any = "uniform") -> Policy:
    from ludens.agents.tree.oracle import OraclePolicy
    from ludens.preferences import altruist

    return OraclePolicy(altruist(altruism), belief)


def _utilitarian(belief: Any = "uniform") -> Policy:
    return _altruist(1.0, belief)


def _fitted(model: str, kappa: float, belief: Any, **parameters: float) -> Policy:
    from ludens.agents.tree.oracle import OutcomeOraclePolicy
    from ludens.preferences.estimation import preferences_of

    return OutcomeOraclePolicy(preferences_of(model, **parameters), kappa, belief)


def _fehr_schmidt(
    alpha: float = 0.0, beta: float = 0.0, kappa: float = 0.0, belief: Any = "uniform"
) -> Policy:
    return _fitted("fehr_schmidt", kappa, belief, alpha=alpha, beta=beta)


def _charness_rabin(
    rho: float = 0.0, sigma: float = 0.0, kappa: float = 0.0, belief: Any = "uniform"
) -> Policy:
    return _fitted("charness_rabin", kappa, belief, rho=rho, sigma=sigma)


def _bfs(alpha: float = 0.0, beta: float = 0.0, kappa: float = 0.0, belief: Any = "uniform") -> Policy:
    return _fitted("bfs", kappa, belief, alpha=alpha, beta=beta)


def _ces(a: float, rho: float, kappa: float = 0.0, belief: Any = "uniform") -> Policy:
    return _fitted("ces", kappa, belief, a=a, rho=rho)


def _maximin(weight: float, kappa: float = 0.0, belief: Any = "uniform") -> Policy:
    from ludens.agents.tree.oracle import OutcomeOraclePolicy
    from ludens.preferences.outcomes import maximin

    return OutcomeOraclePolicy(maximin(weight), kappa, belief)


def _is_game(game: object) -> bool:
    # A name of a package that loads lazily is looked for anew in each decision.
    from ludens.envs.strategic.game import StrategicGame
    from ludens.envs.tree.tree import GameTree

    return isinstance(game, GameTree | StrategicGame)


DOMAIN = Domain(
    games="game trees",
    # Every environment that no other domain claims, those of other packages among them.
    environments=frozenset(),
    holds=_is_game,
    names={
        **{name: Name(f"ludens.agents.tree.scripted:{rule}") for name, rule in _RULES.items()},
        "homo_economicus": Name(_homo_economicus, words=_WORDS),
        "homo_moralis": Name(_homo_moralis, "homo_moralis:0.5", "kappa", words=_WORDS),
        "altruist": Name(_altruist, "altruist:0.2", "altruism", words=_WORDS),
        "utilitarian": Name(_utilitarian, words=_WORDS),
        "oracle": Name(_oracle, "oracle:alpha=0.3,kappa=0.5", words=_WORDS),
        "fehr_schmidt": Name(_fehr_schmidt, "fehr_schmidt:alpha=0.9,beta=0.3", words=_WORDS),
        "charness_rabin": Name(_charness_rabin, "charness_rabin:rho=0.4,sigma=-0.1", words=_WORDS),
        "bfs": Name(_bfs, "bfs:alpha=0.1,beta=0.3", words=_WORDS),
        "ces": Name(_ces, "ces:a=0.7,rho=-1", words=_WORDS),
        "maximin": Name(_maximin, "maximin:0.5", "weight", words=_WORDS),
        "quantal": Name(_quantal, "quantal:kappa=0.5,noise=8", words=_WORDS),
        "level_k": Name("ludens.agents.tree.foresight:LevelKPolicy", "level_k:2", "level"),
        "cognitive_hierarchy": Name(
            "ludens.agents.tree.foresight:CognitiveHierarchyPolicy", "cognitive_hierarchy:1.5", "tau"
        ),
        "qre": Name("ludens.agents.tree.foresight:QuantalResponsePolicy", "qre:0.5", "precision"),
    },
    model="ludens.agents.llm.choice_policy:LLMPolicy",
)
