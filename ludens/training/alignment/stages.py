"""An alignment from beginning to end, stage by stage in one folder.

The stages are data, before, tune, export, after, general ability, report. Each leaves its outcome in the
folder and is not done again: the same command goes on where the last one was stopped, in the middle of a run
of questions or of the training too.
"""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ludens.errors import LudensError
from ludens.experiments.bench.study import BenchConfig, BenchStudy
from ludens.experiments.runs.database import StoreError
from ludens.experiments.runs.files import write_whole
from ludens.experiments.runs.lock import RunLock
from ludens.experiments.runs.recorder import OnProgress
from ludens.experiments.study.engine import complete
from ludens.training.alignment.files import BASE, BASE_DIRECT, GREEDY, PERSONA, PERSONA_DIRECT, TUNED, Files
from ludens.training.alignment.plan import PLAN, Plan, Sizes, open_folder
from ludens.training.data.build import HELD_OUT, build_dataset, training_framings
from ludens.training.data.dataset import DataSet
from ludens.training.evaluation.exam import CONCURRENCY, Contender, contender, examine
from ludens.training.evaluation.sets import TAUGHT, Question, question_sets

Stage = Callable[[str], AbstractContextManager[OnProgress | None]]
"""Called with a stage's name when it begins; what it gives is told how far the stage is."""

TOGETHER = 96
"""Questions that are open at once where a GPU answers them in batches. Our choice."""

REPLIES = 0.9
"""Tokens allowed per character of the longest completion trained on; of those asked some are longer. Our
choice."""


def align(plan: Plan, out: str | os.PathLike[str], *, stage: Stage | None = None) -> Files:
    """Do what is still to be done of an alignment.

    Args:
        plan: what is wanted; see `make_plan`.
        out: the folder, new, empty, or of this very plan.
        stage: told of each stage.

    Raises:
        UsageError: the folder holds something else, or another plan.
        StoreError: another process aligns in this folder, or it cannot be written.
        LudensError: a stage failed; what was done is kept.
    """
    from ludens.training.tuning.tune import check_devices

    begin: Stage = stage or (lambda name: nullcontext())
    need_training()
    check_devices(plan.recipe())
    folder = open_folder(out, plan)
    lock = RunLock(folder / PLAN)
    if not lock.acquire():
        raise StoreError(f"Another process aligns in {folder}: wait for it, or name another folder.")
    try:
        return _align(plan, Files(folder), begin)
    finally:
        lock.release()


def need_training() -> None:
    """Raise LudensError unless everything that training needs is installed."""
    from importlib.util import find_spec

    missing = [
        name for name in ("torch", "transformers", "trl", "peft", "datasets", "gguf") if not find_spec(name)
    ]
    if missing:
        raise LudensError(
            f"Aligning a model needs {', '.join(missing)}, not installed here: run `pip install "
            f"'ludens[train]'`."
        )


def _align(plan: Plan, files: Files, begin: Stage) -> Files:
    with begin("data"):
        data = data_of(plan, files)
    asked = questions_of(plan, data)
    if plan.sizes.compared:
        _ask(plan, files, asked, "before", begin)
        _let_go()
    with begin("tune") as progress:
        _tune(plan, data, files, progress)
    with begin("export"):
        _export(files)
    _ask(plan, files, asked, "after", begin)
    _let_go()
    if plan.sizes.perplexity:
        with begin("general ability"):
            _check_ability(plan, files)
    with begin("report"):
        from ludens.training.alignment.report import write_report

        write_report(files.folder)
    return files


def data_of(plan: Plan, files: Files) -> DataSet:
    """The data set of a plan: read where it lies there, built where it does not."""
    if files.data.exists():
        return DataSet.read(files.data)
    data = build_dataset(
        plan.preferences,
        families=plan.families,
        examples=plan.examples,
        test=max(64, plan.sizes.held_out),
        seed=plan.seed,
        reasoning=plan.reasoning,
        framings=training_framings() if plan.paraphrases else ("neutral",),
        payoffs=plan.ranges,
    )
    data.write(files.data)
    return data


def questions_of(plan: Plan, data: DataSet) -> tuple[Question, ...]:
    """The exam's questions: the same before and after, and after every interruption."""
    return question_sets(
        data,
        plan.preferences,
        held_out=plan.sizes.held_out,
        others=plan.sizes.others,
        rewordings=HELD_OUT,
        seed=plan.seed,
    )


def policies_under_test(
    plan: Plan, files: Files, when: str, data: DataSet | None = None
) -> tuple[Contender, ...]:
    """Who sits the exam: before, the base and the persona; after, the tuned model."""
    longest = max(len(example.completion) for example in (data or DataSet.read(files.data)).train)
    thinking = {"reasoning": plan.reasoning != "none", "max_tokens": max(48, round(REPLIES * longest))}
    if when == "after":
        model = f"local/{files.tuned}" if plan.batched else tuned_model(files)
        return (contender(TUNED, model, **thinking),)
    some = {"sets": TAUGHT}
    found = [contender(BASE_DIRECT, plan.base), contender(PERSONA_DIRECT, plan.base, persona=plan.persona)]
    if thinking["reasoning"]:
        found.insert(0, contender(BASE, plan.base, **thinking, **some))
        found.append(contender(PERSONA, plan.base, persona=plan.persona, **thinking, **some))
    return tuple(found)


