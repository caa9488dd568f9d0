"""A game of your own is a tree: two firms set a low or a high price simultaneously, with the logit demand.

The market is that of Calvano et al. (2020); owners differ in their preferences; profits are in hundredths.
"""

from __future__ import annotations

from ludens.agents import OraclePolicy, QuantalPolicy
from ludens.envs import DecisionNode, GameTree, PayoffNode, SequentialEnv
from ludens.envs.pricing import Market
from ludens.envs.pricing.theory.benchmarks import monopoly_prices, nash_prices
from ludens.experiments import play
from ludens.preferences import HOMO_ECONOMICUS, homo_moralis

market = Market.symmetric()
prices = {"low": nash_prices(market)[0], "high": monopoly_prices(market)[0]}


def second_firm(first: str) -> DecisionNode:
    """Return a node of the second firm, which cannot distinguish its nodes."""
    ends = {
        name: PayoffNode(tuple(100 * market.profits([prices[first], price])))
        for name, price in prices.items()
    }
    return DecisionNode(f"after {first}", "firm 2", ends, information_set="second price")


root = DecisionNode("first price", "firm 1", {name: second_firm(name) for name in prices})
duopoly = GameTree("duopoly", ("firm 1", "firm 2"), root)
env = SequentialEnv(duopoly, rounds=20)

for owner in (HOMO_ECONOMICUS, homo_moralis(0.9)):
    run = play(env, [OraclePolicy(owner), QuantalPolicy(owner, noise=0.5)], episodes=10, seed=1)
    print(owner, run.summary().payoffs)
