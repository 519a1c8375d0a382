"""`sweep`: does and records the runs of a figure or a suite."""

from __future__ import annotations

import itertools
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import tyro

from mgail_dyna import runtime
from mgail_dyna.cli.arguments import parse, peek
from mgail_dyna.cli.commands.train import resolved
from mgail_dyna.cli.help import HELP
from mgail_dyna.errors import UserError, counted, unknown_name
from mgail_dyna.experiments.kinds import Kind, Run
from mgail_dyna.experiments.suites import FIGURES, SEEDS, SUITES, everything, runs_of

# Of `--suite`: every suite and every figure.
ALL, EVERYTHING = "all", "every suite and figure"
# Kinds of run that are named one by one, at most.
MOST_NAMED = 30


@dataclass(frozen=True)
class SweepCommand:
    """Does and records every run of a figure or a suite that has no record yet, each in its own process.

    After Ctrl-C or a crash, the same command continues. A run that fails is tried once more; if one fails twice, the
    exit code is 1. To repeat a run, remove its record.
    """

    figure: str | None = None
    """Figure of the paper: 4a, 4b, 4c, 5a, 5b or 6."""
    suite: str | None = None
    """tasks, few, states, learning, scarce, demonstrations, reset, paper, planning, natural, switch,
    capacity, trpo, untuned, or all: these and every figure."""
    seeds: int = SEEDS
    """Number of seeds of each kind of run, counted from 0."""
    jobs: int = os.cpu_count() or 1
    """Number of runs at once; each uses one core."""
    ray: Annotated[str | None, tyro.conf.arg(metavar="ADDRESS")] = None
    """Run on the Ray cluster at this address; local starts one on this machine."""
    dry_run: bool = False
    """List the runs that have no record yet, with the core-hours they need, and print the table; run nothing."""
    results: Path = Path("results")
    """Directory of records."""
    logdir: Path = Path("runs")
    """Directory of the runs."""


def main(argv: Sequence[str]) -> None:
    """Runs the command."""
    title, kinds = _asked(peek(argv, "--figure"), peek(argv, "--suite"), bool(set(HELP) & set(argv)))
    command = parse(SweepCommand, argv, prog=f"{runtime.program()} sweep")
    for name in ("seeds", "jobs"):
        if getattr(command, name) < 1:
            raise UserError(f"--{name}: expected at least 1, found {getattr(command, name)}")
    from mgail_dyna.cli.summary import wrapped
    from mgail_dyna.experiments.jobs import Job
    from mgail_dyna.experiments.pools import LocalPool, Pool, RayPool
    from mgail_dyna.experiments.records import record_path
    from mgail_dyna.experiments.sweep import sweep
    from mgail_dyna.experiments.tables import check_directory
    from mgail_dyna.storage import ensure_writable

    check_directory("results", command.results)
    check_directory("logdir", command.logdir)
    logdir, results = command.logdir.resolve(), command.results.resolve()
    jobs = [Job(run, logdir, results) for run in runs_of(kinds, command.seeds)]
    waiting = [job for job in jobs if not job.recorded]
    if command.dry_run:
        names = ", ".join(_by_kind([job.run for job in waiting]))
        print(wrapped(f"{len(waiting)} of {len(jobs)} runs to do" + (f": {names}" if names else "")))
        left = {job.run: kind for job, kind in zip(jobs, itertools.cycle(kinds), strict=False) if job in waiting}
        print(*map(wrapped, _costs(kinds, list(left.values()), command.jobs, results)), sep="\n")
        _print_results(kinds, results, title)
        return
    # Checked now: otherwise an unwritable directory would be noticed only at the end of a run.
    for directory in {path.parent for job in waiting for path in (record_path(results, job.run), job.directory)}:
        ensure_writable(directory)
    pool: Pool = RayPool(command.ray, command.jobs, logdir) if command.ray else LocalPool(command.jobs)
    failed = sweep(jobs, pool, title)
    _print_results(kinds, results, title)
    if failed:
        print(f"failed twice: {', '.join(job.run.name for job in failed)}")
        raise SystemExit(1)


