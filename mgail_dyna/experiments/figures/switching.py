"""How often the environment is queried, beside what is learned from it: adaptive against fixed switching."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mgail_dyna.config.presets import environment_title
from mgail_dyna.experiments.figures.comparison import NOTE, draw_kind, kind_looks
from mgail_dyna.experiments.figures.style import (
    EXPERT,
    PERCENT,
    STEPS,
    Look,
    begin_low,
    count_on,
    draw_expert,
    drawn_range,
    explain,
    tidy,
)
from mgail_dyna.experiments.kinds import Kind
from mgail_dyna.experiments.records import Record
from mgail_dyna.experiments.statistics import Estimate, spread_note
from mgail_dyna.experiments.tables import named_seeds

TAKEN = "env steps of an iteration"
BELOW = "Below: env steps of each iteration, a line a seed."


def switching(found: Mapping[Kind, Sequence[Record]], title: str = "", note: str = "") -> Figure:
    """Return, and below it the env steps of each iteration, against env steps; a column for each task.

    Args:
        found: records by kind, one per seed.
        title: above the figure.
        note: below it, after what lines and bands are.
    """
    found = {kind: records for kind, records in found.items() if records}
    tasks = list(dict.fromkeys(kind.task for kind in found))
    figure = Figure(figsize=(4.2 * len(tasks), 6.4), dpi=110, layout="constrained")
    panels = figure.subplots(2, len(tasks), squeeze=False, sharex="col", height_ratios=(3, 2))
    drawn: list[Estimate] = []
    for (above, below), task in zip(panels.T, tasks, strict=True):
        own = {kind: records for kind, records in found.items() if kind.task == task}
        looks = kind_looks(own)
        curves = [
            draw_kind(above, records, kind.label, looks[kind.label], shared=True) for kind, records in own.items()
        ]
        for kind, records in own.items():
            _draw_taken(below, records, looks[kind.label])
        seeds = {named_seeds(records) for records in own.values()}
        named = f", {seeds.pop()}" if len(seeds) == 1 else ""  # where they differ, the table has them
        above.set_title(f"{environment_title(task)}{named}", loc="left", fontsize=10)
        draw_expert(above)
        begin_low(above, *drawn_range([0.0, EXPERT, *(each[:3] for each in curves)]))
        for axes in (above, below):
            axes.set_xlim(left=0)
            tidy(axes)
        below.set_ylim(bottom=0)
        below.set_xlabel(STEPS, fontsize=9)
        count_on(below.xaxis)
        drawn += curves
    panels[0, 0].set_ylabel(PERCENT)
    panels[1, 0].set_ylabel(TAKEN)
    figure.suptitle(title, x=0.01, ha="left", fontsize=11)
    notes = [spread_note([each.spread for each in drawn], "bands"), NOTE, BELOW, note]
    explain(figure, " ".join(filter(None, notes)))
    return figure


def _draw_taken(axes: Axes, records: Sequence[Record], look: Look) -> None:
    for record in records:
        steps = record.curve["env_steps"]
        taken = np.diff(steps, prepend=0.0)
        axes.plot(steps, taken, color=look.colour, linestyle=look.line, alpha=0.6, linewidth=1.0)
