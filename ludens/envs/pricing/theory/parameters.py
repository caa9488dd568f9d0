"""Checks of the numbers that make a market, and its demand made from them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ludens.checks import real_number
from ludens.envs.pricing.theory.demand import Demand
from ludens.envs.pricing.theory.groups import numbered
from ludens.envs.pricing.theory.linear import linear_demand
from ludens.envs.pricing.theory.logit import Logit
from ludens.envs.pricing.theory.nested import NestedLogit
from ludens.errors import UsageError

Floats = NDArray[np.float64]
MOST = 1_000_000
"""Firms of a market and points of a grid: more are a slip of the pen."""

DemandName = Literal["logit", "nested", "linear"]


def make_demand(
    name: DemandName,
    products: int,
    *,
    mu: float,
    nests: Sequence[int] | None,
    nest_parameter: float | Sequence[float],
    slopes: ArrayLike | None,
) -> Demand:
    """Return the demand of that name among `products` products.

    Raises:
        UsageError: there is no demand of that name, or the parameters do not fit it.
    """
    if name not in {"logit", "nested", "linear"}:
        raise UsageError(f"demand is 'logit', 'nested' or 'linear'; got {name!r}.")
    if (nests is not None) != (name == "nested") or (slopes is not None) != (name == "linear"):
        raise UsageError(
            f"nests belong to demand='nested' and slopes to demand='linear', which need them; got {name!r}."
        )
    if slopes is not None:
        linear = linear_demand(slopes)
        if len(linear.slopes) != products:
            raise UsageError(
                f"slopes must have a row for each of {products} products; got {len(linear.slopes)}."
            )
        return linear
    if nests is None:
        return Logit(taste_scale(mu))
    numbers = numbered(nests, products, "nest")
    count = max(numbers) + 1
    given = [nest_parameter] * count if isinstance(nest_parameter, int | float) else list(nest_parameter)
    sigma = tuple(number("nest_parameter", value) for value in given)
    if len(sigma) != count or not all(0 <= value < 1 for value in sigma):
        raise UsageError(
            f"nest_parameter is one number from 0 to below 1, or one for each of {count} nests; got {given}."
        )
    return NestedLogit(taste_scale(mu), numbers, sigma)


def taste_scale(mu: float) -> float:
    """Return μ, large enough that values divided by it stay numbers.

    Raises:
        UsageError: it is not greater than 0, or below 1e-200.
    """
    value = positive("mu", mu)
    if value < 1e-200:
        raise UsageError(
            f"mu must be at least 1e-200; got {mu!r}: take 1e-6 for products that are nearly alike."
        )
    return value


def limits(given: float | Sequence[float] | None, products: int) -> Floats | None:
    """Return capacities, one for each product, read-only; None for no limits.

    Raises:
        UsageError: they are not numbers above 0, one or one for each product.
    """
    if given is None:
        return None
    array = vector("capacities", [given] * products if isinstance(given, int | float) else given)
    if len(array) != products or np.any(array <= 0):
        raise UsageError(
            f"capacities are numbers above 0, one for all products or {products}, one each; got {given!r}."
        )
    return array


def number(name: str, value: float) -> float:
    """Return a finite number.

    Raises:
        UsageError: it is not such a number.
    """
    try:
        converted = float(value)
    except (TypeError, ValueError):
        converted = math.nan
    if not math.isfinite(converted):
        raise UsageError(f"{name} must be a finite number; got {value!r}.")
    return converted


def count(value: float, least: int) -> int | None:
    """Return the value as an int if it is a whole number from `least` to `MOST`, written as a float or not;
    else None.
    """
    given = real_number(value)
    return int(given) if given is not None and given.is_integer() and least <= given <= MOST else None


def firms_in(given: float) -> int:
    """Return a number of firms.

    Raises:
        UsageError: it is not a whole number from 1 to `MOST`.
    """
    number = count(given, 1)
    if number is None:
        raise UsageError(
            f"A market needs a whole number of firms, at least 1 and at most {MOST:,}; got {given!r}."
        )
    return number


def positive(name: str, value: float) -> float:
    """Return a finite number greater than 0.

    Raises:
        UsageError: it is not such a number.
    """
    converted = number(name, value)
    if converted <= 0:
        raise UsageError(f"{name} must be greater than 0; got {value!r}.")
    return converted


def vector(name: str, values: Sequence[float] | Floats) -> Floats:
    """Return finite numbers, one for each product, read-only.

    Raises:
        UsageError: they are not finite numbers, or not one per product.
    """
    try:
        array = np.array(values, dtype=np.float64)
    except (TypeError, ValueError):
        array = np.array(np.nan)
    if array.ndim != 1 or len(array) == 0 or not np.all(np.isfinite(array)):
        raise UsageError(f"{name} must be a list of finite numbers, one for each product; got {values!r}.")
    array.flags.writeable = False
    return array
