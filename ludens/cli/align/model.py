"""`ludens align BASE`, and its stages on their own: `data`, `report`, `export`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from ludens.cli.align.group import ALIGN, align_app
from ludens.cli.blocks import BudgetOptions, ExecutorOptions, with_blocks
from ludens.cli.options import Json, Seed, names, refuse_given
from ludens.cli.printing import console, print_json
from ludens.errors import UsageError

if TYPE_CHECKING:
    from ludens.experiments.runs.recorder import OnProgress
    from ludens.training.alignment import AlignmentResult
    from ludens.training.alignment.plan import Plan
    from ludens.training.data.games import Payoffs

To = Annotated[
    Literal["economicus", "moralis"],
    typer.Option(help="The target: homo economicus or homo moralis.", show_default=False),
]
Kappa = Annotated[
    float | None, typer.Option(help="κ of homo moralis, above 0 and at most 1.", show_default=False)
]
Alpha = Annotated[float, typer.Option(help="α, aversion to being behind.")]
Beta = Annotated[float, typer.Option(help="β, aversion to being ahead.")]
Games = Annotated[
    str | None,
    typer.Option(
        help="Families of games, as `ludens envs` lists them, separated by commas; by default the three "
        "of van Leeuwen & Alger.",
        show_default=False,
    ),
]
Ranges = Annotated[
    str | None,
    typer.Option(
        "--payoffs",
        help="Ranges of whole numbers; 1-9,10-90:5 are those from 1 to 9, and every fifth from 10 to 90: "
        "the default where κ > 0. Otherwise it is 1-9,10-99.",
        show_default=False,
    ),
]
Domains = Annotated[str, typer.Option(help="What turns are about, separated by commas: games, av, pricing.")]
Surfaces = Annotated[
    int, typer.Option(help="Number of surfaces drawn by grammar for the wording table; 0 for the plain one.")
]
Examples = Annotated[int, typer.Option(help="Number of training examples.")]
Reasoning = Annotated[
    Literal["steps", "prose", "none"],
    typer.Option(help="Rationale that the model learns to write before it answers."),
]
Folder = Annotated[
    Path, typer.Argument(metavar="DIR", help="The folder of an alignment.", show_default=False)
]


_SET_BY_QUICK = frozenset(
    {
        *("examples", "domains", "surfaces", "replay", "small"),
        *("questions", "protocols", "periods", "studies", "carry", "repeated"),
    }
)
"""The options that `--quick` sets."""
_SET_BY_SMALL = frozenset({"questions", "periods", "studies"})
"""The options that `--small` sets."""


@align_app.command(ALIGN)
@with_blocks
def model(
    ctx: typer.Context,
    base: Annotated[
        str,
        typer.Argument(metavar="BASE", help="A local model, such as local/smollm2-135m.", show_default=False),
    ],
    *,
    to: To,
    kappa: Kappa = None,
    alpha: Alpha = 0.0,
    beta: Beta = 0.0,
    games: Games = None,
    payoffs: Ranges = None,
    examples: Examples = 768,
    epochs: Annotated[int, typer.Option(help="Passes over the training examples.")] = 1,
    batch_size: Annotated[
        int | None,
        typer.Option(
            help="Examples per step; by default 2, or one for each of more processes.", show_default=False
        ),
    ] = None,
    learning_rate: Annotated[
        float | None,
        typer.Option(
            help="By default 0.002 for adapters, 0.0002 for all weights, less for more than 100 steps.",
            show_default=False,
        ),
    ] = None,
    method: Annotated[Literal["lora", "full"], typer.Option(help="Train adapters, or all weights.")] = "lora",
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    processes: Annotated[
        int,
        typer.Option(help="GPUs, or processes on a CPU, that train together, each on its share of a step."),
    ] = 1,
    reasoning: Reasoning = "steps",
    paraphrases: Annotated[
        bool, typer.Option(help="Also train on paraphrases of the neutral wording.")
    ] = True,
    domains: Domains = "games",
    surfaces: Surfaces = 0,
    replay: Annotated[
        float,
        typer.Option(help="Weight of the divergence from the base on plain text while training; 0 for none."),
    ] = 0.0,
    rounds: Annotated[
        int, typer.Option(help="Rounds of further training on new turns that the tuned model gets wrong.")
    ] = 0,
    votes: Annotated[
        int, typer.Option(help="Replies of the tuned model to a sampled question; the most frequent counts.")
    ] = 1,
    held: Annotated[
        bool, typer.Option("--held", help="Hold the tuned model's answers to the labels on offer.")
    ] = False,
    carry: Annotated[
        int, typer.Option(help="Number of questions in each domain and surface, as tables and in sentences.")
    ] = 0,
    repeated: Annotated[
        int, typer.Option(help="Rounds of repeated games, played from the own history; 0 for none.")
    ] = 0,
    seed: Seed = 0,
    questions: Annotated[int, typer.Option(help="Number of held-out questions before and after.")] = 64,
    protocols: Annotated[
        str | None, typer.Option(help="Names separated by commas; by default all.", show_default=False)
    ] = None,
    periods: Annotated[int, typer.Option(help="Periods of the pricing run; 0 for none.")] = 20,
    studies: Annotated[
        str, typer.Option(help="Studies of autonomous vehicles, numbers separated by commas, or none.")
    ] = "2,3",
    batched: Annotated[
        bool,
        typer.Option("--batched", help="Ask the tuned model by Transformers, many questions together."),
    ] = False,
    small: Annotated[
        bool, typer.Option("--small", help="Ask only as many questions as the demonstration.")
    ] = False,
    quick: Annotated[
        bool,
        typer.Option(
            "--quick",
            help="A preset for a tuning of less than ten minutes on two idle cores (--processes 2): 192 "
            "examples of all domains in 100 surfaces, with replay, and few questions.",
        ),
    ] = False,
    budget: BudgetOptions,
    out: Annotated[
        Path | None,
        typer.Option(
            help="The folder; by default one under runs/ named after the target.", show_default=False
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Fine-tune a model toward chosen preferences, measure it before and after, and write a report.

    The same command goes on where it was stopped. Limits hold for all questions together, before and after,
    and not for the training. Models on this machine cost nothing, so nobody is asked before. Further
    commands: data, grpo, report, export, provider.
    """
    from dataclasses import replace

    from ludens.experiments.runs.budget import Budget
    from ludens.experiments.runs.caching import caching
    from ludens.training.alignment import align, load_result, make_plan
    from ludens.training.alignment.plan import QUICK, SMALL, Sizes

    listed = None if protocols is None else tuple(names(protocols))
    sizes = replace(SMALL, carry=carry, repeated=repeated)
    if not small:
        sizes = Sizes(
            held_out=questions,
            protocols=listed,
            periods=periods,
            studies=_numbers(studies),
            carry=carry,
            repeated=repeated,
        )
    if small and listed is not None:
        sizes = replace(sizes, protocols=listed)
    amounts = {
        "examples": examples,
        "domains": names(domains),
        "surfaces": surfaces,
        "replay": replay,
        "sizes": sizes,
    }
    if small:
        refuse_given(ctx, _SET_BY_SMALL, "with --small, which sets it")
    if quick:
        refuse_given(ctx, _SET_BY_QUICK, "with --quick, which sets it")
        amounts = dict(QUICK)
    plan = make_plan(
        base,
        to,
        alpha=alpha,
        beta=beta,
        kappa=kappa,
        families=None if games is None else names(games),
        payoffs=None if payoffs is None else _ranges(payoffs),
        seed=seed,
        method=method,
        device=device,
        processes=processes,
        epochs=epochs,
        batch_size=batch_size,
        learning_rate=learning_rate,
        reasoning=reasoning,
        paraphrases=paraphrases,
        rounds=rounds,
        votes=votes,
        held=held,
        batched=batched,
        **amounts,
    )
    folder = out or Path("runs") / _folder_name(base, to, kappa, seed)
    limits = Budget.read(budget.limits)
    if budget.dry_run:
        _foresee(plan, folder, as_json)
        return
    if batched:
        from ludens.agents.local import Settings, register
        from ludens.training.alignment.stages import questions_open

        register(settings=Settings(slots=questions_open(plan)))
    with caching(budget.cache):
        files = align(plan, folder, stage=_stage, budget=limits)
    _print(load_result(files.folder), as_json)


