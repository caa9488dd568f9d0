"""The budget of a run: limits on money, tokens, calls and time, over all its models and all its sessions.

A request goes out only if what was spent, with the requests under way and this one at the model's mean so
far, stays within the budget. Calls are therefore never exceeded, and money and tokens by no more than what
is under way. A run whose budget is spent stops in order, and goes on with a larger one.
"""

from __future__ import annotations

import math
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Self

from ludens.agents.journal import Paid
from ludens.agents.policy import Call
from ludens.checks import duration, real_number, whole_number
from ludens.errors import LudensError, UsageError


class BudgetSpentError(LudensError):
    """The budget of a run is spent; all that was answered is kept, and the run goes on with a larger one.

    Attributes:
        limit: the name of the limit that is reached.
    """

    def __init__(self, message: str, limit: str) -> None:
        super().__init__(message)
        self.limit = limit


@dataclass(frozen=True)
class Budget:
    """What a run may spend, its earlier sessions included; None for no limit.

    Attributes:
        cost: US dollars, as LiteLLM prices the calls. Models whose price is unknown do not count.
        tokens: of prompts and replies together.
        calls: answered requests to models.
        time: seconds in which the run is at work; also written ``"90s"``, ``"10m"`` or ``"2h"``.

    Raises:
        UsageError: a limit is not above 0.
    """

    cost: float | None = None
    tokens: int | None = None
    calls: int | None = None
    time: float | None = None

    def __post_init__(self) -> None:
        for name, read, kind in (
            ("cost", real_number, "a number of US dollars above 0"),
            ("tokens", whole_number, "a whole number of at least 1"),
            ("calls", whole_number, "a whole number of at least 1"),
            ("time", duration, "a number of seconds above 0, or a text such as '90s', '10m' or '2h'"),
        ):
            given = getattr(self, name)
            limit = None if given is None else read(given)
            if given is not None and (limit is None or not 0 < limit < math.inf):
                raise UsageError(f"The budget's {name} must be {kind}; got {given!r}.")
            object.__setattr__(self, name, limit)

    @classmethod
    def read(cls, given: Any) -> Self | None:
        """Return the budget that a mapping describes; None if it sets no limit.

        Raises:
            UsageError: it is no budget, or a limit is wrong.
        """
        names = [each.name for each in fields(cls)]
        if given is None or isinstance(given, cls):
            budget = given
        elif not isinstance(given, Mapping):
            raise UsageError(f"A budget is a table of {', '.join(names)}; got {given!r}.")
        elif unknown := [str(name) for name in given if name not in names]:
            raise UsageError(f"A budget has no limit {unknown[0]!r}; there are {', '.join(names)}.")
        else:
            budget = cls(**given)
        return budget if budget is not None and budget.as_json() else None

    def as_json(self) -> dict[str, float]:
        """Return the limits that are set."""
        return {each.name: value for each in fields(self) if (value := getattr(self, each.name)) is not None}

    def left(self, spent: Spending, seconds: float) -> dict[str, Any]:
        """Return what is left of every limit that is set, 0 or less where it is reached."""
        used = {**vars(spent), "time": seconds}
        return {name: limit - used[name] for name, limit in self.as_json().items()}


def changed_budget(present: Budget | None, given: Any) -> Budget | None:
    """Return a budget in which the limits that are given stand in place of those of the same name. None among
    them lifts one; None in place of all lifts every limit.

    Raises:
        UsageError: what is given is no budget.
    """
    if not isinstance(given, Mapping):
        return Budget.read(given)
    return Budget.read({**(present or Budget()).as_json(), **given})


@dataclass(frozen=True)
class Spending:
    """What calls to models took.

    Attributes:
        calls: how many there were.
        tokens: of prompts and replies together.
        cost: US dollars.
    """

    calls: int = 0
    tokens: int = 0
    cost: float = 0.0

    def __add__(self, other: Spending) -> Spending:
        return Spending(self.calls + other.calls, self.tokens + other.tokens, self.cost + other.cost)


_ONE = Spending(1)


