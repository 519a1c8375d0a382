"""The HDF5 of robomimic and robosuite: observations under several keys."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from mgail_dyna.demonstrations.formats.source import Reading, Source, joined_note
from mgail_dyna.demonstrations.metadata import JOINED
from mgail_dyna.environments.spaces import parts_text
from mgail_dyna.errors import UserError, counted, unknown_name
from mgail_dyna.hdf5 import open_hdf5, read_array
from mgail_dyna.types import Array

DEMO = r"demo_\d+"


def read(path: Path, reading: Reading) -> Source:
    """Reads `data/demo_<i>`; see `registry.read_source`. The order in which keys are joined is recorded."""
    with open_hdf5(path) as file:
        data = file["data"]
        names = sorted((name for name in map(str, data) if re.fullmatch(DEMO, name)), key=lambda name: int(name[5:]))
        keys = _keys(path, data[names[0]], reading.keys)
        episodes, lacking, copied = {}, 0, 0
        for number, name in enumerate(names):
            try:
                episodes[number], last = _episode(data[name], keys)
                lacking, copied = lacking + (last == "none"), copied + (last == "copy")
            except (UserError, KeyError, AttributeError, TypeError, ValueError) as error:
                problem = f"data/{name}: {str(error).strip(chr(39) + chr(34))}"
                if reading.skipped is None:
                    raise UserError(f"{path}: {problem}") from None
                reading.skipped[number] = problem
        split = sorted(map(str, file["mask"])) if isinstance(file.get("mask"), h5py.Group) else []
    joined = parts_text(keys)
    notes = [joined_note(joined)]
    for count, what in ((lacking, "no next_obs"), (copied, "the last next_obs is a copy of obs")):
        if count:
            unknown = "the state after the last action is unknown, so that step is left out"
            notes.append(f"{what} in {counted(count, 'episode')}: {unknown}")
    if split:
        notes.append(f"not read: mask ({', '.join(split)}); every demonstration is taken")
    notes.append(
        "dones do not say whether the task or a time limit ended an episode: every episode counts as truncated"
    )
    return Source("robomimic", episodes, tuple(notes), provenance={JOINED: joined})


def _keys(path: Path, demo: h5py.Group, asked: tuple[str, ...]) -> dict[str, int]:
    """The keys of observations to join, with their widths: those asked for, or every one that is a vector."""
    observed = demo.get("obs") if isinstance(demo, h5py.Group) else None
    if not isinstance(observed, h5py.Group):
        raise UserError(
            f"{path}: {demo.name}/obs: missing; extract them from the states first, with the library's own script"
        )
    vectors = {
        str(key): int(np.prod(node.shape[1:]))
        for key, node in observed.items()
        if isinstance(node, h5py.Dataset) and node.ndim in (1, 2) and node.dtype.kind in "fiu"
    }
    for key in asked:
        if key not in observed:
            raise UserError(f"{path}: --keys: {unknown_name('key', key, sorted(observed))}")
        if key not in vectors:
            raise UserError(f"{path}: --keys: {key}: expected a vector a step, found shape {list(observed[key].shape)}")
    if not vectors:
        raise UserError(f"{path}: {observed.name}: expected a vector a step under some key, found none")
    return {key: vectors[key] for key in (asked or sorted(vectors))}


def _episode(demo: h5py.Group, keys: dict[str, int]) -> tuple[dict[str, Any], str]:
    """An episode, and what is known of the state after its last action: "own", "none", or a "copy" of the one before.

    The library's converter of D4RL writes such a copy.
    """

    def joined(group: h5py.Group, rows: slice) -> Array:
        parts = [read_array(group[key]) for key in keys]
        return np.concatenate([part.reshape(len(part), -1)[rows] for part in parts], axis=1)

    observations, actions = joined(demo["obs"], slice(None)), read_array(demo["actions"])
    if len(observations) != len(actions):
        raise UserError(f"obs: expected a row for each of {len(actions)} actions, found {len(observations)}")
    steps, known = len(actions), "none"
    if "next_obs" in demo:
        last = joined(demo["next_obs"], slice(-1, None))
        known = "copy" if np.array_equal(last, observations[-1:]) and _rests(demo) else "own"
    if known == "own":
        observations = np.concatenate([observations, last])
    else:
        steps -= 1
    return {
        "observations": observations,
        "actions": actions[:steps],
        "rewards": read_array(demo["rewards"])[:steps] if "rewards" in demo else None,
        "terminated": False,
        "truncated": True,
        "qpos": None,
        "qvel": None,
    }, known


def _rests(demo: h5py.Group) -> bool:
    """Whether no vector changes in the last step, chosen or not."""
    after = {key: node for key, node in demo["next_obs"].items() if isinstance(node, h5py.Dataset) and node.ndim < 3}
    return all(np.array_equal(read_array(demo["obs"][key])[-1:], read_array(node)[-1:]) for key, node in after.items())
