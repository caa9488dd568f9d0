"""Repeated pricing markets: run firms in them, measure what they did, and report it.

Everything is loaded when it is first named: a command that lists environments does not wait for it.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ludens.experiments.pricing.analysis import Analysis, analyse
    from ludens.experiments.pricing.measures import RunMeasures, measure
    from ludens.experiments.pricing.null import Null, myopic_null
    from ludens.experiments.pricing.panels import Note, Panel, panel_of
    from ludens.experiments.pricing.play import play_pricing, resume_pricing
    from ludens.experiments.pricing.reading import panel
    from ludens.experiments.pricing.regression import Regression, regress
    from ludens.experiments.pricing.report import write_report
    from ludens.experiments.pricing.result import PricingResult, load_result
    from ludens.experiments.pricing.texts import count_sentences

# Each name with the module that holds it.
_HOME_OF = {
    "Analysis": "analysis",
    "analyse": "analysis",
    "Note": "panels",
    "Null": "null",
    "Panel": "panels",
    "PricingResult": "result",
    "Regression": "regression",
    "RunMeasures": "measures",
    "count_sentences": "texts",
    "load_result": "result",
    "measure": "measures",
    "myopic_null": "null",
    "panel": "reading",
    "panel_of": "panels",
    "play_pricing": "play",
    "regress": "regression",
    "resume_pricing": "play",
    "write_report": "report",
}

__all__ = [
    "Analysis",
    "Note",
    "Null",
    "Panel",
    "PricingResult",
    "Regression",
    "RunMeasures",
    "analyse",
    "count_sentences",
    "load_result",
    "measure",
    "myopic_null",
    "panel",
    "panel_of",
    "play_pricing",
    "regress",
    "resume_pricing",
    "write_report",
]


def __getattr__(name: str) -> Any:
    """Load the module of a name when it is first asked for (PEP 562)."""
    if name not in _HOME_OF:
        raise AttributeError(f"module 'ludens.experiments.pricing' has no attribute {name!r}")
    return getattr(importlib.import_module(f"ludens.experiments.pricing.{_HOME_OF[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
