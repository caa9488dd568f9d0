"""A person at the keyboard as a policy."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TextIO

import numpy as np

from ludens.agents.policy import Decision, Policy
from ludens.envs import GameTree, Option, Step, Turn
from ludens.envs.tree.drawing import text
from ludens.errors import LudensError

if TYPE_CHECKING:
    from rich.console import Console


class PlayerLeftError(LudensError):
    """The person stopped (Ctrl-C, or the input ended) instead of choosing; nothing was decided or changed."""


class HumanPolicy(Policy):
    """Shows the turn in the terminal and asks which option to take.

    An option's name or its number in the list is an answer; anything else is asked again. Options that have
    numbers for names go without numbers in the list.

    Args:
        console: where to print; the terminal by default.
        stream: where to read lines from; the keyboard by default.
    """

    name = "human"

    def __init__(self, console: Console | None = None, stream: TextIO | None = None) -> None:
        self._console = console
        self._stream = stream

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other)

    def __hash__(self) -> int:
        return hash(type(self))

    def __getstate__(self) -> dict[str, Any]:
        # A console cannot be pickled: in another process the person sits at that one's terminal.
        return {"_console": None, "_stream": None}

    def describe(self) -> dict[str, Any]:
        """JSON values from which an equal policy can be made."""
        return {**super().describe(), "spec": self.name}

    def decide(self, turn: Turn, rng: np.random.Generator) -> Decision:
        """Ask until an option is chosen.

        Raises:
            PlayerLeftError: Ctrl-C was pressed, or the input ended.
        """
        from rich.console import Console

        console = self._console or Console()
        with _interruptible():
            try:
                _show(console, turn)
                return Decision(self._ask(console, turn))
            except (KeyboardInterrupt, EOFError) as why:
                console.print()
                how = "pressed Ctrl-C" if isinstance(why, KeyboardInterrupt) else "has no more input to give"
                raise PlayerLeftError(
                    f"The player of {turn.agent} {how} at {turn.node!r} of {turn.environment}: nothing was "
                    "decided, and the game stands where it stood."
                ) from None

    def _ask(self, console: Console, turn: Turn) -> int:
        from rich.markup import escape

        while True:
            # With a stream, rich hands on its line, which is "" at its end where the keyboard would raise.
            reply = console.input("[bold]Your choice:[/bold] ", stream=self._stream)
            if self._stream is not None and not reply:
                raise EOFError
            answer = reply.strip()
            meant = _meant(turn.options, answer)
            if meant is not None:
                return meant.action
            numbers = f"a number from 1 to {len(turn.options)}, or " if _numbered(turn.options) else ""
            problem = f"{answer!r} is no option: type {numbers}a name."
            console.print(f"[red]{escape(problem)}[/red]")


def _meant(options: Sequence[Option], answer: str) -> Option | None:
    """The only option that the answer can mean; a name as it is written goes before one in another case."""
    if _numbered(options) and answer in map(str, range(1, len(options) + 1)):
        return options[int(answer) - 1]
    for same in (str.strip, lambda name: name.strip().casefold()):
        found = [option for option in options if same(option.name) == same(answer)]
        if len(found) == 1:
            return found[0]
    return None


def _numbered(options: Sequence[Option]) -> bool:
    """Whether places in the list can be typed: not where they could be taken for names."""
    return not any(option.name.strip().isdecimal() for option in options)


@contextmanager
def _interruptible() -> Iterator[None]:
    """Let Ctrl-C reach a waiting prompt: an event loop takes the signal for itself, and waits for Enter."""
    # A handler that was not set from Python (None) could not be put back.
    handled = signal.getsignal(signal.SIGINT) is not None
    if threading.current_thread() is not threading.main_thread() or not handled:
        yield
        return
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _show(console: Console, turn: Turn) -> None:
    from rich.text import Text

    console.print()
    console.rule(Text(turn.environment))
    where = f"Round {turn.round + 1} of {turn.rounds}. " if turn.rounds > 1 else ""
    part = f"You are {turn.agent}, in the role of {turn.role}."
    if turn.method == "strategy":
        part = f"You are {turn.agent}. Choose as {turn.role}, in case you come to stand here."
    console.print(Text(where + part, style="bold"))
    for number, seen in enumerate(turn.past, start=1):
        points = ", ".join(f"{role} {value:g}" for role, value in seen.payoffs.items())
        console.print(
            Text(f"Round {number}, you as {seen.role}: {_told(seen.path)}; points: {points}", style="dim")
        )
    if isinstance(turn.game, GameTree):
        console.print()
        console.print(Text(text(turn.game, turn.known, here=turn.node)), soft_wrap=True)
    console.print()
    if turn.known:
        told = "Suppose that this has happened" if turn.method == "strategy" else "So far"
        console.print(Text(f"{told}: {_told(turn.known)}."))
    for place, option in enumerate(turn.options, start=1):
        console.print(Text(f"  {place}  {option.name}" if _numbered(turn.options) else f"  {option.name}"))


def _told(path: Sequence[Step]) -> str:
    return ", ".join(f"{step.role or step.label}: {step.option}" for step in path)
