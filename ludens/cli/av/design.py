"""Parsing of `ludens av --vary`: the design variables of vignettes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ludens.errors import UsageError

if TYPE_CHECKING:
    from ludens.envs.av.dilemma.vignette import Vignette


def design_of(variables: Sequence[str], perspectives: Sequence[str]) -> tuple[Vignette, ...]:
    """Return every combination of values such as ``pedestrians=1/10`` and ``passengers=self+child``.

    Raises:
        UsageError: one cannot be read, or is out of its range.
    """
    from ludens.envs.av.dilemma.studies import free_design

    values: dict[str, Any] = {"perspective": list(perspectives)}
    for text in variables:
        name, equals, tail = (part.strip() for part in text.partition("="))
        parts = [part.strip() for part in tail.split("/") if part.strip()]
        if not equals or not parts or (name in values and name != "perspective"):
            raise UsageError(
                f"--vary {text!r} cannot be read: write NAME=VALUE/VALUE, each name once, as in "
                "pedestrians=1/10/100."
            )
        values[name] = [_value(name, part) for part in parts]
    return free_design(**values)


def _value(name: str, text: str) -> Any:
    if name == "passengers":
        return tuple(part.strip() for part in text.split("+"))
    kind = {"pedestrians": int, "certainty": float}.get(name, str)
    try:
        return kind(text)
    except ValueError:
        raise UsageError(f"--vary {name} takes numbers, as in {name}=1/10; got {text!r}.") from None
