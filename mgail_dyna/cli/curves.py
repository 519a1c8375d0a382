"""Which runs a plot shows: finished ones, each seed once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from mgail_dyna.errors import UserError
from mgail_dyna.experiments.figures import Curve, read_curve
from mgail_dyna.experiments.records import COLUMNS, config_differences
from mgail_dyna.runs.directory import CURVE, RunSettings, directory_of, read_progress, read_settings
from mgail_dyna.runs.lookup import CONFIG


class DrawnRun(NamedTuple):
    """A run in a plot.

    Attributes:
        directory: of the run.
        settings: its own.
        curve: its evaluations.
        finished: whether it has come to its end.
        written: when its curve was last written, in seconds since the epoch.
    """

    directory: Path
    settings: RunSettings
    curve: Curve
    finished: bool
    written: float


def curves_to_draw(directories: Sequence[Path], unfinished: bool) -> tuple[list[DrawnRun], list[str]]:
    """The runs that a plot shows.

    What holds no run is left out, and so is a run that has not been evaluated yet, and an unfinished run, unless none
    is finished. Of runs that differ in nothing, the seed included, the one written last counts.

    Args:
        directories: of the runs, or around runs, in the order of the legend.
        unfinished: keep unfinished runs too.

    Returns:
        The runs, and a note on each that is left out or not finished.

    Raises:
        UserError: there is no such directory, none holds a run, or no run has been evaluated yet.
    """
    notes: list[str] = []
    found: list[DrawnRun] = []
    places = list(dict.fromkeys(place for path in directories for place in _runs_at(directory_of(path))))
    foreign = [place for place in places if place.exists() and not any((place / n).exists() for n in (CONFIG, CURVE))]
    if len(foreign) < len(places):  # a glob also finds empty directories and pictures
        notes += [f"{place} is left out: it holds no run" for place in foreign]
        places = [place for place in places if place not in foreign]
    for directory in places:
        settings = read_settings(directory)
        if not (directory / CURVE).exists() or not np.isfinite(read_progress(directory, COLUMNS)["return_mean"]).any():
            notes.append(f"{directory} is left out: it has not been evaluated yet")
            continue
        written = (directory / CURVE).stat().st_mtime
        found.append(DrawnRun(directory, settings, read_curve(directory), is_finished(directory, settings), written))
    if not found:
        raise UserError(f"{directories[0]}: expected at least one evaluation, found none yet")
    keep = unfinished or not any(run.finished for run in found)
    for run in found:
        if not run.finished:
            how = "is drawn as far as it is" if keep else "is left out; --unfinished draws it"
            notes.append(f"{run.directory} is not finished and {how}")
    return _each_seed_once([run for run in found if keep or run.finished], notes), notes


def _runs_at(path: Path) -> list[Path]:
    """`path`, or the runs in it if it is a directory of runs."""
    own = any((path / name).exists() for name in (CONFIG, CURVE))
    inside = [] if own else sorted(each.parent for each in path.glob(f"*/{CONFIG}"))
    return inside or [path]


def _each_seed_once(runs: Sequence[DrawnRun], notes: list[str]) -> list[DrawnRun]:
    """`runs` without those that are repeated later; adds a note for each of these to `notes`."""
    repeated: set[Path] = set()
    by_age = sorted(runs, key=lambda run: run.written)
    for place, run in enumerate(by_age):
        later = next((other for other in reversed(by_age[place + 1 :]) if _repeats(run, other)), None)
        if later is not None:
            repeated.add(run.directory)
            notes.append(f"{run.directory} is left out: {later.directory} repeats it with the same seed, later")
    return [run for run in runs if run.directory not in repeated]


def _repeats(run: DrawnRun, other: DrawnRun) -> bool:
    one, two = run.settings, other.settings
    if one.config.seed != two.config.seed or replace(one, config=two.config) != two:
        return False
    return not any(config_differences(asdict(one.config), asdict(two.config), one.algorithm))


def is_finished(directory: Path, settings: RunSettings) -> bool:
    """Whether a run's curve reaches the end that its settings set.

    Args:
        directory: of the run, with a readable curve.
        settings: its own.
    """
    progress = read_progress(directory, COLUMNS)
    iterations = progress["env_steps"].size
    if settings.iterations is not None and iterations >= settings.iterations:
        return True
    config = settings.config
    if settings.algorithm != "bc":
        return bool(progress["env_steps"][-1] >= config.env_steps)
    if "cloning/left" not in progress:
        return True  # of an older version, which did not write it
    return bool(progress["cloning/left"][-1] == 0)
