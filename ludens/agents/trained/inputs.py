"""How turns become the observations of a learner's training, and its actions decisions.

This module has what all games share; game trees and markets add their own in `ludens.agents.tree.trained` and
`ludens.agents.pricing.trained`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ludens.agents.policy import Decision
from ludens.envs import Turn
from ludens.errors import UsageError
from ludens.plugins import load_object

Floats = NDArray[np.float64]

TRANSFER = "set transfer=1 to let it play all the same."
"""How refusals end that the user may override."""

# Named, not imported, because this module serves all kinds of games.
_INPUTS = {
    "tree": "ludens.agents.tree.trained:TreeInput",
    "market": "ludens.agents.pricing.trained:MarketInput",
}


class Input:
    """The observations and actions of the environment that a declaration describes.

    Args:
        facts: the declaration, see `ludens.agents.trained.origin.declaration_of`.

    Attributes:
        environment: its id.
        form: of its observations.
        actions: how many numbered actions it has; None where they are prices.

    Raises:
        UsageError: the declaration lacks something.
    """

    def __init__(self, facts: Mapping[str, Any]) -> None:
        self.facts = facts
        try:
            self.environment = str(facts["environment"])
            self.form, self.size = str(facts["form"]), int(facts["size"])
            self.actions: int | None = None if facts["actions"] is None else int(facts["actions"])
            self.seat: str | None = facts.get("seat")
        except (KeyError, TypeError, ValueError) as error:
            raise UsageError(f"The declaration of an environment lacks {error}: make it anew.") from None

    def refusal(self, turn: Turn, *, transfer: bool) -> str:
        """Return why the learner cannot decide at a turn; empty if it can.

        Args:
            turn: of any environment.
            transfer: whether another game with the same layout will do.
        """
        if turn.environment != self.environment:
            return "its observations mean something else there."
        size = len(np.asarray(turn.observation.get("observation", ())))
        if size != self.size:
            return f"observations have {size} numbers there, and {self.size} in its training."
        wanted, there = self.facts.get("parameters"), dict(turn.game.parameters)
        if wanted is not None and not transfer and wanted != there:
            other = next(name for name in there if there[name] != wanted.get(name))
            return f"{other} is {there[other]:g} there, and {wanted.get(other)} in its training; {TRANSFER}"
        return ""

    def vector(self, turn: Turn) -> NDArray[np.float32]:
        """Return what the learner observes, (size,)."""
        return np.asarray(turn.observation["observation"], dtype=np.float32)

    def mask(self, turn: Turn) -> NDArray[np.int8] | None:
        """Return which actions are legal, (actions,); None where they are not numbered."""
        if self.actions is None:
            return None
        mask = np.zeros(self.actions, dtype=np.int8)
        mask[[option.action for option in turn.options]] = 1
        return mask

    def formed(self, vector: NDArray[np.float32], mask: NDArray[np.int8] | None) -> Any:
        """Return an observation in the form of the training."""
        if self.form == "box":
            return vector
        observed = {"observations" if self.form == "rllib" else "observation": vector}
        return observed if mask is None else {**observed, "action_mask": mask}

    def numbered(self, turn: Turn, number: int, shares: Floats | None = None) -> Decision:
        """Return the decision for a legal action.

        Args:
            turn: where it is taken.
            number: of the action.
            shares: the probabilities of all actions, where they are known, (actions,).
        """
        if shares is None:
            return Decision(number)
        probabilities = tuple(float(shares[option.action]) for option in turn.options)
        return Decision(number, probabilities=probabilities, provenance="exact")

    def priced(self, turn: Turn, price: float) -> Decision:
        """Return the decision for a price in the money of the training.

        Raises:
            UsageError: no price can be set there.
        """
        raise UsageError(f"{turn.environment} takes numbered actions, and no price such as {price:g}.")


def input_of(facts: Mapping[str, Any]) -> Input:
    """Return the observations and actions of the environment that a declaration describes.

    Raises:
        UsageError: the declaration lacks something.
    """
    kind: type[Input] = load_object(_INPUTS[facts["kind"]]) if facts.get("kind") in _INPUTS else Input
    return kind(facts)
