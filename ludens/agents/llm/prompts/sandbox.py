"""Jinja2 as prompts use it: templates read what a turn says, and reach nothing else."""

from __future__ import annotations

from typing import Any

from jinja2.sandbox import SandboxedEnvironment

_PLAIN = (str, int, float, tuple, list, dict, set, frozenset)


class PromptEnvironment(SandboxedEnvironment):
    """Jinja2's sandbox, in which templates call no methods but those of plain values.

    A template of the user's own is part of a run's file, which may be somebody else's, and what a turn holds
    has methods with effects: an array of NumPy's writes itself to a file.
    """

    def is_safe_callable(self, obj: Any) -> bool:
        """Return whether a template may call this."""
        owner = getattr(obj, "__self__", None)
        known = owner is None or isinstance(owner, _PLAIN) or type(owner).__module__.startswith("jinja2.")
        return known and super().is_safe_callable(obj)
