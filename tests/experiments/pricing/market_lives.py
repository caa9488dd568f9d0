"""Plays pricing runs again and again; see `tests.experiments.lives`."""

from __future__ import annotations

from typing import Any

from ludens.experiments import resume
from ludens.experiments.pricing.study import play_pricing
from tests.experiments.lives import serve

FUNCTIONS = {"play_pricing": play_pricing, "resume": resume}


def life(name: str, **arguments: Any) -> int:
    """Call the function with this name."""
    FUNCTIONS[name](**arguments)
    return 0


serve(life)
