"""The order in which episodes are handed out, so that one slow or limited model does not keep the others of a
run waiting.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Collection, Iterable

from ludens.experiments.runs.records import EpisodeSpec

LaneOf = Callable[[EpisodeSpec], str]
"""Returns the lane of an episode: those of one model on one server share it."""


class Lanes:
    """Episodes that wait to be played, one lane for each model.

    The next episode comes from the lane with the fewest under way, within a lane in the order given. A model
    that answers slowly, or whose limit is waited out, holds no more than its share, and the whole of it when
    the others are done.

    Args:
        waiting: the episodes in their order.
        lane_of: None for one lane.
        first: the numbers of episodes that come before all others, from whichever lane.
    """

    def __init__(
        self, waiting: Iterable[EpisodeSpec], lane_of: LaneOf | None = None, first: Collection[int] = ()
    ) -> None:
        self._lane_of = lane_of or (lambda spec: "")
        self._first = frozenset(first)
        self._lanes: dict[str, deque[tuple[int, EpisodeSpec]]] = {}
        for place, spec in enumerate(waiting):
            self._lanes.setdefault(self._lane_of(spec), deque()).append((place, spec))
        self._under_way: Counter[str] = Counter()

    def take(self) -> EpisodeSpec | None:
        """Return the next episode, which is under way from now on; None if none waits."""
        if not self._lanes:
            return None

        def rank(lane: str) -> tuple[bool, int, int]:
            place, spec = self._lanes[lane][0]
            return spec.index not in self._first, self._under_way[lane], place

        lane = min(self._lanes, key=rank)
        _, spec = self._lanes[lane].popleft()
        if not self._lanes[lane]:
            del self._lanes[lane]
        self._under_way[lane] += 1
        return spec

    def ended(self, spec: EpisodeSpec) -> None:
        """Count an episode as no longer under way."""
        self._under_way[self._lane_of(spec)] -= 1
