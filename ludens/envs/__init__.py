"""Games and their PettingZoo faces. Importing this package registers every environment in both registries."""

from __future__ import annotations

from ludens.envs.games import FAMILIES, PROTOCOLS, family_of
from ludens.envs.registration import environments, make_env, register_family
from ludens.envs.tree.drawing import draw, graphviz
from ludens.envs.tree.efg import to_efg
from ludens.envs.tree.family import Family
from ludens.envs.tree.nodes import (
    ChanceNode,
    DecisionNode,
    GameError,
    Node,
    PayoffNode,
    Step,
    children,
    walk,
)
from ludens.envs.tree.questions import questions
from ludens.envs.tree.sequential import SequentialEnv
from ludens.envs.tree.strategies import (
    Strategy,
    check_strategy,
    describe_strategy,
    expected_payoff,
    outcome_probabilities,
    path_probabilities,
    pure_strategies,
    strategy,
    uniform_strategy,
)
from ludens.envs.tree.tree import GameTree, InformationSet, Leaf
from ludens.envs.turn import Game, Method, Option, PastRound, Scale, Turn

__all__ = [
    "FAMILIES",
    "PROTOCOLS",
    "ChanceNode",
    "DecisionNode",
    "Family",
    "Game",
    "GameError",
    "GameTree",
    "InformationSet",
    "Leaf",
    "Method",
    "Node",
    "Option",
    "PastRound",
    "PayoffNode",
    "Scale",
    "SequentialEnv",
    "Step",
    "Strategy",
    "Turn",
    "check_strategy",
    "children",
    "describe_strategy",
    "draw",
    "environments",
    "expected_payoff",
    "family_of",
    "graphviz",
    "make_env",
    "outcome_probabilities",
    "path_probabilities",
    "pure_strategies",
    "questions",
    "register_family",
    "strategy",
    "to_efg",
    "uniform_strategy",
    "walk",
]
