"""What tuning carries to other wordings, domains, repeated play and markets, with the embedded model.

    python benchmarks/align_carry.py [--keep FOLDER] [--only NAME …] [--threads N] [--tables]
                                     [--folders FOLDER …] [--write FILE]

Tunes the embedded model toward homo economicus and homo moralis, on games, dilemmas and markets together, on
games alone, and by the preset `--quick`; each alignment has its own folder below `--keep`. An interrupted
command continues when it is called again. `--only moralis-0.5-all-seed0` runs the named alignments only;
`--tables` runs none and writes the tables of those that exist. Two commands at the same time, each with
`--threads 1` and half of the names, take less time than one with both cores.

`--folders` aligns nothing either: it makes the tables of alignments that `ludens align` made, with any
options. The first command is how benchmarks/align_carry.md was made; more seeds and more questions are a
matter of hours:

    python benchmarks/align_carry.py --write benchmarks/align_carry.md
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from _align_carried import grouped, matrix, must_show
from _align_timing import timed

from ludens.agents.local import Settings, register
from ludens.training.alignment import AlignmentResult, Plan, Sizes, align, load_result, make_plan
from ludens.training.alignment.plan import PLAN, QUICK
from ludens.training.alignment.stages import questions_open

MODEL = "local/smollm2-135m"
SIZES = Sizes(
    held_out=64, others=32, thinking=0, periods=50, studies=(2,), compared=False, greedy=False, carry=32,
    repeated=3, matches=1,
)  # fmt: skip
"""Without the base and the persona, which the alignment by the preset asks."""
SHORTER = replace(SIZES, held_out=32, others=16, periods=8, carry=16, matches=1, repeated=0)
"""Of homo moralis, whose replies are three times as long, and of trainings on games alone."""
EVERYTHING = ("games", "av", "pricing")
TRAININGS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "all": {"domains": EVERYTHING, "surfaces": 1000, "replay": 1.0},
        "games": {"examples": 256, "domains": ("games",), "surfaces": 300, "replay": 1.0, "sizes": SHORTER},
        "quick": QUICK,
        "free": {**QUICK, "replay": 0.0, "sizes": replace(QUICK["sizes"], compared=False)},
    }
)
"""Kinds of training: all domains, games alone, the preset, and the preset without replay."""
EXAMPLES: Mapping[str, int] = MappingProxyType({"economicus": 1536, "moralis": 1024})
"""As many of all domains as an hour of one core allows; rationales of homo moralis are longer."""


@dataclass(frozen=True)
class Entry:
    """One alignment."""

    kappa: float
    training: str = "all"
    seed: int = 0
    processes: int = 1

    @property
    def name(self) -> str:
        """The name of its folder."""
        target = f"moralis-{self.kappa:g}" if self.kappa else "economicus"
        return f"{target}-{self.training}-seed{self.seed}"

    def plan(self) -> Plan:
        """The plan of the alignment."""
        settings = {"sizes": SIZES, **TRAININGS[self.training]}
        to = "moralis" if self.kappa else "economicus"
        if self.training == "all":
            settings["examples"] = EXAMPLES[to]
            settings["sizes"] = SHORTER if self.kappa else SIZES
        return make_plan(
            MODEL, to, kappa=self.kappa or None, seed=self.seed, processes=self.processes, **settings,
        )  # fmt: skip


ENTRIES = (
    *(Entry(kappa) for kappa in (0.5, 0)),
    Entry(0, "games"),
    Entry(0.5, "games"),
    Entry(0.5, "quick", processes=2),
    Entry(0.5, "free"),
    *(Entry(kappa) for kappa in (0.25, 0.75)),
    *(Entry(kappa, seed=seed) for seed in (1, 2) for kappa in (0.5, 0)),
)


def main() -> None:
    """Align, and write the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    named = {entry.name: entry for entry in ENTRIES}
    parser.add_argument("--keep", type=Path, default=Path("runs/align-carry"))
    parser.add_argument("--only", nargs="*", choices=list(named), metavar="NAME", help=", ".join(named))
    parser.add_argument("--threads", type=int, default=0, help="0 for as many as there are cores")
    parser.add_argument("--tables", action="store_true", help="align nothing, read what is there")
    parser.add_argument(
        "--folders",
        nargs="+",
        type=Path,
        default=[],
        help="folders of alignments made by `ludens align`, or folders of such folders",
    )
    parser.add_argument("--write", type=Path, help="a Markdown file")
    options = parser.parse_args()
    if options.threads:
        os.environ["OMP_NUM_THREADS"] = str(options.threads)
    for name in [] if options.tables or options.folders else options.only or named:
        print(f"== {name}", flush=True)
        plan = named[name].plan()
        register(settings=Settings(slots=questions_open(plan), threads=options.threads))
        align(plan, options.keep / name, stage=timed)
    groups = grouped(results_in(options.folders or [options.keep]))
    if not groups:
        parser.error(f"no tuned model lies in {', '.join(map(str, options.folders or [options.keep]))}")
    text = page(groups)
    print(text)
    if options.write is not None:
        options.write.write_text(text, encoding="utf-8")


def results_in(folders: Iterable[Path]) -> list[AlignmentResult]:
    """Return the alignments in folders, and in the folders directly within them."""
    plans = [path for folder in folders for path in (folder / PLAN, *sorted(folder.glob(f"*/{PLAN}")))]
    return [load_result(path.parent) for path in plans if path.exists()]


def page(groups: Mapping[str, Sequence[AlignmentResult]]) -> str:
    """Return all tables."""
    rows = matrix(groups)
    return "\n".join(
        [
            "# What tuning carries",
            "",
            "Made by `python benchmarks/align_carry.py --write benchmarks/align_carry.md`: the embedded "
            "model (135 million parameters) on two cores without a GPU. What is trained and asked: "
            "[docs/align.md](../docs/align.md). Shares are in per cent, with 95 % intervals. Alignments that "
            "were not made yet, and questions that were not asked yet, have no numbers. Data sets are those "
            "of the version that made them; docs/align.md says what has changed since.",
            "",
            "## As wanted and as measured",
            "",
            *must_show(groups),
            "",
            "Shares are pooled over seeds, other numbers are means with the range over seeds; unreadable "
            "replies are not right.",
            "",
            *(["## Trained × asked × surface", "", *rows, ""] if rows else []),
        ]
    )


if __name__ == "__main__":
    main()
