"""Tables with a column for each decision, as oTree exports them, and tables of questions beside answers.

    mini.1.player.choice, mini.2.player.choice      with the pattern "mini.{question}.player.{column}"

becomes a row for each participant and question, with the columns ``question`` and ``choice``. What a
question offers may stand in a table of its own, which is joined by the columns that both tables have.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ludens.errors import UsageError
from ludens.preferences.estimation.data.columns import Column, Table, TextColumn, is_blank, numbered

_FIELD = re.compile(r"\{(\w*)\}")
_COLUMN, _CHOICE = "column", "choice"


def one_row_per_decision(table: Table, pattern: str) -> Table:
    """Return a table with a row for each decision of a table that has a column for each.

    Rows without any value in the columns of a decision are left out: it was not asked.

    Args:
        table: the table, with a row for each participant.
        pattern: the names of the columns of decisions, with names in braces for the parts that differ. The
            part ``{column}`` is the name of a new column; without it, cells go into the column `choice`.
            Other parts become columns, with that part of the name as their values.

    Raises:
        UsageError: the pattern has no braces, or no column of the table matches it.
    """
    fields = _FIELD.findall(pattern)
    if not fields or not all(fields) or len(set(fields)) < len(fields) or set(fields) == {_COLUMN}:
        raise UsageError(
            f"A pattern has distinct names in braces where the names of columns differ, as in "
            f"'mini.{{question}}.player.{{column}}'; got {pattern!r}."
        )
    texts = _FIELD.split(pattern)
    expression = "".join(
        rf"(?P<{text}>.+?)" if place % 2 else re.escape(text) for place, text in enumerate(texts)
    )
    matches = {name: match for name in table.cells if (match := re.fullmatch(expression, name))}
    if not matches:
        raise UsageError(f"No column of the table matches the pattern {pattern!r}; it has {table.listed}.")
    keys = [name for name in fields if name != _COLUMN]
    decisions: dict[tuple[str, ...], dict[str, str]] = {}
    for name, match in matches.items():
        parts = match.groupdict()
        column = parts.get(_COLUMN, _CHOICE)
        decisions.setdefault(tuple(parts[key] for key in keys), {})[column] = name
    rest = [name for name in table.cells if name not in matches]
    new = list(dict.fromkeys(column for columns in decisions.values() for column in columns))
    for name in (*keys, *new):
        if name in rest:
            raise UsageError(
                f"The pattern {pattern!r} makes a column {name!r}, and the table has one already."
            )
    count = len(table)
    nothing = np.full(count, None, dtype=object)
    cells: dict[str, Column] = {name: _repeated(table.cells[name], len(decisions)) for name in rest}
    for place, key in enumerate(keys):
        values = [values[place] for values in decisions]
        of_decisions = numbered(values, len(values))
        cells[key] = TextColumn(of_decisions.distinct, np.repeat(of_decisions.codes, count))
    for column in new:
        parts_of = [
            _objects(table.cells[columns[column]]) if column in columns else nothing
            for columns in decisions.values()
        ]
        cells[column] = np.concatenate(parts_of)
    asked = np.zeros(count * len(decisions), dtype=bool)
    for column in new:
        asked |= ~np.array([is_blank(cell) for cell in _objects(cells[column])])
    rows = [
        f"{row} ({', '.join(f'{key} {value}' for key, value in zip(keys, values, strict=True))})"
        for values in decisions
        for row in table.rows
    ]
    return replace(table, cells=cells, rows=rows).without(np.flatnonzero(~asked))


def with_questions(table: Table, questions: Table) -> Table:
    """Return a table of answers with the columns of a table of questions, joined by the columns of both.

    Raises:
        UsageError: the tables share no column, a question stands twice, or an answer has none.
    """
    shared = [name for name in questions.cells if name in table.cells]
    if not shared:
        raise UsageError(
            f"The questions have no column in common with the answers, by which to join them: they have "
            f"{questions.listed}, and the answers {table.listed}."
        )
    places: dict[tuple[str, ...], int] = {}
    for row, key in enumerate(zip(*(_names(questions, name) for name in shared), strict=True)):
        if key in places:
            raise questions.error(row, shared[0], f"repeats the question {' '.join(key)}; leave one of them")
        places[key] = row
    taken = np.zeros(len(table), dtype=np.intp)
    for row, key in enumerate(zip(*(_names(table, name) for name in shared), strict=True)):
        if key not in places:
            known = ", ".join(" ".join(each) for each in list(places)[:10])
            raise table.error(
                row, shared[0], f"names the question {' '.join(key)}, and the table of questions has {known}"
            )
        taken[row] = places[key]
    added = {name: _taken(column, taken) for name, column in questions.cells.items() if name not in shared}
    return replace(table, cells={**table.cells, **added})


def _names(table: Table, column: str) -> list[str]:
    codes, names = replace(table, names={}).keys(column)
    return [names[code] for code in codes]


def _objects(column: Column) -> NDArray[Any]:
    if isinstance(column, TextColumn):
        return np.array(column.distinct, dtype=object)[column.codes]
    return column.astype(object)


def _repeated(column: Column, times: int) -> Column:
    if isinstance(column, TextColumn):
        return TextColumn(column.distinct, np.tile(column.codes, times))
    return np.tile(column, times)


def _taken(column: Column, rows: NDArray[np.intp]) -> Column:
    if isinstance(column, TextColumn):
        return column.take(rows)
    return np.asarray(column[rows])
