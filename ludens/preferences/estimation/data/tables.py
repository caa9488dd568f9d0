"""The reader of a user's table of choices, which recognises the form of the table by its columns.

    read_choices("answers.csv")                 games: subject, protocol, node, choice
    read_choices(frame, "bfs", subject="sid")   two allocations: self_x, other_x, self_y, other_y, choice_x
    read_choices(frame, "fehr_schmidt")         several: subject, situation, own, other, chosen

See `ludens.preferences.estimation.data.allocations` and `.responses` for the columns of each form.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal

from ludens.envs import GameTree
from ludens.errors import UsageError
from ludens.preferences.estimation.data.allocations import read_long, read_wide
from ludens.preferences.estimation.data.choices import Choices
from ludens.preferences.estimation.data.columns import open_table
from ludens.preferences.estimation.data.responses import read_games
from ludens.preferences.estimation.models.catalogue import find_model
from ludens.preferences.estimation.models.linear import Model

Whole = Literal["auto", "strategies", "nodes"]

_ALIASES = {"subject": ("sid", "id", "participant")}


def read_choices(
    table: Any,
    model: str | Model = "moralis",
    *,
    beliefs: str | Mapping[str, Any] = "uniform",
    whole: Whole = "auto",
    games: Mapping[str, GameTree] | None = None,
    **columns: str,
) -> Choices:
    """Read a table of choices into the form that estimators take.

    Args:
        table: a pandas or polars data frame, a mapping of columns, or the path of a CSV file.
        model: a model or its name; it says which attributes the alternatives need.
        beliefs: for games, the belief about the others: ``"uniform"``, ``"stated"`` (a column `belief` at
            each node, or ``belief <node>`` beside a whole strategy, with the probability of the node's first
            option), or a mapping from a protocol's name to a belief as in
            `ludens.preferences.resolve_belief`.
        whole: for games, whether answers at all nodes of a game form a whole strategy. ``"auto"``: they do,
            and other answers count node by node; ``"strategies"``: they do, and an incomplete strategy is an
            error; ``"nodes"``: every answer counts by itself.
        games: games by name, beside the published protocols.
        **columns: the table's name of a column where it differs from the name used here, as in
            ``subject="sid"``. `cluster` names the column by which standard errors are clustered; by default
            they are clustered by subject.

    Raises:
        UsageError: this is not a table, a column is missing, or a cell is invalid; the message names row and
            column.
    """
    if whole not in {"auto", "strategies", "nodes"}:
        raise UsageError(f"`whole` is 'auto', 'strategies' or 'nodes'; got {whole!r}.")
    chosen = find_model(model)
    opened = open_table(table, columns)
    if "subject" not in columns and "subject" not in opened:
        alias = next((name for name in _ALIASES["subject"] if name in opened), None)
        if alias is not None:
            opened = replace(opened, names={**columns, "subject": alias})
    for column, name in columns.items():
        if name not in opened.cells:
            opened.raw(column)
    if "self_x" in opened:
        return read_wide(opened, chosen)
    if "situation" in opened:
        return read_long(opened, chosen)
    if "protocol" in opened or "game" in opened:
        return read_games(opened, chosen, beliefs=beliefs, whole=whole, games=games or {})
    raise UsageError(
        "The table has no known form: it needs a column self_x (choices between X and Y), situation "
        f"(several options) or protocol (games), and has {opened.listed}; name yours as in self_x='…'."
    )
