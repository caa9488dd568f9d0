"""The prefixes of chats that the slots of an engine hold in their caches."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Sequence

from ludens.agents.local.engine import Message


def prefix(messages: Sequence[Message]) -> tuple[Message, ...]:
    """Return the part of a chat that other requests probably share: all but the last paragraph.

    It is empty if the last message has a single paragraph, or is the assistant's.
    """
    content = messages[-1].get("content")
    if messages[-1].get("role") == "assistant" or not isinstance(content, str):
        return ()
    head = content.rpartition("\n\n")[0]
    return (*messages[:-1], {**messages[-1], "content": head}) if head.strip() else ()


class PrefixCache:
    """The prefix that each slot holds; a new prefix replaces the least recently used one."""

    def __init__(self, slots: Iterable[int]) -> None:
        self._kept: OrderedDict[int, tuple[Message, ...]] = OrderedDict((slot, ()) for slot in slots)

    def place(self, first: tuple[Message, ...]) -> tuple[int, bool]:
        """Assign a prefix to a slot; return the slot, and whether it holds the prefix already."""
        for slot, kept in self._kept.items():
            if first and kept == first:
                self._kept.move_to_end(slot)
                return slot, True
        slot = next(iter(self._kept))
        self._kept[slot] = first
        self._kept.move_to_end(slot)
        return slot, False

    def clear(self) -> None:
        """Forget what all slots hold."""
        for slot in self._kept:
            self._kept[slot] = ()
