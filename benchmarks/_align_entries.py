"""The alignments of `align.py`: device, target and sizes of each."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ludens.training.alignment import Plan, Sizes, make_plan

MODEL = "local/smollm2-135m"
FULL = Sizes(held_out=64, others=16, thinking=4, periods=6, studies=(2,))
AGAIN = Sizes(
    held_out=64, others=0, thinking=0, periods=0, studies=(), perplexity=False, compared=False
)  # fmt: skip
WIDER = replace(AGAIN, others=16)


@dataclass(frozen=True)
class Entry:
    """One alignment."""

    kappa: float
    seed: int
    device: str = "cpu"
    processes: int = 1

    @property
    def on_cpu(self) -> bool:
        """Whether it is trained on a CPU."""
        return self.device == "cpu"

    @property
    def place(self) -> str:
        """The device's name in tables."""
        return "CPU" if self.on_cpu else "GPU"

    @property
    def name(self) -> str:
        """The name of its folder."""
        target = f"moralis-{self.kappa:g}" if self.kappa else "economicus"
        return f"{'' if self.on_cpu else self.device + '-'}{target}-seed{self.seed}"

    @property
    def title(self) -> str:
        """Its title in tables."""
        target = f"moralis κ = {self.kappa:g}" if self.kappa else "economicus"
        return target if self.on_cpu else f"{target}, GPU"

    @property
    def examples(self) -> int:
        """The number of training examples; homo moralis has longer rationales and so fewer examples."""
        if not self.on_cpu:
            return 4096
        return 384 if self.kappa else 512

    @property
    def full(self) -> bool:
        """Whether the base and the persona are examined too, and transfer is measured."""
        return self.on_cpu and self.seed == 0 and self.kappa in (0, 0.5)

    @property
    def sizes(self) -> Sizes:
        """The numbers of questions."""
        if self.full:
            return FULL
        return AGAIN if self.on_cpu or self.seed or self.kappa not in (0, 0.5) else WIDER

    def plan(self) -> Plan:
        """The plan of the alignment."""
        to = "moralis" if self.kappa else "economicus"
        return make_plan(
            MODEL, to, kappa=self.kappa or None, examples=self.examples, seed=self.seed, batched=True,
            sizes=self.sizes, processes=self.processes, device="auto" if self.on_cpu else self.device,
            batch_size=(2 if self.kappa else 4) if self.on_cpu else 16,
            learning_rate=2e-3 if self.kappa else 1e-3, payoffs=None if self.kappa else (1, 9),
        )  # fmt: skip


ENTRIES = (
    *(Entry(kappa, 0) for kappa in (0, 0.5, 0.25, 0.75)),
    *(Entry(kappa, seed, processes=2 if kappa else 1) for seed in (1, 2) for kappa in (0, 0.5)),
)
ON_GPU = tuple(
    Entry(kappa, seed, "cuda") for kappas in ((0.5, 0), (0.25, 0.75)) for seed in range(3) for kappa in kappas
)
