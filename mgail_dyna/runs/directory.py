"""A run's directory: configuration, checkpoint, curve and scalars; none is ever half written."""

from __future__ import annotations

import contextlib
import csv
import io
import itertools
import json
import math
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, fields, is_dataclass
from pathlib import Path
from types import UnionType
from typing import Any, Literal, get_args, get_origin, get_type_hints

import numpy as np
from numpy.typing import NDArray

from mgail_dyna import runtime
from mgail_dyna.config.imitation import ImitationConfig
from mgail_dyna.errors import UserError, unknown_name
from mgail_dyna.runs.checkpoint import has_checkpoint, load_checkpoint, save_checkpoint
from mgail_dyna.runs.final import FINAL, FINAL_EPISODES, FinalEpisodes, write_final
from mgail_dyna.runs.lookup import CONFIG, no_run
from mgail_dyna.storage import clear_scratch, in_use, locked, unwritable, write_text

CHECKPOINT, CURVE, SCALARS, LOCK = "checkpoint.h5", "progress.csv", "tensorboard", "lock"
KIND = "a run"
# In `config.json`, of a run that was extended beyond its first end: the earlier ends.
EXTENDED = "extended_from"
# In a checkpoint: the fingerprint of the demonstrations.
DEMONSTRATIONS = "demonstrations"
# In `config.json`: longest episode in steps.
EPISODE_LIMIT = "episode_limit"
# In `config.json`: standard error of the expert's return.
EXPERT_ERROR = "expert_error"
# In `config.json`: keyword arguments the environment was made with.
ENV_KWARGS = "env_kwargs"


@dataclass(frozen=True)
class RunSettings:
    """Everything needed to repeat a run.

    Attributes:
        algorithm: as `--mode` names it.
        preset: that the configuration started from.
        expert: the demonstrations, as `reader.load_demonstrations` takes them.
        iterations: to stop after; None: no such limit.
        config: everything else.
    """

    algorithm: str
    preset: str
    expert: str
    iterations: int | None
    config: ImitationConfig


def new_directory(parent: Path, name: str) -> Path:
    """Makes `parent/name`, or `parent/name-2`, -3, ...: the first free one.

    Raises:
        UserError: it cannot be made.
    """
    for number in itertools.count(1):
        candidate = parent / (name if number == 1 else f"{name}-{number}")
        try:
            parent.mkdir(parents=True, exist_ok=True)
            candidate.mkdir()
        except FileExistsError:
            if parent.is_dir():
                continue
            raise UserError(f"{parent}: expected a directory, found a file") from None
        except OSError as error:
            raise unwritable(candidate, error) from None
        return candidate
    raise AssertionError


def directory_of(path: Path) -> Path:
    """The directory of a run, of which `path` may also name the configuration or the checkpoint."""
    return path.parent if path.name in (CONFIG, CHECKPOINT) and path.is_file() else path


@contextlib.contextmanager
def lock_run(directory: Path) -> Iterator[None]:
    """Locks a run's directory against other processes, and removes what a killed one left half written.

    Raises:
        UserError: another process uses it, or it cannot be written to.
    """
    with locked(directory / LOCK) as lock:
        if lock is None:
            raise UserError(f"{directory}: another process uses this run; wait until it has ended")
        for name in (CONFIG, CHECKPOINT, CURVE, FINAL, "data"):  # the last is an expert's
            clear_scratch(directory / name)
        yield


def write_settings(
    directory: Path,
    settings: RunSettings,
    expert_return: float,
    episode_limit: int,
    env_kwargs: dict[str, Any] | None = None,
    expert_error: float = 0.0,
) -> None:
    """Writes `config.json`: the settings, versions, commit, and for comparison the expert's return, its standard error
    and its episode length.

    If there is one already, the run is being resumed: earlier commits and earlier ends are kept in order.
    """
    file = directory / CONFIG
    before = read_about(file) if file.exists() else {}
    commits = [*str(before.get("commit") or "").split(", "), runtime.git_commit()]
    made_by = ", ".join(commit for commit, _ in itertools.groupby(filter(None, commits))) or None
    comparable = expert_return if math.isfinite(expert_return) else None  # JSON has no NaN
    compared = {
        "expert_return": comparable,
        EXPERT_ERROR: expert_error,
        EPISODE_LIMIT: episode_limit,
        ENV_KWARGS: env_kwargs or {},
    }
    about: dict[str, Any] = {**compared, "versions": runtime.versions(), "commit": made_by}
    planned = before.get("config", {}).get("env_steps", settings.config.env_steps)
    extended = [*before.get(EXTENDED, []), *([planned] if planned != settings.config.env_steps else [])]
    if extended:
        about[EXTENDED] = extended
    write_text(file, json.dumps({**asdict(settings), **about}, indent=2) + "\n")


