"""The curves of single runs, finished or not."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from mgail_dyna.demonstrations.reference import Reference
from mgail_dyna.errors import UserError
from mgail_dyna.experiments.figures.style import (
    EXPERT,
    NAMES,
    PERCENT,
    RETURN,
    STEPS,
    Look,
    begin_low,
    count_on,
    draw_expert,
    drawn_range,
    explain,
    looks,
    tidy,
)
from mgail_dyna.experiments.statistics import resampled
from mgail_dyna.runs.directory import read_about, read_progress
from mgail_dyna.runs.final import read_final

Array = NDArray[np.float64]
Line = tuple[Array, Array]
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
        final: mean return of the final episodes; NaN if there are none.
        final_percent: the same in percent of the expert's.
        gradient_steps: `[n]` of cloning; None if the run does not clone.
    """

    env_steps: NDArray[np.float64]
    real_trajectories: NDArray[np.float64]
    returns: NDArray[np.float64]
    percent: NDArray[np.float64]
    final: float = math.nan
    final_percent: float = math.nan
    gradient_steps: NDArray[np.float64] | None = None


def read_curve(run: Path) -> Curve:
    """Reads the `progress.csv` of a run's directory, and its final episodes if there are any.

    Raises:
        UserError: it is missing or has other columns, or nothing was evaluated yet.
    """
    progress = read_progress(run, COLUMNS)
    if not np.isfinite(progress["return_mean"]).any():
        raise UserError(f"{run}: expected at least one evaluation, found none yet")
    steps, trajectories, returns, percent = (progress[name] for name in COLUMNS)
    curve = Curve(steps, trajectories, returns, percent, gradient_steps=progress.get("cloning/steps"))
    final = read_final(run)
    if final is None or not final.returns.size:
        return curve
    mean, expert = float(final.returns.mean()), read_about(run).get("expert_return")
    reference = Reference(math.nan if expert is None else float(expert), 0)
    return replace(curve, final=mean, final_percent=reference.percent(mean))


def curve_of(history: Sequence[Mapping[str, float]]) -> Curve:
    """The curve of a run in memory, from its rows."""
    steps, trajectories, returns, percent = (np.array([row[name] for row in history], np.float64) for name in COLUMNS)
    return Curve(steps, trajectories, returns, percent)


def learning_curves(
    kinds: Mapping[str, Sequence[Curve]],
    title: str = "",
    methods: Mapping[str, str] | None = None,
    smooth: int = 1,
) -> Figure:
    """Return in percent of the expert's against env steps; the return itself if an expert's return is not known.

    Runs of one kind are thin lines, their mean is a thick one. It begins where all of them have been evaluated, and
    ends where the first of them ends. Kinds that took no env steps, as cloning, are level lines beside others; alone
    they are drawn against gradient steps. The final episodes of a run are a diamond at its end, and decide the height
    of a level line.

    Args:
        kinds: curves by label, at least one each.
        title: above the figure.
        methods: of each label the algorithm, which picks the colour; the label itself if None.
        smooth: evaluations to average over: each one and those before it. 1: none.
    """
    methods = methods or {label: _METHODS.get(label, label) for label in kinds}
    drawn = dict(zip(kinds, looks([methods[label] for label in kinds]), strict=True))
    figure = Figure(figsize=(7.0, 4.2 + 0.2 * len(kinds)), dpi=150, layout="constrained")
    axes = figure.subplots()
    every = [curve for curves in kinds.values() for curve in curves]
    known = all(np.isfinite(curve.percent).any() for curve in every)
    cloning = all(not curve.env_steps.any() and curve.gradient_steps is not None for curve in every)
    heights, diamonds, levels = [np.array([EXPERT])] if known else [], False, False
    for label, curves in kinds.items():
        lines = [_evaluated(curve, "percent" if known else "returns", smooth, cloning) for curve in curves]
        finals = [curve.final_percent if known else curve.final for curve in curves]
        heights += [measured for _, measured in lines] + [np.array(finals)[np.isfinite(finals)]]
        _draw_kind(axes, lines, finals, label, drawn[label], "%" if known else "")
        moves = any(steps[-1] for steps, _ in lines)
        diamonds, levels = diamonds or bool(np.isfinite(finals).any() and moves), levels or not moves
    axes.set_xlim(left=0)
    axes.set_xlabel("gradient steps of cloning" if cloning else STEPS)
    axes.set_ylabel(PERCENT if known else RETURN)
    count_on(axes.xaxis)
    tidy(axes)
    if known:
        draw_expert(axes)
    begin_low(axes, *drawn_range(heights))
    figure.suptitle(title, x=0.01, ha="left", fontsize=11)
    many = len(every) > len(kinds)
    means = "Thin lines are runs. A thick line is their mean; it ends where the first of them ends." if many else ""
    smoothed = f"Each point is the mean of {smooth} evaluations, the last of them there." if smooth > 1 else ""
    which = "Diamonds and level lines" if levels else "Diamonds"
    ends = f"{which} are the mean of a run's final episodes." if diamonds else ""
    explain(figure, " ".join(filter(None, [means, smoothed, ends])))
    return figure


