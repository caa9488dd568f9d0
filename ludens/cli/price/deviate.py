"""`ludens price deviate`: one firm of a pricing run is forced to deviate, and all go on."""

from __future__ import annotations

from typing import Annotated

import typer

from ludens.cli.blocks import BudgetOptions, CarryingOutOptions, SourceOptions, with_blocks
from ludens.cli.options import Concurrency, Json, Out, RunFile, Seed
from ludens.cli.price.market import price_app
from ludens.cli.studies import PrintConfig, carry_out, given


@price_app.command()
@with_blocks
def deviate(
    file: RunFile,
    *,
    period: Annotated[
        list[int] | None,
        typer.Option(
            help="Period in which a firm is forced, from 1; may be repeated. By default the last one that "
            "leaves enough of the run to compare with.",
            show_default=False,
        ),
    ] = None,
    firm: Annotated[
        list[int] | None,
        typer.Option(
            help="Number of the firm that is forced, from 0; may be repeated. By default each in turn.",
            show_default=False,
        ),
    ] = None,
    to: Annotated[
        str,
        typer.Option(help="best-reply, a price (1.6), a change (-10%), or points of the grid (step:-2)."),
    ] = "best-reply",
    length: Annotated[int, typer.Option(help="Periods in which the firm is forced.")] = 1,
    after: Annotated[int, typer.Option(help="Periods that all firms then play as themselves.")] = 20,
    replicates: Annotated[int, typer.Option(help="How often each branch is played.")] = 1,
    discount: Annotated[
        float | None,
        typer.Option(help="Discount factor δ of the gain; by default the run's.", show_default=False),
    ] = None,
    tolerance: Annotated[
        float, typer.Option(help="Prices are back within this share of those without the deviation.")
    ] = 0.02,
    seed: Seed = 0,
    concurrency: Concurrency = None,
    source: SourceOptions,
    budget: BudgetOptions,
    executor: CarryingOutOptions,
    out: Out = None,
    as_json: Json = False,
    print_config: PrintConfig = False,
) -> None:
    """Force one firm of a run to deviate, let all firms go on, and measure what follows."""
    from ludens.experiments.pricing.branch import firms_of
    from ludens.experiments.pricing.deviating import DeviateStudy
    from ludens.experiments.pricing.deviations_config import DeviateConfig

    config = DeviateConfig(
        source=file,
        periods=tuple(period or ()),
        deviators=tuple(firm or ()),
        to=to,
        length=length,
        after=after,
        replicates=replicates,
        tolerance=tolerance,
        seed=seed,
        **({"firms": firms_of(file, source.api_base, source.patience)} if source.given else {}),
        **given(concurrency=concurrency, discount=discount),
    )
    carry_out(DeviateStudy(config), budget, executor, out=out, as_json=as_json, print_config=print_config)
