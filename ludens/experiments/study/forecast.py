"""What a run will ask and cost, estimated before anything is asked.

A sample of the episodes is played with random moves. Prompts of models that are asked over a network are
rendered and counted, and none is sent.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

import numpy as np

from ludens.agents.journal import recording
from ludens.agents.llm.abilities import check_key, load
from ludens.agents.llm.endpoint import Endpoint
from ludens.agents.llm.loop import run as run_coroutine
from ludens.agents.llm.model_policy import ModelPolicy
from ludens.agents.llm.rehearsal import RehearsedError, rehearsing
from ludens.agents.llm.reply import Prices
from ludens.agents.llm.token_counts import prompt_tokens
from ludens.agents.policy import BeliefReport, Decision, Policy
from ludens.agents.specs import unfold
from ludens.envs import Turn
from ludens.experiments.runs.budget import dollars
from ludens.experiments.runs.recorder import Recorder
from ludens.experiments.runs.records import FINISHED, EpisodeSpec
from ludens.experiments.runs.run import Run
from ludens.experiments.runs.seeds import decision_rng, episode_seeds
from ludens.experiments.study.lacking import lacking
from ludens.experiments.study.questions import is_hosted, spec_of
from ludens.experiments.study.registry import AnyStudy

ENOUGH = 40
"""Prompts of a model after which no further episode is played for it."""

UNASKED = 200
"""Episodes that ask no model after which no further one is played to see whether it would."""

EACH, THEN = 24, 8
"""Prompts of a policy in an episode that are rendered one by one, and the step in which later ones are: those
between are taken to be as long."""


@dataclass(frozen=True)
class ModelForecast:
    """What a model will be asked.

    Attributes:
        model: its LiteLLM id.
        address: where it is asked; empty for its provider.
        calls: the expected number, without questions that are repeated because a reply cannot be read.
        rendered: how many prompts were rendered to know that.
        prompt_tokens: of all calls.
        reply_tokens: of all calls, if every reply is as long as it may be; None where a model that thinks
            before it replies has no limit.
        prompt_cost: US dollars for the prompts alone; None where the price is not known.
        most_cost: US dollars, if every reply is as long as it may be; None where this is not known.
    """

    model: str
    address: str
    calls: float
    rendered: int
    prompt_tokens: float
    reply_tokens: float | None
    prompt_cost: float | None
    most_cost: float | None

    @property
    def costs(self) -> bool:
        """Whether money may be at stake: there is a price, or the model's provider sets one unknown here."""
        return bool(self.prompt_cost or self.most_cost) or (self.prompt_cost is None and not self.address)

    def sentence(self) -> str:
        """Return the estimate with its basis."""
        where = f" at {self.address}" if self.address else ""
        tokens = f"{_about(self.prompt_tokens)} tokens of prompts"
        head = f"{self.model}{where}: {_about(self.calls)} calls, {tokens} ({self.rendered} were rendered)"
        if self.prompt_cost is None:
            return f"{head}; its price is not known."
        limit = "without their replies, whose length has no limit"
        if self.most_cost is not None:
            limit = f"and at most {dollars(self.most_cost)} with {_about(self.reply_tokens or 0)} of replies"
        return f"{head}, {dollars(self.prompt_cost)} {limit}."


@dataclass(frozen=True)
class Forecast:
    """What a run will ask and cost.

    Attributes:
        episodes: how many are still to be played.
        played: how many were played with random moves to know that.
        models: those that are asked over a network.
    """

    episodes: int
    played: int
    models: tuple[ModelForecast, ...]

    @property
    def costs(self) -> bool:
        """Whether money may be at stake."""
        return any(model.costs for model in self.models)

    def sentences(self) -> list[str]:
        """Return the estimate in sentences."""
        if not self.models:
            return ["The run asks no model over a network, and costs nothing."]
        priced = [model for model in self.models if model.prompt_cost is not None]
        lines = [model.sentence() for model in self.models]
        if len(priced) > 1:
            least = sum(model.prompt_cost or 0.0 for model in priced)
            most = (
                None
                if any(each.most_cost is None for each in priced)
                else sum(each.most_cost or 0.0 for each in priced)
            )
            lines.append(
                f"Together {dollars(least)}" + (f" to {dollars(most)}." if most is not None else ".")
            )
        basis = f"{self.played} of {self.episodes} episodes" if self.episodes != 1 else "the episode"
        lines.append(
            f"Measured on {basis}, played with random moves; questions that are asked again are not counted."
        )
        return lines

    def as_json(self) -> dict[str, Any]:
        """Return everything as JSON values."""
        return {**asdict(self), "costs": self.costs}


def may_cost(study: AnyStudy) -> bool:
    """Return whether money may be at stake: a study asks a model that has a price, or one of a provider whose
    price is not known. A server of one's own has none.
    """
    return any(
        (prices is None and not endpoint.address) or (prices is not None and prices.of(1, 1) > 0)
        for endpoint, prices in _hosted(study)
    )


