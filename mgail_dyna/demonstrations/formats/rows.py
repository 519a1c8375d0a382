"""Tables with one row a step, episodes one after another: what CSV files and LeRobot's parquet files have in common."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from mgail_dyna.demonstrations.dataset import SHORTEST_EPISODE
from mgail_dyna.demonstrations.formats.source import Source
from mgail_dyna.errors import UserError, counted
from mgail_dyna.types import Array

_NO_FLAGS = "nothing says whether the task or a time limit ended an episode: every episode counts as truncated"


def episodes_of(path: Path, layout: str, columns: Mapping[str, Array], notes: tuple[str, ...] = ()) -> Source:
    """Cuts a table into episodes where the number in `episode` changes.

    The last row of an episode is the state after its last action if its action is not a number (an empty cell);
    otherwise what that action led to is not in the file, and the step is left out. Without actions, every row but the
    last is a step.

    Args:
        path: for messages.
        layout: the format's name.
        columns: one row a step: `episode` [n], `observations` [n, d]; optionally `actions` [n, ...], `rewards`,
            `terminated` and `truncated` [n].
        notes: of the reader.

    Raises:
        UserError: there are no rows, or an episode's number comes back after another's.
    """
    episode = columns["episode"]
    if not len(episode):
        raise UserError(f"{path}: expected at least 1 row, found 0")
    starts = np.concatenate([[0], np.flatnonzero(episode[1:] != episode[:-1]) + 1])
    numbers, times = np.unique(episode[starts], return_counts=True)
    if (times > 1).any():
        again = numbers[times > 1][0]
        raise UserError(f"{path}: expected the rows of an episode one after another, found episode {again:g} twice")
    found: dict[int, dict[str, Any]] = {}
    unfinished = short = 0
    for number, (start, end) in enumerate(zip(starts, [*starts[1:], len(episode)], strict=True)):
        rows = {name: column[start:end] for name, column in columns.items()}
        steps = end - start - 1
        if "actions" in rows and np.isfinite(rows["actions"][-1]).all():
            unfinished += 1
        if steps < SHORTEST_EPISODE:
            short += 1
        else:
            found[number] = _episode(rows, int(steps))
    added = list(notes)
    if unfinished:
        where = counted(unfinished, "episode")
        added.append(f"the state after the last action is not in the file in {where}, so that step is left out")
    if short:
        added.append(f"{counted(short, 'episode')} shorter than {SHORTEST_EPISODE} steps left out")
    if not {"terminated", "truncated"} & columns.keys():
        added.append(_NO_FLAGS)
    ended = frozenset(n for n, arrays in found.items() if arrays.pop("ended"))
    return Source(layout, found, tuple(added), ended)


def _episode(rows: Mapping[str, Array], steps: int) -> dict[str, Any]:
    """One episode; `ended` if the task ended it with a step that the file does not hold."""
    flagged = {name: bool(np.nan_to_num(rows[name][-2:]).any()) for name in ("terminated", "truncated") if name in rows}
    whole = "actions" not in rows or not np.isfinite(rows["actions"][-1]).all()
    terminated = flagged.get("terminated", False)
    return {
        "observations": rows["observations"],
        "actions": rows["actions"][:steps] if "actions" in rows else None,
        "rewards": rows["rewards"][:steps] if "rewards" in rows else None,
        "terminated": terminated and whole,
        "truncated": not (terminated and whole),
        "qpos": None,
        "qvel": None,
        "ended": terminated and not whole,
    }
