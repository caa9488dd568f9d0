"""Run a study: start it, go on with it, extend it, measure it. Written once, for every kind."""

from __future__ import annotations

import logging
import os
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from ludens.agents.llm.loop import here
from ludens.errors import UsageError
from ludens.experiments.runs.blocking import run_blocking
from ludens.experiments.runs.budget import Budget, changed_budget
from ludens.experiments.runs.database import NoRunError, StoreError
from ludens.experiments.runs.lanes import LaneOf
from ludens.experiments.runs.progress import notebook_bar
from ludens.experiments.runs.recorder import OnProgress
from ludens.experiments.runs.records import EpisodeSpec
from ludens.experiments.runs.run import Run
from ludens.experiments.runs.runner import PlayOne, run_episodes
from ludens.experiments.runs.seeds import episode_seeds
from ludens.experiments.runs.stop import Stop
from ludens.experiments.runs.store import Store, create_run
from ludens.experiments.study.base import Labels, ResultT, Study
from ludens.experiments.study.config import (
    CARRYING_OUT,
    CONNECTION,
    PolicyLike,
    StudyConfig,
    as_kept,
    check_templates,
    described,
    identity,
    same_policy,
)
from ludens.experiments.study.connection import ApiBase, Connection, check_policy, moved
from ludens.experiments.study.lacking import lacking
from ludens.experiments.study.questions import is_hosted
from ludens.experiments.study.registry import AnyStudy, find_study, reference_of

logger = logging.getLogger("ludens")
"""Warns before a run ends: on standard error, unless a program sets up its own logging."""


def run_study(
    study: AnyStudy, path: str | os.PathLike[str] | None = None, *, progress: OnProgress | None = None
) -> Run:
    """Play all episodes of a study into a new run.

    Works in scripts and, since it brings its own event loop, in notebooks. A run that breaks off is
    continued by `resume`, or by ``ludens resume`` on the command line.

    Args:
        study: what to play, with its configuration.
        path: the run's file; None for a new name under ``runs/``.
        progress: called after each decision and each episode; None for a bar in notebooks, and nothing
            elsewhere.

    Raises:
        UsageError: the configuration is wrong; nothing was written.
        StoreError: the run cannot be written.
        RunAbortedError: a policy aborted the run.
        LudensError: a model cannot be reached; what was answered is kept.
        RunInterrupted: Ctrl-C; what was answered is kept.
    """
    store, specs, play_one = _started(study, path)
    _play(study, store, specs, play_one, progress)
    return Run(store.path)


async def arun_study(
    study: AnyStudy, path: str | os.PathLike[str] | None = None, *, progress: OnProgress | None = None
) -> Run:
    """Play all episodes within a running event loop; see `run_study`. Cancelling leaves a run that can be
    resumed.
    """
    store, specs, play_one = _started(study, path)
    with store, notebook_bar(_named(study), progress, hidden=study.keyboard) as shown:
        async with here():
            await _episodes(study, store, specs, play_one, shown)
    return Run(store.path)


def resume(
    path: str | os.PathLike[str],
    *,
    api_base: ApiBase = None,
    patience: str | float | None = None,
    progress: OnProgress | None = None,
    **changes: Any,
) -> Run:
    """Go on with a run that broke off, wherever it did; a run that is done is returned as it is.

    Decisions that were made and calls that were answered are not asked for again. Calls that were under way
    when the process died had no reply yet, and are made again.

    Args:
        path: the run's file.
        api_base: where the models are reached now, if not where they were: an address in place of the one
            that the run has, or addresses by model. The file keeps them for the next time, without passwords.
        patience: how long to wait out outages and rate limits this time; see
            `ludens.agents.llm.settings.ModelSettings`.
        progress: as in `run_study`.
        changes: values of the configuration in place of those at the start: another ``concurrency``, or the
            Python objects that the file cannot describe (``policies=…``). They may not change what is asked.

    Raises:
        NoRunError: the file is not a run.
        StoreError: another process has it, or a policy aborted it.
        UsageError: a policy was a Python object and is not given, the episodes would not be those of the
            file, or a key would be sent to an address that the file names; nothing was sent.
    """
    with Run(path) as run:
        study = resumed(run, api_base, patience, **changes)
    return continue_run(study, path, progress=progress)