def _by_kind(runs: Sequence[Run]) -> Iterator[str]:
    """Names of runs, those that differ in their seed together: "hopper-bc-seed0", "hopper-dyna-seed{0..4}"; with their
    suites before them where two suites have runs of one name. Of many, how many each suite has: "few 51"."""
    seeds: dict[str, list[int]] = {}
    clash = len({run.name for run in runs}) < len(runs)
    for run in runs:
        kind, _, seed = run.name.rpartition("-seed")
        seeds.setdefault(f"{run.suite}/{kind}" if clash else kind, []).append(int(seed))
    if len(seeds) > MOST_NAMED:
        yield from (f"{suite} {count}" for suite, count in Counter(run.suite for run in runs).items())
        return
    for kind, found in seeds.items():
        whole = found == list(range(found[0], found[-1] + 1))
        listed = f"{found[0]}..{found[-1]}" if whole else ",".join(map(str, found))
        yield f"{kind}-seed{listed}" if len(found) == 1 else f"{kind}-seed{{{listed}}}"


def _costs(kinds: Sequence[Kind], left: Sequence[Kind], jobs: int, results: Path) -> Iterator[str]:
    """Lines about what the runs that are left will cost, and what the recorded ones took."""
    from mgail_dyna.experiments.cost import estimated, spent

    cost, at_once = estimated(left, results), min(jobs, len(left))
    if cost.unknown < len(left):
        others = (
            f"; {cost.guessed} of the runs are of kinds without a record, so others of their mode and task count"
            if cost.guessed
            else ""
        )
        needed = f"about {cost.hours:.1f} core-hours left ({cost.hours / at_once:.1f} hours with {at_once} at once)"
        yield f"{needed}, estimated from recorded runs{others}"
    if cost.unknown:
        none = f"no run of the same algorithm and task is recorded in {results}"
        yield f"no estimate for {counted(cost.unknown, 'run')}: {none}"
    count, hours = spent(kinds, results)
    if count:
        yield f"{counted(count, 'run')} of these kinds recorded before, of any seed, took {hours:.1f} core-hours"


def _print_results(kinds: Sequence[Kind], results: Path, title: str) -> None:
    """Prints the table, and below it which records are outdated. There is no table of everything."""
    from mgail_dyna.cli.summary import wrapped
    from mgail_dyna.experiments.tables import print_summary

    if title != EVERYTHING:
        print_summary(kinds, results, title)
    for line in _outdated(kinds, results):
        print(wrapped(line))


def _outdated(kinds: Sequence[Kind], results: Path) -> Iterator[str]:
    """One line for each change of settings since records were made, with the kinds of run that it concerns."""
    from mgail_dyna.experiments.records import differences, read_kind

    changed: dict[str, list[str]] = {}
    for kind in kinds:
        records = read_kind(results, kind)
        changes = differences(records[0], asdict(resolved(kind.arguments).settings)) if records else ()
        listed = ", ".join(f"{key} {then} (now {now})" for key, then, now in changes)
        if listed:
            changed.setdefault(listed, []).append(f"{kind.suite}/{kind.task}-{kind.name}-seed*")
    for listed, names in changed.items():
        what = f"records made with other settings than today's: {listed}: {', '.join(names)}"
        yield f"{what}; they count as they are; to repeat a run, remove its record"


def _asked(figure: str | None, suite: str | None, helping: bool) -> tuple[str, tuple[Kind, ...]]:
    """The title and the kinds of runs that were asked for. It needs no parsed flags, so that mistakes are found early.

    Raises:
        UserError: neither or both were given, or there is no such figure or suite.
    """
    if figure is not None and figure not in FIGURES:
        raise unknown_name("figure", figure, FIGURES)
    if suite is not None and suite not in (*SUITES, ALL):
        raise unknown_name("suite", suite, [*SUITES, ALL])
    if helping:
        return "", ()
    if (figure is None) == (suite is None):
        found = "neither" if figure is None else "both"
        suites = ", ".join([*SUITES, ALL])
        raise UserError(f"expected --figure ({', '.join(FIGURES)}) or --suite ({suites}), found {found}")
    if suite == ALL:
        return EVERYTHING, everything()
    return (f"figure {figure}", FIGURES[figure]) if figure is not None else (f"suite {suite}", SUITES[str(suite)])
