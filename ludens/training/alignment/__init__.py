"""From a base model to one with chosen preferences, measured before and after.

from ludens.training.alignment import align, make_plan
files = align(make_plan("local/smollm2-135m", "moralis", kappa=0.5), "runs/moral")
"""

from __future__ import annotations

from ludens.training.alignment.plan import AlignmentError, Plan, Sizes, make_plan, read_plan
from ludens.training.alignment.result import AlignmentResult, load_result, to_json
from ludens.training.alignment.stages import Files, align

__all__ = [
    "AlignmentError",
    "AlignmentResult",
    "Files",
    "Plan",
    "Sizes",
    "align",
    "load_result",
    "make_plan",
    "read_plan",
    "to_json",
]
