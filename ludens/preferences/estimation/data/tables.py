"""The reader of a user's table of choices, which recognises the form of the table by its columns.

    read_choices("answers.csv")                 games: subject, protocol, node, choice
    read_choices(frame, "bfs", subject="sid")   two allocations: self_x, other_x, self_y, other_y, choice_x
    read_choices(frame, "fehr_schmidt")         several: subject, situation, own, other, chosen
    read_choices(frame, "ces")                  budgets: subject, price_own, price_other, own, other
    read_choices(frame, "crra")                 lotteries: amount_1_x, amount_2_x, chance_1_x, …, choice_x
    read_choices("otree.csv.gz", "fehr_schmidt", pattern="mini.{question}.player.{column}",
                 questions="payoffs.xlsx", codes={"1": "x", "2": "y"}, drop_missing=True)

See `ludens.preferences.estimation.data.allocations` and `.responses` for the columns of each form.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

import numpy as np

from ludens.envs import AnyGame
from ludens.errors import UsageError
from ludens.preferences.estimation.data.allocations import read_long, read_wide
from ludens.preferences.estimation.data.budgets import read_budgets
from ludens.preferences.estimation.data.choices import Choices
from ludens.preferences.estimation.data.columns import BlankCellError, Codes, Decimal, Table, combined
from ludens.preferences.estimation.data.covariates import read_covariates
from ludens.preferences.estimation.data.files import open_table
from ludens.preferences.estimation.data.reshape import one_row_per_decision, with_questions
from ludens.preferences.estimation.data.responses import read_games
from ludens.preferences.estimation.models.catalogue import find_model
from ludens.preferences.estimation.models.linear import Model

Whole = Literal["auto", "strategies", "nodes"]

_ALIASES = {"subject": ("sid", "id", "participant", "participant.code", "participant_code")}


def read_choices(
    table: Any,
    model: str | Model = "moralis",
    *,
    beliefs: str | Mapping[str, Any] = "uniform",
    whole: Whole = "auto",
    games: Mapping[str, AnyGame] | None = None,
    drop_missing: bool = False,
    codes: Mapping[str, str] | None = None,
    pattern: str | None = None,
    questions: Any = None,
    delimiter: str | None = None,
    decimal: Decimal | None = None,
    sheet: str | None = None,
    covariates: Sequence[str] = (),
    **columns: str,
) -> Choices:
    """Read a table of choices into the form that estimators take.

    Args:
        table: a data frame of pandas, polars or Arrow, a mapping of columns, or the path of a file: CSV (also
            compressed), Excel, Parquet or Stata.
        model: a model or its name; it says which attributes the alternatives need.
        beliefs: for games, the belief about the others: ``"uniform"``, ``"equilibrium"`` (where
            homo economicus has a single one), ``"stated"`` (a column `belief` at
            each node, or ``belief <node>`` beside a whole strategy, with the probability of the node's first
            option), or a mapping from a protocol's name to a belief as in
            `ludens.preferences.resolve_belief`.
        whole: for games, whether answers at all nodes of a game form a whole strategy. ``"auto"``: they do,
            and other answers count node by node; ``"strategies"``: they do, and an incomplete strategy is an
            error; ``"nodes"``: every answer counts by itself.
        games: games by name, beside the published protocols.
        drop_missing: leave out choices with an empty cell in a column that is needed, and say in the notes of
            the result how many; by default the first one is an error.
        codes: names of answers by those in the table, as in ``{"1": "x", "2": "y"}``.
        pattern: for tables with a column for each decision, the names of those columns, as in
            ``"mini.{question}.player.{column}"``; see `ludens.preferences.estimation.data.reshape`.
        questions: a table of what each question offers, joined to the answers by the columns that both have.
        delimiter: what stands between the cells of a CSV file; recognised by default.
        decimal: the decimal mark of numbers that are texts, ``"."`` or ``","``; recognised by default.
        sheet: the sheet of a workbook that has several.
        covariates: columns with characteristics of subjects, for
            `ludens.preferences.estimation.with_covariates`.
        **columns: the table's name of a column where it differs from the name used here, as in
            ``subject="sid"``. `cluster` names the column by which standard errors are clustered, and
            `cluster_2` a second one for two-way clusters; by default they are clustered by subject.

    Raises:
        UsageError: this is not a table, a column is missing, or a cell is invalid; the message names row and
            column.
    """
    if whole not in {"auto", "strategies", "nodes"}:
        raise UsageError(f"`whole` is 'auto', 'strategies' or 'nodes'; got {whole!r}.")
    if decimal not in {None, ".", ","}:
        raise UsageError(f"The decimal mark is '.' or ','; got {decimal!r}.")
    chosen = find_model(model)
    opened = open_table(table, columns, delimiter=delimiter, decimal=decimal, sheet=sheet)
    opened = replace(opened, codes=dict(codes or {}))
    if pattern is not None:
        opened = one_row_per_decision(opened, pattern)
    if questions is not None:
        opened = with_questions(opened, open_table(questions, decimal=decimal))
    if "subject" not in columns and "subject" not in opened:
        alias = next((name for name in _ALIASES["subject"] if name in opened), None)
        if alias is not None:
            opened = replace(opened, names={**columns, "subject": alias})
    for column, name in columns.items():
        if name not in opened.cells:
            opened.raw(column)

    def read(kept: Table) -> Choices:
        choices = _read(kept, chosen, beliefs=beliefs, whole=whole, games=games or {})
        if not covariates:
            return choices
        return replace(choices, covariates=read_covariates(kept, covariates, choices.subjects))

    if drop_missing:
        return _read_complete(opened, read)
    try:
        return read(opened)
    except BlankCellError as error:
        raise UsageError(
            f"{str(error).rstrip('.')}: fill it in, or leave such choices out (drop_missing=True or "
            "--drop-missing)."
        ) from None


def _read_complete(table: Table, read: Callable[[Table], Choices]) -> Choices:
    """Read the choices without empty cells, and note how many were left out."""
    count = len(table)
    dropped: dict[str, int] = {}
    while True:
        try:
            choices = read(table)
        except BlankCellError as error:
            rows = error.rows
            if (
                "situation" in table and "choice_x" not in table and "price_1" not in table
            ):  # a choice has several rows
                rows = _whole_decisions(table, rows)
            dropped[error.column] = dropped.get(error.column, 0) + len(rows)
            if len(rows) == len(table):
                raise UsageError(
                    f"Every row of the table has an empty cell in a needed column ({', '.join(dropped)}); "
                    "fill some in."
                ) from None
            table = table.without(rows)
        else:
            if not dropped:
                return choices
            listed = ", ".join(f"{rows} in {column}" for column, rows in dropped.items())
            left_out = count - len(table)
            return replace(
                choices,
                notes=(
                    *choices.notes,
                    f"{left_out} of {count} rows were left out because of empty cells ({listed}).",
                ),
            )


def _whole_decisions(table: Table, rows: Codes) -> Codes:
    """Return the rows of all options of the decisions that some rows belong to."""
    try:
        decisions, _ = combined(table.keys("subject")[0], table.keys("situation")[0])
    except BlankCellError:
        return rows
    return np.flatnonzero(np.isin(decisions, decisions[rows]))


def _read(
    opened: Table,
    chosen: Model,
    *,
    beliefs: str | Mapping[str, Any],
    whole: Whole,
    games: Mapping[str, AnyGame],
) -> Choices:
    """Read an opened table in the form that its columns show."""
    if "price_own" in opened or "price_1" in opened:
        return read_budgets(opened, chosen)
    if "self_x" in opened or f"{chosen.attributes[0]}_x" in opened:
        return read_wide(opened, chosen)
    if "situation" in opened:
        return read_long(opened, chosen)
    if "protocol" in opened or "game" in opened:
        return read_games(opened, chosen, beliefs=beliefs, whole=whole, games=games)
    raise UsageError(
        "The table has no known form: it needs a column self_x (choices between X and Y), situation (several "
        "options), price_own or price_1 (budgets) or protocol (games), and has "
        f"{opened.listed}; name yours as in self_x='…'."
    )
