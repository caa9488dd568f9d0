"""The names of policies that set prices in a market.

==========================================  ==========================================================
specification                               policy
==========================================  ==========================================================
``homo_economicus``                         the Nash price: own profit alone, all firms alike
``homo_moralis:0.5``                        `HomoMoralisPricePolicy` with κ = 0.5 over firms
``homo_moralis:0.5,universalisation=…``     the same over ``firms`` or ``firms_and_consumers``
``oracle:kappa=0.5``                        the same as ``homo_moralis:0.5``
``nash``, ``monopoly``, ``leader``,         the rule of that name, see `ludens.agents.pricing.rules`
``grim``
``myopic``, ``myopic:0.5``                  `MyopicPolicy`, for its own profit or with κ = 0.5
``matching``                                `MatchingPolicy`
``fixed:1.7``                               `FixedPricePolicy`
``qlearning``                               a Q-learner, see `ludens.agents.qlearning`
``random``                                  any price on offer, or between the ends of the usual grid
==========================================  ==========================================================

Homo moralis expects the others to have its preferences and to be in equilibrium with it, and homo economicus
is homo moralis with κ = 0; ``myopic`` has the same preferences, and believes that the rivals repeat their
last prices. What an altruist wants is not defined in a market: its others may be rivals or consumers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ludens.agents.specs import Domain, Name

if TYPE_CHECKING:
    from ludens.agents.policy import Policy

_RULES = {
    "nash": "rules:NashPolicy",
    "monopoly": "rules:MonopolyPolicy",
    "leader": "rules:LeaderPolicy",
    "matching": "matching:MatchingPolicy",
    "grim": "rules:GrimPricePolicy",
}
_WORDS = frozenset({"universalisation"})


def _homo_moralis(kappa: float, universalisation: Any = "firms") -> Policy:
    from ludens.agents.pricing.rules import HomoMoralisPricePolicy

    return HomoMoralisPricePolicy(kappa, universalisation)


def _oracle(kappa: float = 0.0, universalisation: Any = "firms") -> Policy:
    return _homo_moralis(kappa, universalisation)


def _homo_economicus() -> Policy:
    return _homo_moralis(0.0)


def _human() -> Policy:
    from ludens.agents.human import HumanPolicy
    from ludens.agents.pricing.words import market_words

    return HumanPolicy(text=market_words)


def _is_market(game: object) -> bool:
    from ludens.envs.pricing.base import PricingGame
    from ludens.envs.pricing.theory.homogeneous import HomogeneousMarket
    from ludens.envs.pricing.theory.market import Market

    return isinstance(game, Market | HomogeneousMarket | PricingGame)


DOMAIN = Domain(
    games="pricing markets",
    environments=frozenset({"bertrand", "bertrand_sequential"}),
    holds=_is_market,
    names={
        "human": Name(_human),
        "homo_economicus": Name(_homo_economicus),
        "homo_moralis": Name(_homo_moralis, "homo_moralis:0.5", "kappa", words=_WORDS),
        "oracle": Name(_oracle, "oracle:kappa=0.5", words=_WORDS),
        "myopic": Name("ludens.agents.pricing.rules:MyopicPolicy", "myopic", "kappa"),
        **{name: Name(f"ludens.agents.pricing.{rule}") for name, rule in _RULES.items()},
        "fixed": Name("ludens.agents.pricing.rules:FixedPricePolicy", "fixed:1.7", "price", "price"),
        "qlearning": Name("ludens.agents.qlearning:QLearningPolicy", words=None),
    },
    model="ludens.agents.llm.price_policy:PricePolicy",
)
