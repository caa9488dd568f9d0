"""A game tree as a Gambit extensive-form file (``.efg``), which Gambit and pygambit's `read_efg` open.

Roles become players, nature's draws chance nodes, information sets keep their names, and every number is
written as an exact fraction of what Python prints for it, so that Gambit's rational arithmetic works on the
same game. Format: Gambit's manual, "The extensive game (.efg) file format".
"""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

from ludens.envs.tree.nodes import ChanceNode, DecisionNode, GameError, Node
from ludens.envs.tree.tree import GameTree

MAX_DENOMINATOR = 1_000_000
"""Probabilities are read as the simplest fraction: 1/3 stored as a float is written as 1/3."""


def to_efg(game: GameTree) -> str:
    """Return the game in Gambit's extensive-form format, as text ending in a newline.

    Raises:
        GameError: a name in the game is one that Gambit does not read.
    """
    players = " ".join(_label(role) for role in game.roles)
    lines = [f"EFG 2 R {_title(game)} {{ {players} }}", '""', ""]
    numbers = _information_numbers(game)
    chances = outcomes = 0
    stack: list[Node] = [game.root]
    while stack:
        node = stack.pop()
        if isinstance(node, ChanceNode):
            chances += 1
            shares = _exact_shares([share for share, _ in node.branches.values()])
            branches = " ".join(
                f"{_label(name)} {share}" for name, share in zip(node.branches, shares, strict=True)
            )
            lines.append(f"c {_label(node.label)} {chances} {_label(node.label)} {{ {branches} }} 0")
            stack.extend(child for _, child in reversed(list(node.branches.values())))
        elif isinstance(node, DecisionNode):
            names = " ".join(_label(name) for name in node.options)
            place = f"{game.roles.index(node.role) + 1} {numbers[node.information]}"
            lines.append(f"p {_label(node.label)} {place} {_label(node.information)} {{ {names} }} 0")
            stack.extend(reversed(list(node.options.values())))
        else:
            outcomes += 1
            payoffs = ", ".join(str(Fraction(Decimal(repr(float(value))))) for value in node.payoffs)
            lines.append(f't "" {outcomes} "" {{ {payoffs} }}')
    return "\n".join(lines) + "\n"


def _information_numbers(game: GameTree) -> dict[str, int]:
    """Return the numbers of information sets, which Gambit counts from 1 for each player."""
    counts = dict.fromkeys(game.roles, 0)
    numbers = {}
    for node in game.information_sets:
        counts[node.role] += 1
        numbers[node.label] = counts[node.role]
    return numbers


def _exact_shares(shares: list[float]) -> list[Fraction]:
    """Return fractions that sum to 1 exactly, as Gambit demands, each within rounding of its float."""
    exact = [Fraction(share).limit_denominator(MAX_DENOMINATOR) for share in shares]
    if any(abs(float(value) - share) > 1e-12 for value, share in zip(exact, shares, strict=True)):
        exact = [Fraction(share) for share in shares]
    total = sum(exact)
    return [value / total for value in exact]


def _label(name: str) -> str:
    plain = name.isascii() and name.isprintable() and "\\" not in name
    if not plain or name != " ".join(name.split()):
        raise GameError(
            f"Gambit reads names of printable ASCII with single spaces, no backslash; rename {name!r}."
        )
    return _quoted(name)


def _title(game: GameTree) -> str:
    # Only a title: what Gambit cannot read becomes a question mark.
    plain = "".join(
        sign if sign.isascii() and sign.isprintable() and sign != "\\" else "?" for sign in repr(game)
    )
    return _quoted(plain)


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '\\"') + '"'
