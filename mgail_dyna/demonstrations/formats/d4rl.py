"""D4RL's flat HDF5: one row a step, episodes one after another."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from mgail_dyna.demonstrations.dataset import SHORTEST_EPISODE
from mgail_dyna.demonstrations.formats.jumps import resets_inside, surprise
from mgail_dyna.demonstrations.formats.recognise import D4RL_NEEDS
from mgail_dyna.demonstrations.formats.source import Reading, Source, refuse_keys, require_flags, require_keys
from mgail_dyna.errors import UserError, counted
from mgail_dyna.hdf5 import open_hdf5, read_array
from mgail_dyna.types import Array

_READ = (*D4RL_NEEDS, "rewards", "timeouts", "next_observations", "infos/qpos", "infos/qvel")
# Rows by which flags are looked for beside the ends of episodes, and fewest of them that are moved.
_OUT_OF_STEP, _FEWEST = 5, 3
# Flags are moved if this share of them agrees on the rows, and the break there is so many times as large as those of
# most rows. In the shipped demonstrations, whole or cut at 50 steps, it is 2 times or more.
_AGREE, _CLEARLY = 0.8, 1.8
# And if the break there is among the largest of the file, so many for each flag: ends of episodes are.
_LARGEST = 3.0


def read(path: Path, reading: Reading) -> Source:
    """Reads the rows; see `registry.read_source`."""
    refuse_keys(path, reading)
    limit = reading.limit
    arrays = _arrays(path)
    notes: list[str] = []
    _into_their_rows(arrays, notes)
    terminals = _terminals(arrays, limit, notes)
    last = _ends(path, arrays, terminals, limit, notes)
    _discard_shifted(arrays, last, notes)
    whole = "next_observations" in arrays
    if not whole:
        notes.append(
            "no next_observations: the state after each episode's last action is unknown, so that step is left out"
        )
        _note_resets(arrays, last, notes)
    starts = np.append(0, last[:-1] + 1)
    steps = last - starts + whole
    kept = np.flatnonzero(steps >= SHORTEST_EPISODE)
    if len(kept) < len(steps):
        notes.append(f"{counted(len(steps) - len(kept), 'episode')} shorter than {SHORTEST_EPISODE} steps left out")
    if limit is not None:
        _note_lengths(arrays, terminals, last, limit, notes)
    episodes = {n: _episode(arrays, terminals, int(starts[i]), int(last[i])) for n, i in enumerate(kept)}
    ended = frozenset() if whole else frozenset(n for n, i in enumerate(kept) if terminals[last[i]])
    return Source("D4RL", episodes, tuple(notes), ended)


def _arrays(path: Path) -> dict[str, Array]:
    """The arrays of the file, each with one row a step."""
    with open_hdf5(path) as file:
        for name in _READ:
            if name in file and not (isinstance(file[name], h5py.Dataset) and file[name].ndim):
                raise UserError(f"{path}: {name}: expected an array with one row a step, found a group or a scalar")
        found = [name for name in _READ if name in file]
        require_keys(path, found, D4RL_NEEDS, "D4RL")
        arrays = {name: _flat(name, read_array(file[name])) for name in found}
    steps = len(arrays["actions"])
    if not steps:
        raise UserError(f"{path}: expected at least 1 step, found 0")
    for name in ("terminals", "timeouts"):
        if name in arrays:
            require_flags(path, name, arrays[name])
            if arrays[name].ndim != 1:
                raise UserError(f"{path}: {name}: expected shape [{steps}], found {list(arrays[name].shape)}")
    shape = arrays.get("next_observations", arrays["observations"]).shape
    if shape != arrays["observations"].shape:
        expected = list(arrays["observations"].shape)
        raise UserError(f"{path}: next_observations: expected shape {expected}, found {list(shape)}")
    for name, array in arrays.items():
        if len(array) != steps:
            raise UserError(f"{path}: {name}: expected length {steps} (that of actions), found {len(array)}")
    if "next_observations" in arrays:
        for name in ("observations", "next_observations"):
            if arrays[name].dtype.kind not in "fiu":
                raise UserError(f"{path}: {name}: expected dtype float32, found {arrays[name].dtype}")
    return arrays


def _flat(name: str, array: Array) -> Array:
    """A column with one number a step as a list of them."""
    single = name in ("rewards", "terminals", "timeouts") and array.ndim == 2 and array.shape[1] == 1
    return array[:, 0] if single else array


def _terminals(arrays: dict[str, Array], limit: int | None, notes: list[str]) -> Array:
    """Where the task ended an episode; nowhere if every terminal lies at the environment's limit."""
    terminals = arrays["terminals"].astype(bool)
    ends = np.flatnonzero(terminals)
    timed = "timeouts" in arrays and bool(arrays["timeouts"].any())
    if limit is None or timed or len(ends) < 2 or (np.diff(ends, prepend=-1) != limit).any():
        return terminals
    notes.append(f"every terminal ends an episode of {limit:,} steps, the environment's limit: they count as timeouts")
    arrays["timeouts"] = terminals
    return np.zeros_like(terminals)


