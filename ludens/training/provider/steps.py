"""The steps of a tuning job that change something at the provider, each safe to repeat.

Nothing is paid for twice. The training file has a unique name and, at the provider, a unique id. If a job was
created but the reply was lost (a kill, a broken connection, a 5xx), it is recognised by that id among the
provider's jobs before another one is created.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from ludens.errors import UsageError
from ludens.training.provider.record import ENDED, ProviderError, ProviderJob
from ludens.training.provider.transport import REJECTED, Transport, passes, says

WAITING = ("pending", "running", "notRunning")


def send(
    job: ProviderJob, transport: Transport, tell: Callable[[ProviderJob], None], poll: float
) -> ProviderJob:
    """Send the files that the provider does not have yet."""
    broke_off = job.status == "uploading"
    for split, sent in job.files.items():
        if sent.id is not None:
            continue
        path = job.folder / f"{split}.jsonl"
        content = path.read_bytes() if path.exists() else b""
        if hashlib.sha256(content).hexdigest() != sent.sha256:
            raise UsageError(f"{path} is not the file that was checked; start again under another folder.")
        found = None
        if broke_off:  # it may have arrived all the same
            found = _find_file(sent.name, transport)
        job = job.moved("uploading")
        tell(job)
        if found is None:
            try:
                found = transport.upload(sent.name, content)
            except Exception as error:
                raise _rejected(job, transport, error, f"the {split} file") from error
        job = replace(job, files={**job.files, split: replace(sent, id=str(found.id))}).moved("uploading")
    for split, sent in job.files.items():
        _await_file(job, transport, split, str(sent.id), poll)
    return job


def _find_file(name: str, transport: Transport) -> Any:
    if transport.provider == "vertex_ai":
        return None
    try:
        return next((file for file in transport.files() if file.filename == name), None)
    except Exception as error:
        if passes(error):
            raise transport.error(error, "about the files it has") from error
        return None  # a server without a listing of files: to send one again costs nothing


def _await_file(job: ProviderJob, transport: Transport, split: str, file_id: str, poll: float) -> None:
    """Wait until the provider has processed a file, which Azure requires before a job can use it."""
    if transport.provider != "azure":
        return
    while True:
        try:
            file = transport.file(file_id)
        except Exception as error:
            raise transport.error(error, f"about the {split} file") from error
        if str(file.status) in ("error", "failed"):
            why = getattr(file, "status_details", None) or "no reason was given"
            job.moved("failed", error=str(why).rstrip("."))
            raise ProviderError(f"{transport.where} rejected the {split} file: {str(why).rstrip('.')}.")
        if str(file.status) not in WAITING:
            return
        time.sleep(poll)


def create(job: ProviderJob, transport: Transport) -> ProviderJob:
    """Create the job, unless it exists already."""
    if job.status == "creating":
        if job.provider == "vertex_ai":
            raise ProviderError(
                "It is not known whether the job was created, since LiteLLM lists no jobs of Vertex AI: look "
                f"in Google's console for {job.suffix}, and start under another folder if it is not there."
            )
        made = find_job(job, transport)
        if made is not None:
            return _created(job, made)
    job = job.moved("creating")
    validation = job.files.get("validation")
    request = {
        "model": job.base,
        "training_file": job.files["train"].id,
        "validation_file": validation.id if validation else None,
        "suffix": job.suffix,
        "hyperparameters": {} if job.epochs is None else {"n_epochs": job.epochs},
    }
    attempt = 0
    while True:
        attempt += 1
        try:
            made = transport.create_once(**request)
        except Exception as error:
            if not passes(error) or job.provider == "vertex_ai":
                raise _rejected(job, transport, error, "the job") from error
            if attempt > transport.retries:
                raise ProviderError(
                    f"{transport.where} did not answer the request to create the job after {attempt} tries: "
                    f"{says(error)}; go on with `ludens align provider --resume {job.folder}`, "
                    "which first looks whether it was created."
                ) from error
            transport.pause(error, attempt)
            # 429 is said before a job is made; after anything else there may be one.
            made = None if getattr(error, "status_code", None) == 429 else find_job(job, transport)
            if made is None:
                continue
        if job.provider == "azure":
            # LiteLLM's client for Azure repeats requests by itself, and may so have created two.
            made = find_job(job, transport) or made
        return _created(job, made)


def _created(job: ProviderJob, made: Any) -> ProviderJob:
    return job.moved(str(made.status), job_id=str(made.id), **news(job, made))


def find_job(job: ProviderJob, transport: Transport) -> Any:
    """Return the job on our training file, if there is one; of several, cancel all but one."""
    file = job.files["train"].id
    try:
        ours = [other for other in transport.jobs() if other.training_file == file]
    except Exception as error:
        failure = str(transport.error(error, "about the jobs it has")).rstrip(".")
        raise ProviderError(
            f"{failure}; whether the job was created is not known: go on with "
            f"`ludens align provider --resume {job.folder}`, which looks again."
        ) from error
    if not ours:
        return None
    ours.sort(key=lambda other: (_rank(str(other.status)), other.created_at))
    for extra in ours[1:]:
        if str(extra.status) not in ENDED:
            transport.cancel(str(extra.id))
    return ours[0]


def _rank(status: str) -> int:
    return 0 if status == "succeeded" else 2 if status in ENDED else 1


def _rejected(job: ProviderJob, transport: Transport, error: Exception, what: str) -> Exception:
    failure = transport.error(error, what)
    if getattr(error, "status_code", None) in REJECTED:
        job.moved("failed", error=says(error))
    elif passes(error):
        return ProviderError(
            f"{str(failure).rstrip('.')}; go on with `ludens align provider --resume {job.folder}`."
        )
    return failure


def news(job: ProviderJob, state: Any) -> dict[str, Any]:
    """Return the parts of the provider's answer about a job that belong in the record."""
    error = getattr(state, "error", None)
    # LiteLLM gives Google's display name here, by which nothing can be asked.
    tuned = None if job.provider == "vertex_ai" else state.fine_tuned_model
    return {
        "tuned_model": tuned or job.tuned_model,
        "trained_tokens": state.trained_tokens if state.trained_tokens is not None else job.trained_tokens,
        "error": str(getattr(error, "message", "") or "").rstrip(".") if error is not None else job.error,
    }