@align_app.command()
@with_blocks
def data(
    out: Annotated[Path, typer.Argument(metavar="DIR", help="The folder to write.", show_default=False)],
    *,
    to: To,
    kappa: Kappa = None,
    alpha: Alpha = 0.0,
    beta: Beta = 0.0,
    games: Games = None,
    payoffs: Ranges = None,
    examples: Examples = 768,
    reasoning: Reasoning = "steps",
    framings: Annotated[
        str | None,
        typer.Option(
            help="Wordings, separated by commas; by default neutral, table for further "
            "domains, and varied and table with --surfaces.",
            show_default=False,
        ),
    ] = None,
    domains: Domains = "games",
    surfaces: Surfaces = 0,
    seed: Seed = 0,
    executor: ExecutorOptions,
    as_json: Json = False,
) -> None:
    """Build a data set: random games, labelled by the oracle, with rationales in steps."""
    from ludens.training import build_dataset
    from ludens.training.alignment.plan import preferences_of
    from ludens.training.data.games import taught_payoffs

    preferences = preferences_of(to, alpha, beta, kappa)
    made = build_dataset(
        preferences,
        families=None if games is None else names(games),
        payoffs=taught_payoffs(preferences) if payoffs is None else _ranges(payoffs),
        examples=examples,
        seed=seed,
        reasoning=reasoning,
        framings=None if framings is None else names(framings),
        domains=names(domains),
        surfaces=surfaces,
        map_with=executor.map_with,
    )
    written = made.write(out)
    counts = {name: len(found) for name, found in made.splits.items()}
    if as_json:
        print_json({"data": str(written), "examples": counts, "hash": made.card.hash})
        return
    counted = ", ".join(f"{count} {name}" for name, count in counts.items())
    console().print(f"{counted} (hash {made.card.hash})", markup=False)
    console().print(f"Data         {written}", markup=False, soft_wrap=True)


