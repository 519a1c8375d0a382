"""`metadata.json` of a data set, as Minari writes it: spaces, environment, provenance."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np

from mgail_dyna.environments.spaces import action_spec, observation_size
from mgail_dyna.errors import UserError

METADATA_FILE = "metadata.json"


@dataclass(frozen=True)
class Metadata:
    """The part of `metadata.json` that is used.

    Attributes:
        observation_space: a flat Box.
        action_space: a flat Box or Discrete.
        env_id: a Gymnasium id; None if not given.
        length: the time limit; None if not given.
        total_episodes: None if not given.
        provenance: where the demonstrations come from.
    """

    observation_space: gym.spaces.Box
    action_space: gym.spaces.Box | gym.spaces.Discrete
    env_id: str | None
    length: int | None
    total_episodes: int | None
    provenance: dict[str, Any]


def read_metadata(path: Path) -> Metadata:
    """Reads and validates `metadata.json`.

    Raises:
        UserError: naming file and key, what was expected and what was found.
    """
    if not path.exists():
        raise UserError(f"{path}: no such file; a dataset is an HDF5 file with {METADATA_FILE} beside it")
    raw = _json(path, "the file", path.read_text(encoding="utf-8", errors="replace"))
    if not isinstance(raw, dict):
        raise UserError(f"{path}: expected a JSON object, found {type(raw).__name__}")
    spec = _object(path, "env_spec", _json(path, "env_spec", raw.get("env_spec")))
    if spec and not isinstance(spec.get("id"), str):
        raise UserError(f"{path}: env_spec: id: expected text, found {spec.get('id')!r}")
    length = spec.get("max_episode_steps")
    if length is not None and not (isinstance(length, int) and length > 0):
        raise UserError(f"{path}: env_spec: max_episode_steps: expected a number above 0, found {length!r}")
    return Metadata(
        observation_space=_space(path, raw, "observation_space", observation_size),
        action_space=_space(path, raw, "action_space", action_spec),
        env_id=spec.get("id"),
        length=length,
        total_episodes=raw.get("total_episodes"),
        provenance=_object(path, "provenance", raw.get("provenance"))
        or {"algorithm": raw.get("algorithm_name", "unknown")},
    )


def _json(path: Path, what: str, text: str | None) -> Any:
    try:
        return None if text is None else json.loads(text)
    except (json.JSONDecodeError, TypeError, RecursionError) as error:
        raise UserError(f"{path}: {what}: expected JSON, found something else ({error})") from None


def _object(path: Path, key: str, value: Any) -> dict[str, Any]:
    if value is not None and not isinstance(value, dict):
        raise UserError(f"{path}: {key}: expected a JSON object, found {type(value).__name__}")
    return value or {}


def _space(path: Path, raw: dict[str, Any], key: str, check: Any) -> Any:
    if key not in raw:
        raise UserError(f"{path}: {key}: missing")
    try:
        space = space_from_json(_json(path, key, raw[key]))
        check(space)
    except UserError as error:
        raise UserError(f"{path}: {key}: {error}") from None
    return space


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
    except (KeyError, TypeError, ValueError, OverflowError, AssertionError) as error:
        raise UserError(
            f"expected a {kind} space as Minari writes it, found one that cannot be read ({error!r})"
        ) from None
    raise UserError(f"expected a Box or Discrete space, found {kind or type(description).__name__}")
