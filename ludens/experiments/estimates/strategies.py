"""Strategy frequencies of a run or a table, as a table of estimates."""

from __future__ import annotations

import math
import os
from collections import defaultdict
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ludens.envs.games import LIBRARY
from ludens.errors import UsageError
from ludens.experiments.estimates.table import Column, EstimateTable, Fact, Value
from ludens.experiments.runs.run import Run
from ludens.preferences.mapping import MapLike

if TYPE_CHECKING:
    from ludens.experiments.runs.records import DecisionRecord
    from ludens.preferences.estimation.strategies.frequencies import StrategyFrequencies
    from ludens.preferences.estimation.strategies.rounds import Rounds

MODEL = "sfem"
"""The name of strategy frequency estimation among models."""

_TITLE = "Strategy frequencies in a repeated game"
_SOURCE = "Dal Bó & Fréchette (American Economic Review 101(1), 2011)"
_DRAWS = 500


def strategies_of_table(
    source: str | os.PathLike[str],
    columns: Mapping[str, str] | None,
    reading: Mapping[str, Any] | None,
    draws: int | None,
    seed: int,
    *,
    map_with: MapLike = map,
) -> EstimateTable:
    """Estimate how frequent strategies are among the subjects of a table of rounds.

    Raises:
        UsageError: the table cannot be read, or its rounds tell no strategies apart.
    """
    from ludens.preferences.estimation.strategies.frequencies import strategy_frequencies
    from ludens.preferences.estimation.strategies.rounds import read_rounds

    given = dict(reading or {})
    if unused := sorted(set(given) - {"codes", "delimiter", "decimal", "sheet"}):
        raise UsageError(f"A table of rounds is read without --{unused[0].replace('_', '-')}: leave it out.")
    rounds = read_rounds(source, columns, **given)
    number = _DRAWS if draws is None else draws
    found = strategy_frequencies(rounds, draws=number, seed=seed, map_with=map_with)
    return _table({"pooled": found}, unit="sample", subject="subject")


def strategies_of_run(
    path: str | os.PathLike[str], draws: int | None, seed: int, *, map_with: MapLike = map
) -> EstimateTable:
    """Estimate in how many of its matches each policy of a run follows each strategy.

    Raises:
        UsageError: the run holds no repeated game of two players with two actions, one of them to cooperate,
            or its rounds tell no strategies apart.
    """
    from ludens.preferences.estimation.strategies.frequencies import strategy_frequencies

    with Run(path) as run:
        played = rounds_by_policy(run.decisions())
    number = _DRAWS if draws is None else draws
    found = {
        policy: strategy_frequencies(rounds, draws=number, seed=seed, map_with=map_with)
        for policy, rounds in played.items()
    }
    return _table(found, unit="policy", subject="match")


def rounds_by_policy(decisions: tuple[DecisionRecord, ...] | list[DecisionRecord]) -> dict[str, Rounds]:
    """Return the rounds of every policy; each match of it counts as a subject, since a policy need not follow
    the same strategy in all of them. A match ends before the first round that lacks a choice.

    Raises:
        UsageError: no decision is of such a game.
    """
    from ludens.preferences.estimation.strategies.rounds import rounds_of

    matches: dict[int, dict[int, dict[str, tuple[str, int]]]] = defaultdict(lambda: defaultdict(dict))
    for record in decisions:
        family = LIBRARY.get(record.environment.rpartition("/")[2].rpartition("-v")[0])
        good = None if family is None else family.prosocial.get(record.node)
        if good is None or record.question != "choice" or len(record.options) != 2 or record.node != "choice":
            continue
        if record.choice is not None:
            done = record.policy, int(record.choice == good)
            matches[record.episode][record.round][record.agent] = done
    rows: dict[str, list[tuple[str, int, int, int]]] = defaultdict(list)
    for episode, rounds in matches.items():
        for number in sorted(rounds):
            if number != min(rounds) and number - 1 not in rounds:
                break
            both = rounds[number]
            if len(both) != 2:
                break
            (one, (first, mine)), (two, (second, yours)) = sorted(both.items())
            rows[first].append((f"{episode} {one}", number, mine, yours))
            rows[second].append((f"{episode} {two}", number, yours, mine))
    if not rows:
        raise UsageError(
            "The run holds no repeated game of two players that move at once, one of whose two actions is to "
            "cooperate, such as prisoners_dilemma-v0 with rounds=10: strategies are estimated from those."
        )
    return {
        policy: rounds_of(
            [row[0] for row in each], [row[0] for row in each], [row[1] for row in each],
            [row[2] for row in each], [row[3] for row in each],
        )
        for policy, each in rows.items()
    }  # fmt: skip


def _table(found: Mapping[str, StrategyFrequencies], *, unit: str, subject: str) -> EstimateTable:
    names = list(
        dict.fromkeys(name for each in found.values() for group in each.strategies for name in group)
    )
    columns, notes = [], []
    for title, each in found.items():
        values = {name: Value(name, name.replace("_", " "), math.nan) for name in names}
        for place, group in enumerate(each.strategies):
            low, high = each.intervals[place].tolist()
            if len(group) == 1:
                values[group[0]] = Value(
                    group[0], group[0].replace("_", " "), float(each.shares[place]),
                    se=float(each.errors[place]), low=low, high=high, about=f"share of {subject}es"
                    if subject == "match" else f"share of {subject}s",
                )  # fmt: skip
                continue
            known = "" if math.isnan(low) else f" ({low:.2f} to {high:.2f})"
            together = ", ".join(name.replace("_", " ") for name in group)
            whose = f"{title}: " if len(found) > 1 else ""
            notes.append(
                f"{whose}{together} prescribe the same in all rounds; together they have the share "
                f"{each.shares[place]:.2f}{known}."
            )
        low, high = each.tremble_interval
        tremble = Value(
            "tremble", "1−β", each.tremble, se=each.tremble_error, low=low, high=high, about="per choice"
        )
        columns.append(Column(title, (*values.values(), tremble)))
    rows = list(found.values())
    facts = (
        Fact("choices", "Choices", tuple(float(each.choices) for each in rows)),
        Fact("subjects", f"{subject.capitalize()}es" if subject == "match" else "Subjects",
             tuple(float(len(each.subjects)) for each in rows)),
        Fact("log_likelihood", "Log-likelihood", tuple(each.log_likelihood for each in rows), 3),
    )  # fmt: skip
    whole = f"Every {subject} follows one strategy"
    notes.append(f"{whole}; in each round it trembles with probability 1−β.")
    return EstimateTable(
        MODEL, _TITLE, _SOURCE, tuple(columns), facts, f"bootstrap by {subject}", tuple(notes), unit
    )
