"""`ludens bench`: models compared with reference policies."""

from __future__ import annotations

from typing import Annotated

import typer

from ludens.agents.registry import policy_names
from ludens.cli.application import app
from ludens.cli.blocks import BudgetOptions, CarryingOutOptions, ModelOptions, with_blocks
from ludens.cli.options import Concurrency, Csv, Elicit, Json, Out, Persona, Seed, names
from ludens.cli.studies import PrintConfig, carry_out, given


@app.command()
@with_blocks
def bench(
    models: Annotated[
        list[str],
        typer.Argument(
            metavar="MODEL...",
            help="Models, such as local/smollm2-135m or openai/gpt-5-mini, or other policies: "
            f"{', '.join(policy_names())}.",
        ),
    ],
    *,
    framings: Annotated[str, typer.Option(help="Framings, separated by commas.")] = "neutral,story,twin",
    replicates: Annotated[int, typer.Option(help="How often each question is asked in each framing.")] = 1,
    elicit: Elicit = "auto",
    beliefs: Annotated[
        bool, typer.Option("--beliefs", help="Also ask for beliefs about others' choices.")
    ] = False,
    persona: Persona = None,
    protocols: Annotated[
        str | None, typer.Option(help="Names separated by commas; by default all.", show_default=False)
    ] = None,
    suite: Annotated[
        str,
        typer.Option(
            metavar="published|sharp|both|FILE",
            help="Published games, 18 that tell preferences apart better, both, or those that `ludens design "
            "--out FILE` wrote.",
        ),
    ] = "published",
    other_studies: Annotated[
        bool, typer.Option("--other-studies", help="Also show numbers that others published of models.")
    ] = False,
    seed: Seed = 0,
    concurrency: Concurrency = None,
    asked: ModelOptions,
    budget: BudgetOptions,
    executor: CarryingOutOptions,
    out: Out = None,
    as_json: Json = False,
    csv: Csv = None,
    print_config: PrintConfig = False,
) -> None:
    """Compare models with each other and with reference policies, and write a report."""
    from ludens.experiments.bench.study import BenchConfig, BenchStudy
    from ludens.experiments.study.questions import with_settings

    config = BenchConfig(
        models=with_settings(models, **asked.settings),
        framings=names(framings),
        replicates=replicates,
        elicit=elicit,
        beliefs=beliefs,
        suite=suite,
        other_studies=other_studies,
        seed=seed,
        **given(
            persona=persona,
            protocols=None if protocols is None else names(protocols),
            concurrency=concurrency,
        ),
    )
    carry_out(
        BenchStudy(config),
        budget,
        executor,
        out=out,
        as_json=as_json,
        print_config=print_config,
        files={"estimates": csv},
    )
