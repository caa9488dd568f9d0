"""Numbers that others published of language models, as named reference columns with source and date.

They stand in tables of their own, and never enter what is measured here. Only where a benchmark asks the same
game for the same quantity do both stand side by side: the share that cooperates in the one-shot prisoner's
dilemma with payoffs 3, 2, 1, 0 (PD3). Affonso's dilemmas are of ten rounds against programmed opponents, and
his other games are scored otherwise than by a benchmark's questions.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING

from ludens.display.table import Cell, Table
from ludens.experiments.measures.intervals import wilson
from ludens.experiments.report.cells import share
from ludens.experiments.report.names import DASH, percent, policy_name

if TYPE_CHECKING:
    from ludens.experiments.bench.result import BenchResult


@dataclass(frozen=True)
class PublishedSource:
    """Where published numbers come from.

    Attributes:
        name: of the column, with the year.
        citation: who, what, where.
        date: when the models were asked, or the numbers counted.
        note: how the numbers came about, and under which terms they stand here.
    """

    name: str
    citation: str
    date: str
    note: str


AFFONSO = PublishedSource(
    "Affonso 2026",
    "F. M. Affonso, Large language models converge on competitive rationality but diverge on "
    "cooperation, arXiv "
    "2604.18596",
    "28 February to 9 March 2026",
    "Data CC BY 4.0 (doi 10.5281/zenodo.19896196); three of its tables are joined here, and nothing is "
    "changed.",
)
COOPEVAL = PublishedSource(
    "CoopEval 2026",
    "CoopEval, International Conference on Machine Learning 2026, arXiv 2604.15267",
    "2026",
    "Our own count of the actions in its public raw records of three runs; figures alone are cited.",
)

_SAME_GAME = ("PD3", "choice")
_MECHANISMS = (
    "no_mechanism", "repetition", "reputation_first_order", "reputation", "mediation", "contracting",
)  # fmt: skip
_SHARES: Mapping[str, str] = {
    "coop_vs_always_cooperate": "cooperates against: always cooperate",
    "coop_vs_always_defect": "cooperates against: always defect",
    "coop_vs_tit_for_tat": "cooperates against: tit for tat",
    "coop_vs_grim_trigger": "cooperates against: grim",
    "p_coop_after_coop": "cooperates after: cooperation",
    "p_coop_after_defect": "cooperates after: defection",
    "dictator_share": "other games: dictator gives",
    "trust_sent_share": "other games: trust sent",
}


def affonso() -> list[dict[str, str]]:
    """Return Affonso's numbers, a row for each of 25 models, least cooperative first."""
    return _rows("affonso2026.csv")


def coopeval() -> list[dict[str, str]]:
    """Return CoopEval's counts, a row for each mechanism, game and model."""
    return _rows("coopeval2026.csv")


def published_tables() -> list[Table]:
    """Return the published numbers in tables of their own."""
    return [_affonso(), *_coopeval()]


def beside_published(result: BenchResult) -> Table | None:
    """Return what was measured of a game beside the published numbers of the same one; None if it was not
    asked.
    """
    asked = {
        found.policy: found.cells.get(_SAME_GAME) for found in result.measures if _SAME_GAME in found.cells
    }
    if not asked:
        return None
    known = {
        row["model"]: share(wilson(int(row["cooperative"]), int(row["n"])))
        for row in coopeval()
        if (row["mechanism"], row["game"]) == ("no_mechanism", "prisoners_dilemma")
    }
    rows: list[tuple[str, Sequence[Cell | str]]] = [
        (policy_name(policy), [percent(value), DASH]) for policy, value in asked.items()
    ]
    rows += [(model, [DASH, cell]) for model, cell in known.items()]
    return Table.of(
        "Beside published numbers: the one-shot prisoner's dilemma",
        "Cooperates in PD3, whose payoffs are 3, 2, 1 and 0, in per cent; 95 % intervals below. The game "
        "and the "
        f"quantity are the same, the words of the prompts are not. {_from(COOPEVAL)} CoT: asked to reason "
        "first, IO: not.",
        ["measured here", f"{COOPEVAL.name}, published"],
        rows,
        corner="policy or model",
        tested=[policy in result.models for policy in asked] + [False] * len(known),
    )


def _affonso() -> Table:
    heads = [("four dilemmas", "same opponents"), ("four dilemmas", "all opponents")]
    heads += [(group, name) for group, _, name in (each.partition(": ") for each in _SHARES.values())]
    rows = []
    for row in affonso():
        ends = f"{float(row['pooled_ci_lo']):.0f}–{float(row['pooled_ci_hi']):.0f}"
        first: list[Cell | str] = [
            Cell(
                f"{float(row['same_opponent_rate']):.0f}", "", f"n = {row['n_trials_same_opponent']} trials"
            ),
            Cell(f"{float(row['pooled_rate']):.0f}", ends, f"n = {row['n_trials_pooled']} trials"),
        ]
        rows.append((row["model"], [*first, *(percent(float(row[name])) for name in _SHARES)]))
    return Table.of(
        f"Published: {AFFONSO.name} (not measured here)",
        "Cooperation in four prisoner's dilemmas of ten rounds, with its 95 % interval, and shares in "
        "other games, "
        f"all in per cent. {_from(AFFONSO)}",
        heads,
        rows,
        corner="model",
    )


def _coopeval() -> list[Table]:
    found = coopeval()
    models = list(dict.fromkeys(row["model"] for row in found))
    tables = []
    for game in dict.fromkeys(row["game"] for row in found):
        counts = {
            (row["model"], row["mechanism"]): (int(row["cooperative"]), int(row["n"]))
            for row in found
            if row["game"] == game
        }
        rows = [
            (
                model,
                [
                    share(wilson(*counts[model, each])) if (model, each) in counts else Cell(DASH)
                    for each in _MECHANISMS
                ],
            )
            for model in models
        ]
        tables.append(
            Table.of(
                f"Published: {COOPEVAL.name}, {game.replace('_', ' ')} (not measured here)",
                "Cooperative actions in per cent, by mechanism; Wilson's 95 % intervals of the counts "
                "below, which "
                f"take all actions of a run as independent. {_from(COOPEVAL)}",
                [each.replace("_", " ") for each in _MECHANISMS],
                rows,
                corner="model",
            )
        )
    return tables


def _from(source: PublishedSource) -> str:
    return f"Source: {source.citation}; {source.date}. {source.note}"


def _rows(name: str) -> list[dict[str, str]]:
    text = files("ludens.experiments.bench").joinpath("data", name).read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines()))