def read_about(path: Path) -> dict[str, Any]:
    """The content of a `config.json`, or of that in a run's directory; only its presence is checked.

    Raises:
        UserError: missing, or not JSON with a configuration in it.
    """
    file = path / CONFIG if path.is_dir() else path
    if not file.exists():
        raise no_run(path)
    if file.suffix != ".json":
        raise UserError(f"{file}: expected the directory of a run, found another file")
    try:
        record = json.loads(file.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UserError(f"{file}: expected JSON, found something else ({error})") from None
    if not isinstance(record, dict) or not isinstance(record.get("config"), dict):
        raise UserError(f"{file}: config: missing; expected what a run writes to its {CONFIG}")
    return record


def read_settings(path: Path) -> RunSettings:
    """Reads the settings of a `config.json`, or of that of a run's directory.

    Raises:
        UserError: missing, not JSON, an unknown key or a value that does not fit.
    """
    file, record = path / CONFIG if path.is_dir() else path, read_about(path)
    try:
        config = _restored(ImitationConfig(), record["config"], "config")
        about = {name: record[name] for name in ("algorithm", "preset", "expert", "iterations")}
        for name, kind in _TYPES.items():
            _check_type(name, about[name], kind)
    except KeyError as error:
        if {"suite", "arguments"} <= record.keys():
            words = shlex.join(map(str, record["arguments"]))
            again = f"; it is a record; repeat its run with: {runtime.program()} {words}"
        else:
            again = ""
        raise UserError(f"{file}: {error.args[0]}: missing{again}") from None
    except UserError as error:
        raise UserError(f"{file}: {error}") from None
    return RunSettings(**about, config=config)


_TYPES: dict[str, Any] = {"algorithm": str, "preset": str, "expert": str, "iterations": int | None}


def _restored(default: Any, values: Any, where: str) -> Any:
    """The dataclass `default` with `values` from JSON, which knows neither dataclasses nor tuples."""
    if not isinstance(values, dict):
        raise UserError(f"{where}: expected an object, found {values!r}")
    known = {entry.name: getattr(default, entry.name) for entry in fields(default)}
    hints, restored = get_type_hints(type(default)), {}
    for key, value in values.items():
        if key not in known:
            raise unknown_name("key", f"{where}.{key}", [f"{where}.{name}" for name in known])
        if is_dataclass(known[key]):
            restored[key] = _restored(known[key], value, f"{where}.{key}")
        elif get_origin(hints[key]) is Literal and value not in get_args(hints[key]):
            raise unknown_name(f"{where}.{key}", str(value), get_args(hints[key]))
        else:
            _check_type(f"{where}.{key}", value, hints[key])
            restored[key] = tuple(value) if isinstance(value, list) else value
    return type(default)(**{**known, **restored})


def _check_type(where: str, value: Any, hint: Any) -> None:
    if not _fits(value, hint):
        raise UserError(f"{where}: expected {hint if get_args(hint) else hint.__name__}, found {value!r}")


def _fits(value: Any, hint: Any) -> bool:
    """Whether a value from JSON has a type; a whole number is also a float, and true is not a number."""
    if isinstance(hint, UnionType):
        return any(_fits(value, one) for one in get_args(hint))
    if get_origin(hint) is tuple:
        return isinstance(value, list) and all(_fits(each, get_args(hint)[0]) for each in value)
    if get_origin(hint) is Literal:
        return value in get_args(hint)
    return type(value) is hint or (hint is float and type(value) is int)


def flatten(config: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """The fields and values of a configuration given by `asdict`; those of its groups are named `group.field`."""
    for key, value in config.items():
        if isinstance(value, dict):
            yield from flatten(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def save_run(directory: Path, state: dict[str, Any]) -> None:
    """Writes the checkpoint, of which the one before is kept, the curve, and the final episodes if they were played."""
    save_checkpoint(directory / CHECKPOINT, state, KIND)
    write_curve(directory, state["history"])
    final = state.get(FINAL_EPISODES)
    write_final(directory, FinalEpisodes.from_state(final) if final else None)


def load_run(directory: Path, ours: bool = False) -> dict[str, Any]:
    """Reads the checkpoint; if it is damaged, the one before it, and a note says so.

    Args:
        directory: of the run.
        ours: this process has locked the run.

    Raises:
        UserError: there is no run, no checkpoint yet, or both are damaged.
    """
    if not directory.exists():
        raise UserError(f"{directory}: no such run")
    if (directory / CONFIG).exists() and not has_checkpoint(directory / CHECKPOINT):
        if not ours and in_use(directory / LOCK):
            raise UserError(f"{directory}: the run has no checkpoint yet; the first one comes with its first row")
        again = f"{runtime.program()} --config {shlex.quote(str(directory / CONFIG))}"
        raise UserError(f"{directory}: the run ended before its first checkpoint; start it again with: {again}")
    return load_checkpoint(directory / CHECKPOINT, KIND)


def write_curve(directory: Path, history: list[dict[str, float]]) -> None:
    """Writes `progress.csv`, one row per iteration, NaN where an iteration has no such number."""
    if history:
        text = io.StringIO()
        names = dict.fromkeys(name for row in history for name in row)
        writer = csv.DictWriter(text, list(names), restval="nan", lineterminator="\n")
        writer.writeheader()
        writer.writerows(
            {name: f"{value:.6g}" if isinstance(value, float) else value for name, value in row.items()}
            for row in history
        )
        write_text(directory / CURVE, text.getvalue())


def read_progress(directory: Path, needed: Sequence[str]) -> dict[str, NDArray[np.float64]]:
    """Every column of a run's `progress.csv`, `[n]` each, one entry per iteration, NaN where it has no such number.

    Args:
        directory: of the run.
        needed: columns that must be there.

    Raises:
        UserError: it is missing or has no rows, or is not a run's.
    """
    path = directory / CURVE
    if not path.exists():
        raise UserError(f"{path}: no such file; a run writes it after its first iteration")
    try:
        with path.open(encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        columns = {name: np.array([float(row[name]) for row in rows]) for name in (rows[0] if rows else ())}
    except (KeyError, TypeError, ValueError, csv.Error) as error:
        raise UserError(f"{path}: expected numbers in every row, found something else ({error})") from None
    for name in needed:
        if name not in columns:
            raise UserError(f"{path}: expected a column {name} and at least 1 row, found none")
    return columns
