"""`ludens price sweep`: Q-learners trained at many parameters."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Annotated, Any

import typer

from ludens.cli.blocks import BudgetOptions, CarryingOutOptions, with_blocks
from ludens.cli.options import Concurrency, Csv, Json, Out, Seed
from ludens.cli.price.market import MarketNumbers, price_app
from ludens.cli.price.parse import intervention, json_value, market_values, pair
from ludens.cli.studies import PrintConfig, carry_out, given
from ludens.errors import UsageError

_RANGE = re.compile(r"(?P<low>[^:]+):(?P<high>[^:]+):(?P<count>\d+)(?P<log>:log)?")


@price_app.command()
@with_blocks
def sweep(
    *,
    vary: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KEY=VALUES",
            help="Values of a parameter, as in alpha=0.05,0.1 or beta=2e-6:2e-5:10 (10 steps; :log for equal"
            " ratios); may be repeated, and every combination is trained.",
            show_default=False,
        ),
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=VALUE",
            help="A parameter of every cell, as in firms=3, delta=0.9, mu=0.1 or alpha=[0.1,0.2].",
            show_default=False,
        ),
    ] = None,
    market: MarketNumbers = None,
    interventions: Annotated[
        list[str] | None,
        typer.Option(
            "--with",
            metavar="EVENT",
            help="An intervention, such as exit:period=2000000,firm=2; may be repeated.",
            show_default=False,
        ),
    ] = None,
    sessions: Annotated[int, typer.Option(help="Sessions to train in each cell.")] = 100,
    tests: Annotated[
        bool, typer.Option(help="Test limit strategies for equilibrium, and force them to deviate.")
    ] = True,
    seed: Seed = 0,
    concurrency: Concurrency = None,
    out: Out = None,
    as_json: Json = False,
    csv: Csv = None,
    print_config: PrintConfig = False,
    budget: BudgetOptions,
    executor: CarryingOutOptions,
) -> None:
    """Train Q-learners at many parameters, of the learners and of the market; each cell that is done is kept.

    Parameters are those of the learners (alpha, beta, delta, memory, points, extension, …), of the market
    (firms, quality, cost, mu, demand, substitution, nests, …), and of the training (moves, prices,
    outside_values). What is not set is that of the published baseline. `ludens resume` goes on with a sweep
    that broke off.
    """
    from ludens.experiments.pricing.config import intervention_values
    from ludens.experiments.pricing.sweep import SweepStudy
    from ludens.experiments.pricing.sweep_config import SweepConfig

    fixed = _once("--set", [_setting("--set", text, json_value) for text in settings or ()])
    fixed = _once("--set and --market", [*fixed.items(), *market_values(market).items()])
    if interventions:
        fixed["interventions"] = [intervention_values(intervention(text)) for text in interventions]
    config = SweepConfig(
        settings=fixed,
        vary=_once("--vary", [_setting("--vary", text, _values) for text in vary or ()]),
        sessions=sessions,
        tests=tests,
        seed=seed,
        **given(concurrency=concurrency),
    )
    carry_out(
        SweepStudy(config),
        budget,
        executor=executor,
        out=out,
        as_json=as_json,
        print_config=print_config,
        files={"cells": csv},
    )


def _once(option: str, pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """Return the parameters by name.

    Raises:
        UsageError: one is set twice.
    """
    values = dict(pairs)
    if len(values) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise UsageError(f"{twice} is given twice by {option}: give each parameter once.")
    return values


def _setting(option: str, text: str, read: Callable[[str], Any]) -> tuple[str, Any]:
    name, value = pair(option, text, read)
    return {"delta": "discount"}.get(name, name), value


def _values(text: str) -> list[Any]:
    """Return values separated by commas, or those of a range.

    Raises:
        UsageError: a range has no numbers.
    """
    if match := _RANGE.fullmatch(text):
        try:
            import numpy as np

            low, high, count = float(match["low"]), float(match["high"]), int(match["count"])
            steps = np.geomspace if match["log"] else np.linspace
            return [json_value(f"{value:.12g}") for value in steps(low, high, count)]
        except ValueError:
            raise UsageError(
                f"A range is LOW:HIGH:STEPS, with :log for equal ratios; got {text!r}."
            ) from None
    if text.startswith("["):
        read = json_value(text)
        return read if isinstance(read, list) else [read]
    return [json_value(part) for part in text.split(",")]
