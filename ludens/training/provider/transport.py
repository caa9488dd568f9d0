"""LiteLLM's file and tuning calls, with retries after transport errors.

LiteLLM raises the errors of these calls as the provider's client did, not as its own, so this module decides
which of them are temporary; waiting respects Retry-After, as for chat requests.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from ludens.agents.llm.abilities import check_key, load, missing_keys
from ludens.agents.llm.addresses import reached
from ludens.agents.llm.faults import is_spent, permanent_error, provider_words, waiting_time
from ludens.agents.secrets import masked, plain_address, remember
from ludens.errors import UsageError
from ludens.training.provider.record import ProviderError

TIMEOUT = 600.0
"""Seconds for one request; uploads take long."""

LISTED = 1000
"""Number of the newest jobs and files that are searched."""

REJECTED = (400, 413, 415, 422)
"""Statuses by which a server refuses a request."""

UNREADABLE = (ValueError, AttributeError, TypeError)
"""Errors that LiteLLM and the client raise for a reply that violates the API."""


@dataclass
class Transport:
    """A provider, reached through LiteLLM.

    Attributes:
        model: the model, as provider/model.
        options: options that are passed to LiteLLM unchanged.
        retries: number of times that a request is repeated.
        retry_wait: seconds before the first repetition; the wait doubles each time, up to a minute.
        patience: seconds for which a job's state is requested without an answer.
    """

    model: str
    options: Mapping[str, Any] = field(default_factory=dict)
    retries: int = 4
    retry_wait: float = 1.0
    patience: float = 3600.0

    @property
    def provider(self) -> str:
        """LiteLLM's name of the provider."""
        return self.model.split("/", 1)[0]

    @property
    def where(self) -> str:
        """The name of the provider in messages."""
        return masked(plain_address(str(self.options.get("api_base") or self.provider)))

    def __post_init__(self) -> None:
        remember(self.options)

    def check(self) -> None:
        """Check that there is a key, before anything else.

        Raises:
            ModelError: there is no key, or LiteLLM cannot reach the provider from here.
        """
        check_key(self.model, self.options)
        if self.provider == "vertex_ai":
            self._check_google()

    def upload(self, name: str, content: bytes) -> Any:
        """Send a file."""
        file = (name, content, "application/jsonl")
        return self._ask("create_file", file=file, purpose="fine-tune", custom_llm_provider=self.provider)

    def file(self, file_id: str) -> Any:
        """Return the state of a file."""
        return self._ask("file_retrieve", file_id=file_id, custom_llm_provider=self.provider)

    def files(self) -> list[Any]:
        """Return the newest files for tuning."""
        return list(self._ask("file_list", _newest, purpose="fine-tune", custom_llm_provider=self.provider))

    def jobs(self) -> list[Any]:
        """Return the newest tuning jobs, newest first."""
        return list(self._ask("list_fine_tuning_jobs", _newest, limit=100, custom_llm_provider=self.provider))

    def create_once(self, **request: Any) -> Any:
        """Create a tuning job, without retries: a request whose answer was lost may have succeeded."""
        return self._request("create_fine_tuning_job", custom_llm_provider=self.provider, **request)

    def job(self, job_id: str) -> Any:
        """Return the state of a job, trying for up to `patience` seconds."""
        from tenacity import stop_after_delay

        return self._ask(
            "retrieve_fine_tuning_job",
            stop=stop_after_delay(self.patience),
            fine_tuning_job_id=job_id,
            custom_llm_provider=self.provider,
        )

    def cancel(self, job_id: str) -> Any:
        """Stop a job."""
        return self._ask(
            "cancel_fine_tuning_job", fine_tuning_job_id=job_id, custom_llm_provider=self.provider
        )

    def error(self, error: BaseException, what: str) -> Exception:
        """Return the error for a fault that is permanent, or lasted too long."""
        status, said = getattr(error, "status_code", None), says(error)
        if passes(error):
            return ProviderError(f"{self.where} did not answer {what}: {said}.")
        if status in REJECTED:
            return ProviderError(f"{self.where} rejected {what}: {said}.")
        if status == 404 and what != "the job":  # a job names a model; nothing else does
            return ProviderError(
                f"{self.where} knows nothing {what} ({said}): check the address and the key."
            )
        keys = missing_keys(self.model) or f"{self.provider.upper()}_API_KEY"
        return permanent_error(_Said(said, status, error), self.model, self.where, keys)

    def pause(self, error: BaseException | None, attempt: int) -> None:
        """Wait after an attempt, counted from 1."""
        time.sleep(waiting_time(error, attempt, self.retry_wait))

    def _ask(
        self,
        call: str,
        read: Callable[[Any], Any] = lambda reply: reply,
        *,
        stop: Any = None,
        **request: Any,
    ) -> Any:
        from tenacity import Retrying, retry_if_exception, stop_after_attempt

        tries = Retrying(
            retry=retry_if_exception(passes),
            stop=stop or stop_after_attempt(1 + self.retries),
            wait=lambda state: waiting_time(
                state.outcome.exception() if state.outcome else None, state.attempt_number, self.retry_wait
            ),
            reraise=True,
        )
        return tries(lambda: read(self._request(call, **request)))

    def _request(self, call: str, **request: Any) -> Any:
        options = reached(self.options)
        if "api_base" in options and self.provider == "openai" and not os.environ.get("OPENAI_API_KEY"):
            # A server of one's own seldom asks for a key, but the client underneath insists on having one.
            options.setdefault("api_key", "none")
        litellm = load(self.model)
        return getattr(litellm, call)(timeout=TIMEOUT, max_retries=0, **request, **options)

    def _check_google(self) -> None:
        from importlib.util import find_spec

        try:
            there = find_spec("google.auth") is not None
        except ModuleNotFoundError:
            there = False
        if not there:
            raise UsageError("Tuning at vertex_ai needs Google's sign-in: pip install google-auth.")
        for option, variable in (
            ("vertex_project", "VERTEXAI_PROJECT"),
            ("vertex_location", "VERTEXAI_LOCATION"),
            ("gcs_bucket_name", "GCS_BUCKET_NAME"),
        ):
            if option not in self.options and not os.environ.get(variable):
                raise UsageError(
                    f"Tuning at vertex_ai needs {option}: set the environment variable {variable}."
                )


