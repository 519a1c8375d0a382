"""What to say where a run was expected and none is: which one may be meant."""

from __future__ import annotations

import difflib
import shlex
from pathlib import Path

from mgail_dyna.demonstrations.metadata import METADATA_FILE
from mgail_dyna.errors import UserError

# What makes a directory a run's: its settings.
CONFIG = "config.json"
# Where runs are by default.
RUNS = Path("runs")
# Runs that are named at most.
MOST_NAMED = 3


def runs_in(path: Path) -> list[Path]:
    """The runs right below `path`, by name."""
    return sorted(each.parent for each in path.glob(f"*/{CONFIG}")) if path.is_dir() else []


def meant(path: Path) -> str:
    """What to add where nothing is at `path`: runs of a name like it, beside it or among those made by default."""
    known = {str(run): run.name for place in (RUNS, path.parent) for run in runs_in(place)}
    exact = [run for run, name in known.items() if name == path.name]
    longer = [run for run, name in known.items() if path.name and name.startswith(path.name)]
    alike = difflib.get_close_matches(path.name, known.values(), 1, 0.7)
    near = exact or longer or [run for run, name in known.items() if name in alike]
    return f"; did you mean {' or '.join(near[:MOST_NAMED])}?" if near else ""


def no_run(path: Path) -> UserError:
    """The error where a run was expected at `path`, and its settings are not there."""
    if found := runs_in(path):
        more = f" and {len(found) - MOST_NAMED:,} more" if len(found) > MOST_NAMED else ""
        named = ", ".join(map(str, found[:MOST_NAMED]))
        return UserError(f"{path}: expected one run, found a directory of runs: {named}{more}")
    if any((place / METADATA_FILE).exists() for place in (path, path / "data")):
        return UserError(
            f"{path}: expected a run, found demonstrations; to imitate them: --expert {shlex.quote(str(path))}"
        )
    file = path / CONFIG if path.is_dir() else path
    return UserError(f"{file}: no such file; a run's directory holds a {CONFIG}{meant(path)}")
