"""The preference suite: every question of every protocol, put to every policy in every wording.

One episode is one question: a protocol × an information set × the order in which its options stand × a
framing × a replicate. It is asked by the strategy method (before roles are known), so an answer never
    depends on how others happened to play. The published protocols of every family join by themselves.

A language model whose option probabilities are read from its log-probabilities answers a question exactly:
one replicate is then all there is to know, and more of them cost without adding anything. Replicates are
for sampled answers.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np

from ludens.agents.policy import Policy
from ludens.agents.secrets import without_secrets
from ludens.envs import PROTOCOLS, GameTree, Turn
from ludens.envs.tree.questions import questions
from ludens.errors import UsageError
from ludens.experiments.report.names import NO_FRAMING
from ludens.experiments.runs.recorder import Recorder
from ludens.experiments.runs.records import EpisodeRecord, EpisodeSpec
from ludens.experiments.runs.runner import PlayOne, unplayed

FRAMINGS = ("neutral", "story", "twin")
REFERENCES = ("random", "homo_economicus", "homo_moralis:0.5", "quantal:kappa=0,noise=8")
"""Policies that every benchmark shows beside the models: they need no words and are asked every question
once."""

PolicySpec = Mapping[str, Any]
"""What `make_policy` takes: ``{"spec": "openai/gpt-5-mini", …settings}``; ``"label"`` is its name in
tables."""


@dataclass(frozen=True)
class Suite:
    """What is asked of whom.

    Args:
        models: the policies under test, references not among them; labels must differ.
        framings: names of wordings, for language models alone.
        replicates: how often each question is asked in each wording (language models and policies that draw
            without telling their probabilities).
        elicit: ``"auto"``, ``"logprobs"`` or ``"sample"``, for language models.
        beliefs: ask language models at each question also what share of people choose each option.
        persona: the persona under which language models are asked, or None.
        protocols: names of protocols; None for all.

    Raises:
        UsageError: a name is unknown, nothing is left to ask, or two models have one label.
    """

    models: tuple[PolicySpec, ...]
    framings: tuple[str, ...] = FRAMINGS
    replicates: int = 1
    elicit: str = "auto"
    beliefs: bool = False
    persona: str | None = None
    protocols: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "models", tuple(named(model) for model in self.models))
        object.__setattr__(self, "framings", tuple(dict.fromkeys(self.framings)))
        if self.protocols is not None:
            object.__setattr__(self, "protocols", tuple(dict.fromkeys(self.protocols)))
        _check(self)

    @property
    def policies(self) -> tuple[PolicySpec, ...]:
        """The models, then those references that are not among them."""
        labels = {model["label"] for model in self.models}
        return self.models + tuple(named(name) for name in REFERENCES if name not in labels)

    @property
    def games(self) -> Mapping[str, GameTree]:
        """The protocols asked, by name."""
        return {name: PROTOCOLS[name] for name in self.protocols or PROTOCOLS}

    def specs(self) -> list[EpisodeSpec]:
        """Every question as an episode, prompts with a common beginning next to each other (prefix
        caches).
        """
        labels = [entry for policy in self.policies for entry in self._labels(policy)]
        return [EpisodeSpec(index, entry) for index, entry in enumerate(labels)]

    def policy(self, label: str, framing: str, order: int) -> Policy:
        """The policy of that label, set to that wording.

        Raises:
            UsageError: the policy cannot be made.
        """
        from ludens.agents.registry import make_policy

        (spec,) = (policy for policy in self.policies if policy["label"] == label)
        settings = {key: value for key, value in spec.items() if key != "label"}
        if is_language_model(spec):
            settings |= {"framing": framing, "order": order}
            settings.setdefault("elicit", self.elicit)
            if self.persona is not None:
                settings["persona"] = self.persona
        return make_policy(settings if len(settings) > 1 else settings["spec"])

    def to_config(self) -> dict[str, Any]:
        """JSON values from which `from_config` builds an equal suite. Keys and other secrets are left out:
        they come from the environment.
        """
        return {
            "models": [without_secrets(model) for model in self.models],
            "framings": list(self.framings),
            "replicates": self.replicates,
            "elicit": self.elicit,
            "beliefs": self.beliefs,
            "persona": self.persona,
            "protocols": None if self.protocols is None else list(self.protocols),
        }

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Suite:
        """The suite that a run's manifest describes."""
        names = ("models", "framings", "replicates", "elicit", "beliefs", "persona", "protocols")
        values = {name: config[name] for name in names}
        lists = {name: tuple(values[name]) for name in ("models", "framings")}
        protocols = None if values["protocols"] is None else tuple(values["protocols"])
        return cls(**(values | lists | {"protocols": protocols}))

    def _labels(self, policy: PolicySpec) -> Iterator[dict[str, Any]]:
        worded = is_language_model(policy)
        for framing in self.framings if worded else (NO_FRAMING,):
            for order in range(self._most_options() if worded else 1):
                for protocol, game in self.games.items():
                    for node in game.information_sets:
                        if order >= len(node.options):
                            continue
                        for replicate in range(self.replicates if _may_vary(policy) else 1):
                            yield {
                                "policy": policy["label"],
                                "family": game.name,
                                "protocol": protocol,
                                "node": node.label,
                                "role": node.role,
                                "framing": framing,
                                "order": order,
                                "replicate": replicate,
                            }

    def _most_options(self) -> int:
        return max(len(node.options) for game in self.games.values() for node in game.information_sets)