def resumed(
    run: Run, api_base: ApiBase = None, patience: str | float | None = None, **changes: Any
) -> AnyStudy:
    """Return the study with which a run goes on; see `resume`.

    Raises:
        UsageError: a change or an address is wrong, or a key would be sent to an address that the file names.
    """
    _check_files(run, changes)
    study = study_of(run, **_with_budget(run, changes))
    stored = run.manifest.get("addresses", ())
    inherited = {name: each for name, each in study.inherited().items() if name not in changes}
    asked = [policy for policies in inherited.values() for policy in policies]
    asked += study.config.named_policies(without=changes)
    connection = Connection(run.path, asked, stored, api_base, patience=patience)
    if run.manifest["status"] != "done":
        connection.check()
    return _connected(study, connection, inherited, without=changes)


def _check_files(run: Run, changes: Mapping[str, Any]) -> None:
    """See that a run keeps its files.

    Raises:
        UsageError: it is to have another number of them.
    """
    begun = run.manifest["config"].get("shards") or 1
    if (changes.get("shards") or begun) != begun:
        raise UsageError(f"{run.path} keeps the number of files that it was begun with: leave shards out.")


def _with_budget(run: Run, changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return changes whose budget has those limits of the run's own that are not given anew."""
    if "budget" not in changes:
        return dict(changes)
    present = Budget.read(run.manifest["config"].get("budget"))
    return {**changes, "budget": changed_budget(present, changes["budget"])}


def _connected(
    study: AnyStudy,
    connection: Connection,
    inherited: Mapping[str, Sequence[PolicyLike]],
    without: Collection[str] = (),
) -> AnyStudy:
    """Return a study whose models are reached where the connection says, and whose run keeps the
    configuration as it is.
    """
    elsewhere = {
        name: [connection.reached(each) for each in policies] for name, policies in inherited.items()
    }
    changed = {name: policies for name, policies in elsewhere.items() if policies != list(inherited[name])}
    config = study.config.with_policies(connection.reached, without=without)
    connected = type(study)(config.changed(**changed) if changed else config)
    connected.kept, connected.addresses = study.kept, connection.addresses
    return connected


def continue_run(study: AnyStudy, path: str | os.PathLike[str], *, progress: OnProgress | None = None) -> Run:
    """Go on with a run as its study, made by `resumed`; see `resume`.

    Raises:
        StoreError: another process has the run, or a policy aborted it.
        UsageError: the episodes would not be those of the file.
    """
    with Run(path) as run:
        manifest, played, begun = run.manifest, run.episodes(), study_of(run)
    if manifest["status"] == "done":
        return Run(path)
    if manifest["status"] == "aborted" and study.abort_run:
        raise StoreError(f"{path} was aborted and cannot go on: {manifest['detail']}")
    _check_cast(begun, study)
    specs = [EpisodeSpec(record.index, record.labels) for record in played]
    if lacking(study.episodes(), [spec.labels for spec in specs]) or len(study.episodes()) != len(specs):
        version = manifest["versions"].get("ludens", "unknown")
        raise UsageError(
            f"{path} was begun with other episodes than its configuration gives now (a game may have "
            f"changed): use the version that began it, ludens {version}."
        )
    play_one = study.player()
    store = Store(path)
    if study.addresses != manifest.get("addresses", []):
        store.set_addresses(study.addresses)
    if (budget := study.config.budget) != begun.config.budget:
        store.set_budget(None if budget is None else budget.as_json())
    _play(study, store, specs, play_one, progress)
    return Run(path)


def complete(study: AnyStudy, path: str | os.PathLike[str], *, progress: OnProgress | None = None) -> Run:
    """Play what is still to be played of a study, in a file that may hold part of it or all of it.

    Args:
        study: what to play, with its configuration.
        path: the run's file, new or of this very study; another concurrency or budget is no other study, and
            neither is another way to reach its models.
        progress: as in `run_study`.

    Raises:
        NoRunError: the file is a run of another kind.
        UsageError: it holds another configuration.
        LudensError: as `run_study` and `resume` do.
    """
    if not Path(path).exists():
        return run_study(study, path, progress=progress)
    with Run(path) as run:
        manifest = run.manifest
        if manifest["kind"] != study.kind():
            raise NoRunError(
                f"{path} is a run of {manifest['kind']}, not of {study.kind()}: name another file."
            )
        begun = study_of(run)
    if _asked(begun.config) != _asked(study.config):
        raise UsageError(f"{path} holds another {study.kind()}: name another file, or move it away.")
    study.addresses = moved(begun.config.named_policies(), study.config.named_policies())
    return continue_run(study, path, progress=progress)


def extend(
    path: str | os.PathLike[str],
    *,
    api_base: ApiBase = None,
    patience: str | float | None = None,
    progress: OnProgress | None = None,
    **changes: Any,
) -> Run:
    """Add episodes to a run: more replicates, more models, whatever its study lets grow. What the run holds
    stays, and only what is new is asked.

    Args:
        path: the run's file.
        api_base: as in `resume`; models that are added without an address have it too.
        patience: as in `resume`.
        progress: as in `run_study`.
        changes: the larger values of the configuration, by key (``replicates=3``).

    Raises:
        NoRunError: the file is not a run.
        UsageError: a key does not let a run grow, episodes would be lost, or a key would be sent to an
            address that the file names; nothing was changed.
        StoreError: another process has it.
    """
    with Run(path) as run:
        larger = extended(run, api_base, patience, **changes)
    return extend_run(larger, path, progress=progress)


def extended(
    run: Run, api_base: ApiBase = None, patience: str | float | None = None, **changes: Any
) -> AnyStudy:
    """Return a run's study with larger values of the configuration; see `extend`.

    Raises:
        UsageError: a key does not let a run grow, a value or an address is wrong, or a key would be sent to
            an address that the file names.
    """
    _check_files(run, changes)
    study = study_of(run)
    changes = _with_budget(run, changes)
    fixed = sorted(set(changes) - study.grows - _objects(study) - CARRYING_OUT)
    if fixed:
        grow = ", ".join(sorted(study.grows)) or "none"
        raise UsageError(
            f"{run.path} cannot be extended by {fixed[0]!r}; keys of {study.kind()!r} that let a run "
            f"grow: {grow}."
        )
    larger = type(study)(study.config.changed(**changes))
    _check_cast(study, larger)
    held = study.config.named_policies()
    inherited = larger.inherited()
    connection = Connection(
        run.path,
        [*(policy for policies in inherited.values() for policy in policies), *held],
        run.manifest.get("addresses", ()),
        api_base,
        added=[policy for policy in larger.config.named_policies() if policy not in held],
        patience=patience,
    )
    connection.check()
    completed = type(study)(larger.config.with_policies(connection.completed))
    return _connected(completed, connection, inherited)


def extend_run(larger: AnyStudy, path: str | os.PathLike[str], *, progress: OnProgress | None = None) -> Run:
    """Add the episodes that a run lacks of its larger study, made by `extended`; see `extend`.

    Raises:
        UsageError: episodes would be lost, or a policy cannot be made; nothing was changed.
        StoreError: another process has the run.
    """
    with Run(path) as run:
        manifest, played = run.manifest, run.episodes()
    if manifest["status"] == "aborted" and larger.abort_run:
        raise StoreError(f"{path} was aborted and cannot grow: {manifest['detail']}")
    held = [record.labels for record in played]
    if lost := lacking(held, larger.episodes()):
        raise UsageError(
            f"{path} holds an episode that the new configuration lacks ({_told(lost[0])}): extending "
            "only adds."
        )
    added = lacking(larger.episodes(), held)
    first = 1 + max((record.index for record in played), default=-1)
    specs = [_spec(larger, first + place, labels) for place, labels in enumerate(added)]
    play_one = larger.player()
    store = Store(path)
    try:
        if len(store.episodes()) != len(played):
            raise StoreError(f"Another process has extended {path} meanwhile: try again.")
        store.extend(larger.kept.as_json(), specs, larger.addresses)
    except BaseException:
        store.close()
        raise
    whole = [EpisodeSpec(record.index, record.labels) for record in played] + specs
    _play(larger, store, whole, play_one, progress)
    return Run(path)


def study_of(run: Run, **changes: Any) -> AnyStudy:
    """Return the study that a run belongs to, with the configuration in its manifest.

    Raises:
        UsageError: no study of that kind is known here, or a change is wrong.
    """
    return study_from(run.manifest, **changes)


def study_from(manifest: Mapping[str, Any], **changes: Any) -> AnyStudy:
    """Return the study that a manifest describes; see `study_of`."""
    made = find_study(manifest["kind"], manifest.get("study"))
    check_templates(manifest["config"])
    config = made.config_type(**manifest["config"])
    config = config.with_policies(as_kept)
    return made(config.changed(**changes) if changes else config)


def load(path: str | os.PathLike[str]) -> tuple[AnyStudy, Any]:
    """Return a run's study and what is measured on the run as it stands, finished or not; nothing is asked.

    Raises:
        NoRunError: the file is not a run.
        UsageError: no study of its kind is known here.
    """
    with Run(path) as run:
        study = study_of(run)
        return study, study.measure(run)


def load_result(study: type[Study[Any, ResultT]], path: str | os.PathLike[str]) -> ResultT:
    """Return what is measured on a run of one kind, as it stands; nothing is asked.

    Raises:
        NoRunError: the file is not a run, or one of another kind.
    """
    with Run(path) as run:
        run.manifest_of(study.kind())
        result: ResultT = study_of(run).measure(run)
        return result


def _check_cast(begun: AnyStudy, study: AnyStudy) -> None:
    """See that no policy has come in the place of another one, whose decisions the run holds.

    Raises:
        UsageError: one has.
    """
    before = begun.cast()
    for name, policy in study.cast().items():
        if name in before and not same_policy(before[name], policy):
            raise UsageError(
                f"{study.kind()}: {name!r} is {identity(before[name])!r} in the run and would now be "
                f"{identity(policy)!r}: give the other policy a label of its own."
            )


def _asked(config: StudyConfig) -> dict[str, Any]:
    """Return what a configuration asks of whom, however many at once and wherever models are reached."""

    def plain(policy: PolicyLike) -> PolicyLike:
        given = described(policy)
        if isinstance(given, str):
            return given
        kept = {name: value for name, value in given.items() if name not in CONNECTION}
        return str(kept["spec"]) if set(kept) == {"spec"} else kept

    values = config.with_policies(plain).as_json()
    return {name: value for name, value in values.items() if name not in CARRYING_OUT}


def _objects(study: AnyStudy) -> set[str]:
    """Return the keys that held a Python object, which the run's file cannot describe."""

    def undescribed(value: Any) -> bool:
        if isinstance(value, Mapping):
            if "name" in value and not {"spec", "id"} & set(value):
                return True
            return any(map(undescribed, value.values()))
        return isinstance(value, list) and any(map(undescribed, value))

    return {name for name, value in study.config.as_json().items() if undescribed(value)}


def _started(
    study: AnyStudy, path: str | os.PathLike[str] | None
) -> tuple[Store, list[EpisodeSpec], PlayOne]:
    for policies in study.inherited().values():
        for policy in policies:
            check_policy(getattr(study.config, "source", "The source"), policy)
    specs = [_spec(study, index, labels) for index, labels in enumerate(study.episodes())]
    play_one = study.player()
    study.executor()
    store = create_run(
        path,
        study.kind(),
        study.config.as_json(),
        specs,
        study.config.seed,
        study=reference_of(type(study)),
        shards=study.config.shards or 1,
    )
    return store, specs, play_one


def _spec(study: AnyStudy, index: int, labels: Labels) -> EpisodeSpec:
    if taken := sorted({"episode", "status", "detail"} & set(labels)):
        raise UsageError(
            f"{study.kind()}: {taken[0]!r} cannot be a label, since every table has that column."
        )
    if type(study).drawn is not Study.drawn:  # most studies draw nothing here
        labels = study.drawn(labels, episode_seeds(study.config.seed, index))
    return EpisodeSpec(index, labels)


def _play(
    study: AnyStudy,
    store: Store,
    specs: Sequence[EpisodeSpec],
    play_one: PlayOne,
    progress: OnProgress | None,
) -> None:
    with notebook_bar(_named(study), progress, hidden=study.keyboard) as shown:
        run_blocking(store, lambda stop: _episodes(study, store, specs, play_one, shown, stop=stop))


def _named(study: AnyStudy) -> str:
    return study.kind().replace("_", " ")


async def _episodes(
    study: AnyStudy,
    store: Store,
    specs: Sequence[EpisodeSpec],
    play_one: PlayOne,
    progress: OnProgress | None,
    *,
    stop: Stop | None = None,
) -> None:
    await run_episodes(
        store,
        specs,
        study.player,
        play_one=play_one,
        executor=study.executor(),
        # Two episodes at one keyboard would be asked in turns.
        concurrency=1 if study.keyboard else study.config.concurrency,
        computing=study.computes,
        progress=progress,
        abort_run=study.abort_run,
        first=(first := study.first(specs)),
        after_first=lambda: _warn(study, store, first),
        stop=stop,
        budget=study.config.budget,
        lane_of=_lanes(study),
    )


def _lanes(study: AnyStudy) -> LaneOf:
    """Return the lanes of a study's episodes: one for each model that is asked over a network, and one for
    all others, which share this machine.
    """
    hosted = {label for label, policy in study.cast().items() if is_hosted(policy)}

    def lane_of(spec: EpisodeSpec) -> str:
        label = str(spec.labels.get("policy", ""))
        return label if label in hosted else ""

    return lane_of


def _warn(study: AnyStudy, store: Store, first: Collection[int]) -> None:
    with Run(store.path) as run:
        for sentence in study.look(run, first):
            logger.warning("%s", sentence)


def _told(labels: Labels) -> str:
    return ", ".join(f"{name} {value}" for name, value in labels.items())
