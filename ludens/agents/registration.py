"""Registration of one seat against policies with Gymnasium, as ``ludens/Against-v0``.

``gymnasium.make("ludens.agents:ludens/Against-v0", …)`` imports this package first, in other processes too.
"""

from __future__ import annotations

import gymnasium

ENVIRONMENT = "ludens/Against-v0"


def register() -> None:
    """Add it to Gymnasium's registry; repeating this changes nothing."""
    if ENVIRONMENT not in gymnasium.registry:
        gymnasium.register(
            ENVIRONMENT,
            entry_point="ludens.agents.single_agent:against",
            vector_entry_point="ludens.agents.single_agent:against_many",
        )


register()
