"""What runs cost in core-hours, from the CPU seconds that records hold."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from mgail_dyna.experiments.kinds import Kind
from mgail_dyna.experiments.records import Record, read_kind
from mgail_dyna.experiments.suites import everything

SECONDS = 3600.0


class Cost(NamedTuple):
    """What runs cost.

    Attributes:
        hours: core-hours of the runs with an estimate.
        guessed: number of these runs whose kind has no record, so that other kinds stand for it.
        unknown: number of runs without an estimate.
    """

    hours: float
    guessed: int
    unknown: int


def spent(kinds: Iterable[Kind], results: Path) -> tuple[int, float]:
    """Number and core-hours of the recorded runs of `kinds`.

    Raises:
        UserError: a record is damaged.
    """
    seconds = [_seconds(record) for kind in kinds for record in read_kind(results, kind)]
    return len(seconds), sum(seconds) / SECONDS


def estimated(waiting: Sequence[Kind], results: Path) -> Cost:
    """What runs that are not recorded yet will cost.

    A run costs the median CPU time of the records of its kind; without any, that of all records of its algorithm and
    task. CPU time includes compiling and evaluation. It depends on the machine that made the records.

    Args:
        waiting: the kind of each run.
        results: directory of records.

    Raises:
        UserError: a record is damaged.
    """
    total, guessed, unknown = 0.0, 0, 0
    for kind in dict.fromkeys(waiting):
        count, alike = waiting.count(kind), read_kind(results, kind)
        if not alike:
            related = [other for other in everything() if (other.algorithm, other.task) == (kind.algorithm, kind.task)]
            alike = [record for other in related for record in read_kind(results, other)]
            guessed += count if alike else 0
        if alike:
            total += count * statistics.median(map(_seconds, alike))
        else:
            unknown += count
    return Cost(total / SECONDS, guessed, unknown)


def _seconds(record: Record) -> float:
    return float(record.curve["cpu_seconds"][-1])
