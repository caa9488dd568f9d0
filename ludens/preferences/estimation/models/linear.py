"""Random utility models that are linear but for their scale.

    P(j) = exp(V_j) / Σ_i exp(V_i),   V_j = σ·(x_0j + θ_1·x_1j + … + θ_m·x_mj)

σ > 0 is the precision (it multiplies utilities); λ = 1/σ is the noise (it divides them). In the coefficients
φ = (σ, σθ_1, …, σθ_m) the index V is linear, so that the log-likelihood of chosen alternatives is concave
(McFadden 1974); the maximum is found there and carried over to θ exactly, its covariance by the delta
method.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ludens.errors import UsageError
from ludens.preferences.estimation.data.choices import Choices
from ludens.preferences.estimation.models.restriction import Restriction

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Parameter:
    """A parameter of a model.

    Attributes:
        name: in code and tables, for example ``"kappa"``.
        symbol: in papers, for example ``"κ"``.
        low, high: the range in which it has a meaning. Estimates may leave it, since a bound would distort
            their errors; a fit within bounds is asked for by name.
        about: in a few words.
    """

    name: str
    symbol: str
    low: float = -math.inf
    high: float = math.inf
    about: str = ""


def scale_parameter(scale: Literal["noise", "precision"]) -> Parameter:
    """The last parameter of a model: λ, which divides, or σ, which multiplies."""
    if scale == "noise":
        return Parameter("noise", "λ", 0, about="divides utilities, in their units")
    return Parameter("precision", "σ", 0, about="multiplies utilities, per unit of them")


class Model(ABC):
    """Utility with parameters. What an optimiser moves is the vector φ, what a paper reports θ = θ(φ).

    Attributes:
        name: for tables and the command line.
        title, source: in words, and where the model is from.
        parameters: of θ, in the order of tables, the noise or precision last.
        attributes: names of the attributes per alternative, in the order of `Choices.attributes`.
    """

    name: str
    title: str
    source: str
    parameters: tuple[Parameter, ...]
    attributes: tuple[str, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The parameters' names."""
        return tuple(parameter.name for parameter in self.parameters)

    @property
    @abstractmethod
    def linear(self) -> bool:
        """Whether V is linear in φ (then its gradient does not depend on φ, and it has no second one)."""

    @abstractmethod
    def index(self, phi: Floats, attributes: Floats) -> tuple[Floats, Floats]:
        """V and its gradient in φ: φ (..., p), attributes (c, j, a) to (..., c, j) and (..., c, j, p) (or
        (c, j, p) where it is the same for every φ).
        """

    @abstractmethod
    def to_reported(self, phi: Floats) -> Floats:
        """θ (..., p) of φ (..., p)."""

    @abstractmethod
    def to_free(self, theta: Floats) -> Floats:
        """φ (..., p) of θ (..., p)."""

    @abstractmethod
    def jacobian(self, phi: Floats) -> Floats:
        """dθ/dφ, shape (..., p, p)."""

    @abstractmethod
    def starts(self, count: int, attributes: Floats, rng: np.random.Generator) -> Floats:
        """Random starting points φ, shape (count, p), on the scale of the data's utilities."""

    @abstractmethod
    def sizes(self, choices: Choices) -> Floats:
        """Typical size of each φ, shape (p,): in these units steps, curvature and flatness are judged."""

    @abstractmethod
    def restrict(self, fixed: Mapping[str, float]) -> Restriction:
        """The φ at which parameters have the given values θ.

        Raises:
            UsageError: a name is none of the model's, or a value lies outside the parameter's range.
        """

    @abstractmethod
    def precision(self, phi: Floats) -> Floats:
        """σ (...) of φ (..., p): what multiplies utilities, however it is reported."""

    def second_derivative(self, phi: Floats, attributes: Floats) -> Floats | None:
        """∂²V/∂φ², shape (..., c, j, p, p); None where it is 0. Here: central differences of V's
        gradient.
        """
        parts = []
        for place in range(phi.shape[-1]):
            step = np.zeros(phi.shape[-1])
            step[place] = 1e-5
            above, below = self.index(phi + step, attributes)[1], self.index(phi - step, attributes)[1]
            parts.append((above - below) / 2e-5)
        table = np.stack(parts, axis=-1)
        return (table + np.swapaxes(table, -1, -2)) / 2

    def ends(self, phi: Floats) -> dict[str, float]:
        """Parameters of φ (p,) that have run to an end of their range, and which; none for a linear
        model.
        """
        return {}

    def check(self, choices: Choices) -> None:  # noqa: B027  # a linear model takes all
        """Refuse choices whose attributes the model cannot value.

        Raises:
            UsageError: saying which.
        """

    def check_names(self, names: Iterable[str], what: str) -> None:
        """Refuse names that are no parameters.

        Raises:
            UsageError: naming the first of them.
        """
        for name in names:
            if name not in self.names:
                known = ", ".join(self.names)
                raise UsageError(f"`{what}` names {name!r}; the parameters of {self.name!r} are {known}.")


