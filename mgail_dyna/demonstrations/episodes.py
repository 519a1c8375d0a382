"""Episodes of an HDF5 file: fast where they are as expected, with a precise message where they are not."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import gymnasium as gym
import h5py
import numpy as np
from h5py import h5a, h5d, h5g, h5s, h5t

from mgail_dyna.demonstrations.dataset import SHORTEST_EPISODE, outside
from mgail_dyna.demonstrations.progress import watched
from mgail_dyna.errors import UserError
from mgail_dyna.hdf5 import read_array, require_stored
from mgail_dyna.types import ActionSpec, Array, Trajectory

# Kinds of stored numbers that can be read as a kind, in NumPy's letters and as HDF5's classes.
_KINDS = {"f": "fiu", "i": "iu", "b": "biu"}
_CLASSES = {"f": {h5t.FLOAT, h5t.INTEGER}, "i": {h5t.INTEGER}, "b": {h5t.ENUM, h5t.INTEGER}}
# What the low-level interface raises for what is missing or is no plain array of numbers.
_UNUSUAL: tuple[type[Exception], ...] = (KeyError, ValueError, TypeError, OSError, RuntimeError)
# What a refusal of one episode of several ends with.
SKIPPING = "; `data convert --skip-bad-episodes` leaves such episodes out"
# So many numbers are small enough to be read without a look at what is stored of them.
_SURELY_SMALL = 100_000
_SINGLE, _DOUBLE, _FLAG = np.dtype(np.float32), np.dtype(np.float64), np.dtype(bool)


class EpisodeReader:
    """Reads the episodes of one file.

    Opening an array costs more than reading it where episodes are short, so each is opened once, through HDF5's own
    interface; what does not go through there is read again with h5py's, which tells what is wrong.

    Args:
        path: of the file, for messages.
        file: open.
        observation_space: flat.
        action: the action space.
        parts: names and widths of the arrays that are joined to one observation; empty where it is one array.
    """

    def __init__(
        self,
        path: Path,
        file: h5py.File,
        observation_space: gym.spaces.Box,
        action: ActionSpec,
        parts: Mapping[str, int] | None = None,
    ) -> None:
        self.path, self.file, self.action, self.parts = path, file, action, parts or {}
        self.without_actions = False
        discrete = action.kind == "discrete"
        self.observed: tuple[int, ...] = observation_space.shape
        self.chosen: tuple[int, ...] = () if discrete else (action.size,)
        self.choice = np.dtype(np.int64 if discrete else np.float32)
        self.memory = {dtype: h5t.py_create(dtype) for dtype in (_SINGLE, _DOUBLE, _FLAG, self.choice)}

    def read_all(
        self, keys: Sequence[str], check_actions: bool, skipped: dict[int, str] | None
    ) -> tuple[Trajectory, ...]:
        """The episodes in the groups `keys`.

        Args:
            keys: in order.
            check_actions: refuse actions outside the action space.
            skipped: takes the places of episodes that cannot be read, with the reason; None: the first is an error.

        Raises:
            UserError: naming file and key, what was expected and what was found.
        """
        trajectories = []
        # None in any episode: left out on purpose. In some: a mistake, which reading the others reports.
        self.without_actions = not any(self._has_actions(key) for key in keys)
        for place, key in enumerate(watched(keys, len(keys), f"reading {self.path.name}, episodes")):
            try:
                trajectory = self._checked(key, check_actions)
            except UserError as error:
                if skipped is None:
                    raise UserError(f"{error}{self._skipping(keys, check_actions)}") from None
                skipped[place] = str(error).removeprefix(f"{self.path}: ").removeprefix(key).lstrip("/: ")
            else:
                trajectories.append(trajectory)
        if not trajectories:
            raise UserError(f"{self.path}: no episode can be read; the first: {(skipped or {}).get(0)}")
        return tuple(trajectories)

    def _checked(self, key: str, check_actions: bool) -> Trajectory:
        trajectory = self.read(key)
        if check_actions and trajectory.actions is not None and (problem := outside(trajectory.actions, self.action)):
            raise UserError(f"{self.path}: {key}/actions: {problem}")
        return trajectory

    def _skipping(self, keys: Sequence[str], check_actions: bool) -> str:
        """How to leave out bad episodes; empty if all are bad."""
        for key in keys:
            with contextlib.suppress(UserError):
                self._checked(key, check_actions)
                return SKIPPING
        return ""

    def read(self, key: str) -> Trajectory:
        """The episode in the group `key`.

        Raises:
            UserError: naming file and key, what was expected and what was found.
        """
        path = self.path
        try:
            group = h5g.open(self.file.id, key.encode())
        except _UNUSUAL:
            raise UserError(f"{path}: {key}: expected a group, found an array") from None
        known = not self.without_actions
        actions = self._array(group, key, "actions", self.choice, self.chosen) if known else None
        flags = {name: self._array(group, key, name, _FLAG, ()) for name in ("terminations", "truncations")}
        steps = len(flags["terminations"] if actions is None else actions)
        if steps < SHORTEST_EPISODE:
            raise UserError(f"{path}: {key}: expected at least {SHORTEST_EPISODE} steps, found {steps}")
        for name, array in flags.items():
            if len(array) != steps:
                raise UserError(f"{path}: {key}/{name}: expected length {steps}, found {len(array)}")
            if array[:-1].any():
                where = int(np.argmax(array))
                raise UserError(
                    f"{path}: {key}/{name}: expected true at the last step only, found true at step {where}"
                )
        optional: dict[str, Array | None] = {"rewards": None, "qpos": None, "qvel": None}
        if group.links.exists(b"rewards"):
            optional["rewards"] = self._array(group, key, "rewards", _DOUBLE, ())
        for name in _infos(group):
            optional[name] = self._array(group, key, f"infos/{name}", _DOUBLE, None)
        try:
            return Trajectory(
                observations=self._observations(group, key),
                actions=actions,
                rewards=np.zeros(steps) if optional["rewards"] is None else optional["rewards"],
                terminated=bool(flags["terminations"][-1]),
                truncated=bool(flags["truncations"][-1]),
                seed=self._seed(key, group),
                qpos=optional["qpos"],
                qvel=optional["qvel"],
            )
        except ValueError as error:
            raise UserError(f"{path}: {key}/{error}") from None

    def _observations(self, group: h5g.GroupID, key: str) -> Array:
        if not self.parts:
            return self._array(group, key, "observations", _SINGLE, self.observed)
        arrays = {
            part: self._array(group, key, f"observations/{part}", _SINGLE, (width,))
            for part, width in self.parts.items()
        }
        (first, rows), *others = ((part, len(array)) for part, array in arrays.items())
        for part, found in others:
            if found != rows:
                raise ValueError(f"observations/{part}: expected length {rows} as of {first}, found {found}")
        return np.concatenate(list(arrays.values()), axis=1)

    def _has_actions(self, key: str) -> bool:
        group = self.file.get(key)
        return not isinstance(group, h5py.Group) or "actions" in group

    def _array(
        self, group: h5g.GroupID, key: str, name: str, dtype: np.dtype[Any], tail: tuple[int, ...] | None
    ) -> Array:
        """An array `[T, *tail]`, or `[T, n]` where `tail` is None."""
        try:
            node = h5d.open(group, name.encode())
            shape = node.shape
            usual = len(shape) == 2 if tail is None else len(shape) == 1 + len(tail) and shape[1:] == tail
            if usual and node.get_type().get_class() in _CLASSES[dtype.kind]:
                if math.prod(shape) > _SURELY_SMALL:
                    require_stored(node)
                array = np.empty(shape, dtype)
                node.read(h5s.ALL, h5s.ALL, array, self.memory[dtype])
                return array
        except _UNUSUAL:
            pass
        return self._unusual(key, name, dtype, tail)

    def _unusual(self, key: str, name: str, dtype: np.dtype[Any], tail: tuple[int, ...] | None) -> Array:
        path, node = self.path, self.file[key].get(name)
        if isinstance(node, h5py.Group):
            keys = ", ".join(list(node)[:8]) or "nothing"
            raise UserError(f"{path}: {key}/{name}: expected an array, found a group with {keys}")
        if not isinstance(node, h5py.Dataset):
            raise UserError(f"{path}: {key}/{name}: missing")
        if node.dtype.kind not in _KINDS[dtype.kind]:
            raise UserError(f"{path}: {key}/{name}: expected dtype {dtype}, found {node.dtype}")
        if tail is None and node.ndim != 2:
            raise UserError(f"{path}: {key}/{name}: expected shape [T + 1, n], found {list(node.shape)}")
        if tail is not None and (node.shape[1:] != tail or node.ndim != 1 + len(tail)):
            expected = ", ".join(["T", *map(str, tail)])
            raise UserError(f"{path}: {key}/{name}: expected shape [{expected}], found {list(node.shape)}")
        with np.errstate(over="ignore"):  # infinity is reported by the trajectory
            return np.asarray(read_array(node).astype(dtype))

    def _seed(self, key: str, group: h5g.GroupID) -> int | None:
        if not h5a.exists(group, b"seed"):
            return None
        attribute = h5a.open(group, b"seed")
        if attribute.shape == () and attribute.get_type().get_class() == h5t.INTEGER:
            seed = np.empty((), np.int64)
            attribute.read(seed)
            return int(seed)
        raise UserError(f"{self.path}: {key}: seed: expected an integer, found {self.file[key].attrs['seed']!r}")


def _infos(group: h5g.GroupID) -> list[str]:
    """Which of the simulator's arrays an episode has."""
    if not group.links.exists(b"infos"):
        return []
    try:
        infos = h5g.open(group, b"infos")
    except _UNUSUAL:
        return []
    return [name for name in ("qpos", "qvel") if infos.links.exists(name.encode())]
