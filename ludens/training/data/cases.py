"""Plans of examples outside game trees: draw cases, split them by key, and balance them by answer."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Literal, TypeVar

import numpy as np

from ludens.agents.llm.prompts.surfaces import is_table
from ludens.errors import UsageError
from ludens.preferences import Preferences
from ludens.preferences.av.dilemma import Universalisation
from ludens.preferences.consequences import check_selfish_or_moral
from ludens.training.data.example import Reasoning
from ludens.training.data.games import split_of
from ludens.training.data.markets import draw_markets
from ludens.training.data.tables import Case, PlannedCase, drawn_framing, drawn_place
from ludens.training.data.vehicles import KINDS, draw_vehicles

Draw = Callable[[np.random.Generator], Iterator[Case]]
_Key = TypeVar("_Key")

SPARE = 1.5
"""How many times as many cases are drawn as are needed, so that answers can be balanced."""


def case_planner(
    domain: str,
    preferences: Preferences,
    *,
    reasoning: Reasoning,
    framings: Sequence[str],
    ties: Literal["drop", "split"],
    surfaces: int,
    universalisation: Universalisation,
) -> CasePlanner:
    """Return the planner of a domain's examples.

    Raises:
        UsageError: the preferences have an α or β, the form of reasoning is prose, or no framing has words
            for the domain.
    """
    kappa = preferences.kappa
    check_selfish_or_moral(preferences, f"A data set of the domain {domain}")
    if reasoning == "prose":
        raise UsageError(f"The domain {domain} has rationales in steps alone: reasoning='steps' or 'none'.")
    usable = tuple(name for name in framings if is_table(name) or (domain == "av" and name == "neutral"))
    if not any(map(is_table, usable)):
        raise UsageError(f"The domain {domain} needs the framing table; got {', '.join(framings)}.")
    draw: Draw = partial(draw_markets, kappa)
    if domain == "av":
        draw = partial(draw_vehicles, kappa, universalisation=universalisation)
    return CasePlanner(draw, usable, ties, surfaces)


class CasePlanner:
    """A planner of one domain's examples: it draws all that is random in them."""

    def __init__(
        self,
        draw: Draw,
        framings: tuple[str, ...],
        ties: Literal["drop", "split"],
        surfaces: int,
    ) -> None:
        self._draw = draw
        self._framings = framings
        self._tables = tuple(filter(is_table, framings))
        self._ties = ties
        self._surfaces = surfaces

    def plan(
        self, wanted: Mapping[str, int], shares: tuple[float, float], seed: int
    ) -> dict[str, list[PlannedCase]]:
        """Plan the examples of each split, which share no key.

        Args:
            wanted: the number of examples of each split.
            shares: the shares of keys for validation and for test.
            seed: the seed of the data set.
        """
        rng = np.random.default_rng([seed, 0xCA5E])
        pools: dict[str, list[Case]] = {name: [] for name in wanted}
        needed = {name: int(SPARE * count) + 8 if count else 0 for name, count in wanted.items()}
        for case in self._draw(rng):
            split = split_of(case.key, seed, shares)
            if len(pools[split]) < needed[split] and (self._ties == "split" or len(case.best) == 1):
                pools[split].append(case)
            elif all(len(pools[name]) >= count for name, count in needed.items()):
                break
        return {name: self._planned(pools[name], count, rng) for name, count in wanted.items()}

    def _planned(self, pool: Sequence[Case], count: int, rng: np.random.Generator) -> list[PlannedCase]:
        """Plan examples with the shares of `KINDS`, and within each with equal shares of answers, and of
        questions.
        """
        if not count:
            return []
        kinds = _grouped(pool, lambda case: (case.family, case.asks))
        shares = divided(count, [KINDS.get(kind, 1) for kind in kinds])
        chosen = [
            case
            for found, share in zip(kinds.values(), shares, strict=True)
            for case in _balanced(found, share, (lambda case: case.answer, lambda case: case.node), rng)
        ]
        planned = []
        for number, place in enumerate(rng.permutation(len(chosen)).tolist()):
            case = chosen[place]
            framings = self._framings if case.make_turn is not None else self._tables
            framing = drawn_framing(framings[number % len(framings)], self._surfaces, rng)
            order = number // len(framings) if case.reorders else 0
            planned.append(PlannedCase(case, framing, order, drawn_place(len(case.best), rng)))
        return planned


def _balanced(
    pool: Sequence[Case], count: int, levels: Sequence[Callable[[Case], object]], rng: np.random.Generator
) -> list[Case]:
    """Choose cases with equal shares of the groups of the first level, within each of those of the second,
    and so on; cases are used again where there are too few.
    """
    if not levels:
        return list(itertools.islice(itertools.cycle(pool), count))
    first, *others = levels
    groups = _grouped(pool, first)
    shares = zip(groups.values(), even(count, len(groups), rng), strict=True)
    return [case for group, share in shares for case in _balanced(group, share, others, rng)]


def _grouped(pool: Sequence[Case], key: Callable[[Case], _Key]) -> dict[_Key, list[Case]]:
    groups: dict[_Key, list[Case]] = {}
    for case in pool:
        groups.setdefault(key(case), []).append(case)
    return groups


def divided(count: int, parts: Sequence[int]) -> list[int]:
    """Divide a number in proportion to parts, each rounded so that the sum is kept."""
    ends = [round(count * end / sum(parts)) for end in itertools.accumulate(parts)]
    return [end - begin for begin, end in itertools.pairwise([0, *ends])]


def even(count: int, parts: int, rng: np.random.Generator) -> list[int]:
    """Divide `count` into parts that differ by at most one; draw which are larger."""
    base, rest = divmod(count, parts)
    more = set(rng.permutation(parts)[:rest].tolist())
    return [base + (place in more) for place in range(parts)]
