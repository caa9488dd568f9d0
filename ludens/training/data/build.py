"""The builder of data sets: draw games, label them, and write prompts and completions, balanced by kind."""

from __future__ import annotations

import gc
import itertools
import math
import numbers
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

import numpy as np

from ludens.agents.llm.prompts.games import check_framing, paraphrases
from ludens.agents.llm.prompts.surfaces import TABLE, VARIED, is_table
from ludens.agents.llm.prompts.tables import game_table
from ludens.envs import GameTree
from ludens.envs.games import AnyFamily
from ludens.errors import UsageError
from ludens.experiments.runs.seeds import check_seed
from ludens.preferences import Belief, Preferences, resolve_belief, uniform_belief
from ludens.preferences.av.dilemma import UNIVERSALISATIONS, Universalisation
from ludens.preferences.consequences import check_selfish_or_moral, game_consequences
from ludens.preferences.mapping import MapLike
from ludens.training.data.cases import case_planner, divided, even
from ludens.training.data.completions import completion
from ludens.training.data.dataset import DataSet
from ludens.training.data.example import DOMAINS, Example, Reasoning, check_reasoning
from ludens.training.data.games import (
    Payoffs,
    Ranges,
    draw_games,
    find_families,
    is_of_payoffs,
    published,
    ranges_of,
    split_of,
)
from ludens.training.data.labels import Label, label_games
from ludens.training.data.prompts import PromptRenderer
from ludens.training.data.rationale import Terms, terms_of
from ludens.training.data.tables import Case, PlannedCase, drawn_framing, drawn_place, table_example
from ludens.training.data.values import (
    FINEST,
    check_plain,
    is_plain,
    shown_orders,
    usable_framings,
    value_example,
)
from ludens.training.data.vehicles import reserved_cases

Ties = Literal["drop", "split"]
FRAMINGS = ("neutral",)
HELD_OUT = ("paraphrases/paid", "paraphrases/wins")
"""Paraphrases of the neutral framing that are reserved for measuring transfer."""
MOST_SURFACES = 99_999
"""The surfaces of the table beyond this number never occur in training."""
FEWEST_GAMES = 512
"""Least number of games drawn per family, if the range allows; labels are balanced by choosing among them."""
FEWEST_ALONE = 96
"""The same for families whose games are not solved together."""
PARTS: Mapping[str, int] = MappingProxyType({"games": 3, "av": 2, "pricing": 1})
"""How a data set of several domains is divided: by the number of wordings that each has, since the table,
which all of them have, is learnt in any of them. Our choice.
"""
_TOGETHER = 64  # examples written together


