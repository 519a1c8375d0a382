"""Writes demonstrations and their expert as `expert_data` reads them."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from gymnasium.envs.registration import EnvSpec
from h5py import h5d, h5p, h5s, h5t

from mgail_dyna.demonstrations.compatibility import check_actions
from mgail_dyna.demonstrations.dataset import Demonstrations
from mgail_dyna.demonstrations.metadata import METADATA_FILE, WRAPPERS, space_to_json
from mgail_dyna.demonstrations.progress import watched
from mgail_dyna.demonstrations.reader import DATA_FILE
from mgail_dyna.environments.make import env_spec
from mgail_dyna.errors import UserError
from mgail_dyna.hdf5 import writing_hdf5
from mgail_dyna.networks.numpy_policy import NumpyPolicy
from mgail_dyna.storage import replacing
from mgail_dyna.types import Array, Trajectory

# Every Minari since 0.5 accepts datasets that say they were written by this one.
MINARI_VERSION = "0.5.0"
# Bytes from which an array is compressed; a shorter one takes less room and time as it is.
COMPRESSED = 4096
_COMPRESSION: dict[str, Any] = {"compression": "gzip", "compression_opts": 9, "shuffle": True}


def save_demonstrations(
    path: str | Path, demos: Demonstrations, name: str | None = None, *, overwrite: bool = False
) -> None:
    """Writes `path/data/`, completely or not at all.

    Args:
        path: a directory, made if needed.
        demos: what to write.
        name: the dataset's id in Minari's terms; the last two parts of `path` if not given.
        overwrite: replace a dataset that is there already.

    Raises:
        UserError: there is a data set already, an action is outside the action space, or it cannot be written.
    """
    path = Path(path)
    target = path / "data"
    if target.exists() and not overwrite:
        raise UserError(f"{target}: exists already; give another path or --overwrite")
    thinned = next((n for n, trajectory in enumerate(demos.trajectories) if trajectory.subsample != 1), None)
    if thinned is not None:
        raise UserError(
            f"{target}: expected every step of each demonstration, found every "
            f"{demos.trajectories[thinned].subsample}th in trajectory {thinned}; save whole trajectories and subsample "
            "them in training (--subsample)"
        )
    check_actions(demos, str(target))
    metadata = _metadata(demos, name or _dataset_id(path), target)
    with replacing(target) as fresh:
        fresh.mkdir()
        with writing_hdf5(fresh / DATA_FILE) as file:
            episodes = watched(demos.trajectories, len(demos.trajectories), f"writing {target}, episodes")
            for index, trajectory in enumerate(episodes):
                _write_episode(file, index, trajectory)
            if demos.policy is not None:
                _write_policy(file, demos.policy)
        size = (fresh / DATA_FILE).stat().st_size / 1e6
        metadata["dataset_size"] = round(size, 1)
        (fresh / METADATA_FILE).write_text(json.dumps(metadata, indent=2) + "\n", encoding="utf-8")


def _metadata(demos: Demonstrations, name: str, target: Path) -> dict[str, Any]:
    metadata: dict[str, Any] = {
        "total_episodes": len(demos.trajectories),
        "total_steps": demos.total_steps,
        "data_format": "hdf5",
        "dataset_id": name,
        "minari_version": MINARI_VERSION,
        # What is stored: observations are float32 whatever the simulator's own precision.
        "observation_space": json.dumps(space_to_json(demos.observation_space)),
        "action_space": json.dumps(space_to_json(demos.action_space)),
        "algorithm_name": demos.provenance.get("algorithm", "unknown"),
        "provenance": _plain(demos.provenance, target),
    }
    if demos.env_id is not None:
        spec = copy.deepcopy(env_spec(demos.env_id, **demos.env_kwargs))
        spec.kwargs = {**spec.kwargs, **demos.env_kwargs}
        if demos.length is not None:
            spec.max_episode_steps = demos.length
        metadata["env_spec"] = _as_json(spec)
    if demos.env_wrappers:
        metadata[WRAPPERS] = list(demos.env_wrappers)
    return metadata


def _plain(provenance: dict[str, Any], target: Path) -> Any:
    try:
        return json.loads(json.dumps(provenance))
    except TypeError as error:
        raise UserError(f"{target}: provenance: expected what JSON can hold, found else ({error})") from None


def _as_json(spec: EnvSpec) -> str:
    """`spec` as JSON: classes by their names, without keyword arguments that JSON cannot hold."""
    for field in ("entry_point", "vector_entry_point"):
        if callable(point := getattr(spec, field)):
            setattr(spec, field, f"{point.__module__}:{point.__qualname__}")
    spec.kwargs = {name: value for name, value in spec.kwargs.items() if _has_json(value)}
    try:
        return spec.to_json()
    except (TypeError, ValueError):  # wrappers that are registered with such arguments
        spec.additional_wrappers = ()
        return spec.to_json()


def _has_json(value: Any) -> bool:
    try:
        json.dumps(value)
    except (TypeError, ValueError):
        return False
    return True


def _dataset_id(path: Path) -> str:
    parent, name = path.resolve().parts[-2:]
    parent, name = (re.sub(r"[^a-zA-Z0-9_-]", "-", part) for part in (parent, name))
    # Minari's names of directories have two letters at least.
    name = name if re.search(r".-v\d+$", name) else f"{name}-v0"
    return f"{parent}/{name}" if len(parent) > 1 else name


def _write_episode(file: h5py.File, index: int, trajectory: Trajectory) -> None:
    group = file.create_group(f"episode_{index}")
    last = np.arange(len(trajectory)) == len(trajectory) - 1
    arrays: Sequence[tuple[str, Array | None]] = (
        ("observations", trajectory.observations),
        ("actions", trajectory.actions),
        ("rewards", trajectory.rewards),
        ("terminations", last & trajectory.terminated),
        ("truncations", last & trajectory.truncated),
        ("infos/qpos", trajectory.qpos),
        ("infos/qvel", trajectory.qvel),
    )
    for name, array in arrays:
        if array is None:
            continue
        if array.nbytes >= COMPRESSED or "/" in name:
            group.create_dataset(name, data=array, **(_COMPRESSION if array.nbytes >= COMPRESSED else {}))
        else:
            _write_small(group, name, array)
    group.attrs["id"] = index
    group.attrs["total_steps"] = len(trajectory)
    if trajectory.seed is not None:
        group.attrs["seed"] = trajectory.seed


def _write_small(group: h5py.Group, name: str, array: Array) -> None:
    """As `create_dataset`, through HDF5's own interface, which is several times as fast for short arrays."""
    properties = h5p.create(h5p.DATASET_CREATE)
    properties.set_obj_track_times(False)  # the same demonstrations give the same file
    kind = h5t.py_create(array.dtype, logical=True)
    node = h5d.create(group.id, name.encode(), kind, h5s.create_simple(array.shape), dcpl=properties)
    node.write(h5s.ALL, h5s.ALL, np.ascontiguousarray(array))


def _write_policy(file: h5py.File, policy: NumpyPolicy) -> None:
    group = file.create_group("policy")
    group.attrs["activation"] = policy.activation
    group.attrs["clip"] = policy.clip
    group.attrs["squash"] = policy.squash
    if policy.spec.unit is not None:
        group.attrs["unit"] = policy.spec.unit
    for name, array in policy.weights.items():
        group.create_dataset(name, data=array)
    file.create_dataset("normalization/mean", data=policy.mean)
    file.create_dataset("normalization/std", data=policy.std)
