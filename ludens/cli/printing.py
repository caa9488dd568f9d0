"""What commands print: JSON and results on stdout, all else on stderr."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from ludens.experiments import Run
    from ludens.experiments.pricing import PricingResult


def print_json(value: object) -> None:
    """A value as JSON on stdout; what JSON does not know as text."""
    typer.echo(json.dumps(value, indent=2, default=str))


def console(*, stderr: bool = False) -> Console:
    """A terminal that does not colour numbers of its own accord."""
    from rich.console import Console

    return Console(stderr=stderr, highlight=False)


def print_pricing(result: PricingResult, as_json: bool, csv: Path | None = None) -> None:
    """A pricing run's tables, and its estimates as CSV where a file is named."""
    from ludens.experiments.pricing.result import to_json, write_estimates
    from ludens.experiments.pricing.terminal import print_result

    if as_json:
        print_json(to_json(result))
    else:
        print_result(result, console())
    if csv is not None:
        write_estimates(result.analysis, csv)


def print_implant(run: Run, as_json: bool) -> None:
    """What implanted sentences did to prices."""
    from ludens.experiments.pricing.implant import effects
    from ludens.experiments.pricing.terminal import print_effects

    found = effects(run, seed=run.manifest["seed"])
    if as_json:
        print_json({"run": str(run.path), "effects": [asdict(effect) for effect in found]})
    else:
        print_effects(found, run, console())


def run_as_json(run: Run) -> dict[str, Any]:
    """A run's summary and episodes as JSON values."""
    return {"run": str(run.path), "summary": asdict(run.summary()), "episodes": run.table()}


def fail(error: BaseException, ctx: Any) -> None:
    """One sentence on stderr; with --debug the traceback before it."""
    from ludens.experiments.report.screen import show_error

    screen = console(stderr=True)
    if ctx.obj:
        screen.print_exception()
    show_error(error, screen)
