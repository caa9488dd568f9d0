"""The base of vectorised environments in which many episodes are stepped together with arrays.

Subclasses (`ludens.agents.tree.batch`, `ludens.agents.pricing.batch`) supply the rules; this module supplies
Gymnasium's API: seeds, autoreset, checks and infos.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, Generic, TypeVar

import gymnasium
import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from ludens.agents.policy import Policy
from ludens.checks import check_count
from ludens.envs.base import BaseEnv, ObservationForm
from ludens.envs.declared import seated
from ludens.errors import UsageError

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Places = NDArray[np.intp]
Outcome = tuple[Floats, Flags, Flags]
"""Rewards, terminations and truncations of all episodes, (n,) each."""

Env = TypeVar("Env", bound=BaseEnv)


class BatchEnv(VectorEnv[Any, Any, Any], Generic[Env]):
    """Many episodes of one seat against policies, stepped together.

    Args:
        env: an environment of ludens.
        seat: the seat that is played.
        policies: those of the other seats, by seat; `can_batch` says which.
        number: n, how many episodes are stepped together.
        autoreset_mode: Gymnasium's, see `gymnasium.vector.AutoresetMode`.
    """

    together: ClassVar[bool] = False
    """Whether all episodes begin and end at the same step."""

    def __init__(
        self,
        env: Env,
        seat: str,
        policies: Mapping[str, Policy],
        number: int,
        autoreset_mode: str | AutoresetMode = AutoresetMode.NEXT_STEP,
    ) -> None:
        self.environment, self.seat = env.environment, seat
        self.num_envs = number
        self.autoreset_mode = AutoresetMode(autoreset_mode)
        self.metadata = {**env.metadata, "autoreset_mode": self.autoreset_mode}
        self.single_observation_space = seated(env.observation_space(seat), seat)
        self.single_action_space = seated(env.action_space(seat), seat)
        self.observation_space = batch_space(self.single_observation_space, number)
        self.action_space = batch_space(self.single_action_space, number)
        self._form: ObservationForm = env.observation
        self._over: Flags | None = None
        self._everywhere = np.ones(number, dtype=np.bool_)
        self._everywhere.flags.writeable = False
        self._prepare(env, policies)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Start all episodes, or those that ``options["reset_mask"]`` names.

        Args:
            seed: of the one generator from which all episodes draw; None lets it go on. Where nothing is
                drawn, every episode is that of `against`; else episodes have the same distribution, and no
                episode has a seed of its own.
            options: others than ``"reset_mask"``, a boolean array (n,), are ignored.

        Raises:
            UsageError: the seed is not a whole number, the mask is wrong, or only some episodes are to start
                where all begin together.
        """
        super().reset(seed=None if seed is None else check_count(self.environment, "seed", seed, least=0))
        where = (options or {}).get("reset_mask")
        if where is None or self._over is None:
            where = self._everywhere
        elif not isinstance(where, np.ndarray) or where.shape != (self.num_envs,) or where.dtype != np.bool_:
            raise UsageError(f"A reset_mask is a boolean array of shape ({self.num_envs},); got {where!r}.")
        if self.together and not where.all():
            raise UsageError(f"All episodes of {self.environment} begin together: reset all of them.")
        if self._over is None:
            self._over = np.zeros(self.num_envs, dtype=np.bool_)
        self._over = self._over & ~where
        self._open(where)
        return self._seen()

    def step(self, actions: Any) -> tuple[Any, Floats, Flags, Flags, dict[str, Any]]:
        """Take one action in each episode; those that are over start anew as the autoreset mode says.

        Raises:
            UsageError: `reset` has not been called, an action is not legal, or an episode is over and does
                not start by itself; nothing has changed then.
        """
        if self._over is None:
            raise UsageError(f"Call reset() before step() on a batch of {self.environment}.")
        if self.autoreset_mode is AutoresetMode.DISABLED and self._over.any():
            raise UsageError(f"{int(self._over.sum())} episodes are over: reset them with a reset_mask.")
        waiting = self._over
        given = self._checked(np.asarray(actions), ~waiting)
        rewards, terminated, truncated = self._move(given, ~waiting)
        over = terminated | truncated
        if waiting.any():
            self._open(waiting)
        self._over = over
        infos: dict[str, Any] = {}
        if self.autoreset_mode is AutoresetMode.SAME_STEP and over.any():
            infos = self._final(over)
            self._open(over)
            self._over = np.zeros(self.num_envs, dtype=np.bool_)
        observations, seen = self._seen()
        return observations, rewards, terminated, truncated, {**seen, **infos}

    def _seen(self) -> tuple[Any, dict[str, Any]]:
        """Return observations in the form that was asked for, and infos."""
        vectors, masks = self._observed()
        infos = self._infos()
        if self._form == "box":
            observations: Any = vectors
            if masks is not None:
                infos["action_mask"] = masks
        else:
            observations = {"observation" if self._form == "dict" else "observations": vectors}
            if masks is not None:
                observations["action_mask"] = masks
        return observations, self._marked(infos)

    def _marked(self, infos: Mapping[str, Any]) -> dict[str, Any]:
        """Return infos with Gymnasium's marks of the episodes that have them: all."""
        marked: dict[str, Any] = {}
        for name, part in infos.items():
            marked[name] = self._marked(part) if isinstance(part, Mapping) else part
            marked[f"_{name}"] = self._everywhere.copy()
        return marked

    def _final(self, over: Flags) -> dict[str, Any]:
        """Return the last observations and infos of episodes that are over, as Gymnasium names them."""
        observations, infos = self._seen()
        last = np.full(self.num_envs, None, dtype=object)
        for place in np.flatnonzero(over).tolist():
            last[place] = (
                {name: part[place] for name, part in observations.items()}
                if isinstance(observations, Mapping)
                else observations[place]
            )
        return {
            "final_obs": last,
            "_final_obs": over.copy(),
            "final_info": _only(infos, over),
            "_final_info": over.copy(),
        }

    def _checked(self, actions: NDArray[Any], playing: Flags) -> NDArray[Any]:
        """Return the actions, checked where an episode is going on.

        Raises:
            UsageError: their shape or type is wrong, or one is not legal.
        """
        space = self.action_space
        if actions.shape != space.shape:
            raise UsageError(f"Actions have shape {space.shape}, one for each episode; got {actions.shape}.")
        if isinstance(self.single_action_space, gymnasium.spaces.Box):
            if actions.dtype.kind not in "fiu":
                raise UsageError(f"Actions are numbers; got an array of {actions.dtype}.")
            low, high = self.single_action_space.low, self.single_action_space.high
            legal = ((low <= actions) & (actions <= high)).all(axis=tuple(range(1, actions.ndim)))
        else:
            if actions.dtype.kind not in "iu":
                raise UsageError(f"Actions are whole numbers; got an array of {actions.dtype}.")
            count = int(self.single_action_space.n)  # type: ignore[attr-defined]  # Discrete
            legal = (actions >= 0) & (actions < count)
            masks = self._masks()
            if masks is not None:
                legal[legal] &= masks[legal, actions[legal]] == 1
        wrong = np.flatnonzero(playing & ~legal)
        if len(wrong):
            place = int(wrong[0])
            raise UsageError(
                f"{actions[place].tolist()!r} is not a legal action of {self.seat} in episode {place} of "
                f"{self.environment}: choose one that the mask or the bounds allow."
            )
        return actions

    @classmethod
    @abstractmethod
    def can_batch(cls, env: Env, policies: Mapping[str, Policy]) -> bool:
        """Return whether episodes of an environment against these policies can be stepped together."""

    @abstractmethod
    def _prepare(self, env: Env, policies: Mapping[str, Policy]) -> None:
        """Set up what all episodes share."""

    @abstractmethod
    def _open(self, where: Flags) -> None:
        """Start some episodes, and let the others move until the seat is to move."""

    @abstractmethod
    def _move(self, actions: NDArray[Any], playing: Flags) -> Outcome:
        """Take the actions of the episodes that are going on; others are paid 0 and go on."""

    @abstractmethod
    def _observed(self) -> tuple[NDArray[np.float32], NDArray[np.int8] | None]:
        """Return the vectors, (n, length), and the masks, (n, actions), of all episodes, in new arrays."""

    @abstractmethod
    def _masks(self) -> NDArray[np.int8] | None:
        """Return the masks by which actions are checked, (n, actions); None if all actions are legal."""

    def _infos(self) -> dict[str, Any]:
        """Return what the environment's infos hold, by name: arrays with an entry for each episode, or
        mappings from names to these.
        """
        return {}


def _only(infos: Mapping[str, Any], where: Flags) -> dict[str, Any]:
    """Return copies of infos in which other episodes than these have none."""
    kept: dict[str, Any] = {}
    for name, part in infos.items():
        if isinstance(part, Mapping):
            kept[name] = _only(part, where)
            continue
        kept[name] = part.copy()
        kept[name][~where] = None if part.dtype == object else 0
    return kept
