"""Benchmark policies on the preference suite, beside the built-in reference policies."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ludens.agents.policy import Policy
from ludens.errors import UsageError
from ludens.experiments.blocking import RunInterrupted, run_blocking
from ludens.experiments.database import NoRunError, StoreError, reason
from ludens.experiments.intervals import Estimate
from ludens.experiments.metrics import Measures, measure
from ludens.experiments.recorder import OnProgress
from ludens.experiments.records import DecisionRecord
from ludens.experiments.run import Run
from ludens.experiments.runner import check_concurrency, check_resumable, run_episodes
from ludens.experiments.seeds import check_seed
from ludens.experiments.store import Store, create_run
from ludens.experiments.suite import FRAMINGS, PolicySpec, Suite, player

if TYPE_CHECKING:
    from rich.console import Console

CONCURRENCY = 32


@dataclass(frozen=True)
class BenchResult:
    """A benchmark as measured.

    Attributes:
        run_path: the run's file.
        report_path: the HTML report; None until one is written.
        models: labels of the policies under test; the other measures are of reference policies.
        measures: one per policy, models first.
        decisions: everything that was asked and answered.
        manifest: of the run.
        planned, ended: how many questions the run has, and how many were put.
    """

    run_path: Path
    report_path: Path | None
    models: tuple[str, ...]
    measures: tuple[Measures, ...]
    decisions: tuple[DecisionRecord, ...]
    manifest: Mapping[str, Any]
    planned: int
    ended: int

    @property
    def table(self) -> list[dict[str, Any]]:
        """The summary, one row per policy: name, whether it is a reference, and its main estimates."""
        return [_row(found, found.policy in self.models) for found in self.measures]


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
    player(suite)  # a policy that cannot be made leaves no file behind
    config = suite.to_config() | {"concurrency": concurrency}
    store = create_run(path, "bench", config, suite.specs(), seed)
    return _play(store, suite, concurrency, progress)


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
        manifest, episodes = _checked(run), run.episodes()
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
    return _play(Store(path), suite, at_once, progress)


def load_result(path: str | os.PathLike[str]) -> BenchResult:
    """Measure a run as it stands on disk, finished or not, without asking anything.

    Raises:
        NoRunError: the file is no benchmark.
    """
    with Run(path) as run:
        manifest, episodes, decisions = _checked(run), run.episodes(), run.decisions()
    labels = [episode.labels for episode in episodes]
    report = report_path(path)
    return BenchResult(
        run_path=Path(path),
        report_path=report if report.exists() else None,
        models=tuple(model["label"] for model in manifest["config"]["models"]),
        measures=measure(decisions, labels, seed=manifest["seed"]),
        decisions=tuple(decisions),
        manifest=manifest,
        planned=len(episodes),
        ended=sum(episode.status not in {"planned", "running"} for episode in episodes),
    )


def report_path(path: str | os.PathLike[str]) -> Path:
    """Where the report of a run lies: beside it, with the ending ``.html``."""
    return Path(path).with_suffix(".html")


def to_json(result: BenchResult) -> dict[str, Any]:
    """Everything measured, as JSON values: the run, how it came about, and every estimate of every policy."""
    return {
        "run": str(result.run_path),
        "report": None if result.report_path is None else str(result.report_path),
        "models": list(result.models),
        "planned": result.planned,
        "ended": result.ended,
        "seconds": result.manifest["seconds"],
        "manifest": dict(result.manifest),
        "estimates": list(estimates(result)),
        "costs": {found.policy: asdict(found.costs) for found in result.measures},
    }


def write_csv(result: BenchResult, path: str | os.PathLike[str]) -> Path:
    """Every estimate as one row of a CSV file: see `estimates`. The file is replaced whole or not at all.

    Raises:
        StoreError: it cannot be written.
    """
    rows = list(estimates(result))
    target = Path(path)
    draft = target.with_name(target.name + ".part")
    try:
        with draft.open("w", newline="", encoding="utf-8", errors="backslashreplace") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
        draft.replace(target)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise StoreError(
            f"The table cannot be written to {target} ({reason(error)}): name another file in "
            f"`ludens report {result.run_path} --csv FILE`; what was asked is kept."
        ) from None
    return target


def estimates(result: BenchResult) -> Iterator[dict[str, Any]]:
    """Every estimate, tidily: policy, measure, what it is of (family, node, framing, κ, beliefs; None where
    it is of all), value, the interval's ends, n, clusters, method and note.
    """
    for found in result.measures:
        for name in _PLAIN:
            yield _entry(found.policy, name, getattr(found, name))
        for cooperation in found.cooperation:
            place = {"family": cooperation.family, "node": cooperation.node}
            yield _entry(found.policy, "cooperation", cooperation.rate, **place)
        for family, estimate in found.by_family.items():
            yield _entry(found.policy, "cooperation", estimate, family=family)
        for name, by_framing in (
            ("cooperation", found.by_framing),
            ("first_shown", found.first_by_framing),
            ("answer_mass", found.mass_by_framing),
        ):
            for framing, estimate in by_framing.items():
                yield _entry(found.policy, name, estimate, framing=framing)
        for slope in found.sensitivity:
            at: dict[str, str | None] = {"family": slope.family, "node": slope.node}
            yield _entry(found.policy, "temptation_slope", slope.temptation, **at)
            yield _entry(found.policy, "risk_slope", slope.risk, **at)
        for comparison in found.comparisons:
            oracle = {"kappa": comparison.kappa, "beliefs": comparison.beliefs}
            yield _entry(found.policy, "agreement", comparison.agreement, **oracle)
            yield _entry(found.policy, "regret", comparison.regret, **oracle)


def render_summary(result: BenchResult, console: Console) -> None:
    """Print the table, where the report lies, and how to go on; fits 80 columns."""
    from ludens.experiments.report.terminal import print_summary

    print_summary(result, console)


_PLAIN = (
    "overall",
    "order_consistency",
    "framing_consistency",
    "first_shown",
    "invalid",
    "refused",
    "beliefs_unread",
    "answer_mass",
)


def _play(store: Store, suite: Suite, concurrency: int, progress: OnProgress | None) -> BenchResult:
    try:
        play_one = player(suite)
    except BaseException:
        store.close()
        raise
    job = run_episodes(store, suite.specs(), play_one, concurrency=concurrency, progress=progress)
    run_blocking(store, job, keyboard=any(model["spec"] == "human" for model in suite.models))
    return _reported(store.path)


def _reported(path: str | os.PathLike[str]) -> BenchResult:
    from ludens.experiments.report import write_report

    try:
        return write_report(load_result(path))
    except KeyboardInterrupt as interrupt:
        message = f"Interrupted before the report was written: `ludens report {path}` writes it."
        raise RunInterrupted(message) from interrupt


def _checked(run: Run) -> dict[str, Any]:
    manifest = run.manifest
    if manifest["kind"] != "bench":
        raise NoRunError(
            f"{run.path} is a run of {manifest['kind']}, not a benchmark: `ludens show {run.path}`."
        )
    return manifest


def _entry(policy: str, name: str, estimate: Estimate, **of: Any) -> dict[str, Any]:
    place = {key: of.get(key) for key in ("family", "node", "framing", "kappa", "beliefs")}
    return {"policy": policy, "measure": name} | place | asdict(estimate)


def _row(found: Measures, tested: bool) -> dict[str, Any]:
    economicus, moralis = found.comparison(0.0), found.comparison(0.5)
    assert economicus is not None
    assert moralis is not None
    return {
        "policy": found.policy,
        "reference": not tested,
        "cooperation": found.overall,
        "agreement_economicus": economicus.agreement,
        "agreement_moralis": moralis.agreement,
        "regret_economicus": economicus.regret,
        "regret_moralis": moralis.regret,
        "order_consistency": found.order_consistency,
        "framing_consistency": found.framing_consistency,
        "first_shown": found.first_shown,
        "invalid": found.invalid,
        "refused": found.refused,
        "answer_mass": found.answer_mass,
        "decisions": found.costs.decisions,
        "cost": found.costs.cost,
        "call_seconds": found.costs.call_seconds,
    }
