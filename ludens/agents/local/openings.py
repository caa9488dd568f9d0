"""Which beginnings of chats the slots of an engine have read and keep."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Sequence

from ludens.agents.local.engine import Message


def opening(messages: Sequence[Message]) -> tuple[Message, ...]:
    """The part of a chat that other requests are likely to begin with: all before the last paragraph of the
    last message.

    Empty if that message has a single paragraph, or is the assistant's.
    """
    content = messages[-1].get("content")
    if messages[-1].get("role") == "assistant" or not isinstance(content, str):
        return ()
    head = content.rpartition("\n\n")[0]
    return (*messages[:-1], {**messages[-1], "content": head}) if head.strip() else ()


class Openings:
    """The opening of each slot; the slot that was used longest ago gives way."""

    def __init__(self, slots: Iterable[int]) -> None:
        self._kept: OrderedDict[int, tuple[Message, ...]] = OrderedDict((slot, ()) for slot in slots)

    def place(self, first: tuple[Message, ...]) -> tuple[int, bool]:
        """A slot for an opening, and whether the slot has read it before. From now on it is the slot's."""
        for slot, kept in self._kept.items():
            if first and kept == first:
                self._kept.move_to_end(slot)
                return slot, True
        slot = next(iter(self._kept))
        self._kept[slot] = first
        self._kept.move_to_end(slot)
        return slot, False

    def clear(self) -> None:
        """No slot is known to have read anything."""
        for slot in self._kept:
            self._kept[slot] = ()
