"""Policies that maximise preferences: exactly (`OraclePolicy`) or with logit noise (`QuantalPolicy`)."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ludens.agents.policy import Decision, Policy, draw
from ludens.envs import AnyGame, GameTree, StageGame, StrategicGame, Turn
from ludens.errors import UsageError
from ludens.preferences import (
    Belief,
    OutcomePreferences,
    Preferences,
    best_strategies,
    choice_probabilities,
    homo_moralis,
    resolve_belief,
)

_CACHE_LIMIT = 4096


@dataclass(frozen=True, eq=False)
class _Solved:
    """A game as the policy sees it: a behaviour strategy, what each option is worth at best; (width,)."""

    strategy: NDArray[np.float64]
    worth: NDArray[np.float64]


class _PreferencePolicy(Policy):
    """A behaviour strategy that follows from preferences and a belief, the same in every round.

    Subclasses give the strategy. Solved games are kept, so that a decision costs a look-up.
    """

    _head = "oracle"

    def __init__(self, preferences: Preferences, belief: Belief = "uniform") -> None:
        if not isinstance(preferences, Preferences):
            raise UsageError(
                f"{type(self).__name__} needs Preferences(alpha, beta, kappa); got {preferences!r}."
            )
        self.preferences = preferences
        self.belief = _plain(belief)
        self._solved: dict[AnyGame, _Solved] = {}

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and isinstance(other, Policy) and self.describe() == other.describe()

    def __hash__(self) -> int:
        return hash((type(self), self._spec()))

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_solved": {}}

    def decide(self, turn: Turn, rng: np.random.Generator) -> Decision:
        """Draw an option from the exact probabilities at this information set.

        Raises:
            UsageError: the turn's game is no `GameTree` and no `StrategicGame`, or the belief makes no
                sense in it.
        """
        game = turn.game
        if not isinstance(game, GameTree | StrategicGame):
            raise UsageError(
                f"{self.name} solves game trees; {turn.environment} is played "
                f"on a {type(game).__name__}: "
                "name the policy for it, as ludens.agents.make_policy(name, environment) does."
            )
        solved = self._solution(game)
        node = game.information_set(turn.node)
        if not turn.options and isinstance(game, StrategicGame):
            # Of an interval, a point of the grid that stands for it.
            place = int(rng.choice(len(node.options), p=solved.strategy[node.columns]))
            return Decision(float(game.finite[turn.role].values[place]))
        columns = [node.columns.start + node.options.index(option.name) for option in turn.options]
        shares = solved.strategy[columns]
        return draw(
            shares.tolist(),
            turn,
            rng,
            provenance="exact",
            reasoning=self._reasoning(turn, solved.worth[columns], shares),
        )

    def strategy(self, game: AnyGame) -> NDArray[np.float64]:
        """Return the behaviour strategy that the policy plays in a game, shape (width,).

        Raises:
            UsageError: the belief makes no sense in this game.
        """
        return self._solution(game).strategy.copy()

    def describe(self) -> dict[str, Any]:
        """Return JSON values from which an equal policy can be made."""
        numbers = {key: getattr(self.preferences, key) for key in ("alpha", "beta", "kappa")}
        return self._described(spec=self._spec(), **numbers, belief=self.belief)

    def _spec(self) -> str:
        p = self.preferences
        return f"{self._head}:alpha={p.alpha!r},beta={p.beta!r},kappa={p.kappa!r}"

    def _suffix(self) -> str:
        if self.belief == "uniform":
            return ""
        return " (equilibrium belief)" if self.belief == "equilibrium" else " (given belief)"

    def _solution(self, game: AnyGame) -> _Solved:
        solution = self._solved.get(game)
        if solution is None:
            if len(self._solved) >= _CACHE_LIMIT:
                self._solved.clear()
            foreseen = self._foreseen(game)
            belief = resolve_belief(foreseen, self.preferences, self.belief)
            strategy, strategies, utilities = self._choose(foreseen, belief)
            solution = _Solved(strategy, np.where(strategies > 0, utilities[:, None], -np.inf).max(axis=0))
            self._solved[game] = solution
        return solution

    def _foreseen(self, game: AnyGame) -> AnyGame:
        """Return a game with what its later stages lead to if everybody plays them as this policy does."""
        return game.foreseen(self.strategy) if isinstance(game, StageGame) else game

    def _reasoning(self, turn: Turn, worth: NDArray[np.float64], shares: NDArray[np.float64]) -> str:
        listed = ", ".join(
            f"{option.name} {value:.2f}" for option, value in zip(turn.options, worth, strict=True)
        )
        believed = {"uniform": "if the others choose at random", "equilibrium": "in equilibrium"}
        against = believed[self.belief] if isinstance(self.belief, str) else "given my belief"
        conclusion = self._conclusion(turn, worth, shares)
        return f"The best plan with each option is worth, {against}: {listed}; {conclusion}."

    @abstractmethod
    def _choose(
        self, game: AnyGame, belief: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """Return the behaviour strategy to play, all pure strategies, and their utilities."""

    @abstractmethod
    def _conclusion(self, turn: Turn, worth: NDArray[np.float64], shares: NDArray[np.float64]) -> str:
        """Return the end of the reasoning: what follows from the utilities."""


class OraclePolicy(_PreferencePolicy):
    """A strategy that is optimal for `preferences` given `belief`.

    If several pure strategies are optimal, one is drawn uniformly from all of them at each decision and its
    move at this information set is played: the probability of an option is the share of optimal strategies
    that use it. Draws at different sets are independent, as a policy keeps no memory. Where κ couples the
    sets and optimal strategies differ at more than one of them, a whole round's moves may therefore mix two
    optimal plans.

    Args:
        preferences: α, β, κ.
        belief: ``"uniform"``, ``"equilibrium"`` (see `ludens.preferences.equilibrium_belief`), a plan by
            names (information set → option, or probabilities), or a strategy vector; the last two fit one
            family only.

    Raises:
        UsageError: the preferences are no `Preferences`, or the belief cannot be read.
    """

    def __init__(self, preferences: Preferences, belief: Belief = "uniform") -> None:
        super().__init__(preferences, belief)
        social = preferences.alpha or preferences.beta
        self.name = ("oracle " if social else "") + preferences.name + self._suffix()

    def _choose(
        self, game: AnyGame, belief: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        best = best_strategies(game, self.preferences, belief)
        return best.strategies.mean(axis=0), best.all_strategies, best.utilities

    def _conclusion(self, turn: Turn, worth: NDArray[np.float64], shares: NDArray[np.float64]) -> str:
        used = [option.name for option, share in zip(turn.options, shares, strict=True) if share > 0]
        return f"{used[0]} is optimal" if len(used) == 1 else f"{' and '.join(used)} are equally good"


class OutcomeOraclePolicy(OraclePolicy):
    """The oracle of any utility of outcomes, which plays as `OraclePolicy` does.

    Args:
        preferences: what outcomes are worth.
        kappa: κ in [0, 1], the weight on what a strategy would be worth if everybody used it.
        belief: as for `OraclePolicy`.

    Raises:
        UsageError: κ lies outside [0, 1], or the belief cannot be read.
    """

    def __init__(
        self, preferences: OutcomePreferences, kappa: float = 0.0, belief: Belief = "uniform"
    ) -> None:
        super().__init__(homo_moralis(kappa), belief)
        self.outcomes = preferences
        kantian = f" κ={self.preferences.kappa:g}" if self.preferences.kappa else ""
        settings = "".join(f" {key}={value}" for key, value in preferences.settings.items())
        self.name = f"{preferences.name}{settings}{kantian}{self._suffix()}"

    def describe(self) -> dict[str, Any]:
        """Return JSON values from which an equal policy can be made where the preference is installed."""
        weights = {"kappa": self.preferences.kappa, "belief": self.belief}
        return self._described(spec=self.outcomes.name, **{**self.outcomes.settings, **weights})

    def _spec(self) -> str:
        return self.name

    def _solution(self, game: AnyGame) -> _Solved:
        known = self._solved.get(game)
        if known is None:
            known = self._solved[game] = super()._solution(self.outcomes.game(self._foreseen(game)))
        return known


class QuantalPolicy(_PreferencePolicy):
    """A logit choice of whole strategies by their utilities, of which each information set plays the
    marginal.

    See `ludens.preferences.choice_probabilities`; the correlation that the joint logit has between sets is
    not played.

    Args:
        preferences: α, β, κ.
        belief: as for `OraclePolicy`.
        noise: λ ≥ 0 in points; it divides utilities. 0 plays as `OraclePolicy` does.

    Raises:
        UsageError: the preferences are no `Preferences`, the belief cannot be read, or the noise is
            negative or not finite.
    """

    _head = "quantal"

    def __init__(self, preferences: Preferences, belief: Belief = "uniform", noise: float = 8.0) -> None:
        super().__init__(preferences, belief)
        try:
            self.noise = float(noise)
        except (TypeError, ValueError):
            self.noise = math.nan
        if not 0 <= self.noise < math.inf:
            raise UsageError(f"QuantalPolicy needs a finite noise of at least 0 points; got {noise!r}.")
        self.name = f"quantal {preferences.name} λ={self.noise:g}{self._suffix()}"

    def describe(self) -> dict[str, Any]:
        """Return JSON values from which an equal policy can be made."""
        return super().describe() | ({} if self.made_from else {"noise": self.noise})

    def _spec(self) -> str:
        return f"{super()._spec()},noise={self.noise!r}"

    def _choose(
        self, game: AnyGame, belief: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        choice = choice_probabilities(game, self.preferences, belief, self.noise)
        return choice.marginals, choice.strategies, choice.utilities

    def _conclusion(self, turn: Turn, worth: NDArray[np.float64], shares: NDArray[np.float64]) -> str:
        listed = ", ".join(
            f"{option.name} {share:.2f}" for option, share in zip(turn.options, shares, strict=True)
        )
        return f"with noise {self.noise:g} I choose with probabilities {listed}"


def _plain(belief: Belief) -> Any:
    """Return the belief as JSON values, which a manifest can hold and which compare by value."""
    if isinstance(belief, str):
        if belief not in {"uniform", "equilibrium"}:
            raise UsageError(
                f"There is no belief {belief!r}; give 'uniform', 'equilibrium', a plan by names or a vector."
            )
        return belief
    if isinstance(belief, Mapping):
        return {str(node): _plain_answer(answer) for node, answer in belief.items()}
    vector = _numbers(belief, "A belief is a word, a plan by names or a strategy vector")
    if not isinstance(vector, list):
        raise UsageError(f"A belief is a word, a plan by names or a strategy vector; got {belief!r}.")
    return vector


def _plain_answer(answer: Any) -> Any:
    if isinstance(answer, str):
        return answer
    wanted = "A belief at one node is an option's name or probabilities"
    if isinstance(answer, Mapping):
        return {str(option): _numbers(share, wanted) for option, share in answer.items()}
    return _numbers(answer, wanted)


def _numbers(value: Any, wanted: str) -> Any:
    """Return a number or a list of them, all finite."""
    try:
        array = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError):
        array = np.array(np.nan)
    if array.ndim > 1 or not np.all(np.isfinite(array)):
        raise UsageError(f"{wanted}; got {value!r}.")
    return array.tolist()
