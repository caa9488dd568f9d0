"""Results of `ludens align` with the embedded model, toward homo economicus and homo moralis.

    python benchmarks/align.py [--keep FOLDER] [--only NAME …] [--threads N] [--device cuda] [--tables]
                               [--write FILE]

Tunes the embedded model eight times, each time as an alignment in its own folder below `--keep`: toward homo
economicus and homo moralis κ = 0.5 with three seeds each, toward κ = 0.25 and κ = 0.75 with one. For the
first seed of the first two targets, the base and the persona are examined too, and transfer is measured. An
interrupted command continues when it is called again. `--only moralis-0.5-seed1` runs the named alignments
only; `--tables` runs none and writes the tables of the existing ones. Two commands at the same time, each
with `--threads 1` and half of the names, take less time than one with both cores. Seeds 1 and 2 of homo
moralis train in two processes, which take both cores.

With `--device cuda`, it tunes twelve times on one GPU, with 4,096 examples each in larger steps: κ = 0, 0.25,
0.5 and 0.75 with three seeds each, in folders whose names begin with `cuda-`.

The ladder is a separate set of questions, the same for every κ of the first seed: prisoner's dilemmas and
trust games on which none of them was trained, at the four turns where the oracle's cooperation rises with κ.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from _align_entries import ENTRIES, ON_GPU, Entry
from _align_tables import page, picture
from _align_timing import timed

from ludens.agents.local import Settings, close_all, register
from ludens.training.alignment import AlignmentResult, Files, align, load_result
from ludens.training.alignment.plan import PLAN
from ludens.training.alignment.stages import data_of, greedy, policies_under_test, questions_open
from ludens.training.evaluation.exam import examine
from ludens.training.evaluation.scores import Score, by_policy, read_exam, score_exam
from ludens.training.evaluation.sets import Question

RUNGS = (
    ("sequential_prisoners_dilemma", "opening"),
    ("sequential_prisoners_dilemma", "reply to cooperation"),
    ("trust", "opening"),
    ("trust", "reply to trust"),
)
"""The families and nodes of the ladder, where the oracle's cooperation rises with κ."""


def main() -> None:
    """Align, and write the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--keep", type=Path, default=Path("runs/align-study"))
    parser.add_argument(
        "--only",
        nargs="*",
        choices=[entry.name for entry in (*ENTRIES, *ON_GPU)],
        metavar="NAME",
        help="alignments, in the order in which to do them: " + ", ".join(entry.name for entry in ENTRIES),
    )
    parser.add_argument("--threads", type=int, default=0, help="0 for as many as there are cores")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--tables", action="store_true", help="align nothing, read what is there")
    parser.add_argument("--write", type=Path, help="a Markdown file, with a picture beside it")
    options = parser.parse_args()
    if options.threads:
        os.environ["OMP_NUM_THREADS"] = str(options.threads)
    named = {entry.name: entry for entry in (*ENTRIES, *ON_GPU)}
    wanted = options.only or [name for name, entry in named.items() if entry.device == options.device]
    for name in [] if options.tables else wanted:
        print(f"== {name}", flush=True)
        entry = named[name]
        register(settings=Settings(slots=questions_open(entry.plan()), threads=options.threads))
        files = align(entry.plan(), options.keep / name, stage=timed)
        if entry.seed == 0:
            with timed("ladder"):
                ask_ladder(files, entry)
    results = {
        entry: load_result(options.keep / entry.name)
        for entry in named.values()
        if (options.keep / entry.name / PLAN).exists()
    }
    ladders = ladder_scores(results)
    text = page(results, ladders)
    print(text)
    if options.write is not None:
        drawn = picture(ladders, options.write.with_suffix(".svg"))
        text += f"\n\n![κ]({drawn.name})\n" if drawn else ""
        options.write.write_text(text, encoding="utf-8")


@cache
def ladder() -> tuple[Question, ...]:
    """Return the ladder's questions, at the nodes of `RUNGS`.

    They use the test games of the first alignment, on which no other alignment of its seed was trained.
    """
    with tempfile.TemporaryDirectory() as place:
        data = data_of(ENTRIES[0].plan(), Files(Path(place)))
    games = sorted({(each.family, each.payoffs) for each in data.test})
    return tuple(
        Question("ladder", family, payoffs, node, "neutral", place % 2)
        for place, (family, payoffs) in enumerate(games)
        for name, node in RUNGS
        if name == family
    )


def ask_ladder(files: Files, entry: Entry) -> None:
    """Examine the tuned model on the ladder."""
    (tuned,) = policies_under_test(entry.plan(), files, "after")
    path, asked = files.folder / "ladder.db", ladder()
    examine([tuned, greedy(tuned)], asked, path, seed=entry.seed, concurrency=questions_open(entry.plan()))
    close_all()


def ladder_scores(results: dict[Entry, AlignmentResult]) -> dict[Entry, Mapping[str, Score]]:
    """Return the scores of the first seed's tuned models on the ladder, by κ, sampled and greedy."""
    return {
        entry: by_policy(score_exam(*read_exam(path), result.plan.preferences, seed=entry.seed), "ladder")
        for entry, result in sorted(results.items(), key=lambda item: (item[0].device, item[0].kappa))
        if entry.seed == 0 and (path := result.folder / "ladder.db").exists()
    }


if __name__ == "__main__":
    main()
