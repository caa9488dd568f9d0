"""Answers that do not follow preferences alone: the option shown first, or any option at random.

    P'(a) = (1 − f − τ)·P(a) + f·1[a is shown first] + τ/K
    P'(a) ∝ P(a)·e^(b·1[a is shown first])

with P from a model of preferences, f the share of answers that take the first place, τ that of trembles and
K the number of options. Asking in every order does not cancel f: averaged over the orders it is a tremble,
which attenuates all weights and the precision. It is identified by how answers differ between orders; τ only
by the shape of the noise, so that it is left at 0 unless it is asked for. Estimates of both may be slightly
negative. b is the utility of the first place in units of the noise, the log-odds that it adds to any answer
at a node: what payoffs decide it leaves alone, whereas f overrules them. Which of the two a model has is an
empirical question.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ludens.preferences.estimation.data.choices import Choices
from ludens.preferences.estimation.models.around import ModelAround
from ludens.preferences.estimation.models.linear import Model, Parameter
from ludens.preferences.estimation.models.restriction import Restriction

Floats = NDArray[np.float64]

FIRST = Parameter("first", "first", 0, 1, "share of answers that take the option shown first")
TREMBLE = Parameter("tremble", "tremble", 0, 1, "share of answers that take any option")
BIAS = Parameter("bias", "bias", about="log-odds added to the option shown first")


@dataclass(frozen=True)
class LapsesModel(ModelAround):
    """A model with lapses; φ is the model's, followed by f, with `trembles` also τ, or with `bias` by b."""

    base: Model
    trembles: bool = False
    bias: bool = False

    @property
    def attributes(self) -> tuple[str, ...]:  # type: ignore[override]  # a property serves an attribute
        """The attributes of the model."""
        return self.base.attributes

    @property
    def parameters(self) -> tuple[Parameter, ...]:  # type: ignore[override]
        """The weights, the shares of lapses, then noise or precision."""
        return (*self.base.parameters[:-1], *self._kinds, self.base.parameters[-1])

    @property
    def lapses(self) -> int:
        """The number of parameters of lapses."""
        return len(self._kinds)

    @property
    def linear(self) -> bool:
        """Whether log-odds are linear in φ: no."""
        return False

    def split(self, phi: Floats) -> tuple[Floats, Floats]:
        """Return the φ of the model of preferences, and the shares of lapses."""
        return phi[..., : -self.lapses], phi[..., -self.lapses :]

    def index(self, phi: Floats, attributes: Floats) -> tuple[Floats, Floats]:
        """Return V, and its gradient with 0 for the shares."""
        level, slope = self.base.index(self.split(phi)[0], attributes)
        return level, np.concatenate([slope, np.zeros((*slope.shape[:-1], self.lapses))], axis=-1)

    def second_derivative(self, phi: Floats, attributes: Floats) -> Floats | None:
        """Return None; `likelihood.events` takes it from the model of preferences."""
        return None

    def to_reported(self, phi: Floats) -> Floats:
        """Return the weights, the shares, and the noise or precision."""
        core, shares = self.split(phi)
        theta = self.base.to_reported(core)
        return np.concatenate([theta[..., :-1], shares, theta[..., -1:]], axis=-1)

    def to_free(self, theta: Floats) -> Floats:
        """Return φ from θ, the inverse of `to_reported`."""
        weights, shares = theta[..., : -1 - self.lapses], theta[..., -1 - self.lapses : -1]
        core = self.base.to_free(np.concatenate([weights, theta[..., -1:]], axis=-1))
        return np.concatenate([core, shares], axis=-1)

    def jacobian(self, phi: Floats) -> Floats:
        """Return dθ/dφ, shape (..., p, p)."""
        table = self.base.jacobian(self.split(phi)[0])
        size, extra = table.shape[-1], self.lapses
        found = np.zeros((*phi.shape, size + extra))
        found[..., : size - 1, :size] = table[..., :-1, :]
        found[..., -1, :size] = table[..., -1, :]
        found[..., size - 1 : -1, size:] = np.eye(extra)
        return found

    def precision(self, phi: Floats) -> Floats:
        """Return the precision of the model of preferences."""
        return self.base.precision(self.split(phi)[0])

    def sizes(self, choices: Choices) -> Floats:
        """Return the typical sizes of the model's φ, and 1 for each share."""
        return np.concatenate([self.base.sizes(choices), np.ones(self.lapses)])

    def starts(self, count: int, attributes: Floats, rng: np.random.Generator) -> Floats:
        """Draw the model's starts, and shares up to a third, or a bias of up to 1 to either side."""
        core = self.base.starts(count, attributes, rng)
        low, high = (-1, 1) if self.bias else (0, 1 / 3)
        return np.concatenate([core, rng.uniform(low, high, (count, self.lapses))], axis=1)

    def restrict(self, fixed: Mapping[str, float]) -> Restriction:
        """Return the restriction of the model's φ, with the shares held as they are."""
        self.check_names(fixed, "fix")
        held = [kind.name in fixed for kind in self._kinds]
        core = self.base.restrict({name: fixed[name] for name in self.base.names if name in fixed})
        rows, columns = core.matrix.shape
        matrix = np.zeros((rows + self.lapses, columns + held.count(False)))
        matrix[:rows, :columns] = core.matrix
        matrix[rows:, columns:] = np.eye(self.lapses)[:, ~np.array(held)]
        return Restriction(
            matrix, np.concatenate([core.offset, [fixed.get(kind.name, 0.0) for kind in self._kinds]])
        )

    def check(self, choices: Choices) -> None:
        """Check the choices as the model of preferences does."""
        self.base.check(choices)

    @property
    def _kinds(self) -> tuple[Parameter, ...]:
        if self.bias:
            return (BIAS,)
        return (FIRST, TREMBLE) if self.trembles else (FIRST,)
