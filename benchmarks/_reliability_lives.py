"""Runs `ludens` under limits, again and again, for reliability.py; see `tests.experiments.lives`."""

from __future__ import annotations

import ctypes
import os
import resource
import signal

import ludens.experiments.bench.study
import ludens.experiments.pricing.study  # noqa: F401  # for the children, as is the next
from ludens.cli import main
from tests.experiments.lives import serve


def life(*arguments: object, stderr: str, most: int | None = None, bound: bool = False) -> int:
    """Run the command and return its exit code.

    Args:
        arguments: of the command.
        stderr: the file that takes what it prints there.
        most: bytes that a file may hold, as on a full disk.
        bound: whether permissions bind root too, who may write everywhere otherwise.
    """
    os.dup2(os.open(stderr, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666), 2)
    if most is not None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
    if bound and os.geteuid() == 0:
        _give_up_capabilities()
    return main([str(argument) for argument in arguments])


def _give_up_capabilities() -> None:
    """Let permissions bind this process although it is root's (Linux, capset(2))."""
    header, none = (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)()
    if ctypes.CDLL(None, use_errno=True).capset(header, none) != 0:
        raise OSError(ctypes.get_errno(), "capabilities cannot be given up")


serve(life)
