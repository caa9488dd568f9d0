"""The market of a configuration: what of it is not named is that of the symmetric baseline.

The same keys describe a market in study files, in sweeps and on the command line.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, ValidationError

from ludens.envs.pricing.theory.capacity import Rationing
from ludens.envs.pricing.theory.homogeneous import HomogeneousMarket
from ludens.envs.pricing.theory.linear import shubik_levitan
from ludens.envs.pricing.theory.market import AnyMarket, Market
from ludens.envs.pricing.theory.parameters import firms_in, number, positive, taste_scale
from ludens.errors import UsageError

QUALITY, COST, CUSTOMERS = 2.0, 1.0, 100.0
"""The published baseline, at the size of the language-model studies; profits are percentages of it."""

_SCALES = ("firms", "price_scale", "quantity_scale")
_PRODUCTS = ("qualities", "quality", "costs", "cost", "owners", "outside", "capacities", "rationing")
_OF_DEMAND: Mapping[str, tuple[str, ...]] = {
    "logit": (*_PRODUCTS, "mu"),
    "nested": (*_PRODUCTS, "mu", "nests", "nest_parameter"),
    "linear": (*_PRODUCTS, "slopes", "substitution"),
    "homogeneous": ("intercept", "cost", "unit"),
}


def as_hashable(value: Any) -> Any:
    """Return a list, and the lists in it, as tuples, and any other value as it is."""
    return tuple(map(as_hashable, value)) if isinstance(value, list | tuple) else value


def _firms(value: float | None) -> int | None:
    return None if value is None else firms_in(value)


def _finite(value: float) -> float:
    return number("outside", value)


def _price_scale(value: float) -> float:
    return positive("price_scale", value)


def _quantity_scale(value: float) -> float:
    return positive("quantity_scale", value)


class MarketConfig(BaseModel):
    """A market in a file; missing values are those of the symmetric baseline.

    Attributes:
        firms: how many, where no other number says it; by default as many as are named.
        demand: ``"logit"``, ``"nested"``, ``"linear"``, or ``"homogeneous"`` for one good that the cheapest
            firm sells, see `ludens.envs.pricing.HomogeneousMarket`.
        qualities, quality: a, one for each product, or one for all; by default 2.
        costs, cost: c, in the same way; by default 1, and 0 for a homogeneous good.
        quantity_scale: β; by default 100 customers.
        substitution: γ of symmetric linear demand, see `ludens.envs.pricing.shubik_levitan`, in place of
            `slopes`.
        intercept, unit: of a homogeneous good; unit demand is that of customers who buy one unit each.
        capacities: the most units that can be sold of each product in a period, one number for all or one
            each.
        rationing: whether customers who are not served ``"leave"`` or are ``"reroute"``d to other products.
        owners, mu, outside, price_scale, nests, nest_parameter, slopes: see `ludens.envs.pricing.Market`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    firms: Annotated[int | None, AfterValidator(_firms)] = None
    demand: Literal["logit", "nested", "linear", "homogeneous"] = "logit"
    qualities: tuple[float, ...] | None = None
    quality: float | None = None
    costs: tuple[float, ...] | None = None
    cost: float | None = None
    owners: tuple[int, ...] | None = None
    mu: Annotated[float, AfterValidator(taste_scale)] = 0.25
    outside: Annotated[float, AfterValidator(_finite)] = 0.0
    price_scale: Annotated[float, AfterValidator(_price_scale)] = 1.0
    quantity_scale: Annotated[float, AfterValidator(_quantity_scale)] = CUSTOMERS
    nests: tuple[int, ...] | None = None
    nest_parameter: Annotated[Any, BeforeValidator(as_hashable)] = 0.0
    slopes: tuple[tuple[float, ...], ...] | None = None
    substitution: float | None = None
    intercept: float | None = None
    unit: bool = False
    capacities: float | tuple[float, ...] | None = None
    rationing: Rationing = "leave"

    def made(self, firms: int) -> AnyMarket:
        """Return the market; one of `firms` products where nothing else says how many.

        Raises:
            UsageError: its numbers do not fit each other, or one is none of its demand.
        """
        given = {name: getattr(self, name) for name in self.model_fields_set}
        values = {name: value for name, value in given.items() if value is not None}
        return _made({"quantity_scale": CUSTOMERS, **values}, firms)


def market_of(given: Mapping[str, Any], firms: int) -> AnyMarket:
    """Return a market from the values of a `MarketConfig` by name; what is missing is the baseline's.

    Args:
        given: the values; those of `Market.parameters` among them.
        firms: how many there are where no value says it.

    Raises:
        UsageError: a value is not one of its demand, is out of its range, or does not fit the others.
    """
    try:
        checked = MarketConfig(**given)
    except ValidationError as error:
        first = error.errors()[0]
        expected = first["msg"].removeprefix("Input should be").strip().replace("a valid tuple", "a list")
        said = f"{first['loc'][0]} of a market should be {expected}; got {first['input']!r}."
        raise UsageError(str(first.get("ctx", {}).get("error", said))) from None
    return _made({name: getattr(checked, name) for name in given if given[name] is not None}, firms)


def _made(values: dict[str, Any], firms: int) -> AnyMarket:
    demand = values.get("demand", "logit")
    usable = _OF_DEMAND.get(demand)
    if usable is None:
        raise UsageError(f"There is no demand {demand!r}; there are {', '.join(_OF_DEMAND)}.")
    for name in values:
        if name not in (*usable, *_SCALES, "demand"):
            raise UsageError(
                f"{name} is no number of a market with {demand} demand, which has {', '.join(usable)}."
            )
    if demand == "linear" and values.get("outside"):
        raise UsageError("Linear demand has no outside good: leave outside out.")
    if demand == "homogeneous":
        del values["demand"]
        return HomogeneousMarket(**{"firms": firms} | values)
    lists = ("qualities", "costs", "owners", "nests", "slopes")
    asked = values.pop("firms", None)
    products = next((len(values[name]) for name in lists if values.get(name) is not None), None)
    if asked is not None and products is not None:
        owned = values.get("owners")
        sellers = products if owned is None else len(set(owned))
        if sellers != int(asked):
            raise UsageError(f"A market of {asked} firms has numbers here for {sellers}: leave one out.")
    if products is None:
        products = firms_in(firms if asked is None else asked)
    for several, one, usual in (("qualities", "quality", QUALITY), ("costs", "cost", COST)):
        single = values.pop(one, None)
        if single is not None and several in values:
            raise UsageError(f"A market takes {several} or {one}, not both.")
        values.setdefault(several, [usual if single is None else single] * products)
    substitution = values.pop("substitution", None)
    if demand == "linear" and substitution is not None:
        if "slopes" in values:
            raise UsageError("A market with linear demand takes slopes or substitution, not both.")
        values["slopes"] = shubik_levitan(products, number("substitution", substitution))
    if demand == "linear" and "slopes" not in values:
        raise UsageError("A market with linear demand needs substitution (γ, such as 1) or its slopes.")
    if demand == "nested" and "nests" not in values:
        raise UsageError("A market with nested demand needs nests, the number of each product's, from 0.")
    return Market(**values)
