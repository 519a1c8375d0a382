"""Formats of demonstrations: Minari directories, D4RL's flat HDF5, padded arrays in `.npz`. No pickle is read."""

from __future__ import annotations

import difflib
import itertools
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from mgail_dyna.demonstrations.dataset import SHORTEST_EPISODE
from mgail_dyna.demonstrations.reader import DATA_FILE, load_demonstrations
from mgail_dyna.errors import UserError, unknown_name
from mgail_dyna.storage import open_hdf5
from mgail_dyna.types import Array

# Arrays of an .npz file; the first three are required.
NPZ = ("observations", "actions", "lengths", "rewards", "terminations", "truncations", "qpos", "qvel")


@dataclass(frozen=True)
class Source:
    """Episodes read from a file, not yet checked against an environment.

    Attributes:
        layout: the format's name.
        episodes: keyword arguments of `Trajectory`, one mapping per episode; `rewards` is None if there are none.
        notes: for the user: what was lost or changed.
        length: longest episode in steps; None if unknown.
        provenance: where the demonstrations come from.
    """

    layout: str
    episodes: list[dict[str, Any]]
    notes: tuple[str, ...] = ()
    length: int | None = None
    provenance: Mapping[str, Any] = field(default_factory=dict)


def read_source(path: Path, limit: int | None = None) -> Source:
    """Reads demonstrations in any of the formats.

    Args:
        path: of the file or directory.
        limit: longest episode of the environment in steps, for formats that may not mark the ends of episodes.

    Raises:
        UserError: naming file and key, what was expected and what was found.
    """
    if not path.exists():
        raise UserError(f"{path}: no such file or directory")
    if path.is_dir() or path.name == DATA_FILE:
        return _read_minari(path)
    if path.suffix == ".npz":
        return _read_npz(path)
    if path.suffix not in (".hdf5", ".h5"):
        raise UserError(
            f"{path}: expected a Minari directory, a D4RL .hdf5 or an .npz file, found '{path.suffix or path.name}'"
        )
    with open_hdf5(path) as file:
        minari = any(key.startswith("episode_") for key in file)
    return _read_minari(path) if minari else _read_d4rl(path, limit)


def _read_minari(path: Path) -> Source:
    demos = load_demonstrations(path, check_actions=False)
    names = ("observations", "actions", "rewards", "terminated", "truncated", "qpos", "qvel", "seed")
    episodes = [{name: getattr(trajectory, name) for name in names} for trajectory in demos.trajectories]
    notes = ("the expert's policy in the file is not copied",) if demos.policy else ()
    return Source("Minari", episodes, notes, demos.length, demos.provenance)


def _read_d4rl(path: Path, limit: int | None) -> Source:
    with open_hdf5(path) as file:
        needed = ("observations", "actions", "terminals")
        wanted = (*needed, "rewards", "timeouts", "next_observations", "infos/qpos", "infos/qvel")
        for name in wanted:
            if name in file and not (isinstance(file[name], h5py.Dataset) and file[name].ndim):
                raise UserError(f"{path}: {name}: expected an array with one row a step, found a group or a scalar")
        arrays = {name: file[name][()] for name in wanted if name in file}
    _require_keys(path, arrays, needed, "D4RL")
    steps = len(arrays["actions"])
    if not steps:
        raise UserError(f"{path}: expected at least 1 step, found 0")
    for name in ("terminals", "timeouts"):
        if name in arrays:
            _require_flags(path, name, arrays[name])
            if arrays[name].ndim != 1:
                raise UserError(f"{path}: {name}: expected shape [{steps}], found {list(arrays[name].shape)}")
    found = arrays.get("next_observations", arrays["observations"]).shape
    if found != arrays["observations"].shape:
        expected = list(arrays["observations"].shape)
        raise UserError(f"{path}: next_observations: expected shape {expected}, found {list(found)}")
    for name, array in arrays.items():
        if len(array) != steps:
            raise UserError(f"{path}: {name}: expected length {steps} (that of actions), found {len(array)}")
    terminals = arrays["terminals"].astype(bool)
    last, notes = _d4rl_ends(path, arrays, terminals, limit)
    if "next_observations" not in arrays:
        notes.append(
            "no next_observations: the state after each episode's last action is unknown, so that step is left out"
        )
    starts = np.append(0, last[:-1] + 1)
    episodes = [_d4rl_episode(arrays, terminals, int(start), int(end)) for start, end in zip(starts, last, strict=True)]
    kept = [episode for episode in episodes if len(episode["actions"]) >= SHORTEST_EPISODE]
    if len(kept) < len(episodes):
        notes.append(f"{len(episodes) - len(kept)} episodes shorter than {SHORTEST_EPISODE} steps left out")
    return Source("D4RL", kept, tuple(notes))


