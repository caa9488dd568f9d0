"""A person at the keyboard as a policy."""

from __future__ import annotations

import math
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from string import ascii_uppercase
from typing import TYPE_CHECKING, Any, TextIO

import numpy as np

from ludens.agents.policy import Decision, Policy
from ludens.envs import GameTree, Option, Step, Turn
from ludens.envs.foreign import NamedGame
from ludens.envs.tree.drawing import text
from ludens.errors import LudensError

if TYPE_CHECKING:
    from rich.console import Console


_LISTED = 20  # options that are listed one by one; longer lists are given by their ends


class PlayerLeftError(LudensError):
    """The error of a person who stopped (Ctrl-C, or the input ended); nothing was decided or changed."""


class HumanPolicy(Policy):
    """A person who is shown each turn in the terminal and asked which option to take, or for a number.

    An option's name or its number in the list is an answer, and its letter where the question gives letters;
    anything else is asked again. Options that have numbers for names go without numbers in the list.

    Args:
        console: where to print; the terminal by default.
        stream: where to read lines from; the keyboard by default.
        text: a function from a turn to the question in words; None to draw the game tree, if there is one.
    """

    name = "human"
    needs_person = True

    def __init__(
        self,
        console: Console | None = None,
        stream: TextIO | None = None,
        text: Callable[[Turn], str] | None = None,
    ) -> None:
        self._console = console
        self._stream = stream
        self._text = text

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other)

    def __hash__(self) -> int:
        return hash(type(self))

    def __getstate__(self) -> dict[str, Any]:
        # A console cannot be pickled: in another process the person sits at that one's terminal.
        return self.__dict__ | {"_console": None, "_stream": None}

    def describe(self) -> dict[str, Any]:
        """Return JSON values from which an equal policy can be made."""
        return self._described(spec=self.name)

    def decide(self, turn: Turn, rng: np.random.Generator) -> Decision:
        """Ask until an option is chosen, or a number within the turn's bounds, or a message is written.

        Raises:
            PlayerLeftError: Ctrl-C was pressed, or the input ended.
        """
        from rich.console import Console

        console = self._console or Console()
        with _interruptible():
            try:
                _show(console, turn, self._text)
                if turn.scale is not None and turn.scale.kind == "message":
                    return self._ask_message(console, turn, int(turn.scale.highest))
                ask = self._ask if turn.options else self._ask_number
                return Decision(ask(console, turn))
            except (KeyboardInterrupt, EOFError) as why:
                console.print()
                how = "pressed Ctrl-C" if isinstance(why, KeyboardInterrupt) else "has no more input to give"
                raise PlayerLeftError(
                    f"The player of {turn.agent} {how} at {turn.node!r} of {turn.environment}: nothing was "
                    "decided, and the game stands where it stood."
                ) from None

    def _ask(self, console: Console, turn: Turn) -> int:
        while True:
            answer = self._answer(console, "Your choice:")
            meant = _meant(turn.options, answer, lettered=self._text is not None)
            if meant is not None:
                return meant.action
            numbers = f"a number from 1 to {len(turn.options)}, or " if _numbered(turn.options) else ""
            _complain(console, f"{answer!r} is not an option: type {numbers}a name.")

    def _ask_message(self, console: Console, turn: Turn, longest: int) -> Decision:
        silence, speak = turn.options
        while True:
            text = " ".join(self._answer(console, "Your message (empty for none):").split())
            if not text:
                return Decision(silence.action)
            if text.casefold() == silence.name:
                _complain(console, "Type nothing at all to send no message.")
                continue
            if len(text) <= longest:
                return Decision(speak.action, notes={"message": text})
            _complain(console, f"A message has at most {longest} characters, and yours has {len(text)}.")

    def _ask_number(self, console: Console, turn: Turn) -> float:
        low, high = turn.interval if turn.interval is not None else (-math.inf, math.inf)
        while True:
            answer = self._answer(console, "Your number:")
            try:
                number = float(answer)
            except ValueError:
                number = math.nan
            if low <= number <= high and math.isfinite(number):
                return number
            _complain(console, f"{answer!r} is not a number from {low:g} to {high:g}.")

    def _answer(self, console: Console, prompt: str) -> str:
        # With a stream, rich hands on its line, which is "" at its end where the keyboard would raise.
        reply = console.input(f"[bold]{prompt}[/bold] ", stream=self._stream)
        if self._stream is not None and not reply:
            raise EOFError
        return reply.strip()


def _complain(console: Console, problem: str) -> None:
    from rich.markup import escape

    console.print(f"[red]{escape(problem)}[/red]")


def _meant(options: Sequence[Option], answer: str, *, lettered: bool) -> Option | None:
    """Return the only option that the answer can mean; a name as it is written goes before one in another
    case.
    """
    if _numbered(options) and answer in map(str, range(1, len(options) + 1)):
        return options[int(answer) - 1]
    if (
        lettered
        and _numbered(options)
        and len(answer) == 1
        and answer.upper() in ascii_uppercase[: len(options)]
    ):
        return options[ascii_uppercase.index(answer.upper())]
    for same in (str.strip, lambda name: name.strip().casefold()):
        matching = [option for option in options if same(option.name) == same(answer)]
        if len(matching) == 1:
            return matching[0]
    return None


def _numbered(options: Sequence[Option]) -> bool:
    """Return whether places in the list can be typed: not where they could be taken for names."""
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


def _show(console: Console, turn: Turn, worded: Callable[[Turn], str] | None) -> None:
    from rich.text import Text

    console.print()
    console.rule(Text(turn.environment))
    continuation = turn.facts.get("continuation")
    ends = (
        f"of {turn.rounds}"
        if continuation is None
        else f"(another follows with probability {continuation:g})"
    )
    where = f"Round {turn.round + 1} {ends}. " if turn.rounds > 1 else ""
    part = f"You are {turn.agent}, in the role of {turn.role}."
    if turn.method == "strategy":
        part = f"You are {turn.agent}. Choose as {turn.role}, in case you come to stand here."
    console.print(Text(where + part, style="bold"))
    for number, seen in enumerate(turn.past, start=1):
        points = ", ".join(f"{role} {value:g}" for role, value in seen.payoffs.items())
        console.print(
            Text(f"Round {number}, you as {seen.role}: {_named(seen.path)}; points: {points}", style="dim")
        )
    if isinstance(turn.game, GameTree):
        console.print()
        console.print(Text(text(turn.game, turn.known, here=turn.node)), soft_wrap=True)
    if worded is None and isinstance(turn.game, NamedGame):
        # Its rules are not known, so that what the environment tells is all there is to show.
        for name, fact in turn.facts.items():
            between = "\n" if "\n" in str(fact) else " "
            console.print(Text(f"{name}:{between}{fact}"), soft_wrap=True)
    if worded is not None:
        console.print()
        console.print(Text(worded(turn)))
    console.print()
    if turn.known:
        past = "Suppose that this has happened" if turn.method == "strategy" else "So far"
        console.print(Text(f"{past}: {_named(turn.known)}."))
    if not turn.options:
        low, high = turn.interval if turn.interval is not None else (-math.inf, math.inf)
        console.print(Text(f"  a number from {low:g} to {high:g}"))
    elif len(turn.options) > _LISTED:
        console.print(Text(f"  {turn.options[0].name} to {turn.options[-1].name}"))
    else:
        for place, option in enumerate(turn.options, start=1):
            console.print(
                Text(f"  {place}  {option.name}" if _numbered(turn.options) else f"  {option.name}")
            )


def _named(path: Sequence[Step]) -> str:
    return ", ".join(f"{step.role or step.label}: {step.option}" for step in path)
