"""Checkpoints: the last one, and the one before it, which is used if the last is damaged."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mgail_dyna import runtime
from mgail_dyna.errors import UserError
from mgail_dyna.hdf5 import DamagedError, load_state, save_state


def previous_of(path: Path) -> Path:
    """Where the checkpoint before the one at `path` is kept."""
    return path.with_suffix(f".previous{path.suffix}")


def has_checkpoint(path: Path) -> bool:
    """Whether there is a checkpoint at `path`, or the one before it."""
    return path.exists() or previous_of(path).exists()


def save_checkpoint(path: Path, state: dict[str, Any], kind: str) -> None:
    """Writes a checkpoint, see `hdf5.save_state`; the one before it is kept."""
    save_state(path, state, kind, previous_of(path))


def load_checkpoint(path: Path, kind: str, quiet: bool = False) -> dict[str, Any]:
    """What `save_checkpoint` wrote as `kind`; if it is damaged or missing, the one before it, and a note that says so.

    Args:
        path: of the checkpoint.
        kind: as it was saved.
        quiet: no note.

    Raises:
        UserError: neither can be used.
    """
    previous = previous_of(path)
    problem = f"{path}: no such file"
    if path.exists() or not previous.exists():
        try:
            return load_state(path, kind)
        except DamagedError as error:
            problem = str(error)
    try:
        state = load_state(previous, kind)
    except UserError:
        both = "is damaged too" if previous.exists() else "does not exist"
        raise UserError(
            f"{problem}; the checkpoint before it ({previous.name}) {both}, so the run must be started again"
        ) from None
    if not quiet:
        runtime.say(f"note: {problem}; continuing from the checkpoint before it ({previous.name})")
    return state
