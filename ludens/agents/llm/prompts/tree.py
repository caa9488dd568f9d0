"""Game trees for templates: moves, draws and outcomes by the labels that a prompt shows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ludens.envs import ChanceNode, DecisionNode, GameTree, InformationSet, Step, Turn, walk


def rotation(count: int, order: int) -> tuple[int, ...]:
    """Return option numbers in the order shown: the game's own order, rotated by `order`."""
    return tuple((place + order) % count for place in range(count))


class LabelledTree:
    """A game tree with the labels of one order, which gives every path as steps that a template can name."""

    def __init__(self, game: GameTree, order: int, letters: Sequence[str]) -> None:
        self.game = game
        self.letters = letters
        self.places: dict[str, dict[str, int]] = {}
        for node in game.information_sets:
            shown = rotation(len(node.options), order)
            self.places[node.label] = {node.options[number]: place for place, number in enumerate(shown)}
        self.chances: dict[str, dict[str, float]] = {}
        self.paths: dict[str, list[tuple[Step, ...]]] = {}
        for path, place in walk(game.root):
            if isinstance(place, DecisionNode):
                self.paths.setdefault(place.information, []).append(path)
            elif isinstance(place, ChanceNode):
                self.chances[place.label] = {name: share for name, (share, _) in place.branches.items()}
                self.places[place.label] = {name: number for number, name in enumerate(place.branches)}
                self.paths[place.label] = [path]

    def facts(self, turn: Turn) -> dict[str, Any]:
        """Return everything that a template may use, with rows and moves in the order of their labels."""
        sets = sorted(self.game.information_sets, key=lambda node: self._rank(self.paths[node.label][0]))
        leaves = sorted(self.game.leaves, key=lambda leaf: self._rank(leaf.path))
        roles = self.game.roles
        return {
            "moves": [self._move(node) for node in sets],
            "draws": [
                {
                    "number": number,
                    "known": self.steps(self.paths[label][0]),
                    "branches": [
                        {"label": str(place + 1), "share": share}
                        for place, share in enumerate(shares.values())
                    ],
                }
                for number, (label, shares) in enumerate(self.chances.items(), 1)
            ],
            "outcomes": [{"steps": self.steps(leaf.path), "points": leaf.payoffs} for leaf in leaves],
            "known": self.steps(turn.known),
            "past": [
                {
                    "role": roles.index(past.role) + 1,
                    "steps": self.steps(past.path),
                    "points": [past.payoffs[role] for role in roles],
                }
                for past in turn.past
            ],
        }

    def _rank(self, path: Sequence[Step]) -> tuple[int, ...]:
        return tuple(self.places[step.label][step.option] for step in path)

    def _move(self, node: InformationSet) -> dict[str, Any]:
        options = sorted(node.options, key=self.places[node.label].__getitem__)
        steps = self.steps([Step(node.label, option, node.role) for option in options])
        return {
            "role": self.game.roles.index(node.role) + 1,
            "labels": [step["label"] for step in steps],
            "steps": steps,
            "known": self.steps(node.known),
            "hidden": any(len(path) > len(node.known) for path in self.paths[node.label]),
        }

    def steps(self, path: Sequence[Step]) -> list[dict[str, Any]]:
        """Return the steps of a path as a template names them."""
        return [self._step(step) for step in path]

    def _step(self, step: Step) -> dict[str, Any]:
        place = self.places[step.label][step.option]
        if step.role is None:
            draw = list(self.chances).index(step.label) + 1
            return {
                "role": 0,
                "draw": draw,
                "label": str(place + 1),
                "node": step.label,
                "option": step.option,
            }
        number = self.game.roles.index(step.role) + 1
        return {
            "role": number,
            "draw": 0,
            "label": self.letters[place],
            "node": step.label,
            "option": step.option,
        }
