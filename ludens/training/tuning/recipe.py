"""The hyper-parameters of a fine-tuning. The defaults are our own choice, for the embedded model on a CPU."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

from ludens.errors import UsageError

Method = Literal["lora", "full"]
Device = Literal["auto", "cpu", "cuda"]

MODULES = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
"""The projections of a Llama block that an adapter stands on."""


@dataclass(frozen=True)
class Recipe:
    """How to tune. Two equal recipes on the same data and machine give the same model.

    Attributes:
        method: ``"lora"`` trains low-rank adapters (Hu et al. 2022), ``"full"`` all weights.
        rank, scale: r and α of the adapters; updates are multiplied by α/r.
        learning_rate: at its peak; it rises over the first steps and falls linearly to 0.
        warmup: share of the steps over which it rises, 0–1.
        epochs: passes over the training examples; may be a fraction.
        batch_size: examples per step, over all devices.
        per_device: examples computed at once on one device; None for all of its share of a step.
        seed: of the adapters' start and of the order of examples.
        device: ``"auto"`` takes a GPU where there is one.
        processes: how many devices, or processes on a CPU, train together by Accelerate, each on its share of
            a step's examples.
        threads: of torch on a CPU, in each process; None for as many as there are cores for it.
        checkpoint_steps: after so many steps the state is kept, from which a killed tuning goes on.
        check_steps: after so many steps the agreement on `check_examples` held-out turns is taken; None for
            never.
        check_examples: how many of the validation examples.
        enough: a tuning stops at this agreement, 0–1.
        patience: it stops after so many checks without a better one; None for never.
    """

    method: Method = "lora"
    rank: int = 16
    scale: int = 32
    learning_rate: float = 1e-3
    warmup: float = 0.05
    epochs: float = 1.0
    batch_size: int = 4
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

    def __post_init__(self) -> None:
        for name, allowed in (("method", get_args(Method)), ("device", get_args(Device))):
            if getattr(self, name) not in allowed:
                raise UsageError(
                    f"A recipe's {name} is one of {', '.join(allowed)}; got {getattr(self, name)!r}."
                )
        for name in ("rank", "scale", "batch_size", "processes", "checkpoint_steps", "check_examples"):
            _whole(name, getattr(self, name))
        for name in ("per_device", "threads", "check_steps", "patience"):
            if getattr(self, name) is not None:
                _whole(name, getattr(self, name))
        _whole("seed", self.seed, least=0)
        _number("learning_rate", self.learning_rate, math.inf)
        _number("epochs", self.epochs, math.inf)
        _number("enough", self.enough, 1.0)
        if not isinstance(self.warmup, int | float) or not 0 <= self.warmup < 1:
            raise UsageError(f"A recipe's warmup is a share from 0 up to below 1; got {self.warmup!r}.")
        each = self.per_device or self.batch_size
        if self.batch_size % (each * self.processes) and self.per_device is not None:
            raise UsageError(
                f"A step's {self.batch_size} examples do not divide into {self.processes} process(es) of "
                f"{each}: choose a batch_size that is a multiple of {each * self.processes}."
            )
        if self.batch_size % self.processes:
            raise UsageError(
                f"A step's {self.batch_size} examples do not divide into {self.processes} processes: choose "
                f"a batch_size that is a multiple of {self.processes}."
            )

    def to_json(self) -> dict[str, Any]:
        """JSON values from which an equal recipe can be made."""
        return asdict(self)


def _whole(name: str, value: object, least: int = 1) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise UsageError(f"A recipe's {name} is a whole number of at least {least}; got {value!r}.")


def _number(name: str, value: object, most: float) -> None:
    if (
        not isinstance(value, int | float)
        or isinstance(value, bool)
        or not 0 < value <= most
        or value == math.inf
    ):
        limit = f" and at most {most:g}" if most < math.inf else ""
        raise UsageError(f"A recipe's {name} is a number above 0{limit}; got {value!r}.")
