"""The framing ``table``: what each option leads to, in two columns of whole numbers, in every domain.

Games, the adoption game, dilemmas of vehicles and markets all have the table of
`ludens.preferences.consequences`: the own payoff of an option given what the others do, and the payoff if
everybody did the same. A small model can look up, copy, add and compare such numbers in any domain, where it
cannot evaluate a logit. The table tells everything that a policy without α and β needs, and nothing of what
it should prefer. For a market the options are prices of a grid.

The other players of a game are taken to act at random, other cars to stay on course and rivals to keep
their last prices, as the text says.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

import numpy as np

from ludens.agents.llm.prompts.surfaces import Surface
from ludens.agents.llm.prompts.templates import WORDINGS, WordingError
from ludens.agents.llm.prompts.tree import rotation
from ludens.envs import GameTree, StrategicGame, Turn, uniform_strategy
from ludens.envs.av.adoption.game import AdoptionGame
from ludens.envs.av.dilemma.env import ACTS
from ludens.envs.av.dilemma.vignette import Vignette
from ludens.envs.av.moral_machine.env import MoralScenario
from ludens.preferences.av.dilemma import Universalisation
from ludens.preferences.consequences import Consequences

GRID = 10
"""The number of prices in the table of a market."""

AMOUNTS = 11
"""The largest number of rows where an amount is asked for."""

PROGRAMS = ("A", "B")
"""Labels of the two programs among which points are shared out."""


@dataclass(frozen=True)
class Table:
    """A turn as a table of consequences, before it is worded.

    Attributes:
        domain: ``"games"``, ``"markets"``, ``"vehicles"`` or ``"adoption"``, a prefix of the grammar's lists.
        consequences: the numbers.
        options: the options of the turn in the game's order, by name.
        words: what options are called beside their labels, by name; empty where a label is enough.
        intro: facts of the situation beside the grammar's sentence for them.
        slots: what those sentences are filled with; ``count`` is the number of others, and ``at_once`` says
            that all choose at the same time.
        question: what is asked; empty where the grammar has sentences for it.
        labelled: whether options carry labels; a rating is about two acts, which have none.
    """

    domain: str
    consequences: Consequences
    options: tuple[str, ...]
    words: Mapping[str, str]
    intro: str = ""
    slots: Mapping[str, Any] = field(default_factory=dict)
    question: str = ""
    others_act: bool = False
    labelled: bool = True


@dataclass(frozen=True)
class Shown:
    """A table in words.

    Attributes:
        text: of the prompt, without the part that says how to answer.
        labels: of the options, in the order `order`.
        order: the places of the options in the game's order, as labelled.
        rows: label or name, own and common number of each row, as shown from the top.
    """

    text: str
    labels: tuple[str, ...]
    order: tuple[int, ...]
    rows: tuple[tuple[str, int, int], ...]


def show(table: Table, surface: Surface, order: int = 0) -> Shown:
    """Word a table.

    Args:
        table: the turn.
        surface: how to say it.
        order: the number of the order in which options are labelled.

    Raises:
        WordingError: there are more options than labels.
    """
    names = table.options
    shown = rotation(len(names), order)
    if table.labelled and len(names) > len(surface.letters):
        raise WordingError(
            f"A table has labels for {len(surface.letters)} options, and this turn offers {len(names)}: "
            "offer fewer."
        )
    labels = surface.letters[: len(names)] if table.labelled else ()
    called = {names[place]: labels[rank] if labels else names[place] for rank, place in enumerate(shown)}
    rank = {names[place]: number for number, place in enumerate(shown)}
    found = table.consequences
    ranked = sorted(range(len(found.options)), key=lambda row: rank[found.options[row]])
    placed = [ranked[place] for place in surface.order(len(ranked))]
    rows = tuple((called[found.options[row]], found.alone[row], found.together[row]) for row in placed)
    third = "dead" if domain_of_lives(table) else "others"
    if surface.others and not found.others:
        raise WordingError(
            "The framing 'payoffs' does not know what the others get here: use the framing 'table'."
        )
    lines = [
        surface.write_row(
            _titled(called[name], table.words.get(name, "")), found.alone[row], found.together[row]
        )
        + (f", {third} {found.others[row]}" if surface.others else "")
        for row in placed
        for name in (found.options[row],)
    ]
    said, domain = surface.said, table.domain
    intro = " ".join(filter(None, [_opening(table, surface), table.intro]))
    prefix = domain.removesuffix("s")
    given = said[f"{prefix}_others" if table.others_act else f"{prefix}_given"]
    explained = said["explanations"].format(
        a=surface.alone, b=surface.together, unit=said[f"{prefix}_units"], given=given
    )
    plans = "plans_at_once" if table.slots.get("at_once") else "plans"
    several = [said[plans]] if len(rows) > len(names) else []
    if surface.others:
        meant = "how many die" if third == "dead" else "what each of the others gets on average"
        several.append(f'"{third}" is {meant} if you alone act so.')
    top = " ".join(filter(None, [intro[:1].upper() + intro[1:], said["aside"], explained, *several]))
    text = "\n".join([top, "", *lines, "", table.question or said["asks"]])
    return Shown(text, labels, shown, rows)


def domain_of_lives(table: Table) -> bool:
    """Return whether a table is about who lives."""
    return table.domain == "vehicles"


def _opening(table: Table, surface: Surface) -> str:
    """Return the grammar's sentence about the situation; empty for dilemmas, which have their own words."""
    said, slots = surface.said, table.slots
    if table.domain == "games":
        called = said["others"] if slots["count"] == 1 else said["others_several"].format(**slots)
        kind = "games_at_once" if slots.get("at_once") else "games"
        return said[kind].format(others=called if slots["count"] else "nobody else")
    if table.domain == "markets":
        rivals = said["rivals"] if slots["count"] == 1 else said["rivals_several"]
        told = rivals.format(**slots) if slots["count"] else "no other firm sells it"
        return said["markets"].format(rivals=told, **slots)
    return ""


