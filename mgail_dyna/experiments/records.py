"""Records of finished runs: one small JSON file each. Every figure and table is made from them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mgail_dyna.algorithms.registry import algorithm_named
from mgail_dyna.config.imitation import ImitationConfig
from mgail_dyna.demonstrations.reference import Reference
from mgail_dyna.errors import UserError
from mgail_dyna.experiments.kinds import Kind, Run
from mgail_dyna.runs.directory import CURVE, flatten, read_progress
from mgail_dyna.runs.final import read_final
from mgail_dyna.runs.lookup import CONFIG
from mgail_dyna.storage import write_text

COLUMNS = (
    "env_steps",
    "real_trajectories",
    "expert_percent",
    "return_mean",
    "return_std",
    "cpu_seconds",
    "wall_seconds",
)
LAST = 10
FINAL_RETURNS = "final_returns"
# Entries of a run's `config.json` that a record keeps.
_ABOUT = ("algorithm", "preset", "expert", "expert_return", "commit", "versions", "config")
_SEED = re.compile(r"-seed(\d+)$")


@dataclass(frozen=True)
class Record:
    """A finished run.

    Attributes:
        suite: that it is recorded under.
        name: of the run and of its file.
        arguments: of `run.py` that made it.
        algorithm: as `--mode` names it.
        preset: that the configuration is based on.
        seed: of the run.
        expert: the demonstrations, as `run.py --expert` takes them.
        expert_return: mean return of the demonstrations, which is 100%.
        commit: of the code, with `+` where it had changes; None outside a checkout.
        versions: of Python and the packages results depend on.
        config: the resolved configuration.
        curve: by name of column (`COLUMNS`) `[n]`, one entry per evaluation. Env steps and trajectories count training
            only; seconds include evaluation.
        final_returns: `[n]`, of the episodes at the end; empty in records that are older than these.
    """

    suite: str
    name: str
    arguments: tuple[str, ...]
    algorithm: str
    preset: str
    seed: int
    expert: str
    expert_return: float
    commit: str | None
    versions: dict[str, str]
    config: dict[str, Any]
    curve: dict[str, NDArray[np.float64]]
    final_returns: NDArray[np.float64]

    @property
    def final(self) -> dict[str, float]:
        """The last evaluation; `percent_of_last_10` is the mean of the last ten."""
        last = {name: float(values[-1]) for name, values in self.curve.items()}
        return {**last, f"percent_of_last_{LAST}": float(self.curve["expert_percent"][-LAST:].mean())}

    @property
    def swing(self) -> float:
        """Standard deviation of the last ten evaluations, in percent of the expert's return."""
        return float(self.curve["expert_percent"][-LAST:].std())

    @property
    def final_percents(self) -> NDArray[np.float64]:
        """`[n]` final returns in percent of the expert's."""
        expert = Reference(self.expert_return, 0)
        return np.array([expert.percent(float(value)) for value in self.final_returns])


def record_path(results: Path, run: Run) -> Path:
    """The file of `run`'s record."""
    return results / run.suite / f"{run.name}.json"


def from_run(directory: Path, run: Run) -> Record:
    """The record of a finished run.

    Args:
        directory: of the run, with its `config.json` and `progress.csv`.
        run: what it was to do.

    Raises:
        UserError: a file is missing or malformed, nothing was evaluated, or returns cannot be compared.
    """
    about, progress = _read_json(directory / CONFIG), read_progress(directory, COLUMNS)
    _require_comparable(about, directory / CONFIG)
    seen = np.isfinite(progress["expert_percent"])
    if not seen.any():
        raise UserError(f"{directory / CURVE}: expected at least one evaluation, found none")
    curve, final = {name: progress[name][seen] for name in COLUMNS}, read_final(directory)
    return _validated(
        {
            "suite": run.suite,
            "name": run.name,
            "arguments": list(run.arguments),
            "seed": about.get("config", {}).get("seed"),
            **{name: about.get(name) for name in _ABOUT},
            "curve": {name: values.tolist() for name, values in curve.items()},
            FINAL_RETURNS: [] if final is None else final.returns.tolist(),
        },
        directory / CONFIG,
    )


def write_record(results: Path, run: Run, record: Record) -> Path:
    """Writes the record of `run`, whole or not at all, with one line per column of the curve."""
    content = {**asdict(record), "final": record.final}
    content[FINAL_RETURNS] = [_short(value) for value in record.final_returns]
    content["curve"] = {name: [_short(value) for value in values] for name, values in record.curve.items()}
    lines = []
    for key, value in content.items():
        if key == "curve":
            columns = ",\n".join(f'    "{name}": {json.dumps(column)}' for name, column in value.items())
            lines.append(f'  "curve": {{\n{columns}\n  }}')
        else:
            lines.append(f'  "{key}": {json.dumps(value, allow_nan=False)}')
    path = record_path(results, run)
    write_text(path, "{\n" + ",\n".join(lines) + "\n}\n")
    return path


def _short(value: float) -> float:
    return int(value) if float(value).is_integer() else float(value)


