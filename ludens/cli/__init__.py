"""The command `ludens`: a thin face over the packages.

Exit codes: 0 done, 1 the work failed, 2 wrong usage, 130 Ctrl-C. Results go to stdout, all else to stderr.
Libraries are imported by the command that needs them. Each module below adds its commands to the application.
"""

from __future__ import annotations

from ludens.cli import (
    align,
    align_model,
    align_provider,
    av,
    av_adopt,
    bench,
    estimate,
    listing,
    play,
    price,
    runs,
)
from ludens.cli.application import app
from ludens.cli.entry import main

__all__ = [
    "align",
    "align_model",
    "align_provider",
    "app",
    "av",
    "av_adopt",
    "bench",
    "estimate",
    "listing",
    "main",
    "play",
    "price",
    "runs",
]
