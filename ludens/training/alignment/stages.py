"""An alignment from beginning to end, stage by stage in one folder.

The stages are data, before, tune, export, after, general ability and report. Each keeps its result in the
folder and is not repeated: the same command continues where the last one stopped, even in the middle of a run
of questions or of the training.
"""

from __future__ import annotations

import json
import math
import os
import shutil
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from ludens.agents.llm.prompts.surfaces import TABLE
from ludens.errors import LudensError
from ludens.experiments.bench.study import BenchConfig, BenchStudy
from ludens.experiments.runs.budget import Budget
from ludens.experiments.runs.database import StoreError
from ludens.experiments.runs.files import write_whole
from ludens.experiments.runs.lock import RunLock
from ludens.experiments.runs.progress import notebook_bar
from ludens.experiments.runs.recorder import OnProgress
from ludens.experiments.study.engine import complete
from ludens.experiments.study.questions import is_language_model
from ludens.experiments.study.registry import AnyStudy
from ludens.training.alignment.allowance import Allowance, is_done
from ludens.training.alignment.files import BASE, BASE_DIRECT, GREEDY, PERSONA, PERSONA_DIRECT, TUNED, Files
from ludens.training.alignment.plan import PLAN, Plan, Sizes, is_begun, open_folder
from ludens.training.data.build import HELD_OUT, PARTS, build_dataset
from ludens.training.data.dataset import DataSet
from ludens.training.data.games import game_key
from ludens.training.evaluation.exam import CONCURRENCY, PolicyUnderTest, exam_of, policy_under_test
from ludens.training.evaluation.repeated import ORACLE, MatchConfig, RepeatedStudy, draw_matches, repeated_of
from ludens.training.evaluation.sets import TAUGHT, Question, game_of, question_sets

Stage = Callable[[str], AbstractContextManager[OnProgress | None]]
"""A function that is called with the name of a stage when it begins; its result receives the progress."""

OPEN_ON_GPU = 96
"""Number of questions that are open at once where a GPU answers them in batches. Our choice."""

TABLE_SETTINGS = frozenset({"spec", "reasoning", "max_tokens", "temperature", "votes", "held"})
"""Settings of the tuned model that hold in markets and dilemmas too."""
TOKENS_PER_CHARACTER = 0.9
"""Tokens allowed per character of the longest training completion, with room for longer ones. Our choice."""


def align(
    plan: Plan, out: str | os.PathLike[str], *, stage: Stage | None = None, budget: Budget | None = None
) -> Files:
    """Run the stages of an alignment that have not been done yet.

    Args:
        plan: the plan, from `make_plan`.
        out: the folder, which is new, empty, or holds the same plan.
        stage: called with the name of each stage when it begins; None for a bar in notebooks, and nothing
            elsewhere.
        budget: what all questions of the alignment may take together, before and after tuning and over all
            sessions; the training does not count.

    Raises:
        UsageError: the folder holds something else, or another plan.
        StoreError: another process is working in this folder, or it cannot be written.
        BudgetSpentError: the budget is spent; the results so far are kept.
        LudensError: a stage failed; the results so far are kept.
    """
    from ludens.training.tuning.tune import check_devices

    begin: Stage = stage or notebook_bar
    need_training()
    check_devices(plan.recipe())
    folder = open_folder(out, plan)
    lock = RunLock(folder / PLAN)
    if not lock.acquire():
        raise StoreError(f"Another process aligns in {folder}: wait for it, or name another folder.")
    try:
        return _align(plan, Files(folder), begin, Allowance(folder, budget))
    finally:
        lock.release()


def need_training() -> None:
    """Check that all packages needed for training are installed.

    Raises:
        LudensError: a package is missing.
    """
    from importlib import import_module
    from importlib.util import find_spec

    missing = [
        name for name in ("torch", "transformers", "trl", "peft", "datasets", "gguf") if not find_spec(name)
    ]
    if missing:
        raise LudensError(
            f"Aligning a model needs {', '.join(missing)}, not installed here: run `pip install "
            f"'ludens[train]'`."
        )
    with warnings.catch_warnings():
        # These packages load tqdm, which misses widgets in a notebook; none of its bars is shown here.
        warnings.simplefilter("ignore")
        import_module("tqdm.auto")


