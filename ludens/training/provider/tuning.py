"""Tune a model at its provider: check, price, ask, send, create, follow, record.

Nothing is paid for twice. The training file has a name of its own and, at the provider, an id of its own, so a
job that was created but whose answer was lost (a kill, a broken connection, a 5xx) is found again among the
provider's jobs by that id before another is created.
"""

from __future__ import annotations

import hashlib
import os
import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any
from uuid import uuid4

from ludens.errors import UsageError
from ludens.experiments.lock import RunLock
from ludens.training.provider.conversations import chat_lines, contents_lines, conversations
from ludens.training.provider.prices import Estimate, estimate
from ludens.training.provider.record import ENDED, NAME, ProviderError, ProviderJob, SentFile, write_whole
from ludens.training.provider.rules import RULES, check_file, check_suffix
from ludens.training.provider.transport import Transport, passes, says

SECRETS = ("key", "token", "credential", "secret", "password")
WAITING = ("pending", "running", "notRunning")
LONGEST_POLL = 60.0


@dataclass(frozen=True)
class TuningProgress:
    """How a job stands.

    Attributes:
        status: as `ProviderJob.status`.
        seconds: since this call began.
        trained_tokens: so far, where the provider says so.
        finish: when the provider thinks that it will be done, in seconds since 1970; None if it does not say.
    """

    status: str
    seconds: float
    trained_tokens: int | None = None
    finish: float | None = None


Progress = Callable[[TuningProgress], None]


@dataclass(frozen=True)
class Prepared:
    """A job that is ready to start and has cost nothing: the files that would be sent, and the estimate."""

    model: str
    files: Mapping[str, tuple[bytes, int]]
    estimate: Estimate
    epochs: int | None

    @property
    def key(self) -> str:
        """Eight characters that the same model, files and epochs have in common."""
        parts = [
            self.model,
            str(self.epochs),
            *(hashlib.sha256(f[0]).hexdigest() for f in self.files.values()),
        ]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:8]

    @property
    def folder(self) -> Path:
        """Where the job lies if no other place is named. The same job has the same place, so that a command
        given again after a kill does not start, and pay for, a second one.
        """
        return Path("tuned") / f"{re.sub(r'[^A-Za-z0-9.-]+', '-', self.model)}-{self.key}"


