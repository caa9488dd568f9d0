"""A model and how to reach it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from ludens.agents.secrets import masked, plain_address

TIMEOUT = 120.0
PATIENCE = 300.0


@dataclass(frozen=True)
class Endpoint:
    """A model and how to reach it.

    Attributes:
        model: LiteLLM's id.
        options: passed to LiteLLM unchanged, for example ``api_base``.
        timeout: seconds for one request; None for no limit.
        patience: seconds for which an outage or a rate limit of the server is waited out.
        transport_retries: how often one request is repeated after 429, 5xx, a time-out or a broken
            connection; None for as often as patience allows.
        retry_wait: seconds before the first repetition; the wait doubles each time, up to a minute. Where the
            server says how long to wait (Retry-After), this counts instead.
    """

    model: str
    options: Mapping[str, Any] = field(default_factory=dict)
    timeout: float | None = TIMEOUT
    patience: float = PATIENCE
    transport_retries: int | None = None
    retry_wait: float = 1.0

    @property
    def address(self) -> str:
        """The server's address; empty for the provider's own."""
        return str(self.options.get("api_base") or self.options.get("base_url") or "")

    @cached_property
    def where(self) -> str:
        """The address or the provider's name, for messages."""
        return masked(plain_address(self.address)) or self.model.partition("/")[0]

    @cached_property
    def server(self) -> str:
        """The name under which a run remembers what it learnt of the server: the model, and the address."""
        return f"{self.model} at {self.where}" if self.address else self.model