def _align(plan: Plan, files: Files, begin: Stage, allowance: Allowance) -> Files:
    with begin("data"):
        data = data_of(plan, files)
    asked = questions_of(plan, data)
    if plan.sizes.compared:
        _ask(plan, files, asked, "before", begin, allowance=allowance)
        _free_memory()
    with begin("tune") as progress:
        _tune(plan, data, asked, files, progress)
    with begin("export"):
        _export(files)
    _ask(plan, files, asked, "after", begin, allowance=allowance)
    _free_memory()
    if plan.sizes.perplexity:
        with begin("general ability"):
            _check_ability(plan, files)
    with begin("report"):
        from ludens.training.alignment.report import write_report

        write_report(files.folder)
    return files


def data_of(plan: Plan, files: Files) -> DataSet:
    """Return the data set of a plan; build it if the folder does not hold it yet."""
    if files.data.exists():
        return DataSet.read(files.data)
    data = _data_of(plan)
    data.write(files.data)
    return data


def _data_of(plan: Plan) -> DataSet:
    held_out = max(64, plan.sizes.held_out)
    if "games" in plan.domains:  # which have a part of the test split, and all of what is asked of it
        held_out = math.ceil(held_out * sum(PARTS[name] for name in plan.domains) / PARTS["games"])
    return build_for(plan, plan.examples, test=held_out)


def build_for(plan: Plan, examples: int, test: int = 64) -> DataSet:
    """Build a data set of a plan with so many training examples."""
    return build_dataset(
        plan.preferences,
        families=plan.families,
        examples=examples,
        seed=plan.seed,
        reasoning=plan.reasoning,
        framings=plan.framings,
        payoffs=plan.ranges,
        domains=plan.domains,
        surfaces=plan.surfaces,
        test=test,
    )


def questions_of(plan: Plan, data: DataSet) -> tuple[Question, ...]:
    """Return the questions of the exam, which are the same before and after, and after every interruption."""
    return question_sets(
        data,
        plan.preferences,
        held_out=plan.sizes.held_out,
        others=plan.sizes.others,
        rewordings=HELD_OUT,
        carry=plan.sizes.carry,
        seed=plan.seed,
    )


def policies_under_test(
    plan: Plan, files: Files, when: str, data: DataSet | None = None
) -> tuple[PolicyUnderTest, ...]:
    """Return the policies under test: before, the base model and the persona; after, the tuned model."""
    longest = max(len(example.completion) for example in (data or DataSet.read(files.data)).train)
    thinking = {
        "reasoning": plan.reasoning != "none",
        "max_tokens": max(48, round(TOKENS_PER_CHARACTER * longest)),
    }
    if when == "after":
        model = f"local/{files.tuned}" if plan.batched else tuned_model(files)
        robust = {} if plan.votes == 1 else {"votes": plan.votes}
        robust |= {"held": True} if plan.held else {}
        return (policy_under_test(TUNED, model, **thinking, **robust),)
    some = {"sets": TAUGHT}
    policies = [
        policy_under_test(BASE_DIRECT, plan.base),
        policy_under_test(PERSONA_DIRECT, plan.base, persona=plan.persona),
    ]
    if thinking["reasoning"]:
        policies.insert(0, policy_under_test(BASE, plan.base, **thinking, **some))
        policies.append(policy_under_test(PERSONA, plan.base, persona=plan.persona, **thinking, **some))
    return tuple(policies)


def questions_open(plan: Plan) -> int:
    """Return the number of questions that are open at once, and fit into one batch."""
    return OPEN_ON_GPU if plan.device == "cuda" else CONCURRENCY


def greedy(tuned: PolicyUnderTest) -> PolicyUnderTest:
    """Return the tuned model with greedy decoding, at temperature 0."""
    return PolicyUnderTest(GREEDY, {**tuned.spec, "temperature": 0.0, "votes": 1})


def tuned_model(files: Files) -> str:
    """Return the tuned model's name: that of the GGUF file if there is one."""
    return f"local/{files.gguf if files.gguf.exists() else files.tuned}"


def _ask(
    plan: Plan,
    files: Files,
    asked: tuple[Question, ...],
    when: str,
    begin: Stage,
    *,
    allowance: Allowance,
) -> None:
    """Ask the questions of the exam, play the protocols, and run the transfer studies."""
    for title, path, study in _runs(plan, files, asked, when):
        with begin(title) as progress, allowance.of(path) as budget:
            limited = study if budget is None else type(study)(study.config.changed(budget=budget))
            complete(limited, path, progress=progress)


