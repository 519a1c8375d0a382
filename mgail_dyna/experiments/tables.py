"""The records of a suite or a figure, summed up as a table."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from mgail_dyna.config.presets import environment_title
from mgail_dyna.demonstrations.reference import FAILURE
from mgail_dyna.errors import UserError
from mgail_dyna.experiments.kinds import Kind
from mgail_dyna.experiments.records import LAST, Record, read_kind
from mgail_dyna.experiments.statistics import (
    INTERVAL_SEEDS,
    Estimate,
    estimate,
    evaluation_spacing,
    first_reached,
    lowest_after,
    share_after,
)

LEVEL, HIGHER_LEVEL = 90.0, 95.0
TO_LEVEL, TO_HIGHER_LEVEL = (f"to {level:.0f}%" for level in (LEVEL, HIGHER_LEVEL))
# Characters of a printed table where there is no terminal.
WIDTH = 185
NAMES = ("task", "kind of run", "seeds")
MEASURES = (
    "% of expert at the end",
    "last ten",
    TO_LEVEL,
    TO_HIGHER_LEVEL,
    "stays",
    "lowest after",
    "worst episode",
)
# Columns that break their lines on a narrow terminal, down to so many characters.
NARROWEST = {"task": 12, "kind of run": 12}
# Columns that a narrow terminal does without, the first ones first.
SPARE = (TO_HIGHER_LEVEL, "last ten", "lowest after", "stays", "worst episode")
NOTE = (
    f"{INTERVAL_SEEDS} seeds or more: interquartile mean [95% bootstrap interval]. "
    "Fewer: mean (lowest to highest seed)."
)
# What the columns mean, where their names do not say it.
MEANINGS = {
    "last ten": f"mean of the last {LAST} evaluations, in % of the expert's return.",
    TO_LEVEL: f"env steps until a run is at {LEVEL:.0f}%. Runs that are compared are read at the same multiples "
    "of env steps; the last evaluation so far counts.",
    "stays": f"% of evaluations at {LEVEL:.0f}% or more, from the first one there on, in the worst seed, or how "
    "many seeds have none.",
    "lowest after": f"the lowest evaluation from the first one at {LEVEL:.0f}% on, of all seeds.",
    "worst episode": "the lowest of all seeds' final episodes, in % of the expert. In brackets: how many episodes of "
    f"one seed are below {FAILURE:.0f}%, at most.",
}
# Runs that are compared: those on one task, TRPO by itself.
Group = tuple[str, bool]


def check_directory(flag: str, directory: Path) -> None:
    """Makes sure that `directory` is one, or can be made.

    Raises:
        UserError: a file is in its place or above it, or `--results` names the directory of one suite.
    """
    found = next(path for path in (directory, *directory.absolute().parents) if path.exists())
    if not found.is_dir():
        raise UserError(f"--{flag}: expected a directory, found the file {found}")
    if flag == "results" and any(directory.glob("*-seed*.json")):
        wanted = "expected the directory above those of the suites, found one suite's"
        raise UserError(f"--results: {directory}: {wanted}; give {directory.absolute().parent}")


class _Rows(NamedTuple):
    """Cells of `NAMES` and `MEASURES`: a row per kind, and one per label over all its tasks."""

    of_kinds: list[list[str]]
    of_labels: list[list[str]]
    spacings: Mapping[Group, float]


def summary(kinds: Iterable[Kind], results: Path, title: str = "") -> Table:
    """A row per kind, and one per label over all its tasks. The caption explains the columns.

    Args:
        kinds: of runs; those without records have a row that says so.
        results: directory of records.
        title: above the table.

    Raises:
        UserError: a record is damaged, or a kind's records are of different configurations.
    """
    return _table(_rows(kinds, results), title)


def _rows(kinds: Iterable[Kind], results: Path) -> _Rows:
    found = {kind: read_kind(results, kind) for kind in kinds}
    spacings = common_spacings(found)
    of_kinds: list[list[str]] = []
    across: dict[str, list[tuple[Kind, list[Record]]]] = defaultdict(list)
    for kind, records in found.items():
        cells = [""] * len(MEASURES)
        if records:
            across[kind.label].append((kind, records))
            cells = _cells([records], kind.baseline, spacings[_group(kind)])
        of_kinds.append([environment_title(kind.task), kind.label, seeds_of(records), *cells])
    of_labels = [
        [f"{len(tasks)} tasks", label, "", *_cells([records for _, records in tasks], tasks[0][0].baseline, None)]
        for label, tasks in across.items()
        if len(tasks) > 1
    ]
    return _Rows(of_kinds, of_labels, spacings)


def _table(rows: _Rows, title: str, without: Collection[str] = ()) -> Table:
    kept = [place for place, name in enumerate((*NAMES, *MEASURES)) if name not in without]
    meanings = {**MEANINGS, TO_LEVEL: f"{MEANINGS[TO_LEVEL]} {_spacings_note(rows.spacings)}".strip()}
    table = Table(
        title=title,
        title_justify="left",
        caption="\n".join([NOTE, *(f"{name}: {said}" for name, said in meanings.items() if name not in without)]),
        caption_justify="left",
        box=box.SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
        pad_edge=False,
    )
    for name in NAMES:
        narrowest = NARROWEST.get(name)
        table.add_column(name, no_wrap=narrowest is None, min_width=narrowest, overflow="fold")
    for name in MEASURES:
        if name not in without:
            table.add_column(name, justify="right", no_wrap=True)
    for section in (rows.of_kinds, rows.of_labels):
        for row in section:
            table.add_row(*(row[place] for place in kept))
        table.add_section()
    return table


def common_spacings(found: Mapping[Kind, Sequence[Record]]) -> dict[Group, float]:
    """Env steps between two readings of `to 90%`, for each group of kinds that are compared.

    It is the largest mean spacing of evaluations among the group's kinds, rounded up; kinds without env steps do not
    count. So a kind that is evaluated four times as often has no more chances to be seen at 90%. The spacing depends on
    what is compared: the same records can have another `to 90%` in another table. See `statistics.first_reached`.

    Args:
        found: records by kind.

    Returns:
        By task and whether it is TRPO; 0 where nothing is recorded that takes env steps.
    """
    spacings: dict[Group, float] = defaultdict(float)
    for kind, records in found.items():
        spacing = evaluation_spacing([record.curve["env_steps"] for record in records])
        # A mean of floats can lie a little above the whole number that it is.
        spacings[_group(kind)] = max(spacings[_group(kind)], math.ceil(spacing - 1e-6))
    return dict(spacings)


def _group(kind: Kind) -> Group:
    return kind.task, kind.trust_region


def _spacings_note(spacings: Mapping[Group, float]) -> str:
    tasks = [
        f"{environment_title(task)}{' with TRPO' if trust_region else ''} {spacing:,.0f}"
        for (task, trust_region), spacing in spacings.items()
        if spacing
    ]
    return f"Env steps from one reading to the next: {', '.join(tasks)}." if tasks else ""


def print_summary(kinds: Iterable[Kind], results: Path, title: str = "") -> None:
    """Prints `summary` on standard output, with as many columns as fit and without empty ones."""
    console = Console()
    if not console.is_terminal:
        console = Console(width=WIDTH)
    rows = _rows(kinds, results)
    measured = {name: [row[len(NAMES) + place] for row in rows.of_kinds] for place, name in enumerate(MEASURES)}
    without = {name for name, cells in measured.items() if not any(cells)}
    unlimited = console.options.update(width=10_000)
    table, left_out = _table(rows, title, without), []
    for name in SPARE:
        if console.measure(table, options=unlimited).maximum <= console.width:
            break
        if name not in without:
            left_out.append(name)
            table = _table(rows, title, without.union(left_out))
    if left_out:
        table.caption = f"Left out, to keep the table narrow: {', '.join(left_out)}.\n{table.caption}"
    for column in table.columns:
        if column.no_wrap:
            column.min_width = max(console.measure(cell).maximum for cell in (column.header, *column.cells))
    if console.measure(table, options=unlimited).minimum > console.width:
        for column in table.columns:
            column.no_wrap, column.min_width = False, None  # or else lines would be cut off
    console.print(table)


def seeds_of(records: Sequence[Record]) -> str:
    """Which seeds are recorded: "0-4", or "0-4 without 3", or "none"."""
    seeds = {record.seed for record in records}
    if not seeds:
        return "none"
    if len(seeds) == 1:
        return str(*seeds)
    missing = sorted(set(range(max(seeds) + 1)) - seeds)
    return f"0-{max(seeds)}" + (f" without {', '.join(map(str, missing))}" if missing else "")


def named_seeds(records: Sequence[Record]) -> str:
    """The same for legends: "seeds 0-4", "seed 0"."""
    return f"{'seed' if len(records) == 1 else 'seeds'} {seeds_of(records)}"


def _cells(tasks: Sequence[Sequence[Record]], baseline: bool, spacing: float | None) -> list[str]:
    """The columns of `MEASURES`.

    Args:
        tasks: records `[task][seed]`.
        baseline: takes no env steps; then only its end, and whether that is at the level, means anything.
        spacing: env steps from one reading to the next; None leaves out env steps, which tasks do not share.
    """

    def cell(measure: Callable[[Record], float], digits: str) -> str:
        return escape(format_estimate(estimate([[measure(record) for record in records] for records in tasks]), digits))

    def worst(measure: Callable[[Record], float]) -> str:
        values = [measure(record) for records in tasks for record in records]
        missing = sum(not math.isfinite(value) for value in values)
        return f"{missing} of {len(values)} never" if 0 < missing < len(values) else _number(min(values), ".0f")

    def steps_to(level: float) -> str:
        if spacing is None:
            return ""
        return cell(lambda run: first_reached(run.curve["env_steps"], percent(run), level, spacing), ",.0f")

    def percent(run: Record) -> NDArray[np.float64]:
        return run.curve["expert_percent"]

    cells = [
        cell(lambda run: run.final["expert_percent"], ".1f"),
        cell(lambda run: run.final[f"percent_of_last_{LAST}"], ".1f"),
        steps_to(LEVEL),
        steps_to(HIGHER_LEVEL),
        worst(lambda run: 100.0 * share_after(percent(run), LEVEL) or -math.inf),
        worst(lambda run: lowest_after(percent(run), LEVEL)),
        _worst_episode([record for records in tasks for record in records]),
    ]
    return [cells[0], "", *cells[2:4], "", "", cells[6]] if baseline else cells


def _worst_episode(records: Sequence[Record]) -> str:
    """ "12 (3)" if the lowest episode returned 12% of the expert's and at most 3 of a seed's were failures."""
    played = [record.final_percents for record in records if record.final_percents.size]
    if not played:
        return ""
    failures = max(int((percents < FAILURE).sum()) for percents in played)
    return f"{_number(min(float(percents.min()) for percents in played), '.0f')} ({failures})"


def format_estimate(found: Estimate, digits: str) -> str:
    """An estimate as text; infinite numbers are "never".

    Args:
        found: a number with its spread.
        digits: format of its numbers, ".1f" for example.

    Returns:
        "97.1 [95.0, 98.2]" with an interval, "97.1 (95.0 to 98.2)" with a range, "97.1" for one seed; "never" if no
        number is finite, "some never (soonest 400)" if the mean of a range is not.
    """
    value, low, high = (_number(float(each), digits) for each in (found.value, found.low, found.high))
    if found.spread == "range" and value == "never" != low:  # the mean, as some seed never gets there
        return f"some never (soonest {low})"
    if found.spread == "none" or {value, low, high} == {"never"}:
        return value
    return f"{value} [{low}, {high}]" if found.spread == "interval" else f"{value} ({low} to {high})"


def _number(value: float, digits: str) -> str:
    return format(value, f"z{digits}") if math.isfinite(value) else "never"  # z: zero has no sign
