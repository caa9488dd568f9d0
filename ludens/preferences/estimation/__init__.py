"""Estimation of preferences from choices: models, fits, errors that can be trusted, and warnings where the
data are silent.

Each name is loaded when it is first used, so that importing the package does not load scipy.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ludens.preferences.estimation.bayes import Posterior, PosteriorWarning, fit_bayes
    from ludens.preferences.estimation.catalogue import MODELS, find_model, model_names
    from ludens.preferences.estimation.ces import CES
    from ludens.preferences.estimation.choices import Choices
    from ludens.preferences.estimation.fitting import fit
    from ludens.preferences.estimation.individuals import Individuals, fit_individuals
    from ludens.preferences.estimation.mixture import fit_types, select_types
    from ludens.preferences.estimation.mixture_results import Mixture, MixtureWarning, Selection
    from ludens.preferences.estimation.models import (
        BRUHIN_FEHR_SCHUNK,
        CHARNESS_RABIN,
        FEHR_SCHMIDT,
        HOMO_MORALIS,
        LINEAR_MODELS,
        LinearModel,
        Model,
        Parameter,
    )
    from ludens.preferences.estimation.nonlinear import UtilityModel
    from ludens.preferences.estimation.results import Fit, FitWarning, Row
    from ludens.preferences.estimation.simulation import questions, simulate
    from ludens.preferences.estimation.tables import read_choices

_HOMES = {
    "bayes": ("Posterior", "PosteriorWarning", "fit_bayes"),
    "catalogue": ("MODELS", "find_model", "model_names"),
    "ces": ("CES",),
    "choices": ("Choices",),
    "fitting": ("fit",),
    "individuals": ("Individuals", "fit_individuals"),
    "mixture": ("fit_types", "select_types"),
    "mixture_results": ("Mixture", "MixtureWarning", "Selection"),
    "models": (
        "BRUHIN_FEHR_SCHUNK",
        "CHARNESS_RABIN",
        "FEHR_SCHMIDT",
        "HOMO_MORALIS",
        "LINEAR_MODELS",
        "LinearModel",
        "Model",
        "Parameter",
    ),
    "nonlinear": ("UtilityModel",),
    "results": ("Fit", "FitWarning", "Row"),
    "simulation": ("questions", "simulate"),
    "tables": ("read_choices",),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "BRUHIN_FEHR_SCHUNK",
    "CES",
    "CHARNESS_RABIN",
    "FEHR_SCHMIDT",
    "HOMO_MORALIS",
    "LINEAR_MODELS",
    "MODELS",
    "Choices",
    "Fit",
    "FitWarning",
    "Individuals",
    "LinearModel",
    "Mixture",
    "MixtureWarning",
    "Model",
    "Parameter",
    "Posterior",
    "PosteriorWarning",
    "Row",
    "Selection",
    "UtilityModel",
    "find_model",
    "fit",
    "fit_bayes",
    "fit_individuals",
    "fit_types",
    "model_names",
    "questions",
    "read_choices",
    "select_types",
    "simulate",
]


def __getattr__(name: str) -> Any:
    """Load the module of a name when it is first asked for (PEP 562)."""
    if name not in _HOME_OF:
        raise AttributeError(f"module 'ludens.preferences.estimation' has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOME_OF[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
