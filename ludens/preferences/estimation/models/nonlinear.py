"""Random utility models that are not linear in their parameters: users' own, and the base class of CES.

    V_j = σ·u(attributes_j; θ)

The optimiser moves φ = (log σ, φ_1, …), so that no step leads to a negative precision. A parameter with a
range is transformed so that it stays inside: to log-odds between two ends, or to the logarithm of the
distance from a single end. A parameter that runs to an end of its range is held there, with a warning.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import special

from ludens.errors import UsageError
from ludens.preferences.estimation.data.choices import Choices
from ludens.preferences.estimation.models.linear import Model, Parameter, scale_parameter
from ludens.preferences.estimation.models.restriction import Restriction

Floats = NDArray[np.float64]

_INSIDE = 1e-6  # how near its ends a parameter is let, by its range or in its own units
_FARTHEST = 300.0  # of |log σ|
_STEP = 1e-5  # of differences by φ_k
_END = 9.0  # a coordinate beyond it is at the end: 1e-4 of the range away


class NonlinearModel(Model):
    """A model V_j = σ·u(attributes_j; θ).

    Attributes:
        weights: the parameters of u.
        scale: whether the last parameter is reported as ``"noise"`` or ``"precision"``.
    """

    weights: tuple[Parameter, ...]
    scale: Literal["noise", "precision"]

    @abstractmethod
    def utility(self, attributes: Floats, theta: Floats) -> tuple[Floats, Floats]:
        """Return u, shape (..., c, j), and ∂u/∂θ, shape (..., c, j, m), of attributes (c, j, a) and θ (...,
        m).
        """

    def expansion(self, attributes: Floats, theta: Floats) -> tuple[Floats, Floats, Floats | None]:
        """Return u, ∂u/∂θ, and ∂²u/∂θ² of shape (..., c, j, m, m); None in its place asks for differences."""
        return *self.utility(attributes, theta), None

    @property
    def parameters(self) -> tuple[Parameter, ...]:  # type: ignore[override]  # a property serves an attribute
        """The parameters of u, then noise or precision."""
        return (*self.weights, scale_parameter(self.scale))

    @property
    def linear(self) -> bool:
        """Whether V is linear in φ: no."""
        return False

    def index(self, phi: Floats, attributes: Floats) -> tuple[Floats, Floats]:
        """Return V and its gradient, see `Model.index`; gradients of padding that are not finite
        count as 0.
        """
        precision = np.exp(np.clip(phi[..., :1, None], -_FARTHEST, _FARTHEST))
        level, slope = self.utility(attributes, self._weights(phi))
        moved = precision[..., None] * slope * self._speed(phi)[..., None, None, :]
        with np.errstate(over="ignore", invalid="ignore"):
            table = np.concatenate([(precision * level)[..., None], moved], axis=-1)
        return precision * level, np.nan_to_num(table, nan=0.0, posinf=0.0, neginf=0.0)

    def second_derivative(self, phi: Floats, attributes: Floats) -> Floats:
        """Return ∂²V/∂φ², shape (..., c, j, p, p), from central differences by the parameters of u.

        By log σ, V and its gradient are their own derivatives; the mean of a difference's ends is near enough
        to the gradient between them.
        """
        parts: list[Floats] = []
        for place in range(1, phi.shape[-1]):
            step = np.zeros(phi.shape[-1])
            step[place] = _STEP
            above, below = self.index(phi + step, attributes)[1], self.index(phi - step, attributes)[1]
            if not parts:
                parts.append((above + below) / 2)
            parts.append((above - below) / (2 * _STEP))
        table = np.stack(parts, axis=-1)
        return np.asarray((table + np.swapaxes(table, -1, -2)) / 2)

    def derivatives(self, phi: Floats, attributes: Floats) -> tuple[Floats, Floats, Floats | None]:
        """Return V, its gradient and its second derivative in φ, from those of u where the model has them."""
        level, slope, curvature = self.expansion(attributes, self._weights(phi))
        if curvature is None:
            return *self.index(phi, attributes), self.second_derivative(phi, attributes)
        precision = np.exp(np.clip(phi[..., :1, None], -_FARTHEST, _FARTHEST))
        speed = self._speed(phi)
        table = np.empty((*level.shape, phi.shape[-1], phi.shape[-1]))
        with np.errstate(over="ignore", invalid="ignore"):
            table[..., 0, 0] = precision * level
            for place in range(slope.shape[-1]):
                moved = precision * speed[..., place, None, None]
                table[..., 0, place + 1] = table[..., place + 1, 0] = moved * slope[..., place]
                for other in range(place + 1):
                    turned = moved * speed[..., other, None, None] * curvature[..., place, other]
                    if other == place:
                        bend = _bend(self.weights[place], phi[..., place + 1])
                        turned = turned + precision * bend[..., None, None] * slope[..., place]
                    table[..., place + 1, other + 1] = table[..., other + 1, place + 1] = turned
        # As in `index`, derivatives of padding that are not finite count as 0.
        finite = np.nan_to_num(table, copy=False, nan=0.0, posinf=0.0, neginf=0.0)
        return precision * level, finite[..., 0], finite

    def to_reported(self, phi: Floats) -> Floats:
        """Return the parameters of u, and 1/σ (noise) or σ (precision)."""
        with np.errstate(over="ignore"):
            last = np.exp(-phi[..., :1] if self.scale == "noise" else phi[..., :1])
        return np.concatenate([self._weights(phi), last], axis=-1)

    def to_free(self, theta: Floats) -> Floats:
        """Return φ from θ, the inverse of `to_reported`; an end of a range is moved inside by a millionth."""
        precision = -np.log(theta[..., -1:]) if self.scale == "noise" else np.log(theta[..., -1:])
        moved = [
            np.asarray(_coordinate(parameter, theta[..., place]))
            for place, parameter in enumerate(self.weights)
        ]
        return np.concatenate([precision, np.stack(moved, axis=-1)], axis=-1)

    def jacobian(self, phi: Floats) -> Floats:
        """Return dθ/dφ, shape (..., p, p)."""
        size = phi.shape[-1]
        table = np.zeros((*phi.shape, size))
        speed = self._speed(phi)
        for place in range(size - 1):
            table[..., place, place + 1] = speed[..., place]
        table[..., -1, 0] = -np.exp(-phi[..., 0]) if self.scale == "noise" else np.exp(phi[..., 0])
        return table

    def precision(self, phi: Floats) -> Floats:
        """Return the precision exp(φ_0)."""
        with np.errstate(over="ignore"):
            precision: Floats = np.exp(phi[..., 0])
        return precision

    @property
    def logarithmic(self) -> bool:
        """Whether φ_0 is the logarithm of the precision: yes."""
        return True

    def sizes(self, choices: Choices) -> Floats:
        """Return 1 for each φ_k."""
        return np.ones(len(self.parameters))

    def restrict(self, fixed: Mapping[str, float]) -> Restriction:
        """Return the restriction that fixes the coordinate of each fixed parameter."""
        self.check_names(fixed, "fix")
        offset, free = np.zeros(len(self.parameters)), np.ones(len(self.parameters), dtype=bool)
        for place, parameter in enumerate(self.weights, start=1):
            if parameter.name in fixed:
                value = fixed[parameter.name]
                if not (math.isfinite(value) and parameter.low <= value <= parameter.high):
                    ends = f"{parameter.low:g} to {parameter.high:g}"
                    raise UsageError(f"`fix` needs {parameter.name} from {ends}; got {value!r}.")
                free[place], offset[place] = False, float(_coordinate(parameter, np.asarray(value)))
        last = self.names[-1]
        if last in fixed:
            if not (math.isfinite(fixed[last]) and fixed[last] > 0):
                raise UsageError(f"`fix` needs a finite {last} above 0; got {fixed[last]!r}.")
            free[0] = False
            offset[0] = -math.log(fixed[last]) if self.scale == "noise" else math.log(fixed[last])
        return Restriction(np.eye(len(offset))[:, free], offset)

    def starts(self, count: int, attributes: Floats, rng: np.random.Generator) -> Floats:
        """Draw each φ_k from the standard normal distribution, and σ log-uniformly over two orders of
        magnitude around 1/(spread of utilities).
        """
        phi = np.concatenate([np.ones((count, 1)), rng.standard_normal((count, len(self.weights)))], axis=1)
        level, _ = self.utility(attributes, self._weights(phi))
        everything = np.ones(attributes.shape[:2], dtype=bool)
        spread = np.array([_spread(one, everything) for one in level])
        phi[:, 0] = math.log(10) * rng.uniform(-1, 1, count) - np.log(spread)
        return phi

    def ends(self, phi: Floats) -> dict[str, float]:
        """Return the parameters that, at φ (p,), have run to a finite end of their range, with that end."""
        found = {}
        for parameter, coordinate in zip(self.weights, phi[1:].tolist(), strict=True):
            both = math.isfinite(parameter.low) and math.isfinite(parameter.high)
            if coordinate < -_END and (both or math.isfinite(parameter.low) or math.isfinite(parameter.high)):
                found[parameter.name] = parameter.low if math.isfinite(parameter.low) else parameter.high
            elif coordinate > _END and both:
                found[parameter.name] = parameter.high
        return found

    def _weights(self, phi: Floats) -> Floats:
        return np.stack([_value(p, phi[..., place]) for place, p in enumerate(self.weights, 1)], axis=-1)

    def _speed(self, phi: Floats) -> Floats:
        """Return dθ_k/dφ_k, shape (..., m)."""
        return np.stack([_slope(p, phi[..., place]) for place, p in enumerate(self.weights, 1)], axis=-1)


@dataclass(frozen=True)
class UtilityModel(NonlinearModel):
    """A user's own utility.

    Args:
        function: takes attributes (situations, alternatives, attributes) and θ (m,), returns utilities
            (situations, alternatives). For rows of zeros, the padding, any result will do.
        weights: the parameters θ, as names or as `Parameter`; a `Parameter` with a range is kept in it.
        attributes: names of the attributes.
        gradient: takes the same arguments, returns ∂u/∂θ (situations, alternatives, m); None for central
            differences. It is compared with central differences once, before a fit.
        name, title, source: descriptions for tables.
        scale: whether the last parameter is reported as ``"noise"`` λ or ``"precision"`` σ.
    """

    function: Callable[[Floats, Floats], Floats]
    weights: tuple[Parameter, ...]
    attributes: tuple[str, ...]
    gradient: Callable[[Floats, Floats], Floats] | None = None
    name: str = "utility"
    title: str = "A utility of one's own"
    source: str = "given by the caller"
    scale: Literal["noise", "precision"] = "noise"

    def __post_init__(self) -> None:
        named = tuple(Parameter(one, one) if isinstance(one, str) else one for one in self.weights)
        object.__setattr__(self, "weights", named)
        if not named or len(set(self.names)) < len(self.names):
            raise UsageError(f"A utility needs parameters, each with a name of its own; got {self.names}.")

    def utility(self, attributes: Floats, theta: Floats) -> tuple[Floats, Floats]:
        """Return u and ∂u/∂θ, see `NonlinearModel.utility`; the function is called for one θ at a time."""
        rows = theta.reshape(-1, theta.shape[-1])
        level = np.stack([self.function(attributes, row) for row in rows])
        slope = np.stack([self._gradient(attributes, row) for row in rows])
        lead = theta.shape[:-1]
        return level.reshape(*lead, *level.shape[1:]), slope.reshape(*lead, *slope.shape[1:])

    def check(self, choices: Choices) -> None:
        """Check the function and its gradient on the data.

        Raises:
            UsageError: a result has another shape or is not finite, or the gradient is not that of the
                function.
        """
        attributes, available = choices.attributes, choices.available
        theta = self._weights(np.full(len(self.parameters), 0.25))
        level = np.asarray(self.function(attributes, theta))
        if level.shape != available.shape:
            raise UsageError(
                f"The utility {self.name!r} must give shape {available.shape} (situations, alternatives); "
                f"it gave {level.shape}."
            )
        if not np.all(np.isfinite(level[available])):
            where = int(np.argwhere(~np.isfinite(level) & available)[0, 0])
            raise UsageError(f"The utility {self.name!r} is not finite in situation {where} at θ = {theta}.")
        if self.gradient is None:
            return
        given, wanted = np.asarray(self.gradient(attributes, theta)), self._differences(attributes, theta)
        if given.shape != wanted.shape:
            raise UsageError(
                f"The gradient of {self.name!r} must give shape {wanted.shape}; it gave {given.shape}."
            )
        gap = np.abs(given - wanted)[available]
        if not np.all(gap <= 1e-5 * (1 + np.abs(wanted[available]).max())):
            worst = self.weights[int(gap.max(axis=0).argmax())].name
            raise UsageError(
                f"The gradient of {self.name!r} is not its function's: by {worst} they differ by "
                f"{gap.max():.2g} at θ = {theta}; correct it, or leave it out."
            )

    def _gradient(self, attributes: Floats, theta: Floats) -> Floats:
        if self.gradient is None:
            return self._differences(attributes, theta)
        return np.asarray(self.gradient(attributes, theta), dtype=np.float64)

    def _differences(self, attributes: Floats, theta: Floats) -> Floats:
        """Return central differences, with steps that stay inside the ranges."""
        parts = []
        for place, parameter in enumerate(self.weights):
            value = float(theta[place])
            step = 6e-6 * max(1.0, abs(value))
            step = min(step, 0.5 * (parameter.high - value), 0.5 * (value - parameter.low))
            above, below = theta.copy(), theta.copy()
            above[place], below[place] = value + step, value - step
            rise = self.function(attributes, above) - self.function(attributes, below)
            with np.errstate(divide="ignore", invalid="ignore"):  # a parameter at the very end cannot move
                parts.append(np.asarray(rise, dtype=np.float64) / (above[place] - below[place]))
        return np.stack(parts, axis=-1)


def _value(parameter: Parameter, coordinate: Floats) -> Floats:
    low, high = parameter.low, parameter.high
    if math.isfinite(low) and math.isfinite(high):
        return np.asarray(low + (high - low) * special.expit(coordinate))
    if math.isfinite(high):
        return np.asarray(high - np.exp(coordinate))
    return np.asarray(low + np.exp(coordinate)) if math.isfinite(low) else coordinate


def _slope(parameter: Parameter, coordinate: Floats) -> Floats:
    low, high = parameter.low, parameter.high
    if math.isfinite(low) and math.isfinite(high):
        return np.asarray((high - low) * special.expit(coordinate) * special.expit(-coordinate))
    if math.isfinite(high):
        return -np.exp(coordinate)
    return np.exp(coordinate) if math.isfinite(low) else np.ones_like(coordinate)


def _bend(parameter: Parameter, coordinate: Floats) -> Floats:
    """Return d²θ_k/dφ_k², shape (...)."""
    low, high = parameter.low, parameter.high
    if math.isfinite(low) and math.isfinite(high):
        return _slope(parameter, coordinate) * (1 - 2 * special.expit(coordinate))
    if math.isfinite(high) or math.isfinite(low):
        return _slope(parameter, coordinate)
    return np.zeros_like(coordinate)


def _coordinate(parameter: Parameter, value: Floats) -> Floats:
    low, high = parameter.low, parameter.high
    if math.isfinite(low) and math.isfinite(high):
        return np.asarray(special.logit(np.clip((value - low) / (high - low), _INSIDE, 1 - _INSIDE)))
    if math.isfinite(high):
        return np.log(np.maximum(high - value, _INSIDE))
    return np.log(np.maximum(value - low, _INSIDE)) if math.isfinite(low) else value


def _spread(level: Floats, available: NDArray[np.bool_]) -> float:
    """Return the mean standard deviation of utilities within situations, or 1 if it is 0."""
    number = np.maximum(available.sum(axis=-1, keepdims=True), 1)
    safe = np.where(available & np.isfinite(level), level, 0.0)
    gaps = np.where(available, safe - safe.sum(axis=-1, keepdims=True) / number, 0.0)
    spread = math.sqrt(float((gaps**2).sum()) / max(int(available.sum()), 1))
    return spread if spread > 0 else 1.0
