"""`ludens play`: an environment, policies, a run."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import typer

from ludens.agents.registry import policy_names
from ludens.cli.application import app
from ludens.cli.blocks import BudgetOptions, CarryingOutOptions, ModelOptions, with_blocks
from ludens.cli.options import (
    Concurrency,
    Elicit,
    Json,
    Out,
    Persona,
    Seed,
    assignments,
    numbers,
)
from ludens.cli.studies import PrintConfig, carry_out, given
from ludens.errors import UsageError


@app.command()
@with_blocks
def play(
    environment: Annotated[
        str, typer.Argument(metavar="ENVIRONMENT", help="For example trust-v0; `ludens envs` lists all.")
    ],
    policy: Annotated[
        list[str],
        typer.Option(
            "--policy",
            "-p",
            metavar="POLICY",
            help="A policy for each seat, or one for all: a model's id, or a name. In game trees there are "
            f"{', '.join(policy_names())}.",
            show_default=False,
        ),
    ],
    *,
    env: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KEY=VALUE,…",
            help="Options of the environment, as in firms=3,periods=100; `ludens envs` lists them.",
            show_default=False,
        ),
    ] = None,
    protocol: Annotated[str | None, typer.Option(help="For example TG3.", show_default=False)] = None,
    payoffs: Annotated[
        str | None,
        typer.Option(help="Payoffs in place of a protocol, as in 80,60,30,20.", show_default=False),
    ] = None,
    method: Annotated[
        Literal["direct", "strategy"], typer.Option(help="Move by move, or all moves asked in advance.")
    ] = "direct",
    rounds: Annotated[int, typer.Option(help="How often the game is played in an episode.")] = 1,
    roles: Annotated[
        Literal["random", "fixed"], typer.Option(help="How roles are assigned to seats.")
    ] = "random",
    episodes: Annotated[int, typer.Option(help="Number of episodes.")] = 1,
    seed: Seed = 0,
    framing: Annotated[str, typer.Option(help="Wording for models: neutral, story or twin.")] = "neutral",
    template: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="Jinja template for models in place of a framing: a file (.j2, .txt, .md), or its text.",
            show_default=False,
        ),
    ] = None,
    elicit: Elicit = "auto",
    invalid: Annotated[
        Literal["drop", "forfeit", "abort"],
        typer.Option(help="Consequence of a reply that stays unreadable."),
    ] = "drop",
    persona: Persona = None,
    concurrency: Concurrency = None,
    asked: ModelOptions,
    budget: BudgetOptions,
    executor: CarryingOutOptions,
    out: Out = None,
    as_json: Json = False,
    print_config: PrintConfig = False,
) -> None:
    """Play an environment and store the run."""
    from ludens.experiments.play.study import PlayConfig, PlayStudy
    from ludens.experiments.study.questions import with_settings

    # What is as it always is needs no saying, and markets have no such options or settings.
    options = _unusual(method=(method, "direct"), rounds=(rounds, 1), roles=(roles, "random"))
    if protocol is not None:
        options["protocol"] = protocol
    more = assignments(env or (), "--env")
    if twice := sorted(set(more) & set(options)):
        raise UsageError(f"--env and --{twice[0]} both say {twice[0]}: give it once.")
    options |= more
    if payoffs is not None:
        options["payoffs"] = numbers("--payoffs", payoffs, "80,60,30,20")
    settings = _unusual(framing=(framing, "neutral"), elicit=(elicit, "auto"), invalid=(invalid, "drop"))
    more_settings = given(template=template, persona=persona)
    policies = with_settings(policy, **{**asked.settings, **settings, **more_settings})
    config = PlayConfig(
        environment=(environment, options),
        policies=policies[0] if len(policies) == 1 else policies,
        episodes=episodes,
        seed=seed,
        **given(concurrency=concurrency),
    )
    carry_out(PlayStudy(config), budget, executor, out=out, as_json=as_json, print_config=print_config)


def _unusual(**values: tuple[Any, Any]) -> dict[str, Any]:
    """Return the values that differ from the default beside them."""
    return {name: value for name, (value, usual) in values.items() if value != usual}