def prepare(model: str, data: object, *, epochs: int | None = None) -> Prepared:
    """Check a data set by the provider's rules and estimate the price. Sends nothing.

    Args:
        model: ``openai/…``, ``azure/…`` or ``vertex_ai/…``.
        data: see `conversations`.
        epochs: how often each example is seen, at least 1; None lets the provider choose.

    Raises:
        UsageError: a rule is broken, or an argument is wrong.
    """
    provider, _, base = model.partition("/")
    if provider not in RULES or not base:
        raise UsageError(
            f"Tuning is offered at {', '.join(RULES)}, named as openai/gpt-4.1-mini-2025-04-14; got {model!r}."
        )
    if epochs is not None and epochs < 1:
        raise UsageError(f"epochs is at least 1; got {epochs}.")
    from ludens.agents.llm.abilities import load

    litellm, rules, found = load(model), RULES[provider], conversations(data)

    def tokens(one: Any) -> int:
        return int(litellm.token_counter(model=model, messages=[dict(message) for message in one]))

    files: dict[str, tuple[bytes, int]] = {}
    counts: list[int] = []
    for split, examples in (("train", found.train), ("validation", found.validation)):
        if split == "validation" and not examples:
            continue
        # What a rule finds wrong could not always be converted, so the size is that of OpenAI's shape, which
        # is close to that of Google's.
        size = len(chat_lines(examples, mark=rules.mark))
        counted = check_file(provider, base, split, examples, size, tokens)
        counts = counts or counted
        content = contents_lines(examples) if rules.contents else chat_lines(examples, mark=rules.mark)
        files[split] = (content, len(examples))
    return Prepared(model, files, estimate(provider, base, counts, epochs), epochs)


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
    """Tune a model at its provider, and come back when it is done.

    Args:
        model: ``openai/…``, ``azure/…`` or ``vertex_ai/…``.
        data: a data set, its folder, or a JSONL file.
        out: folder for the job's record and files; by default one under ``tuned/``, the same for the same job.
        epochs: how often each example is seen; None lets the provider choose.
        suffix: part of the tuned model's name; by default ``ludens-`` and eight characters.
        api_base: address of a server that speaks the provider's API.
        max_cost: US dollars; what is estimated to cost more, or what has no known price, is not started.
        confirm: is told the estimate and says whether to go on. One of `max_cost` and `confirm` must be given.
        progress: is told how the job stands, whenever it was asked after.
        poll: seconds between askings; up to a minute for a job that runs long.
        transport_retries: how often a request is repeated after 429, 5xx or a broken connection.
        retry_wait: seconds before the first repetition; see `ludens.agents.llm.client.Endpoint`.
        patience: seconds for which the job is asked after while nobody answers.
        options: passed to LiteLLM, for example ``api_key``, ``api_version``, ``vertex_project``. Keys are not
            written to the record.

    Returns:
        The job, with `policy` as the tuned model's name.

    Raises:
        UsageError: the file breaks a rule, the price is above `max_cost`, the answer was no, or the folder
            holds another job. Nothing was sent.
        ModelError: there is no key, or the provider does not know the model.
        ProviderError: the provider rejected the file, the job failed or was cancelled, or nobody answered.
            Where the job goes on, the message says how to follow it again.
    """
    if max_cost is None and confirm is None:
        raise UsageError(
            "Tuning costs money: give max_cost, or confirm (lambda estimate: True agrees to all)."
        )
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
    progress: Progress | None = None,
    poll: float = 15.0,
    transport_retries: int = 4,
    retry_wait: float = 1.0,
    patience: float = 3600.0,
    **options: Any,
) -> ProviderJob:
    """Go on with a job from its record, wherever it broke off; a job that has succeeded is returned as it is.

    Args:
        path: the job's folder, or the record in it.
        options: as for `provider_tune`, above those of the record; a key that is not in the environment
            must be given again.

    Raises:
        UsageError: there is no record, or another process follows the job.
        ProviderError: as for `provider_tune`.
    """
    folder = ProviderJob.read(path).folder
    with _writing(folder):
        job = ProviderJob.read(folder)
        transport = _transport(job, options, transport_retries, retry_wait, patience)
        return _go_on(job, transport, progress, poll)


