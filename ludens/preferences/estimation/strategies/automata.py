"""Strategies of the repeated prisoner's dilemma as automata: a state says what to do, and what both did leads
to the next state.

After Dal Bó & Fréchette (American Economic Review 101(1), 2011) and Fudenberg, Rand & Dreber (AER 102(2),
2012). Actions are numbered 0 (defect) and 1 (cooperate).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ludens.errors import UsageError

Actions = NDArray[np.int8]
"""What was done, 0 (defect) or 1 (cooperate), and −1 where no round was played; shape (matches, rounds)."""


@dataclass(frozen=True)
class Automaton:
    """A strategy.

    Attributes:
        name: of the strategy.
        cooperates: of each state, whether it cooperates; state 0 is the first.
        follows: of each state, the next one by what oneself and the other did: DD, DC, CD, CC.
        about: in a few words.

    Raises:
        UsageError: a state is missing.
    """

    name: str
    cooperates: tuple[bool, ...]
    follows: tuple[tuple[int, int, int, int], ...]
    about: str = ""

    def __post_init__(self) -> None:
        states = len(self.cooperates)
        if not states or len(self.follows) != states:
            raise UsageError(f"The strategy {self.name} needs a row of next states for each of its states.")
        if any(len(row) != 4 or not all(0 <= state < states for state in row) for row in self.follows):
            raise UsageError(
                f"The strategy {self.name} names, for each state, four next states from 0 to {states - 1}."
            )

    def prescribed(self, own: Actions, other: Actions) -> Actions:
        """Return what the strategy does in every round, given what both really did before."""
        wanted = np.full(own.shape, -1, dtype=np.int8)
        does = np.array(self.cooperates, dtype=np.int8)
        follows = np.array(self.follows)
        states = np.zeros(len(own), dtype=np.intp)
        for round_ in range(own.shape[1]):
            played = own[:, round_] >= 0
            wanted[played, round_] = does[states[played]]
            moves = 2 * own[played, round_] + other[played, round_]
            states[played] = follows[states[played], moves]
        return wanted


def _after(states: str, rule: Callable[[int, bool, bool], int]) -> tuple[tuple[int, int, int, int], ...]:
    return tuple(
        (rule(n, False, False), rule(n, False, True), rule(n, True, False), rule(n, True, True))
        for n in range(len(states))
    )


def _automaton(name: str, states: str, rule: Callable[[int, bool, bool], int], about: str) -> Automaton:
    """Return an automaton from its states' actions ("C" or "D") and its rule (state, own, other) → state."""
    return Automaton(name, tuple(action == "C" for action in states), _after(states, rule), about)


_ALL = (
    _automaton("always_defect", "D", lambda n, me, you: 0, "defects"),
    _automaton("always_cooperate", "C", lambda n, me, you: 0, "cooperates"),
    _automaton("tit_for_tat", "CD", lambda n, me, you: 0 if you else 1, "does what the other did last"),
    _automaton(
        "suspicious_tit_for_tat", "DC", lambda n, me, you: 1 if you else 0, "tit for tat that begins with D"
    ),
    _automaton(
        "grim", "CD", lambda n, me, you: 0 if n == 0 and me and you else 1, "defects after any defection"
    ),
    _automaton(
        "win_stay_lose_shift", "CD", lambda n, me, you: 0 if me == you else 1, "cooperates after CC and DD"
    ),
    _automaton(
        "two_tits_for_tat",
        "CDD",
        lambda n, me, you: 1 if not you else (2 if n == 1 else 0),
        "defects twice after each defection of the other",
    ),
    _automaton(
        "tit_for_two_tats",
        "CCD",
        lambda n, me, you: 0 if you else min(n + 1, 2),
        "defects after two defections of the other in a row",
    ),
    _automaton(
        "t2",
        "CDD",
        lambda n, me, you: (0 if me and you else 1) if n == 0 else (2 if n == 1 else 0),
        "defects twice after any defection, then begins anew",
    ),
    _automaton(
        "grim_2",
        "CCD",
        lambda n, me, you: 2 if n == 2 else (0 if me and you else n + 1),
        "defects after two rounds with a defection in a row",
    ),
)

STRATEGIES: Mapping[str, Automaton] = {each.name: each for each in _ALL}
"""Strategies by name."""

DAL_BO_FRECHETTE = (
    *("always_defect", "always_cooperate", "grim", "tit_for_tat", "win_stay_lose_shift"),
    "t2",
)
"""The strategies of Dal Bó & Fréchette (2011, Table 7)."""


def find_strategies(names: Sequence[str | Automaton]) -> tuple[Automaton, ...]:
    """Return strategies, each by its name or as it is.

    Raises:
        UsageError: one is unknown, or stands twice, or there are fewer than two.
    """
    for name in names:
        if isinstance(name, str) and name not in STRATEGIES:
            raise UsageError(f"There is no strategy {name!r}; there are {', '.join(STRATEGIES)}.")
    chosen = tuple(STRATEGIES[name] if isinstance(name, str) else name for name in names)
    if len(chosen) < 2 or len({each.name for each in chosen}) < len(chosen):
        raise UsageError("Name at least two strategies, each once.")
    return chosen
