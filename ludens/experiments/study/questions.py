"""Studies whose episodes are single questions: one turn, put to one policy in one wording."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar, Generic

import numpy as np

from ludens.agents.policy import Decision, Policy
from ludens.envs import Turn
from ludens.errors import UsageError
from ludens.experiments.runs.recorder import Recorder
from ludens.experiments.runs.records import NO_FRAMING, EpisodeRecord, EpisodeSpec
from ludens.experiments.runs.runner import PlayOne, unplayed
from ludens.experiments.study.base import ConfigT, Labels, ResultT, Study
from ludens.experiments.study.config import PolicyLike


class QuestionStudy(Study[ConfigT, ResultT], Generic[ConfigT, ResultT]):
    """A study that puts questions. Labels name the ``policy``, and for language models the ``framing`` and
    the ``order`` of the options.

    Attributes:
        pays: whether a question has a payoff; then it is undefined where there is no answer.
    """

    pays: ClassVar[bool] = False

    @abstractmethod
    def turn(self, labels: Labels) -> Turn:
        """Return the question that the labels describe."""

    @abstractmethod
    def policy(self, label: str, framing: str, order: int) -> Policy:
        """Make the policy of that label, set to that wording.

        Raises:
            UsageError: it cannot be made.
        """

    def payoffs(self, turn: Turn, decision: Decision) -> Mapping[str, float]:
        """Return what an answer is worth, by seat; empty where nothing is paid."""
        return {}

    def asks_beliefs(self, label: str) -> bool:
        """Return whether the policy of that label is also asked what others choose."""
        return False

    def player(self) -> PlayOne:
        """Return what asks one question. All policies are made here, so that a wrong one fails at once.

        Raises:
            UsageError: a policy cannot be made.
        """
        wordings = dict.fromkeys(_wording(labels) for labels in self.episodes())
        policies = {wording: self.policy(*wording) for wording in wordings}

        async def play_one(
            spec: EpisodeSpec, recorder: Recorder, seeds: np.random.SeedSequence
        ) -> EpisodeRecord:
            labels = spec.labels
            turn, policy = self.turn(labels), policies[_wording(labels)]
            decision = await recorder.decide(policy, turn)
            if self.asks_beliefs(labels.get("policy", "")):
                await recorder.believe(policy, turn)
            if decision.status == "valid":
                return EpisodeRecord(spec.index, labels, "done", self.payoffs(turn, decision))
            # A question that was not answered costs nobody anything, so there is nothing to forfeit.
            kept = decision if decision.on_invalid == "abort" else replace(decision, on_invalid="drop")
            paid = {turn.agent: 0.0} if self.pays else {}
            return unplayed(spec, turn, kept, paid, str(labels.get("policy", policy.name)))

        return play_one


def named(policy: PolicyLike) -> dict[str, Any]:
    """Return the specification as a mapping with its label: the name it is given, else the text of the
    specification.

    Raises:
        UsageError: it has no specification, as a policy that cannot be made again from its description.
    """
    given = policy.describe() if isinstance(policy, Policy) else policy
    spec = {"spec": given} if isinstance(given, str) else dict(given)
    if not isinstance(spec.get("spec"), str) or not spec["spec"]:
        raise UsageError(f"A policy is named by its spec, such as local/smollm2-135m; got {policy!r}.")
    return {"label": spec["spec"], **spec}


def is_language_model(spec: Mapping[str, Any]) -> bool:
    """Return whether the policy is asked in words: its specification is the id of a LiteLLM model."""
    return "/" in spec["spec"]


def in_wording(
    spec: Mapping[str, Any], framing: str, order: int, *, game: Any = None, **defaults: Any
) -> Policy:
    """Make a policy; a language model is asked in this framing and shown the options in this order.

    Args:
        spec: as `named` returns it.
        framing: a family of templates; ignored by policies that need no words.
        order: the number of the rotation of the options.
        game: an environment, its id, or a game; None for game trees.
        defaults: settings of language models that the specification does not set itself.

    Raises:
        UsageError: the policy cannot be made.
    """
    from ludens.agents.registry import make_policy

    settings = {name: value for name, value in spec.items() if name != "label"}
    if is_language_model(spec):
        settings = defaults | settings | {"framing": framing, "order": order}
    return make_policy(settings if len(settings) > 1 else settings["spec"], game)


def _wording(labels: Labels) -> tuple[str, str, int]:
    return labels.get("policy", ""), labels.get("framing", NO_FRAMING), labels.get("order", 0)
