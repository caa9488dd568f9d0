"""A study of the adoption game on the terminal."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ludens.experiments.av.adoption import OnRound
from ludens.experiments.av.adoption_result import AdoptionResult
from ludens.experiments.runs.printable import printable
from ludens.experiments.runs.progress import progress_bar
from ludens.experiments.runs.recorder import Progress

if TYPE_CHECKING:
    from rich.console import Console

DASH = "–"


def print_adoption(result: AdoptionResult, console: Console) -> None:
    """The rules, the thresholds, each group, lives lost."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    game, limits = result.game, result.thresholds
    rounds = result.paths.shares.shape[1] - 1
    console.print(
        f"Adoption game: {game.people} people, {game.walkers} pedestrians per accident, {rounds} rounds",
        style="bold",
        markup=False,
    )
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    table.add_column("group", overflow="fold")
    for name in ("people", "first", "last", "payoff"):
        table.add_column(name, justify="right")
    if result.unregulated is not None:
        table.add_column("last without law", justify="right")
    for group in result.groups:
        row = [printable(group.name), str(group.people), _percent(group.before), _percent(group.after)]
        row.append(DASH if group.payoff is None else f"{group.payoff:.5g}")
        if result.unregulated is not None:
            row.append(_percent(group.without_law))
        table.add_row(*map(Text, row))
    console.print(table)
    console.print(
        "Share of utilitarian cars at first and in the last round; payoff per round.\n", style="dim"
    )
    for name, first, last in (
        ("κ* (utilitarian if κ is above)", limits["kappa"], limits["kappa_last"]),
        ("a* (weight on each other life)", limits["altruism"], limits["altruism_last"]),
    ):
        told = f"{name:<32}{_number(first)}"
        told += "" if first == last else f"; in the last round {_number(last)}"
        console.print(told, markup=False)
    lost = result.deaths_per_round
    if lost is not None:
        passengers, pedestrians, outsiders = lost
        told = f"{passengers:.4g} passengers, {pedestrians:.4g} pedestrians"
        told += f", {outsiders:.4g} outsiders" if game.symmetry < 1 else ""
        console.print(f"{'lives lost per round':<32}{told}", markup=False)
    if result.decisions is not None:
        counts = result.decisions
        told = f"{counts['valid']} valid, {counts['invalid']} invalid, {counts['refused']} refused"
        console.print(f"{'decisions':<32}{told}", markup=False)


@contextmanager
def rounds_bar(console: Console, *, hidden: bool = False) -> Iterator[OnRound | None]:
    """A bar over rounds while the block runs; nothing where `console` is no terminal."""
    with progress_bar(console, "adopt", hidden=hidden) as bar:
        if bar is None:
            yield None
            return

        def heard(done: int, total: int) -> None:
            if done % 10 == 0 or done == total:
                bar(Progress(done, total, 0, 0, 0.0))

        yield heard


def _percent(share: float | None) -> str:
    return DASH if share is None else f"{100 * share:.1f} %"


def _number(value: float | None) -> str:
    return "does not exist" if value is None else f"{value:.4g}"
