"""The command `ludens`: a thin face over the packages.

Exit codes: 0 done, 1 the work failed, 2 wrong usage, 130 Ctrl-C. Results go to stdout, all else to stderr.
Libraries are imported by the command that needs them.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from typer.core import TyperGroup

from ludens.errors import LudensError, UsageError

if TYPE_CHECKING:
    from rich.console import Console

    from ludens.experiments import Run
    from ludens.experiments.results import BenchResult


class _Commands(TyperGroup):
    """Turns errors into one sentence on stderr and an exit code."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except typer.Exit:
            raise
        except KeyboardInterrupt as interrupt:
            _fail(KeyboardInterrupt(str(interrupt) or "Interrupted."), ctx)
            raise typer.Exit(130) from None
        except LudensError as error:
            _fail(error, ctx)
            raise typer.Exit(2 if isinstance(error, UsageError) else 1) from None


app = typer.Typer(
    cls=_Commands,
    help="Agents with preferences play economic games.",
    epilog="Start with `ludens bench local/smollm2-135m`, which needs no key and no network.",
    invoke_without_command=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Json = Annotated[bool, typer.Option("--json", help="Print JSON on stdout.")]
RunFile = Annotated[Path, typer.Argument(metavar="RUN", help="The .db file of a run.", show_default=False)]
Seed = Annotated[int, typer.Option(help="Root of all chance: the same seed gives the same run.")]
Out = Annotated[
    Path | None, typer.Option(help="The run's file; by default a new name under runs/.", show_default=False)
]
Persona = Annotated[
    str | None,
    typer.Option(
        help="homo_economicus, homo_moralis, or a text that models are told first.", show_default=False
    ),
]
Elicit = Annotated[
    Literal["auto", "logprobs", "sample"], typer.Option(help="How choice probabilities of models are had.")
]
ApiBase = Annotated[
    str | None,
    typer.Option(help="Address of an OpenAI-compatible server for the models.", show_default=False),
]
Csv = Annotated[Path | None, typer.Option(help="Write every estimate to this file too.", show_default=False)]
Concurrency = Annotated[int | None, typer.Option(help="How much is played at once.", show_default=False)]


@app.callback()
def _options(
    ctx: typer.Context,
    debug: Annotated[bool, typer.Option("--debug", help="Show where an error came from.")] = False,
    version: Annotated[bool, typer.Option("--version", help="Print the version.", is_eager=True)] = False,
) -> None:
    ctx.obj = debug
    if version:
        import ludens

        typer.echo(f"ludens {ludens.__version__}")
        raise typer.Exit
    if ctx.invoked_subcommand is None:
        typer.echo(ctx.get_help())


@app.command()
def envs(as_json: Json = False) -> None:
    """List the environments with their roles, parameters and protocols."""
    from ludens.envs import FAMILIES

    if as_json:
        _print_json([_family(family) for family in FAMILIES.values()])
        return
    from rich import box
    from rich.table import Table

    console = _console()
    for family in FAMILIES.values():
        table = Table("protocol", box=box.SIMPLE_HEAD, pad_edge=False, header_style="dim")
        for name in family.parameters:
            table.add_column(name, justify="right")
        for protocol, numbers in family.protocols.items():
            table.add_row(protocol, *(f"{number:g}" for number in numbers))
        console.print(f"[bold]{family.environment}[/bold]")
        console.print(f"{family.title}, {family.source}; roles: {', '.join(family.roles)}", style="dim")
        console.print(table)


@app.command()
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
            help="One for each seat, or one for all; a model by its id.",
            show_default=False,
        ),
    ],
    *,
    protocol: Annotated[str | None, typer.Option(help="For example TG3.", show_default=False)] = None,
    payoffs: Annotated[
        str | None,
        typer.Option(help="Numbers in place of a protocol, as in 80,60,30,20.", show_default=False),
    ] = None,
    method: Annotated[
        Literal["direct", "strategy"], typer.Option(help="Move by move, or asked for every case in advance.")
    ] = "direct",
    rounds: Annotated[int, typer.Option(help="How often the game is played in an episode.")] = 1,
    roles: Annotated[Literal["random", "fixed"], typer.Option(help="Who plays which part.")] = "random",
    episodes: Annotated[int, typer.Option(help="How many.")] = 1,
    seed: Seed = 0,
    framing: Annotated[str, typer.Option(help="Wording for models: neutral, story or twin.")] = "neutral",
    elicit: Elicit = "auto",
    invalid: Annotated[
        Literal["drop", "forfeit", "abort"], typer.Option(help="What an unreadable reply does in the end.")
    ] = "drop",
    persona: Persona = None,
    api_base: ApiBase = None,
    concurrency: Concurrency = 8,
    out: Out = None,
    as_json: Json = False,
) -> None:
    """Play an environment and keep the run."""
    from ludens import experiments
    from ludens.experiments.screens import progress_bar

    options: dict[str, Any] = {"method": method, "rounds": rounds, "roles": roles}
    if protocol is not None:
        options["protocol"] = protocol
    if payoffs is not None:
        options["payoffs"] = _numbers(payoffs)
    settings = {
        "framing": framing,
        "elicit": elicit,
        "invalid": invalid,
        "persona": persona,
        "api_base": api_base,
    }
    policies = [_policy(spec, settings) for spec in policy]
    with progress_bar(_console(stderr=True), "play", hidden="human" in policy) as progress:
        run = experiments.play(
            (environment, options),
            policies[0] if len(policies) == 1 else policies,
            episodes=episodes,
            seed=seed,
            path=out,
            concurrency=8 if concurrency is None else concurrency,
            progress=progress,
        )
    _report_play(run, as_json)


