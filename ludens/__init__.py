"""ludens: agents with preferences play economic games.

The rooms, each importing only those before it:

* `ludens.envs`: games as data and their PettingZoo environments,
* `ludens.preferences`: utilities, universalisation and the oracle,
* `ludens.agents`: policies, language models among them,
* `ludens.experiments`: runs, their store, measures and reports,
* `ludens.training`: oracle-labelled data sets, fine-tuning, and what it changed,
* `ludens.cli`: the command `ludens`.

`ludens.testing` holds tests for environments and policies of one's own.

`import ludens` loads none of them: each is loaded when it is first named (`ludens.envs`), and the heavy
libraries only when something needs them.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ludens import agents, cli, envs, experiments, preferences, testing, training

    __version__: str

__all__ = ["__version__", "agents", "cli", "envs", "experiments", "preferences", "testing", "training"]

_ROOMS = frozenset(__all__) - {"__version__"}


def __getattr__(name: str) -> Any:
    """Load a room, or look up the version, when it is first asked for (PEP 562)."""
    if name in _ROOMS:
        return importlib.import_module(f"ludens.{name}")
    if name == "__version__":
        return importlib.import_module("ludens.version").installed_version()
    raise AttributeError(f"module 'ludens' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
