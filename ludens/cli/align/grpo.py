"""`ludens align grpo`: train a tuned model further, by the oracle's regret."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ludens.cli.align.group import align_app
from ludens.cli.options import Json, Seed
from ludens.cli.printing import console, print_json


@align_app.command()
def grpo(
    folder: Annotated[
        Path,
        typer.Argument(
            metavar="DIR", help="A tuned model's folder, or that of an alignment.", show_default=False
        ),
    ],
    out: Annotated[
        Path, typer.Argument(metavar="OUT", help="The folder of the new model.", show_default=False)
    ],
    *,
    data: Annotated[
        Path | None,
        typer.Option(
            help="A data set whose turns are asked; by default that of the alignment.", show_default=False
        ),
    ] = None,
    steps: Annotated[int, typer.Option(help="Optimisation steps.")] = 50,
    turns: Annotated[int, typer.Option(help="Turns in each step.")] = 4,
    generations: Annotated[int, typer.Option(help="Replies to each turn, at least 2.")] = 4,
    max_tokens: Annotated[int, typer.Option(help="Most tokens of a reply.")] = 256,
    learning_rate: Annotated[float, typer.Option(help="Constant over all steps.")] = 1e-5,
    beta: Annotated[float, typer.Option(help="Weight of the divergence from the model before.")] = 0.02,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    threads: Annotated[
        int | None, typer.Option(help="Threads on a CPU; by default one per core.", show_default=False)
    ] = None,
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """Train a tuned model further by reward (GRPO): 1 for the oracle's choice, 0 for the worst one, −1 for an
    unreadable reply.

    It writes turns × generations replies in each step; without a GPU a few steps take minutes.
    """
    from ludens.errors import UsageError
    from ludens.experiments.runs.progress import progress_bar
    from ludens.training.alignment.files import Files
    from ludens.training.tuning import Reinforcement, reinforce

    files = Files(folder)
    tuned = files.tuned if files.tuned.is_dir() else folder
    turned = data or files.data
    if not folder.is_dir():
        raise UsageError(f"There is no folder {folder}: name that of a tuned model or of an alignment.")
    if not turned.is_dir():
        if data is None:
            raise UsageError(f"{folder} has no data set beside it: name one with --data.")
        raise UsageError(f"There is no folder {data}: name that of a data set.")
    settings = Reinforcement(
        steps=steps,
        turns=turns,
        generations=generations,
        max_tokens=max_tokens,
        learning_rate=learning_rate,
        beta=beta,
        seed=seed,
    )
    with progress_bar(console(stderr=True), "reinforce") as progress:
        made = reinforce(
            tuned, turned, out, settings=settings, device=device, threads=threads, progress=progress
        )
    rewards = [reward for _, reward in made.card["rewards"]]
    if as_json:
        print_json({"model": made.name, "steps": made.card["steps"], "rewards": rewards})
        return
    if rewards:
        screen = console()
        screen.print(f"Mean reward  {rewards[0]:.2f} in the first step, {rewards[-1]:.2f} in the last")
    console().print(f"Model        {made.name}", markup=False, highlight=False, soft_wrap=True)
