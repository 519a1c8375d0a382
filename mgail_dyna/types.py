"""What the packages exchange: action spaces, episodes and rollouts, as validated NumPy arrays.

Sequence arrays are `[time, ...]` for one episode and `[time, batch, ...]` for many at once, everywhere.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
FloatArray = NDArray[np.float32]

# Some environments use the largest float for "no bound".
BOUNDLESS = 1e30


@dataclass(frozen=True)
class ActionSpec:
    """An action space, without Gymnasium.

    Attributes:
        kind: "continuous" (a box) or "discrete" (one of `size` choices).
        size: number of coordinates, or of choices.
        low: `[size]` least allowed coordinates; None where discrete.
        high: `[size]` greatest allowed coordinates; None where discrete.
        start: number of the first choice; 0 where continuous.
        unit: `[size]` unit of each coordinate, where that is less than half of the box's width; None: that half, or 1
            where there are no bounds.
    """

    kind: Literal["continuous", "discrete"]
    size: int
    low: FloatArray | None = None
    high: FloatArray | None = None
    start: int = 0
    unit: FloatArray | None = None

    @functools.cached_property
    def center(self) -> FloatArray:
        """`[size]` middle of the box; 0 where it has no bounds. Continuous actions only."""
        low, high = self._box
        return np.where(self._bounded, low / 2 + high / 2, 0.0).astype(np.float32)

    @functools.cached_property
    def scale(self) -> FloatArray:
        """`[size]` what a network's 1 stands for: `unit`, or half of the box's width. Continuous actions only."""
        unit = np.inf if self.unit is None else self.unit
        scale = np.minimum(self._half_width, unit)
        return np.where(np.isfinite(scale), scale, 1.0).astype(np.float32)

    @functools.cached_property
    def reach(self) -> FloatArray:
        """`[size]` distance of the bounds from the middle, in units of `scale`; 1 without."""
        if self.kind == "discrete":
            return np.ones(self.size, np.float32)
        reach = self._half_width / self.scale
        return np.where(np.isfinite(reach), reach, 1.0).astype(np.float32)

    @property
    def _half_width(self) -> NDArray[np.float64]:
        low, high = self._box
        return np.where(self._bounded & (high > low), high / 2 - low / 2, np.inf)

    @property
    def _box(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        assert self.low is not None and self.high is not None
        low, high = self.low.astype(np.float64), self.high.astype(np.float64)
        return np.where(self._bounded, low, 0.0), np.where(self._bounded, high, 0.0)

    @property
    def _bounded(self) -> NDArray[np.bool_]:
        assert self.low is not None and self.high is not None
        return (self.low > -BOUNDLESS) & (self.high < BOUNDLESS)

    @property
    def bounded(self) -> bool:
        """Whether every coordinate has bounds. Continuous actions only."""
        return bool(self._bounded.all())

    @property
    def fixed(self) -> NDArray[np.bool_]:
        """Which coordinates, `[size]`, have one value alone. Continuous actions only."""
        assert self.low is not None and self.high is not None
        return np.asarray(self.low == self.high)

    def outside(self, actions: Array) -> NDArray[np.bool_]:
        """Which of `actions`, `[T, size]` or `[T]` where discrete, are not allowed; `[T]`.

        The bound of a box of doubles can lie between two floats; both count as inside.
        """
        if self.kind == "discrete":
            return np.asarray((actions < self.start) | (actions >= self.start + self.size))
        assert self.low is not None and self.high is not None
        with np.errstate(over="ignore"):
            low, high = np.nextafter(self.low, -np.float32(np.inf)), np.nextafter(self.high, np.float32(np.inf))
        return np.asarray(((actions < low) | (actions > high)).any(axis=-1))


# Of a trajectory's arrays; actions are integers if discrete, float32 if not.
_DTYPES = {
    "observations": np.float32,
    "actions": None,
    "rewards": np.float64,
    "qpos": np.float64,
    "qvel": np.float64,
    "noise": np.float32,
}


def _array(name: str, given: Any, dtype: Any) -> Array:
    """A trajectory's array from whatever was given, a list for instance."""
    try:
        array = np.asarray(given)
    except ValueError as error:
        raise ValueError(f"{name}: expected an array of numbers, found {type(given).__name__} ({error})") from None
    if array.dtype.kind not in "biuf":
        raise ValueError(f"{name}: expected numbers, found dtype {array.dtype}")
    with np.errstate(over="ignore"):  # infinity is reported later
        return array.astype(dtype or (np.int64 if array.dtype.kind in "biu" else np.float32), copy=False)


