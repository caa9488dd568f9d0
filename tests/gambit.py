"""Gambit's answers about games: recorded in `golden/gambit.json`, and asked live if it is installed.

`make golden` runs this file, which writes the record. Each entry is one game as Gambit was given it:

    name                what the game is called here
    of, alpha, beta     for a game of utilities: the game of payoffs, and the preferences in it
    efg                 the file, as lines
    title … draws       what Gambit read in it, numbers as exact fractions
    profiles            strategies, and each player's expected payoff if everybody plays one of them
    subgame_perfect     the pure subgame-perfect equilibria, as (information set, option) pairs; perfect
                        information alone
    rewritten           the file that Gambit writes of the game that it read; the published protocols alone
"""

from __future__ import annotations

import io
import json
import shlex
from collections.abc import Iterator
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings

from ludens.envs import (
    PROTOCOLS,
    ChanceNode,
    DecisionNode,
    GameTree,
    Node,
    PayoffNode,
    pure_strategies,
    walk,
)
from ludens.envs.tree.efg import to_efg
from ludens.preferences import HOMO_ECONOMICUS, has_perfect_information, subgame_perfect
from ludens.preferences.terms import comparison_tables
from ludens.testing import games

try:
    import pygambit
except ImportError:
    pygambit = None

GOLDEN = Path(__file__).parent / "golden" / "gambit.json"
needs_gambit = pytest.mark.skipif(pygambit is None, reason="pygambit is not installed: it has to be compiled")

Record = dict[str, Any]
Plan = frozenset[tuple[str, str]]

MOST_EQUILIBRIA = 16
"""Games of more are left out of the record: they make it long and say nothing new."""


@cache
def records() -> dict[str, Record]:
    """The recorded answers by the game's name, in the order of the file."""
    return {record["name"]: record for record in json.loads(GOLDEN.read_text(encoding="utf-8"))}


def recorded(prefix: str) -> list[str]:
    """The names in the record that begin so."""
    return [name for name in records() if name.startswith(prefix)]


def file_of(record: Record) -> str:
    """The game as Gambit was given it."""
    return "\n".join(record["efg"]) + "\n"


def as_plans(lists: list[list[list[str]]]) -> set[Plan]:
    """Recorded equilibria as plans."""
    return {frozenset((label, option) for label, option in plan) for plan in lists}


def game_of(text: str) -> GameTree:
    """The game in an .efg file without outcomes at its inner nodes."""
    head, _, *lines = text.strip().splitlines()
    title, roles = shlex.split(head)[3], tuple(shlex.split(head)[5:-1])
    rows = iter([shlex.split(line) for line in lines if line])

    def node() -> Node:
        kind, label, *more = next(rows)
        inside = [word.rstrip(",") for word in more[more.index("{") + 1 : more.index("}")]]
        if kind == "t":
            return PayoffNode(tuple(float(Fraction(word)) for word in inside))
        if kind == "p":
            return DecisionNode(label, roles[int(more[0]) - 1], {name: node() for name in inside}, more[2])
        shares = [float(Fraction(word)) for word in inside[1::2]]
        branches = zip(inside[::2], shares, strict=True)
        return ChanceNode(label, {name: (share, node()) for name, share in branches})

    return GameTree(title.removeprefix("GameTree(").removesuffix(")"), roles, node())


def of_utilities(game: GameTree, alpha: float, beta: float) -> GameTree:
    """The game whose payoffs are the utilities of inequity-averse players in another one."""
    behind, ahead = comparison_tables(game.payoffs)
    leaves = iter((game.payoffs - alpha * behind - beta * ahead).tolist())

    def felt(node: Node) -> Node:
        if isinstance(node, PayoffNode):
            return PayoffNode(tuple(next(leaves)))
        if isinstance(node, ChanceNode):
            branches = {name: (share, felt(child)) for name, (share, child) in node.branches.items()}
            return ChanceNode(node.label, branches)
        options = {name: felt(child) for name, child in node.options.items()}
        return DecisionNode(node.label, node.role, options)

    return GameTree("felt", game.roles, felt(game.root))


