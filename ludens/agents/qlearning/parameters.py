"""The parameters of Q-learners, with the published values as defaults.

Source: Calvano, Calzolari, Denicolò & Pastorello (American Economic Review 110(10), 2020) and its replication
code. Where the two differ (ties), the default follows the code, and the paper's rule is an option.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ludens.checks import whole_number
from ludens.errors import UsageError

_CHOICES = {
    "ties": ("random", "lowest"),
    "exploration": ("epsilon", "boltzmann"),
    "updating": ("asynchronous", "synchronous"),
}
_MOST_POINTS = 1 << 16  # greedy actions are kept in 16 bits
RATES = ("alpha", "discount", "beta")
"""The parameters in which firms may differ, in the order of `QLearning.rates`."""


@dataclass(frozen=True, eq=False)
class QLearning:
    """The parameters of the Q-learning firms of a market.

    Firms may differ in α, β and δ: each is one number for all of them, or a sequence with one for each.

    Attributes:
        alpha: α in (0, 1], the learning rate: the weight of the newest experience.
        beta: β ≥ 0, the rate at which exploration decays per period: ε_t = exp(−β·t), or with Boltzmann
            exploration T_t = temperature·exp(−β·t). A firm that enters later counts t from its entry.
        discount: δ in [0, 1), the discount factor.
        memory: k ≥ 0, the number of past periods whose prices form the state; 0 leaves a single state.
        points: m ≥ 2, the number of prices on the grid.
        extension: ξ ≥ 0, how far the grid reaches beyond the Nash and the joint-profit price.
        grid: the prices themselves in money, ascending, (points,) for all firms or (firms, points); it
            replaces `points` and `extension`. None for the published grid.
        initial: Q_0. ``"random rivals"``, the published choice, is the discounted profit against rivals that
            price at random, Σ_{a_−i} π_i/[(1−δ)·m^(n−1)]; or ``"zero"``, a number, or an array that
            broadcasts to (firms, states, points).
        ties: which of several best actions is greedy. ``"random"``, as in the authors' code: the incumbent
            stays as long as it is among them, otherwise one is drawn. ``"lowest"``, as in the paper: the
            lowest price.
        window: a session has converged when no greedy action of any firm in any state has changed for this
            many periods.
        max_periods: a session that does not converge ends after this many periods.
        exploration: ``"epsilon"`` for ε-greedy; ``"boltzmann"`` draws an action with probability ∝ exp(Q/T).
        temperature: T_0 > 0, in units of Q; used by Boltzmann exploration only.
        explored: periods of exploration that lie behind the firms, so that ε_t = exp(−β·(t + explored)): for
            learners that have been trained before.
        updating: ``"asynchronous"``: only the value of the price charged is updated. ``"synchronous"``: every
            other price of the state is updated too, with the profit that it would have earned against the
            same rivals' prices.

    Raises:
        UsageError: a value is outside its range.
    """

    alpha: float | Sequence[float] = 0.15
    beta: float | Sequence[float] = 4e-6
    discount: float | Sequence[float] = 0.95
    memory: int = 1
    points: int = 15
    extension: float = 0.1
    grid: ArrayLike | None = None
    initial: str | float | ArrayLike = "random rivals"
    ties: Literal["random", "lowest"] = "random"
    window: int = 100_000
    max_periods: int = 1_000_000_000
    exploration: Literal["epsilon", "boltzmann"] = "epsilon"
    temperature: float = 1000.0
    explored: int = 0
    updating: Literal["asynchronous", "synchronous"] = "asynchronous"

    def __post_init__(self) -> None:
        for name, choices in _CHOICES.items():
            value = getattr(self, name)
            if value not in choices:
                raise UsageError(
                    f"{name} is {' or '.join(map(repr, choices))} for Q-learners; got {value!r}."
                )
        if self.grid is not None:
            self._own_grid(self.grid)
        least_of = {"memory": 0, "points": 2, "window": 1, "max_periods": 1, "explored": 0}
        for name, least in least_of.items():
            value = getattr(self, name)
            # People write the limit as 1e9, so floats that are whole numbers are accepted.
            number = int(value) if isinstance(value, float) and value.is_integer() else whole_number(value)
            if number is None or number < least:
                raise UsageError(
                    f"{name} must be a whole number of at least {least} for Q-learners; got {value!r}."
                )
            object.__setattr__(self, name, number)
        if self.points > _MOST_POINTS:
            raise UsageError(f"A price grid holds at most {_MOST_POINTS} points; got {self.points}.")
        for name in ("alpha", "beta", "discount", "extension", "temperature"):
            self._number(name, several=name in RATES)
        self._within("alpha", lambda value: 0 < value <= 1, "in (0, 1]")
        self._within("beta", lambda value: value >= 0, "at least 0")
        self._within("discount", lambda value: 0 <= value < 1, "in [0, 1)")
        self._within("extension", lambda value: value >= 0, "at least 0")
        self._within("temperature", lambda value: value > 0, "greater than 0")
        if isinstance(self.initial, str):
            if self.initial not in ("random rivals", "zero"):
                raise UsageError(
                    f"initial is 'random rivals', 'zero', a number or an array; got {self.initial!r}."
                )
        else:
            start = np.asarray(self.initial)
            if not np.issubdtype(start.dtype, np.number) or not np.all(np.isfinite(start)):
                raise UsageError("The initial values of Q-learners must be finite numbers; mend the array.")

    def _number(self, name: str, several: bool) -> None:
        value = getattr(self, name)
        try:
            if several and np.ndim(value) == 1 and len(value):
                object.__setattr__(self, name, tuple(float(each) for each in value))
            else:
                object.__setattr__(self, name, float(value))
        except (TypeError, ValueError):
            what = "a number, or one for each firm," if several else "a number"
            raise UsageError(f"{name} must be {what} for Q-learners; got {value!r}.") from None

    def _within(self, name: str, holds: Callable[[float], bool], where: str) -> None:
        value = getattr(self, name)
        for each in value if isinstance(value, tuple) else (value,):
            if not (math.isfinite(each) and holds(each)):
                raise UsageError(f"{name} must be a finite number {where} for Q-learners; got {value!r}.")

    def _own_grid(self, given: ArrayLike) -> None:
        try:
            grid = np.array(given, dtype=np.float64)
        except (TypeError, ValueError):
            grid = np.array(math.nan)
        if grid.ndim not in {1, 2} or not np.all(np.isfinite(grid)) or np.any(np.diff(grid) <= 0):
            raise UsageError(
                "The grid of Q-learners is a list of ascending finite prices, or one such list for each firm;"
                f" got {given!r}."
            )
        object.__setattr__(self, "grid", grid.tolist())
        object.__setattr__(self, "points", grid.shape[-1])

    def rates(self, firms: int) -> NDArray[np.float64]:
        """Return α, δ and β of each firm, shape (3, firms).

        Raises:
            UsageError: there are not as many values as firms.
        """
        rows = []
        for name in RATES:
            value = getattr(self, name)
            if isinstance(value, tuple) and len(value) != firms:
                raise UsageError(
                    f"{name} has {len(value)} values for Q-learners, and the market has {firms} firms: give"
                    " one number for all firms, or one for each."
                )
            rows.append(np.broadcast_to(np.asarray(value, np.float64), firms))
        return np.stack(rows)

    def states(self, firms: int) -> int:
        """Return the number of states, m^(n·k)."""
        return int(self.points ** (firms * self.memory))

    def table_bytes(self, firms: int, rows: int | None = None) -> int:
        """Return the bytes of one running session: Q, best values, bounds and greedy actions.

        Args:
            firms: n.
            rows: of each firm's table; as many as there are states by default.
        """
        return (self.states(firms) if rows is None else rows) * firms * (8 * self.points + 18)

    def key(self) -> dict[str, Any]:
        """Return all parameters as JSON values, for manifests and to compare trainings."""
        values = {
            name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()
        }
        if not isinstance(self.initial, str):
            values["initial"] = np.asarray(self.initial, dtype=np.float64).tolist()
        return values

    def __eq__(self, other: object) -> bool:
        return self.key() == other.key() if isinstance(other, QLearning) else NotImplemented

    def __hash__(self) -> int:
        return hash(repr(sorted(self.key().items())))
