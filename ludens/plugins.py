"""What other packages bring: objects named by entry points, or by ``module:object``.

The groups are ``ludens.games``, ``ludens.policies``, ``ludens.preferences`` and ``ludens.studies``; a
package names its own in its ``pyproject.toml``::

    [project.entry-points."ludens.studies"]
    my_study = "my_package.my_study:MyStudy"
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Mapping
from functools import cache, partial
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

from ludens.errors import UsageError


@cache
def installed(group: str) -> Mapping[str, EntryPoint]:
    """Return the entry points of a group by name, none of them loaded; those of ludens hide others of the
    same name.
    """
    entries = entry_points(group=group)
    ours_last = sorted(entries, key=lambda each: each.dist is not None and each.dist.name == "ludens")
    return {each.name: each for each in ours_last}


def load_installed(group: str, name: str) -> Any:
    """Return what the entry point of that name names.

    Raises:
        UsageError: it cannot be imported; the message names the package that brings it.
    """
    entry = installed(group)[name]
    try:
        return entry.load()
    except Exception as error:
        package = f" of the package {entry.dist.name}" if entry.dist is not None else ""
        raise UsageError(
            f"The plug-in {name!r}{package} ({group}: {entry.value}) cannot be loaded "
            f"({type(error).__name__}: {' '.join(str(error).split())}): mend or uninstall that package."
        ) from error


def load_object(reference: str) -> Any:
    """Return what a text ``module:object`` names; the working directory is searched too.

    Raises:
        UsageError: there is no such module or object.
    """
    module, _, name = reference.partition(":")
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.append(here)
    try:
        thing: Any = importlib.import_module(module)
        for part in name.split("."):
            thing = getattr(thing, part)
    except (Exception, SystemExit) as error:  # whatever somebody else's module does while it is imported
        raise UsageError(
            f"{reference!r} cannot be loaded ({type(error).__name__}: {error}): write module:object, and run "
            "where the module can be imported."
        ) from None
    return thing


def of_python(thing: Callable[..., Any]) -> bool:
    """Return whether a function or class is Python's own. None of these makes policies or environments, and
    some would run whatever a run's file has for an argument: `os.system` is never called.
    """
    while isinstance(thing, partial):
        thing = thing.func
    module = str(getattr(thing, "__module__", None) or getattr(type(thing), "__module__", ""))
    return module.partition(".")[0] in sys.stdlib_module_names
