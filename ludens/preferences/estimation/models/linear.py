"""Random utility models that are linear up to their scale.

    P(j) = exp(V_j) / Σ_i exp(V_i),   V_j = σ·(x_0j + θ_1·x_1j + … + θ_m·x_mj)

σ > 0 is the precision (it multiplies utilities); λ = 1/σ is the noise (it divides them). In the coefficients
φ = (σ, σθ_1, …, σθ_m) the index V is linear, so that the log-likelihood of chosen alternatives is concave
(McFadden 1974). The maximum is sought in φ and transformed to θ exactly, its covariance by the delta method.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from ludens.errors import UsageError
from ludens.preferences.estimation.data.choices import Choices
from ludens.preferences.estimation.models.restriction import Restriction

Floats = NDArray[np.float64]

_NO_PRECISION = 60.0  # −log σ of a precision of nothing


@dataclass(frozen=True)
class Parameter:
    """A parameter of a model.

    Attributes:
        name: its name in code and tables, for example ``"kappa"``.
        symbol: its symbol in papers, for example ``"κ"``.
        low, high: the range in which it is meaningful. Estimates may leave it, since a bound would distort
            their standard errors; fits within bounds are available on request.
        about: its meaning in a few words.
    """

    name: str
    symbol: str
    low: float = -math.inf
    high: float = math.inf
    about: str = ""


def scale_parameter(scale: Literal["noise", "precision"]) -> Parameter:
    """Return the last parameter of a model: the noise λ, which divides utilities, or the precision σ, which
    multiplies them.
    """
    if scale == "noise":
        return Parameter("noise", "λ", 0, about="divides utilities, in their units")
    return Parameter("precision", "σ", 0, about="multiplies utilities, per unit of them")


class Model(ABC):
    """A utility with parameters: optimisers move the free vector φ, papers report θ = θ(φ).

    Attributes:
        name: the name in tables and on the command line.
        title, source: a description in words, and the paper that proposed the model.
        parameters: the parameters θ in the order of tables, the noise or precision last.
        attributes: names of the attributes of an alternative, in the order of `Choices.attributes`.
    """

    name: str
    title: str
    source: str
    parameters: tuple[Parameter, ...]
    attributes: tuple[str, ...]
    lowest_payoff: ClassVar[float] = -math.inf
    """The smallest payoff that the utility is defined for."""
    defaults: ClassVar[Mapping[str, float]] = {}
    """Attributes that tables may lack, with the value that they then have."""

    @property
    def names(self) -> tuple[str, ...]:
        """The parameters' names."""
        return tuple(parameter.name for parameter in self.parameters)

    @property
    @abstractmethod
    def linear(self) -> bool:
        """Whether V is linear in φ; if so, its gradient does not depend on φ and its second
        derivative is 0.
        """

    @property
    def logarithmic(self) -> bool:
        """Whether φ_0 is the logarithm of the precision."""
        return False

    def nothing(self) -> Floats:
        """Return a φ (p,) of which all alternatives are equally likely."""
        found = np.zeros(len(self.parameters))
        found[0] = -_NO_PRECISION if self.logarithmic else 0.0
        return found

    @property
    def lapses(self) -> int:
        """The number of shares of answers that follow no preferences, the last φ; see `models.lapses`."""
        return 0

    @abstractmethod
    def index(self, phi: Floats, attributes: Floats) -> tuple[Floats, Floats]:
        """Return V, shape (..., c, j), and its gradient in φ, shape (..., c, j, p).

        Args:
            phi: φ, shape (..., p).
            attributes: shape (c, j, a).

        Where the gradient is the same for every φ, its shape may be (c, j, p).
        """

    @abstractmethod
    def to_reported(self, phi: Floats) -> Floats:
        """Return θ (..., p) from φ (..., p)."""

    @abstractmethod
    def to_free(self, theta: Floats) -> Floats:
        """Return φ (..., p) from θ (..., p)."""

    @abstractmethod
    def jacobian(self, phi: Floats) -> Floats:
        """Return dθ/dφ, shape (..., p, p)."""

    @abstractmethod
    def starts(self, count: int, attributes: Floats, rng: np.random.Generator) -> Floats:
        """Draw starting points φ, shape (count, p), on the scale of the data's utilities."""

    @abstractmethod
    def sizes(self, choices: Choices) -> Floats:
        """Return the typical size of each φ, shape (p,), the unit of steps, curvatures and flatness."""

    @abstractmethod
    def restrict(self, fixed: Mapping[str, float]) -> Restriction:
        """Return the restriction of φ under which parameters have the given values θ.

        Raises:
            UsageError: the model has no parameter of a name, or a value lies outside the parameter's range.
        """

    @abstractmethod
    def precision(self, phi: Floats) -> Floats:
        """Return the precision σ (...) from φ (..., p); it multiplies utilities, whichever way it is
        reported.
        """

    def second_derivative(self, phi: Floats, attributes: Floats) -> Floats | None:
        """Return ∂²V/∂φ², shape (..., c, j, p, p), or None where it is 0; by default from central differences
        of V's gradient.
        """
        parts = []
        for place in range(phi.shape[-1]):
            step = np.zeros(phi.shape[-1])
            step[place] = 1e-5
            above, below = self.index(phi + step, attributes)[1], self.index(phi - step, attributes)[1]
            parts.append((above - below) / 2e-5)
        table = np.stack(parts, axis=-1)
        return (table + np.swapaxes(table, -1, -2)) / 2

    def derivatives(self, phi: Floats, attributes: Floats) -> tuple[Floats, Floats, Floats | None]:
        """Return V, its gradient and its second derivative in φ, see `index` and `second_derivative`."""
        return *self.index(phi, attributes), self.second_derivative(phi, attributes)

    def ends(self, phi: Floats) -> dict[str, float]:
        """Return the parameters that, at φ (p,), have run to an end of their range, with that end; a linear
        model has none.
        """
        return {}

    def check(self, choices: Choices) -> None:  # noqa: B027  # a linear model takes all
        """Refuse choices whose attributes the model cannot evaluate.

        Raises:
            UsageError: the message names them.
        """

    def check_names(self, names: Iterable[str], what: str) -> None:
        """Refuse names that are not parameters of the model.

        Raises:
            UsageError: the message names the first of them.
        """
        for name in names:
            if name not in self.names:
                known = ", ".join(self.names)
                raise UsageError(f"`{what}` names {name!r}; the parameters of {self.name!r} are {known}.")