class Account:
    """What a run has spent, and what its budget still allows; its methods may be called from any thread.

    Attributes:
        limited: whether there is any limit.

    Args:
        path: the run's file, for messages.
        budget: None for no limit.
        spent: in earlier sessions, by model.
        seconds: returns for how long the run has been at work.
    """

    def __init__(
        self,
        path: Path,
        budget: Budget | None = None,
        spent: Mapping[str, Spending] | None = None,
        seconds: Callable[[], float] = lambda: 0.0,
    ) -> None:
        self._path, self._budget, self._seconds = path, budget or Budget(), seconds
        self.limited = bool(self._budget.as_json())
        self._spent = dict(spent or {})
        self._under_way: Counter[str] = Counter()
        self._told_afterwards = False
        self._lock = threading.RLock()

    @property
    def spent(self) -> Spending:
        """What all calls took that were answered so far."""
        with self._lock:
            return sum(self._spent.values(), Spending())

    def check(self) -> None:
        """See that there is time left, and money where policies make calls of which they tell afterwards.

        Raises:
            BudgetSpentError: there is none.
        """
        limit = self._budget.time
        if limit is not None and self._seconds() >= limit:
            raise self.error("time")
        if self._told_afterwards:
            with self._lock:
                self._allow(Spending())

    def begin(self, model: str) -> None:
        """Count a request as under way.

        Raises:
            BudgetSpentError: the budget does not allow another one.
        """
        self.check()
        with self._lock:
            if self.limited:
                self._allow(self._expected(model, 1))
            self._under_way[model] += 1

    def end(self, model: str, paid: Iterable[Paid]) -> None:
        """Count a request as ended, with what its replies took."""
        with self._lock:
            self._under_way[model] -= 1
            for each in paid:
                self._book(model, each)

    def book(self, call: Call) -> None:
        """Count a call of which a policy told afterwards."""
        self._told_afterwards = True
        with self._lock:
            self._book(call.model, call)

    def _book(self, model: str, paid: Paid) -> None:
        took = Spending(1, paid.prompt_tokens + paid.completion_tokens, paid.cost)
        self._spent[model] = self._spent.get(model, Spending()) + took

    def _allow(self, more: Spending) -> None:
        """See that the budget has room for more than what was spent and is under way."""
        spent = sum(self._spent.values(), Spending())
        after = sum((self._expected(*each) for each in self._under_way.items()), spent + more)
        for name, limit in self._budget.as_json().items():
            if name == "time":
                continue
            have, then = getattr(spent, name), getattr(after, name)
            # Sums of floating-point numbers may pass a limit by their last digit.
            if have >= limit or then > limit * (1 + 1e-9):
                raise self.error(name)

    def error(self, limit: str) -> BudgetSpentError:
        """Return the error for a limit that is reached, with what was spent by now."""
        spent, larger = taken(self._budget, limit, self.spent, self._seconds())
        return BudgetSpentError(
            f"The budget for {self._path} is spent ({spent}): go on with a larger one, as in `ludens resume "
            f"{self._path} --max-{limit} {larger}`.",
            limit,
        )

    def _expected(self, model: str, requests: int) -> Spending:
        """Return what so many requests to a model will take, by its mean so far."""
        known = self._spent.get(model, _ONE)
        return Spending(
            requests, round(requests * known.tokens / known.calls), requests * known.cost / known.calls
        )


def taken(budget: Budget, limit: str, spent: Spending, seconds: float) -> tuple[str, str]:
    """Return in words how much of a limit is used, and a larger one as it is written in a command."""
    given = getattr(budget, limit)
    if limit == "time":
        return f"{span(seconds)} of {span(given)}", f"{math.ceil(2 * given)}s"
    if limit == "cost":
        return f"{dollars(spent.cost)} of {dollars(given)}", f"{2 * given:g}"
    return f"{getattr(spent, limit):,} of {given:,} {limit}", f"{2 * given}"


def dollars(cost: float) -> str:
    """Return US dollars with as many digits as small prices need."""
    return f"${cost:,.2f}" if cost >= 1 or cost == 0 else f"${cost:.4f}"


def span(seconds: float) -> str:
    """Return a duration in words."""
    for size, word in ((86400, "day"), (3600, "hour"), (60, "minute")):
        if seconds >= 2 * size:
            return f"{round(seconds / size)} {word}s"
    return f"{seconds:.3g} s"