def named(model: str | PolicySpec | Policy) -> PolicySpec:
    """The spec as a mapping with its label: the name it is given, else the spec's own text.

    Raises:
        UsageError: there is no spec in it, as for a policy that cannot be made again from its description.
    """
    if isinstance(model, Policy):
        model = model.describe()
    spec = {"spec": model} if isinstance(model, str) else dict(model)
    if not isinstance(spec.get("spec"), str) or not spec["spec"]:
        raise UsageError(
            f"A policy to benchmark is named by its spec, such as local/smollm2-135m; got {model!r}."
        )
    return {"label": spec["spec"], **spec}


def is_language_model(policy: PolicySpec) -> bool:
    """Whether the policy is asked in words (its spec is a LiteLLM model id)."""
    return "/" in policy["spec"]


def player(suite: Suite) -> PlayOne:
    """What plays one question of the suite. All its policies are made here, so that a wrong one fails at
    once.

    Raises:
        UsageError: a policy cannot be made.
    """
    wordings = {
        (spec.labels["policy"], spec.labels["framing"], spec.labels["order"]) for spec in suite.specs()
    }
    policies = {wording: suite.policy(*wording) for wording in sorted(wordings)}
    believers = {policy["label"] for policy in suite.policies if suite.beliefs and is_language_model(policy)}

    async def play_one(spec: EpisodeSpec, seat: Recorder, seeds: np.random.SeedSequence) -> EpisodeRecord:
        labels = spec.labels
        policy = policies[labels["policy"], labels["framing"], labels["order"]]
        turn = _turns(labels["protocol"])[labels["node"]]
        decision = await seat.decide(policy, turn)
        if labels["policy"] in believers:
            await seat.believe(policy, turn)
        if decision.status == "valid":
            return EpisodeRecord(spec.index, labels, "done")
        # Nobody is paid for a question of the suite, so there is nothing to forfeit.
        kept = decision if decision.on_invalid == "abort" else replace(decision, on_invalid="drop")
        return unplayed(spec, turn, kept, {}, labels["policy"])

    return play_one


@lru_cache(maxsize=256)
def _turns(protocol: str) -> Mapping[str, Turn]:
    return questions(PROTOCOLS[protocol])


def _may_vary(policy: PolicySpec) -> bool:
    return policy["label"] not in REFERENCES


def _check(suite: Suite) -> None:
    from ludens.agents.llm.prompts.games import check_framing

    labels = [model["label"] for model in suite.models]
    twice = sorted({label for label in labels if labels.count(label) > 1})
    if twice:
        raise UsageError(f"Two models are called {twice[0]!r}; give one of them a label of its own.")
    unknown = [name for name in suite.protocols or () if name not in PROTOCOLS]
    if unknown:
        raise UsageError(f"There is no protocol {unknown[0]!r}; there are {', '.join(PROTOCOLS)}.")
    if suite.protocols == ():
        raise UsageError("Name at least one protocol, or none for all of them.")
    for framing in suite.framings:
        check_framing(framing)
    if not suite.framings and any(map(is_language_model, suite.models)):
        raise UsageError(f"Name at least one framing, for example {', '.join(FRAMINGS)}.")
    if not isinstance(suite.replicates, int) or isinstance(suite.replicates, bool) or suite.replicates < 1:
        raise UsageError(f"Replicates are a whole number of at least 1; got {suite.replicates!r}.")
