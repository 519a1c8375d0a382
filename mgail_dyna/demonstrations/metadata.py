"""`metadata.json` of a data set, as Minari writes it: spaces, environment, provenance."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np

from mgail_dyna.environments.make import PARTS
from mgail_dyna.environments.spaces import action_spec, observation_size
from mgail_dyna.errors import UserError, unknown_name

METADATA_FILE = "metadata.json"
# What an .npz file has to hold, in one line.
NPZ_REMEDY = "observations [n, T+1, d], actions [n, T, ...], lengths [n]; optional rewards, terminations [n, T]"
NO_NAMES = "--keys: has no effect, as observations have no names here; leave it out"
# Key of a data set's provenance: the parts that observations were joined from.
JOINED = "observations"
# Key of the names of wrappers of a converted data set.
WRAPPERS = "env_wrappers"
# Parameters of `gymnasium.make` and `make_env`, which no keyword argument of an environment may be called.
RESERVED = frozenset({"id", "env_id", "length", "max_episode_steps", "disable_env_checker", PARTS})


@dataclass(frozen=True)
class Metadata:
    """The part of `metadata.json` that is used.

    Attributes:
        observation_space: a flat Box.
        parts: names and widths of the arrays that are joined to one observation, in order; empty where it is one array.
        action_space: a flat Box or Discrete.
        env_id: a Gymnasium id; None if not given.
        env_kwargs: keyword arguments the environment was made with; empty if not given.
        env_wrappers: names of the wrappers around it, the innermost first.
        entry_point: `module:Class` of the environment; None if not given.
        length: the time limit; None if not given.
        total_episodes: None if not given.
        provenance: where the demonstrations come from.
    """

    observation_space: gym.spaces.Box
    parts: dict[str, int]
    action_space: gym.spaces.Box | gym.spaces.Discrete
    env_id: str | None
    env_kwargs: dict[str, Any]
    env_wrappers: tuple[str, ...]
    entry_point: str | None
    length: int | None
    total_episodes: int | None
    provenance: dict[str, Any]


def read_metadata(path: Path, keys: Sequence[str] = ()) -> Metadata:
    """Reads and validates `metadata.json`.

    Observations of several named vectors are joined, as `gymnasium.wrappers.FlattenObservation` joins them: in the
    order in which the file names them, which is that of its environment.

    Args:
        path: of the file.
        keys: names of the vectors to join, in order; all of them if empty.

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
    observation_space, parts = _observations(path, raw, keys)
    return Metadata(
        observation_space=observation_space,
        parts=parts,
        action_space=_space(path, raw, "action_space", action_spec),
        env_id=spec.get("id"),
        env_kwargs=_kwargs(path, spec),
        env_wrappers=_wrappers(path, raw, spec),
        entry_point=spec["entry_point"] if isinstance(spec.get("entry_point"), str) else None,
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


def _kwargs(path: Path, spec: dict[str, Any]) -> dict[str, Any]:
    """The recorded keyword arguments, without those that only draw."""
    kwargs = _object(path, "env_spec: kwargs", spec.get("kwargs"))
    if taken := sorted(RESERVED & kwargs.keys()):
        raise UserError(f"{path}: env_spec: kwargs: expected the environment's own, found {', '.join(taken)}")
    return {name: value for name, value in kwargs.items() if name != "render_mode"}


def _wrappers(path: Path, raw: dict[str, Any], spec: dict[str, Any]) -> tuple[str, ...]:
    """Names of wrappers, as this package kept them from an earlier file or as Gymnasium records them."""
    given = raw.get(WRAPPERS) or spec.get("additional_wrappers") or []
    if not isinstance(given, list):
        raise UserError(f"{path}: env_spec: additional_wrappers: expected a list, found {type(given).__name__}")
    named = [wrapper.get("name") if isinstance(wrapper, dict) else wrapper for wrapper in given]
    names = tuple(name for name in named if isinstance(name, str))
    if len(names) < len(named):
        raise UserError(f"{path}: env_spec: additional_wrappers: expected wrappers with names, found {named}")
    return names


def _observations(path: Path, raw: dict[str, Any], keys: Sequence[str]) -> tuple[gym.spaces.Box, dict[str, int]]:
    """The space of one observation, and the parts it is joined from."""
    description = _json(path, "observation_space", raw.get("observation_space"))
    several = isinstance(description, dict) and description.get("type") == "Dict"
    named: Any = description.get("subspaces") if several else None
    if not (isinstance(named, dict) and named):
        if keys:
            raise UserError(f"{path}: {NO_NAMES}")
        return _space(path, raw, "observation_space", observation_size), {}
    for key in keys:
        if key not in named:
            raise UserError(f"{path}: --keys: {unknown_name('key', key, sorted(named))}")
        if not _is_vector(named[key]):
            raise UserError(f"{path}: --keys: {key}: expected a Box of one dimension, found {_shortly(named[key])}")
    if not keys and not all(map(_is_vector, named.values())):
        return _space(path, raw, "observation_space", observation_size), {}
    try:
        boxes = {key: space_from_json(named[key]) for key in (keys or named)}
        joined = gym.spaces.flatten_space(gym.spaces.Dict({f"{i:06}": box for i, box in enumerate(boxes.values())}))
    except (UserError, TypeError, ValueError) as error:
        raise UserError(f"{path}: observation_space: {error}") from None
    assert isinstance(joined, gym.spaces.Box)
    return joined, {key: observation_size(box) for key, box in boxes.items()}


def _shortly(description: Any) -> str:
    """A space's kind and shape."""
    known = description if isinstance(description, dict) else {}
    return f"{known.get('type')} {known.get('shape', '')}".strip()


def _is_vector(description: Any) -> bool:
    shape = description.get("shape") if isinstance(description, dict) else None
    return isinstance(shape, list) and len(shape) == 1 and description.get("type") == "Box"


def _space(path: Path, raw: dict[str, Any], key: str, check: Any) -> Any:
    if key not in raw:
        raise UserError(f"{path}: {key}: missing")
    try:
        description = _json(path, key, raw[key])
        _refuse_groups(key, description)
        space = space_from_json(description)
        check(space)
    except UserError as error:
        raise UserError(f"{path}: {key}: {error}") from None
    return space


def _refuse_groups(key: str, description: Any) -> None:
    """Refuses a space of several spaces, whose arrays lie in groups of the file."""
    kind = description.get("type") if isinstance(description, dict) else None
    if kind not in ("Dict", "Tuple"):
        return
    parts = description.get("subspaces")
    keys = list(parts) if isinstance(parts, dict) else [str(i) for i in range(len(parts or []))]
    shapes = [part.get("shape", "") if isinstance(part, dict) else "" for part in _values(parts)]
    found = ", ".join(f"{name} {shape}".strip() for name, shape in zip(keys, shapes, strict=True))
    flat = "record them again through gymnasium.wrappers.FlattenObservation(env)"
    if vectors := [name for name, part in zip(keys, _values(parts), strict=True) if _is_vector(part)]:
        flat = f"choose among the vectors: data convert --keys {','.join(vectors)}; or {flat}"
    if key == "action_space":
        flat = "record them again through a gymnasium.ActionWrapper that takes one vector"
    wanted = "Box or Discrete" if key == "action_space" else "Box"
    raise UserError(
        f"expected a {wanted} space, found a {kind} with the keys {found}; {flat}, or join the arrays and write "
        f"them to an .npz ({NPZ_REMEDY})"
    )


def _values(parts: Any) -> list[Any]:
    return list(parts.values()) if isinstance(parts, dict) else list(parts or [])


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
