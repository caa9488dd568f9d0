"""The study: what all kinds of experiments have in common, and what each says of itself."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import copy
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

import numpy as np

from ludens.agents.policy import Policy
from ludens.errors import UsageError
from ludens.experiments.runs.columns import Column
from ludens.experiments.runs.executors.base import Executor
from ludens.experiments.runs.executors.choice import make_executor
from ludens.experiments.runs.recorder import OnProgress
from ludens.experiments.runs.records import EpisodeSpec
from ludens.experiments.runs.run import Run
from ludens.experiments.runs.runner import PlayOne
from ludens.experiments.study.config import PolicyLike, StudyConfig

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import Console

    from ludens.experiments.report.page import Page

ConfigT = TypeVar("ConfigT", bound=StudyConfig)
ResultT = TypeVar("ResultT")

Labels = Mapping[str, Any]
"""What tells an episode apart, JSON values; every table groups by them."""

Rows = Iterable[Mapping[str, Any]]
"""A table for export: one mapping per row, all with the same keys."""

Columns = Mapping[str, Sequence[Column]]
"""What is known of the columns of tables, by the name of the table."""


class Study(ABC, Generic[ConfigT, ResultT]):
    """One kind of experiment, with the configuration of one run of it.

    A subclass names its configuration and answers five questions: `episodes`, `player`, `measure`, `page` and
    `show`. It may say more: `tables` for exports, `grows` for extensions.

    Attributes:
        config: what this run is told.
        kept: what the run's file holds of it; another configuration than `config` only where models of a
            stored run are reached elsewhere by now.
        addresses: where they are, as the run's file holds it (`ludens.experiments.study.connection`).
        config_type: the class of the configuration, which holds the study's kind.
        title: for help and lists, a few words.
        grows: the keys by which a run can be extended.
        columns: what is known of the columns of `tables`, by the name of the table.
        abort_run: whether an episode that a policy aborts ends the whole run.
        computes: whether episodes keep a core busy rather than wait for models or people: then they are
            played in processes of their own, one for each that is to be played at once.
        writes_report: whether the command line writes the report after every run, or only when it is asked
            to.
    """

    config_type: ClassVar[type[StudyConfig]]
    title: ClassVar[str] = ""
    grows: ClassVar[frozenset[str]] = frozenset()
    columns: ClassVar[Columns] = {}
    abort_run: ClassVar[bool] = True
    computes: ClassVar[bool] = False
    writes_report: ClassVar[bool] = True

    config: ConfigT

    def __init__(self, config: ConfigT) -> None:
        self.config = self.kept = config
        self.addresses: list[dict[str, Any]] = []

    @classmethod
    def kind(cls) -> str:
        """Return the study's name, as in manifests and files."""
        return cls.config_type.kind

    @abstractmethod
    def episodes(self) -> Sequence[Labels]:
        """Return the labels of every episode in the order of play. Extending a run matches episodes by
        them.
        """

    @abstractmethod
    def player(self) -> PlayOne:
        """Return what plays one episode. All policies are made here, so that a wrong one fails before
        anything is written.

        Raises:
            UsageError: a policy cannot be made, or cannot play here.
        """

    @abstractmethod
    def measure(self, run: Run) -> ResultT:
        """Measure a run as it stands, finished or not, without asking anything."""

    @abstractmethod
    def page(self, result: ResultT) -> Page:
        """Return the report: its title, facts, pictures and tables."""

    @abstractmethod
    def show(self, result: ResultT, console: Console) -> None:
        """Print the result on a terminal of 80 columns."""

    def as_json(self, result: ResultT) -> dict[str, Any]:
        """Return everything measured as JSON values; by default the tables."""
        return {name: [dict(row) for row in rows] for name, rows in self.tables(result).items()}

    def tables(self, result: ResultT) -> Mapping[str, Rows]:
        """Return the measures for export, by the name of the table; every run's decisions and episodes come
        beside them.
        """
        return {}

    def go_on(self, path: Path) -> None:
        """Do what follows when all episodes of a run are done, such as to extend it by a further round; most
        studies do nothing.

        Args:
            path: the run's file.
        """

    def cast(self) -> Mapping[str, PolicyLike]:
        """Return the policies by what episodes call them: labels, or seats. Continuing or extending a run may
        not put another policy in the place of one.
        """
        return {}

    def inherited(self) -> Mapping[str, Sequence[PolicyLike]]:
        """Return policies that come from another run's file and not from the configuration, by the key under
        which the configuration would name them.
        """
        return {}

    def drawn(self, labels: Labels, seeds: np.random.SeedSequence) -> Labels:
        """Return the labels with what is drawn for this episode from its own seeds; extending leaves it out
        of account.
        """
        return labels

    def foresees(self) -> Iterable[str]:
        """Return what to expect of the results, in sentences, before anything is asked."""
        return ()

    def first(self, specs: Sequence[EpisodeSpec]) -> frozenset[int]:
        """Return the numbers of those episodes that are played before the others, to look at what comes of
        them. The order of play changes no episode: its seed is that of its number.
        """
        return frozenset()

    def look(self, run: Run, first: Collection[int]) -> Iterable[str]:
        """Return what to warn of, in sentences, when the episodes of `first` have ended."""
        return ()

    def executor(self) -> Executor:
        """Return where the run is carried out.

        Raises:
            UsageError: it cannot be carried out there.
        """
        config = self.config
        name, workers = config.executor, config.workers
        if name is None and workers is None and self.computes:
            name, workers = "processes", config.concurrency
        executor = make_executor(name, workers, config.address)
        if executor.separate and self.keyboard:
            raise UsageError(
                f"{self.kind()}: a person answers in this terminal, which other processes do not have: leave "
                "the workers out."
            )
        return executor

    def __getstate__(self) -> dict[str, Any]:
        """Return what another process needs; it makes anew what was kept for speed."""
        return {name: getattr(self, name) for name in ("config", "kept", "addresses")}

    @property
    def keyboard(self) -> bool:
        """Whether a person plays in this terminal: one episode at a time, and Ctrl-C goes to the prompt."""
        return False

    @contextmanager
    def watched(self, console: Console, title: str) -> Iterator[OnProgress | None]:
        """Show on the console how far the run is while the block plays it."""
        from ludens.experiments.runs.progress import progress_bar

        with progress_bar(console, title, hidden=self.keyboard) as progress:
            yield progress

    def made(self, field: str, game: Any = None, **defaults: Any) -> tuple[Policy, ...]:
        """Make the policies that a field of the configuration names, for a game.

        Args:
            field: the key.
            game: an environment, its id, or a game; None for game trees.
            defaults: settings of language models, for those that do not set them themselves.

        Raises:
            UsageError: one cannot be made; the message names its key.
        """
        given: tuple[PolicyLike, ...] = getattr(self.config, field)
        return tuple(
            self.make(f"{field}[{place}]", each, game, **defaults) for place, each in enumerate(given)
        )

    def make(self, key: str, policy: PolicyLike, game: Any = None, **defaults: Any) -> Policy:
        """Make one policy, which the configuration names under that key; arguments as in `made`.

        Raises:
            UsageError: it cannot be made; the message names its key.
        """
        from ludens.agents.registry import make_policy

        if isinstance(policy, Policy):
            return make_policy(policy, game)
        if not isinstance(policy, str) and "spec" not in policy:
            field = key.partition("[")[0].partition(".")[0]
            raise UsageError(
                f"{self.kind()}.{key}: the policy {policy.get('name', 'without a name')!r} was a Python "
                f"object, which a file cannot describe: go on from Python with "
                f"ludens.experiments.resume(path, {field}=...), or name the policy by its spec."
            )
        settings = {"spec": policy} if isinstance(policy, str) else dict(policy)
        label = settings.pop("label", None)
        try:
            made = make_policy(settings if len(settings) > 1 else settings["spec"], game, **defaults)
        except UsageError as error:
            raise UsageError(f"{self.kind()}.{key}: {error}") from None
        if label is not None and label != settings["spec"]:
            made = copy(made)  # a package may hand out one and the same policy each time
            made.name = str(label)
        return made
