"""The rationale of the table framing, one for games, markets and dilemmas.

With κ = k/d each row is worth (d − k)·alone + k·together. The rationale adds up every row, from the top as
shown, and goes down the rows with the largest value so far:

    A: 2+2=4
    B: 0+7=7
    4 A, 7 B: 7 B
    Answer: B

A weight above 1 multiplies first (``3*34=102, 102+27=129``). With κ = 0, or where the question weighs one
column alone, nothing has to be added, and the rationale compares at once. In a wording without a table the
rationale begins with the rows (``A 2 2``).

Dilemmas in sentences, and all questions for points, name acts and not their labels. A line before the rows
says which label each act has, or which act is rated (``yes``), and which of the columns count, since both
follow from the question alone. From there on every act carries its label, so that the last line copies it, or
gives 100 points for ``yes`` and 0 for ``no``:

    swerve=yes, stay=no by all
    stay=no 3 3
    swerve=yes 0 7
    all: 3 stay=no, 7 swerve=yes: 7 swerve=yes
    Rating: 100

Where no column counts, the first of these lines says so, and is the only one. Whether the better act and the
rated one are the same, and which answer an act got some lines before, a small model often fails to see.

Comparisons copy both numbers with their labels before the larger one is copied again, since small models
decide badly and copy well (see `ludens.training.data.completions`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ludens.preferences.consequences import Weights

Row = tuple[str, int, int]
"""The label of a row, and its two numbers."""


def table_rationale(
    rows: Sequence[Row], weights: Weights, *, tabulated: bool = True
) -> tuple[list[str], str | None]:
    """Return the lines of a rationale, and the label that they lead to; None if the two best are tied.

    Args:
        rows: the rows as the prompt shows them, from the top.
        weights: the weights of the two columns.
        tabulated: whether the prompt shows the rows; otherwise the rationale begins with them.
    """
    lines = [] if tabulated else [f"{label} {alone} {together}" for label, alone, together in rows]
    values: list[tuple[str, int]] = []
    for label, alone, together in rows:
        sums, value = _sums(alone, together, weights)
        values.append((label, value))
        lines += [f"{label}: {sums}"] if sums else []
    (best, top), *rest = values
    tied = False
    for label, value in rest:
        both = f"{top} {best}, {value} {label}"
        if value == top:
            # Two rows of one option may be worth the same without a tie.
            tied = tied or label != best
            lines.append(f"{both}: the same")
        else:
            if value > top:
                best, top, tied = label, value, False
            lines.append(f"{both}: {top} {best}")
    return lines, None if tied else best


def act_rationale(
    rows: Sequence[Row], weights: Weights, acts: Mapping[str, str], *, points: bool
) -> list[str]:
    """Return the lines of a rationale about acts by their names.

    Args:
        rows: the rows as the prompt shows them, from the top, with the names of acts.
        weights: the weights of the two columns in this question.
        acts: the act that is rated, as ``{"": "swerve"}``, or both by their labels.
        points: whether points are asked for, those of the first act, and not one of the labels.
    """
    columns = {(True, False): "alone", (False, True): "all", (True, True): "both", (False, False): "neither"}
    counts = columns[bool(weights.alone), bool(weights.together)]
    if points:
        rated = next(iter(acts.values()))
        answers = {rated: "yes"} | {act: "no" for act, _, _ in rows if act != rated}
    else:
        answers = {act: label for label, act in acts.items()}
    about = f"{', '.join(f'{act}={answer}' for act, answer in answers.items())} by {counts}"
    if counts == "neither":
        return [f"{about}: the same"]
    carried = [(f"{act}={answers[act]}", alone, together) for act, alone, together in rows]
    lines, _ = table_rationale(carried, weights, tabulated=False)
    if counts != "both":
        lines[-1] = f"{counts}: {lines[-1]}"
    return [about, *lines]


def _sums(alone: int, together: int, weights: Weights) -> tuple[str, int]:
    """Return the calculation of a row's value, empty where one number is the value, and the value."""
    if not weights.together and not weights.alone:
        return "", 0
    if not weights.together:
        return "", alone
    if not weights.alone:
        return "", together
    parts = [(weights.alone, alone), (weights.together, together)]
    steps = [f"{weight}*{number}={weight * number}" for weight, number in parts if weight > 1]
    first, second = (weight * number for weight, number in parts)
    return ", ".join([*steps, f"{first}+{second}={first + second}"]), first + second
