"""The catalogue of named models."""

from __future__ import annotations

from collections.abc import Mapping

from ludens.errors import UsageError
from ludens.preferences.estimation.models.ces import CES
from ludens.preferences.estimation.models.crra import CRRA
from ludens.preferences.estimation.models.linear import LINEAR_MODELS, Model
from ludens.preferences.estimation.models.prospect import PROSPECT
from ludens.preferences.estimation.models.quasi_hyperbolic import QUASI_HYPERBOLIC

MODELS: Mapping[str, Model] = {
    **LINEAR_MODELS,
    **{model.name: model for model in (CES, CRRA, PROSPECT, QUASI_HYPERBOLIC)},
}
"""All named models."""


def model_names() -> tuple[str, ...]:
    """Return the names that `find_model` accepts."""
    return tuple(MODELS)


def find_model(model: str | Model) -> Model:
    """Return a model by its name; a `Model` is returned unchanged.

    Raises:
        UsageError: no model has the name.
    """
    if isinstance(model, Model):
        return model
    if model not in MODELS:
        raise UsageError(f"No model is called {model!r}; choose one of {', '.join(model_names())}.")
    return MODELS[model]
