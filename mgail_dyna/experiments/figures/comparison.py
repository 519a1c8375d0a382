"""Kinds of runs compared: a mean over seeds each, with a band for its spread."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mgail_dyna.experiments.figures.style import (
    EXPERT,
    MARKERS,
    METHODS,
    PERCENT,
    STEPS,
    TRAJECTORIES,
    Look,
    begin_low,
    count_on,
    draw_expert,
    drawn_range,
    explain,
    looks,
    tidy,
)
from mgail_dyna.experiments.kinds import Kind
from mgail_dyna.experiments.records import Record
from mgail_dyna.experiments.statistics import (
    Estimate,
    common_grid,
    estimate,
    evaluation_spacing,
    resampled,
    spread_note,
)
from mgail_dyna.experiments.tables import named_seeds

LABELS = {"real_trajectories": TRAJECTORIES, "env_steps": STEPS}
NOTE = "At each point the last evaluation so far counts; a run that has ended keeps its last one."
# How far env steps may be from proportional to trajectories, as a share of the largest, for one axis to show both.
TOLERANCE = 0.02
# The note below names the spacing of evaluations if one kind's is this many times another's.
UNEQUAL = 1.5


def comparison(
    kinds: Mapping[str, Sequence[Record]],
    levels: Mapping[str, Sequence[Record]] | None = None,
    title: str = "",
    note: str = "",
    drawn: Mapping[str, Look] | None = None,
) -> Figure:
    """Return in percent of the expert's against real trajectories and env steps.

    If all trajectories have the same length, one panel shows both, below and above. If not, there are two panels.

    Args:
        kinds: records by label, one per seed; a kind without records is not drawn.
        levels: records by label of kinds that take no env steps (cloning), drawn as level lines.
        title: above the figure.
        note: below it, after what lines and bands are.
        drawn: how each kind is drawn, by label; by the algorithm of its records if None.
    """
    levels = {label: kind for label, kind in (levels or {}).items() if kind}
    kinds = {label: kind for label, kind in kinds.items() if kind}
    drawn = drawn or _by_algorithm(kinds) | _by_algorithm(levels)
    length = _trajectory_length([record for kind in kinds.values() for record in kind])
    columns = ("real_trajectories", "env_steps") if length is None else ("real_trajectories",)
    size = 7.0 if length else 10.0, 4.2 + 0.2 * (len(kinds) + len(levels))
    figure = Figure(figsize=size, dpi=110, layout="constrained")
    panels = figure.subplots(1, len(columns), sharey=True, squeeze=False)[0]
    found: list[Estimate] = []
    for axes, column in zip(panels, columns, strict=True):
        found += [draw_kind(axes, kind, label, drawn[label], column) for label, kind in kinds.items()]
        found += [draw_level(axes, kind, label, drawn[label]) for label, kind in levels.items()]
        axes.set_xlim(left=0)
        axes.set_xlabel(LABELS[column])
        count_on(axes.xaxis)
        tidy(axes)
        draw_expert(axes)
    begin_low(panels[0], *drawn_range([EXPERT, *(each[:3] for each in found)]))
    if length is not None:
        above = panels[0].secondary_xaxis("top", functions=(lambda n: n * length, lambda steps: steps / length))
        above.set_xlabel(f"{STEPS} (the average trajectory has {length:,.0f})")
        count_on(above.xaxis)
    panels[0].set_ylabel(PERCENT)
    figure.suptitle(title, x=0.01, ha="left", fontsize=11)
    notes = [spread_note([each.spread for each in found], "bands"), NOTE, _spacing_note(kinds), note]
    explain(figure, " ".join(filter(None, notes)))
    return figure


def kind_looks(kinds: Iterable[Kind]) -> dict[str, Look]:
    """How the kinds of a figure are drawn, by label: the same colour for the same method in every figure.

    Where several kinds are of one method, the one without changes to the method has the method's own look.
    """
    kinds = list(kinds)
    methods = [kind.name if kind.name in METHODS else kind.algorithm for kind in kinds]
    plain = next((place for place, kind in enumerate(kinds) if kind.name == kind.algorithm), None)
    return dict(zip((kind.label for kind in kinds), looks(methods, plain), strict=True))


def _by_algorithm(kinds: Mapping[str, Sequence[Record]]) -> dict[str, Look]:
    return dict(zip(kinds, looks([kind[0].algorithm for kind in kinds.values()]), strict=True))


def _spacing_note(kinds: Mapping[str, Sequence[Record]]) -> str:
    """How often each kind is evaluated, if they differ: a kind that is evaluated rarely is seen to rise later."""
    spacings = {
        label: evaluation_spacing([record.curve["env_steps"] for record in kind])
        for label, kind in kinds.items()
        if kind
    }
    if max(spacings.values()) <= UNEQUAL * min(spacings.values()):
        return ""
    named = "; ".join(f"{label} {spacing:,.0f}" for label, spacing in spacings.items())
    return f"Mean env steps between evaluations: {named}."


def _trajectory_length(records: Sequence[Record]) -> float | None:
    """Env steps of a trajectory if all have the same number; None if they differ."""
    steps = np.concatenate([record.curve["env_steps"] for record in records])
    trajectories = np.concatenate([record.curve["real_trajectories"] for record in records])
    length = float(steps.sum() / trajectories.sum()) if trajectories.sum() else None
    if length is None or np.abs(steps - length * trajectories).max() > TOLERANCE * steps.max():
        return None
    return length


def draw_kind(
    axes: Axes, kind: Sequence[Record], label: str, look: Look, column: str = "env_steps", shared: bool = False
) -> Estimate:
    """The mean over the seeds of a kind, with its band.

    Args:
        axes: to draw on.
        kind: its records.
        label: in the legend.
        look: of the line.
        column: of the curve; the horizontal axis.
        shared: the legend stands for several panels, so it names no seeds.
    """
    grid = common_grid([record.curve[column] for record in kind])
    curves = [resampled(record.curve[column], record.curve["expert_percent"], grid) for record in kind]
    found = estimate([curves])
    axes.fill_between(grid, found.low, found.high, color=look.colour, alpha=0.16, linewidth=0, step="post")
    for edge in (found.low, found.high):  # so that a band is one area even where it is thinner than a line
        axes.plot(grid, edge, color=look.colour, alpha=0.35, linewidth=0.8, drawstyle="steps-post")
    axes.plot(
        grid,
        found.value,
        color=look.colour,
        linestyle=look.line,
        linewidth=2.0,
        drawstyle="steps-post",
        marker=look.marker,
        markersize=5,
        markevery=(8 + 5 * MARKERS.index(look.marker), 32),
        label=label if shared else f"{label} ({named_seeds(kind)})",
        zorder=3,
    )
    return found


def draw_level(axes: Axes, kind: Sequence[Record], label: str, look: Look, shared: bool = False) -> Estimate:
    """A wide line below the curves and the expert's line: it is seen on both sides of them. Its marker is at the edge,
    where no curve has a point. Arguments as of `draw_kind`.
    """
    found = estimate([[record.final["expert_percent"] for record in kind]])
    axes.axhspan(float(found.low), float(found.high), color=look.colour, alpha=0.10, linewidth=0, zorder=0.5)
    own = "" if shared else f": {found.value:.0f}% ({named_seeds(kind)})"
    axes.plot(
        (0.0, 1.0),
        (found.value, found.value),
        transform=axes.get_yaxis_transform(),  # across the whole panel
        color=look.colour,
        linewidth=5.0,
        alpha=0.55,
        solid_capstyle="butt",
        marker=look.marker,
        markersize=7,
        markevery=[1],
        clip_on=False,
        label=f"{label}, no env steps{own}",
        zorder=1.5,
    )
    return found
