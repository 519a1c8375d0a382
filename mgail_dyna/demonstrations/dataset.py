"""A data set of demonstrations: trajectories, their spaces, and the expert's policy if it is known."""

from __future__ import annotations

import functools
import hashlib
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import gymnasium as gym
import numpy as np

from mgail_dyna.environments.spaces import action_spec, observation_size
from mgail_dyna.errors import UserError
from mgail_dyna.networks.numpy_policy import NumpyPolicy
from mgail_dyna.normalization import constant
from mgail_dyna.types import ActionSpec, Array, Trajectory

SHORTEST_EPISODE = 2
# A network's 1 stands for so many root mean squares of the demonstrated actions.
UNIT_OF_ACTIONS = 2.0


# A value is alone if it is more than FAR times as far from the median as all but the FEW farthest values.
FAR, FEW = 10.0, 3


class Alone(NamedTuple):
    """A value far from all others of its coordinate, which lie between `low` and `high`."""

    coordinate: int
    episode: int
    step: int
    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Demonstrations:
    """A data set of demonstrations.

    Attributes:
        trajectories: the demonstrations.
        observation_space: of their environment.
        action_space: of their environment.
        env_id: a Gymnasium id; None if unknown.
        length: the time limit they were recorded under; None if unknown.
        env_kwargs: keyword arguments their environment was made with; empty if unknown.
        env_wrappers: names of the wrappers it was recorded through, as Gymnasium records them.
        policy: the expert's; None if the data set has none.
        provenance: algorithm, steps trained, seed, versions, returns.

    Raises:
        ValueError: there are no demonstrations, or one does not fit the spaces; the message names it and the array.
        UserError: this package does not support the spaces.
    """

    trajectories: tuple[Trajectory, ...]
    observation_space: gym.spaces.Box
    action_space: gym.spaces.Box | gym.spaces.Discrete
    env_id: str | None = None
    length: int | None = None
    policy: NumpyPolicy | None = None
    provenance: dict[str, Any] = field(default_factory=dict)
    env_kwargs: dict[str, Any] = field(default_factory=dict)
    env_wrappers: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.trajectories:
            raise ValueError("trajectories: expected at least 1, found 0")
        action_spec(self.action_space)
        fitted = tuple(self._fitted(number, trajectory) for number, trajectory in enumerate(self.trajectories))
        object.__setattr__(self, "trajectories", fitted)
        if self.actions and not self.has_actions:
            lacking = next(n for n, trajectory in enumerate(fitted) if trajectory.actions is None)
            raise ValueError(f"trajectory {lacking}: actions: expected some, as others have, found none")

    def _fitted(self, number: int, trajectory: Trajectory) -> Trajectory:
        """A trajectory with actions of the space's type, choices as integers."""
        if len(trajectory) < SHORTEST_EPISODE and trajectory.subsample == 1:
            raise ValueError(
                f"trajectory {number}: expected at least {SHORTEST_EPISODE} steps, found {len(trajectory)}"
            )
        shapes = {"observations": (observation_size(self.observation_space),), "actions": self.action_space.shape}
        for name, shape in shapes.items():
            found = getattr(trajectory, name)
            if found is not None and found.shape[1:] != shape:
                expected = ", ".join(["T", *map(str, shape or ())])
                raise ValueError(
                    f"trajectory {number}: {name}: expected shape [{expected}] to fit the space, "
                    f"found {list(found.shape)}"
                )
        if (actions := trajectory.actions) is None:
            return trajectory
        kept = actions.astype(
            np.int64 if isinstance(self.action_space, gym.spaces.Discrete) else np.float32, copy=False
        )
        if (kept != actions).any():
            raise ValueError(
                f"trajectory {number}: actions: expected numbers of choices, found {actions[kept != actions][0]}"
            )
        return trajectory if kept is actions else replace(trajectory, actions=kept)

    @functools.cached_property
    def action(self) -> ActionSpec:
        """The action space; the unit of a coordinate is twice the demonstrated actions' root mean square about its
        middle, where actions are known and that is less than half of its range."""
        spec = action_spec(self.action_space)
        if spec.kind == "discrete" or not self.has_actions:
            return spec
        away = np.concatenate(self.actions).astype(np.float64) - spec.center
        unit = UNIT_OF_ACTIONS * np.sqrt(np.square(away).mean(axis=0))
        return replace(spec, unit=np.where(unit > 0, unit, np.inf).astype(np.float32))

    @property
    def observations(self) -> Array:
        """`[n, d]`, those of all demonstrations, final ones included."""
        return np.concatenate([trajectory.observations for trajectory in self.trajectories])

    @property
    def has_actions(self) -> bool:
        """Whether the actions of every trajectory are known."""
        return all(trajectory.actions is not None for trajectory in self.trajectories)

    @property
    def actions(self) -> list[Array]:
        """Those of every trajectory whose actions are known, `[T, a]` or `[T]` each."""
        return [trajectory.actions for trajectory in self.trajectories if trajectory.actions is not None]

    @property
    def constant(self) -> list[int]:
        """Coordinates of observations that never vary, so that their unit is unknown."""
        return [int(i) for i in np.flatnonzero(constant(self.observations))]

    @functools.cached_property
    def alone(self) -> list[Alone]:
        """Values of observations that are far from all others of their coordinate, at most one a coordinate."""
        observations = self.observations.astype(np.float64)
        if len(observations) <= FEW:
            return []
        apart = np.abs(observations - np.median(observations, axis=0))
        others = np.partition(apart, -1 - FEW, axis=0)[-1 - FEW]
        found = []
        for i in np.flatnonzero((others > 0) & (apart.max(axis=0) > FAR * others)):
            row, near = int(apart[:, i].argmax()), observations[apart[:, i] <= others[i], i]
            starts = np.cumsum([0, *(len(t.observations) for t in self.trajectories)])
            episode = int(np.searchsorted(starts, row, "right")) - 1
            step, value = row - int(starts[episode]), float(observations[row, i])
            found.append(Alone(int(i), episode, step, value, float(near.min()), float(near.max())))
        return found

    @property
    def has_transitions(self) -> bool:
        """Whether successor states are known; in subsampled demonstrations they are not."""
        return all(trajectory.subsample == 1 for trajectory in self.trajectories)

    @property
    def show_dynamics(self) -> bool:
        """Whether a dynamics model can learn from them: actions and next states are known."""
        return self.has_actions and self.has_transitions

    @property
    def total_steps(self) -> int:
        """Steps of all demonstrations."""
        return sum(len(trajectory) for trajectory in self.trajectories)

    @property
    def due_length(self) -> float:
        """Steps that an episode should have: one that terminates sooner has failed.

        The mean of the demonstrations. Where at least half of them terminate, the task ends there, be it with success,
        sooner or later: then it is the lower quartile.
        """
        lengths = np.array([len(trajectory) * trajectory.subsample for trajectory in self.trajectories])
        ends = 2 * sum(trajectory.terminated for trajectory in self.trajectories) >= len(lengths)
        return float(np.quantile(lengths, 0.25) if ends else lengths.mean())

    @property
    def has_rewards(self) -> bool:
        """Whether there are rewards (not all 0). Imitation does not need them."""
        return any(trajectory.rewards.any() for trajectory in self.trajectories)

    @property
    def returns(self) -> np.ndarray:
        """`[n]` undiscounted returns of the demonstrations."""
        return np.array([trajectory.episode_return for trajectory in self.trajectories])

    @property
    def has_simulator_states(self) -> bool:
        """Whether every trajectory has simulator states."""
        return all(t.qpos is not None and t.qvel is not None for t in self.trajectories)


