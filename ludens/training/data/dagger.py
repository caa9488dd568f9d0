"""DAgger (Ross, Gordon & Bagnell, AISTATS 2011): a policy plays, the oracle relabels the turns it came to.

The turns of a data set of random games are those of the strategy method in a single round. In repeated games
and in markets, a tuned model reaches histories that only its own play leads to. Here it plays itself, and
each of its turns is labelled with the oracle's decision, while its own decision stays in the history.

For repeated games there is a choice of teachers. The oracle of a single round is optimal for the whole game
only if the others' play does not depend on the past. Against an opponent that reacts to the past with a known
strategy, `BestReplyPolicy` as teacher gives the option that is best over all remaining rounds.

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
from ludens.agents.policy import Decision, Policy, keep_notes
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
    """A turn that a policy reached, with its own decision and the teacher's.

    Attributes:
        turn: the turn.
        decision: the policy's decision.
        teacher_decision: the teacher's decision; None without a teacher.
        teacher_values: the value of each option to a teacher that computes it (`BestReplyPolicy`), in points,
            in the order of the turn; None otherwise.
    """

    turn: Turn
    decision: Decision
    teacher_decision: Decision | None
    teacher_values: tuple[float, ...] | None = None


def roll_out(
    env: Any,
    policies: Mapping[str, Policy],
    learners: Sequence[str],
    *,
    teacher: Policy | None = None,
    episodes: int = 1,
    seed: int = 0,
) -> list[Relabelled]:
    """Play, and keep every turn of the learners' seats together with the teacher's decision.

    An episode ends where a policy gives no valid decision: no other move is substituted.

    Args:
        env: an AEC environment that has ``turn(agent)``.
        policies: a policy for each seat.
        learners: the seats whose turns are kept.
        teacher: the policy whose decisions are the labels.
        episodes: number of episodes, at least 1.
        seed: seed of the environment and of stochastic policies.

    Raises:
        UsageError: a seat has no policy, a learner has no seat, the number of episodes is below 1, or the
            seed is not a whole number of at least 0.
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
            keep_notes(env, agent, decision)
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
    """Make examples from turns of game trees: the prompt with its history, and the option to learn.

    Turns at which several options are optimal, or the teacher plays several, are left out.

    Args:
        turns: turns from `roll_out`.
        preferences: preferences whose single-round oracle gives the labels; None for the teacher's decisions.
        belief: the belief of that oracle.
        reasoning: ``"steps"``, ``"prose"`` or ``"none"``; None for steps with the oracle and for none with a
            teacher. Rationales concern a single round, so that a teacher's label cannot have one.
        framing: the name of the framing.
        seed: seed of the orders in which options are shown.

    Returns:
        Examples whose `utilities` are the oracle's for one round, or the teacher's values over all remaining
        rounds. If the teacher computes none, they are empty and the margin is infinite.

    Raises:
        UsageError: a turn is not of a game tree or lacks the teacher's decision that should be its label,
            reasoning or a belief is given with a teacher's labels, or the seed is invalid.
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
    # Without reasoning the preferences are not used.
    builder = ExampleBuilder(
        preferences or HOMO_ECONOMICUS, belief, reasoning=form, framings=(framing,), ties="drop", phrasings=1
    )
    examples = []
    for entry in turns:
        label = (
            _label_of_teacher(entry) if preferences is None else _label_of_oracle(entry, preferences, belief)
        )
        if label.tied:
            continue
        made = builder.example(label, int(rng.integers(len(label.options))), rng)
        prompt = render(entry.turn, framing, made.order, reasoning=form != "none")
        known = preferences is not None or entry.teacher_values is not None
        examples.append(replace(made, prompt=prompt.messages, utilities=made.utilities if known else ()))
    return examples


def _label_of_oracle(entry: Relabelled, preferences: Preferences, belief: Belief) -> Label:
    game = entry.turn.game
    assert isinstance(game, GameTree)
    (label,) = (one for one in label_games([game], preferences, belief) if one.node == entry.turn.node)
    return label


def _label_of_teacher(entry: Relabelled) -> Label:
    """Return the teacher's decision as a label, whose scale is the game's payoff range."""
    turn, taught = entry.turn, entry.teacher_decision
    game = turn.game
    assert isinstance(game, GameTree)
    if taught is None or taught.action is None:
        raise UsageError(
            "An example needs the teacher's decision: give roll_out a teacher, or relabel preferences."
        )
    shares = taught.probabilities or [float(option.action == taught.action) for option in turn.options]
    optimal = tuple(share > 0 for share in shares)
    worth = entry.teacher_values or (math.nan,) * len(optimal)
    others = [value for value, on in zip(worth, optimal, strict=True) if not on]
    margin = max(worth) - max(others) if entry.teacher_values and others else math.inf
    scale = float(np.ptp(game.payoffs)) or 1.0
    names = tuple(option.name for option in turn.options)
    return Label(
        game, game_key(game), shape_of(game), turn.node, names, worth, optimal, margin, margin / scale
    )


def pricing_rows(turns: Sequence[Relabelled], options: Any = None) -> list[dict[str, Any]]:
    """Return turns of a market in TRL's conversational prompt/completion format, answered by the teacher's
    price.

    Args:
        turns: turns with the teacher's decisions.
        options: a `ludens.agents.llm.prompts.prices.PricePromptOptions`; None for the compact layout without
            notes.

    Raises:
        UsageError: a turn is not of a market, or lacks the teacher's decision.
    """
    from ludens.agents.llm.prompts.prices import PricePromptOptions, number, render_price_turn, slots
    from ludens.agents.pricing import market_view

    shown = options or PricePromptOptions(layout="compact", notes=False)
    rows = []
    for entry in turns:
        view = market_view(entry.turn)
        if entry.teacher_decision is None or entry.teacher_decision.action is None:
            raise UsageError("A row needs the teacher's price: give roll_out a teacher.")
        offered = {option.action: option.name for option in entry.turn.options}
        action = entry.teacher_decision.action
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
