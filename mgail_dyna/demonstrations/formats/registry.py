"""One reader for each layout."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from mgail_dyna.demonstrations.formats import arrow, csv_table, d4rl, minari, npz, robomimic
from mgail_dyna.demonstrations.formats.recognise import (
    CSV,
    D4RL,
    IMITATION,
    LEROBOT,
    MINARI,
    NPZ,
    ROBOMIMIC,
    recognise,
)
from mgail_dyna.demonstrations.formats.source import Reading, Source

READERS: dict[str, Callable[[Path, Reading], Source]] = {
    MINARI: minari.read,
    D4RL: d4rl.read,
    NPZ: npz.read,
    ROBOMIMIC: robomimic.read,
    CSV: csv_table.read,
    LEROBOT: arrow.read_lerobot,
    IMITATION: arrow.read_imitation,
}


def read_source(path: Path, reading: Reading) -> Source:
    """Reads demonstrations in any of the formats.

    Args:
        path: of the file or directory.
        reading: what is asked for.

    Raises:
        UserError: naming file and key, what was expected and what was found.
    """
    return READERS[recognise(path)](path, reading)