@align_app.command()
def export(
    folder: Annotated[
        Path,
        typer.Argument(
            metavar="DIR", help="A tuned model's folder, or that of an alignment.", show_default=False
        ),
    ],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="The new file or folder.", show_default=False)],
    *,
    format: Annotated[  # the usual word for it
        Literal["safetensors", "gguf"],
        typer.Option(
            help="safetensors: a folder for Transformers and vLLM; gguf: a file for llama.cpp and Ollama."
        ),
    ] = "gguf",
    as_json: Json = False,
) -> None:
    """Merge a tuned model into one that needs no adapter."""
    from ludens.training.alignment.files import Files
    from ludens.training.tuning import export as write

    tuned = Files(folder).tuned
    written = write(tuned if tuned.is_dir() else folder, out, format=format)
    if as_json:
        print_json({"model": f"local/{written}", "format": format})
    else:
        console().print(f"Model        local/{written}", markup=False, highlight=False, soft_wrap=True)


@align_app.command()
def report(folder: Folder, *, as_json: Json = False) -> None:
    """Measure an alignment again, finished or not, and write its report."""
    from ludens.training.alignment.report import write_report

    _print(write_report(folder), as_json)


def _ranges(text: str) -> tuple[Payoffs, ...]:
    """Return ranges of payoffs separated by commas, each LOW-HIGH or LOW-HIGH:STEP."""
    from ludens.training.data.games import Payoffs

    found = [re.fullmatch(r"([0-9]+)-([0-9]+)(?::([0-9]+))?", part) for part in names(text)]
    if not found or None in found:
        raise UsageError(
            f"--payoffs takes ranges separated by commas, as in 1-9,10-90:5 (fives); got {text!r}."
        )
    return tuple(Payoffs(*(int(part) for part in hit.groups("1"))) for hit in found if hit)


def _numbers(text: str) -> tuple[int, ...]:
    try:
        return () if text.strip() == "none" else tuple(int(part) for part in names(text))
    except ValueError:
        raise UsageError(
            f"--studies takes numbers separated by commas, as 2,3, or none; got {text!r}."
        ) from None


@contextmanager
def _stage(name: str) -> Iterator[OnProgress | None]:
    from ludens.experiments.runs.progress import is_live, progress_bar

    screen = console(stderr=True)
    if not is_live(screen):
        screen.print(name, markup=False)
    with progress_bar(screen, name) as progress:
        yield progress


def _foresee(plan: Plan, folder: Path, as_json: bool) -> None:
    from ludens.training.alignment.stages import questions_foreseen

    foreseen = questions_foreseen(plan, folder)
    total = sum(foreseen.values())
    if as_json:
        print_json({"questions": foreseen, "total": total, "costs": False})
        return
    lines = [f"{title}: {count:,} questions" for title, count in foreseen.items()]
    lines.append(
        f"Together {total:,} questions to models on this machine, which cost nothing; the training is not "
        "counted."
    )
    for line in lines:
        console().print(line, markup=False, highlight=False, soft_wrap=True)


def _print(result: AlignmentResult, as_json: bool) -> None:
    from ludens.experiments.runs.files import plain
    from ludens.training.alignment import to_json
    from ludens.training.alignment.terminal import print_result

    if as_json:
        print_json(plain(to_json(result)))
    else:
        print_result(result, console())


def _folder_name(base: str, to: str, kappa: float | None, seed: int) -> str:
    """Return the default folder, the same for the same command, so that it continues there."""
    name = base.removeprefix("local/").rstrip("/").rpartition("/")[2].removesuffix(".gguf") or "model"
    return f"align-{name}-{to}" + (f"-{kappa:g}" if kappa else "") + (f"-seed{seed}" if seed else "")
