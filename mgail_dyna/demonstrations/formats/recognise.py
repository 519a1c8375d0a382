"""Recognises the layout of demonstrations by what a file must hold, and refuses others by name with a remedy."""

from __future__ import annotations

import difflib
import re
import zipfile
from collections.abc import Callable, Collection
from pathlib import Path

import h5py

from mgail_dyna.demonstrations.metadata import NPZ_REMEDY
from mgail_dyna.errors import UserError
from mgail_dyna.hdf5 import OURS, open_hdf5

MINARI, D4RL, NPZ, CSV = "Minari", "D4RL", ".npz", "CSV"
ROBOMIMIC, LEROBOT, IMITATION = "robomimic", "LeRobot", "imitation"
DATA_FILE = "main_data.hdf5"
HDF5_SUFFIXES = (".hdf5", ".h5", ".hdf")
D4RL_NEEDS = ("observations", "actions", "terminals")
NPZ_NEEDS = ("observations", "lengths")
_HDF5_MAGIC = b"\x89HDF\r\n\x1a\n"
_WRITE = f"write its episodes to an .npz for data convert: {NPZ_REMEDY}"


def recognise(path: Path) -> str:
    """The layout of a file or directory, one of the names above.

    A file that has some of what a layout needs counts as that layout: reading it will say what is missing.

    Raises:
        UserError: another layout, which the message names if it is known, with a remedy.
    """
    if not path.exists():
        near = difflib.get_close_matches(path.name, [each.name for each in path.parent.glob("*")], 1, 0.7)
        raise UserError(
            f"{path}: no such file or directory{f'; did you mean {path.with_name(near[0])}?' if near else ''}"
        )
    if path.is_dir():
        return _directory(path)
    try:
        with path.open("rb") as file:
            start = file.read(8)
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from None
    if path.suffix in HDF5_SUFFIXES or start == _HDF5_MAGIC:
        return _hdf5(path)
    if path.suffix == ".npz":
        return _npz(path)
    if path.suffix == ".csv":
        return CSV
    raise _foreign_file(path, start)


def foreign(path: Path, layout: str, remedy: str = _WRITE) -> UserError:
    """The error for a layout that is known and not read."""
    return UserError(f"{path}: found {layout}, which is not read; {remedy}")


def _has(*needed: str) -> Callable[[Collection[str]], bool]:
    return lambda names: set(needed) <= set(names)


def _numbered(pattern: str) -> Callable[[Collection[str]], bool]:
    return lambda names: any(re.fullmatch(pattern, name) for name in names)


# Layouts that are not read: what they must hold, their name, and what to do. The first that fits counts.
_IN_HDF5: tuple[tuple[Callable[[Collection[str]], bool], str, str], ...] = (
    (
        _has("obs_B_T_Do", "a_B_T_Da"),
        "the .h5 of openai/imitation",
        f"obs_B_T_Do are observations [n, T, d] without the last one: {_WRITE}, with len_B - 1 as lengths and one "
        "action less an episode",
    ),
    (
        _numbered(r"observations_\d+"),
        "the data set of d3rlpy 2",
        f"observations_0, observations_1, ... lack each episode's last observation: {_WRITE}, "
        "without each episode's last action",
    ),
    (
        _has("episode_terminals", "observations", "actions"),
        "the data set of d3rlpy 1",
        "rename episode_terminals to timeouts, and it is D4RL's layout",
    ),
    (_numbered(r"traj_\d+"), "trajectories of ManiSkill", f"observations lie in traj_<i>/obs: {_WRITE}"),
    (_has("model_weights"), "a model of Keras", "give the demonstrations, not a network"),
    (
        lambda names: _has("observations", "actions", "dones")(names) and "terminals" not in names,
        "D4RL's arrays with dones in place of terminals",
        "dones do not say whether the task or a time limit ended an episode: write terminals (true where the task did) "
        "and timeouts (true where the limit did)",
    ),
)
_IN_NPZ: tuple[tuple[Callable[[Collection[str]], bool], str, str], ...] = (
    (
        _has("obs", "acts", "indices"),
        "the older .npz of imitation",
        f"split obs and acts at indices: {_WRITE} (obs are observations, acts actions, rews rewards)",
    ),
    (
        _has("obs", "actions", "episode_starts"),
        "the expert data set of stable-baselines",
        f"split obs and actions at episode_starts: {_WRITE}; its last observations are missing, so leave out each "
        "episode's last action",
    ),
    (
        _has("obs", "acs"),
        "the .npz of openai/baselines",
        f"obs are observations [n, T, d] without the last one, acs actions: {_WRITE}, with T - 1 as lengths",
    ),
    (
        lambda names: (
            _has("observations", "actions")(names)
            and "lengths" not in names
            and bool({"terminals", "dones", "timeouts"} & set(names))
        ),
        "D4RL's arrays in an .npz file",
        "write them to an HDF5 file under the same names (observations, actions, terminals, timeouts)",
    ),
)