def build_dataset(
    preferences: Preferences,
    *,
    families: Sequence[str] | None = None,
    examples: int = 768,
    validation: int = 64,
    test: int = 64,
    seed: int = 0,
    reasoning: str = "steps",
    belief: Belief = "uniform",
    framings: Sequence[str] | None = None,
    payoffs: Ranges = (1, 9),
    ties: Ties = "drop",
    near: float = 0.1,
    near_margin: float = 0.02,
    phrasings: int = 1,
    domains: Sequence[str] = ("games",),
    surfaces: int = 0,
    universalisation: str = "veil",
    map_with: MapLike = map,
) -> DataSet:
    """Build a data set of turns in random games, dilemmas and markets, with the optimal option of
    `preferences` as the reply to learn.

    Args:
        preferences: α, β, κ.
        families: names of families, of game trees and of games in which all move at once; None for the
            prisoner's dilemma, trust and ultimatum games of van Leeuwen & Alger (2024).
        examples: number of training examples.
        validation: number of validation examples, for early stopping.
        test: number of test examples; the three splits share no game.
        seed: seed of all draws; the same seed gives the same data set.
        reasoning: ``"steps"``, ``"prose"`` or ``"none"``.
        belief: as for `ludens.agents.OraclePolicy`.
        framings: names of framings, each used equally often; one that stands in the list twice is used twice
            as often. `training_framings` returns the neutral one and its paraphrases, and ``varied`` is the
            neutral one in the words of a surface.
            None for the neutral one, where other domains than games are asked for also ``table``, and with
            surfaces also ``table`` and, twice, ``varied``. Dilemmas are worded in ``neutral`` and ``table``,
            the adoption game and markets in ``table`` alone.
        payoffs: the range of the payoffs, (low, high), in points; or several ranges, all with as many games
            of a family as the range with the fewest. Families whose numbers are no payoffs are drawn near
            their published games, see `ludens.training.data.games`.
        ties: ``"drop"`` leaves out turns with more than one optimal option; ``"split"`` keeps them, and the
            reply takes each equally often.
        near: largest share of turns near indifference among each kind of turn, in [0, 1].
        near_margin: largest margin near indifference, as a share of the payoff scale; at least 0.
        phrasings: number of phrasings of the reasoning, at least 1.
        domains: ``"games"``, ``"av"`` (dilemmas and the adoption game) and ``"pricing"``, which share the
            examples as 3 : 2 : 1 (`PARTS`). The last two need α = β = 0, and believe that rivals keep their
            last prices and other cars their programs.
        surfaces: number of surfaces that are drawn for the framings ``table`` and ``varied``; 0 for the plain
            ones alone.
        universalisation: how homo moralis universalises in dilemmas, see `ludens.preferences.av.dilemma`.
        map_with: writes the examples; `ludens.experiments.compute` uses several processes, for the same data
            set.

    Raises:
        UsageError: an argument is out of its range, or the range holds no suitable game.
    """
    drawn = ranges_of(payoffs)
    kinds = find_families(families)
    form = check_reasoning(reasoning)
    if ties not in ("drop", "split"):
        raise UsageError(f"Ties are dropped or split: ties='drop' or 'split'; got {ties!r}.")
    if not isinstance(preferences, Preferences):
        raise UsageError(f"A data set needs Preferences(alpha, beta, kappa); got {preferences!r}.")
    wanted = {"train": examples, "validation": validation, "test": test}
    for name, count in wanted.items():
        if not isinstance(count, int) or isinstance(count, bool) or count < (name == "train"):
            raise UsageError(f"The number of examples to {name} is a whole number; got {count!r}.")
    areas = check_domains(domains)
    if framings is None:
        framings = framings_of(areas, surfaces)
    if isinstance(framings, str) or not framings:
        raise UsageError(f"Name at least one framing, as a list; got {framings!r}.")
    for framing in framings:
        if framing != VARIED:
            check_framing(framing)
    if "games" in areas:
        check_plain(kinds, form, framings)
        if belief != "uniform" and any(map(is_table, framings)):
            raise UsageError(
                "Tables of games say what an option pays if the others act at random: belief='uniform', or "
                "framings without the table."
            )
    check_surfaces(surfaces)
    sides = _check_universalisation(universalisation)
    seed = check_seed(seed)
    if not _is_number(near) or not 0 <= near <= 1:
        raise UsageError(f"The share of turns near indifference (near) lies in [0, 1]; got {near!r}.")
    if not _is_number(near_margin) or not 0 <= near_margin < math.inf:
        raise UsageError(
            "The margin near indifference (near_margin) is a finite number of at least 0; got "
            f"{near_margin!r}."
        )
    if not isinstance(phrasings, int) or isinstance(phrasings, bool) or phrasings < 1:
        raise UsageError(f"The number of phrasings is a whole number of at least 1; got {phrasings!r}.")
    builder = ExampleBuilder(
        preferences,
        belief,
        reasoning=form,
        framings=tuple(framings),
        ties=ties,
        phrasings=phrasings,
        surfaces=surfaces,
    )
    others = [area for area in areas if area != "games"]
    planners = [
        case_planner(
            area,
            preferences,
            reasoning=form,
            framings=framings,
            ties=ties,
            surfaces=surfaces,
            universalisation=sides,
        )
        for area in others
    ]
    parts = {name: divided(count, [PARTS[area] for area in areas]) for name, count in wanted.items()}
    plans: dict[str, list[Planned]] = {name: [] for name in wanted}
    with _uncollected():
        for place, area in enumerate(areas):
            share = {name: parts[name][place] for name in wanted}
            found: Mapping[str, Sequence[Planned]]
            if area == "games":
                found = _plan_splits(
                    builder, kinds, drawn, share, seed=seed, near=near, near_margin=near_margin
                )
            else:
                found = planners[others.index(area)].plan(share, _shares(wanted), seed)
            for name, planned in found.items():
                plans[name] += planned
        splits = _written(builder, plans, map_with)
    if len(areas) > 1:
        splits = {name: _mixed(each, seed) for name, each in splits.items()}
    settings: dict[str, Any] = {
        "preferences": preferences.name,
        **asdict(preferences),
        "belief": belief if isinstance(belief, str) else "given",
        "families": [family.name for family in kinds],
        "payoffs": " and ".join(each.name for each in drawn),
        "reasoning": form,
        "framings": list(framings),
        "phrasings": phrasings,
        "ties": ties,
        "near": near,
        "near_margin": near_margin,
        "seed": seed,
        **_settings_of_domains(areas, surfaces, sides),
    }
    return DataSet.of(splits["train"], splits["validation"], splits["test"], settings)


