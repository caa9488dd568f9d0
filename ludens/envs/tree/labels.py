"""Titles, labels and marks of a game tree, shared by its text and its picture."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from ludens.envs.games import family_of
from ludens.envs.tree.nodes import ChanceNode, DecisionNode, Node, walk
from ludens.envs.tree.tree import GameTree
from ludens.envs.turn import Step

Path = Sequence[Step]


class Marks:
    """The edges of a game that were taken, and the nodes that the mover cannot distinguish."""

    def __init__(self, game: GameTree, path: Path) -> None:
        self.game = game
        self._chosen = {step.label: step.option for step in path}
        self._members = Counter(
            node.information for _, node in walk(game.root) if isinstance(node, DecisionNode)
        )

    def taken(self, reached: Path, step: Step) -> bool:
        """Return whether `step` is marked at the node that the steps `reached` lead to.

        It is if it was taken and no step before contradicts the path; unknown steps contradict nothing.
        """
        before = all(self._chosen.get(earlier.label, earlier.option) == earlier.option for earlier in reached)
        return before and self._chosen.get(step.label) == step.option

    def is_distinct(self, node: DecisionNode) -> bool:
        """Return whether the node is alone in its information set."""
        return self._members[node.information] == 1

    def sets(self) -> dict[str, list[tuple[Step, ...]]]:
        """Return the paths to the nodes of every information set that has several."""
        found: dict[str, list[tuple[Step, ...]]] = {}
        for reached, node in walk(self.game.root):
            if isinstance(node, DecisionNode) and not self.is_distinct(node):
                found.setdefault(node.information, []).append(reached)
        return found


def title(game: GameTree) -> str:
    """Return a game's name and numbers: ``Mini trust game TG3: T=80, R=60, P=30, S=20``."""
    family = family_of(game)
    name = family.title if family else game.name
    numbers = ", ".join(f"{key}={value:g}" for key, value in game.parameters.items())
    # A protocol that is named by its numbers says nothing beside them.
    known = game.protocol if game.protocol and not game.protocol.startswith(f"{game.name} ") else None
    return f"{name}{' ' + known if known else ''}{': ' + numbers if numbers else ''}"


def edge_label(node: Node, step: Step) -> str:
    """Return an option's name, or an outcome's name with its probability."""
    if isinstance(node, ChanceNode):
        return f"{step.option} ({node.branches[step.option][0]:.3g})"
    return step.option