@dataclass(frozen=True)
class Trajectory:
    """One episode of `T` steps, as executed.

    Attributes:
        observations: `[T + 1, d]` float32, raw (not normalised), the last one included.
        actions: `[T, a]` float32, or `[T]` int64 for discrete actions; as the environment received them. None: unknown.
        rewards: `[T]` float64; imitation does not use them.
        terminated: the task ended the episode (the value beyond is zero).
        truncated: a time limit ended it (the value beyond is not zero).
        qpos: `[T + 1, nq]` float64 simulator positions, MuJoCo tasks only; `[T, nq]` if the last is unknown.
        qvel: `[T + 1, nv]` float64 simulator velocities; `[T, nv]` if the last is unknown.
        seed: what `env.reset` was given, if known.
        noise: `[T, size]` float32 of sampled actions, where a policy of this package sampled them.
        subsample: environment steps between two rows; if it is not 1, the next row is not the next state.

    Raises:
        ValueError: an array's length, dimension or contents do not fit; the message names the array.
    """

    observations: FloatArray
    actions: Array | None
    rewards: NDArray[np.float64]
    terminated: bool
    truncated: bool
    qpos: NDArray[np.float64] | None = None
    qvel: NDArray[np.float64] | None = None
    seed: int | None = None
    noise: FloatArray | None = None
    subsample: int = 1

    def __post_init__(self) -> None:
        for name, dtype in _DTYPES.items():
            if (given := getattr(self, name)) is not None:
                object.__setattr__(self, name, _array(name, given, dtype))
        unit = "steps" if self.actions is None else "actions"
        if len(self) < 1:
            raise ValueError(f"{'rewards' if self.actions is None else unit}: expected at least 1 step, found 0")
        for name, array, lengths in self._sequences():
            dimensions = {"actions": (1, 2), "rewards": (1,)}.get(name, (2,))
            if array.ndim not in dimensions:
                raise ValueError(f"{name}: expected {dimensions[-1]} dimensions, found shape {list(array.shape)}")
            if len(array) not in lengths:
                raise ValueError(
                    f"{name}: expected length {lengths[0]} to go with {len(self)} {unit}, found {len(array)}"
                )
            if not np.isfinite(array).all():
                bad = int(np.argwhere(~np.isfinite(array))[0][0])
                raise ValueError(f"{name}: expected finite numbers, found NaN or infinity at step {bad}")

    def _sequences(self) -> list[tuple[str, Array, tuple[int, ...]]]:
        steps = len(self)
        rows: list[tuple[str, Array | None, tuple[int, ...]]] = [
            ("observations", self.observations, (steps + 1,)),
            ("actions", self.actions, (steps,)),
            ("rewards", self.rewards, (steps,)),
            ("qpos", self.qpos, (steps + 1, steps)),
            ("qvel", self.qvel, (steps + 1, steps)),
            ("noise", self.noise, (steps,)),
        ]
        return [(name, array, lengths) for name, array, lengths in rows if array is not None]

    def every(self, subsample: int, offset: int) -> Trajectory:
        """The states and actions of every `subsample`-th step from `offset` on, which must be a step of the episode.

        Successor states are lost; the last kept observation is repeated to fill their place.
        """
        if subsample == 1:
            return self

        def kept(array: Any) -> Any:
            return (
                None
                if array is None
                else array[:-1][offset::subsample]
                if len(array) > len(self)
                else array[offset::subsample]
            )

        observations = kept(self.observations)
        return Trajectory(
            observations=np.concatenate([observations, observations[-1:]]),
            actions=kept(self.actions),
            rewards=kept(self.rewards),
            terminated=self.terminated,
            truncated=self.truncated,
            qpos=kept(self.qpos),
            qvel=kept(self.qvel),
            seed=self.seed,
            subsample=self.subsample * subsample,
        )

    def __len__(self) -> int:
        """Number of steps `T`."""
        return len(self.rewards if self.actions is None else self.actions)

    @property
    def episode_return(self) -> float:
        """Sum of the rewards, undiscounted."""
        return float(self.rewards.sum())


@dataclass(frozen=True)
class Rollout:
    """`T` steps of `N` environments; episodes can end and start at any step.

    Attributes:
        states: `[T, N, d]` float32, normalised observations.
        next_states: `[T, N, d]` float32, normalised; at the end of an episode its own last observation.
        actions: `[T, N, a]` float32 (or `[T, N]` int64) as sampled, before clipping to the action space.
        rewards: `[T, N]` float32.
        terminated: `[T, N]` bool, the task ended the episode at this step.
        ended: `[T, N]` bool, the episode ended at this step, by termination or time limit.
    """

    states: FloatArray
    next_states: FloatArray
    actions: Array
    rewards: FloatArray
    terminated: NDArray[np.bool_]
    ended: NDArray[np.bool_]
