"""The studies there are, by name: those of installed packages (entry points), ludens' own among them, and
those that a program registers itself.

Another package names its studies in its ``pyproject.toml``::

    [project.entry-points."ludens.studies"]
    my_study = "my_package.my_study:MyStudy"

A study that no package names is found by ``module:object``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ludens.errors import UsageError
from ludens.experiments.study.base import Study
from ludens.plugins import installed, load_installed, load_object

GROUP = "ludens.studies"

AnyStudy = Study[Any, Any]


class Studies(Mapping[str, type[AnyStudy]]):
    """Every known study by its kind; one is loaded when it is first looked up."""

    def __init__(self) -> None:
        self._registered: dict[str, type[AnyStudy]] = {}

    def register(self, study: type[AnyStudy]) -> type[AnyStudy]:
        """Add a study under its kind; usable as a decorator.

        Raises:
            UsageError: another study has that kind.
        """
        kind = study.kind()
        if self._registered.get(kind, study) is not study or kind in installed(GROUP):
            raise UsageError(f"There is a study of kind {kind!r} already: give yours another kind.")
        self._registered[kind] = study
        return study

    def __getitem__(self, kind: str) -> type[AnyStudy]:
        if kind in self._registered:
            return self._registered[kind]
        found = load_installed(GROUP, kind)
        if not (isinstance(found, type) and issubclass(found, Study)):
            raise UsageError(f"The entry point {kind!r} of {GROUP} names {found!r}, which is no Study.")
        return found

    def __iter__(self) -> Iterator[str]:
        return iter(sorted({*installed(GROUP), *self._registered}))

    def __len__(self) -> int:
        return len({*installed(GROUP), *self._registered})


STUDIES = Studies()
"""Every known study by its kind."""


def find_study(kind: str, reference: str | None = None) -> type[AnyStudy]:
    """Return the study of a kind.

    Args:
        kind: its name.
        reference: ``module:object`` of a study that may be unknown here; the working directory is searched
            too.

    Raises:
        UsageError: there is none; the message says what is missing.
    """
    if kind in STUDIES:
        return STUDIES[kind]
    if reference is None:
        raise UsageError(
            f"There is no study {kind!r}; there are {', '.join(STUDIES)}. Install the package that "
            "brings it, or "
            "name it as module:object under the key 'study'."
        )
    found = load_object(reference)
    if not (
        isinstance(found, type)
        and issubclass(found, Study)
        and hasattr(found, "config_type")
        and found.kind() == kind
    ):
        raise UsageError(f"{reference} is not a study of kind {kind!r}.")
    return found


def reference_of(study: type[AnyStudy]) -> str | None:
    """``module:object`` of a study that no installed package names, so that its runs find it again."""
    return None if study.kind() in installed(GROUP) else f"{study.__module__}:{study.__qualname__}"
