"""The benchmark as a study: every question of every protocol, put to every policy in every wording.

One episode is one question: a protocol × an information set × the order in which its options stand × a
framing × a replicate. It is asked by the strategy method (before roles are known), so an answer never
depends on how others happened to play. The published protocols of every family join by themselves.

A language model whose option probabilities are read from its log-probabilities answers a question exactly:
one replicate is then all there is to know, and more of them cost without adding anything. Replicates are
for sampled answers.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import field_validator, model_validator

from ludens.agents.policy import Policy
from ludens.envs import PROTOCOLS, AnyGame, GameTree, Turn, find_game
from ludens.envs.games import canonical_name, questions_named, sharp_protocols, unasked_stages
from ludens.envs.tree.questions import questions
from ludens.errors import UsageError
from ludens.experiments.bench.result import (
    ANSWER_MASSES,
    ESTIMATES,
    BenchResult,
    answer_masses,
    estimates,
    measured,
    to_json,
)
from ludens.experiments.bench.trial import refusing, tried_first
from ludens.experiments.report.writing import report
from ludens.experiments.runs.recorder import OnProgress
from ludens.experiments.runs.records import NO_FRAMING, EpisodeSpec
from ludens.experiments.runs.run import Run
from ludens.experiments.study.base import Columns, Labels, Rows
from ludens.experiments.study.config import Count, PolicyLike, PolicySpecs, StudyConfig
from ludens.experiments.study.engine import run_study
from ludens.experiments.study.questions import (
    LabelledStudy,
    check_models,
    check_references,
    is_language_model,
    label_of,
    named,
)

if TYPE_CHECKING:
    from rich.console import Console

    from ludens.experiments.report.page import Page

FRAMINGS = ("neutral", "story", "twin")
REFERENCES = ("random", "homo_economicus", "homo_moralis:0.5", "quantal:kappa=0,noise=8")
"""Policies that every benchmark shows beside the models: they need no words and are asked every question
once."""


class BenchConfig(StudyConfig):
    """What is asked of whom.

    Attributes:
        models: the policies under test, references not among them; their labels must differ. A mapping adds
            settings (``{"spec": "openai/x", "api_base": …}``); ``"label"`` is its name in tables. A policy
            that is a Python object needs no specification, unless it is a language model.
        framings: families of templates, for language models alone.
        replicates: how often each question is asked in each wording (language models and policies that draw
            without telling their probabilities).
        elicit: how to obtain choice probabilities from language models.
        beliefs: ask language models at each question also what share of people choose each option.
        persona: the persona under which language models are asked; None for none.
        protocols: names of protocols, "PD1 with mediation" among them; "PD1 with contracts", "… sanctions"
            and "… cheap talk" stand for the stages of a round that oracles can label. None for all of the
            suite.
        suite: ``"published"``, the 18 protocols of van Leeuwen & Alger (and those of other packages);
            ``"sharp"``, 18 games that tell preferences apart better; ``"both"``; or a file that `ludens
            design --out` wrote, whose games then are the `protocols`.
        other_studies: whether the report also shows numbers of language models that others published, in
            tables of their own (`ludens.experiments.bench.published`).
        concurrency: how many questions are open at once.

    Raises:
        UsageError: a name is unknown, nothing is left to ask, or two models have one label.
    """

    kind: ClassVar[str] = "bench"

    models: PolicySpecs
    framings: tuple[str, ...] = FRAMINGS
    replicates: Count = 1
    elicit: Literal["auto", "logprobs", "sample"] = "auto"
    beliefs: bool = False
    persona: str | None = None
    protocols: tuple[str, ...] | None = None
    suite: Literal["published", "sharp", "both"] = "published"
    other_studies: bool = False
    concurrency: Count = 32

    @model_validator(mode="before")
    @classmethod
    def _read_suite(cls, given: Any) -> Any:
        """Replace a suite in a file by the names of its games, so that a run does not depend on the file."""
        suite = given.get("suite") if isinstance(given, Mapping) else None
        if not isinstance(suite, str | os.PathLike) or suite in {"published", "sharp", "both"}:
            return given
        from ludens.experiments.estimates.designs import read_suite

        if given.get("protocols") is not None:
            raise UsageError("A suite in a file names its games: leave the protocols out, or the suite.")
        rest = {name: value for name, value in given.items() if name != "suite"}
        return {**rest, "protocols": read_suite(suite)}

    @field_validator("models")
    @classmethod
    def _check_models(cls, models: tuple[PolicyLike, ...]) -> tuple[PolicyLike, ...]:
        for model in models:
            if is_language_model(model):
                named(model)  # without a specification it cannot be asked in wordings
        check_references(models, REFERENCES)
        return check_models(models)

    @field_validator("framings")
    @classmethod
    def _check_framings(cls, framings: tuple[str, ...]) -> tuple[str, ...]:
        from ludens.agents.llm.prompts.games import check_framing

        return tuple(dict.fromkeys(map(check_framing, framings)))

    @field_validator("protocols")
    @classmethod
    def _check_protocols(cls, protocols: tuple[str, ...] | None) -> tuple[str, ...] | None:
        if protocols == ():
            raise ValueError("Name at least one protocol, or none for all of them.")
        for name in protocols or ():
            questions_named(name)
        return None if protocols is None else tuple(dict.fromkeys(map(canonical_name, protocols)))

    @model_validator(mode="after")
    def _check_wordings(self) -> BenchConfig:
        if not self.framings and any(map(is_language_model, self.models)):
            raise ValueError(f"Name at least one framing, for example {', '.join(FRAMINGS)}.")
        return self


class BenchStudy(LabelledStudy[BenchConfig, BenchResult]):
    """The benchmark of preferences."""

    config_type = BenchConfig
    title = "models beside reference policies, on every question of the protocols"
    columns: ClassVar[Columns] = {"estimates": ESTIMATES, "answer_mass": ANSWER_MASSES}
    grows = frozenset({"models", "framings", "replicates", "protocols", "suite"})

    @cached_property
    def policies(self) -> Mapping[str, tuple[str, PolicyLike]]:
        """The models with their keys in the configuration, then those references that are not among them, by
        label.
        """
        table: dict[str, tuple[str, PolicyLike]] = {
            label_of(model): (f"models[{place}]", model) for place, model in enumerate(self.config.models)
        }
        for name in REFERENCES:
            table.setdefault(name, (name, name))
        return table

    @property
    def games(self) -> Mapping[str, AnyGame]:
        """The protocols asked, by name."""
        config = self.config
        common = () if config.suite == "sharp" else tuple(PROTOCOLS)
        suite = (*common, *(() if config.suite == "published" else sharp_protocols()))
        asked = config.protocols or suite
        return {name: find_game(name) for each in asked for name in questions_named(each)}

    def episodes(self) -> Sequence[Labels]:
        """Return every question; prompts with a common beginning stand next to each other, for prefix
        caches.
        """
        return [
            labels for label, (_, policy) in self.policies.items() for labels in self._labels(label, policy)
        ]

    def turn(self, labels: Labels) -> Turn:
        """Return the question at a node of a protocol."""
        return _turns(labels["protocol"])[labels["node"]]

    def policy(self, label: str, framing: str, order: int) -> Policy:
        """Make the policy of that label, set to that wording.

        Raises:
            UsageError: it cannot be made; the message names its key.
        """
        key, policy = self.policies[label]
        config = self.config
        if config.persona is not None and is_language_model(policy):
            connection = getattr(policy, "connection", {})
            policy = {**named(policy), **connection, "persona": config.persona}
        game = next(iter(self.games.values()))
        return self.make_worded(key, policy, framing, order, game, elicit=config.elicit)

    def asks_beliefs(self, label: str) -> bool:
        """Return whether the policy of that label is a language model and the study asks beliefs."""
        return self.config.beliefs and label in self._language_models

    def foresees(self) -> Iterable[str]:
        """Return which stages of rounds are not asked, and how wide intervals will be, where a language model
        is asked.
        """
        yield from filter(None, map(unasked_stages, self.config.protocols or ()))
        trees = {name: game for name, game in self.games.items() if isinstance(game, GameTree)}
        if self._language_models and trees:
            from ludens.experiments.estimates.designs import foresight

            yield foresight(trees, 2 * len(self.config.framings) * self.config.replicates)

    def first(self, specs: Sequence[EpisodeSpec]) -> frozenset[int]:
        """Return a tenth of each language model's questions, at least eight, spread over the
        protocols.
        """
        return tried_first(
            [spec for spec in specs if spec.labels["policy"] in self._language_models], self.config.seed
        )

    def look(self, run: Run, first: Collection[int]) -> Iterable[str]:
        """Return a sentence on every model that has refused many of its first questions."""
        return refusing(
            [record for record in run.each_decision() if record.episode in first], self.config.persona
        )

    def measure(self, run: Run) -> BenchResult:
        """Measure a run as it stands, finished or not."""
        models = {label_of(model): _specification(model) for model in self.config.models}
        return measured(run, models, list(self.policies))

    def page(self, result: BenchResult) -> Page:
        """Return the report."""
        from ludens.experiments.bench.page import page

        return page(result)

    def show(self, result: BenchResult, console: Console) -> None:
        """Print the table; it fits 80 columns."""
        from ludens.experiments.bench.terminal import print_summary

        print_summary(result, console)

    def as_json(self, result: BenchResult) -> dict[str, Any]:
        """Return everything measured as JSON values."""
        return to_json(result)

    def tables(self, result: BenchResult) -> Mapping[str, Rows]:
        """Return every estimate as one row, and every answer mass by policy and protocol."""
        return {"estimates": estimates(result), "answer_mass": answer_masses(result)}

    @cached_property
    def _language_models(self) -> frozenset[str]:
        return frozenset(label for label, (_, policy) in self.policies.items() if is_language_model(policy))

    def _labels(self, label: str, policy: PolicyLike) -> Iterator[dict[str, Any]]:
        worded, varies = is_language_model(policy), label not in REFERENCES
        for framing in self.config.framings if worded else (NO_FRAMING,):
            for order in range(self._most_options if worded else 1):
                for protocol, game in self.games.items():
                    for node in game.information_sets:
                        # In stages where others choose, some have a single option.
                        if order >= len(node.options) or len(node.options) == 1:
                            continue
                        for replicate in range(self.config.replicates if varies else 1):
                            yield {
                                "policy": label,
                                "family": game.name,
                                "protocol": protocol,
                                "node": node.label,
                                "role": node.role,
                                "framing": framing,
                                "order": order,
                                "replicate": replicate,
                            }

    @property
    def _most_options(self) -> int:
        return max(len(node.options) for game in self.games.values() for node in game.information_sets)


def bench(
    models: Sequence[PolicyLike],
    *,
    path: str | os.PathLike[str] | None = None,
    progress: OnProgress | None = None,
    **config: Any,
) -> BenchResult:
    """Ask every question of the protocols, measure the answers and write the report beside the run.

    Args:
        models: specifications of policies, for example ``"local/smollm2-135m"``; a mapping may add settings
            (``{"spec": "openai/x", "api_base": …, "label": …}``); or policies themselves, told apart by their
            names.
        path: the run's file; None for a new name under ``runs/``.
        progress: called after every decision.
        config: the other keys of `BenchConfig` (``framings``, ``replicates``, ``seed`` …).

    Raises:
        UsageError: an argument is wrong; nothing was written.
        StoreError: the run or the report cannot be written.
        LudensError: a model cannot be reached at all; what was answered is kept, and `resume` goes on.
        RunInterrupted: Ctrl-C; what was answered is kept.
    """
    if isinstance(models, str | Mapping | Policy):
        raise UsageError("Name at least one model, as a list; for example bench(['local/smollm2-135m']).")
    study = BenchStudy(BenchConfig(models=models, **config))
    result: BenchResult = report(run_study(study, path, progress=progress).path)
    return result


def _specification(model: PolicyLike) -> Mapping[str, Any]:
    given = model.describe() if isinstance(model, Policy) else model
    return {"spec": given} if isinstance(given, str) else {"spec": label_of(model), **given}


@lru_cache(maxsize=256)
def _turns(protocol: str) -> Mapping[str, Turn]:
    return questions(find_game(protocol))
