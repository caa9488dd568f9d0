"""The version of ludens that is installed."""

from __future__ import annotations


def installed_version() -> str:
    """Return the version of the installed package, or ``"0+unknown"`` if it was never installed."""
    # importlib.metadata loads email and zipfile, which are needed for nothing else here.
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("ludens")
    except PackageNotFoundError:  # a source tree that was put on the path
        return "0+unknown"