def _runs(
    plan: Plan, files: Files, asked: tuple[Question, ...], when: str, data: DataSet | None = None
) -> Iterator[tuple[str, Path, AnyStudy]]:
    """Yield what is run before or after tuning: the title, the file, and the study.

    What a study is after tuning depends on the files that are there, so it is made when its turn comes.
    """
    sizes, seed = plan.sizes, plan.seed
    who = policies_under_test(plan, files, when, data)
    if when == "before":
        # The base writes at length when it may think: it is asked only the first questions.
        few = tuple(question for name in TAUGHT for question in _first(asked, name, sizes))
        thinking = tuple(each for each in who if each.sets is not None)
        who = tuple(each for each in who if each.sets is None)
        if thinking and few:
            exam = exam_of(thinking, few, plan.preferences, seed=seed)
            yield "before: thinking first", files.run(when, "thinking"), exam
    at_once = {"seed": seed, "concurrency": questions_open(plan)}
    yield f"{when}: exam", files.run(when, "exam"), exam_of(who, asked, plan.preferences, **at_once)
    if when == "after" and sizes.greedy:
        taught = tuple(question for question in asked if question.set in TAUGHT)
        exam = exam_of([greedy(who[0])], taught, plan.preferences, **at_once)
        yield "after: greedy replies", files.run(when, "greedy"), exam
        protocols = _protocols(plan, (greedy(who[0]),))
        yield "after: greedy in the protocols", files.run(when, "greedy-protocols"), protocols
    yield f"{when}: protocols", files.run(when, "protocols"), _protocols(plan, who)
    if sizes.repeated:
        yield f"{when}: repeated games", files.run(when, "repeated"), _repeated(plan, files, when, who, data)
    model = plan.base if when == "before" else tuned_model(files)
    tabled = {name: value for name, value in who[0].spec.items() if name in TABLE_SETTINGS}
    if sizes.periods:
        from ludens.training.evaluation.transfer import RIVAL, market_of, market_pairs

        market = market_of((model, RIVAL), sizes.periods, seed=seed)
        yield f"{when}: pricing", files.run(when, "pricing"), market
        if plan.tabled and when == "after":
            # Period follows period: nothing is gained by answering many questions together.
            firm = {**tabled, "spec": model, "layout": TABLE}
            pairs = market_pairs(firm, plan.preferences.kappa)
            for name, pair in pairs.items():
                market = market_of(pair, sizes.periods, seed=seed)
                yield f"after: pricing, {name}", files.run("after", f"pricing-{name}"), market
    if sizes.studies:
        from ludens.training.evaluation.transfer import dilemmas_of

        dilemmas = dilemmas_of(model, sizes.studies, kappa=plan.preferences.kappa, seed=seed)
        yield f"{when}: autonomous vehicles", files.run(when, "vehicles"), dilemmas
        if plan.tabled and when == "after":
            dilemmas = dilemmas_of(
                {**tabled, "format": "letter", "label": TUNED},
                sizes.studies,
                framing=TABLE,
                kappa=plan.preferences.kappa,
                seed=seed,
            )
            yield "after: autonomous vehicles, as tables", files.run(when, "vehicles-table"), dilemmas


def questions_foreseen(plan: Plan, out: str | os.PathLike[str]) -> dict[str, int]:
    """Return how many questions models will be asked, by the title of the run; nothing is asked, and nothing
    is written. Runs that are done ask nothing more, and a question that is asked again is not counted.

    Args:
        plan: the plan, from `make_plan`.
        out: the folder of the alignment, new or begun.

    Raises:
        UsageError: the folder holds something else, or another plan.
    """
    is_begun(Path(out), plan)
    files = Files(Path(out))
    data = DataSet.read(files.data) if files.data.exists() else _data_of(plan)
    asked = questions_of(plan, data)
    return {
        title: _questions_in(study)
        for when in ("before", "after")[0 if plan.sizes.compared else 1 :]
        for title, path, study in _runs(plan, files, asked, when, data)
        if not is_done(path)
    }


def _questions_in(study: AnyStudy) -> int:
    from ludens.experiments.pricing.study import PricingStudy

    if isinstance(study, PricingStudy):
        return study.config.periods * sum(map(is_language_model, study.config.firms))
    cast = study.cast()
    if isinstance(study, RepeatedStudy):
        return sum(
            study.config.rounds * (2 if labels["partner"] == "itself" else 1)
            for labels in study.episodes()
            if is_language_model(cast[str(labels["policy"])])
        )
    return sum(is_language_model(cast[str(labels["policy"])]) for labels in study.episodes())


