"""One reader for each layout."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from mgail_dyna.demonstrations.formats import d4rl, minari, npz
from mgail_dyna.demonstrations.formats.recognise import D4RL, MINARI, NPZ, recognise
from mgail_dyna.demonstrations.formats.source import Skipped, Source

READERS: dict[str, Callable[[Path, int | None, Skipped | None], Source]] = {
    MINARI: minari.read,
    D4RL: d4rl.read,
    NPZ: npz.read,
}


def read_source(path: Path, limit: int | None = None, skipped: Skipped | None = None) -> Source:
    """Reads demonstrations in any of the formats.

    Args:
        path: of the file or directory.
        limit: longest episode of the environment in steps, for formats that may not mark the ends of episodes.
        skipped: takes the episodes that cannot be read, with the reason; None: the first of them is an error.

    Raises:
        UserError: naming file and key, what was expected and what was found.
    """
    return READERS[recognise(path)](path, limit, skipped)
