"""A policy that is a function of observations, such as a learner of another library.

The function is given observations as in the environment that it was trained in, and what it returns is read
as there: the layout, the units of money and of quantities, the price grid. A turn of another environment is
refused, because a learner would answer it all the same, and its answer would mean something else.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ludens.agents.policy import Decision, Policy
from ludens.agents.trained.inputs import Floats, Input, input_of
from ludens.agents.trained.origin import declaration_of
from ludens.checks import whole_number
from ludens.envs import Turn
from ludens.errors import UsageError


class CallablePolicy(Policy):
    """A policy that is any function from an observation to an action.

    Args:
        function: it is given the observation and, under their names if it has such parameters,
            ``action_masks`` (boolean, one for each action; None where actions are not numbered) and ``rng``,
            a generator from which it draws all chance. It returns the action; of a pair, as the ``predict``
            of Stable-Baselines3 returns it, the first.
        name: of the policy; None for the function's own.
        env: what the function was trained in: an environment of ludens, alone or behind
            `ludens.agents.against`; its id; a mapping of ``id`` and options; or the return value of
            `declaration_of`. Observations have its form, its memory and its units, and an action is the
            number of a point of its price grid, or a price in its money. With None the function is given the
            dict of ``observation`` and ``action_mask`` of whatever environment asks, and returns an action
            of it.
        seat: the one that the function was trained in, if `env` does not say so; None for any.
        scores: whether the function returns one score for each action (logits, values) in place of an action.
            The policy then takes the legal action with the highest score.
        deterministic: with scores, False draws from their softmax over the legal actions.
        transfer: let the policy also decide where the game is another one than in training, as far as it can
            be shown in the same layout: in a market with other demand, costs or prices (the nearest price on
            offer is taken), in another role of a game tree, with other parameters of the adoption game.

    Raises:
        UsageError: there is no such environment, or it declares nothing.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        name: str | None = None,
        *,
        env: Any = None,
        seat: str | None = None,
        scores: bool = False,
        deterministic: bool = True,
        transfer: bool = False,
    ) -> None:
        if not callable(function):
            raise UsageError(f"CallablePolicy needs a function of observations; got {function!r}.")
        self.function = function
        self.name = name or str(getattr(function, "__name__", "callable"))
        self.declaration = None if env is None else declaration_of(env, seat)
        self.scores, self.deterministic = bool(scores), bool(deterministic)
        self.transfer = bool(transfer)
        self._input: Input | None = None if self.declaration is None else input_of(self.declaration)
        if self.scores and (self._input is None or self._input.actions is None):
            raise UsageError(
                f"The scores of {self.name!r} belong to numbered actions: name the environment that it was "
                "trained in, with such actions (env=…)."
            )

    def check(self, turn: Turn) -> None:
        """Refuse a turn that differs from those that the function was trained at.

        Raises:
            UsageError: the environment, the layout, the market or the prices are others.
        """
        if self._input is None:
            return
        why = self._input.refusal(turn, transfer=self.transfer)
        if why:
            raise UsageError(
                f"The policy {self.name!r} was trained in {self._input.environment}, and cannot decide for "
                f"{turn.agent} of {turn.environment}: {why}"
            )

    def decide(self, turn: Turn, rng: np.random.Generator) -> Decision:
        """Call the function.

        Raises:
            UsageError: it cannot decide at this turn (see `check`), or returned no legal action.
        """
        if self._input is None:
            returned = self._called(turn.observation, turn.observation.get("action_mask"), rng)
            return Decision(self._offered(returned, turn))
        self.check(turn)
        vector, mask = self._input.vector(turn), self._input.mask(turn)
        returned = self._called(self._input.formed(vector, mask), mask, rng)
        if not self.scores:
            return self._read(returned, turn)
        assert mask is not None
        shares = self._shares(returned, mask.astype(np.bool_), turn)
        number = int(np.argmax(shares)) if self.deterministic else int(rng.choice(len(shares), p=shares))
        return self._input.numbered(turn, number, shares)

    def _called(self, observation: Any, mask: NDArray[np.generic] | None, rng: np.random.Generator) -> Any:
        known = {"action_masks": None if mask is None else mask.astype(np.bool_), "rng": rng}
        returned = self.function(observation, **{name: known[name] for name in self._parameters})
        return returned[0] if isinstance(returned, tuple) else returned

    @cached_property
    def _parameters(self) -> tuple[str, ...]:
        """What else the function takes."""
        try:
            there: Mapping[str, Any] = inspect.signature(self.function).parameters
        except (TypeError, ValueError):  # of some compiled functions Python cannot tell them
            return ()
        return tuple(name for name in ("action_masks", "rng") if name in there)

    def _shares(self, returned: Any, legal: NDArray[np.bool_], turn: Turn) -> Floats:
        """Return the probabilities of all actions, (actions,).

        Raises:
            UsageError: there is not one score for each, or one is not a number.
        """
        try:
            scores = np.asarray(returned, dtype=np.float64).reshape(-1)
        except (TypeError, ValueError):
            scores = np.empty(0)
        if scores.shape != legal.shape or np.isnan(scores[legal]).any():
            raise UsageError(
                f"{self.name} returned {returned!r} at {turn.node!r}; it must be {len(legal)} scores, one "
                "for each action."
            )
        scores = np.where(legal, scores, -math.inf)
        if self.deterministic or not np.isfinite(scores.max()):
            shares = np.zeros(len(scores))
            shares[int(np.argmax(scores))] = 1.0
            return shares
        weights = np.exp(scores - scores.max())
        chances: Floats = weights / weights.sum()
        return chances

    def _read(self, returned: Any, turn: Turn) -> Decision:
        """Return the decision for what the function returned, read as in its training."""
        assert self._input is not None
        if self._input.actions is None:
            try:
                price = float(np.asarray(returned).item())
            except (TypeError, ValueError):
                price = math.nan
            if not math.isfinite(price):
                raise UsageError(f"{self.name} returned {returned!r} at {turn.node!r}; it must be one price.")
            return self._input.priced(turn, price)
        number = whole_number(np.asarray(returned).item() if np.size(returned) == 1 else returned)
        mask = self._input.mask(turn)
        if number is None or mask is None or not 0 <= number < len(mask) or not mask[number]:
            legal = [] if mask is None else np.flatnonzero(mask).tolist()
            raise UsageError(f"{self.name} returned {returned!r} at {turn.node!r}; legal are {legal}.")
        return self._input.numbered(turn, number)

    def _offered(self, returned: Any, turn: Turn) -> int | float:
        """Return an action of the turn's own environment.

        Raises:
            UsageError: it is not legal there.
        """
        if turn.interval is not None:
            return self._number(returned, turn, *turn.interval)
        action = whole_number(returned)
        legal = [option.action for option in turn.options]
        if action is None or action not in legal:
            raise UsageError(f"{self.name} returned {returned!r} at {turn.node!r}; legal are {legal}.")
        return action

    def _number(self, returned: Any, turn: Turn, low: float, high: float) -> float:
        try:
            number = float(np.asarray(returned).item())
        except (TypeError, ValueError):
            number = math.nan
        if not low <= number <= high:
            raise UsageError(
                f"{self.name} returned {returned!r} at {turn.node!r}; it must be a number from {low:g} to "
                f"{high:g}."
            )
        # A whole number may be that of an option in the game that the function was trained on.
        if np.asarray(returned).dtype.kind != "f":
            raise UsageError(
                f"{self.name} returned {returned!r} at {turn.node!r}, which may be the number of an "
                "option, and "
                f"{turn.environment} takes any number from {low:g} to {high:g}: name the environment that it "
                "was trained in (env=…), declare its options (the price_grid of a market), or return a "
                "floating-point number."
            )
        return number
