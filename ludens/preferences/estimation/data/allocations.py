"""Choices among two or more allocations of payoffs, from a table.

*Wide*, a row for each choice between X and Y: ``subject, self_x, other_x, self_y, other_y, choice_x`` (1 if
X was chosen), or `choice` with x or y, or with the names in the columns `option_x` and `option_y`. *Long*, a
row for each option: ``subject, situation, own, other, chosen``, or `option` with its name and `choice` with
the name of the one that was chosen. With `probability` in
place of `choice_x` or `chosen`, choices are fractional. The payoffs of several other people are ``other_1_x,
other_2_x, …`` or ``other_1, other_2, …``.

Attributes of a model other than payoffs (q and v of Bruhin, Fehr & Schunk, or a user's own) are columns of
those names; in the wide form ``name_x`` and ``name_y`` where they differ between the options.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ludens.errors import UsageError
from ludens.preferences.estimation.data.choices import (
    Choices,
    count_events,
    distinct_situations,
    make_choices,
    read_clusters,
)
from ludens.preferences.estimation.data.columns import Codes, Table, TextColumn, combined
from ludens.preferences.estimation.data.payoffs import PAYOFF_ATTRIBUTES, payoff_attribute, the_other
from ludens.preferences.estimation.models.linear import Model

Floats = NDArray[np.float64]

_TOLERANCE = 1e-6
_COMPARED = re.compile(r"^(\w+)·\(other−own\)$")


@dataclass(frozen=True, eq=False)
class _Options:
    """Options, one per row of a table.

    Attributes:
        table: the table.
        payoff: the column of own payoffs.
        others_pattern, other: the columns of others' payoffs, by pattern, and by name if there is one.
        suffix: what the names of the columns of these options end in.
    """

    table: Table
    payoff: str
    others_pattern: str
    other: str
    suffix: str

    @cached_property
    def own(self) -> Floats:
        """Own payoffs, shape (n,)."""
        return self.table.numbers(self.payoff)

    @cached_property
    def others(self) -> Floats:
        """The others' payoffs, shape (n, k)."""
        return _several(self.table, self.others_pattern, self.other)

    def attribute(self, name: str) -> Floats:
        """Return an attribute of a model by its name."""
        if name == "own":
            return self.own  # which needs nobody else
        compared = _COMPARED.match(name)
        if compared:
            self._check_indicator(compared[1], the_other(name, self.others))
        known = payoff_attribute(name, self.own, self.others) if name in PAYOFF_ATTRIBUTES else None
        if known is not None:
            return known
        if compared:
            other = the_other(name, self.others)
            return self.table.indicators(self.named(compared[1])) * (other - self.own)
        return self.column(name)

    def column(self, name: str) -> Floats:
        """Return a user's own column, for this option where it differs between options."""
        return self.table.numbers(self.named(name))

    def named(self, name: str) -> str:
        """Return the name of a column, the one of these options if there is one."""
        varying = f"{name}{self.suffix}"
        return varying if self.suffix and varying in self.table else name

    def _check_indicator(self, letter: str, other: Floats) -> None:
        """Refuse a column that says otherwise than the payoffs who is behind (s) or ahead (r)."""
        column = f"{letter}{self.suffix}"
        if letter in {"s", "r"} and column in self.table:
            found = (self.own < other if letter == "s" else self.own > other).astype(np.float64)
            wrong = np.flatnonzero(self.table.indicators(column) != found)
            if len(wrong):
                place = "behind" if letter == "s" else "ahead"
                own, beside = self.own[wrong[0]], other[wrong[0]]
                raise self.table.error(
                    wrong[0],
                    column,
                    f"does not say whether the chooser is {place} with {own:g} against {beside:g}; correct "
                    "or drop it",
                )


def read_wide(table: Table, model: Model) -> Choices:
    """Read choices between X and Y, one per row.

    Raises:
        UsageError: a column is missing or a cell is invalid.
    """
    subjects, names = table.keys("subject")
    taken = table.shares("probability") if "probability" in table else _first_taken(table)
    attributes = np.stack([_attributes(_wide_options(table, side), model) for side in ("x", "y")], axis=1)
    available = np.ones(attributes.shape[:2], dtype=bool)
    situations, first = distinct_situations(attributes, available)
    rows = np.tile(np.arange(len(table)), 2)
    seen = situations[rows], np.repeat(np.arange(2), len(table)), np.concatenate([taken, 1 - taken])
    counts = count_events(subjects[rows], *seen, (len(names), len(first), 2))
    clusters = read_clusters(table, subjects, len(names))
    crossed = clusters.tabulate(rows, *seen, cells=(len(first), 2))
    titles = [f"the choice in {table.row_word} {table.rows[row]}" for row in first]
    return make_choices(
        attributes[first],
        available[first],
        counts,
        subjects=names,
        clusters=clusters,
        situations=titles,
        crossed=crossed,
    )