def unpriced_models(study: AnyStudy) -> list[str]:
    """Return the models that a study asks over a network and whose price is not known."""
    return list(dict.fromkeys(endpoint.model for endpoint, prices in _hosted(study) if prices is None))


def check_keys(study: AnyStudy) -> None:
    """See that there is a key for every model that a study asks over a network, and that its policies can be
    made.

    Raises:
        UsageError: a policy cannot be made.
        ModelError: a key is missing.
    """
    study.player()
    for endpoint, _ in _hosted(study):
        check_key(endpoint.model, endpoint.options)


def _hosted(study: AnyStudy) -> Iterator[tuple[Endpoint, Prices | None]]:
    """Yield the models that a study asks over a network, with their prices."""
    inherited = [policy for policies in study.inherited().values() for policy in policies]
    for policy in filter(is_hosted, [*study.config.named_policies(), *inherited]):
        model, options = unfold({"spec": policy} if isinstance(policy, str) else policy)
        if isinstance(policy, Policy):
            model, options = spec_of(policy), getattr(policy, "connection", {})
        endpoint = Endpoint(str(model), options)
        yield endpoint, Prices.of_model(load(endpoint.model), endpoint.model, options)


def forecast(study: AnyStudy, path: str | os.PathLike[str] | None = None) -> Forecast:
    """Estimate what a study will ask and cost; nothing is asked, and nothing is written.

    Args:
        study: with its configuration.
        path: the file of a run that goes on; None for a new run.

    Raises:
        UsageError: the configuration is wrong.
    """
    specs = [EpisodeSpec(index, labels) for index, labels in enumerate(study.episodes())]
    ended: set[int] = set()
    calls: Mapping[int, int] = {}
    if path is not None:
        with Run(path) as run:
            stored = run.episodes()
            calls = run.calls_by_episode()
        ended = {record.index for record in stored if record.status in FINISHED}
        held = [EpisodeSpec(record.index, record.labels) for record in stored]
        added = lacking(study.episodes(), [spec.labels for spec in held])
        first = 1 + max((spec.index for spec in held), default=-1)
        specs = [*held, *(EpisodeSpec(first + place, labels) for place, labels in enumerate(added))]
    todo = [spec for spec in specs if spec.index not in ended]
    if not any(_hosted(study)):
        return Forecast(len(todo), 0, ())
    groups: dict[str, list[EpisodeSpec]] = defaultdict(list)
    hosted = {label for label, policy in study.cast().items() if is_hosted(policy)}
    for spec in todo:
        label = str(spec.labels.get("policy", ""))
        if not label or label in hosted:
            groups[label].append(spec)
    seed = study.config.seed
    rehearsals = run_coroutine(_rehearse(study, groups, seed))
    counts: dict[tuple[str, str], _Count] = {}
    played = 0
    for name, (number, notes) in rehearsals.items():
        played += number
        each_episode = sum(count.calls for count in notes.values()) / number
        parts = sum(_part_left(calls.get(spec.index, 0), each_episode) for spec in groups[name])
        for place, each in notes.items():
            each.scale(parts / number)
            counts[place] = counts[place] + each if place in counts else each
    return Forecast(len(todo), played, tuple(map(_priced, counts.values())))


def _part_left(calls: int, expected: float) -> float:
    """Return which part of an episode is still to be asked, of which a run holds some calls: at least one."""
    return 1.0 if not calls or expected <= 1 else max(expected - calls, 1.0) / expected


@dataclass(frozen=True)
class _Request:
    endpoint: Endpoint
    prompt: int
    limit: int | None


@dataclass
class _Count:
    """What was counted of the requests to one model."""

    endpoint: Endpoint
    calls: float = 0.0
    rendered: int = 0
    prompt: float = 0.0
    reply: float | None = 0.0

    def add(self, request: _Request, rendered: bool) -> None:
        """Count a request, which was rendered itself or stands for one that was not."""
        self.calls += 1
        self.rendered += rendered
        self.prompt += request.prompt
        unlimited = self.reply is None or request.limit is None
        self.reply = None if unlimited else (self.reply or 0.0) + (request.limit or 0)

    def scale(self, factor: float) -> None:
        """Let those that were counted stand for more."""
        self.calls *= factor
        self.prompt *= factor
        self.reply = None if self.reply is None else self.reply * factor

    def __add__(self, other: _Count) -> _Count:
        reply = None if self.reply is None or other.reply is None else self.reply + other.reply
        return replace(
            self,
            calls=self.calls + other.calls,
            rendered=self.rendered + other.rendered,
            prompt=self.prompt + other.prompt,
            reply=reply,
        )


_Counts = dict[tuple[str, str], _Count]


