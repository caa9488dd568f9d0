"""The record of a tuning job, in a folder with the files that were sent.

It is written before and after each step, so that the process may end at any moment: everything known is on
disk, and later events are looked up at the provider. It holds no key.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from ludens.errors import LudensError, UsageError
from ludens.experiments.runs.files import write_whole

NAME = "job.json"
ENDED = ("succeeded", "failed", "cancelled")


class ProviderError(LudensError):
    """Raised when a provider rejects a file, a job fails or is cancelled, or the provider does not answer."""


@dataclass(frozen=True)
class SentFile:
    """A file for the provider: its name there, its size and hash, and its id once it has been sent."""

    name: str
    sha256: str
    bytes: int
    examples: int
    id: str | None = None


@dataclass(frozen=True)
class ProviderJob:
    """The last known state of a tuning job.

    Attributes:
        folder: the folder of the record and the files.
        model: the model to tune, as provider/model.
        status: ``prepared``, ``uploading``, ``creating``, then the provider's own: ``validating_files``,
            ``queued``, ``running``, ``succeeded``, ``failed``, ``cancelled``.
        token: a text that marks this job's files at the provider.
        suffix: part of the tuned model's name.
        epochs: the requested passes; None lets the provider choose.
        files: ``train``, and ``validation`` if there is one.
        options: settings of the provider that are not secret, for example ``api_base``.
        estimate: the estimate shown before the start: tokens, epochs, cost in US dollars (None if unknown).
        job_id: the provider's id of the job.
        tuned_model: the provider's name of the tuned model.
        trained_tokens: the billed tokens, if the provider reports them.
        error: the provider's message about a failure.
        history: (seconds since 1970, status) for every change.
    """

    folder: Path
    model: str
    status: str
    token: str
    suffix: str
    epochs: int | None
    files: Mapping[str, SentFile]
    options: Mapping[str, Any] = field(default_factory=dict)
    estimate: Mapping[str, Any] = field(default_factory=dict)
    job_id: str | None = None
    tuned_model: str | None = None
    trained_tokens: int | None = None
    error: str = ""
    history: tuple[tuple[float, str], ...] = ()

    @property
    def provider(self) -> str:
        """LiteLLM's name of the provider."""
        return self.model.split("/", 1)[0]

    @property
    def base(self) -> str:
        """The model without the provider."""
        return self.model.split("/", 1)[1]

    @property
    def ended(self) -> bool:
        """Whether the job has ended."""
        return self.status in ENDED

    @property
    def policy(self) -> str | None:
        """The tuned model as a policy's name, for ``LLMPolicy`` and the command line; None before success.

        At Azure the model must first be deployed; this is the policy's name if the deployment is given the
        model's name.
        """
        return f"{self.provider}/{self.tuned_model}" if self.tuned_model else None

    @property
    def path(self) -> Path:
        """The record's file."""
        return self.folder / NAME

    def moved(self, status: str, **changes: Any) -> ProviderJob:
        """Return the job with a new status and other changes, after writing it to disk."""
        history = self.history if status == self.status else (*self.history, (time.time(), status))
        changed = replace(self, status=status, history=history, **changes)
        changed.write()
        return changed

    def write(self) -> None:
        """Write the record as a whole or not at all."""
        self.folder.mkdir(parents=True, exist_ok=True)
        write_whole(self.path, json.dumps(self.to_json(), indent=2) + "\n")

    def to_json(self) -> dict[str, Any]:
        """Return the record as JSON values, with `policy`."""
        found = asdict(self)
        del found["folder"]
        return {**found, "policy": self.policy}

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> ProviderJob:
        """Read the job in a folder, or in a record's file.

        Raises:
            UsageError: there is no record.
        """
        file = Path(path)
        file = file / NAME if file.is_dir() else file
        try:
            found = json.loads(file.read_text(encoding="utf-8"))
            found.pop("policy", None)
            files = {split: SentFile(**sent) for split, sent in found.pop("files").items()}
            history = tuple((float(when), str(status)) for when, status in found.pop("history"))
            return cls(folder=file.parent, files=files, history=history, **found)
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as why:
            raise UsageError(
                f"{file} is not the record of a tuning job ({why}); name the folder that "
                "`ludens align provider` made."
            ) from None