def _repeated(
    plan: Plan, files: Files, when: str, who: tuple[PolicyUnderTest, ...], data: DataSet | None
) -> RepeatedStudy:
    """Return the games that the policies under test, and afterwards the target's oracle, play repeatedly."""
    target = plan.preferences
    if when == "after":
        weights = {name: value for name, value in asdict(target).items() if value}
        who = (*who, PolicyUnderTest(ORACLE, {"spec": "oracle", **weights}))
    return repeated_of(
        who,
        _matches(plan, data or DataSet.read(files.data)),
        target,
        rounds=plan.sizes.repeated,
        seed=plan.seed,
        concurrency=questions_open(plan),
    )


def _matches(plan: Plan, data: DataSet) -> tuple[MatchConfig, ...]:
    """Return the games that are played repeatedly."""
    return draw_matches(
        data,
        plan.preferences,
        games=plan.sizes.matches,
        framings=("neutral", TABLE) if plan.tabled else ("neutral",),
        seed=plan.seed,
    )


def _first(asked: tuple[Question, ...], name: str, sizes: Sizes) -> tuple[Question, ...]:
    return tuple(question for question in asked if question.set == name)[: sizes.thinking]


def _protocols(plan: Plan, who: tuple[PolicyUnderTest, ...]) -> BenchStudy:
    return BenchStudy(
        BenchConfig(
            models=[each.named for each in who],
            framings=("neutral",),
            replicates=plan.sizes.replicates,
            protocols=plan.sizes.protocols,
            seed=plan.seed,
            concurrency=questions_open(plan),
        )
    )


def _tune(plan: Plan, data: DataSet, asked: tuple[Question, ...], files: Files, progress: Any) -> None:
    """Tune, and train the model further in rounds on what it gets wrong."""
    from ludens.training.tuning import tune
    from ludens.training.tuning.rounds import next_round

    if files.card.exists():
        return
    recipe = plan.recipe()
    if not plan.rounds:
        tune(plan.base, data, files.tuned, recipe=recipe, progress=progress)
        return
    before = tune(plan.base, data, files.round(0), recipe=recipe, progress=progress)
    gentle = replace(recipe, learning_rate=recipe.rate(len(data.train)) / 2)
    found: list[dict[str, Any]] = []
    if files.rounds.exists():
        found = json.loads(files.rounds.read_text(encoding="utf-8"))
    pool = None
    for number in range(plan.rounds):
        lessons = files.lessons(number)
        if number == len(found):
            pool = pool or _pool(plan, data, asked)
            part = pool.train[number * plan.examples : (number + 1) * plan.examples]
            if not part:  # of few families there are few games
                break
            answered = next_round(before.name, replace(pool, train=part), seed=plan.seed + number)
            _free_memory()
            if answered.data is not None:
                answered.data.write(lessons)
            found.append({name: value for name, value in vars(answered).items() if name != "data"})
            write_whole(files.rounds, json.dumps(found, indent=2) + "\n")
        if not lessons.exists():
            break
        learnt, out = DataSet.read(lessons), files.round(number + 1)
        before = tune(plan.base, learnt, out, recipe=gentle, start=before.folder, progress=progress)
    draft = files.folder / ".tuned"
    for rest in (draft, files.tuned):  # of a copy that was killed
        shutil.rmtree(rest, ignore_errors=True)
    shutil.copytree(before.folder, draft)
    draft.rename(files.tuned)


def _pool(plan: Plan, data: DataSet, asked: tuple[Question, ...]) -> DataSet:
    """Return new turns for the rounds, none of them about anything that is asked before or after."""
    from ludens.training.tuning.rounds import without

    keys = {question.key for question in asked}
    if plan.sizes.repeated:
        keys |= {game_key(game_of(match.family, match.payoffs)) for match in _matches(plan, data)}
    return without(build_for(plan, 2 * (1 + plan.rounds) * plan.examples), data, keys)


def _export(files: Files) -> None:
    """Write the GGUF file, or the reason why this kind of model cannot be written as one."""
    from ludens.training.tuning import export
    from ludens.training.tuning.tune import NoGgufError

    if files.gguf.exists() or files.no_gguf.exists():
        return
    try:
        with _quiet():
            export(files.tuned, files.gguf, format="gguf")
    except NoGgufError as error:
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
    """Suppress the warnings of PEFT and Transformers about each other's deprecated names."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        warnings.filterwarnings("ignore", "Input and output embeddings are no longer tied", UserWarning)
        yield


def _free_memory() -> None:
    """Free the memory of loaded models before the next stage needs it."""
    from ludens.agents.local import close_all

    close_all()
