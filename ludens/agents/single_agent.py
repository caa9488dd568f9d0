"""One seat of any environment as a `gymnasium.Env`: policies play the other seats.

`against` makes it, and `against_many` many of them; by name, ``gymnasium.make`` and ``gymnasium.make_vec`` do
so from the id ``ludens.agents:ludens/Against-v0``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import gymnasium
import numpy as np
from gymnasium.vector import AutoresetMode, SyncVectorEnv, VectorEnv
from numpy.typing import NDArray
from pettingzoo import AECEnv, ParallelEnv

from ludens.agents.policy import Decision, NoDecisionError, Policy, keep_notes
from ludens.agents.registry import make_policy
from ludens.checks import check_choice, check_count, entries
from ludens.envs import make_env
from ludens.envs.base import Info
from ludens.envs.declared import seated
from ludens.envs.foreign import environment_name, has_turns, one_at_a_time, turn_of
from ludens.errors import UsageError
from ludens.plugins import load_object

Policies = Any
"""One policy for all seats, a list of policies in the order of seats, or a mapping from seats to policies; a
policy is a `Policy` or its specification, see `ludens.agents.make_policy`."""

Step = tuple[Any, float, bool, bool, Info]
"""An observation, the reward since the last move, both flags, the infos."""


# By the environment's class; named, so that a game tree does not import markets.
_BATCHES = {
    "ludens.envs.tree.sequential:SequentialEnv": "ludens.agents.tree.batch:TreeBatch",
    "ludens.envs.av.adoption.env:AdoptionEnv": "ludens.agents.av.batch:AdoptionBatch",
    "ludens.envs.pricing.env:BertrandEnv": "ludens.agents.pricing.batch:MarketBatch",
    "ludens.envs.pricing.sequential_env:SequentialBertrandEnv": "ludens.agents.pricing.batch:MarketBatch",
}


def against(env: Any, policies: Policies, seat: str | None = None, **options: Any) -> AgainstEnv:
    """Return one seat of an environment as a `gymnasium.Env` in which policies play the other seats.

    Args:
        env: the id of an environment, with or without ``ludens/`` and ``-v0``; or an environment, AEC or
            Parallel, of ludens or one that has the method ``turn``.
        policies: of the other seats: one for all of them, a list in the order of these seats, or a mapping
            from seats; policies or their names.
        seat: the seat to play; None for the first one.
        options: of the environment, if it is given by its id. Observations are vectors alone
            (``observation="box"``) unless another form is asked for.

    Raises:
        UsageError: there is no such environment, seat, policy or option.
    """
    if isinstance(env, str):
        made = make_env(env, **{"observation": "box", **options}).unwrapped
    elif options:
        raise UsageError(f"{env} is made already, and takes no options; got {', '.join(options)}.")
    else:
        made = env
    return AgainstEnv(made, policies, seat)


def against_many(
    env: Any,
    policies: Policies,
    seat: str | None = None,
    number: int = 64,
    *,
    autoreset_mode: str | AutoresetMode = AutoresetMode.NEXT_STEP,
    num_envs: int | None = None,
    **options: Any,
) -> VectorEnv[Any, Any, Any]:
    """Return many episodes of one seat against policies as a `gymnasium.vector.VectorEnv`.

    Game trees, markets and the adoption game are stepped together, with arrays, where every policy is a known
    function of what it remembers: those that give exact probabilities in game trees (scripted ones, oracles,
    quantal ones, ``random``); in markets the rules of `ludens.agents.pricing`, ``random`` and trained
    Q-learners on a price grid, and those that look at no past prices where prices are continuous; in the
    adoption game all policies of ludens but models and people. Each is asked once for each situation. Any
    other policy is asked one episode after another, by Gymnasium's `SyncVectorEnv`, and so are the dilemmas.

    A batch draws from one generator, which the seed starts: where nothing is drawn, every episode is that of
    `against`; else episodes have the same distribution, and none has a seed of its own. In `SyncVectorEnv`
    the episodes have the seeds s, s + 1, ….

    Args:
        env: the id of an environment, or an environment of ludens, which is then reset.
        policies: as for `against`.
        seat: the seat to play; None for the first one.
        number: how many episodes.
        autoreset_mode: Gymnasium's: whether an episode that is over starts with the next step, in the same
            step, or by ``reset(options={"reset_mask": …})`` alone.
        num_envs: Gymnasium's name for `number`.
        options: of the environment, as for `against`.

    Raises:
        UsageError: as for `against`, or the number is wrong.
    """
    count = check_count("against_many", "number", number if num_envs is None else num_envs)
    check_choice(
        "against_many",
        "autoreset_mode",
        getattr(autoreset_mode, "value", autoreset_mode),
        tuple(mode.value for mode in AutoresetMode),
    )
    one = against(env, policies, seat, **options)
    made = one.env
    batch = _BATCHES.get(f"{type(made).__module__}:{type(made).__name__}")
    if batch is not None and (together := load_object(batch)).can_batch(made, one.policies):
        stepped: VectorEnv[Any, Any, Any] = together(made, one.seat, one.policies, count, autoreset_mode)
        return stepped
    if not isinstance(env, str):
        raise UsageError(
            f"{_name(made)} against these policies needs {count} environments: give its id and options in "
            "place of one that is made."
        )
    return SyncVectorEnv(
        [lambda: against(env, policies, one.seat, **options)] * count, autoreset_mode=autoreset_mode
    )


class AgainstEnv(gymnasium.Env[Any, Any]):
    """One seat of an environment; the others' moves are part of what follows an action.

    An episode is one of the environment. Rewards are what the seat was paid since its last move, the last one
    with all that is paid until the end; what is paid before its first move is added to the first reward. If
    the others end the episode before the seat has moved, one step, whose action is ignored, pays what there
    is to pay: so the mean return is the seat's mean payoff. Infos are those of the seat, with the
    ``action_mask`` where observations are vectors alone.

    Chance in the environment is drawn as in the environment itself: ``reset(seed=s)`` resets it with `s`. The
    policy of each other seat draws from a stream of its own, spawned from `s`. Without a seed all streams go
    on.

    Args:
        env: the environment, AEC or Parallel, whose `turn` gives what a policy may know.
        policies, seat: as for `against`.

    Attributes:
        env: the environment.
        seat: the seat that is played.
        policies: those of the other seats, by seat.

    Raises:
        UsageError: the environment has no turns or no such seat, or there is no such policy.
    """

    def __init__(self, env: Any, policies: Policies, seat: str | None = None) -> None:
        env = one_at_a_time(env) or env
        if not isinstance(env, AECEnv | ParallelEnv) or not has_turns(env):
            raise UsageError(
                f"{env!r} is not an environment that policies can play: give an id such as "
                "'ludens/trust-v0', or a PettingZoo environment with a method turn() "
                "(ludens.envs.with_turns)."
            )
        self.env = env
        seats = list(env.possible_agents)
        self.seat = seats[0] if seat is None else seat
        if self.seat not in seats:
            raise UsageError(f"{_name(env)} has no seat {seat!r}; its seats are {', '.join(seats)}.")
        self.policies = seat_policies(policies, [other for other in seats if other != self.seat], env)
        self.render_mode = getattr(env, "render_mode", None)
        known = getattr(env, "metadata", {})
        self.metadata = {name: known.get(name) for name in ("render_modes", "render_fps")}
        self.action_space = seated(env.action_space(self.seat), self.seat)
        self.observation_space = seated(env.observation_space(self.seat), self.seat)
        self._streams: dict[str, np.random.Generator] = {}
        self._notes: dict[str, Mapping[str, str]] = {}
        self._mask: NDArray[np.int8] | None = None
        # What the others chose in the present round: it stands if the seat's own action is refused.
        self._decided: dict[str, int | float] = {}
        self._carried = 0.0
        self._ended: Step | None = None
        self._running = False

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, Info]:
        """Start an episode, and let the others move until the seat is to move.

        Returns:
            The seat's observation, and its infos.

        Raises:
            UsageError: the seed is not a whole number of at least 0, or the seat is never asked.
            NoDecisionError: a policy did not decide.
        """
        opened = self.env.reset(seed=seed, options=options)
        if seed is not None or not self._streams:
            super().reset(seed=seed)
            children = np.random.SeedSequence(seed).spawn(len(self.policies))
            generators = (np.random.default_rng(child) for child in children)
            self._streams = dict(zip(self.policies, generators, strict=True))
        self._notes, self._decided, self._ended, self._running = {}, {}, None, True
        if not isinstance(self.env, ParallelEnv):
            first = self._waited()
        elif self.seat in opened[0]:
            first = opened[0][self.seat], 0.0, False, False, opened[1][self.seat]
        else:
            first = self._played({})
        observation, self._carried, terminated, truncated, info = first
        if terminated or truncated:
            self._ended = first
        return self._kept(observation, info)

    def step(self, action: Any) -> Step:
        """Move, and let the others move until the seat is to move again or the episode is over.

        Returns:
            Observation, reward since the last move, whether the episode is over, whether it was cut short,
            and infos.

        Raises:
            UsageError: `reset` has not been called, the episode is over, or the action is not legal; nothing
                has changed then.
            NoDecisionError: a policy did not decide.
        """
        if not self._running:
            raise UsageError(f"No episode of {_name(self.env)} is running: call reset() before step().")
        if self._ended is not None:
            result = self._ended
        elif isinstance(self.env, ParallelEnv):
            result = self._played({self.seat: action})
        else:
            self.env.step(action)
            result = self._waited()
        observation, reward, terminated, truncated, info = result
        reward = float(reward) + (0.0 if self._ended is not None else self._carried)
        self._carried, self._ended = 0.0, None
        self._running = not (terminated or truncated)
        observation, info = self._kept(observation, info)
        return observation, reward, bool(terminated), bool(truncated), info

    def action_masks(self) -> NDArray[np.bool_]:
        """Return which actions are legal now, (actions,), as sb3-contrib's masked learners ask for it.

        Raises:
            UsageError: there is no mask, because actions are not numbered or `reset` has not been called.
        """
        if self._mask is None:
            raise UsageError(f"There is no mask of actions in {_name(self.env)} now.")
        return self._mask.astype(np.bool_)

    def render(self) -> Any:
        """Show the episode as the environment does."""
        return self.env.render()

    def close(self) -> None:
        """Close the environment."""
        self.env.close()

    def _kept(self, observation: Any, info: Info) -> tuple[Any, Info]:
        """Return an observation and infos, and keep the mask in them."""
        mask = observation.get("action_mask") if isinstance(observation, Mapping) else None
        self._mask = info.get("action_mask") if mask is None else mask
        return observation, info

    def _waited(self) -> Step:
        """Let the others move in an environment with turns until the seat is to move, or is done."""
        env = self.env
        while env.agents and env.agent_selection != self.seat:
            agent = env.agent_selection
            _, _, terminated, truncated, _ = env.last(observe=False)
            env.step(None if terminated or truncated else self._decide(agent))
        if not env.agents:
            raise self._never_asked()
        step: Step = env.last()
        return step

    def _played(self, actions: dict[str, Any]) -> Step:
        """Play a round in which all move at once, and more of them while the seat is not there yet."""
        env = self.env
        while env.agents:
            for agent in env.agents:
                if agent != self.seat and agent not in self._decided:
                    self._decided[agent] = self._decide(agent)
            observed, rewards, terminations, truncations, infos = env.step({**self._decided, **actions})
            self._decided = {}
            if self.seat in observed:
                seat = self.seat
                return observed[seat], rewards[seat], terminations[seat], truncations[seat], infos[seat]
        raise self._never_asked()

    def _decide(self, agent: str) -> Any:
        """Return the action of another seat's policy.

        Raises:
            NoDecisionError: it did not decide.
        """
        policy, turn = self.policies[agent], turn_of(self.env, agent)
        if self._notes.get(agent):
            turn = replace(turn, facts={**turn.facts, "notes": self._notes[agent]})
        decision: Decision = policy.decide(turn, self._streams[agent])
        if decision.action is None:
            raise NoDecisionError(
                f"{policy.name} gave no usable decision at {turn.node!r}: it is {decision.status}.", decision
            )
        if decision.notes is not None:
            self._notes[agent] = decision.notes
            keep_notes(self.env, agent, decision)
        return decision.move

    def _never_asked(self) -> UsageError:
        return UsageError(f"{self.seat} never moves in this episode of {_name(self.env)}: take another seat.")


def seat_policies(policies: Policies, seats: list[str], game: object) -> dict[str, Policy]:
    """Return the policies of some seats, each made for a game.

    Args:
        policies: as for `against`.
        seats: those that they play.
        game: as for `ludens.agents.make_policy`.

    Raises:
        UsageError: a seat has no policy, a policy no seat, or there is no such policy.
    """
    named = isinstance(policies, Mapping) and "spec" not in policies
    listed = None if isinstance(policies, Mapping | Policy) else entries(policies)
    if named:
        given = dict(policies)
    elif listed is not None:
        if len(listed) != len(seats):
            raise UsageError(
                f"There are {len(seats)} other seats ({', '.join(seats)}) and {len(listed)} policies: give "
                "one for each, or one for all."
            )
        given = dict(zip(seats, listed, strict=True))
    else:
        given = dict.fromkeys(seats, policies)
    wrong = [seat for seat in given if seat not in seats]
    missing = [seat for seat in seats if seat not in given]
    if wrong or missing:
        problem = f"{wrong[0]!r} is not one" if wrong else f"{missing[0]} has no policy"
        raise UsageError(f"The other seats are {', '.join(seats)}, and {problem}.")
    made: dict[int, Policy] = {}
    for each in given.values():
        if id(each) not in made:
            made[id(each)] = make_policy(each, game)
    return {seat: made[id(given[seat])] for seat in seats}


def _name(env: Any) -> str:
    return environment_name(env)
