"""What to know of a table's choices before its parameters: dominated options, transitivity and efficiency."""

from __future__ import annotations

from collections.abc import Iterator
from statistics import median
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from ludens.preferences.estimation.data.choices import Choices

_MANY = 500  # subjects beyond whom the tests would take longer than the estimates

_TIE = 1e-9


def consistency_notes(choices: Choices) -> Iterator[str]:
    """Yield a sentence on the consistency of every table of choices between payoffs, menus or budgets.

    Args:
        choices: read with `ludens.preferences.rationality.menus.PAYOFFS`, so that attributes are payoffs.
    """
    if choices.members is not None or len(choices.subjects) > _MANY:
        return
    if choices.measure is not None:
        yield from _budgets(choices)
        return
    from ludens.preferences.rationality.menus import menu_consistency

    tests = menu_consistency(choices)
    size = sum(test.choices for test in tests)
    could_be = sum(test.could_be for test in tests)
    if could_be:
        taken = sum(test.dominated for test in tests)
        yield (
            f"Dominance: of {could_be:.0f} choices where an option gave everybody less than another, "
            f"{100 * taken / could_be:.1f} per cent took it."
        )
    testable = sum(test.testable for test in tests)
    if testable:
        kept = [test.consistent / test.choices for test in tests if test.testable]
        yield (
            f"Transitivity: one ordering of the options explains {100 * median(kept):.0f} per cent of a "
            f"subject's choices in the median ({100 * min(kept):.0f} in the worst case; {testable:.0f} of "
            f"{size:.0f} choices can contradict others)."
        )
    else:
        yield "Transitivity: no two menus share options in a way that could contradict each other."


def _budgets(choices: Choices) -> Iterator[str]:
    from ludens.preferences.rationality.budgets import budget_consistency

    # The chosen point stands first; the ends of the line, from whichever two points, give the prices.
    chosen, other = choices.attributes[:, 0], choices.attributes[:, 1:]
    far = other[np.arange(len(other)), np.abs(other[..., 1] - chosen[:, None, 1]).argmax(axis=1)]
    prices = np.stack([np.ones(len(chosen)), (chosen[:, 0] - far[:, 0]) / (far[:, 1] - chosen[:, 1])], axis=1)
    table = choices.counts.tocoo()
    indices = []
    for subject in range(len(choices.subjects)):
        own = table.col[table.row == subject] // choices.events
        if len(own) > 1:
            indices.append(budget_consistency(prices[own], chosen[own]).ccei)
    if indices:
        passed = sum(one > 1 - _TIE for one in indices)
        middle, least = median(indices), min(indices)
        yield (
            f"Efficiency (Afriat's CCEI): {middle:.3f} in the median of {len(indices)} subjects with two "
            f"budgets or more, {least:.3f} at least; {passed} satisfy GARP up to ties."
        )
