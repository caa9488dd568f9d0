"""One task after the other, in this process."""

from __future__ import annotations

from ludens.experiments.runs.executors.asynchronous import Asyncio


class Serial(Asyncio):
    """Carries out one task after the other, in their order."""

    name = "serial"

    def places(self, concurrency: int) -> int:
        """Return 1."""
        return 1
