"""Benchmark policies on the preference suite, beside the built-in reference policies."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from ludens.agents.policy import Policy
from ludens.errors import UsageError
from ludens.experiments.bench.result import BenchResult, load_result, manifest_of
from ludens.experiments.bench.suite import FRAMINGS, PolicySpec, Suite, player
from ludens.experiments.runs.blocking import RunInterrupted, run_blocking
from ludens.experiments.runs.recorder import OnProgress
from ludens.experiments.runs.run import Run
from ludens.experiments.runs.runner import PlayOne, check_concurrency, check_resumable, run_episodes
from ludens.experiments.runs.seeds import check_seed
from ludens.experiments.runs.store import Store, create_run

if TYPE_CHECKING:
    from rich.console import Console

CONCURRENCY = 32


def bench(
    models: Sequence[str | PolicySpec | Policy],
    *,
    framings: Sequence[str] = FRAMINGS,
    replicates: int = 1,
    elicit: str = "auto",
    beliefs: bool = False,
    persona: str | None = None,
    protocols: Sequence[str] | None = None,
    seed: int = 0,
    concurrency: int = CONCURRENCY,
    path: str | os.PathLike[str] | None = None,
    progress: OnProgress | None = None,
) -> BenchResult:
    """Ask every question of the preference suite, measure the answers and write the report beside the run.

    Args:
        models: specs of policies, for example ``"local/smollm2-135m"``; a mapping may add settings
            (``{"spec": "openai/x", "api_base": …, "label": …}``); or policies that have a spec.
        framings: wordings in which language models are asked.
        replicates: how often each question is asked in each wording. Where option probabilities are read from
            log-probabilities one is exact, and more only cost; they are for sampled answers.
        elicit: ``"auto"``, ``"logprobs"`` or ``"sample"``.
        beliefs: ask language models also what others choose.
        persona: persona under which language models are asked.
        protocols: names of protocols; None for all.
        seed: root of all chance, in the run and in the bootstrap.
        concurrency: how many questions are open at once.
        path: the run's file; None for a new name under ``runs/``.
        progress: called after every decision.

    Raises:
        UsageError: an argument is wrong; nothing was written.
        StoreError: the run or the report cannot be written.
        LudensError: a model cannot be reached at all; what was answered is kept, and `resume` goes on.
        RunInterrupted: Ctrl-C; likewise.
    """
    if isinstance(models, str | Mapping | Policy) or not models:
        raise UsageError("Name at least one model, as a list; for example bench(['local/smollm2-135m']).")
    suite = Suite(
        tuple(models),  # type: ignore[arg-type]  # the suite gives plain names their labels
        framings=tuple(framings),
        replicates=replicates,
        elicit=elicit,
        beliefs=beliefs,
        persona=persona,
        protocols=None if protocols is None else tuple(protocols),
    )
    check_concurrency(concurrency)
    check_seed(seed)
    play_one = player(suite)  # a policy that cannot be made leaves no file behind
    config = suite.to_config() | {"concurrency": concurrency}
    store = create_run(path, "bench", config, suite.specs(), seed)
    return _play(store, suite, play_one, concurrency, progress)


def resume(
    path: str | os.PathLike[str], *, concurrency: int | None = None, progress: OnProgress | None = None
) -> BenchResult:
    """Go on with a benchmark that broke off; of one that is done, measure and report again.

    Raises:
        NoRunError: the file is no benchmark.
        StoreError: another process writes to it, or a policy aborted it.
        UsageError: the protocols have changed since the run began.
    """
    with Run(path) as run:
        manifest, episodes = manifest_of(run), run.episodes()
    if manifest["status"] == "done":
        return _reported(path)
    check_resumable(manifest, path)
    suite = Suite.from_config(manifest["config"])
    if [dict(spec.labels) for spec in suite.specs()] != [dict(episode.labels) for episode in episodes]:
        raise UsageError(
            f"{path} was begun with other protocols than are registered now: use the version that began it."
        )
    at_once = manifest["config"]["concurrency"] if concurrency is None else concurrency
    check_concurrency(at_once)
    play_one = player(suite)
    return _play(Store(path), suite, play_one, at_once, progress)


def render_summary(result: BenchResult, console: Console) -> None:
    """Print the table, where the report lies, and how to go on; fits 80 columns."""
    from ludens.experiments.bench.terminal import print_summary

    print_summary(result, console)


def _play(
    store: Store, suite: Suite, play_one: PlayOne, concurrency: int, progress: OnProgress | None
) -> BenchResult:
    job = run_episodes(store, suite.specs(), play_one, concurrency=concurrency, progress=progress)
    run_blocking(store, job, keyboard=any(model["spec"] == "human" for model in suite.models))
    return _reported(store.path)


def _reported(path: str | os.PathLike[str]) -> BenchResult:
    from ludens.experiments.bench.report import write_report

    try:
        return write_report(load_result(path))
    except KeyboardInterrupt as interrupt:
        message = f"Interrupted before the report was written: `ludens report {path}` writes it."
        raise RunInterrupted(message) from interrupt