async def _rehearse(
    study: AnyStudy, groups: Mapping[str, Sequence[EpisodeSpec]], seed: int
) -> dict[str, tuple[int, _Counts]]:
    """Play episodes of each group until enough prompts were rendered; return how many, and the counts."""
    play_one = study.player()
    outcome: dict[str, tuple[int, _Counts]] = {}
    for name, specs in groups.items():
        counts: _Counts = {}
        played = 0
        for place in np.random.default_rng(0).permutation(len(specs)):
            spec = specs[place]
            await play_one(spec, _Rehearsal(spec, seed, counts), episode_seeds(seed, spec.index))
            played += 1
            enough = [count.rendered >= ENOUGH for count in counts.values()]
            if (enough and all(enough)) or (not enough and played == UNASKED):
                break
        outcome[name] = played, counts
    return outcome


class _Rehearsal(Recorder):
    """Stands in place of a recorder: every move is drawn at random, and nothing is kept."""

    def __init__(self, spec: EpisodeSpec, seed: int, counts: _Counts) -> None:
        # Nothing of a run is there, so what the recorder itself keeps of one is not.
        self._seeds, self._counts, self._spec = episode_seeds(seed, spec.index), counts, spec
        self._step = 0
        self._asked: dict[str, int] = defaultdict(int)
        self._latest: dict[str, list[_Request]] = {}

    async def _ask(
        self,
        question: Literal["choice", "belief"],
        policy: Policy,
        turn: Turn,
        rng: np.random.Generator | None,
        ask: Any,
    ) -> Any:
        step, self._step = self._step, self._step + 1
        generator = rng or decision_rng(self._seeds, turn.agent, step)
        answer = None
        if isinstance(policy, ModelPolicy) and is_hosted(policy):
            number = self._asked[policy.name]
            self._asked[policy.name] += 1
            if rendered := number < EACH or number % THEN == 0:
                answer, self._latest[policy.name] = await _rendered(ask, turn, generator)
            for request in self._latest[policy.name]:
                place = request.endpoint.model, request.endpoint.address
                self._counts.setdefault(place, _Count(request.endpoint)).add(request, rendered)
        if question == "belief":
            return BeliefReport(None, "invalid")
        action: float | int
        further: list[float] = []
        if turn.options:
            action = turn.options[int(generator.integers(len(turn.options)))].action
        else:
            low, high = turn.interval or (0.0, 1.0)
            top = high if np.isfinite(high) else low + 1.0
            action, *further = (float(each) for each in generator.uniform(low, top, turn.numbers))
        notes = answer.notes if isinstance(answer, Decision) else None
        return Decision(action, further=tuple(further), notes=notes)


async def _rendered(
    ask: Any, turn: Turn, rng: np.random.Generator
) -> tuple[Decision | BeliefReport | None, list[_Request]]:
    """Render the requests of a decision; return what comes of replies that nobody gave, and the requests."""
    requests: list[_Request] = []
    before: list[Mapping[str, str]] = []

    def note(
        endpoint: Endpoint, messages: Sequence[Mapping[str, str]], parameters: Mapping[str, Any]
    ) -> None:
        if _asks_again(before, messages):
            raise RehearsedError
        before[:] = messages  # the query goes on writing in its own
        limit = parameters.get("max_tokens", parameters.get("max_completion_tokens"))
        requests.append(_Request(endpoint, prompt_tokens(endpoint.model, messages), limit))

    try:
        with rehearsing(note), recording(_NoJournal()):
            return await ask(turn, rng), requests
    except RehearsedError:
        return None, requests


def _asks_again(before: Sequence[Mapping[str, str]], messages: Sequence[Mapping[str, str]]) -> bool:
    """Return whether a request repeats the one before, whose reply could not be read."""
    if not before:
        return False
    head, last = list(before[:-1]), before[-1]
    if list(messages[: len(before)]) == list(before) and len(messages) > len(before):
        return True
    grown = messages[-1]["content"].startswith(last["content"]) and messages[-1] != last
    return list(messages[:-1]) == head and grown


class _NoJournal:
    """A journal that keeps nothing, so that what a rehearsal seems to learn of a server is forgotten."""

    def __init__(self) -> None:
        self.servers: dict[str, Any] = {}
        self.reread = self.cache = None

    def replay(self) -> None:
        return None

    def record(self, call: Any) -> None:
        pass

    def asking(self, model: str) -> Any:
        raise AssertionError("nothing is asked in a rehearsal")

    def check(self) -> None:
        pass

    def remember(self, server: str, facts: Mapping[str, Any]) -> None:
        pass

    def remembered(self, server: str) -> Mapping[str, Any]:
        return {}


def _priced(count: _Count) -> ModelForecast:
    endpoint = count.endpoint
    prompt_cost = most = None
    if (prices := Prices.of_model(load(endpoint.model), endpoint.model, endpoint.options)) is not None:
        prompt_cost = prices.of(count.prompt, 0)
        most = None if count.reply is None else prices.of(count.prompt, count.reply)
    return ModelForecast(
        endpoint.model,
        endpoint.where if endpoint.address else "",
        count.calls,
        count.rendered,
        count.prompt,
        count.reply,
        prompt_cost,
        most,
    )


def _about(number: float) -> str:
    """Return a number to three digits."""
    if number < 1000:
        return f"{number:.3g}"
    size = 10 ** (len(str(int(number))) - 3)
    return f"{round(number / size) * size:,}"
