"""Published estimates, by this package from the published data.

    python benchmarks/published_estimates.py --data FOLDER

FOLDER holds the files of the two sources, which do not come with ludens (those that are absent are left out):

* ``bfs2019_choices_exp1.csv`` and ``bfs2019_dropped_subjects.csv``, session 1 of Bruhin, Fehr & Schunk (JEEA
  17(4), 2019): the pooled estimates and the three types of their paper;
* ``moral_machine_amce_llms.csv``, the effects of 75 language models on the Moral Machine (supplementary
  table of Takemoto, arXiv 2601.17637): the distances of six of them from people.

Prints one row per quantity: as published, by this package, and whether both agree to the printed digits.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from ludens.experiments.av.amce import distance, read_effects
from ludens.preferences import human
from ludens.preferences.estimation import Choices, fit, fit_types, read_choices


class Quantity(NamedTuple):
    """A number as published and by this package."""

    source: str
    name: str
    published: float
    ours: float
    digits: int

    @property
    def agrees(self) -> bool:
        """Whether both are the same up to half a unit of the last printed digit, and the rounding of ours."""
        return abs(self.published - self.ours) <= 0.6 * 10**-self.digits


DISTANCES = {
    "GPT-3.5(Jan'24)": 0.796,
    "GPT-4(Apr'24)": 0.762,
    "GPT-4o(Nov'24)": 0.946,
    "GPT-4o-mini": 1.076,
    "o1(Dec'24)": 0.916,
    "o1-mini": 0.710,
}
"""Distances from people to three decimals."""


def kept(data: Path, dropped: Path) -> Choices:
    """Return the choices of the subjects whom the paper keeps."""
    gone = set(dropped.read_text(encoding="utf-8").split())
    with data.open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["sid"] not in gone]
    return read_choices({name: [row[name] for row in rows] for name in rows[0]}, "bfs", subject="sid")


def of_people(folder: Path) -> Iterator[Quantity]:
    """Yield the estimates of Bruhin, Fehr & Schunk."""
    choices = kept(folder / "bfs2019_choices_exp1.csv", folder / "bfs2019_dropped_subjects.csv")
    source = "Bruhin, Fehr & Schunk 2019"
    pooled = fit(choices, "bfs")
    errors = dict(zip(pooled.names, pooled.standard_errors().tolist(), strict=True))
    ours = dict(zip(pooled.names, pooled.values.tolist(), strict=True))
    for entry in human.numbers(human.bfs_group()):
        if entry.measure in ours and entry.value is not None:
            yield Quantity(source, f"pooled, {entry.measure}", entry.value, ours[entry.measure], 3)
            if entry.spread is not None:
                error = errors[entry.measure]
                yield Quantity(source, f"pooled, error of {entry.measure}", entry.spread, error, 3)
    mixture = fit_types(choices, "bfs", 3)
    types = [(number, human.numbers(human.bfs_group(number))) for number in (1, 2, 3)]
    # Ours are ordered by their shares, the paper's are not.
    types.sort(key=lambda one: -next(entry.value or 0.0 for entry in one[1] if entry.measure == "share"))
    for place, (number, entries) in enumerate(types):
        values = dict(zip(pooled.names, mixture.values[place].tolist(), strict=True))
        values["share"] = float(mixture.shares[place])
        for entry in entries:
            if entry.measure in values and entry.value is not None:
                name = f"type {number}, {entry.measure}"
                yield Quantity(source, name, entry.value, values[entry.measure], 3)


def of_models(folder: Path) -> Iterator[Quantity]:
    """Yield the distances of language models from people."""
    table = read_effects(folder / "moral_machine_amce_llms.csv")
    for model, printed in DISTANCES.items():
        found = distance(table[model], table["Human"])
        yield Quantity("Takemoto 2026", f"distance, {model}", printed, found, 3)


def main() -> None:
    """Print the table, and end with 1 where a number does not agree."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="the folder of the published data")
    folder = parser.parse_args().data
    found = [
        quantity
        for first, read in (
            ("bfs2019_choices_exp1.csv", of_people),
            ("moral_machine_amce_llms.csv", of_models),
        )
        if (folder / first).is_file()
        for quantity in read(folder)
    ]
    print("| source | quantity | published | ludens | agrees |\n|---|---|---|---|---|")
    for one in found:
        shown = f"{one.published:.{one.digits}f} | {one.ours:.{one.digits + 1}f}"
        print(f"| {one.source} | {one.name} | {shown} | {'yes' if one.agrees else 'NO'} |")
    wrong = sum(not one.agrees for one in found)
    print(f"\n{len(found) - wrong} of {len(found)} agree to the printed digits.")
    raise SystemExit(1 if wrong or not found else 0)


if __name__ == "__main__":
    main()
