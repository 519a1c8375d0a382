"""Minari's directories, and data sets of this package, which are such."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mgail_dyna.demonstrations.formats.source import Reading, Source, joined_note
from mgail_dyna.demonstrations.metadata import JOINED, METADATA_FILE, read_metadata
from mgail_dyna.demonstrations.reader import load_demonstrations, locate
from mgail_dyna.demonstrations.recorded_environment import same_environment
from mgail_dyna.errors import UserError

_NAMES = ("observations", "actions", "rewards", "terminated", "truncated", "qpos", "qvel", "seed")


def read(path: Path, reading: Reading) -> Source:
    """Reads a data set; see `registry.read_source`."""
    skipped = reading.skipped
    demos = load_demonstrations(path, check_actions=False, skipped=skipped, keys=reading.keys)
    left = skipped or {}
    numbers = [number for number in range(len(demos.trajectories) + len(left)) if number not in left]
    episodes = {
        number: {name: getattr(trajectory, name) for name in _NAMES}
        for number, trajectory in zip(numbers, demos.trajectories, strict=True)
    }
    notes = ["the expert's policy in the file is not copied"] if demos.policy else []
    if JOINED in demos.provenance:
        notes.append(joined_note(demos.provenance[JOINED]))
    return Source("Minari", episodes, tuple(notes), recorded=demos, provenance=demos.provenance)


def recorded_arguments(path: Path, env_id: str, keys: Sequence[str] = ()) -> dict[str, Any]:
    """Keyword arguments of the environment that the file records; empty without, or if it is of another environment.

    A file that cannot be read gives none: reading it will say why.
    """
    try:
        where = locate(path)
        metadata = read_metadata((where if where.is_dir() else where.parent) / METADATA_FILE, keys)
    except UserError:
        return {}
    return metadata.env_kwargs if same_environment(metadata.env_id, env_id) else {}
