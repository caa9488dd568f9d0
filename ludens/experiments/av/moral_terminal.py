"""Effects of the Moral Machine in the terminal: one row per attribute, people beside the respondents."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ludens.experiments.av.amce import ATTRIBUTES, PEOPLE, Effect
from ludens.experiments.av.moral import MoralMeasures
from ludens.experiments.report.names import DASH, policy_name

if TYPE_CHECKING:
    from rich.console import Console

_WIDTH = 11
_SHORT = {"higher status": "high status"}
_READING = (
    "How much more often a group is spared if it has the attribute, in percentage points, with 95 % "
    "intervals; people: Awad et al. (2018). Distance: Euclidean over the nine, people at 0. First place: per "
    "cent of scenarios in which the group told first was spared; 50 unless the place mattered."
)


def print_effects(found: Sequence[MoralMeasures], console: Console) -> None:
    """Print it. Names are shown as they are, never as markup."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, padding=0, pad_edge=False, show_edge=False)
    table.add_column("favours", no_wrap=True)
    table.add_column("people", justify="right", no_wrap=True)
    for each in found:
        # As wide as the longest interval, so that five fit into 80 columns.
        table.add_column(Text(policy_name(each.policy)), justify="right", overflow="fold", width=_WIDTH)
    for name, favoured in ATTRIBUTES.items():
        effects = [_effect(each.effects[name]) for each in found]
        table.add_row(
            _SHORT.get(favoured, favoured),
            f"{100 * PEOPLE[name]:+.0f}",
            *effects,
            end_section=name == "intervention",
        )
    table.add_row("distance", "0", *(_plain(each.distance, 2) for each in found))
    table.add_row("first place", DASH, *(_plain(100 * (each.first.value or math.nan), 0) for each in found))
    table.add_row("unreadable", DASH, *(str(each.invalid) for each in found))
    table.add_row("refused", DASH, *(str(each.refused) for each in found))
    console.print(table)
    console.print(_READING, style="dim", highlight=False)


def _effect(effect: Effect) -> str:
    if math.isnan(effect.value):
        return DASH
    # Rounded before it is told, so that no zero has a sign.
    value = round(100 * effect.value) + 0
    if math.isnan(effect.error):
        return f"{value:+d}"
    low, high = (round(100 * end) + 0 for end in effect.interval)
    return f"{value:+d}\n{low} to {high}"


def _plain(value: float, digits: int) -> str:
    return DASH if math.isnan(value) else f"{value:.{digits}f}"
