"""Studies whose episodes are single questions: one turn, put to one policy in one wording."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any, ClassVar, Generic

import numpy as np

from ludens.agents.policy import Decision, Policy
from ludens.agents.registry import is_model_id
from ludens.envs import Turn
from ludens.errors import UsageError
from ludens.experiments.runs.recorder import Recorder
from ludens.experiments.runs.records import NO_FRAMING, EpisodeRecord, EpisodeSpec
from ludens.experiments.runs.runner import PlayOne, unplayed
from ludens.experiments.study.base import ConfigT, Labels, ResultT, Study
from ludens.experiments.study.config import PolicyLike, described, same_policy


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

    def make_worded(
        self, key: str, policy: PolicyLike, framing: str, order: int, game: Any = None, **defaults: Any
    ) -> Policy:
        """Make a policy that the configuration names under that key, set to a wording if it is a language
        model; arguments as in `in_wording`.

        Raises:
            UsageError: it cannot be made; the message names its key.
        """
        if not is_model_id(spec_of(policy)):  # nothing else can be made again in another wording
            return self.make(key, policy, game)
        spec = policy
        if isinstance(policy, Policy):  # what it was made with may hold secrets, which no description does
            spec = policy.describe() | getattr(policy, "connection", {})
        try:
            return in_wording(named(spec), framing, order, game=game, **defaults)
        except UsageError as error:
            raise UsageError(f"{self.kind()}.{key}: {error}") from None

    def player(self) -> PlayOne:
        """Return what asks one question. All policies are made here, so that a wrong one fails at once.

        Raises:
            UsageError: a policy cannot be made.
        """
        wordings = dict.fromkeys(_wording(labels) for labels in self.episodes())
        policies = {wording: self.policy(*wording) for wording in wordings}
        # Most policies answer any question, and then none has to be made for this.
        particular = {wording for wording, each in policies.items() if type(each).check is not Policy.check}
        for labels in self.episodes():
            if _wording(labels) in particular and not labels.get("replicate"):
                policies[_wording(labels)].check(self.turn(labels))

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
            aborts = decision.on_invalid == "abort" and self.abort_run
            kept = decision if aborts else replace(decision, on_invalid="drop")
            paid = {turn.agent: 0.0} if self.pays else {}
            return unplayed(spec, turn, kept, paid, str(labels.get("policy", policy.name)))

        return play_one


class LabelledStudy(QuestionStudy[ConfigT, ResultT], Generic[ConfigT, ResultT]):
    """A study whose policies stand in lists of the configuration, and are told apart by their labels.

    Attributes:
        lists: the keys of these lists; of two policies with one label the first counts.
    """

    lists: ClassVar[tuple[str, ...]] = ("models",)

    @cached_property
    def policies(self) -> Mapping[str, tuple[str, PolicyLike]]:
        """The policies with their keys in the configuration, by label, in the order of the lists."""
        table: dict[str, tuple[str, PolicyLike]] = {}
        for field in self.lists:
            for place, policy in enumerate(getattr(self.config, field)):
                table.setdefault(label_of(policy), (f"{field}[{place}]", policy))
        return table

    @property
    def keyboard(self) -> bool:
        """Whether a person answers in this terminal."""
        return asks_person(policy for _, policy in self.policies.values())

    def cast(self) -> Mapping[str, PolicyLike]:
        """Return the policies by label."""
        return {label: policy for label, (_, policy) in self.policies.items()}


def named(policy: PolicyLike) -> dict[str, Any]:
    """Return the specification as a mapping with its label.

    Raises:
        UsageError: it has no specification, as a policy that cannot be made again from its description.
    """
    given = policy.describe() if isinstance(policy, Policy) else policy
    spec = {"spec": given} if isinstance(given, str) else dict(given)
    if not isinstance(spec.get("spec"), str) or not spec["spec"]:
        raise UsageError(
            f"A policy is named by its spec, such as local/smollm2-135m; got {described(policy)!r}."
        )
    return {"label": label_of(spec), **spec}


def label_of(policy: PolicyLike) -> str:
    """Return what tables call a policy: its label, else its name, else the text of its specification.

    Raises:
        UsageError: it has none of them.
    """
    if isinstance(policy, Policy):
        return policy.name
    given = {"spec": policy} if isinstance(policy, str) else policy
    label = next((given[key] for key in ("label", "name", "spec") if given.get(key)), None)
    if not isinstance(label, str):
        raise UsageError(
            f"A policy is named by its spec, such as local/smollm2-135m; got {described(policy)!r}."
        )
    return label


def check_models(policies: tuple[PolicyLike, ...]) -> tuple[PolicyLike, ...]:
    """Return the policies under test, if there are some and their labels differ.

    Raises:
        UsageError: there are none, or two have the same label.
    """
    if not policies:
        raise UsageError("Name at least one model, as a list; for example ['local/smollm2-135m'].")
    labels = [label_of(policy) for policy in policies]
    if twice := sorted({label for label in labels if labels.count(label) > 1}):
        raise UsageError(f"Two policies are called {twice[0]!r}; give one of them a label of its own.")
    return policies


def check_references(models: Sequence[PolicyLike], references: Iterable[PolicyLike]) -> None:
    """See that no model goes by the label of a reference that is another policy.

    Raises:
        UsageError: one does.
    """
    known = {label_of(reference): reference for reference in references}
    for model in models:
        label = label_of(model)
        if label in known and not same_policy(model, known[label]):
            raise UsageError(
                f"The label {label!r} belongs to a reference policy: give the model another label."
            )


def spec_of(policy: PolicyLike) -> str:
    """Return the text of a policy's specification; empty for a Python object that has none."""
    given = policy.describe() if isinstance(policy, Policy) else policy
    return given if isinstance(given, str) else str(given.get("spec") or "")


