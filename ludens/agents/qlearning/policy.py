"""Q-learners as policies in markets, against language models, oracles or other learners.

A Q-learner sees what every firm sees, all past prices and its own profits. It has two modes:

- ``"trained"``: it has learnt beforehand in the same market against learners like itself, and follows its
  limit strategy without exploring or learning further. The state is read from the last k periods' prices;
  in the first k periods, the last prices of the training stand in for the missing ones.
- ``"online"``: it learns while it plays. At each turn its table is computed from the whole history, so that
  an interrupted run continues as if it had not been interrupted. (The table of the previous turn is kept and
  used again if the history is the same; that saves time and changes nothing.)

Where firms move in turns, as in ``ludens/bertrand_sequential-v0``, the state are the rivals' standing prices,
and a price is judged by the profits until the firm's next move (`core.learn_in_turns`).

Prices of others that are not on its grid count as the nearest point. The grid, and the market in which a
trained firm has learnt, are those without interventions, which firms do not foresee. With synchronous
updating the prices that a firm does not charge are judged by that market too.
"""

from __future__ import annotations

import copy
import hashlib
import json
from collections import OrderedDict
from dataclasses import dataclass, fields
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ludens.agents.policy import Decision, Policy
from ludens.agents.pricing.rules import priced
from ludens.agents.pricing.view import MarketView, market_view
from ludens.agents.qlearning.parameters import QLearning
from ludens.agents.qlearning.tables import LearningTables, Moves, learning_tables
from ludens.checks import whole_number
from ludens.envs import Turn
from ludens.envs.pricing.theory.market import AnyMarket
from ludens.errors import UsageError

Floats = NDArray[np.float64]

_REMEMBERED = 64  # histories whose tables an online learner keeps


@dataclass(frozen=True, eq=False)
class LimitStrategies:
    """The limit strategies of one trained session: greedy actions (firms, states), and the last state."""

    tables: LearningTables
    strategies: NDArray[np.uint16]
    state: int


class QLearningPolicy(Policy):
    """A policy that prices by Q-learning.

    Args:
        parameters: of the learner. Further arguments (``alpha=0.1``) replace single ones.
        mode: ``"trained"`` or ``"online"``, see the module.
        seed: of the training, or of an online learner's first state and ties.
        session: number of the session within the training. A study plays it in its first run, the next one in
            its second, and so on.
        draws: the source of an online learner's exploration: ``"episode"``, the generator of the episode that
            it plays in; ``"session"``, the random numbers of the session with that seed, in every episode.
        cache: folder in which trainings are kept; None keeps them in memory only.

    Raises:
        UsageError: a setting is unknown or out of its range.
    """

    name = "qlearning"
    session: int

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
        self._replays: OrderedDict[tuple[Any, ...], _Replay] = OrderedDict()

    def decide(self, turn: Turn, rng: np.random.Generator) -> Decision:
        """Return the price of the limit strategy or, online, of what has been learnt so far.

        Raises:
            UsageError: the turn is not of a pricing market, firms sell several products there, or the
                parameters do not go with its order of moves.
            TableTooLargeError: the tables exceed 8 GiB.
        """
        self.check(turn)
        view = market_view(turn)
        setting = _Setting(
            getattr(turn.game, "market", view.market), "in turns" if "order" in turn.facts else "together"
        )
        standing = turn.facts.get("standing")
        if self.mode == "trained":
            limit = limit_strategies(
                setting.market, self.parameters, self.seed, self.session, self.cache, moves=setting.moves
            )
            seen = view.prices if standing is None else np.asarray(standing, np.float64)[None]
            action = limit.strategies[view.firm, _row(limit, seen, view.firm)]
            return priced(turn, float(limit.tables.grid[view.firm, action]))
        learner = self._caught_up(view, setting).learner
        if standing is not None:
            learner.face(int(learner.tables.joint(learner.tables.nearest(standing))))
        draw = None if self.draws == "session" else _slots(rng)
        return priced(turn, float(learner.tables.grid[view.firm, learner.act(draw)]))

    def check(self, turn: Turn) -> None:
        """Refuse a market in which the firm does not see what it is trained with, or moves in another order.

        Raises:
            UsageError: rivals' prices or costs are hidden from it, or one firm leads.
        """
        if "leader" in turn.facts:
            raise UsageError(
                "Q-learners are trained to move together or in turns, and here one firm leads: seat another "
                "policy."
            )
        seen = turn.facts.get("information")
        if seen is not None and not (seen.prices and seen.costs):
            raise UsageError(
                f"A Q-learner learns from all prices in a simulation of the whole market, and {turn.agent} "
                "does not see its rivals' prices or costs: give it Information with both true."
            )

    def in_run(self, run: int) -> QLearningPolicy:
        """Return the learner of the session that many after its own."""
        other = copy.copy(self)
        other.session = self.session + run
        other._replays = OrderedDict()
        return other

    def describe(self) -> dict[str, Any]:
        """Return JSON values from which an equal policy can be made."""
        if self.made_from is not None:
            return self._described()
        settings: dict[str, Any] = {"spec": self.name, "mode": self.mode, "seed": self.seed}
        settings |= {"session": self.session, "draws": self.draws} | self.parameters.key()
        return settings if self.cache is None else settings | {"cache": self.cache}

    def _caught_up(self, view: MarketView, setting: _Setting) -> _Replay:
        """Return a learner that has learnt from the whole history, starting from a kept table if one fits."""
        periods = len(view.prices)
        # Histories are looked up by their last period; one that differs in an earlier period is replayed.
        for length in (periods, periods - 1):
            replay = self._replays.get(_fingerprint(view, length)) if length >= 0 else None
            if replay is not None and replay.holds(view, setting):
                break
        else:
            replay = _Replay(view, setting, self.parameters, self.seed, self.session)
        self._replays.pop(_fingerprint(view, len(replay.prices)), None)
        replay.go_on(view)
        self._replays[_fingerprint(view, periods)] = replay
        while len(self._replays) > _REMEMBERED:
            self._replays.popitem(last=False)
        return replay


