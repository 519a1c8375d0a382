"""Simulator states of MuJoCo tasks: reading them and starting from them."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from mgail_dyna.errors import UserError
from mgail_dyna.types import Array, FloatArray

SimulatorState = tuple[NDArray[np.float64], NDArray[np.float64]]


def simulator_state(env: gym.Env[Any, Any]) -> SimulatorState | None:
    """Copies of `qpos [nq]` and `qvel [nv]`, or None where the environment has none (not a MuJoCo task)."""
    data: Any = getattr(env.unwrapped, "data", None)
    if not hasattr(data, "qpos") or not hasattr(data, "qvel"):
        return None
    return np.array(data.qpos), np.array(data.qvel)


def reset_to(
    env: gym.Env[Any, Any], qpos: NDArray[np.float64], qvel: NDArray[np.float64], observed: Array
) -> FloatArray:
    """Puts an environment that was just reset into a simulator state; returns the observation there, `[d]`.

    Args:
        env: a MuJoCo task; observations come from the task itself, not from its wrappers.
        qpos: `[nq]`.
        qvel: `[nv]`.
        observed: what `env.reset` returned, `[d]`.

    Raises:
        UserError: the environment has no simulator state, or one of another size, or a wrapper changes its
            observations.
    """
    task: Any = env.unwrapped
    found = simulator_state(env)
    if found is None or not hasattr(task, "set_state") or not hasattr(task, "_get_obs"):
        raise UserError(
            "cannot reset to a simulator state: the environment is not a MuJoCo task of Gymnasium's; "
            "--rollout.initial-states reset needs no such states"
        )
    if not np.array_equal(task._get_obs(), observed):
        raise UserError(
            "cannot reset to a simulator state: a wrapper of the environment changes its observations; "
            "--rollout.initial-states reset needs no such states"
        )
    if found[0].shape != qpos.shape or found[1].shape != qvel.shape:
        raise UserError(
            f"simulator state: expected qpos {list(found[0].shape)} and qvel {list(found[1].shape)}, "
            f"found {list(qpos.shape)} and {list(qvel.shape)}"
        )
    task.set_state(qpos, qvel)
    return np.asarray(task._get_obs(), np.float32)
