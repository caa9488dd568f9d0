"""Firms in a repeated pricing market: benchmarks that know it, and language models that do not.

Importing this package loads neither LiteLLM nor Jinja2.
"""

from __future__ import annotations

from ludens.agents.pricing.dynamic import BestReplyFirm
from ludens.agents.pricing.firms import firm_names, make_firm
from ludens.agents.pricing.llm import PricingLLMPolicy
from ludens.agents.pricing.matching import MatchingFirm
from ludens.agents.pricing.oracles import (
    FixedFirm,
    GrimFirm,
    MonopolyFirm,
    MoralisFirm,
    MyopicFirm,
    NashFirm,
    PricingPolicy,
    RandomFirm,
)
from ludens.agents.pricing.replies import FirmReading, read_firm, read_price
from ludens.agents.pricing.view import FirmView, firm_view
from ludens.agents.pricing.wording import Telling, prefixes, render_firm

__all__ = [
    "BestReplyFirm",
    "FirmReading",
    "FirmView",
    "FixedFirm",
    "GrimFirm",
    "MatchingFirm",
    "MonopolyFirm",
    "MoralisFirm",
    "MyopicFirm",
    "NashFirm",
    "PricingLLMPolicy",
    "PricingPolicy",
    "RandomFirm",
    "Telling",
    "firm_names",
    "firm_view",
    "make_firm",
    "prefixes",
    "read_firm",
    "read_price",
    "render_firm",
]
