"""The curves of single runs, finished or not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from mgail_dyna.errors import UserError
from mgail_dyna.experiments.figures.style import PERCENT, RETURN, STEPS, count_on, draw_expert, look, tidy
from mgail_dyna.experiments.records import read_progress
from mgail_dyna.experiments.statistics import common_grid, resampled

# Of a run's history, in the order of a curve's fields.
COLUMNS = ("env_steps", "real_trajectories", "return_mean", "expert_percent")


@dataclass(frozen=True)
class Curve:
    """One run's curve.

    Attributes:
        env_steps: `[n]`.
        real_trajectories: `[n]`.
        returns: `[n]`; NaN where it was not evaluated.
        percent: `[n]` the same in percent of the expert's; all NaN where its demonstrations have no rewards.
    """

    env_steps: NDArray[np.float64]
    real_trajectories: NDArray[np.float64]
    returns: NDArray[np.float64]
    percent: NDArray[np.float64]


def read_curve(run: Path) -> Curve:
    """Reads the `progress.csv` of a run's directory.

    Raises:
        UserError: it is missing or has other columns, or nothing was evaluated yet.
    """
    progress = read_progress(run)
    if not np.isfinite(progress["return_mean"]).any():
        raise UserError(f"{run}: expected at least one evaluation, found none yet")
    return Curve(*(progress[name] for name in COLUMNS))


def curve_of(history: Sequence[Mapping[str, float]]) -> Curve:
    """The curve of a run in memory, from its rows."""
    return Curve(*(np.array([row[name] for row in history], np.float64) for name in COLUMNS))


def draw_runs(
    axes: Axes, curves: Sequence[Curve], label: str, number: int = 0, measure: Literal["percent", "returns"] = "percent"
) -> None:
    """Draws runs of one kind: each as a thin line, their mean over a common grid of env steps as a thick one.

    If no run took an env step, as with cloning, the mean of the last evaluations is a level line.

    Args:
        axes: to draw on.
        curves: of the runs, at least one.
        label: for the legend, which adds the number of runs.
        number: of the kind; picks colour and style.
        measure: percent of the expert's return, or the return.
    """
    kept = []
    for curve in curves:
        measured = getattr(curve, measure)
        seen = np.isfinite(measured)
        kept.append((curve.env_steps[seen], measured[seen]))
        if len(curves) > 1:
            _draw(axes, *kept[-1], number, linewidth=0.8, alpha=0.45)
    runs = "1 run" if len(curves) == 1 else f"mean of {len(curves)} runs"
    drawn: dict[str, Any] = {"linestyle": look(number).line, "linewidth": 2.2, "label": f"{label}, {runs}"}
    if not any(steps[-1] for steps, _ in kept):
        level = float(np.mean([measured[-1] for _, measured in kept]))
        axes.axhline(level, color=look(number).colour, **drawn)
        return
    grid = common_grid([steps for steps, _ in kept])
    mean = np.mean([resampled(steps, measured, grid) for steps, measured in kept], axis=0)
    _draw(axes, grid, mean, number, **drawn)


def _draw(axes: Axes, steps: NDArray[np.float64], measured: NDArray[np.float64], number: int, **line: Any) -> None:
    """A curve in steps. A single point, which a line does not show, gets a marker."""
    point: dict[str, Any] = {"marker": look(number).marker, "markevery": [0]} if steps[0] == steps[-1] else {}
    axes.plot(steps, measured, color=look(number).colour, drawstyle="steps-post", **point, **line)


def learning_curves(kinds: dict[str, Sequence[Curve]], title: str = "") -> Figure:
    """Return in percent of the expert's against env steps; the return itself if an expert's return is not known.

    Args:
        kinds: curves by label.
        title: above the figure.
    """
    figure = Figure(figsize=(7.0, 4.0), dpi=150, layout="constrained")
    axes = figure.subplots()
    known = all(np.isfinite(curve.percent).any() for curves in kinds.values() for curve in curves)
    for number, (label, curves) in enumerate(kinds.items()):
        draw_runs(axes, curves, label, number, "percent" if known else "returns")
    if known:
        draw_expert(axes)
    axes.set_xlabel(STEPS)
    axes.set_ylabel(PERCENT if known else RETURN)
    count_on(axes.xaxis)
    axes.set_xlim(left=0)
    axes.set_title(title, loc="left", fontsize=11)
    tidy(axes)
    points = any(line.get_marker() != "None" for line in axes.get_lines())
    axes.legend(frameon=False, loc="best" if points else "lower right", fontsize=9)  # "best" keeps clear of points
    return figure
