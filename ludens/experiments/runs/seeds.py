"""One tree of seeds for a run: run → episode → environment, and each decision of each seat.

Every stream is named by its place (`numpy.random.SeedSequence` with a spawn key), never by the order in which
things happen. So serial, concurrent, distributed and resumed runs draw the same numbers, and a decision that
is replayed from the store leaves the draws of later ones as they were.
"""

from __future__ import annotations

from zlib import crc32

import numpy as np

from ludens.errors import UsageError

_ENVIRONMENT, _SEATS = 0, 1


def check_seed(seed: int) -> int:
    """Return the seed if it is a whole number of at least 0.

    Raises:
        UsageError: it is not.
    """
    if not isinstance(seed, int | np.integer) or isinstance(seed, bool) or seed < 0:
        raise UsageError(f"A seed is a whole number of at least 0; got {seed!r}.")
    return int(seed)


def episode_seeds(seed: int, episode: int) -> np.random.SeedSequence:
    """Return the seeds of one episode: child number `episode` of the run's seed, as `SeedSequence.spawn`
    has it.
    """
    return np.random.SeedSequence(seed, spawn_key=(episode,))


def environment_seed(episode: np.random.SeedSequence) -> int:
    """Return the seed with which the episode's environment is reset, in [0, 2³²)."""
    return int(_child(episode, _ENVIRONMENT).generate_state(1, np.uint32)[0])


def decision_rng(episode: np.random.SeedSequence, agent: str, step: int) -> np.random.Generator:
    """Return the generator of one decision: of the seat `agent` at decision number `step` of its episode."""
    return np.random.default_rng(_child(episode, _SEATS, crc32(agent.encode()), step))


def _child(parent: np.random.SeedSequence, *key: int) -> np.random.SeedSequence:
    return np.random.SeedSequence(parent.entropy, spawn_key=(*parent.spawn_key, *key))