def _d4rl_ends(path: Path, arrays: Mapping[str, Array], terminals: Array, limit: int | None) -> tuple[Array, list[str]]:
    """Rows that end an episode, and notes on how they were found."""
    ends, notes, steps = terminals.copy(), [], len(terminals)
    if "timeouts" in arrays:
        ends |= arrays["timeouts"].astype(bool)
    if "next_observations" in arrays:
        for name in ("observations", "next_observations"):
            if arrays[name].dtype.kind not in "fiu":
                raise UserError(f"{path}: {name}: expected dtype float32, found {arrays[name].dtype}")
        seams = ~_followed(arrays) & ~ends
        if seams.sum() > steps / 2:
            wanted = "expected each row's to equal the next row's observations, except at the end of an episode"
            found = f"{seams.sum()} of {steps} rows where they are not"
            raise UserError(f"{path}: next_observations: {wanted}, found {found}; rows must be in the order of time")
        if seams.any():
            notes.append(f"{seams.sum()} episodes end without a flag, where next_observations differ from the next row")
        ends |= seams
    if "timeouts" not in arrays and limit is not None:
        before = ends.sum()
        for start, end in itertools.pairwise([-1, *np.flatnonzero(ends), steps - 1]):
            ends[start + limit : end : limit] = True
        if cut := ends.sum() - before:
            notes.append(f"no timeouts: {cut} episodes end after the environment's {limit:,} steps")
    if not ends[-1]:
        notes.append("the last episode is cut off by the file's end; it counts as truncated")
        ends[-1] = True
    return np.flatnonzero(ends), notes


def _followed(arrays: Mapping[str, Array]) -> Array:
    """`[steps]` whether the next row equals next_observations, up to rounding; true for the last row."""
    after, then = (arrays[name].astype(np.float64) for name in ("next_observations", "observations"))
    with np.errstate(invalid="ignore", over="ignore"):  # values that are not finite are reported elsewhere
        rounding = 1e-6 + 1e-4 * np.nan_to_num(then.std(axis=0), posinf=np.inf)
        differs = np.abs(after[:-1] - then[1:]) > rounding
    same = ~differs | ~np.isfinite(after[:-1]) | ~np.isfinite(then[1:])
    return np.append(same.reshape(len(same), -1).all(axis=1), True)


def _d4rl_episode(arrays: Mapping[str, Array], terminals: Array, start: int, end: int) -> dict[str, Any]:
    whole = "next_observations" in arrays
    rows = slice(start, end + 1) if whole else slice(start, end)
    observations = arrays["observations"][start : end + 1]
    if whole:
        observations = np.concatenate([observations, arrays["next_observations"][end : end + 1]])
    return {
        "observations": observations,
        "actions": arrays["actions"][rows],
        "rewards": arrays["rewards"][rows] if "rewards" in arrays else None,
        "terminated": bool(terminals[end]) and whole,
        "truncated": not (terminals[end] and whole),
        # One simulator state a step; the one after the last step is not in the file.
        "qpos": arrays["infos/qpos"][start : end + 1] if "infos/qpos" in arrays else None,
        "qvel": arrays["infos/qvel"][start : end + 1] if "infos/qvel" in arrays else None,
    }


def _require_flags(path: Path, name: str, array: Array) -> None:
    if array.dtype.kind not in "biuf":
        raise UserError(f"{path}: {name}: expected dtype bool, found {array.dtype}")


