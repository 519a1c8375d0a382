"""Observation and action spaces, described without a simulator at hand."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np

from mgail_dyna.errors import UserError
from mgail_dyna.types import ActionSpec, Array, FloatArray


def observation_size(space: gym.Space[Any]) -> int:
    """Length `d` of an observation.

    Raises:
        UserError: observations are not flat vectors of numbers.
    """
    if not isinstance(space, gym.spaces.Box) or len(space.shape) != 1:
        raise UserError(f"expected observations in a Box of one dimension, found {space}")
    return space.shape[0]


def action_spec(space: gym.Space[Any]) -> ActionSpec:
    """Describes an action space.

    Raises:
        UserError: neither a flat Box nor Discrete.
    """
    if isinstance(space, gym.spaces.Discrete):
        return ActionSpec("discrete", int(space.n), start=int(space.start))
    if isinstance(space, gym.spaces.Box) and len(space.shape) == 1 and np.issubdtype(space.dtype, np.floating):
        return ActionSpec("continuous", space.shape[0], *_floats(space.low, space.high))
    raise UserError(f"expected actions in a Discrete space or a Box of one dimension, found {space}")


def _floats(low: Array, high: Array) -> tuple[FloatArray, FloatArray]:
    """Bounds in float32, rounded into the box where that is possible."""
    with np.errstate(over="ignore"):
        nearest = [bound.astype(np.float32) for bound in (low, high)]
        inwards = (
            np.where(nearest[0] < low, np.nextafter(nearest[0], np.float32(np.inf)), nearest[0]),
            np.where(nearest[1] > high, np.nextafter(nearest[1], -np.float32(np.inf)), nearest[1]),
        )
    empty = inwards[0] > inwards[1]
    return np.where(empty, nearest[0], inwards[0]), np.where(empty, nearest[0], inwards[1])
