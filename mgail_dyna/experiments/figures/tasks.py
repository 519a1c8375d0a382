"""One panel a task: the recipe's curve, cloning's level, and the best published number."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mgail_dyna.config.presets import environment_id, environment_title, own_section
from mgail_dyna.experiments.figures.comparison import NOTE, draw_kind, draw_level
from mgail_dyna.experiments.figures.style import (
    EXPERT,
    GREY,
    METHODS,
    PERCENT,
    STEPS,
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

COLUMNS = 3


def by_task(found: Mapping[Kind, Sequence[Record]], title: str = "", note: str = "") -> Figure:
    """Return in percent of the expert's against env steps, a panel for each task whose learning is recorded.

    Args:
        found: records by kind, one per seed; of kinds that take no env steps only the level is drawn.
        title: above the figure.
        note: below it, after what lines and bands are.
    """
    tasks = list(dict.fromkeys(kind.task for kind, records in found.items() if records and not kind.baseline))
    columns = min(COLUMNS, len(tasks))
    rows = -(-len(tasks) // columns)
    figure = Figure(figsize=(3.6 * columns, 1.2 + 2.6 * rows), dpi=110, layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    drawn: list[Estimate] = []
    for axes, task in zip(panels, tasks, strict=False):
        own = [_draw(axes, kind, records) for kind, records in found.items() if records and kind.task == task]
        axes.set_xlim(left=0)
        axes.set_title(environment_title(task), loc="left", fontsize=10)
        count_on(axes.xaxis)
        tidy(axes)
        draw_expert(axes)
        _say_what_is_published(axes, task)
        begin_low(axes, *drawn_range([0.0, EXPERT, *(each[:3] for each in own)]))
        drawn += own
    for axes in panels[max(0, len(tasks) - columns) : len(tasks)]:
        axes.set_xlabel(STEPS, fontsize=9)
    for axes in panels[len(tasks) :]:
        axes.set_axis_off()
    figure.supylabel(PERCENT, fontsize=10)
    figure.suptitle(title, x=0.01, ha="left", fontsize=11)
    notes = [spread_note([each.spread for each in drawn], "bands"), NOTE, note]
    explain(figure, " ".join(filter(None, notes)))
    return figure


def _draw(axes: Axes, kind: Kind, records: Sequence[Record]) -> Estimate:
    draw = draw_level if kind.baseline else draw_kind
    return draw(axes, records, kind.label, METHODS[kind.algorithm], shared=True)


def _say_what_is_published(axes: Axes, task: str) -> None:
    published = own_section(environment_id(task), "published")
    if published:
        steps, method = published["env_steps"], published["method"]
        words = f"published: 90% at {steps:,}\n({method})"
        axes.annotate(words, (0.98, 0.04), xycoords="axes fraction", ha="right", fontsize=8, color=GREY)