@dataclass(frozen=True)
class LinearModel(Model):
    """A linear model; the first attribute is x_0, the others are x_1 … x_m in the order of the weights.

    Args:
        name, title, source: see `Model`.
        weights: the parameters θ_1 … θ_m.
        attributes: the names of x_0 … x_m.
        scale: whether the last parameter is reported as ``"noise"`` λ, which divides utilities, or as
            ``"precision"`` σ, which multiplies them.
    """

    name: str
    title: str
    source: str
    weights: tuple[Parameter, ...]
    attributes: tuple[str, ...]
    scale: Literal["noise", "precision"] = "noise"

    def __post_init__(self) -> None:
        if len(self.attributes) != len(self.weights) + 1:
            raise UsageError(f"The model {self.name!r} needs one attribute more than weights.")

    @property
    def parameters(self) -> tuple[Parameter, ...]:  # type: ignore[override]  # a property serves an attribute
        """The weights, then noise or precision."""
        return (*self.weights, scale_parameter(self.scale))

    @property
    def linear(self) -> bool:
        """Whether V is linear in φ: yes."""
        return True

    def index(self, phi: Floats, attributes: Floats) -> tuple[Floats, Floats]:
        """See `Model.index`."""
        return np.moveaxis(np.tensordot(attributes, phi, axes=(-1, -1)), (0, 1), (-2, -1)), attributes

    def to_reported(self, phi: Floats) -> Floats:
        """Return θ_k = φ_k/φ_0, and 1/φ_0 (noise) or φ_0 (precision)."""
        with np.errstate(divide="ignore", invalid="ignore"):
            weights = phi[..., 1:] / phi[..., :1]
            last = 1 / phi[..., :1] if self.scale == "noise" else phi[..., :1]
        return np.concatenate([weights, last], axis=-1)

    def to_free(self, theta: Floats) -> Floats:
        """Return φ from θ, the inverse of `to_reported`."""
        precision = 1 / theta[..., -1:] if self.scale == "noise" else theta[..., -1:]
        return np.concatenate([precision, precision * theta[..., :-1]], axis=-1)

    def jacobian(self, phi: Floats) -> Floats:
        """Return dθ/dφ, shape (..., p, p)."""
        precision, size = phi[..., 0], phi.shape[-1]
        table = np.zeros((*phi.shape, size))
        for place in range(1, size):
            table[..., place - 1, 0] = -phi[..., place] / precision**2
            table[..., place - 1, place] = 1 / precision
        table[..., -1, 0] = -1 / precision**2 if self.scale == "noise" else 1.0
        return table

    def precision(self, phi: Floats) -> Floats:
        """Return the precision φ_0."""
        first: Floats = phi[..., 0]
        return first

    def second_derivative(self, phi: Floats, attributes: Floats) -> None:
        """Return None, since V is linear."""
        return

    def sizes(self, choices: Choices) -> Floats:
        """Return 1 over the spread of each attribute among a situation's alternatives, or 1 if it never
        varies.
        """
        here = choices.available[..., None]
        number = np.maximum(here.sum(axis=1, keepdims=True), 1)
        gaps = choices.attributes - (choices.attributes * here).sum(axis=1, keepdims=True) / number
        spread = np.sqrt((gaps**2 * here).sum(axis=(0, 1)) / max(int(here.sum()), 1))
        found: Floats = np.divide(1.0, spread, out=np.ones_like(spread), where=spread > 0)
        return found

    def restrict(self, fixed: Mapping[str, float]) -> Restriction:
        """Return the restriction φ_k = θ_k·φ_0 for each fixed θ_k; it is linear, and constant if the noise is
        fixed too.
        """
        self.check_names(fixed, "fix")
        for name, value in fixed.items():
            if not math.isfinite(value) or (name == self.names[-1] and value <= 0):
                raise UsageError(f"`fix` needs a finite {name}, noise and precision above 0; got {value!r}.")
        size = len(self.parameters)
        matrix, offset = np.eye(size), np.zeros(size)
        if self.names[-1] in fixed:
            last = fixed[self.names[-1]]
            matrix[0, 0], offset[0] = 0.0, 1 / last if self.scale == "noise" else last
        for place, weight in enumerate(self.weights, start=1):
            if weight.name in fixed:
                matrix[place] = fixed[weight.name] * matrix[0]
                offset[place] = fixed[weight.name] * offset[0]
        return Restriction(matrix[:, np.abs(matrix).sum(axis=0) > 0], offset)

    def starts(self, count: int, attributes: Floats, rng: np.random.Generator) -> Floats:
        """Draw each θ_k from [−½, ½], and σ log-uniformly over two orders of magnitude around 1/(spread of
        x_0).
        """
        spread = float(attributes[..., 0].std()) or 1.0
        precision = 10 ** rng.uniform(-1, 1, (count, 1)) / spread
        return np.concatenate(
            [precision, precision * rng.uniform(-0.5, 0.5, (count, len(self.weights)))], axis=1
        )


