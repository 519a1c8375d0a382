"""Data sets of LeRobot (parquet) and of imitation (Arrow), read through pyarrow."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from mgail_dyna import runtime
from mgail_dyna.demonstrations.formats.rows import episodes_of
from mgail_dyna.demonstrations.formats.source import Reading, Source, joined_note, refuse_keys
from mgail_dyna.demonstrations.metadata import JOINED
from mgail_dyna.environments.spaces import parts_text
from mgail_dyna.errors import UserError, counted, unknown_name
from mgail_dyna.types import Array

_STATE, _ACTION = "observation.state", "action"
# Columns that number or time the rows.
_COUNTED = ("timestamp", "frame_index", "index", "task_index")
_SINGLE = {"episode": "episode_index", "rewards": "next.reward", "terminated": "next.terminated"}


def read_lerobot(path: Path, reading: Reading) -> Source:
    """Reads `data/**/*.parquet`; see `registry.read_source`.

    Observations are the column `observation.state`, or those that `reading.keys` names.
    """
    files = sorted(path.glob("data/**/*.parquet")) or sorted(path.rglob("*.parquet"))
    if not files:
        raise UserError(f"{path}: expected data/**/*.parquet, found none")
    names = _schema(files[0])
    for key in reading.keys:
        if key not in names:
            raise UserError(f"{path}: --keys: {unknown_name('column', key, names)}")
    keys = reading.keys or (_STATE,)
    for name in (*keys, "episode_index"):
        if name not in names:
            raise UserError(f"{path}: {name}: missing; found {', '.join(names)}; --keys names the observations")
    wanted = [*keys, *(name for name in (_ACTION, *_SINGLE.values(), "frame_index") if name in names)]
    table = _rows(files, wanted)
    if "frame_index" in table:
        order = np.lexsort((table["frame_index"], table["episode_index"]))
        table = {name: column[order] for name, column in table.items()}
    matrices = {key: _matrix(table[key]) for key in keys}
    columns = {"observations": np.concatenate(list(matrices.values()), axis=1)}
    columns |= {name: table[column] for name, column in _SINGLE.items() if column in table}
    if _ACTION in table:
        columns["actions"] = table[_ACTION]
    joined = parts_text({key: matrix.shape[1] for key, matrix in matrices.items()})
    notes = [joined_note(joined)] if reading.keys else []
    if others := [name for name in names if name not in {*wanted, *_COUNTED}]:
        notes.append(f"not read: {', '.join(others)}")
    source = episodes_of(path, "LeRobot", columns, (*notes, *_incomplete(path, table["episode_index"])))
    return replace(source, provenance={JOINED: joined}) if reading.keys else source


def _incomplete(path: Path, episodes: Array) -> tuple[str, ...]:
    """A note if there are other episodes than `meta/info.json` counts."""
    try:
        total = json.loads((path / "meta" / "info.json").read_text(encoding="utf-8"))["total_episodes"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return ()
    found = len(np.unique(episodes))
    return () if total == found else (f"meta/info.json counts {total} episodes, and {found} are in the data files",)


def read_imitation(path: Path, reading: Reading) -> Source:
    """Reads one trajectory a row; see `registry.read_source`. Of infos, which are Python objects, nothing is read."""
    refuse_keys(path, reading)
    episodes: dict[int, dict[str, Any]] = {}
    for file in _arrow_files(path):
        for row in _stream(file, ("obs", "acts", "rews", "terminal")):
            number = len(episodes) + len(reading.skipped or ())
            try:
                episodes[number] = _trajectory(row)
            except (KeyError, ValueError) as error:
                problem = f"{str(error).strip(chr(39))}: expected obs, acts and terminal of one length, found others"
                if reading.skipped is None:
                    raise UserError(f"{path}: trajectory {number}: {problem}") from None
                reading.skipped[number] = problem
    return Source("imitation", episodes, _at_limit(episodes, reading.limit))


def _at_limit(episodes: dict[int, dict[str, Any]], limit: int | None) -> tuple[str, ...]:
    """Counts episodes that end at the environment's limit as truncated: `terminal` is true there, too; says so."""
    at = [each for each in episodes.values() if each["terminated"] and len(each["actions"]) == limit]
    for each in at:
        each["terminated"], each["truncated"] = False, True
    if not at:
        return ()
    found = counted(len(at), "terminal episode")
    return (f"{found} of {limit:,} steps, the environment's limit: counted as truncated",)