def outside(actions: Array, spec: ActionSpec) -> str | None:
    """Describes the first of `actions [T, ...]` outside the action space; None if all are inside."""
    bad = spec.outside(actions)
    if not bad.any():
        return None
    step = int(np.argmax(bad))
    if spec.kind == "discrete":
        span = f"{spec.start} to {spec.start + spec.size - 1}"
    else:
        assert spec.low is not None and spec.high is not None
        span = f"{spec.low.min()} to {spec.high.max()}"
    found = np.array2string(actions[step], precision=4, max_line_width=10**6, threshold=8)
    return f"expected actions inside the action space ({span}), found {found} at step {step}"


def fingerprint(demos: Demonstrations) -> str:
    """SHA-256 of everything an agent learns from: the same for the same demonstrations, wherever they lie."""
    digest = hashlib.sha256()
    for trajectory in demos.trajectories:
        ends = (trajectory.terminated, trajectory.truncated, trajectory.subsample)
        digest.update(f"{len(trajectory)} {ends}".encode())
        for name in ("observations", "actions", "qpos", "qvel"):
            if (array := getattr(trajectory, name)) is not None:
                digest.update(f"{name} {array.dtype} {array.shape}".encode())
                digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def subset(
    demos: Demonstrations, demonstrations: int | None, subsample: int, observations_only: bool = False
) -> Demonstrations:
    """`demos` with fewer trajectories or steps, as in Ho and Ermon 2016, or without actions.

    Args:
        demos: the data set; take its returns before, if they are needed.
        demonstrations: how many, the first ones; None: all.
        subsample: keep every n-th step, from step `i % subsample` on in trajectory `i`; successor states are then
            unknown.
        observations_only: leave actions out.

    Raises:
        UserError: there are fewer demonstrations, or one is too short.
    """
    held = len(demos.trajectories)
    if demonstrations is not None and demonstrations > held:
        raise UserError(f"--demonstrations: expected at most the {held} there are, found {demonstrations}")
    chosen = demos.trajectories[:demonstrations]
    shortest = min(len(trajectory) for trajectory in chosen)
    if subsample > shortest:
        raise UserError(f"--subsample: expected at most {shortest}, the shortest demonstration, found {subsample}")
    if len(chosen) < held or subsample > 1:
        demos = replace(demos, trajectories=tuple(t.every(subsample, i % subsample) for i, t in enumerate(chosen)))
    if observations_only and demos.has_actions:
        demos = replace(demos, trajectories=tuple(replace(t, actions=None) for t in demos.trajectories))
    return demos
