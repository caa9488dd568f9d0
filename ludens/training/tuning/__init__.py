"""Local fine-tuning: TRL's trainers and PEFT's adapters on a data set of labelled turns."""

from ludens.training.tuning.export import export
from ludens.training.tuning.grpo import Reinforcement, reinforce
from ludens.training.tuning.recipe import Recipe
from ludens.training.tuning.tune import Tuned, TuningError, read_tuned, tune

__all__ = ["Recipe", "Reinforcement", "Tuned", "TuningError", "export", "read_tuned", "reinforce", "tune"]
