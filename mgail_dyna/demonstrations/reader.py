"""Reads demonstrations and their expert from one HDF5 file, which the `minari` package opens as well.

    <name>/data/metadata.json     spaces, environment, provenance
    <name>/data/main_data.hdf5    episode_<i>/{observations,actions,rewards,terminations,truncations,infos/{qpos,qvel}}
                                  policy/{kernel_<l>,bias_<l>,log_std}, normalization/{mean,std}: the expert itself

The last two groups are ours; Minari reads `episode_*` only.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import replace
from pathlib import Path
from typing import Any

import gymnasium as gym
import h5py
import numpy as np

from mgail_dyna import runtime
from mgail_dyna.demonstrations.dataset import SHORTEST_EPISODE, Demonstrations, outside
from mgail_dyna.demonstrations.metadata import METADATA_FILE, read_metadata
from mgail_dyna.environments.spaces import action_spec, observation_size
from mgail_dyna.errors import UserError
from mgail_dyna.networks.numpy_policy import NumpyPolicy
from mgail_dyna.storage import open_hdf5
from mgail_dyna.types import ActionSpec, Array, Trajectory

# At the top of a checkout; inside the package where it is installed.
SHIPPED = (runtime.checkout() or Path(__file__).resolve().parents[1]) / "expert_data"
DATA_FILE = "main_data.hdf5"


def locate(name: str | Path) -> Path:
    """The directory that holds the two files.

    Args:
        name: a shipped expert's name, a directory as above (or its `data` directory), or its HDF5 file.

    Raises:
        UserError: there is nothing there.
    """
    path = SHIPPED / name / "trpo-v0" if str(name) in shipped_experts() else Path(name)
    try:
        path.exists()
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}") from None
    for candidate in [path / "data", path] if path.is_dir() else [path.parent] if path.exists() else []:
        if (candidate / DATA_FILE).exists() and (not path.is_file() or path.name == DATA_FILE):
            return candidate
    if path.is_file():
        return path  # not ours by name; reading it will say what it is
    if path.is_dir():
        inside = sorted(path.glob(f"*/data/{DATA_FILE}"))
        instead = f"; did you mean {inside[0].parent.parent}?" if inside else ""
        raise UserError(f"{path}: expected {DATA_FILE} in it or in its data directory, found neither{instead}")
    shipped = ", ".join(shipped_experts()) or f"there are none in {SHIPPED}"
    raise UserError(f"{path}: no such file or directory, and no shipped expert ({shipped})")


def shipped_experts() -> list[str]:
    """Names of the experts whose demonstrations ship."""
    return sorted(entry.parent.name for entry in SHIPPED.glob("*/trpo-v0"))


def file_has_simulator_states(name: str | Path) -> bool:
    """`Demonstrations.has_simulator_states`, without reading the arrays; True if unreadable: loading tells why."""
    try:
        found = locate(name)
        with open_hdf5(found if found.is_file() else found / DATA_FILE) as file:
            return all(f"{key}/infos/{what}" in file for key in _episodes(file) for what in ("qpos", "qvel"))
    except UserError:
        return True


def _episodes(file: h5py.File) -> list[str]:
    return sorted((key for key in file if re.fullmatch(r"episode_\d+", key)), key=lambda key: int(key[8:]))


def load_demonstrations(name: str | Path, *, check_actions: bool = True) -> Demonstrations:
    """Reads and validates demonstrations, and the expert's policy if there is one.

    Args:
        name: as `locate` takes it.
        check_actions: refuse actions outside the action space.

    Raises:
        UserError: naming file and key, what was expected and what was found.
    """
    directory = locate(name)
    if directory.suffix == ".npz":
        raise UserError(
            f"{directory}: expected demonstrations in HDF5, found .npz; bring them in with: "
            f"{runtime.program()} data convert {shlex.quote(str(directory))} OUT --env ENV"
        )
    data = directory if directory.is_file() else directory / DATA_FILE
    with open_hdf5(data) as file:
        keys = _episodes(file)
        if not keys:
            raise UserError(
                f"{data}: expected groups episode_0, episode_1, ..., found {', '.join(list(file)[:5]) or 'nothing'}; "
                f"convert other layouts with: {runtime.program()} data convert"
            )
        metadata = read_metadata(data.parent / METADATA_FILE)
        action = action_spec(metadata.action_space)
        trajectories = tuple(_read_episode(data, file, key, metadata.observation_space, action) for key in keys)
        if check_actions:
            for key, trajectory in zip(keys, trajectories, strict=True):
                _check_bounds(data, key, trajectory.actions, action)
        policy = _read_policy(data, file, action, observation_size(metadata.observation_space))
    expected = metadata.total_episodes
    if expected not in (None, len(trajectories)):
        raise UserError(
            f"{data}: expected the {expected} episodes that {METADATA_FILE} names, found {len(trajectories)}"
        )
    return Demonstrations(
        trajectories,
        metadata.observation_space,
        metadata.action_space,
        env_id=metadata.env_id,
        length=metadata.length,
        policy=policy,
        provenance=metadata.provenance,
        env_kwargs=metadata.env_kwargs,
        env_wrappers=metadata.env_wrappers,
    )


def _read_episode(
    path: Path, file: h5py.File, key: str, observation_space: gym.spaces.Box, action: ActionSpec
) -> Trajectory:
    group = file[key]
    if not isinstance(group, h5py.Group):
        raise UserError(f"{path}: {key}: expected a group, found an array")

    def read(name: str, dtype: Any, tail: tuple[int, ...] | None) -> Array:
        node = group.get(name)
        if not isinstance(node, h5py.Dataset):
            raise UserError(f"{path}: {key}/{name}: missing")
        kind = np.dtype(dtype).kind
        if node.dtype.kind not in {"f": "fiu", "i": "iu", "b": "biu"}[kind]:
            raise UserError(f"{path}: {key}/{name}: expected dtype {np.dtype(dtype)}, found {node.dtype}")
        if tail is None and node.ndim != 2:
            raise UserError(f"{path}: {key}/{name}: expected shape [T + 1, n], found {list(node.shape)}")
        if tail is not None and (node.shape[1:] != tail or node.ndim != 1 + len(tail)):
            expected = ", ".join(["T", *map(str, tail)])
            raise UserError(f"{path}: {key}/{name}: expected shape [{expected}], found {list(node.shape)}")
        with np.errstate(over="ignore"):  # infinity is reported below
            return node[()].astype(dtype)

    discrete = action.kind == "discrete"
    actions = read("actions", np.int64 if discrete else np.float32, () if discrete else (action.size,))
    terminations, truncations = read("terminations", bool, ()), read("truncations", bool, ())
    infos = {
        name: read(f"infos/{name}", np.float64, None) if f"infos/{name}" in group else None for name in ("qpos", "qvel")
    }
    if len(actions) < SHORTEST_EPISODE:
        raise UserError(f"{path}: {key}: expected at least {SHORTEST_EPISODE} steps, found {len(actions)}")
    for name, flags in (("terminations", terminations), ("truncations", truncations)):
        if len(flags) != len(actions):
            raise UserError(f"{path}: {key}/{name}: expected length {len(actions)}, found {len(flags)}")
        if flags[:-1].any():
            where = int(np.argmax(flags))
            raise UserError(f"{path}: {key}/{name}: expected true at the last step only, found true at step {where}")
    try:
        return Trajectory(
            observations=read("observations", np.float32, observation_space.shape),
            actions=actions,
            rewards=read("rewards", np.float64, ()) if "rewards" in group else np.zeros(len(actions)),
            terminated=bool(terminations[-1]),
            truncated=bool(truncations[-1]),
            seed=_seed(path, key, group),
            qpos=infos.get("qpos"),
            qvel=infos.get("qvel"),
        )
    except ValueError as error:
        raise UserError(f"{path}: {key}/{error}") from None


def _seed(path: Path, key: str, group: h5py.Group) -> int | None:
    seed = group.attrs.get("seed")
    if seed is not None and not isinstance(seed, int | np.integer):
        raise UserError(f"{path}: {key}: seed: expected an integer, found {seed!r}")
    return None if seed is None else int(seed)


def _check_bounds(path: Path, key: str, actions: Array, spec: ActionSpec) -> None:
    if problem := outside(actions, spec):
        raise UserError(f"{path}: {key}/actions: {problem}")


def _read_policy(path: Path, file: h5py.File, spec: ActionSpec, observations: int) -> NumpyPolicy | None:
    if "policy" not in file:
        return None
    try:
        weights = {name: node[()] for name, node in file["policy"].items()}
        if "normalization/mean" not in file or "normalization/std" not in file:
            raise UserError("expected normalization/mean and normalization/std beside it, found one or none")
        statistics = {name: file[f"normalization/{name}"][()] for name in ("mean", "std")}
        for name, array in {**weights, **statistics}.items():
            if array.dtype.kind not in "fiu" or not np.isfinite(array).all():
                raise UserError(f"{name}: expected finite numbers, found NaN, infinity or none")
        attributes = file["policy"].attrs
        policy = NumpyPolicy(
            replace(spec, unit=attributes.get("unit")),
            weights,
            str(attributes["activation"]),
            statistics["mean"],
            statistics["std"],
            float(attributes["clip"]),
            bool(attributes.get("squash", False)),
        )
        policy.act(np.zeros(observations, np.float32))
    except UserError as error:
        raise UserError(f"{path}: policy: {error}") from None
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UserError(f"{path}: policy: expected the weights and normalisation of a network, found {error}") from None
    return policy