def subgames(game: GameTree) -> list[GameTree]:
    """The game that starts at every node but the ends; a game of perfect information."""
    return [
        GameTree("part", game.roles, node) for _, node in walk(game.root) if not isinstance(node, PayoffNode)
    ]


def restricted(plan: Plan, part: GameTree) -> Plan:
    """What a plan says about a subgame."""
    here = {node.label for node in part.information_sets}
    return frozenset(pair for pair in plan if pair[0] in here)


# What Gambit says


def read(text: str) -> Any:
    """The game as pygambit reads it."""
    return pygambit.read_efg(io.StringIO(text))


def reading(text: str) -> Record:
    """What Gambit finds in a file."""
    there = read(text)
    players = list(there.players)
    return {
        "title": there.title,
        "players": [player.label for player in players],
        "sets": [
            {
                "label": each.label,
                "player": each.player.label,
                "options": [action.label for action in each.actions],
                "members": len(each.members),
            }
            for each in there.infosets
        ],
        "perfect_recall": there.is_perfect_recall,
        "outcomes": [[_exact(outcome[player]) for player in players] for outcome in there.outcomes],
        "draws": {
            each.label: {action.label: _exact(action.prob) for action in each.actions}
            for each in there.players.chance.infosets
        },
    }


def payoffs(text: str, game: GameTree, vector: Any) -> list[float]:
    """Expected payoffs by role if everybody plays the strategy."""
    there = read(text)
    profile = there.mixed_behavior_profile()
    share = {
        (node.label, name): vector[node.columns.start + k]
        for node in game.information_sets
        for k, name in enumerate(node.options)
    }
    for node in there.infosets:
        for action in node.actions:
            profile[action] = share[node.label, action.label]
    return [float(profile.payoff(player)) for player in there.players]


def regret(text: str, plan: Plan) -> Any:
    """By how much a player could gain, over whole strategies."""
    there = read(text)
    profile = there.mixed_behavior_profile(rational=True)
    for node in there.infosets:
        for action in node.actions:
            profile[action] = int((node.label, action.label) in plan)
    return profile.max_regret()


def agent_equilibria(text: str) -> set[Plan]:
    """The pure Nash equilibria of the agent form."""
    there = read(text)
    return {
        frozenset(
            (node.label, action.label)
            for node in there.infosets
            for action in node.actions
            if profile[action] == 1
        )
        for profile in pygambit.nash.enumpure_agent_solve(there).equilibria
    }


def subgame_perfect_plans(game: GameTree) -> set[Plan]:
    """Profiles that Gambit calls an equilibrium in the game and in each of its subgames."""
    plans = agent_equilibria(to_efg(game))
    for part in subgames(game):
        if part.information_sets:
            wanted = agent_equilibria(to_efg(part))
            plans = {plan for plan in plans if restricted(plan, part) in wanted}
    return plans


def answers(name: str, game: GameTree, profiles: Any) -> Record:
    """All that is recorded about a game."""
    text = to_efg(game)
    record = {"name": name, "efg": text.splitlines()} | reading(text)
    record["profiles"] = [
        {"strategy": [float(share) for share in row], "payoffs": payoffs(text, game, row)} for row in profiles
    ]
    record["subgame_perfect"] = None
    if has_perfect_information(game):
        plans = subgame_perfect_plans(game)
        for part in subgames(game):
            for plan in plans:
                gain = regret(to_efg(part), restricted(plan, part))
                if gain != 0:
                    raise AssertionError(f"Gambit finds a gain of {gain} in {name}, against {plan}")
        record["subgame_perfect"] = sorted(sorted(map(list, plan)) for plan in plans)
    return record


def _exact(number: Any) -> str:
    return str(Fraction(str(number)))


# What is recorded

_ODD = [0.1234567890123, 0.3456789012345, 0.5308643097533]  # their exact sum misses 1 by rounding

