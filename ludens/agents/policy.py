"""A policy maps a turn to a decision.

That one method is all that an environment needs of a player: scripts, oracles, learners, people at the
keyboard and language models all stand behind it.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, get_args

import numpy as np
from pettingzoo import AECEnv, ParallelEnv

from ludens.checks import whole_number
from ludens.display.notebook import Shown, View, clipped
from ludens.envs import Turn
from ludens.envs.foreign import seat_to_move, turn_of
from ludens.errors import LudensError, UsageError

Status = Literal["valid", "invalid", "refused", "low_mass"]
STATUSES: tuple[Status, ...] = get_args(Status)
Provenance = Literal["exact", "logprobs", "sample"]
OnInvalid = Literal["drop", "forfeit", "abort"]


class NoDecisionError(LudensError):
    """The error of a policy that did not decide where an action is needed; its `decision` says why, and no
    action was put in its place.
    """

    def __init__(self, message: str, decision: Decision) -> None:
        super().__init__(message)
        self.decision = decision


@dataclass(frozen=True)
class Call:
    """One request to a language model, and what came of it.

    Attributes:
        model: the id that was asked.
        messages: what was sent, in OpenAI's shape.
        reply: the text that came back; None if there was none.
        outcome: ``"ok"`` if the reply could be used, else what was wrong with it: ``"invalid"``,
            ``"refused"``, ``"error"`` (the server does not take such a request). What was not answered is no
            call.
        detail: the reason in words, for an outcome other than ``"ok"``, and for a request that was made
            beside the question to find out what the server takes.
        parameters: sampling parameters that were sent.
        option_probabilities: read from token log-probabilities, in the game's option order, if asked for.
            They sum to the share of probability that went to any option at all, the rest went to other words.
            They are kept also where they are no choice (outcome ``"invalid"``).
        prompt_tokens, completion_tokens: as the provider counted them.
        cost: in US dollars by LiteLLM's prices; 0 where the model is free or its price unknown.
        seconds: wall-clock time including transport retries.
        transport_retries: requests repeated after 429, 5xx, a time-out or a broken connection.
        marks: what came with the reply beside its text and decides how it is read: ``"cut"`` (it reached the
            limit of tokens), ``"thoughts"`` (it held thoughts in a field of their own), ``"refused"`` (the
            provider marked it as a refusal); ``"counted"`` where the provider counted no tokens, so that they
            were counted here; and ``"cached"`` where the reply came from a cache, at no cost.
    """

    model: str
    messages: Sequence[Mapping[str, str]]
    reply: str | None
    outcome: Literal["ok", "invalid", "refused", "error"]
    detail: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    option_probabilities: tuple[float, ...] | None = None
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost: float = 0.0
    seconds: float = 0.0
    transport_retries: int = 0
    marks: tuple[str, ...] = ()


@dataclass(frozen=True)
class Wording:
    """Which text a decision was made on: framing, template, content hash, and the order in which options
    stood.
    """

    framing: str
    template: str
    hash: str
    orders: tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class Decision(Shown):
    """What a policy chose at a turn.

    Attributes:
        action: the number of the option taken, or the number chosen where the turn has an interval in place
            of options (a price, say); None unless `status` is ``"valid"``.
        further: the numbers after the first, which is `action`, where the turn asks for several at once, as
            of a firm with several products.
        status: ``"invalid"`` where no reply could be read, ``"refused"`` where the model declined to answer,
            ``"low_mass"`` where log-probabilities were insisted on and almost none of the probability lay on
            the options (`ludens.agents.llm.logprobs.MIN_ANSWER_MASS`).
        probabilities: over the turn's options, in their order, where known; they sum to 1.
        provenance: where `probabilities` come from, or ``"sample"`` for a bare draw. A model whose
            log-probabilities were no answer and which was then sampled has ``"sample"``.
        reasoning: the policy's own words on the choice, where it gave any.
        wording: what a language model was shown; None for other policies.
        calls: the requests made for it, in order.
        on_invalid: what the policy wants done with an episode in which it did not decide.
        notes: what the policy writes down for itself (plans, say), by name; its next turn holds them as
            ``turn.facts["notes"]``. Under ``"message"`` stands what it says to others. None where it writes
            nothing.
    """

    action: int | float | None
    status: Status = "valid"
    probabilities: tuple[float, ...] | None = None
    provenance: Provenance = "sample"
    reasoning: str | None = None
    wording: Wording | None = None
    calls: tuple[Call, ...] = ()
    on_invalid: OnInvalid = "drop"
    notes: Mapping[str, str] | None = None
    further: tuple[float, ...] = ()
    shown_by: ClassVar[str] = "ludens.agents.policy:decision_view"

    def __post_init__(self) -> None:
        if (self.action is None) == (self.status == "valid"):
            has = "have" if self.status == "valid" else "not have"
            raise UsageError(f"A decision that is {self.status} must {has} an action.")
        if self.action is not None:
            object.__setattr__(self, "action", _action(self.action))
        if self.further:
            object.__setattr__(self, "further", tuple(float(_action(each)) for each in self.further))

    @property
    def move(self) -> Any:
        """The action as environments take it: a number, or an array where several are chosen at once."""
        return np.array([self.action, *self.further], dtype=np.float64) if self.further else self.action

    @property
    def answer_mass(self) -> float | None:
        """How much of the model's probability lay on any of the options, as a mean over the replies whose
        log-probabilities were read (one per order of the options); None where none were.
        """
        masses = [
            sum(call.option_probabilities) for call in self.calls if call.option_probabilities is not None
        ]
        return math.fsum(masses) / len(masses) if masses else None


def _action(given: object) -> int | float:
    """Return an action as Python's own number, so that stores keep it as one.

    Raises:
        UsageError: it is no finite number.
    """
    whole = None if isinstance(given, np.ndarray) else whole_number(given)
    if whole is not None:
        return whole
    if isinstance(given, float | np.floating) and math.isfinite(given):
        return float(given)
    raise UsageError(f"A decision's action must be a finite number; got {given!r}.")


@dataclass(frozen=True)
class BeliefReport:
    """What a policy says others do at a turn.

    Attributes:
        probabilities: the share of people who take each of the turn's options, in their order, summing to 1;
            None unless `status` is ``"valid"``.
        status: ``"invalid"`` where no reply could be read, ``"refused"`` where the model declined to answer.
        wording: what a language model was shown.
        calls: the requests made for it, in order.
    """

    probabilities: tuple[float, ...] | None
    status: Status = "valid"
    wording: Wording | None = None
    calls: tuple[Call, ...] = ()

    def __post_init__(self) -> None:
        if (self.probabilities is None) == (self.status == "valid"):
            has = "have" if self.status == "valid" else "not have"
            raise UsageError(f"A report of beliefs that is {self.status} must {has} probabilities.")


class Policy(Shown, ABC):
    """What decides at turns. Subclasses implement `decide`; those that wait on a network override `adecide`
    too.

    A policy keeps no memory of its own between turns: the past is part of the turn (`known`, `past`), so that
    an episode can be replayed from its decisions.
    """

    shown_by: ClassVar[str] = "ludens.agents.policy:view"
    name: str = "policy"
    needs_words: ClassVar[bool] = False
    """Whether turns are put to it as text, in a framing and an order of the options."""
    needs_person: ClassVar[bool] = False
    """Whether a person answers in this terminal, one question at a time."""
    several: ClassVar[bool] = False
    """Whether it chooses several numbers at once where a turn asks for them (`Turn.numbers`)."""
    made_from: Mapping[str, Any] | None = None
    """The specification that `ludens.agents.make_policy` made a policy of one's own from."""
    session: int | None = None
    """The number of the training session whose result it plays; None for a policy that was not trained so."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r})"

    @abstractmethod
    def decide(self, turn: Turn, rng: np.random.Generator) -> Decision:
        """Choose at this turn, drawing all chance from `rng`."""

    def check(self, turn: Turn) -> None:  # most policies have nothing to check
        """Refuse a turn at which the policy cannot decide, before anything is asked.

        Raises:
            UsageError: it cannot.
        """

    async def adecide(self, turn: Turn, rng: np.random.Generator) -> Decision:
        """Decide as `decide` does, without blocking the event loop."""
        return self.decide(turn, rng)

    def in_run(self, run: int) -> Policy:
        """Return the policy as it plays a study's run of that number, from 0: as a rule the policy itself.

        A policy that is the result of a training session is that of another session in every run, so that
        runs are independent draws of what is learnt.
        """
        return self

    def for_game(self, game: object) -> Policy:
        """Return the policy as it plays a game, which is the policy itself but for language models.

        Args:
            game: as for `ludens.agents.make_policy`.
        """
        return self

    def describe(self) -> dict[str, Any]:
        """Return what a run's manifest records: JSON values that determine the policy's behaviour."""
        return self._described()

    def _described(self, **settings: Any) -> dict[str, Any]:
        """Return the description of a policy that is made from these settings, ``spec`` among them; from
        `made_from` where there is one, because its maker need not know the settings.
        """
        known = {"name": self.name, "kind": type(self).__name__}
        return {**self.made_from, **known} if self.made_from is not None else {**known, **settings}

    def act(
        self,
        env: AECEnv[str, Any, Any] | ParallelEnv[str, Any, Any],
        rng: np.random.Generator,
        agent: str | None = None,
    ) -> Any:
        """Return the action for PettingZoo's own loops.

        Args:
            env: with the AEC API (``env.step(policy.act(env, rng))``) or the Parallel API
                (``env.step({agent: policies[agent].act(env, rng, agent) for agent in env.agents})``), as
                it was made or in wrappers of PettingZoo's; it has a method ``turn``
                (`ludens.envs.with_turns`).
            rng: the source of chance.
            agent: the seat, with the Parallel API; with the AEC API the seat to move.

        Returns:
            The action; None for a seat that is done, or that is not to move in an environment in which seats
            move in turns.

        Raises:
            NoDecisionError: the policy did not decide.
            UsageError: the seat of a parallel environment is not named, or the environment has no turns.
        """
        moving = seat_to_move(env)
        agent = moving if agent is None else agent
        if agent is None:
            raise UsageError("In a parallel environment name the seat: policy.act(env, rng, agent).")
        if agent not in env.agents or (moving is not None and agent != moving):
            return None
        if isinstance(env, AECEnv) and (env.terminations[agent] or env.truncations[agent]):
            return None
        turn = turn_of(env, agent)
        decision = self.decide(turn, rng)
        if decision.action is None:
            reason = decision.calls[-1].detail if decision.calls else "no reason given"
            raise NoDecisionError(f"{self.name} gave no usable decision at {turn.node!r}: {reason}", decision)
        keep_notes(env, agent, decision)
        return decision.move


def keep_notes(env: Any, agent: str, decision: Decision) -> None:
    """Hand the notes of a decision to the environment, where it keeps them for the seat's next turns, as a
    market does.

    Raises:
        UsageError: it does not take them.
    """
    keep = getattr(env.unwrapped, "keep_notes", None)
    if keep is not None and decision.notes is not None:
        keep(agent, decision.notes)


def draw(probabilities: Sequence[float], turn: Turn, rng: np.random.Generator, **known: Any) -> Decision:
    """Return a decision drawn from a distribution over the turn's options.

    Args:
        probabilities: one per option, in their order.
        turn: whose options.
        rng: the source of chance.
        known: further attributes of the decision.
    """
    shares = np.asarray(probabilities, dtype=np.float64)
    place = int(rng.choice(len(shares), p=shares / shares.sum()))
    return Decision(turn.options[place].action, probabilities=tuple(shares.tolist()), **known)


def view(policy: Policy) -> View:
    """Return what a notebook shows of a policy: its name, and what a manifest records of it."""
    known = {name: value for name, value in policy.describe().items() if name != "name" and value is not None}
    return View(policy.name, "policy", facts={name: clipped(value) for name, value in known.items()})


def decision_view(decision: Decision) -> View:
    """Return what a notebook shows of a decision: what was chosen, how surely, and in which words."""
    facts: dict[str, str] = {"status": decision.status, "provenance": decision.provenance}
    if decision.probabilities is not None:
        facts["probabilities"] = ", ".join(f"{share:.3f}" for share in decision.probabilities)
    if decision.answer_mass is not None:
        facts["answer mass"] = f"{decision.answer_mass:.3f}"
    if decision.reasoning:
        facts["reasoning"] = clipped(decision.reasoning, 1000)
    if decision.calls:
        last = decision.calls[-1]
        asked = "" if len(decision.calls) == 1 else f", {len(decision.calls)} calls"
        facts["reply"] = clipped("none" if last.reply is None else last.reply, 1000)
        facts["outcome"] = f"{last.model}: {last.outcome}{f' ({last.detail})' if last.detail else ''}{asked}"
    return View(
        "no action" if decision.action is None else f"action {decision.move}", "decision", facts=facts
    )