def _titled(label: str, words: str) -> str:
    return f"{label} ({words})" if words and words != label else label


def table_of(turn: Turn, order: int = 0, *, others: bool = False) -> Table:
    """Return the table of a turn.

    Args:
        turn: of a game tree, a game in which all move at once, the adoption game, a dilemma of the studies or
            a scenario of the Moral Machine; for markets see `ludens.agents.llm.prompts.price_tables`.
        order: the number of the order in which a dilemma's programs are listed, where points are shared out.
        others: whether the table has what the others get, too.

    Raises:
        WordingError: the turn's game has no table.
    """
    game = turn.game
    if isinstance(game, GameTree):
        return _game_table(turn, game, others)
    if isinstance(game, StrategicGame):
        return _strategic_table(turn, game, others)
    if isinstance(game, MoralScenario):
        first, second = game.groups
        return _with_dead(_scenario_table(turn, game), (second.humans, first.humans))
    vignette = turn.facts.get("vignette")
    if isinstance(vignette, Vignette):
        return _with_dead(dilemma_table(vignette, order), (vignette.pedestrians, vignette.riders))
    if isinstance(game, AdoptionGame):
        return _adoption_table(turn, game)
    raise WordingError(
        f"The framing 'table' has no numbers for {turn.game.name}: use another framing, such as neutral."
    )


def _with_dead(table: Table, dead: tuple[int, int]) -> Table:
    """Return the table of two acts with how many die, if harm is certain."""
    return replace(table, consequences=replace(table.consequences, others=dead))


def _game_table(turn: Turn, game: GameTree, others: bool) -> Table:
    from ludens.preferences.beliefs import uniform_belief
    from ludens.preferences.consequences import game_consequences

    if len(turn.options) != len(game.information_set(turn.node).options):
        raise WordingError(f"The framing 'table' shows all options of {turn.node!r}, and some are missing.")
    found = game_consequences(game, turn.node, uniform_belief(game), others=others)
    return _told(turn, game_table(found, tuple(option.name for option in turn.options), len(game.roles) - 1))


def _strategic_table(turn: Turn, game: StrategicGame, others: bool) -> Table:
    from ludens.preferences.consequences import strategic_consequences

    amount = turn.scale is not None
    if game.continuous or (turn.scale is not None and turn.scale.kind == "allocation"):
        raise WordingError(
            f"The framing 'table' has a row for each action, and {turn.game.name} has no list of them: use "
            "another framing, such as neutral."
        )
    if len(turn.options) != len(game.information_set(turn.node).options):
        raise WordingError(f"The framing 'table' shows all options of {turn.node!r}, and some are missing.")
    found = strategic_consequences(game, turn.node, uniform_strategy(game), others=others)
    if amount and len(found.options) > AMOUNTS:  # as many of them, at equal distances
        found = found.part(np.unique(np.linspace(0, len(found.options) - 1, AMOUNTS).round().astype(int)))
    names = tuple(dict.fromkeys(found.options)) if amount else tuple(option.name for option in turn.options)
    return _told(
        turn,
        Table(
            "games",
            found,
            names,
            {},
            slots={"count": len(game.seats) - 1, "at_once": True},
            question="Which number do you choose?" if amount else "",
            labelled=not amount,
        ),
    )


