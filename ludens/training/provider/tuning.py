"""Tuning of a model by its provider: check, estimate, confirm, send, create, follow, record."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any
from uuid import uuid4

from ludens.agents.llm.addresses import exposures
from ludens.agents.secrets import without_secrets
from ludens.errors import UsageError
from ludens.experiments.runs.files import write_whole
from ludens.experiments.runs.lock import RunLock
from ludens.training.provider.preparation import Prepared, prepare
from ludens.training.provider.prices import Estimate
from ludens.training.provider.record import NAME, ProviderError, ProviderJob, SentFile
from ludens.training.provider.rules import check_suffix
from ludens.training.provider.steps import create, find_job, news, send
from ludens.training.provider.transport import Transport

LONGEST_POLL = 60.0


@dataclass(frozen=True)
class TuningProgress:
    """The progress of a job.

    Attributes:
        status: the status, as in `ProviderJob.status`.
        seconds: seconds since this call began.
        trained_tokens: tokens trained so far, if the provider reports them.
        finish: the provider's estimate of the end, in seconds since 1970; None if it gives none.
    """

    status: str
    seconds: float
    trained_tokens: int | None = None
    finish: float | None = None


Progress = Callable[[TuningProgress], None]


def provider_tune(
    model: str,
    data: object,
    *,
    out: str | os.PathLike[str] | None = None,
    epochs: int | None = None,
    suffix: str | None = None,
    api_base: str | None = None,
    max_cost: float | None = None,
    confirm: Callable[[Estimate], bool] | None = None,
    progress: Progress | None = None,
    poll: float = 15.0,
    transport_retries: int = 4,
    retry_wait: float = 1.0,
    patience: float = 3600.0,
    **options: Any,
) -> ProviderJob:
    """Tune a model at its provider, and wait until it is done.

    Args:
        model: ``openai/…``, ``azure/…`` or ``vertex_ai/…``.
        data: a data set, its folder, or a JSONL file.
        out: folder for the job's record and files; by default one under ``tuned/`` that is the same for the
            same job.
        epochs: passes over the examples; None lets the provider choose.
        suffix: part of the tuned model's name; by default ``ludens-`` and eight characters.
        api_base: address of a server with the provider's API.
        max_cost: US dollars; a job with a higher estimate, or without a known price, is not started.
        confirm: called with the estimate, returns whether to proceed. It or `max_cost` must be given.
        progress: called with the progress of the job, whenever its state has been requested.
        poll: seconds between requests for the state; up to a minute for long jobs.
        transport_retries: number of times that a request is repeated after 429, 5xx or a broken connection.
        retry_wait: seconds before the first repetition; see `ludens.agents.llm.endpoint.Endpoint`.
        patience: seconds for which the job's state is requested without an answer.
        options: options of LiteLLM, for example ``api_key``, ``api_version``, ``vertex_project``. Keys are
            not written to the record.

    Returns:
        The job, with `policy` as the tuned model's name.

    Raises:
        UsageError: the file breaks a rule, the price is above `max_cost` or was not confirmed, the folder
            holds another job, or an argument is invalid. Nothing was sent.
        ModelError: there is no key, or the provider does not know the model.
        ProviderError: the provider rejected the file, the job failed or was cancelled, or the provider did
            not answer. If the job continues, the message says how to follow it again.
    """
    if max_cost is None and confirm is None:
        raise UsageError(
            "Tuning costs money: give max_cost, or confirm (lambda estimate: True agrees to all)."
        )
    if not poll > 0:
        raise UsageError(f"poll is a number of seconds above 0; got {poll}.")
    if api_base is not None:
        options["api_base"] = api_base
    prepared = prepare(model, data, epochs=epochs)
    if suffix is not None:
        check_suffix(prepared.model.split("/")[0], suffix)
    transport = Transport(model, options, transport_retries, retry_wait, patience)
    transport.check()
    folder = prepared.folder if out is None else Path(out)
    _check_free(folder)
    _agree(prepared.estimate, max_cost, confirm)
    with _writing(folder):
        _check_free(folder)
        job = _start(prepared, folder, suffix, options)
        return _go_on(job, transport, progress, poll)


def resume_provider_tune(
    path: str | os.PathLike[str],
    *,
    tuned_model: str | None = None,
    progress: Progress | None = None,
    poll: float = 15.0,
    transport_retries: int = 4,
    retry_wait: float = 1.0,
    patience: float = 3600.0,
    **options: Any,
) -> ProviderJob:
    """Resume a job from its record, wherever it stopped; a job that has succeeded is returned.

    Args:
        path: the job's folder, or the record in it.
        tuned_model: the provider's name of the tuned model, to be recorded; for Vertex AI, where LiteLLM
            can create jobs but not request their state.
        progress: see `provider_tune`.
        poll: see `provider_tune`.
        transport_retries: see `provider_tune`.
        retry_wait: see `provider_tune`.
        patience: see `provider_tune`.
        options: see `provider_tune`; they override those of the record. A key that is not in the environment
            must be given again.

    Raises:
        UsageError: there is no record, or another process follows the job.
        ProviderError: the job failed or was cancelled, or the provider did not answer.
    """
    if not poll > 0:
        raise UsageError(f"poll is a number of seconds above 0; got {poll}.")
    folder = ProviderJob.read(path).folder
    with _writing(folder):
        job = ProviderJob.read(folder)
        if tuned_model is not None:
            if job.ended or job.job_id is None:
                raise UsageError(f"The job in {folder} is {job.status}: it has no result to be named.")
            return job.moved("succeeded", tuned_model=tuned_model)
        if job.status == "succeeded":
            return job
        transport = _transport(job, options, transport_retries, retry_wait, patience)
        return _go_on(job, transport, progress, poll)


def cancel_provider_tune(path: str | os.PathLike[str], **options: Any) -> ProviderJob:
    """Cancel a job at its provider and record that; the training so far may be billed.

    Another process that follows the job will see that it was cancelled.

    Raises:
        UsageError: there is no record.
        ProviderError: the job has ended, or the provider does not answer.
    """
    job = ProviderJob.read(path)
    if job.ended:
        raise ProviderError(f"There is nothing to cancel: the job in {job.folder} has ended ({job.status}).")
    transport = _transport(job, options)
    lock = RunLock(job.path)
    alone = lock.acquire()
    try:
        if job.job_id is None:
            if not alone:
                raise UsageError(
                    f"The job in {job.folder} is being started by another process; stop that first."
                )
            if "train" not in job.files or job.files["train"].id is None:
                return job.moved("cancelled")
            made = find_job(job, transport)
            if made is None:
                return job.moved("cancelled")
            job = replace(job, job_id=str(made.id))
        try:
            state = transport.cancel(str(job.job_id))
        except Exception as error:
            raise transport.error(error, f"the wish to cancel the job {job.job_id}") from error
        changed = replace(job, **news(job, state))
        return changed.moved(str(state.status)) if alone else replace(changed, status=str(state.status))
    finally:
        if alone:
            lock.release()


def _agree(found: Estimate, max_cost: float | None, confirm: Callable[[Estimate], bool] | None) -> None:
    if max_cost is not None:
        if found.cost is None:
            raise UsageError(
                f"The price of training {found.model} is not known here, so it cannot be held "
                f"to ${max_cost:g}; see the provider's page and start without a limit."
            )
        if not found.cost <= max_cost:  # a limit that is not a number allows nothing
            raise UsageError(
                f"Tuning would cost about {found.dollars}, more than the limit of ${max_cost:g}; "
                "take fewer examples or epochs, or raise the limit."
            )
    if confirm is not None and not confirm(found):
        raise UsageError("Not started: the price was not agreed to; nothing was sent.")


def _check_free(folder: Path) -> None:
    if not (folder / NAME).exists():
        if folder.exists() and (not folder.is_dir() or any(NAME not in p.name for p in folder.iterdir())):
            raise UsageError(f"{folder} holds something other than a tuning job; name another folder.")
        return
    job = ProviderJob.read(folder)
    if job.status not in ("prepared", "failed", "cancelled"):
        raise UsageError(
            f"{folder} holds a job that {'is done' if job.ended else 'is under way'} ({job.status}); "
            f"go on with `ludens align provider --resume {folder}`, or name another folder."
        )


@contextmanager
def _writing(folder: Path) -> Iterator[None]:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = RunLock(folder / NAME)
        free = lock.acquire()
    except OSError as why:
        raise UsageError(f"{folder} cannot be written ({why}); name another folder.") from None
    if not free:
        raise UsageError(f"Another process follows the job in {folder}; let it, or end it first.")
    try:
        yield
    finally:
        lock.release()


def _start(prepared: Prepared, folder: Path, suffix: str | None, options: Mapping[str, Any]) -> ProviderJob:
    if (folder / NAME).exists() and (old := ProviderJob.read(folder)).ended:
        write_whole(folder / f"job-{old.token}.json", old.path.read_bytes())
    token = uuid4().hex[:8]
    files = {}
    for split, (content, examples) in prepared.files.items():
        digest = hashlib.sha256(content).hexdigest()
        files[split] = SentFile(f"ludens-{token}-{split}.jsonl", digest, len(content), examples)
    plain = without_secrets(options)
    job = ProviderJob(
        folder,
        prepared.model,
        "",
        token,
        suffix or f"ludens-{token}",
        prepared.epochs,
        files,
        plain,
        {**asdict(prepared.estimate), "cost": prepared.estimate.cost},
    )
    # The record first: it marks the folder as ours, and until something was sent a job may be started anew.
    job = job.moved("prepared")
    for split, (content, _) in prepared.files.items():
        write_whole(folder / f"{split}.jsonl", content)
    return job


def _transport(job: ProviderJob, options: Mapping[str, Any], *settings: Any) -> Transport:
    # The record may be a stranger's, and the key of the environment would be sent where it says.
    for each in exposures(job.model, {k: v for k, v in job.options.items() if k not in options}):
        raise UsageError(
            f"{job.path} would send the key in {each.key} to {each.host}, which is not the provider of "
            f"{job.model}: if that server is to have it, say so by --api-base {each.address}."
        )
    transport = Transport(job.model, {**job.options, **options}, *settings)
    transport.check()
    return transport


def _go_on(job: ProviderJob, transport: Transport, progress: Progress | None, poll: float) -> ProviderJob:
    begun = time.monotonic()

    def tell(job: ProviderJob, state: Any = None) -> None:
        if progress is not None:
            finish = getattr(state, "estimated_finish", None)
            progress(TuningProgress(job.status, time.monotonic() - begun, job.trained_tokens, finish))

    try:
        if job.job_id is None and not job.ended:
            job = send(job, transport, tell, poll)
            job = create(job, transport)
        tell(job)
        return _follow(job, transport, tell, poll)
    except KeyboardInterrupt:
        known = ProviderJob.read(job.folder)
        if known.job_id is None:
            said = (
                f"Interrupted while {known.status}: go on with `ludens align provider --resume {job.folder}`"
            )
        else:
            said = (
                f"Interrupted; the job {known.job_id} goes on at {transport.where}: follow it again with "
                f"`ludens align provider --resume {job.folder}`"
            )
        raise KeyboardInterrupt(f"{said}, or stop it with --cancel.") from None


def _follow(job: ProviderJob, transport: Transport, tell: Callable[..., None], poll: float) -> ProviderJob:
    pause = poll
    while not job.ended:
        if job.provider == "vertex_ai":
            raise ProviderError(
                f"The job {job.job_id} was created, and LiteLLM cannot ask Vertex AI after it: follow it in "
                "Google's console, and when it names the tuned model's endpoint record that with "
                f"`ludens align provider --resume {job.folder} --tuned NAME`."
            )
        try:
            state = transport.job(str(job.job_id))
        except Exception as error:
            failure = transport.error(error, f"about the job {job.job_id}")
            raise ProviderError(
                f"{str(failure).rstrip('.')}; the job goes on there: follow it again with "
                f"`ludens align provider --resume {job.folder}`."
            ) from error
        changes = news(job, state)
        if str(state.status) != job.status or any(getattr(job, name) != new for name, new in changes.items()):
            job = job.moved(str(state.status), **changes)
        tell(job, state)
        if not job.ended:
            time.sleep(pause)
            pause = min(pause * 1.2, max(poll, LONGEST_POLL))
    if job.status == "failed":
        raise ProviderError(
            f"The job {job.job_id or job.folder} failed: {job.error or 'no reason was given'}."
        )
    if job.status == "cancelled":
        raise ProviderError(f"The job {job.job_id or job.folder} was cancelled; a new one can be started.")
    return job
