"""A server on the loopback interface that speaks OpenAI's API for tuning, and misbehaves on order.

    with TuningServer() as server:
        server.faults["POST jobs"] = [limited(0), lost()]
        job = provider_tune("openai/gpt-4.1-nano-2025-04-14", data, api_base=server.url, …)

It keeps files and jobs; a job moves one step of `steps` whenever it is asked after. Faults are used up one
per request to their place: ``POST files``, ``GET files``, ``GET file``, ``POST jobs``, ``GET jobs``,
``GET job``, ``POST cancel``, ``POST chat``. Azure's paths are understood too.
"""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from email import message_from_bytes
from email.policy import HTTP
from typing import Any

from tests.serving import Handler, Serving

STEPS = ("validating_files", "queued", "running", "succeeded")


@dataclass(frozen=True)
class Fault:
    """What goes wrong with one request.

    Attributes:
        status: of the answer; 0 closes the connection without one.
        text: the error's message.
        headers: further headers of the answer.
        heard: what was asked for is done all the same; only the answer is lost.
        body: sent in place of the error.
        stalls: keep the connection open and say nothing until the server is closed.
    """

    status: int = 500
    text: str = "The server had an error"
    headers: Mapping[str, str] = field(default_factory=dict)
    heard: bool = False
    body: bytes | None = None
    stalls: bool = False


def limited(retry_after: float) -> Fault:
    """429 with Retry-After (seconds)."""
    return Fault(429, "Rate limit reached", {"Retry-After": f"{retry_after:g}"})


def gone() -> Fault:
    """The connection is closed before any answer."""
    return Fault(0)


def lost(status: int = 0) -> Fault:
    """What was asked for is done, and the answer is lost."""
    return Fault(status, heard=True)


def page() -> Fault:
    """A page of some proxy where an answer should be."""
    return Fault(200, body=b"<html>Please sign in to the network</html>")


def stalled(*, heard: bool = True) -> Fault:
    """No answer, ever; by default what was asked for is done."""
    return Fault(heard=heard, stalls=True)


