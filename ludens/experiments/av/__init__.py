"""Dilemmas of autonomous vehicles: ask respondents, let populations choose cars, measure, and report.

Everything is loaded when it is first named: a command that lists environments does not wait for it.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ludens.experiments.av.adopting import AdoptionResult, adopt, load_adoption, seat_adoption
    from ludens.experiments.av.adoption import AdoptionPaths, simulate_adoption
    from ludens.experiments.av.measures import DilemmaMeasures, measure
    from ludens.experiments.av.moral import (
        MoralMeasures,
        measure_moral_machine,
        moral_machine,
        resume_moral_machine,
    )
    from ludens.experiments.av.play import ask, resume_ask
    from ludens.experiments.av.report import write_report
    from ludens.experiments.av.result import DilemmaResult, load_result

# Each name with the module that holds it.
_HOME_OF = {
    "AdoptionPaths": "adoption",
    "AdoptionResult": "adopting",
    "DilemmaMeasures": "measures",
    "DilemmaResult": "result",
    "MoralMeasures": "moral",
    "adopt": "adopting",
    "ask": "play",
    "load_adoption": "adopting",
    "load_result": "result",
    "measure": "measures",
    "measure_moral_machine": "moral",
    "moral_machine": "moral",
    "resume_ask": "play",
    "resume_moral_machine": "moral",
    "seat_adoption": "adopting",
    "simulate_adoption": "adoption",
    "write_report": "report",
}

__all__ = [
    "AdoptionPaths",
    "AdoptionResult",
    "DilemmaMeasures",
    "DilemmaResult",
    "MoralMeasures",
    "adopt",
    "ask",
    "load_adoption",
    "load_result",
    "measure",
    "measure_moral_machine",
    "moral_machine",
    "resume_ask",
    "resume_moral_machine",
    "seat_adoption",
    "simulate_adoption",
    "write_report",
]


def __getattr__(name: str) -> Any:
    """Load the module of a name when it is first asked for (PEP 562)."""
    if name not in _HOME_OF:
        raise AttributeError(f"module 'ludens.experiments.av' has no attribute {name!r}")
    return getattr(importlib.import_module(f"ludens.experiments.av.{_HOME_OF[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
