"""A table of text with a header: one row a step."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from mgail_dyna.demonstrations.formats.rows import episodes_of
from mgail_dyna.demonstrations.formats.source import Reading, Source
from mgail_dyna.errors import UserError, unknown_name
from mgail_dyna.types import Array

# What the columns of one number may be called, besides the first name.
_SINGLE = {
    "episode": ("episode", "episode_index", "episode_id"),
    "rewards": ("reward", "rewards"),
    "terminated": ("terminated", "termination", "terminal"),
    "truncated": ("truncated", "truncation", "timeout"),
}
_SEVERAL = {"observations": r"(?:observation|observations|obs)_(\d+)", "actions": r"(?:action|actions|act)_(\d+)"}
NEEDS = "columns episode, observation_0, observation_1, ...; optional action_0, ..., reward, terminated, truncated"


def read(path: Path, reading: Reading) -> Source:
    """Reads the rows; see `registry.read_source`. With `reading.keys`, these columns are the observations."""
    header, table = _table(path)
    chosen = {name: _chosen(path, header, name, pattern) for name, pattern in _SEVERAL.items()}
    if reading.keys:
        for key in reading.keys:
            if key not in header:
                raise UserError(f"{path}: --keys: {unknown_name('column', key, header)}")
        chosen["observations"] = [header.index(key) for key in reading.keys]
    if not chosen["observations"]:
        raise UserError(f"{path}: expected {NEEDS}, found {', '.join(header[:8])}; --keys names the observations")
    columns: dict[str, Array] = {name: table[:, places] for name, places in chosen.items() if places}
    if "actions" not in columns and (single := [i for i, name in enumerate(header) if name == "action"]):
        columns["actions"] = table[:, single[0]]
    for name, spellings in _SINGLE.items():
        if found := [i for i, column in enumerate(header) if column in spellings]:
            columns[name] = table[:, found[0]]
    if "episode" not in columns:
        raise UserError(f"{path}: episode: missing; expected {NEEDS}, found {', '.join(header[:8])}")
    used = {*chosen["observations"], *chosen["actions"]} | {
        i for i, name in enumerate(header) if name == "action" or any(name in each for each in _SINGLE.values())
    }
    others = [name for i, name in enumerate(header) if i not in used]
    named = "" if "actions" in columns else "; if these are the actions, name them action_0, action_1, ..."
    return episodes_of(path, "CSV", columns, (f"not read: {', '.join(others)}{named}",) if others else ())


def _chosen(path: Path, header: Sequence[str], name: str, pattern: str) -> list[int]:
    """Places of the columns `name_0`, `name_1`, ..., in the order of their numbers."""
    found = sorted((int(match[1]), i) for i, column in enumerate(header) if (match := re.fullmatch(pattern, column)))
    if [number for number, _ in found] != list(range(len(found))):
        numbers = ", ".join(str(number) for number, _ in found[:8])
        raise UserError(f"{path}: {name}: expected columns numbered from 0 without gaps, found {numbers}")
    return [place for _, place in found]


def _table(path: Path) -> tuple[list[str], Array]:
    """The header, and the numbers below it, `[n, columns]`; empty cells are NaN."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            header, *lines = list(csv.reader(file)) or [[]]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{path}: cannot be read as a table of text ({error})") from None
    header = [name.strip() for name in header]
    if all(map(_is_number, header)) and any(header):
        found = ", ".join(header[:8])
        raise UserError(f"{path}: line 1: expected a header with names ({NEEDS}), found numbers ({found}); write one")
    if not header or len(set(header)) < len(header):
        raise UserError(
            f"{path}: expected a header with a name for each column, found {', '.join(header[:8]) or 'none'}"
        )
    table = np.empty((len(lines), len(header)))
    for number, line in enumerate(lines):
        if len(line) != len(header):
            raise UserError(f"{path}: line {number + 2}: expected {len(header)} cells, found {len(line)}")
        for place, cell in enumerate(line):
            table[number, place] = _number(path, number + 2, header[place], cell.strip())
    return header, table


def _is_number(cell: str) -> bool:
    """Whether a cell could stand below the header."""
    try:
        return bool(np.isfinite(float(cell or 0)))
    except ValueError:
        return cell.lower() in ("true", "false")


def _number(path: Path, line: int, column: str, cell: str) -> float:
    if cell.lower() in ("true", "false"):
        return float(cell.lower() == "true")
    try:
        return float(cell) if cell else float("nan")
    except ValueError:
        raise UserError(f"{path}: line {line}: {column}: expected a number, found {cell[:40]!r}") from None