@app.command()
def bench(
    models: Annotated[
        list[str],
        typer.Argument(metavar="MODEL...", help="Models, as local/smollm2-135m or openai/gpt-5-mini."),
    ],
    *,
    framings: Annotated[str, typer.Option(help="Wordings, separated by commas.")] = "neutral,story,twin",
    replicates: Annotated[int, typer.Option(help="How often each question is asked in each wording.")] = 1,
    elicit: Elicit = "auto",
    beliefs: Annotated[bool, typer.Option("--beliefs", help="Ask also what others choose.")] = False,
    persona: Persona = None,
    protocols: Annotated[
        str | None, typer.Option(help="Names separated by commas; by default all.", show_default=False)
    ] = None,
    seed: Seed = 0,
    api_base: ApiBase = None,
    concurrency: Concurrency = None,
    out: Out = None,
    as_json: Json = False,
    csv: Csv = None,
) -> None:
    """Compare models with each other and with reference policies, and write a report."""
    from ludens.experiments.bench import CONCURRENCY
    from ludens.experiments.bench import bench as run_bench
    from ludens.experiments.screens import progress_bar

    specs = [model if api_base is None else {"spec": model, "api_base": api_base} for model in models]
    with progress_bar(_console(stderr=True), "bench") as progress:
        result = run_bench(
            specs,
            framings=_names(framings),
            replicates=replicates,
            elicit=elicit,
            beliefs=beliefs,
            persona=persona,
            protocols=None if protocols is None else _names(protocols),
            seed=seed,
            concurrency=CONCURRENCY if concurrency is None else concurrency,
            path=out,
            progress=progress,
        )
    _report_bench(result, as_json, csv)


@app.command()
def resume(file: RunFile, concurrency: Concurrency = None, as_json: Json = False) -> None:
    """Go on with a run that broke off; nothing that was answered is asked again."""
    from ludens.experiments import Run
    from ludens.experiments.screens import progress_bar

    with Run(file) as run:
        manifest = run.manifest
    if manifest["kind"] == "bench":
        from ludens.experiments.bench import resume as resume_bench

        with progress_bar(_console(stderr=True), "resume") as progress:
            result = resume_bench(file, concurrency=concurrency, progress=progress)
        _report_bench(result, as_json)
        return
    from ludens.experiments import resume as resume_play

    with progress_bar(_console(stderr=True), "resume", hidden=_has_person(manifest)) as progress:
        played = resume_play(file, concurrency=concurrency, progress=progress)
    _report_play(played, as_json)


