"""What the records of a suite come to, as a table."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from mgail_dyna.errors import UserError
from mgail_dyna.experiments.records import LAST, Record, read_kind
from mgail_dyna.experiments.statistics import Estimate, estimate, first_reached
from mgail_dyna.experiments.suites import TITLES, Kind

LEVEL = 90.0
# Of the printed table where there is no terminal to say.
WIDTH = 170


def check_directory(flag: str, directory: Path) -> None:
    """Makes sure that `directory` is one, or can be made.

    Raises:
        UserError: there is a file in its place or above it, or it is a suite's own where records of all are asked for.
    """
    found = next(path for path in (directory, *directory.absolute().parents) if path.exists())
    if not found.is_dir():
        raise UserError(f"--{flag}: expected a directory, found the file {found}")
    if flag == "results" and any(directory.glob("*-seed*.json")):
        wanted = "expected a directory with one for each suite, found a suite's own"
        raise UserError(f"--results: {directory}: {wanted}; give {directory.absolute().parent}")


def summary(kinds: Iterable[Kind], results: Path, title: str = "") -> Table:
    """Interquartile means over seeds with 95% bootstrap intervals, a row a kind; over all tasks, stratified by task.

    Args:
        kinds: of runs; those without records have a row that says so.
        results: directory of records.
        title: above the table.

    Raises:
        UserError: a record is damaged, or a kind's records are of different configurations.
    """
    found = {kind: read_kind(results, kind) for kind in kinds}
    note = f"interquartile mean over seeds [95% bootstrap interval]; swing: standard deviation of a run's last {LAST}"
    table = Table(title=title, title_justify="left", caption=note, caption_justify="left")
    for name in ("task", "runs of", "seeds"):
        table.add_column(name)
    for name in ("% of expert at the end", f"mean of last {LAST}", "their swing", f"env steps to {LEVEL:.0f}%"):
        table.add_column(name, justify="right")
    across: dict[str, list[list[Record]]] = defaultdict(list)
    for kind, records in found.items():
        table.add_row(TITLES.get(kind.task, kind.task), kind.label, seeds_of(records), *_measures([records]))
        if records:
            across[kind.label].append(records)
    table.add_section()
    for label, tasks in across.items():
        if len(tasks) > 1:
            table.add_row(f"{len(tasks)} tasks", label, "", *_measures(tasks)[:3])
    return table


def print_summary(kinds: Iterable[Kind], results: Path, title: str = "") -> None:
    """Prints `summary` on standard output."""
    console = Console()
    if not console.is_terminal:
        console = Console(width=WIDTH)
    console.print(summary(kinds, results, title))


def seeds_of(records: Sequence[Record]) -> str:
    """Which seeds there are: "0-4", or "0-4 without 3"; "none" if there are none."""
    seeds = {record.seed for record in records}
    if not seeds:
        return "none"
    missing = sorted(set(range(max(seeds) + 1)) - seeds)
    span = f"0-{max(seeds)}" if max(seeds) else "0"
    return span + (f" without {', '.join(map(str, missing))}" if missing else "")


def named_seeds(records: Sequence[Record]) -> str:
    """The same for legends: "seeds 0-4", "seed 0"."""
    return f"{'seed' if len(records) == 1 else 'seeds'} {seeds_of(records)}"


def _measures(tasks: Sequence[Sequence[Record]]) -> list[str]:
    """Final percent, mean and swing of the last evaluations, and env steps to the level, over `[task][seed]`."""
    if not all(tasks):
        return ["", "", "", ""]

    def cell(measure: Callable[[Record], float], digits: str) -> str:
        return escape(shown(estimate([[measure(record) for record in records] for records in tasks]), digits))

    return [
        cell(lambda record: record.final["expert_percent"], ".1f"),
        cell(lambda record: record.final[f"percent_of_last_{LAST}"], ".1f"),
        cell(lambda record: record.swing, ".1f"),
        cell(lambda record: first_reached(record.curve["env_steps"], record.curve["expert_percent"], LEVEL), ",.0f"),
    ]


def shown(found: Estimate, digits: str) -> str:
    """An estimate as text, "97.1 [95.0, 98.2]"; infinite numbers are "never"."""

    def number(value: float) -> str:
        return format(value, f"z{digits}") if np.isfinite(value) else "never"  # z: zero has no sign

    interval = "" if np.isnan(found.low) else f" [{number(float(found.low))}, {number(float(found.high))}]"
    return number(float(found.value)) + interval