class TuningServer(Serving):
    """The server: a context manager with `url`, `azure_url`, `files`, `contents`, `jobs` and `asked`.

    Args:
        steps: a job's statuses, one per time that it is asked after; the last one stays.
        error: the provider's message for a job that ends as ``failed``.
        file_steps: the same for a file (Azure's clients wait for ``processed``).
        page_size: jobs on one page of the listing.
    """

    def __init__(
        self,
        steps: Sequence[str] = STEPS,
        *,
        error: str = "",
        file_steps: Sequence[str] = ("processed",),
        page_size: int = 2,
    ) -> None:
        super().__init__(_Handler)
        self.steps, self.error, self.file_steps, self.page_size = steps, error, file_steps, page_size
        self.faults: dict[str, list[Fault]] = {}
        self.files: dict[str, dict[str, Any]] = {}
        self.contents: dict[str, bytes] = {}
        self.jobs: dict[str, dict[str, Any]] = {}
        self.requests: list[dict[str, Any]] = []
        self.asked: list[str] = []
        self.lock = threading.Lock()

    @property
    def azure_url(self) -> str:
        """The ``api_base`` for ``azure/…`` models."""
        return self.address

    @property
    def url(self) -> str:
        """The ``api_base`` for ``openai/…`` models."""
        return f"{self.azure_url}/v1"

    def count(self, place: str) -> int:
        """How many requests came to a place."""
        return self.asked.count(place)

    def add_file(self, name: str, content: bytes) -> dict[str, Any]:
        """Keep a file."""
        number = len(self.files) + 1
        file = {
            "id": f"file-{number}",
            "object": "file",
            "bytes": len(content),
            "created_at": int(time.time()),
            "filename": name,
            "purpose": "fine-tune",
            "status": self.file_steps[0],
            "at": 0,
        }
        self.files[file["id"]], self.contents[file["id"]] = file, content
        return file

    def add_job(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Keep a job."""
        number = len(self.jobs) + 1
        job = {
            "id": f"ftjob-{number}",
            "object": "fine_tuning.job",
            "created_at": int(time.time()) + number,
            "error": None,
            "fine_tuned_model": None,
            "finished_at": None,
            "hyperparameters": {"n_epochs": request.get("hyperparameters", {}).get("n_epochs", "auto")},
            "model": request["model"],
            "organization_id": "org-loopback",
            "result_files": [],
            "seed": 1,
            "status": self.steps[0],
            "trained_tokens": None,
            "training_file": request["training_file"],
            "validation_file": request.get("validation_file"),
            "suffix": request.get("suffix"),
            "at": 0,
        }
        self.jobs[job["id"]] = job
        return job

    def step(self, job: dict[str, Any]) -> None:
        """Move a job on."""
        if job["status"] in ("succeeded", "failed", "cancelled"):
            return
        job["at"] = min(job["at"] + 1, len(self.steps) - 1)
        job["status"] = self.steps[job["at"]]
        if job["status"] == "succeeded":
            job["fine_tuned_model"] = f"ft:{job['model']}:loopback:{job['suffix']}:1"
            job["trained_tokens"] = 12_345
        if job["status"] == "failed":
            job["error"] = {"code": "invalid_training_file", "message": self.error, "param": "training_file"}


class _Handler(Handler):
    def do_GET(self) -> None:
        self._serve("GET", b"")

    def do_POST(self) -> None:
        self._serve("POST", self.rfile.read(int(self.headers.get("Content-Length") or 0)))

    def _serve(self, method: str, body: bytes) -> None:
        tuning: TuningServer = self.server.owner
        path, _, query = self.path.partition("?")
        place, name = _place(method, re.sub(r"^/(v1|openai)", "", path))
        with tuning.lock:
            tuning.asked.append(place)
            faults = tuning.faults.get(place, [])
            fault = faults.pop(0) if faults else None
            answer = None
            if fault is None or fault.heard:
                answer = self._answer(place, name, query, body)
        if fault is not None and fault.stalls:
            tuning.closing.wait()
        if fault is not None and (fault.status == 0 or fault.stalls):
            self.close_connection = True
            return
        if fault is not None:
            sent = json.dumps(_error(fault.text)).encode() if fault.body is None else fault.body
            self._send(fault.status, sent, fault.headers, html=fault.body is not None)
        elif answer is None:
            self._send(404, json.dumps(_error(f"No such thing: {path}")).encode())
        else:
            self._send(200, json.dumps(answer).encode())

    def _send(
        self, status: int, body: bytes, headers: Mapping[str, str] | None = None, *, html: bool = False
    ) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "text/html" if html else "application/json")
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _answer(self, place: str, name: str, query: str, body: bytes) -> dict[str, Any] | None:
        tuning: TuningServer = self.server.owner
        if place == "POST files":
            return tuning.add_file(*_uploaded(self.headers["Content-Type"], body))
        if place == "GET files":
            return {"object": "list", "data": list(tuning.files.values()), "has_more": False}
        if place == "GET file":
            file = tuning.files.get(name)
            if file is not None:
                file["at"] = min(file["at"] + 1, len(tuning.file_steps) - 1)
                file["status"] = tuning.file_steps[file["at"]]
            return file
        if place == "POST jobs":
            request = json.loads(body)
            tuning.requests.append(request)
            return tuning.add_job(request)
        if place == "GET jobs":
            newest = list(tuning.jobs.values())[::-1]
            after = re.search(r"after=([^&]+)", query)
            start = [job["id"] for job in newest].index(after[1]) + 1 if after else 0
            shown = newest[start : start + tuning.page_size]
            return {"object": "list", "data": shown, "has_more": start + len(shown) < len(newest)}
        job = tuning.jobs.get(name)
        if job is not None and place == "GET job":
            tuning.step(job)
        if job is not None and place == "POST cancel":
            job["status"] = "cancelled"
        if place == "POST chat":
            request = json.loads(body)
            known = [job["fine_tuned_model"] for job in tuning.jobs.values()]
            return _chat(request["model"]) if request["model"] in known else None
        return job


def _error(message: str) -> dict[str, Any]:
    return {"error": {"message": message, "type": "error", "param": None, "code": None}}


def _place(method: str, path: str) -> tuple[str, str]:
    if path == "/chat/completions":
        return f"{method} chat", ""
    for pattern, place in (
        (r"/files", "files"),
        (r"/files/([^/]+)", "file"),
        (r"/fine_tuning/jobs", "jobs"),
        (r"/fine_tuning/jobs/([^/]+)", "job"),
        (r"/fine_tuning/jobs/([^/]+)/cancel", "cancel"),
    ):
        found = re.fullmatch(pattern, path)
        if found:
            return f"{method} {place}", found[1] if found.groups() else ""
    return f"{method} {path}", ""


def _uploaded(content_type: str, body: bytes) -> tuple[str, bytes]:
    parts = message_from_bytes(f"Content-Type: {content_type}\r\n\r\n".encode() + body, policy=HTTP)
    for part in parts.iter_parts():
        if part.get_filename():
            content = part.get_payload(decode=True)
            return str(part.get_filename()), content if isinstance(content, bytes) else b""
    raise ValueError("no file in the upload")


def _chat(model: str) -> dict[str, Any]:
    message = {"role": "assistant", "content": "A", "refusal": None}
    return {
        "id": "chatcmpl-loopback",
        "object": "chat.completion",
        "created": int(time.time()),
        "model": model,
        "choices": [{"index": 0, "finish_reason": "stop", "message": message, "logprobs": None}],
        "usage": {"prompt_tokens": 5, "completion_tokens": 1, "total_tokens": 6},
    }
