"""An exam as measured: its scores, on a page and on a terminal."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from ludens.display.table import Cell, Table
from ludens.experiments.report import provenance
from ludens.experiments.report.answering import answering_tables, mean_mass_cell, remarks
from ludens.experiments.report.cells import share
from ludens.experiments.report.names import percent
from ludens.experiments.report.page import Page
from ludens.experiments.report.result import RunResult
from ludens.experiments.report.terminal import print_closing, print_table, say
from ludens.experiments.report.transcripts import Transcripts
from ludens.experiments.runs.run import Run
from ludens.preferences import Preferences
from ludens.training.evaluation.scores import Score, score_exam

if TYPE_CHECKING:
    from rich.console import Console


@dataclass(frozen=True, kw_only=True, repr=False)
class ExamResult(RunResult):
    """An exam as measured.

    Attributes:
        scores: of every policy in every set.
    """

    scores: tuple[Score, ...]

    @property
    def rows(self) -> list[dict[str, Any]]:
        """One row per policy and set, estimates with their intervals in columns of their own."""
        return [_flat(asdict(each)) for each in self.scores]


def measured(run: Run, target: Preferences) -> ExamResult:
    """Measure an exam as it stands, finished or not."""
    decisions = run.decisions()
    scores = score_exam(run.episodes(), decisions, target, seed=run.manifest["seed"])
    return ExamResult.of(run, decisions, scores=scores)


def page(result: ExamResult) -> Page:
    """Return the report of an exam."""
    headers = ["asked", "agrees", "right of all", "regret", "cooperates", "oracle", "unreadable", "refused"]
    headers += ["answer mass"]
    rows: list[tuple[str, list[Cell | str]]] = [
        (
            f"{each.policy}: {each.set}",
            [
                f"{each.answered} of {each.asked}",
                share(each.agreement),
                share(each.right),
                share(each.regret),
                share(each.cooperation),
                percent(each.oracle),
                share(each.invalid),
                share(each.refused),
                mean_mass_cell(each.answer_mass, each.lowest_mass),
            ],
        )
        for each in result.scores
    ]
    answered = sum(each.answered for each in result.scores if each.set != "all")
    asked = sum(each.asked for each in result.scores if each.set != "all")
    return Page(
        title=", ".join(dict.fromkeys(each.policy for each in result.scores)),
        lead="How often the answers are optimal for the target, set by set.",
        kind="exam",
        warnings=(
            *provenance.unfinished(answered, asked, result.run_path),
            *remarks(result.decisions),
        ),
        tables=[
            Table.of("Scores", READING, headers, rows, corner="policy and set"),
            *answering_tables(result.decisions),
        ],
        transcripts=Transcripts(result.decisions),
        facts=provenance.facts(
            result.manifest,
            result.run_path,
            {"target": ", ".join(f"{name} {value:g}" for name, value in _target(result.manifest).items())},
        ),
    )


READING = (
    "Per cent, with 95 % intervals. Agrees: optimal for the target, of readable answers; right of "
    "all: of all "
    "answers. Regret: the utility lost against the best option, as a share of the game's range of payoffs."
)


def show(result: ExamResult, console: Console) -> None:
    """Print the scores of every policy in every set; they fit 80 columns."""
    headers = ("set", "agrees", "right\nof all", "regret", "coop-\nerates", "un-\nread")
    rows: list[tuple[str, list[Cell | str]]] = []
    for each in result.scores:
        shares = [share(one) for one in (each.agreement, each.right, each.regret, each.cooperation)]
        lost = [one.value or 0.0 for one in (each.invalid, each.refused, each.low_mass)]
        unread = None if each.invalid.value is None else sum(lost)
        rows.append((each.policy, [each.set, *shares, percent(unread)]))
    table = Table.of("Scores", READING, headers, rows, corner="policy")
    print_table(table, console, names=24, left={"set"})
    say(console, READING, "dim")
    for sentence in remarks(result.decisions):
        say(console, sentence, "yellow")
    unfinished = result.ended < result.planned
    print_closing(console, result.run_path, result.report_path, unfinished=unfinished)


def _target(manifest: Mapping[str, Any]) -> dict[str, float]:
    return {name: float(manifest["config"][name]) for name in ("alpha", "beta", "kappa")}


def _flat(row: Mapping[str, Any]) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in row.items():
        if value is None and name == "kappa":
            flat |= {name: None, f"{name}_low": None, f"{name}_high": None}
        elif isinstance(value, Mapping):
            flat |= {name: value["value"], f"{name}_low": value["low"], f"{name}_high": value["high"]}
        else:
            flat[name] = value
    return flat