def _note_lengths(arrays: Mapping[str, Array], terminals: Array, last: Array, limit: int, notes: list[str]) -> None:
    """Notes on ends that do not fit the environment's time limit."""
    if over := int((np.diff(last, prepend=-1) > limit).sum()):
        notes.append(
            f"{counted(over, 'episode')} of more than the environment's {limit:,} steps, up to "
            f"{int(np.diff(last, prepend=-1).max()):,}: are the ends of episodes flagged in the right rows?"
        )
    if over or "next_observations" in arrays:
        return  # said already, or the ends are known
    timed = arrays["timeouts"].astype(bool)[last] & ~terminals[last] if "timeouts" in arrays else np.empty(0)
    lengths = np.diff(last, prepend=-1)[timed.astype(bool)]
    other = int((lengths != limit).sum())
    if 0 < other < len(lengths):
        notes.append(
            f"{other} of {len(lengths)} timeouts end an episode of another length than the environment's {limit:,} "
            "steps: are the timeouts in the right rows?"
        )


def _note_resets(arrays: Mapping[str, Array], last: Array, notes: list[str]) -> None:
    """A note on resets inside episodes, which would be taken for steps of the environment."""
    if len(found := resets_inside(arrays, last)):
        row = int(found[0])
        notes.append(
            f"observations jump within episodes as a reset does, in {len(found):,} places, first from row {row:,} to "
            f"{row + 1:,} (counted from 0): they are taken for steps. Are terminals and timeouts true in the last row "
            "of each episode? Correct them in the file, or add next_observations, which shows the ends"
        )


def _discard_shifted(arrays: dict[str, Array], last: Array, notes: list[str]) -> None:
    """Discards next_observations that are the next row's everywhere, also where an episode ends.

    There they are the first observation of the next episode, and its last step would be a reset taken for a step.
    """
    if "next_observations" in arrays and len(last) > 1 and _followed(arrays)[last[:-1]].all():
        del arrays["next_observations"]
        notes.append("next_observations are the next row's also where an episode ends, so they are not used")


def _flagged(arrays: Mapping[str, Array], terminals: Array) -> Array:
    return np.asarray(terminals | arrays["timeouts"].astype(bool) if "timeouts" in arrays else terminals)


def _ends(path: Path, arrays: Mapping[str, Array], terminals: Array, limit: int | None, notes: list[str]) -> Array:
    """Rows that end an episode; `notes` takes how they were found."""
    ends = _flagged(arrays, terminals).copy()
    timed = "timeouts" in arrays and bool(arrays["timeouts"].any())
    if "next_observations" in arrays:
        ends = _seams(path, arrays, terminals, ends, notes)
    if not timed:
        what = "timeouts are all false" if "timeouts" in arrays else "no timeouts"
        if limit is not None:
            before = ends.sum()
            for start, end in itertools.pairwise([-1, *np.flatnonzero(ends), len(ends) - 1]):
                ends[start + limit : end : limit] = True
            if cut := ends.sum() - before:
                notes.append(f"{what}: {counted(cut, 'episode')} cut after the environment's {limit:,} steps")
        elif not terminals.any():
            notes.append(f"{what}, no terminals, and the environment has no time limit: all rows count as one episode")
    if not ends[-1]:
        notes.append("the last episode is cut off by the file's end; it counts as truncated")
        ends[-1] = True
    return np.flatnonzero(ends)


