"""The dynamic best reply: what is best over all rounds left, against an opponent whose strategy is known.

Two seats play a game tree in rounds. The opponent is a policy, which is asked what it would do, at turns made
up for every history that can follow. With h what the opponent remembers, y(h) the strategy of one round
that it then plays, and t the round of T,

    V_t(h) = max_x  u(x, y(h)) + E[ V_{t+1}(h') | x, y(h) ],      V_T = 0,

over the pure plans x of one round (backward induction; Bellman, *Dynamic Programming*, 1957). u is the
utility of one round, see `ludens.preferences.utility`, so that utilities add up over rounds, undiscounted, as
the environments pay.

With κ > 0 this is a definition of ours: each round's plan is universalised by itself, "what if everybody
played this round by this plan", and not the plan for the whole sequence of rounds. It extends the oracle of
one round: against a memoryless opponent the two agree.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ludens.agents.human import HumanPolicy
from ludens.agents.policy import Decision, Policy, draw
from ludens.agents.tree.memory import Past
from ludens.agents.tree.rounds import Rounds
from ludens.envs import GameTree, Turn, pure_strategies
from ludens.errors import UsageError
from ludens.preferences import Preferences
from ludens.preferences.grid import TOLERANCE

_KEPT = 256  # problems whose values are kept


class BestReplyPolicy(Policy):
    """The option that is worth most over this round and all that follow.

    Options whose values differ by at most 1e-9 × payoff scale × rounds left are tied; one of them is drawn.

    With κ = 0 an option is valued given that play has come to this turn, even where the opponent as it is
    known would not have led there: its known moves of this round are taken as made, and from then on it plays
    as it is known to. With κ > 0 it is worth what the best whole plan of the round with it is worth at the
    round's beginning, as for the oracle. With roles drawn at random for every round utilities are means over
    roles; with fixed roles they are those of the role that is played, and the universalised payoff is still
    the mean over both.

    Args:
        preferences: α, β, κ.
        opponent: a policy that gives its exact probabilities: a scripted one, an oracle, or another of this
            class. It is asked at turns that never happen, and must have no memory of its own.

    Raises:
        UsageError: the preferences are no `Preferences`, or the opponent cannot be asked so often (a person,
            a language model).
    """

    def __init__(self, preferences: Preferences, opponent: Policy) -> None:
        if not isinstance(preferences, Preferences):
            raise UsageError(f"BestReplyPolicy needs Preferences(alpha, beta, kappa); got {preferences!r}.")
        # Models override `adecide`, to wait for answers; neither they nor people can be asked so often.
        known = isinstance(opponent, Policy) and not isinstance(opponent, HumanPolicy)
        if not known or type(opponent).adecide is not Policy.adecide:
            raise UsageError(
                f"A best reply needs an opponent whose strategy is known; got {opponent!r}: give a scripted "
                "policy or an oracle."
            )
        self.preferences = preferences
        self.opponent = opponent
        self.name = f"best reply to {opponent.name}, {preferences.name}"
        self._problems: dict[tuple[object, ...], Rounds] = {}

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and isinstance(other, Policy) and self.describe() == other.describe()

    def __hash__(self) -> int:
        return hash((type(self), self.name))

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_problems": {}}

    def describe(self) -> dict[str, Any]:
        """Return JSON values that determine the policy."""
        p = self.preferences
        weights = {"alpha": p.alpha, "beta": p.beta, "kappa": p.kappa}
        return self._described(**weights, opponent=self.opponent.describe())

    def decide(self, turn: Turn, rng: np.random.Generator) -> Decision:
        """Take the best option; its probabilities are exact.

        Raises:
            UsageError: as `values`.
        """
        worth = np.array(self.values(turn))
        best = worth >= worth.max() - self.tolerance(turn)
        worths = ", ".join(
            f"{option.name} {value:.2f}" for option, value in zip(turn.options, worth.tolist(), strict=True)
        )
        names = [option.name for option, on in zip(turn.options, best.tolist(), strict=True) if on]
        conclusion = f"{names[0]} is best" if len(names) == 1 else f"{' and '.join(names)} are equally good"
        left = turn.rounds - turn.round
        reasoning = (
            f"Over {left} {'round' if left == 1 else 'rounds'}, this one included, against "
            f"{self.opponent.name}, the best course with each option is worth: {worths}; {conclusion}."
        )
        return draw((best / best.sum()).tolist(), turn, rng, provenance="exact", reasoning=reasoning)

    def values(self, turn: Turn) -> tuple[float, ...]:
        """Return for each option of the turn what the best course with it is worth, in points, summed over
        the rounds left.

        Raises:
            UsageError: the game is not a tree of two roles, the opponent's probabilities are unknown, there
                are too many histories to solve, or the opponent would never have reached this turn and its
                moves are hidden.
        """
        rounds, past = self._problem(turn), self._seen_by_opponent(turn)
        game = rounds.game
        node = game.information_set(turn.node)
        plans = pure_strategies(game)
        if self.preferences.kappa:
            worth = rounds.plans(turn.round, past)
        else:
            forced = {step.label: step.option for step in turn.known if step.role not in (None, turn.role)}
            worth = rounds.plans_at(turn.round, past, node, forced)
            if not np.isfinite(worth).any():
                raise UsageError(
                    f"{self.opponent.name} would never have let play come to {turn.node!r} of "
                    f"{turn.environment}: give the opponent that is really played against."
                )
        columns = [node.columns.start + node.options.index(option.name) for option in turn.options]
        best = np.where(plans[:, columns] > 0, worth[:, None], -np.inf).max(axis=0)
        return tuple((best + rounds.middle * (turn.rounds - turn.round)).tolist())

    def tolerance(self, turn: Turn) -> float:
        """Return the points within which two values of `values` are tied."""
        rounds = self._problem(turn)
        return float(TOLERANCE * rounds.scale * (turn.rounds - turn.round))

    def _problem(self, turn: Turn) -> Rounds:
        game = turn.game
        if not isinstance(game, GameTree) or len(game.roles) != 2:
            raise UsageError(
                f"A best reply over rounds needs a game tree of two roles, and {turn.environment} is none: "
                "use it in a two-role game, or BestReplyPricePolicy in a market."
            )
        if turn.facts.get("continuation") is not None:
            raise UsageError(
                f"A best reply over rounds needs to know how many there are, and {turn.environment} goes on "
                "by chance: give it rounds without continuation."
            )
        if "matching" in turn.facts or "noise" in turn.facts:
            raise UsageError(
                f"A best reply over rounds needs one opponent whose moves are seen as they are, and "
                f"{turn.environment} has several groups or noise: leave groups and noise out."
            )
        role = turn.role if turn.facts.get("roles") == "fixed" else None
        seat = "player_1" if turn.agent == "player_0" else "player_0"
        key = (game, role, seat, turn.rounds, turn.method, turn.environment)
        if key not in self._problems:
            if len(self._problems) >= _KEPT:
                self._problems.clear()
            self._problems[key] = Rounds(
                game,
                self.preferences,
                self.opponent,
                role=role,
                seat=seat,
                rounds=turn.rounds,
                method=turn.method,
                environment=turn.environment,
            )
        return self._problems[key]

    def _seen_by_opponent(self, turn: Turn) -> Past:
        game = turn.game
        return tuple(
            type(seen)(game.roles[1 - game.roles.index(seen.role)], seen.path, seen.payoffs)
            for seen in turn.past
        )
