"""A market as a firm knows it that does not see its rivals' costs.

Demand is known, and so are the costs of the products that are named. What needs the others raises an error,
so that no benchmark is ever worked out from a cost that was made up.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NoReturn

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ludens.envs.pricing.theory.demand import Conduct
from ludens.envs.pricing.theory.market import Market
from ludens.errors import UsageError

Floats = NDArray[np.float64]


class PrivateMarket(Market):
    """A market some of whose costs are not known.

    Args:
        market: with all its costs, of which those that are hidden are not kept.
        known: the products whose costs are known.

    Attributes:
        costs, unit_costs: NaN where they are not known.
    """

    def __init__(self, market: Market, known: Sequence[int]) -> None:
        self._known = tuple(sorted(known))
        hidden = np.ones(market.products, dtype=np.bool_)
        hidden[list(self._known)] = False
        # Any number serves while the rest is made; nobody sees it.
        super().__init__(**market.parameters | {"costs": np.where(hidden, 0.0, market.costs)})
        self.costs = np.where(hidden, np.nan, self.costs)
        self.unit_costs = self.costs * self.price_scale
        for array in (self.costs, self.unit_costs):
            array.flags.writeable = False

    @property
    def parameters(self) -> dict[str, Any]:
        """All numbers, as `Market.parameters`; costs that are not known are None."""
        known = [float(cost) if np.isfinite(cost) else None for cost in self.costs]
        return {**super().parameters, "costs": known}

    @property
    def is_symmetric(self) -> bool:
        """False, because firms whose costs are not known cannot be called alike."""
        return False

    def profits(self, prices: ArrayLike, outside: ArrayLike | None = None) -> Floats:
        """Raise `UsageError`: profits need all costs."""
        self._refuse()

    def profit_gradient(self, prices: ArrayLike, outside: ArrayLike | None = None) -> Floats:
        """Raise `UsageError`: it needs all costs."""
        self._refuse()

    def equilibrium(self, conduct: Conduct) -> Floats:
        """Raise `UsageError`: an equilibrium needs all costs."""
        self._refuse()

    def efficient_prices(self, outside: float | None = None) -> Floats:
        """Raise `UsageError`: they need all costs."""
        self._refuse()

    def best_response(self, firm: int, prices: ArrayLike, outside: ArrayLike | None = None) -> Floats:
        """Return the best reply of a firm whose own costs are known, as `Market.best_response`.

        Raises:
            UsageError: they are not known, or as there.
        """
        self.check_firm(firm)
        if not np.all(np.isfinite(self.costs[self.owners == firm])):
            self._refuse()
        return super().best_response(firm, prices, outside)

    def __reduce__(self) -> tuple[Callable[..., Market], tuple[Any, ...]]:
        return _rebuilt, (self._filled(), self._known)

    @property
    def _key(self) -> tuple[object, ...]:
        return (self._known, Market(**self._filled())._key)

    def _filled(self) -> dict[str, Any]:
        return {**super().parameters, "costs": np.nan_to_num(self.costs).tolist()}

    def _refuse(self) -> NoReturn:
        raise UsageError(
            "Rivals' costs are private here, and this needs them: take a policy that does not, or give its "
            "firm Information with costs=true."
        )


def _rebuilt(parameters: dict[str, Any], known: Sequence[int]) -> PrivateMarket:
    return PrivateMarket(Market(**parameters), known)