def is_language_model(policy: PolicyLike) -> bool:
    """Return whether turns are put to the policy as text: its specification is the id of a LiteLLM model."""
    return policy.needs_words if isinstance(policy, Policy) else is_model_id(spec_of(policy))


def is_hosted(policy: PolicyLike) -> bool:
    """Return whether the policy is a language model that is asked over a network."""
    return is_language_model(policy) and not spec_of(policy).startswith("local/")


def asks_person(policies: Iterable[PolicyLike]) -> bool:
    """Return whether one of the policies is a person in this terminal."""
    return any(
        policy.needs_person if isinstance(policy, Policy) else spec_of(policy) == "human"
        for policy in policies
    )


def with_settings(policies: Iterable[PolicyLike], **settings: Any) -> list[PolicyLike]:
    """Return the policies, language models among them with these settings where they set nothing else.

    Args:
        policies: specifications, or policies, which keep what they were made with.
        settings: of language models; None leaves one out. Hosted models do not get those that only models
            on this machine have.

    Raises:
        UsageError: such a setting is given, and all models are hosted.
    """
    policies = list(policies)
    more = {name: value for name, value in settings.items() if value is not None}
    asked = [policy for policy in policies if is_language_model(policy)]
    if "batched" in more and asked and all(is_hosted(policy) for policy in asked):
        raise UsageError(
            "batched is a setting of models on this machine (local/…), and all of these are asked elsewhere: "
            "leave it out."
        )
    return [
        {**_taken(policy, more), **({"spec": policy} if isinstance(policy, str) else policy)}
        if more and not isinstance(policy, Policy) and is_language_model(policy)
        else policy
        for policy in policies
    ]


def with_overrides(policy: PolicyLike, settings: Mapping[str, Any]) -> PolicyLike:
    """Return the policy; a language model with these settings in place of its own, as in `with_settings`."""
    if not settings or isinstance(policy, Policy) or not is_language_model(policy):
        return policy
    return {**({"spec": policy} if isinstance(policy, str) else policy), **_taken(policy, settings)}


def _taken(policy: PolicyLike, settings: Mapping[str, Any]) -> dict[str, Any]:
    left_out = {"batched"} if is_hosted(policy) else ()
    return {name: value for name, value in settings.items() if name not in left_out}


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
