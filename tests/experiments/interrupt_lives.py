"""Runs `ludens`, or a cell of a notebook, to be interrupted; see `tests.experiments.lives`."""

from __future__ import annotations

import asyncio
import os

from ludens.agents import LLMPolicy
from ludens.cli import main
from ludens.experiments import RunInterrupted, bench
from ludens.experiments.runs import blocking
from tests.experiments.lives import serve


def life(stderr: str, *arguments: str, grace: float = 600.0, cell: bool = False) -> int:
    """Run the command, or a cell that benchmarks the model at an address, and return its exit code."""
    os.dup2(os.open(stderr, os.O_WRONLY), 2)
    blocking.GRACE = grace
    return asyncio.run(_cell(*arguments)) if cell else main(arguments)


async def _cell(address: str, path: str) -> int:
    model = LLMPolicy("openai/loopback", api_base=address, elicit="sample")
    games = {"protocols": ("TG3",), "framings": ("neutral", "story"), "replicates": 3, "elicit": "sample"}
    try:
        bench([model], **games, concurrency=3, path=path)
    except RunInterrupted as sentence:
        os.write(2, f"{sentence}\n".encode())
        return 130
    return 0


serve(life)
