"""Episodes as a layout's reader hands them on, and what the readers share."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mgail_dyna.demonstrations.dataset import Demonstrations
from mgail_dyna.demonstrations.metadata import NO_NAMES, NPZ_REMEDY
from mgail_dyna.errors import UserError
from mgail_dyna.types import Array

# What follows the count of episodes in the note of `left_out`.
LEFT_OUT = " episodes left out: "
# So many reasons are given, and so many episodes of each are named.
_REASONS, _NAMED = 5, 20
# Why episodes were left out, by their number in the file; a reader that gets None refuses the file instead.
Skipped = dict[int, str]


@dataclass(frozen=True)
class Reading:
    """What a reader is asked for.

    Attributes:
        limit: longest episode of the environment in steps, for formats that may not mark the ends of episodes.
        skipped: takes the episodes that cannot be read, with the reason; None: the first of them is an error.
        keys: names of the observations, in the order in which they are joined; empty: what the format says.
    """

    limit: int | None = None
    skipped: Skipped | None = None
    keys: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuses a name that is given twice: the observations would have fewer parts than were asked for."""
        if twice := sorted({key for key in self.keys if self.keys.count(key) > 1}):
            raise UserError(f"--keys: expected each name once, found {', '.join(twice)} twice; leave one out")


@dataclass(frozen=True)
class Source:
    """Episodes read from a file, not yet checked against an environment.

    Attributes:
        layout: the format's name.
        episodes: keyword arguments of `Trajectory` by the episode's number in the file; `rewards` is None if there are
            none.
        notes: for the user: what was lost or changed.
        ended: numbers of episodes that the task ended with a step that the file does not hold.
        recorded: what the file says of its environment; None if it says nothing.
    """

    layout: str
    episodes: Mapping[int, dict[str, Any]]
    notes: tuple[str, ...] = ()
    ended: frozenset[int] = frozenset()
    recorded: Demonstrations | None = None
    provenance: Mapping[str, Any] = field(default_factory=dict)


def refuse_keys(path: Path, reading: Reading) -> None:
    """Refuses names of observations where observations have none."""
    if reading.keys:
        raise UserError(f"{path}: {NO_NAMES}")


def require_keys(path: Path, found: Iterable[str], needed: tuple[str, ...], layout: str) -> None:
    """Refuses a file without the arrays that its layout must hold."""
    names = list(found)
    for name in needed:
        if name not in names:
            listed = ", ".join(names) or "none of them"
            remedy = f"; write {NPZ_REMEDY}" if layout == ".npz" else ""
            raise UserError(f"{path}: {name}: missing; {layout} needs {', '.join(needed)}, found {listed}{remedy}")


def require_flags(path: Path, name: str, array: Array) -> None:
    """Refuses an array that cannot be read as true and false."""
    if array.dtype.kind not in "biuf":
        raise UserError(f"{path}: {name}: expected dtype bool, found {array.dtype}")


def joined_note(parts: str) -> str:
    """A note on the parts that observations are joined from, as `parts_text` writes them."""
    return f"observations are {parts}, joined in this order"


def left_out(skipped: Skipped, total: int) -> str:
    """A note that says how many episodes were left out, which, and why.

    Reasons that differ in their numbers alone are one, with those of its first episode; the most frequent come first.
    """
    alike: dict[str, list[int]] = {}
    for number in sorted(skipped):
        alike.setdefault(re.sub(r"-?\d[\d.,e+-]*", "0", skipped[number]), []).append(number)
    groups = sorted(alike.values(), key=len, reverse=True)
    said = [_reason(skipped, numbers) for numbers in groups[:_REASONS]]
    if others := sum(map(len, groups[_REASONS:])):
        said.append(f"{others:,} others for other reasons")
    return f"{len(skipped):,} of {total:,}{LEFT_OUT}{'; '.join(said)}"


def _reason(skipped: Skipped, numbers: list[int]) -> str:
    """The episodes of one reason, and the reason."""
    named = ", ".join(map(str, numbers[:_NAMED])) + (f" and {len(numbers) - _NAMED:,} more" * (len(numbers) > _NAMED))
    differ = len({skipped[number] for number in numbers}) > 1
    which = f"{'episode' if len(numbers) == 1 else 'episodes'} {named}"
    return f"{which} ({f'in {numbers[0]}: ' if differ else ''}{skipped[numbers[0]]})"
