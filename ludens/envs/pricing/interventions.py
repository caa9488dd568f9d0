"""Interventions in a pricing market: options of its environments, each a small frozen record.

Periods are counted from 1, as in prompts and reports, and money is in the market's units. Records hold JSON
values only, so that they can be stored in a run; `as_intervention` makes them from
``{"kind": "Exit", "period": 10, "firm": 1}``.

The interventions are those of the literature on pricing algorithms (message channels, entrants, regulators,
platforms). The caller sets their numbers; their exact effects are ours and described here.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, get_args

from ludens.checks import entries, whole_number
from ludens.errors import UsageError


@dataclass(frozen=True)
class CheapTalk:
    """Firms may send a message with every price; all read it before the next one. It is not binding.

    Attributes:
        limit: the longest message, in characters.
    """

    limit: int = 500

    def __post_init__(self) -> None:
        _whole(self, "limit", 1)


@dataclass(frozen=True)
class DemandShock:
    """A temporary change in the value of products to consumers.

    Attributes:
        period: the first period with the change.
        qualities: the change of the qualities a, one number for all products or one each.
        outside: the change of the outside good's a_0 (not under linear demand, which has none).
        until: the first period without the change; None for never.
        announced: whether firms are informed.
    """

    period: int
    qualities: float | tuple[float, ...] = 0.0
    outside: float = 0.0
    until: int | None = None
    announced: bool = False

    def __post_init__(self) -> None:
        values = _temporary(self, "qualities")
        if not all(math.isfinite(value) for value in (*values, self.outside)):
            raise UsageError(f"A demand shock is made of finite numbers; got {self!r}.")


@dataclass(frozen=True)
class CostShock:
    """A temporary change in unit costs.

    Attributes:
        period: the first period with the change.
        costs: the change of the costs c, one number for all products or one each, in units of quality.
        until: the first period without the change; None for never.
        announced: whether firms are informed; a firm learns its own cost in any case.
    """

    period: int
    costs: float | tuple[float, ...] = 0.0
    until: int | None = None
    announced: bool = False

    def __post_init__(self) -> None:
        if not all(map(math.isfinite, _temporary(self, "costs"))):
            raise UsageError(f"A cost shock is made of finite numbers; got {self!r}.")


@dataclass(frozen=True)
class OutsideOption:
    """An outside good with one of two values, drawn for each period; firms do not learn which.

    After the stochastic demand of Calvano et al. (AER 2020): values -x and x, equally likely.

    Attributes:
        values: the two values of a_0.
        probability: of the second value.
    """

    values: tuple[float, float]
    probability: float = 0.5

    def __post_init__(self) -> None:
        object.__setattr__(self, "values", tuple(float(value) for value in self.values))
        if len(self.values) != 2 or not all(map(math.isfinite, self.values)):
            raise UsageError(f"A stochastic outside option has two finite values; got {self.values!r}.")
        _share(self, "probability")


@dataclass(frozen=True)
class Entrant:
    """A firm that enters the market in some period; its seat is empty before.

    Attributes:
        period: its first period, at least 2.
        firm: its number among the market's firms, which include it from the start.
    """

    period: int
    firm: int

    def __post_init__(self) -> None:
        _whole(self, "period", 2)
        _whole(self, "firm", 0)


@dataclass(frozen=True)
class Exit:
    """A firm that leaves the market for ever, with its products.

    Attributes:
        period: the first period without it, at least 2.
        firm: its number.
    """

    period: int
    firm: int

    def __post_init__(self) -> None:
        _whole(self, "period", 2)
        _whole(self, "firm", 0)


@dataclass(frozen=True)
class Merger:
    """A firm that is bought by another one, which sets the prices of all their products from then on.

    Attributes:
        period: the first period after the merger, at least 2.
        firm: the number of the firm that is bought; its seat is empty from then on.
        into: the number of the firm that buys it.
    """

    period: int
    firm: int
    into: int

    def __post_init__(self) -> None:
        _whole(self, "period", 2)
        _whole(self, "firm", 0)
        _whole(self, "into", 0)
        if self.firm == self.into:
            raise UsageError(f"A merger is of two firms; got firm {self.firm} twice.")


@dataclass(frozen=True)
class Regulator:
    """An authority that inspects the market at random and fines high prices; firms know the rule.

    Attributes:
        threshold: the highest price that is not fined, in money.
        fine: what a firm pays for one inspected period, in money.
        probability: of an inspection in each period; inspections are drawn from the seed.
        measure: ``"own"`` fines a firm for its own price; ``"average"`` fines all firms if the mean price of
            the products on sale is too high.
        period: the first period in which it may inspect.
    """

    threshold: float
    fine: float
    probability: float = 1.0
    measure: str = "own"
    period: int = 1

    def __post_init__(self) -> None:
        _share(self, "probability")
        _whole(self, "period", 1)
        if self.measure not in {"own", "average"}:
            raise UsageError(f"A regulator measures 'own' or 'average' prices; got {self.measure!r}.")
        if not (0 <= self.threshold < math.inf and 0 <= self.fine < math.inf):
            raise UsageError(f"A regulator's threshold and fine are at least 0; got {self!r}.")


@dataclass(frozen=True)
class Prominence:
    """A platform that steers consumers to the cheapest products; firms know the rule.

    After Johnson, Rhodes & Wildenbeest (Econometrica 91(5), 2023): price-directed prominence shows consumers
    only the cheapest products, and dynamic price-directed prominence lets those that were shown keep their
    place as long as they do not raise their prices. The rule of the dynamic kind is ours in its details: a
    product that was prominent in the last period, and whose price is not above its own last one, counts as
    cheaper by `advantage`.

    Equal prices are put in an order drawn from the seed; in the dynamic kind those come first that were
    prominent in the last period.

    Attributes:
        shown: how many products are prominent.
        bonus: None hides the others from consumers; a number keeps them and adds it to the qualities of the
            prominent ones.
        period: the first one concerned.
        advantage: None looks at this period's prices alone; a number, in money, is what another product must
            be cheaper by to take the place of one that was prominent and has not become dearer.
    """

    shown: int = 1
    bonus: float | None = None
    period: int = 1
    advantage: float | None = None

    @property
    def lead(self) -> float:
        """What counts off the price of a product that keeps its place; 0 without an advantage.

        It is a little more than the advantage, so that rounding does not decide where another product is
        cheaper by exactly as much.
        """
        return 0.0 if self.advantage is None else self.advantage * (1.0 + 1e-9)

    def __post_init__(self) -> None:
        _whole(self, "shown", 1)
        _whole(self, "period", 1)
        for name in ("bonus", "advantage"):
            value = getattr(self, name)
            if value is not None and not 0 <= value < math.inf:
                raise UsageError(f"The {name} of prominence is at least 0; got {value!r}.")


@dataclass(frozen=True)
class Information:
    """What firms see of their rivals, from the first period to the last.

    Without it, firms see all prices, and the rules of a market (its demand and all costs) are common
    knowledge of policies that reason with them; language models are shown prices alone. With it, a firm
    concerned sees what it names and no more: costs are private unless `costs` is true. A policy that needs
    what it may not see is refused.

    Attributes:
        prices: whether they see rivals' prices of past periods.
        quantities: whether they see what rivals sold.
        profits: whether they see what rivals earned, less fines.
        costs: whether they see rivals' unit costs.
        firms: the numbers of the firms concerned; None for all. Firms of which nothing is said see what they
            would without it.
    """

    prices: bool = True
    quantities: bool = False
    profits: bool = False
    costs: bool = False
    firms: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        for name in ("prices", "quantities", "profits", "costs"):
            if not isinstance(getattr(self, name), bool):
                raise UsageError(f"Information got {name}={getattr(self, name)!r}; it is true or false.")
        if self.firms is None:
            return
        listed = (self.firms,) if isinstance(self.firms, int) else tuple(self.firms)
        if not listed or any(whole_number(firm) is None or firm < 0 for firm in listed):
            raise UsageError(f"Information names firms by their numbers from 0; got {self.firms!r}.")
        object.__setattr__(self, "firms", tuple(sorted(set(listed))))

    def concerns(self, firm: int) -> bool:
        """Return whether it says what the firm sees."""
        return self.firms is None or firm in self.firms


@dataclass(frozen=True)
class Vendor:
    """One vendor's software that sets the prices of all firms (hub and spoke), and knows that it does.

    Prices of one period are set at the same time, for each firm by itself.

    Attributes:
        pooled: whether it sees, for each firm, what all of them know: prices, quantities, profits, costs and
            notes; otherwise what that firm knows alone.
    """

    pooled: bool = False

    def __post_init__(self) -> None:
        if not isinstance(self.pooled, bool):
            raise UsageError(f"A vendor's pooled is true or false; got {self.pooled!r}.")


Intervention: TypeAlias = (
    CheapTalk
    | DemandShock
    | CostShock
    | OutsideOption
    | Entrant
    | Exit
    | Merger
    | Regulator
    | Prominence
    | Information
    | Vendor
)
KINDS: dict[str, type[Any]] = {kind.__name__: kind for kind in get_args(Intervention)}


def as_intervention(given: Intervention | Mapping[str, Any]) -> Intervention:
    """Return an intervention from itself, or from its kind and numbers.

    Raises:
        UsageError: there is no such kind, or a number is missing, unknown or out of its range.
    """
    if isinstance(given, Intervention):
        return given
    kind = KINDS.get(str(given.get("kind"))) if isinstance(given, Mapping) else None
    if kind is None:
        raise UsageError(f"{given!r} is not an intervention; there are {', '.join(KINDS)}.")
    values = {name: value for name, value in given.items() if name != "kind"}
    try:
        made: Intervention = kind(**values)
    except TypeError as why:
        raise UsageError(f"{kind.__name__} cannot be made of {values}: {why}.") from None
    return made


def as_interventions(given: Sequence[Intervention | Mapping[str, Any]]) -> tuple[Intervention, ...]:
    """Return several interventions, checked against each other.

    Raises:
        UsageError: as `as_intervention`; they are not a list; or there are two of a kind of which there can
            be one only.
    """
    listed = entries(given)
    if listed is None:
        raise UsageError(f"Interventions are a list of them; got {given!r}.")
    made = tuple(as_intervention(each) for each in listed)
    for once in (CheapTalk, OutsideOption, Vendor, Prominence):
        if sum(isinstance(each, once) for each in made) > 1:
            raise UsageError(f"A market has at most one {once.__name__}; got several.")
    for kind, moves in (
        ("Entrant", [each.firm for each in made if isinstance(each, Entrant)]),
        ("Exit", [each.firm for each in made if isinstance(each, Exit)]),
        ("Merger in which it is bought", [each.firm for each in made if isinstance(each, Merger)]),
    ):
        if len(set(moves)) < len(moves):
            raise UsageError(f"A firm has at most one {kind}; got firms {sorted(moves)}.")
    return made


def _temporary(shock: DemandShock | CostShock, name: str) -> tuple[float, ...]:
    """Check the periods of a shock, keep its changes of one attribute as numbers, and return them."""
    _whole(shock, "period", 1)
    if shock.until is not None:
        _whole(shock, "until", shock.period + 1)
    changes: float | tuple[float, ...] = getattr(shock, name)
    if isinstance(changes, int | float):
        return (changes,)
    changes = tuple(float(each) for each in changes)
    object.__setattr__(shock, name, changes)
    return changes


def _whole(of: object, name: str, least: int) -> None:
    number = whole_number(getattr(of, name))
    if number is None or number < least:
        raise UsageError(
            f"{type(of).__name__} got {name}={getattr(of, name)!r}; it must be a whole number of at least"
            f" {least}."
        )


def _share(of: object, name: str) -> None:
    value = getattr(of, name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise UsageError(f"{type(of).__name__} got {name}={value!r}; it must lie in [0, 1].")
