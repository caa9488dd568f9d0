"""Jinja2 as prompts use it: templates read what a turn says, and reach nothing else."""

from __future__ import annotations

from typing import Any

from jinja2.runtime import Context
from jinja2.sandbox import SandboxedEnvironment

MOST_TIMES = 1000
"""How often `*` may repeat a text or a list, and the largest exponent of `**`."""

_PLAIN = (str, int, float, tuple, list, dict, set, frozenset)


class PromptEnvironment(SandboxedEnvironment):
    """Jinja2's sandbox, in which templates call no methods but those of plain values.

    A template of the user's own is part of a run's file, which may be somebody else's, and what a turn holds
    has methods with effects: an array of NumPy's writes itself to a file.
    """

    # Jinja2 computes with constants as it compiles: a template that is only looked at would not end.
    intercepted_binops = frozenset({"*", "**"})

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        """Compute a product or a power of a template.

        Raises:
            OverflowError: it would take all of the memory.
        """
        numbers = isinstance(left, int | float) and isinstance(right, int | float)
        if any(isinstance(times, int) and abs(times) > MOST_TIMES for times in (left, right)) and (
            operator == "**" or not numbers
        ):
            raise OverflowError(f"{operator} is for numbers up to {MOST_TIMES} here")
        return super().call_binop(context, operator, left, right)

    def is_safe_callable(self, obj: Any) -> bool:
        """Return whether a template may call this."""
        owner = getattr(obj, "__self__", None)
        known = owner is None or isinstance(owner, _PLAIN) or type(owner).__module__.startswith("jinja2.")
        return known and super().is_safe_callable(obj)