SPECIAL = {
    "odd shares": GameTree(
        "odd", ("me",), ChanceNode("nature", {f"{k}": (p, PayoffNode((0.0,))) for k, p in enumerate(_ODD)})
    ),
    **{
        f"payoff {points!r}": GameTree(
            "one",
            ("me",),
            DecisionNode("choice", "me", {"a": PayoffNode((points,)), "b": PayoffNode((0,))}),
        )
        for points in (0.1, -2.5, 1e-7, 12345678.9, 1e21, 5e-324)
    },
    "quotes": GameTree(
        'a "game"',
        ("the 'first'", "no. 2 {x}"),
        DecisionNode(
            'the "choice"', "the 'first'", {'say "yes"': PayoffNode((1, 0)), "it's": PayoffNode((0, 1))}
        ),
    ),
    **{
        f"title {name!r}": GameTree(name, ("me",), PayoffNode((1,)))
        for name in ("größer", "back\\", 'a "game"', "new\nline")
    },
}
"""Games whose names and numbers are hard to write."""


def _drawn(count: int, **wishes: Any) -> list[GameTree]:
    """Trees that Hypothesis draws, the same whenever this version of it is asked."""
    found: dict[str, GameTree] = {}

    @settings(
        max_examples=4 * count,
        phases=[Phase.generate],
        database=None,
        deadline=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    @given(games(**wishes))
    def keep(game: GameTree) -> None:
        if len(game.information_sets) > 1:
            found.setdefault(to_efg(game), game)

    keep()
    return list(found.values())


def _tied(game: GameTree) -> GameTree:
    """The game with payoffs of 0, 1 and 2 alone, so that many options are equally good."""

    def node(here: Node) -> Node:
        if isinstance(here, PayoffNode):
            return PayoffNode(tuple(value % 3 for value in here.payoffs))
        if isinstance(here, ChanceNode):
            return ChanceNode(here.label, {k: (p, node(child)) for k, (p, child) in here.branches.items()})
        options = {name: node(child) for name, child in here.options.items()}
        return DecisionNode(here.label, here.role, options, here.information)

    return GameTree(game.name, game.roles, node(game.root))


def _few(game: GameTree) -> bool:
    return len(subgame_perfect(game, HOMO_ECONOMICUS).strategies) <= MOST_EQUILIBRIA


def _asked() -> Iterator[Record]:
    rng = np.random.default_rng(1)

    def mixed(game: GameTree, count: int) -> list[Any]:
        sizes = [len(node.options) for node in game.information_sets]
        return [np.concatenate([rng.dirichlet(np.ones(size)) for size in sizes]) for _ in range(count)]

    for name, game in PROTOCOLS.items():
        rewritten = read(to_efg(game)).to_efg().splitlines()
        yield answers(name, game, [*pure_strategies(game)]) | {"rewritten": rewritten}
    for name, game in SPECIAL.items():
        yield answers(name, game, [])
    for number, game in enumerate(_drawn(40)[:40], 1):
        yield answers(f"tree {number}", game, mixed(game, 2))
    perfect = _drawn(60, hidden=False)
    for number, game in enumerate([game for game in perfect if _few(game)][:40], 1):
        yield answers(f"perfect {number}", game, [])
    tied = [_tied(game) for game in perfect]
    tied = [game for game in tied if len(subgame_perfect(game, HOMO_ECONOMICUS).strategies) > 1]
    for number, game in enumerate([game for game in tied if _few(game)][:20], 1):
        yield answers(f"tied {number}", game, [])
    weights = [-0.5, 0.0, 0.25, 1.0]
    pairs = [(alpha, beta) for alpha in weights for beta in weights if alpha or beta]
    for number, (game, (alpha, beta)) in enumerate(zip(perfect[-len(pairs) :], pairs, strict=True), 1):
        felt = of_utilities(game, alpha, beta)
        if _few(felt):
            record = answers(f"felt {number}", felt, [])
            yield record | {"of": to_efg(game).splitlines(), "alpha": alpha, "beta": beta}


def main() -> None:
    """Write the record, a line per game."""
    lines = ",\n".join(json.dumps(record, ensure_ascii=False) for record in _asked())
    GOLDEN.parent.mkdir(exist_ok=True)
    GOLDEN.write_text(f"[\n{lines}\n]\n", encoding="utf-8")


if __name__ == "__main__":
    main()
