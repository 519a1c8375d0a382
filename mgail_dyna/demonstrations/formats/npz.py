"""Padded arrays in an `.npz` file: observations [n, T+1, d], lengths [n], actions [n, T, ...] and what is optional."""

from __future__ import annotations

import difflib
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from mgail_dyna.demonstrations.formats.recognise import NPZ_NEEDS
from mgail_dyna.demonstrations.formats.source import Reading, Source, refuse_keys, require_flags, require_keys
from mgail_dyna.demonstrations.metadata import NPZ_REMEDY
from mgail_dyna.errors import UserError, unknown_name
from mgail_dyna.types import Array

# Arrays with one number a step, and all that are read.
_SINGLE = ("rewards", "terminations", "truncations")
NPZ = (*NPZ_NEEDS, "actions", *_SINGLE, "qpos", "qvel")


def read(path: Path, reading: Reading) -> Source:
    """Reads the arrays; see `registry.read_source`."""
    refuse_keys(path, reading)
    skipped = reading.skipped
    arrays = _arrays(path)
    notes = _unread(path, arrays)
    _require_lengths(path, arrays)
    require_keys(path, arrays, NPZ_NEEDS, ".npz")
    lengths = arrays["lengths"].astype(np.int64)  # one of fewer bits, or without a sign, would overflow below
    for name in ("terminations", "truncations"):
        if name in arrays:
            require_flags(path, name, arrays[name])
    if "terminations" not in arrays and "truncations" not in arrays:
        notes.append("no terminations or truncations: every episode counts as truncated")
    longest = int(lengths.max(initial=0))
    _require_shapes(path, arrays, lengths, longest)
    notes += _beyond(arrays["observations"], lengths)
    if "actions" in arrays and longest + 1 == arrays["observations"].shape[1] == arrays["actions"].shape[1]:
        notes.append(
            "actions has a row for every observation: each row is read as the action taken in that observation, "
            "and the last one of an episode is not read"
        )
    episodes = {}
    for n, steps in enumerate(lengths):
        if (problem := _early(arrays, n, int(steps))) is not None:
            if skipped is None:
                raise UserError(f"{path}: {problem}")
            skipped[n] = problem
        else:
            episodes[n] = _episode(arrays, n, int(steps), longest)
    return Source(".npz", episodes, tuple(notes))


def _arrays(path: Path) -> dict[str, Array]:
    if not zipfile.is_zipfile(path):
        raise UserError(f"{path}: cannot be read: it is damaged or no .npz file")
    try:
        with np.load(path, allow_pickle=False) as file:
            return {name: _flat(name, file[name]) for name in file.files}
    except Exception as error:  # NumPy evaluates headers, which raises errors of many kinds
        reason = "it is damaged or no .npz file"
        if "pickle" in str(error).lower():
            reason = f"it holds Python objects (a pickle); write arrays of numbers, padded if needed: {NPZ_REMEDY}"
        raise UserError(f"{path}: cannot be read: {reason}") from None


def _flat(name: str, array: Array) -> Array:
    """What has one number a step as `[n, T]`."""
    single = name in _SINGLE and array.ndim == 3 and array.shape[2] == 1
    return array[..., 0] if single else array


def _unread(path: Path, arrays: Mapping[str, Array]) -> list[str]:
    """A note on arrays that are not read; refuses a name that looks like a misspelt one."""
    others, absent = [name for name in arrays if name not in NPZ], [name for name in NPZ if name not in arrays]
    for name in others:
        if difflib.get_close_matches(name, absent):
            raise UserError(f"{path}: {unknown_name('array', name, absent, 'leave it out if it is something else')}")
    if not others:
        return []
    dones = "; for dones write terminations (ended by the task) and truncations" if "dones" in others else ""
    return [f"not read: {', '.join(others)}; read are {', '.join(NPZ)}{dones}"]


def _require_lengths(path: Path, arrays: Mapping[str, Array]) -> None:
    if "lengths" not in arrays:
        _refuse_single(path, arrays)
        return
    lengths = arrays["lengths"]
    if lengths.ndim != 1 or lengths.dtype.kind not in "iu":
        found = f"{list(lengths.shape)} {lengths.dtype}"
        remedy = "; lengths.astype(int) makes them so" if lengths.ndim == 1 and lengths.dtype.kind == "f" else ""
        raise UserError(f"{path}: lengths: expected shape [n] of integers, found {found}{remedy}")
    if (lengths < 0).any():
        raise UserError(f"{path}: lengths: expected no negative ones, found {lengths.min()}")


