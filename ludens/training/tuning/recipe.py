"""The hyper-parameters of fine-tuning. The defaults are our choice, for the embedded model on a CPU."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from types import MappingProxyType
from typing import Any, Literal, get_args

from ludens.errors import UsageError

Method = Literal["lora", "full"]
Device = Literal["auto", "cpu", "cuda"]

MODULES = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
"""The projections of a Llama block that have an adapter."""
RATES: Mapping[Method, float] = MappingProxyType({"lora": 2e-3, "full": 2e-4})
"""Learning rates of short trainings if none is given."""
SHORT = 100
"""Number of steps up to which a training is short. Longer ones need a lower rate (Bjorck et al. 2024, arXiv
2409.19913); that it falls with the cube root of their steps is our choice."""


@dataclass(frozen=True)
class Recipe:
    """The hyper-parameters of a tuning; equal recipes give the same model on the same data and machine.

    Attributes:
        method: ``"lora"`` trains low-rank adapters (Hu et al. 2022), ``"full"`` all weights.
        rank, scale: r and α of the adapters; updates are multiplied by α/r.
        learning_rate: the highest learning rate, which rises over the first steps and falls linearly to 0;
            None for 0.002 for adapters and 0.0002 for all weights, and less in long trainings, see `rate`.
        warmup: share of the steps over which it rises, in [0, 1).
        epochs: passes over the training examples; may be a fraction.
        batch_size: examples per step, over all devices; None for the fewest, but 2, that divide among the
            devices, see `batch`.
        per_device: examples computed together on one device; None for its whole share of a step.
        seed: seed of the adapters' initial values and of the order of examples.
        device: ``"auto"`` uses a GPU if there is one.
        processes: number of devices, or of processes on a CPU, that train together by Accelerate, each on its
            share of a step's examples.
        threads: threads of torch on a CPU, in each process; None for one per available core.
        checkpoint_steps: number of steps between checkpoints, from which a killed tuning resumes.
        check_steps: number of steps between checks of agreement; None for no checks.
        check_examples: number of validation examples in a check, of those that ask for a choice.
        enough: agreement in [0, 1] at which a tuning stops.
        patience: number of checks without improvement after which a tuning stops; None for no limit.
        replay: weight of the divergence from the base on plain text, see `ludens.training.tuning.replay`; 0
            for none.
        replay_pieces: largest number of pieces of that text, which the base writes first.
    """

    method: Method = "lora"
    rank: int = 16
    scale: int = 32
    learning_rate: float | None = None
    warmup: float = 0.05
    epochs: float = 1.0
    batch_size: int | None = None
    per_device: int | None = None
    seed: int = 0
    device: Device = "auto"
    processes: int = 1
    threads: int | None = None
    checkpoint_steps: int = 20
    check_steps: int | None = None
    check_examples: int = 32
    enough: float = 1.0
    patience: int | None = None
    replay: float = 0.0
    replay_pieces: int = 96

    def __post_init__(self) -> None:
        for name, allowed in (("method", get_args(Method)), ("device", get_args(Device))):
            if getattr(self, name) not in allowed:
                raise UsageError(
                    f"A recipe's {name} is one of {', '.join(allowed)}; got {getattr(self, name)!r}."
                )
        for name in (
            "rank",
            "scale",
            "processes",
            "checkpoint_steps",
            "check_examples",
            "replay_pieces",
        ):
            _whole(name, getattr(self, name))
        for name in ("batch_size", "per_device", "threads", "check_steps", "patience"):
            if getattr(self, name) is not None:
                _whole(name, getattr(self, name))
        _whole("seed", self.seed, least=0)
        if self.learning_rate is not None:
            _number("learning_rate", self.learning_rate, math.inf)
        _number("epochs", self.epochs, math.inf)
        _number("enough", self.enough, 1.0)
        _number("replay", self.replay, math.inf, positive=False)
        if not isinstance(self.warmup, int | float) or not 0 <= self.warmup < 1:
            raise UsageError(f"A recipe's warmup is a share from 0 up to below 1; got {self.warmup!r}.")
        each = self.per_device or self.batch
        if self.batch % (each * self.processes) and self.per_device is not None:
            raise UsageError(
                f"A step's {self.batch} examples do not divide into {self.processes} process(es) of "
                f"{each}: choose a batch_size that is a multiple of {each * self.processes}."
            )
        if self.batch % self.processes:
            raise UsageError(
                f"A step's {self.batch} examples do not divide into {self.processes} processes: choose "
                f"a batch_size that is a multiple of {self.processes}."
            )

    @property
    def batch(self) -> int:
        """Examples per step, over all devices."""
        together = (self.per_device or 1) * self.processes
        return together * math.ceil(2 / together) if self.batch_size is None else self.batch_size

    def steps(self, examples: int) -> int:
        """Return the number of steps of a training on so many examples."""
        return math.ceil(examples * self.epochs / self.batch)

    def rate(self, examples: int) -> float:
        """Return the highest learning rate of a training on so many examples."""
        if self.learning_rate is not None:
            return self.learning_rate
        return RATES[self.method] / math.cbrt(max(1.0, self.steps(examples) / SHORT))

    def for_data(self, examples: int) -> Recipe:
        """Return the recipe of a training on so many examples, with its learning rate and batch size."""
        return replace(self, learning_rate=self.rate(examples), batch_size=self.batch)

    def to_json(self) -> dict[str, Any]:
        """Return JSON values from which the recipe can be made again."""
        return asdict(self)


def _whole(name: str, value: object, least: int = 1) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise UsageError(f"A recipe's {name} is a whole number of at least {least}; got {value!r}.")


def _number(name: str, value: object, most: float, *, positive: bool = True) -> None:
    if (
        not isinstance(value, int | float)
        or isinstance(value, bool)
        or not 0 <= value <= most
        or (positive and value == 0)
        or value == math.inf
    ):
        limit = f" and at most {most:g}" if most < math.inf else ""
        least = "above" if positive else "of at least"
        raise UsageError(f"A recipe's {name} is a number {least} 0{limit}; got {value!r}.")