_ALPHA = Parameter("alpha", "α", about="utility lost per point behind")
_BETA = Parameter("beta", "β", about="utility lost per point ahead")

HOMO_MORALIS = LinearModel(
    "moralis",
    "Inequity aversion and Kantian weight",
    "van Leeuwen & Alger, JPE Microeconomics 2(4), 2024",
    (_ALPHA, _BETA, Parameter("kappa", "κ", 0, 1, "weight on the universalised payoff")),
    ("own", "minus behind", "minus ahead", "universalised minus own"),
)
"""u = (1−κ)·π(x,y) + κ·π(x,x) − α·behind − β·ahead over whole strategies, divided by λ."""

FEHR_SCHMIDT = LinearModel(
    "fehr_schmidt",
    "Inequity aversion",
    "Fehr & Schmidt, QJE 114(3), 1999",
    (_ALPHA, _BETA),
    ("own", "minus behind", "minus ahead"),
)
"""u = π_i − α·mean max(π_j−π_i, 0) − β·mean max(π_i−π_j, 0)."""

CHARNESS_RABIN = LinearModel(
    "charness_rabin",
    "Distribution and reciprocity",
    "Charness & Rabin, QJE 117(3), 2002",
    (
        Parameter("rho", "ρ", about="weight on the other's payoff when ahead"),
        Parameter("sigma", "σ", about="weight on the other's payoff when behind"),
        Parameter("theta", "θ", about="weight on the other's payoff after it misbehaved"),
    ),
    ("own", "r·(other−own)", "s·(other−own)", "misbehaved·(other−own)"),
)
"""u = own + (ρr + σs + θq)·(other − own); q = 1 after misbehaviour (a column `misbehaved` in tables)."""

BRUHIN_FEHR_SCHUNK = LinearModel(
    "bfs",
    "Outcome and reciprocity based social preferences",
    "Bruhin, Fehr & Schunk, JEEA 17(4), 2019",
    (
        Parameter("alpha", "α", about="weight on the other when behind"),
        Parameter("beta", "β", about="weight on the other when ahead"),
        Parameter("gamma", "γ", about="weight on the other after a kind act"),
        Parameter("delta", "δ", about="weight on the other after an unkind act"),
    ),
    ("own", "s·(other−own)", "r·(other−own)", "q·(other−own)", "v·(other−own)"),
    scale="precision",
)
"""u = own + (αs + βr + γq + δv)·(other − own); times σ. α > 0 means *liking* a better-off other: α_FS = −α.
"""

LINEAR_MODELS: Mapping[str, LinearModel] = {
    model.name: model for model in (HOMO_MORALIS, FEHR_SCHMIDT, CHARNESS_RABIN, BRUHIN_FEHR_SCHUNK)
}