def _hdf5(path: Path) -> str:
    with open_hdf5(path) as file:
        names = set(map(str, file))  # bytes where they are no text
        if any(re.fullmatch(r"episode_\d+", name) and file.get(name, getclass=True) is h5py.Group for name in names):
            return MINARI
        if str(file.attrs.get("format", "")).startswith(OURS):
            raise foreign(path, "a checkpoint or a policy of this package", "give the demonstrations")
        if isinstance(data := file.get("data"), h5py.Group) and _numbered(r"demo_\d+")(data):
            return ROBOMIMIC
        _refuse_known(path, names, _IN_HDF5)
        if names & set(D4RL_NEEDS):
            return D4RL
        found = ", ".join(sorted(names)[:8]) or "nothing"
    raise UserError(
        f"{path}: expected groups episode_0, episode_1, ... (Minari) or the arrays {', '.join(D4RL_NEEDS)} (D4RL), "
        f"found {found}; {_WRITE}"
    )


def _npz(path: Path) -> str:
    try:
        with zipfile.ZipFile(path) as archive:
            names = {name.removesuffix(".npy") for name in archive.namelist()}
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        return NPZ  # reading it will say that it is damaged
    _refuse_known(path, names, _IN_NPZ)
    if not names & set(NPZ_NEEDS) and {"data.pkl", "version"} & {name.rpartition("/")[2] for name in names}:
        raise foreign(path, "a file of PyTorch")
    return NPZ


def _refuse_known(
    path: Path, names: Collection[str], layouts: tuple[tuple[Callable[[Collection[str]], bool], str, str], ...]
) -> None:
    if path.suffix == ".npz" and set(NPZ_NEEDS) <= set(names):
        return
    for holds, layout, remedy in layouts:
        if holds(names):
            raise foreign(path, layout, remedy)


_JOIN = f"read it with its own library and {_WRITE}"


def _directory(path: Path) -> str:
    if any((place / DATA_FILE).exists() for place in (path, path / "data")):
        return MINARI
    if (path / "dataset_info.json").exists() and (path / "state.json").exists():
        return IMITATION
    if (path / "meta" / "info.json").exists() or next(path.rglob("*.parquet"), None) is not None:
        return LEROBOT
    for marks, layout, remedy in (
        (("features.json",), "a data set of RLDS or TensorFlow Datasets", _JOIN),
        ((".zgroup",), "a zarr store", _JOIN),
        (("zarr.json",), "a zarr store", _JOIN),
    ):
        if any((path / mark).exists() for mark in marks):
            raise foreign(path, layout, remedy)
    if next(path.rglob("*.tfrecord*"), None) is not None:
        raise foreign(path, "a directory of TFRecord files", _JOIN)
    return MINARI  # reading it will say what is missing


_BY_START = {
    b"PAR1": "a parquet file (give LeRobot's directory, with meta and data in it)",
    b"\x93NUMPY": "a single array of NumPy (.npy)",
    b"\x80": "a pickle",
    b"ARROW1": "an Arrow file",
}
_BY_SUFFIX = {
    **dict.fromkeys((".pkl", ".pickle", ".p"), "a pickle"),
    ".npy": "a single array of NumPy (.npy)",
    ".txt": "a table of text (.txt)",
    ".parquet": "a parquet file (give LeRobot's directory, with meta and data in it)",
    ".arrow": "an Arrow file (give imitation's directory, with state.json in it)",
    **dict.fromkeys((".tfrecord", ".tfrecords"), "a TFRecord file (RLDS, TF-Agents)"),
    **dict.fromkeys((".pt", ".pth"), "a file of PyTorch"),
    **dict.fromkeys((".json", ".jsonl"), "a file of JSON"),
    ".mat": "a file of MATLAB",
    ".zip": "a zip archive (a model of Stable-Baselines3, if it is one)",
}


def _foreign_file(path: Path, start: bytes) -> UserError:
    read = "a D4RL or robomimic .hdf5, an .npz or a .csv file, or a Minari, LeRobot or imitation directory"
    expected = f"{path}: expected a data set, or for data convert {read}, found"
    layouts = [layout for magic, layout in _BY_START.items() if start.startswith(magic)]
    layout = layouts[0] if layouts else _BY_SUFFIX.get(path.suffix, "")
    pickled = " (no pickle is opened, as it can run code)" if layout == "a pickle" else ""
    found = f"'{path.suffix or path.name}'" + (f", {layout}{pickled}" if layout else "")
    return UserError(f"{expected} {found}; {_WRITE}")