def _newest(page: Iterable[Any]) -> list[Any]:
    """Return the entries of a listing; iterating over it fetches further pages."""
    return list(islice(page, LISTED))


def passes(error: BaseException) -> bool:
    """Return whether a retry may help."""
    # The client's own class, by name: ludens imports no other client of models than LiteLLM.
    if isinstance(error, TimeoutError) or "APIConnectionError" in (
        kind.__name__ for kind in type(error).__mro__
    ):
        return True
    status = getattr(error, "status_code", None)
    if isinstance(error, UNREADABLE) and status is None:
        return True
    if not isinstance(status, int):
        return type(error).__module__.split(".")[0] == "httpx"
    if status == 429:
        return not is_spent(error)
    return status in (408, 409, 425) or status >= 500


def says(error: BaseException) -> str:
    """Return the provider's message in one short line."""
    if isinstance(error, UNREADABLE) and getattr(error, "status_code", None) is None:
        return f"the reply could not be read ({provider_words(error)})"
    body = getattr(error, "body", None)
    message = body.get("message") if isinstance(body, Mapping) else None
    return provider_words(Exception(message) if isinstance(message, str) and message else error)


class _Said(Exception):
    """A provider's message with its status, in the form that errors of chat requests have."""

    def __init__(self, said: str, status: object, error: BaseException) -> None:
        super().__init__(said)
        self.status_code = status
        self.__cause__ = error  # which may hold more than the message