def _scenario_table(turn: Turn, scenario: MoralScenario) -> Table:
    from ludens.preferences.av.consequences import scenario_consequences

    first, second = scenario.groups
    found = scenario_consequences((first.humans, second.humans), (first.passengers, second.passengers))
    names = tuple(option.name for option in turn.options)
    deeds = [str(_situations().deed(*pair)).strip() for pair in ((first, second), (second, first))]
    return Table(
        "vehicles",
        found,
        names,
        dict(zip(names, deeds, strict=True)),
        intro=" ".join(str(_situations().scenario(first.humans + second.humans)).split()),
        question="What should the car do?",
    )


def _told(turn: Turn, table: Table) -> Table:
    """Return the table with what the earlier rounds paid."""
    if not turn.past:
        return table
    rounds = " ".join(
        f"In round {number} you got {past.payoffs[past.role]:g}." for number, past in enumerate(turn.past, 1)
    )
    continuation = turn.facts.get("continuation")
    ends = (
        f" of {turn.rounds}"
        if continuation is None
        else f"; another follows with probability {continuation:g}"
    )
    return replace(table, intro=f"{rounds} This is round {turn.round + 1}{ends}.")


def game_table(found: Consequences, options: tuple[str, ...], others: int) -> Table:
    """Return the table of an information set with these consequences, in a game with so many others."""
    return Table("games", found, options, {}, slots={"count": others})


def dilemma_table(
    vignette: Vignette, order: int = 0, *, universalisation: Universalisation = "veil"
) -> Table:
    """Return the table of a vignette."""
    from ludens.preferences.av.consequences import COMFORT, dilemma_consequences

    question = vignette.question
    found = dilemma_consequences(vignette, universalisation)
    intro, asked = _dilemma_words(vignette, universalisation, order)
    acts = tuple(act.name for act in ACTS)
    return Table(
        "vehicles",
        found,
        acts,
        {name: str(_situations().act(name)) for name in acts} if question == "act" else {},
        intro=intro,
        question=asked,
        others_act=question == COMFORT,
        labelled=question == "act",
    )


@lru_cache(maxsize=4096)
def _dilemma_words(vignette: Vignette, universalisation: str, order: int) -> tuple[str, str]:
    parts: Any = WORDINGS.environment.get_template("av/parts.j2").module
    intro = " ".join(str(_situations().vehicle(vignette, universalisation)).split())
    shown = [ACTS[place].name for place in rotation(len(ACTS), order)]
    programs = [{"label": label, "name": name} for label, name in zip(PROGRAMS, shown, strict=True)]
    return intro, str(parts.question(vignette, programs)).strip()


def _situations() -> Any:
    return WORDINGS.environment.get_template("table/situations.j2").module


def _adoption_table(turn: Turn, game: AdoptionGame) -> Table:
    others, period = turn.facts.get("others") or (), int(turn.facts["period"])
    table = adoption_table(game, others[-1] if others else 0.0, period)
    names = tuple(option.name for option in turn.options)
    if names == table.options:
        return table
    kept = [place for place, name in enumerate(table.consequences.options) if name in names]
    found = replace(
        table.consequences,
        options=names,
        alone=tuple(table.consequences.alone[place] for place in kept),
        together=tuple(table.consequences.together[place] for place in kept),
    )
    return replace(table, consequences=found, options=names)


def adoption_table(game: AdoptionGame, share: float, period: int = 0) -> Table:
    """Return the table of the adoption game when a share of the others' cars is utilitarian."""
    from ludens.preferences.av.consequences import adoption_consequences

    found = adoption_consequences(game, share, period=period)
    intro = str(_situations().adoption(game, share)).strip()
    return Table("adoption", found, found.options, {name: name for name in found.options}, intro=intro)


def market_table(found: Consequences, cost: float, rivals_prices: Sequence[float]) -> Table:
    """Return the table of a firm whose prices have these consequences, and whose rivals charged those prices
    last.
    """
    prices = " and ".join(f"{price:.4g}" for price in rivals_prices)
    slots = {"cost": f"{cost:.4g}", "prices": prices, "count": len(rivals_prices)}
    return Table("markets", found, found.options, {name: name for name in found.options}, slots=slots)