class _Setting(NamedTuple):
    """The market in which a policy learns, and who moves when."""

    market: AnyMarket
    moves: Moves


class _Replay:
    """An online learner and the history that it has learnt from."""

    def __init__(
        self, view: MarketView, setting: _Setting, parameters: QLearning, seed: int, session: int
    ) -> None:
        from ludens.agents.qlearning.learner import Learner, LearnerInTurns
        from ludens.agents.qlearning.session import start_session

        tables = learning_tables(setting.market, parameters, moves=setting.moves)
        kind = LearnerInTurns if tables.turns else Learner
        self.learner = kind(start_session(tables, seed, session), view.firm)
        self.prices: Floats = np.empty((0, view.market.products))
        self.profits: Floats = np.empty(0)

    def holds(self, view: MarketView, setting: _Setting) -> bool:
        length = len(self.prices)
        tables = self.learner.tables
        return (
            (tables.market, tables.moves) == setting
            and self.learner.firm == view.firm
            and np.array_equal(self.prices, view.prices[:length], equal_nan=True)
            and np.array_equal(self.profits, view.profits[:length], equal_nan=True)
        )

    def go_on(self, view: MarketView) -> None:
        tables = self.learner.tables
        start = len(self.prices)
        # An entrant begins to explore when it enters; before, it has no profits.
        there = np.flatnonzero(~np.isnan(view.profits))
        entered = int(there[0]) if len(there) else len(view.profits)
        self.learner.since = entered - tables.parameters.explored
        joints = tables.joint(tables.nearest(view.prices[start:])).tolist()
        for joint, earned in zip(joints, view.profits[start:].tolist(), strict=True):
            self.learner.learn(joint, earned)
        self.prices, self.profits = view.prices.copy(), view.profits.copy()


def limit_strategies(
    market: AnyMarket,
    parameters: QLearning,
    seed: int = 0,
    session: int = 0,
    cache: str | None = None,
    *,
    moves: Moves = "together",
) -> LimitStrategies:
    """Return the limit strategies of one session, which is trained at the first call.

    Args:
        market: with one product per firm.
        parameters: of the learners.
        seed: of the training.
        session: number of the session. Only this one is trained; with a cache, those before it are too.
        cache: folder in which the training is kept, created if it does not exist.
        moves: whether firms set prices ``"together"`` or ``"in turns"``.
    """
    return _trained(market, parameters, seed, session, cache=cache, moves=moves)


@lru_cache(maxsize=128)
def _trained(
    market: AnyMarket, parameters: QLearning, seed: int, session: int, *, cache: str | None, moves: Moves
) -> LimitStrategies:
    if cache is not None:
        from ludens.agents.qlearning.checkpoint import identity
        from ludens.agents.qlearning.training import train

        folder = Path(cache)
        folder.mkdir(parents=True, exist_ok=True)
        tables = learning_tables(market, parameters, moves=moves)
        made = json.dumps(identity(tables, session + 1, seed, False), sort_keys=True)
        file = folder / f"qlearning-{hashlib.sha256(made.encode()).hexdigest()[:16]}.npz"
        trained = train(market, parameters, session + 1, seed, moves=moves, checkpoint=file)
        return LimitStrategies(trained.tables, trained.strategies[session], int(trained.states[session]))
    from ludens.agents.qlearning.session import start_session

    tables = learning_tables(market, parameters, moves=moves)
    alone = start_session(tables, seed, session)
    while not alone.over:
        alone.advance(parameters.max_periods)
    return LimitStrategies(tables, tables.strategies(alone.strategies()), alone.state)


def _row(limit: LimitStrategies, prices: Floats, firm: int) -> int:
    """Return the state after prices (periods, products), or of a firm's move at standing ones."""
    tables, state = limit.tables, limit.state
    if tables.turns:
        return int(firm * tables.joints + tables.joint(tables.nearest(prices[-1])))
    if tables.parameters.memory:
        for joint in tables.joint(tables.nearest(prices[-tables.parameters.memory :])):
            state = int(tables.next_state(state, joint))
    return state


def _fingerprint(view: MarketView, length: int) -> tuple[Any, ...]:
    last = view.prices[length - 1].tobytes() if length else b""
    return view.firm, length, last


def _slots(rng: np.random.Generator) -> Any:
    return lambda slot: float(rng.random())
