"""The engines of this process: one for each model and settings, loaded at the first request."""

from __future__ import annotations

import atexit
import os
import threading
from dataclasses import dataclass, field

from ludens.agents.local.engine import Engine, EngineName, Settings
from ludens.agents.local.resolve import LocalModelError, Reference

_Key = tuple[str, EngineName, Settings]


@dataclass
class _Place:
    """A place for an engine; its lock makes other threads wait while the engine is loaded."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    engine: Engine | None = None


_places: dict[_Key, _Place] = {}
_lock = threading.Lock()
_forked = False  # whether this process was forked from one that had engines


def engine_for(reference: Reference, settings: Settings) -> Engine:
    """Return the engine that runs a model, and load it at the first call; any thread may call this.

    Raises:
        LocalModelError: the model cannot be loaded, or a library that it needs is not installed.
    """
    if _forked:
        raise LocalModelError(
            f"The model local/{reference.name} cannot run in a process that was forked from one that already "
            "ran a local model: start processes with multiprocessing's 'spawn', or fork before the first use."
        )
    name = engine_name(reference, settings)
    key = (reference.path, name, settings)
    with _lock:
        place = _places.setdefault(key, _Place())
    with place.lock:  # a failed load leaves the place empty: the next caller tries again
        if place.engine is None:
            place.engine = _load(reference, name, settings)
        return place.engine


def engine_name(reference: Reference, settings: Settings) -> EngineName:
    """Return the name of the engine that runs a model under these settings.

    Raises:
        LocalModelError: the settings name llama.cpp, and the model is not a GGUF file.
    """
    if settings.engine == "auto":
        return reference.engine
    if settings.engine == "llamacpp" and reference.engine != "llamacpp":
        raise LocalModelError(
            f"llama.cpp runs GGUF files only, and {reference.path} is not one: leave the setting "
            "engine at 'auto'."
        )
    return settings.engine


def close_all() -> None:
    """Close every engine of this process; later requests load them again."""
    with _lock:
        places = list(_places.values())
        _places.clear()
    for place in places:
        with place.lock:
            if place.engine is not None:
                place.engine.close()
                place.engine = None


def _load(reference: Reference, name: EngineName, settings: Settings) -> Engine:
    if name == "llamacpp":
        from ludens.agents.local.llamacpp import LlamaCppEngine

        return LlamaCppEngine(reference, settings)
    from ludens.agents.local.hf import TransformersEngine

    return TransformersEngine(reference, settings)


def _forget_after_fork() -> None:
    # The engines' threads do not exist in the child, locks held by threads of the parent stay locked, and
    # llama.cpp and OpenMP wait for ever in a child whose parent has used them.
    global _lock, _forked  # noqa: PLW0603 - both are per process
    _lock = threading.Lock()
    for place in _places.values():
        _forked = True
        if place.engine is not None:
            place.engine.abandon()
    _places.clear()


atexit.register(close_all)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_after_fork)