def _trajectory(row: dict[str, Any]) -> dict[str, Any]:
    observations, actions = np.array(row["obs"]), np.array(row["acts"])
    if observations.dtype == object or actions.dtype == object or len(observations) != len(actions) + 1:
        raise ValueError("obs, acts")
    return {
        "observations": observations,
        "actions": actions,
        "rewards": None if row.get("rews") is None else np.array(row["rews"]),
        "terminated": bool(row["terminal"]),
        "truncated": not row["terminal"],
        "qpos": None,
        "qvel": None,
    }


def _arrow_files(path: Path) -> list[Path]:
    try:
        state = json.loads((path / "state.json").read_text(encoding="utf-8"))
        files = [path / str(entry["filename"]) for entry in state["_data_files"]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path}: state.json: expected the names of the data files, found none ({error})") from None
    for file in files:
        if file.parent != path or not file.exists():
            raise UserError(f"{path}: expected the data file {file.name} that state.json names, found none")
    return files


def _pyarrow() -> Any:
    try:
        import pyarrow
        import pyarrow.ipc
        import pyarrow.parquet
    except ImportError:
        raise UserError(
            "pyarrow: not installed, and parquet and Arrow files are read with it; "
            f"install it, in the checkout: {runtime.installing('.[arrow]')}"
        ) from None
    return pyarrow


def _damaged(file: Path, error: Exception) -> UserError:
    return UserError(f"{file}: cannot be read: it is damaged or of another format ({str(error).splitlines()[0][:120]})")


def _schema(file: Path) -> list[str]:
    pyarrow = _pyarrow()
    try:
        return list(pyarrow.parquet.read_schema(file).names)
    except (pyarrow.ArrowException, OSError) as error:
        raise _damaged(file, error) from None


def _rows(files: list[Path], names: list[str]) -> dict[str, Array]:
    pyarrow, parts = _pyarrow(), []
    for file in files:
        try:
            table = pyarrow.parquet.read_table(file, columns=names, partitioning=None)
            table.validate(full=True)
            parts.append({name: _numbers(table.column(name).to_pylist()) for name in names})
        except (pyarrow.ArrowException, OSError, KeyError, ValueError, TypeError) as error:
            raise _damaged(file, error) from None
    widths = {name: {part[name].shape[1:] for part in parts} for name in names}
    for name, shapes in widths.items():
        if len(shapes) > 1:
            raise UserError(f"{files[0].parent}: {name}: expected one shape in every file, found {sorted(shapes)}")
    return {name: np.concatenate([part[name] for part in parts]) for name in names}


def _numbers(values: list[Any]) -> Array:
    array = np.array(values)
    if array.dtype.kind not in "biuf":
        raise ValueError(f"expected numbers, found {array.dtype}")
    return array


def _matrix(column: Array) -> Array:
    return column.reshape(len(column), -1)


def _stream(file: Path, names: tuple[str, ...]) -> list[dict[str, Any]]:
    pyarrow = _pyarrow()
    try:
        with pyarrow.memory_map(str(file)) as source:
            table = pyarrow.ipc.open_stream(source).read_all()
            table.validate(full=True)  # offsets that lead out of memory are not looked at before
            found = table.select([name for name in names if name in table.column_names])
            rows: list[dict[str, Any]] = found.to_pylist()
    except (pyarrow.ArrowException, OSError) as error:
        raise _damaged(file, error) from None
    return rows