def read_record(path: Path) -> Record:
    """Reads a record.

    Raises:
        UserError: missing, not JSON, or not a record.
    """
    record = _validated(_read_json(path), path)
    if record.name != path.stem:
        raise UserError(f"{path}: name: expected '{path.stem}', as the file is called, found '{record.name}'")
    return record


def read_kind(results: Path, kind: Kind) -> list[Record]:
    """All records of a kind, in the order of their seeds.

    Raises:
        UserError: one is damaged, or their configurations differ in more than the seed.
    """
    paths = (results / kind.suite).glob(f"{kind.task}-{kind.name}-seed*.json")
    found = sorted((read_record(path) for path in paths if _SEED.search(path.stem)), key=lambda record: record.seed)
    _check_alike(found)
    return found


def _check_alike(records: Sequence[Record]) -> None:
    for record in records[1:]:
        for key, first, here in differences(records[0], record.config):
            raise UserError(
                f"{record.suite}: records of different configurations: {key} is {first} in "
                f"{records[0].name} and {here} in {record.name}; remove the older ones and repeat the sweep"
            )


def differences(record: Record, config: dict[str, Any]) -> Iterator[tuple[str, Any, Any]]:
    """Where `config` differs from a record's; see `config_differences`."""
    return config_differences(record.config, config, record.algorithm)


def config_differences(one: dict[str, Any], other: dict[str, Any], algorithm: str) -> Iterator[tuple[str, Any, Any]]:
    """Where two configurations differ, apart from the seed and from fields that the algorithm ignores.

    A field that one of them does not have, because it is older than the field, counts as its default.

    Yields:
        The field, or `group.field`, and its two values.
    """
    ignores = algorithm_named(algorithm).ignores
    defaults, *both = (dict(flatten(json.loads(json.dumps(tree)))) for tree in (asdict(ImitationConfig()), one, other))
    first, second = (defaults | given for given in both)
    for key in sorted((first.keys() | second.keys()) - {"seed"}):
        if first.get(key) != second.get(key) and not ignores(key, second.get("warm_start", "none")):
            yield key, first.get(key), second.get(key)


def _read_json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{path}: no such file") from None
    except (json.JSONDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UserError(f"{path}: expected JSON, found something else ({error})") from None
    if not isinstance(content, dict):
        raise UserError(f"{path}: expected a JSON object, found {type(content).__name__}")
    return content


_KINDS: dict[str, tuple[tuple[type, ...], str]] = {
    **dict.fromkeys(("suite", "name", "algorithm", "preset", "expert"), ((str,), "text")),
    "arguments": ((list,), "a list"),
    "seed": ((int,), "a whole number"),
    "expert_return": ((int, float), "a number"),
    "commit": ((str, type(None)), "text or null"),
    **dict.fromkeys(("versions", "config", "curve"), ((dict,), "an object")),
    FINAL_RETURNS: ((list,), "a list"),
}


def _require_comparable(content: dict[str, Any], path: Path) -> None:
    if "expert_return" in content and content["expert_return"] is None:
        raise UserError(
            f"{path}: expert_return: expected a number, found null: returns cannot be compared with these "
            "demonstrations', and records are in percent of the expert; use some whose returns can be compared"
        )


def _validated(content: dict[str, Any], path: Path) -> Record:
    _require_comparable(content, path)
    content = {FINAL_RETURNS: [], **content}
    for entry in fields(Record):
        types, expected = _KINDS[entry.name]
        if entry.name not in content:
            raise UserError(f"{path}: {entry.name}: missing")
        if not isinstance(content[entry.name], types):
            raise UserError(f"{path}: {entry.name}: expected {expected}, found {content[entry.name]!r}")
    curve = {name: _column(content["curve"], name, path) for name in COLUMNS}
    length = curve["env_steps"].size
    for name, values in curve.items():
        if values.size != length:
            raise UserError(f"{path}: curve.{name}: expected {length} numbers as in env_steps, found {values.size}")
    for name in ("env_steps", "real_trajectories"):
        if (np.diff(curve[name]) < 0).any():
            raise UserError(f"{path}: curve.{name}: expected numbers that never fall, found some that do")
    final_returns = _numbers(content[FINAL_RETURNS], FINAL_RETURNS, path)
    made: dict[str, Any] = {
        "curve": curve,
        FINAL_RETURNS: final_returns,
        "arguments": tuple(map(str, content["arguments"])),
    }
    return Record(**{entry.name: made.get(entry.name, content[entry.name]) for entry in fields(Record)})


def _column(curve: dict[str, Any], name: str, path: Path) -> NDArray[np.float64]:
    if name not in curve:
        raise UserError(f"{path}: curve.{name}: missing")
    return _numbers(curve[name], f"curve.{name}", path, least=1)


def _numbers(found: Any, what: str, path: Path, least: int = 0) -> NDArray[np.float64]:
    try:
        values = np.array(found, np.float64)
    except (TypeError, ValueError):
        values = np.array([np.nan])
    if values.ndim != 1 or values.size < least or not np.isfinite(values).all():
        wanted = "one or more numbers" if least else "numbers"
        raise UserError(f"{path}: {what}: expected a list of {wanted}, found something else")
    return values
