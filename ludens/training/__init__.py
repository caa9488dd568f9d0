"""Oracle-labelled turns as data sets, and models tuned on them."""

from __future__ import annotations

from ludens.training.data.build import HELD_OUT, build_dataset, training_framings
from ludens.training.data.dataset import DataSet, DataSetError
from ludens.training.data.example import Example, Reasoning
from ludens.training.data.games import Payoffs

__all__ = [
    "HELD_OUT",
    "DataSet",
    "DataSetError",
    "Example",
    "Payoffs",
    "Reasoning",
    "build_dataset",
    "training_framings",
]
