"""Hugging Face models and PEFT adapters in this process, run by Transformers (extra `train`).

Replies that must satisfy a JSON schema need a GGUF model: Transformers itself cannot constrain them.
"""

from __future__ import annotations

import contextlib
import copy
import io
import queue
import threading
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ludens.agents.local.engine import (
    ChatParams,
    ContextTooLongError,
    EngineReply,
    Message,
    RequestError,
    Settings,
)
from ludens.agents.local.hf_sampling import Row, generate
from ludens.agents.local.resolve import LocalModelError, Reference

# A batch is closed when no further request has arrived for this long. Callers send many requests a few
# milliseconds apart; a batch of two that starts before the other thirty would nearly double their wait.
GATHER_SECONDS = 0.01


@dataclass(frozen=True)
class _Job:
    tokens: list[int]
    params: ChatParams
    future: Future[EngineReply]


class TransformersEngine:
    """A causal language model with its tokenizer; a thread of its own evaluates batches of requests."""

    def __init__(self, reference: Reference, settings: Settings) -> None:
        self._name = reference.name
        self._slots = 1 if settings.batched is False else settings.slots
        self._model, self._tokenizer = load(reference, threads=settings.threads)
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._submitting = threading.Lock()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="transformers", daemon=True)
        self._thread.start()

    def submit(self, messages: Sequence[Message], params: ChatParams) -> Future[EngineReply]:
        """See `Engine.submit`."""
        if params.schema is not None:
            raise RequestError(
                f"{self._name} runs on Transformers, which cannot constrain a reply to a JSON schema: leave "
                "response_format out, or use a GGUF file of the model."
            )
        if params.sampling:
            raise RequestError(
                f"{self._name} runs on Transformers, which does not take "
                f"{', '.join(sorted(params.sampling))} here: leave it out, or use a GGUF file of the model."
            )
        job = _Job(self._tokenize(messages, params), params, Future())
        with self._submitting:
            if self._closed:
                raise RuntimeError("the engine is closed")
            self._jobs.put(job)
        return job.future

    def close(self) -> None:
        """See `Engine.close`."""
        with self._submitting:
            if self._closed:
                return
            self._closed = True
            self._jobs.put(None)
        self._thread.join()
        self._model = None

    def abandon(self) -> None:
        """See `Engine.abandon`; nothing to do, since freeing the engine waits for no thread."""

    def _tokenize(self, messages: Sequence[Message], params: ChatParams) -> list[int]:
        last_is_reply = messages[-1].get("role") == "assistant"
        try:
            tokens = self._tokenizer.apply_chat_template(
                [dict(message) for message in messages],
                add_generation_prompt=not last_is_reply,
                continue_final_message=last_is_reply,
                tokenize=True,
                return_dict=False,
            )
        except Exception as error:  # templates raise exceptions of any kind
            raise RequestError(
                f"The chat template of {self._name} does not take these messages "
                f"({' '.join(str(error).split())})."
            ) from error
        room = getattr(self._model.config, "max_position_embeddings", None)
        if room is not None and len(tokens) + (params.max_tokens or 1) > room:
            raise ContextTooLongError(
                f"{self._name} holds {room} tokens, and the prompt ({len(tokens)}) with the reply "
                f"({params.max_tokens or 1}) does not fit: shorten one of them."
            )
        return list(tokens)

    def _run(self) -> None:
        while True:
            jobs, more = self._gather()
            jobs = [job for job in jobs if job.future.set_running_or_notify_cancel()]
            if jobs and not self._closed:
                self._answer(jobs)
            for job in jobs if self._closed else []:
                if not job.future.done():
                    job.future.set_exception(
                        RuntimeError("the engine was closed before it reached this request")
                    )
            if not more:
                return

    def _gather(self) -> tuple[list[_Job], bool]:
        """Return the requests of the next batch, and whether more may follow."""
        first = self._jobs.get()
        if first is None:
            return [], False
        jobs, choices = [first], first.params.n
        while choices < self._slots:
            try:
                job = self._jobs.get(timeout=GATHER_SECONDS)
            except queue.Empty:
                break
            if job is None:
                return jobs, False
            jobs.append(job)
            choices += job.params.n
        return jobs, True

    def _answer(self, jobs: list[_Job]) -> None:
        rows = [Row(job.tokens, job.params, i) for job in jobs for i in range(job.params.n)]
        try:
            answers = iter(
                [
                    answer
                    for start in range(0, len(rows), self._slots)
                    for answer in generate(self._model, self._tokenizer, rows[start : start + self._slots])
                ]
            )
            for job in jobs:
                own = [next(answers) for _ in range(job.params.n)]
                reply = EngineReply(
                    choices=tuple(choice for choice, _ in own),
                    prompt_tokens=len(job.tokens),
                    completion_tokens=sum(count for _, count in own),
                )
                job.future.set_result(reply)
        except BaseException as error:
            for job in jobs:
                if not job.future.done():
                    job.future.set_exception(error)


