"""Plays pricing runs again and again; see `tests.experiments.lives`."""

from __future__ import annotations

from typing import Any

from ludens.experiments.pricing import implant, play
from tests.experiments.lives import serve

HOMES = {
    "play_pricing": play,
    "resume_pricing": play,
    "implant": implant,
    "resume_implant": implant,
}


def life(name: str, **arguments: Any) -> int:
    """Call the function of `ludens.experiments.pricing` with this name."""
    getattr(HOMES[name], name)(**arguments)
    return 0


serve(life)
