"""Noise by group: preferences that groups of subjects share, with a noise of its own for each.

    V_j = e^γ_g·V_j(φ),   λ_g = λ·e^−γ_g

with V and λ those of a model of preferences, for the first group, and γ_g of every other group g. Whether
groups differ in preferences or only in how consistently they choose is a different question: where noise
differs, unlike a pooled fit, the shared weights are estimated from all groups without bias.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ludens.errors import UsageError
from ludens.preferences.estimation.data.choices import Choices
from ludens.preferences.estimation.models.around import ModelAround
from ludens.preferences.estimation.models.linear import Model, Parameter
from ludens.preferences.estimation.models.restriction import Restriction

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class GroupedNoiseModel(ModelAround):
    """A model whose noise differs between groups; φ is that of the model, followed by the γ_g.

    Attributes:
        base: the model of preferences.
        groups: names of the groups but the first; indicators of them are the last attributes.
    """

    base: Model
    groups: tuple[str, ...]

    @property
    def attributes(self) -> tuple[str, ...]:  # type: ignore[override]  # a property serves an attribute
        """The attributes of the model, and the groups."""
        return (*self.base.attributes, *self.groups)

    @property
    def parameters(self) -> tuple[Parameter, ...]:  # type: ignore[override]
        """The weights, the noise or precision of the other groups, then that of the first."""
        last = self.base.parameters[-1]
        of_groups = [
            Parameter(f"{last.name}:{group}", f"{last.symbol}·{group}", 0, about=f"{last.symbol} of {group}")
            for group in self.groups
        ]
        return (*self.base.parameters[:-1], *of_groups, last)

    @property
    def linear(self) -> bool:
        """Whether V is linear in φ: no."""
        return False

    def index(self, phi: Floats, attributes: Floats) -> tuple[Floats, Floats]:
        """Return V and its gradient, see `Model.index`."""
        level, slope, _ = self.derivatives(phi, attributes)
        return level, slope

    def derivatives(self, phi: Floats, attributes: Floats) -> tuple[Floats, Floats, Floats | None]:
        """Return V, its gradient and its second derivative in φ."""
        core, gamma = self._split(phi)
        plain, groups = np.split(attributes, [len(self.base.attributes)], axis=-1)
        level, slope, curvature = self.base.derivatives(core, plain)
        factor = np.exp(np.einsum("cjg,...g->...cj", groups, gamma))
        level = factor * level
        slope = factor[..., None] * slope
        # By γ_g, V and its gradient are their own derivatives where the group is g.
        own = level[..., None] * groups
        cross = slope[..., :, None] * groups[..., None, :]
        size = slope.shape[-1]
        table = np.zeros((*own.shape[:-1], size + len(self.groups), size + len(self.groups)))
        if curvature is not None:
            table[..., :size, :size] = factor[..., None, None] * curvature
        table[..., :size, size:] = cross
        table[..., size:, :size] = np.swapaxes(cross, -1, -2)
        # A subject is in one group, so that no two differ from 0 together.
        table[..., size:, size:] = own[..., None] * groups[..., None, :]
        return level, np.concatenate([slope, own], axis=-1), table

    def second_derivative(self, phi: Floats, attributes: Floats) -> Floats | None:
        """Return ∂²V/∂φ²."""
        return self.derivatives(phi, attributes)[2]

    def to_reported(self, phi: Floats) -> Floats:
        """Return the weights, and the noise or precision of the other groups and of the first."""
        core, gamma = self._split(phi)
        theta = self.base.to_reported(core)
        return np.concatenate(
            [theta[..., :-1], theta[..., -1:] * np.exp(self._sign * gamma), theta[..., -1:]], axis=-1
        )

    def to_free(self, theta: Floats) -> Floats:
        """Return φ from θ, the inverse of `to_reported`."""
        weights, others, last = np.split(theta, [len(self.base.parameters) - 1, -1], axis=-1)
        core = self.base.to_free(np.concatenate([weights, last], axis=-1))
        return np.concatenate([core, self._sign * (np.log(others) - np.log(last))], axis=-1)

    def jacobian(self, phi: Floats) -> Floats:
        """Return dθ/dφ, shape (..., p, p)."""
        core, gamma = self._split(phi)
        table = self.base.jacobian(core)
        size, extra = table.shape[-1], len(self.groups)
        ratio = np.exp(self._sign * gamma)
        last = self.base.to_reported(core)[..., -1:]
        found = np.zeros((*phi.shape, size + extra))
        found[..., : size - 1, :size] = table[..., :-1, :]
        found[..., size - 1 : -1, :size] = ratio[..., None] * table[..., -1:, :]
        found[..., size - 1 : -1, size:] = (self._sign * last * ratio)[..., None] * np.eye(extra)
        found[..., -1, :size] = table[..., -1, :]
        return found

    def precision(self, phi: Floats) -> Floats:
        """Return the precision of the first group."""
        return self.base.precision(self._split(phi)[0])

    def sizes(self, choices: Choices) -> Floats:
        """Return the typical sizes of the model's φ, and 1 for each γ."""
        return np.concatenate([self.base.sizes(self._plain(choices)), np.ones(len(self.groups))])

    def starts(self, count: int, attributes: Floats, rng: np.random.Generator) -> Floats:
        """Draw the model's starts, and γ from the standard normal distribution."""
        core = self.base.starts(count, attributes[..., : len(self.base.attributes)], rng)
        return np.concatenate([core, rng.standard_normal((count, len(self.groups)))], axis=1)

    def restrict(self, fixed: Mapping[str, float]) -> Restriction:
        """Return the restriction of the model's φ; the noise of a group is not held at values."""
        self.check_names(fixed, "fix")
        held = [name for name in fixed if name not in self.base.names]
        if held:
            raise UsageError(f"`fix` cannot hold {held[0]!r}: leave it free, or hold {self.names[-1]!r}.")
        core = self.base.restrict(fixed)
        rows, columns = core.matrix.shape
        extra = len(self.groups)
        matrix = np.zeros((rows + extra, columns + extra))
        matrix[:rows, :columns], matrix[rows:, columns:] = core.matrix, np.eye(extra)
        return Restriction(matrix, np.concatenate([core.offset, np.zeros(extra)]))

    def ends(self, phi: Floats) -> dict[str, float]:
        """Return the parameters that have run to an end of their range, as the model does."""
        return self.base.ends(self._split(phi)[0])

    def check(self, choices: Choices) -> None:
        """Check the choices as the model does."""
        self.base.check(self._plain(choices))

    @property
    def _sign(self) -> float:
        return -1.0 if self.base.names[-1] == "noise" else 1.0

    def _split(self, phi: Floats) -> tuple[Floats, Floats]:
        return phi[..., : -len(self.groups)], phi[..., -len(self.groups) :]

    def _plain(self, choices: Choices) -> Choices:
        return replace(choices, attributes=choices.attributes[..., : len(self.base.attributes)])
