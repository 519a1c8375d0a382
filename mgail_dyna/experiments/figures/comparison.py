"""Kinds of runs compared: a mean over seeds each, with a band for its spread."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mgail_dyna.experiments.figures.style import PERCENT, STEPS, TRAJECTORIES, count_on, draw_expert, look, tidy
from mgail_dyna.experiments.records import Record
from mgail_dyna.experiments.statistics import Spread, common_grid, estimate, evaluation_spacing, resampled, spread_note
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
) -> Figure:
    """Return in percent of the expert's against real trajectories and env steps.

    If all trajectories have the same length, one panel shows both, below and above. If not, there are two panels.

    Args:
        kinds: records by label, one per seed; a kind without records is not drawn, but keeps its colour.
        levels: records by label of kinds that take no env steps (cloning), drawn as level lines.
        title: above the figure.
        note: below it, after what lines and bands are.
    """
    records = [record for kind in kinds.values() for record in kind]
    length = _trajectory_length(records)
    columns = ("real_trajectories", "env_steps") if length is None else ("real_trajectories",)
    levels = levels or {}
    size = 7.0 if length else 10.0, 4.2 + 0.2 * (len(kinds) + len(levels))
    figure = Figure(figsize=size, dpi=110, layout="constrained")
    panels = figure.subplots(1, len(columns), sharey=True, squeeze=False)[0]
    spreads: list[Spread] = []
    for axes, column in zip(panels, columns, strict=True):
        for number, (label, kind) in enumerate(kinds.items()):
            if kind:
                spreads.append(_draw_kind(axes, kind, column, label, number))
        for number, (label, kind) in enumerate(levels.items()):
            spreads.append(_draw_level(axes, kind, label, number, alone=len(levels) == 1))
        axes.set_xlim(left=0)
        axes.set_xlabel(LABELS[column])
        count_on(axes.xaxis)
        tidy(axes)
    for axes in panels:  # last, because they share an axis and this fixes its limits
        draw_expert(axes)
    if length is not None:
        above = panels[0].secondary_xaxis("top", functions=(lambda n: n * length, lambda steps: steps / length))
        above.set_xlabel(f"{STEPS} ({length:,.0f} a trajectory)")
        count_on(above.xaxis)
    panels[0].set_ylabel(PERCENT)
    figure.suptitle(title, x=0.01, ha="left", fontsize=11)
    notes = [spread_note(spreads, "bands"), NOTE, _spacing_note(kinds), note]
    explain(figure, panels[0], " ".join(filter(None, notes)))
    return figure


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


def explain(figure: Figure, axes: Axes, note: str) -> None:
    """Draws the note and the legend of `axes` below all panels."""
    handles, labels = axes.get_legend_handles_labels()
    width = int(14 * figure.get_figwidth())
    figure.legend(
        handles,
        labels,
        title="\n".join(textwrap.wrap(note, width)),
        title_fontsize=8,
        alignment="left",
        frameon=False,
        loc="outside lower left",
        ncols=2 if 2 * max(map(len, labels)) < width else 1,
        fontsize=9,
    )


def _trajectory_length(records: Sequence[Record]) -> float | None:
    """Env steps of a trajectory if all have the same number; None if they differ."""
    steps = np.concatenate([record.curve["env_steps"] for record in records])
    trajectories = np.concatenate([record.curve["real_trajectories"] for record in records])
    length = float(steps.sum() / trajectories.sum()) if trajectories.sum() else None
    if length is None or np.abs(steps - length * trajectories).max() > TOLERANCE * steps.max():
        return None
    return length


def _draw_kind(axes: Axes, kind: Sequence[Record], column: str, label: str, number: int) -> Spread:
    colour, line, marker = look(number)
    grid = common_grid([record.curve[column] for record in kind])
    curves = [resampled(record.curve[column], record.curve["expert_percent"], grid) for record in kind]
    found = estimate([curves])
    axes.fill_between(grid, found.low, found.high, color=colour, alpha=0.18, linewidth=0, step="post")
    axes.plot(
        grid,
        found.value,
        color=colour,
        linestyle=line,
        linewidth=2.0,
        drawstyle="steps-post",
        marker=marker,
        markersize=5,
        markevery=(8 + 5 * number, 32),
        label=f"{label} ({named_seeds(kind)})",
    )
    return found.spread


def _draw_level(axes: Axes, kind: Sequence[Record], label: str, number: int, *, alone: bool) -> Spread:
    """A level line: black if it is the only one, else with the colour and marker of the kind of the same number."""
    colour, marker = ("black", "") if alone else (look(number).colour, look(number).marker)
    found = estimate([[record.final["expert_percent"] for record in kind]])
    axes.axhspan(float(found.low), float(found.high), color=colour, alpha=0.10, linewidth=0)
    places = np.linspace(0.0, 1.0, 41)
    axes.plot(
        places,
        np.full_like(places, found.value),
        transform=axes.get_yaxis_transform(),  # across the whole panel
        color=colour,
        linewidth=1.2,
        linestyle=(0, (6, 2, 1, 2, 1, 2)),
        marker=marker,
        markerfacecolor="white",
        markevery=(5 + 3 * number, 12),
        label=f"{label}, no env steps ({named_seeds(kind)})",
    )
    return found.spread
