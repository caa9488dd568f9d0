"""DAgger (Ross, Gordon & Bagnell, AISTATS 2011): a policy plays, the oracle relabels the turns it came to.

The turns of a data set of drawn games are those of the strategy method, in one round. In repeated games and
in markets a tuned model comes to histories that only its own play leads to; here it plays on, and each of its
turns is labelled as the oracle would have played it. What the policy itself did stays in the history.

Who labels a game of rounds is a choice. The oracle of one round is the oracle of the whole only where the
others' play does not depend on the past. Against an opponent that answers what was done before and whose
strategy is known, `BestReplyPolicy` as teacher gives the option that is best over all rounds left.

In a market the teacher is any pricing policy: `MyopicPolicy`, the best reply to the rivals' last prices,
`BestReplyPricePolicy`, the price that is best in the long run against a known rival, or
`HomoMoralisPricePolicy`, the moral price.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ludens.agents.llm.prompts.games import render
from ludens.agents.policy import Decision, Policy
from ludens.agents.tree.best_reply import BestReplyPolicy
from ludens.envs import GameTree, Turn
from ludens.errors import UsageError
from ludens.experiments.runs.seeds import check_seed
from ludens.preferences import HOMO_ECONOMICUS, Belief, Preferences
from ludens.training.data.build import ExampleBuilder
from ludens.training.data.example import Example, check_reasoning
from ludens.training.data.games import game_key, shape_of
from ludens.training.data.labels import Label, label_games


@dataclass(frozen=True, eq=False)
class Relabelled:
    """A turn that a policy came to, what it did, and what the teacher would have done.

    `taught` is None where no teacher was given; `worth` is what each option is worth to a teacher that says
    so (`BestReplyPolicy`), in points, in the turn's order.
    """

    turn: Turn
    taken: Decision
    taught: Decision | None
    worth: tuple[float, ...] | None = None


def roll_out(
    env: Any,
    policies: Mapping[str, Policy],
    learners: Sequence[str],
    *,
    teacher: Policy | None = None,
    episodes: int = 1,
    seed: int = 0,
) -> list[Relabelled]:
    """Play, and keep every turn of the learners' seats with the teacher's decision beside.

    An episode in which a policy gives no valid decision ends there: nothing is played in its place.

    Args:
        env: an AEC environment that has ``turn(agent)``.
        policies: per seat.
        learners: the seats whose turns are kept.
        teacher: whose decisions are the labels.
        episodes: how many, at least 1.
        seed: the same seed gives the same play of policies that draw.

    Raises:
        UsageError: a seat has no policy, a learner has no seat, the number of episodes is below 1, or the
            seed is no whole number of at least 0.
    """
    seats = list(env.possible_agents)
    missing = [seat for seat in (*seats, *learners) if seat not in policies or seat not in seats]
    if missing:
        raise UsageError(f"Seat {missing[0]!r} needs a policy and a place among {', '.join(seats)}.")
    if not isinstance(episodes, int) or episodes < 1:
        raise UsageError(f"The number of episodes is a whole number of at least 1; got {episodes!r}.")
    found: list[Relabelled] = []
    for seeds in np.random.SeedSequence(check_seed(seed)).spawn(episodes):
        rng, teaching = (np.random.default_rng(part) for part in seeds.spawn(2))
        env.reset(seed=int(rng.integers(2**31)))
        for agent in env.agent_iter():
            _, _, terminated, truncated, _ = env.last(observe=False)
            if terminated or truncated:
                env.step(None)
                continue
            turn = env.unwrapped.turn(agent)
            decision = policies[agent].decide(turn, rng)
            if decision.action is None:
                break
            if agent in learners:
                taught = teacher.decide(turn, teaching) if teacher else None
                worth = teacher.values(turn) if isinstance(teacher, BestReplyPolicy) else None
                found.append(Relabelled(turn, decision, taught, worth))
            env.step(decision.action)
    return found


def relabel(
    turns: Sequence[Relabelled],
    preferences: Preferences | None = None,
    *,
    belief: Belief = "uniform",
    reasoning: str | None = None,
    framing: str = "neutral",
    seed: int = 0,
) -> list[Example]:
    """Examples from turns of game trees: the prompt with its history, and the option to learn.

    Turns at which more than one option is optimal, or the teacher plays more than one, are left out.

    Args:
        turns: from `roll_out`.
        preferences: whose oracle of one round gives the labels. None takes the teacher's decisions as labels.
        belief: of that oracle.
        reasoning: ``"steps"``, ``"prose"`` or ``"none"``; None for steps with the oracle and for none with a
            teacher. The argument is one about a single round, so that a teacher's label must go without.
        framing: the wording.
        seed: the same seed shows options in the same orders.

    Returns:
        Examples whose `utilities` are the oracle's for one round, or the teacher's `worth` over all rounds
        left; they are empty, and the margin infinite, where the teacher says none.

    Raises:
        UsageError: a turn is of no game tree, or has no teacher's decision where that is the label, or
            reasoning or a belief is asked for with a teacher's labels, or the seed is no whole number of at
            least 0.
    """
    if any(not isinstance(entry.turn.game, GameTree) for entry in turns):
        raise UsageError(
            "Only turns of game trees have an oracle of preferences; use pricing_rows for prices."
        )
    rng = np.random.default_rng(check_seed(seed))
    form = check_reasoning(reasoning or ("none" if preferences is None else "steps"))
    if preferences is None and (form != "none" or not isinstance(belief, str) or belief != "uniform"):
        raise UsageError(
            "Reasoning and beliefs are those of an oracle of one round, which a teacher's label need not "
            "follow: relabel with preferences, or with reasoning='none' and no belief."
        )
    # Without reasoning the preferences are not looked at.
    maker = ExampleBuilder(
        preferences or HOMO_ECONOMICUS, belief, reasoning=form, framings=(framing,), ties="drop", phrasings=1
    )
    examples = []
    for entry in turns:
        label = _taught(entry) if preferences is None else _solved(entry, preferences, belief)
        if label.tied:
            continue
        made = maker.example(label, int(rng.integers(len(label.options))), rng)
        prompt = render(entry.turn, framing, made.order, reasoning=form != "none")
        known = preferences is not None or entry.worth is not None
        examples.append(replace(made, prompt=prompt.messages, utilities=made.utilities if known else ()))
    return examples


def _solved(entry: Relabelled, preferences: Preferences, belief: Belief) -> Label:
    game = entry.turn.game
    assert isinstance(game, GameTree)
    (label,) = (one for one in label_games([game], preferences, belief) if one.node == entry.turn.node)
    return label


def _taught(entry: Relabelled) -> Label:
    """The teacher's decision as a label; its scale is the game's payoff range."""
    turn, taught = entry.turn, entry.taught
    game = turn.game
    assert isinstance(game, GameTree)
    if taught is None or taught.action is None:
        raise UsageError(
            "An example needs the teacher's decision: give roll_out a teacher, or relabel preferences."
        )
    shares = taught.probabilities or [float(option.action == taught.action) for option in turn.options]
    optimal = tuple(share > 0 for share in shares)
    worth = entry.worth or (math.nan,) * len(optimal)
    others = [value for value, on in zip(worth, optimal, strict=True) if not on]
    margin = max(worth) - max(others) if entry.worth and others else math.inf
    scale = float(np.ptp(game.payoffs)) or 1.0
    names = tuple(option.name for option in turn.options)
    return Label(
        game, game_key(game), shape_of(game), turn.node, names, worth, optimal, margin, margin / scale
    )


def pricing_rows(turns: Sequence[Relabelled], options: Any = None) -> list[dict[str, Any]]:
    """Turns of a market in TRL's conversational prompt/completion shape, the teacher's price as the answer.

    Args:
        turns: with a teacher's decision each.
        options: a `ludens.agents.llm.prompts.prices.PricePromptOptions`; None for the compact layout without
            notes.

    Raises:
        UsageError: a turn is none of a market, or has no teacher's decision.
    """
    from ludens.agents.llm.prompts.prices import PricePromptOptions, number, render_price_turn, slots
    from ludens.agents.pricing import market_view

    shown = options or PricePromptOptions(layout="compact", notes=False)
    rows = []
    for entry in turns:
        view = market_view(entry.turn)
        if entry.taught is None or entry.taught.action is None:
            raise UsageError("A row needs the teacher's price: give roll_out a teacher.")
        offered = {option.action: option.name for option in entry.turn.options}
        action = entry.taught.action
        price = offered[int(action)] if offered else number(float(action), 4)
        notes = "".join(f'"{name}": "", ' for name in slots(shown, view))
        prompt = render_price_turn(view, shown, "json", tuple(offered.values()))
        rows.append(
            {
                "prompt": [dict(message) for message in prompt.messages],
                "completion": [{"role": "assistant", "content": f'{{{notes}"price": {price}}}'}],
            }
        )
    return rows
