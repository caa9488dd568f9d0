"""The configuration of a sweep: which cells there are, and how many sessions each trains."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, Field

from ludens.errors import LudensError, UsageError
from ludens.experiments.pricing.cells import KEYS, MEASURES, training_of
from ludens.experiments.study.config import Count, StudyConfig, plain_values

KIND = "sweep"
_DESCRIBE = ("label", "published")

Values = Mapping[str, Any]


def _plain(value: Any) -> Any:
    return plain_values(value)


def _plain_each(values: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(map(plain_values, values))


class SweepConfig(StudyConfig):
    """The configuration of a sweep.

    Attributes:
        settings: of every cell, see `ludens.experiments.pricing.cells.training_of`; what is missing is that
            of the published baseline (Calvano et al., AER 2020).
        vary: lists of values by setting; every combination is a cell.
        cells: settings of single cells, each of which is crossed with `vary`. ``label`` names one, and
            ``published`` holds published numbers by measure, which the report shows beside ours.
        sessions: how many are trained in each cell.
        tests: whether limit strategies are tested for equilibrium and forced to deviate, which with long
            memory takes longer than learning.
        seed: of the training of every cell.
        concurrency: how many cells are trained at once, each in a process with one thread.

    Raises:
        UsageError: a value is wrong; the message names its key.
    """

    kind: ClassVar[str] = KIND

    settings: Annotated[dict[str, Any], AfterValidator(_plain)] = Field(default_factory=dict)
    vary: Annotated[dict[str, list[Any]], AfterValidator(_plain)] = Field(default_factory=dict)
    cells: Annotated[tuple[dict[str, Any], ...], AfterValidator(_plain_each)] = ()
    sessions: Count = 100
    tests: bool = True
    concurrency: Count = 2

    def __init__(self, /, **values: Any) -> None:
        super().__init__(**values)
        for name in self.vary:
            if name not in KEYS:
                raise UsageError(
                    f"{self.kind}.vary: there is no setting {name!r}; there are {', '.join(KEYS)}."
                )
            if not self.vary[name]:
                raise UsageError(f"{self.kind}.vary.{name}: list at least one value.")
        for place, cell in enumerate(self.cells):
            for name, value in cell.get("published", {}).items():
                if name not in MEASURES or not isinstance(value, int | float):
                    raise UsageError(
                        f"{self.kind}.cells[{place}].published: {name} = {value!r} is no number of a measure;"
                        f" there are {', '.join(MEASURES)}."
                    )
        for labels, settings in self.planned():
            try:
                training_of(settings).tables()
            except LudensError as why:
                raise UsageError(f"{self.kind}, cell {cell_name(labels)}: {why}") from None

    def planned(self) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
        """Yield the labels and the settings of every cell, in their order."""
        for place, cell in enumerate(self.cells or ({},)):
            own = {name: value for name, value in cell.items() if name not in _DESCRIBE}
            name = {"cell": str(cell.get("label", place + 1))} if self.cells else {}
            for values in itertools.product(*self.vary.values()):
                varied = dict(zip(self.vary, values, strict=True))
                yield name | varied, {**self.settings, **own, **varied}

    def published(self, label: str | None) -> Values:
        """Return the published numbers of the cell of that label, by measure."""
        found = {str(cell.get("label", place + 1)): cell for place, cell in enumerate(self.cells)}
        numbers: Values = found.get(label or "", {}).get("published", {})
        return numbers


def cell_name(labels: Values) -> str:
    """Return the name of a cell in tables and messages."""
    parts = [value if name == "cell" else f"{name} {_short(value)}" for name, value in labels.items()]
    return ", ".join(parts) or "1"


def _short(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:g}"
    return "/".join(map(_short, value)) if isinstance(value, list) else str(value)