def _read_npz(path: Path) -> Source:
    if not zipfile.is_zipfile(path):
        raise UserError(f"{path}: cannot be read: it is damaged or no .npz file")
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays: dict[str, Array] = {name: file[name] for name in file.files}
    except (ValueError, OSError, EOFError, KeyError, NotImplementedError, zipfile.BadZipFile, zlib.error) as error:
        reason = (
            "it holds Python objects (a pickle)" if "pickle" in str(error).lower() else "it is damaged or no .npz file"
        )
        raise UserError(f"{path}: cannot be read: {reason}") from None
    notes = _unread(path, arrays)
    _require_keys(path, arrays, NPZ[:3], ".npz")
    lengths = arrays["lengths"]
    if lengths.ndim != 1 or lengths.dtype.kind not in "iu":
        raise UserError(f"{path}: lengths: expected shape [n] of integers, found {list(lengths.shape)} {lengths.dtype}")
    if (lengths < 0).any():
        raise UserError(f"{path}: lengths: expected no negative ones, found {lengths.min()}")
    lengths = lengths.astype(np.int64)  # one of fewer bits, or without a sign, would overflow below
    for name in ("terminations", "truncations"):
        if name in arrays:
            _require_flags(path, name, arrays[name])
    if "terminations" not in arrays and "truncations" not in arrays:
        notes.append("no terminations or truncations: every episode counts as truncated")
    longest = int(lengths.max(initial=0))
    _require_shapes(path, arrays, len(lengths), longest)
    _require_last(path, arrays, lengths)
    return Source(
        ".npz", [_npz_episode(arrays, n, int(steps), longest) for n, steps in enumerate(lengths)], tuple(notes)
    )


def _unread(path: Path, arrays: Mapping[str, Array]) -> list[str]:
    """A note on arrays that are not read; refuses a name that looks like a misspelt one."""
    others, absent = [name for name in arrays if name not in NPZ], [name for name in NPZ if name not in arrays]
    for name in others:
        if difflib.get_close_matches(name, absent):
            raise UserError(f"{path}: {unknown_name('array', name, absent, 'leave it out if it is something else')}")
    return [f"not read: {', '.join(others)}; read are {', '.join(NPZ)}"] if others else []


def _require_shapes(path: Path, arrays: Mapping[str, Array], episodes: int, longest: int) -> None:
    extra = {"observations": 1, "qpos": 0, "qvel": 0}
    for name in (name for name in NPZ if name in arrays and name != "lengths"):
        shape, least = arrays[name].shape, longest + extra.get(name, 0)
        if len(shape) < 2 or shape[0] != episodes or shape[1] < least:
            raise UserError(f"{path}: {name}: expected shape [{episodes}, at least {least}, ...], found {list(shape)}")
    for name in (name for name in ("rewards", "terminations", "truncations") if name in arrays):
        shape, expected = arrays[name].shape, arrays["actions"].shape[:2]
        if shape != expected:
            raise UserError(f"{path}: {name}: expected shape {list(expected)}, as actions have, found {list(shape)}")


def _require_last(path: Path, arrays: Mapping[str, Array], lengths: Array) -> None:
    """Refuses an episode that ends before its length: the step after it would be of another."""
    for name in ("terminations", "truncations"):
        for n, steps in enumerate(lengths if name in arrays else ()):
            early = np.flatnonzero(arrays[name][n, : max(steps - 1, 0)])
            if early.size:
                raise UserError(
                    f"{path}: {name}: expected true at the last step only, {steps - 1} of episode {n} by lengths, "
                    f"found true at {early[0]}"
                )


def _npz_episode(arrays: Mapping[str, Array], n: int, steps: int, longest: int) -> dict[str, Any]:
    def last(name: str) -> bool:
        return bool(steps and name in arrays and arrays[name][n, steps - 1])

    def simulator(name: str) -> Array | None:
        if name not in arrays:
            return None
        # With one row a step, what follows a shorter episode's last is padding, not where it led.
        rows = arrays[name].shape[1]
        return arrays[name][n, : steps + (rows > longest and rows != arrays["actions"].shape[1])]

    return {
        "observations": arrays["observations"][n, : steps + 1],
        "actions": arrays["actions"][n, :steps],
        "rewards": arrays["rewards"][n, :steps] if "rewards" in arrays else None,
        "terminated": last("terminations"),
        "truncated": last("truncations") or not last("terminations"),
        "qpos": simulator("qpos"),
        "qvel": simulator("qvel"),
    }


def _require_keys(path: Path, arrays: Mapping[str, Array], needed: tuple[str, ...], layout: str) -> None:
    for name in needed:
        if name not in arrays:
            found = ", ".join(arrays) or "none of them"
            raise UserError(f"{path}: {name}: missing; {layout} needs {', '.join(needed)}, found {found}")
