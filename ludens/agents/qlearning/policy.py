"""A Q-learner as a firm like any other: against language models, oracles or other learners.

It sees what every firm sees, all past prices and its own profits, and it keeps nothing else between turns:

- ``"trained"``: it learnt in a market of its kind before, against learners like itself, and now follows its
  limit strategy without exploring or learning further. The state is read from the last k periods' prices;
  before there are k of them, the training's last prices stand in for those that lack.
- ``"online"``: it learns while it plays. Its table is worked out from the history at each turn, from the
  first period on, so that a run taken up after an interruption goes on as if there had been none. (What was
  worked out for the turn before is kept and used again where the history it came from is the same; that
  saves time and changes nothing.)

Prices of others that are on no point of its grid count as the nearest one.
"""

from __future__ import annotations

import hashlib
import json
from collections import OrderedDict
from dataclasses import dataclass, fields
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ludens.agents.policy import Decision, Policy
from ludens.agents.pricing.rules import priced
from ludens.agents.pricing.view import MarketView, market_view
from ludens.agents.qlearning.parameters import QLearning
from ludens.agents.qlearning.tables import LearningTables, learning_tables
from ludens.checks import whole_number
from ludens.envs import Turn
from ludens.envs.pricing import Market
from ludens.errors import UsageError

Floats = NDArray[np.float64]

_REMEMBERED = 64  # histories of which an online learner keeps the table it worked out last


@dataclass(frozen=True, eq=False)
class LimitStrategies:
    """What one trained session plays: (firms, states) greedy actions, and the state it ended in."""

    tables: LearningTables
    strategies: NDArray[np.uint16]
    state: int


class QLearningPolicy(Policy):
    """A Q-learning firm.

    Args:
        parameters: of the learner; or name some of them as further arguments (``alpha=0.1``), which take the
            place of theirs.
        mode: ``"trained"`` or ``"online"``, see above.
        seed: of the training, or of an online learner's first state and ties.
        session: which session of that training.
        draws: where an online learner's exploration comes from: ``"episode"``, the generator of the episode
            that it plays in; ``"session"``, the numbers that the session of that seed draws, whatever the
            episode.
        cache: a folder to keep trainings in; None keeps them in memory only.

    Raises:
        UsageError: a setting is unknown or out of its range.
    """

    name = "qlearning"

    def __init__(
        self,
        parameters: QLearning | None = None,
        *,
        mode: Literal["trained", "online"] = "trained",
        seed: int = 0,
        session: int = 0,
        draws: Literal["episode", "session"] = "episode",
        cache: str | None = None,
        **settings: Any,
    ) -> None:
        base = QLearning() if parameters is None else parameters
        known = {field.name: getattr(base, field.name) for field in fields(QLearning)}
        unknown = sorted(settings.keys() - known.keys())
        if unknown:
            raise UsageError(
                f"A Q-learner has no setting {unknown[0]!r}; it has mode, seed, session, draws, cache and"
                f" {', '.join(known)}."
            )
        for name, value, choices in (
            ("mode", mode, ("trained", "online")),
            ("draws", draws, ("episode", "session")),
        ):
            if value not in choices:
                raise UsageError(
                    f"{name} is {' or '.join(map(repr, choices))} for a Q-learner; got {value!r}."
                )
        for name, number in (("seed", seed), ("session", session)):
            if whole_number(number) is None or number < 0:
                raise UsageError(
                    f"{name} must be a whole number of at least 0 for a Q-learner; got {number!r}."
                )
        self.parameters = QLearning(**(known | settings))
        self.mode, self.seed, self.session, self.draws = mode, int(seed), int(session), draws
        self.cache = None if cache is None else str(cache)
        self._worked_out: OrderedDict[tuple[Any, ...], _Replay] = OrderedDict()

    def decide(self, turn: Turn, rng: np.random.Generator) -> Decision:
        """Price by the limit strategy, or by what has been learnt so far.

        Raises:
            UsageError: the turn is none of a pricing market, or firms sell several products there.
            TableTooLargeError: the tables exceed 8 GiB.
        """
        view = market_view(turn)
        if self.mode == "trained":
            limit = limit_strategies(view.market, self.parameters, self.seed, self.session, self.cache)
            action = limit.strategies[view.firm, _state_after(limit.tables, limit.state, view.prices)]
            return priced(turn, float(limit.tables.grid[view.firm, action]))
        replay = self._caught_up(view)
        draw = None if self.draws == "session" else _slots(rng)
        return priced(turn, float(replay.learner.tables.grid[view.firm, replay.learner.act(draw)]))

    def describe(self) -> dict[str, Any]:
        """JSON values from which an equal firm can be made."""
        settings: dict[str, Any] = {"spec": self.name, "mode": self.mode, "seed": self.seed}
        settings |= {"session": self.session, "draws": self.draws} | self.parameters.key()
        return settings if self.cache is None else settings | {"cache": self.cache}

    def _caught_up(self, view: MarketView) -> _Replay:
        """A learner that has taken in the whole history, from the longest part that is worked out already."""
        periods = len(view.prices)
        # Histories are looked up by their last period; one that differs before it is replayed.
        for length in (periods, periods - 1):
            found = self._worked_out.get(_fingerprint(view, length)) if length >= 0 else None
            if found is not None and found.holds(view):
                break
        else:
            found = _Replay(view, self.parameters, self.seed, self.session)
        self._worked_out.pop(_fingerprint(view, len(found.prices)), None)
        found.go_on(view)
        self._worked_out[_fingerprint(view, periods)] = found
        while len(self._worked_out) > _REMEMBERED:
            self._worked_out.popitem(last=False)
        return found