# By name for people.
_METHODS = {name: algorithm for algorithm, name in NAMES.items()}


def _evaluated(curve: Curve, measure: str, smooth: int, cloning: bool) -> Line:
    """Env steps `[n]`, or gradient steps if `cloning`, and what was measured there `[n]`, where it was evaluated."""
    measured = getattr(curve, measure)
    seen = np.isfinite(measured)
    values = measured[seen]
    means = [values[max(0, place + 1 - smooth) : place + 1].mean() for place in range(len(values))]
    steps = curve.gradient_steps if cloning and curve.gradient_steps is not None else curve.env_steps
    return steps[seen], np.array(means)


def _draw_kind(axes: Axes, lines: Sequence[Line], finals: Sequence[float], label: str, look: Look, unit: str) -> None:
    thick: dict[str, Any] = {"linestyle": look.line, "linewidth": 2.2, "zorder": 3}
    if not any(steps[-1] for steps, _ in lines):
        last = [measured[-1] for _, measured in lines]
        level = float(np.mean(np.where(np.isfinite(finals), finals, last)))
        named = f"{_named(label, lines)}, no env steps: {level:,.0f}{unit}"
        axes.axhline(level, color=look.colour, linewidth=5.0, alpha=0.55, zorder=1.5, label=named)
        return
    ends = [steps[-1] for steps, _ in lines]
    axes.scatter(ends, finals, s=36, marker="D", facecolors="white", edgecolors=look.colour, zorder=5, clip_on=False)
    if len(lines) == 1:
        _draw(axes, *lines[0], look, **thick, label=_named(label, lines))
        return
    for line in lines:
        _draw(axes, *line, look, linewidth=0.8, alpha=0.45)
    start, end = max(steps[0] for steps, _ in lines), min(steps[-1] for steps, _ in lines)
    grid = np.unique(np.concatenate([steps[(start <= steps) & (steps <= end)] for steps, _ in lines]))
    if grid.size:
        mean = np.mean([resampled(steps, measured, grid) for steps, measured in lines], axis=0)
        _draw(axes, grid, mean, look, **thick, label=_named(label, lines))
    else:  # one run ends before another is evaluated for the first time
        none = f"{label}, {len(lines)} runs; no mean, as one ends before another is evaluated"
        _draw(axes, *lines[0], look, linewidth=0.8, label=none)


def _named(label: str, lines: Sequence[Line]) -> str:
    return f"{label}, " + ("1 run" if len(lines) == 1 else f"mean of {len(lines)} runs")


def _draw(axes: Axes, steps: Array, measured: Array, look: Look, **line: Any) -> None:
    """A curve in steps. A single point, which a line does not show, gets a marker."""
    point: dict[str, Any] = {"marker": look.marker, "markevery": [0]} if steps[0] == steps[-1] else {}
    axes.plot(steps, measured, color=look.colour, drawstyle="steps-post", **point, **line)
    if not point and "label" in line:  # a step at the very end has no width
        axes.scatter(steps[-1:], measured[-1:], s=22, color=look.colour, zorder=4)