def check_surfaces(surfaces: int) -> None:
    """Check the number of surfaces.

    Raises:
        UsageError: it is no whole number from 0 to `MOST_SURFACES`.
    """
    if not isinstance(surfaces, int) or isinstance(surfaces, bool) or not 0 <= surfaces <= MOST_SURFACES:
        raise UsageError(
            f"The number of surfaces is a whole number from 0 to {MOST_SURFACES:,}; got {surfaces!r}."
        )


def check_domains(domains: Sequence[str]) -> tuple[str, ...]:
    """Return the domains, each once.

    Raises:
        UsageError: there is none, or one is unknown.
    """
    if isinstance(domains, str) or not domains or any(name not in DOMAINS for name in domains):
        raise UsageError(f"Domains are a list of {', '.join(DOMAINS)}; got {domains!r}.")
    return tuple(dict.fromkeys(domains))


def _check_universalisation(universalisation: str) -> Universalisation:
    for known in UNIVERSALISATIONS:
        if universalisation == known:
            return known  # type: ignore[no-any-return]  # a literal's own value
    raise UsageError(
        f"In dilemmas one universalises by {', '.join(UNIVERSALISATIONS)}; got {universalisation!r}."
    )


def _settings_of_domains(areas: tuple[str, ...], surfaces: int, sides: str) -> dict[str, Any]:
    """Return what a card says of domains: what labels them, and what no split contains."""
    found: dict[str, Any] = {"domains": list(areas)}
    if surfaces:
        found["surfaces"] = surfaces
    if "av" in areas:
        found["universalisation in dilemmas"] = sides
        found["ratings"] = "0, 50 or 100 by the sign of the utility difference"
        found["reserved dilemmas"] = [f"{m} against {n}" for m, n in sorted(reserved_cases())]
    if "pricing" in areas:
        found["market labels"] = "best against the rivals' last prices, on the grid of the table"
        found["reserved markets"] = "the published baseline with 2, 3 and 4 firms, in any money"
    return found


def _mixed(examples: Sequence[Example], seed: int) -> list[Example]:
    """Return the examples of several domains in random order."""
    places = np.random.default_rng([seed, 0xD0]).permutation(len(examples))
    return [examples[place] for place in places]


def _is_number(value: object) -> bool:
    return isinstance(value, numbers.Real) and not isinstance(value, bool)


def _written(
    builder: ExampleBuilder, plans: Mapping[str, Sequence[Planned]], map_with: MapLike
) -> dict[str, list[Example]]:
    """Return the examples of all splits, written in parts."""
    every = [planned for plan in plans.values() for planned in plan]
    parts = [every[first : first + _TOGETHER] for first in range(0, len(every), _TOGETHER)]
    made = itertools.chain.from_iterable(map_with(builder.write_all, parts))
    return {name: list(itertools.islice(made, len(plan))) for name, plan in plans.items()}


def _plan_splits(
    builder: ExampleBuilder,
    kinds: Sequence[AnyFamily],
    drawn: Sequence[Payoffs],
    wanted: Mapping[str, int],
    *,
    seed: int,
    near: float,
    near_margin: float,
) -> dict[str, list[PlannedLabel]]:
    """Draw the games of each split, label them, and plan its examples."""
    draw_seed, pick_seed = np.random.SeedSequence(seed).spawn(2)
    rng = np.random.default_rng(draw_seed)
    labels: dict[str, list[Label]] = {name: [] for name in wanted}
    shares = _shares(wanted)
    kinds_of_turn = sum(len(family.prosocial) for family in kinds) or len(kinds)
    enough = sum(wanted.values()) // kinds_of_turn
    for family in kinds:
        plain = all(map(is_plain, published(family)))
        most = max(FEWEST_GAMES if plain else FEWEST_ALONE, enough)
        ranges = drawn if is_of_payoffs(family) else drawn[:1]
        found = [draw_games(family, each, most, rng) for each in ranges]
        fewest = min(map(len, found))
        games = [game for each in found for game in each[:fewest]]
        for label in label_games(games, builder.preferences, builder.belief):
            if plain or label.relative_margin >= FINEST:
                labels[split_of(label.key, seed, shares)].append(label)
    usable = {name: [each for each in found if builder.takes(each)] for name, found in labels.items()}
    bare = [name for name, count in wanted.items() if count and not usable[name]]
    if bare and any(usable.values()):
        raise UsageError(
            f"None of the few different games of {', '.join(family.name for family in kinds)} falls to the "
            f"{bare[0]} split: widen the payoffs, name other games as well, or choose another seed."
        )
    picker = np.random.default_rng(pick_seed)
    return {
        name: builder.plan(labels[name], count, near, near_margin, picker) for name, count in wanted.items()
    }