def _seams(path: Path, arrays: Mapping[str, Array], terminals: Array, ends: Array, notes: list[str]) -> Array:
    """`ends` with the rows that the next one does not follow, and without timeouts that are out of step."""
    followed, steps = _followed(arrays), len(ends)
    seams = ~followed & ~ends
    if seams.sum() > steps / 2:
        wanted = "expected each row's to equal the next row's observations, except at the end of an episode"
        found = f"{seams.sum()} of {steps} rows where they are not"
        raise UserError(f"{path}: next_observations: {wanted}, found {found}; rows must be in the order of time")
    wrong = ends & followed & ~terminals
    wrong[-1] = False
    if seams.any() and wrong.any():
        notes.append(
            f"timeouts are out of step with the rows: {wrong.sum()} are true within an episode and {seams.sum()} ends "
            "have none; episodes end where next_observations differ from the next row"
        )
        return np.asarray((ends & ~wrong) | seams)
    if seams.any():
        found = counted(int(seams.sum()), "episode")
        notes.append(f"{found} without a flag at the end, where next_observations differ from the next row")
    return np.asarray(ends | seams)


def _followed(arrays: Mapping[str, Array]) -> Array:
    """`[steps]` whether the next row equals next_observations, up to rounding; true for the last row."""
    after, then = (arrays[name].astype(np.float64) for name in ("next_observations", "observations"))
    with np.errstate(invalid="ignore", over="ignore"):  # values that are not finite are reported elsewhere
        rounding = 1e-6 + 1e-4 * np.nan_to_num(then.std(axis=0), posinf=np.inf)
        differs = np.abs(after[:-1] - then[1:]) > rounding
    same = ~differs | ~np.isfinite(after[:-1]) | ~np.isfinite(then[1:])
    return np.append(same.reshape(len(same), -1).all(axis=1), True)


def _into_their_rows(arrays: dict[str, Array], notes: list[str]) -> None:
    """Moves terminals and timeouts that lie a few rows beside the ends of episodes: one row late, they are true where
    the next episode begins. Its first state would be taken for the last one's end.

    With next_observations, `_seams` mends timeouts.
    """
    breaks, names = np.zeros(0), ["terminals"]
    if "next_observations" in arrays:
        breaks = (~_followed(arrays)).astype(float)
    if not breaks.any():
        breaks, names = surprise(arrays), ["terminals", "timeouts"]
    for name in names:
        rows = np.flatnonzero(arrays.get(name, np.empty(0)))
        offset, clear = _offset(breaks, rows)
        count = f"{abs(offset)} row{'s' if abs(offset) > 1 else ''}"
        where, way = ("before", "earlier") if offset < 0 else ("after", "later")
        if offset and not clear:
            notes.append(f"observations may jump {count} {where} the {name}: are the {name} in the right rows?")
        elif offset:
            notes.append(f"observations jump {count} {where} the {name} and not at them: each counts {count} {way}")
            rows = rows + offset
            arrays[name] = np.isin(np.arange(len(arrays[name])), rows)


def _offset(breaks: Array, flags: Array) -> tuple[int, bool]:
    """Rows from the rows `flags` to those that the next row does not follow, by `breaks [n]`, and whether that is
    clear; 0 if they are the same, or if nothing can be said."""
    reach = min(_OUT_OF_STEP, (int(np.diff(flags).min()) - 1) // 2) if len(flags) >= _FEWEST else 0
    inside = flags[(flags >= reach) & (flags < len(breaks) - reach)]
    if reach < 1 or len(inside) < _FEWEST:
        return 0, False
    around = breaks[inside[:, None] + np.arange(-reach, reach + 1)]
    found, votes = np.unique(around.argmax(axis=1), return_counts=True)
    best = int(found[votes.argmax()])
    there, here = (float(np.median(around[:, column])) for column in (best, reach))
    seen = votes.max() >= _AGREE * len(inside) and there > 1.5 * here
    largest = float(np.quantile(breaks, max(1.0 - _LARGEST * len(flags) / len(breaks), 0.5)))
    return best - reach if seen else 0, there > max(_CLEARLY * float(np.quantile(breaks, 0.9)), largest)


def _episode(arrays: Mapping[str, Array], terminals: Array, start: int, end: int) -> dict[str, Any]:
    whole = "next_observations" in arrays
    rows = slice(start, end + 1) if whole else slice(start, end)
    observations = arrays["observations"][start : end + 1]
    if whole:
        observations = np.concatenate([observations, arrays["next_observations"][end : end + 1]])
    return {
        "observations": observations,
        "actions": arrays["actions"][rows],
        "rewards": arrays["rewards"][rows] if "rewards" in arrays else None,
        "terminated": bool(terminals[end]) and whole,
        "truncated": not (terminals[end] and whole),
        # One simulator state a step; the one after the last step is not in the file.
        "qpos": arrays["infos/qpos"][start : end + 1] if "infos/qpos" in arrays else None,
        "qvel": arrays["infos/qvel"][start : end + 1] if "infos/qvel" in arrays else None,
    }