def _refuse_single(path: Path, arrays: Mapping[str, Array]) -> None:
    """Refuses arrays without lengths, in words for one episode and for several."""
    if not {"observations", "actions"} <= arrays.keys():
        return
    observations, actions = arrays["observations"], arrays["actions"]
    if observations.ndim == 2 and observations.shape[0] - actions.shape[0] in (0, 1):
        steps = observations.shape[0] - 1
        raise UserError(
            f"{path}: lengths: missing, and the arrays look like one episode; write observations[None], "
            f"actions[None][:, :{steps}] and lengths np.array([{steps}])"
        )
    raise UserError(f"{path}: lengths: missing; .npz needs the number of steps of each episode as lengths [n]")


def _beyond(observations: Array, lengths: Array) -> list[str]:
    """A note if episodes have more rows than their lengths say: padding is all the same."""
    if observations.dtype.kind not in "fiu":
        return []  # refused later
    after = [(n, observations[n, steps + 1 :]) for n, steps in enumerate(lengths)]
    going_on = [n for n, rows in after if len(rows) > 1 and (rows != rows[0]).any() and not np.isnan(rows).all()]
    if not going_on:
        return []
    named = ", ".join(map(str, going_on[:5])) + (", ..." if len(going_on) > 5 else "")
    return [
        f"{len(going_on):,} of {len(lengths):,} episodes have observations beyond their lengths (number {named}, "
        "counted from 0), which are not read. Is lengths right?"
    ]


def _require_shapes(path: Path, arrays: Mapping[str, Array], lengths: Array, longest: int) -> None:
    episodes = len(lengths)
    extra = {"observations": 1, "qpos": 0, "qvel": 0}
    for name in (name for name in NPZ if name in arrays and name != "lengths"):
        shape, least = arrays[name].shape, longest + extra.get(name, 0)
        if len(shape) < 2 or shape[0] != episodes or shape[1] < least:
            wanted = f"expected shape [{episodes}, at least {least}, ...], found {list(shape)}"
            raise UserError(f"{path}: {name}: {wanted}{_shape_remedy(name, shape, lengths, longest, least)}")
    for name in (name for name in _SINGLE if name in arrays):
        shape, expected = arrays[name].shape, (episodes, _width(arrays))
        fits = (expected, (episodes, *arrays["actions"].shape[1:2])) if "actions" in arrays else (expected,)
        if shape not in fits:
            wanted = f"expected shape {list(expected)}, one row less than observations"
            raise UserError(f"{path}: {name}: {wanted}, found {list(shape)}")


def _width(arrays: Mapping[str, Array]) -> int:
    """Padded length of what has a row a step."""
    return arrays["observations"].shape[1] - 1


def _shape_remedy(name: str, shape: tuple[int, ...], lengths: Array, longest: int, least: int) -> str:
    episodes = len(lengths)
    if len(shape) >= 2 and shape[0] >= least and shape[1] == episodes:
        return f"; time seems to be first: write {name}.swapaxes(0, 1), and the same for the other arrays"
    if name == "observations" and len(shape) >= 2 and shape[:2] == (episodes, longest):
        remedy = "subtract 1 from every length, which leaves that action out"
        return f"; the observation after the last action is missing: {remedy}"
    if len(shape) >= 2 and shape[0] != episodes:
        return f"; lengths has {episodes} entries: one for each episode?"
    if len(shape) >= 2:
        return f"; lengths[{int(lengths.argmax())}] is {longest}: is it right?"
    return ""


def _early(arrays: Mapping[str, Array], n: int, steps: int) -> str | None:
    """What is wrong with an episode that ends before its length: the step after it would be of another."""
    for name in ("terminations", "truncations"):
        early = np.flatnonzero(arrays[name][n, : max(steps - 1, 0)]) if name in arrays else np.empty(0)
        if early.size:
            wanted = f"expected true at the last step only, {steps - 1} of episode {n} by lengths"
            return f"{name}: {wanted}, found true at {early[0]}"
    return None


def _episode(arrays: Mapping[str, Array], n: int, steps: int, longest: int) -> dict[str, Any]:
    def last(name: str) -> bool:
        return bool(steps and name in arrays and arrays[name][n, steps - 1])

    def simulator(name: str) -> Array | None:
        if name not in arrays:
            return None
        # With one row a step, what follows a shorter episode's last is padding, not where it led.
        rows = arrays[name].shape[1]
        return arrays[name][n, : steps + (rows > longest and rows != _width(arrays))]

    return {
        "observations": arrays["observations"][n, : steps + 1],
        "actions": arrays["actions"][n, :steps] if "actions" in arrays else None,
        "rewards": arrays["rewards"][n, :steps] if "rewards" in arrays else None,
        "terminated": last("terminations"),
        "truncated": last("truncations") or not last("terminations"),
        "qpos": simulator("qpos"),
        "qvel": simulator("qvel"),
    }