@app.command()
def report(file: RunFile, as_json: Json = False, csv: Csv = None) -> None:
    """Write a benchmark's report again, of one that broke off too."""
    from ludens.experiments.report import write_report
    from ludens.experiments.results import load_result

    _report_bench(write_report(load_result(file)), as_json, csv)


@app.command()
def show(
    file: Annotated[
        Path | None,
        typer.Argument(metavar="[RUN]", help="A run; by default the latest in runs/.", show_default=False),
    ] = None,
    episode: Annotated[int | None, typer.Option(help="Read one episode.", show_default=False)] = None,
    as_json: Json = False,
) -> None:
    """Show a run, or one of its episodes move by move."""
    from ludens.experiments import Run
    from ludens.experiments.screens import show_episode, show_summary

    with Run.latest() if file is None else Run(file) as run:
        if as_json and episode is not None:
            _print_json([asdict(record) for record in run.decisions(episode)])
        elif as_json:
            _print_json(_run_as_json(run) | {"manifest": run.manifest})
        elif episode is not None:
            show_episode(run, episode, _console())
        else:
            show_summary(run, _console())


@app.command()
def models(as_json: Json = False) -> None:
    """List which models can play here now."""
    from ludens.agents.llm.models import list_models, render

    found = list_models()
    if as_json:
        _print_json(found)
    else:
        render(found, _console())


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in given
    # Wherever it stands, it is meant for the whole command.
    given = ["--debug"] * debug + [argument for argument in given if argument != "--debug"]
    try:
        app(given, prog_name="ludens")
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except Exception as error:
        if debug:
            raise
        from ludens.experiments.screens import show_error

        show_error(error, _console(stderr=True))
        typer.echo("This is a defect of ludens: run again with --debug to see where.", err=True)
        return 1
    return 0


def _fail(error: BaseException, ctx: Any) -> None:
    from ludens.experiments.screens import show_error

    console = _console(stderr=True)
    if ctx.obj:
        console.print_exception()
    show_error(error, console)


def _report_play(run: Run, as_json: bool) -> None:
    from ludens.experiments.screens import show_summary

    with run:
        if as_json:
            _print_json(_run_as_json(run))
        else:
            show_summary(run, _console())


def _report_bench(result: BenchResult, as_json: bool, csv: Path | None = None) -> None:
    from ludens.experiments.bench import render_summary
    from ludens.experiments.results import to_json, write_csv

    if as_json:
        _print_json(to_json(result))
    else:
        render_summary(result, _console())
    if csv is not None:
        write_csv(result, csv)


def _run_as_json(run: Run) -> dict[str, Any]:
    return {"run": str(run.path), "summary": asdict(run.summary()), "episodes": run.table()}


def _family(family: Any) -> dict[str, Any]:
    return {
        "id": family.environment,
        "title": family.title,
        "source": family.source,
        "roles": list(family.roles),
        "parameters": list(family.parameters),
        "protocols": {
            name: dict(zip(family.parameters, numbers, strict=True))
            for name, numbers in family.protocols.items()
        },
    }


def _policy(spec: str, settings: dict[str, Any]) -> str | dict[str, Any]:
    """A policy's name as it is, a model's with the settings for models."""
    if "/" not in spec:
        return spec
    return {"spec": spec} | {name: value for name, value in settings.items() if value is not None}


def _has_person(manifest: Mapping[str, Any]) -> bool:
    policies = manifest["config"].get("policies", {})
    return any(policy.get("spec") == "human" for policy in policies.values())


def _numbers(text: str) -> list[float]:
    try:
        return [float(part) for part in text.split(",")]
    except ValueError:
        raise UsageError(
            f"--payoffs takes numbers separated by commas, as in 80,60,30,20; got {text!r}."
        ) from None


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def _print_json(value: object) -> None:
    typer.echo(json.dumps(value, indent=2, default=str))


def _console(*, stderr: bool = False) -> Console:
    from rich.console import Console

    return Console(stderr=stderr, highlight=False)
