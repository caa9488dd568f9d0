"""`ludens av`: the autonomous-vehicle dilemma. A subcommand such as `adopt` is named first; anything else is
read by the command that asks models.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from typer.core import TyperGroup

from ludens.agents.registry import policy_names
from ludens.cli.application import app
from ludens.cli.options import ApiBase, Concurrency, Csv, Elicit, Json, Out, Persona, Seed, names
from ludens.cli.printing import console, print_json
from ludens.errors import UsageError

ASK = "ask"
"""The command that `ludens av MODEL…` is short for."""


class Dilemmas(TyperGroup):
    """Runs `ASK` where no subcommand is named."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put the name of `ASK` before arguments that begin with no subcommand."""
        if not args or args[0] not in self.commands:
            args = [ASK, *args]
        return super().parse_args(ctx, args)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Let help say `ludens av` for it, as users write it."""
        name, command, rest = super().resolve_command(ctx, args)
        return ("" if name == ASK else name), command, rest


av_app = typer.Typer(cls=Dilemmas, help="Ask models and oracles about dilemmas of autonomous vehicles.")
app.add_typer(av_app, name="av")


@av_app.command(
    ASK, hidden=True, epilog="`ludens av adopt --help`: the game in which a population buys cars."
)
def ask(
    models: Annotated[
        list[str],
        typer.Argument(
            metavar="MODEL...",
            help=f"Models by their ids, or {', '.join(policy_names('av_dilemma'))}.",
        ),
    ],
    *,
    study: Annotated[
        str | None,
        typer.Option(help="1 to 6, separated by commas; by default 1,2,3.", show_default=False),
    ] = None,
    vary: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=VALUE/VALUE",
            help="A design of your own, as pedestrians=1/10/100 or passengers=self+child; may be repeated.",
            show_default=False,
        ),
    ] = None,
    moral_machine: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            help="Ask about N scenarios of the Moral Machine in place of studies.",
            show_default=False,
        ),
    ] = None,
    figure: Annotated[
        Path | None,
        typer.Option(help="Draw the Moral Machine's effects (.png, .svg or .pdf).", show_default=False),
    ] = None,
    others: Annotated[
        Path | None,
        typer.Option(help="A table of other models' effects to draw beside them.", show_default=False),
    ] = None,
    perspectives: Annotated[
        str, typer.Option(help="passenger, pedestrian, bystander, programmer, regulator; by commas.")
    ] = "passenger",
    framings: Annotated[str, typer.Option(help="Wordings, separated by commas.")] = "neutral,story",
    replicates: Annotated[int, typer.Option(help="How often models are asked each question.")] = 1,
    order: Annotated[
        Literal["auto", "both", "random"],
        typer.Option(help="Tell each scenario of the Moral Machine in both orders, or in one drawn by lot."),
    ] = "auto",
    elicit: Elicit = "auto",
    persona: Persona = None,
    api_base: ApiBase = None,
    seed: Seed = 0,
    concurrency: Concurrency = None,
    out: Out = None,
    as_json: Json = False,
    csv: Csv = None,
) -> None:
    """Ask models and oracles what a car should do, how moral it is, and whether they would buy it."""
    from ludens.cli.av.design import design_of
    from ludens.experiments.av import ask as ask_them
    from ludens.experiments.runs.progress import progress_bar

    settings = {"elicit": elicit, "persona": persona, "api_base": api_base}
    if moral_machine is not None:
        if study is not None or vary:
            raise UsageError("Ask about studies, a design of your own, or the Moral Machine; not at once.")
        from ludens.experiments.av import moral_machine as put
        from ludens.experiments.av.amce import read_effects

        table = None if others is None else read_effects(others)

        with progress_bar(console(stderr=True), "av") as progress:
            run = put(
                models,
                scenarios=moral_machine,
                seed=seed,
                path=out,
                concurrency=8 if concurrency is None else concurrency,
                progress=progress,
                order=order,
                **{name: value for name, value in settings.items() if value is not None},
            )
        report_moral(run.path, as_json)
        if figure is not None:
            from ludens.experiments.av import measure_moral_machine
            from ludens.experiments.av.moral_figures import save_figures

            drawn = save_figures(measure_moral_machine(run), figure, table)
            console(stderr=True).print(
                f"Drew {' and '.join(map(str, drawn))}.", highlight=False, soft_wrap=True
            )
        return
    with progress_bar(console(stderr=True), "av") as progress:
        run = ask_them(
            models,
            studies=None if study is None else _studies(study),
            design=design_of(vary, names(perspectives)) if vary else None,
            perspectives=names(perspectives),
            framings=names(framings),
            replicates=replicates,
            seed=seed,
            path=out,
            concurrency=8 if concurrency is None else concurrency,
            progress=progress,
            **{name: value for name, value in settings.items() if value is not None},
        )
    report_av(run.path, as_json, csv=csv)


def report_av(file: Path, as_json: bool, *, csv: Path | None = None) -> None:
    """Measure a run of the dilemma, write its report, and print it."""
    from ludens.experiments.av import load_result, write_report

    print_av(write_report(load_result(file)), as_json, csv)


def report_moral(file: Path, as_json: bool) -> None:
    """Measure a run of the Moral Machine, write its report, and print it."""
    from ludens.experiments.av.moral_page import write_moral_report

    report = write_moral_report(file)
    print_moral(file, as_json, report)


def print_moral(file: Path, as_json: bool, report: Path | None = None) -> None:
    """A run's effects, and where it and its report lie."""
    from ludens.experiments.av.moral import measure_moral_machine, to_json
    from ludens.experiments.av.moral_terminal import print_effects
    from ludens.experiments.report.terminal import print_closing

    if as_json:
        print_json(to_json(file) | {"report": None if report is None else str(report)})
        return
    screen = console()
    print_effects(measure_moral_machine(file), screen)
    print_closing(screen, file, report)


def print_av(result: Any, as_json: bool, csv: Path | None = None) -> None:
    """A run's table, and its estimates as CSV where a file is named."""
    from ludens.experiments.av.result import to_json, write_estimates
    from ludens.experiments.av.terminal import print_result

    if as_json:
        print_json(to_json(result))
    else:
        print_result(result, console())
    if csv is not None:
        write_estimates(result, csv)


def _studies(text: str) -> list[int]:
    try:
        return [int(part) for part in names(text)]
    except ValueError:
        raise UsageError(f"--study takes numbers from 1 to 6, as in 1,3; got {text!r}.") from None