def read_long(table: Table, model: Model) -> Choices:
    """Read choices among several options, with a row for each option.

    Raises:
        UsageError: a column is missing, a cell is invalid, or not exactly one option is chosen.
    """
    subjects, names = table.keys("subject")
    questions, _ = table.keys("situation")
    if "option" in table:
        options, _ = table.keys("option")
        once, first = combined(subjects, questions, options)
        if len(first) < len(table):
            second = int(np.argmax(first[once] != np.arange(len(table))))
            raise table.error(second, "option", "names an option that the subject was already offered here")
    fractional = "probability" in table
    column = "probability" if fractional else "chosen"
    if fractional:
        taken = table.shares(column)
    elif "chosen" not in table and "choice" in table:
        taken = _named_taken(table)
    else:
        taken = table.indicators(column)
    decisions, starts = combined(subjects, questions)
    order = np.argsort(decisions, kind="stable")
    sizes = np.bincount(decisions)
    places = np.empty(len(table), dtype=np.intp)
    places[order] = np.arange(len(table)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    _check_sums(table, column, taken, decisions=decisions, starts=starts, sizes=sizes)
    rows = _attributes(_long_options(table), model)
    attributes = np.zeros((len(starts), sizes.max(), rows.shape[1]))
    attributes[decisions, places] = rows
    available = np.arange(sizes.max()) < sizes[:, None]
    situations, first = distinct_situations(attributes, available)
    cells = (len(first), int(sizes.max()))
    seen = situations[decisions], places, taken
    counts = count_events(subjects, *seen, (len(names), *cells))
    clusters = read_clusters(table, subjects, len(names))
    crossed = clusters.tabulate(np.arange(len(table)), *seen, cells=cells)
    titles = [f"situation {table.raw('situation')[starts[decision]]!s}" for decision in first]
    return make_choices(
        attributes[first],
        available[first],
        counts,
        subjects=names,
        clusters=clusters,
        situations=titles,
        crossed=crossed,
    )


def _first_taken(table: Table) -> Floats:
    """Return 1 where X was chosen."""
    if "choice_x" in table or "choice" not in table:
        column = "choice_x"
        if not _holds_names(table, column):
            return table.indicators(column)
    else:
        column = "choice"
    codes, texts = table.answers(column)
    taken = np.zeros(len(table))
    sides = [text.lower() for text in texts]
    if {"x", "y"} >= set(sides):
        return np.array([float(side == "x") for side in sides])[codes]
    if "option_x" not in table:
        wrong = next(place for place, side in enumerate(sides) if side not in {"x", "y"})
        raise table.error(
            int(np.argmax(codes == wrong)),
            column,
            f"holds {texts[wrong]!r}, where x or y may stand: write these, translate your codes "
            "(codes={'1': 'x', '2': 'y'} or --codes 1=x,2=y), or add the options' names (columns option_x, "
            "option_y)",
        )
    first, second = (_texts_of(table, f"option_{side}") for side in "xy")
    chosen = [texts[code] for code in codes]
    for row, (text, one, other) in enumerate(zip(chosen, first, second, strict=True)):
        if one == other or text not in {one, other}:
            raise table.error(
                row, column, f"holds {text!r}, where one of the options {one!r} and {other!r} may stand"
            )
        taken[row] = float(text == one)
    return taken


def _named_taken(table: Table) -> Floats:
    """Return 1 at the options that are named as chosen in every row of their situation."""
    return np.array(
        [
            float(option == choice)
            for option, choice in zip(_texts_of(table, "option"), _texts_of(table, "choice"), strict=True)
        ]
    )


def _holds_names(table: Table, column: str) -> bool:
    """Return whether a column holds names of options rather than numbers, or true and false."""
    cells = table.raw(column)
    distinct = cells.distinct if isinstance(cells, TextColumn) else cells.tolist()
    if "option_x" in table:
        return True
    texts = {cell.strip().lower() for cell in distinct if isinstance(cell, str)}
    return bool(texts & {"x", "y"}) or bool(texts & {code.lower() for code in table.codes})


def _texts_of(table: Table, column: str) -> list[str]:
    codes, texts = table.answers(column)
    return [texts[code] for code in codes]


def _check_sums(
    table: Table, column: str, taken: Floats, *, decisions: Codes, starts: Codes, sizes: NDArray[np.intp]
) -> None:
    alone = np.flatnonzero(sizes < 2)
    if len(alone):
        raise table.error(
            starts[alone[0]], None, "stands alone: a choice needs two options or more in its situation"
        )
    sums = np.bincount(decisions, taken)
    wrong = np.flatnonzero(np.abs(sums - 1) > _TOLERANCE)
    if len(wrong):
        what = (
            f"sums to {sums[wrong[0]]:g} over the options of this subject and situation, where "
            f"probabilities sum to 1"
            if column == "probability"
            else f"marks {sums[wrong[0]]:g} options of this subject and situation as chosen, where one is"
        )
        raise table.error(starts[wrong[0]], column, what)


def _attributes(options: _Options, model: Model) -> Floats:
    for name in model.attributes:
        if name.startswith("universalised"):
            raise UsageError(
                f"The model {model.name!r} weighs what would follow if everybody chose alike, which "
                f"allocations do "
                "not tell: give games (columns protocol, node, choice), or choose the model fehr_schmidt."
            )
    columns = []
    for name in model.attributes:
        lacking = name in model.defaults and options.named(name) not in options.table
        columns.append(
            np.full(len(options.table), model.defaults[name]) if lacking else options.attribute(name)
        )
    return np.stack(columns, axis=1)


def _wide_options(table: Table, side: str) -> _Options:
    return _Options(table, f"self_{side}", rf"other_?\w*_{side}", f"other_{side}", f"_{side}")


def _long_options(table: Table) -> _Options:
    return _Options(table, "own", r"other_?\w*", "other", "")


def _several(table: Table, pattern: str, alone: str) -> Floats:
    """Return the payoffs of others, from one column of that name or from several of that pattern."""
    if alone in table:
        return table.numbers(alone)[:, None]
    found = [name for name in table.cells if re.fullmatch(pattern, name)]
    if not found:
        table.raw(alone)  # says what is missing
    return np.stack([table.numbers(name) for name in found], axis=1)