def load(reference: Reference, *, threads: int = 0) -> tuple[Any, Any]:
    """Load a model that is ready to generate, and its tokenizer.

    It runs on the GPU if there is one, in the weights' own type, otherwise on the CPU in bfloat16; logits are
    computed in float32 in both cases.

    Raises:
        LocalModelError: a library is missing, or the model exists neither here nor on the hub.
    """
    for library in ("torch", "transformers", *(["peft"] if reference.kind == "adapter" else [])):
        if find_spec(library) is None:
            raise LocalModelError(
                f"The model local/{reference.name} needs {library}, which is not installed: run "
                "`pip install 'ludens[train]'`."
            )
    import torch

    cuda = torch.cuda.is_available()
    if threads:
        torch.set_num_threads(threads)
    model, tokenizer = read_weights(reference, "auto" if cuda else torch.bfloat16)
    _sharpen(model)
    model.to("cuda" if cuda else "cpu")
    model.eval()
    return model, tokenizer


def read_weights(reference: Reference, dtype: Any) -> tuple[Any, Any]:
    """Read a model into Transformers, and its tokenizer; adapters are merged, GGUF files dequantised.

    Args:
        reference: where the model is.
        dtype: torch's type of the weights, or ``"auto"`` for their own.

    Raises:
        LocalModelError: the model cannot be loaded, or is not a chat model.
    """
    import transformers

    base = reference.base or reference
    gguf = base.kind in ("embedded", "gguf")
    if gguf and find_spec("gguf") is None:
        raise LocalModelError(
            f"Transformers needs gguf to read {base.path}, and it is not installed: run `pip install "
            "'ludens[train]'`."
        )
    where = str(Path(base.path).parent) if gguf else base.path
    options: dict[str, Any] = {"gguf_file": Path(base.path).name} if gguf else {}
    weights = {"quantization_config": transformers.GgufConfig(dequantize=True)} if gguf else {}
    quiet = transformers.utils.logging
    said, shown = quiet.get_verbosity(), quiet.is_progress_bar_enabled()
    quiet.set_verbosity_error()
    quiet.disable_progress_bar()
    # The progress bar for GGUF files ignores this setting.
    hidden = contextlib.redirect_stderr(io.StringIO()) if gguf else contextlib.nullcontext()
    try:
        with hidden:
            tokenizer: Any = transformers.AutoTokenizer.from_pretrained(
                _tokenizer_place(reference, where), **options
            )
            model: Any = transformers.AutoModelForCausalLM.from_pretrained(
                where, dtype=dtype, **options, **weights
            )
            if reference.base is not None:
                from peft import PeftModel

                model = PeftModel.from_pretrained(model, reference.path).merge_and_unload()
    except Exception as error:
        raise LocalModelError(_cannot_load(reference, base, error)) from error
    finally:
        quiet.set_verbosity(said)
        if shown:
            quiet.enable_progress_bar()
    if tokenizer.chat_template is None:
        raise LocalModelError(
            f"The tokenizer of local/{reference.name} has no chat template, so it is not a chat model: use "
            "one that has a template."
        )
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    return model, tokenizer


def _sharpen(model: Any) -> None:
    """Make the model's last layer compute in float32.

    In bfloat16, logits near 20 are multiples of 1/8, too coarse for the probabilities of options.
    """
    head = copy.deepcopy(model.get_output_embeddings()).float()
    head.register_forward_pre_hook(lambda _, given: (given[0].float(), *given[1:]))
    model.set_output_embeddings(head)


def _tokenizer_place(reference: Reference, base: str) -> str:
    # Fine-tuning may save a tokenizer beside the adapter, with its own chat template.
    own = reference.kind == "adapter" and Path(reference.path, "tokenizer_config.json").is_file()
    return reference.path if own else base


def _cannot_load(reference: Reference, base: Reference, error: Exception) -> str:
    said = " ".join(str(error).split())
    said = said if len(said) <= 200 else said[:197] + "..."
    if base.kind == "hub":
        return (
            f"The model {base.path!r} could not be fetched from the Hugging Face hub and is not among the "
            f"models downloaded before ({type(error).__name__}: {said}): check the id and the network, or "
            "give a directory."
        )
    return (
        f"The model local/{reference.name} cannot be loaded ({type(error).__name__}: {said}): "
        f"check {base.path}."
    )
