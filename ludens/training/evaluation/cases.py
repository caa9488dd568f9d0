"""Questions of the exam outside game trees: dilemmas, the adoption game and markets, as JSON texts.

A case holds all numbers of a turn, so that a run's configuration alone makes it again. What is optimal
follows from the same tables that data sets are labelled from.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import groupby
from typing import Any

import numpy as np

from ludens.agents.llm.prompts.price_tables import price_table
from ludens.envs import Turn, make_env
from ludens.envs.av.adoption.env import ENVIRONMENT as ADOPTION
from ludens.envs.av.adoption.env import OPTIONS
from ludens.envs.av.adoption.game import AdoptionGame
from ludens.envs.av.dilemma.env import dilemma_turn
from ludens.envs.av.dilemma.vignette import MOST, Vignette, as_vignette
from ludens.envs.pricing import Market
from ludens.errors import UsageError
from ludens.preferences import Preferences
from ludens.preferences.av.consequences import (
    adoption_consequences,
    dilemma_consequences,
    points,
    question_weights,
)
from ludens.preferences.consequences import check_selfish_or_moral
from ludens.training.data.markets import draw_markets, market_key
from ludens.training.data.tables import Case
from ludens.training.data.vehicles import adoption_case, dilemma_case, draw_vehicles

EVEN = 10
"""A rating counts as 50 within so many points of it."""


def case_text(case: Case) -> str:
    """Return a case of a data set as a text, from which its turn can be made."""
    subject = case.subject
    if isinstance(subject, Vignette):
        found: dict[str, Any] = {"vignette": subject.describe()}
    elif case.family == "av_adoption":
        game, share = subject
        found = {"adoption": game.config, "share": share}
    else:
        market, product, last, grid = subject
        found = {"market": market.parameters, "product": product, "last": list(last), "grid": list(grid)}
    return json.dumps(found, sort_keys=True)


@lru_cache(maxsize=4096)
def case_turn(case: str) -> Turn:
    """Return the turn of a case.

    Raises:
        UsageError: the text is not a case.
    """
    try:
        held = json.loads(case)
        if "vignette" in held:
            return dilemma_turn(as_vignette(held["vignette"]))
        if "adoption" in held:
            return _adoption_turn(AdoptionGame(**held["adoption"]), float(held["share"]))
        return _market_turn(Market(**held["market"]), int(held["product"]), held["last"], held["grid"])
    except (ValueError, KeyError, TypeError) as error:
        raise UsageError(f"This is not a case of an exam ({error}): {case[:60]}.") from None


@lru_cache(maxsize=4096)
def case_key(case: str) -> str:
    """Return the key of a case, as examples of a data set have it.

    Raises:
        UsageError: the text is not a case.
    """
    turn, held = case_turn(case), json.loads(case)
    if (vignette := turn.facts.get("vignette")) is not None:
        return dilemma_case(vignette, 0.0).key
    if isinstance(turn.game, AdoptionGame):
        return adoption_case(turn.game, held["share"], 0.0).key
    return market_key(Market(**held["market"]))


def _adoption_turn(game: AdoptionGame, share: float) -> Turn:
    """Return the turn of an owner in the second round, where a share of the others' cars is utilitarian."""
    return Turn(
        environment=ADOPTION,
        agent="owner_0",
        role="owner",
        node="program",
        options=OPTIONS,
        observation={},
        game=game,
        round=1,
        rounds=2,
        facts={
            "period": 1,
            "shares": (share,),
            "own": (OPTIONS[1].name,),
            "others": (share,),
            "mandate": False,
            "fine": 0.0,
            "subsidy": 0.0,
        },
    )


def _market_turn(market: Market, product: int, last: Sequence[float], grid: Sequence[float]) -> Turn:
    """Return the turn of a firm in the second period, with the prices on offer that are nearest to `last` in
    the first.
    """
    env = make_env("bertrand", market=market, grid=[list(grid)] * market.products, periods=2)
    env.reset(seed=0)
    firms = list(env.possible_agents)
    for firm, price in zip(firms, last, strict=True):
        offers = env.unwrapped.turn(firm).options
        env.step(min(offers, key=lambda offer: abs(float(offer.name) - price)).action)
    turn: Turn = env.unwrapped.turn(firms[int(market.owners[product])])
    return turn


@lru_cache(maxsize=16384)
def case_utilities(case: str, preferences: Preferences) -> tuple[float, ...]:
    """Return what each option is worth, in the units of the case's table.

    A rating is worth less, the further it lies from the oracle's 0, 50 or 100 points.

    Raises:
        UsageError: the text is not a case, or the preferences have an α or β.
    """
    turn = case_turn(case)
    weights = check_selfish_or_moral(preferences, "A case of an exam")
    vignette = turn.facts.get("vignette")
    if isinstance(vignette, Vignette):
        weights = question_weights(vignette.question, preferences.kappa)
        values = dilemma_consequences(vignette).values(weights)
        if vignette.question == "act":
            return tuple(map(float, values))
        wanted = points(vignette, values)
        return tuple(-float(abs(point - wanted)) for point in range(MOST + 1))
    if isinstance(turn.game, AdoptionGame):
        found = adoption_consequences(turn.game, turn.facts["others"][-1])
    else:
        found = price_table(turn).consequences
    return tuple(map(float, found.values(weights)))


@lru_cache(maxsize=16384)
def case_optimal(case: str, preferences: Preferences) -> frozenset[int]:
    """Return the numbers of the options that count as right; of ratings, those on the oracle's side of 50,
    or within `EVEN` points of 50 where the oracle is indifferent.
    """
    values = np.array(case_utilities(case, preferences))
    if len(values) <= MOST:
        return frozenset(np.flatnonzero(values >= values.max() - 1e-9).tolist())
    wanted = int(values.argmax())
    if wanted == MOST // 2:
        return frozenset(range(MOST // 2 - EVEN, MOST // 2 + EVEN + 1))
    return frozenset(range(MOST // 2) if wanted < MOST // 2 else range(MOST // 2 + 1, MOST + 1))


def case_prosocial(case: str) -> int:
    """Return the number of the option that is best if everybody takes it: swerving, a utilitarian car, the
    price with the largest joint profit, or 100 points.
    """
    turn = case_turn(case)
    if turn.facts.get("vignette") is not None:
        return len(turn.options) - 1
    if isinstance(turn.game, AdoptionGame):
        return 0
    return int(np.argmax(price_table(turn).consequences.together))


def draw_cases(preferences: Preferences, taken: frozenset[str], seed: int) -> Iterator[Case]:
    """Yield cases of dilemmas, adoption games and markets in turn, none with a key in `taken`, none at which
    the preferences are indifferent between options, and each in another market.
    """
    rng = np.random.default_rng([seed, 0xCA44])
    histories = groupby(draw_markets(preferences.kappa, rng), key=lambda case: case.key)
    sources = draw_vehicles(preferences.kappa, rng), (next(cases) for _, cases in histories)
    while True:
        for source in sources:
            for case in source:
                if case.key not in taken and (case.asks != "choice" or len(case.best) == 1):
                    yield case
                    break