class _Replay:
    """An online learner and the history that it has learnt from."""

    def __init__(self, view: MarketView, parameters: QLearning, seed: int, session: int) -> None:
        from ludens.agents.qlearning.learner import Learner
        from ludens.agents.qlearning.session import start_session

        tables = learning_tables(view.market, parameters)
        self.learner = Learner(start_session(tables, seed, session), view.firm)
        self.prices: Floats = np.empty((0, view.market.products))
        self.profits: Floats = np.empty(0)

    def holds(self, view: MarketView) -> bool:
        length = len(self.prices)
        return (
            self.learner.tables.market == view.market
            and self.learner.firm == view.firm
            and np.array_equal(self.prices, view.prices[:length], equal_nan=True)
            and np.array_equal(self.profits, view.profits[:length])
        )

    def go_on(self, view: MarketView) -> None:
        tables = self.learner.tables
        start = len(self.prices)
        joints = tables.joint(tables.nearest(view.prices[start:])).tolist()
        for joint, earned in zip(joints, view.profits[start:].tolist(), strict=True):
            self.learner.learn(joint, earned)
        self.prices, self.profits = view.prices.copy(), view.profits.copy()


def limit_strategies(
    market: Market, parameters: QLearning, seed: int = 0, session: int = 0, cache: str | None = None
) -> LimitStrategies:
    """One session's limit strategies, trained when they are first asked for.

    Args:
        market: one product to the firm.
        parameters: of the learners.
        seed: of the training.
        session: its number; the others are not trained, unless a cache is used, which holds all before it.
        cache: a folder to keep the training in, made if it is not there.
    """
    return _trained(market, parameters, seed, session, cache)


@lru_cache(maxsize=32)
def _trained(
    market: Market, parameters: QLearning, seed: int, session: int, cache: str | None
) -> LimitStrategies:
    if cache is not None:
        from ludens.agents.qlearning.checkpoint import identity
        from ludens.agents.qlearning.training import train

        folder = Path(cache)
        folder.mkdir(parents=True, exist_ok=True)
        tables = learning_tables(market, parameters)
        made = json.dumps(identity(tables, session + 1, seed, False), sort_keys=True)
        file = folder / f"qlearning-{hashlib.sha256(made.encode()).hexdigest()[:16]}.npz"
        trained = train(market, parameters, session + 1, seed, checkpoint=file)
        return LimitStrategies(trained.tables, trained.strategies[session], int(trained.states[session]))
    from ludens.agents.qlearning.session import start_session

    tables = learning_tables(market, parameters)
    alone = start_session(tables, seed, session)
    while not alone.over:
        alone.advance(parameters.max_periods)
    return LimitStrategies(tables, alone.strategies(), alone.state)


def _state_after(tables: LearningTables, state: int, prices: Floats) -> int:
    if tables.parameters.memory:
        for joint in tables.joint(tables.nearest(prices[-tables.parameters.memory :])):
            state = int(tables.next_state(state, joint))
    return state


def _fingerprint(view: MarketView, length: int) -> tuple[Any, ...]:
    last = view.prices[length - 1].tobytes() if length else b""
    return view.firm, length, last


def _slots(rng: np.random.Generator) -> Any:
    return lambda slot: float(rng.random())
