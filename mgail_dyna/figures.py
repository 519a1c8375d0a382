"""Figures, drawn from what runs have recorded."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from mgail_dyna.errors import UserError
from mgail_dyna.runs import CURVE

# Okabe and Ito's colours, told apart by most colour-blind readers, with line styles that differ in grey as well.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
STYLES = ("-", "--", "-.", ":")


@dataclass(frozen=True)
class Curve:
    """One run's curve.

    Attributes:
        env_steps: `[n]`.
        real_trajectories: `[n]`.
        percent: `[n]` return in percent of the expert's; NaN where it was not evaluated.
    """

    env_steps: NDArray[np.float64]
    real_trajectories: NDArray[np.float64]
    percent: NDArray[np.float64]


def read_curve(run: Path) -> Curve:
    """Reads the `progress.csv` of a run's directory.

    Raises:
        UserError: it is missing or not one of ours.
    """
    path = run / CURVE
    if not path.exists():
        raise UserError(f"{path}: no such file; a run's directory holds a {CURVE}")
    with path.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    try:
        columns = [[float(row[name]) for row in rows] for name in ("env_steps", "real_trajectories", "expert_percent")]
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(f"{path}: expected the columns of a run's {CURVE}, found others ({error!r})") from None
    if not rows:
        raise UserError(f"{path}: expected at least 1 row, found none")
    return Curve(*(np.array(column) for column in columns))


def draw_runs(axes: Axes, curves: Sequence[Curve], label: str, number: int = 0) -> None:
    """Draws runs of one kind: each of them thin, their mean (over a common grid of env steps) thick.

    Args:
        axes: to draw on.
        curves: of the runs, at least one.
        label: for the legend; tells how many runs there are.
        number: of the kind, picks colour and style.
    """
    colour, style = COLOURS[number % len(COLOURS)], STYLES[number % len(STYLES)]
    kept = []
    for curve in curves:
        seen = np.isfinite(curve.percent)
        kept.append((curve.env_steps[seen], curve.percent[seen]))
        if len(curves) > 1:
            axes.plot(*kept[-1], color=colour, linewidth=0.8, alpha=0.45)
    grid = np.linspace(max(steps[0] for steps, _ in kept), min(steps[-1] for steps, _ in kept), 200)
    mean = np.mean([np.interp(grid, steps, percent) for steps, percent in kept], axis=0)
    runs = "1 run" if len(curves) == 1 else f"mean of {len(curves)} runs"
    axes.plot(grid, mean, color=colour, linestyle=style, linewidth=2.2, label=f"{label}, {runs}")


def learning_curves(kinds: dict[str, Sequence[Curve]], title: str = "") -> Figure:
    """Return in percent of the expert's against env steps.

    Args:
        kinds: curves by label.
        title: above the figure.
    """
    figure = Figure(figsize=(7.0, 4.0), dpi=150, layout="constrained")
    axes = figure.subplots()
    for number, (label, curves) in enumerate(kinds.items()):
        draw_runs(axes, curves, label, number)
    axes.axhline(100.0, color="0.35", linewidth=1.0, linestyle=(0, (1, 1)))
    axes.annotate("expert", (0.01, 101.0), xycoords=("axes fraction", "data"), va="bottom", color="0.35", fontsize=9)
    axes.set_ylim(top=max(axes.get_ylim()[1], 110.0))
    axes.set_xlabel("environment steps of training")
    axes.set_ylabel("return, % of the expert's")
    axes.xaxis.set_major_formatter(lambda steps, _: f"{steps:,.0f}")
    axes.set_xlim(left=0)
    axes.set_title(title, loc="left", fontsize=11)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, loc="lower right", fontsize=9)
    return figure
