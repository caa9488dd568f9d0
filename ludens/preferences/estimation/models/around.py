"""Models around another model, which keep its name in tables and its source."""

from __future__ import annotations

from ludens.preferences.estimation.models.linear import Model


class ModelAround(Model):
    """A model that adds something to another one.

    Attributes:
        base: the model that it adds to.
    """

    base: Model

    @property
    def name(self) -> str:  # type: ignore[override]  # a property serves an attribute
        """The name of the model."""
        return self.base.name

    @property
    def title(self) -> str:  # type: ignore[override]
        """The title of the model."""
        return self.base.title

    @property
    def source(self) -> str:  # type: ignore[override]
        """The source of the model."""
        return self.base.source

    @property
    def logarithmic(self) -> bool:
        """Whether φ_0 is the logarithm of the precision."""
        return self.base.logarithmic
