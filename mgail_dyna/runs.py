"""A run's directory: its configuration, checkpoint, curve and scalars, none of them ever half written."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import asdict, dataclass, fields, is_dataclass
from pathlib import Path
from typing import Any

from mgail_dyna import runtime
from mgail_dyna.config.imitation import ImitationConfig
from mgail_dyna.errors import UserError, unknown_name
from mgail_dyna.storage import load_state, save_state, write_text

CONFIG, CHECKPOINT, CURVE, SCALARS = "config.json", "checkpoint.h5", "progress.csv", "tensorboard"


@dataclass(frozen=True)
class RunSettings:
    """What a run is: enough to run exactly that again.

    Attributes:
        mode: of the algorithm.
        preset: the configuration began from.
        expert: the demonstrations, as `expert_data.load_expert` takes them.
        iterations: to stop after, whatever the env steps; None for no such limit.
        config: everything else.
    """

    mode: str
    preset: str
    expert: str
    iterations: int | None
    config: ImitationConfig


def new_directory(parent: Path, name: str) -> Path:
    """`parent/name`, or `parent/name-2`, -3, ...: the first that is not taken."""
    candidate, number = parent / name, 1
    while candidate.exists():
        number += 1
        candidate = parent / f"{name}-{number}"
    return candidate


def write_settings(directory: Path, settings: RunSettings) -> None:
    """Writes `config.json`, with versions and commit beside the settings."""
    record = {**asdict(settings), "versions": runtime.versions(), "commit": runtime.git_commit()}
    write_text(directory / CONFIG, json.dumps(record, indent=2) + "\n")


def read_settings(path: Path) -> RunSettings:
    """Reads a `config.json`, or that of a run's directory.

    Raises:
        UserError: missing, not JSON, an unknown key or a value that does not fit.
    """
    file = path / CONFIG if path.is_dir() else path
    if not file.exists():
        raise UserError(f"{file}: no such file; a run's directory holds a {CONFIG}")
    try:
        record = json.loads(file.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"{file}: expected JSON, found something else ({error})") from None
    if not isinstance(record, dict) or not isinstance(record.get("config"), dict):
        raise UserError(f"{file}: config: missing; expected what a run writes to its {CONFIG}")
    try:
        config = _restored(ImitationConfig(), record["config"], "config")
        about = {name: record[name] for name in ("mode", "preset", "expert", "iterations")}
    except KeyError as error:
        raise UserError(f"{file}: {error.args[0]}: missing") from None
    except UserError as error:
        raise UserError(f"{file}: {error}") from None
    return RunSettings(**about, config=config)


def _restored(default: Any, values: dict[str, Any], where: str) -> Any:
    """The dataclass `default` with `values` from JSON, which knows neither dataclasses nor tuples."""
    known = {entry.name: getattr(default, entry.name) for entry in fields(default)}
    for key in values:
        if key not in known:
            raise unknown_name("key", f"{where}.{key}", [f"{where}.{name}" for name in known])
    restored = {}
    for key, value in values.items():
        if is_dataclass(known[key]):
            restored[key] = _restored(known[key], value, f"{where}.{key}")
        else:
            restored[key] = tuple(value) if isinstance(value, list) else value
    try:
        return type(default)(**{**known, **restored})
    except TypeError as error:
        raise UserError(f"{where}: a value does not fit ({error})") from None


def save_run(directory: Path, state: dict[str, Any]) -> None:
    """Writes the checkpoint and the curve."""
    save_state(directory / CHECKPOINT, state)
    write_curve(directory, state["history"])


def load_run(directory: Path) -> dict[str, Any]:
    """Reads the checkpoint.

    Raises:
        UserError: no run there, or a damaged one.
    """
    if not directory.exists():
        raise UserError(f"{directory}: no such run")
    return load_state(directory / CHECKPOINT)


def write_curve(directory: Path, history: list[dict[str, float]]) -> None:
    """Writes `progress.csv`, a row an iteration."""
    if history:
        text = io.StringIO()
        writer = csv.DictWriter(text, list(history[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(
            {name: f"{value:.6g}" if isinstance(value, float) else value for name, value in row.items()}
            for row in history
        )
        write_text(directory / CURVE, text.getvalue())
