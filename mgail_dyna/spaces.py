"""Gymnasium spaces as JSON, the way Minari writes them."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np

from mgail_dyna.errors import UserError


def space_to_json(space: gym.Space[Any]) -> dict[str, Any]:
    """A Box or a Discrete space as a JSON object.

    Raises:
        UserError: another kind of space.
    """
    if isinstance(space, gym.spaces.Discrete):
        return {"type": "Discrete", "dtype": "int64", "start": int(space.start), "n": int(space.n)}
    if isinstance(space, gym.spaces.Box):
        return {
            "type": "Box",
            "dtype": str(space.dtype),
            "shape": list(space.shape),
            "low": space.low.tolist(),
            "high": space.high.tolist(),
        }
    raise UserError(f"expected a Box or Discrete space, found {space}")


def space_from_json(description: Any) -> gym.Space[Any]:
    """The space that `space_to_json`, or Minari, described.

    Raises:
        UserError: not such a description.
    """
    kind = description.get("type") if isinstance(description, dict) else None
    try:
        if kind == "Discrete":
            return gym.spaces.Discrete(int(description["n"]), start=int(description.get("start", 0)))
        if kind == "Box":
            dtype: Any = np.dtype(description["dtype"]).type
            low, high = (np.array(description[key], dtype) for key in ("low", "high"))
            return gym.spaces.Box(low, high, tuple(description["shape"]), dtype)
    except (KeyError, TypeError, ValueError, AssertionError) as error:
        raise UserError(
            f"expected a {kind} space as Minari writes it, found one that cannot be read ({error!r})"
        ) from None
    raise UserError(f"expected a Box or Discrete space, found {kind or type(description).__name__}")
