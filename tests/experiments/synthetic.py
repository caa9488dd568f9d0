"""Decisions of a suite without a run: a policy, or a rule for a language model, asked at every question."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from ludens.agents.policy import Call, Decision, Policy, Wording
from ludens.envs import PROTOCOLS, Turn
from ludens.envs.tree.questions import questions
from ludens.experiments.runs.records import DecisionRecord

Rule = Callable[[Turn, str, int], Sequence[float] | int | None]
"""Turn, framing and order to probabilities, to a bare action, or to None for a reply that cannot be read."""


def answers(policy: Policy, label: str | None = None, protocols: Sequence[str] = tuple(PROTOCOLS)):
    """The policy asked once at every question."""
    rng = np.random.default_rng(0)
    records = []
    for protocol in protocols:
        for turn in questions(PROTOCOLS[protocol]).values():
            records.append(record(turn, label or policy.name, policy.decide(turn, rng), episode=len(records)))
    return records


def worded(
    rule: Rule,
    label: str = "local/model",
    *,
    framings: Sequence[str] = ("neutral", "story"),
    replicates: int = 1,
    protocols: Sequence[str] = tuple(PROTOCOLS),
    reply: str = "A",
):
    """The rule asked like a language model, in both orders of the options."""
    records = []
    for framing in framings:
        for order in (0, 1):
            for protocol in protocols:
                for turn in questions(PROTOCOLS[protocol]).values():
                    for replicate in range(replicates):
                        decision = as_decision(rule(turn, framing, order), turn, framing, order, reply)
                        place = {"framing": framing, "order": order, "replicate": replicate}
                        records.append(record(turn, label, decision, episode=len(records), **place))
    return records


def believed(shares: Callable[[Turn], Sequence[float]], label: str, framing: str = "-", order: int = 0):
    """What a policy says that others choose, at every question."""
    from ludens.agents.policy import BeliefReport

    return [
        record(
            turn,
            label,
            BeliefReport(probabilities=tuple(shares(turn)), status="valid", calls=(), wording=None),
            question="belief",
            framing=framing,
            order=order,
        )
        for game in PROTOCOLS.values()
        for turn in questions(game).values()
    ]


def as_decision(
    answer: Sequence[float] | int | None, turn: Turn, framing: str, order: int, reply: str
) -> Decision:
    count = len(turn.options)
    shown = tuple((place + order) % count for place in range(count))
    wording = Wording(framing, f"{framing}/any.j2", "0123456789ab", (shown,))
    messages = ({"role": "user", "content": f"{turn.game!r} at {turn.node}, {framing}, order {order}"},)
    outcome = "invalid" if answer is None else "ok"
    call = Call(
        "local/model",
        messages,
        reply,
        outcome,
        prompt_tokens=100,
        completion_tokens=1,
        cost=0.01,
        seconds=0.5,
    )
    if answer is None:
        return Decision(None, "invalid", wording=wording, calls=(call,))
    if isinstance(answer, int):
        return Decision(answer, wording=wording, calls=(call,))
    return Decision(
        int(np.argmax(answer)),
        probabilities=tuple(answer),
        provenance="logprobs",
        wording=wording,
        calls=(call,),
    )


def record(
    turn: Turn,
    label: str,
    decision,
    *,
    episode: int = 0,
    question="choice",
    framing="-",
    order=0,
    replicate=0,
):
    labels = {
        "policy": label,
        "family": turn.game.name,
        "protocol": turn.game.protocol,
        "node": turn.node,
        "role": turn.role,
        "framing": framing,
        "order": order,
        "replicate": replicate,
    }
    return DecisionRecord(
        episode=episode,
        labels=labels,
        step=int(question == "belief"),
        question=question,
        agent=turn.agent,
        policy=label,
        environment=turn.environment,
        protocol=turn.game.protocol,
        role=turn.role,
        node=turn.node,
        round=0,
        options=tuple(option.name for option in turn.options),
        decision=decision,
    )


def cooperative(turn: Turn, share: float) -> tuple[float, ...]:
    """`share` on the option that the family counts as cooperative, the rest on the other."""
    from ludens.envs import family_of

    wanted = family_of(turn.game).prosocial[turn.node]
    return tuple(share if option.name == wanted else 1 - share for option in turn.options)