@contextmanager
def _uncollected() -> Iterator[None]:
    """Suspend the search for cyclic garbage, which finds none here and takes a third of the time."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


def framings_of(domains: Sequence[str], surfaces: int, games: tuple[str, ...] = FRAMINGS) -> tuple[str, ...]:
    """Return the framings of a data set if none are named.

    Args:
        domains: see `build_dataset`.
        surfaces: see `build_dataset`; they take the place of paraphrases.
        games: those of games without surfaces.
    """
    if surfaces:
        return (*FRAMINGS, VARIED, VARIED, TABLE)  # what is hardest to read, as often as the others together
    return games if tuple(domains) == ("games",) else (*games, TABLE)


def training_framings() -> tuple[str, ...]:
    """Return the neutral framing and those of its paraphrases that are not `HELD_OUT`."""
    return (*FRAMINGS, *(name for name in paraphrases() if name not in HELD_OUT))


def _shares(wanted: Mapping[str, int]) -> tuple[float, float]:
    """Return the shares of games for validation and test: as for examples, but at least a tenth."""
    total = sum(wanted.values())
    least = 0.1
    return tuple(max(least, wanted[name] / total) if wanted[name] else 0.0 for name in ("validation", "test"))  # type: ignore[return-value]


class PlannedLabel(NamedTuple):
    """A label with what was drawn for its example.

    Attributes:
        label: the oracle's solution.
        framing: the name of the framing.
        order: the number of the order in which options are shown.
        tie: which of the optimal options the example takes.
        phrasing: the number of the phrasing of its reasoning.
    """

    label: Label
    framing: str
    order: int
    tie: int
    phrasing: int


Planned = PlannedLabel | PlannedCase
"""All that is random in an example, so that it is the same wherever it is written."""


class ExampleBuilder:
    """A builder of examples from labels that reuses what they share: prompts of one shape, weights,
    beliefs.
    """

    def __init__(
        self,
        preferences: Preferences,
        belief: Belief,
        *,
        reasoning: Reasoning,
        framings: tuple[str, ...],
        ties: Ties,
        phrasings: int,
        surfaces: int = 0,
    ) -> None:
        self.surfaces = surfaces
        self.preferences = preferences
        self.belief = belief
        self.reasoning = reasoning
        self.framings = framings
        self.ties = ties
        self.phrasings = phrasings
        self.renderer = PromptRenderer()
        self._terms: dict[tuple[object, ...], Terms] = {}
        self._cases: dict[tuple[object, ...], Case] = {}

    def takes(self, label: Label) -> bool:
        """Return whether examples are made of a label: one without a tie, unless ties are split."""
        return self.ties == "split" or not label.tied

    def plan(
        self, labels: Sequence[Label], count: int, near: float, near_margin: float, rng: np.random.Generator
    ) -> list[PlannedLabel]:
        """Plan a number of examples, balanced over information sets, optimal options, orders and
        framings.
        """
        kept = [label for label in labels if self.takes(label)]
        if not count:
            return []
        if not kept:
            raise UsageError(
                "No game in range has a turn with one optimal option; widen the payoffs, keep ties "
                "(ties='split'), or name other games."
            )
        cells: dict[tuple[str, str], dict[tuple[str, ...], list[Label]]] = {}
        for label in kept:
            cells.setdefault((label.game.name, label.node), {}).setdefault(label.best, []).append(label)
        quotas = even(count, len(cells), rng)
        chosen: list[tuple[Label, int]] = []
        for strata, quota in zip(cells.values(), quotas, strict=True):
            for found, part in zip(strata.values(), even(quota, len(strata), rng), strict=True):
                chosen += self._pick(found, part, near, near_margin, rng)
        planned = [self._planned(label, turn, rng) for label, turn in chosen]
        return [planned[place] for place in rng.permutation(len(planned))]

    def _pick(
        self, found: Sequence[Label], count: int, near: float, near_margin: float, rng: np.random.Generator
    ) -> list[tuple[Label, int]]:
        """Pick labels of one stratum, each as often as needed, with as many different games as possible."""
        places = rng.permutation(len(found)).tolist()
        close = [place for place in places if found[place].relative_margin <= near_margin]
        clear = [place for place in places if found[place].relative_margin > near_margin]
        most = len(close) if not clear else int(near * count)
        taken = clear + close[:most] if clear else close
        ordered = [taken[place] for place in rng.permutation(len(taken))]
        start = int(rng.integers(1_000_000))
        endless = itertools.cycle(ordered)
        rounds = len(ordered)
        return [(found[next(endless)], start + turn + turn // rounds) for turn in range(count)]

    def example(self, label: Label, turn: int, rng: np.random.Generator) -> Example:
        """Build the example of a label; the number `turn` cycles through orders and framings."""
        return self.write(self._planned(label, turn, rng))

    def _planned(self, label: Label, turn: int, rng: np.random.Generator) -> PlannedLabel:
        orders, framings = shown_orders(label), usable_framings(label.game, self.framings)
        framing = framings[turn // orders % len(framings)]
        framing = drawn_framing(framing, self.surfaces, rng)
        tie = drawn_place(len(label.best), rng)
        phrasing = 0 if is_table(framing) else drawn_place(self.phrasings, rng)
        return PlannedLabel(label, framing, turn % orders, tie, phrasing)

    def write_all(self, plans: Sequence[Planned]) -> list[Example]:
        """Write the examples of plans, in their order."""
        return [
            self.write(planned)
            if isinstance(planned, PlannedLabel)
            else table_example(planned, self.reasoning)
            for planned in plans
        ]

    def write(self, planned: PlannedLabel) -> Example:
        """Write the example of a plan."""
        label, framing, order, tie, phrasing = planned
        game, options = label.game, label.options
        if is_table(framing):
            return table_example(PlannedCase(self._case(label), framing, order, tie), self.reasoning)
        if not isinstance(game, GameTree) or not is_plain(game):
            return value_example(
                label,
                framing,
                order,
                tie,
                preferences=self.preferences,
                belief=self.belief,
                reasoning=self.reasoning,
            )
        prompt = self.renderer.render(
            game, label.node, framing, order, reasoning=self.reasoning != "none", shape=label.shape
        )
        names = tuple(options[place] for place in prompt.order)
        best = label.best
        option = best[tie]
        answer = prompt.labels[names.index(option)]
        text = completion(
            game,
            label.node,
            prompt,
            answer,
            terms=self._terms_of(label),
            reasoning=self.reasoning,
            phrasing=phrasing,
        )
        return Example(
            prompt=prompt.messages,
            completion=text,
            family=game.name,
            payoffs=tuple(game.parameters.values()),
            game=label.key,
            role=label.information_set.role,
            node=label.node,
            framing=framing,
            order=order,
            options=names,
            labels=prompt.labels,
            answer=answer,
            optimal=best,
            utilities=tuple(label.utilities[place] for place in prompt.order),
            margin=label.margin,
            reasoning=self.reasoning,
            label_shares=tuple((name in best) / len(best) for name in names),
        )

    def _case(self, label: Label) -> Case:
        """Return a label as a case with a table, whose best rows are the label's options."""
        known = (label.game.name, *label.game.parameters.values(), label.node, label.best)
        if known not in self._cases:
            self._cases[known] = self._made_case(label)
        return self._cases[known]

    def _made_case(self, label: Label) -> Case:
        game = label.game
        assert isinstance(game, GameTree)
        weights = check_selfish_or_moral(self.preferences, "A table")
        belief = uniform_belief(game)
        for most in (999, 99_999):
            found = game_consequences(game, label.node, belief, most)
            if found.best(weights) == frozenset(label.best):
                break
        else:
            raise UsageError(
                f"The payoffs of {game!r} have too many digits for a table; choose coarser ones or another "
                "framing."
            )
        return Case(
            "games",
            game.name,
            label.key,
            label.information_set.role,
            label.node,
            tuple(game.parameters.values()),
            found,
            lambda: game_table(found, label.options, len(game.roles) - 1),
            weights,
        )

    def _terms_of(self, label: Label) -> Terms | None:
        if self.reasoning == "none":
            return None
        game, shape = label.game, label.shape
        assert isinstance(game, GameTree)
        if self.belief == "equilibrium":  # the belief differs between games
            return terms_of(game, self.preferences, resolve_belief(game, self.preferences, self.belief))
        if shape not in self._terms:
            belief = resolve_belief(game, self.preferences, self.belief)
            self._terms[shape] = terms_of(game, self.preferences, belief)
        return self._terms[shape]