@dataclass(frozen=True)
class LinearModel(Model):
    """A model of the module's form; the first attribute is x_0, the others x_1 … x_m in the weights' order.

    Args:
        name, title, source: see `Model`.
        weights: θ_1 … θ_m.
        attributes: x_0 … x_m.
        scale: whether the last parameter is reported as ``"noise"`` λ (divides) or ``"precision"`` σ
            (multiplies).
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
        """It is."""
        return True

    def index(self, phi: Floats, attributes: Floats) -> tuple[Floats, Floats]:
        """See `Model.index`."""
        return np.moveaxis(np.tensordot(attributes, phi, axes=(-1, -1)), (0, 1), (-2, -1)), attributes

    def to_reported(self, phi: Floats) -> Floats:
        """θ_k = φ_k/φ_0, and 1/φ_0 or φ_0."""
        with np.errstate(divide="ignore", invalid="ignore"):
            weights = phi[..., 1:] / phi[..., :1]
            last = 1 / phi[..., :1] if self.scale == "noise" else phi[..., :1]
        return np.concatenate([weights, last], axis=-1)

    def to_free(self, theta: Floats) -> Floats:
        """The inverse of `reported`."""
        precision = 1 / theta[..., -1:] if self.scale == "noise" else theta[..., -1:]
        return np.concatenate([precision, precision * theta[..., :-1]], axis=-1)

    def jacobian(self, phi: Floats) -> Floats:
        """dθ/dφ."""
        precision, size = phi[..., 0], phi.shape[-1]
        table = np.zeros((*phi.shape, size))
        for place in range(1, size):
            table[..., place - 1, 0] = -phi[..., place] / precision**2
            table[..., place - 1, place] = 1 / precision
        table[..., -1, 0] = -1 / precision**2 if self.scale == "noise" else 1.0
        return table

    def precision(self, phi: Floats) -> Floats:
        """φ_0."""
        first: Floats = phi[..., 0]
        return first

    def second_derivative(self, phi: Floats, attributes: Floats) -> None:
        """V is linear."""
        return

    def sizes(self, choices: Choices) -> Floats:
        """1 by the spread of each attribute over the alternatives of a situation; 1 where it never
        varies.
        """
        here = choices.available[..., None]
        number = np.maximum(here.sum(axis=1, keepdims=True), 1)
        gaps = choices.attributes - (choices.attributes * here).sum(axis=1, keepdims=True) / number
        spread = np.sqrt((gaps**2 * here).sum(axis=(0, 1)) / max(int(here.sum()), 1))
        found: Floats = np.divide(1.0, spread, out=np.ones_like(spread), where=spread > 0)
        return found

    def restrict(self, fixed: Mapping[str, float]) -> Restriction:
        """θ_k fixed is φ_k = θ_k·φ_0: linear; with the noise fixed as well all of these are numbers."""
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
        """θ from [−½, ½] each, σ log-uniform over two orders of magnitude around 1 by the spread of x_0."""
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
"""u = (1−κ)·π(x,y) + κ·π(x,x) − α·behind − β·ahead over whole strategies; λ divides."""

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
"""u = own + (ρr + σs + θq)·(other − own); q = 1 after misbehaviour, in tables a column `misbehaved`."""

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
"""u = own + (αs + βr + γq + δv)·(other − own); σ multiplies. α > 0 *likes* a better-off other: α_FS = −α."""

LINEAR_MODELS: Mapping[str, LinearModel] = {
    model.name: model for model in (HOMO_MORALIS, FEHR_SCHMIDT, CHARNESS_RABIN, BRUHIN_FEHR_SCHUNK)
}