def cancel_provider_tune(path: str | os.PathLike[str], **options: Any) -> ProviderJob:
    """Stop a job at its provider and record that; what was trained so far may be billed.

    Another process that follows the job is not disturbed: it will see that the job was cancelled.

    Raises:
        UsageError: there is no record.
        ProviderError: the job has ended, or nobody answers.
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
            made = _find_job(job, transport)
            if made is None:
                return job.moved("cancelled")
            job = replace(job, job_id=str(made.id))
        try:
            state = transport.cancel(str(job.job_id))
        except Exception as error:
            raise transport.error(error, f"the wish to cancel the job {job.job_id}") from error
        changed = replace(job, **_news(job, state))
        return changed.moved(str(state.status)) if alone else replace(changed, status=str(state.status))
    finally:
        if alone:
            lock.release()


def _agree(found: Estimate, max_cost: float | None, confirm: Callable[[Estimate], bool] | None) -> None:
    if max_cost is not None:
        if found.cost is None:
            raise UsageError(
                f"The price of training {found.model} is not known here, so it cannot be held to ${max_cost:g}; "
                "see the provider's page and start without a limit."
            )
        if found.cost > max_cost:
            raise UsageError(
                f"Tuning would cost about ${found.cost:,.2f}, more than the limit of ${max_cost:g}; "
                "take fewer examples or epochs, or raise the limit."
            )
    if confirm is not None and not confirm(found):
        raise UsageError("Not started: the price was not agreed to; nothing was sent.")


def _check_free(folder: Path) -> None:
    if not (folder / NAME).exists():
        if folder.exists() and (
            not folder.is_dir() or any(p.name != f"{NAME}.lock" for p in folder.iterdir())
        ):
            raise UsageError(f"{folder} holds something that is no tuning job; name another folder.")
        return
    job = ProviderJob.read(folder)
    if job.status not in ("failed", "cancelled"):
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
    old = folder / NAME
    if old.exists():  # of a job that failed or was cancelled
        old.rename(folder / f"job-{ProviderJob.read(folder).token}.json")
    token = uuid4().hex[:8]
    files = {}
    for split, (content, examples) in prepared.files.items():
        write_whole(folder / f"{split}.jsonl", content)
        digest = hashlib.sha256(content).hexdigest()
        files[split] = SentFile(f"ludens-{token}-{split}.jsonl", digest, len(content), examples)
    plain = {name: value for name, value in options.items() if not any(secret in name for secret in SECRETS)}
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
    return job.moved("prepared")


def _transport(job: ProviderJob, options: Mapping[str, Any], *settings: Any) -> Transport:
    transport = Transport(job.model, {**job.options, **options}, *settings)
    transport.check()
    return transport


def _go_on(job: ProviderJob, transport: Transport, progress: Progress | None, poll: float) -> ProviderJob:
    begun = time.monotonic()

    def tell(job: ProviderJob, state: Any = None) -> None:
        if progress is not None:
            finish = getattr(state, "estimated_finish", None)
            progress(TuningProgress(job.status, time.monotonic() - begun, job.trained_tokens, finish))

    if job.job_id is None and not job.ended:
        job = _send(job, transport, tell, poll)
        job = _create(job, transport)
    tell(job)
    pause = poll
    while not job.ended:
        if job.provider == "vertex_ai":
            raise ProviderError(
                f"The job {job.job_id} was created, and LiteLLM cannot ask Vertex AI after it: follow it in "
                "Google's console, which names the tuned model's endpoint; "
                "the policy is vertex_ai/ and that name."
            )
        try:
            state = transport.job(str(job.job_id))
        except Exception as error:
            told = transport.error(error, f"about the job {job.job_id}")
            raise ProviderError(
                f"{str(told).rstrip('.')}; the job goes on there: follow it again with "
                f"`ludens align provider --resume {job.folder}`."
            ) from error
        changes = _news(job, state)
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


def _news(job: ProviderJob, state: Any) -> dict[str, Any]:
    error = getattr(state, "error", None)
    return {
        "tuned_model": state.fine_tuned_model or job.tuned_model,
        "trained_tokens": state.trained_tokens if state.trained_tokens is not None else job.trained_tokens,
        "error": str(getattr(error, "message", "") or "").rstrip(".") if error is not None else job.error,
    }


def _send(
    job: ProviderJob, transport: Transport, tell: Callable[[ProviderJob], None], poll: float
) -> ProviderJob:
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
    """Azure reads a file before it takes a job on it."""
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


def _create(job: ProviderJob, transport: Transport) -> ProviderJob:
    if job.status == "creating":
        if job.provider == "vertex_ai":
            raise ProviderError(
                "Whether the job was created cannot be told, since LiteLLM lists no jobs of Vertex AI: look in "
                f"Google's console for {job.suffix}, and start under another folder if it is not there."
            )
        made = _find_job(job, transport)
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
            made = _find_job(job, transport)
            if made is None:
                continue
        if job.provider == "azure":
            # LiteLLM's client for Azure repeats requests by itself, and may so have created two.
            made = _find_job(job, transport) or made
        return _created(job, made)


def _created(job: ProviderJob, made: Any) -> ProviderJob:
    return job.moved(str(made.status), job_id=str(made.id), **_news(job, made))


def _find_job(job: ProviderJob, transport: Transport) -> Any:
    """The job on our training file, if one was created; of several, all but one are cancelled."""
    file = job.files["train"].id
    try:
        ours = [other for other in transport.jobs() if other.training_file == file]
    except Exception as error:
        told = str(transport.error(error, "about the jobs it has")).rstrip(".")
        raise ProviderError(
            f"{told}; whether the job was created is not known: go on with "
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
    told = transport.error(error, what)
    if getattr(error, "status_code", None) in (400, 413, 415, 422):
        job.moved("failed", error=says(error))
    elif passes(error):
        return ProviderError(
            f"{str(told).rstrip('.')}; go on with `ludens align provider --resume {job.folder}`."
        )
    return told
