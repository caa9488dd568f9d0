"""The engines of this process: one for each model and settings, loaded when first asked for."""

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
    """An engine, or where it will be; the lock keeps others waiting while it is loaded."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    engine: Engine | None = None


_places: dict[_Key, _Place] = {}
_lock = threading.Lock()
_left_behind = False  # this process was forked off one that had engines


def engine_for(reference: Reference, settings: Settings) -> Engine:
    """The engine that runs a model, loaded at the first call; any thread may ask.

    Raises:
        LocalModelError: it cannot be loaded, or what it needs is not installed.
    """
    if _left_behind:
        raise LocalModelError(
            f"The model local/{reference.name} cannot run in a process that was forked off one that already "
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
    """Which engine runs a model under these settings.

    Raises:
        LocalModelError: the settings name llama.cpp, and the model is no GGUF file.
    """
    if settings.engine == "auto":
        return reference.engine
    if settings.engine == "llamacpp" and reference.engine != "llamacpp":
        raise LocalModelError(
            f"llama.cpp runs GGUF files only and {reference.path} is none: leave the setting "
            "engine at 'auto'."
        )
    return settings.engine


def close_all() -> None:
    """Close every engine of this process; later requests load anew."""
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
    # The child has none of the engines' threads, a lock that a thread of the parent held stays locked, and
    # llama.cpp and OpenMP wait for ever in a child whose parent has used them.
    global _lock, _left_behind  # noqa: PLW0603 - both are per process
    _lock = threading.Lock()
    for place in _places.values():
        _left_behind = True
        if place.engine is not None:
            place.engine.abandon()
    _places.clear()


atexit.register(close_all)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_after_fork)
