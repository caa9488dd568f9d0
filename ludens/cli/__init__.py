"""The command `ludens`: a thin layer over the packages.

Exit codes: 0 done, 1 the work failed, 2 wrong usage, 130 Ctrl-C, 143 SIGTERM. Results go to stdout, all else
to stderr.
Libraries are imported by the command that needs them. Each module below adds its commands to the application.
"""

from __future__ import annotations

import ludens.cli.align.grpo
import ludens.cli.align.model
import ludens.cli.align.provider
import ludens.cli.av.adopt
import ludens.cli.av.ask
import ludens.cli.av.people
import ludens.cli.bench
import ludens.cli.design
import ludens.cli.estimate
import ludens.cli.evolve
import ludens.cli.listing
import ludens.cli.play
import ludens.cli.price.compare
import ludens.cli.price.deviate
import ludens.cli.price.market
import ludens.cli.price.sweep
import ludens.cli.runs
import ludens.cli.tournament  # noqa: F401  # what stands above is imported for the commands that it adds
from ludens.cli.application import app
from ludens.cli.entry import main

__all__ = ["app", "main"]
