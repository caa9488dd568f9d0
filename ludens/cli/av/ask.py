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
from ludens.cli.blocks import BudgetOptions, CarryingOutOptions, ModelOptions, with_blocks
from ludens.cli.options import (
    Concurrency,
    Csv,
    Elicit,
    Json,
    Out,
    Persona,
    Seed,
    names,
    refuse_given,
)
from ludens.cli.printing import console
from ludens.cli.studies import PrintConfig, carry_out, given
from ludens.errors import UsageError

ASK = "ask"
"""The command for which `ludens av MODEL…` is short."""


class Dilemmas(TyperGroup):
    """A group that runs `ASK` if no subcommand is named."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Insert the name of `ASK` before arguments that do not begin with a subcommand."""
        if not args or args[0] not in self.commands:
            args = [ASK, *args]
        return super().parse_args(ctx, args)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Return `ludens av` for help, as users type it."""
        name, command, rest = super().resolve_command(ctx, args)
        return ("" if name == ASK else name), command, rest


av_app = typer.Typer(cls=Dilemmas, help="Ask models and oracles about dilemmas of autonomous vehicles.")
app.add_typer(av_app, name="av")


@av_app.command(
    ASK, hidden=True, epilog="`ludens av adopt --help`: the game in which a population buys cars."
)
@with_blocks
def ask(
    ctx: typer.Context,
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
            help="A custom design, such as pedestrians=1/10/100 or passengers=self+child; may be repeated.",
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
        typer.Option(help="Draw the effects of the Moral Machine (.png, .svg or .pdf).", show_default=False),
    ] = None,
    others: Annotated[
        Path | None,
        typer.Option(help="A table of other models' effects to draw beside them.", show_default=False),
    ] = None,
    perspectives: Annotated[
        str,
        typer.Option(help="passenger, pedestrian, bystander, programmer or regulator, separated by commas."),
    ] = "passenger",
    framings: Annotated[str, typer.Option(help="Wordings, separated by commas.")] = "neutral,story",
    replicates: Annotated[int, typer.Option(help="How often models are asked each question.")] = 1,
    order: Annotated[
        Literal["auto", "both", "random"],
        typer.Option(
            help="Show each scenario of the Moral Machine in both orders, or in one drawn at random."
        ),
    ] = "auto",
    elicit: Elicit = "auto",
    persona: Persona = None,
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
    """Ask models and oracles what a car should do, how moral it is, and whether they would buy it."""
    from ludens.experiments.study.questions import with_settings

    policies = with_settings(models, **asked.settings)
    more = given(persona=persona, concurrency=concurrency)
    shown: dict[str, Any] = {"out": out, "as_json": as_json, "print_config": print_config}
    if moral_machine is None:
        from ludens.cli.av.design import design_of
        from ludens.experiments.av import AvConfig, AvStudy

        refuse_given(ctx, {"figure", "others", "order"}, "without --moral-machine")
        config = AvConfig(
            models=policies,
            studies=None if study is None else _studies(study),
            design=design_of(vary, names(perspectives)) if vary else None,
            perspectives=names(perspectives),
            framings=names(framings),
            replicates=replicates,
            elicit=elicit,
            seed=seed,
            **more,
        )
        carry_out(AvStudy(config), budget, executor, files={"estimates": csv}, **shown)
        return
    from ludens.experiments.av import MoralMachineConfig, MoralMachineStudy
    from ludens.experiments.av.amce import read_effects
    from ludens.experiments.av.moral_figures import check_figures, save_figures
    from ludens.experiments.study.engine import load_result

    if study is not None or vary:
        raise UsageError(
            "Ask about studies, a design of your own, or the Moral Machine; not several of them."
        )
    refuse_given(ctx, {"perspectives", "framings", "replicates"}, "on scenarios of the Moral Machine")
    if figure is None:
        refuse_given(ctx, {"others"}, "without --figure")
    if print_config:
        refuse_given(ctx, {"figure", "others"}, "on a study file, which --print-config prints")
    table = None if others is None else read_effects(others)
    if figure is not None:
        check_figures(figure)
    machine = MoralMachineStudy(
        MoralMachineConfig(
            models=policies, scenarios=moral_machine, order=order, elicit=elicit, seed=seed, **more
        )
    )
    run = carry_out(machine, budget, executor, files={"effects": csv}, **shown)
    if run is not None and figure is not None:
        drawn = save_figures(load_result(MoralMachineStudy, run).measures, figure, table)
        console(stderr=True).print(f"Drew {' and '.join(map(str, drawn))}.", highlight=False, soft_wrap=True)


def _studies(text: str) -> list[int]:
    try:
        return [int(part) for part in names(text)]
    except ValueError:
        raise UsageError(f"--study takes numbers from 1 to 6, as in 1,3; got {text!r}.") from None
