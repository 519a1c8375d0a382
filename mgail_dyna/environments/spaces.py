"""Observation and action spaces, described without a simulator at hand."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import gymnasium as gym
import numpy as np

from mgail_dyna.errors import UserError
from mgail_dyna.types import ActionSpec, Array, FloatArray

# How to make any observation one vector.
FLATTEN = (
    "flatten them: register a function that returns gymnasium.wrappers.FlattenObservation(gymnasium.make(ID)), "
    "and name that environment"
)

_PART = re.compile(r"(.+?) \((\d{1,9})\)(?:, |$)")


def observation_size(space: gym.Space[Any]) -> int:
    """Length `d` of an observation.

    Raises:
        UserError: observations are not flat vectors of numbers; the message says what they are and how to flatten them.
    """
    if isinstance(space, gym.spaces.Box) and len(space.shape) == 1:
        return space.shape[0]
    remedy = FLATTEN
    if isinstance(space, gym.spaces.Box) and space.dtype == np.uint8 and len(space.shape) > 1:
        remedy = f"pictures need features of your own, or, if they are small, {FLATTEN}"
    raise UserError(f"expected observations in a Box of one dimension, found {described(space)}; {remedy}")


def action_spec(space: gym.Space[Any]) -> ActionSpec:
    """Describes an action space.

    Raises:
        UserError: neither a flat Box of floats nor Discrete; the message says what it is and what to do.
    """
    if isinstance(space, gym.spaces.Discrete):
        return ActionSpec("discrete", int(space.n), start=int(space.start))
    if isinstance(space, gym.spaces.Box) and len(space.shape) == 1 and np.issubdtype(space.dtype, np.floating):
        return ActionSpec("continuous", space.shape[0], *_floats(space.low, space.high))
    wanted = "expected actions in a Discrete space or a Box of floats of one dimension"
    raise UserError(f"{wanted}, found {described(space)}; {_action_remedy(space)}")


def flattens(space: gym.Space[Any]) -> bool:
    """Whether observations of `space` are not a vector yet and are made one: everything but pictures and sequences."""
    if isinstance(space, gym.spaces.Box):
        return len(space.shape) != 1 and not (space.dtype == np.uint8 and len(space.shape) > 1)
    if isinstance(space, gym.spaces.Dict):
        return all(_part_flattens(part) for part in space.values())
    if isinstance(space, gym.spaces.Tuple):
        return all(map(_part_flattens, space))
    return isinstance(space, gym.spaces.Discrete | gym.spaces.MultiDiscrete | gym.spaces.MultiBinary)


def _part_flattens(part: gym.Space[Any]) -> bool:
    return (isinstance(part, gym.spaces.Box) and len(part.shape) == 1) or flattens(part)


def parts_text(parts: Mapping[str, int]) -> str:
    """Names and widths of the parts that an observation is joined from, in order, as data sets record them."""
    return ", ".join(f"{name} ({width})" for name, width in parts.items())


def parts_of(text: Any) -> dict[str, int]:
    """What `parts_text` wrote; empty for anything else."""
    parts = {name: int(width) for name, width in _PART.findall(text)} if isinstance(text, str) else {}
    return parts if parts_text(parts) == text else {}


def chosen_parts(space: gym.spaces.Dict, parts: Mapping[str, int]) -> gym.spaces.Dict:
    """The named parts of a space, in the order of `parts`.

    Raises:
        UserError: a part is missing, no vector once it is flattened, or of another width.
    """
    chosen = {name: space[name] for name in parts if name in space.spaces}
    widths = {name: gym.spaces.flatdim(part) if _part_flattens(part) else None for name, part in chosen.items()}
    if widths != dict(parts):
        raise UserError(
            f"observations: expected {parts_text(parts)}, which the demonstrations are joined from, "
            f"found {described(space)}; choose its own: data convert --keys"
        )
    return gym.spaces.Dict(list(chosen.items()))


def choices(space: gym.Space[Any]) -> tuple[int, ...] | None:
    """Number of choices of each part of an action of several choices; None for other spaces."""
    if isinstance(space, gym.spaces.MultiDiscrete) and space.nvec.ndim == 1 and not np.any(space.start):
        return tuple(map(int, space.nvec))
    if isinstance(space, gym.spaces.MultiBinary) and len(space.shape) == 1:
        return (2,) * space.shape[0]
    return None


def described(space: Any) -> str:
    """A space in a few words; of a Dict the keys with their shapes."""
    if isinstance(space, gym.spaces.Dict):
        boxes = {key: isinstance(inner, gym.spaces.Box) for key, inner in space.items()}
        keys = ", ".join(f"{key} {list(inner.shape or ()) if boxes[key] else inner}" for key, inner in space.items())
        return f"a Dict with the keys {keys}"
    if isinstance(space, gym.spaces.Tuple):
        return f"a Tuple of {len(space)} spaces"
    if isinstance(space, gym.spaces.Box):
        kind = "integers" if np.issubdtype(space.dtype, np.integer) else "numbers"
        return f"a Box of {kind} of shape {list(space.shape)} ({space.dtype})"
    return str(space) if isinstance(space, gym.Space) else f"{space!r}, which is no space"


def _action_remedy(space: Any) -> str:
    wrapped = "wrap the environment in a gymnasium.ActionWrapper"
    if isinstance(space, gym.spaces.MultiDiscrete | gym.spaces.MultiBinary):
        counts = space.nvec if isinstance(space, gym.spaces.MultiDiscrete) else np.full(space.shape, 2)
        return f"{wrapped} that numbers the {int(np.prod(counts)):,} combinations as one Discrete space"
    if isinstance(space, gym.spaces.Box) and len(space.shape) == 1:
        return f"{wrapped} that takes floats and rounds them, or that numbers the choices as one Discrete space"
    return f"{wrapped} that takes one vector of floats"


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
