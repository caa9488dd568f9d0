"""Preferences over outcomes and universalised outcomes: utilities, beliefs, the oracle, noisy choice.

A preference is three numbers (`Preferences`), a belief is a strategy vector, and the oracle enumerates: in
the trees of `ludens.envs` some pure strategy is always optimal.
"""

from __future__ import annotations

from ludens.preferences.beliefs import (
    Belief,
    BeliefError,
    elicited_belief,
    equilibrium_belief,
    observed_belief,
    resolve_belief,
    uniform_belief,
)
from ludens.preferences.choice import ChoiceProbabilities, choice_probabilities, log_logit, logit
from ludens.preferences.equilibrium import symmetric_equilibria
from ludens.preferences.grid import GridSolution, payoff_table, solve_grid
from ludens.preferences.oracle import BestStrategies, best_strategies, optimal_options, regret
from ludens.preferences.outcomes import OutcomePreferences, maximin
from ludens.preferences.preference import (
    HOMO_ECONOMICUS,
    Preferences,
    altruist,
    homo_moralis,
    preference_array,
)
from ludens.preferences.strategic_equilibria import (
    cognitive_hierarchy,
    level_k,
    quantal_response_equilibrium,
    strategic_equilibria,
)
from ludens.preferences.subgame import SubgamePerfect, has_perfect_information, subgame_perfect
from ludens.preferences.symmetric import MoralEquilibria, moral_equilibria, symmetric_utility
from ludens.preferences.terms import UtilityTerms, grid_terms, utility_terms
from ludens.preferences.utility import universalised_payoff, utility

__all__ = [
    "HOMO_ECONOMICUS",
    "Belief",
    "BeliefError",
    "BestStrategies",
    "ChoiceProbabilities",
    "GridSolution",
    "MoralEquilibria",
    "OutcomePreferences",
    "Preferences",
    "SubgamePerfect",
    "UtilityTerms",
    "altruist",
    "best_strategies",
    "choice_probabilities",
    "cognitive_hierarchy",
    "elicited_belief",
    "equilibrium_belief",
    "grid_terms",
    "has_perfect_information",
    "homo_moralis",
    "level_k",
    "log_logit",
    "logit",
    "maximin",
    "moral_equilibria",
    "observed_belief",
    "optimal_options",
    "payoff_table",
    "preference_array",
    "quantal_response_equilibrium",
    "regret",
    "resolve_belief",
    "solve_grid",
    "strategic_equilibria",
    "subgame_perfect",
    "symmetric_equilibria",
    "symmetric_utility",
    "uniform_belief",
    "universalised_payoff",
    "utility",
    "utility_terms",
]
