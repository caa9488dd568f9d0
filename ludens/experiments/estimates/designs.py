"""Designs of games for the terminal and as JSON, beside the published protocols."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from ludens.display.table import Cell, Table
from ludens.envs import LIBRARY, PROTOCOLS, AnyGame, find_game
from ludens.errors import UsageError
from ludens.experiments.report.names import DASH, PREFERENCES, number
from ludens.experiments.report.terminal import print_table, say

if TYPE_CHECKING:
    from rich.console import Console

    from ludens.preferences.estimation.design import Design, Expected


def as_json(design: Design, width: float | None = None) -> dict[str, Any]:
    """Return a design as JSON values: its games, expected half-widths by scenario and, for a width, the
    number of replicates.
    """
    parameter = design.parameter or "kappa"
    return {
        "parameter": design.parameter,
        "games": [{"family": game.name, "payoffs": dict(game.parameters)} for game in design.games.values()],
        "expected": [
            {
                "scenario": dict(zip(PREFERENCES, each.scenario, strict=True)),
                "half_widths": _finite(each.half_widths),
                "half_widths_if_kept": _finite(each.kept),
            }
            for each in design.expected
        ],
        **(
            {}
            if width is None
            else {"width": width, "of": parameter, "replicates": design.replicates(parameter, width)}
        ),
    }


def read_suite(path: str | os.PathLike[str]) -> tuple[str, ...]:
    """Return the names of the games in a file of `ludens design --out`, as `find_game` takes them.

    Raises:
        UsageError: it cannot be read, or holds no design, or a game that is none of a family.
    """
    wanted = "write one by `ludens design --out FILE`, or name published, sharp or both"
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError, ValueError) as why:
        reason = getattr(why, "strerror", None) or "it is no text"
        raise UsageError(f"The suite {os.fspath(path)} cannot be read ({reason}): {wanted}.") from None
    try:
        entries = json.loads(text)["games"]
        families = [LIBRARY[each["family"]] for each in entries]
        listed = [
            family.name_of([each["payoffs"][name] for name in family.parameters])
            for family, each in zip(families, entries, strict=True)
        ]
        for name in listed:
            find_game(name)
    except UsageError as why:  # an unknown family, or numbers that make no game of it
        raise UsageError(f"The suite {os.fspath(path)}: {why}") from None
    except (ValueError, TypeError, KeyError, AttributeError):
        raise UsageError(f"{os.fspath(path)} holds no games of a design: {wanted}.") from None
    if not listed:
        raise UsageError(f"{os.fspath(path)} holds a design of no games: {wanted}.")
    return tuple(dict.fromkeys(listed))


def print_design(
    design: Design, console: Console, width: float | None = None, file: Path | None = None
) -> None:
    """Print the games, what to expect of them beside the published protocols, and how often to ask."""
    from ludens.preferences.estimation.design import expected

    aim = "all parameters (D-optimal)" if design.parameter is None else PREFERENCES[design.parameter]
    say(console, f"{len(design.games)} games that tell {aim} best", "bold")
    for family, games in _by_family(design.games).items():
        parameters = list(games[0].parameters)
        numbered = [
            (str(place), [f"{game.parameters[name]:g}" for name in parameters])
            for place, game in enumerate(games, 1)
        ]
        print_table(Table.of(family, "", parameters, numbered, corner=family), console, names=40)
    import numpy as np

    scenarios = np.array([each.scenario for each in design.expected])
    published = expected(dict(PROTOCOLS), scenarios)
    rows = []
    for noise in dict.fromkeys(scenarios[:, 3].tolist()):
        for name, found in (("these", design.expected), (f"the published {len(PROTOCOLS)}", published)):
            here = [each for each in found if each.scenario[3] == noise]
            rows.append((f"λ = {noise:g}, {name}", [Cell(_middle(here, key)) for key in PREFERENCES]))
    headers = [f"{symbol} ±" for symbol in PREFERENCES.values()]
    print_table(Table.of("", "", headers, rows, corner="expected 95 % intervals"), console, names=40)
    say(
        console,
        "With one answer at every node, the median over preferences; m independent answers divide by √m. A "
        "model that keeps one strategy per game gains nothing by being asked again.",
        "dim",
    )
    if width is not None:
        parameter = design.parameter or "kappa"
        count = design.replicates(parameter, width)
        say(
            console,
            f"For an interval of {PREFERENCES[parameter]} of length {width:g} (median scenario): {count} "
            f"answers at every node, counted over framings, orders and replicates.",
        )
    if file is None:
        advice = "Write the games to a file by --out FILE, and ask them by `ludens bench MODEL --suite FILE`."
    else:
        advice = f"Ask these games by `ludens bench MODEL --suite {file}`."
    say(console, advice + " A suite made so is shipped: --suite sharp.", "dim")


def foresight(games: Mapping[str, AnyGame], asked: int) -> str:
    """Return in a sentence how wide intervals of κ and λ will be, before anything is asked.

    Args:
        games: the games asked.
        asked: how often every node is asked: framings × orders × replicates.
    """
    import numpy as np

    from ludens.preferences.estimation.design import expected

    (found,) = expected(games, np.array([[0.0, 0.0, 0.25, 8.0]]), asked)
    kappa, noise = found.half_widths["kappa"], found.half_widths["noise"]
    if not math.isfinite(kappa):
        return "These games cannot identify α, β, κ and λ together: ask more, or others (`ludens design`)."
    return (
        f"Expected 95 % intervals, at κ = 0.25 and λ = 8: κ ± {kappa:.2f} and λ ± {noise:.1f} if answers are "
        f"independent, κ ± {found.kept['kappa']:.2f} and λ ± {found.kept['noise']:.1f} if one strategy per "
        "game is kept; `ludens design` finds games that tell more (--suite sharp)."
    )


def _by_family(games: Mapping[str, AnyGame]) -> dict[str, list[AnyGame]]:
    groups: dict[str, list[AnyGame]] = {}
    for game in games.values():
        groups.setdefault(game.name.replace("_", " "), []).append(game)
    return groups


def _middle(found: Sequence[Expected], parameter: str) -> str:
    value = median(each.half_widths[parameter] for each in found)
    return number(value, 2) if math.isfinite(value) else DASH


def _finite(widths: Mapping[str, float]) -> dict[str, float | None]:
    return {name: value if math.isfinite(value) else None for name, value in widths.items()}
