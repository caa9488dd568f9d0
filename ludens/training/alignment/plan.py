"""The plan of an alignment: the base model, the target preferences, and how much is trained and asked."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from types import MappingProxyType
from typing import Any, cast

import numpy as np

from ludens.agents.llm.prompts.surfaces import TABLE
from ludens.agents.local.resolve import PREFIX, resolve
from ludens.envs import PROTOCOLS
from ludens.errors import LudensError, UsageError
from ludens.experiments.runs.files import write_whole
from ludens.experiments.runs.seeds import check_seed
from ludens.preferences import Preferences
from ludens.preferences.consequences import check_selfish_or_moral
from ludens.training.data.build import (
    FRAMINGS,
    check_domains,
    check_surfaces,
    framings_of,
    training_framings,
)
from ludens.training.data.example import check_reasoning
from ludens.training.data.games import (
    Payoffs,
    Ranges,
    draw_games,
    find_families,
    ranges_of,
    taught_payoffs,
)
from ludens.training.data.tables import check_tabled
from ludens.training.data.values import check_plain
from ludens.training.tuning.recipe import Device, Method, Recipe

PLAN = "plan.json"


class AlignmentError(LudensError):
    """Raised when a folder cannot be written, or its contents are damaged."""


@dataclass(frozen=True)
class Sizes:
    """The numbers of questions before and after; our choice, see `docs/align.md`.

    Attributes:
        held_out: number of questions in each of the sets *held-out* and *partner cooperates*.
        others: number of questions in each other set.
        thinking: number of held-out questions that the base is also asked to think about first; it writes at
            length, so these cost most.
        protocols: names of published protocols; None for all 18.
        replicates: how often a sampled model answers each question of the protocols.
        periods: number of periods of the pricing run; 0 for none.
        studies: numbers of the studies on autonomous vehicles, see `ludens.envs.av.dilemma.studies`; empty
            for none.
        perplexity: whether to check general ability, which loads the model twice.
        compared: whether the base and the persona are also asked, in the exam, the protocols and the transfer
            studies. Of several tunings of one base, only one needs to ask them; without it there are no
            results before tuning.
        greedy: whether the tuned model also answers the questions of these two sets and the protocols by
            greedy decoding, at temperature 0: a rationale of 300 sampled tokens can go astray where a greedy
            one does not.
        carry: number of questions in each set of one domain and one surface: games, dilemmas, ratings, the
            adoption game and prices, each as a table, in unseen surfaces, and in sentences where there are
            some. They need α = β = 0.
        repeated: number of rounds of repeated games, played from the own history; 0 for none.
        matches: number of these games, each played with itself and with a partner who acts at random.
    """

    held_out: int = 64
    others: int = 24
    thinking: int = 24
    protocols: tuple[str, ...] | None = None
    replicates: int = 1
    periods: int = 20
    studies: tuple[int, ...] = (2, 3)
    perplexity: bool = True
    compared: bool = True
    greedy: bool = True
    carry: int = 0
    repeated: int = 0
    matches: int = 8

    def __post_init__(self) -> None:
        for name in ("protocols", "studies"):
            if (given := getattr(self, name)) is not None:
                object.__setattr__(self, name, tuple(given))
        if self.protocols == ():
            raise UsageError("Name at least one protocol, or leave protocols out for all 18.")
        counts = ("held_out", "others", "thinking", "replicates", "periods", "carry", "repeated", "matches")
        for name in counts:
            value = getattr(self, name)
            least = 1 if name in ("held_out", "replicates", "matches") else 0
            if not isinstance(value, int) or isinstance(value, bool) or value < least:
                raise UsageError(f"The number {name} is a whole number of at least {least}; got {value!r}.")
        from ludens.envs.av.dilemma.studies import STUDIES

        strange = [number for number in self.studies if number not in STUDIES]
        if strange:
            raise UsageError(f"There is no study {strange[0]!r}; there are 1 to {max(STUDIES)}.")
        unknown = [name for name in self.protocols or () if name not in PROTOCOLS]
        if unknown:
            raise UsageError(f"There is no protocol {unknown[0]!r}; there are {', '.join(PROTOCOLS)}.")


SMALL = Sizes(
    held_out=8,
    others=1,
    thinking=0,
    protocols=("TG5",),
    periods=3,
    studies=(),
    greedy=False,
)
"""The sizes of the demonstration."""


QUICK: Mapping[str, Any] = MappingProxyType(
    {
        "examples": 192,
        "domains": ("games", "av", "pricing"),
        "surfaces": 100,
        "replay": 1.0,
        "sizes": Sizes(held_out=16, others=8, thinking=0, periods=10, studies=(2,), greedy=False, carry=8),
    }
)
"""Attributes of a plan whose tuning takes less than ten minutes on two idle cores."""


@dataclass(frozen=True)
class Plan:
    """The plan of an alignment.

    Attributes:
        base: the base model, ``local/…``.
        preferences: the target preferences.
        families: families of games to train on; None for the three of van Leeuwen & Alger (2024).
        payoffs: ranges of the payoffs of these games; None for those of
            `ludens.training.data.games.taught_payoffs`.
        examples: number of training examples.
        seed: seed of all draws.
        method: ``"lora"`` or ``"full"``.
        device: ``"auto"``, ``"cpu"``, ``"cuda"``.
        processes: number of GPUs, or of processes on a CPU, that train together, each on its share of a step.
        epochs: passes over the data.
        batch_size, learning_rate: hyper-parameters of the recipe; None for its own.
        reasoning: the form of the completions, ``"steps"``, ``"prose"`` or ``"none"``.
        paraphrases: whether to train on five paraphrases of the neutral framing besides the framing itself;
            two more are held out in any case.
        domains: what is trained on: ``"games"``, ``"av"``, ``"pricing"`` (`ludens.training.build_dataset`).
        surfaces: number of surfaces of the table and of the neutral wording to train on, which take the place
            of the paraphrases; 0 for none. Domains other than games are trained as tables in any case.
        replay: weight of the divergence from the base on plain text (`ludens.training.tuning.replay`).
        rounds: how often the tuned model answers as many new turns as it was trained on, and is trained
            further on those that it got wrong (`ludens.training.tuning.rounds`).
        votes: how often the tuned model is asked each sampled question that asks for a choice or a price, the
            most frequent answer counting.
        held: whether the tuned model's choices, also of prices, are held to the labels on offer as they are
            written.
        batched: whether the tuned model answers the exam and the protocols in Transformers, which writes many
            replies together and is several times as fast for long ones as the light engine. In the light
            engine a reply depends on its question and seed alone; in a batch, log-probabilities vary in the
            second decimal with the other questions, and a sampled reply may differ.
        sizes: the numbers of questions.
    """

    base: str
    preferences: Preferences
    families: tuple[str, ...] | None = None
    payoffs: tuple[Payoffs, ...] | None = None
    examples: int = 768
    seed: int = 0
    method: str = "lora"
    device: str = "auto"
    processes: int = 1
    epochs: int = 1
    batch_size: int | None = None
    learning_rate: float | None = None
    reasoning: str = "steps"
    paraphrases: bool = True
    domains: tuple[str, ...] = ("games",)
    surfaces: int = 0
    replay: float = 0.0
    rounds: int = 0
    votes: int = 1
    held: bool = False
    batched: bool = False
    sizes: Sizes = field(default_factory=Sizes)

    @property
    def persona(self) -> str:
        """The persona that asks for the target preferences, the nearer one of the two in ludens."""
        return "homo_moralis" if self.preferences.kappa > 0 else "homo_economicus"

    @property
    def ranges(self) -> tuple[Payoffs, ...]:
        """The ranges of the payoffs in training."""
        return taught_payoffs(self.preferences) if self.payoffs is None else self.payoffs

    @property
    def tabled(self) -> bool:
        """Whether tables are trained on, so that dilemmas and markets are asked as tables too."""
        return TABLE in self.framings

    @property
    def framings(self) -> tuple[str, ...]:
        """The wordings of training."""
        games = training_framings() if self.paraphrases else FRAMINGS
        return framings_of(self.domains, self.surfaces, games)

    def recipe(self) -> Recipe:
        """Return the hyper-parameters of the tuning.

        Raises:
            UsageError: a hyper-parameter is out of its range.
        """
        return Recipe(
            method=cast(Method, self.method),
            device=cast(Device, self.device),
            processes=self.processes,
            epochs=self.epochs,
            seed=self.seed,
            batch_size=self.batch_size,
            learning_rate=self.learning_rate,
            replay=self.replay,
        )

    def to_config(self) -> dict[str, Any]:
        """Return JSON values from which `from_config` makes an equal plan."""
        found = asdict(self)
        found["families"] = None if self.families is None else list(self.families)
        found["payoffs"] = None if self.payoffs is None else [asdict(each) for each in self.payoffs]
        found["domains"] = list(self.domains)
        found["sizes"]["studies"] = list(self.sizes.studies)
        found["sizes"]["protocols"] = None if self.sizes.protocols is None else list(self.sizes.protocols)
        return found

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Plan:
        """Make a plan from the values that `to_config` returned."""
        values = dict(config)
        sizes = dict(values["sizes"])
        sizes["protocols"] = None if sizes["protocols"] is None else tuple(sizes["protocols"])
        sizes["studies"] = tuple(sizes["studies"])
        values["sizes"] = Sizes(**sizes)
        values["preferences"] = Preferences(**values["preferences"])
        values["families"] = None if values["families"] is None else tuple(values["families"])
        values["domains"] = tuple(values.get("domains", ("games",)))
        payoffs = values.get("payoffs")
        values["payoffs"] = None if payoffs is None else tuple(Payoffs(**each) for each in payoffs)
        return cls(**values)


def make_plan(
    base: str,
    to: str,
    *,
    alpha: float = 0.0,
    beta: float = 0.0,
    kappa: float | None = None,
    families: Sequence[str] | None = None,
    payoffs: Ranges | None = None,
    **settings: Any,
) -> Plan:
    """Make a plan from what users write.

    Args:
        base: the base model; hosted models are tuned by their provider, see `ludens.training.provider`.
        to: ``"economicus"`` or ``"moralis"``.
        alpha: dislike of being behind.
        beta: dislike of being ahead.
        kappa: the Kantian weight in (0, 1], only for ``"moralis"``.
        families: names of families of games.
        payoffs: ranges of their payoffs, as `ludens.training.build_dataset` takes them.
        settings: the other attributes of `Plan`.

    Raises:
        UsageError: the arguments contradict each other, or one is out of its range.
        LocalModelError: there is no such model on this machine.
    """
    preferences = preferences_of(to, alpha, beta, kappa)
    if not base.startswith(PREFIX):
        raise UsageError(
            f"{base} is not on this machine: its provider tunes it, with `ludens align provider`; models "
            f"here are named {PREFIX}…."
        )
    if resolve(base).kind == "adapter":
        raise UsageError(
            f"{base} is an adapter itself: merge it first, with `ludens align export`, and align the result."
        )
    check_seed(settings.get("seed", 0))
    for name in ("examples", "epochs"):
        value = settings.get(name, 1)
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise UsageError(f"The number of {name} is a whole number of at least 1; got {value!r}.")
    if "domains" in settings:
        settings["domains"] = check_domains(settings["domains"])
    check_surfaces(settings.get("surfaces", 0))
    for name, least in (("votes", 1), ("rounds", 0)):
        value = settings.get(name, least)
        if not isinstance(value, int) or isinstance(value, bool) or value < least:
            raise UsageError(f"The number of {name} is a whole number of at least {least}; got {value!r}.")
    if settings.get("rounds") and settings.get("method", "lora") != "lora":
        raise UsageError("Rounds train adapters further: choose method='lora', or rounds=0.")
    drawn = None if payoffs is None else ranges_of(payoffs)
    for family in find_families(families):
        for each in drawn or ():  # a range without a game is an error now, too
            draw_games(family, each, 1, np.random.default_rng(0))
    plan = Plan(base, preferences, None if families is None else tuple(families), drawn, **settings)
    form = check_reasoning(plan.reasoning)
    if "games" in plan.domains:
        check_plain(find_families(families), form, plan.framings)
    if plan.tabled:
        check_tabled(form)
    if plan.tabled or plan.sizes.carry:
        check_selfish_or_moral(preferences, "Training on tables")
    plan.recipe()  # an error in it is reported now, not after the base has been examined
    return plan


def preferences_of(to: str, alpha: float = 0.0, beta: float = 0.0, kappa: float | None = None) -> Preferences:
    """Return the preferences of a target; α and β may be given for either target.

    Raises:
        UsageError: κ is missing for homo moralis, or given for homo economicus.
    """
    if to not in ("economicus", "moralis"):
        raise UsageError(f"A model is moved to economicus or to moralis; got {to!r}.")
    if to == "economicus" and kappa:
        raise UsageError(f"Homo economicus has κ = 0: say --to moralis --kappa {kappa:g}, or leave it out.")
    if to == "moralis" and not kappa:
        raise UsageError("Homo moralis needs its weight, above 0: say --to moralis --kappa 0.5, for example.")
    return Preferences(alpha=alpha, beta=beta, kappa=kappa or 0.0)


def open_folder(directory: str | os.PathLike[str], plan: Plan) -> Path:
    """Open the folder of a plan, or make it if it does not exist.

    Raises:
        UsageError: the folder holds something else, or another plan.
        AlignmentError: the folder cannot be written.
    """
    folder = Path(directory)
    if is_begun(folder, plan):
        return folder
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_whole(folder / PLAN, json.dumps(plan.to_config(), indent=2, ensure_ascii=False) + "\n")
    except OSError as error:
        raise AlignmentError(
            f"The folder {folder} cannot be written ({error.strerror}): name another."
        ) from None
    return folder


def is_begun(folder: Path, plan: Plan) -> bool:
    """Return whether the folder holds the alignment of this plan; False if it is new or empty.

    Raises:
        UsageError: it holds something else, or another plan.
    """
    if (folder / PLAN).exists():
        held = read_plan(folder)
        if held != plan:
            other = ", ".join(
                f"{each.name} {_setting_text(getattr(held, each.name))}"
                for each in fields(Plan)
                if getattr(held, each.name) != getattr(plan, each.name)
            )
            raise UsageError(f"{folder} holds another alignment ({other}): name another folder with --out.")
        return True
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(f"{folder} is not empty and holds no alignment: name another folder with --out.")
    return False


def _setting_text(value: object) -> str:
    """Format a setting for a sentence."""
    if isinstance(value, tuple) and value and all(isinstance(each, Payoffs) for each in value):
        return " and ".join(each.name for each in value)
    return repr(value)


def read_plan(directory: str | os.PathLike[str]) -> Plan:
    """Read the plan in a folder.

    Raises:
        UsageError: the folder holds no plan.
        AlignmentError: the plan is damaged.
    """
    path = Path(directory) / PLAN
    try:
        return Plan.from_config(json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        raise UsageError(
            f"{directory} holds no alignment: `ludens align BASE --out {directory}` makes one."
        ) from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise AlignmentError(
            f"{path} cannot be read ({error}): restore it, or start again in another folder."
        ) from None
