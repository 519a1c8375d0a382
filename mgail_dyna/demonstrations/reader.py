"""Reads demonstrations and their expert from one HDF5 file, which the `minari` package opens as well.

    <name>/data/metadata.json     spaces, environment, provenance
    <name>/data/main_data.hdf5    episode_<i>/{observations,actions,rewards,terminations,truncations,infos/{qpos,qvel}}
                                  policy/{kernel_<l>,bias_<l>,log_std}, normalization/{mean,std}: the expert itself

The last two groups are ours; Minari reads `episode_*` only.
"""

from __future__ import annotations

import contextlib
import difflib
import re
import shlex
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import h5py

from mgail_dyna import runtime
from mgail_dyna.demonstrations.dataset import Demonstrations
from mgail_dyna.demonstrations.episodes import EpisodeReader
from mgail_dyna.demonstrations.formats.recognise import DATA_FILE as DATA_FILE
from mgail_dyna.demonstrations.formats.recognise import MINARI, recognise
from mgail_dyna.demonstrations.metadata import JOINED, METADATA_FILE, read_metadata
from mgail_dyna.demonstrations.progress import LARGE, announced
from mgail_dyna.environments.spaces import action_spec, observation_size, parts_text
from mgail_dyna.errors import UserError
from mgail_dyna.hdf5 import open_hdf5, read_array
from mgail_dyna.networks.numpy_policy import NumpyPolicy
from mgail_dyna.types import ActionSpec

# At the top of a checkout; inside the package where it is installed.
SHIPPED = (runtime.checkout() or Path(__file__).resolve().parents[1]) / "expert_data"


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
        _require_own(path)
        inside = sorted(path.glob(f"*/data/{DATA_FILE}"))
        instead = f"; did you mean {inside[0].parent.parent}?" if inside else ""
        raise UserError(f"{path}: expected {DATA_FILE} in it or in its data directory, found neither{instead}")
    shipped = ", ".join(shipped_experts()) or f"there are none in {SHIPPED}"
    found = f"{path}: no such file or directory{meant_demonstrations(path)}"
    raise UserError(f"{found}{' ' if found.endswith('?') else '; '}shipped experts: {shipped}")


def meant_demonstrations(path: Path) -> str:
    """What to add where nothing is at `path`: shipped experts and directories beside it that have a name like it."""
    beside = [file.parent for file in path.parent.glob(f"*/{DATA_FILE}")]
    beside += [file.parents[1] for file in path.parent.glob(f"*/data/{DATA_FILE}")]
    shipped = {name: name for name in shipped_experts() if path.parent == Path()}
    known = {place.name: str(place) for place in beside} | shipped
    near = difflib.get_close_matches(path.name, known, 2, 0.7)
    return f"; did you mean {' or '.join(known[name] for name in near)}?" if near else ""


def shipped_experts() -> list[str]:
    """Names of the experts whose demonstrations ship."""
    return sorted(entry.parent.name for entry in SHIPPED.glob("*/trpo-v0"))


def _require_own(path: Path) -> None:
    """Refuses a file or directory of another layout; if it can be converted, with the command."""
    if (layout := recognise(path)) != MINARI:
        raise UserError(
            f"{path}: expected demonstrations in HDF5 as Minari writes it, found {layout}; bring them in with: "
            f"{runtime.program()} data convert {shlex.quote(str(path))} OUT --env ENV"
        )


def _episodes(file: h5py.File) -> list[str]:
    return sorted((key for key in map(str, file) if re.fullmatch(r"episode_\d+", key)), key=lambda key: int(key[8:]))


def load_demonstrations(
    name: str | Path,
    *,
    check_actions: bool = True,
    skipped: dict[int, str] | None = None,
    keys: Sequence[str] = (),
) -> Demonstrations:
    """Reads and validates demonstrations, and the expert's policy if there is one.

    Args:
        name: as `locate` takes it.
        check_actions: refuse actions outside the action space.
        skipped: takes the numbers of episodes that cannot be read, with the reason; None: the first is an error.
        keys: names of the observations to join, in order, where they have names; all of them if empty.

    Raises:
        UserError: naming file and key, what was expected and what was found.
    """
    directory = locate(name)
    data = directory if directory.is_file() else directory / DATA_FILE
    large = data.exists() and data.stat().st_size > LARGE
    with announced(f"checking that {data.name} can be read") if large else contextlib.nullcontext():
        _require_own(data)
    with open_hdf5(data) as file:
        numbered = _episodes(file)
        metadata = read_metadata(data.parent / METADATA_FILE, keys)
        action = action_spec(metadata.action_space)
        reader = EpisodeReader(data, file, metadata.observation_space, action, metadata.parts)
        trajectories = reader.read_all(numbered, check_actions, skipped)
        policy = _read_policy(data, file, action, observation_size(metadata.observation_space))
    expected = metadata.total_episodes
    if expected not in (None, len(numbered)):
        raise UserError(f"{data}: expected the {expected} episodes that {METADATA_FILE} names, found {len(numbered)}")
    joined = {JOINED: parts_text(metadata.parts)}
    return Demonstrations(
        trajectories,
        metadata.observation_space,
        metadata.action_space,
        env_id=metadata.env_id,
        length=metadata.length,
        policy=policy,
        provenance=metadata.provenance | (joined if metadata.parts else {}),
        env_kwargs=metadata.env_kwargs,
        env_wrappers=metadata.env_wrappers,
    )


def _read_policy(path: Path, file: h5py.File, spec: ActionSpec, observations: int) -> NumpyPolicy | None:
    if "policy" not in file:
        return None
    try:
        weights = {name: read_array(node) for name, node in file["policy"].items()}
        if "normalization/mean" not in file or "normalization/std" not in file:
            raise UserError("expected normalization/mean and normalization/std beside it, found one or none")
        statistics = {name: read_array(file[f"normalization/{name}"]) for name in ("mean", "std")}
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
        policy.check(observations)
    except UserError as error:
        raise UserError(f"{path}: policy: {error}") from None
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UserError(f"{path}: policy: expected the weights and normalisation of a network, found {error}") from None
    return policy
