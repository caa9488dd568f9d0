"""Models by their names."""

from __future__ import annotations

from collections.abc import Mapping

from ludens.errors import UsageError
from ludens.preferences.estimation.models.ces import CES
from ludens.preferences.estimation.models.linear import LINEAR_MODELS, Model

MODELS: Mapping[str, Model] = {**LINEAR_MODELS, CES.name: CES}
"""Every model that has a name."""


def model_names() -> tuple[str, ...]:
    """The names that `find_model` knows."""
    return tuple(MODELS)


def find_model(model: str | Model) -> Model:
    """A model by its name; a model is returned as it is.

    Raises:
        UsageError: no model has the name.
    """
    if isinstance(model, Model):
        return model
    if model not in MODELS:
        raise UsageError(f"No model is called {model!r}; choose one of {', '.join(model_names())}.")
    return MODELS[model]
