"""The names of policies and oracles, and the format of numbers, in tables and figures."""

from __future__ import annotations

import math
import re
from typing import SupportsFloat

from ludens.agents.registry import is_model_id, is_object, setting_of
from ludens.agents.trained.names import path_in
from ludens.display.printable import printable
from ludens.experiments.measures.intervals import Estimate

DASH = "–"

PREFERENCES = {"alpha": "α", "beta": "β", "kappa": "κ", "noise": "λ"}
"""The parameters of homo moralis with inequity aversion, and their letters."""

_JOINTS = re.compile("( − | [|] )")
_LETTERS = PREFERENCES | {"altruism": "a"}


def policy_name(label: str) -> str:
    """Return a policy's label for people: ``homo moralis κ=0.5`` for ``homo_moralis:0.5``, ``fixed 1.6`` for
    ``fixed:1.6``; model ids and objects of modules stay as they are.
    """
    label = printable(" ".join(label.split()))
    if is_model_id(label) or path_in(label) is not None:
        return label
    kind, _, settings = label.partition(":")
    if is_object(kind, settings.partition(":")[0]):
        return label
    name = kind.replace("_", " ")
    if not settings:
        return name
    first, *others = settings.split(",")
    # A bare value is that of the name's own setting, which may have a letter.
    letter = _LETTERS.get(setting_of(kind.rpartition(" ")[2]) or "")
    if "=" not in first:
        first = f"{letter}={first}" if letter else first
    shown = [
        re.sub(r"^\w+(?==)", lambda word: _LETTERS.get(word[0], word[0]), part) for part in (first, *others)
    ]
    return f"{name} {', '.join(shown)}"


def joined_names(label: str) -> str:
    """Return labels for people that are joined by ``" − "``, a difference, or by ``" | "``, with beliefs."""
    return "".join(
        part if _JOINTS.fullmatch(part) else policy_name(part) for part in _JOINTS.split(label) if part
    )


def shortened(name: str, most: int = 40) -> str:
    """Return a name without its middle where it is longer than `most` letters."""
    half = most // 2
    return name if len(name) <= most else f"{name[: half - 1]}…{name[-half:]}"


def oracle_name(kappa: float) -> str:
    """Return the name of the oracle with that weight on the Kantian motive."""
    return "homo economicus" if kappa == 0 else f"homo moralis κ={kappa:g}"


def percent(value: float | None) -> str:
    """Format a share as a whole percentage, and None as a dash."""
    return DASH if value is None else f"{100 * value:.0f}"


def finite(value: SupportsFloat) -> float | None:
    """Return a number as a float; None where it is not finite."""
    found = float(value)
    return found if math.isfinite(found) else None


def number(value: float | None, digits: int = 1) -> str:
    """Format a number with a true minus sign, and None or NaN as a dash."""
    if value is None or math.isnan(value):
        return DASH
    text = f"{value:.{digits}f}"
    return text.replace("-", "") if float(text) == 0 else text.replace("-", "−")


def share_range(estimate: Estimate) -> str:
    """Format the interval of a share in per cent, ``49–55``; empty without an interval."""
    if estimate.low is None or estimate.high is None:
        return ""
    return f"{percent(estimate.low)}–{percent(estimate.high)}"


def number_range(estimate: Estimate, digits: int = 1, scale: float = 1.0) -> str:
    """Format the interval of a number, ``−1.2 to 0.4``, or ``≥ 0.4`` if it is open; empty without one."""
    if estimate.low is None and estimate.high is None:
        return ""
    if estimate.high is None:
        return f"≥ {number(scale * (estimate.low or 0.0), digits)}"
    if estimate.low is None:
        return f"≤ {number(scale * estimate.high, digits)}"
    return f"{number(scale * estimate.low, digits)} to {number(scale * estimate.high, digits)}"
