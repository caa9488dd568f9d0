"""A study of the adoption game on the terminal."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ludens.experiments.av.adoption import OnRound
from ludens.experiments.av.adoption_result import AdoptionResult
from ludens.experiments.av.adoption_tables import groups_table, threshold
from ludens.experiments.report.terminal import print_closing, print_table, say
from ludens.experiments.runs.progress import progress_bar
from ludens.experiments.runs.recorder import Progress

if TYPE_CHECKING:
    from rich.console import Console


def print_adoption(result: AdoptionResult, console: Console) -> None:
    """Print the rules, each group, the thresholds, and the lives lost."""
    game, limits = result.game, result.thresholds
    rounds = result.paths.shares.shape[1] - 1
    line = f"Adoption game: {game.people} people, {game.walkers} pedestrians per accident, {rounds} rounds"
    say(console, line, "bold")
    print_table(groups_table(result), console)
    say(console, "Share of utilitarian cars at first and in the last round; payoff per round.\n", "dim")
    for name, first, last in (
        ("κ* (utilitarian if κ is above)", limits["kappa"], limits["kappa_last"]),
        ("a* (weight on each other life)", limits["altruism"], limits["altruism_last"]),
    ):
        line = f"{name:<32}{threshold(first)}"
        line += "" if first == last else f"; in the last round {threshold(last)}"
        say(console, line)
    lost = result.deaths_per_round
    if lost is not None:
        passengers, pedestrians, outsiders = lost
        line = f"{passengers:.4g} passengers, {pedestrians:.4g} pedestrians"
        line += f", {outsiders:.4g} outsiders" if game.symmetry < 1 else ""
        say(console, f"{'lives lost per round':<32}{line}")
    if result.decisions is not None:
        line = ", ".join(f"{count} {status.replace('_', ' ')}" for status, count in result.decisions.items())
        say(console, f"{'decisions':<32}{line}")


def print_run(result: AdoptionResult, console: Console) -> None:
    """Print the study of a run, and the paths of the run and its report."""
    print_adoption(result, console)
    assert result.path is not None  # a run has a file
    unfinished = result.settings["status"] != "done"
    print_closing(console, result.path, result.report_path, unfinished=unfinished)


@contextmanager
def rounds_bar(console: Console, *, hidden: bool = False) -> Iterator[OnRound | None]:
    """Show a bar over rounds while the block runs; nothing where `console` is not a terminal."""
    with progress_bar(console, "adopt", hidden=hidden) as bar:
        if bar is None:
            yield None
            return

        def heard(done: int, total: int) -> None:
            if done % 10 == 0 or done == total:
                bar(Progress(done, total, 0, 0, 0.0))

        yield heard
