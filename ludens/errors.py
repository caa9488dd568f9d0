"""The errors that users of ludens meet.

Each message is one sentence that says what was wrong, where, and what to do; the command line prints it
without a traceback.
"""

from __future__ import annotations


class LudensError(Exception):
    """Base of every error that ludens raises on purpose: catch it to catch them all."""


class UsageError(LudensError, ValueError):
    """The caller's input is wrong; nothing was done or changed. The command line exits with code 2."""
