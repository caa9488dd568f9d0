"""The seconds of each stage of an alignment, printed while it goes on."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def timed(name: str) -> Iterator[None]:
    """Print how long a stage took."""
    begun = time.perf_counter()
    yield None
    print(f"{name}: {time.perf_counter() - begun:.0f} s", flush=True)
