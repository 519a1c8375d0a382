"""Return at the end of training by number of demonstrations: a mean over seeds, with a bar for its spread."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mgail_dyna.experiments.figures.style import (
    EXPERT,
    METHODS,
    NAMES,
    PERCENT,
    begin_low,
    draw_expert,
    drawn_range,
    explain,
    tidy,
)
from mgail_dyna.experiments.kinds import DemonstrationSubset, Kind
from mgail_dyna.experiments.records import Record
from mgail_dyna.experiments.statistics import INTERVAL_SEEDS, Estimate, estimate, spread_note
from mgail_dyna.experiments.tables import seeds_of

LABELS = {"dyna": NAMES["dyna"], "mgail": NAMES["mgail"], "bc": f"{NAMES['bc']}, no env steps"}
NOTE = "Return at the end of training."


def by_demonstrations(found: Mapping[Kind, Sequence[Record]], title: str = "", note: str = "") -> Figure:
    """Return at the end in percent of the expert's against the number of trajectories, a panel for each subsampling.

    Args:
        found: records by kind, one per seed; kinds without records leave a gap.
        title: above the figure.
        note: below it, after what lines and bars are.
    """
    subsamples = sorted({kind.demonstrations.subsample for kind in found})
    numbers = sorted({kind.demonstrations.trajectories for kind in found})
    figure = Figure(figsize=(10.0, 4.6), dpi=110, layout="constrained")
    panels = figure.subplots(1, len(subsamples), sharey=True, squeeze=False)[0]
    drawn: list[Estimate] = []
    for axes, subsample in zip(panels, subsamples, strict=True):
        for place, algorithm in enumerate(LABELS):
            by_subset = {kind.demonstrations: runs for kind, runs in found.items() if kind.algorithm == algorithm}
            columns = [by_subset.get(DemonstrationSubset(number, subsample), ()) for number in numbers]
            drawn += _draw_algorithm(axes, columns, algorithm, place)
        axes.set_xlim(-0.5, len(numbers) - 0.5)
        axes.set_xticks(range(len(numbers)), [f"{number}" for number in numbers])
        axes.set_xlabel("whole trajectories" if subsample == 1 else f"trajectories, every {subsample}th step of each")
        tidy(axes)
        draw_expert(axes)
    begin_low(panels[0], *drawn_range([EXPERT, *(each[:3] for each in drawn)]))
    panels[0].set_ylabel(PERCENT)
    figure.suptitle(title, x=0.01, ha="left", fontsize=11)
    notes = [NOTE, spread_note([each.spread for each in drawn], "bars"), _seeds_note(found), note]
    explain(figure, " ".join(filter(None, notes)))
    return figure


def _seeds_note(found: Mapping[Kind, Sequence[Record]]) -> str:
    """Which points have enough seeds for an interval, if some have and some have not."""
    enough = {kind.demonstrations.label: len(runs) >= INTERVAL_SEEDS for kind, runs in found.items() if runs}
    if len(set(enough.values())) < 2:
        return ""
    named = "; ".join(label for label, many in enough.items() if many)
    return f"{INTERVAL_SEEDS} seeds or more are recorded of: {named}."


def _draw_algorithm(axes: Axes, columns: Sequence[Sequence[Record]], algorithm: str, place: int) -> list[Estimate]:
    """One algorithm's line, shifted a little; it is broken where a number of demonstrations has no records."""
    colour, line, marker = METHODS[algorithm]
    percents = [[record.final["expert_percent"] for record in records] or [np.nan] for records in columns]
    found = [estimate([column]) for column in percents]
    values, low, high = (np.array([getattr(each, name) for each in found]) for name in ("value", "low", "high"))
    seeds = sorted({seeds_of(records) for records in columns if records})
    axes.errorbar(
        np.arange(len(columns)) + 0.06 * (place - 1),
        values,
        yerr=np.nan_to_num([values - low, high - values]),
        color=colour,
        linestyle=line,
        linewidth=1.8,
        marker=marker,
        markersize=6,
        capsize=3,
        label=f"{LABELS[algorithm]} (seeds {' or '.join(seeds) or 'none'})",
    )
    return found
