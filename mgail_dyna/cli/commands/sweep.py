"""`run.py sweep`: does and records the runs of a figure or a suite."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from mgail_dyna.cli.arguments import parse, peek
from mgail_dyna.cli.commands.train import resolved
from mgail_dyna.errors import UserError, unknown_name
from mgail_dyna.experiments.records import differences, read_kind, record_path
from mgail_dyna.experiments.suites import FIGURES, SEEDS, SUITES, Kind, runs_of
from mgail_dyna.storage import ensure_writable


@dataclass(frozen=True)
class SweepCommand:
    """Does every run of a figure or a suite that is not recorded yet, each in a process of its own, and records it.

    Ctrl-C or a crash loses nothing: the same command goes on. A run that fails is tried once more; exit code 1 if one
    failed twice. Removing a record has its run done anew.
    """

    figure: str | None = None
    """4a, 4b, 4c, 5a, 5b or 6 of the paper."""
    suite: str | None = None
    """learning, scarce, demonstrations, warm, reset, paper, planning, trpo or untuned."""
    seeds: int = SEEDS
    """Seeds of each kind of run, from 0 on."""
    jobs: int = os.cpu_count() or 1
    """Runs at once; each keeps one core busy."""
    ray: str | None = None
    """Address of a Ray cluster to run on, or local to start one here."""
    dry_run: bool = False
    """Say which runs are not recorded yet, and print the table of those that are."""
    results: Path = Path("results")
    """Directory of records."""
    logdir: Path = Path("runs")
    """Directory that runs are put in."""


def main(argv: Sequence[str]) -> None:
    """Runs the command."""
    title, kinds = _asked(peek(argv, "--figure"), peek(argv, "--suite"), "--help" in argv or "-h" in argv)
    command = parse(SweepCommand, argv, prog="run.py sweep")
    for name in ("seeds", "jobs"):
        if getattr(command, name) < 1:
            raise UserError(f"--{name}: expected at least 1, found {getattr(command, name)}")
    from mgail_dyna.experiments.jobs import Job
    from mgail_dyna.experiments.pools import LocalPool, Pool, RayPool
    from mgail_dyna.experiments.sweep import sweep
    from mgail_dyna.experiments.tables import check_directory

    check_directory("results", command.results)
    check_directory("logdir", command.logdir)
    logdir, results = command.logdir.resolve(), command.results.resolve()
    jobs = [Job(run, logdir, results) for run in runs_of(kinds, command.seeds)]
    waiting = [job for job in jobs if not job.recorded]
    if command.dry_run:
        names = ", ".join(job.run.name for job in waiting)
        print(f"{len(waiting)} of {len(jobs)} runs to do" + (f": {names}" if names else ""))
        _tell(kinds, results, title)
        return
    # A record that cannot be written would be found out when its run has ended.
    for directory in {path.parent for job in waiting for path in (record_path(results, job.run), job.directory)}:
        ensure_writable(directory)
    pool: Pool = RayPool(command.ray, command.jobs, logdir) if command.ray else LocalPool(command.jobs)
    failed = sweep(jobs, pool, title)
    _tell(kinds, results, title)
    if failed:
        print(f"failed twice: {', '.join(job.run.name for job in failed)}")
        raise SystemExit(1)


def _tell(kinds: Sequence[Kind], results: Path, title: str) -> None:
    """Prints the table, and below it what is outdated."""
    from mgail_dyna.experiments.tables import print_summary

    print_summary(kinds, results, title)
    for line in _outdated(kinds, results):
        print(line)


def _outdated(kinds: Sequence[Kind], results: Path) -> Iterator[str]:
    """Which records are not what their command would make today, a line a kind."""
    for kind in kinds:
        records = read_kind(results, kind)
        changes = differences(records[0], asdict(resolved(kind.arguments).settings)) if records else ()
        told = ", ".join(f"{key} {then} (now {now})" for key, then, now in changes)
        if told:
            names = f"{kind.suite}/{kind.task}-{kind.name}-seed*"
            yield f"made with other settings than today's: {names}: {told}; remove them to have them made anew"


def _asked(figure: str | None, suite: str | None, helping: bool) -> tuple[str, tuple[Kind, ...]]:
    """Title and kinds of what was asked for; told before the flags are parsed, which takes longer.

    Raises:
        UserError: neither or both, or no such figure or suite.
    """
    if figure is not None and figure not in FIGURES:
        raise unknown_name("figure", figure, FIGURES)
    if suite is not None and suite not in SUITES:
        raise unknown_name("suite", suite, SUITES)
    if helping:
        return "", ()
    if (figure is None) == (suite is None):
        found = "neither" if figure is None else "both"
        raise UserError(f"expected --figure ({', '.join(FIGURES)}) or --suite ({', '.join(SUITES)}), found {found}")
    return (f"figure {figure}", FIGURES[figure]) if figure is not None else (f"suite {suite}", SUITES[str(suite)])