def together(plan: Plan) -> int:
    """How many questions are open at once, and fit into one batch."""
    return TOGETHER if plan.device == "cuda" else CONCURRENCY


def greedy(tuned: Contender) -> Contender:
    """The tuned model at temperature 0."""
    return Contender(GREEDY, {**tuned.spec, "temperature": 0.0})


def tuned_model(files: Files) -> str:
    """The tuned model's name: the GGUF file where it could be made."""
    return f"local/{files.gguf if files.gguf.exists() else files.tuned}"


def _ask(plan: Plan, files: Files, asked: tuple[Question, ...], when: str, begin: Stage) -> None:
    """The exam, the protocols, and the transfer studies."""
    sizes, open_at_once = plan.sizes, together(plan)
    who = policies_under_test(plan, files, when)
    if when == "before":
        # The base writes at length when it may think: it is given the first of the questions alone.
        few = tuple(question for name in TAUGHT for question in _first(asked, name, sizes))
        thinking = tuple(each for each in who if each.sets is not None)
        who = tuple(each for each in who if each.sets is None)
        if thinking and few:
            with begin("before: thinking first") as progress:
                examine(thinking, few, files.run(when, "thinking"), seed=plan.seed, progress=progress)
    with begin(f"{when}: exam") as progress:
        examine(
            who, asked, files.run(when, "exam"), seed=plan.seed, concurrency=open_at_once, progress=progress
        )
    if when == "after" and sizes.greedy:
        taught = tuple(question for question in asked if question.set in TAUGHT)
        path = files.run(when, "greedy")
        with begin("after: greedy replies") as progress:
            examine(
                [greedy(who[0])], taught, path, seed=plan.seed, concurrency=open_at_once, progress=progress
            )
        with begin("after: greedy in the protocols") as progress:
            path = files.run(when, "greedy-protocols")
            _protocols(plan, (greedy(who[0]),), path, open_at_once, progress)
    with begin(f"{when}: protocols") as progress:
        _protocols(plan, who, files.run(when, "protocols"), open_at_once, progress)
    if sizes.periods:
        from ludens.training.evaluation.transfer import play_market

        with begin(f"{when}: pricing") as progress:
            model = plan.base if when == "before" else tuned_model(files)
            play_market(model, files.run(when, "pricing"), sizes.periods, seed=plan.seed, progress=progress)

    if sizes.studies:
        from ludens.training.evaluation.transfer import ask_dilemmas

        with begin(f"{when}: autonomous vehicles") as progress:
            model = plan.base if when == "before" else tuned_model(files)
            ask_dilemmas(model, files.run(when, "vehicles"), sizes.studies, seed=plan.seed, progress=progress)


def _first(asked: tuple[Question, ...], name: str, sizes: Sizes) -> tuple[Question, ...]:
    return tuple(question for question in asked if question.set == name)[: sizes.thinking]


def _protocols(
    plan: Plan, who: tuple[Contender, ...], path: Path, concurrency: int, progress: OnProgress | None
) -> None:
    config = BenchConfig(
        models=[each.named for each in who],
        framings=("neutral",),
        replicates=plan.sizes.replicates,
        protocols=plan.sizes.protocols,
        seed=plan.seed,
        concurrency=concurrency,
    )
    complete(BenchStudy(config), path, progress=progress)


def _tune(plan: Plan, data: DataSet, files: Files, progress: Any) -> None:
    from ludens.training.tuning import tune

    tune(plan.base, data, files.tuned, recipe=plan.recipe(), progress=progress)


def _export(files: Files) -> None:
    """The GGUF file, where this model's kind can be written as one; the folder is played otherwise."""
    from ludens.training.tuning import TuningError, export

    if files.gguf.exists() or files.no_gguf.exists():
        return
    try:
        with _quiet():
            export(files.tuned, files.gguf, format="gguf")
    except TuningError as error:
        write_whole(files.no_gguf, f"{error}\n")


def _check_ability(plan: Plan, files: Files) -> None:
    from ludens.training.evaluation.ability import perplexities

    if files.ability.exists():
        return
    with _quiet():
        before, after = perplexities(plan.base, f"local/{files.tuned}")
    write_whole(
        files.ability, json.dumps({"before": asdict(before), "after": asdict(after)}, indent=2) + "\n"
    )


@contextmanager
def _quiet() -> Iterator[None]:
    """Without what PEFT and Transformers say of each other's deprecated names, which is nobody's business
    here.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        warnings.filterwarnings("ignore", "Input and output embeddings are no longer tied", UserWarning)
        yield


def _let_go() -> None:
    """Free the memory that models take before the next stage needs it."""
    from ludens.agents.local import close_all

    close_all()
