"""Checks of a game's definition; each error says in one sentence what is wrong and where.

Perfect recall is required of every role and no information set may be met twice on one path; then behaviour
strategies lose nothing against mixed ones (Kuhn 1953) and expected payoffs are multilinear in them.
"""

from __future__ import annotations

import math
import numbers
from collections.abc import Mapping, Sequence

from ludens.envs.tree.nodes import ChanceNode, DecisionNode, GameError, Node, PayoffNode, walk
from ludens.envs.turn import Step

PROBABILITY_TOLERANCE = 1e-9

MAX_PAYOFF = 1e30
"""Neither differences of such payoffs nor float32, which observations are made of, overflow."""


def check_definition(name: object, roles: object, root: Node, parameters: object) -> None:
    """Raise if these do not make a `GameTree`.

    Raises:
        GameError: the definition is inconsistent; the message names the node.
    """
    if not _is_name(name):
        raise GameError(f"A game needs a name, a non-empty text; got {name!r}.")
    if not isinstance(parameters, Mapping) or not all(
        _is_name(key) and isinstance(value, numbers.Real) for key, value in parameters.items()
    ):
        raise GameError(f"Game {name!r} has parameters {parameters!r}; give a mapping from names to numbers.")
    named = _checked_roles(name, roles)
    _check_tree(name, named, root)
    _check_information(name, root)


def _is_name(value: object) -> bool:
    return isinstance(value, str) and bool(value)


def _where(path: Sequence[Step], node: object) -> str:
    label = getattr(node, "label", None)
    way = " > ".join(step.option for step in path) or "the root"
    return f"node {label!r} (at {way})" if label else f"the node at {way}"


def _checked_roles(name: object, roles: object) -> Sequence[str]:
    if (
        not isinstance(roles, Sequence)
        or isinstance(roles, str)
        or not roles
        or not all(map(_is_name, roles))
    ):
        raise GameError(f"Game {name!r} needs at least one role, each a non-empty name; got {roles!r}.")
    if len(set(roles)) < len(roles):
        raise GameError(f"Game {name!r} names a role twice: {roles!r}; give each its own name.")
    return roles


def _check_tree(name: object, roles: Sequence[str], root: Node) -> None:
    labels: set[str] = set()
    for path, node in walk(root):
        where = f"Game {name!r}, {_where(path, node)}"
        if isinstance(node, PayoffNode):
            _check_payoffs(roles, node, where)
            continue
        if not isinstance(node, DecisionNode | ChanceNode):
            raise GameError(f"{where}, is {node!r}; use a DecisionNode, ChanceNode or PayoffNode.")
        if not _is_name(node.label) or node.label in labels:
            raise GameError(
                f"{where}, needs a label of its own, a non-empty text; {node.label!r} is none or used twice."
            )
        labels.add(node.label)
        if isinstance(node, ChanceNode):
            _check_chance(node, where)
            continue
        _check_names(node.options, "options", where)
        if node.role not in roles:
            raise GameError(
                f"{where}, belongs to role {node.role!r}; the game's roles are {', '.join(roles)}."
            )
        if len(node.options) < 2:
            raise GameError(f"{where}, offers {len(node.options)} option(s); a decision needs at least two.")
        if not isinstance(node.information_set, str | None):
            raise GameError(f"{where}, is in information set {node.information_set!r}; name it by a text.")


def _check_names(branches: object, what: str, where: str) -> None:
    if not isinstance(branches, Mapping):
        raise GameError(f"{where}, has {what} {branches!r}; give a mapping from names to what follows.")
    wrong = [name for name in branches if not _is_name(name)]
    if wrong:
        raise GameError(f"{where}, has {what} named {wrong[0]!r}; a name must be a non-empty text.")


def _check_payoffs(roles: Sequence[str], node: PayoffNode, where: str) -> None:
    if not isinstance(node.payoffs, Sequence) or isinstance(node.payoffs, str):
        raise GameError(f"{where}, pays {node.payoffs!r}; give a tuple with one number for each role.")
    if len(node.payoffs) != len(roles):
        raise GameError(
            f"{where}, pays {len(node.payoffs)} number(s) for {len(roles)} role(s); give one each."
        )
    # Not a number (NaN) is not at most anything, so it is caught here too.
    if not all(isinstance(value, numbers.Real) and abs(value) <= MAX_PAYOFF for value in node.payoffs):
        raise GameError(
            f"{where}, pays {node.payoffs!r}; payoffs must be finite numbers of at most {MAX_PAYOFF:g}."
        )


def _check_chance(node: ChanceNode, where: str) -> None:
    _check_names(node.branches, "branches", where)
    if not all(isinstance(branch, tuple) and len(branch) == 2 for branch in node.branches.values()):
        raise GameError(f"{where}, must map each outcome to a pair: its probability, and what follows.")
    shares = [share for share, _ in node.branches.values()]
    if not shares or not all(isinstance(x, numbers.Real) and 0 < x < math.inf for x in shares):
        raise GameError(f"{where}, has probabilities {shares!r}; each must be above 0.")
    if abs(sum(shares) - 1) > PROBABILITY_TOLERANCE:
        raise GameError(f"{where}, has probabilities that sum to {sum(shares):.6g}; they must sum to 1.")


def _check_information(game: object, root: Node) -> None:
    seen: dict[str, tuple[DecisionNode, tuple[Step, ...]]] = {}
    labels = {node.label: node for _, node in walk(root) if isinstance(node, DecisionNode | ChanceNode)}
    for path, node in walk(root):
        if not isinstance(node, DecisionNode):
            continue
        where = f"Game {game!r}, {_where(path, node)}"
        name = node.information
        namesake = labels.get(name)
        if namesake is not None and (isinstance(namesake, ChanceNode) or namesake.information != name):
            raise GameError(
                f"{where}, is in information set {name!r}, the label of another node; rename one."
            )
        if any(step.label == name for step in path):
            raise GameError(f"{where}, meets information set {name!r} twice on one path; split the set.")
        own = tuple(step for step in path if step.role == node.role)
        other, other_own = seen.setdefault(name, (node, own))
        if other.role != node.role or tuple(other.options) != tuple(node.options):
            raise GameError(
                f"{where}, shares information set {name!r} with node {other.label!r} "
                "but differs in role or options."
            )
        if other_own != own:
            raise GameError(
                f"{where}, shares information set {name!r} with node {other.label!r}, but {node.role!r} "
                "came there by other moves of its own: roles must remember what they did."
            )
