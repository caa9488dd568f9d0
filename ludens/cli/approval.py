"""What a run may cost, told before its first paid call, and asked about on a terminal."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from ludens.agents.secrets import masked
from ludens.cli.blocks import BudgetOptions
from ludens.cli.printing import console, print_json
from ludens.errors import LudensError

if TYPE_CHECKING:
    from rich.console import Console

    from ludens.experiments.study.registry import AnyStudy


def approved(
    study: AnyStudy, budget: BudgetOptions, path: Path | None = None, *, as_json: bool = False
) -> float | None:
    """Print what a study will ask and cost where money may be at stake, and ask whether to go on where
    somebody can answer.

    A script is not asked: it goes on, with the estimate on stderr. ``--yes`` asks nobody, and ``--dry-run``
    prints the estimate, whatever it is, and goes no further.

    Args:
        study: what is to be played.
        budget: with both options.
        path: the file of a run that goes on; None for a new run.
        as_json: print the estimate of a dry run as JSON.

    Returns:
        The expected number of calls that may cost something; None if the study is not to be played.

    Raises:
        UsageError: the run cannot be carried out where it is to be.
        ModelError: a key is missing.
        Exit: somebody said no.
    """
    from ludens.experiments.study.forecast import check_keys, forecast, may_cost, unpriced_models

    screen = console(stderr=as_json or not budget.dry_run)
    unpriced = [] if study.keyboard else unpriced_models(study)
    if unpriced and study.config.budget is not None and study.config.budget.cost is not None:
        _say(
            screen,
            f"The limit of the cost does not count {', '.join(unpriced)}, whose price is not known: limit "
            "tokens or calls, or give prices by --set input_cost_per_token=…,output_cost_per_token=….",
        )
    if path is None and (foreseen := list(study.foresees())):
        study.player()  # a policy that cannot be made is all that is to be said
        for sentence in foreseen:
            _say(screen, sentence)
    if not budget.dry_run and (study.keyboard or not may_cost(study)):
        return 0.0
    if budget.dry_run:
        study.executor()
    else:
        check_keys(study)
    try:
        expected = forecast(study, path)
    except LudensError:
        raise
    except Exception as error:  # a study of somebody else's that cannot be played with random moves
        if budget.dry_run:
            raise
        _say(screen, masked(f"What the run may cost could not be estimated ({error!r})."))
        _ask(screen, budget)
        return 0.0
    if budget.dry_run and as_json:
        print_json(expected.as_json())
        return None
    if budget.dry_run or expected.costs:
        for sentence in expected.sentences():
            _say(screen, sentence)
    if budget.dry_run:
        return None
    if expected.costs:
        _ask(screen, budget)
    return sum(model.calls for model in expected.models if model.costs)


def _ask(screen: Console, budget: BudgetOptions) -> None:
    """Ask whether to go on, if somebody can answer.

    Raises:
        Exit: somebody said no.
    """
    if budget.yes or not screen.is_terminal or not sys.stdin.isatty():
        return
    if not typer.confirm("Go on?", err=True):
        _say(screen, "Nothing was asked.")
        raise typer.Exit(1)


def _say(screen: Console, sentence: str) -> None:
    screen.print(sentence, markup=False, highlight=False, soft_wrap=True)
